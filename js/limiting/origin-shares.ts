/** What the tabs of an origin share of a queue: its slots, its rate. Loaded with the first such queue. */
import type { Orchestrator } from '../orchestrator.ts';
import { OriginRates } from './origin-rates.ts';
import { OriginSlots } from './origin-slots.ts';

export class OriginShares {
  readonly #slots: OriginSlots;
  readonly #rates: OriginRates;

  constructor(house: Orchestrator) {
    this.#slots = new OriginSlots(house);
    this.#rates = new OriginRates(house);
  }

  /** After each step of the core. */
  stepped(names: ReadonlySet<string>): void {
    this.#slots.stepped(names);
    this.#rates.stepped(names);
  }

  close(): void {
    this.#slots.close();
    this.#rates.close();
  }
}
