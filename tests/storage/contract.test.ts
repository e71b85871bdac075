import { memory } from '../../js/storage/memory.ts';
import { opfs } from '../../js/storage/opfs.ts';
import { storageContract } from './contract.ts';
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
