/** What a context stands on: what the house does for it, and what is made with the first use. */
import type { Answers } from '../asking/answers.ts';
import type { BatchApi } from '../batches/types.ts';
import type { Describing } from '../definition/describing.ts';
import type { Heartbeats } from '../definition/heartbeat.ts';
import type { ContextMetadata } from '../definition/metadata-types.ts';
import type { Run } from '../runs/run.ts';
import type { LogLevel, ProgressReport, RunFunction, TaskLog } from '../types.ts';
import type { Chance } from './decisions.ts';
import type { Durable } from './durable.ts';
import type { ContextServices } from './services.ts';

export interface ContextHost {
  readonly services: ContextServices;
  readonly describing: Describing;
  readonly heartbeats: Heartbeats;
  reportProgress(run: Run, attempt: number, report: number | ProgressReport): void;
  /** A line of its log, and something its code wants heard. */
  log(run: Run, level: LogLevel, message: string, attributes: Record<string, unknown> | undefined): void;
  emit(run: Run, name: string, data: unknown): void;
}

/** What most handlers never ask for; made with the first of it. */
export class ContextExtra {
  controller: AbortController | undefined;
  abandonListeners: (() => void)[] | undefined;
  durable: Durable | undefined;
  runFunction: RunFunction | undefined;
  chance: Chance | undefined;
  log: TaskLog | undefined;
  metadata: ContextMetadata | undefined;
  /** The values it shows. */
  metadataOf: Record<string, any> | undefined;
  stopReason: Error | undefined;
  answers: Answers | undefined;
  batch: BatchApi | undefined;
  /** Has it begun a stream? */
  appends = false;
}
