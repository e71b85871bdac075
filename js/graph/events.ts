/** Which events there are, and what listeners of each get. */
import type { Dataflow } from './dataflow.ts';
import type { TaskAbortedError, TaskError } from './errors.ts';
import type { JsonSchema } from './schema.ts';
import type { Task } from './task.ts';
import type { DataflowIdType, TaskIdType, TaskOutput, TaskStatus } from './types.ts';

/** A piece of an output that comes in pieces. */
export type StreamEvent<Output = TaskOutput> =
  | { readonly type: 'text-delta'; readonly port: string; readonly textDelta: string }
  | { readonly type: 'object-delta'; readonly port: string; readonly objectDelta: any }
  | { readonly type: 'snapshot'; readonly data: Output }
  | { readonly type: 'finish'; readonly data: Partial<Output> }
  | { readonly type: 'error'; readonly error: Error }
  /** What it is at, for people: no part of the output, and heard by listeners alone. `progress`: 0-100. */
  | { readonly type: 'phase'; readonly message: string; readonly progress?: number | undefined };

/** Of a task. `status` comes before the event that says what it means. */
export interface TaskEvents {
  start: [];
  complete: [];
  abort: [error: TaskAbortedError];
  error: [error: TaskError];
  disabled: [];
  /** 0-100 */
  progress: [progress: number | undefined, message?: string, ...more: any[]];
  iteration_start: [index: number, count: number];
  iteration_complete: [index: number, count: number];
  iteration_progress: [index: number, count: number, progress?: number, message?: string];
  regenerate: [];
  reset: [];
  status: [status: TaskStatus];
  schemaChange: [input?: JsonSchema, output?: JsonSchema];
  stream_start: [];
  stream_chunk: [event: StreamEvent];
  stream_end: [output: TaskOutput];
}

/** Of an edge. Its end comes before its target starts. */
export interface DataflowEvents {
  start: [];
  streaming: [];
  complete: [];
  disabled: [];
  abort: [];
  error: [error: Error];
  reset: [];
  status: [status: TaskStatus];
}

/** What changed while events were suspended, as one. */
export interface GraphChanges {
  readonly added: { readonly tasks: readonly TaskIdType[]; readonly dataflows: readonly DataflowIdType[] };
  readonly removed: { readonly tasks: readonly TaskIdType[]; readonly dataflows: readonly DataflowIdType[] };
  readonly replaced: { readonly tasks: readonly TaskIdType[]; readonly dataflows: readonly DataflowIdType[] };
}

export interface TaskGraphStructureEvents {
  task_added: [taskId: TaskIdType];
  task_removed: [taskId: TaskIdType];
  task_replaced: [taskId: TaskIdType];
  dataflow_added: [dataflowId: DataflowIdType];
  dataflow_removed: [dataflowId: DataflowIdType];
  dataflow_replaced: [dataflowId: DataflowIdType];
  graph_changed: [changes: GraphChanges];
}

export interface TaskGraphEvents extends TaskGraphStructureEvents {
  start: [];
  complete: [];
  error: [error: Error];
  abort: [error: Error];
  disabled: [];
  graph_progress: [progress: number, message?: string];
  task_stream_start: [taskId: TaskIdType];
  task_stream_chunk: [taskId: TaskIdType, event: StreamEvent];
  task_stream_end: [taskId: TaskIdType, output: TaskOutput];
  /** Of any task, and of any edge: what `subscribeToTaskStatus` and its kin hear. */
  task_status: [taskId: TaskIdType, status: TaskStatus, task: Task];
  task_progress: [taskId: TaskIdType, progress: number | undefined, message?: string, ...more: any[]];
  dataflow_status: [dataflowId: DataflowIdType, status: TaskStatus, dataflow: Dataflow];
}
