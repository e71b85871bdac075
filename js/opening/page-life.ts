/**
 * A page that is hidden, closed, reloaded or comes back.
 *
 * Closing or reloading a page is no crash: what ran then is not counted against it. A page that ends in
 * order leaves a mark in localStorage, which is synchronous; without it a reload counts as a crash, which
 * only matters three times in a row.
 */
import type { Journal } from '../journal/journal.ts';
import type { Pump } from '../pump/pump.ts';
import type { Store } from '../views/store.ts';

export interface PageHost {
  readonly journal: Journal | undefined;
  readonly store: Store;
  readonly pump: Pump;
}

export class PageLife {
  readonly #namespace: string;
  #stop: (() => void) | undefined;

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  #key(slot: number): string {
    return `holdfast:${this.#namespace}:end:${slot}`;
  }

  /** Did the slot's last session end in order? */
  endedInOrder(slot: number): boolean {
    try {
      return typeof localStorage !== 'undefined' && localStorage.getItem(this.#key(slot)) !== null;
    } catch {
      return false;
    }
  }

  markEnd(slot: number): void {
    this.#storage((storage) => storage.setItem(this.#key(slot), '1'));
  }

  clearEnd(slot: number): void {
    this.#storage((storage) => storage.removeItem(this.#key(slot)));
  }

  #storage(use: (storage: Storage) => void): void {
    try {
      if (typeof localStorage !== 'undefined') use(localStorage);
    } catch {
      // Blocked or full: see above, what is lost is little.
    }
  }

  /** Everything gathered is handed over when the page may end; a page from the cache goes on. */
  watch({ journal, store, pump }: PageHost): void {
    if (typeof addEventListener !== 'function' || typeof document === 'undefined') return;
    const hide = () => {
      journal?.handOver();
      void journal?.slot.flush();
    };
    const onVisibility = () => document.visibilityState === 'hidden' && hide();
    const onPageHide = () => {
      hide();
      if (journal) this.markEnd(journal.slot.slot);
    };
    const onPageShow = () => {
      if (journal) this.clearEnd(journal.slot.slot);
      store.flush();
      pump.wake();
    };
    addEventListener('pagehide', onPageHide);
    addEventListener('pageshow', onPageShow);
    document.addEventListener('visibilitychange', onVisibility);
    this.#stop = () => {
      removeEventListener('pagehide', onPageHide);
      removeEventListener('pageshow', onPageShow);
      document.removeEventListener('visibilitychange', onVisibility);
    };
  }

  unwatch(): void {
    this.#stop?.();
  }
}
