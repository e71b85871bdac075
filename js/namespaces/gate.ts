/**
 * The gate of a namespace: every session is inside while it lives, and who destroys the namespace waits until all
 * have left and keeps new ones out.
 *
 *   lock holdfast:<namespace>:gate          shared: a session · exclusive: it is being destroyed
 *   localStorage holdfast:<namespace>:destroying      a destruction has begun and has not ended
 *
 * Invariant: nothing of the namespace is opened before the gate is passed, and a destruction that was cut short has
 * been finished then.
 */

import type { Storage } from '../storage.ts';
import type { TabPlatform } from '../tabs/platform.ts';

export const gateName = (namespace: string): string => `holdfast:${namespace}:gate`;
export const markName = (namespace: string): string => `holdfast:${namespace}:destroying`;

/** What a destruction says on the channel of the tabs. */
export const destroyMessage = 'destroy';

export function isMarked(namespace: string): boolean {
  try {
    return typeof localStorage !== 'undefined' && localStorage.getItem(markName(namespace)) !== null;
  } catch {
    return false;
  }
}

export class Gate {
  readonly #namespace: string;
  readonly #platform: TabPlatform;
  #leave: (() => void) | undefined;

  constructor(namespace: string, platform: TabPlatform) {
    this.#platform = platform;
    this.#namespace = namespace;
  }

  /**
   * @param storage one of the application's own, which can only be emptied through its port
   * @throws NamespaceInUseError a destruction can't be finished, since a tab does not let go of the namespace
   */
  async enter(storage: Storage | undefined): Promise<void> {
    await this.#pass();
    if (!isMarked(this.#namespace)) return;
    this.leave();
    const { destroyStored } = await import('./destroy.ts');
    await destroyStored(this.#namespace, { storage, finish: true });
    await this.#pass();
  }

  /** A sandboxed frame is refused locks; it shares no storage either. */
  #pass(): Promise<void> {
    return new Promise((resolve) => {
      this.#platform.locks!
        .request(gateName(this.#namespace), { mode: 'shared' }, () => {
          resolve();
          return new Promise<void>((leave) => (this.#leave = leave));
        })
        .catch(() => resolve());
    });
  }

  leave(): void {
    this.#leave?.();
    this.#leave = undefined;
  }
}
