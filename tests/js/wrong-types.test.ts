/** Every public call with every wrong type: a ConfigurationError that shows the value, and nothing has changed. */
import { ConfigurationError, createOrchestrator, defineTask, MissingSignatureError, type Orchestrator, queue, registerCodec, type RunHandle, TestClock, workerHandler } from 'holdfast';
import { indexedDB } from 'holdfast/storage/indexeddb';
import { local } from 'holdfast/storage/local';
import { mirror } from 'holdfast/storage/mirror';
import { opfs } from 'holdfast/storage/opfs';
import { serve } from 'holdfast/worker';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describe as describeValue } from '../../js/intake/checks.ts';
import { openHouse } from './house.ts';

const values: Record<string, unknown> = {
  null: null, 'a number': 5, 'a fraction': 0.5, zero: 0, 'a negative number': -1, NaN: Number.NaN, infinity: Number.POSITIVE_INFINITY,
  'a bigint': 5n, text: 'nonsense', 'empty text': '', true: true, false: false, 'a list': ['nonsense'], 'an empty list': [],
  'an object': { nonsense: 1 }, 'an empty object': {}, 'a naked object': Object.create(null), 'a function': () => {}, 'a symbol': Symbol('s'),
  'a date': new Date(0), 'an invalid date': new Date(Number.NaN),
};
type Accepts = (value: any) => boolean;

// What may stand in each place.
const text: Accepts = (value) => typeof value === 'string';
const someText: Accepts = (value) => text(value) && value !== '';
const callable: Accepts = (value) => typeof value === 'function';
const flag: Accepts = (value) => typeof value === 'boolean';
const record: Accepts = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
/** An object of options none of which is known. */
const options: Accepts = (value) => record(value) && Object.keys(value).length === 0;
const number: Accepts = (value) => typeof value === 'number' && !Number.isNaN(value);
const positive: Accepts = (value) => number(value) && value >= 0;
const whole: Accepts = (value) => Number.isInteger(value);
const count: Accepts = (value) => whole(value) && value >= 0;
const fromOne: Accepts = (value) => whole(value) && value >= 1;
const duration: Accepts = (value) => positive(value) && value !== Number.POSITIVE_INFINITY;
const instant: Accepts = (value) => duration(value) || (value instanceof Date && !Number.isNaN(value.getTime()));
const nothing: Accepts = () => false;
const list: Accepts = (value) => Array.isArray(value) && value.length === 0;
const texts: Accepts = (value) => Array.isArray(value) && value.every(someText);
const tags: Accepts = (value) => someText(value) || texts(value);

const task = defineTask({ id: 'wrong: plain', run: async (n: number) => n });
const filing = defineTask({ id: 'wrong: a file', run: async () => new Blob(['x']) });
/** What some of the values below name. */
defineTask({ id: 'nonsense', run: async () => null });
const listener = () => {};
let house: Orchestrator;
let clock: TestClock;
let run: RunHandle;
let file: RunHandle;

beforeEach(async () => {
  ({ orchestrator: house, clock } = await openHouse());
  run = house.trigger(task, 1);
  file = house.trigger(filing, null);
  await Promise.all([run.result(), file.result()]);
});
afterEach(() => house.dispose());

const runOptions: Record<string, Accepts> = {
  queue: nothing, priority: whole, timeout: duration, countFrozen: flag, deadline: duration, ttl: duration, graceMs: duration,
  delay: instant, simulateProgress: (value) => flag(value) || options(value), metadata: record, retry: options, persistPayload: nothing,
  tags, propagateTags: flag, maxDuration: duration, heartbeat: duration, concurrencyKey: someText, weight: (value) => fromOne(value) && (value as number) <= 65_535, concurrencyLimits: list,
};
const limitOptions: Record<string, Accepts> = { concurrency: (value) => (fromOne(value) && (value as number) <= 0xfffffffe) || value === Number.POSITIVE_INFINITY, minTime: duration, rateLimit: nothing };
const rateOptions: Record<string, Accepts> = { limit: (value) => fromOne(value) && (value as number) <= 1e9, period: (value) => duration(value) && (value as number) >= 1, type: nothing, perKey: flag, feedback: flag, onExceed: nothing };
const retryOptions: Record<string, Accepts> = {
  maxAttempts: fromOne, maxRetries: count, factor: (value) => fromOne(value), minDelayMs: duration, maxDelayMs: duration, maxElapsed: duration,
  randomize: flag, jitter: nothing, backoff: nothing, retryOn: callable, nonRetryable: (value) => Array.isArray(value), crashRetries: count,
};
const processOptions: Record<string, Accepts> = {
  retry: options, priority: whole, deadline: duration, concurrency: fromOne, seed: whole, onlyTasks: texts, skipTasks: texts, tags,
  cacheMode: nothing, dryRun: flag, locale: someText,
};
const queueOptions: Record<string, Accepts> = {
  ...limitOptions, order: nothing, priorityMode: nothing, fair: options, maxSize: (value) => fromOne(value) && (value as number) <= 0xfffffffe, overflow: nothing, throttle: nothing, deadLetter: someText, scope: nothing,
};
const simulation: Record<string, Accepts> = { intervalMs: nothing, maxIncrement: (value) => positive(value) && value <= 100, cap: (value) => positive(value) && value <= 99, curve: nothing };

type Call = (value: any) => unknown;
interface Place {
  accepts: Accepts;
  call: Call;
}
const table = new Map<string, Place>();
const add = (name: string, accepts: Accepts, call: Call) => table.set(name, { accepts, call });
const addEach = (prefix: string, known: Record<string, Accepts>, call: (given: any) => unknown) => {
  for (const [name, accepts] of Object.entries(known)) add(`${prefix}.${name}`, accepts, (value) => call({ [name]: value }));
};

add('defineTask', nothing, (value) => defineTask(value));
const define = (given: object) => defineTask({ id: 'wrong: defined', run: listener, ...given } as never);
addEach('defineTask', {
  id: someText, run: callable, description: text, onSuccess: callable, onFailure: callable, output: (value) => callable(value) || options(value), input: callable, init: callable, onStart: callable, onComplete: callable, unawaited: nothing, onDrift: nothing, intent: nothing, updates: (value) => options(value), ...limitOptions, ...runOptions,
  // Names of queues and limits are looked up when a run needs them.
  queue: (value) => someText(value) || options(value), concurrencyLimits: texts,
}, define);
const cacheOptions: Record<string, Accepts> = { mode: nothing, ttl: duration, staleWhileRevalidate: duration, salt: text, scope: nothing, coalesce: flag };
addEach('defineTask', {
  cache: (value) => flag(value) || options(value), select: callable, selectVersion: (value) => text(value) || typeof value === 'number', migrations: (value) => options(value) || list(value),
  onVersionChange: nothing,
}, define);
addEach('defineTask.cache', {
  ...cacheOptions, tags: (value) => callable(value) || list(value) || (Array.isArray(value) && value.every(someText)), key: callable, store: nothing,
}, (cache) => define({ cache }));
addEach('trigger.cache', { ...cacheOptions, tags: (value) => Array.isArray(value) && value.every(someText) }, (cache) => house.trigger(task, 1, { cache }));
addEach('createOrchestrator.cache', { ...cacheOptions, store: nothing, maxEntries: fromOne, maxBytes: fromOne }, (cache) => open({ cache }));
addEach('trigger', { cache: (value) => flag(value) || options(value) }, (given) => house.trigger(task, 1, given));
addEach('createOrchestrator', { cache: options }, (given) => open(given));
addEach('defineTask.retry', retryOptions, (retry) => define({ retry }));
addEach('defineTask.output', { nonEmpty: flag }, (output) => define({ output }));
addEach('defineTask.queue', queueOptions, (queue) => define({ queue: { name: 'q', ...queue } }));
addEach('defineTask.simulateProgress', simulation, (simulateProgress) => define({ simulateProgress }));

const shortText: Accepts = (value) => someText(value) && value.length <= 512;
const some: Accepts = (value) => duration(value) && value > 0;
const debounce: Record<string, Accepts> = { key: shortText, delay: some, mode: nothing, maxDelay: (value) => duration(value) && value > 1 };
const keyed: Record<string, Accepts> = { key: (value) => callable(value) || shortText(value) };
addEach('trigger.debounce', debounce, (given) => house.trigger(task, 1, { debounce: { delay: 1, ...given } }));
addEach('defineTask.debounce', { ...debounce, ...keyed }, (given) => define({ debounce: { delay: 1, ...given } }));
addEach('defineTask.throttle', { ...keyed, limit: fromOne, period: some, leading: flag, trailing: flag }, (given) => define({ throttle: { period: 1, ...given } }));
addEach('defineTask.batchEvents', { ...keyed, maxSize: (value) => fromOne(value) && (value as number) <= 10_000, timeout: duration, if: callable }, (given) => define({ batchEvents: { maxSize: 1, timeout: 1, ...given } }));
addEach('defineTask', { debounce: nothing, throttle: nothing, batchEvents: nothing, schedule: nothing, shortWait: duration }, define);

const open = (given: object) => {
  // Of its own, and gone at once.
  const made = new (house.constructor as new (options: object) => Orchestrator)({ storage: 'memory', clock: new TestClock(), tabs: false, ...given });
  void made.dispose();
};
add('createOrchestrator', options, (value) => void createOrchestrator(value).dispose());
const orchestratorOptions: Record<string, Accepts> = {
  id: someText, namespace: someText, storage: nothing, durability: nothing, tasks: (value) => list(value) || options(value), processSchema: callable, queues: options, maxRetries: count,
  retryBackoffFactor: (value) => number(value) && value >= 1, timeout: duration, countFrozen: flag, simulateProgress: runOptions.simulateProgress!, retry: options,
  onComplete: callable, onError: callable, onProgress: callable, onListenerError: callable, worker: callable, persistenceKey: text,
  retention: options, recovery: options, limits: options, tabs: flag, checkDeterminism: flag, concurrencyLimits: options, maxDepth: (value) => fromOne(value) && (value as number) <= 64, clock: nothing, seed: whole, wasm: someText, environment: someText, shortWait: duration,
};
addEach('createOrchestrator', orchestratorOptions, open);
const { id: _, namespace: __, ...changeable } = orchestratorOptions;
addEach('setOptions', changeable, (given) => house.setOptions(given));
addEach('createOrchestrator.retention.completed', { age: duration, count }, (completed) => open({ retention: { completed } }));
addEach('createOrchestrator.recovery', { mode: nothing, stagger: duration }, (recovery) => open({ recovery }));
addEach('createOrchestrator.limits', {
  inlineBytes: nothing, valueBytes: nothing, metadataBytes: nothing, blobBytes: nothing, totalBlobBytes: nothing, largeFiles: nothing,
}, (limits) => open({ limits }));
addEach('createOrchestrator.queues.q', queueOptions, (q) => open({ queues: { q } }));
addEach('createOrchestrator.queues.q.throttle', { every: (value) => duration(value) && (value as number) >= 1, trailing: flag }, (throttle) => open({ queues: { q: { throttle: { every: 1, ...throttle } } } }));
addEach('createOrchestrator.queues.q.fair', { weights: record }, (fair) => open({ queues: { q: { order: 'fair', fair } } }));
addEach('createOrchestrator.concurrencyLimits.q', limitOptions, (q) => open({ concurrencyLimits: { q } }));
addEach('createOrchestrator.queues.q.rateLimit', rateOptions, (rate) => open({ queues: { q: { rateLimit: { limit: 1, period: 1, ...rate } } } }));
addEach('createOrchestrator.queues.q.concurrency', { total: limitOptions.concurrency!, perKey: limitOptions.concurrency! }, (concurrency) => open({ queues: { q: { concurrency } } }));
addEach('createOrchestrator.retry', retryOptions, (retry) => open({ retry }));

add('trigger task', someText, (value) => house.trigger(value, 1));
add('triggerAndWait task', someText, (value) => house.triggerAndWait(value, 1));
add('run task', someText, (value) => house.run(value, 1));
const tried = (given: object) => house.trigger(task, 1, given);
add('trigger options', options, (value) => tried(value));
addEach('trigger', { id: someText, name: text, process: options, ...runOptions }, tried);
addEach('trigger.process', processOptions, (process) => tried({ process }));
addEach('trigger.retry', retryOptions, (retry) => tried({ retry }));
add('executeTask name', text, (value) => house.executeTask(value, task, 1));
add('executeTask executor', callable, (value) => house.executeTask('x', value, 1));
add('executeTask metadata', (value) => record(value) || value === null, (value) => house.executeTask('x', task, 1, value));
add('register', nothing, (value) => house.register(value));
add('registerExecutor type', someText, (value) => house.registerExecutor(value, listener as never));
add('registerExecutor executor', callable, (value) => house.registerExecutor('wrong: executor', value));

for (const name of ['attach', 'getTaskState', 'why', 'cancelTask', 'pauseTask', 'resumeTask', 'retryTask', 'removeTask', 'undoRemove'] as const)
  add(`${name} id`, text, (value) => house[name](value));
add('removeTask options', options, (value) => house.removeTask('nobody', value));
add('runs.retrieve id', text, (value) => house.runs.retrieve(value));
add('runs.replay id', nothing, (value) => house.runs.replay(value));
add('runs.replay options', options, (value) => house.runs.replay(run.id, value));
for (const id of ['nobody', 'known']) {
  const of = () => (id === 'known' ? run.id : id);
  add(`pauseTask kind, ${id}`, nothing, (value) => house.pauseTask(of(), value));
  add(`resumeTask policy, ${id}`, nothing, (value) => house.resumeTask(of(), value));
}
add('cleanupCompletedTasks', positive, (value) => house.cleanupCompletedTasks(value));
add('list', options, (value) => house.list(value));
add('schedules.retrieve id', text, (value) => house.schedules.retrieve(value));
add('runs.bulk confirm', callable, (confirm) => house.runs.bulk.cancel({ text: 'nothing has this' }, { confirm } as never));
const filter: Record<string, Accepts> = { status: list, taskIdentifier: text, tags, text, version: (value) => text(value) || typeof value === 'number', batch: text, queue: text, parentId: text, rootId: text, from: instant, to: instant };
addEach('list', { ...filter, limit: fromOne, cursor: nothing }, (given) => house.list(given));
add('aggregateProgress', options, (value) => house.aggregateProgress(value));
addEach('aggregateProgress', filter, (given) => house.aggregateProgress(given));
addEach('runs.subscribe', filter, (given) => house.runs.subscribe(given, listener)());
add('runs.subscribe listener', callable, (value) => house.runs.subscribe({}, value)());
for (const verb of ['on', 'once'] as const) {
  add(`${verb} name`, nothing, (value) => house[verb](value, listener));
  add(`${verb} listener`, callable, (value) => house[verb]('complete', value)());
  add(`${verb} options`, options, (value) => house[verb]('complete', listener, value)());
  add(`${verb} signal`, nothing, (value) => house[verb]('complete', listener, { signal: value })());
}
add('off name', nothing, (value) => house.off(value, listener));
add('off listener', callable, (value) => house.off('complete', value));
add('waitOn name', nothing, (value) => house.waitOn(value));
/** What is asked for can't be had here; that it is wrong is all that counts. */
const unlessWrong = (asked: Promise<unknown>) => asked.catch((error: unknown) => {
  if (error instanceof ConfigurationError) throw error;
});
add('waitOn options', options, (value) => unlessWrong(house.waitOn('complete', value)));
add('waitOn signal', nothing, (value) => house.waitOn('complete', { signal: value }));
add('events', options, (value) => house.events(value));
addEach('events', { since: number, runId: text, types: list, signal: nothing }, (given) => house.events(given));
add('subscribe', callable, (value) => house.subscribe(value)());
add('subscribeTask id', text, (value) => house.subscribeTask(value, listener)());
add('subscribeTask listener', callable, (value) => house.subscribeTask(run.id, value)());
add('handle.pause', nothing, (value) => run.pause(value));
add('handle.resume', nothing, (value) => run.resume(value));
add('handle.provide', nothing, (value) => run.provide(value));
add('providePayload id', text, (value) => house.providePayload(value, new Blob(['content'])));
add('handle.onProgress', callable, (value) => run.onProgress(value)());
add('handle.subscribe', callable, (value) => run.subscribe(value)());
add('handle.download', text, (value) => unlessWrong(file.download(value)));

const limits = () => {
  house.setOptions({ queues: { wrong: { concurrency: 1 } }, concurrencyLimits: { wrong: { concurrency: 1 } } });
  return house.queues;
};
add('queues.overrideConcurrencyLimit', count, (value) => limits().overrideConcurrencyLimit('wrong', value));
addEach('queues.overrideConcurrencyLimit', { by: text }, (given) => limits().overrideConcurrencyLimit('wrong', 2, given));
add('queues.limits.retrieve', nothing, (value) => limits().limits.retrieve(value));
add('queues.limits.override', (value) => fromOne(value) || value === Number.POSITIVE_INFINITY, (value) => limits().limits.override('wrong', value));
addEach('queues.limits.override', { total: limitOptions.concurrency!, perKey: limitOptions.concurrency! }, (given) => limits().limits.override('wrong', given));
addEach('queues.limits.override options', { by: text }, (given) => limits().limits.override('wrong', 2, given));

const item = { task, payload: 1 };
/** An item that is wrong is told as what is wrong with the batch. */
const cause = (asked: Promise<unknown>) => asked.catch((error: Error) => Promise.reject(error.cause ?? error));
const keys: Accepts = (value) => someText(value) || (texts(value) && (value as unknown[]).length > 0);
const batchOptions: Record<string, Accepts> = {
  concurrency: fromOne, onItemError: nothing, stopOnError: flag, minSuccess: (value) => count(value) && (value as number) <= 1, timeout: (value) => duration(value) && value !== 0, idempotencyKey: keys, tags, queue: nothing, priority: whole, name: text,
  metadata: record, triggerSequentially: flag, highWater: fromOne, onSourceError: nothing, onItem: someText, onProgress: someText,
};
add('batch items', list, (value) => cause(house.batch.triggerByTask(value)));
add('batch item', nothing, (value) => cause(house.batch.triggerByTask([value])));
add('batch item task', someText, (value) => cause(house.batch.triggerByTask([{ task: value, payload: 1 }])));
add('batch item id', someText, (value) => cause(house.batch.trigger([{ id: value, payload: 1 }])));
add('batch item options', options, (value) => cause(house.batch.triggerByTask([{ ...item, options: value }])));
add('batch options', options, (value) => house.batch.triggerByTask([item], value));
addEach('batch', batchOptions, (given) => cause(house.batch.triggerByTask([item], given)));
addEach('batch.onItemError', { failures: fromOne, rate: (value) => value === 0.5 }, (onItemError) => house.batch.triggerByTask([item], { onItemError } as never));
addEach('batch.stream', { ordered: flag, keepRuns: flag }, async (given) => void (await house.batch.stream([item], given).next()));
add('batch.retrieve id', someText, (value) => house.batch.retrieve(value));
add('batch.retryFailed id', nothing, (value) => house.batch.retryFailed(value));
add('queue', nothing, (value) => queue(value));
const signable: Accepts = (value) => value === 'nonsense';
const signables: Accepts = (value) => signable(value) || Array.isArray(value);
const unlessMissing = (given: Promise<unknown>) => given.catch((error) => { if (!(error instanceof MissingSignatureError)) throw error; });
const { id: _id, queue: _queue, ...signed } = runOptions;
add('sign task', signable, (value) => house.sign(value));
add('sign options', record, (value) => house.sign(task, value));
addEach('sign', {
  ...signed, kwargs: record, successCallbacks: Array.isArray, errorCallbacks: Array.isArray, cancelCallbacks: Array.isArray, taskIdentifiers: record,
  returnFieldName: (value) => someText(value) || value === null, modelValidators: nothing, when: nothing, compensate: someText, stagger: duration,
}, (given) => house.sign(task, given));
add('chain tasks', nothing, (value) => house.chain(value));
addEach('chain', { name: someText, success: signables, error: signables, cancelled: signables, onError: nothing }, (given) => house.chain([task, task], given));
add('swarm tasks', Array.isArray, (value) => house.swarm(value));
addEach('swarm', { taskName: someText, config: options, isSwarmClosed: flag, onItemSuccess: signables, onItemError: signables, onProgress: someText }, (given) => house.swarm([task], given));
const orNull = (accepts: Accepts): Accepts => (value) => value === null || accepts(value);
addEach('swarm config', { maxConcurrency: fromOne, stopAfterNFailures: orNull(fromOne), maxTaskAllowed: orNull(fromOne), sendSwarmMessageToReturnField: flag, stopOn: nothing, onStop: nothing, resultsOrder: nothing, stagger: nothing, timeout: some, queue: nothing, priority: whole, concurrencyKey: someText }, (given) => house.swarm([task], { config: given }));
add('loadSignature key', someText, (value) => unlessMissing(house.loadSignature(value)));
add('lockTask work', callable, (value) => unlessMissing(house.lockTask('nobody', value)));
add('signatures.find', nothing, (value) => house.signatures.find(value));
add('signatures.transaction', callable, (value) => house.signatures.transaction(value));
add('signatures.branch', nothing, (value) => house.signatures.branch(value));
add('signatures.map items', Array.isArray, (value) => house.signatures.map(value, task));
add('signatures.map concurrency', fromOne, (value) => house.signatures.map([1], task, { concurrency: value }));
add('signatures.pipeline stages', nothing, (value) => house.signatures.pipeline([1], value));

add('workerHandler create', callable, (value) => workerHandler(value));
add('workerHandler options', options, (value) => workerHandler(listener as never, value));
addEach('workerHandler', { size: fromOne, name: text }, (given) => workerHandler(listener as never, given));
const scope = { postMessage: listener, addEventListener: listener, close: listener };
add('serve', (value) => callable(value) || options(value) || (Array.isArray(value) && value.length === 0), (value) => serve(value, scope));
add('registerCodec name', someText, (value) => registerCodec(value, { match: () => false, encode: listener, decode: listener } as never));
add('registerCodec codec', nothing, (value) => registerCodec('wrong', value));
for (const part of ['match', 'encode', 'decode'])
  add(`registerCodec ${part}`, (value) => callable(value), (value) => registerCodec('wrong', { match: () => false, encode: listener, decode: listener, [part]: part === 'match' && callable(value) ? () => false : value } as never));

add('TestClock', positive, (value) => new TestClock(value));
add('TestClock.advance', duration, (value) => new TestClock().advance(value));
add('TestClock.jump', number, (value) => new TestClock().jump(value));
add('opfs', options, (value) => opfs(value));
addEach('opfs', { client: callable, worker: callable, timers: record }, (given) => opfs(given));
add('indexedDB', options, (value) => indexedDB(value));
add('mirror first', nothing, (value) => mirror(value, indexedDB()));
add('mirror second', nothing, (value) => mirror(opfs(), value));
add('mirror options', options, (value) => mirror(opfs(), indexedDB(), value));
add('local', nothing, (value) => local(value));

/** The message shows the value, or what of it is wrong: an entry, an option nobody knows, one that is missing. */
function isShown(value: any, message: string): boolean {
  if (message.includes(describeValue(value))) return true;
  if (Array.isArray(value)) return value.length > 0 ? message.includes(describeValue(value[0])) : /undefined|not 0/.test(message);
  return typeof value === 'object' && value !== null && /"nonsense"|undefined/.test(message);
}

describe.each([...table])('%s', (_, { accepts, call }) => {
  it('refuses every wrong type at the call, shows the value and changes nothing', async () => {
    const before = house.counts();
    for (const [name, value] of Object.entries(values)) {
      if (accepts(value)) continue;
      let error: unknown = 'nothing was thrown';
      try {
        await call(value);
      } catch (thrown) {
        error = thrown;
      }
      expect(error, name).toBeInstanceOf(ConfigurationError);
      expect(isShown(value, (error as Error).message), `${name}: ${(error as Error).message}`).toBe(true);
    }
    expect(house.counts()).toEqual(before);
    expect(await house.trigger(task, 2).result()).toBe(2);
  });

  it('takes every right one', async () => {
    for (const [name, value] of Object.entries(values)) {
      if (!accepts(value)) continue;
      await expect((async () => void call(value))(), name).resolves.toBeUndefined();
    }
    await clock.settle();
  });
});
