/**
 * Conditions as a person builds them in an editor: a field, an operator, a value that is text. And which branches of
 * several are taken by them.
 *
 * A text is compared as what it is compared with: with a number as a number, with true and false as those, else as text.
 * `contains`, `starts_with` and `ends_with` don't look at case; of a list `contains` asks for an element.
 *
 * Invariant: pure; what can't be compared is false, whatever the operator, `not_equals` but for a missing value too.
 */
import { isPromise } from '../definition/validation.ts';
import type { ConditionOperator } from '../signatures/types.ts';
import { TaskConfigurationError, TaskFailedError } from './errors.ts';

export type ComparisonOperator = ConditionOperator;

/** A branch: what has to hold of the input, by a function or in words. */
export interface BranchConfig<Input = any> {
  /** Unique among the branches. */
  readonly id: string;
  /** A function is asked as the node runs; it can't be written into a document. */
  readonly condition?: ((input: Input) => boolean) | undefined;
  /** In words: a path like `user.age` into the input; `''` or none: the input itself. */
  readonly field?: string | undefined;
  readonly operator?: ComparisonOperator | undefined;
  readonly value?: unknown;
  /** Where it leads. Default: its id. */
  readonly outputPort?: string | undefined;
}

type Test = (actual: any, value: unknown) => boolean;

const numberOf = (value: unknown): number => {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && value.trim() !== '' ? Number(value) : typeof value === 'bigint' ? Number(value) : value instanceof Date ? value.getTime() : Number.NaN;
};

/** Text as people would write it; undefined for what has none. */
const textOf = (value: unknown): string | undefined => (typeof value === 'object' || typeof value === 'function' || value === undefined ? undefined : String(value));

function same(actual: unknown, value: unknown): boolean {
  if (Object.is(actual, value)) return true;
  const [one, other] = [numberOf(actual), numberOf(value)];
  if (!Number.isNaN(one) && !Number.isNaN(other)) return one === other;
  const text = textOf(actual);
  return text !== undefined && text === textOf(value);
}

const ordered = (test: (one: any, other: any) => boolean): Test => (actual, value) => {
  const [one, other] = [numberOf(actual), numberOf(value)];
  if (!Number.isNaN(one) && !Number.isNaN(other)) return test(one, other);
  // Words by the alphabet, where both are words; a word and a number have no order.
  return typeof actual === 'string' && typeof value === 'string' && Number.isNaN(one) && Number.isNaN(other) && test(actual, value);
};

const words = (test: (actual: string, value: string) => boolean): Test => (actual, value) => {
  const [one, other] = [textOf(actual), textOf(value)];
  return one !== undefined && other !== undefined && test(one.toLowerCase(), other.toLowerCase());
};

const contains = words((actual, value) => actual.includes(value));

function isEmpty(actual: unknown): boolean {
  if (actual === undefined || actual === null || actual === '') return true;
  if (Array.isArray(actual)) return actual.length === 0;
  if (actual instanceof Map || actual instanceof Set) return actual.size === 0;
  return typeof actual === 'object' && Object.getPrototypeOf(actual) === Object.prototype && Object.keys(actual).length === 0;
}

const tests: Readonly<Record<ComparisonOperator, Test>> = {
  equals: same,
  not_equals: (actual, value) => !same(actual, value),
  greater_than: ordered((one, other) => one > other),
  greater_or_equal: ordered((one, other) => one >= other),
  less_than: ordered((one, other) => one < other),
  less_or_equal: ordered((one, other) => one <= other),
  contains: (actual, value) => (Array.isArray(actual) ? actual.some((element) => same(element, value)) : contains(actual, value)),
  starts_with: words((actual, value) => actual.startsWith(value)),
  ends_with: words((actual, value) => actual.endsWith(value)),
  is_empty: isEmpty,
  is_not_empty: (actual) => !isEmpty(actual),
  is_true: (actual) => Boolean(actual),
  is_false: (actual) => !actual,
};

/** Operators that have their answer where there is no value. */
const ofNothing: ReadonlySet<ComparisonOperator> = new Set(['is_empty', 'is_not_empty', 'is_true', 'is_false']);

/** All operators there are. */
export const comparisonOperators = Object.keys(tests) as readonly ComparisonOperator[];

/**
 * Does it hold? `null` and what is missing are empty and not true; nothing else holds of them.
 * @throws TaskConfigurationError for an operator that is none
 */
export function evaluateCondition(actual: unknown, operator: ComparisonOperator, value?: unknown): boolean {
  if (!Object.hasOwn(tests, operator)) throw new TaskConfigurationError(`${JSON.stringify(operator) ?? String(operator)} is no operator. Known are: ${comparisonOperators.join(', ')}.`);
  if ((actual === undefined || actual === null) && !ofNothing.has(operator)) return false;
  return tests[operator](actual, value);
}

/** `user.tags.0`: own properties only; undefined where there is none. `''` is the value itself. */
export function getNestedValue(value: unknown, path: string): unknown {
  let found: any = value;
  for (const key of path === '' ? [] : path.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = found[key];
  }
  return found;
}

/** @throws TaskConfigurationError for branches that are none, ids that come twice, a default that is none of them */
export function checkBranches(branches: readonly BranchConfig[], defaultBranch: string | undefined, where: string): void {
  const ids = new Set<string>();
  const refuse = (says: string): never => {
    throw new TaskConfigurationError(`${where}: ${says}`);
  };
  if (!Array.isArray(branches) || branches.length === 0) refuse(`branches has to be a list of { id, condition, outputPort } or { id, field, operator, value, outputPort }, with one at least.`);
  for (const { id, condition, operator } of branches) {
    if (typeof id !== 'string' || id === '') refuse(`each branch needs an id, and one has ${JSON.stringify(id) ?? String(id)}.`);
    if (ids.has(id)) refuse(`two branches have the id ${JSON.stringify(id)}.`);
    ids.add(id);
    if (typeof condition === 'function') continue;
    if (condition !== undefined) refuse(`the condition of branch ${JSON.stringify(id)} is no function. In words it is { field, operator, value } beside the id.`);
    if (!comparisonOperators.includes(operator as ComparisonOperator)) refuse(`branch ${JSON.stringify(id)} needs a condition, or one of the operators ${comparisonOperators.join(', ')}, not ${JSON.stringify(operator) ?? String(operator)}.`);
  }
  if (defaultBranch !== undefined && !ids.has(defaultBranch)) refuse(`defaultBranch ${JSON.stringify(defaultBranch)} is none of its branches (${[...ids].join(', ')}).`);
}

/** The port of a branch. */
export function branchPort({ id, outputPort }: BranchConfig): string {
  return outputPort ?? id;
}

/**
 * Ids of the branches that are taken, in their order. `exclusive` (default): the first that holds, alone. Where none
 * holds, `defaultBranch`.
 * @throws TaskFailedError where a function throws: an error is neither yes nor no
 */
export function activeBranches<Input>(input: Input, branches: readonly BranchConfig<Input>[], { exclusive = true, defaultBranch }: { exclusive?: boolean | undefined; defaultBranch?: string | undefined } = {}): string[] {
  const taken: string[] = [];
  for (const branch of branches) {
    if (!isTaken(branch, input)) continue;
    taken.push(branch.id);
    if (exclusive) break;
  }
  return taken.length === 0 && defaultBranch !== undefined ? [defaultBranch] : taken;
}

function isTaken<Input>(branch: BranchConfig<Input>, input: Input): boolean {
  if (!branch.condition) return evaluateCondition(getNestedValue(input, branch.field ?? ''), branch.operator!, branch.value);
  return asked(() => branch.condition!(input), `The condition of branch ${JSON.stringify(branch.id)}`);
}

/** What people's condition says. @throws TaskFailedError where it throws, or gives a promise, which is neither yes nor no */
export function asked(condition: () => unknown, name: string): boolean {
  let answer: unknown;
  try {
    answer = condition();
  } catch (error) {
    throw new TaskFailedError(`${name} threw: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  if (!isPromise(answer)) return answer === true;
  answer.then(undefined, () => {});
  throw new TaskFailedError(`${name} gave a promise, and has to answer at once. Ask in a task before it, whose output says so.`);
}
