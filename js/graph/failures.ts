/** What a node failed with, told as an error of this room; and back from storage. */
import { AbortedError, DeadlineError, TaskTimeoutError as RunTimeoutError } from '../errors.ts';
import * as errors from './errors.ts';
import { isDrop } from '../events/event-words.ts';
import { describe } from '../intake/checks.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import type { Task } from './task.ts';

const { markTask, TaskAbortedError, TaskError, TaskFailedError, TaskTimeoutError } = errors;

/** Code threw it. */
export function failureOf(given: unknown, task: Task<any, any, any>): Error {
  const { id, type } = task;
  const thrown = given instanceof Error ? task.failure(given) : given;
  if (thrown instanceof TaskError) return markTask(thrown, id, type);
  const message = wordsOf(thrown);
  const what = thrown instanceof AbortedError ? TaskAbortedError : TaskFailedError;
  return markTask(new what(message, { cause: thrown }), id, type);
}

/** Of what is no error: its own words, where it has some. */
function wordsOf(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return String(thrown);
  const { message } = thrown as { message?: unknown };
  return typeof message === 'string' ? message : describe(thrown);
}

/** Of a run that has ended badly: as an error of this room, with the task it is of. */
export function revived(error: Error, { id, type }: Task<any, any, any>): Error {
  if (error instanceof TaskError) return markTask(error, id, type);
  const { taskId, taskType, data } = error as Partial<InstanceType<typeof TaskError>>;
  const known = (errors as unknown as Record<string, unknown>)[error.name];
  const details = { ...('cause' in error && { cause: error.cause }), ...(data !== undefined && { data }) };
  if (typeof known === 'function' && known.prototype instanceof TaskError && !(error instanceof RunTimeoutError)) {
    const made = new (known as typeof TaskError)(error.message, details);
    return markTask(Object.assign(made, own(error)), taskId ?? id, taskType ?? type);
  }
  if (error instanceof RunTimeoutError || error instanceof DeadlineError) return markTask(new TaskTimeoutError(error.message, { cause: error }), id, type);
  if (error instanceof AbortedError) return markTask(new TaskAbortedError(error.message, { cause: error }), id, type);
  return markTask(new TaskFailedError(error.message, { cause: error }), id, type);
}

/** It alone was ended from outside: somebody asked for that, or its queue took no more. What ends with others is not. REQUIRES: the core knows it */
export function wasTaken({ pump }: Orchestrator, run: Run): boolean {
  const cause = pump.cancelCauseOf(run);
  return cause === P.CancelCauseAsked || isDrop(cause);
}
/** In this page or another. REQUIRES: the core knows it */
export function hasBegun({ pump }: Orchestrator, { task }: Run): boolean {
  return pump.open && pump.engine.value(task, P.FieldStartedAt) !== 0;
}

/** It failed, or its queue or a rate had no room for it: edges of `[error]` lead on. */
export function hasFailed({ pump }: Orchestrator, run: Run | undefined): boolean {
  return run !== undefined && (run.end === End.Failed || (run.end === End.Cancelled && isDrop(pump.cancelCauseOf(run))));
}

/** What with. REQUIRES: hasFailed */
export function failedWith(house: Orchestrator, run: Run, task: Task<any, any, any>): Error {
  const error = house.errorOf(run);
  // Nobody's code has thrown that.
  return revived(run.end === End.Failed ? error : task.failure(error), task);
}

/** Where a graph's run was ended, and not by a failure of a node. */
export function endOf(house: Orchestrator, run: Run): Error | undefined {
  const error = house.errorOf(run);
  if (error instanceof DeadlineError) return new errors.TaskGraphTimeoutError(`Graph run ${run.id} did not end within its timeout.`, { cause: error });
  if (run.end === End.Cancelled) return new TaskAbortedError(`Graph run ${run.id} was aborted.`, { cause: run.extra.cancelReason });
  return undefined;
}

/** What else stood on it. */
function own(error: Error): object {
  const { name: _name, message: _message, stack: _stack, cause: _cause, ...more } = error as Error & Record<string, unknown>;
  const { code: _code, retryable: _retryable, data: _data, ...rest } = more;
  return rest;
}
