import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toInstant, toMilliseconds } from '../../js/intake/duration.ts';
import { ConfigurationError } from '../../js/errors.ts';

describe('toMilliseconds', () => {
  const table: [any, number][] = [
    [0, 0],
    [1500, 1500],
    ['500ms', 500],
    ['10s', 10_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
    ['1w', 604_800_000],
    ['1h30m', 5_400_000],
    [' 1h 30m ', 5_400_000],
    ['0.3s', 300],
    ['PT5M', 300_000],
    ['P1DT2H', 93_600_000],
    ['P2W', 1_209_600_000],
    ['PT0.5S', 500],
    [{ minutes: 5 }, 300_000],
    [{ hours: 1, minutes: 30, seconds: undefined }, 5_400_000],
    [{ seconds: 0.1, milliseconds: 200 }, 300],
  ];
  for (const [duration, milliseconds] of table) {
    it(`reads ${JSON.stringify(duration)} as ${milliseconds} ms`, () => {
      expect(toMilliseconds(duration, 'timeout')).toBe(milliseconds);
    });
  }

  const wrong: any[] = [
    -1,
    NaN,
    Infinity,
    -Infinity,
    '',
    '5',
    'soon',
    '-5m',
    '5 minutes',
    '1x',
    'P',
    'PT',
    'P1Y',
    'P1M',
    'PT.S',
    {},
  ];
  wrong.push(
    { minutes: -1 },
    { months: 1 },
    { minutes: '5' },
    { minutes: NaN },
    null,
    undefined,
    true,
    [],
    () => 1,
    5n,
    new Date(),
  );
  for (const duration of wrong) {
    it(`refuses ${typeof duration === 'bigint' ? '5n' : (JSON.stringify(duration) ?? String(duration))}, naming option and value`, () => {
      expect(() => toMilliseconds(duration, 'retry.minDelay')).toThrow(ConfigurationError);
      expect(() => toMilliseconds(duration, 'retry.minDelay')).toThrow(
        /^retry\.minDelay must be a duration.*; it is ./,
      );
    });
  }

  it('any text gives a number of at least 0 or a ConfigurationError', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[P T\d.hmsdwHMSDW-]{0,12}$/));
    fc.assert(
      fc.property(text, (duration) => {
        try {
          expect(toMilliseconds(duration, 'x')).toBeGreaterThanOrEqual(0);
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigurationError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('toInstant', () => {
  it('reads a Date, milliseconds, ISO text and a duration from now', () => {
    const at = Date.UTC(2030, 0, 31, 9);
    for (const instant of [new Date(at), at, '2030-01-31T09:00:00Z']) expect(toInstant(instant, 'at', 5)).toBe(at);
    expect(toInstant('10m', 'at', 5)).toBe(600_005);
  });

  it('refuses what is no moment, naming option and value', () => {
    for (const instant of [new Date(NaN), NaN, Infinity, -1, 'tomorrow', '2030-99-99', null, {}] as any[]) {
      expect(() => toInstant(instant, 'startAt', 0)).toThrow(ConfigurationError);
      expect(() => toInstant(instant, 'startAt', 0)).toThrow(/^startAt must be a moment.*; it is ./);
    }
  });
});
