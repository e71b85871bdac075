import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { indexedDB as indexedDBStorage } from '../../js/storage/indexeddb.ts';
import { local } from '../../js/storage/local.ts';
import { memory } from '../../js/storage/memory.ts';
import { mirror } from '../../js/storage/mirror.ts';
import { opfs } from '../../js/storage/opfs.ts';
import { storageContract } from './contract.ts';
import { FakeLocalStorage } from './fake-local.ts';
import { FakeDisk, threadlessWorker } from './fake-opfs.ts';
import { HandTimers } from './scenario.ts';

storageContract('memory()', () => ({ store: memory }), { persistent: false, blobBytes: 100_000 });

storageContract(
  'opfs()',
  () => {
    const disk = new FakeDisk();
    const timers = new HandTimers();
    return { store: () => opfs({ worker: () => threadlessWorker(disk, timers), timers }) };
  },
  { persistent: true, blobBytes: 9_000_000 },
);

storageContract(
  'indexedDB()',
  () => {
    globalThis.indexedDB = new IDBFactory();
    return { store: () => indexedDBStorage({ timers: new HandTimers() }) };
  },
  { persistent: true, blobBytes: 1_000_000 },
);

storageContract(
  'local()',
  () => {
    const values = new FakeLocalStorage();
    return { store: () => local(values) };
  },
  { persistent: true, blobBytes: 900_000 },
);

storageContract(
  'mirror(opfs(), indexedDB())',
  () => {
    globalThis.indexedDB = new IDBFactory();
    const disk = new FakeDisk();
    const timers = new HandTimers();
    const first = () => opfs({ worker: () => threadlessWorker(disk, timers), timers });
    return { store: () => mirror(first(), indexedDBStorage({ timers }), { timers }) };
  },
  { persistent: true, blobBytes: 1_000_000 },
);

storageContract(
  'mirror(indexedDB(), opfs())',
  () => {
    globalThis.indexedDB = new IDBFactory();
    const disk = new FakeDisk();
    const timers = new HandTimers();
    const second = () => opfs({ worker: () => threadlessWorker(disk, timers), timers });
    return { store: () => mirror(indexedDBStorage({ timers }), second(), { timers }) };
  },
  { persistent: true, blobBytes: 1_000_000 },
);

storageContract('mirror(memory(), memory())', () => ({ store: () => mirror(memory(), memory()) }), {
  persistent: false,
  blobBytes: 100_000,
});

// What a page opens first is read while it connects: the sentinel says which store is expected.
for (const [name, pair] of [
  ['opfs()', false],
  ['mirror(opfs(), indexedDB())', true],
] as const) {
  storageContract(
    `${name}, read ahead`,
    () => {
      globalThis.indexedDB = new IDBFactory();
      Object.assign(globalThis, { localStorage: new FakeLocalStorage() });
      const disk = new FakeDisk();
      const timers = new HandTimers();
      const first = () => opfs({ worker: () => threadlessWorker(disk, timers), timers });
      return { store: () => (pair ? mirror(first(), indexedDBStorage({ timers }), { timers }) : first()) };
    },
    { persistent: true, blobBytes: 1_000_000, ahead: 0 },
  );
}
