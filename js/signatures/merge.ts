/**
 * What a signature's code gets: the message it was called with, or what the run it follows has given, and over it
 * the kwargs it was made with.
 *
 * Invariant: pure but for reading what is durable, so that it gives the same whenever it is asked.
 */
import { ConfigurationError, InputValidationError } from '../errors.ts';
import { describe } from '../intake/checks.ts';
import { issuesInWords } from '../definition/validation.ts';
import type { Deferred, Merge, MergeCall, Merged } from '../dependencies/types.ts';
import { holds } from './conditions.ts';
import { chainErrorMessage, isChain } from './chain-error.ts';
import { deepMerge, isRecord } from './deep-merge.ts';
import type { Condition } from './types.ts';
import { validatorNamed } from './validators.ts';

/** Field that a result comes in, where nothing else is said. */
export const defaultReturnField = 'result';

export const merge: Merge = async (call) => {
  const { message, about } = await messageOf(call);
  const { when } = (call.deferred.data ?? {}) as { when?: Condition };
  if (when && !holds(when, about)) return { skip: call.binding.data?.passes ? about : undefined };
  return { input: await validated(call, mergedWith(message, await shared(call), call)) };
};

/** As a message: in the field that it is to be found in; with `null` it is the message. */
export function inReturnField(deferred: Deferred, value: unknown): unknown {
  const field = deferred.data?.returnField;
  return field === null ? value : { [field ?? defaultReturnField]: value };
}

/** `about`: what a condition is asked about. */
async function messageOf(call: MergeCall): Promise<{ message: unknown; about: unknown }> {
  const { role } = call.binding.data ?? {};
  const alike = (value: unknown) => ({ message: value, about: value });
  if (role === 'success') return returned(call, await call.source('of').output());
  if (role === 'failure' || role === 'cancelled') return alike(await failedMessage(call));
  if (role === 'first' || role === 'instead') return alike(await firstMessage(call));
  if (role === 'next') return returned(call, await lastOutput(call));
  if (role === 'member') return alike(await memberMessage(call));
  const given = call.message?.value as { message?: unknown; isReturn?: boolean } | undefined;
  return given?.isReturn ? returned(call, given.message) : alike(given?.message);
}

function returned(call: MergeCall, value: unknown): { message: unknown; about: unknown } {
  return { message: inReturnField(call.deferred, value), about: value };
}

/** What the run that failed had got; of a chain, what is known of where it stopped. */
async function failedMessage(call: MergeCall): Promise<unknown> {
  const failed = call.source('of');
  return isChain(failed.taskIdentifier) ? chainErrorMessage(failed) : failed.input();
}

/** Of the nearest before it that has one; of the container's message where none has. */
async function lastOutput(call: MergeCall): Promise<unknown> {
  for (const name of ['previous', ...Object.keys(call.binding.sources).filter((name) => name.startsWith('before')).reverse()]) {
    const source = call.source(name);
    if (source.end === 'completed') return source.output();
  }
  return call.source('container').input();
}

/** Of a fold: with its initial value. */
async function firstMessage(call: MergeCall): Promise<unknown> {
  const container = call.source('container');
  const first = container.deferred?.data?.first as object | undefined;
  const input = await container.input();
  return first ? deepMerge(input, first) : input;
}

async function memberMessage(call: MergeCall): Promise<unknown> {
  const { own, toReturnField } = call.binding.data ?? {};
  // It was added with a message of its own.
  const given = call.message?.value as { message?: unknown } | undefined;
  const message = own ? given?.message : await call.source('container').input();
  return toReturnField ? inReturnField(call.deferred, message) : message;
}

/** What the container says to all of its members. */
async function shared(call: MergeCall): Promise<unknown> {
  return call.binding.sources.container === undefined || ['first', 'instead'].includes(call.binding.data?.role as string) ? undefined : call.source('container').given();
}

/** A swarm's kwargs count for more than its members' own, a chain's for less. */
function mergedWith(message: unknown, common: unknown, call: MergeCall): unknown {
  const overOwn = call.binding.data?.role === 'member';
  const kwargs = overOwn ? deepMerge(call.given, common) : deepMerge(common, call.given);
  if (isNothing(kwargs)) return message === undefined ? kwargs : message;
  if (message === undefined) return kwargs;
  if (!isRecord(message))
    throw new ConfigurationError(`The message of "${call.taskIdentifier}" (run ${call.id}) is ${describe(message)}, and has to be an object where there are kwargs: ${describe(kwargs)}. Call it with an object, or sign it without kwargs.`);
  return deepMerge(message, kwargs);
}

/** @throws InputValidationError */
async function validated({ taskIdentifier, deferred }: MergeCall, value: unknown): Promise<unknown> {
  const name = deferred.data?.validator as string | undefined;
  if (name === undefined) return value;
  const checked = await validatorNamed(name)(value);
  if (!checked.issues) return checked.value;
  throw new InputValidationError(`What "${taskIdentifier}" is called with does not fit its model validator ${JSON.stringify(name)}: ${issuesInWords(checked.issues)}.`, { issues: checked.issues });
}

const isNothing = (value: unknown): boolean => value === undefined || (isRecord(value) && Object.keys(value).length === 0);

export type { Merged };
