import { defineTask, FatalError, type RunEvent, type TaskContext } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { type House } from './house.ts';
import { again, open } from './houses.ts';

/** What is kept, without waiting for more. */
async function kept(house: House, options: Parameters<House['orchestrator']['events']>[0] = {}): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  const stop = new AbortController();
  const reading = (async () => {
    for await (const event of house.orchestrator.events({ ...options, signal: stop.signal })) events.push(event);
  })();
  await house.clock.settle();
  stop.abort();
  await reading;
  return events;
}
const types = (events: readonly RunEvent[]) => events.map(({ type }) => type);

const steps = defineTask({ id: 'two steps', retry: { randomize: false }, run: async (_: null, ctx: TaskContext) => {
  await ctx.step('read', () => 1);
  if (ctx.attempt.number === 1) throw new Error('once');
  await ctx.step('write', () => 2);
  return 3;
} });

for (const storage of ['memory', undefined] as const) {
  const options = storage ? { storage } : {};
  describe(`the event log, ${storage ? 'in memory' : 'stored'}`, () => {
    it('T1: tells the whole story of a run in words, in order, with growing numbers', async () => {
      const house = await open(options);
      const startMs = house.clock.now();
      const run = house.orchestrator.trigger(steps, null);
      await house.clock.advance(1000);
      expect(await run.result()).toBe(3);
      const events = await kept(house, { runId: run.id });
      expect(types(events).filter((type) => type !== 'submitted')).toEqual([
        'created', 'started', 'stepRecorded', 'attemptFailed', 'retryScheduled', 'due', 'started', 'stepRecorded', 'succeeded',
      ]);
      expect(events.every(({ runId }) => runId === run.id)).toBe(true);
      const data = Object.fromEntries(events.map(({ type, data }) => [type, data]));
      expect(data).toMatchObject({
        created: { taskIdentifier: 'two steps' }, started: { attempt: 2 }, attemptFailed: { attempt: 1, outcome: 'failure' },
        retryScheduled: { failures: 1, dueAt: startMs + 1000 }, stepRecorded: { attempt: 2, step: 'write' }, succeeded: { attempt: 2 },
      });
      expect(events.find(({ type }) => type === 'stepRecorded')!.data).toEqual({ attempt: 1, step: 'read' });
      expect(events[0]!.at).toBe(startMs);
      expect(events.at(-1)!.at).toBe(startMs + 1000);
      const numbers = events.map(({ seq }) => seq);
      expect(numbers).toEqual([...new Set(numbers)].sort((one, other) => one - other));
    });

    it('T1: gives first what is kept, then what comes, by type and from a number on', async () => {
      const house = await open(options);
      await house.orchestrator.trigger(steps, null, { retry: { maxAttempts: 1 } }).wait();
      const live: string[] = [];
      const reading = (async () => {
        for await (const { type } of house.orchestrator.events({ types: ['started', 'succeeded', 'failed'] })) live.push(type);
      })();
      await house.clock.settle();
      expect(live).toEqual(['started', 'failed']);
      const next = house.orchestrator.trigger(defineTask({ id: 'fine', run: () => 1 }), null);
      await next.result();
      await house.clock.settle();
      expect(live).toEqual(['started', 'failed', 'started', 'succeeded']);
      const last = (await kept(house)).at(-1)!;
      expect(await kept(house, { since: last.seq - 1 })).toEqual([last]);
      await house.orchestrator.dispose();
      await reading;
    });

    it('T1: listeners of `event` hear what happens from now on, after the state it describes', async () => {
      const house = await open(options);
      const heard: string[] = [];
      house.orchestrator.on('event', ({ type, runId }) => {
        heard.push(type);
        if (type === 'succeeded') expect(house.orchestrator.getTaskState(runId!)!.status).toBe('completed');
        if (type === 'created') expect(house.orchestrator.getTaskState(runId!)!.durable).toBe(storage === undefined);
      });
      await house.orchestrator.trigger(defineTask({ id: 'fine', run: () => 1 }), null).result();
      await house.clock.settle();
      expect(heard.filter((type) => type !== 'submitted')).toEqual(['created', 'started', 'succeeded']);
    });

    it('C2: a run is an iterable of its events, which ends with it', async () => {
      const house = await open(options);
      const run = house.orchestrator.trigger(defineTask({ id: 'hopeless', run: () => Promise.reject(new FatalError('no')) }), null);
      const seen: string[] = [];
      for await (const { type } of run) seen.push(type);
      expect(seen.at(0)).toBe('created');
      expect(seen.at(-1)).toBe('failed');
      await run.retry();
      await house.clock.settle();
      const again: string[] = [];
      for await (const { type } of run) again.push(type);
      expect(again.filter((type) => type === 'failed')).toHaveLength(2);
    });

    it('T1: pause, resume, cancel and forget have their words', async () => {
      const house = await open(options);
      const run = house.orchestrator.trigger(steps, null, { delay: '1h' });
      const { id } = run;
      await run.accepted;
      await run.pause();
      await run.resume('restart');
      await run.cancel();
      await house.orchestrator.removeTask(id);
      const events = await kept(house, { runId: id });
      expect(types(events)).toEqual(expect.arrayContaining(['optionSet', 'paused', 'resumed', 'cancelled', 'forgotten']));
      expect(events.find(({ type }) => type === 'resumed')!.data).toEqual({ policy: 'restart' });
      expect(events.find(({ type }) => type === 'paused')!.data).toEqual({ kind: 'soft' });
      expect(events.find(({ type }) => type === 'cancelled')!.data).toEqual({ cause: 'asked' });
    });

    it('T1: an event stays with its run when the number of that goes to others', async () => {
      const house = await open(options);
      const ids: string[] = [];
      for (let round = 0; round < 3; round++) {
        const run = house.orchestrator.trigger(defineTask({ id: `round ${round}`, run: () => round }), null);
        await run.result();
        ids.push(run.id);
        if (round < 2) expect(await house.orchestrator.removeTask(run.id)).toBe(true);
      }
      for (const id of ids) expect(types(await kept(house, { runId: id })).slice(0, 3)).toEqual(['created', 'started', 'succeeded']);
      const created = (await kept(house)).filter(({ type }) => type === 'created');
      expect(created.map(({ runId }) => runId)).toEqual(ids);
    });

    it('T1: keeps the newest 50,000 and stays in order around the ring', async () => {
      const house = await open({ ...options, retention: { completed: { count: 1e9 } } });
      const trivial = defineTask({ id: 'trivial', run: () => 1 });
      const begunMs = house.clock.now();
      for (let round = 0; round < 19; round++) {
        const runs = Array.from({ length: 1000 }, (_, n) => house.orchestrator.trigger(trivial, null, { priority: n % 2 }));
        await Promise.all(runs.map((run) => run.result()));
        await house.clock.advance(10);
      }
      const events = await kept(house);
      expect(events).toHaveLength(50_000);
      for (let index = 1; index < events.length; index++) {
        expect(events[index]!.seq).toBe(events[index - 1]!.seq + 1);
        expect(events[index]!.at).toBeGreaterThanOrEqual(events[index - 1]!.at);
      }
      // Of a round each: 1,000 runs, every other of which says its priority.
      for (const [type, count] of [['created', 1000], ['optionSet', 500], ['started', 1000], ['succeeded', 1000]] as const) {
        const last = events.filter((event) => event.type === type && event.at === begunMs + 180);
        expect([type, last.length]).toEqual([type, count]);
      }
    });
  });
}

describe('the event log after a reload', () => {
  it('T1: what happened before is there under the same numbers, and goes on', async () => {
    const house = await open();
    const gone = house.orchestrator.trigger(steps, null, { retry: { maxAttempts: 1 } });
    await gone.wait();
    await house.orchestrator.removeTask(gone.id);
    const run = house.orchestrator.trigger(steps, null);
    await house.clock.settle();
    const before = await kept(house, { runId: run.id });
    const next = await again(house.crash());
    const after = await kept(next, { runId: run.id });
    expect(after.slice(0, before.length)).toEqual(before);
    await next.clock.advance(1000);
    expect(await next.orchestrator.attach(run.id)!.result()).toBe(3);
    const whole = await kept(next);
    expect(whole.every((event, index) => index === 0 || event.seq > whole[index - 1]!.seq)).toBe(true);
    expect(whole.filter(({ type }) => type === 'stepRecorded').map(({ data }) => data!.step)).toEqual(['read', 'write']);
    expect(whole.some(({ runId }) => runId === gone.id)).toBe(false);
  });

  it('T1: a compacted journal tells no state as a story; numbers still grow', async () => {
    const house = await open();
    const bulky = defineTask({ id: 'bulky', run: (text: string) => text.length });
    const keep = house.orchestrator.trigger(bulky, 'kept');
    await keep.result();
    for (let round = 0; round < 30; round++) {
      const runs = Array.from({ length: 50 }, () => house.orchestrator.trigger(bulky, 'x'.repeat(4000)));
      await Promise.all(runs.map((run) => run.result()));
      await Promise.all(runs.map((run) => house.orchestrator.removeTask(run.id)));
    }
    await house.clock.settle();
    expect((await house.orchestrator.journal!.slot.read()).length).toBeLessThan(5_000_000);
    const next = await again(house.crash());
    expect(await kept(next, { runId: keep.id })).toEqual([]);
    await next.orchestrator.trigger(bulky, 'more').result();
    const events = await kept(next);
    expect(types(events)).toContain('succeeded');
    expect(events.every((event, index) => index === 0 || event.seq > events[index - 1]!.seq)).toBe(true);
  });
});

describe('an event of a frame that is not acknowledged', () => {
  it('T1: is not shown before it is', async () => {
    const house = await open();
    const { slot } = house.orchestrator.journal!;
    let acknowledge!: () => void;
    const append = slot.append.bind(slot);
    Object.defineProperty(slot, 'append', { configurable: true, value: async (bytes: Uint8Array<ArrayBuffer>) => {
      await new Promise<void>((resolve) => (acknowledge = resolve));
      return append(bytes);
    } });
    house.orchestrator.trigger(defineTask({ id: 'fine', run: () => 1 }), null);
    expect(await kept(house)).toEqual([]);
    acknowledge();
    expect(types(await kept(house))).toContain('created');
    Reflect.deleteProperty(slot, 'append');
  });
});
