/**
 * What only some runs have: made with the first of it.
 *
 * Invariant: read through `run.extra`, which is one empty object for all runs that have none of it,
 * and written through `run.ownExtra`. Most of a hundred thousand runs never need a field of these,
 * and what is not there costs no memory and is not copied by the collector.
 */
import type { CacheCallOption } from '../cache/checks.ts';
import type { Share } from '../cache/flight.ts';
import type { BlobReference } from '../codec/codec.ts';
import type { Locals } from '../definition/locals.ts';
import type { Process } from '../definition/process.ts';
import type { Binding, Deferred } from '../dependencies/types.ts';
import type { History } from '../journal/history.ts';
import type { Fork } from '../identity/forked.ts';
import type { RunKey } from '../identity/key.ts';
import type { RunLocks } from '../locking/claims.ts';
import type { EnvelopeExtras } from '../journal/payloads.ts';
import type { StoredNote } from '../journal/notes.ts';
import type { RunProgress } from './progress.ts';
import type { CommandWaiter, PayloadBytes, Run, Settlement } from './run.ts';
import type { StreamLog } from '../streams/log.ts';
import type { MissingFile, RunHistory, RunItem, TaskState } from '../types.ts';

export interface Members {
  ended(member: Run): void;
  announced(member: Run): void;
}

export class RunExtra {
  name: string | undefined;
  metadata: Record<string, any> | undefined;
  /** First start not before; 0: at once. */
  notBeforeMs = 0;
  /** The run this one repeats. */
  replayOf: string | undefined;

  tags: readonly string[] | undefined;
  /** Its children get its tags too. */
  propagateTags = false;
  /** Options of the tree of runs that it stands in. */
  process: Process | undefined;
  locals: Locals | undefined;
  /** What it takes over from another run, until that is stored. */
  fork: Fork | undefined;
  /** What makes it the same as another. */
  key: RunKey | undefined;
  /** Other keys that it is known by, and until when. */
  bears: Map<string, number> | undefined;

  /** Of the code that accepted it. */
  version: number | string | undefined;
  /** What is kept of its input is a pair: parsed, and as it was given. */
  keepsRaw = false;

  /** What its call says about caching. */
  cacheOption: CacheCallOption | undefined;
  /** Of a cached run, while it is being answered. */
  sharing: Share | undefined;
  /** What the cache said to it. */
  cacheVerdict: RunHistory['cache'];
  /** Its output, or what it failed with, is not of its own code. */
  fromCache = false;

  /** Blobs that its records refer to: size by id. */
  blobs: Map<string, number> | undefined;
  /** Files of its input that are gone; it is held until they are given again. */
  missing: readonly MissingFile[] | undefined;
  /** Stored, and not attached in the core yet. */
  pendingBlobs: readonly BlobReference[] | undefined;
  /** What is recorded of it: bytes of the journal until asked for. */
  history: History | undefined;
  stepPayloads: PayloadBytes[] | undefined;
  error: Error | undefined;
  errorPayload: PayloadBytes | undefined;

  /** Of the attempt that runs. */
  locks: RunLocks | undefined;
  /** By kind. */
  notes: Map<number, StoredNote> | undefined;
  streams: StreamLog | undefined;
  /** The run whose code made this one, and what it asked for it under. */
  parent: Run | undefined;
  parentId: string | undefined;
  rootId: string | undefined;
  childKey: string | undefined;
  childPolicy = 0;
  /** Its input is computed when it first starts: by what, and from what. */
  deferred: Deferred | undefined;
  bound: Binding | undefined;
  /** Of the input as the parent gave it; 0: unknown. */
  fingerprint = 0;
  /** Parents above it. */
  depth = 0;
  item: RunItem | undefined;
  /** What it begins after, said as it is created: runs and kinds of edges, one after the other. */
  after: (Run | number)[] | undefined;
  /** The core's group that it joins as it is created; 0: none. */
  group = 0;
  /** How far the way below it goes, said as it is created: who of its group begins first. 0: it does not matter. */
  height = 0;
  /** It is not to begin: said as it is created. */
  isDisabled = false;
  /** What leads a failure of it on may come later: said as it is created. */
  isHandled = false;
  /** Where its queue refuses it, it is a run that was dropped, for those that follow it. */
  dropsWhereFull = false;
  /** Its queue has no room for it: said as it is created. */
  isDropped = false;
  /** Of a container: the family of its members. */
  siblings: EnvelopeExtras['family'];
  /** Of a node of a graph that gives or reads streams: what hears that it has given its slot back. */
  flows: Set<() => void> | undefined;
  /** Of a container that goes on: what hears of its members. */
  members: Members | undefined;

  /** One of ours, an event or a token: no list shows it. */
  hidden = false;
  /** It was removed, and can be brought back until then; 0: it was not. */
  removedUntilMs = 0;
  /** What holds it from the start. */
  hold = 0;
  /** A token is being completed; it counts when that is stored. */
  completing = false;

  refusal: unknown;
  /** Forgotten: nothing can be asked of it any more. */
  gone = false;
  cancelReason: unknown;
  lateOutcomes = 0;
  /** Asked to stop before its code began. */
  stoppedAttempt = 0;
  /** Commands given before the core knows the run. */
  early: (() => void)[] | undefined;
  waiters: CommandWaiter[] | undefined;

  /** Made with the first word about it: most runs have none. */
  progress: RunProgress | undefined;
  snapshot: TaskState | undefined;
  listeners: Set<() => void> | undefined;
  acceptance: Settlement | undefined;
  completion: Settlement | undefined;

  /** Of the event log: steps before this session, and the number of the next one. */
  eventSteps: { before: number; next: number } | undefined;
}

export const noExtra: Readonly<RunExtra> = Object.freeze(new RunExtra());
