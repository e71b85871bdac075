/**
 * What is being drawn, kept on this device: the drawing, and which run is looked at. In IndexedDB, which outlives a
 * killed tab; what a page wrote into localStorage last may be gone.
 *
 * Invariant: writes are in order, and the last one counts; a browser without it draws all the same.
 */
import type { GraphDocument } from './graph-document.ts';

const kName = 'holdfast-demo-pipelines';
const kStore = 'drafts';

function opened(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(kName, 1);
    request.onupgradeneeded = () => void request.result.createObjectStore(kStore);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('blocked'));
  });
}

async function within<Value>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<Value>): Promise<Value> {
  const database = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(kStore, mode);
      const request = work(transaction.objectStore(kStore));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

/** As it was kept: to be checked like any file. undefined: none. */
export const storedDraft = (): Promise<unknown> => within('readonly', (store) => store.get('draft')).catch(() => undefined);

let writing: Promise<unknown> = Promise.resolve();

/** False: it could not be kept. */
export function storeDraft(document: GraphDocument): Promise<boolean> {
  const written = writing.then(() => within('readwrite', (store) => store.put(document, 'draft'))).then(() => true, () => false);
  writing = written;
  return written;
}
