import type { Kind } from './load.ts';

export interface SubmitOptions {
  delayMs?: number;
  then?: 'pause' | 'cancel';
}

export interface Standing {
  id: string;
  status: string;
  phase: string;
}

/** A store under test: ours, or one of the plain ones it is compared with. */
export interface Contestant {
  /** Recovers what is there; its runs go on. */
  open(): Promise<void>;
  /** Tells `accepted` when the store says so, and later what became of it. */
  submit(kind: Kind, input: any, options?: SubmitOptions): void;
  /** Runs of this page. */
  census(): Standing[];
  /** The results of completed runs, each as a line. */
  results(ids: string[]): Promise<Record<string, string>>;
  remove(ids: string[]): Promise<void>;
  /** Runs that wait for a person go on: paused ones, quarantined ones. */
  release(): Promise<void>;
  /** Of every storage event and warning, how many. */
  events: Record<string, number>;
}
