/**
 * Whose turn it is to decide about a key while several tabs are open: one after the other, each knowing what
 * the others hold by then.
 *
 * Invariant: between hearing the others and the end of the turn no other tab that knows of this one decides
 * about the key; a turn lasts until the run that has taken the key is stored, or there is none.
 */
import type { KeyPlace, Tabs } from '../tabs/tabs.ts';
import type { RunKey } from './key.ts';

export interface KeyTurnsHost {
  /** undefined: there is no other tab to be heard. */
  readonly tabs: Tabs | undefined;
  /** After the page had its turn. */
  defer(callback: () => void): void;
}

export class KeyTurns {
  readonly #host: KeyTurnsHost;
  #wanted: KeyPlace[] = [];
  #next: Promise<void> | undefined;

  constructor(host: KeyTurnsHost) {
    this.#host = host;
  }

  /** Another tab may decide about a key at the same time. */
  get areNeeded(): boolean {
    const { tabs } = this.#host;
    return tabs !== undefined && !tabs.surelyAlone;
  }

  /** Resolves to what ends the turn. */
  async begin(taskIdentifier: string, { text, hash }: RunKey): Promise<() => void> {
    const end = await this.#host.tabs!.exclusive(`key:${hash}`);
    await this.#hear([taskIdentifier, text]);
    return end;
  }

  /** Asked at once for all whose turn has come without a pause. */
  #hear(place: KeyPlace): Promise<void> {
    this.#wanted.push(place);
    this.#next ??= new Promise((resolve) =>
      this.#host.defer(() => {
        this.#next = undefined;
        resolve(this.#host.tabs!.hearHolders(this.#wanted.splice(0)));
      }),
    );
    return this.#next;
  }
}
