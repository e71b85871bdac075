/**
 * Inputs and results against what their task says they have to be: a Standard Schema of any library,
 * or a function.
 *
 * Invariants: whatever a validator does (throws, gives nonsense, is asynchronous) comes out as a
 * parsed value or as issues; a validator that is none is refused when the task is defined.
 */
import { describe } from '../intake/checks.ts';
import { ConfigurationError, InputValidationError, OutputValidationError, RecoverySchemaError, type ValidationIssue } from '../errors.ts';
import { sameValue } from './same.ts';
import type { StandardIssue, StandardSchema, Validator } from './schema.ts';

export type Checked = { readonly value: unknown; readonly issues?: undefined } | Failed;
export interface Failed {
  readonly issues: readonly ValidationIssue[];
  /** What the validator threw, if it did. */
  readonly cause?: unknown;
}
export type Check = (value: unknown) => Checked | Promise<Checked>;

/** Kept with a run, so bounded. */
const mostIssues = 32;
const longestMessage = 256;

export function isPromise<Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<Value>).then === 'function';
}

/** At once where that is possible. */
export function chain<Value, Next>(value: Value | Promise<Value>, next: (value: Value) => Next | Promise<Next>): Next | Promise<Next> {
  return isPromise(value) ? value.then(next) : next(value);
}

/** @throws ConfigurationError for what is no validator */
export function checkOf(validator: Validator, where: string): Check {
  const standard = standardOf(validator);
  if (standard) {
    if (standard.version !== 1 || typeof standard.validate !== 'function')
      throw new ConfigurationError(`${where} is a Standard Schema of version ${String(standard.version)}; version 1 is known.`);
    return guarded((value) => chain(standard.validate(value), readResult));
  }
  if (typeof validator === 'function') return guarded((value) => chain(validator(value), (parsed) => ({ value: parsed })));
  throw new ConfigurationError(
    `${where} must be a Standard Schema (zod from 3.24, valibot from 1.0, arktype from 2.0 or another) or a function that gives the parsed value, not ${describe(validator)}.`,
  );
}

/** Schemas that can be called are schemas, not functions. */
export function standardOf(validator: unknown): StandardSchema['~standard'] | undefined {
  if (validator === null || (typeof validator !== 'object' && typeof validator !== 'function')) return undefined;
  const standard = (validator as Partial<StandardSchema>)['~standard'];
  return typeof standard === 'object' && standard !== null ? standard : undefined;
}

function guarded(check: Check): Check {
  return (value) => {
    try {
      const checked = check(value);
      return isPromise(checked) ? checked.then(undefined, thrown) : checked;
    } catch (error) {
      return thrown(error);
    }
  };
}

function readResult(result: unknown): Checked {
  if (typeof result !== 'object' || result === null) return { issues: [{ message: `its validator gave ${String(result)}, which is no result` }] };
  const { issues, value } = result as { issues?: readonly StandardIssue[]; value?: unknown };
  return issues ? { issues: readIssues(issues) } : { value };
}

/** Parsers that throw often bring a list of issues with the error. */
function thrown(error: unknown): Failed {
  const issues = (error as { issues?: unknown } | null | undefined)?.issues;
  if (Array.isArray(issues) && issues.length > 0) return { issues: readIssues(issues), cause: error };
  const message = error instanceof Error ? error.message : `it threw ${String(error)}`;
  return { issues: [{ message: clip(message) }], cause: error };
}

function readIssues(issues: Iterable<StandardIssue>): ValidationIssue[] {
  const read: ValidationIssue[] = [];
  for (const issue of issues) {
    if (read.length === mostIssues) break;
    const path = readPath(issue?.path);
    read.push({ message: clip(String(issue?.message ?? 'not valid')), ...(path.length > 0 && { path }) });
  }
  return read.length > 0 ? read : [{ message: 'not valid' }];
}

function readPath(path: StandardIssue['path'] | unknown): (string | number)[] {
  if (!Array.isArray(path)) return [];
  // A plain array whatever subclass a library uses for its paths.
  return Array.from(path.slice(0, 16), (part) => {
    const key: unknown = typeof part === 'object' && part !== null ? part.key : part;
    return typeof key === 'number' ? key : clip(String(key), 64);
  });
}

function clip(text: string, length = longestMessage): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** `items[0].name: expected a string; size: too small` */
export function issuesInWords(issues: readonly ValidationIssue[]): string {
  const shown = issues.slice(0, 3).map(({ message, path }) => (path ? `${pathInWords(path)}: ${message}` : message));
  if (issues.length > shown.length) shown.push(`and ${issues.length - shown.length} more`);
  return shown.join('; ');
}

function pathInWords(path: readonly (string | number)[]): string {
  return path.map((key, index) => (typeof key === 'number' ? `[${key}]` : index === 0 ? key : `.${key}`)).join('');
}

export function inputRefused(task: string, { issues, cause }: Failed): InputValidationError {
  const message = `The input of "${task}" is not valid: ${issuesInWords(issues)}.`;
  return new InputValidationError(message, { issues, ...(cause !== undefined && { cause }) });
}

export function outputRefused(task: string, { issues, cause }: Failed): OutputValidationError {
  const message = `The result of "${task}" is not valid: ${issuesInWords(issues)}.`;
  return new OutputValidationError(message, { issues, ...(cause !== undefined && { cause }) });
}

export function recoveryRefused(task: string, { issues, cause }: Failed): RecoverySchemaError {
  const message =
    `The input of this run of "${task}" is from an earlier page, and today's schema refuses it: ${issuesInWords(issues)}. ` +
    'It waits. Let the schema accept it and reload or resume it, or cancel it.';
  return new RecoverySchemaError(message, { issues, ...(cause !== undefined && { cause }) });
}

/** An input that was taken: the parsed value, and `raw` where the schema would not take the parsed value again. */
export interface TakenInput {
  value: unknown;
  raw?: { value: unknown };
}

/**
 * Validates an input that comes in. What a schema transforms into something that it would refuse, or
 * transform again, can be validated again after a reload only from what was given, so that is kept too.
 * @throws InputValidationError
 */
export function takeInput(check: Check, task: string, input: unknown): TakenInput | Promise<TakenInput> {
  return chain(check(input), (checked) => {
    if (checked.issues) throw inputRefused(task, checked);
    const { value } = checked;
    if (sameValue(value, input)) return { value };
    return chain(check(value), (again): TakenInput => {
      const isFixed = !again.issues && sameValue(again.value, value);
      return isFixed ? { value } : { value, raw: { value: input } };
    });
  });
}
