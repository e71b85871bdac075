/**
 * An origin private file system in memory that can be killed at its N-th write, torn in the middle of
 * it, and filled up; and a worker that runs in this very thread.
 */

import type { SyncFile } from '../../js/storage/log-file.ts';
import type { Directory, FileEntry } from '../../js/storage/opfs-host.ts';
import type { Timers } from '../../js/storage/wait.ts';
import { serve, type WorkerScope } from '../../js/small-worker/worker.ts';

const SECTOR = 64;

export class FakeDisk {
  files = new Map<string, Uint8Array>();
  directories = new Set<string>();
  readonly open = new Set<string>();
  /** How many changes from now the machine dies; that one is torn after `tear` of its bytes (0…1). */
  killAt = Number.POSITIVE_INFINITY;
  tear = 0;
  writes = 0;
  quota = Number.POSITIVE_INFINITY;
  /** At quota: 'throw' as Chromium does, 'zero' or 'short' as Firefox. */
  refusal: 'throw' | 'zero' | 'short' = 'throw';
  dead = false;
  #onDeath: () => void = () => undefined;
  death = this.#newDeath();

  /** The machine starts again: what was written is there, handles aren't. */
  reboot(): void {
    this.dead = false;
    this.killAt = Number.POSITIVE_INFINITY;
    this.writes = 0;
    this.open.clear();
    this.death = this.#newDeath();
  }

  get used(): number {
    return [...this.files.values()].reduce((sum, file) => sum + file.length, 0);
  }

  copy(): FakeDisk {
    const twin = new FakeDisk();
    for (const [name, bytes] of this.files) twin.files.set(name, bytes.slice());
    for (const name of this.directories) twin.directories.add(name);
    return twin;
  }

  /** Site data cleared: names go, open files go on as if nothing were. */
  clear(): void {
    this.files = new Map();
    this.directories.clear();
  }

  root(): Directory {
    return new FakeDirectory(this, '');
  }

  /** Counts a change; true if it happens wholly, else how much of it does. */
  change(size: number): number {
    if (this.dead) throw new Error('The machine is off.');
    if (++this.writes < this.killAt) return size;
    const torn = Math.floor((size * this.tear) / SECTOR) * SECTOR;
    return Math.min(torn, size);
  }

  die(): never {
    this.dead = true;
    this.#onDeath();
    throw new Error('The machine is off.');
  }

  #newDeath(): Promise<'dead'> {
    return new Promise((resolve) => (this.#onDeath = () => resolve('dead')));
  }
}

function failure(name: string): Error {
  return Object.assign(new Error(name), { name });
}

class FakeDirectory implements Directory {
  readonly #disk: FakeDisk;
  readonly #path: string;
  constructor(disk: FakeDisk, path: string) {
    this.#disk = disk;
    this.#path = path;
  }
  async getDirectoryHandle(name: string, options?: { create?: boolean }): Promise<Directory> {
    const path = `${this.#path}${name}/`;
    if (!this.#disk.directories.has(path)) {
      if (!options?.create) throw failure('NotFoundError');
      this.#disk.directories.add(path);
    }
    return new FakeDirectory(this.#disk, path);
  }
  async getFileHandle(name: string, options?: { create?: boolean }): Promise<FileEntry> {
    const path = `${this.#path}${name}`;
    if (!this.#disk.files.has(path)) {
      if (!options?.create) throw failure('NotFoundError');
      if (this.#disk.change(1) === 0) this.#disk.die();
      this.#disk.files.set(path, new Uint8Array());
    }
    return new FakeEntry(this.#disk, path);
  }
  async *keys(): AsyncIterable<string> {
    for (const path of this.#disk.files.keys()) if (path.startsWith(this.#path)) yield path.slice(this.#path.length);
  }
}

class FakeEntry implements FileEntry {
  readonly #disk: FakeDisk;
  readonly #path: string;
  constructor(disk: FakeDisk, path: string) {
    this.#disk = disk;
    this.#path = path;
  }
  async getFile(): Promise<Blob> {
    return new Blob([this.#disk.files.get(this.#path)!.slice()]);
  }
  async createSyncAccessHandle(): Promise<SyncFile> {
    if (this.#disk.open.has(this.#path)) throw failure('NoModificationAllowedError');
    this.#disk.open.add(this.#path);
    return new FakeFile(this.#disk, this.#path);
  }
}

class FakeFile implements SyncFile {
  readonly #disk: FakeDisk;
  readonly #path: string;
  /** The map at opening time: cleared data leaves a nameless file behind. */
  readonly #files: Map<string, Uint8Array>;
  #capacity: Uint8Array;

  constructor(disk: FakeDisk, path: string) {
    this.#disk = disk;
    this.#path = path;
    this.#files = disk.files;
    this.#capacity = this.#bytes;
  }
  get #bytes(): Uint8Array {
    return this.#files.get(this.#path)!;
  }
  getSize(): number {
    return this.#bytes.length;
  }
  read(into: Uint8Array, { at }: { at: number }): number {
    const part = this.#bytes.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  }
  write(bytes: Uint8Array, { at }: { at: number }): number {
    const room = this.#room(bytes, at);
    const lands = this.#disk.change(room);
    this.#put(bytes.subarray(0, lands), at);
    if (this.#disk.writes >= this.#disk.killAt) this.#disk.die();
    return room;
  }
  truncate(size: number): void {
    const whole = this.#disk.change(SECTOR) === SECTOR && this.#disk.writes < this.#disk.killAt;
    if (!whole) this.#disk.die();
    this.#resize(size);
    if (size < this.#capacity.length) this.#capacity.fill(0, size);
  }
  flush(): void {}
  close(): void {
    this.#disk.open.delete(this.#path);
  }

  /** How many bytes the quota lets through. */
  #room(bytes: Uint8Array, at: number): number {
    const grows = at + bytes.length - this.#bytes.length;
    const free = this.#disk.quota - this.#disk.used;
    if (grows <= 0 || grows <= free) return bytes.length;
    if (this.#disk.refusal === 'throw') throw failure('QuotaExceededError');
    if (this.#disk.refusal === 'zero') return 0;
    return Math.max(0, bytes.length - grows + Math.max(0, free));
  }
  #put(bytes: Uint8Array, at: number): void {
    if (bytes.length === 0) return;
    if (at + bytes.length > this.#bytes.length) this.#resize(at + bytes.length);
    this.#bytes.set(bytes, at);
  }
  #resize(size: number): void {
    if (size > this.#capacity.length) {
      const larger = new Uint8Array(Math.max(size, this.#capacity.length * 2));
      larger.set(this.#bytes);
      this.#capacity = larger;
    }
    this.#files.set(this.#path, this.#capacity.subarray(0, size));
  }
}

/** js/small-worker/worker.ts in this thread: messages are cloned and delivered one by one, as a real one's are. */
export function threadlessWorker(disk: FakeDisk, timers: Timers, wallMs?: () => number): Worker {
  const deliver = (target: { onmessage: any }, message: unknown, transfer: Transferable[] = []) => {
    const data = structuredClone(message, { transfer: transfer as any });
    queueMicrotask(() => {
      if (!disk.dead) target.onmessage?.({ data });
    });
  };
  const worker = {
    onmessage: null,
    postMessage: (message: unknown, transfer?: Transferable[]) => deliver(scope, message, transfer),
    terminate: () => (scope.onmessage = null),
  } as unknown as Worker;
  const scope: WorkerScope = {
    onmessage: null,
    postMessage: (message, transfer) => deliver(worker as any, message, transfer),
  };
  serve(scope, timers, async () => disk.root(), wallMs);
  return worker;
}
