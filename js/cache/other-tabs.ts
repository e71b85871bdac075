/**
 * What is invalidated here is told to the cache of every other tab: what is being computed there was asked for before,
 * and must not be stored after it.
 *
 * Invariant: what is heard is believed only as far as it drops entries; a tab that can't hear loses nothing else.
 */
import type { TabChannel, TabPlatform } from '../tabs/platform.ts';
import type { CacheFilter } from './types.ts';

const names = ['tag', 'task', 'prefix'] as const;

/** Believes nothing. undefined: it is no filter. */
function filterOf(data: unknown): CacheFilter | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const filter: Record<string, string> = {};
  for (const name of names) {
    const value = (data as Record<string, unknown>)[name];
    if (typeof value === 'string') filter[name] = value;
    else if (value !== undefined) return undefined;
  }
  return filter;
}

export class OtherTabs {
  readonly #channel: TabChannel | undefined;

  /** @param namespace undefined: there are no other tabs */
  constructor(namespace: string | undefined, platform: TabPlatform, heard: (filter: CacheFilter) => void) {
    if (namespace === undefined) return;
    this.#channel = platform.channel(`holdfast:${namespace}:cache`);
    if (!this.#channel) return;
    this.#channel.onmessage = ({ data }) => {
      const filter = filterOf(data);
      if (filter) heard(filter);
    };
  }

  tell({ tag, task, prefix }: CacheFilter): void {
    this.#channel?.postMessage({ tag, task, prefix });
  }

  close(): void {
    this.#channel?.close();
  }
}
