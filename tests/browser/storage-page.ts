/** The page's end of storage-chromium.ts: performs what a test asks for on real stores. */

import type { CopySlot, CopyStorage } from '../../js/storage/copy.ts';
import { indexedDB as indexedDBStorage } from '../../js/storage/indexeddb.ts';
import { local } from '../../js/storage/local.ts';
import { memory } from '../../js/storage/memory.ts';
import { mirror } from '../../js/storage/mirror.ts';
import { opfs } from '../../js/storage/opfs.ts';
import type { StorageEvent } from '../../js/storage.ts';
import { frame, inspect, textsIn } from '../storage/scenario.ts';

const recipes: Record<string, () => CopyStorage> = {
  opfs,
  local,
  memory,
  indexedDB: indexedDBStorage,
  mirror: () => mirror(opfs(), indexedDBStorage()),
};

interface Open {
  storage: CopyStorage;
  events: StorageEvent[];
}
const stores = new Map<number, Open>();
const slots: CopySlot[] = [];

function toText(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}
const toBytes = (text: string) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

async function onStore(request: any): Promise<unknown> {
  if (request.op === 'open') {
    const open: Open = { storage: recipes[request.recipe]!(), events: [] };
    stores.set(request.store, open);
    const { namespace, durability } = request;
    return open.storage.open({
      namespace,
      durability,
      inspect,
      onEvent: (event) => void open.events.push(plain(event)),
    });
  }
  const { storage } = stores.get(request.store)!;
  switch (request.op) {
    case 'check':
      return storage.check();
    case 'slotCount':
      return storage.slotCount();
    case 'occupiedSlots':
      return storage.occupiedSlots();
    case 'openSlot':
      return slots.push(await storage.openSlot(request.slot)) - 1;
    case 'closeStore':
      return storage.close();
  }
}

async function onSlot(slot: CopySlot, request: any): Promise<unknown> {
  switch (request.op) {
    case 'read':
      return toText(await slot.read());
    case 'truncate':
      return slot.truncate(request.length);
    case 'append':
      return slot.append(toBytes(request.bytes));
    case 'replace':
      return slot.replace(toBytes(request.bytes));
    case 'putBlob':
      return slot.putBlob(request.id, new Blob([toBytes(request.bytes)]));
    case 'copyBlobs':
      return slot.copyBlobs(slots[request.from]!, request.ids);
    case 'getBlob':
      return toText(new Uint8Array(await (await slot.getBlob(request.id)).arrayBuffer()));
    case 'deleteBlobs':
      return slot.deleteBlobs(request.ids);
    case 'blobIds':
      return slot.blobIds();
    case 'flush':
      return slot.flush();
    case 'close':
      return slot.close();
  }
}

const plain = (event: StorageEvent): StorageEvent =>
  'cause' in event ? { ...event, cause: String(event.cause) } : event;

async function perform(request: any) {
  const events = () => stores.get(request.store)?.events.splice(0) ?? [];
  try {
    const value = await ('handle' in request ? onSlot(slots[request.handle]!, request) : onStore(request));
    return { value, events: events() };
  } catch (thrown) {
    const error = thrown as { name: string; code: string; message: string };
    return { error: { name: error.name, code: error.code, message: error.message }, events: events() };
  }
}

Object.assign(window, { perform, recipes, frame, inspect, textsIn, stores, slots });
