/** What every cache store keeps, whoever wrote it: run on each of them, in Node and in browsers. */
import type { Cache, CacheEntry } from 'holdfast';

export interface StoreUnderTest {
  /** A fresh one, with these limits and this time. */
  make(limits?: { maxEntries?: number; maxBytes?: number }): Promise<Cache>;
  clock: { nowMs: number };
}

export const entry = (value: unknown, parts: Partial<CacheEntry> = {}, nowMs = 0): CacheEntry => ({
  value,
  version: 1,
  createdAt: nowMs,
  ...parts,
  meta: { taskId: 'task', runId: 'run', durationMs: 1, bytes: 1, ...parts.meta },
});

/** A test is a name and what throws when it is not so; so that a browser page can run them without a test library. */
export type ContractTest = [name: string, run: (under: StoreUnderTest, check: Check) => Promise<void>];
export type Check = (actual: unknown, expected: unknown) => void;

export const contract: ContractTest[] = [
  ['gives what was put in, and nothing for a key it does not know', async ({ make }, check) => {
    const cache = await make();
    check(await cache.get('a'), undefined);
    const put = entry({ text: 'x' }, { expiresAt: 5, tags: ['t'], serialized: true, derived: { version: 1, value: [1] } });
    await cache.set('a', put);
    check(await cache.get('a'), put);
    check(await cache.get('b'), undefined);
    check(await cache.size(), 1);
  }],
  ['keeps by value: what is done to an entry before or after reaches nobody', async ({ make }, check) => {
    const cache = await make();
    const put = entry({ list: [1] });
    const setting = cache.set('a', put);
    put.value.list.push(2);
    await setting;
    const got = (await cache.get('a'))!;
    got.value.list.push(3);
    check((await cache.get('a'))!.value, { list: [1] });
  }],
  ['keeps exactly what the codec keeps', async ({ make }, check) => {
    const cache = await make();
    const value = { map: new Map<unknown, unknown>([[{ k: 1 }, new Set([2n])]]), date: new Date(5), bytes: new Uint8Array(100_000).fill(3), nothing: undefined, text: '\ud800' };
    await cache.set('a', entry(value));
    const got = (await cache.get('a'))!.value;
    check([...got.map], [...value.map]);
    check([got.date.getTime(), got.bytes.length, got.bytes[99_999], 'nothing' in got, got.text], [5, 100_000, 3, true, '\ud800']);
  }],
  ['keeps files, with name and type', async ({ make }, check) => {
    const cache = await make();
    await cache.set('a', entry({ file: new File(['hello'], 'a.txt', { type: 'text/plain', lastModified: 7 }), blobs: [new Blob(['x']), new Blob(['yz'])] }));
    const { file, blobs } = (await cache.get('a'))!.value;
    check([file.name, file.type, file.lastModified, await file.text()], ['a.txt', 'text/plain', 7, 'hello']);
    check(await Promise.all(blobs.map((blob: Blob) => blob.text())), ['x', 'yz']);
  }],
  ['replaces an entry of the same key', async ({ make }, check) => {
    const cache = await make();
    await cache.set('a', entry(1));
    await cache.set('a', entry(2));
    check([(await cache.get('a'))!.value, await cache.size()], [2, 1]);
  }],
  ['deletes, and says whether it was there', async ({ make }, check) => {
    const cache = await make();
    await cache.set('a', entry(1));
    check([await cache.delete('a'), await cache.delete('a'), await cache.get('a'), await cache.size()], [true, false, undefined, 0]);
  }],
  ['forgets an entry when its time is over', async ({ make, clock }, check) => {
    const cache = await make();
    await cache.set('a', entry(1), { ttl: 100 });
    await cache.set('b', entry(2));
    clock.nowMs += 99;
    check((await cache.get('a'))?.value, 1);
    clock.nowMs += 1;
    check([await cache.get('a'), await cache.size(), await cache.keys!()], [undefined, 1, ['b']]);
  }],
  ['clears by task, tag, prefix and all of them together', async ({ make }, check) => {
    const cache = await make();
    const fill = async () => {
      for (const [key, taskId, tags] of [['a/1', 'a', ['x']], ['a/2', 'a', ['y']], ['b/1', 'b', ['x']], ['b/12', 'b', []], ['@r/a/1', 'a', ['x']]] as const)
        await cache.set(key, entry(key, { tags, meta: { taskId, runId: '', durationMs: 0, bytes: 0 } }));
    };
    for (const [filter, gone] of [
      [{ task: 'a' }, 3], [{ tag: 'x' }, 3], [{ prefix: 'b/' }, 2], [{ prefix: '@r/' }, 1], [{ task: 'a', prefix: '1' }, 2], [{ task: 'b', tag: 'x' }, 1], [{ tag: 'z' }, 0], [{}, 5], [undefined, 5],
    ] as const) {
      await fill();
      check(await cache.clear(filter), gone);
      check(await cache.size(), 5 - gone);
    }
  }],
  ['clears what is older, by when it was created', async ({ make, clock }, check) => {
    const cache = await make();
    for (const n of [0, 1, 2]) {
      await cache.set(`${n}`, entry(n, {}, clock.nowMs));
      clock.nowMs += 100;
    }
    check(await cache.clearOlderThan(200), 1);
    check(await cache.keys!(), ['2', '1']);
    check(await cache.clearOlderThan(0), 2);
  }],
  ['lists keys, the last stored first, by a filter', async ({ make, clock }, check) => {
    const cache = await make();
    for (const key of ['a/1', 'b/1', 'a/2']) await cache.set(key, entry(1, { createdAt: clock.nowMs++, tags: ['t'], meta: { taskId: key[0]!, runId: '', durationMs: 0, bytes: 0 } }));
    check(await cache.keys!(), ['a/2', 'b/1', 'a/1']);
    check(await cache.keys!({ task: 'a' }), ['a/2', 'a/1']);
    check(await cache.keys!({ tag: 't', prefix: 'b' }), ['b/1']);
  }],
  ['drops the least recently used when there are too many, and says which', async ({ make, clock }, check) => {
    const cache = await make({ maxEntries: 2 });
    await cache.set('a', entry(1));
    clock.nowMs++;
    await cache.set('b', entry(2));
    clock.nowMs++;
    await cache.get('a');
    clock.nowMs++;
    check(await cache.set('c', entry(3)), { pruned: ['b'] });
    check([(await cache.get('a'))?.value, await cache.get('b'), (await cache.get('c'))?.value], [1, undefined, 3]);
  }],
  ['a look is no use', async ({ make, clock }, check) => {
    const cache = await make({ maxEntries: 2 });
    await cache.set('a', entry(1), { ttl: 100 });
    clock.nowMs++;
    await cache.set('b', entry(2));
    clock.nowMs++;
    check([(await cache.peek!('a'))?.value, await cache.peek!('c')], [1, undefined]);
    clock.nowMs++;
    check(await cache.set('c', entry(3)), { pruned: ['a'] });
    await cache.set('d', entry(4), { ttl: 1 });
    clock.nowMs++;
    check(await cache.peek!('d'), undefined);
  }],
  ['drops what is over before what is used', async ({ make, clock }, check) => {
    const cache = await make({ maxEntries: 2 });
    await cache.set('used', entry(1));
    clock.nowMs++;
    await cache.set('over', entry(2), { ttl: 10 });
    clock.nowMs += 10;
    check(await cache.set('c', entry(3)), { pruned: [] });
    check([(await cache.get('used'))?.value, await cache.size()], [1, 2]);
  }],
  ['holds its limit of bytes, files counted, and does not empty itself for one that is too large', async ({ make, clock }, check) => {
    const cache = await make({ maxBytes: 10_000 });
    for (const key of ['a', 'b', 'c']) {
      await cache.set(key, entry(new Blob([new Uint8Array(3_000)])));
      clock.nowMs++;
    }
    check(await cache.size(), 3);
    check(await cache.set('d', entry('x'.repeat(3_000))), { pruned: ['a'] });
    check(await cache.set('e', entry(new Blob([new Uint8Array(20_000)]))), { pruned: ['e'] });
    check([await cache.size(), await cache.get('e')], [3, undefined]);
    await cache.set('b', entry(new Blob([new Uint8Array(20_000)])));
    check([await cache.size(), await cache.get('b')], [2, undefined]);
  }],
  ['counts right after any history', async ({ make, clock }, check) => {
    const cache = await make({ maxEntries: 7, maxBytes: 3_000 });
    let seed = 42;
    const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
    for (let turn = 0; turn < 200; turn++) {
      clock.nowMs++;
      const key = `k${random(12)}`;
      const verb = random(10);
      if (verb < 6) await cache.set(key, entry('x'.repeat(random(900)), { tags: [`t${random(3)}`] }, clock.nowMs), random(4) === 0 ? { ttl: 20 } : {});
      else if (verb < 8) await cache.get(key);
      else if (verb === 8) await cache.delete(key);
      else await cache.clear({ tag: `t${random(3)}` });
      const keys = await cache.keys!();
      check([keys.length, keys.length <= 7], [await cache.size(), true]);
      let characters = 0;
      for (const one of keys) characters += (await cache.get(one))!.value.length;
      check(characters <= 3_000, true);
    }
    await cache.clear();
    check(await cache.size(), 0);
    for (let n = 0; n < 7; n++) check(await cache.set(`n${n}`, entry('x'.repeat(100))), { pruned: [] });
  }],
];
