/**
 * A graph of tasks and the edges between them.
 *
 * Invariants: it has no cycle, at no moment; an edge's ends are tasks of it; what is refused changes nothing. What
 * a run does stands in that run; its tasks and edges mirror the run that it shows.
 */
import { describe, refuse } from '../intake/checks.ts';
import { Lazy } from '../lazy.ts';
import { Beginning } from './beginning.ts';
import { checkOutputCache } from './caching.ts';
import { refuseUnfit } from './compatibility.ts';
import { refuseNesting } from './nesting.ts';
import { Dag, type Vertex } from './dag.ts';
import { Dataflow } from './dataflow.ts';
import { EventEmitter, type Listener } from './emitter.ts';
import { CycleError, TaskConfigurationError } from './errors.ts';
import type { StreamEvent, TaskGraphEvents, TaskGraphStructureEvents } from './events.ts';
import { asTask, type PipeFunction } from './function-task.ts';
import { Changes } from './changes.ts';
import { dependencyForm, type JsonTaskItem, type TaskGraphJsonOptions, withBoundaryNodes } from './forms.ts';
import type { Explanation } from './explaining.ts';
import type { GraphLintIssue } from './linting.ts';
import type { ShownRun } from './live.ts';
import type { LiveChanges } from './live-changes.ts';
import type { Provenance } from './provenance.ts';
import type { Task } from './task.ts';
import type { Task as Definition } from '../types.ts';
import type { DataflowIdType, GraphResultArray, GraphRunOptions, MergeStrategy, TaskConfig, TaskGraphJson, TaskIdType, TaskInput, TaskOutput, TaskStatus } from './types.ts';

type AnyTask = Task<any, any, any>;
/** A task, a class of tasks, a function, or what `defineTask` gives. */
export type TaskLike = AnyTask | (new (config?: any) => AnyTask) | PipeFunction | Definition<any, any, any>;

/** Once: a bundler's import looks for what it needs each time. */
const alone = new Lazy(() => import('./alone.ts'));

export class TaskGraph {
  readonly #dag = new Dag<AnyTask, Dataflow>();
  readonly #dataflows = new Map<DataflowIdType, Dataflow>();
  readonly #changes = new Changes((name, id) => this.#events?.emit(name as any, id as never), (changes) => this.#events?.emit('graph_changed', changes));
  #events: EventEmitter<TaskGraphEvents> | undefined;
  /** Counts changes of its structure. */
  #version = 0;
  outputCache: GraphRunOptions['outputCache'];
  /** Of an editor, and of whoever stores it: kept in its document. */
  extras: Record<string, any> = {};
  /** @internal The run that it shows. */
  shown: ShownRun | undefined;

  /** Edges between ports that can't fit are refused. */
  readonly isStrict: boolean;

  /**
   * @param options `outputCache`: of runs that say nothing of it. `strict`: an edge between ports that can't fit is refused as it
   * is added (default false: `validate()` warns of it, and its target refuses the value); edges with transforms are not held to types
   * @throws ConfigurationError
   */
  constructor({ outputCache, strict = false }: { outputCache?: GraphRunOptions['outputCache']; strict?: boolean } = {}) {
    checkOutputCache(outputCache, 'TaskGraph outputCache');
    if (typeof strict !== 'boolean') refuse('TaskGraph strict', 'true or false', strict);
    this.outputCache = outputCache;
    this.isStrict = strict;
  }

  /** Changes with each change of its structure. */
  get version(): number {
    return this.#version;
  }
  get size(): number {
    return this.#dag.vertices.size;
  }

  // Tasks

  /** Gives the task. @throws TaskConfigurationError of an id that is there already */
  addTask<Each extends AnyTask>(task: Each): Each;
  addTask(task: TaskLike, config?: TaskConfig): AnyTask;
  addTask(given: unknown, config?: TaskConfig): AnyTask {
    const task = asTask(given, config);
    const { id } = task;
    if (this.#dag.vertices.has(id)) throw new TaskConfigurationError(`There is a task ${JSON.stringify(id)} in this graph already. Give each its own id.`, { data: { taskId: id } });
    if (task.hasChildren()) refuseNesting(task.subGraph!, this, task);
    this.#live?.adding(task);
    this.#dag.add(id, task);
    task.parentGraph = this;
    this.#changed('task_added', id);
    return task;
  }
  /** @throws TaskConfigurationError as `addTask`; those before it have been added */
  addTasks(tasks: readonly TaskLike[]): AnyTask[] {
    if (!Array.isArray(tasks)) throw new TaskConfigurationError(`addTasks takes a list of tasks, not ${describe(tasks)}.`);
    return tasks.map((task) => this.addTask(task));
  }
  getTask(id: TaskIdType): AnyTask | undefined {
    return this.#dag.vertices.get(id)?.node;
  }
  /** In the order in which they were added. */
  getTasks(): AnyTask[] {
    const tasks: AnyTask[] = [];
    for (const { node } of this.#dag.vertices.values()) tasks.push(node);
    return tasks;
  }
  /** With its edges. False: there is none of this id. */
  removeTask(id: TaskIdType): boolean {
    const vertex = this.#dag.vertices.get(id);
    if (!vertex) return false;
    this.#live?.removing(id);
    for (const edge of new Set([...vertex.incoming, ...vertex.outgoing])) this.#disconnect(edge);
    this.#dag.remove(id);
    vertex.node.parentGraph = undefined;
    this.#changed('task_removed', id);
    return true;
  }
  /** The other task gets its place and its edges; its id must be the same. @throws TaskConfigurationError */
  replaceTask(id: TaskIdType, given: TaskLike, config?: TaskConfig): AnyTask {
    const vertex = this.#vertex(id);
    const task = asTask(given, config);
    if (task.id !== id) throw new TaskConfigurationError(`replaceTask: the other task's id is ${JSON.stringify(task.id)}, and must be ${JSON.stringify(id)}.`);
    if (this.isStrict) for (const edge of vertex.incoming) refuseUnfit(edge, this.getTask(edge.sourceTaskId)!, task);
    if (this.isStrict) for (const edge of vertex.outgoing) refuseUnfit(edge, task, this.getTask(edge.targetTaskId)!);
    this.#live?.replacing(task);
    this.#dag.replace(vertex, id, task);
    vertex.node.parentGraph = undefined;
    task.parentGraph = this;
    this.#changed('task_replaced', id);
    return task;
  }

  // Edges

  /** Gives its id. @throws CycleError TaskConfigurationError and nothing is changed */
  addDataflow(dataflow: Dataflow): DataflowIdType {
    if (!(dataflow instanceof Dataflow)) throw new TaskConfigurationError(`addDataflow takes a Dataflow, not ${describe(dataflow)}. graph.connect(sourceTaskId, port, targetTaskId, port) makes one.`);
    const { id } = dataflow;
    const source = this.#vertex(dataflow.sourceTaskId);
    const target = this.#vertex(dataflow.targetTaskId);
    if (this.#dataflows.has(id)) throw new TaskConfigurationError(`There is an edge ${id} in this graph already.`, { data: { dataflowId: id } });
    if (this.isStrict) refuseUnfit(dataflow, source.node, target.node);
    this.#live?.refuseBegun(dataflow);
    const cycle = this.#dag.connect(source, target, dataflow);
    if (cycle) throw cycleOf(cycle, id);
    this.#live?.claim(dataflow.targetTaskId);
    this.#dataflows.set(id, dataflow);
    this.#changed('dataflow_added', id);
    return id;
  }
  addDataflows(dataflows: readonly Dataflow[]): DataflowIdType[] {
    if (!Array.isArray(dataflows)) throw new TaskConfigurationError(`addDataflows takes a list of Dataflows, not ${describe(dataflows)}.`);
    return dataflows.map((dataflow) => this.addDataflow(dataflow));
  }
  /** Shorthand for `addDataflow(new Dataflow(…))`. */
  connect(sourceTaskId: TaskIdType, sourceTaskPortId: string, targetTaskId: TaskIdType, targetTaskPortId: string): Dataflow {
    const dataflow = new Dataflow(sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId);
    this.addDataflow(dataflow);
    return dataflow;
  }
  getDataflow(id: DataflowIdType): Dataflow | undefined {
    return this.#dataflows.get(id);
  }
  getDataflows(): Dataflow[] {
    return [...this.#dataflows.values()];
  }
  /** False: it is not there. */
  removeDataflow(dataflow: Dataflow | DataflowIdType): boolean {
    const known = this.#dataflows.get(typeof dataflow === 'string' ? dataflow : dataflow?.id);
    if (!known) return false;
    this.#live?.refuseBegun(known);
    this.#live?.claim(known.targetTaskId);
    this.#disconnect(known);
    return true;
  }
  #disconnect(known: Dataflow): void {
    this.#dag.disconnect(this.#vertex(known.sourceTaskId), this.#vertex(known.targetTaskId), known);
    this.#dataflows.delete(known.id);
    this.#changed('dataflow_removed', known.id);
  }
  /** Of the same ends: its transforms may be others. */
  replaceDataflow(dataflow: Dataflow): void {
    const { id } = dataflow;
    const known = this.#dataflows.get(id);
    if (!known) throw new TaskConfigurationError(`replaceDataflow: there is no edge ${id}.`);
    if (this.isStrict) refuseUnfit(dataflow, this.getTask(dataflow.sourceTaskId)!, this.getTask(dataflow.targetTaskId)!);
    this.#live?.refuseBegun(known);
    this.#live?.claim(known.targetTaskId);
    this.#dag.exchange(this.#vertex(known.sourceTaskId), this.#vertex(known.targetTaskId), known, dataflow);
    this.#dataflows.set(id, dataflow);
    this.#changed('dataflow_replaced', id);
  }

  /** Edges into it, in the order in which they were added. */
  getSourceDataflows(taskId: TaskIdType): Dataflow[] {
    return [...(this.#dag.vertices.get(taskId)?.incoming ?? [])];
  }
  /** Edges out of it. */
  getTargetDataflows(taskId: TaskIdType): Dataflow[] {
    return [...(this.#dag.vertices.get(taskId)?.outgoing ?? [])];
  }
  /** Tasks that feed it, each once. */
  getSourceTasks(taskId: TaskIdType): AnyTask[] {
    return [...new Set(this.#dag.vertices.get(taskId)?.sources)].map(({ node }) => node);
  }
  /** Tasks that it feeds, each once. */
  getTargetTasks(taskId: TaskIdType): AnyTask[] {
    return [...new Set(this.#dag.vertices.get(taskId)?.targets)].map(({ node }) => node);
  }
  /** Sources before targets. */
  topologicallySortedNodes(): AnyTask[] {
    return this.#dag.sorted().map(({ node }) => node);
  }
  /** Always; edges that would close a cycle are refused. Checked here from the edges alone. */
  isAcyclic(): boolean {
    const sorted = this.#dag.sorted();
    const place = new Map(sorted.map((vertex, index) => [vertex, index]));
    return sorted.every((vertex, index) => vertex.targets.every((target) => place.get(target)! > index));
  }
  /** @internal Vertices, sources before targets. */
  sorted(): Vertex<AnyTask, Dataflow>[] {
    return this.#dag.sorted();
  }

  /** What a change has to ask first while the run that it shows goes on. */
  get #live(): LiveChanges | undefined {
    return this.shown?.isRunning ? this.shown.changes : undefined;
  }

  #vertex(id: TaskIdType): Vertex<AnyTask, Dataflow> {
    const vertex = this.#dag.vertices.get(id);
    if (!vertex) throw new TaskConfigurationError(`There is no task ${JSON.stringify(id)} in this graph.`, { data: { taskId: id } });
    return vertex;
  }

  // Running

  /**
   * Runs it, in memory: gives what its leaves gave, in the order in which they were added. Where it shall survive the
   * page: `orchestrator.graphs.run(graph, input)`.
   * @throws TaskError of the node that failed; TaskConfigurationError while it is running already
   */
  async run<Output = TaskOutput>(input: TaskInput = {}, config: GraphRunOptions = {}): Promise<GraphResultArray<Output>> {
    if (this.shown?.isRunning) throw new TaskConfigurationError('The graph is already running. graph.start() begins another run beside this one.');
    const beginning = (this.shown = new Beginning());
    try {
      const { runInMemory } = alone.loaded ?? (await alone.load());
      return await runInMemory(this, input, config, beginning);
    } finally {
      if (this.shown === beginning) this.shown = undefined;
    }
  }
  /** A run of its own beside others; the graph does not show it. */
  async start(input: TaskInput = {}, config: GraphRunOptions = {}): Promise<import('./types.ts').GraphRun<GraphResultArray>> {
    const { startInMemory } = alone.loaded ?? (await alone.load());
    return startInMemory(this, input, config);
  }
  /** What cheap previews give, node by node; touches nothing. */
  async runPreview<Output = TaskOutput>(input: TaskInput = {}): Promise<GraphResultArray<Output>> {
    const { previewGraph } = await import('./preview.ts');
    return previewGraph(this, input) as Promise<GraphResultArray<Output>>;
  }
  /** Ends the run that it shows. */
  abort(reason?: unknown): void {
    this.shown?.abort(reason);
  }
  /** From the next run on nothing of it is executed; of a run that it shows nothing that has not begun. */
  async disable(): Promise<void> {
    const changes = this.#live;
    for (const task of this.getTasks()) if (!changes || changes.isPending(task.id)) await task.disable();
    this.#events?.emit('disabled');
  }
  /** All of its tasks are executed again from the next run on. @throws TaskConfigurationError where a run that goes on has left one out */
  async enable(): Promise<void> {
    for (const task of this.getTasks()) await task.enable();
  }
  /** @internal What a task takes, or whether it is executed, becomes other. @throws TaskConfigurationError where a run that goes on has begun it */
  retouch(id: TaskIdType, change: () => void): void {
    const changes = this.#live;
    changes?.retouching(id);
    change();
    changes?.changed();
  }
  /** Statuses and values as before the first run. @throws TaskConfigurationError while it runs */
  resetGraph(): void {
    if (this.shown?.isRunning) throw new TaskConfigurationError('resetGraph: the graph is running. Abort it first.');
    for (const task of this.getTasks()) task.resetStatus();
    for (const dataflow of this.#dataflows.values()) dataflow.reset();
  }
  /** Results of leaves as one output. @throws TaskConfigurationError of an unknown strategy */
  async mergeExecuteOutputsToRunOutput(results: GraphResultArray, strategy: MergeStrategy): Promise<any> {
    const { mergeResults } = await import('./merging.ts');
    return mergeResults(results, strategy);
  }
  /** Where the output of a task, or what came to its port by edges, comes from in the run that it shows. undefined: nothing is there. */
  getProvenance(taskId: TaskIdType, port?: string): Provenance | undefined {
    return this.shown?.getProvenance?.(taskId, port);
  }
  /**
   * The same in words and as data: of what a task gave (its id, an element of what `run` gave, or the output itself), or
   * of what came to its port.
   * @throws TaskConfigurationError of what is no output of this graph, and before its first run
   */
  explain(output: TaskIdType | GraphResultArray[number] | object, port?: string): Explanation {
    const taskId = typeof output === 'string' ? output : this.#giverOf(output);
    const found = taskId === undefined ? undefined : this.shown?.explain?.(taskId, port);
    if (found) return found;
    const what = typeof output === 'string' ? `Task ${JSON.stringify(output)}${this.getTask(output) ? (port === undefined ? ' has given nothing' : ` got nothing by its port ${JSON.stringify(port)}`) : ' is none of this graph'}` : 'This is no output of a task of this graph';
    throw new TaskConfigurationError(`explain: ${what}, in the run that the graph shows. Run it first; of another run: run.explain(taskId).`, { data: { taskId } });
  }
  #giverOf(output: object | null): TaskIdType | undefined {
    const { id, data } = (output ?? {}) as Partial<GraphResultArray[number]>;
    if (typeof id === 'string' && data !== undefined && this.getTask(id)) return id;
    return this.getTasks().find(({ runOutputData }) => runOutputData === output || Object.values(runOutputData).includes(output))?.id;
  }

  /** What is wrong with it, and what mostly is a mistake, node by node; nothing is changed. @throws CoreLoadError where `json.wasm` can't be had */
  async validate(): Promise<readonly GraphLintIssue[]> {
    const { lintGraph } = await import('./linting.ts');
    return lintGraph(this);
  }

  /** As it is stored. @throws TaskSerializationError where a task can't be */
  toJSON(options: TaskGraphJsonOptions = {}): TaskGraphJson {
    if (options.withBoundaryNodes) return withBoundaryNodes(this);
    return { ...this.extras, tasks: this.getTasks().map((task) => task.toJSON()), dataflows: this.getDataflows().map((dataflow) => dataflow.toJSON()) };
  }

  /** As it is stored, each task with where its inputs come from. @throws TaskSerializationError */
  toDependencyJSON(options?: TaskGraphJsonOptions): JsonTaskItem[] {
    return dependencyForm(this.toJSON(options));
  }

  // Events

  /** Events of its structure wait until `resumeEvents`; calls nest. */
  suspendEvents(): void {
    this.#changes.suspend();
  }
  /** What waits is told in order, without what cancels itself out, and once more as one `graph_changed`. */
  resumeEvents(): void {
    this.#changes.resume();
  }
  /** Events are suspended while this runs, also where it throws. */
  batch<Value>(work: (graph: this) => Value): Value {
    this.suspendEvents();
    try {
      return work(this);
    } finally {
      this.resumeEvents();
    }
  }
  #changed(name: keyof TaskGraphStructureEvents, id: string): void {
    this.#version++;
    this.#live?.changed();
    this.#changes.add(name as Exclude<typeof name, 'graph_changed'>, id, this.#events !== undefined);
  }

  /** @internal */
  heardStatus(task: AnyTask, status: TaskStatus): void {
    this.#events?.emit('task_status', task.id, status, task);
  }
  /** @internal */
  heardDataflow(dataflow: Dataflow): void {
    this.#events?.emit('dataflow_status', dataflow.id, dataflow.status, dataflow);
  }
  /** @internal Nobody listens: telling can be left out. */
  get isSilent(): boolean {
    return this.#events === undefined;
  }

  get events(): EventEmitter<TaskGraphEvents> {
    return (this.#events ??= new EventEmitter());
  }
  on<Name extends keyof TaskGraphEvents>(name: Name, listener: Listener<TaskGraphEvents[Name]>): void {
    this.events.on(name, listener as Listener<any>);
  }
  off<Name extends keyof TaskGraphEvents>(name: Name, listener: Listener<TaskGraphEvents[Name]>): void {
    this.#events?.off(name, listener as Listener<any>);
  }
  once<Name extends keyof TaskGraphEvents>(name: Name, listener: Listener<TaskGraphEvents[Name]>): void {
    this.events.once(name, listener as Listener<any>);
  }
  subscribe<Name extends keyof TaskGraphEvents>(name: Name, listener: Listener<TaskGraphEvents[Name]>): () => void {
    return this.events.subscribe(name, listener as Listener<any>);
  }
  emit<Name extends keyof TaskGraphEvents>(name: Name, ...given: TaskGraphEvents[Name]): void {
    this.#events?.emit(name, ...(given as any));
  }

  /** Of every task, those that are added later too. Gives what ends it. */
  subscribeToTaskStatus(listener: (taskId: TaskIdType, status: TaskStatus) => void): () => void {
    return this.subscribe('task_status', listener);
  }
  subscribeToTaskProgress(listener: (taskId: TaskIdType, progress: number | undefined, message?: string, ...more: any[]) => void): () => void {
    return this.subscribe('task_progress', listener);
  }
  subscribeToDataflowStatus(listener: (dataflowId: DataflowIdType, status: TaskStatus) => void): () => void {
    return this.subscribe('dataflow_status', listener);
  }
  subscribeToTaskStreaming(listeners: {
    onStreamStart?: (taskId: TaskIdType) => void;
    onStreamChunk?: (taskId: TaskIdType, event: StreamEvent) => void;
    onStreamEnd?: (taskId: TaskIdType, output: TaskOutput) => void;
  }): () => void {
    const stops = [
      listeners.onStreamStart && this.subscribe('task_stream_start', listeners.onStreamStart),
      listeners.onStreamChunk && this.subscribe('task_stream_chunk', listeners.onStreamChunk),
      listeners.onStreamEnd && this.subscribe('task_stream_end', listeners.onStreamEnd),
    ];
    return () => {
      for (const stop of stops) stop?.();
    };
  }
}

function cycleOf(cycle: readonly Vertex<AnyTask, Dataflow>[], id: DataflowIdType): CycleError {
  const ids = cycle.map(({ node }) => node.id);
  return new CycleError(`The edge ${id} would close a cycle: ${[...ids, ids[0]].join(' → ')}. The graph is unchanged.`, { data: { cycle: ids } });
}

/** Tasks one after the other, each output port feeding the next one's input port. */
export function serialGraph(tasks: readonly AnyTask[], outputPort: string, inputPort: string): TaskGraph {
  const graph = new TaskGraph();
  graph.addTasks(tasks);
  for (let at = 1; at < tasks.length; at++) graph.connect(tasks[at - 1]!.id, outputPort, tasks[at]!.id, inputPort);
  return graph;
}
