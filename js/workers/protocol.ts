/**
 * What page and worker say to each other about one call (one attempt of one task):
 *
 *   page   → worker   run input · abort reason                     the attempt begins, is asked to stop
 *                     compute step                                 not recorded yet: run its function
 *                     recorded step value · failed step error      what `ctx.step` gives to the handler
 *   worker → page     step name                                    the handler has called `ctx.step`
 *                     computed step value · threw step error       the answer to `compute`
 *                     progress report
 *                     returned value · threw error                 the call is over
 *                     crashed error                                the worker can't go on
 *
 * Invariants: steps are recorded by the page, computed by the worker; one call at a time per worker;
 * values cross exactly (codec/message.ts), errors as SerializedError. Anything else is not ours.
 */
import type { ValueMessage } from '../codec/message.ts';
import type { SerializedError } from '../errors.ts';
import type { ProgressReport, TaskContext } from '../types.ts';

interface Of<Type extends string> {
  holdfast: Type;
  call: number;
}
export interface CallContext {
  attempt: TaskContext['attempt'];
  run: TaskContext['run'];
  task: TaskContext['task'];
  metadata: ValueMessage;
}
export type ToWorker =
  | (Of<'run'> & { input: ValueMessage; context: CallContext })
  | (Of<'abort'> & { reason: SerializedError })
  | (Of<'compute'> & { step: number })
  | (Of<'recorded'> & { step: number; value: ValueMessage })
  | (Of<'failed'> & { step: number; error: SerializedError });
export type ToPage =
  | (Of<'step'> & { step: number; name: string })
  | (Of<'computed'> & { step: number; value: ValueMessage })
  | (Of<'stepThrew'> & { step: number; error: SerializedError })
  | (Of<'progress'> & { report: number | ProgressReport })
  | (Of<'returned'> & { value: ValueMessage })
  | (Of<'threw'> & { error: SerializedError })
  | (Of<'crashed'> & { error: SerializedError });

/** A message of ours, or undefined. */
export function readMessage<Message extends ToWorker | ToPage>(data: unknown): Message | undefined {
  const message = data as Partial<Message> | null;
  const ours = typeof message === 'object' && message !== null && typeof message.holdfast === 'string';
  return ours && typeof message.call === 'number' ? (message as Message) : undefined;
}
