/**
 * The storage port: a byte log and a blob arena per slot. Everything durable goes through it.
 *
 * A *slot* is what one session (one tab's life) owns: one log of bytes that only grows, until it is
 * replaced as a whole, and an arena of blobs. Which slot is whose is decided above, by Web Locks;
 * an adapter only has to keep slots apart. An adapter never looks inside the log: frames and
 * checksums are the core's, and `inspect` is how an adapter that holds two copies asks which is good.
 *
 * Invariants every adapter keeps (tests/storage holds them to it):
 * - `append` resolves only when the bytes survive what `durability` says, and bytes are kept in call
 *   order; a failed append leaves the log as it was before it.
 * - `replace` is atomic: after a crash at any moment the log is wholly the old or wholly the new one.
 * - A log or a blob that can't be read is an error or an event, never an empty one.
 */

/** What an acknowledged write survives: nothing, killed tabs and browsers, power cuts too. */
export type Durability = 'memory' | 'process' | 'power';

export interface LogInspection {
  /** Bytes of the longest valid prefix. */
  validBytes: number;
}

export type StorageEvent =
  /** No room: new tasks are refused until `storage-available`. */
  | { type: 'storage-full'; store: string; cause?: unknown }
  | { type: 'storage-available'; store: string }
  /** A copy was gone or damaged although something had been stored. `recoveredBytes` came from the other copy. */
  | { type: 'storage-lost'; store: string; slot?: number; recoveredBytes: number; lostBytes?: number; cause?: unknown }
  /** A damaged or outdated copy was made good from the other one. */
  | { type: 'storage-repaired'; store: string; slot?: number; from: string; bytes: number }
  /** One of two copies can't be written any more; the other goes on alone. */
  | { type: 'storage-degraded'; store: string; cause?: unknown }
  /** Another tab keeps the store from opening. */
  | { type: 'storage-blocked'; store: string; cause?: unknown };

export interface StorageOpenOptions {
  /** Separates applications and users on one origin. Matches /^[\w.-]{1,64}$/. */
  namespace: string;
  durability: Durability;
  onEvent(event: StorageEvent): void;
  /**
   * A slot whose lock the caller holds and that it opens first. What that takes may begin at once, as long as
   * nothing is written.
   */
  ahead?: number | undefined;
  /** Where in these bytes the valid log ends. Synchronous, changes nothing. */
  inspect(log: Uint8Array): LogInspection;
}

export interface AppendReceipt {
  /** No more room can be had ahead; what is left of the reserve is for records of tasks already accepted. */
  spaceLow: boolean;
}

export interface StorageSlot {
  readonly slot: number;
  /** The whole log; it may end in a torn tail. The bytes are the caller's. */
  read(): Promise<Uint8Array<ArrayBuffer>>;
  /** Drops what lies behind `length` (a torn tail) for good; the next append begins there. */
  truncate(length: number): Promise<void>;
  /**
   * Adds bytes at the end. The buffer may be transferred: the caller must not use it again.
   * @throws StorageFullError nothing was written @throws StorageLostError the store is gone
   */
  append(bytes: Uint8Array<ArrayBuffer>): Promise<AppendReceipt>;
  /** Replaces the whole log atomically; verified by reading back before the old one is given up. */
  replace(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Stores a blob under an id (16 hexadecimal digits); resolves when it is as durable as the log. */
  putBlob(id: string, blob: Blob): Promise<void>;
  /** @throws PayloadLostError if it is not there or damaged */
  getBlob(id: string): Promise<Blob>;
  deleteBlobs(ids: readonly string[]): Promise<void>;
  /**
   * Takes blobs of another open slot of this storage over, all in one go; as durable as `putBlob` when it
   * resolves. One that is here already stays as it is. Resolves to the ids that are not there whole.
   * @throws StorageFullError
   */
  copyBlobs(from: StorageSlot, ids: readonly string[]): Promise<string[]>;
  blobIds(): Promise<string[]>;
  /** Everything handed over so far is on its way no later than now (page hidden, page closing). */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface Storage {
  /** `memory`, `opfs`, `indexedDB`, `localStorage`, `mirror(opfs, indexedDB)` … */
  readonly name: string;
  /** The strongest level it can give. */
  readonly durability: Durability;
  /**
   * Gets ready, once. @throws StorageUnavailableError when it can't work here (no API, blocked,
   * private window); nothing has been changed then.
   */
  open(options: StorageOpenOptions): Promise<void>;
  /** How many slots there are now; slots are numbered from 0. The pool grows when `openSlot(count)` is asked for. */
  slotCount(): Promise<number>;
  /** Slots that may hold a log (cheap; a slot that is surely empty is left out). */
  occupiedSlots(): Promise<number[]>;
  /** The caller holds the slot's lock. @throws StorageBlockedError if another tab still has it open */
  openSlot(slot: number): Promise<StorageSlot>;
  close(): Promise<void>;
}
