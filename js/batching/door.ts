/** Where the house meets micro-batching, which is loaded when the first run of it begins. */
import type { Orchestrator } from '../orchestrator.ts';
import type { Batching } from './batching.ts';

export class BatchingDoor {
  readonly #house: Orchestrator;
  #loading: Promise<Batching> | undefined;

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  /** Rejects where the code of this room can't be had; the next call tries again. */
  load(): Promise<Batching> {
    this.#loading ??= import('./batching.ts').then(
      ({ Batching }) => new Batching(this.#house),
      (error) => {
        this.#loading = undefined;
        throw error;
      },
    );
    return this.#loading;
  }
}
