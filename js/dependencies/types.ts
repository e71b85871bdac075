/** What a run that depends on others is made of: where its input comes from, and after what it begins. */
import type { Run } from '../runs/run.ts';

/** How a run has to end, so that those that depend on it may begin. */
export type EdgeCondition = 'success' | 'failure' | 'settled' | 'cancelled';

export interface Prerequisite {
  readonly run: Run;
  readonly on: EdgeCondition;
}

/** Of a run whose input is computed when it first starts. Stands in its envelope, and never changes. */
export interface Deferred {
  /** Which merge computes it, by name; see merges.ts. */
  readonly by: string;
  readonly data?: Readonly<Record<string, any>>;
}

/** What such a run gets its input from, noted once before it is submitted. */
export interface Binding {
  /** Runs by the names that the merge knows them by. */
  readonly sources: Readonly<Record<string, string>>;
  readonly data?: Readonly<Record<string, any>>;
  /** A condition said no: its code did not run. */
  readonly skipped?: true;
}

/** A run that another one gets its input from. Reads nothing before it is asked. */
export interface Source {
  readonly id: string;
  readonly taskIdentifier: string;
  readonly end: 'completed' | 'failed' | 'cancelled' | 'open';
  readonly deferred: Deferred | undefined;
  readonly error: Error | undefined;
  output(): Promise<any>;
  /** What its code got. */
  input(): Promise<any>;
  /** What it was made with; of a run that is not deferred the same. */
  given(): Promise<any>;
}

export interface MergeCall {
  readonly run: Run;
  readonly id: string;
  readonly taskIdentifier: string;
  /** What the run was made with. */
  readonly given: any;
  /** What it was called with; undefined: it was not called. */
  readonly message: { readonly value: any } | undefined;
  readonly deferred: Deferred;
  readonly binding: Binding;
  /** By name. @throws MissingSignatureError where the run is not there any more */
  source(name: string): Source;
}

/** The input, or that its code is not to run, and what it gives instead. */
export type Merged = { readonly input: unknown } | { readonly skip: unknown };
export type Merge = (call: MergeCall) => Merged | Promise<Merged>;
