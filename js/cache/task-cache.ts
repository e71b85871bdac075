/**
 * What stands behind `orchestrator.cache`, and the hooks by which runs come to the cache.
 * Invariant: it is loaded and made when something is cached or asked; an uncached run never comes here.
 */
import { stopError } from '../runs/attempts.ts';
import { checkEach, checkNames, checkRecord, checkText, describe } from '../intake/checks.ts';
import type { RunContext } from '../context/context.ts';
import { clone } from '../codec/codec.ts';
import { checkOutput } from '../definition/lifecycle.ts';
import { takeInput } from '../definition/validation.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { AbortedError, ConfigurationError, StorageUnavailableError, UnrecognizedTaskError } from '../errors.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import type { Definition } from '../intake/registry.ts';
import { End, type PayloadBytes, type Run } from '../runs/run.ts';
import type { Duration, ProgressReport } from '../types.ts';
import { Answers } from './answers.ts';
import { type AnySpec, checkCallOption, isCacheMode } from './checks.ts';
import { explain } from './explain.ts';
import type { Code } from './flight.ts';
import { limited } from './host.ts';
import { HouseHost } from './house-host.ts';
import { rootBegin } from './key.ts';
import type { Keeper } from './mark.ts';
import { migrateTask } from './migrate-all.ts';
import { type CachePlan, resolvePlan } from './options.ts';
import { OtherTabs } from './other-tabs.ts';
import { type Finish, give, keep, type Kept } from './outputs.ts';
import { openResult } from './results.ts';
import { platformOf } from '../tabs/platform.ts';
import { Stores } from './stores.ts';
import type { Cache, CacheExplainOptions, CacheExplanation, CacheFilter, MigrationReport, TaskCache } from './types.ts';

type TaskName = string | { readonly id: string };

/** Reasons that are the run's own: its code need not stop for those who share it. */
const ownLimits: readonly number[] = [P.StopReasonCancel, P.StopReasonCascade, P.StopReasonDeadline, P.StopReasonInterrupt];

export class HouseCache implements TaskCache, Keeper {
  readonly #house: Orchestrator;
  readonly #stores: Stores;
  readonly #host: HouseHost;
  readonly #answers: Answers;
  /** Of definitions, for runs whose calls say nothing of their own. */
  #plans = new WeakMap<AnySpec, CachePlan>();
  /** Where the private entries of root runs lie. */
  readonly #private = new Map<string, Set<Cache>>();
  #otherTabs: OtherTabs | undefined;
  #isClosed = false;

  constructor(house: Orchestrator) {
    this.#house = house;
    this.#stores = new Stores(house);
    this.#host = new HouseHost(house, this.#stores);
    this.#answers = new Answers(this.#host);
    this.#others().catch(() => {});
  }

  // Runs

  /** The store that a run will ask is opened meanwhile. */
  async expect(spec: Definition['spec']): Promise<void> {
    const plan = this.#planOf(spec, undefined);
    await this.#house.ready;
    if (plan.keyed && !this.#isClosed) await this.#stores.of(plan);
  }

  /** What the attempt's code returns, or would return. */
  answer(run: Run, attempt: number, context: RunContext, { spec }: Definition, input: unknown, code: Code): Promise<unknown> {
    const plan = this.#planOf(spec, run.extra.cacheOption, run.extra.process?.options.cacheMode);
    if (plan.scope === 'run' && plan.keyed) this.#notePrivate(this.#host.rootIdOf(run), plan);
    return this.#answers.answer(run, attempt, context, plan, input, code);
  }

  /** As `setOptions` says from now on. */
  optionsChanged(): void {
    this.#plans = new WeakMap();
  }

  #planOf(spec: Definition['spec'], call: CacheExplainOptions['cache'], said?: unknown): CachePlan {
    const cacheMode = isCacheMode(said) ? said : undefined;
    const known = call === undefined && cacheMode === undefined ? this.#plans.get(spec) : undefined;
    if (known) return known;
    const plan = resolvePlan({ call, spec, cacheMode, orchestrator: this.#house.getOptions().cache });
    if (call === undefined && cacheMode === undefined) this.#plans.set(spec, plan);
    return plan;
  }

  /** What is stored as the result of a run that is being answered. @throws SerializationError */
  keep(run: Run, output: unknown): Kept {
    const { plan } = run.extra.sharing!;
    // Without a serializer its bytes are the copy.
    return plan.options.serialize ? keep(plan, output) : { value: output, serialized: false };
  }

  /** Nobody else's object. @throws SerializationError; what the task's serializer throws */
  copyOf(run: Run, output: unknown): unknown {
    const { definition = this.#house.definition(run.taskIdentifier) } = run;
    const plan = definition && this.#planOf(definition.spec, undefined);
    return plan?.options.serialize ? give(plan, keep(plan, output)) : clone(output, 'result');
  }

  /** The output that a stored result stands for. */
  openResult(payload: PayloadBytes, run: Run): Promise<unknown> {
    const { definition = this.#house.definition(run.taskIdentifier) } = run;
    return openResult(this.#house.attempts, definition?.spec, payload, run);
  }

  /** What the run's code has returned counts. undefined: there is nothing to wait for. */
  save(run: Run): Promise<void> | undefined {
    return this.#answers.save(run.extra.sharing!);
  }

  /** true: it has stopped; false: its code has to be told. */
  stopping(run: Run, reason: number): boolean {
    const sharing = run.extra.sharing!;
    // A further attempt, which has not come here yet: its code has to be told, and the lead goes on with its end.
    if (sharing.attempt !== run.attempt) return false;
    return this.#answers.stopping(sharing, stopError(run, reason), ownLimits.includes(reason));
  }
  abandoned(run: Run): void {
    this.#answers.abandoned(run.extra.sharing!);
  }
  resumed(run: Run): void {
    this.#answers.resumed(run.extra.sharing!);
  }
  pausing(run: Run): void {
    this.#answers.pausing(run.extra.sharing!);
  }
  progressed(run: Run, report: number | ProgressReport): void {
    this.#answers.progressed(run.extra.sharing!, report);
  }

  /** Its end is stored. */
  ended(run: Run): void {
    if (run.extra.sharing) this.#answers.ended(run.extra.sharing, run.end === End.Failed ? this.#failureOf(run) : undefined);
    if (run.end === End.Completed) this.#dropPrivate(run.id);
  }

  #failureOf(run: Run): { error: Error; isItsCode: boolean } {
    const { pump } = this.#house;
    const reason = pump.open && run.task ? pump.engine.value(run.task, P.FieldFailReason) : P.FailReasonExhausted;
    const error = this.#house.errorOf(run);
    // An attempt that took too long for this run may be quick enough for another one.
    const isItsCode = (reason === P.FailReasonExhausted || reason === P.FailReasonFatal) && !(error instanceof AbortedError);
    return { error, isItsCode };
  }

  #notePrivate(rootId: string, plan: CachePlan): void {
    let stores = this.#private.get(rootId);
    if (!stores) this.#private.set(rootId, (stores = new Set()));
    const known = stores;
    this.#stores.of(plan).then((store) => known.add(store), () => {});
  }

  #dropPrivate(rootId: string): void {
    const stores = this.#private.get(rootId);
    if (!stores) return;
    this.#private.delete(rootId);
    for (const store of stores)
      limited(this.#house.clock, 'clearing', store.clear({ prefix: rootBegin(rootId) })).then(
        (count) => count > 0 && this.#host.emit('output_cleared', { count, filter: { prefix: rootBegin(rootId) } }),
        (error) => this.#house.warn(`The private cache of run ${rootId} was not cleared (${String(error)}).`),
      );
  }

  // What people ask

  async explain(task: TaskName, given: unknown, options: CacheExplainOptions = {}): Promise<CacheExplanation> {
    checkNames(options, ['cache', 'process', 'metadata', 'rootId'], 'explain');
    checkEach(options, { cache: checkCallOption, metadata: checkRecord, rootId: checkText }, 'explain');
    const definition = this.#definitionOf(task);
    await this.#house.ready;
    const { process = {} } = options;
    const plan = this.#planOf(definition.spec, options.cache, process.cacheMode);
    const { input: check } = definition.prepared ?? {};
    // Keys are made of what the schema makes of an input.
    const input = check && plan.mode !== 'off' ? (await takeInput(check, definition.id, clone(given, 'input'))).value : given;
    return explain({
      plan,
      clock: this.#house.clock,
      store: () => this.#stores.of(plan),
      input,
      context: { task: { id: definition.id }, metadata: options.metadata ?? definition.spec.metadata ?? {}, options: process },
      rootId: options.rootId ?? '',
      finish: this.#finishOf(definition),
    });
  }

  async invalidate(filter: CacheFilter): Promise<number> {
    checkNames(filter, ['tag', 'task', 'prefix'], 'invalidate');
    const given = Object.entries(filter).filter(([, value]) => value !== undefined);
    for (const [name, value] of given)
      if (typeof value !== 'string' || value === '') throw new ConfigurationError(`invalidate ${name} must be text, not ${describe(value)}.`);
    if (given.length === 0) throw new ConfigurationError('invalidate needs a tag, a task or a prefix; clear() drops everything.');
    return this.#clear(filter);
  }

  clear(): Promise<number> {
    return this.#clear({});
  }

  async #clear(filter: CacheFilter): Promise<number> {
    this.#answers.invalidated(filter);
    (await this.#others()).tell(filter);
    const count = await this.#clearStores(filter);
    this.#host.emit('output_cleared', { count, filter });
    return count;
  }

  /** Also of what is on its way into them. */
  async #clearStores(filter: CacheFilter): Promise<number> {
    await this.#answers.saving.idle();
    return this.#ofAll('clearing', (store) => store.clear(filter));
  }

  /** Heard of from the first run or question on: nothing is computed here before. */
  async #others(): Promise<OtherTabs> {
    await this.#house.ready;
    const { tabs, namespace } = this.#house.opening;
    return (this.#otherTabs ??= new OtherTabs(tabs && !this.#isClosed ? namespace : undefined, platformOf(this.#house.getOptions().tabs), (filter) => void this.#invalidatedElsewhere(filter)));
  }

  /** What was on its way into a store when it was told may have come there after it. */
  async #invalidatedElsewhere(filter: CacheFilter): Promise<void> {
    this.#answers.invalidated(filter);
    if (this.#answers.saving.isUnderWay) await this.#clearStores(filter).catch((error) => this.#house.warn(`What another tab has invalidated was not dropped (${String(error)}).`));
  }

  size(): Promise<number> {
    return this.#ofAll('counting', (store) => store.size());
  }

  async clearOlderThan(age: Duration): Promise<number> {
    const ms = toMilliseconds(age, 'clearOlderThan');
    const count = await this.#ofAll('clearing', (store) => store.clearOlderThan(ms));
    this.#host.emit('output_pruned', { count });
    return count;
  }

  async keys(filter: CacheFilter = {}): Promise<string[]> {
    const listed = await Promise.all((await this.#listable()).map((store) => limited(this.#house.clock, 'listing', store.keys!(filter))));
    return listed.flat();
  }

  async migrateAll(task?: TaskName): Promise<MigrationReport> {
    const report: Parameters<typeof migrateTask>[0]['report'] = { migrated: 0, upToDate: 0, failed: [] };
    const definitions = task === undefined ? this.#definitions() : [this.#definitionOf(task)];
    await this.#house.ready;
    for (const definition of definitions) {
      if (task === undefined && !definition.spec.migrations) continue;
      const plan = this.#planOf(definition.spec, undefined);
      const store = await this.#stores.of(plan);
      if (!store.keys) throw notListable();
      await migrateTask({ host: this.#host, saving: this.#answers.saving, store, plan, finish: this.#finishOf(definition), report });
    }
    return report;
  }

  async #listable(): Promise<Cache[]> {
    await this.#house.ready;
    const stores = await this.#allStores();
    for (const store of stores) if (!store.keys) throw notListable();
    return stores;
  }

  async #ofAll(doing: string, ask: (store: Cache) => Promise<number>): Promise<number> {
    await this.#house.ready;
    const counts = await Promise.all((await this.#allStores()).map((store) => limited(this.#house.clock, doing, ask(store))));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Those of tasks that have not run yet too. */
  async #allStores(): Promise<Cache[]> {
    for (const { spec } of this.#definitions()) {
      const { cache } = spec;
      if (typeof cache === 'object' && cache.store) await this.#stores.of({ store: cache.store });
    }
    return this.#stores.all();
  }

  #definitions(): Definition[] {
    return [...this.#house.definitions.ids()].map((id) => this.#house.definition(id)!);
  }

  #definitionOf(task: TaskName): Definition {
    const id = typeof task === 'string' ? task : task?.id;
    const definition = typeof id === 'string' ? this.#house.definition(id) : undefined;
    if (!definition) throw new UnrecognizedTaskError(`No task ${describe(id)} is registered; the cache knows tasks by their definitions.`);
    return definition;
  }

  #finishOf({ id, prepared }: Definition): Finish {
    return (value) => (prepared ? checkOutput(prepared, id, value) : value);
  }

  /** Nothing is written any more afterwards. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#otherTabs?.close();
    await this.#answers.close();
    await this.#stores.close();
  }
}

function notListable(): StorageUnavailableError {
  return new StorageUnavailableError('This cache has no keys(), so its entries can not be listed. Give it one: keys(filter) → Promise<string[]>.');
}
