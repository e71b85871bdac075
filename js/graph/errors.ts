/**
 * What goes wrong with tasks of a graph. Each knows its task (`taskId`, `taskType`) and keeps its code and its words
 * through storage, where it comes back as an error of the same name.
 */
import { ConfigurationError, OrchestratorError, type ErrorDetails } from '../errors.ts';

/** Base of what a task of a graph fails with. */
export class TaskError extends OrchestratorError {
  static readonly type: string = 'TaskError';
  override readonly code: string = 'TASK';
  taskId: string | undefined;
  taskType: string | undefined;
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details);
    this.name = (new.target as typeof TaskError).type;
  }
}
/** A task, or its graph, is set up in a way that can't work. */
export class TaskConfigurationError extends TaskError {
  static override readonly type: string = 'TaskConfigurationError';
  override readonly code = 'TASK_CONFIGURATION';
}
/** A workflow was built in a way that can't work. */
export class WorkflowError extends TaskError {
  static override readonly type: string = 'WorkflowError';
  override readonly code = 'WORKFLOW';
}
/** It was aborted. */
export class TaskAbortedError extends TaskError {
  static override readonly type: string = 'TaskAbortedError';
  override readonly code: string = 'TASK_ABORTED';
}
/** It ran for longer than its `timeout`. */
export class TaskTimeoutError extends TaskAbortedError {
  static override readonly type: string = 'TaskTimeoutError';
  override readonly code: string = 'TASK_TIMEOUT';
  timeoutMs: number | undefined;
}
/** The whole graph ran for longer than its `timeout`. */
export class TaskGraphTimeoutError extends TaskTimeoutError {
  static override readonly type: string = 'TaskGraphTimeoutError';
  override readonly code = 'TASK_GRAPH_TIMEOUT';
}
/** Its code threw; `cause` is what. */
export class TaskFailedError extends TaskError {
  static override readonly type: string = 'TaskFailedError';
  override readonly code: string = 'TASK_FAILED';
  /** As its cause says; most nodes have one attempt. */
  override readonly retryable: boolean;
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details);
    const { cause } = details;
    this.retryable = !(cause instanceof OrchestratorError) || cause.retryable;
  }
}
/** The job of a JobQueueTask failed; `jobError` is what with. */
export class JobTaskFailedError extends TaskFailedError {
  static override readonly type: string = 'JobTaskFailedError';
  override readonly code = 'JOB_TASK_FAILED';
  jobError: Error | undefined;
}
/** A graph's document, or a task in it, can't be read. */
export class TaskJSONError extends TaskError {
  static override readonly type: string = 'TaskJSONError';
  override readonly code = 'TASK_JSON';
}
/** A task did not get what it needs, or got what its schema refuses. */
export class TaskInvalidInputError extends TaskError {
  static override readonly type: string = 'TaskInvalidInputError';
  override readonly code = 'TASK_INVALID_INPUT';
}
/** Something of a task can't be written into a document: a function. */
export class TaskSerializationError extends TaskError {
  static override readonly type: string = 'TaskSerializationError';
  override readonly code = 'TASK_SERIALIZATION';
}
/** A step on an edge failed: an error of that edge, and so of the task it leads to. `data`: `{ id, index }` of the step, `dataflowId`. */
export class TransformError extends TaskError {
  static override readonly type: string = 'TransformError';
  override readonly code = 'TRANSFORM';
}
/** An edge would close a cycle; the graph is unchanged. `data`: `{ cycle }`, the ids of the nodes on it. */
export class CycleError extends ConfigurationError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details);
    this.name = 'CycleError';
  }
}

/** Says whose it is; the innermost task counts. */
export function markTask<Kind extends Error>(error: Kind, taskId: string, taskType: string): Kind {
  const marked = error as Partial<TaskError>;
  if (marked.taskId === undefined && Object.isExtensible(error)) {
    marked.taskId = taskId;
    marked.taskType = taskType;
  }
  return error;
}
