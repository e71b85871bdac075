/**
 * `ctx.step`: a piece of work whose result is recorded before the code after it runs, and never computed
 * again. With `retry` it is tried again by itself; its failures are counted where they survive.
 */
import { ConfigurationError, OrchestratorError, RetryableError, StepTimeoutError } from '../errors.ts';
import { retryTime } from '../definition/retry-time.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { KeyPrefix, RecordKind } from '../journal/history.ts';
import { checkEach, checkFunction, checkNames, checkRecord, checkText, describe, oneOf } from '../intake/checks.ts';
import { type Policy, resolvePolicy, retryDecision } from '../intake/options.ts';
import type { Run } from '../runs/run.ts';
import { serializeError } from '../runs/serialize-error.ts';
import type { StepInfo, StepOptions } from '../types.ts';
import type { Durable } from './durable.ts';
import { sleepUntil } from './sleep.ts';

export type Compute<Value> = (info: StepInfo) => Value | Promise<Value>;

const optionNames = ['id', 'retry', 'timeout', 'schema', 'serde', 'compensate', 'durability'];
const durabilities = ['sync', 'batched', 'none'];

/** How long the next try waits; Infinity: there is none. The core says so. */
export type RetryDelay = (policy: Policy, failures: number, lastDelayMs: number) => Promise<number>;

export interface StepHost {
  readonly retryDelay: RetryDelay;
  /** true: there is no network, and the run has been stopped to wait for it. */
  suspends(run: Run, error: unknown): boolean | Promise<boolean>;
  validate(schema: unknown, value: unknown, what: string): Promise<unknown>;
}

/** @throws ConfigurationError */
export function checkName(name: unknown, verb: string): asserts name is string {
  if (typeof name !== 'string' || name === '' || name.length > 512 || name.charCodeAt(0) < 32 || name.includes('\u0000'))
    throw new ConfigurationError(`${verb} needs a name of 1 to 512 characters, not ${describe(name)}.`);
}

const optionChecks = {
  id: checkText, compensate: checkFunction, serde: checkSerde, durability: (value: unknown, where: string) => oneOf(value, durabilities, where),
};

function checkSerde(serde: unknown, where: string): void {
  checkRecord(serde, where);
  checkNames(serde as object, ['serialize', 'deserialize'], where);
  const { serialize, deserialize } = serde as Record<string, unknown>;
  checkFunction(serialize, `${where}.serialize`);
  checkFunction(deserialize, `${where}.deserialize`);
}

/** @throws ConfigurationError */
export function checkStep(name: unknown, compute: unknown, options: StepOptions | undefined): asserts name is string {
  checkName(name, 'ctx.step');
  if (typeof compute !== 'function') throw new ConfigurationError(`ctx.step("${name}") needs a function that computes the step, not ${describe(compute)}.`);
  if (options === undefined) return;
  checkNames(options, optionNames, `ctx.step("${name}")`);
  checkEach(options, optionChecks, `ctx.step("${name}")`);
  if (options.durability === 'none' && options.serde) throw new ConfigurationError(`ctx.step("${name}"): nothing of it is kept (durability: 'none'), so there is nothing for serde.`);
}

export async function step<Value>(
  durable: Durable, host: StepHost, name: string, compute: Compute<Value>, options: StepOptions | undefined,
): Promise<Value> {
  durable.check('step', name);
  checkStep(name, compute, options);
  const key = durable.key(KeyPrefix.Step, name, options?.id);
  const isRecorded = options?.durability !== 'none';
  const recorded = isRecorded ? await durable.ask(key) : undefined;
  if (recorded) {
    const kept = await durable.answer(recorded);
    const value = (options?.serde ? await options.serde.deserialize(kept) : kept) as Value;
    return given(durable, name, options, value);
  }
  await durable.safePoint('step', name, isRecorded ? key : undefined);
  const value = await attemptStep(durable, host, name, key, compute, options);
  given(durable, name, options, value);
  await durable.safePoint('step', name);
  return value;
}

function given<Value>(durable: Durable, name: string, options: StepOptions | undefined, value: Value): Value {
  const { compensate } = options ?? {};
  if (compensate) durable.undoings.push({ name, undo: () => compensate(value) });
  return durable.given(value, `step "${name}"`);
}

/** Computes and records; what is recorded under the key was looked for before. */
export async function attemptStep<Value>(
  durable: Durable, host: StepHost, name: string, key: string, compute: Compute<Value>, options: StepOptions | undefined,
): Promise<Value> {
  // One that is not recorded says nothing about where its branch of a race had come to.
  const isRecorded = options?.durability !== 'none';
  const known = isRecorded ? key : undefined;
  durable.parking.begin();
  durable.computing.add(key);
  try {
    const computed = options?.retry || options?.timeout !== undefined
      ? await computeWithRetries(durable, host, name, key, compute, options)
      : await durable.inside(name, key, compute, 1, undefined);
    durable.computing.delete(key);
    durable.check('step', name, known);
    const value = options?.schema ? await host.validate(options.schema, computed, `result of step "${name}"`) : computed;
    if (!isRecorded) return value as Value;
    const kept = options?.serde ? await options.serde.serialize(value) : value;
    const isAhead = options?.durability === 'batched' && !durable.parking.isAnswering;
    durable.parking.answering();
    try {
      const what = `result of step ${JSON.stringify(name)}`;
      const entry = await (isAhead ? durable.recordAhead(key, RecordKind.Value, kept, what) : durable.record(key, RecordKind.Value, kept, what));
      const stored = await durable.host.valueOf(entry);
      return (options?.serde ? await options.serde.deserialize(stored) : stored) as Value;
    } finally {
      durable.parking.answered();
    }
  } catch (error) {
    const behind = durable.parking.behindAnswers();
    if (behind) await behind;
    durable.check('step', name, known);
    if (isRecorded) durable.fail(key, RecordKind.Failure, error);
    throw error;
  } finally {
    durable.computing.delete(key);
    durable.parking.end();
  }
}

interface Tries {
  failures: number;
  delayMs: number;
  atMs: number;
}

/** Its failures are marked, so that a page that dies between two tries forgets none of them. */
async function computeWithRetries<Value>(
  durable: Durable, host: StepHost, name: string, key: string, compute: Compute<Value>, options: StepOptions,
): Promise<Value> {
  const policy = resolvePolicy(options.retry ?? { maxAttempts: 1 });
  const marker = `${KeyPrefix.Mark}tries${key}`;
  const known = durable.replay.mark(marker);
  let tries: Tries = known && known.attempt > durable.host.closedAttemptOf(durable.run) ? (durable.host.valueOf(known) as Tries) : { failures: 0, delayMs: 0, atMs: 0 };
  for (;;) {
    if (tries.atMs > durable.host.nowMs) await betweenTries(durable, tries.atMs);
    durable.check('step', name);
    try {
      return await computeOnce(durable, name, key, compute, tries.failures + 1, options);
    } catch (error) {
      durable.check('step', name);
      // A try that fails for want of a network is none: the run waits, and the step begins anew.
      if (options.retry) await host.suspends(durable.run, error);
      durable.check('step', name);
      const failures = tries.failures + 1;
      const delayMs = isFinal(error, policy, options, failures) ? Number.POSITIVE_INFINITY : await delayOf(host, error, policy, failures, tries.delayMs, durable.host.nowMs);
      if (delayMs === Number.POSITIVE_INFINITY) throw error;
      tries = { failures, delayMs, atMs: durable.host.nowMs + delayMs };
      durable.note(marker, RecordKind.Mark, { ...tries, error: serializeError(error).message });
    }
  }
}

function isFinal(error: unknown, policy: Policy, options: StepOptions, failures: number): boolean {
  if (error instanceof OrchestratorError && !error.retryable) return true;
  const mayRetry = retryDecision(options.retry ?? {});
  return mayRetry !== undefined && !mayRetry(error as Error, { attempt: failures, maxAttempts: policy.maxAttempts });
}

async function delayOf(host: StepHost, error: unknown, policy: Policy, failures: number, lastDelayMs: number, nowMs: number): Promise<number> {
  const delayMs = await host.retryDelay(policy, failures, lastDelayMs);
  const atMs = error instanceof RetryableError ? retryTime(error, nowMs) : undefined;
  return delayMs === Number.POSITIVE_INFINITY || atMs === undefined ? delayMs : Math.max(0, atMs - nowMs);
}

/** Without a slot, as between attempts of a run. */
async function betweenTries(durable: Durable, atMs: number): Promise<void> {
  durable.parking.end();
  try {
    await sleepUntil(durable, atMs, () => {});
  } finally {
    durable.parking.begin();
  }
}

async function computeOnce<Value>(
  durable: Durable, name: string, key: string, compute: Compute<Value>, attemptNumber: number, options: StepOptions,
): Promise<Value> {
  const controller = new AbortController();
  if (options.timeout === undefined) return await durable.inside(name, key, compute, attemptNumber, controller.signal);
  const timeoutMs = toMilliseconds(options.timeout, `ctx.step("${name}") timeout`);
  let cancel = () => {};
  const late = new Promise<never>((_, reject) => {
    cancel = durable.alarms.add(durable.host.nowMs + timeoutMs, () => {
      const error = new StepTimeoutError(`Step "${name}" of run ${durable.run.id} timed out after ${timeoutMs} ms.`);
      controller.abort(error);
      reject(error);
    });
  });
  try {
    return await Promise.race([durable.inside(name, key, compute, attemptNumber, controller.signal), late]);
  } finally {
    cancel();
  }
}
