/**
 * `batch` and `tasks` as people call them. Who asks is decided here, in the caller's own turn; the rest is
 * loaded with the first batch.
 *
 * Invariant: items of an array are taken as they are at the call, whenever the room is there.
 */
import type { RunContext } from '../context/context.ts';
import { clone } from '../codec/codec.ts';
import { batchTask } from '../groups/kinds.ts';
import { KeyPrefix } from '../journal/history.ts';
import { checkTriggerOptions } from '../intake/intake.ts';
import { isTask } from '../intake/registry.ts';
import { Lazy } from '../lazy.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { unwrap } from '../runs/run.ts';
import type { ResultPromise, RunHandle, TaskRunResult, TriggerOptions } from '../types.ts';
import type { Batches, Form } from './batches.ts';
import { asking, givenBack } from './current.ts';
import type { BatchApi, BatchOptions, BatchStreamOptions, TasksApi } from './types.ts';

/** The room of one orchestrator. */
export function batchDoor(house: Orchestrator): Lazy<Batches> {
  return new Lazy(async () => new (await import('./batches.ts')).Batches(house));
}

/** Whom a call is for, told at the call. */
interface Asked {
  readonly house: Orchestrator;
  readonly context: RunContext | undefined;
}

/** @param given the context, or the orchestrator, that the calls are of; else who asks is looked for */
export function batchApi(given: { context?: RunContext; house: () => Orchestrator; own?: boolean }): BatchApi {
  const whose = (): Asked => {
    const context = given.context ?? asking();
    // What is asked of another orchestrator is no child of a run of this one.
    if (given.own && context?.house !== given.house()) return { house: given.house(), context: undefined };
    return { house: context?.house ?? given.house(), context };
  };
  const start = (form: Form, wait: boolean) => (items: unknown, options?: BatchOptions): Promise<any> => beginning(whose(), form, items, options, wait);
  return {
    triggerByTaskAndWait: start({ verb: 'batch.triggerByTaskAndWait' }, true),
    triggerByTask: start({ verb: 'batch.triggerByTask' }, false),
    triggerAndWait: start({ verb: 'batch.triggerAndWait', byId: true }, true),
    trigger: start({ verb: 'batch.trigger', byId: true }, false),
    stream: (items: any, options?: any) => {
      const { house, context } = whose();
      if (context) return askStream(house, context, items, options);
      const { loaded } = house.batches;
      return loaded ? loaded.stream(items, options) : streamed(house.batches.load().then((room) => room.stream(items, options)));
    },
    retrieve: async (id: string) => (await whose().house.batches.load()).retrieve(id),
    retryFailed: async (id: string, options?: any) => (await whose().house.batches.load()).retryFailed(id, options),
  } as BatchApi;
}

/** Who awaits each of its results is known to ask afterwards. */
function askStream(house: Orchestrator, context: RunContext, items: unknown, options: BatchStreamOptions | undefined): AsyncIterableIterator<any> {
  const place = { context, key: placeIn(context) };
  const { loaded } = house.batches;
  const launched = context.durableWork.launches.begin();
  const given = taken_(house, items);
  const coming = loaded ? loaded.askStream(place, items, options) : streamed(house.batches.load().then((room) => room.askStream(place, given, options)).finally(launched));
  if (loaded) launched();
  return {
    next: () => givenBack(coming.next(), context),
    return: () => givenBack(coming.return!(), context),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Of one task: `task.batchTrigger` and `tasks.batchTrigger`. */
export function batchOf(task: unknown, verb: string, items: unknown, options: BatchOptions | undefined, wait: boolean, house: () => Orchestrator): Promise<any> {
  const context = asking();
  return beginning({ house: context?.house ?? house(), context }, { verb, task }, items, options, wait);
}

/**
 * `triggerAndWait` of a task: a child of the run whose code asks, where that is certain; else a run like any other.
 * @param own a run of another orchestrator's asks for no child here
 */
export function waitForOne(task: unknown, input: unknown, options: TriggerOptions | undefined, verb: string, house: () => Orchestrator, own = false): ResultPromise<any, any> {
  const context = asking();
  if (!context || (own && context.house !== house())) return house().intake.triggerTask(task, input, options, verb).wait();
  const outcome = askOne(context, task, input, options, verb);
  const promise = givenBack(outcome, context) as ResultPromise<any, any>;
  const hush = () => void promise.catch(() => {});
  // That the code is being stopped is told by whoever stopped it.
  outcome.catch(() => context.durableWork.isStopped && hush());
  promise.unwrap = () => {
    hush();
    return givenBack(outcome.then(unwrap), context);
  };
  return promise;
}

/** What can be wrong with the call is told at the call; a child's place is that of the call. */
function askOne(context: RunContext, task: unknown, input: unknown, options: TriggerOptions = {}, verb: string): Promise<TaskRunResult> {
  const { house, durableWork: durable } = context;
  const definition = house.definitions.of(task, verb);
  checkTriggerOptions(options);
  durable.check('run', definition.id);
  const key = durable.key(KeyPrefix.Child, definition.id);
  const launched = durable.launches.begin();
  const given = copyOf(input);
  return import('./one.ts').then(({ askOne }) => askOne(durable, house.services, { key, definition, input: given, options }, launched)).finally(launched);
}

export function tasksApi(house: () => Orchestrator): TasksApi {
  return {
    trigger: async (id: string, payload: unknown, options?: TriggerOptions): Promise<RunHandle> => {
      const handle = house().trigger(id as never, payload as never, options);
      await handle.accepted;
      return handle;
    },
    triggerAndWait: (id: string, payload: unknown, options?: TriggerOptions) => waitForOne(id, payload, options, 'tasks.triggerAndWait', house),
    batchTrigger: (id: string, items: any, options?: BatchOptions) => batchOf(id, 'tasks.batchTrigger', items, options, false, house),
    batchTriggerAndWait: (id: string, items: any, options?: BatchOptions) => batchOf(id, 'tasks.batchTriggerAndWait', items, options, true, house),
  } as TasksApi;
}

/** A bad call rejects, as everything else that goes wrong does. */
function beginning(...call: Parameters<typeof begin>): Promise<any> {
  try {
    return begin(...call);
  } catch (error) {
    return Promise.reject(error);
  }
}

function begin({ house, context }: Asked, form: Form, items: unknown, options: BatchOptions | undefined, wait: boolean): Promise<any> {
  // Its place among what the code asks for is that of the call.
  const place = context && { context, key: placeIn(context) };
  const ask = (room: Batches, given: unknown) => (place ? room.ask(place, form, given, options, wait) : wait ? room.triggerAndWait(form, given, options) : room.trigger(form, given, options));
  const { loaded } = house.batches;
  let outcome: Promise<any>;
  if (loaded) outcome = ask(loaded, items);
  else {
    const turn = context?.durableWork.launches.begin();
    const given = taken_(house, items);
    outcome = house.batches.load().then((room) => ask(room, given)).finally(() => turn?.());
  }
  return context ? givenBack(outcome, context) : outcome;
}

/** @throws where the context is of no use any more */
function placeIn({ durableWork: durable }: RunContext): string {
  durable.check('run', batchTask);
  return durable.key(KeyPrefix.Child, batchTask);
}

/** While the room is being loaded the caller may change what it has given. */
function taken_(house: Orchestrator, items: unknown): unknown {
  if (house.batches.loaded || !Array.isArray(items)) return items;
  return items.map((item) => {
    try {
      return typeof item === 'object' && item !== null && !isTask(item) ? { ...item, ...('payload' in item && { payload: copyOf(item.payload) }) } : item;
    } catch {
      // What is wrong with it is told where its index is known.
      return item;
    }
  });
}

function copyOf(payload: unknown): unknown {
  try {
    return clone(payload, 'payload');
  } catch {
    // What is wrong with it is told where its index is known.
    return payload;
  }
}

function streamed<Item>(coming: Promise<AsyncIterableIterator<Item>>): AsyncIterableIterator<Item> {
  coming.catch(() => {});
  return {
    next: async () => (await coming).next(),
    return: async (value?: unknown) => (await coming).return!(value as never),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

export type BatchForWorker = [verb: 'triggerAndWait' | 'trigger', items: any, options?: BatchOptions];

/** What crosses of it. @throws as the batch */
export async function batchForWorker(batch: BatchApi, verb: BatchForWorker[0], items: any, options?: BatchOptions): Promise<{ id: string; runs?: unknown[]; runCount?: number }> {
  if (verb !== 'trigger' && verb !== 'triggerAndWait') throw new TypeError(`There is no verb ${JSON.stringify(verb)}.`);
  if (verb === 'triggerAndWait') {
    const { id, runs } = await batch.triggerAndWait(items, options);
    return { id, runs: [...runs] };
  }
  const { id, runCount } = await batch.trigger(items, options);
  return { id, runCount };
}
