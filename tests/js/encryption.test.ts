/** Encryption at rest: nothing of what runs are about can be read without the key, and a wrong key loses nothing. */
import { defineTask, type Storage, type TaskState, type TestClock } from 'holdfast';
import { memoryCache } from 'holdfast/cache';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memory } from '../../js/storage/memory.ts';
import { crash, name, open } from './houses.ts';
import { Origin } from './origin.ts';

const newKey = (usages: KeyUsage[] = ['encrypt', 'decrypt']) => crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, usages) as Promise<CryptoKey>;

interface Secret {
  word: string;
  file?: File;
}

let gate: (() => void) | undefined;
let steps: string[];
beforeEach(() => {
  gate = undefined;
  steps = [];
});

const secrets = defineTask({
  id: 'task-of-secrets',
  run: async ({ word, file }: Secret, ctx) => {
    const first = await ctx.step('step-of-secrets', () => {
      steps.push(word);
      return `${word} in a step`;
    });
    await ctx.metadata.set('note', `${word} in a note`);
    if (word.startsWith('waits')) await new Promise<void>((resolve) => (gate = resolve));
    return { first, text: file && (await file.text()).slice(0, 20), copy: file };
  },
});
const secret = (word: string): Secret => ({ word, file: new File([`${word} in a file `.repeat(10_000)], `${word}.txt`) });

/** Everything that lies in the store, as text. */
async function raw(storage: Storage): Promise<string> {
  let text = '';
  for (const number of await storage.occupiedSlots()) {
    const slot = await storage.openSlot(number);
    text += Buffer.from(await slot.read()).toString('latin1');
    for (const id of await slot.blobIds()) text += `${id} ${Buffer.from(await (await slot.getBlob(id)).arrayBuffer()).toString('latin1')}`;
  }
  return text;
}

/** The code that waits has been reached: what it needed was decrypted, which is nobody's clock's time. */
async function begun(clock: TestClock): Promise<void> {
  while (!gate) {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.settle();
  }
}

const told = ({ status, phase, reason, taskIdentifier }: TaskState) => ({ status, phase, reason, taskIdentifier });

describe('encryption at rest', () => {
  it('leaves no word of inputs, files, steps, notes, results and errors, nor names and ids; with the key all is there', async () => {
    const key = await newKey();
    const house = await open({ encryption: { key } });
    const run = house.orchestrator.trigger(secrets, secret('hushhush'), { id: 'id-of-hushhush', name: 'name-of-hushhush', tags: ['tag-of-hushhush'], metadata: { about: 'hushhush' } });
    expect(await run.result()).toMatchObject({ first: 'hushhush in a step', text: 'hushhush in a file h' });
    const fails = defineTask({ id: name('fails'), retry: { maxAttempts: 1 }, run: () => Promise.reject(new Error('hushhush in an error')) });
    await house.orchestrator.trigger(fails, null).result().catch(() => {});
    const stored = await raw(house.storage);
    expect(stored.length).toBeGreaterThan(150_000);
    for (const word of ['hushhush', 'secrets', 'task-of', 'id-of', 'in a file', 'in an error']) expect(stored.includes(word), word).toBe(false);

    const next = await crash(house, { encryption: { key: async () => key } });
    const found = next.orchestrator.getTaskState('id-of-hushhush')!;
    expect(found).toMatchObject({ status: 'completed', name: 'name-of-hushhush', tags: ['tag-of-hushhush'] });
    expect(await (await next.orchestrator.attach('id-of-hushhush')!.result()).copy.text()).toContain('hushhush in a file');
  });

  it('names files by what only the key can compute: who guesses a content can’t see that it is there', async () => {
    const key = await newKey();
    const file = new File(['x'.repeat(100_000)], 'a.txt');
    const ids = async (options: object) => {
      const house = await open(options);
      await house.orchestrator.trigger(secrets, { word: 'a', file }).result();
      await house.orchestrator.trigger(secrets, { word: 'b', file: new File([file], 'b.txt') }).result();
      return house.orchestrator.journal!.slot.blobIds();
    };
    const digest = Buffer.from(await crypto.subtle.digest('SHA-256', await file.arrayBuffer())).toString('hex');
    expect(await ids({})).toEqual([digest.slice(0, 16)]);
    const [named, ...others] = await ids({ encryption: { key } });
    // Stored once, all the same.
    expect(others).toEqual([]);
    expect(digest).not.toContain(named);
    expect(await ids({ encryption: { key } })).toEqual([named]);
    expect(await ids({ encryption: { key: await newKey() } })).not.toEqual([named]);
  });

  it('shows runs of another key as locked, changes nothing of them, and goes on when that key is given', async () => {
    const [right, wrong] = [await newKey(), await newKey()];
    const house = await open({ encryption: { key: right } });
    const waits = house.orchestrator.trigger(secrets, secret('waits'));
    await house.orchestrator.trigger(secrets, secret('over')).result();
    await begun(house.clock);
    gate = undefined;
    const { orchestrator, clock, storage } = await crash(house, { encryption: { key: wrong } });
    const before = await raw(storage);
    expect(orchestrator.getAllTasks().map(told).sort((a, b) => a.status.localeCompare(b.status))).toEqual([
      { status: 'completed', phase: 'completed', reason: 'locked', taskIdentifier: 'locked' },
      { status: 'paused', phase: 'blocked', reason: 'locked', taskIdentifier: 'locked' },
    ]);
    expect(orchestrator.counts()).toMatchObject({ total: 2, paused: 1, completed: 1 });
    expect(orchestrator.storageState).toMatchObject({ status: 'locked', message: expect.stringContaining('2 runs are encrypted with another key') });
    const [locked] = orchestrator.getAllTasks();
    expect(orchestrator.why(locked!.id)).toContain('another key');
    expect(await orchestrator.removeTask(locked!.id)).toBe(false);
    // Who has lost the key can work all the same.
    await orchestrator.trigger(secrets, { word: 'meanwhile' }, { id: 'meanwhile' }).result();
    expect(await raw(storage)).toContain(before.slice(0, 200));

    expect(await orchestrator.unlock({ key: await newKey(), former: [await newKey()] })).toBe(2);
    expect(await orchestrator.unlock({ key: right })).toBe(0);
    expect(orchestrator.storageState.status).toBe('ok');
    await begun(clock);
    expect(orchestrator.getTaskState(waits.id)).toMatchObject({ status: 'running' });
    gate!();
    expect(await orchestrator.attach(waits.id)!.result()).toMatchObject({ first: 'waits in a step', text: 'waits in a file wait' });
    expect(steps.filter((word) => word === 'waits')).toHaveLength(1);
    expect(orchestrator.getTaskState('meanwhile')?.status).toBe('completed');
  });

  it('without a key is locked too, and a page with the key finds everything', async () => {
    const key = await newKey();
    const house = await open({ encryption: { key } });
    await house.orchestrator.trigger(secrets, secret('over'), { id: 'over' }).result();
    const without = await crash(house, { encryption: undefined });
    expect(without.orchestrator.getAllTasks().map(told)).toEqual([{ status: 'completed', phase: 'completed', reason: 'locked', taskIdentifier: 'locked' }]);
    expect(() => without.orchestrator.setOptions({ encryption: { key } })).toThrow('only when an orchestrator is made');
    await expect(without.orchestrator.unlock({ key })).rejects.toMatchObject({ code: 'CONFIGURATION' });
    await without.orchestrator.trigger(secrets, { word: 'plain' }, { id: 'plain' }).result();
    const { orchestrator } = await crash(without, { encryption: { key } });
    expect(orchestrator.getAllTasks().map(({ id }) => id).sort()).toEqual(['over', 'plain']);
    expect(orchestrator.storageState.status).toBe('ok');
  });

  it('reads what was stored before there was a key, and reseal leaves nothing of it plain', async () => {
    const house = await open();
    await house.orchestrator.trigger(secrets, secret('hushhush'), { id: 'before' }).result();
    const { orchestrator, storage } = await crash(house, { encryption: { key: await newKey() } });
    expect(orchestrator.getTaskState('before')?.status).toBe('completed');
    expect(await raw(storage)).toContain('hushhush in a file');
    await orchestrator.reseal();
    expect(await raw(storage)).not.toContain('hushhush');
    expect(await (await orchestrator.attach('before')!.result()).copy.text()).toContain('hushhush in a file');
  });

  it('changes its key while it runs: afterwards the new one alone opens everything', async () => {
    const [old, fresh] = [await newKey(), await newKey()];
    const house = await open({ encryption: { key: old } });
    await house.orchestrator.trigger(secrets, secret('before'), { id: 'before' }).result();
    expect(await house.orchestrator.unlock({ key: fresh })).toBe(0);
    await house.orchestrator.trigger(secrets, secret('between'), { id: 'between' }).result();
    await house.orchestrator.reseal();
    const { orchestrator } = await crash(house, { encryption: { key: fresh } });
    for (const id of ['before', 'between']) expect(await (await orchestrator.attach(id)!.result()).copy.text(), id).toContain(`${id} in a file`);
  });

  it('keeps cache entries sealed: keys, tags, values and files, and finds them by filter all the same', async () => {
    const key = await newKey();
    const inner = memoryCache();
    const seen: unknown[] = [];
    const cache = new Proxy(inner, {
      get: (target, property) => {
        const value = Reflect.get(target, property, target);
        return typeof value === 'function' ? (...args: unknown[]) => (seen.push(args), value.apply(target, args)) : value;
      },
    });
    let calls = 0;
    const cached = defineTask({
      id: name('cached-secrets'),
      cache: { tags: ['tag-of-hushhush'], key: (word: string) => word },
      run: async (word: string) => ({ word, calls: ++calls, file: new Blob([`${word} in a file`.repeat(1000)]) }),
    });
    const { orchestrator } = await open({ encryption: { key }, cache });
    await orchestrator.run(cached, 'hushhush 1');
    await orchestrator.run(cached, 'hushhush 2');
    expect(await orchestrator.run(cached, 'hushhush 1')).toMatchObject({ word: 'hushhush 1', calls: 1 });
    const given = JSON.stringify(seen, (_, value) => (ArrayBuffer.isView(value) ? Buffer.from(value as Uint8Array).toString('latin1') : value));
    expect(given.length).toBeGreaterThan(500);
    expect(given).not.toMatch(/hushhush|secrets|tag-of/);
    expect(await orchestrator.cache.keys()).toEqual([expect.stringContaining('hushhush 2'), expect.stringContaining('hushhush 1')]);
    expect((await orchestrator.cache.explain(cached, 'hushhush 3')).message).toContain('hushhush');
    expect(await orchestrator.cache.invalidate({ task: cached.id, prefix: 'hushhush 1' })).toBe(1);
    expect(await orchestrator.run(cached, 'hushhush 2')).toMatchObject({ calls: 2 });
    expect(await orchestrator.cache.invalidate({ tag: 'tag-of-hushhush' })).toBe(1);
    expect(await orchestrator.run(cached, 'hushhush 2')).toMatchObject({ calls: 3 });
  });

  it('refuses at the call what is no key, and says so when the function that gives one fails', async () => {
    await expect(open({ encryption: { key: 'secret' } as never })).rejects.toThrow('encryption.key');
    await expect(open({ encryption: {} as never })).rejects.toThrow('encryption.key');
    await expect(open({ encryption: { key: await newKey(['encrypt']) } })).rejects.toThrow('got one for encrypt');
    await expect(open({ encryption: { key: await newKey(), old: [] } as never })).rejects.toThrow('old');
    await expect(open({ encryption: { key: await newKey(), former: ['x'] as never } })).rejects.toThrow('former[0]');
    const house = await open({ encryption: { key: await newKey() } });
    await expect(house.orchestrator.unlock({ key: 7 as never })).rejects.toMatchObject({ code: 'CONFIGURATION' });
    await expect(open({ encryption: { key: () => Promise.reject(new Error('no passphrase')) } })).rejects.toThrow('no passphrase');
    await expect(open({ encryption: { key: (() => 'secret') as never } })).rejects.toMatchObject({ code: 'CONFIGURATION' });
  });
});

describe('encryption in several tabs', () => {
  let origin: Origin;
  beforeEach(() => {
    origin = new Origin();
  });
  afterEach(() => origin.close());

  it('a dead tab’s runs go on in one with its key, and are locked in one with another', async () => {
    const [key, other] = [await newKey(), await newKey()];
    const one = await origin.open({ encryption: { key } });
    const run = one.orchestrator.trigger(secrets, secret('waits'));
    await run.accepted;
    await begun(origin.clock);
    one.kill();
    gate = undefined;
    const wrong = await origin.open({ encryption: { key: other } });
    expect(wrong.orchestrator.getAllTasks().map(told)).toEqual([{ status: 'paused', phase: 'blocked', reason: 'locked', taskIdentifier: 'locked' }]);
    const right = await origin.open({ encryption: { key } });
    await begun(origin.clock);
    expect(right.orchestrator.getTaskState(run.id)).toMatchObject({ status: 'running', local: true });
    // The other one sees it go on there, and nothing that is locked any more.
    expect(wrong.orchestrator.getAllTasks().map(({ id, status, reason }) => ({ id, status, reason }))).toEqual([{ id: run.id, status: 'running', reason: undefined }]);
    expect(wrong.orchestrator.storageState.status).toBe('ok');
    gate!();
    expect(await right.orchestrator.attach(run.id)!.result()).toMatchObject({ first: 'waits in a step' });
    expect(steps).toEqual(['waits']);
  });
});

describe('a key that is changed', () => {
  const waits = defineTask({ id: 'waits-for-key', retry: { maxAttempts: 1 }, run: async ({ file, rows }: { file?: File; rows?: number[] }) => (file ? file.text() : rows!.length) });
  const settled = async (clock: TestClock, isSo: () => boolean) => {
    while (!isSo()) {
      await new Promise((resolve) => setImmediate(resolve));
      await clock.settle();
    }
  };

  it('before files were sealed anew makes runs wait for the former one, and fails none', async () => {
    const [former, next] = [await newKey(), await newKey()];
    let house = await open({ encryption: { key: former } });
    const file = new File(['kept '.repeat(20_000)], 'kept.txt');
    const rows = Array.from({ length: 40_000 }, (_, index) => index);
    const ids = ['file', 'rows', 'given'];
    const inputs = [{ file }, { rows }, { file: new File(['given '.repeat(20_000)], 'given.txt') }];
    const runs = ids.map((id, index) => house.orchestrator.trigger(waits, inputs[index]!, { id, delay: '1m' }));
    await Promise.all(runs.map(({ accepted }) => accepted));
    await house.orchestrator.unlock({ key: next });
    // Killed before reseal().
    house = await crash(house, { encryption: { key: next } });
    const { orchestrator, clock } = house;
    await clock.advance(61_000);
    await settled(clock, () => ids.every((id) => orchestrator.getTaskState(id)!.reason === 'missing-payload'));
    expect(orchestrator.getTaskState('file')).toMatchObject({ status: 'paused', missing: [{ name: 'kept.txt', size: file.size }] });
    // The person may help too.
    expect(await orchestrator.providePayload('given', inputs[2]!.file!)).toBe(true);
    expect(await orchestrator.attach('given')!.result()).toHaveLength(120_000);
    await expect(orchestrator.reseal()).rejects.toMatchObject({ code: 'STORAGE', message: expect.stringContaining('2 of 4 files stay as they are') });
    expect(await orchestrator.unlock({ key: next, former: [former] })).toBe(0);
    expect(await orchestrator.attach('file')!.result()).toHaveLength(100_000);
    expect(await orchestrator.attach('rows')!.result()).toBe(40_000);
    await orchestrator.reseal();
  });

  it('is told whether everything is sealed anew: reseal waits for a storage that fails, and names what stays', async () => {
    const [former, next] = [await newKey(), await newKey()];
    const house = await open({ encryption: { key: former } });
    const { orchestrator } = house;
    for (const letter of ['a', 'b', 'c']) await orchestrator.trigger(secrets, { word: letter, file: new File([letter.repeat(90_000)], letter) }, { id: letter }).result();
    const { inner } = orchestrator.journal!.slot as unknown as { inner: { replace(bytes: Uint8Array): Promise<void>; putBlob(id: string, blob: Blob): Promise<void> } };
    const [replace, putBlob] = [inner.replace.bind(inner), inner.putBlob.bind(inner)];
    inner.replace = () => Promise.reject(new Error('no disk'));
    const unlocking = orchestrator.unlock({ key: next });
    await settled(house.clock, () => orchestrator.storageState.status === 'failing');
    inner.replace = replace;
    await house.clock.advance(1000);
    expect(await unlocking).toBe(0);
    let puts = 0;
    inner.putBlob = (...args) => (++puts === 2 ? Promise.reject(new Error('no room')) : putBlob(...args));
    await expect(orchestrator.reseal()).rejects.toMatchObject({ message: expect.stringMatching(/1 of 3 files stay as they are \(no room\)/), data: { blobIds: [expect.any(String)] } });
    await orchestrator.reseal();
    expect(puts).toBe(4);
    const after = await crash(house, { encryption: { key: next } });
    for (const letter of ['a', 'b', 'c']) expect(await (await after.orchestrator.attach(letter)!.result()).copy.text()).toHaveLength(90_000);
  });
});
