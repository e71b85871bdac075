/**
 * The locks of one run: what it holds and what it waits for. What most runs never have.
 * Invariant: a claim that is over stands nowhere any more; releasing it again does nothing.
 */
import type { Run } from '../runs/run.ts';

export interface Claim {
  /** Of its run, for a worker that gives it back. */
  readonly number: number;
  readonly run: Run;
  readonly key: string;
  readonly isHeld: boolean;
  /** Who has the lock now, of this page. */
  readonly holder: Run | undefined;
  /** Resolves when the run has the lock. */
  readonly granted: Promise<void>;
  /** What it waits for, for people. */
  readonly words: string;
  /** Gives it back, or waits for it no longer. */
  release(): void;
}

export class RunLocks {
  readonly claims = new Set<Claim>();
  made = 0;

  /** One that the run does not have yet. */
  get waiting(): Claim | undefined {
    for (const claim of this.claims) if (!claim.isHeld) return claim;
    return undefined;
  }

  claimOf(key: string): Claim | undefined {
    for (const claim of this.claims) if (claim.key === key) return claim;
    return undefined;
  }

  releaseNumber(number: number): void {
    for (const claim of this.claims) if (claim.number === number) return claim.release();
  }

  /** The attempt is over. */
  releaseAll(): void {
    for (const claim of [...this.claims]) claim.release();
  }
}
