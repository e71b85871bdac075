/**
 * The worker's end of the OPFS protocol. A request is `{ id, op, ... }`, its answer `{ id, value }` or
 * `{ id, error }`; what happens by itself is `{ event, handle }`.
 *
 * Invariant: operations on one log happen in the order of the messages, each wholly, because they
 * are synchronous. An append is answered after its bytes are written (`power`: and flushed), and before
 * room is made for the next.
 */
import { StorageLostError } from '../errors.ts';
import { type CarriedError, carry } from './failures.ts';
import { type Directory, type HostEvent, type OpenSlot, OpfsStore, privateRoot } from './opfs-host.ts';
import { type Timers, turn } from './wait.ts';

export type Answer = { id: number; value?: unknown; error?: CarriedError };
type Post = (message: Answer | HostEvent, transfer?: Transferable[]) => void;

export interface Request {
  id: number;
  op: string;
  store: number;
  handle: number;
  slot: number | undefined;
  namespace: string;
  power: boolean;
  generation: string | undefined;
  bytes: Uint8Array<ArrayBuffer>;
  length: number;
  epoch: number | undefined;
  blob: Blob;
  blobId: string;
  ids: string[];
  /** The handle to copy from. */
  from: number;
}

export class OpfsService {
  readonly #post: Post;
  readonly #timers: Timers;
  readonly #root: () => Promise<Directory>;
  readonly #stores: OpfsStore[] = [];
  readonly #slots = new Map<number, OpenSlot>();
  /** Kept, so that nobody collects (and so closes) their files. */
  readonly #abandoned: OpenSlot[] = [];
  #nextHandle = 1;

  constructor(post: Post, timers: Timers, root: () => Promise<Directory> = privateRoot) {
    this.#post = post;
    this.#timers = timers;
    this.#root = root;
  }

  handle(request: Request): void {
    if (request.op === 'append') return this.#append(request);
    try {
      const value = this.#perform(request);
      if (!(value instanceof Promise)) return this.#answer(request.id, value);
      value.then(
        (settled) => this.#answer(request.id, settled),
        (error: unknown) => this.#refuse(request, error),
      );
    } catch (error) {
      this.#refuse(request, error);
    }
  }

  #append(request: Request): void {
    try {
      const slot = this.#slot(request.handle);
      slot.log.append(request.bytes);
      this.#post({ id: request.id, value: slot.low });
      slot.provide();
    } catch (error) {
      this.#refuse(request, error);
    }
  }

  #perform(request: Request): unknown {
    switch (request.op) {
      case 'connect':
        return this.#connect(request);
      case 'install':
        return this.#store(request).install(request.generation!);
      case 'slotCount':
        return this.#store(request).slotCount();
      case 'occupiedSlots':
        return this.#store(request).occupiedSlots();
      case 'openSlot':
        return this.#openSlot(request);
      default:
        return this.#performOnSlot(request, this.#slot(request.handle));
    }
  }

  #performOnSlot(request: Request, slot: OpenSlot): unknown {
    switch (request.op) {
      case 'read':
        return slot.log.read();
      case 'truncate':
        slot.log.truncate(request.length);
        slot.provide();
        return { epoch: slot.log.epoch, base: slot.log.base };
      case 'replace':
        slot.log.replace(request.bytes, request.epoch);
        slot.provide();
        return slot.log.epoch;
      case 'putBlob':
        return slot.arena.put(request.blobId, request.blob);
      case 'getBlob':
        return slot.arena.get(request.blobId);
      case 'copyBlobs':
        return slot.arena.copy(this.#slot(request.from).arena, request.ids, turn);
      case 'deleteBlobs':
        return slot.arena.delete(request.ids);
      case 'blobIds':
        return slot.arena.ids();
      case 'check':
        return slot.store.check(slot);
      case 'flush':
        return slot.log.flush();
      case 'close':
        this.#slots.delete(slot.handle);
        return slot.close();
      case 'abandon':
        this.#slots.delete(slot.handle);
        slot.abandon();
        return void this.#abandoned.push(slot);
    }
    throw new TypeError(`The worker knows no operation ${JSON.stringify(request.op)}.`);
  }

  /** With a slot and its generation, that is opened and read in the same go. */
  async #connect({ namespace, power, slot, generation }: Request): Promise<unknown> {
    const store = new OpfsStore(this.#root, namespace, power, this.#timers, this.#post);
    const number = this.#stores.push(store) - 1;
    const opened = slot === undefined || generation === undefined ? undefined : await this.#openAhead(store, slot, generation);
    return opened ? { store: number, generation, opened } : { store: number, generation: await store.connect() };
  }

  async #openAhead(store: OpfsStore, slot: number, generation: string): Promise<unknown> {
    const open = await store.openAhead(slot, this.#nextHandle++, generation);
    if (!open) return undefined;
    try {
      return { ...this.#opened(open), log: open.log.read() };
    } catch {
      this.#slots.delete(open.handle);
      open.close();
      return undefined;
    }
  }

  async #openSlot(request: Request): Promise<unknown> {
    return this.#opened(await this.#store(request).openSlot(request.slot!, this.#nextHandle++));
  }

  #opened(slot: OpenSlot): { handle: number; epoch: number; base: number; damaged: boolean } {
    const { handle, log } = slot;
    this.#slots.set(handle, slot);
    return { handle, epoch: log.epoch, base: log.base, damaged: log.damaged };
  }

  #store(request: Request): OpfsStore {
    return this.#stores[request.store]!;
  }

  #slot(handle: number): OpenSlot {
    const slot = this.#slots.get(handle);
    if (!slot) throw new StorageLostError('The slot was closed.');
    return slot;
  }

  #answer(id: number, value: unknown): void {
    const bytes = value instanceof Uint8Array ? value : (value as { opened?: { log: Uint8Array } } | undefined)?.opened?.log;
    this.#post({ id, value }, bytes ? [bytes.buffer as ArrayBuffer] : []);
  }

  #refuse(request: Request, error: unknown): void {
    this.#post({ id: request.id, error: carry(error, `doing ${JSON.stringify(request.op)} in OPFS`) });
  }
}
