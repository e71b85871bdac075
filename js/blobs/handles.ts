/**
 * File handles of inputs (`persistPayload: 'handle'`), which only IndexedDB can keep: a database of its own per
 * namespace. In the slot lies a *ticket*, a blob like any other: it is stored before the record that refers to it,
 * counted, copied to whoever takes the run over, mirrored and freed as any file is; it says which handle it stands
 * for and what the file was. Loaded when the first one is met.
 *
 * Invariant: a handle is given only while the page may read the file and the file is the one that was accepted.
 */
import { openDB } from 'idb';
import { GivenFileHandle, knowGivenFiles } from '../codec/given-file.ts';
import { PayloadLostError, SerializationError, StorageUnavailableError } from '../errors.ts';
import { asStorageError } from '../storage/failures.ts';
import { digestOf } from './digest.ts';

/** Content that is looked at when the handle is accepted, so that the file is known again whatever it is called. */
const digestedBytes = 16 * 1024 * 1024;

export interface Ticket {
  key: string;
  name: string;
  type: string;
  size: number;
  lastModified: number;
  digest: string | undefined;
}

/** What was given, and what its file was then. */
interface Row {
  given: FileSystemFileHandle | File;
  size: number;
  lastModified: number;
}

export interface HandleDatabase {
  put(key: string, row: Row): Promise<unknown>;
  get(key: string): Promise<Row | undefined>;
  keys(): Promise<string[]>;
  delete(key: string): Promise<unknown>;
}

knowGivenFiles();

const store = 'handles';

type Connection = Awaited<ReturnType<typeof openDB>>;

async function inIndexedDB(namespace: string): Promise<HandleDatabase> {
  let open: Promise<Connection> | undefined;
  // The browser ends a connection as well (the site's data was cleared): then the next use begins another.
  const forget = () => (open = undefined);
  const connect = (): Promise<Connection> => {
    open ??= openDB(`holdfast:${namespace}:handles`, 1, {
      upgrade: (made) => void made.createObjectStore(store),
      blocking: (_, __, event) => void (forget(), (event.target as IDBDatabase).close()),
      terminated: forget,
    });
    open.catch(forget);
    return open;
  };
  try {
    await connect();
  } catch (cause) {
    throw new StorageUnavailableError('File handles need IndexedDB, which this page can not have. Pass the file itself: await handle.getFile().', { cause });
  }
  return {
    put: async (key, row) => (await connect()).put(store, row, key),
    get: async (key) => (await connect()).get(store, key),
    keys: async () => (await (await connect()).getAllKeys(store)) as string[],
    delete: async (key) => (await connect()).delete(store, key),
  };
}

/** A test gives its own. */
export const databases = { open: inIndexedDB };

export class HandleStore {
  readonly #database: HandleDatabase;
  /** Kept by this page: their tickets may be on their way. */
  readonly #young = new Set<string>();

  constructor(database: HandleDatabase) {
    this.#database = database;
  }

  /** @throws SerializationError where the file can't be read */
  async keep(handle: FileSystemFileHandle, path: string): Promise<Blob> {
    const file = await handle.getFile().catch((cause) => {
      throw new SerializationError(`${path} is a handle whose file can't be read (${cause?.name ?? cause}): it was removed, or the person has not allowed it. Ask with handle.requestPermission().`, { cause });
    });
    const { name, type, size, lastModified } = file;
    const digest = size <= digestedBytes ? await digestOf(file) : undefined;
    const ticket: Ticket = { key: crypto.randomUUID(), name, type, size, lastModified, digest };
    this.#young.add(ticket.key);
    await this.#put(ticket.key, { given: handle, size, lastModified });
    return new Blob([JSON.stringify(ticket)]);
  }

  /** @throws PayloadLostError when it is gone, was changed, or has to be allowed again */
  async open({ key, name }: Ticket): Promise<FileSystemFileHandle> {
    const lost = (why: string, cause?: unknown) => new PayloadLostError(`The file ${JSON.stringify(name)} ${why}.`, { data: { handle: key }, cause });
    const row = await this.#database.get(key).catch((cause) => {
      throw lost('was given by a handle, which can not be read at the moment', cause);
    });
    if (!row) throw lost('was given by a handle, which is gone');
    const { given, size, lastModified } = row;
    if (given instanceof Blob) return new GivenFileHandle(given as File) as unknown as FileSystemFileHandle;
    if ((await permissionOf(given)) !== 'granted') throw lost('may not be read until the person allows it again');
    const file = await given.getFile().catch((cause) => {
      throw lost('is not where it was', cause);
    });
    if (file.size !== size || file.lastModified !== lastModified) throw lost('was changed since it was given');
    return given;
  }

  /** In place of what was lost. REQUIRES: it is that file. */
  async give({ key }: Ticket, given: FileSystemFileHandle | File, { size, lastModified }: File): Promise<void> {
    await this.#put(key, { given, size, lastModified });
  }

  async #put(key: string, row: Row): Promise<void> {
    await this.#database.put(key, row).catch((error) => {
      throw asStorageError(error, 'a file handle was stored');
    });
  }

  /** Deletes what no ticket speaks of. REQUIRES: these are all there are. */
  async sweep(referred: ReadonlySet<string>): Promise<void> {
    for (const key of await this.#database.keys()) if (!referred.has(key) && !this.#young.has(key)) await this.#database.delete(key);
  }
}

/** Of a handle that is given in place of what was lost. @throws SerializationError where it can't be read */
export async function fileOf(handle: FileSystemFileHandle): Promise<File> {
  const refused = (why: string, cause?: unknown) => new SerializationError(`provide: the file of this handle ${why}. Ask with handle.requestPermission(), or give the file itself.`, { cause });
  if ((await permissionOf(handle)) !== 'granted') throw refused('may not be read until the person allows it');
  return handle.getFile().catch((cause) => {
    throw refused(`can't be read (${cause?.name ?? cause})`, cause);
  });
}

/** Only Chromium asks; elsewhere handles are of the origin's own files. */
async function permissionOf(handle: FileSystemFileHandle): Promise<PermissionState> {
  const { queryPermission } = handle as { queryPermission?(descriptor: { mode: 'read' }): Promise<PermissionState> };
  return queryPermission ? queryPermission.call(handle, { mode: 'read' }) : 'granted';
}

/** @throws PayloadLostError for what is no ticket */
export async function readTicket(blob: Blob): Promise<Ticket> {
  try {
    const { key, name, type, size, lastModified, digest } = JSON.parse(await blob.text());
    if ([key, name, type].every((part) => typeof part === 'string') && Number.isFinite(size) && Number.isFinite(lastModified))
      return { key, name, type, size, lastModified, digest: typeof digest === 'string' ? digest : undefined };
  } catch {
    // It is none.
  }
  throw new PayloadLostError('What is stored of a file handle is damaged.');
}

export function isFileHandle(value: unknown): value is FileSystemFileHandle {
  return Object.prototype.toString.call(value) === '[object FileSystemFileHandle]' && typeof (value as FileSystemFileHandle).getFile === 'function';
}
