/** A language at work: labels with their holes filled, numbers, durations and times by Intl. */
import { type LabelKey, type Labels, type Locale, languages, type PluralLabel } from './labels.ts';

type Values = Readonly<Record<string, string | number>>;
type Unit = 'second' | 'minute' | 'hour' | 'day';
const units: readonly [Unit, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
];
/** Two of a unit before it is used: 90 s reads better than 1 min. */
const unitOf = (ms: number) => units.find(([, size]) => Math.abs(ms) >= size * (size === 1000 ? 0 : 1.5)) ?? units[3]!;

export interface Format {
  readonly locale: Locale;
  /** A label, its holes filled. `count` picks the plural form. */
  label(key: LabelKey, values?: Values): string;
  number(value: number): string;
  /** 42 becomes `42%`. */
  percent(value: number): string;
  duration(ms: number): string;
  /** `in 12 seconds`, `3 minutes ago`. */
  relative(ms: number): string;
  /** Date and time of day. */
  time(atMs: number): string;
  bytes(count: number): string;
}

function fill(template: string, values: Values): string {
  return template.replace(/\{(\w+)\}/g, (hole, name: string) =>
    Object.hasOwn(values, name) ? String(values[name]) : hole,
  );
}

function byteFormat(locale: Locale) {
  // "3 bytes", not "3 byte", which is what the short form says.
  const format = (unit: string) =>
    new Intl.NumberFormat(locale, {
      style: 'unit',
      unit,
      unitDisplay: unit === 'byte' ? 'long' : 'short',
      maximumFractionDigits: 1,
    });
  const steps = ['byte', 'kilobyte', 'megabyte', 'gigabyte'].map(format);
  return (count: number) => {
    const power = Math.min(steps.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
    return steps[power]!.format(count / 1000 ** power);
  };
}

/** `0.4 sec`, `12 sec`, `1 min 35 sec`, `2 hr`: a second unit while the first is below ten. */
function durationFormat(locale: Locale) {
  const options = { style: 'unit', unitDisplay: 'short', maximumFractionDigits: 0 } as const;
  const formats = units.map(([unit]) => new Intl.NumberFormat(locale, { ...options, unit }));
  const tenths = new Intl.NumberFormat(locale, { ...options, unit: 'second', maximumFractionDigits: 1 });
  return (ms: number) => {
    if (ms < 9950) return tenths.format(ms < 1000 ? Math.max(0.1, ms / 1000) : Math.round(ms / 100) / 10);
    const whole = Math.round(ms / 1000) * 1000;
    const index = units.findIndex(([, size]) => whole >= size);
    const count = Math.floor(whole / units[index]![1]);
    const rest = Math.round((whole % units[index]![1]) / (units[index + 1]?.[1] ?? whole + 1));
    const words = formats[index]!.format(count);
    return rest > 0 && count < 10 && index < 3 ? `${words} ${formats[index + 1]!.format(rest)}` : words;
  };
}

export function createFormat(locale: Locale, overrides: Partial<Labels> = {}): Format {
  const labels: Labels = { ...(languages[locale] ?? languages.en), ...overrides };
  const plural = new Intl.PluralRules(locale);
  const number = new Intl.NumberFormat(locale);
  const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const time = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
  const choose = (label: string | PluralLabel, count: unknown) =>
    typeof label === 'string' ? label : (label[plural.select(Number(count))] ?? label.other);
  return {
    locale,
    label: (key, values = {}) => {
      const shown = typeof values.count === 'number' ? { ...values, count: number.format(values.count) } : values;
      return fill(choose(labels[key], values.count), shown);
    },
    number: (value) => number.format(value),
    // Never 100 % before the end.
    percent: (value) => percent.format((value >= 100 ? 100 : Math.min(99, Math.round(value))) / 100),
    duration: durationFormat(locale),
    relative: (ms) => {
      const [unit, size] = unitOf(ms);
      return relative.format(Math.round(ms / size), unit);
    },
    time: (atMs) => time.format(atMs),
    bytes: byteFormat(locale),
  };
}
