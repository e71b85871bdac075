/**
 * What the core's events are called, and what their numbers mean, for people.
 * Invariant: pure; a kind that has no word here is nothing people need to hear of.
 */
import { HoldOffline, HoldOutside, HoldSchemaMismatch, HoldTurn } from '../runs/holds.ts';
import * as P from '../protocol.ts';
import type { RunEventType } from '../types.ts';

/** One event as the core wrote it, and the little that JavaScript knows beside it. */
export interface RawEvent {
  kind: number;
  a: number;
  b: number;
  at: number;
  taskIdentifier: string | undefined;
  intent: string | undefined;
  /** By what is dropped from its queue. */
  isThrottled(): boolean;
  /** Name of the step that was recorded. */
  step: string | undefined;
  /** Id of another run by the core's number. */
  idOf(task: number): string | undefined;
}

type Data = Record<string, unknown>;

const outcomes = ['success', 'failure', 'fatal', 'timeout', 'interrupted', 'crashed', 'stalled'];
const stopReasons = ['none', 'cancel', 'timeout', 'deadline', 'interrupt', 'cascade', 'stalled', 'maxDuration'];
const failReasons = ['exhausted', 'fatal', 'timedOut', 'expired', 'quarantined', 'maxDuration'];
const cancelCauses = ['asked', 'cascade', 'group', 'overflow', 'rateLimited', 'disabled'];
/** Of a CancelCause: its queue or its rate had no room for it. */
export const isDrop = (cause: number | undefined): boolean => cause === P.CancelCauseOverflow || cause === P.CancelCauseRateLimited;
const edgeKinds = ['onSuccess', 'onFailure', 'onSettled', 'onCancelled', 'dataflow', 'errorFlow'];
const resumePolicies = ['keepDeadline', 'remaining', 'restart'];
const taskFields = ['', 'priority', 'notBefore', 'ttl', 'timeout', 'deadlineAt', 'graceMs', 'queue', 'policy', 'countFrozen', 'heartbeat', 'maxDuration', '', '', '', 'promoted', 'turn'];
const queueFields = ['', 'concurrency', 'paused', 'still', 'order', 'maxSize', 'overflow', 'turnWeight', 'granted'];
const limitFields = ['', 'concurrency', 'keyConcurrency', 'rateLimit', 'ratePeriodMs', 'rateKind', 'rateBurst', 'spacingMs', 'rateKeyed', 'closedUntil', 'drops', 'leave'];
const circuitFields = ['', 'failureRate', 'minCalls', 'openForMs', 'halfOpenMax', 'windowMs', 'retryRatio', 'retryWindowMs'];
const groupFields = ['', 'concurrency', 'failureThreshold', 'closed', 'owner', '', '', 'letsFinish'];
const holdWords: readonly (readonly [number, string])[] = [
  [P.HoldDefinitionMissing, 'missing-definition'],
  [P.HoldImportUnconfirmed, 'adoption'],
  [P.HoldPayloadMissing, 'missing-payload'],
  [P.HoldStorage, 'storage-full'],
  [HoldTurn, 'recovery'],
  [HoldOutside, 'token'],
  [HoldSchemaMismatch, 'schema-mismatch'],
  [HoldOffline, 'offline'],
  [P.HoldCircuit, 'breaker'],
];

const holds = ({ a }: RawEvent): Data => ({ reasons: holdWords.filter(([bit]) => a & bit).map(([, word]) => word) });
const childPolicies = ['cancel', 'detach', 'release'];
const attempt = ({ a }: RawEvent): Data => ({ attempt: a & P.AttemptMask });
const none = (): undefined => undefined;
const optionSet = ({ a, b, at }: RawEvent): Data =>
  (a & 0xff) === P.TaskFieldLimit ? { option: 'limit', limit: b, key: at, weight: a >>> 8 || 1 } : { option: taskFields[a], value: at };

const queueSet = ({ a, at }: RawEvent): Data =>
  (a & 0xff) === P.QueueFieldTurnWeight ? { field: 'turnWeight', key: at, value: a >>> 8 || 1 } : { field: queueFields[a], value: at };

interface Word {
  type: RunEventType;
  data: (event: RawEvent) => Data | undefined;
  /** `at` says something else than when it happened. */
  untimed?: boolean;
}

/** Of the page, not of the core: the host's clock jumped by `at` milliseconds. Never journalled. */
export const KindClockJumped = 0x10000;

const words = new Map<number, Word>([
  [P.EventCreated, { type: 'created', data: ({ taskIdentifier, intent }) => taskIdentifier === undefined ? undefined : { taskIdentifier, ...(intent && { intent }) } }],
  [P.EventTaskSet, { type: 'optionSet', data: optionSet, untimed: true }],
  [P.EventDepended, { type: 'dependencyAdded', data: ({ a, b, idOf }) => ({ on: idOf(a), kind: edgeKinds[b] }), untimed: true }],
  [P.EventEdgeDisabled, { type: 'edgeDisabled', data: ({ a, b, idOf }) => ({ on: idOf(a), kind: edgeKinds[b] }) }],
  [P.EventEdgeMet, { type: 'edgeMet', data: ({ a, b, idOf }) => ({ on: idOf(a), kind: edgeKinds[b] }) }],
  [P.EventRevised, { type: 'revised', data: none }],
  [P.EventJoined, { type: 'joined', data: ({ a }) => ({ group: a }), untimed: true }],
  [P.EventSubmitted, { type: 'submitted', data: none }],
  [P.EventStarted, { type: 'started', data: attempt }],
  [P.EventStepRecorded, { type: 'stepRecorded', data: (event) => ({ ...attempt(event), step: event.step }) }],
  [P.EventProgressed, { type: 'progressed', data: (event) => ({ ...attempt(event), progress: event.at }), untimed: true }],
  [P.EventStopping, { type: 'stopping', data: (event) => ({ ...attempt(event), reason: stopReasons[event.a >>> 24], graceEndsAt: event.at }), untimed: true }],
  [P.EventAttemptFailed, { type: 'attemptFailed', data: (event) => ({ ...attempt(event), outcome: outcomes[event.a >>> 24] }) }],
  [P.EventRetryScheduled, { type: 'retryScheduled', data: ({ a, at }) => ({ failures: a, dueAt: at }), untimed: true }],
  [P.EventInterrupted, { type: 'interrupted', data: ({ a }) => ({ recoveries: a }) }],
  [P.EventWaited, { type: 'waiting', data: (event) => ({ ...attempt(event), parked: event.b === 1 }) }],
  [P.EventWoken, { type: 'woken', data: none }],
  [P.EventResumed, { type: 'continued', data: attempt }],
  [P.EventPaused, { type: 'paused', data: ({ a }) => ({ kind: a === P.PauseKindInterrupt ? 'hard' : 'soft' }) }],
  [P.EventUnpaused, { type: 'resumed', data: ({ a }) => ({ policy: resumePolicies[a] }) }],
  [P.EventSucceeded, { type: 'succeeded', data: attempt }],
  [P.EventFailed, { type: 'failed', data: ({ a }) => ({ reason: failReasons[a] }) }],
  [P.EventCancelled, { type: 'cancelled', data: ({ a, isThrottled }) => ({ cause: isDrop(a >>> 24) && isThrottled() ? 'throttled' : cancelCauses[a >>> 24] }) }],
  [P.EventRetried, { type: 'retried', data: none }],
  [P.EventForgotten, { type: 'forgotten', data: none }],
  [P.EventHeld, { type: 'held', data: holds }],
  [P.EventReleased, { type: 'released', data: holds }],
  [P.EventBlobAttached, { type: 'blobAttached', data: ({ at }) => ({ bytes: at }), untimed: true }],
  [P.EventHeartbeatSeen, { type: 'heartbeat', data: attempt }],
  [P.EventNoted, { type: 'noted', data: ({ a }) => ({ kind: a }) }],
  [P.EventAbandoned, { type: 'abandoned', data: attempt }],
  [P.EventThawed, { type: 'thawed', data: (event) => ({ ...attempt(event), frozenMs: event.b }) }],
  [P.EventTimeReached, { type: 'due', data: none }],
  [P.EventBelonged, { type: 'childOf', data: ({ a, b, idOf }) => ({ parent: idOf(a), policy: childPolicies[b] }) }],
  [P.EventAlarmSet, { type: 'alarmSet', data: (event) => ({ ...attempt(event), at: event.at }), untimed: true }],
  [P.EventAlarmRang, { type: 'alarmRang', data: attempt }],
  [P.EventStepsDropped, { type: 'stepsDropped', data: (event) => ({ ...attempt(event), kept: event.b }) }],
  [P.EventQueueSet, { type: 'queueSet', data: queueSet, untimed: true }],
  [P.EventGroupSet, { type: 'groupSet', data: ({ a, at }) => ({ field: groupFields[a], value: at }), untimed: true }],
  [P.EventGroupSettled, { type: 'groupSettled', data: ({ a, b }) => ({ succeeded: a, endedBadly: b }) }],
  [P.EventCircuitSet, { type: 'circuitSet', data: ({ a, at }) => ({ field: circuitFields[a], value: at }), untimed: true }],
  [P.EventCircuitOpened, { type: 'circuitOpened', data: ({ at }) => ({ until: at }), untimed: true }],
  [P.EventCircuitHalfOpened, { type: 'circuitHalfOpened', data: none }],
  [P.EventCircuitClosed, { type: 'circuitClosed', data: none }],
  [P.EventLimitSet, { type: 'limitSet', data: ({ a, at }) => ({ field: limitFields[a], value: at }), untimed: true }],
  [KindClockJumped, { type: 'clockJumped', data: ({ at }) => ({ byMs: at }), untimed: true }],
]);

/** What the event log has to know of a kind: with none of these marks a record is copied as it is. */
export const MarkUntimed = 1;
export const MarkStep = 2;
export const MarkNotKept = 4;
export const marks = new Uint8Array(256);
marks.fill(MarkNotKept, P.EventRejected);
for (const [kind, { untimed }] of words) if (untimed && kind < marks.length) marks[kind] = MarkUntimed;
marks[P.EventStepRecorded] = MarkStep;

/** undefined: not for people. */
export function wordOf(kind: number): Word | undefined {
  return words.get(kind);
}

/** Every word there is. */
export function eventTypes(): RunEventType[] {
  return Array.from(words.values(), ({ type }) => type);
}

/** Events that speak of a queue, a policy, a group or the page: their `task` is no run's number. */
export function concernsRun(kind: number): boolean {
  return kind < P.EventQueueSet || kind === P.EventThawed || kind === P.EventHeartbeatSeen || kind === P.EventEdgeDisabled || kind === P.EventEdgeMet || kind === P.EventRevised;
}

/** After it a run's story is over, unless it is retried. */
export function endsRun(type: RunEventType): boolean {
  return type === 'succeeded' || type === 'failed' || type === 'cancelled' || type === 'forgotten';
}

/** For people: what happened to the clock. */
export function clockJumpWords(byMs: number): string {
  const which = byMs < 0 ? 'was set back' : 'went on while this page slept, or was set forward';
  return `clock jump: the clock of this machine ${which}, by ${Math.abs(byMs)} ms. Delays go by it.`;
}
