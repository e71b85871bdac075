/**
 * What people see of a run, built from what the core says: TaskState, and why a run waits, in words.
 * Pure reading; nothing is kept here but the counts of one look.
 */
import { isFromCache } from '../cache/mark.ts';
import { isSkipped } from '../definition/process.ts';
import type { Engine } from '../pump/engine.ts';
import { HoldOffline, HoldOutside, HoldSchemaMismatch, HoldTurn } from '../runs/holds.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import { knownHeader } from '../journal/payloads.ts';
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
  /** The storage takes nothing more. */
  isFull: boolean;
}

export function taskState(engine: Engine | undefined, run: Run, parts: ViewParts): TaskState {
  const known = engine && run.task !== 0 && engine.state(run.task) !== 0;
  const value = (field: number) => (known ? engine.value(run.task, field) : 0);
  const where = standing(engine, run);
  const startedAt = value(P.FieldStartedAt);
  const createdAt = value(P.FieldCreatedAt) || run.createdAtMs;
  const updatedAt = value(P.FieldUpdatedAt) || createdAt;
  const over = hasEnded(where.status);
  const intent = (run.definition ?? run.host.definition(run.taskIdentifier))?.spec.intent;
  // Of a run of the journal it stands in the envelope, which was just read for its id.
  const queue = run.options ? run.options.queueName : run.envelope && knownHeader(run.envelope, run.task).extras?.queue;
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
    // Said of what would be accepted if there were room; where it stands by itself says more of what is.
    ...(parts.isFull && !parts.durable && !over && where.reason === undefined && { reason: 'storage-full' as const }),
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
    ...(run.extra.removedUntilMs > 0 && { removedUntil: run.extra.removedUntilMs }),
    version,
    ...(queue !== undefined && !queue.startsWith('holdfast:') && { queue }),
    ...(intent && { intent }),
    fromCache: run.extra.fromCache || (run.end !== End.None && isFromCache(run.outputPayload ?? run.extra.errorPayload)),
    durable: parts.durable,
    local: true,
  };
  return Object.freeze(state) as TaskState;
}
