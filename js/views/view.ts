/**
 * What people see of a run, built from what the core says: TaskState, and why a run waits, in words.
 * Pure reading; nothing is kept here but the counts of one look.
 */
import { isFromCache } from '../cache/mark.ts';
import { inUnits } from '../codec/refuse.ts';
import { isSkipped } from '../definition/process.ts';
import type { Engine } from '../pump/engine.ts';
import { HoldOffline, HoldOutside, HoldSchemaMismatch, HoldTurn } from '../runs/holds.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import { noExtra } from '../runs/run-extra.ts';
import { hasEnded } from '../runs/status.ts';
import type { BlockedReason, TaskPhase, TaskState, TaskStatus } from '../types.ts';

const pausedBit = 1 << 4;
const pauseKindBit = 1 << 5;

type Standee = Pick<Run, 'task' | 'announced' | 'end' | 'extra'>;

interface Standing {
  status: TaskStatus;
  phase: TaskPhase;
  reason?: BlockedReason;
}

function ended(engine: Engine, run: Standee, state: number): Standing {
  if (state === P.StateSucceeded) return { status: 'completed', phase: 'completed' };
  if (state === P.StateCancelled) return { status: 'cancelled', phase: 'cancelled' };
  const reason = engine.value(run.task, P.FieldFailReason);
  if (reason === P.FailReasonTimedOut || reason === P.FailReasonOverBudget) return { status: 'failed', phase: 'timedOut' };
  if (reason === P.FailReasonExpired) return { status: 'failed', phase: 'expired' };
  if (reason === P.FailReasonQuarantined) return { status: 'failed', phase: 'quarantined' };
  return { status: 'failed', phase: 'failed' };
}

function blockedReason(engine: Engine, run: Standee, holds: number): BlockedReason {
  if (holds & P.HoldDefinitionMissing) return 'missing-definition';
  if (holds & HoldSchemaMismatch) return 'schema-mismatch';
  if (holds & P.HoldPayloadMissing) return 'missing-payload';
  if (holds & P.HoldStorage) return 'storage-full';
  if (holds & P.HoldImportUnconfirmed) return 'adoption';
  if (holds & HoldTurn) return 'recovery';
  if (holds & HoldOutside) return 'token';
  if (holds & HoldOffline) return 'offline';
  if (holds & P.HoldCircuit) return 'breaker';
  return run.extra.deferred && engine.value(run.task, P.FieldSubmitted) === 0 ? 'not-called' : 'dependencies';
}

function paused(packed: number): Standing {
  return { status: 'paused', phase: packed & pauseKindBit ? 'interrupted' : 'suspended' };
}

function running(packed: number): Standing {
  const stop = (packed >> 8) & 0xff;
  if (stop === P.StopReasonCancel || stop === P.StopReasonCascade) return { status: 'running', phase: 'cancelling' };
  if (stop === P.StopReasonInterrupt) return { status: 'paused', phase: 'stopping' };
  if (stop !== P.StopReasonNone) return { status: 'running', phase: 'stopping' };
  return { status: 'running', phase: 'running' };
}

function waiting({ extra }: Standee): Standing {
  return { status: 'running', phase: 'waiting', ...(extra.locks?.waiting && { reason: 'lock' as const }) };
}

function waitingToRun(engine: Engine, run: Standee, packed: number, state: number): Standing {
  const holds = packed >>> 16;
  if (packed & pausedBit) return paused(packed);
  if (holds & (P.HoldDefinitionMissing | P.HoldPayloadMissing | HoldSchemaMismatch | HoldOffline)) return { status: 'paused', phase: 'blocked', reason: blockedReason(engine, run, holds) };
  if (holds !== 0 || state === P.StateBlocked) return { status: 'pending', phase: 'blocked', reason: blockedReason(engine, run, holds) };
  if (state === P.StateDelayed) {
    const retrying = engine.value(run.task, P.FieldFailures) > 0;
    return { status: 'pending', phase: retrying ? 'retrying' : 'delayed' };
  }
  return { status: 'pending', phase: 'queued' };
}

/** Not created yet, or forgotten. */
function unknownToTheCore(run: Standee): Standing {
  if (run.end === End.Completed) return { status: 'completed', phase: 'completed' };
  if (run.end === End.Failed) return { status: 'failed', phase: 'failed' };
  if (run.end === End.Cancelled || run.extra.gone) return { status: 'cancelled', phase: 'cancelled' };
  return { status: 'pending', phase: 'queued' };
}

/** Where the run stands, its end only once it was announced. */
export function standing(engine: Engine | undefined, run: Standee): Standing {
  const packed = engine && run.task !== 0 ? engine.state(run.task) : 0;
  const state = packed & 0xf;
  if (!engine || state === P.StateNone) return unknownToTheCore(run);
  if (state >= P.StateSucceeded) return run.announced ? ended(engine, run, state) : { status: 'running', phase: 'running' };
  if (state === P.StateRunning) return running(packed);
  if (state === P.StateWaiting) return packed & pausedBit ? paused(packed) : waiting(run);
  return waitingToRun(engine, run, packed, state);
}

/** Statuses of tasks that nobody has asked for yet. Tasks of which the core says the same have the same, so most are looked up. */
export class Statuses {
  readonly #engine: Engine | undefined;
  readonly #known = new Map<number, TaskStatus | undefined>([[P.StateNone, undefined]]);

  constructor(engine: Engine | undefined) {
    this.#engine = engine;
  }

  /** undefined: there is no such task. */
  of(task: number): TaskStatus | undefined {
    if (!this.#engine) return 'pending';
    const packed = this.#engine.state(task);
    if (!this.#known.has(packed)) this.#known.set(packed, standing(this.#engine, { task, announced: true, end: End.None, extra: noExtra }).status);
    return this.#known.get(packed);
  }
}

const emptyMetadata = Object.freeze({});
const noTags: readonly string[] = Object.freeze([]);

export interface ViewParts {
  output: unknown;
  error: Error | null;
  durable: boolean;
}

export function taskState(engine: Engine | undefined, run: Run, parts: ViewParts): TaskState {
  const known = engine && run.task !== 0 && engine.state(run.task) !== 0;
  const value = (field: number) => (known ? engine.value(run.task, field) : 0);
  const where = standing(engine, run);
  const startedAt = value(P.FieldStartedAt);
  const createdAt = value(P.FieldCreatedAt) || run.createdAtMs;
  const updatedAt = value(P.FieldUpdatedAt) || createdAt;
  const over = hasEnded(where.status);
  const dueAt = value(P.FieldDueAt);
  const stored = known ? value(P.FieldProgress) : Number.NaN;
  const { name, metadata, progress: told, replayOf, version, tags, process } = run.extra;
  const progress = told && !Number.isNaN(told.value) ? told.value : stored;
  const state = {
    id: run.id,
    depth: run.extra.depth,
    ...(run.extra.parentId !== undefined && { parentId: run.extra.parentId, rootId: run.extra.rootId }),
    name: name ?? run.taskIdentifier,
    taskIdentifier: run.taskIdentifier,
    ...where,
    progress: where.status === 'completed' ? 100 : Number.isNaN(progress) ? 0 : progress,
    progressSource: told?.source ?? (Number.isNaN(progress) ? undefined : 'reported'),
    progressMessage: told?.message,
    progressPhase: told?.phase,
    progressStep: told?.step,
    remainingMs: over ? undefined : told?.remainingMs,
    createdAt,
    startTime: startedAt || createdAt,
    endedAt: over ? updatedAt : undefined,
    lastUpdated: updatedAt,
    error: parts.error,
    result: where.status === 'completed' ? parts.output : undefined,
    attempt: value(P.FieldAttempt),
    retryCount: value(P.FieldFailures),
    maxRetries: (known ? value(P.FieldMaxAttempts) : (run.options?.maxAttempts ?? 3)) - 1,
    retryAt: where.reason === 'breaker' ? value(P.FieldOpenUntilMs) || undefined : dueAt > 0 && (where.phase === 'retrying' || where.phase === 'delayed') ? dueAt : undefined,
    recoveries: value(P.FieldRecoveries),
    steps: value(P.FieldSteps),
    metadata: metadata ?? emptyMetadata,
    tags: tags ?? noTags,
    ...(((process && isSkipped(process, run.taskIdentifier)) || run.extra.bound?.skipped) && { skipped: true }),
    missing: where.reason === 'missing-payload' ? run.extra.missing : undefined,
    replayOf,
    ...(run.extra.key && { idempotencyKey: run.extra.key.text, idempotencyKeyExpiresAt: known ? value(P.FieldKeyUntilMs) : run.extra.key.untilMs }),
    ...(run.extra.item && { item: run.extra.item }),
    ...(run.extra.hidden && { hidden: true }),
    version,
    fromCache: run.extra.fromCache || (run.end !== End.None && isFromCache(run.outputPayload ?? run.extra.errorPayload)),
    durable: parts.durable,
    local: true,
  };
  return Object.freeze(state) as TaskState;
}

/** One sentence: what this run waits for. */
export function explain(engine: Engine, run: Run, state: TaskState, batchWords: string | undefined, limitName: (number: number) => string | undefined): string {
  switch (state.phase) {
    case 'delayed':
      return `Starts ${at(state.retryAt)}, as its delay says.`;
    case 'retrying':
      return `Attempt ${state.attempt} failed (${state.error?.message ?? 'no message'}); the next one starts ${at(state.retryAt)}.`;
    case 'blocked':
      return blockedWords(engine, run, state);
    case 'queued':
      return queuedWords(engine, run, limitName);
    case 'waiting':
      return batchWords ?? run.extra.sharing?.words ?? run.extra.locks?.waiting?.words ?? 'Its own code waits; its slot is free for others.';
    case 'suspended':
      return 'Paused. Resume it to go on from its last step.';
    case 'interrupted':
      return 'Paused at once, in the middle of an attempt. Resume it to start again from its last step.';
    case 'cancelling':
      return 'Cancelled; its code has been asked to stop and has not ended yet.';
    case 'stopping':
      return 'Its code has been asked to stop and has not ended yet.';
    case 'quarantined':
      return 'The tab died three times while this was running, so it is left out. Retry it by hand.';
    case 'running':
      return `Running, attempt ${state.attempt} of ${state.maxRetries + 1}.`;
    default:
      return `It has ended: ${state.phase}.`;
  }
}

function at(timeMs: number | undefined): string {
  return timeMs === undefined ? 'soon' : `at ${new Date(timeMs).toISOString()}`;
}

function blockedWords(engine: Engine, run: Run, state: TaskState): string {
  switch (state.reason) {
    case 'missing-definition':
      return `No task "${state.taskIdentifier}" is registered in this page. It starts as soon as defineTask({ id: "${state.taskIdentifier}", … }) or registerExecutor("${state.taskIdentifier}", …) runs.`;
    case 'schema-mismatch':
      return state.error?.message ?? "Today's schema of its task refuses its input.";
    case 'missing-payload':
      return missingWords(state);
    case 'storage-full':
      return 'The browser storage is full; it starts when there is room to record its result.';
    case 'adoption':
      return 'It is being taken over from a closed tab.';
    case 'token':
      return `Waits until wait.completeToken("${state.id}") is called.`;
    case 'offline':
      return 'Waits for a network: this browser is offline. It goes on by itself when that is over; no attempt is counted meanwhile.';
    case 'breaker':
      return `Held back, because runs like it fail too often: ${state.retryAt === undefined ? 'a few try now whether it works again' : `a few try again ${at(state.retryAt)}`}.`;
    case 'not-called':
      return 'It has not been called: signature.run(message) or runNoWait(message) does, or the container that it belongs to.';
    case 'recovery':
      return 'Recovered runs start one after the other; its turn comes.';
    default:
      return `Waits for ${engine.value(run.task, P.FieldUnmetEdges)} other run(s).`;
  }
}

function missingWords({ missing }: TaskState): string {
  if (!missing) return 'The file it works on is gone from the browser storage.';
  const files = missing.map(({ name, size }) => `${name === undefined ? 'a file' : JSON.stringify(name)} (${inUnits(size)})`).join(', ');
  return `${missing.length === 1 ? 'A file' : `${missing.length} files`} it works on ${missing.length === 1 ? 'is' : 'are'} gone from the browser storage: ${files}. It goes on when given again: run.provide(file).`;
}

function queuedWords(engine: Engine, run: Run, limitName: (number: number) => string | undefined): string {
  if (run.task === 0) return 'Being stored.';
  const limited = engine.value(run.task, P.FieldLimitedBy);
  if (limited > 0) {
    const name = limitName(limited) ?? 'a limit that is not declared any more';
    const untilMs = engine.value(run.task, P.FieldLimitedUntilMs);
    return untilMs > 0 ? `Waits for its turn: ${name} lets the next one begin ${at(untilMs)}.` : `Waits for a slot of ${name}.`;
  }
  const queue = engine.value(run.task, P.FieldQueue);
  if (engine.queueValue(queue, P.QueueValuePaused)) return 'Its queue is paused.';
  const limit = engine.queueValue(queue, P.QueueValueConcurrency);
  const granted = engine.queueValue(queue, P.QueueValueGranted);
  const name = run.options?.queueName ? `queue "${run.options.queueName}"` : 'the queue';
  if (granted > 0 && engine.queueValue(queue, P.QueueValueRunning) + 1 >= granted) return `Waits for a slot of ${name}, whose ${limit} all tabs share${before(engine, run)}.`;
  if (limit > 0) return `Waits for a slot: ${name} runs ${engine.queueValue(queue, P.QueueValueRunning)} of ${limit} at once${before(engine, run)}.`;
  return 'About to start.';
}

function before(engine: Engine, run: Run): string {
  const others = engine.value(run.task, P.FieldPosition) - 1;
  return others > 0 ? `, and ${others} of it ${others === 1 ? 'is' : 'are'} before it` : '';
}


