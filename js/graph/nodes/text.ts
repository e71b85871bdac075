/** Nodes for texts, dates and JSON. */
import { getNestedValue } from '../conditions.ts';
import { TaskInvalidInputError } from '../errors.ts';
import type { FromSchema, JsonSchema } from '../schema.ts';
import { type ExecuteContext, Task } from '../task.ts';
import { readPath } from './json-path.ts';
import { matchRegex, type RegexMatch } from './regex.ts';

const ports = <const Properties extends Record<string, JsonSchema>, const Required extends readonly (keyof Properties & string)[]>(properties: Properties, required: Required) => ({ type: 'object' as const, properties, required, additionalProperties: false as const });

const templateInput = ports({
  template: { type: 'string', title: 'Template', description: 'Text with {{name}}, {{a.path}} and {{name|what stands there otherwise}}' },
  values: { type: 'object', title: 'Values', additionalProperties: true },
}, ['template', 'values']);
const textOutput = ports({ result: { type: 'string', title: 'Result' } }, ['result']);

/** `{{user.name|somebody}}`: own properties only; what is not there is the text behind the bar, or nothing. */
export function renderTemplate(template: string, values: Record<string, unknown>): string {
  return template.replace(/\{\{([^{}]*)\}\}/g, (_, inside: string) => {
    const bar = inside.indexOf('|');
    const path = (bar < 0 ? inside : inside.slice(0, bar)).trim();
    const value = getNestedValue(values, path);
    if (value === undefined || value === null) return bar < 0 ? '' : inside.slice(bar + 1).trim();
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  });
}

/** Fills a template with values. */
export class TemplateTask extends Task<FromSchema<typeof templateInput>, FromSchema<typeof textOutput>> {
  static override readonly type = 'TemplateTask';
  static override readonly category = 'Utility';
  static override readonly title = 'Template';
  static override readonly description = 'Fills {{names}} in a text with values';
  static override inputSchema(): JsonSchema {
    return templateInput;
  }
  static override outputSchema(): JsonSchema {
    return textOutput;
  }
  override execute({ template, values }: FromSchema<typeof templateInput>): FromSchema<typeof textOutput> {
    return { result: renderTemplate(template, values) };
  }
  override executePreview(input: FromSchema<typeof templateInput>): FromSchema<typeof textOutput> {
    return this.execute(input);
  }
}

const pathInput = ports({
  value: { title: 'Value', description: 'An object or a list' },
  path: { type: 'string', title: 'Path', description: '$.name, $.list[0], $.list[*].name, or names with dots' },
}, ['value', 'path']);
const pathOutput = ports({ result: { title: 'Result', description: 'The value; behind a * a list' } }, []);

/** A value of an object, by its path (`json-path.ts` says which there are). */
export class JsonPathTask extends Task<FromSchema<typeof pathInput>, { result?: any }> {
  static override readonly type = 'JsonPathTask';
  static override readonly category = 'Utility';
  static override readonly title = 'JSON Path';
  static override readonly description = 'Takes a value out of an object by its path';
  static override inputSchema(): JsonSchema {
    return pathInput;
  }
  static override outputSchema(): JsonSchema {
    return pathOutput;
  }
  override execute({ value, path }: FromSchema<typeof pathInput>): { result?: any } {
    return { result: readPath(value, path) };
  }
  override executePreview(input: FromSchema<typeof pathInput>): { result?: any } {
    return this.execute(input);
  }
}

const regexInput = ports({
  value: { type: 'string', title: 'Value', description: 'Text to look through' },
  pattern: { type: 'string', title: 'Pattern', description: 'As RE2 has them: no lookaround, no references to groups' },
  flags: { type: 'string', title: 'Flags', description: 'g, i, m, s, u', default: '' },
}, ['value', 'pattern']);
const regexOutput = ports({ match: { type: 'boolean', title: 'Match' }, matches: { type: 'array', items: { type: 'string' }, title: 'Matches', description: 'With g every match, without the first and its groups' } }, ['match', 'matches']);

/** Looks for a pattern, in time that grows with the text only (`regex.ts`). */
export class RegexTask extends Task<FromSchema<typeof regexInput>, RegexMatch & Record<string, any>> {
  static override readonly type = 'RegexTask';
  static override readonly category = 'String';
  static override readonly title = 'Regex';
  static override readonly description = 'Looks for a pattern in a text';
  static override inputSchema(): JsonSchema {
    return regexInput;
  }
  static override outputSchema(): JsonSchema {
    return regexOutput;
  }
  override execute({ value, pattern, flags }: FromSchema<typeof regexInput>, { durable }: ExecuteContext): Promise<RegexMatch & Record<string, any>> {
    return matchRegex(value, pattern, flags, () => durable.yield());
  }
  /** Of short texts only. */
  override executePreview({ value, pattern, flags }: FromSchema<typeof regexInput>): Promise<RegexMatch & Record<string, any>> | undefined {
    return value.length <= 1000 ? matchRegex(value, pattern, flags) : undefined;
  }
}

const dateFormats = ['iso', 'date', 'time', 'datetime', 'unix'] as const;
const dateInput = ports({
  value: { type: ['string', 'number'], title: 'Value', description: 'A date as text, or milliseconds since 1970' },
  format: { type: 'string', enum: dateFormats, title: 'Format', default: 'iso' },
  locale: { type: 'string', title: 'Language', description: 'de-CH', default: 'en-US' },
  timeZone: { type: 'string', title: 'Time zone', description: 'Europe/Zurich', default: 'UTC' },
}, ['value']);
interface DateFormatInput {
  value: string | number;
  format?: (typeof dateFormats)[number];
  locale?: string;
  timeZone?: string;
  [more: string]: any;
}

/** A date in another form. Time zone: UTC where none is given, so that it is the same on every machine. */
export class DateFormatTask extends Task<DateFormatInput, FromSchema<typeof textOutput>> {
  static override readonly type = 'DateFormatTask';
  static override readonly category = 'Utility';
  static override readonly title = 'Date Format';
  static override readonly description = 'Writes a date in another form';
  static override inputSchema(): JsonSchema {
    return dateInput;
  }
  static override outputSchema(): JsonSchema {
    return textOutput;
  }
  override execute({ value, format = 'iso', locale = 'en-US', timeZone = 'UTC' }: DateFormatInput): FromSchema<typeof textOutput> {
    const date = new Date(typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value);
    if (Number.isNaN(date.getTime())) throw new TaskInvalidInputError(`${JSON.stringify(value)} is no date. Give text like 2026-05-01T12:00:00Z, or milliseconds since 1970.`);
    if (format === 'iso') return { result: date.toISOString() };
    if (format === 'unix') return { result: String(date.getTime()) };
    const parts: Intl.DateTimeFormatOptions = { ...(format !== 'time' && { dateStyle: 'short' }), ...(format !== 'date' && { timeStyle: 'medium' }) };
    try {
      return { result: new Intl.DateTimeFormat(locale, { ...parts, timeZone }).format(date) };
    } catch (error) {
      throw new TaskInvalidInputError(`A date can't be written for language ${JSON.stringify(locale)} and time zone ${JSON.stringify(timeZone)}: ${(error as Error).message}.`, { cause: error });
    }
  }
  override executePreview(input: DateFormatInput): FromSchema<typeof textOutput> {
    return this.execute(input);
  }
}
