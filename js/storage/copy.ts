/**
 * What every adapter gives beyond the port, so that two stores can be copies of each other (mirror.ts).
 *
 * A store is *installed* once, with a random *generation* that all its copies share and that a
 * sentinel in localStorage repeats: a store without its generation where the sentinel has one was
 * lost, it is not new. An *epoch* counts the replaces of one slot; with it and the lengths two
 * copies are compared without reading both.
 */
import { ConfigurationError, PayloadLostError, StorageFullError, StorageUnavailableError } from '../errors.ts';
import type { Storage, StorageOpenOptions, StorageSlot } from '../storage.ts';

export interface Stamp {
  /** How often the log was replaced. */
  epoch: number;
  /** Bytes the last replace wrote; fewer valid ones mean damage. */
  base: number;
  /** Exact length, where the store knows it without reading. */
  length: number | undefined;
}

export type NamedBlob = readonly [id: string, blob: Blob];

export interface CopySlot extends StorageSlot {
  stamp(): Stamp;
  /** Several at once, as `putBlob` does one; all of them or an error. */
  putBlobs(blobs: readonly NamedBlob[]): Promise<void>;
  /** As in the port; `epoch` (higher than now) instead of the next one. */
  replace(bytes: Uint8Array<ArrayBuffer>, epoch?: number): Promise<void>;
}

export interface CopyStorage extends Storage {
  /**
   * Gets a connection, changes nothing. Resolves to the generation, undefined where nothing is
   * installed. `alone`: no second copy stands behind this store.
   */
  connect(options: StorageOpenOptions, alone: boolean): Promise<string | undefined>;
  /** Makes what is missing of the store; keeps what is there, unless it is of another generation. */
  install(generation: string): Promise<void>;
  openSlot(slot: number): Promise<CopySlot>;
  /** Is what was installed still there? Emits `storage-lost` if not. */
  check(): Promise<boolean>;
}

export function checkNamespace(namespace: string): void {
  if (/^[\w.-]{1,64}$/.test(namespace) && !/^\.+$/.test(namespace)) return;
  throw new ConfigurationError(
    `Expected \`namespace\` to be 1 to 64 letters, digits, '_', '-' or '.' (and not only dots), got ${JSON.stringify(namespace)}.`,
  );
}

/** 16 hexadecimal digits, never all zero. */
export function newGeneration(): string {
  const words = crypto.getRandomValues(new Uint32Array(2));
  return hex(words[0]! | 1) + hex(words[1]!);
}

export const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');

/** A note in localStorage that a store has been installed; where there is none, nothing is known. */
export const sentinel = {
  read(namespace: string): string | undefined {
    try {
      return localStorage.getItem(`holdfast:${namespace}:generation`) ?? undefined;
    } catch {
      return undefined;
    }
  },
  write(namespace: string, generation: string): void {
    try {
      localStorage.setItem(`holdfast:${namespace}:generation`, generation);
    } catch {
      // Blocked or full: loss of everything at once will then look like a first run.
    }
  },
};

/** `open` of a store that stands alone. */
export async function openAlone(store: CopyStorage, options: StorageOpenOptions): Promise<void> {
  checkNamespace(options.namespace);
  const found = await store.connect(options, true);
  const remembered = sentinel.read(options.namespace);
  const generation = found ?? remembered ?? newGeneration();
  await installOrGiveUp(store, generation);
  if (!found && remembered) options.onEvent({ type: 'storage-lost', store: store.name, recoveredBytes: 0 });
  if (remembered !== generation) sentinel.write(options.namespace, generation);
}

/** No room for the first files is no store at all. */
export async function installOrGiveUp(store: CopyStorage, generation: string): Promise<void> {
  try {
    await store.install(generation);
  } catch (cause) {
    if (!(cause instanceof StorageFullError)) throw cause;
    throw new StorageUnavailableError(`There is no room to set up ${store.name}.`, { cause });
  }
}

/** `copyBlobs` for slots that have no shorter way: one after the other, so that memory stays bounded. */
export async function copyOneByOne(to: StorageSlot, from: StorageSlot, ids: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const id of ids) {
    const blob = await from.getBlob(id).catch((error: unknown) => {
      if (!(error instanceof PayloadLostError)) throw error;
    });
    if (blob) await to.putBlob(id, blob);
    else missing.push(id);
  }
  return missing;
}

/** The ids that are not among those here already. */
export async function withoutThese(here: Promise<readonly string[]>, ids: readonly string[]): Promise<string[]> {
  const known = new Set(await here);
  return ids.filter((id) => !known.has(id));
}

/** The bytes in a buffer of their own, which can be transferred and keeps nothing else alive. */
export function owned(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

export function concatenate(parts: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
