/** Tasks that run by themselves: at their moments, once, whatever happens to tabs and clocks. */
import { defineTask, type OrchestratorOptions, type ScheduledTaskPayload, schedules } from 'holdfast';
import { expect, it } from 'vitest';
import '../../js/schedules/runner.ts';
import '../../js/schedules/schedules.ts';
import '../../js/asking/caller.ts';
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

