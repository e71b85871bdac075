/** What an orchestrator makes of several runs: groups of the core, and what stands on them. */
import { BatchDoor, batchApi } from '../batches/door.ts';
import type { BatchApi } from '../batches/types.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { Groups } from './groups.ts';

export abstract class Composing {
  readonly groups = new Groups(this.#house);
  readonly batches = new BatchDoor(this.#house);
  /** Many runs as one: `triggerByTaskAndWait`, `trigger`, `stream`, … */
  readonly batch: BatchApi = batchApi({ house: () => this.#house, own: true });

  get #house(): Orchestrator {
    return this as unknown as Orchestrator;
  }
}
