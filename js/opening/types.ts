/** What an opening comes to: what was recovered, and how the store is. Types only. */
import type { Durability } from '../storage.ts';

export interface RecoveryReport {
  /** Ids of unfinished runs of former pages, by what became of them: they go on … */
  resumed: string[];
  /** … stay paused, or wait for their file … */
  kept: string[];
  /** … are quarantined: their page died three times while they were running … */
  failed: string[];
  /** … wait for their code … */
  missingDefinition: string[];
  /** Runs that ended because their time ran out while no page was open. */
  ended: string[];
  tailBytesDropped: number;
  storage: string;
  durability: Durability;
  warnings: string[];
}

export interface StorageState {
  name: string;
  durability: Durability;
  /**
   * ok · full: new tasks are refused · degraded: one copy gone · failing: nothing can be written now · opening ·
   * locked: there are runs that another key has encrypted · destroyed: the namespace is gone, and this orchestrator has ended
   */
  status: 'opening' | 'ok' | 'full' | 'degraded' | 'failing' | 'locked' | 'destroyed';
  /** One sentence for the person. */
  message?: string;
}
