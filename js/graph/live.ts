/**
 * A run of a graph, in this page: which node stands where, what the finished ones gave, what the next ones get.
 *
 * Invariants: when a node begins, and whether, is the core's; what is kept here can be read again from the runs of the
 * nodes, so nothing is lost with the page; a node's input depends on its graph, the graph's input and what its
 * sources gave, and on nothing else, so it is the same each time; statuses change before those who listen hear.
 */
import type { RunContext } from '../context/context.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { isPromise } from '../definition/validation.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import { along, assemble, type Carrier } from './assembly.ts';
import { askForOutput, isFromCache, isKept } from './caching.ts';
import { callReading, executeReading, LiveStreams } from './live-streams.ts';
import { DATAFLOW_ERROR_PORT, type Dataflow } from './dataflow.ts';
import { markTask, TaskAbortedError, TaskConfigurationError } from './errors.ts';
import { endOf, failedWith, failureOf, hasBegun, hasFailed, wasTaken } from './failures.ts';
import { disableIn, isInactive } from './inactive-edges.ts';
import { byPorts } from './function-task.ts';
import { NodeContext } from './node-context.ts';
import { leavesOf, type Plan, type PlanNode, planOf } from './plan.ts';
import type { Provenance } from './provenance.ts';
import { globalTaskRegistry, type TaskRegistry } from './registry.ts';
import { LiveChanges } from './live-changes.ts';
import { Mirror } from './mirror.ts';
import { type Passed, Task } from './task.ts';
import type { TaskGraph } from './task-graph.ts';
import { type Explanation, explained } from './explaining.ts';
import { lineageInto, lineageOf } from './lineage.ts';
import { type GraphResultArray, type GraphRunOptions, type NodeState, type TaskIdType, type TaskInput, type TaskOutput, TaskStatus } from './types.ts';
import { checkNow } from './validate.ts';

/** What a graph shows of a run. */
export interface ShownRun {
  readonly isRunning: boolean;
  abort(reason?: unknown): void;
  /** What a change of its graph asks first; undefined: it may be changed as one likes. */
  readonly changes?: LiveChanges | undefined;
  getProvenance?(taskId: TaskIdType, port?: string): Provenance | undefined;
  explain?(taskId: TaskIdType, port?: string): Explanation | undefined;
}

export interface LiveGiven {
  readonly house: Orchestrator;
  /** Of the container. */
  readonly run: Run;
  readonly graph: TaskGraph;
  readonly input: TaskInput;
  readonly options: GraphRunOptions;
  /** Its graph's tasks and edges mirror it. */
  readonly isShown: boolean;
  readonly passed?: Passed | undefined;
}

export class LiveRun implements ShownRun, Carrier {
  readonly house: Orchestrator;
  readonly run: Run;
  readonly graph: TaskGraph;
  readonly input: TaskInput;
  readonly options: GraphRunOptions;
  readonly registry: TaskRegistry;
  /** Options are objects of people's: what each node asks is read once. */
  readonly #keepsOutputs: boolean;
  readonly #matchAllEmptyInputs: boolean;
  plan: Plan;
  /** By index of the plan. */
  runs: (Run | undefined)[];
  statuses: TaskStatus[];
  /** What finished nodes gave, as far as it has been in this page. */
  #outputs: (TaskOutput | undefined)[];
  /** Of nodes whose end the core has not said yet. */
  #coming: (TaskOutput | undefined)[];
  /** Nodes whose end has been noted. */
  #over: Uint8Array;
  /** In the order in which they ended, in this page. */
  readonly endedOrder: PlanNode[] = [];
  firstFailure: PlanNode | undefined;
  readonly #mirror: Mirror | undefined;
  readonly listeners = new Set<() => void>();
  #endedCount = 0;
  isRunning = true;
  /** Of a graph within a node: where pieces of one of its tasks go. */
  passed: Passed | undefined;
  #streams: LiveStreams | undefined;
  #heard: Promise<void> | undefined;
  #changes: LiveChanges | undefined;
  /** All nodes that there are were made, so one that comes is made by the change. */
  isFilled = false;
  /** Its graph is not the one it began with. */
  isChanged = false;

  constructor({ house, run, graph, input, options, isShown, passed }: LiveGiven) {
    this.passed = passed;
    this.house = house;
    this.run = run;
    this.graph = graph;
    this.input = input;
    this.options = options;
    this.registry = options.registry ?? globalTaskRegistry;
    this.#keepsOutputs = Boolean(options.outputCache);
    this.#matchAllEmptyInputs = options.matchAllEmptyInputs === true;
    this.plan = planOf(graph);
    const { length } = this.plan.nodes;
    this.runs = new Array(length).fill(undefined);
    this.statuses = new Array(length).fill(TaskStatus.PENDING);
    this.#outputs = new Array(length).fill(undefined);
    this.#coming = new Array(length).fill(undefined);
    this.#over = new Uint8Array(length);
    this.#mirror = isShown ? new Mirror(this) : undefined;
    if (isShown) graph.shown = this;
    this.#hearEnd();
  }

  get changes(): LiveChanges {
    return (this.#changes ??= new LiveChanges(this));
  }
  /** Until a change that is under way is part of the run; undefined: none is. */
  get changing(): Promise<void> | undefined {
    return this.#changes?.settled;
  }

  /** Its graph is another now. @param renewed nodes that are another run than before */
  replan(plan: Plan, renewed: ReadonlySet<TaskIdType>): void {
    const former = this.plan;
    const places = plan.nodes.map(({ id }) => (renewed.has(id) ? undefined : former.byId.get(id)?.index));
    const moved = <Each>(list: readonly Each[], fresh: Each): Each[] => places.map((at) => (at === undefined ? fresh : list[at]!));
    this.plan = plan;
    this.runs = moved(this.runs, undefined);
    this.statuses = moved(this.statuses, TaskStatus.PENDING);
    this.#outputs = moved(this.#outputs, undefined);
    this.#coming = moved(this.#coming, undefined);
    this.#over = Uint8Array.from(moved(Array.from(this.#over), 0));
    this.endedOrder.splice(0, this.endedOrder.length, ...this.endedOrder.map((node) => this.now(node)));
    if (this.firstFailure) this.firstFailure = this.now(this.firstFailure);
    this.isChanged = true;
    this.mirror?.replanned();
  }

  /** As the plan has it now. REQUIRES: it has begun, so it is still there */
  now(node: PlanNode): PlanNode {
    return this.plan.nodes[node.index] === node ? node : this.plan.byId.get(node.id)!;
  }

  /** undefined: its graph shows another run, or none. */
  get mirror(): Mirror | undefined {
    return this.graph.shown === this ? this.#mirror : undefined;
  }

  // The nodes' runs

  /** Its run is there: made now, or found. */
  joined(node: PlanNode, run: Run): void {
    this.runs[node.index] = run;
    if (run.end !== End.None && !this.#over[node.index]) this.#note(node, run, true);
    else if (run.attempt > 0 || (run.task !== 0 && hasBegun(this.house, run))) this.statuses[node.index] = TaskStatus.PROCESSING;
    if (this.#streams && node.takesStreams) this.#streams.joined(node);
  }

  nodeOf(run: Run): PlanNode | undefined {
    const { childKey } = run.extra;
    return childKey === undefined ? undefined : this.plan.byId.get(childKey);
  }

  /** What ended before anybody listened: in a page that comes back, nodes may begin and end before the code of their container does. */
  catchUp(nodes: readonly PlanNode[]): void {
    for (let at = 0; at < nodes.length; at++) {
      const { index } = nodes[at]!;
      const run = this.runs[index];
      if (run && run.end !== End.None && !this.#over[index]) this.#note(nodes[at]!, run, false);
    }
  }

  /** The core says that it is over. */
  ended(run: Run): void {
    const node = this.nodeOf(run);
    if (node && !this.#over[node.index] && (this.runs[node.index] ?? run) === run) this.#note(node, run, false);
  }

  /** It is to begin anew. */
  reopened(node: PlanNode): void {
    this.statuses[node.index] = TaskStatus.PENDING;
    this.#outputs[node.index] = undefined;
    this.#over[node.index] = 0;
    this.#endedCount--;
    if (this.firstFailure === node) this.firstFailure = undefined;
    this.mirror?.reset(node);
  }

  #note(node: PlanNode, run: Run, isFound: boolean): void {
    const { index } = node;
    this.#over[index] = 1;
    this.#endedCount++;
    this.endedOrder.push(node);
    const status = this.#statusOf(node, run);
    this.statuses[index] = status;
    if (status === TaskStatus.COMPLETED) {
      this.#outputs[index] = this.#coming[index];
      this.#coming[index] = undefined;
    }
    if (status === TaskStatus.FAILED && !this.firstFailure && !node.handlesError && hasFailed(this.house, run)) this.firstFailure = node;
    this.mirror?.ended(node, status, isFound);
    this.#streams?.ended(node);
    if (this.listeners.size > 0) for (const tell of this.listeners) tell();
  }

  #statusOf(node: PlanNode, run: Run): TaskStatus {
    if (run.end === End.Completed) return TaskStatus.COMPLETED;
    const { pump } = this.house;
    const isDisabled = pump.cancelCauseOf(run) === P.CancelCauseDisabled;
    // Whatever became of its sources.
    if (isDisabled && node.isDisabled) return TaskStatus.DISABLED;
    if (run.end === End.Failed || this.failedSourceOf(node)) return TaskStatus.FAILED;
    if (!pump.open) return TaskStatus.FAILED;
    if (isDisabled) return TaskStatus.DISABLED;
    // What was ended with others before it began has not been.
    return !hasBegun(this.house, run) && !wasTaken(this.house, run) ? TaskStatus.PENDING : TaskStatus.FAILED;
  }

  /** A source that failed, or was not executed because one of its own did, and nothing handles that. */
  failedSourceOf({ incoming, sources }: PlanNode): PlanNode | undefined {
    for (let at = 0; at < sources.length; at++) {
      const source = sources[at]!;
      if (this.statuses[source.index] === TaskStatus.FAILED && !incoming[at]!.isError && !(source.handlesError && hasFailed(this.house, this.runs[source.index]))) return source;
    }
    return undefined;
  }

  get progress(): number {
    return (100 * this.#endedCount) / Math.max(1, this.plan.nodes.length);
  }
  get endedCount(): number {
    return this.#endedCount;
  }

  errorOf(node: PlanNode): Error | undefined {
    const run = this.runs[node.index];
    if (!run || this.statuses[node.index] !== TaskStatus.FAILED) return undefined;
    if (hasFailed(this.house, run)) return failedWith(this.house, run, node.task);
    const failed = this.failedSourceOf(node);
    const why = failed ? `was not executed: ${failed.id}, which feeds it, failed.` : 'was aborted.';
    return markTask(new TaskAbortedError(`Task ${node.id} (${node.task.type}) ${why}`, { data: failed && { failedTaskId: failed.id } }), node.id, node.task.type);
  }

  /** The core has said that it is over. */
  isOver(node: PlanNode): boolean {
    return this.#over[this.now(node).index] === 1;
  }

  /** Something came along it; its source is over, and what says so is in this page. */
  isActive(edge: Dataflow, source: PlanNode): boolean {
    if (edge.isError) return hasFailed(this.house, this.runs[source.index]);
    return this.statuses[source.index] === TaskStatus.COMPLETED && !source.task.inactivePorts(this.#outputs[source.index] ?? {}).includes(edge.sourceTaskPortId);
  }

  /** Made with the first node that gives or reads one. */
  get streams(): LiveStreams {
    return (this.#streams ??= new LiveStreams(this));
  }

  // Executing a node

  /** What the run of a node does. */
  execute(run: Run, context: RunContext): unknown {
    const node = this.nodeOf(run);
    if (!node) throw new TaskConfigurationError(`Run ${run.id} is of node ${JSON.stringify(run.extra.childKey)}, which graph run ${this.run.id} does not have any more.`);
    this.runs[node.index] = run;
    this.catchUp(node.sources);
    if (this.failedSourceOf(node)) return this.skip(run);
    if (node.takesStreams && node.incoming.length > 0) return executeReading(this, node, run, context);
    return this.executeWhole(node, context);
  }

  /** All that it needs of its sources is there, or comes as streams. */
  executeWhole(node: PlanNode, context: RunContext, early?: readonly PlanNode[]): unknown {
    const waiting = this.#toLoad(node);
    return waiting ? waiting.then(() => this.#execute(this.now(node), context, early)) : this.#execute(node, context, early);
  }

  #execute(node: PlanNode, context: RunContext, early?: readonly PlanNode[]): unknown {
    const { index, task } = node;
    try {
      this.statuses[index] = TaskStatus.PROCESSING;
      const narrowed = task.narrowInput(this.inputOf(node), this.registry);
      const given = isPromise(narrowed) ? Promise.resolve(narrowed).then((input) => this.#call(this.now(node), input, context, early)) : this.#call(node, narrowed, context, early);
      return isPromise(given) ? this.#whenGiven(node, Promise.resolve(given)) : this.#finished(node, given);
    } catch (error) {
      throw failureOf(error, node.task);
    }
  }

  #call(node: PlanNode, input: Record<string, any>, context: RunContext, early?: readonly PlanNode[]): unknown {
    const { task } = node;
    if (early) return callReading(this, node, input, context, early);
    checkNow(task, input);
    this.mirror?.started(node, input);
    if (this.#keepsOutputs && isKept(node, this.options)) return askForOutput(this, node, context, input);
    const own = node.takesStreams ? new NodeContext(this, node, context, this.streams.open(node, input, context, []).streams) : new NodeContext(this, node, context);
    return task.execute(input, own);
  }

  async #whenGiven(node: PlanNode, given: Promise<unknown>): Promise<unknown> {
    try {
      return this.#finished(node, await given);
    } catch (error) {
      throw failureOf(error, node.task);
    }
  }

  /** For a node whose output is kept: what nobody has kept yet. */
  executeKept(run: Run, input: Record<string, any>, context: RunContext): unknown {
    const node = this.nodeOf(run)!;
    return node.task.execute(input, new NodeContext(this, node, context, node.takesStreams ? this.streams.open(node, input, context, []).streams : undefined));
  }

  /** Its output is kept here by reference; what is stored is a copy. */
  #finished(begun: PlanNode, given: unknown): unknown {
    const node = this.now(begun);
    const output = byPorts(given) ?? {};
    this.#coming[node.index] = output;
    this.#disableEdges(node, output);
    return this.house.journal ? output : undefined;
  }

  /** Ports that give nothing: what leads on from those alone is told so, before this node ends. */
  #disableEdges(node: PlanNode, output: TaskOutput): void {
    const inactive = node.task.inactivePorts(output);
    if (inactive.length === 0) return;
    const { commands } = this.house.pump;
    const run = this.runs[node.index]!;
    for (const target of new Set(node.targets)) {
      const other = this.runs[target.index];
      if (!other || other.end !== End.None || !isInactive(node, target, inactive)) continue;
      if (other.task !== 0) commands.push(P.CommandDisableEdge, other.task, run.task, P.EdgeKindDataflow);
      else if (other.extra.after) disableIn(other.extra.after, run);
    }
  }

  /** The kind of edge that the core is to know: one that is disabled already is never active. */
  kindOf(node: PlanNode, at: number): number {
    if (node.incoming[at]!.isError) return P.EdgeKindErrorFlow;
    const source = node.sources[at]!;
    const output = this.#outputs[source.index] ?? this.#coming[source.index];
    if (output === undefined) return P.EdgeKindDataflow;
    const inactive = source.task.inactivePorts(output);
    return inactive.length > 0 && isInactive(source, node, inactive) ? P.EdgeKindErrorFlow : P.EdgeKindDataflow;
  }

  /** Of sources that have finished in a former page and whose output says which edges lead on; undefined: there is none. */
  deciding({ sources }: PlanNode): Promise<unknown> | undefined {
    let loading: Promise<unknown>[] | undefined;
    for (let at = 0; at < sources.length; at++) {
      const { index, task } = sources[at]!;
      if (this.statuses[index] !== TaskStatus.COMPLETED || this.#outputs[index] !== undefined || task.inactivePorts === Task.prototype.inactivePorts) continue;
      (loading ??= []).push(this.loadOutput(index));
    }
    return loading && Promise.all(loading);
  }

  /** One of its sources failed: it is not executed, as what follows that source alone is not. */
  skip(run: Run, isDisabled = false): Promise<never> {
    const { pump, attempts } = this.house;
    pump.commands.push(P.CommandCancel, run.task, isDisabled ? P.DisabledByFailure : 0, isDisabled ? P.CancelAsDisabled : 0);
    attempts.interrupt(run, new TaskAbortedError(`Run ${run.id} is not executed: what feeds it failed.`));
    return new Promise(() => {});
  }

  // Values

  /** Outputs of its sources that are in the journal only. */
  #toLoad(node: PlanNode): Promise<unknown> | undefined {
    let loading: Promise<unknown>[] | undefined;
    const { sources } = node;
    for (let at = 0; at < sources.length; at++) {
      const { index } = sources[at]!;
      if (this.statuses[index] === TaskStatus.COMPLETED && this.#outputs[index] === undefined) (loading ??= []).push(this.loadOutput(index));
    }
    return loading && Promise.all(loading);
  }

  /** What a node gave; undefined: nothing. */
  loadOutput(index: number): Promise<TaskOutput | undefined> {
    const known = this.#outputs[index];
    const run = this.runs[index];
    if (known || !run || this.statuses[index] !== TaskStatus.COMPLETED) return Promise.resolve(known);
    return this.house.outcomes.copyOf(run).then((given) => {
      const output = byPorts(given) ?? {};
      this.#outputs[this.nodeOf(run)!.index] = output;
      return output;
    });
  }

  /** REQUIRES: outputs of its sources are in this page. */
  inputOf(node: PlanNode): Record<string, any> {
    return assemble(node, this.input, this.#matchAllEmptyInputs, this);
  }

  carried(edge: Dataflow, source: PlanNode): { value: any } | undefined {
    const value = this.valueOn(edge, source);
    if (value && this.mirror) edge.value = value.value;
    return value;
  }

  /** undefined: the edge is not active. */
  valueOn(edge: Dataflow, source: PlanNode): { value: any } | undefined {
    const status = this.statuses[source.index];
    if (edge.sourceTaskPortId === DATAFLOW_ERROR_PORT) {
      const error = hasFailed(this.house, this.runs[source.index]) ? this.errorOf(source) : undefined;
      return error && { value: along(edge, { error: error.message, errorType: error.name }) };
    }
    if (status !== TaskStatus.COMPLETED) return undefined;
    const output = this.#outputs[source.index];
    if (source.task.inactivePorts(output ?? {}).includes(edge.sourceTaskPortId)) return undefined;
    return { value: along(edge, output) };
  }

  /** What a task of holdfast gets as its input. */
  async givenTo(run: Run): Promise<Record<string, any>> {
    const node = this.nodeOf(run)!;
    this.catchUp(node.sources);
    await this.#toLoad(node);
    if (this.failedSourceOf(node)) return this.skip(run);
    this.statuses[node.index] = TaskStatus.PROCESSING;
    const input = this.inputOf(node);
    this.mirror?.started(node, input);
    return input;
  }

  /** Of the leaves that have completed. */
  async results(): Promise<GraphResultArray> {
    const leaves = leavesOf(this.plan);
    if (this.options.resultsOrder === 'completion') {
      const order = new Map(this.endedOrder.map((node, at) => [node, at]));
      leaves.sort((one, other) => (order.get(one) ?? 0) - (order.get(other) ?? 0));
    } else leaves.sort((one, other) => one.place - other.place);
    const completed = leaves.filter(({ index }) => this.statuses[index] === TaskStatus.COMPLETED);
    for (const { index } of completed) if (this.#outputs[index] === undefined) await this.loadOutput(index);
    return completed.map(({ id, task, index }) => ({ id, type: task.type, data: this.#outputs[index]! }));
  }

  // What people see

  get nodes(): ReadonlyMap<TaskIdType, NodeState> {
    return new Map(this.plan.nodes.map((node) => [node.id, this.stateOf(node)]));
  }

  stateOf(node: PlanNode): NodeState {
    const { index, id, task } = node;
    const run = this.runs[index];
    const status = this.statuses[index]!;
    const error = this.errorOf(node);
    const progress = status === TaskStatus.COMPLETED ? 100 : run ? run.extra.progress?.value || 0 : 0;
    return { id, type: task.type, status, progress, runId: run?.id, ...(error && { error }), ...(run && this.options.outputCache && isFromCache(this.house, run) && { fromCache: true }) };
  }

  getProvenance(taskId: TaskIdType, port?: string): Provenance | undefined {
    const node = this.plan.byId.get(taskId);
    return node && (port === undefined ? lineageOf(this, node) : lineageInto(this, node, port));
  }
  explain(taskId: TaskIdType, port?: string): Explanation | undefined {
    const node = this.plan.byId.get(taskId);
    return node && explained(this, node, port);
  }
  outputInPage(index: number): TaskOutput | undefined {
    return this.#outputs[index];
  }

  abort(reason?: unknown): void {
    if (this.isRunning) void this.house.cancelRun(this.run, reason);
  }

  /** Its code begins, for the first time or once more. */
  begin(): void {
    this.isRunning = true;
    this.#hearEnd();
    if (this.#mirror && !this.graph.shown?.isRunning) this.graph.shown = this;
    this.mirror?.begun();
    this.catchUp(this.plan.nodes);
  }

  /** Its code does not get to say so where it is aborted, out of time, or not wanted in this page any more. */
  #hearEnd(): void {
    const { ended } = this.run;
    if (ended === this.#heard) return;
    this.#heard = ended;
    const over = (): void => {
      if (!this.isRunning) return;
      this.over();
      if (this.run.end !== End.None) this.mirror?.over(endOf(this.house, this.run) ?? this.house.errorOf(this.run));
    };
    ended.then(over, over);
  }

  /** Nothing of it changes any more. */
  over(): void {
    this.isRunning = false;
  }
}
