/**
 * A graph shows a run of it: its tasks and edges have that run's statuses and values, and tell of them.
 *
 * Invariant: for a node, its status is told before the event that says what it means, and its edges before what they
 * lead to.
 */
import { DATAFLOW_ERROR_PORT, type Dataflow } from './dataflow.ts';
import type { StreamEvent } from './events.ts';
import { TaskAbortedError, type TaskError, TransformError } from './errors.ts';
import { hasFailed } from './failures.ts';
import type { LiveRun } from './live.ts';
import type { PlanNode } from './plan.ts';
import type { Task } from './task.ts';
import { portStreamMode } from './stream-ports.ts';
import { type TaskOutput, TaskStatus } from './types.ts';

export class Mirror {
  readonly #live: LiveRun;
  #told = 0;

  constructor(live: LiveRun) {
    this.#live = live;
    const { nodes } = live.plan;
    for (let index = 0; index < nodes.length; index++) {
      const { task, outgoing } = nodes[index]!;
      if (task.status !== TaskStatus.PENDING) task.resetStatus();
      for (let at = 0; at < outgoing.length; at++) if (outgoing[at]!.status !== TaskStatus.PENDING) outgoing[at]!.reset();
    }
  }

  /** Tasks and edges have come. */
  replanned(): void {
    const live = this.#live;
    for (const node of live.plan.nodes) {
      if (live.isOver(node)) this.#edges(node, live.statuses[node.index]!, live.errorOf(node));
      else if (live.runs[node.index] === undefined && node.task.status !== TaskStatus.PENDING) node.task.resetStatus();
    }
  }

  begun(): void {
    if (!this.#live.graph.isSilent) this.#live.graph.emit('start');
  }

  started({ task, outgoing }: PlanNode, input: Record<string, any>): void {
    task.runInputData = input;
    task.startedAtMs = this.#live.house.clock.now();
    task.aborting = this.#abort;
    task.setStatus(TaskStatus.PROCESSING);
    task.emit('start');
    for (let at = 0; at < outgoing.length; at++) this.#edge(outgoing[at]!, TaskStatus.PROCESSING);
  }

  /** Of ports that say how they grow, edges stream too. */
  streamBegun({ id, task, outgoing }: PlanNode): void {
    task.setStatus(TaskStatus.STREAMING);
    task.emit('stream_start');
    if (!this.#live.graph.isSilent) this.#live.graph.emit('task_stream_start', id);
    const schema = task.outputSchema();
    for (const edge of outgoing) if (portStreamMode(schema, edge.sourceTaskPortId) !== 'none') this.#edge(edge, TaskStatus.STREAMING);
  }
  streamed({ id, task }: PlanNode, event: StreamEvent): void {
    task.emit('stream_chunk', event);
    if (!this.#live.graph.isSilent) this.#live.graph.emit('task_stream_chunk', id, event);
  }
  streamEnded({ id, task }: PlanNode, output: TaskOutput): void {
    task.emit('stream_end', output);
    if (!this.#live.graph.isSilent) this.#live.graph.emit('task_stream_end', id, output);
  }

  readonly #abort = (reason?: unknown): void => this.#live.abort(reason);

  progressed({ id, task }: PlanNode, progress: number | undefined, message: string | undefined, more: any[]): void {
    task.progress = progress ?? task.progress;
    task.emit('progress', progress, message, ...more);
    const { graph } = this.#live;
    if (graph.isSilent) return;
    graph.emit('task_progress', id, progress, message, ...more);
    if (message !== undefined) graph.emit('graph_progress', this.#told, message);
  }

  ended(node: PlanNode, status: TaskStatus, isFound: boolean): void {
    const { task, index } = node;
    const live = this.#live;
    task.aborting = undefined;
    task.completedAtMs = live.house.clock.now();
    if (status === TaskStatus.COMPLETED) {
      task.runOutputData = live.outputInPage(index) ?? {};
      task.progress = 100;
    }
    const error = status === TaskStatus.FAILED ? live.errorOf(node) : undefined;
    task.error = error;
    if (error) this.#ending(node, error);
    task.setStatus(status);
    this.#tell(task, status, error);
    this.#edges(node, status, error);
    if (!isFound) this.#progress();
  }

  /** What it did when it was aborted; and what an edge could not bring to it. */
  #ending({ task, incoming }: PlanNode, error: Error): void {
    if (error instanceof TaskAbortedError && (task.status === TaskStatus.PROCESSING || task.status === TaskStatus.STREAMING)) task.setStatus(TaskStatus.ABORTING);
    const { dataflowId } = (error instanceof TransformError ? error.data : {}) as { dataflowId?: string };
    const broken = dataflowId === undefined ? undefined : incoming.find(({ id }) => id === dataflowId);
    if (!broken) return;
    broken.error = error;
    this.#edge(broken, TaskStatus.FAILED);
  }

  #tell(task: Task<any, any, any>, status: TaskStatus, error: Error | undefined): void {
    if (status === TaskStatus.COMPLETED) task.emit('complete');
    else if (status === TaskStatus.DISABLED) task.emit('disabled');
    else if (error instanceof TaskAbortedError) task.emit('abort', error);
    else if (error) task.emit('error', error as TaskError);
  }

  #edges(node: PlanNode, status: TaskStatus, error: Error | undefined): void {
    const { outgoing, handlesError, task } = node;
    if (outgoing.length === 0) return;
    const isFailure = hasFailed(this.#live.house, this.#live.runs[node.index]);
    const inactive = status === TaskStatus.COMPLETED ? task.inactivePorts(task.runOutputData) : [];
    for (let at = 0; at < outgoing.length; at++) {
      const edge = outgoing[at]!;
      edge.shownBy = this.#live;
      if (edge.sourceTaskPortId === DATAFLOW_ERROR_PORT) this.#edge(edge, isFailure ? TaskStatus.COMPLETED : TaskStatus.DISABLED);
      else if (status !== TaskStatus.FAILED) this.#edge(edge, inactive.includes(edge.sourceTaskPortId) ? TaskStatus.DISABLED : status);
      else if (handlesError && isFailure) this.#edge(edge, TaskStatus.DISABLED);
      else {
        edge.error = error;
        if (error instanceof TaskAbortedError) this.#edge(edge, TaskStatus.ABORTING);
        this.#edge(edge, TaskStatus.FAILED);
      }
    }
  }

  #edge(edge: Dataflow, status: TaskStatus): void {
    if (edge.status === status) return;
    edge.setStatus(status);
    if (!this.#live.graph.isSilent) this.#live.graph.heardDataflow(edge);
  }

  #progress(): void {
    const { graph, progress } = this.#live;
    if (graph.isSilent) return;
    const whole = Math.round(progress);
    if (whole === this.#told) return;
    this.#told = whole;
    graph.emit('graph_progress', whole);
  }

  reset({ task, outgoing }: PlanNode): void {
    task.resetStatus();
    for (const edge of outgoing) {
      edge.reset();
    }
  }

  over(error: Error | undefined): void {
    const { graph } = this.#live;
    if (graph.isSilent) return;
    if (!error) graph.emit('complete');
    else if (error instanceof TaskAbortedError) graph.emit('abort', error);
    else graph.emit('error', error);
  }
}
