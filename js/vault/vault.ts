/**
 * What an orchestrator with a key has beyond one without: its storage is sealed, its cache too, names of blobs are of
 * its own, runs that another key has sealed are kept and shown, and keys can be changed.
 */
import type { Cache } from '../cache/types.ts';
import type { Opening } from '../opening/opening.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { StorageError } from '../errors.ts';
import type { Storage } from '../storage.ts';
import { pause, systemTimers } from '../storage/wait.ts';
import { checkEncryption, type EncryptionOptions } from './checks.ts';
import { Keys } from './keys.ts';
import { sealedCache } from './sealed-cache.ts';
import { SealedSlot, SealedStorage } from './sealed-storage.ts';

const mostTries = 40;
const betweenTriesMs = 25;

export class Vault {
  readonly keys: Keys;

  /** @throws what the function that gives the key throws */
  static async open(options: EncryptionOptions): Promise<Vault> {
    return new Vault(await Keys.from(options));
  }

  private constructor(keys: Keys) {
    this.keys = keys;
  }

  /** Loaded with the rest: whoever caches has loaded far more. */
  sealCache(cache: Cache, namespace: string): Cache {
    return sealedCache(cache, this.keys, namespace);
  }

  seal(storage: Storage): Storage {
    return new SealedStorage(storage, this.keys);
  }
}

/** The keys that are given open what they can; the first seals from now on. Resolves to the number of runs still locked. */
export async function unlock(house: Orchestrator, vault: Vault, options: EncryptionOptions): Promise<number> {
  checkEncryption(options, 'unlock');
  await house.ready;
  const before = vault.keys.current;
  await vault.keys.use(options);
  if (vault.keys.current !== before) await house.journal!.rewritten();
  const { opening, blobs } = house;
  for (const slot of opening.lockedRuns?.slots ?? []) await takeOver(opening, slot);
  // Runs that wait for files which a key of before has sealed.
  await blobs.arrived([...blobs.lost]);
  return opening.lockedRuns?.states().length ?? 0;
}

/** We may be looking into it ourselves just now, still with the keys of before; another tab may have it for good. */
async function takeOver(opening: Opening, slot: number): Promise<void> {
  for (let tries = 0; tries < mostTries; tries++) {
    if (await opening.tryAgain(slot)) return;
    await pause(betweenTriesMs, systemTimers);
    if (!opening.lockedRuns?.slots.includes(slot)) return;
  }
  opening.tabs?.watch(slot);
}

/**
 * Everything of this tab under the key that seals now: its log, and its files one after the other. What is stored
 * without a key too. Killed in the middle, each is under the one key or the other.
 * @throws StorageError for files that stay under the former one; all others are done then
 */
export async function reseal(house: Orchestrator): Promise<void> {
  await house.ready;
  const { slot } = house.journal!;
  await house.journal!.rewritten();
  if (!(slot instanceof SealedSlot)) return;
  const failed: [id: string, error: Error][] = [];
  const ids = await slot.blobIds();
  for (const id of ids) await slot.resealBlob(id).catch((error) => failed.push([id, error]));
  // One that a run has given up meanwhile.
  const there = failed.length > 0 ? new Set(await slot.blobIds()) : undefined;
  const left = failed.filter(([id]) => there!.has(id));
  if (left.length === 0) return;
  throw new StorageError(`reseal: ${left.length} of ${ids.length} files stay as they are (${left[0]![1].message}). Keep the key of before, and call it again.`, {
    cause: left[0]![1],
    data: { blobIds: left.map(([id]) => id) },
  });
}
