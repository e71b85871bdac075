/** Options of a batch, checked, and what of them is the run's, what the plan's. */
import { ConfigurationError } from '../errors.ts';
import { checkBoolean, checkNames, checkRecord, checkText, describe, oneOf, refuse, wholeNumber } from '../intake/checks.ts';
import { checkKeyOptions } from '../identity/key.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { checkRunOptions } from '../intake/options.ts';
import type { OptionTable } from '../intake/options.ts';
import type { RunOptions, TriggerOptions } from '../types.ts';
import type { BatchPlan } from './plan.ts';
import type { BatchOptions, BatchStreamOptions } from './types.ts';

/** Items between source and result. */
export const defaultHighWater = 256;
const names = [
  'concurrency', 'onItemError', 'stopOnError', 'minSuccess', 'timeout', 'idempotencyKey', 'idempotencyKeyTTL', 'tags', 'queue', 'priority', 'name',
  'metadata', 'triggerSequentially', 'highWater', 'onSourceError', 'onItem', 'onProgress',
];
/** Of a number of items that nobody knows nothing can be a part. */
const ofArrays = 'an array of items';

/** @throws ConfigurationError */
/** @param count of the items; undefined: they come of a source */
export function checkBatchOptions(options: BatchOptions, verb: string, count: number | undefined, known: readonly string[] = names): void {
  const isArray = count !== undefined;
  checkRecord(options, `${verb} options`);
  checkNames(options, known, verb);
  const { concurrency, onItemError, stopOnError, minSuccess, highWater, onSourceError, triggerSequentially, timeout, name, queue, priority, tags, metadata } = options;
  if (concurrency !== undefined) wholeNumber(concurrency, `${verb} concurrency`, 1);
  if (highWater !== undefined) wholeNumber(highWater, `${verb} highWater`, 1);
  if (minSuccess !== undefined) wholeNumber(minSuccess, `${verb} minSuccess`, 0);
  if (minSuccess !== undefined && !isArray) throw new ConfigurationError(`${verb} minSuccess needs ${ofArrays}: of a source nobody knows how many there are.`);
  if (minSuccess !== undefined && minSuccess > count!) throw new ConfigurationError(`${verb} minSuccess ${minSuccess} is more than the ${count} item(s) there are, so it could never be met. Say at most ${count}.`);
  if (stopOnError !== undefined) checkBoolean(stopOnError, `${verb} stopOnError`);
  if (triggerSequentially !== undefined) checkBoolean(triggerSequentially, `${verb} triggerSequentially`);
  if (onSourceError !== undefined) oneOf(onSourceError, ['continue', 'cancel'], `${verb} onSourceError`);
  if (name !== undefined) checkText(name, `${verb} name`);
  if (onItemError !== undefined) checkPolicy(onItemError, `${verb} onItemError`, isArray);
  if (stopOnError && onItemError !== undefined && onItemError !== 'fail-fast') throw new ConfigurationError(`${verb} has stopOnError and onItemError ${describe(onItemError)}; give one of the two.`);
  checkKeyOptions(options, verb);
  if (options.idempotencyKeyTTL !== undefined && options.idempotencyKey === undefined) throw new ConfigurationError(`${verb} has idempotencyKeyTTL and no key that it could be about. Give an idempotencyKey too.`);
  if (timeout !== undefined && toMilliseconds(timeout, `${verb} timeout`) === 0) throw new ConfigurationError(`${verb} timeout must be more than 0 ms, not ${describe(timeout)}: that would leave no item any time. Without a timeout leave it out.`);
  checkRunOptions({ ...(queue !== undefined && { queue }), ...(priority !== undefined && { priority }), ...(tags !== undefined && { tags }), ...(metadata !== undefined && { metadata }) }, verb);
}

/** What an item would be refused for when it is made, later: a queue or a limit nobody declared, a weight that is too much. @throws ConfigurationError */
export function checkNamed(table: OptionTable, layers: readonly RunOptions[], task: string): void {
  const strongest = <Name extends keyof RunOptions>(name: Name): RunOptions[Name] => layers.find((layer) => layer[name] !== undefined)?.[name];
  const queue = strongest('queue');
  const queueName = typeof queue === 'object' ? queue.name : queue;
  // One that an option describes is declared by it.
  if (queueName !== undefined && (typeof queue === 'string' || table.queues.named(queueName))) table.queues.check(queueName);
  table.limits.partsOf(task, queueName, { concurrencyKey: strongest('concurrencyKey'), concurrencyLimits: strongest('concurrencyLimits'), weight: strongest('weight') });
}

function checkPolicy(policy: NonNullable<BatchOptions['onItemError']>, where: string, isArray: boolean): void {
  if (typeof policy === 'string') return oneOf(policy, ['collect', 'fail-fast'], where);
  checkRecord(policy, where);
  checkNames(policy, ['failures', 'rate'], where);
  const { failures, rate } = policy as { failures?: number; rate?: number };
  if ((failures === undefined) === (rate === undefined)) throw new ConfigurationError(`${where} needs failures or rate, one of the two, not ${describe(policy)}.`);
  if (failures !== undefined) wholeNumber(failures, `${where}.failures`, 1);
  if (rate === undefined) return;
  if (!(typeof rate === 'number' && rate > 0 && rate <= 1)) refuse(`${where}.rate`, 'a number above 0 and at most 1', rate);
  if (!isArray) throw new ConfigurationError(`${where}.rate needs ${ofArrays}: of a source nobody knows how many there are. Say { failures }.`);
}

/** How many failures end the others; undefined: none do. */
export function thresholdOf({ onItemError, stopOnError, minSuccess }: BatchOptions, count: number): number | undefined {
  const most: number[] = [];
  if (stopOnError || onItemError === 'fail-fast') most.push(1);
  if (typeof onItemError === 'object') most.push('failures' in onItemError ? onItemError.failures : Math.max(1, Math.ceil(onItemError.rate * count)));
  if (minSuccess !== undefined) most.push(Math.max(1, count - minSuccess + 1));
  return most.length === 0 ? undefined : Math.min(...most);
}

export function planOptions(options: BatchOptions, count: number): Omit<BatchPlan, 'tasks' | 'count'> {
  const { concurrency, queue, priority, idempotencyKey, idempotencyKeyTTL, highWater, onSourceError } = options;
  const items: TriggerOptions = {
    ...(queue !== undefined && { queue }), ...(priority !== undefined && { priority }),
    ...(idempotencyKey !== undefined && idempotencyKeyTTL !== undefined && { idempotencyKeyTTL }),
  };
  const failureThreshold = thresholdOf(options, count);
  return {
    ...(concurrency !== undefined && { concurrency }),
    ...(failureThreshold !== undefined && { failureThreshold }),
    ...(Object.keys(items).length > 0 && { options: items }),
    ...(idempotencyKey !== undefined && { key: idempotencyKey }),
    ...(highWater !== undefined && { highWater }),
    ...(onSourceError !== undefined && { onSourceError }),
  };
}

/** Of the batch's own run. */
export function runOptions(options: BatchOptions | undefined): TriggerOptions | undefined {
  if (!options) return undefined;
  const { timeout, idempotencyKey, idempotencyKeyTTL, tags, name, metadata, priority } = options;
  return {
    ...(timeout !== undefined && { deadline: timeout }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(idempotencyKey !== undefined && idempotencyKeyTTL !== undefined && { idempotencyKeyTTL }),
    ...(tags !== undefined && { tags, propagateTags: true }),
    ...(name !== undefined && { name }),
    ...(metadata !== undefined && { metadata }),
    ...(priority !== undefined && { priority }),
  };
}

/** @throws ConfigurationError */
export function checkStreamOptions(options: BatchStreamOptions, verb: string): BatchStreamOptions {
  checkRecord(options, `${verb} options`);
  const { ordered, keepRuns, ...rest } = options;
  if (ordered !== undefined) checkBoolean(ordered, `${verb} ordered`);
  if (keepRuns !== undefined) checkBoolean(keepRuns, `${verb} keepRuns`);
  checkNames(options, [...names, 'ordered', 'keepRuns'], verb);
  for (const name of ['idempotencyKey', 'idempotencyKeyTTL'] as const)
    if (rest[name] !== undefined) throw new ConfigurationError(`${verb} has ${name}, and its results are for who asks for them here. Use batch.triggerByTask.`);
  return options;
}
