/**
 * `ctx.waitForUpdate`, `ctx.updates` and `ctx.events`: made of the wait for an event, in a page and in a worker alike.
 * Invariant: what was taken stands in the history of the run; code that runs again gets the same, and its answer again
 * is the one that was given.
 */
import { WaitTimeoutError } from '../errors.ts';
import { checkNames } from '../intake/checks.ts';
import { serializeError } from '../runs/serialize-error.ts';
import type { WaitForOptions, WaitPromise, WaitResult } from '../types.ts';
import { checkMatch, matches } from '../waiting/match.ts';
import { failed, succeeded, waitPromise } from '../waiting/outcome.ts';
import { type Asked, checkAskedName, nameOfUpdate, type Reply, updateEvent } from './names.ts';
import type { Update } from './types.ts';

/** What a context gives for it. */
export interface AskedContext {
  waitForEvent(name: string, options?: WaitForOptions): WaitPromise;
  /** Resolves when it is stored. */
  reply(token: string, reply: Reply): Promise<void>;
}

export function waitForUpdate<Data>(ctx: AskedContext, name: string, options: WaitForOptions<Data> = {}): WaitPromise<Update<Data>> {
  return waitPromise(take(ctx, name, options));
}

async function take(ctx: AskedContext, name: string, options: WaitForOptions): Promise<WaitResult<Update>> {
  checkAskedName(name, 'ctx.waitForUpdate');
  const where = `ctx.waitForUpdate("${name}")`;
  checkNames(options, ['id', 'match', 'timeout', 'since'], where);
  checkMatch(options.match, where);
  const result = await ctx.waitForEvent(updateEvent(name), { ...options, ...(options.match !== undefined && { match: ofData(options.match) }) });
  if (result.ok) return succeeded(updateOf(ctx, name, result.output));
  const { error } = result;
  return failed(error instanceof WaitTimeoutError ? new WaitTimeoutError(nameOfUpdate(error.message)) : error);
}

/** A function stays one; an object stays one, which may go to another thread. */
function ofData(match: NonNullable<WaitForOptions['match']>): NonNullable<WaitForOptions['match']> {
  return typeof match === 'function' ? ({ data }: Asked) => matches(match, data) : { data: match };
}

function updateOf(ctx: AskedContext, name: string, { token, data }: Asked): Update {
  return Object.freeze({
    name,
    data,
    respond: (answer?: unknown) => ctx.reply(token, { answer }),
    reject: (error: unknown) => ctx.reply(token, { refused: serializeError(error) }),
  });
}

/** One after the other, until none comes within `timeout`. */
export async function* updates<Data>(ctx: AskedContext, name: string, options?: WaitForOptions<Data>): AsyncGenerator<Update<Data>, void, undefined> {
  yield* oneByOne(() => waitForUpdate(ctx, name, options));
}

export async function* events<Data>(ctx: AskedContext, name: string, options?: WaitForOptions<Data>): AsyncGenerator<Data, void, undefined> {
  yield* oneByOne(() => ctx.waitForEvent(name, options));
}

async function* oneByOne<Value>(next: () => WaitPromise<Value>): AsyncGenerator<Value, void, undefined> {
  for (;;) {
    const result = await next();
    if (result.ok) yield result.output;
    else if (result.error instanceof WaitTimeoutError) return;
    else throw result.error;
  }
}
