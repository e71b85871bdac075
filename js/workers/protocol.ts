/**
 * What page and worker say to each other about one call (one attempt of one task):
 *
 *   page   → worker   run input · abort reason                     the attempt begins, is asked to stop
 *                     compute step attempt stepId                  not recorded yet: run its function
 *                     recorded step value · failed step error      what `ctx.step` gives to the handler
 *                     answered number value · refused number error what any other verb gives
 *                     query number name data                         what `ctx.onQuery` there answers
 *   worker → page     step name                                    the handler has called `ctx.step`
 *                     computed step value · threw step error       the answer to `compute`
 *                     ask number verb arguments                    another durable verb of `ctx`
 *                     told verb arguments                          what needs no answer: a log line, a time
 *                     queried number answer · queryThrew number error
 *                     progress report
 *                     returned value · threw error · again input   the call is over
 *                     crashed error                                the worker can't go on
 *
 * Invariants: steps are recorded by the page, computed by the worker; one call at a time per worker;
 * values cross exactly (codec/message.ts), errors as SerializedError. Anything else is not ours.
 */
import type { ValueMessage } from '../codec/message.ts';
import type { SerializedError } from '../errors.ts';
import type { ProgressReport, RunFacts, TaskContext } from '../types.ts';

interface Of<Type extends string> {
  holdfast: Type;
  call: number;
}
export interface CallContext {
  attempt: TaskContext['attempt'];
  run: RunFacts;
  task: TaskContext['task'];
  metadata: ValueMessage;
  tags: readonly string[];
  /** When the attempt began. */
  computeMs: number | undefined;
  /** Of the process. */
  options: ValueMessage;
  /** Where `ctx.random()` begins. */
  chance: string;
  /** What `ctx.now()` was, in the attempts that are being repeated. */
  times: number[];
  resumedFrom: ValueMessage;
  /** Results are moved back. */
  transfer: boolean;
}
export type ToWorker =
  | (Of<'run'> & { input: ValueMessage; context: CallContext })
  | (Of<'abort'> & { reason: SerializedError })
  | (Of<'compute'> & { step: number; attempt: number; stepId: string })
  | (Of<'recorded'> & { step: number; value: ValueMessage })
  | (Of<'failed'> & { step: number; error: SerializedError })
  | (Of<'answered'> & { ask: number; value: ValueMessage })
  | (Of<'refused'> & { ask: number; error: SerializedError })
  | (Of<'query'> & { query: number; name: string; data: ValueMessage });

/** Durable verbs that cross as they are. */
export const askVerbs = [
  'run', 'sleep', 'sleepUntil', 'patch', 'checkpoint', 'waitForEvent', 'waitForToken', 'createToken', 'flushMetadata', 'addTags', 'yield', 'pauseBeforeRetry', 'pauseFor', 'reply', 'signalRun', 'explainCache', 'invalidateCache', 'acquireLock', 'releaseLock', 'streamAppend', 'streamRecorded', 'askBatch',
] as const;
export type AskVerb = (typeof askVerbs)[number];

export type ToldVerb = 'log' | 'emit' | 'now' | 'metadata' | 'heartbeat' | 'onQuery';

export type ToPage =
  | (Of<'step'> & { step: number; name: string; options: ValueMessage | undefined })
  | (Of<'ask'> & { ask: number; verb: AskVerb; args: ValueMessage })
  | (Of<'told'> & { verb: ToldVerb; args: ValueMessage })
  | (Of<'computed'> & { step: number; value: ValueMessage })
  | (Of<'stepThrew'> & { step: number; error: SerializedError })
  | (Of<'queried'> & { query: number; answer: ValueMessage } )
  | (Of<'queryThrew'> & { query: number; error: SerializedError })
  | (Of<'progress'> & { report: number | ProgressReport })
  | (Of<'returned'> & { value: ValueMessage })
  | (Of<'threw'> & { error: SerializedError })
  | (Of<'again'> & { input: ValueMessage })
  | (Of<'crashed'> & { error: SerializedError });

/** A message of ours, or undefined. */
export function readMessage<Message extends ToWorker | ToPage>(data: unknown): Message | undefined {
  const message = data as Partial<Message> | null;
  const ours = typeof message === 'object' && message !== null && typeof message.holdfast === 'string';
  return ours && typeof message.call === 'number' ? (message as Message) : undefined;
}
