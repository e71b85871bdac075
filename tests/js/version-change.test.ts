/** J12: runs that code of another version began. */
import { ConfigurationError, defineTask, type RunHandle, VersionChangedError } from 'holdfast';
import { describe, expect, it } from 'vitest';
import type { House } from './house.ts';
import { crashAndSettle, name, open } from './houses.ts';

/** Virtual time does not wait for code that is being loaded. */
async function asleep({ clock }: House, run: RunHandle): Promise<void> {
  while (run.state.phase !== 'waiting') await clock.settle();
}

/** A run that has recorded one step and waits in the second when its tab dies; `next` is what the code is then. */
async function changed(id: string, next: object) {
  const told: string[] = [];
  const house = await open();
  const first = defineTask({ id, version: 1, run: async (n: number, ctx) => {
    await ctx.step('one', () => told.push('one of 1'));
    await ctx.sleep('1h');
    return n;
  } });
  const run = house.orchestrator.trigger(first, 20);
  await run.accepted;
  await house.clock.settle();
  defineTask({ id, version: 2, ...next, run: async (n: number, ctx: any) => {
    await ctx.step('one', () => told.push('one of 2'));
    await ctx.sleep('1h');
    return { doubled: 2 * n };
  } } as any);
  const again = await crashAndSettle(house);
  return { told, house: again, run: again.orchestrator.attach(run.id)! };
}

describe('J12: a run that another version began', () => {
  it('goes on from its last step by default', async () => {
    const { told, house, run } = await changed(name('replay'), {});
    await house.clock.advance(3_600_000);
    expect(await run.result()).toEqual({ doubled: 40 });
    expect(told).toEqual(['one of 1']);
  });

  it('begins anew with `restart`, once: a further crash goes on with what today’s code recorded', async () => {
    const { told, house, run } = await changed(name('restart'), { onVersionChange: 'restart' });
    await asleep(house, run);
    expect(told).toEqual(['one of 1', 'one of 2']);
    expect(run.state.retryCount).toBe(0);
    const last = await crashAndSettle(house);
    await asleep(last, last.orchestrator.attach(run.id)!);
    await last.clock.advance(3_600_000);
    expect(await last.orchestrator.attach(run.id)!.result()).toEqual({ doubled: 40 });
    expect(told).toEqual(['one of 1', 'one of 2']);
  });

  it('that has recorded nothing yet has nothing to begin anew, and is not begun anew later', async () => {
    const id = name('early');
    const house = await open();
    const first = defineTask({ id, version: 1, run: () => new Promise<number>(() => {}) });
    const { id: runId, accepted } = house.orchestrator.trigger(first, 0);
    await accepted;
    let steps = 0;
    defineTask({ id, version: 2, onVersionChange: 'restart', run: async (_: unknown, ctx) => (await ctx.step('one', () => ++steps), await ctx.sleep(1000), steps) });
    const second = await crashAndSettle(house);
    await asleep(second, second.orchestrator.attach(runId)!);
    const last = await crashAndSettle(second);
    await asleep(last, last.orchestrator.attach(runId)!);
    await last.clock.advance(1000);
    expect(await last.orchestrator.attach(runId)!.result()).toBe(1);
  });

  it('fails with `fail`, at once and for good, and says both versions', async () => {
    const { told, run } = await changed(name('fail'), { onVersionChange: 'fail' });
    const error = await run.result().catch((thrown) => thrown);
    expect(error).toBeInstanceOf(VersionChangedError);
    expect(error.message).toBe(`Run ${run.id} was begun by version 1 of "${run.taskIdentifier}", whose code is version 2 now.`);
    expect([run.status, run.state.attempt, told]).toEqual(['failed', 2, ['one of 1']]);
  });

  it('is ended by its old code with `finish-old`, and migrations make today’s output of that', async () => {
    const former = async () => ({ default: async (n: number, ctx: any) => (await ctx.step('one', () => 'never'), await ctx.sleep('1h'), n) });
    const { told, house, run } = await changed(name('finish'), {
      onVersionChange: 'finish-old', formerVersions: { 1: former }, migrations: { 1: (n: number) => ({ doubled: 2 * n, migrated: true }) },
    });
    await asleep(house, run);
    await house.clock.advance(3_600_000);
    expect(await run.result()).toEqual({ doubled: 40, migrated: true });
    expect(told).toEqual(['one of 1']);
  });

  it.each([{ onVersionChange: 'fail' }, { onVersionChange: 'finish-old', formerVersions: { 1: async () => () => 'old' } }])('that nobody had begun is today’s code’s, over a further crash too, with %j', async (change) => {
    const id = name('waiting');
    const house = await open();
    const first = defineTask({ id, version: 1, run: async (): Promise<string> => 'old' });
    const run = house.orchestrator.trigger(first, null, { delay: '1h' });
    await run.accepted;
    let computed = 0;
    defineTask({ id, version: 2, ...change, run: async (_: unknown, ctx: any) => (await ctx.step('one', () => ++computed), await ctx.sleep('1h'), `new ${computed}`) } as any);
    const second = await crashAndSettle(house);
    await second.clock.advance(3_600_000);
    await asleep(second, second.orchestrator.attach(run.id)!);
    const last = await crashAndSettle(second);
    await asleep(last, last.orchestrator.attach(run.id)!);
    await last.clock.advance(3_600_000);
    expect(await last.orchestrator.attach(run.id)!.result()).toBe('new 1');
  });

  it('whose old code is not there fails and says where to put it', async () => {
    const { run } = await changed(name('gone'), { onVersionChange: 'finish-old', formerVersions: { 0: async () => () => 1 } });
    await expect(run.result()).rejects.toThrow('formerVersions: { 1: () => import(…) }');
  });

  it.each<[object, string]>([
    [{ onVersionChange: 'redo' }, 'onVersionChange must be one of replay, restart, fail, finish-old, not "redo".'],
    [{ onVersionChange: 'finish-old' }, 'needs onVersionChange: \'finish-old\' and formerVersions together'],
    [{ formerVersions: { 1: async () => () => 1 } }, 'needs onVersionChange: \'finish-old\' and formerVersions together'],
    [{ onVersionChange: 'finish-old', formerVersions: { 1: 'first.js' } }, 'formerVersions[1] must be a function, not "first.js".'],
  ])('%j is refused when the task is defined', (spec, message) => {
    const define = () => defineTask({ id: 'refused', run: () => 1, ...spec } as any);
    expect(define).toThrow(ConfigurationError);
    expect(define).toThrow(message);
  });
});
