/**
 * Graphs of one orchestrator: graphs made runs, runs found again, which run is of which graph in this page.
 *
 * Invariant: a run of a graph has one LiveRun in a page, made by whoever asks first: its container, one of its nodes
 * after a reload, or a handle.
 */
import { depthLimit } from '../context/children.ts';
import type { RunContext } from '../context/context.ts';
import { UnrecognizedTaskError } from '../errors.ts';
import { closedMark } from '../groups/container.ts';
import { NoteKind } from '../journal/notes.ts';
import * as P from '../protocol.ts';
import { checkNames, refuse } from '../intake/checks.ts';
import { toMilliseconds } from '../intake/duration.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { End, type Run } from '../runs/run.ts';
import type { TriggerOptions } from '../types.ts';
import { checkEntitlements } from './entitlements.ts';
import { TaskConfigurationError, TaskJSONError } from './errors.ts';
import { GraphHandle } from './handle.ts';
import { readDocument, type ReadGraph } from './documents.ts';
import { createGraphFromGraphJSON, unknownTypes } from './json.ts';
import { LiveRun } from './live.ts';
import { checkMergeStrategy } from './merging.ts';
import { graphTask } from './names.ts';
import { refuseDepth } from './nesting.ts';
import { globalTaskRegistry, type TaskRegistry } from './registry.ts';
import type { Passed } from './task.ts';
import { TaskGraph } from './task-graph.ts';
import { checkOutputCache, isRepository, type OutputQuestion } from './caching.ts';
import type { GraphRun, GraphRunOptions, MergeStrategy, PlannedNode, TaskGraphJson, TaskInput } from './types.ts';

/** What the run of a graph keeps. */
export interface GraphPayload {
  readonly document?: TaskGraphJson;
  readonly input?: TaskInput;
  readonly options?: StoredOptions;
  readonly merge?: string;
  /** Its graph is given by the code of the node that it is a child of, each time that runs. */
  readonly nested?: true;
  /** Nothing is stored here, so the graph lies beside. */
  readonly beside?: true;
}

const storedNames = ['matchAllEmptyInputs', 'concurrency', 'failurePolicy', 'resultsOrder', 'parentProvenance', 'outputCache', 'maxTasks', 'accumulateLeafOutputs'] as const;
export type StoredOptions = Pick<GraphRunOptions, (typeof storedNames)[number]>;

export interface GivenGraph {
  readonly graph: TaskGraph;
  readonly input: TaskInput;
  readonly options: GraphRunOptions;
  readonly isShown: boolean;
  /** Where pieces of one of its tasks go. */
  readonly passed?: Passed | undefined;
}

export class Graphs {
  readonly house: Orchestrator;
  /** Of graphs that are read from documents. */
  registry: TaskRegistry = globalTaskRegistry;
  /** See shapes.ts. */
  shapes: readonly object[] = [];
  readonly #lives = new WeakMap<Run, LiveRun>();
  readonly #loading = new WeakMap<Run, Promise<LiveRun>>();
  readonly #given = new WeakMap<Run, GivenGraph>();
  readonly #awaited = new WeakMap<Run, (() => void)[]>();

  constructor(house: Orchestrator) {
    this.house = house;
  }

  /** Of a graph, or of a document, which is looked at as a whole first. @throws as `run`, and TaskJSONError */
  async runGiven(given: TaskGraph | TaskGraphJson, input: TaskInput, options: GraphRunOptions & { merge?: MergeStrategy }): Promise<GraphHandle> {
    checkNames(options, optionNames, 'graphs.run');
    if (given instanceof TaskGraph) return this.run(given, input, options);
    const { graph, document } = await this.#read(given, options.registry);
    return this.run(graph, input, options, true, document);
  }

  /** @throws TaskConfigurationError TaskSerializationError and nothing is begun */
  run(graph: TaskGraph, input: TaskInput = {}, options: GraphRunOptions & { merge?: MergeStrategy } = {}, isShown = true, given?: TaskGraphJson): GraphHandle {
    checkNames(options, optionNames, 'graphs.run');
    const { merge = 'GRAPH_RESULT_ARRAY', registry = this.registry } = options;
    if (options.outputCache === undefined && graph.outputCache !== undefined) options = { ...options, outputCache: graph.outputCache };
    checkOptions(options, merge);
    checkPorts(input, 'graphs.run input');
    const signals = signalsOf(options);
    const isStored = this.house.journal !== undefined || !this.house.opening.inMemory;
    const { maxTasks } = options;
    if (maxTasks !== undefined && graph.size > maxTasks) throw new TaskConfigurationError(`The graph has ${graph.size} tasks, more than maxTasks (${maxTasks}).`);
    if (options.entitlements) checkEntitlements(graph, options.entitlements);
    refuseDepth(graph, this.house.getOptions().maxDepth ?? depthLimit);
    const document = isStored ? (given ?? graph.toJSON()) : undefined;
    const stored: Record<string, unknown> = {};
    for (const name of storedNames) if (options[name] !== undefined) stored[name] = options[name];
    // A repository is an object of this page.
    if (isRepository(options.outputCache)) delete stored.outputCache;
    const payload: GraphPayload = isStored ? { document: document!, input, options: stored, ...(typeof merge === 'string' && { merge }) } : { beside: true };
    const run = this.house.intake.triggerTask(graphTask, payload, triggerOptions(options), 'graphs.run') as Run;
    // Now, so that what the graph becomes from here on is not part of this run, as it is not of what is stored.
    this.#lives.set(run, new LiveRun({ house: this.house, run, graph, input, options: { ...options, registry }, isShown: isShown && !graph.shown?.isRunning }));
    for (const signal of signals) cancelWith(signal, run);
    return new GraphHandle(this, run, merge);
  }

  /** What somebody brings. @throws TaskJSONError with all that is wrong */
  #read(document: TaskGraphJson, registry = this.registry): Promise<ReadGraph> {
    return readDocument(document, { registry, isDefined: (id) => this.house.definition(id) !== undefined });
  }

  /** undefined: there is none of this id in this tab, or it is no run of a graph. */
  get(id: string): GraphHandle | undefined {
    const run = this.house.localRun(id);
    return run && run.taskIdentifier === graphTask ? new GraphHandle(this, run, undefined) : undefined;
  }

  /** Those that are not within a node of another, the oldest first. */
  list(): GraphRun[] {
    const runs = this.house.localRuns().filter((run) => run.taskIdentifier === graphTask && run.extra.parentId === undefined);
    return runs.map((run) => new GraphHandle(this, run, undefined));
  }

  /** What the run of a graph works on, as an object of this page. */
  give(run: Run, given: GivenGraph): void {
    this.#given.set(run, given);
    const live = this.#lives.get(run);
    if (live) live.passed = given.passed;
    for (const tell of this.#awaited.get(run) ?? []) tell();
    this.#awaited.delete(run);
  }

  liveNow(run: Run): LiveRun | undefined {
    return this.#lives.get(run);
  }

  /** @throws TaskJSONError where types are not known here */
  liveOf(run: Run): Promise<LiveRun> {
    const live = this.#lives.get(run);
    if (live) return Promise.resolve(live);
    let loading = this.#loading.get(run);
    if (!loading) {
      loading = this.#open(run);
      this.#loading.set(run, loading);
      loading.catch(() => {}).then(() => this.#loading.delete(run));
    }
    return loading;
  }

  async #open(run: Run): Promise<LiveRun> {
    const payload = this.#given.has(run) ? undefined : await this.payloadOf(run);
    if (payload?.nested && !this.#given.has(run)) await new Promise<void>((resolve) => this.#await(run, resolve));
    const given = this.#given.get(run) ?? this.#fromStored(payload!);
    const live = new LiveRun({ house: this.house, run, ...given });
    // Sources first: what became of them says what became of the others.
    for (const node of live.plan.nodes) {
      const member = this.house.services.find(run, node.id);
      if (member) live.joined(node, member);
    }
    live.isFilled = this.house.services.historyOf(run).entries.some(({ key }) => key === closedMark);
    live.isChanged = run.extra.notes?.has(NoteKind.Graph) ?? false;
    if (run.end !== End.None) live.over();
    this.#lives.set(run, live);
    return live;
  }

  /** With its graph as it was changed since it began. */
  async payloadOf(run: Run): Promise<GraphPayload> {
    const payload = (await this.house.attempts.inputOf(run)) as GraphPayload;
    const changed = this.house.services.readNote(run, NoteKind.Graph);
    return changed ? { ...payload, document: (await changed.value) as TaskGraphJson } : payload;
  }

  /** Until the code of its node gives it. */
  #await(run: Run, resolve: () => void): void {
    const awaited = this.#awaited.get(run);
    if (awaited) awaited.push(resolve);
    else this.#awaited.set(run, [resolve]);
  }

  #fromStored({ document, input = {}, options = {} }: GraphPayload): GivenGraph {
    if (!document) throw new TaskJSONError('This run of a graph has no document: its graph was of a page that is gone.');
    return { graph: createGraphFromGraphJSON(document, { registry: this.registry, isDefined: (id) => this.house.definition(id) !== undefined }), input, options: { ...options, registry: this.registry }, isShown: true };
  }

  /** Types of its graph that nobody has registered here. */
  async missingTypes(run: Run): Promise<string[]> {
    if (this.#lives.has(run) || this.#given.has(run)) return [];
    const { document } = await this.payloadOf(run);
    return document ? unknownTypes(document, { registry: this.registry, isDefined: (id) => this.house.definition(id) !== undefined }) : [];
  }

  /**
   * The graph of a container names classes that this page has not: a run of it, or its own, waits until they are
   * registered. undefined: it may go on.
   */
  async waitForTypes(container: Run, run: Run): Promise<{ promise: Promise<never> } | undefined> {
    const missing = await this.missingTypes(container);
    if (missing.length === 0) return undefined;
    const names = missing.map((type) => JSON.stringify(type)).join(', ');
    const { house } = this;
    if (run === container) house.warn(`Graph run ${run.id} waits: no task of type ${names} is registered in this page. Register it: registerTask(…).`);
    const stop = this.registry.watch(async () => {
      if (run.end === End.None && (await this.missingTypes(container)).length > 0) return;
      stop();
      if (run.end !== End.None || house.disposed) return;
      house.pump.commands.push(P.CommandRelease, run.task, P.HoldDefinitionMissing);
      house.pump.wake();
    });
    house.pump.commands.push(P.CommandHold, run.task, P.HoldDefinitionMissing);
    house.attempts.interrupt(run, new UnrecognizedTaskError(`No task of type ${names} is registered.`));
    return { promise: new Promise(() => {}) };
  }

  async #executeLater(container: Run, context: RunContext): Promise<unknown> {
    const waits = await this.waitForTypes(container, context.owner);
    return waits ? waits.promise : (await this.liveOf(container)).execute(context.owner, context);
  }

  /** What a run that answers for a node does, where nothing is kept yet. */
  async executeOutput(context: RunContext, { input }: OutputQuestion): Promise<unknown> {
    const run = context.owner.extra.parent ?? this.house.localRun(context.owner.extra.parentId ?? '');
    const container = run && (run.extra.parent ?? this.house.localRun(run.extra.parentId ?? ''));
    if (!run || !container) throw new TaskConfigurationError(`Run ${context.owner.id} answers for a node of a graph run, which is not there any more.`);
    return (await this.liveOf(container)).executeKept(run, input, context);
  }

  /** What a run of it would do. */
  async plan(given: TaskGraph | TaskGraphJson, input: TaskInput, options: GraphRunOptions): Promise<PlannedNode[]> {
    const { plannedNodes } = await import('./planning.ts');
    checkPorts(input, 'graphs.plan input');
    const graph = given instanceof TaskGraph ? given : (await this.#read(given, options.registry)).graph;
    return plannedNodes(this.house, graph, input, { outputCache: graph.outputCache, ...options });
  }

  /** What the run of a node does. */
  execute(context: RunContext): unknown {
    const { owner } = context;
    const { parent, parentId } = owner.extra;
    const container = parent ?? this.house.localRun(parentId ?? '');
    if (!container) throw new TaskConfigurationError(`Run ${owner.id} is of a node of graph run ${parentId}, which is not there any more.`);
    const live = this.#lives.get(container);
    return live ? live.execute(owner, context) : this.#executeLater(container, context);
  }
}

function triggerOptions({ name = 'Graph', metadata, tags, timeout, runId }: GraphRunOptions): TriggerOptions {
  return {
    name, ...(metadata && { metadata }), ...(tags !== undefined && { tags: tags as string[] }), ...(timeout !== undefined && { deadline: timeout }), ...(runId !== undefined && { id: runId }),
  };
}

/** @throws ConfigurationError */
function signalsOf(options: GraphRunOptions): AbortSignal[] {
  const given: AbortSignal[] = [];
  for (const name of ['signal', 'parentSignal'] as const) {
    const signal: Partial<AbortSignal> | undefined = options[name];
    if (signal === undefined) continue;
    if (typeof signal?.addEventListener !== 'function') refuse(`graphs.run ${name}`, 'an AbortSignal', signal);
    given.push(signal as AbortSignal);
  }
  return given;
}

/** Ends the run as soon as the signal says so. */
export function cancelWith(signal: AbortSignal, run: Run): void {
  const cancel = () => void run.cancel(signal.reason);
  if (signal.aborted) return cancel();
  signal.addEventListener('abort', cancel);
  const over = () => signal.removeEventListener('abort', cancel);
  run.ended.then(over, over);
}

/** @throws ConfigurationError */
function checkPorts(input: unknown, where: string): void {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) refuse(where, 'an object of values by ports', input);
}

const policies = ['abort', 'continue-independent', 'collect'];
const orders = ['insertion', 'completion'];

const optionNames = [...storedNames, 'parentSignal', 'signal', 'registry', 'timeout', 'entitlements', 'name', 'metadata', 'tags', 'runId', 'merge'];

/** @throws ConfigurationError TaskConfigurationError */
function checkOptions({ failurePolicy, resultsOrder, concurrency, maxTasks, timeout, matchAllEmptyInputs, accumulateLeafOutputs, outputCache }: GraphRunOptions, merge: MergeStrategy): void {
  if (timeout !== undefined) toMilliseconds(timeout, 'graphs.run timeout');
  if (failurePolicy !== undefined && !policies.includes(failurePolicy)) refuse('graphs.run failurePolicy', `one of ${policies.join(', ')}`, failurePolicy);
  if (resultsOrder !== undefined && !orders.includes(resultsOrder)) refuse('graphs.run resultsOrder', `one of ${orders.join(', ')}`, resultsOrder);
  for (const [name, value] of Object.entries({ concurrency, maxTasks })) if (value !== undefined && !(Number.isInteger(value) && value > 0)) refuse(`graphs.run ${name}`, 'a whole number above 0', value);
  for (const [name, value] of Object.entries({ matchAllEmptyInputs, accumulateLeafOutputs })) if (value !== undefined && typeof value !== 'boolean') refuse(`graphs.run ${name}`, 'true or false', value);
  checkOutputCache(outputCache, 'graphs.run outputCache');
  checkMergeStrategy(merge, 'graphs.run merge');
}
