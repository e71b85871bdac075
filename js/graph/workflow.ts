/**
 * Graphs written down in the order in which things happen: each task is connected to the one before it by its ports.
 *
 *   new Workflow().addTask(Load, { url }).addTask(Split).map({ maxIterations: 100 }).addTask(Measure).endMap().run()
 *
 * Invariant: the first thing that is wrong stays in `error`, and what is called after it changes nothing, until `pop` or
 * `reset`; `run` throws it. So a chain never throws in its middle, and never runs in half.
 */
import { checkNames } from '../intake/checks.ts';
import { autoConnect } from './auto-connect.ts';
import { checkOutputCache, isRepository } from './caching.ts';
import type { BranchConfig } from './conditions.ts';
import { ConditionalTask, FallbackTask, GraphAsTask, type GraphAsTaskConfig, MapTask, type MapTaskConfig, ReduceTask, type ReduceTaskConfig, WhileTask, type WhileTaskConfig, WorkflowTask } from './compound/index.ts';
import { Dataflow, DATAFLOW_ALL_PORTS, DATAFLOW_ERROR_PORT } from './dataflow.ts';
import type { JsonTaskItem, TaskGraphJsonOptions } from './forms.ts';
import { EventEmitter, type Listener } from './emitter.ts';
import { TaskAbortedError, WorkflowError } from './errors.ts';
import type { StreamEvent } from './events.ts';
import { asTask, type PipeFunction } from './function-task.ts';
import { mergeResults, PROPERTY_ARRAY } from './merging.ts';
import { portOf } from './schema.ts';
import type { Task } from './task.ts';
import { TaskGraph, type TaskLike } from './task-graph.ts';
import type { DataflowJson, GraphRunOptions, MergeStrategy, OutputRepository, TaskConfig, TaskGraphJson, TaskIdType, TaskInput, TaskOutput, TransformStep } from './types.ts';

type AnyTask = Task<any, any, any>;
type InputOf<Class> = Class extends new (...given: any[]) => Task<infer Input, any, any> ? Input : Class extends PipeFunction<infer Input, any> ? Input : TaskInput;
type OutputOf<Class> = Class extends new (...given: any[]) => Task<any, infer Output, any> ? Output : TaskOutput;
type ConfigOf<Class> = Class extends new (...given: any[]) => Task<any, any, infer Config> ? Config : TaskConfig;

export interface WorkflowEvents {
  /** Its graph was changed: the id of the task or edge. */
  changed: [id: string];
  reset: [];
  error: [error: string];
  start: [];
  complete: [];
  abort: [error: string];
  stream_start: [taskId: TaskIdType];
  stream_chunk: [taskId: TaskIdType, event: StreamEvent];
  stream_end: [taskId: TaskIdType, output: TaskOutput];
}

export interface RenameOptions {
  /** Which task: -1 (default) is the last, -2 the one before it. */
  index?: number;
  transforms?: readonly TransformStep[];
}

/** What makes a task and adds it: `const split = Workflow.createWorkflow(Split)`, then `split.call(workflow, input)` or `workflow.use(split, input)`. */
export type CreateWorkflow<Class> = (this: Workflow<any, any> | void, input?: Partial<InputOf<Class>>, config?: Partial<ConfigOf<Class>>) => Workflow<any, OutputOf<Class>>;

const structural = ['task_added', 'task_removed', 'task_replaced', 'dataflow_added', 'dataflow_removed', 'dataflow_replaced'] as const;

/** A loop or group that is being built within another workflow. */
interface Block {
  readonly parent: Workflow<any, any>;
  readonly task: GraphAsTask;
  readonly ends: string;
  /** Its tasks are alternatives: none follows another. */
  readonly isAlternatives: boolean;
}

export class Workflow<Input extends TaskInput = TaskInput, Output extends TaskOutput = TaskOutput> {
  #graph: TaskGraph;
  /** In the order in which they follow each other; those of `onError` stand beside it. */
  #chain: AnyTask[] = [];
  /** What the next task follows: the last one, or the ends of two ways. */
  #tails: AnyTask[] = [];
  /** To the task that is added next. */
  #renamed: { source: AnyTask; port: string; target: string; transforms: readonly TransformStep[] | undefined }[] = [];
  #error = '';
  #block: Block | undefined;
  readonly #outputCache: GraphRunOptions['outputCache'];
  readonly #events = new EventEmitter<WorkflowEvents>();
  #stopHearing: () => void = () => {};
  #aborting: AbortController | undefined;

  /**
   * @param options `outputCache`: of its runs; a repository alone is that too. `graph`: to go on from
   * @throws ConfigurationError
   */
  constructor(options: OutputRepository | { outputCache?: GraphRunOptions['outputCache']; graph?: TaskGraph } = {}) {
    if (!isRepository(options)) checkNames(options, ['outputCache', 'graph'], 'new Workflow');
    const { outputCache, graph } = isRepository(options) ? { outputCache: options, graph: undefined } : options;
    checkOutputCache(outputCache, 'new Workflow outputCache');
    this.#outputCache = outputCache;
    this.#graph = graph ?? new TaskGraph({ ...(outputCache !== undefined && { outputCache }) });
    this.#chain = this.#graph.getTasks();
    this.#tails = this.#chain.slice(-1);
    this.#hear();
  }

  get graph(): TaskGraph {
    return this.#graph;
  }
  /** Another one, to go on from. */
  set graph(graph: TaskGraph) {
    this.#graph = graph;
    this.#begin(graph.getTasks());
  }
  /** What went wrong first; '' is nothing. */
  get error(): string {
    return this.#error;
  }
  get outputCache(): GraphRunOptions['outputCache'] {
    return this.#outputCache;
  }
  /** It is a block within another: `endMap()` and its kin give that back. */
  get isLoopBuilder(): boolean {
    return this.#block !== undefined;
  }

  // Building

  /** Adds a task and connects it to the one before it. `input`: values of its ports. */
  addTask<const Class extends TaskLike>(given: Class, input?: Partial<InputOf<Class>>, config?: Partial<ConfigOf<Class>>): Workflow<Input, OutputOf<Class>> {
    this.#build(() => this.#add(this.#made(given, input, config)));
    return this as unknown as Workflow<Input, OutputOf<Class>>;
  }

  /** As `addTask`, by what `createWorkflow` gives. */
  use<Class>(create: CreateWorkflow<Class>, input?: Partial<InputOf<Class>>, config?: Partial<ConfigOf<Class>>): Workflow<Input, OutputOf<Class>> {
    return create.call(this, input, config);
  }

  /** One after the other, each with all that the one before it gave. */
  pipe(...tasks: TaskLike[]): this {
    return this.#build(() => {
      for (const given of tasks) this.#add(this.#made(given), true);
    });
  }

  /** All at once, each with what the one before them gave, as one task. What they give is merged. */
  parallel(tasks: readonly TaskLike[], merge: MergeStrategy = PROPERTY_ARRAY): this {
    return this.#build(() => {
      const graph = new TaskGraph();
      graph.addTasks(tasks);
      this.#add(new GraphAsTask({ title: tasks.length === 1 ? '1 task' : `${tasks.length} tasks at once`, merge, subGraph: graph }), true);
    });
  }

  /** The task that is added next gets this port of an earlier one at that port of its own. */
  rename(source: string, target: string, options: number | RenameOptions = -1): this {
    return this.#build(() => {
      const { index = -1, transforms } = typeof options === 'number' ? { index: options } : options;
      const task = this.#chain.at(index);
      if (!task || index >= 0) throw new WorkflowError(`rename: there is no task ${index}: ${this.#chain.length} ${this.#chain.length === 1 ? 'was' : 'were'} added. -1 is the last.`);
      if (source !== DATAFLOW_ALL_PORTS && source !== DATAFLOW_ERROR_PORT && portOf(task.outputSchema(), source) === undefined) throw new WorkflowError(`rename: task ${task.id} (${task.type}) has no output ${JSON.stringify(source)}.`);
      this.#renamed.push({ source: task, port: source, target, transforms });
    });
  }

  connect(sourceTaskId: TaskIdType, sourceTaskPortId: string, targetTaskId: TaskIdType, targetTaskPortId: string): this {
    return this.#build(() => void this.#graph.connect(sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId));
  }

  /** What gets `{ error, errorType }` when the last task fails; the task that is added next still follows that one. */
  onError(handler: TaskLike, input?: TaskInput, config?: TaskConfig): this {
    return this.#build(() => {
      const failing = this.#last('onError');
      const task = this.#graph.addTask(this.#made(handler, input, config));
      this.#graph.connect(failing.id, DATAFLOW_ERROR_PORT, task.id, DATAFLOW_ALL_PORTS);
    });
  }

  /** Takes the last task away, and what went wrong after it. */
  pop(): this {
    this.#error = '';
    this.#renamed = [];
    return this.#build(() => {
      const last = this.#last('pop');
      this.#chain.pop();
      this.#tails = this.#chain.slice(-1);
      this.#graph.removeTask(last.id);
    });
  }

  /** Begins with an empty graph. */
  reset(): this {
    this.#graph = new TaskGraph({ ...(this.#outputCache !== undefined && { outputCache: this.#outputCache }) });
    this.#begin([]);
    return this;
  }

  /**
   * Goes on by one of two ways, each of which gets what came in; what is added next follows both. A condition in words,
   * `{ field, operator, value }`, can be stored.
   */
  if(condition: ((input: any) => boolean) | Pick<BranchConfig, 'field' | 'operator' | 'value'>, whenTrue: TaskLike, whenFalse?: TaskLike): this {
    return this.#build(() => {
      const said = typeof condition === 'function' ? { condition } : condition;
      this.#add(new ConditionalTask({ branches: [{ id: 'then', ...said }, { id: 'else', operator: 'is_true' }] }));
      const parting = this.#chain.at(-1)!;
      this.#tails = Object.entries({ then: whenTrue, else: whenFalse }).flatMap(([port, given]) => {
        if (given === undefined) return [];
        const way = this.#graph.addTask(this.#made(given));
        this.#graph.connect(parting.id, port, way.id, DATAFLOW_ALL_PORTS);
        this.#chain.push(way);
        return [way];
      });
    });
  }

  /** For each element of the lists that come in. */
  map(config: Partial<MapTaskConfig> & Pick<MapTaskConfig, 'maxIterations'>): Workflow<any, any> {
    return this.#open(() => new MapTask(config), 'endMap');
  }
  reduce(config: Partial<ReduceTaskConfig> & Pick<ReduceTaskConfig, 'maxIterations'>): Workflow<any, any> {
    return this.#open(() => new ReduceTask(config), 'endReduce');
  }
  while(config: Partial<WhileTaskConfig> & Pick<WhileTaskConfig, 'maxIterations'>): Workflow<any, any> {
    return this.#open(() => new WhileTask(config), 'endWhile');
  }
  /** Several tasks as one. */
  group(config: Partial<GraphAsTaskConfig> = {}): Workflow<any, any> {
    return this.#open(() => new GraphAsTask(config), 'endGroup');
  }
  /** Its tasks are alternatives, tried one after the other. */
  fallback(): Workflow<any, any> {
    return this.#open(() => new FallbackTask({ fallbackMode: 'task' }), 'endFallback', true);
  }
  /** The same tasks with one alternative after the other over what comes in. */
  fallbackWith(alternatives: readonly Record<string, any>[]): Workflow<any, any> {
    return this.#open(() => new FallbackTask({ fallbackMode: 'data', alternatives }), 'endFallbackWith');
  }
  endMap(): Workflow<any, any> {
    return this.#end('endMap');
  }
  endReduce(): Workflow<any, any> {
    return this.#end('endReduce');
  }
  endWhile(): Workflow<any, any> {
    return this.#end('endWhile');
  }
  endGroup(): Workflow<any, any> {
    return this.#end('endGroup');
  }
  endFallback(): Workflow<any, any> {
    return this.#end('endFallback');
  }
  endFallbackWith(): Workflow<any, any> {
    return this.#end('endFallbackWith');
  }

  #open(make: () => GraphAsTask<any>, ends: string, isAlternatives = false): Workflow<any, any> {
    const block = new Workflow();
    let task: GraphAsTask<any> = new GraphAsTask();
    this.#build(() => {
      task = make();
    });
    block.#error = this.#error;
    block.#block = { parent: this, task, ends, isAlternatives };
    return block;
  }

  #end(word: string): Workflow<any, any> {
    if (!this.#block) {
      this.#fail(`${word}() ends a block, and none is open.`);
      return this;
    }
    const { parent, task, ends } = this.#block;
    if (word !== ends) this.#fail(`${word}() can't end this block: ${ends}() does.`);
    if (this.#error) parent.#fail(this.#error);
    return parent.#build(() => {
      task.subGraph = this.#graph;
      parent.#add(task);
    });
  }

  /** @internal With its work done, or what is wrong kept. */
  #build(work: () => void): this {
    if (this.#error) return this;
    try {
      work();
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
    return this;
  }

  #fail(says: string): void {
    if (this.#error) return;
    this.#error = says;
    this.#events.emit('error', says);
  }

  #made(given: TaskLike, input?: TaskInput, config?: object): AnyTask {
    const isMade = config === undefined && input === undefined;
    return asTask(given, isMade ? undefined : { ...config, ...(input !== undefined && { defaults: input }) });
  }

  #last(word: string): AnyTask {
    const last = this.#chain.at(-1);
    if (!last) throw new WorkflowError(`${word} needs a task before it, and there is none.`);
    return last;
  }

  /** Where it can't be connected it is not added. */
  #add(task: AnyTask, asWhole = false): void {
    const tails = this.#block?.isAlternatives ? [] : this.#tails;
    this.#graph.addTask(task);
    try {
      for (const { source, port, target, transforms } of this.#renamed) this.#flow({ sourceTaskId: source.id, sourceTaskPortId: port, targetTaskId: task.id, targetTaskPortId: target, ...(transforms && { transforms: [...transforms] }) }, task);
      for (const before of tails) {
        if (!asWhole) this.#autoConnect(before, task);
        else if (this.#renamed.length === 0) this.#graph.connect(before.id, DATAFLOW_ALL_PORTS, task.id, DATAFLOW_ALL_PORTS);
      }
    } catch (error) {
      this.#graph.removeTask(task.id);
      throw error;
    }
    this.#renamed = [];
    this.#chain.push(task);
    this.#tails = [task];
  }

  #flow({ sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId, transforms }: DataflowJson, target: AnyTask): void {
    if (targetTaskPortId !== DATAFLOW_ALL_PORTS && portOf(target.inputSchema(), targetTaskPortId) === undefined) throw new WorkflowError(`Task ${target.id} (${target.type}) has no input ${JSON.stringify(targetTaskPortId)}. It was not added.`);
    const dataflow = new Dataflow(sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId);
    if (transforms) dataflow.setTransforms(transforms);
    this.#graph.addDataflow(dataflow);
  }

  #autoConnect(before: AnyTask, task: AnyTask): void {
    const connectedInputKeys = this.#renamed.map(({ target }) => target);
    if (connectedInputKeys.includes(DATAFLOW_ALL_PORTS)) return;
    const { dataflows, error } = autoConnect(before, task, { providedInputKeys: Object.keys(task.defaults), connectedInputKeys, earlierTasks: this.#chain.filter((one) => !this.#tails.includes(one)).reverse() });
    if (error !== undefined) throw new WorkflowError(`${error} It was not added.`);
    for (const dataflow of dataflows) this.#flow(dataflow, task);
    // Neither names its ports: all of it.
    if (dataflows.length === 0 && connectedInputKeys.length === 0 && portOf(task.inputSchema(), 'any port') !== undefined) this.#graph.connect(before.id, DATAFLOW_ALL_PORTS, task.id, DATAFLOW_ALL_PORTS);
  }

  // Running

  /**
   * Runs it in memory: the data of the only leaf; of several, each property as a list. Where it shall outlive the page:
   * `orchestrator.graphs.run(workflow.toTaskGraph(), input)`.
   * @throws WorkflowError what `error` says; TaskError of the node that failed
   */
  async run(input: Partial<Input> = {}, config: GraphRunOptions = {}): Promise<Output> {
    if (this.#block) return this.#end(this.#block.ends).run(input, config) as Promise<Output>;
    this.#refuse();
    const aborting = (this.#aborting = new AbortController());
    this.#events.emit('start');
    const stop = this.#graph.subscribeToTaskStreaming({
      onStreamStart: (id) => this.#events.emit('stream_start', id),
      onStreamChunk: (id, event) => this.#events.emit('stream_chunk', id, event),
      onStreamEnd: (id, output) => this.#events.emit('stream_end', id, output),
    });
    try {
      const output = mergeResults(await this.#graph.run(input, { ...config, signal: config.signal instanceof AbortSignal ? AbortSignal.any([aborting.signal, config.signal]) : (config.signal ?? aborting.signal) }), PROPERTY_ARRAY);
      this.#events.emit('complete');
      return output;
    } catch (error) {
      this.#events.emit(error instanceof TaskAbortedError ? 'abort' : 'error', error instanceof Error ? error.message : String(error));
      throw error;
    } finally {
      stop();
      if (this.#aborting === aborting) this.#aborting = undefined;
    }
  }

  /** Ends the run that goes on. */
  abort(reason?: unknown): void {
    if (this.#block) this.#block.parent.abort(reason);
    else this.#aborting?.abort(reason);
  }

  /** @throws WorkflowError */
  #refuse(): void {
    if (this.#error) throw new WorkflowError(this.#error);
    if (this.#renamed.length > 0) throw new WorkflowError(`rename(…, ${JSON.stringify(this.#renamed[0]!.target)}) is for the task that is added next, and none was.`);
  }

  // As something else

  /** @throws WorkflowError what `error` says, as the others below */
  toTaskGraph(): TaskGraph {
    this.#refuse();
    return this.#graph;
  }
  toTask(config: Partial<GraphAsTaskConfig> = {}): WorkflowTask {
    return new WorkflowTask({ ...config, subGraph: this.toTaskGraph() });
  }
  toJSON(options?: TaskGraphJsonOptions): TaskGraphJson {
    return this.toTaskGraph().toJSON(options);
  }
  toDependencyJSON(options?: TaskGraphJsonOptions): JsonTaskItem[] {
    return this.toTaskGraph().toDependencyJSON(options);
  }

  static pipe(...tasks: TaskLike[]): Workflow {
    return new Workflow().pipe(...tasks);
  }
  static parallel(tasks: readonly TaskLike[], merge?: MergeStrategy): Workflow {
    return new Workflow().parallel(tasks, merge);
  }
  /** A helper that adds a task of this class to the workflow it is called on, or to a new one. */
  static createWorkflow<const Class extends new (...given: any[]) => AnyTask>(type: Class): CreateWorkflow<Class> {
    return function (input = {}, config = {}) {
      return (this instanceof Workflow ? this : new Workflow()).addTask(type as never, input, config) as never;
    };
  }

  // Events

  on<Name extends keyof WorkflowEvents>(name: Name, listener: Listener<WorkflowEvents[Name]>): void {
    this.#events.on(name, listener as Listener<any>);
  }
  off<Name extends keyof WorkflowEvents>(name: Name, listener: Listener<WorkflowEvents[Name]>): void {
    this.#events.off(name, listener as Listener<any>);
  }
  once<Name extends keyof WorkflowEvents>(name: Name, listener: Listener<WorkflowEvents[Name]>): void {
    this.#events.once(name, listener as Listener<any>);
  }
  subscribe<Name extends keyof WorkflowEvents>(name: Name, listener: Listener<WorkflowEvents[Name]>): () => void {
    return this.#events.subscribe(name, listener as Listener<any>);
  }
  waitOn<Name extends keyof WorkflowEvents>(name: Name): Promise<WorkflowEvents[Name]> {
    return this.#events.waitOn(name) as Promise<WorkflowEvents[Name]>;
  }

  #begin(chain: AnyTask[]): void {
    this.#chain = chain;
    this.#tails = chain.slice(-1);
    this.#renamed = [];
    this.#error = '';
    this.#hear();
    this.#events.emit('reset');
  }

  #hear(): void {
    this.#stopHearing();
    const stops = structural.map((name) => this.#graph.subscribe(name, (id) => this.#events.emit('changed', id)));
    this.#stopHearing = () => stops.forEach((stop) => stop());
  }
}
