/** File handles in inputs: kept as handles, asked for again where their file may not be read or is another one. */
import { defineTask, NotCloneableError, PayloadMismatchError, SerializationError, StorageFullError, StorageUnavailableError } from 'holdfast';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { databases, type HandleDatabase } from '../../js/blobs/handles.ts';
import { memory } from '../../js/storage/memory.ts';
import { closeLater, open } from './houses.ts';

/** The disk of a person, and what they allow. */
class FileSystemFileHandle {
  readonly kind = 'file';
  readonly name: string;
  file: File | undefined;
  permission: PermissionState = 'granted';

  constructor(name: string, content: string, lastModified = 77) {
    this.name = name;
    this.write(content, lastModified);
  }
  get [Symbol.toStringTag](): string {
    return 'FileSystemFileHandle';
  }
  write(content: string | Uint8Array<ArrayBuffer>, lastModified: number): void {
    this.file = new File([content], this.name, { type: 'text/plain', lastModified });
  }
  async getFile(): Promise<File> {
    if (!this.file) throw new DOMException('It is gone.', 'NotFoundError');
    return this.file;
  }
  async queryPermission(): Promise<PermissionState> {
    return this.permission;
  }
}
const handle = (...parts: ConstructorParameters<typeof FileSystemFileHandle>) => new FileSystemFileHandle(...parts);
type Given = globalThis.FileSystemFileHandle;

/** IndexedDB, as far as handles see it; it outlives every page. */
let rows: Map<string, any>;
const real = databases.open;
beforeEach(() => {
  rows = new Map();
  const database: HandleDatabase = {
    put: async (key, row) => rows.set(key, row), get: async (key) => rows.get(key), keys: async () => [...rows.keys()], delete: async (key) => rows.delete(key),
  };
  databases.open = async () => database;
});
afterEach(() => {
  databases.open = real;
});

const reads: string[] = [];
const read = defineTask({
  id: 'read handle',
  persistPayload: 'handle',
  retry: { maxAttempts: 1 },
  run: async ({ handle, file }: { handle: Given; file?: File }, ctx) => {
    const content = await handle.getFile();
    reads.push(`${content.name}: ${await content.text()}`);
    return ctx.step('both', async () => [await content.text(), file && (await file.text())]);
  },
});
const later = { delay: '1h' } as const;
beforeEach(() => {
  reads.length = 0;
});

/** The next page, when the run is due. */
async function nextPage(house: Awaited<ReturnType<typeof open>>) {
  const next = await house.crash();
  closeLater(next);
  await next.clock.advance(3_600_000);
  await vi.waitFor(() => expect(next.orchestrator.getAllTasks()[0]?.phase).toMatch(/completed|blocked/));
  return next;
}

describe('a file handle', () => {
  it('comes to the code as a handle, in this page and the next, and nothing of its file is stored', async () => {
    const house = await open();
    const mine = handle('a.txt', 'x'.repeat(200_000));
    expect(await house.orchestrator.run(read, { handle: mine as unknown as Given, file: new File(['copied'], 'b.txt') })).toEqual(['x'.repeat(200_000), 'copied']);
    const run = house.orchestrator.trigger(read, { handle: mine as unknown as Given }, later);
    await run.accepted;
    const next = await nextPage(house);
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual(['x'.repeat(200_000), undefined]);
    const { blobs } = await next.orchestrator.storageUsage();
    expect(blobs.bytes - 2 * 200_000).toBeLessThan(2000);
  });

  it.each([
    ['may not be read', (mine: FileSystemFileHandle) => void (mine.permission = 'prompt')],
    ['was changed', (mine: FileSystemFileHandle) => mine.write('CONTENT', 78)],
    ['is gone', (mine: FileSystemFileHandle) => void (mine.file = undefined)],
    ['was forgotten by the browser', () => rows.clear()],
  ])('whose file %s makes its run wait, until the file or a handle of it is given', async (_, happens) => {
    let house = await open();
    const mine = handle('a.txt', 'content');
    const runs = [1, 2].map(() => house.orchestrator.trigger(read, { handle: mine as unknown as Given }, later));
    await Promise.all(runs.map(({ accepted }) => accepted));
    happens(mine);
    house = await nextPage(house);
    const [run, other] = runs.map(({ id }) => house.orchestrator.attach(id)!);
    await vi.waitFor(() => expect(other!.state.missing).toBeDefined());
    expect(run!.state).toMatchObject({ status: 'paused', reason: 'missing-payload', missing: [{ name: 'a.txt', type: 'text/plain', size: 7, lastModified: 77 }] });
    expect(reads).toEqual([]);
    for (const wrong of [new File(['longer content'], 'a.txt', { lastModified: 77 }), handle('a.txt', 'CONTENT')])
      await expect(run!.provide(wrong as File)).rejects.toBeInstanceOf(PayloadMismatchError);
    expect(await run!.provide(new File(['content'], 'renamed.txt'))).toBe(true);
    expect(await run!.result()).toEqual(['content', undefined]);
    expect(await other!.provide(handle('moved.txt', 'content') as unknown as Given)).toBe(true);
    expect(await other!.result()).toEqual(['content', undefined]);
    expect(reads).toEqual(['renamed.txt: content', 'moved.txt: content']);
  });

  it('of a large file is known again by name, size and time alone', async () => {
    let house = await open();
    const large = 17 * 1024 * 1024;
    const mine = handle('large.bin', '');
    mine.write(new Uint8Array(large), 77);
    const run = house.orchestrator.trigger(defineTask({ id: 'size', persistPayload: 'handle', run: async ({ handle }: { handle: Given }) => (await handle.getFile()).size }), { handle: mine as unknown as Given }, later);
    const size = defineTask({ id: 'size', run: async ({ handle }: { handle: Given }) => (await handle.getFile()).size });
    await run.accepted;
    mine.permission = 'prompt';
    house = await house.crash({ tasks: [size] });
    closeLater(house);
    await house.clock.advance(3_600_000);
    const found = house.orchestrator.attach(run.id)!;
    await vi.waitFor(() => expect(found.state.missing).toMatchObject([{ name: 'large.bin', size: large, digest: undefined }]));
    const same = (lastModified: number) => new File([new Uint8Array(large)], 'large.bin', { lastModified });
    await expect(found.provide(same(78))).rejects.toMatchObject({ data: { differs: 'lastModified' } });
    expect(await found.provide(same(77))).toBe(true);
    expect(await found.result()).toBe(large);
  });

  it('is swept with its runs: those of other slots, and of records on their way, stay', async () => {
    const storage = memory();
    const house = await open({}, undefined, storage);
    const give = (name: string, options = {}) => house.orchestrator.trigger(read, { handle: handle(name, name) as unknown as Given }, options);
    const [gone, kept] = [give('gone'), give('kept', later)];
    await Promise.all([gone.result(), kept.accepted]);
    await house.orchestrator.removeTask(gone.id);
    rows.set('orphan', {});
    // Another slot, as of a tab that is gone and that nobody has taken over.
    const beside = new Proxy(storage, {
      get: (target, key) => {
        const value = Reflect.get(target, key);
        if (key === 'openSlot') return (slot: number) => target.openSlot(slot + 1);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const other = await open({ tasks: [read] }, undefined, beside);
    await other.orchestrator.run(read, { handle: handle('elsewhere', 'x') as unknown as Given });
    await other.clock.settle();
    // What the runs of the first slot want is not known there.
    expect(rows.size).toBe(4);
    await other.orchestrator.dispose();
    await (await storage.openSlot(1)).replace(new Uint8Array(0));
    const next = await house.crash();
    closeLater(next);
    await next.orchestrator.blobs.handles.keep(handle('new', 'new') as unknown as Given, 'input');
    await vi.waitFor(() => expect(rows.has('orphan')).toBe(false));
    expect([...rows.values()].map(({ given }) => given.name).sort()).toEqual(['kept', 'new']);
  });

  it('is refused where it can not be kept, with what to do, and nothing is accepted', async () => {
    const house = await open();
    const mine = handle('a.txt', 'content') as unknown as Given;
    expect(() => house.orchestrator.trigger(read, { handle: mine }, { persistPayload: 'copy' })).toThrow(NotCloneableError);
    expect(() => house.orchestrator.trigger(read, { handle: mine }, { persistPayload: 'copy' })).toThrow("persistPayload: 'handle'");
    const giving = defineTask({ id: 'giving', retry: { maxAttempts: 1 }, run: async () => mine });
    await expect(house.orchestrator.run(giving, null)).rejects.toBeInstanceOf(NotCloneableError);
    const removed = handle('b.txt', '');
    removed.file = undefined;
    await expect(house.orchestrator.trigger(read, { handle: removed as unknown as Given }).accepted).rejects.toThrow(SerializationError);
    const without = await open();
    databases.open = real;
    await expect(without.orchestrator.trigger(read, { handle: mine }).accepted).rejects.toBeInstanceOf(StorageUnavailableError);
    expect(without.orchestrator.getAllTasks()).toEqual([]);
  });

  it('that is given again and may not be read, or finds no room, is refused with what to do, and the run waits on', async () => {
    let house = await open();
    const run = house.orchestrator.trigger(read, { handle: handle('a.txt', 'content') as unknown as Given }, later);
    await run.accepted;
    rows.clear();
    house = await nextPage(house);
    const found = house.orchestrator.attach(run.id)!;
    const [forbidden, gone] = [handle('a.txt', 'content'), handle('a.txt', 'content')];
    forbidden.permission = 'prompt';
    gone.file = undefined;
    for (const given of [forbidden, gone]) {
      const error = await found.provide(given as unknown as Given).catch((thrown) => thrown);
      expect(error).toBeInstanceOf(SerializationError);
      expect(error.message).toContain('handle.requestPermission()');
    }
    const put = vi.spyOn(rows, 'set').mockImplementation(() => {
      throw new DOMException('no room', 'QuotaExceededError');
    });
    await expect(found.provide(new File(['content'], 'a.txt'))).rejects.toBeInstanceOf(StorageFullError);
    const refused = house.orchestrator.trigger(read, { handle: handle('b.txt', 'other') as unknown as Given });
    await expect(refused.accepted).rejects.toBeInstanceOf(StorageFullError);
    put.mockRestore();
    expect(found.state).toMatchObject({ status: 'paused', reason: 'missing-payload' });
    forbidden.permission = 'granted';
    expect(await found.provide(forbidden as unknown as Given)).toBe(true);
    expect(await found.result()).toEqual(['content', undefined]);
  });

  it('that can not be read from its database makes its run wait, and fails nothing', async () => {
    const house = await open();
    const get = vi.spyOn(rows, 'get').mockImplementation(() => {
      throw new DOMException('no disk', 'UnknownError');
    });
    const run = house.orchestrator.trigger(read, { handle: handle('a.txt', 'content') as unknown as Given });
    await vi.waitFor(() => expect(run.state).toMatchObject({ status: 'paused', missing: [{ name: 'a.txt' }] }));
    get.mockRestore();
    expect(await run.provide(new File(['content'], 'a.txt'))).toBe(true);
    expect(await run.result()).toEqual(['content', undefined]);
  });

  it.each([
    ['alone', {}],
    ['with files', { blobs: true }],
    ['past redact', { redact: (value: unknown) => value }],
  ])('is exported %s as what it stands for: where it is imported its run waits for the file', async (_, options) => {
    const house = await open();
    const run = house.orchestrator.trigger(read, { handle: handle('a.txt', 'content') as unknown as Given, file: new File(['beside'], 'b.txt') }, later);
    await run.accepted;
    const text = await new Response(await house.orchestrator.exportState(options)).text();
    expect(text).not.toContain(btoa('content'));
    rows.clear();
    const other = await open({ tasks: [read] }, house.clock);
    await other.orchestrator.importState(new Blob([text]), { unfinished: 'go' });
    await house.clock.advance(3_600_000);
    const found = other.orchestrator.attach(run.id)!;
    if (!('blobs' in options)) {
      expect(found.state.missing).toMatchObject([{ name: 'b.txt', size: 6 }]);
      expect(await found.provide(new File(['beside'], 'b.txt'))).toBe(true);
    }
    await vi.waitFor(() => expect(found.state.missing).toMatchObject([{ name: 'a.txt', size: 7, lastModified: 77 }]));
    expect(await found.provide(new File(['content'], 'a.txt'))).toBe(true);
    expect(await found.result()).toEqual(['content', 'beside']);
  });
});
