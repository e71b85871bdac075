import { ConfigurationError, defineTask } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { openHouse } from './house.ts';
import { again, open } from './houses.ts';

describe('recovery', () => {
  const endless = defineTask({ id: 'endless', run: () => new Promise<number>(() => {}) });

  it('H4: manual leaves every unfinished run suspended until it is resumed, however many there are', async () => {
    const house = await open({ queues: { narrow: { concurrency: 3 } } });
    let started = 0;
    const counted = defineTask({ id: 'counted', run: async (n: number) => {
      started++;
      return n;
    } });
    const runs = Array.from({ length: 3000 }, (_, n) => house.orchestrator.trigger(endless, null, n % 2 ? { queue: 'narrow' } : {}));
    const delayed = house.orchestrator.trigger(counted, 1, { delay: '1m' });
    await Promise.all([...runs.map((run) => run.accepted), delayed.accepted]);
    house.orchestrator.register(defineTask({ id: 'endless', run: counted.spec.run as never }));
    const next = await again(house.reload({ recovery: { mode: 'manual' } }));
    await next.clock.advance(120_000);
    expect(started).toBe(0);
    expect(next.orchestrator.counts()).toMatchObject({ paused: 3001, total: 3001 });
    expect((await next.orchestrator.ready).kept).toHaveLength(3001);
    expect(await next.orchestrator.resumeTask(delayed.id)).toBe(true);
    expect(await next.orchestrator.resumeTask(runs[1]!.id)).toBe(true);
    await next.clock.advance(60_000);
    expect(started).toBe(2);
    await next.orchestrator.trigger(counted, 5, { queue: 'narrow' }).result();
    defineTask({ id: 'endless', run: endless.spec.run });
  });

  it('H4: stagger lets recovered runs start one after the other', async () => {
    const house = await open();
    const startsMs: number[] = [];
    const runs = Array.from({ length: 5 }, () => house.orchestrator.trigger(endless, null));
    await Promise.all(runs.map((run) => run.accepted));
    const startMs = house.clock.now();
    defineTask({ id: 'endless', run: async () => startsMs.push(house.clock.now() - startMs) });
    const next = await house.crash({ recovery: { stagger: '10s' } });
    await next.clock.advance(15_000);
    expect(startsMs).toEqual([0, 10_000]);
    expect(next.orchestrator.getTaskState(runs[3]!.id)).toMatchObject({ phase: 'blocked', reason: 'recovery' });
    expect(next.orchestrator.why(runs[3]!.id)).toMatch(/turn/);
    const last = await again(next.crash({ recovery: {} }));
    await last.clock.settle();
    expect(startsMs).toHaveLength(5);
    defineTask({ id: 'endless', run: endless.spec.run });
  });

  it('H4: the report names what became of each run', async () => {
    const house = await open();
    const own = defineTask({ id: 'own', run: () => 1 });
    const alien = { id: 'only here', spec: { id: 'only here', run: () => new Promise(() => {}) } };
    const done = house.orchestrator.trigger(own, null);
    const resumed = house.orchestrator.trigger(endless, null);
    const kept = house.orchestrator.trigger(own, null, { delay: '1h' });
    const ended = house.orchestrator.trigger(own, null, { delay: '1h', deadline: '2h' });
    const missing = house.orchestrator.trigger({ ...own, ...alien } as unknown as typeof own, null);
    await Promise.all([done.result(), resumed.accepted, ended.accepted, missing.accepted, kept.pause()]);
    await house.clock.settle();
    house.clock.jump(3 * 3_600_000);
    const next = await again(house.crash());
    expect(await next.orchestrator.ready).toMatchObject({
      resumed: [resumed.id], kept: [kept.id], ended: [ended.id], missingDefinition: [missing.id], failed: [],
    });
  });

  it('H4: a mode nobody knows is refused at the call', async () => {
    const bad = [{ mode: 'off' }, { mode: 'x' }, { stagger: -1 }, { modus: 'auto' }, 'auto'] as never[];
    for (const recovery of bad) await expect(openHouse({ recovery })).rejects.toThrow(ConfigurationError);
  });
});
