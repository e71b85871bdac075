import { ConfigurationError, defineTask, PayloadTooLargeError, type TaskContext, TestClock } from 'holdfast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { again, closeHouses, open } from './houses.ts';

let prototype: string[];
beforeEach(() => {
  prototype = Reflect.ownKeys(Object.prototype).map(String);
});
afterEach(async () => {
  await closeHouses();
  expect(Reflect.ownKeys(Object.prototype).map(String), 'S4: Object.prototype is as it was').toEqual(prototype);
});

const echo = defineTask({ id: 'echo', run: (value: unknown) => value });
const treacherous = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf'];

describe('values', () => {
  it('H3: more than 1 MiB inline is refused at the call; as a result or a step it fails the run; large bytes are stored beside', async () => {
    const { orchestrator } = await open();
    const large = 'x'.repeat(1024 * 1024 + 1);
    expect(() => orchestrator.trigger(echo, large)).toThrow(PayloadTooLargeError);
    expect(() => orchestrator.trigger(echo, 1, { metadata: { large } })).toThrow(PayloadTooLargeError);
    expect(orchestrator.getAllTasks()).toEqual([]);
    const result = defineTask({ id: 'large result', run: () => large });
    expect(await orchestrator.trigger(result, null).wait()).toMatchObject({ ok: false, attempts: 1, error: { code: 'PAYLOAD_TOO_LARGE' } });
    const step = defineTask({ id: 'large step', run: (_: null, ctx: TaskContext) => ctx.step('large', () => large) });
    expect(await orchestrator.trigger(step, null).wait()).toMatchObject({ ok: false, attempts: 1, error: { code: 'PAYLOAD_TOO_LARGE' } });
    const bytes = new Uint8Array(5 * 1024 * 1024).fill(7);
    const stored = (await orchestrator.trigger(echo, bytes).result()) as Uint8Array;
    expect(stored.length === bytes.length && stored.every((byte) => byte === 7)).toBe(true);
  });

  it('H5: a view of a large buffer is stored as what it shows', async () => {
    const house = await open();
    const buffer = new WebAssembly.Memory({ initial: 16 }).buffer;
    const view = new Uint8Array(buffer, 40, 1).fill(9);
    const run = house.orchestrator.trigger(echo, view);
    await run.result();
    expect((await house.orchestrator.journal!.slot.read()).length).toBeLessThan(2000);
    const next = await again(house.crash());
    expect(next.orchestrator.getTaskState(run.id)!.result).toEqual(new Uint8Array([9]));
  });

  it('H7: names of Object.prototype are names like others, as id, task, name, queue, step and metadata key', async () => {
    const queues = Object.fromEntries(treacherous.filter((name) => name !== '__proto__').map((name) => [name, { concurrency: 1 }]));
    const house = await open({ queues });
    const { orchestrator } = house;
    expect(orchestrator.getTaskState('__proto__')).toBeUndefined();
    expect(orchestrator.attach('constructor')).toBeUndefined();
    for (const name of treacherous) {
      const task = defineTask({ id: name, run: (input: unknown, ctx: TaskContext) => ctx.step(name, () => ({ input, metadata: ctx.metadata })) });
      const metadata = JSON.parse(`{ "${name}": { "polluted": true } }`);
      const run = orchestrator.trigger(task, JSON.parse(`{ "${name}": 1 }`), { id: name, name, metadata, queue: { name, concurrency: 1 } });
      const result = (await run.result()) as { input: object; metadata: object };
      expect(Object.entries(result.input)).toEqual([[name, 1]]);
      expect(Object.entries(result.metadata)).toEqual([[name, { polluted: true }]]);
      expect(() => orchestrator.trigger(task, null, { id: name })).toThrow(/already/);
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    const next = await again(house.crash());
    for (const name of treacherous) {
      const state = next.orchestrator.getTaskState(name)!;
      expect(state).toMatchObject({ id: name, name, taskIdentifier: name, status: 'completed' });
      expect(Object.keys(state.metadata)).toEqual([name]);
    }
    expect(next.orchestrator.list({ taskIdentifier: '__proto__' }).items).toHaveLength(1);
  });

  it('H8: ids are 1 to 128 bytes of well-formed text, or refused; others come back exactly', async () => {
    const house = await open();
    const { orchestrator } = house;
    const good = ['-0', '0', '9007199254740993', '😀'.repeat(32), 'a\u0000b', '\u202etxt', 'é', ' ', 'x'.repeat(128), 'null', '/', '\n'];
    const bad = ['', 'x'.repeat(129), '😀'.repeat(33), '\ud800', 'a\udc00b', 'x'.repeat(1_000_000), 5, null, {}, Symbol('id')] as string[];
    for (const id of bad) {
      expect(() => orchestrator.trigger(echo, null, { id }), String(id).slice(0, 20)).toThrow(ConfigurationError);
      expect(() => defineTask({ id, run: () => 1 }), String(id).slice(0, 20)).toThrow(ConfigurationError);
      expect(() => orchestrator.trigger(echo, null, { queue: { name: id } })).toThrow(ConfigurationError);
    }
    await Promise.all(good.map((id) => orchestrator.trigger(echo, id, { id }).result()));
    const next = await again(house.crash());
    for (const id of good) expect(next.orchestrator.getTaskState(id)).toMatchObject({ id, result: id });
    expect(next.orchestrator.counts().total).toBe(good.length);
  });

  it('H8: names and texts of any kind come back exactly; what is too large is refused', async () => {
    const house = await open();
    const texts = ['', '\ud800 alone', 'a\u0000b', '😀', '\u202eevil', '-0', 'x'.repeat(60_000)];
    const runs = texts.map((text) => house.orchestrator.trigger(echo, text, { name: text, metadata: { text } }));
    await Promise.all(runs.map((run) => run.result()));
    expect(() => house.orchestrator.trigger(echo, null, { name: 'x'.repeat(2_000_000) })).toThrow(/name|run/);
    const next = await again(house.crash());
    runs.forEach(({ id }, index) => {
      const text = texts[index]!;
      expect(next.orchestrator.getTaskState(id)).toMatchObject({ name: text, result: text, metadata: { text } });
    });
  });

  it('H9: odd values of input, step, result and metadata are equal after a crash', async () => {
    const shared = { a: 1 };
    const odd = {
      negativeZero: -0, nan: Number.NaN, infinite: Number.NEGATIVE_INFINITY, big: -(2n ** 200n), date: new Date(5), never: new Date(Number.NaN),
      map: new Map<unknown, unknown>([[{ key: 1 }, new Set([Number.NaN])], [Number.NaN, -0]]), missing: undefined, nothing: null,
      bytes: new Float64Array([-0, Number.NaN]), pattern: /a\/b/giu, error: new RangeError('out'), twice: [shared, shared],
    };
    const house = await open();
    const task = defineTask({ id: 'odd', run: async (value: typeof odd, ctx: TaskContext) => ({ value, step: await ctx.step('odd', () => odd) }) });
    const run = house.orchestrator.trigger(task, odd, { metadata: { odd } });
    await run.result();
    const next = await again(house.crash());
    const state = next.orchestrator.getTaskState(run.id)!;
    expect(state.result).toEqual({ value: odd, step: odd });
    expect(state.metadata).toEqual({ odd });
    const { value } = state.result as { value: typeof odd };
    expect(Object.is(value.negativeZero, -0) && Object.is([...value.map.values()][1], -0)).toBe(true);
    expect(value.twice[0]).toBe(value.twice[1]);
    expect('missing' in value).toBe(true);
  });
});
