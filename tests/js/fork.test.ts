/** A fork takes over what another run has recorded up to a step, and goes on from there. */
import { ConfigurationError, defineTask, PayloadLostError, type Task } from 'holdfast';
import { afterEach, describe, expect, it } from 'vitest';
import { crash, name, open } from './houses.ts';

/** Steps that were computed. */
const done: string[] = [];
let broken = false;

afterEach(() => {
  done.length = 0;
  broken = false;
});

const child: Task<string, any, any> = defineTask({
  id: name('child'),
  run: (input: string) => {
    done.push(`child ${input}`);
    return `child of ${input}`;
  },
});

function task(): Task<string, any, any> {
  return defineTask({
    id: name('forked'),
    retry: { maxAttempts: 1 },
    run: async (input: string, ctx: any) => {
      const step = (label: string, value: unknown) =>
        ctx.step(label, () => {
          done.push(label);
          if (broken && label === 'third') throw new Error('broken');
          return value;
        });
      const first = await step('first', { input, at: new Date(7) });
      const now = await ctx.now();
      const second = await (await step('second', new Blob([`file of ${input}`]))).text();
      const made = await ctx.run(child, input);
      await ctx.sleep('1s');
      const third = await step('third', input.length);
      const last = await step('third', 'again');
      return { first, now, second, made, third, last };
    },
  });
}

const everything = (input: string) => ['first', 'second', `child ${input}`, 'third', 'third'];

async function ended(house: Awaited<ReturnType<typeof open>>, run: { wait(): Promise<any> }) {
  let isOver = false;
  const result = run.wait().finally(() => (isOver = true));
  // Files are read outside of the virtual clock.
  while (!isOver) {
    await house.clock.advance(500);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return result;
}

describe('A fork', () => {
  for (const storage of ['memory', undefined] as const)
    it(`computes from its step on and takes over what was recorded before it${storage ? ', in memory too' : ''}`, async () => {
      const house = await open(storage && { storage });
      const { orchestrator } = house;
      const work = task();
      const one = orchestrator.trigger(work, 'abc');
      const first = await ended(house, one);
      expect(done).toEqual(everything('abc'));
      const before = JSON.stringify(one.state);
      const fork = await orchestrator.runs.fork(one.id, { fromStep: 'third' });
      expect(fork.id).not.toBe(one.id);
      expect(fork.state.replayOf).toBe(one.id);
      const other = await ended(house, fork);
      expect(done.slice(5)).toEqual(['third', 'third']);
      expect(other.output).toEqual(first.output);
      expect(JSON.stringify(one.state)).toBe(before);
      const early = await orchestrator.runs.fork(one.id, { fromStep: 'second', input: 'other', name: 'named' });
      expect((await ended(house, early)).output).toMatchObject({ first: { input: 'abc', at: new Date(7) }, second: 'file of other', made: 'child of other', third: 5 });
      expect(early.state.name).toBe('named');
      expect(done.slice(7)).toEqual(everything('other').slice(1));
    });

  it('of a run that failed goes on where it failed, with the input that would have done', async () => {
    const house = await open();
    const work = task();
    broken = true;
    const one = house.orchestrator.trigger(work, 'abc');
    expect(await ended(house, one)).toMatchObject({ ok: false });
    broken = false;
    const fork = await house.orchestrator.runs.fork(one.id, { input: 'longer' });
    expect((await ended(house, fork)).output).toMatchObject({ first: { input: 'abc' }, third: 6, last: 'again' });
    expect(done).toEqual(['first', 'second', 'child abc', 'third', 'third', 'third']);
    expect(one.status).toBe('failed');
  });

  it('needs its origin no more: it goes on after a crash with the other run, its files and its child removed, and can be forked', async () => {
    let house = await open();
    const work = task();
    const one = house.orchestrator.trigger(work, 'abc');
    const first = await ended(house, one);
    const fork = await house.orchestrator.runs.fork(one.id, { fromStep: 'third', delay: '10s' });
    await fork.accepted;
    await house.orchestrator.removeTask(one.id);
    await house.clock.settle();
    await house.orchestrator.journal!.rewrite();
    house = await crash(house, { tasks: [work, child] });
    done.length = 0;
    await house.clock.advance(10_000);
    const again = house.orchestrator.attach(fork.id)!;
    expect((await ended(house, again)).output).toEqual(first.output);
    expect(done).toEqual(['third', 'third']);
    const second = await house.orchestrator.runs.fork(fork.id, { fromStep: 'second' });
    expect((await ended(house, second)).output).toMatchObject({ first: first.output.first, second: 'file of abc' });
    expect(done.slice(2)).toEqual(everything('abc').slice(1));
  });

  it('takes over many records and large ones: what lies beside the journal, and more than a value that stands in it may be', async () => {
    const house = await open();
    let computed = 0;
    const long = (n: number, length: number) => `${n}${'x'.repeat(length)}`;
    const work = defineTask({ id: name('long'), run: async (count: number, ctx) => {
      for (let n = 0; n < count; n++) await ctx.step(`inline ${n}`, () => (computed++, long(n, 50_000)));
      const beside = await ctx.step('beside', () => (computed++, long(0, 200_000)));
      return ctx.step('last', () => beside.length);
    } });
    const one = house.orchestrator.trigger(work, 30);
    expect(await one.result()).toBe(200_001);
    const fork = await house.orchestrator.runs.fork(one.id, { fromStep: 'last' });
    await fork.accepted;
    await house.orchestrator.removeTask(one.id);
    const next = await crash(house);
    expect(await next.orchestrator.attach(fork.id)!.result()).toBe(200_001);
    expect(computed).toBe(31);
  });

  it('is refused for a step that is not recorded, a child that is gone and a run that is not there, and nothing is created', async () => {
    const house = await open();
    const { orchestrator } = house;
    const one = orchestrator.trigger(task(), 'abc');
    await ended(house, one);
    const count = orchestrator.getAllTasks().length;
    await expect(orchestrator.runs.fork(one.id, { fromStep: 'fourth' })).rejects.toThrow('Recorded are: first, second');
    await expect(orchestrator.runs.fork('nobody', {})).rejects.toThrow(ConfigurationError);
    await expect(orchestrator.runs.fork(one.id, { fromStep: 5 as any })).rejects.toThrow(ConfigurationError);
    await expect(orchestrator.runs.fork(one.id, { step: 'first' } as any)).rejects.toThrow('no option "step"');
    await expect(orchestrator.runs.fork(one.id, { idempotencyKey: 'a' } as any)).rejects.toThrow('no option "idempotencyKey"');
    expect(orchestrator.getAllTasks()).toHaveLength(count);
    await orchestrator.removeTask(orchestrator.getAllTasks().find(({ parentId }) => parentId === one.id)!.id);
    await expect(orchestrator.runs.fork(one.id)).rejects.toThrow(PayloadLostError);
    expect(await orchestrator.runs.fork(one.id, { fromStep: 'second' })).toMatchObject({ isCached: false });
  });
});

it('A fork from a wait for an event waits for it again, by the name of the event', async () => {
  const house = await open();
  const waits = defineTask({ id: name('waits'), run: (_: null, ctx) => ctx.waitFor('go').unwrap() });
  const run = house.orchestrator.trigger(waits, null);
  await house.clock.settle();
  await run.signal('go', 1);
  expect(await ended(house, run)).toMatchObject({ output: 1 });
  const fork = await house.orchestrator.runs.fork(run.id, { fromStep: 'go' });
  await house.clock.settle();
  await fork.signal('go', 2);
  expect(await ended(house, fork)).toMatchObject({ output: 2 });
});
