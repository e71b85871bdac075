/** A language at work: labels with their holes filled, numbers, durations and times by Intl. */
import { type LabelKey, type Labels, type Locale, languages, type PluralLabel } from './labels.ts';

type Values = Readonly<Record<string, string | number>>;
type Unit = 'second' | 'minute' | 'hour' | 'day';
const units: readonly [Unit, number][] = [['day', 86_400_000], ['hour', 3_600_000], ['minute', 60_000], ['second', 1000]];
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
  return template.replace(/\{(\w+)\}/g, (hole, name: string) => (Object.hasOwn(values, name) ? String(values[name]) : hole));
}

function byteFormat(locale: Locale) {
  const format = (unit: string) => new Intl.NumberFormat(locale, { style: 'unit', unit, maximumFractionDigits: 1 });
  const steps = ['byte', 'kilobyte', 'megabyte', 'gigabyte'].map(format);
  return (count: number) => {
    const power = Math.min(steps.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
    return steps[power]!.format(count / 1000 ** power);
  };
}

export function createFormat(locale: Locale, overrides: Partial<Labels> = {}): Format {
  const labels: Labels = { ...(languages[locale] ?? languages.en), ...overrides };
  const plural = new Intl.PluralRules(locale);
  const number = new Intl.NumberFormat(locale);
  const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const time = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
  const duration = new Map(units.map(([unit]) => [unit, new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'short' })]));
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
    duration: (ms) => {
      const [unit, size] = unitOf(ms);
      return duration.get(unit)!.format(Math.max(ms > 0 ? 1 : 0, Math.round(ms / size)));
    },
    relative: (ms) => {
      const [unit, size] = unitOf(ms);
      return relative.format(Math.round(ms / size), unit);
    },
    time: (atMs) => time.format(atMs),
    bytes: byteFormat(locale),
  };
}
