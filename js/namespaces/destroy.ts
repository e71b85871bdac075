/**
 * Destroys a namespace: runs, logs, payloads, files, results, cache entries, marks and locks of it, in this browser.
 *
 *   marked (localStorage) → every tab told, until all have left the gate → stores deleted → marks deleted
 *
 * Invariants: nothing is deleted while a session is inside. Killed at any point it is finished by the next opening of
 * the namespace that finds the mark, or by calling it again. What belongs to other namespaces is not looked at.
 */
import { checkNames } from '../intake/checks.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { NamespaceInUseError, StorageBlockedError } from '../errors.ts';
import { storageName } from '../intake/storage-name.ts';
import type { Storage } from '../storage.ts';
import { nameOf, textOf } from '../storage/failures.ts';
import { pause, systemTimers, within } from '../storage/wait.ts';
import type { Duration } from '../types.ts';
import { destroyMessage, gateName, isMarked, markName } from './gate.ts';

export interface DestroyOptions {
  /** How long tabs of the namespace may take to let go of it. Default 10 s. */
  timeout?: Duration;
}

interface Emptied {
  /** One that was made by the application: it is emptied through its port. */
  storage?: Storage | undefined;
  timeoutMs?: number;
  /** Only what another destruction has begun and not ended. */
  finish?: boolean;
}

const defaultTimeoutMs = 10_000;
const sayAgainMs = 200;
const tryAgainMs = 100;
/** Files and databases whose tab is gone stay open for a moment. */
const releasedWithinMs = 10_000;

/** Of these the files are known by name; of any other nothing is but its port. */
const known = /^(opfs|indexedDB|localStorage|mirror\(.*\))$/;

/** @throws ConfigurationError */
export function destroyTimeout(options: DestroyOptions, where: string): number {
  checkNames(options, ['timeout'], where);
  return options.timeout === undefined ? defaultTimeoutMs : toMilliseconds(options.timeout, `${where} timeout`);
}

/**
 * Destroys a namespace, as `createOrchestrator({ namespace })` names it; there need be no orchestrator.
 * @throws ConfigurationError NamespaceInUseError StorageBlockedError
 */
export async function destroyNamespace(namespace: string, options: DestroyOptions = {}): Promise<void> {
  const timeoutMs = destroyTimeout(options, 'destroyNamespace');
  await destroyStored(storageName(namespace), { timeoutMs });
}

/** @param namespace as files are called @throws NamespaceInUseError StorageBlockedError */
export async function destroyStored(namespace: string, { storage, timeoutMs = defaultTimeoutMs, finish = false }: Emptied = {}): Promise<void> {
  if (!finish) markBegun(namespace);
  const letIn = await everybodyOut(namespace, timeoutMs);
  try {
    if (finish && !isMarked(namespace)) return;
    if (storage && !known.test(storage.name)) await emptyThroughPort(storage, namespace);
    await Promise.all([
      deleteFiles(namespace),
      deleteDatabase(`holdfast:${namespace}`),
      deleteDatabase(`holdfast:${namespace}:handles`),
      deleteDatabase(`holdfast-limits:${namespace}`),
      // The cache names its database by what it is given, which is our name already.
      deleteDatabase(`holdfast-cache:${storageName(namespace)}`),
    ]);
    deleteKeys(namespace);
  } finally {
    letIn();
  }
}

/** From here on who opens the namespace finishes this first. */
export function markBegun(namespace: string): void {
  ofKeys((keys) => keys.setItem(markName(namespace), '1'));
}

/** Resolves when no session of it is left; nobody comes in before what it gives is called. */
async function everybodyOut(namespace: string, timeoutMs: number): Promise<() => void> {
  const channel = typeof BroadcastChannel === 'function' ? new BroadcastChannel(`holdfast:${namespace}`) : undefined;
  const session = `destroys ${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  let over = false;
  const tell = () => {
    if (over) return;
    channel?.postMessage({ type: destroyMessage, session });
    systemTimers.after(sayAgainMs, tell);
  };
  tell();
  try {
    return await passAlone(namespace, timeoutMs);
  } finally {
    over = true;
    channel?.close();
  }
}

async function passAlone(namespace: string, timeoutMs: number): Promise<() => void> {
  // Where there are no locks nobody can be asked; files that are in use say so themselves.
  if (typeof navigator === 'undefined' || !navigator.locks) return () => {};
  const stop = new AbortController();
  const cancel = systemTimers.after(timeoutMs, () => stop.abort());
  try {
    return await new Promise<() => void>((resolve, reject) => {
      navigator.locks.request(gateName(namespace), { signal: stop.signal }, () => new Promise<void>((letIn) => resolve(letIn))).catch(reject);
    });
  } catch (cause) {
    if (!stop.signal.aborted) return () => {};
    throw new NamespaceInUseError(
      `A tab did not let go of the namespace within ${timeoutMs} ms; nothing of it was deleted yet. It is when the namespace is opened the next time, or when this is called again. Close the other tabs, or wake the one that is frozen.`,
      { cause },
    );
  } finally {
    cancel();
  }
}

async function emptyThroughPort(storage: Storage, namespace: string): Promise<void> {
  await storage.open({ namespace, durability: storage.durability, onEvent: () => {}, inspect: ({ length }) => ({ validBytes: length }) });
  try {
    const count = await storage.slotCount();
    for (let number = 0; number < count; number++) {
      const slot = await storage.openSlot(number);
      try {
        if ((await slot.read()).length > 0) await slot.replace(new Uint8Array(0));
        await slot.deleteBlobs(await slot.blobIds());
      } finally {
        await slot.close();
      }
    }
  } finally {
    await storage.close();
  }
}

async function deleteFiles(namespace: string): Promise<void> {
  if (typeof navigator === 'undefined' || typeof navigator.storage?.getDirectory !== 'function') return;
  const untilMs = systemTimers.nowMs() + releasedWithinMs;
  for (;;) {
    try {
      const root = await navigator.storage.getDirectory();
      const top = await root.getDirectoryHandle('holdfast');
      return await top.removeEntry(namespace, { recursive: true });
    } catch (error) {
      const name = nameOf(error);
      if (name === 'NotFoundError') return;
      // Private windows of Firefox and plain http have no such files.
      if (name === 'SecurityError') return;
      if (systemTimers.nowMs() > untilMs) throw new StorageBlockedError(`Files of the namespace can't be deleted (${textOf(error)}). Call this again.`, { cause: error });
    }
    await pause(tryAgainMs, systemTimers);
  }
}

function deleteDatabase(name: string): Promise<void> {
  if (typeof indexedDB === 'undefined') return Promise.resolve();
  const deleted = new Promise<void>((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = () => resolve();
    request.onerror = () => reject(new StorageBlockedError(`The database ${name} can't be deleted (${textOf(request.error)}). Call this again.`, { cause: request.error }));
  });
  return within(releasedWithinMs, systemTimers, deleted, () => new StorageBlockedError(`The database ${name} is kept open by a tab that does not answer. It is deleted when that is closed; call this again then.`));
}

/** The mark of the destruction goes last. */
function deleteKeys(namespace: string): void {
  ofKeys((keys) => {
    const mark = markName(namespace);
    const names = Array.from({ length: keys.length }, (_, index) => keys.key(index) ?? '');
    for (const name of names) if (name.startsWith(`holdfast:${namespace}:`) && name !== mark) keys.removeItem(name);
    keys.removeItem(mark);
  });
}

function ofKeys(use: (keys: globalThis.Storage) => void): void {
  try {
    if (typeof localStorage !== 'undefined') use(localStorage);
  } catch {
    // Blocked: then nothing of ours is in it either. Full: it is repeatable all the same.
  }
}
