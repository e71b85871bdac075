/**
 * Where graphs are saved under names, with the versions they had: in memory, in IndexedDB, in a directory of the user's.
 *
 * Invariant: what is saved is a document (never a live graph), it is written whole or not at all, and each save of a name
 * is a version of its own; what a document that comes back says is checked as any other.
 */
import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import { describe } from '../intake/checks.ts';
import { wallClockMs } from '../time/clock.ts';
import { readGraphText, type ReadDocumentOptions } from './documents.ts';
import { EventEmitter, type Listener } from './emitter.ts';
import { TaskConfigurationError, TaskJSONError } from './errors.ts';
import { TaskGraph } from './task-graph.ts';
import type { TaskGraphJson } from './types.ts';

export interface TaskGraphRepositoryEvents {
  graph_saved: [key: string, version: number];
  graph_retrieved: [key: string];
  graph_deleted: [key: string];
  graph_renamed: [key: string, from: string];
  graph_cleared: [];
}

/** A version of a saved graph, without its document. */
export interface SavedGraph {
  readonly key: string;
  /** From 1. */
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly savedAt: number;
}
export interface GraphRecord extends SavedGraph {
  readonly document: TaskGraphJson;
}

/** What a repository keeps its records in. Each call is done whole or not at all. */
export interface GraphStore {
  /** As the next version of its key; the oldest go where there are more than `keep`. Gives the version. */
  add(key: string, document: TaskGraphJson, savedAt: number, keep: number): Promise<number>;
  /** The newest, or a certain version. */
  get(key: string, version?: number): Promise<GraphRecord | undefined>;
  /** All, in the order of keys and versions. */
  list(): Promise<SavedGraph[]>;
  /** Of one key, the newest first. */
  versions(key: string): Promise<SavedGraph[]>;
  /** How many went. */
  remove(key: string): Promise<number>;
  /** REQUIRES: there is none under `to`. False: there is none under `from`. */
  rename(from: string, to: string): Promise<boolean>;
  clear(): Promise<void>;
}

export interface TaskGraphRepositoryOptions {
  /** Versions of a graph that are kept. Default 20. */
  keepVersions?: number;
}

export class TaskGraphRepository {
  readonly #store: GraphStore;
  readonly #keepVersions: number;
  readonly #events = new EventEmitter<TaskGraphRepositoryEvents>();

  /** @throws TaskConfigurationError */
  constructor(store: GraphStore, { keepVersions = 20 }: TaskGraphRepositoryOptions = {}) {
    if (!Number.isInteger(keepVersions) || keepVersions < 1) throw new TaskConfigurationError(`keepVersions must be a whole number above 0, not ${JSON.stringify(keepVersions)}.`);
    this.#store = store;
    this.#keepVersions = keepVersions;
  }

  /** Gives the version that it is. @throws TaskSerializationError where it has no document; nothing is saved then */
  async saveTaskGraph(key: string, graph: TaskGraph | TaskGraphJson): Promise<number> {
    checkKey(key);
    const document = graph instanceof TaskGraph ? graph.toJSON() : graph;
    if (!Array.isArray(document?.tasks)) throw new TaskJSONError(`saveTaskGraph: what is saved as ${JSON.stringify(key)} must be a TaskGraph or its document, { tasks: […], dataflows: […] }, not ${describe(document)}.`);
    // What a store may do to an object, and what happens to it later, does not reach what is saved.
    const version = await this.#store.add(key, JSON.parse(JSON.stringify(document)), wallClockMs(), this.#keepVersions);
    this.#events.emit('graph_saved', key, version);
    return version;
  }

  /** undefined: there is none. @throws TaskJSONError for a document that can't be read here */
  async getTaskGraph(key: string, options: ReadDocumentOptions & { version?: number } = {}): Promise<TaskGraph | undefined> {
    const { version, ...read } = options;
    const document = await this.getDocument(key, version);
    return document && readGraphText(document, read);
  }
  /** As it was saved; its types need not be known here. */
  async getDocument(key: string, version?: number): Promise<TaskGraphJson | undefined> {
    checkKey(key);
    const record = await this.#store.get(key, version);
    if (record) this.#events.emit('graph_retrieved', key);
    return record?.document;
  }

  /** The newest version of each, by their keys. */
  async list(): Promise<SavedGraph[]> {
    const newest = new Map((await this.#store.list()).map((saved) => [saved.key, saved]));
    return [...newest.values()];
  }
  /** The newest first; none: there is no such graph. */
  versions(key: string): Promise<SavedGraph[]> {
    checkKey(key);
    return this.#store.versions(key);
  }
  async size(): Promise<number> {
    return (await this.list()).length;
  }

  /** With all its versions. False: there was none. */
  async delete(key: string): Promise<boolean> {
    checkKey(key);
    const isGone = (await this.#store.remove(key)) > 0;
    if (isGone) this.#events.emit('graph_deleted', key);
    return isGone;
  }
  /** With all its versions. False: there is none. @throws TaskConfigurationError where one is under the new name */
  async rename(from: string, to: string): Promise<boolean> {
    checkKey(from);
    checkKey(to);
    if (from === to) return (await this.#store.get(from)) !== undefined;
    if (await this.#store.get(to)) throw new TaskConfigurationError(`A graph is saved under ${JSON.stringify(to)} already. Delete it first, or take another name.`);
    const isRenamed = await this.#store.rename(from, to);
    if (isRenamed) this.#events.emit('graph_renamed', to, from);
    return isRenamed;
  }
  async clear(): Promise<void> {
    await this.#store.clear();
    this.#events.emit('graph_cleared');
  }

  on<Name extends keyof TaskGraphRepositoryEvents>(name: Name, listener: Listener<TaskGraphRepositoryEvents[Name]>): void {
    this.#events.on(name, listener as Listener<any>);
  }
  off<Name extends keyof TaskGraphRepositoryEvents>(name: Name, listener: Listener<TaskGraphRepositoryEvents[Name]>): void {
    this.#events.off(name, listener as Listener<any>);
  }
}

/** A name that a file can have too. */
function checkKey(key: unknown): void {
  if (typeof key !== 'string' || key === '' || key.length > 200) throw new TaskConfigurationError(`A graph is saved under a text of 1 to 200 characters, not ${JSON.stringify(key)}.`);
}

const summary = ({ key, version, savedAt }: SavedGraph): SavedGraph => ({ key, version, savedAt });
const byKey = (one: SavedGraph, other: SavedGraph): number => (one.key < other.key ? -1 : one.key > other.key ? 1 : one.version - other.version);

/** For as long as the page is there. */
export function memoryGraphStore(): GraphStore {
  const records = new Map<string, GraphRecord[]>();
  return {
    async add(key, document, savedAt, keep) {
      const former = records.get(key) ?? [];
      const version = (former.at(-1)?.version ?? 0) + 1;
      records.set(key, [...former, { key, version, savedAt, document }].slice(-keep));
      return version;
    },
    async get(key, version) {
      const found = records.get(key);
      const record = version === undefined ? found?.at(-1) : found?.find((one) => one.version === version);
      return record && structuredClone(record);
    },
    list: async () => [...records.values()].flat().map(summary).sort(byKey),
    versions: async (key) => (records.get(key) ?? []).map(summary).reverse(),
    async remove(key) {
      const { length } = records.get(key) ?? [];
      records.delete(key);
      return length;
    },
    async rename(from, to) {
      const moved = records.get(from);
      if (moved) records.set(to, moved.map((record) => ({ ...record, key: to })));
      return records.delete(from);
    },
    clear: async () => records.clear(),
  };
}

interface GraphDatabase extends DBSchema {
  graphs: { key: [string, number]; value: GraphRecord };
}

/** In IndexedDB, under a name of its own: all tabs of the origin see it. */
export function indexedDBGraphStore(name = 'holdfast-graphs'): GraphStore {
  let opening: Promise<IDBPDatabase<GraphDatabase>> | undefined;
  const open = () =>
    (opening ??= openDB<GraphDatabase>(name, 1, {
      upgrade: (database) => void database.createObjectStore('graphs', { keyPath: ['key', 'version'] }),
      // Another tab wants a newer version, or the browser ended it: it is opened again when it is needed.
      blocking: (_current, _blocked, event) => {
        opening = undefined;
        (event.target as IDBDatabase).close();
      },
      terminated: () => (opening = undefined),
    }).catch((error) => {
      opening = undefined;
      throw error;
    }));
  const ofKey = (key: string) => IDBKeyRange.bound([key, 0], [key, Number.MAX_SAFE_INTEGER]);
  const writing = async () => (await open()).transaction('graphs', 'readwrite', { durability: 'strict' });
  return {
    async add(key, document, savedAt, keep) {
      const { store, done } = await writing();
      const versions = (await store.getAllKeys(ofKey(key))).map(([, version]) => version);
      const version = (versions.at(-1) ?? 0) + 1;
      await store.put({ key, version, savedAt, document });
      for (const old of versions.slice(0, Math.max(0, versions.length + 1 - keep))) await store.delete([key, old]);
      await done;
      return version;
    },
    async get(key, version) {
      const database = await open();
      if (version !== undefined) return database.get('graphs', [key, version]);
      return (await database.transaction('graphs').store.openCursor(ofKey(key), 'prev'))?.value;
    },
    list: async () => (await (await open()).getAll('graphs')).map(summary),
    versions: async (key) => (await (await open()).getAll('graphs', ofKey(key))).map(summary).reverse(),
    async remove(key) {
      const { store, done } = await writing();
      const count = await store.count(ofKey(key));
      await store.delete(ofKey(key));
      await done;
      return count;
    },
    async rename(from, to) {
      const { store, done } = await writing();
      const moved = await store.getAll(ofKey(from));
      for (const record of moved) await store.put({ ...record, key: to });
      await store.delete(ofKey(from));
      await done;
      return moved.length > 0;
    },
    async clear() {
      await (await open()).clear('graphs');
    },
  };
}

/** As much of a directory handle as is needed: of the File System Access API, or of the origin's private file system. */
export interface GraphDirectory {
  getFileHandle(name: string, options?: { create?: boolean }): Promise<{ getFile(): Promise<Blob>; createWritable(): Promise<{ write(text: string): Promise<void>; close(): Promise<void> }> }>;
  removeEntry(name: string): Promise<void>;
  keys(): AsyncIterable<string>;
}

const fileName = ({ key, version }: Pick<SavedGraph, 'key' | 'version'>): string => `${encodeURIComponent(key)}.${version}.json`;

/** A file's name as key and version; undefined: it is none of ours. */
function ofFileName(name: string): { key: string; version: number } | undefined {
  const [, key, version] = /^(.+)\.([1-9]\d{0,9})\.json$/.exec(name) ?? [];
  try {
    return key === undefined ? undefined : { key: decodeURIComponent(key), version: Number(version) };
  } catch {
    return undefined;
  }
}

/**
 * In a directory that the user chose (`showDirectoryPicker()`): a file `name.version.json` for each version, which is the
 * document that any editor reads. Other files stay as they are.
 */
export function directoryGraphStore(directory: GraphDirectory): GraphStore {
  const found = async (): Promise<{ key: string; version: number }[]> => {
    const names: { key: string; version: number }[] = [];
    for await (const name of directory.keys()) {
      const one = ofFileName(name);
      if (one) names.push(one);
    }
    return names.sort((one, other) => byKey({ ...one, savedAt: 0 }, { ...other, savedAt: 0 }));
  };
  const ofKey = async (key: string) => (await found()).filter((one) => one.key === key);
  const read = async (one: { key: string; version: number }): Promise<Blob> => (await directory.getFileHandle(fileName(one))).getFile();
  // A file that is not closed is not there: its name comes with its last byte.
  const write = async (one: { key: string; version: number }, text: string): Promise<void> => {
    const file = await (await directory.getFileHandle(fileName(one), { create: true })).createWritable();
    await file.write(text);
    await file.close();
  };
  const saved = async (one: { key: string; version: number }): Promise<SavedGraph> => ({ ...one, savedAt: (await read(one) as File).lastModified ?? 0 });
  return {
    async add(key, document, _savedAt, keep) {
      const versions = await ofKey(key);
      const version = (versions.at(-1)?.version ?? 0) + 1;
      await write({ key, version }, JSON.stringify(document, undefined, 2));
      for (const old of versions.slice(0, Math.max(0, versions.length + 1 - keep))) await directory.removeEntry(fileName(old));
      return version;
    },
    async get(key, version) {
      const one = (await ofKey(key)).findLast((each) => version === undefined || each.version === version);
      return one && { ...(await saved(one)), document: JSON.parse(await (await read(one)).text()) };
    },
    list: async () => Promise.all((await found()).map(saved)),
    versions: async (key) => (await Promise.all((await ofKey(key)).map(saved))).reverse(),
    async remove(key) {
      const versions = await ofKey(key);
      for (const one of versions) await directory.removeEntry(fileName(one));
      return versions.length;
    },
    async rename(from, to) {
      const versions = await ofKey(from);
      for (const one of versions) await write({ key: to, version: one.version }, await (await read(one)).text());
      for (const one of versions) await directory.removeEntry(fileName(one));
      return versions.length > 0;
    },
    async clear() {
      for (const one of await found()) await directory.removeEntry(fileName(one));
    },
  };
}
