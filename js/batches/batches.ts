/**
 * Batches of one orchestrator: calls checked and made plans, plans made runs, runs read as results.
 *
 * Invariants: what is wrong with a call is told before anything is made, with the index of the item; the
 * results of a batch are those of its members, wherever they are read and however often.
 */
import { ConfigurationError, BatchTriggerError, DisposedError, type BatchFacts } from '../errors.ts';
import { clone } from '../codec/codec.ts';
import type { RunContext } from '../context/context.ts';
import { runContainer } from '../context/children.ts';
import { batchTask } from '../groups/kinds.ts';
import { checkIdentifier, checkNames, describe, unknownName } from '../intake/checks.ts';
import { checkTriggerOptions } from '../intake/intake.ts';
import { type Definition, isTask } from '../intake/registry.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { Run } from '../runs/run.ts';
import type { TriggerOptions } from '../types.ts';
import { AskedStream, type Follower } from './asked-stream.ts';
import { Batch } from './batch.ts';
import { checkBatchOptions, checkNamed, checkStreamOptions, defaultHighWater, planOptions, runOptions } from './options.ts';
import { type BatchPlan, packItems, type PlannedItem } from './plan.ts';
import { isSource, readSource, type SourceItem, type SourceReader } from './sources.ts';
import { ResultStream } from './streaming.ts';
import type { BatchHandle, BatchOptions, BatchResult, BatchStreamOptions } from './types.ts';

/** How items are written. */
export interface Form {
  readonly verb: string;
  /** By the ids of their tasks. */
  readonly byId?: boolean;
  /** All of one task. */
  readonly task?: unknown;
}

/** Of a call in durable code. */
export interface Place {
  readonly context: RunContext;
  readonly key: string;
}

interface Planned {
  readonly plan: BatchPlan;
  readonly source: SourceReader | undefined;
}

export class Batches {
  readonly #house: Orchestrator;
  /** What runs of batches of this page pull from. */
  readonly sources = new WeakMap<Run, SourceReader>();
  /** Who takes results of batches in durable code. */
  readonly followers = new WeakMap<Run, Follower>();

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  async trigger(form: Form, items: unknown, options?: BatchOptions): Promise<BatchHandle> {
    const batch = this.#begin(form, items, options);
    await batch.accepted;
    return batch;
  }

  async triggerAndWait(form: Form, items: unknown, options?: BatchOptions): Promise<BatchResult> {
    return this.#begin(form, items, options).wait();
  }

  /** @throws BatchTriggerError ConfigurationError and nothing is changed */
  #begin(form: Form, items: unknown, options: BatchOptions | undefined): Batch {
    const planned = this.plan(form, items, options);
    const handle = this.#creating(planned.plan.count, () => this.#house.intake.triggerTask(batchTask, planned.plan, runOptions(options), form.verb));
    if (planned.source && handle instanceof Run) this.sources.set(handle, planned.source);
    return new Batch(this.#house, handle, planned.plan.count);
  }

  /** For code that is durable: the batch is a child of the run, found again by its place. */
  async ask({ context, key }: Place, form: Form, items: unknown, options: BatchOptions | undefined, wait: boolean): Promise<BatchResult | BatchHandle> {
    const { durableWork: durable } = context;
    const { plan, source } = this.plan(form, items, options, true);
    const made = (run: Run) => source && this.sources.set(run, source);
    const child = await runContainer(durable, this.#house.services, { key, definition: this.#house.definition(batchTask)!, input: plan, options: runOptions(options), made, wait });
    const run = child instanceof Run ? child : this.#house.localRun(child.id);
    if (!run) throw new BatchTriggerError(`Batch ${child.id} has the same key and belongs to another tab, where its results are.`, { data: { phase: 'create', itemCount: plan.count, batchId: child.id } });
    const batch = new Batch(this.#house, run, plan.count);
    return wait ? batch.wait() : batch;
  }

  /** A call as the run of the batch keeps it. @throws BatchTriggerError ConfigurationError */
  plan(form: Form, items: unknown, options: BatchOptions = {}, isAsked = false): Planned {
    const { verb } = form;
    if (!isSource(items)) throw new ConfigurationError(`${verb} needs an array, an iterable, an async iterable or a ReadableStream of items, not ${describe(items)}.`);
    checkBatchOptions(options, verb, Array.isArray(items) ? items.length : undefined);
    const tasks: string[] = [];
    const ofAll = planOptions(options, 0).options ?? {};
    const checked = new Set<string>();
    const check = (item: unknown, index: number): SourceItem => this.#item(form, item, index, ofAll, checked);
    const more = { ...this.#callbacks(options, verb), ...(isAsked && { isAsked }) };
    if (!Array.isArray(items)) return { plan: { tasks, count: 0, ...planOptions(options, 0), ...more }, source: readSource(items, check) };
    const count = items.length;
    // A place that is empty is an item too.
    const planned = Array.from(items, (item, index): PlannedItem => {
      const { task, payload, options: own } = this.#creating(count, () => check(item, index), index);
      const place = placeOf(tasks, task);
      return own === undefined ? [place, payload] : [place, payload, own];
    });
    return { plan: { tasks, count, ...this.#pack(planned), ...planOptions(options, count), ...more }, source: undefined };
  }

  /** @throws ConfigurationError UnrecognizedTaskError */
  #callbacks({ onItem, onProgress }: BatchOptions, verb: string): Pick<BatchPlan, 'onItem' | 'onProgress'> {
    const idOf = (task: unknown, name: string) => this.#house.definitions.of(task, `${verb} ${name}`).id;
    return { ...(onItem !== undefined && { onItem: idOf(onItem, 'onItem') }), ...(onProgress !== undefined && { onProgress: idOf(onProgress, 'onProgress') }) };
  }

  #pack(items: readonly PlannedItem[]): Pick<BatchPlan, 'pieces' | 'items'> {
    const { valueBytes } = this.#house.payloads.limits;
    try {
      return packItems(items, valueBytes);
    } catch (error) {
      // Which one is it?
      items.forEach(([, payload], index) => this.#creating(items.length, () => clone(payload, `items[${index}].payload`), index));
      throw error;
    }
  }

  /** What is wrong is told as what is wrong with the batch. */
  #creating<Made>(itemCount: number, make: () => Made, itemIndex?: number): Made {
    try {
      return make();
    } catch (cause) {
      if (cause instanceof DisposedError) throw cause;
      const facts: BatchFacts = { phase: 'create', itemCount, ...(itemIndex !== undefined && { itemIndex }) };
      const where = itemIndex === undefined ? '' : `, item ${itemIndex}`;
      throw new BatchTriggerError(`The batch was not made${where}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause, data: facts });
    }
  }

  #item(form: Form, item: unknown, index: number, ofAll: TriggerOptions, checked: Set<string>): SourceItem {
    const names = namesOf(form);
    if (typeof item !== 'object' || item === null || isTask(item) || unknownName(item, names) !== undefined) return this.#refuseItem(form, item, index);
    const { task, id, payload, options } = item as { task?: unknown; id?: unknown; payload: unknown; options?: TriggerOptions };
    const definition = this.#house.definitions.known(form.task ?? task) ?? this.#definitionOf(form, id, task, index);
    // What an item says itself; what all say once for each task.
    if (options === undefined) {
      if (!checked.has(definition.id)) checkNamed(this.#house.table, [ofAll, definition.spec], definition.id);
      checked.add(definition.id);
      return { task: definition.id, payload };
    }
    checkTriggerOptions(options);
    checkNamed(this.#house.table, [options, ofAll, definition.spec], definition.id);
    return { task: definition.id, payload, options };
  }

  #refuseItem(form: Form, item: unknown, index: number): never {
    const where = placeIn(form, index);
    if (typeof item === 'object' && item !== null && !isTask(item)) checkNames(item, namesOf(form), where);
    throw new ConfigurationError(`${where} must be { ${namesOf(form).join(', ')} }, not ${describe(item)}.`);
  }

  /** By its id, or one that is not registered yet. */
  #definitionOf(form: Form, id: unknown, task: unknown, index: number): Definition {
    const where = placeIn(form, index);
    if (form.byId && typeof id !== 'string') throw new ConfigurationError(`${where}.id must be the id of a task, not ${describe(id)}.`);
    return this.#house.definitions.of(form.task ?? (form.byId ? checkIdentifier(id, `${where}.id`) : task), `${where}.task`);
  }

  /** @throws ConfigurationError */
  stream(items: unknown, options: BatchStreamOptions = {}): ResultStream {
    const verb = 'batch.stream';
    const { ordered = false, keepRuns = false, ...rest } = checkStreamOptions(options, verb);
    const form = { verb };
    // An array too is taken item by item.
    const { plan, source } = this.plan(form, Array.isArray(items) ? items.values() : items, rest);
    const stream = new ResultStream(this.#house, source!, { highWater: rest.highWater ?? defaultHighWater, ordered, keepRuns });
    const run = this.#creating(0, () => this.#house.intake.triggerTask(batchTask, plan, runOptions(rest), verb)) as Run;
    this.sources.set(run, stream);
    stream.run = run;
    stream.batch = new Batch(this.#house, run);
    void stream.batch.followed().then((failure) => stream.over(failure), (error) => stream.over(error));
    return stream;
  }

  /** For code that is durable. @throws ConfigurationError BatchTriggerError */
  askStream(place: Place, items: unknown, options: BatchStreamOptions = {}): AskedStream {
    const verb = 'batch.stream';
    const { ordered = false, keepRuns: _kept, ...rest } = checkStreamOptions(options, verb);
    const { plan, source } = this.plan({ verb }, items, rest, true);
    return new AskedStream(this.#house, place, { plan, source, options: runOptions(rest), ordered, highWater: rest.highWater ?? defaultHighWater });
  }

  /** undefined: this tab has no batch of this id. */
  async retrieve(id: string): Promise<Batch | undefined> {
    checkIdentifier(id, 'batch.retrieve id');
    await this.#house.ready;
    const run = this.#house.localRun(id);
    return run?.taskIdentifier === batchTask ? new Batch(this.#house, run) : undefined;
  }

  async retryFailed(id: string, options: Pick<BatchOptions, 'concurrency'> = {}): Promise<Batch> {
    checkBatchOptions(options, 'batch.retryFailed', 0, ['concurrency']);
    const batch = await this.retrieve(id);
    if (!batch) throw new ConfigurationError(`batch.retryFailed: this tab has no batch ${describe(id)}.`);
    await batch.retryFailed(options);
    return batch;
  }
}

const [ofOneTask, ofIds, ofTasks] = [['payload', 'options'], ['id', 'payload', 'options'], ['task', 'payload', 'options']];

function namesOf({ task, byId }: Form): string[] {
  if (task !== undefined) return ofOneTask;
  return byId ? ofIds : ofTasks;
}

/** Put into words only where something is wrong: every item of a stream comes by. */
function placeIn({ verb }: Form, index: number): string {
  return `${verb} items[${index}]`;
}

function placeOf(tasks: string[], id: string): number {
  const known = tasks.lastIndexOf(id);
  return known >= 0 ? known : tasks.push(id) - 1;
}
