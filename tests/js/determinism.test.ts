/** `checkDeterminism`: durable code that asks the page's clock, chance or network itself hears of it. */
import { defineTask, type TaskContext } from 'holdfast';
import { expect, it, vi } from 'vitest';
import { name, open } from './houses.ts';

async function warningsOf(run: (ctx: TaskContext) => Promise<unknown>, options: object = { checkDeterminism: true }): Promise<string[]> {
  const house = await open(options);
  const warnings: string[] = [];
  house.orchestrator.on('warning', (message) => warnings.push(message));
  const handle = house.orchestrator.trigger(defineTask({ id: name('asks'), retry: { maxAttempts: 1 }, run: (_: null, ctx) => run(ctx) }), null);
  while (handle.status !== 'completed' && handle.status !== 'failed') {
    await house.clock.advance(10);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await handle.result();
  await house.orchestrator.dispose();
  return warnings;
}

const whatOf = (warnings: string[]) => warnings.map((warning) => /calls (\S+( Date\(\))?) outside/.exec(warning)?.[1]);

it('names each function that code asks outside of steps, before and after its awaits, with the place and what to use', async () => {
  vi.stubGlobal('fetch', async () => new Response('x'));
  const helper = async () => {
    await null;
    return Math.random();
  };
  const warnings = await warningsOf(async (ctx) => {
    Date.now();
    await ctx.step('one', () => 1);
    new Date();
    await ctx.sleep(5);
    await helper();
    performance.now();
    await Promise.all([1].map(async () => {
      await null;
      crypto.randomUUID();
    }));
    crypto.getRandomValues(new Uint8Array(1));
    await fetch('http://localhost/');
  });
  expect(whatOf(warnings).sort()).toEqual(['Date.now()', 'Math.random()', 'crypto.getRandomValues()', 'crypto.randomUUID()', 'fetch()', 'new Date()', 'performance.now()']);
  expect(warnings.find((warning) => warning.includes('Math.random'))).toMatch(/^Task "asks-\d+" \(run \S+\) calls Math\.random\(\) outside of a step at \S+determinism\.test\.ts:\d+:\d+\. .+: use ctx\.random\(\)\.$/);
});

it('says nothing of steps, of the verbs of ctx, of dates that are given, and tells a place once', async () => {
  vi.stubGlobal('fetch', async () => new Response('x'));
  const warnings = await warningsOf(async (ctx) => {
    await ctx.step('asks', async () => {
      await null;
      return [Date.now(), Math.random(), new Date(), (await fetch('http://localhost/')).status];
    });
    await ctx.map([1, 2], async () => Math.random());
    await ctx.scatter({ one: () => Date.now() });
    await ctx.fetch('http://localhost/');
    ctx.now();
    ctx.random();
    ctx.uuid();
    ctx.progress(5);
    new Date(5);
    expect(new Date()).toBeInstanceOf(Date);
    for (let round = 0; round < 3; round++) Date.now();
  });
  expect(whatOf(warnings)).toEqual(['new Date()', 'Date.now()']);
});

it('says nothing of a task that uses nothing durable, nor without the option, and gives everything back', async () => {
  const before = [Date, Date.now, Math.random, performance.now, globalThis.fetch, crypto.randomUUID];
  expect(await warningsOf(async () => Date.now())).toEqual([]);
  expect(await warningsOf(async (ctx) => [await ctx.step('one', () => 1), Date.now()], {})).toEqual([]);
  expect([Date, Date.now, Math.random, performance.now, globalThis.fetch, crypto.randomUUID]).toEqual(before);
  await expect(open({ checkDeterminism: 'yes' as never })).rejects.toThrow(/checkDeterminism must be true or false/);
});

it('P9: says where a child was asked for that nobody awaits', async () => {
  const child = defineTask({ id: name('child'), run: async () => 1 });
  const forgetful = async (ctx: TaskContext) => {
    await ctx.step('one', () => 1);
    void ctx.run(child, undefined);
    return 'done';
  };
  const told = (await warningsOf(forgetful)).filter((warning) => warning.includes('returned before'));
  expect(told).toEqual([expect.stringMatching(/returned before 1 of its children: child-\d+ \(run_\S+\), asked for at \S+determinism\.test\.ts:\d+:\d+\. It waits for them; await what ctx\.run returns\.$/)]);
  expect((await warningsOf(forgetful, {})).join()).toMatch(/children: child-\d+ \(run_\S+\)\. It waits/);
});

it('I5: what steps and children gave is frozen; code that changes it fails, and is named with the place and what to do', async () => {
  const child = defineTask({ id: name('gives'), run: async () => ({ list: [1] }) });
  const changes: [(ctx: TaskContext) => Promise<unknown>, RegExp][] = [
    [async (ctx) => void ((await ctx.step('open', () => ({ pages: [{ n: 1 }] }))).pages[0]!.n = 2), /at \S+determinism\.test\.ts:\d+:\d+: Cannot assign to read only property 'n'.+structuredClone\(value\)\.$/],
    [async (ctx) => void (await ctx.step('open', () => [3, 1])).sort(), /read only|not extensible/],
    [async (ctx) => void (await ctx.step('open', () => ({ map: new Map([[1, { n: 1 }]]) }))).map.set(2, { n: 2 }), /: set\(\) would change what step "open" gave\. It is frozen while checkDeterminism is on/],
    [async (ctx) => void (await ctx.step('open', () => new Set([1]))).clear(), /clear\(\) would change what step "open" gave/],
    [async (ctx) => void (await ctx.step('open', () => new Date(0))).setFullYear(2000), /setFullYear\(\) would change/],
    [async (ctx) => void (await ctx.run(child, undefined)).list.push(2), /not extensible/],
  ];
  for (const [change, words] of changes) {
    const house = await open({ checkDeterminism: true });
    const warnings: string[] = [];
    house.orchestrator.on('warning', (message) => warnings.push(message));
    const run = house.orchestrator.trigger(defineTask({ id: name('changes'), retry: { maxAttempts: 1 }, run: (_: null, ctx) => change(ctx) }), null);
    await expect(run.result()).rejects.toThrow(TypeError);
    expect(warnings).toEqual([expect.stringMatching(new RegExp(`^Task "changes-\\d+" \\(run ${run.id}\\) changes what a step or a child gave, at \\S+`))]);
    expect(warnings[0]).toMatch(words);
  }
});

it('I5: is copied, read, compared and given back as ever, and without the option it may be changed', async () => {
  const value = () => ({ list: [1], at: new Date(5), map: new Map([['a', 1]]), bytes: new Uint8Array([1, 2]), none: null });
  const code = async (ctx: TaskContext) => {
    const given = await ctx.step('open', value);
    given.bytes[0] = 7;
    const copy = structuredClone(given);
    copy.list.push(2);
    copy.map.set('b', 2);
    copy.at.setTime(6);
    return [given, copy, await ctx.step('again', () => given)];
  };
  const one = { ...value(), bytes: new Uint8Array([7, 2]) };
  for (const checkDeterminism of [true, false]) {
    const house = await open({ checkDeterminism });
    const run = house.orchestrator.trigger(defineTask({ id: name('reads'), run: (_: null, ctx) => code(ctx) }), null);
    expect(await run.result()).toEqual([one, { ...one, list: [1, 2], at: new Date(6), map: new Map([['a', 1], ['b', 2]]) }, one]);
  }
  expect(await warningsOf(async (ctx) => (await ctx.step('open', value)).list.push(2), {})).toEqual([]);
});
