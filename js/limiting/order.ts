/** In what order a queue begins its runs, how many may wait, and what is done when they are too many → settings of a queue of the core. Pure. */
import { circuitChecks, circuitOptionNames } from '../circuits/settings.ts';
import { checkBoolean, checkEach, checkIdentifier, checkNames, checkRecord, describe, given, oneOf, wholeNumber } from '../intake/checks.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { ConfigurationError } from '../errors.ts';
import * as P from '../protocol.ts';
import { keyNumber, limitChecks, limitOptionNames } from './settings.ts';
import type { CircuitOptions } from '../circuits/types.ts';
import type { AutoSettings } from './adaptation.ts';
import type { AutoConcurrency, LimitOptions, QueueRules } from './types.ts';

/** By `QueueField`; of a key's weight that stands in the field too. */
export type QueueSettings = readonly (readonly [field: number, value: number])[];

export const queueRuleNames = ['order', 'priorityMode', 'fair', 'maxSize', 'overflow', 'throttle', 'deadLetter', 'scope'] as const;
export const queueNames = ['name', 'concurrency', 'concurrencyLimit', ...circuitOptionNames, ...limitOptionNames, ...queueRuleNames];

/** Of a queue that all tabs share: each is a lock. */
export const mostSlots = 64;
const mostAuto = 10_000;

type Written = QueueRules & Omit<LimitOptions, 'concurrency'> & { concurrency?: LimitOptions['concurrency'] | 'auto' | AutoConcurrency; concurrencyLimit?: number; name?: string };
/** In the words of the core, and what a queue says beside them. */
type Plain = CircuitOptions & QueueRules & LimitOptions & { concurrencyLimit?: number; name?: string; auto?: AutoSettings };

const orders = { priority: P.QueueOrderPriority, fifo: P.QueueOrderFifo, lifo: P.QueueOrderLifo, fair: P.QueueOrderFair };
const overflows = { reject: P.OverflowReject, block: P.OverflowReject, 'drop-new': P.OverflowDropNew, 'drop-oldest': P.OverflowDropOldest, 'drop-lowest-priority': P.OverflowDropLowest };
const mostWeight = 0xffff;

/** What is not a limit of its own. */
export interface Rules {
  order: number;
  /** 0: no bound of the core's. */
  maxSize: number;
  overflow: number;
  weights: QueueSettings;
  /** Of a queue that lets nobody in while so many wait; 0: it does. */
  blockAt: number;
  deadLetter: string | undefined;
  /** All tabs share its concurrency and its rate. */
  isOrigin: boolean;
  /** Its concurrency is found out. */
  auto?: AutoSettings | undefined;
  /** Its bound or its rate is what `throttle` says. */
  isThrottled?: boolean;
}

export const plainRules: Rules = { order: P.QueueOrderPriority, maxSize: 0, overflow: P.OverflowReject, weights: [], blockAt: 0, deadLetter: undefined, isOrigin: false };

const machineCores = () => globalThis.navigator?.hardwareConcurrency || 4;

/** undefined: it is said. @throws ConfigurationError */
function autoOf(given: Written['concurrency'], where: string): AutoSettings | undefined {
  if (typeof given === 'string' && given !== 'auto') throw new ConfigurationError(`${where} must be a number, an object or 'auto', not ${describe(given)}.`);
  if (given !== 'auto' && !(typeof given === 'object' && given !== null && 'auto' in given)) return undefined;
  const options = given === 'auto' ? {} : (given as Partial<AutoConcurrency>);
  checkNames(options, ['auto', 'min', 'max', 'tolerance', 'backoff'], where);
  if (given !== 'auto' && options.auto !== true) throw new ConfigurationError(`${where}.auto must be true, not ${describe(options.auto)}. A number in its place is a limit that stays.`);
  const part = (value: number | undefined, usual: number, name: string, most: number) => {
    if (value === undefined) return usual;
    if (typeof value === 'number' && value >= 0.01 && value <= most) return value;
    throw new ConfigurationError(`${where}.${name} must be a number from 0.01 to ${most}, not ${describe(value)}.`);
  };
  const min = options.min === undefined ? 1 : wholeNumber(options.min, `${where}.min`, 1, mostAuto);
  const max = options.max === undefined ? Math.max(min, machineCores() * 4) : wholeNumber(options.max, `${where}.max`, min, mostAuto);
  return { min, max, tolerance: part(options.tolerance, 0.2, 'tolerance', 10), backoff: part(options.backoff, 0.75, 'backoff', 0.99) };
}

/** `throttle` and a concurrency that is found out in the words of the others. @throws ConfigurationError */
export function plainOf(written: Written, where: string): Plain {
  const auto = autoOf(written.concurrency, `${where} concurrency`);
  if (auto && written.concurrencyLimit !== undefined) throw new ConfigurationError(`${where} has a concurrency that is found out and a concurrencyLimit of ${describe(written.concurrencyLimit)}. Say { auto: true, max: ${describe(written.concurrencyLimit)} }.`);
  const options = (auto ? { ...written, concurrency: auto.min, auto } : written) as Plain;
  const { throttle } = options;
  if (throttle === undefined) return options;
  checkNames(throttle, ['every', 'trailing'], `${where} throttle`);
  checkEach(throttle, { trailing: checkBoolean }, `${where} throttle`);
  for (const name of ['minTime', 'rateLimit', 'maxSize', 'overflow'] as const)
    if (options[name] !== undefined) throw new ConfigurationError(`${where} has throttle and ${name}; throttle says both how fast and how many wait. Give one of the two.`);
  const every = throttle.every;
  if (toMilliseconds(every, `${where} throttle.every`) < 1) throw new ConfigurationError(`${where} throttle.every must be at least 1 ms, not ${describe(every)}.`);
  const { throttle: _said, ...rest } = options;
  return (throttle.trailing === false
    ? { ...rest, rateLimit: { limit: 1, period: every, onExceed: 'drop' } }
    : { ...rest, minTime: every, maxSize: 1, overflow: 'drop-oldest' }) as Plain;
}

function weightsOf(fair: QueueRules['fair'], order: string, where: string): QueueSettings {
  if (fair === undefined) return [];
  checkNames(fair, ['weights'], `${where} fair`);
  if (order !== 'fair') throw new ConfigurationError(`${where} has fair, but its order is ${describe(order)}. Say order: 'fair'.`);
  const { weights = {} } = fair;
  checkRecord(weights, `${where} fair.weights`);
  return Object.entries(weights).map(([key, weight]) => {
    checkIdentifier(key, `${where} fair.weights key`, 512);
    return [P.QueueFieldTurnWeight | (wholeNumber(weight, `${where} fair.weights ${JSON.stringify(key)}`, 1, mostWeight) << 8), keyNumber(key)] as const;
  });
}

function checkShared({ concurrency: total, concurrencyLimit, rateLimit, minTime, auto }: Plain, where: string): void {
  if (auto) throw new ConfigurationError(`${where} has the scope 'origin' and a concurrency that is found out, which each tab does for itself. Give it a number, or leave the scope away.`);
  const concurrency = given(total, concurrencyLimit);
  if (rateLimit?.onExceed === 'drop')
    throw new ConfigurationError(`${where} has the scope 'origin' and a rate that drops (onExceed 'drop', or throttle with trailing false), which is decided at the call, before other tabs can be asked. Let it wait, or leave the scope away.`);
  if (concurrency === undefined && (rateLimit !== undefined || minTime !== undefined)) return;
  if (typeof concurrency === 'number' && Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= mostSlots) return;
  throw new ConfigurationError(`${where} has the scope 'origin', which needs a concurrency from 1 to ${mostSlots}, not ${describe(concurrency)}: each slot is a lock that one tab holds. A rateLimit or a minTime may stand alone.`);
}

/** @throws ConfigurationError */
export function rulesOf(options: Plain, where: string): Rules {
  const { order = options.fair ? 'fair' : 'priority', priorityMode = 'strict', fair, maxSize, overflow = 'reject', deadLetter, scope = 'tab' } = options;
  oneOf(order, Object.keys(orders), `${where} order`);
  oneOf(priorityMode, ['strict', 'offset'], `${where} priorityMode`);
  oneOf(overflow, Object.keys(overflows), `${where} overflow`);
  if (priorityMode === 'offset' && order !== 'priority') throw new ConfigurationError(`${where} has priorityMode 'offset', but its order is ${describe(order)}; an offset is an order of its own. Leave the order away.`);
  if (options.overflow !== undefined && maxSize === undefined) throw new ConfigurationError(`${where} says what is done on overflow, but has no maxSize.`);
  oneOf(scope, ['tab', 'origin'], `${where} scope`);
  if (scope === 'origin') checkShared(options, where);
  if (deadLetter !== undefined) checkIdentifier(deadLetter, `${where} deadLetter`);
  const most = maxSize === undefined ? 0 : wholeNumber(maxSize, `${where} maxSize`, 1, 0xfffffffe);
  return {
    order: priorityMode === 'offset' ? P.QueueOrderOffset : orders[order],
    maxSize: overflow === 'block' ? 0 : most,
    overflow: overflows[overflow],
    weights: weightsOf(fair, order, where),
    blockAt: overflow === 'block' ? most : 0,
    deadLetter,
    isOrigin: scope === 'origin',
    ...(options.auto && { auto: options.auto }),
  };
}

/** As the core takes them. `all`: also what is as it would be unsaid, because the core may remember something else. */
export function queueSettings({ order, maxSize, overflow, weights }: Rules, all: boolean): QueueSettings {
  const set: [number, number][] = [[P.QueueFieldOrder, order], [P.QueueFieldOverflow, overflow], [P.QueueFieldMaxSize, maxSize]];
  return [...set.filter(([, value]) => all || value !== 0), ...weights];
}

/** What a queue may say but its name. 0: no limit. @throws ConfigurationError */
export function checkQueueOptions(written: Written, where: string): number {
  const options = plainOf(written, where);
  checkEach(options, circuitChecks, where);
  checkEach(options, limitChecks, where);
  rulesOf(options, where);
  const limit = given(options.concurrency, options.concurrencyLimit, Number.POSITIVE_INFINITY);
  // What counts weights or keys is a limit of its own, not the queue's; 'auto' begins low.
  if (typeof limit === 'object' && limit !== null) return 0;
  return limit === Number.POSITIVE_INFINITY ? 0 : wholeNumber(limit, `${where} concurrency`, 1);
}
