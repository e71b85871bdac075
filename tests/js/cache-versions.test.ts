/** Code that changes: versions, migrations, select, serializers; for what is cached and for recorded results. */
import { defineTask } from 'holdfast';
import { memoryCache } from 'holdfast/cache';
import { Node as ProseMirrorNode, Schema } from 'prosemirror-model';
import { describe, expect, it } from 'vitest';
import { type CacheHouse, gate, open, PlainCache, watch } from './cache-house.ts';

/** The same task as code of another day. */
function day(spec: object): { task: any; calls: () => number } {
  let calls = 0;
  const { run = (input: unknown) => input, ...rest } = spec as { run?: (input: any) => unknown };
  const task = defineTask({ id: 'text', cache: true, ...rest, run: (input: any) => (calls++, run(input)) } as any);
  return { task, calls: () => calls };
}
const entriesOf = async ({ cache }: CacheHouse) => Promise.all((await cache.keys!()).map(async (key) => (await cache.get(key))!));

describe('J4: versions', () => {
  it('the seed’s case: text becomes text with metadata, and the cache is not lost', async () => {
    const house = await open();
    const old = day({ run: (url: string) => `text of ${url}` });
    await house.orchestrator.run(old.task, '/a');
    const migrations = { 1: (text: string, url: string) => ({ text, metadata: { url } }) };
    const now = day({ version: 2, migrations, run: () => { throw new Error('fetched again'); } });
    const run = house.orchestrator.trigger(now.task, '/a');
    expect(await run.result()).toEqual({ text: 'text of /a', metadata: { url: '/a' } });
    expect(house.told()).toEqual(['cache_miss absent', 'output_saved', 'output_retrieved', 'cache_migrated', 'cache_hit']);
    await house.clock.settle();
    expect(await entriesOf(house)).toMatchObject([{ version: 2, value: { text: 'text of /a', metadata: { url: '/a' } } }]);
    await house.orchestrator.run(now.task, '/a');
    expect(house.told()).toEqual(['output_retrieved', 'cache_hit']);
    expect([run.state.fromCache, now.calls()]).toEqual([true, 0]);
  });

  it('migrations run one after the other, also asynchronous ones, and what they get is a copy', async () => {
    const house = await open({ cache: new PlainCache() });
    await house.orchestrator.run(day({ run: () => ({ list: [1] }) }).task, 0);
    const push = (n: number) => async (output: any, input: any) => {
      output.list.push(n, input);
      return output;
    };
    const now = day({ version: '4.2', migrations: { 1: push(1), 2: push(2), 3: push(3) } });
    expect(await house.orchestrator.run(now.task, 0)).toEqual({ list: [1, 1, 0, 2, 0, 3, 0] });
    expect(house.events.find(({ name }) => name === 'cache_migrated')).toMatchObject({ from: 1, to: 4 });
  });

  it.each([
    ['a missing migration', { version: 3, migrations: { 1: () => 'x' } }, 'version', 'it was stored by version 1, the code is version 3'],
    ['no migrations', { version: 2 }, 'version', 'it was stored by version 1, the code is version 2'],
    ['one that throws', { version: 3, migrations: { 1: (a: string) => a, 2: () => { throw new Error('too old'); } } }, 'migration', 'the migration from version 2 threw Error: too old'],
    ['one that rejects', { version: 2, migrations: { 1: () => Promise.reject(new Error('too old')) } }, 'migration', 'the migration from version 1 threw Error: too old'],
    ['a result that today’s schema refuses', { version: 2, migrations: { 1: () => 7 }, output: (value: unknown) => { if (typeof value !== 'string') throw new Error('text!'); return value; } }, 'schema', 'text!'],
    ['a result that can not be stored', { version: 2, migrations: { 1: () => () => 1 } }, 'unreadable', 'stored output is a function'],
  ])('%s is a miss, with its reason; the task is run, and its output replaces the entry', async (_, spec, reason, detail) => {
    const house = await open();
    await house.orchestrator.run(day({}).task, 'old');
    house.told();
    const now = day({ ...spec, run: () => 'new' });
    expect(await house.orchestrator.run(now.task, 'old')).toBe('new');
    expect(house.events[0]).toMatchObject({ name: 'cache_miss', reason, detail: expect.stringContaining(detail) });
    expect(now.calls()).toBe(1);
    expect(await entriesOf(house)).toMatchObject([{ value: 'new', version: Number(spec.version) }]);
  });

  it('an entry of newer code is a miss, and older code leaves it alone', async () => {
    for (const cache of [true, 'write-only', 'refresh'] as const) {
      const house = await open();
      const newer = day({ version: 3, run: () => 'newer' });
      await house.orchestrator.run(newer.task, 1);
      house.told();
      const older = day({ version: 2, migrations: { 1: () => 'x' }, cache, run: () => 'older' });
      expect(await house.orchestrator.run(older.task, 1)).toBe('older');
      expect(house.told()).toEqual([cache === true ? 'cache_miss newer' : 'cache_miss mode']);
      expect(await entriesOf(house)).toMatchObject([{ value: 'newer', version: 3 }]);
      expect(await house.orchestrator.run(day({ version: 3 }).task, 1)).toBe('newer');
    }
  });

  it('a version that is no number only equals itself', async () => {
    const house = await open();
    await house.orchestrator.run(day({ version: 'beta', run: () => 'of beta' }).task, 1);
    expect(await house.orchestrator.run(day({ version: 'beta' }).task, 1)).toBe('of beta');
    expect(await house.orchestrator.run(day({ version: 'gamma', run: () => 'of gamma' }).task, 1)).toBe('of gamma');
    expect(await house.orchestrator.run(day({ version: 2, run: () => 'of 2' }).task, 1)).toBe('of 2');
  });

  it('minor versions are one: 2, "2" and "2.9.1"', async () => {
    const house = await open();
    await house.orchestrator.run(day({ version: 2, run: () => 'two' }).task, 1);
    for (const version of ['2', '2.9.1']) expect(await house.orchestrator.run(day({ version }).task, 1)).toBe('two');
  });

  it('in mode read-only a migrated entry answers and is not written back', async () => {
    const house = await open();
    await house.orchestrator.run(day({}).task, 'old');
    const now = day({ version: 2, cache: 'read-only', migrations: { 1: (text: string) => `${text}!` } });
    expect(await house.orchestrator.run(now.task, 'old')).toBe('old!');
    await house.clock.settle();
    expect(await entriesOf(house)).toMatchObject([{ version: 1, value: 'old' }]);
  });

  it('an entry keeps its age when it is migrated', async () => {
    const house = await open();
    const ttl = { ttl: '1h' };
    await house.orchestrator.run(day({ cache: ttl }).task, 'old');
    await house.clock.advance(40 * 60_000);
    const now = day({ version: 2, cache: ttl, migrations: { 1: (text: string) => `${text}!` }, run: () => 'new' });
    expect(await house.orchestrator.run(now.task, 'old')).toBe('old!');
    await house.clock.advance(21 * 60_000);
    expect(await house.orchestrator.run(now.task, 'old')).toBe('new');
  });
});

describe('J4: migrateAll', () => {
  it('migrates what can be, tells what can not, and touches nothing else', async () => {
    const house = await open();
    const { orchestrator } = house;
    const old = day({}).task;
    for (const input of ['a', 'b', 'bad']) await orchestrator.run(old, input);
    await orchestrator.run(defineTask({ id: 'other', cache: true, run: () => 1 }), null);
    const shout = (text: string) => {
      if (text === 'bad') throw new Error('no');
      return text.toUpperCase();
    };
    const now = day({ version: 2, migrations: { 1: (text: string) => shout(text) } });
    orchestrator.register(now.task);
    house.told();
    const report = await orchestrator.cache.migrateAll();
    expect(report).toEqual({ migrated: 2, upToDate: 0, failed: [{ key: expect.stringMatching(/^text\//), reason: 'migration', detail: 'the migration from version 1 threw Error: no' }] });
    expect(house.told()).toEqual(['cache_migrated', 'cache_migrated']);
    expect((await entriesOf(house)).filter(({ version }) => version === 2).map(({ value }) => value).sort()).toEqual(['A', 'B']);
    expect(await orchestrator.cache.migrateAll(now.task)).toMatchObject({ migrated: 0, upToDate: 2 });
    expect(await orchestrator.run(now.task, 'a')).toBe('A');
    expect(now.calls()).toBe(0);
  });

  it('leaves a migration that takes the input to the run that brings it', async () => {
    const { orchestrator } = await open();
    await orchestrator.run(day({}).task, 'a');
    const now = day({ version: 2, migrations: { 1: (text: string, input: string) => `${text}+${input}` } });
    orchestrator.register(now.task);
    expect(await orchestrator.cache.migrateAll('text')).toMatchObject({ migrated: 0, failed: [{ reason: 'migration', detail: expect.stringContaining('takes the input, which is not kept') }] });
    expect(await orchestrator.run(now.task, 'a')).toBe('a+a');
  });

  it('needs a store that can be listed, and a task that is known', async () => {
    const { orchestrator } = await open({ cache: new PlainCache() });
    const { task } = day({ version: 2, migrations: { 1: (text: string) => text } });
    orchestrator.register(task);
    await expect(orchestrator.cache.migrateAll()).rejects.toThrow('has no keys()');
    await expect(orchestrator.cache.migrateAll('nobody')).rejects.toThrow('No task "nobody" is registered');
  });
});

describe('J5: select', () => {
  const raw = (url: string) => ({ url, title: 'A', author: 'B' });

  it('what run returned is cached, what select makes of it is the output; another select fetches nothing anew', async () => {
    const house = await open();
    let fetched = 0;
    const fetchPost = (url: string) => (fetched++, raw(url));
    const first = defineTask({ id: 'post', cache: true, run: fetchPost, select: ({ title }) => title });
    const run = house.orchestrator.trigger(first, '/1');
    expect(await run.result()).toBe('A');
    expect(run.state.result).toBe('A');
    expect(await entriesOf(house)).toMatchObject([{ value: raw('/1') }]);
    const second = defineTask({ id: 'post', cache: true, run: fetchPost, select: async ({ title, author }) => ({ title, author }) });
    expect(await house.orchestrator.run(second, '/1')).toEqual({ title: 'A', author: 'B' });
    expect(fetched).toBe(1);
  });

  it('select is also called where nothing is cached, and its schema sees what it gave', async () => {
    const { orchestrator } = await open();
    const task = defineTask({ id: 'post', run: raw, select: ({ title }) => title, output: (title: string) => `${title}!` });
    expect(await orchestrator.run(task, '/1')).toBe('A!');
  });

  it('with a selectVersion what it made is kept, and made anew only when that changes', async () => {
    const house = await open();
    let selected = 0;
    const of = (selectVersion: number | undefined, select: (post: ReturnType<typeof raw>) => unknown) =>
      defineTask({ id: 'post', cache: true, run: raw, select: (post) => (selected++, select(post)), ...(selectVersion !== undefined && { selectVersion }) });
    const one = of(1, ({ title }) => ({ title }));
    await house.orchestrator.run(one, '/1');
    const again = await house.orchestrator.run(one, '/1');
    expect([again, selected]).toEqual([{ title: 'A' }, 1]);
    const two = of(2, ({ author }) => ({ author }));
    expect(await house.orchestrator.run(two, '/1')).toEqual({ author: 'B' });
    await house.clock.settle();
    expect(await house.orchestrator.run(two, '/1')).toEqual({ author: 'B' });
    expect(selected).toBe(2);
    expect(await entriesOf(house)).toMatchObject([{ value: raw('/1'), derived: { version: 2, value: { author: 'B' } } }]);
    const none = of(undefined, () => 'always');
    await house.orchestrator.run(none, '/1');
    await house.orchestrator.run(none, '/1');
    expect(selected).toBe(4);
  });

  it('migrations lead from raw to raw, then select sees the new one', async () => {
    const { orchestrator } = await open();
    await orchestrator.run(defineTask({ id: 'post', cache: true, run: raw, select: ({ title }) => title }), '/1');
    const migrations = { 1: (post: ReturnType<typeof raw>) => ({ post }) };
    const now = defineTask({ id: 'post', cache: true, version: 2, migrations, run: (url: string) => ({ post: raw(url) }), select: ({ post }) => post.author });
    expect(await orchestrator.run(now, '/1')).toBe('B');
  });

  it('what select does to what it gets stays with it; one that throws is a miss, and fails the attempt when it throws again', async () => {
    const house = await open({ cache: new PlainCache() });
    const changing = defineTask({ id: 'post', cache: true, run: raw, select: (post) => Object.assign(post, { title: `${post.title}!` }).title });
    expect(await house.orchestrator.run(changing, '/1')).toBe('A!');
    expect(await house.orchestrator.run(changing, '/1')).toBe('A!');
    house.told();
    const throwing = defineTask({ id: 'post', cache: true, retry: { maxAttempts: 1 }, run: raw, select: (): string => { throw new Error('no title'); } });
    await expect(house.orchestrator.run(throwing, '/1')).rejects.toThrow('no title');
    expect(house.told()).toEqual(['cache_miss select']);
  });
});

describe('J6: serializers', () => {
  const schema = new Schema({
    nodes: {
      doc: { content: 'block+' },
      paragraph: { group: 'block', content: 'text*', toDOM: () => ['p', 0] },
      heading: { group: 'block', content: 'text*', attrs: { level: { default: 1 } } },
      text: {},
    },
    marks: { strong: {} },
  });
  const document = (text: string) => schema.node('doc', null, [schema.node('heading', { level: 2 }, [schema.text(text, [schema.mark('strong')])]), schema.node('paragraph')]);
  const prosemirror = { serialize: (node: ProseMirrorNode) => node.toJSON(), deserialize: (json: object) => ProseMirrorNode.fromJSON(schema, json) };

  it.each([['a store that keeps bytes', () => memoryCache()], ['a plain map', () => new PlainCache()]])('ProseMirror nodes are outputs like any other: cached and recorded as JSON, given as nodes of the schema (%s)', async (_, make) => {
    for (const storage of [undefined, 'memory'] as const) {
      const house = await open({ cache: make(), ...(storage && { storage }) });
      let parsed = 0;
      const parse = defineTask({ id: 'parse', cache: prosemirror, run: (text: string) => (parsed++, document(text)) });
      const outputs = [await house.orchestrator.run(parse, 'Hi'), await house.orchestrator.run(parse, 'Hi')];
      for (const node of outputs) {
        expect(node).toBeInstanceOf(ProseMirrorNode);
        expect(node.type.schema).toBe(schema);
        expect(node.eq(document('Hi'))).toBe(true);
        node.check();
      }
      expect(outputs[0]).not.toBe(outputs[1]);
      expect(parsed).toBe(1);
    }
  });

  it('the result of a run outlives a reload, also where nothing is cached any more', async () => {
    const house = await open();
    const parse = defineTask({ id: 'parse', cache: { ...prosemirror, mode: 'off' }, run: (text: string) => document(text) });
    const run = house.orchestrator.trigger(parse, 'Hi');
    await run.result();
    const next = watch(await house.reload(), house.cache);
    const again = next.orchestrator.attach<ProseMirrorNode>(run.id)!;
    expect((await again.result()).textContent).toBe('Hi');
    expect(again.state.result!.eq(document('Hi'))).toBe(true);
    expect(await house.cache.size()).toBe(0);
  });

  it('one that throws costs the cache and tells it; the run succeeds', async () => {
    const house = await open();
    const options = { serialize: () => { throw new Error('too complicated'); }, deserialize: (stored: string) => stored };
    const task = defineTask({ id: 'task', cache: options, run: () => 'output' });
    const run = house.orchestrator.trigger(task, 1);
    expect(await run.result()).toBe('output');
    expect(run.state.result).toBe('output');
    expect(house.warnings).toEqual([expect.stringContaining('its output was not cached (Error: too complicated)')]);
    expect(house.told()).toEqual(['cache_miss absent']);
  });

  it('one that makes what can not be stored is told, and costs the cache only', async () => {
    const house = await open();
    const task = defineTask({ id: 'task', cache: { serialize: () => () => 1, deserialize: () => 'x' }, run: () => 'output' });
    expect(await house.orchestrator.run(task, 1)).toBe('output');
    expect(house.warnings).toEqual([expect.stringContaining('serialized output is a function')]);
  });

  it('an entry that deserialize can not read is a miss', async () => {
    const house = await open();
    await house.orchestrator.run(defineTask({ id: 'parse', cache: prosemirror, run: (text: string) => document(text) }), 'Hi');
    const other = { serialize: (node: ProseMirrorNode) => node.toJSON(), deserialize: (): ProseMirrorNode => { throw new RangeError('Unknown node type: doc'); } };
    house.told();
    const changed = defineTask({ id: 'parse', cache: other, retry: { maxAttempts: 1 }, run: (text: string) => document(text) });
    await expect(house.orchestrator.run(changed, 'Hi')).rejects.toThrow('Unknown node type: doc');
    expect(house.told()).toEqual(['cache_miss unreadable']);
  });

  it('migrations see the serialized form, which a schema of today might not read', async () => {
    const house = await open();
    await house.orchestrator.run(defineTask({ id: 'parse', cache: prosemirror, run: (text: string) => document(text) }), 'Hi');
    const today = new Schema({ nodes: { doc: { content: 'title' }, title: { content: 'text*' }, text: {} } });
    const now = defineTask({
      id: 'parse',
      version: 2,
      migrations: { 1: (json: any) => ({ type: 'doc', content: [{ type: 'title', content: [{ type: 'text', text: json.content[0].content[0].text }] }] }) },
      cache: { serialize: (node: ProseMirrorNode) => node.toJSON(), deserialize: (json: object) => ProseMirrorNode.fromJSON(today, json) },
      run: (): ProseMirrorNode => { throw new Error('parsed again'); },
    });
    const node = await house.orchestrator.run(now, 'Hi');
    expect([node.type.schema === today, node.firstChild!.type.name, node.textContent]).toEqual([true, 'title', 'Hi']);
  });
});

describe('J12: recorded results', () => {
  it('of older code are read through the migrations, in state, result() and wait(), without a cache', async () => {
    const house = await open();
    const old = day({ cache: undefined, run: (url: string) => `text of ${url}` });
    const run = house.orchestrator.trigger(old.task, '/a');
    await run.result();
    const next = watch(await house.reload(), house.cache);
    day({ cache: undefined, version: 2, migrations: { 1: async (text: string, url: string) => ({ text, url }) } });
    const again = next.orchestrator.attach(run.id)!;
    const expected = { text: 'text of /a', url: '/a' };
    expect(again.state.result).toBeUndefined();
    await next.clock.settle();
    expect(again.state.result).toEqual(expected);
    expect(await again.result()).toEqual(expected);
    expect(await again.wait()).toMatchObject({ ok: true, output: expected });
  });

  it('know the version of the code that made them, not of the code that accepted the run', async () => {
    const house = await open();
    const { opened } = gate();
    const stuck = defineTask({ id: 'late', version: 1, run: () => opened as Promise<unknown> });
    const run = house.orchestrator.trigger(stuck, null);
    await run.accepted;
    await house.clock.settle();
    defineTask({ id: 'late', version: 2, migrations: { 1: () => 'migrated' }, run: () => 'of version 2' });
    const next = watch(await house.crash(), house.cache);
    expect(await next.orchestrator.attach(run.id)!.result()).toBe('of version 2');
    const last = watch(await next.reload(), house.cache);
    defineTask({ id: 'late', version: 3, migrations: { 1: () => 'migrated', 2: (output: string) => `${output}, read by 3` }, run: () => '' });
    expect(await last.orchestrator.attach(run.id)!.result()).toBe('of version 2, read by 3');
  });

  it('that no migration reaches stay as they are; a migration that throws is an error of who asks', async () => {
    const house = await open();
    const old = day({ cache: undefined, run: () => 'old' });
    const run = house.orchestrator.trigger(old.task, 1);
    await run.result();
    const next = watch(await house.reload(), house.cache);
    day({ cache: undefined, version: 3, migrations: { 2: () => 'x' } });
    expect(await next.orchestrator.attach(run.id)!.result()).toBe('old');
    const last = watch(await next.reload(), house.cache);
    day({ cache: undefined, version: 2, migrations: { 1: () => { throw new Error('not any more'); } } });
    await expect(last.orchestrator.attach(run.id)!.result()).rejects.toThrow('not any more');
    expect(last.orchestrator.getTaskState(run.id)).toMatchObject({ status: 'completed' });
  });

  it('through a serializer say what is missing when its task is not registered', async () => {
    const house = await open();
    const box = { serialize: ({ n }: { n: number }) => n, deserialize: (n: number) => ({ n }) };
    const { task } = day({ id: 'boxed', cache: box, run: () => ({ n: 1 }) });
    const run = house.orchestrator.trigger(task, 1);
    await run.result();
    const next = watch(await house.reload(), house.cache);
    defineTask({ id: 'boxed', run: () => 1 });
    await expect(next.orchestrator.attach(run.id)!.result()).rejects.toThrow('was stored by the serializer of task "boxed"');
    expect(next.orchestrator.getTaskState(run.id)).toMatchObject({ status: 'completed', result: undefined });
  });

  it('damaged headers are errors of that run, and keep no list from being shown', async () => {
    const house = await open();
    const entry = { version: 2, run: () => 'x' };
    const run = house.orchestrator.trigger(day({ cache: undefined, ...entry }).task, 1);
    await run.result();
    const next = watch(await house.reload(), house.cache);
    const found = next.orchestrator.attach(run.id) as any;
    const { bytes, start } = found.outputPayload;
    bytes[start + 2] = 99;
    await expect(found.result()).rejects.toMatchObject({ code: 'SERIALIZATION' });
    expect(next.orchestrator.list().items).toMatchObject([{ status: 'completed', fromCache: false }]);
  });
});
