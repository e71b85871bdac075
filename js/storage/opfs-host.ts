/**
 * OPFS, on the worker's side of the door: the pool of slot files, and the operations on an open slot.
 *
 *   holdfast/<namespace>/slot-<n>.a  slot-<n>.b   the two halves of a log (log-file.ts)
 *                        slot-<n>.blobs           blobs (arena.ts)
 *
 * Invariant: files are made when the store is installed or grown, with fixed names and sizes; in
 * steady state nothing is created, renamed or deleted (the browser's directory is the one part of
 * OPFS that a crash can damage). A slot's generation is in its superblock.
 */
import { StorageBlockedError, StorageUnavailableError } from '../errors.ts';
import { Arena } from './arena.ts';
import { isHeld, isMissing, textOf } from './failures.ts';
import { decodeSuperblock, format, LogFile, reset, SUPERBLOCK, type SyncFile } from './log-file.ts';
import { pause, type Timers } from './wait.ts';

/** The parts of the file system in use. */
export interface Directory {
  getDirectoryHandle(name: string, options?: { create?: boolean }): Promise<Directory>;
  getFileHandle(name: string, options?: { create?: boolean }): Promise<FileEntry>;
  keys(): AsyncIterable<string>;
}
export interface FileEntry {
  createSyncAccessHandle(): Promise<SyncFile>;
  getFile(): Promise<Blob>;
}

export const INITIAL_SLOTS = 4;
const HALVES = ['a', 'b'] as const;
const PARTS = [...HALVES, 'blobs'] as const;
const HELD_LIMIT_MS = 4_500;
const FULL_RETRY_MS = 3_000;
const CHECK_EVERY_MS = 1_000;

export type HostEvent = { event: 'full' | 'available' | 'gone'; handle: number };

/** One slot that is open. */
export class OpenSlot {
  readonly handle: number;
  readonly slot: number;
  readonly store: OpfsStore;
  readonly log: LogFile;
  readonly #blobs: SyncFile;
  #arena: Arena | undefined;
  #low = false;
  #cancelRetry: (() => void) | undefined;
  #checkedAtMs = 0;
  closed = false;

  constructor(handle: number, slot: number, store: OpfsStore, log: LogFile, blobs: SyncFile) {
    this.handle = handle;
    this.slot = slot;
    this.store = store;
    this.log = log;
    this.#blobs = blobs;
  }

  get arena(): Arena {
    return (this.#arena ??= new Arena(this.#blobs, this.store.power, this.store.timers));
  }
  get low(): boolean {
    return this.#low;
  }

  /** After an append was acknowledged: room for the next ones. */
  provide(): void {
    if (this.closed || this.log.tail === undefined) return;
    this.store.isNew = false;
    this.#setLow(!this.log.reserve());
    this.#lookNowAndThen();
  }

  /**
   * The files are gone: they are left as they are. Chromium's close() of a file whose data was
   * cleared does not return for nine seconds, and the timer lives in this thread.
   */
  abandon(): void {
    this.closed = true;
    this.#cancelRetry?.();
  }

  close(): void {
    if (this.closed) return;
    this.abandon();
    this.log.close();
    this.#blobs.close();
  }

  #setLow(low: boolean): void {
    if (low && !this.#cancelRetry) {
      this.#cancelRetry = this.store.timers.after(FULL_RETRY_MS, () => {
        this.#cancelRetry = undefined;
        this.provide();
      });
    }
    if (low === this.#low) return;
    this.#low = low;
    this.store.emit({ event: low ? 'full' : 'available', handle: this.handle });
  }

  /** Cleared site data leaves open files writable and nameless: at most once a second a writer looks. */
  #lookNowAndThen(): void {
    const nowMs = this.store.timers.nowMs();
    if (nowMs - this.#checkedAtMs < CHECK_EVERY_MS) return;
    this.#checkedAtMs = nowMs;
    void this.store.check(this);
  }
}

export class OpfsStore {
  readonly power: boolean;
  readonly timers: Timers;
  readonly emit: (event: HostEvent) => void;
  readonly #root: () => Promise<Directory>;
  readonly #namespace: string;
  #directory: Directory | undefined;
  #generation = '';
  /** Made here, and neither written to nor looked through since. */
  isNew = false;

  constructor(
    root: () => Promise<Directory>,
    namespace: string,
    power: boolean,
    timers: Timers,
    emit: (event: HostEvent) => void,
  ) {
    this.#root = root;
    this.#namespace = namespace;
    this.power = power;
    this.timers = timers;
    this.emit = emit;
  }

  /** Resolves to the generation of what is there. */
  async connect(): Promise<string | undefined> {
    const directory = await this.#open(false);
    if (!directory) return undefined;
    for (const name of await namesIn(directory)) {
      if (!/\.[ab]$/.test(name)) continue;
      const block = await peek(directory, name);
      if (block) return block.generation;
    }
    return undefined;
  }

  /** A slot of the generation that is expected, opened at once; undefined: there is anything unusual about it. */
  async openAhead(slot: number, handle: number, generation: string): Promise<OpenSlot | undefined> {
    const directory = await this.#open(false);
    if (!directory) return undefined;
    const opening = PARTS.map(async (part) => (await directory.getFileHandle(`slot-${slot}.${part}`)).createSyncAccessHandle());
    const files = (await Promise.allSettled(opening)).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const log = files.length === PARTS.length && findLog(files, generation, this.power);
    if (!log) {
      for (const file of files) file.close();
      return undefined;
    }
    this.#directory = directory;
    this.#generation = generation;
    return new OpenSlot(handle, slot, this, log, files[2]!);
  }

  /** Slot 0 is made last: where it is, all have been, and one that is missing was lost. Resolves to those. */
  async install(generation: string): Promise<number[]> {
    this.#generation = generation;
    this.#directory = await this.#open(true);
    const names = new Set(await namesIn(this.#directory!));
    this.isNew = names.size === 0;
    const missing = Array.from({ length: INITIAL_SLOTS }, (_, slot) => slot).filter((slot) => !names.has(`slot-${slot}.a`));
    await everyOne(missing.filter((slot) => slot !== 0).map((slot) => this.#makeSlot(slot, names)));
    if (missing.includes(0)) await this.#makeSlot(0, names);
    return names.has('slot-0.a') ? missing : [];
  }

  async slotCount(): Promise<number> {
    let count = INITIAL_SLOTS;
    for (const name of await namesIn(this.#directory!)) {
      const slot = /^slot-(\d+)\./.exec(name)?.[1];
      if (slot) count = Math.max(count, Number(slot) + 1);
    }
    return count;
  }

  /** Where nothing was a moment ago there is nothing to look for: the first answer of a new store comes at once. */
  async occupiedSlots(): Promise<number[]> {
    if (this.isNew) {
      this.isNew = false;
      return [];
    }
    const count = await this.slotCount();
    const empty = await Promise.all(Array.from({ length: count }, (_, slot) => this.#isEmpty(slot)));
    return empty.flatMap((is, slot) => (is ? [] : [slot]));
  }

  async openSlot(slot: number, handle: number): Promise<OpenSlot> {
    await this.#makeSlot(slot, new Set(await namesIn(this.#directory!)));
    const files: SyncFile[] = [];
    const hold = async (part: string, index: number) => {
      files[index] = await this.#hold(`slot-${slot}.${part}`);
    };
    try {
      await everyOne(PARTS.map(hold));
      const log = LogFile.open(files[0]!, files[1]!, this.#generation, this.power);
      return new OpenSlot(handle, slot, this, log, files[2]!);
    } catch (error) {
      for (const file of files) file?.close();
      throw error;
    }
  }

  /** Is the slot's name still there? */
  async check(open: OpenSlot): Promise<boolean> {
    try {
      const directory = await this.#open(false);
      if (directory && (await directory.getFileHandle(`slot-${open.slot}.a`))) return true;
    } catch (error) {
      if (!isMissing(error)) return true;
    }
    if (!open.closed) this.emit({ event: 'gone', handle: open.handle });
    return false;
  }

  async #open(create: boolean): Promise<Directory | undefined> {
    try {
      const top = await (await this.#root()).getDirectoryHandle('holdfast', { create });
      return await top.getDirectoryHandle(this.#namespace, { create });
    } catch (error) {
      if (!create && isMissing(error)) return undefined;
      throw error;
    }
  }

  /** The `.a` half is made last: a slot that has one is whole. */
  async #makeSlot(slot: number, names: Set<string>): Promise<void> {
    await everyOne([this.#makeFile(`slot-${slot}.blobs`, names), this.#makeFile(`slot-${slot}.b`, names, reset)]);
    await this.#makeFile(`slot-${slot}.a`, names, (file) => format(file, this.#generation));
  }

  async #makeFile(name: string, names: ReadonlySet<string>, prepare?: (file: SyncFile) => void): Promise<void> {
    if (names.has(name)) return;
    const entry = await this.#directory!.getFileHandle(name, { create: true });
    if (!prepare) return;
    const file = await this.#hold(name, entry);
    try {
      prepare(file);
    } finally {
      file.close();
    }
  }

  /** A closed tab lets go of its files a moment after its lock: wait for that, but not for ever. */
  async #hold(name: string, known?: FileEntry): Promise<SyncFile> {
    const entry = known ?? (await this.#directory!.getFileHandle(name));
    const untilMs = this.timers.nowMs() + HELD_LIMIT_MS;
    for (let delayMs = 5; ; delayMs = Math.min(delayMs * 2, 200)) {
      try {
        return await entry.createSyncAccessHandle();
      } catch (error) {
        if (!isHeld(error)) throw error;
        if (this.timers.nowMs() >= untilMs) {
          throw new StorageBlockedError(`Another tab keeps ${name} open. Close it, or wake it if it is frozen.`);
        }
      }
      await pause(delayMs, this.timers);
    }
  }

  async #isEmpty(slot: number): Promise<boolean> {
    const empty = await Promise.all(HALVES.map((half) => holdsNothing(this.#directory!, `slot-${slot}.${half}`)));
    return empty.every(Boolean);
  }
}

/** Whatever is wrong with it, the usual opening finds it again and says so. */
function findLog([a, b]: SyncFile[], generation: string, power: boolean): LogFile | undefined {
  try {
    return LogFile.find(a!, b!, generation, power);
  } catch {
    return undefined;
  }
}

/** Side by side; one that fails is told when none is under way any more. */
async function everyOne(works: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(works)).find((one) => one.status === 'rejected');
  if (failed) throw failed.reason;
}

async function namesIn(directory: Directory): Promise<string[]> {
  const names: string[] = [];
  for await (const name of directory.keys()) names.push(name);
  return names.sort();
}

async function head(directory: Directory, name: string): Promise<Uint8Array> {
  const file = await (await directory.getFileHandle(name)).getFile();
  return new Uint8Array(await file.slice(0, SUPERBLOCK + 16).arrayBuffer());
}

async function peek(directory: Directory, name: string) {
  const bytes = await head(directory, name).catch(() => undefined);
  return bytes && decodeSuperblock(bytes);
}

/** Surely empty: a file that is missing, or whole with zeros where a log would begin. In doubt it is not. */
async function holdsNothing(directory: Directory, name: string): Promise<boolean> {
  try {
    return (await head(directory, name)).subarray(SUPERBLOCK).every((byte) => byte === 0);
  } catch (error) {
    return isMissing(error);
  }
}

/** The root of the origin's private files. @throws StorageUnavailableError where there is none */
export async function privateRoot(): Promise<Directory> {
  const files = (globalThis as { navigator?: { storage?: { getDirectory?: () => Promise<unknown> } } }).navigator;
  const handleType = (globalThis as { FileSystemFileHandle?: { prototype: object } }).FileSystemFileHandle;
  if (!files?.storage?.getDirectory || !handleType || !('createSyncAccessHandle' in handleType.prototype)) {
    throw new StorageUnavailableError(
      'This page has no origin private file system (it needs https and a current browser).',
    );
  }
  try {
    return (await files.storage.getDirectory()) as Directory;
  } catch (error) {
    throw new StorageUnavailableError(`The origin private file system is blocked (${textOf(error)}).`, {
      cause: error,
    });
  }
}
