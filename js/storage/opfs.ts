/**
 * The origin private file system, on the page's side: each operation is one message to the small
 * worker (worker.ts) that holds the files. Formats: log-file.ts, arena.ts; names: opfs-host.ts.
 *
 * Where the worker dies, that is told, and the next use of the store starts another one; a slot that was
 * open is set up anew by its next `replace`, as the caller knows what belongs there.
 *
 * Invariant: the first append goes behind the longest valid prefix, never behind a torn record:
 * where the caller has not said (`truncate`) how long that is, it is found out first.
 */
import { checkEach, checkFunction, checkNames, checkRecord } from '../intake/checks.ts';
import { StorageBlockedError, type StorageError, StorageLostError } from '../errors.ts';
import type { AppendReceipt, Durability, StorageOpenOptions, StorageSlot } from '../storage.ts';
import { connectWorker, type WorkerClient, type WorkerEvent } from '../small-worker/worker-client.ts';
import {
  type CopySlot,
  type CopyStorage,
  copyOneByOne,
  type NamedBlob,
  openAlone,
  sentinel,
  type Stamp,
  withoutThese,
} from './copy.ts';
import { LogQueue } from './log-queue.ts';
import { systemTimers, type Timers, within } from './wait.ts';

export interface OpfsOptions {
  /** The worker to use, shared with the clock; one is started at `open` otherwise. */
  client?: () => WorkerClient;
  /** For pages that must load the worker from elsewhere. */
  worker?: () => Worker;
  timers?: Timers;
}

const OPEN_LIMIT_MS = 5_000;
/** To copy so few bytes into a message takes less time than to hand their buffer over. */
const COPY_BYTES = 16 * 1024;
const plenty: AppendReceipt = Object.freeze({ spaceLow: false });
const scarce: AppendReceipt = Object.freeze({ spaceLow: true });

class OpfsSlot implements CopySlot {
  readonly slot: number;
  readonly #store: OpfsStorage;
  #client: WorkerClient;
  #handle: number;
  #epoch: number;
  #base: number;
  /** The end of the log is known to the worker. */
  #settled = false;
  readonly #queue = new LogQueue((bytes) => this.#write(bytes));
  /** Was read when it was opened; for the first `read`. */
  #ahead: Uint8Array<ArrayBuffer> | undefined;
  /** Why it can't be used before `replace`. */
  #lost: StorageLostError | undefined;

  constructor(store: OpfsStorage, slot: number, opened: Opened) {
    this.#store = store;
    this.slot = slot;
    this.#client = opened.client;
    this.#ahead = opened.log;
    this.#handle = opened.handle;
    this.#epoch = opened.epoch;
    this.#base = opened.base;
    this.#listen();
  }

  stamp(): Stamp {
    return { epoch: this.#epoch, base: this.#base, length: undefined };
  }

  read(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#queue.exclusive(async () => {
      const bytes = this.#ahead ?? (await this.#call<Uint8Array<ArrayBuffer>>('read', {}));
      this.#ahead = undefined;
      if (!this.#settled) this.#store.tellDamage(this.slot, bytes, this.#base);
      return bytes;
    });
  }

  truncate(length: number): Promise<void> {
    return this.#queue.exclusive(() => this.#truncate(length));
  }

  append(bytes: Uint8Array<ArrayBuffer>): Promise<AppendReceipt> {
    return this.#queue.append(bytes);
  }

  replace(bytes: Uint8Array<ArrayBuffer>, epoch?: number): Promise<void> {
    return this.#queue.exclusive(async () => {
      // A replace that the worker died of may have counted one epoch further than it said.
      const least = this.#lost ? (await this.#remake()) + 1 : 0;
      const next = epoch === undefined ? undefined : Math.max(epoch, least);
      this.#ahead = undefined;
      const copy = bytes.slice();
      this.#epoch = await this.#call<number>('replace', { bytes: copy, epoch: next }, [copy.buffer]);
      this.#base = bytes.length;
      this.#settled = true;
    });
  }

  async putBlob(blobId: string, blob: Blob): Promise<void> {
    if (this.#lost) throw this.#lost;
    return this.#call('putBlob', { blobId, blob });
  }
  getBlob(blobId: string): Promise<Blob> {
    return this.#call('getBlob', { blobId });
  }
  async putBlobs(blobs: readonly NamedBlob[]): Promise<void> {
    for (const [id, blob] of blobs) await this.putBlob(id, blob);
  }
  /** From file to file within the worker: the bytes don't pass through here. */
  async copyBlobs(from: StorageSlot, ids: readonly string[]): Promise<string[]> {
    if (this.#lost) throw this.#lost;
    const { client, handle } = (from as OpfsSlot).place;
    if (client !== this.#client) return copyOneByOne(this, from, await withoutThese(this.blobIds(), ids));
    return ids.length === 0 ? [] : this.#call('copyBlobs', { from: handle, ids });
  }
  /** Where its files are open. */
  get place(): { client: WorkerClient; handle: number } {
    return { client: this.#client, handle: this.#handle };
  }
  deleteBlobs(ids: readonly string[]): Promise<void> {
    return this.#call('deleteBlobs', { ids });
  }
  blobIds(): Promise<string[]> {
    return this.#call('blobIds', {});
  }
  async flush(): Promise<void> {
    await this.#queue.idle();
    await this.#call('flush', {});
  }
  check(): Promise<boolean> {
    return this.#lost ? Promise.resolve(false) : this.#call('check', {});
  }

  async close(): Promise<void> {
    this.#store.forget(this);
    await this.#queue.idle();
    await this.#letGo();
  }

  async #write(bytes: Uint8Array<ArrayBuffer>): Promise<AppendReceipt> {
    if (!this.#settled) await this.#settle();
    this.#ahead = undefined;
    if (this.#lost) throw this.#lost;
    const low = await this.#client.call<boolean>('append', { handle: this.#handle, bytes }, bytes.length > COPY_BYTES ? [bytes.buffer] : undefined);
    return low ? scarce : plenty;
  }

  async #settle(): Promise<void> {
    const bytes = await this.#call<Uint8Array>('read', {});
    await this.#truncate(this.#store.inspect(bytes));
  }

  async #truncate(length: number): Promise<void> {
    this.#ahead = undefined;
    const { epoch, base } = await this.#call<{ epoch: number; base: number }>('truncate', { length });
    [this.#epoch, this.#base] = [epoch, base];
    this.#settled = true;
  }

  async #call<T>(op: string, request: object, transfer?: Transferable[]): Promise<T> {
    return this.#client.call<T>(op, { ...request, handle: this.#handle }, transfer);
  }

  /** Its worker has died. */
  lose(cause: StorageLostError): void {
    this.#lost ??= cause;
  }

  #listen(): void {
    this.#client.listen(this.#handle, (event) => this.#hear(event));
  }

  #hear({ event }: WorkerEvent): void {
    const { name, onEvent } = this.#store;
    if (event === 'full') onEvent({ type: 'storage-full', store: name });
    else if (event === 'available') onEvent({ type: 'storage-available', store: name });
    else if (!this.#lost) {
      this.#lost = lostError(this.slot);
      onEvent({ type: 'storage-lost', store: name, slot: this.slot, recoveredBytes: 0, cause: this.#lost });
    }
  }

  async #letGo(): Promise<void> {
    this.#client.listen(this.#handle, undefined);
    await this.#call(this.#lost ? 'abandon' : 'close', {}).catch(() => undefined);
  }

  /** The files were taken away under us (cleared site data), or their worker has died. Resolves to the epoch found. */
  async #remake(): Promise<number> {
    await this.#letGo();
    const opened = await this.#store.reopen(this.slot);
    [this.#client, this.#handle] = [opened.client, opened.handle];
    this.#lost = undefined;
    this.#listen();
    return opened.epoch;
  }
}

interface Opened {
  client: WorkerClient;
  handle: number;
  epoch: number;
  base: number;
  /** Its superblock was unreadable. */
  damaged: boolean;
  log?: Uint8Array<ArrayBuffer>;
}

interface Connected {
  store: number;
  generation: string | undefined;
  opened?: Omit<Opened, 'client'>;
}

const lostError = (slot: number): StorageLostError =>
  new StorageLostError(`The files of slot ${slot} are gone: the site's data was cleared. replace() writes them anew.`);

export class OpfsStorage implements CopyStorage {
  readonly name = 'opfs';
  readonly durability: Durability = 'power';
  readonly #options: OpfsOptions;
  readonly #timers: Timers;
  readonly #slots = new Set<OpfsSlot>();
  #open: StorageOpenOptions | undefined;
  #client: WorkerClient | undefined;
  #store = -1;
  #closed = true;
  #reviving: Promise<unknown> | undefined;
  #alone = true;
  #generation = '';
  /** Opened with the connection: its slot, for the first `openSlot`. */
  #ahead: { slot: number; generation: string; opened: Opened } | undefined;

  constructor(options: OpfsOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
  }

  get onEvent(): StorageOpenOptions['onEvent'] {
    return this.#open!.onEvent;
  }
  inspect(bytes: Uint8Array): number {
    return this.#open!.inspect(bytes).validBytes;
  }

  open(options: StorageOpenOptions): Promise<void> {
    return openAlone(this, options);
  }

  async connect(options: StorageOpenOptions, alone: boolean): Promise<string | undefined> {
    this.#open = options;
    this.#alone = alone;
    this.#closed = false;
    try {
      return await this.#attach(options.ahead);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** `ahead`: is opened and read with the same message, where the sentinel knows the store. */
  async #attach(ahead?: number): Promise<string | undefined> {
    const { namespace, durability } = this.#open!;
    if (!this.#client) {
      const client = this.#options.client?.() ?? connectWorker(this.#options.worker, this.#timers);
      client.onDeath((cause) => this.#mourn(client, cause));
      this.#client = client;
    }
    const client = this.#client;
    const expected = ahead === undefined ? undefined : sentinel.read(namespace);
    const request = { namespace, power: durability === 'power', slot: ahead, generation: expected };
    const { store, generation, opened } = await this.#ask<Connected>(client, 'connect', request);
    this.#store = store;
    this.#ahead = opened && { slot: ahead!, generation: generation!, opened: { ...opened, client } };
    return generation;
  }

  #mourn(client: WorkerClient, cause: StorageError): void {
    if (client !== this.#client) return;
    this.#client = undefined;
    this.#ahead = undefined;
    const lost = new StorageLostError(`${cause.message} It is started again.`, { cause });
    for (const slot of this.#slots) slot.lose(lost);
    if (this.#slots.size > 0) this.onEvent({ type: 'storage-degraded', store: this.name, cause: lost });
  }

  /** The worker's store, set up again where the worker has died. @throws StorageBlockedError it can't be had now */
  async #revived(): Promise<WorkerClient> {
    if (this.#client) return this.#client;
    if (this.#closed) throw new StorageLostError('The store is not open.');
    this.#reviving ??= this.#attach()
      .then(() => this.#install(this.#generation))
      .finally(() => {
        this.#reviving = undefined;
      });
    try {
      await this.#reviving;
      return this.#client!;
    } catch (cause) {
      this.#letGo();
      throw new StorageBlockedError('The worker that writes OPFS has died and can not be started again now.', {
        cause,
      });
    }
  }

  async install(generation: string): Promise<void> {
    this.#generation = generation;
    if (this.#ahead && this.#ahead.generation !== generation) await this.#dropAhead();
    const installing = this.#install(generation).then((lost) => {
      for (const slot of this.#alone ? lost : []) this.#tellLost(slot, { recoveredBytes: 0 });
    });
    // What is there is open already: only what else may be missing is made.
    if (this.#ahead) installing.catch(() => undefined);
    else await installing;
  }

  #install(generation: string): Promise<number[]> {
    return this.#ask(this.#client!, 'install', { generation });
  }

  /** What was opened with the connection, if it is this slot; another one is let go. */
  async #takeAhead(slot: number): Promise<Opened | undefined> {
    const ahead = this.#ahead;
    if (ahead?.slot === slot) this.#ahead = undefined;
    else await this.#dropAhead();
    return ahead?.slot === slot ? ahead.opened : undefined;
  }

  async #dropAhead(): Promise<void> {
    const opened = this.#ahead?.opened;
    this.#ahead = undefined;
    if (opened) await opened.client.call('close', { handle: opened.handle }).catch(() => undefined);
  }

  slotCount(): Promise<number> {
    return this.#call('slotCount', {});
  }
  occupiedSlots(): Promise<number[]> {
    return this.#call('occupiedSlots', {});
  }

  async openSlot(slot: number): Promise<CopySlot> {
    const found = (await this.#takeAhead(slot)) ?? (await this.#openFiles(slot));
    const opened = new OpfsSlot(this, slot, found);
    this.#slots.add(opened);
    if (found.damaged && this.#alone) this.#tellLost(slot, { recoveredBytes: this.inspect(await opened.read()) });
    return opened;
  }

  async #openFiles(slot: number): Promise<Opened> {
    const client = await this.#revived();
    return { ...(await this.#ask<Omit<Opened, 'client'>>(client, 'openSlot', { slot })), client };
  }

  /** A slot that opens after we gave up is nobody's: left open, it would block the one whose it is. */
  #closeLate(client: WorkerClient, answer: Promise<unknown>, inTime: Promise<unknown>): void {
    const close = (late: any) => {
      const { handle } = late.opened ?? late;
      return handle === undefined ? undefined : client.call('close', { handle });
    };
    inTime.catch(() => answer.then(close).catch(() => undefined));
  }

  /** Alone it must say when less is left than a replace wrote; under a mirror the mirror does. */
  tellDamage(slot: number, bytes: Uint8Array, base: number): void {
    if (!this.#alone || base === 0) return;
    const recoveredBytes = this.inspect(bytes);
    if (recoveredBytes < base) this.#tellLost(slot, { recoveredBytes, lostBytes: base - recoveredBytes });
  }

  #tellLost(slot: number, counts: { recoveredBytes: number; lostBytes?: number }): void {
    this.onEvent({ type: 'storage-lost', store: this.name, slot, ...counts });
  }

  async reopen(slot: number): Promise<Opened> {
    await this.#revived();
    await this.install(this.#generation);
    return this.#openFiles(slot);
  }

  async check(): Promise<boolean> {
    const present = await Promise.all([...this.#slots].map((slot) => slot.check()));
    return present.every(Boolean);
  }

  forget(slot: OpfsSlot): void {
    this.#slots.delete(slot);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#slots].map((slot) => slot.close()));
    await this.#dropAhead();
    this.#letGo();
    this.#closed = true;
  }

  #letGo(): void {
    if (!this.#options.client) this.#client?.terminate();
    this.#client = undefined;
  }

  async #call<T>(op: string, request: object): Promise<T> {
    return this.#ask(await this.#revived(), op, request);
  }

  #ask<T>(client: WorkerClient, op: string, request: object): Promise<T> {
    const late = () =>
      new StorageBlockedError(`OPFS did not answer ${JSON.stringify(op)} within ${OPEN_LIMIT_MS / 1000} s.`);
    const answer = client.call<T>(op, { ...request, store: this.#store });
    const inTime = within(OPEN_LIMIT_MS, this.#timers, answer, late);
    if (op === 'openSlot' || op === 'connect') this.#closeLate(client, answer, inTime);
    return inTime;
  }
}

/** Files of the origin, written in a worker: the fastest store, and the one that survived every kill. */
export function opfs(options: OpfsOptions = {}): OpfsStorage {
  checkNames(options, ['client', 'worker', 'timers'], 'opfs');
  checkEach(options, { client: checkFunction, worker: checkFunction, timers: checkRecord }, 'opfs');
  return new OpfsStorage(options);
}
