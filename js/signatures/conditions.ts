/**
 * Conditions that can be stored: `{ field: 'score', operator: 'greater_than', value: 3 }`, parts of them joined by
 * `all`, `any`, `not`; or a function that was given a name by `defineCondition`, which is found again by it.
 *
 * Invariant: what is no condition is refused where it is given; a stored one that can't be decided any more is an
 * error that says so, never a silent yes or no.
 */
import { ConfigurationError, TaskSerializationError } from '../errors.ts';
import { checkIdentifier, checkFunction, checkNames, describe, oneOf, refuse } from '../intake/checks.ts';
import type { Condition, ConditionOperator, NamedCondition } from './types.ts';

type Test = (actual: any, value: any) => boolean;

const ordered = (test: (one: any, other: any) => boolean): Test => (actual, value) => typeof actual === typeof value && test(actual, value);
const text = (actual: unknown): string => (typeof actual === 'string' ? actual : '');
const isEmpty: Test = (actual) =>
  actual === undefined || actual === null || actual === '' || (Array.isArray(actual) && actual.length === 0) || (actual instanceof Map || actual instanceof Set ? actual.size === 0 : isEmptyRecord(actual));

function isEmptyRecord(actual: unknown): boolean {
  return typeof actual === 'object' && actual !== null && Object.getPrototypeOf(actual) === Object.prototype && Object.keys(actual).length === 0;
}

const tests: Record<ConditionOperator, Test> = {
  equals: (actual, value) => Object.is(actual, value),
  not_equals: (actual, value) => !Object.is(actual, value),
  greater_than: ordered((one, other) => one > other),
  greater_or_equal: ordered((one, other) => one >= other),
  less_than: ordered((one, other) => one < other),
  less_or_equal: ordered((one, other) => one <= other),
  contains: (actual, value) => (Array.isArray(actual) ? actual.includes(value) : text(actual).includes(String(value))),
  starts_with: (actual, value) => typeof actual === 'string' && actual.startsWith(String(value)),
  ends_with: (actual, value) => typeof actual === 'string' && actual.endsWith(String(value)),
  is_empty: isEmpty,
  is_not_empty: (actual, value) => !isEmpty(actual, value),
  is_true: (actual) => actual === true,
  is_false: (actual) => actual === false,
};
const operators = Object.keys(tests);
const valueless: ReadonlySet<string> = new Set(['is_empty', 'is_not_empty', 'is_true', 'is_false']);

const named = new Map<string, (value: any) => boolean>();

/**
 * Gives a function a name, so that a condition of it can be stored: a page that comes later finds it by that name, once
 * this has been called there. Later calls replace it.
 * @throws ConfigurationError for a bad name, or what is no function
 */
export function defineCondition<Value = any>(name: string, decide: (value: Value) => boolean): NamedCondition {
  checkIdentifier(name, 'defineCondition name');
  checkFunction(decide, `defineCondition "${name}"`);
  named.set(name, decide);
  return { condition: name };
}

/** @throws ConfigurationError TaskSerializationError */
export function checkCondition(condition: unknown, where: string): void {
  if (typeof condition === 'function')
    throw new TaskSerializationError(`${where} is a function, which can't be stored. Say it in words, { field: 'score', operator: 'greater_than', value: 3 }, or give the function a name: const isGood = defineCondition('is-good', (result) => …).`);
  if (typeof condition !== 'object' || condition === null || Array.isArray(condition)) refuse(where, `{ field, operator, value }, { all }, { any }, { not } or what defineCondition gives`, condition);
  const one = condition as Record<string, unknown>;
  if ('condition' in one) return void (checkNames(one, ['condition'], where), checkIdentifier(one.condition, `${where}.condition`));
  for (const joint of ['all', 'any'] as const) if (joint in one) return checkParts(one, joint, where);
  if ('not' in one) return void (checkNames(one, ['not'], where), checkCondition(one.not, `${where}.not`));
  checkNames(one, ['field', 'operator', 'value'], where);
  if (one.field !== undefined && typeof one.field !== 'string') refuse(`${where}.field`, "a path like 'user.age'", one.field);
  oneOf(one.operator, operators, `${where}.operator`);
  if (valueless.has(one.operator as string) === 'value' in one)
    throw new ConfigurationError(`${where}: ${JSON.stringify(one.operator)} ${'value' in one ? `takes no value, and has ${describe(one.value)}` : 'needs a value to compare with'}.`);
}

function checkParts(one: Record<string, unknown>, joint: 'all' | 'any', where: string): void {
  checkNames(one, [joint], where);
  const parts = one[joint];
  if (!Array.isArray(parts) || parts.length === 0) refuse(`${where}.${joint}`, 'a list of conditions', parts);
  (parts as unknown[]).forEach((part, index) => checkCondition(part, `${where}.${joint}[${index}]`));
}

/** @throws ConfigurationError for one whose name is not defined here */
export function holds(condition: Condition, value: unknown): boolean {
  if ('condition' in condition) {
    const decide = named.get(condition.condition);
    if (!decide) throw new ConfigurationError(`No condition ${JSON.stringify(condition.condition)} is defined in this page. Call defineCondition(${JSON.stringify(condition.condition)}, …) before the orchestrator is created.`);
    return decide(value) === true;
  }
  if ('all' in condition) return condition.all.every((part) => holds(part, value));
  if ('any' in condition) return condition.any.some((part) => holds(part, value));
  if ('not' in condition) return !holds(condition.not, value);
  return tests[condition.operator](at(value, condition.field), condition.value);
}

/** `a.b.0`: own properties only. */
function at(value: unknown, path = ''): unknown {
  let found: any = value;
  for (const key of path === '' ? [] : path.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = found[key];
  }
  return found;
}
