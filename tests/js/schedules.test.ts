/** Tasks that run by themselves: at their moments, once, whatever happens to tabs and clocks. */
import { ConfigurationError, defineTask, type OrchestratorOptions, type ScheduledTaskPayload, schedules, TestClock } from 'holdfast';
import { createTestOrchestrator } from 'holdfast/testing';
import { expect, it } from 'vitest';
import 'croner';
import type { House } from './house.ts';
import { again, crash, name, open } from './houses.ts';
import { Origin } from './origin.ts';

const dayMs = 86_400_000;
const iso = (date: Date) => date.toISOString().replace(':00.000Z', 'Z');

/** A task that says when it was run, and for which moment. */
function noting(id = name('noting')) {
  const payloads: ScheduledTaskPayload[] = [];
  const task = defineTask({
    id,
    run: async (payload: ScheduledTaskPayload) => {
      payloads.push(payload);
    },
  });
  return { task, payloads, moments: () => payloads.map(({ timestamp }) => iso(timestamp)) };
}

async function pass(house: House, ms: number): Promise<void> {
  await house.clock.advance(ms);
}

it('A task is run at each moment of its pattern, and told of the last one and the next five', async () => {
  const house = await open();
  const { task, payloads, moments } = noting();
  const schedule = await house.orchestrator.schedules.create({ task, cron: '0 9 * * 1', timezone: 'Europe/Berlin', externalId: 'anna' });
  expect(schedule).toMatchObject({ task: task.id, type: 'imperative', active: true, timezone: 'Europe/Berlin', fired: 0, nextRun: new Date('2026-01-05T08:00:00Z') });
  await pass(house, 12 * dayMs);
  expect(moments()).toEqual(['2026-01-05T08:00Z', '2026-01-12T08:00Z']);
  expect(payloads[0]).toMatchObject({ timezone: 'Europe/Berlin', scheduleId: schedule.id, externalId: 'anna' });
  expect(payloads[0]!.lastTimestamp).toBeUndefined();
  expect(payloads[1]!.lastTimestamp).toEqual(payloads[0]!.timestamp);
  expect(payloads[1]!.upcoming.map(iso)).toEqual(['2026-01-19T08:00Z', '2026-01-26T08:00Z', '2026-02-02T08:00Z', '2026-02-09T08:00Z', '2026-02-16T08:00Z']);
  expect(await house.orchestrator.schedules.retrieve(schedule.id)).toMatchObject({ fired: 2, lastRun: new Date('2026-01-12T08:00:00Z'), nextRun: new Date('2026-01-19T08:00:00Z') });
});

it('A schedule goes on over reloads and crashes, and runs no moment twice', async () => {
  let house = await open();
  const { task, moments } = noting();
  await house.orchestrator.schedules.create({ task, cron: '0 * * * *' });
  await pass(house, 3_600_000);
  house = await crash(house, { tasks: [task] });
  await pass(house, 3_600_000);
  house = await again(house.reload({ tasks: [task] }));
  await pass(house, 3_600_000);
  expect(moments()).toEqual(['2026-01-01T01:00Z', '2026-01-01T02:00Z', '2026-01-01T03:00Z']);
});

it('Of two tabs one runs each moment, and when it dies the other does', async () => {
  const origin = new Origin();
  const { task, moments } = noting();
  const options: OrchestratorOptions = { tasks: [task] };
  const [one, two] = [await origin.open(options), await origin.open(options)];
  let made: Promise<unknown> | undefined;
  one.act(() => (made = one.orchestrator.schedules.create({ task, cron: '0 * * * *' })));
  for (let turn = 0; turn < 20; turn++) await origin.clock.advance(50);
  await made;
  await origin.clock.advance(2 * 3_600_000);
  expect(moments()).toEqual(['2026-01-01T01:00Z', '2026-01-01T02:00Z']);
  one.kill();
  for (let turn = 0; turn < 20; turn++) await origin.clock.advance(50);
  await origin.clock.advance(3_600_000);
  expect(moments()).toEqual(['2026-01-01T01:00Z', '2026-01-01T02:00Z', '2026-01-01T03:00Z']);
  expect(two.own.filter(({ taskIdentifier }) => taskIdentifier === 'holdfast/schedule')).toHaveLength(1);
  await origin.close();
});

it('What a definition says is scheduled once, in all tabs together', async () => {
  const origin = new Origin();
  const moments: string[] = [];
  const task = schedules.task({ id: name('declared'), cron: '30 7 * * *', run: async ({ timestamp }) => void moments.push(iso(timestamp)) });
  const tabs = [origin.begin({ tasks: [task] }), origin.begin({ tasks: [task] }), origin.begin({ tasks: [task] })];
  for (let turn = 0; turn < 40; turn++) await origin.clock.advance(100);
  await origin.clock.advance(2 * dayMs);
  expect(moments).toEqual(['2026-01-01T07:30Z', '2026-01-02T07:30Z']);
  expect(tabs.flatMap((tab) => tab.own).filter(({ taskIdentifier }) => taskIdentifier === 'holdfast/schedule')).toHaveLength(1);
  await origin.close();
});


const hourly = (house: House, options: object) => house.orchestrator.schedules.create({ cron: '0 * * * *', ...options } as any);

/** What was run of a schedule by the hour while nobody had a page open from 00:30 to 04:10. */
async function missedBy(catchUp: unknown, overlap = 'queue'): Promise<string[]> {
  let house = await open();
  const { task, moments } = noting();
  await hourly(house, { task, catchUp, overlap });
  await pass(house, 1_800_000);
  await house.orchestrator.dispose();
  await house.clock.advance(3_600_000 * 3 + 2_400_000);
  house = await crash(house, { tasks: [task] });
  await house.clock.settle();
  const caught = moments();
  await pass(house, 3_000_000);
  expect(moments()).toEqual([...caught, '2026-01-01T05:00Z']);
  return caught;
}

it('What came due while no page was open is left out, run once, or run for each of the last ones, as the schedule says', async () => {
  expect(await missedBy('skip')).toEqual([]);
  expect(await missedBy('latest')).toEqual(['2026-01-01T04:00Z']);
  expect(await missedBy('all')).toEqual(['2026-01-01T01:00Z', '2026-01-01T02:00Z', '2026-01-01T03:00Z', '2026-01-01T04:00Z']);
  expect(await missedBy({ max: 2 })).toEqual(['2026-01-01T03:00Z', '2026-01-01T04:00Z']);
});

it('What is caught up together runs one after the other also where overlaps are skipped: none of it is left out because the one before has only begun', async () => {
  for (const overlap of ['skip', 'allow']) {
    expect(await missedBy('all', overlap)).toEqual(['2026-01-01T01:00Z', '2026-01-01T02:00Z', '2026-01-01T03:00Z', '2026-01-01T04:00Z']);
    expect(await missedBy({ max: 2 }, overlap)).toEqual(['2026-01-01T03:00Z', '2026-01-01T04:00Z']);
  }
});

it('A page that opens within a minute of the moment is not late', async () => {
  let house = await open();
  const { task, moments } = noting();
  await hourly(house, { task });
  await house.orchestrator.dispose();
  await house.clock.advance(3_600_000 + 59_000);
  house = await crash(house, { tasks: [task] });
  await house.clock.settle();
  expect(moments()).toEqual(['2026-01-01T01:00Z']);
});

it('A clock that is set forward is a page that was closed; one that is set back runs nothing twice', async () => {
  const house = await open();
  const { task, moments } = noting();
  await hourly(house, { task, catchUp: 'latest' });
  house.clock.jump(5 * 3_600_000 + 600_000);
  await pass(house, 1000);
  expect(moments()).toEqual(['2026-01-01T05:00Z']);
  await pass(house, 3_000_000);
  expect(moments()).toEqual(['2026-01-01T05:00Z', '2026-01-01T06:00Z']);
  house.clock.jump(-3 * 3_600_000);
  await pass(house, 2 * 3_600_000);
  expect(moments()).toEqual(['2026-01-01T05:00Z', '2026-01-01T06:00Z']);
  await pass(house, 2 * 3_600_000);
  expect(moments()).toEqual(['2026-01-01T05:00Z', '2026-01-01T06:00Z', '2026-01-01T07:00Z']);
});

/** A task whose runs end when they are let go. */
function slow() {
  const begun: string[] = [];
  const gates: (() => void)[] = [];
  const task = defineTask({
    id: name('slow'),
    run: async ({ timestamp }: ScheduledTaskPayload, ctx) => {
      begun.push(iso(timestamp));
      await new Promise<void>((resolve, reject) => {
        gates.push(resolve);
        ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason));
      });
    },
  });
  return { task, begun, gates };
}

it('While the run of the time before is alive the next one is left out, waits, takes its place or runs beside it', async () => {
  const begunBy = async (overlap: string) => {
    const house = await open();
    const { task, begun, gates } = slow();
    await hourly(house, { task, overlap });
    await pass(house, 2 * 3_600_000);
    const during = [...begun];
    gates[0]!();
    await pass(house, 60_000);
    const runs = house.orchestrator.list({ taskIdentifier: task.id }).items.map(({ status }) => status).reverse();
    return { during, after: begun.slice(during.length), runs };
  };
  const [first, second] = ['2026-01-01T01:00Z', '2026-01-01T02:00Z'];
  expect(await begunBy('skip')).toEqual({ during: [first], after: [], runs: ['completed'] });
  expect(await begunBy('queue')).toEqual({ during: [first], after: [second], runs: ['completed', 'running'] });
  expect(await begunBy('cancel-previous')).toEqual({ during: [first, second], after: [], runs: ['cancelled', 'running'] });
  expect(await begunBy('allow')).toEqual({ during: [first, second], after: [], runs: ['completed', 'running'] });
});

it('A page that dies before it has recorded a moment makes no second run of it, also where the first has failed', async () => {
  let house = await open();
  const id = name('failing');
  let count = 0;
  const task = defineTask({
    id, retry: { maxAttempts: 1 },
    run: async (_: ScheduledTaskPayload) => {
      count++;
      throw new Error('as it is');
    },
  });
  const schedule = await hourly(house, { task });
  // The run of the moment is there, and nothing is recorded of it.
  const made = house.orchestrator.trigger(task, {} as any, { id: `${schedule.id}@2026-01-01T01:00:00.000Z` });
  await made.wait();
  house = await crash(house, { tasks: [task] });
  await pass(house, 3_600_000);
  expect(count).toBe(1);
  expect(await house.orchestrator.schedules.retrieve(schedule.id)).toMatchObject({ fired: 1, lastRunId: made.id });
});

it('Intervals are counted from their beginning; endAt and limit end them, and the schedule stays', async () => {
  const house = await open();
  const [often, bounded, limited] = [noting(), noting(), noting()];
  const { schedules: all } = house.orchestrator;
  await all.create({ task: often.task, every: '20m' });
  const over = await all.create({ task: bounded.task, every: '30m', startAt: '2026-01-01T00:15:00Z', endAt: '2026-01-01T01:00:00Z' });
  const counted = await all.create({ task: limited.task, cron: '* * * * *', limit: 2, deduplicationKey: 'twice' });
  await pass(house, 3_600_000);
  expect(often.moments()).toEqual(['2026-01-01T00:20Z', '2026-01-01T00:40Z', '2026-01-01T01:00Z']);
  expect(bounded.moments()).toEqual(['2026-01-01T00:15Z', '2026-01-01T00:45Z']);
  expect(limited.moments()).toEqual(['2026-01-01T00:01Z', '2026-01-01T00:02Z']);
  expect((await all.retrieve(over.id))!.nextRun).toBeUndefined();
  expect(await all.create({ task: limited.task, cron: '* * * * *', limit: 2, deduplicationKey: 'twice' })).toMatchObject({ id: counted.id, fired: 2 });
});

it('A window spreads the starts of schedules, each always by the same, and never beyond it', async () => {
  const house = await open();
  const starts: Record<string, number[]> = {};
  const task = defineTask({ id: name('spread'), run: async ({ scheduleId }: ScheduledTaskPayload) => void (starts[scheduleId] ??= []).push(house.clock.now() % 3_600_000) });
  for (const window of ['30m', '50%', '30m', '30m']) await hourly(house, { task, window });
  await pass(house, 4 * 3_600_000 - 1);
  const offsets = Object.values(starts);
  expect(offsets).toHaveLength(4);
  for (const [first, ...others] of offsets) {
    expect(first).toBeLessThanOrEqual(1_800_000);
    for (const other of others) expect(Math.abs(other - first!)).toBeLessThan(1000);
  }
  expect(new Set(offsets.map(([first]) => first)).size).toBe(4);
});

it('A local time that a change of clocks skips is due at the next there is, one that comes twice once', async () => {
  const days = async (from: string, until: string) => {
    const house = await open({}, new TestClock(Date.parse(from)));
    const { task, moments } = noting();
    await house.orchestrator.schedules.create({ task, cron: { pattern: '30 2 * * *', timezone: 'Europe/Berlin' } });
    await pass(house, Date.parse(until) - Date.parse(from));
    return moments();
  };
  expect(await days('2026-03-28T12:00:00Z', '2026-03-30T12:00:00Z')).toEqual(['2026-03-29T01:00Z', '2026-03-30T00:30Z']);
  expect(await days('2026-10-24T12:00:00Z', '2026-10-26T12:00:00Z')).toEqual(['2026-10-25T00:30Z', '2026-10-26T01:30Z']);
});

it('A pattern has ranges, steps, lists, names, L for the last, and seconds before them where it has six fields', async () => {
  const house = await open();
  const { task } = noting();
  const next = async (cron: string) => (await house.orchestrator.schedules.create({ task, cron })).nextRun!.toISOString();
  // 1 January 2026 is a Thursday.
  expect(await next('0 9 L * *')).toBe('2026-01-31T09:00:00.000Z');
  expect(await next('0 0 * * 5L')).toBe('2026-01-30T00:00:00.000Z');
  expect(await next('*/20 22-23 2,9 * *')).toBe('2026-01-02T22:00:00.000Z');
  expect(await next('0 0 * FEB-MAR MON-TUE')).toBe('2026-02-02T00:00:00.000Z');
  expect(await next('15 30 6 * * *')).toBe('2026-01-01T06:30:15.000Z');
});

it('A schedule is changed, stopped, started and removed, from another tab too', async () => {
  const origin = new Origin();
  const { task, moments } = noting();
  const [one, two] = [await origin.open({ tasks: [task] }), await origin.open({ tasks: [task] })];
  const turns = async <Value>(tab: typeof one, work: () => Promise<Value>): Promise<Value> => {
    let result: Promise<Value> | undefined;
    tab.act(() => (result = work()));
    for (let turn = 0; turn < 20; turn++) await origin.clock.advance(20);
    return result!;
  };
  const { id } = await turns(one, () => one.orchestrator.schedules.create({ task, cron: '0 * * * *', catchUp: 'all', externalId: 'a' }));
  expect(await turns(two, () => two.orchestrator.schedules.update(id, { cron: '30 * * * *', externalId: 'b' }))).toMatchObject({ cron: '30 * * * *', externalId: 'b' });
  await origin.clock.advance(3_600_000);
  expect(moments()).toEqual(['2026-01-01T00:30Z']);
  expect(await turns(two, () => two.orchestrator.schedules.deactivate(id))).toMatchObject({ active: false });
  await origin.clock.advance(2 * 3_600_000);
  const active = await turns(two, () => two.orchestrator.schedules.activate(id));
  expect(active).toMatchObject({ active: true, nextRun: new Date('2026-01-01T03:30:00Z') });
  await origin.clock.advance(3_600_000);
  expect(moments()).toEqual(['2026-01-01T00:30Z', '2026-01-01T03:30Z']);
  expect(await turns(two, () => two.orchestrator.schedules.list({ task: task.id }))).toHaveLength(1);
  expect(await turns(two, () => two.orchestrator.schedules.del(id))).toBe(true);
  await origin.clock.advance(3 * 3_600_000);
  expect(moments()).toHaveLength(2);
  expect(await turns(one, () => one.orchestrator.schedules.list({ task: task.id }))).toEqual([]);
  expect(await turns(two, () => two.orchestrator.schedules.del(id))).toBe(false);
  await origin.close();
});

it('Another pattern in the code changes the schedule, and a declaration that is gone runs nothing', async () => {
  const id = name('redeclared');
  const moments: string[] = [];
  const run = async ({ timestamp }: ScheduledTaskPayload) => void moments.push(iso(timestamp));
  let house = await open({ tasks: [schedules.task({ id, cron: '0 * * * *', run })] });
  await pass(house, 3_600_000);
  house = await crash(house, { tasks: [schedules.task({ id, cron: '15 * * * *', run })] });
  await pass(house, 3_600_000);
  const warnings: string[] = [];
  house = await crash(house, { tasks: [defineTask({ id, run })] });
  house.orchestrator.on('warning', (message) => warnings.push(message));
  await pass(house, 3_600_000);
  expect(moments).toEqual(['2026-01-01T01:00Z', '2026-01-01T01:15Z']);
  expect(warnings.join()).toContain('has no schedule any more');
});

it('A task that is not known yet waits for its code; one that refuses its payload is told of, and the schedule goes on', async () => {
  const house = await open();
  const warnings: string[] = [];
  house.orchestrator.on('warning', (message) => warnings.push(message));
  const [later, strict] = [name('later'), name('strict')];
  defineTask({ id: strict, input: () => { throw new Error('never'); }, run: async () => null });
  await hourly(house, { task: later });
  const { id } = await hourly(house, { task: strict });
  await pass(house, 3_600_000);
  expect(house.orchestrator.list({ taskIdentifier: later }).items).toMatchObject([{ phase: 'blocked', reason: 'missing-definition' }]);
  const { moments } = noting(later);
  await house.clock.settle();
  expect(moments()).toEqual(['2026-01-01T01:00Z']);
  expect(warnings.some((warning) => warning.includes('could not be made'))).toBe(true);
  const failed = await house.orchestrator.schedules.retrieve(id);
  expect(failed).toMatchObject({ fired: 0, nextRun: new Date('2026-01-01T02:00:00Z') });
  expect(failed!.lastError).toContain('InputValidationError');
});

it('A thousand moments leave no more behind than ten', async () => {
  const bytesAfter = async (count: number) => {
    const house = await open({ retention: { completed: { count: 0 } } });
    const { task, moments } = noting();
    await house.orchestrator.schedules.create({ task, every: '1s' });
    await pass(house, count * 1000);
    expect(moments()).toHaveLength(count);
    await house.orchestrator.cleanupCompletedTasks(0);
    return (await house.orchestrator.storageUsage()).journal.liveBytes;
  };
  expect(await bytesAfter(1000)).toBeLessThan(1.5 * (await bytesAfter(10)));
}, 30_000);

it('What is no schedule is refused at the call, with what it is and what may stand there', async () => {
  const house = await open();
  const { task } = noting();
  const wrong: [object, string][] = [
    [{}, 'cron or every'], [{ cron: '0 9 * * 1', every: '1h' }, 'cron or every'], [{ cron: '60 * * * *' }, '"60" is no minute'], [{ cron: '* * * *' }, 'has 4'],
    [{ cron: '* * * FOO *' }, '"FOO" is no month'], [{ cron: '*/0 * * * *' }, 'is no minute'], [{ cron: '5-1 * * * *' }, 'is no minute'], [{ cron: 5 }, 'must be text'],
    [{ cron: '* * * * *', timezone: 'Mars/Olympus' }, 'IANA'], [{ every: 5 }, 'at least a second'], [{ every: 'soon' }, 'must be a duration'], [{ every: '1h', limit: 0 }, 'limit'],
    [{ every: '1h', window: '200%' }, "'100%'"], [{ every: '1h', catchUp: 'some' }, 'catchUp'], [{ every: '1h', catchUp: { max: 0 } }, 'catchUp.max'], [{ every: '1h', overlap: 'both' }, 'overlap'],
    [{ every: '1h', startAt: '2026-02-01T00:00:00Z', endAt: '2026-01-01T00:00:00Z' }, 'before startAt'], [{ every: '1h', often: true }, 'no option "often"'], [{ every: '1h', deduplicationKey: '' }, 'deduplicationKey'],
  ];
  for (const [options, says] of wrong) {
    const error = await house.orchestrator.schedules.create({ task, ...options } as any).catch((thrown: unknown) => thrown);
    expect(error, JSON.stringify(options)).toBeInstanceOf(ConfigurationError);
    expect(String(error)).toContain(says);
    if (!('deduplicationKey' in options) && Object.keys(options).length > 0) expect(() => schedules.task({ id: name('wrong'), ...options, run: async () => null } as any), JSON.stringify(options)).toThrow(ConfigurationError);
  }
  await expect(house.orchestrator.schedules.activate('nobody')).rejects.toThrow('There is no schedule "nobody"');
  expect(await house.orchestrator.schedules.list({ task: task.id })).toEqual([]);
  expect(await house.orchestrator.schedules.timezones()).toContain('Europe/Berlin');
});

it('A page that dies as a moment is recorded, before or after, has run it once', async () => {
  for (const moment of ['before-step:due', 'after-step:due'] as const) {
    const { task, moments } = noting();
    let orchestrator = createTestOrchestrator({ id: 'dying', tasks: [task] });
    await orchestrator.schedules.create({ task, cron: '0 * * * *' });
    for (let crash = 0; crash < 3; crash++) {
      const crashed = orchestrator.crashAt(moment);
      await orchestrator.clock.advance('1h');
      await crashed;
      orchestrator = await orchestrator.reload();
    }
    await orchestrator.clock.advance('1h');
    expect(moments(), moment).toEqual(['2026-01-01T01:00Z', '2026-01-01T02:00Z', '2026-01-01T03:00Z', '2026-01-01T04:00Z']);
    await orchestrator.dispose();
  }
});

it('A schedule that a definition makes for some environments is made in those, and runs nothing in others', async () => {
  const id = name('noting');
  const moments: string[] = [];
  const task = schedules.task({ id, every: '1m', environments: ['production'], run: async ({ timestamp }) => void moments.push(iso(timestamp)) });
  const elsewhere = await open({ tasks: [task], environment: 'preview' });
  const nowhere = await open({ tasks: [task] });
  for (const house of [elsewhere, nowhere]) {
    await pass(house, 130_000);
    expect(await house.orchestrator.schedules.list({ task: id })).toEqual([]);
  }
  let house = await open({ tasks: [task], environment: 'production' });
  await pass(house, 130_000);
  expect(moments).toHaveLength(2);
  house = await again(house.reload({ environment: 'preview' }));
  await pass(house, 130_000);
  expect(moments).toHaveLength(2);
  expect(() => schedules.task({ id, every: '1m', environments: [], run: async () => null })).toThrow('environments must be a list of at least one name');
});
