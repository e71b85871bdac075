/** Another first start for a run that still waits for its own. */
import { ConfigurationError, defineTask } from 'holdfast';
import { expect, it } from 'vitest';
import { crash, name, open } from './houses.ts';
import { Origin } from './origin.ts';

const quick = () => defineTask({ id: name('later'), run: async (input: number) => input });

it('A delayed run starts when its new time has come, earlier or later, over a crash too', async () => {
  let house = await open();
  const task = quick();
  const [sooner, later] = [house.orchestrator.trigger(task, 1, { delay: '1h' }), house.orchestrator.trigger(task, 2, { delay: '1m' })];
  expect(await house.orchestrator.runs.reschedule(sooner.id, { delay: '10s' })).toBe(true);
  expect(await house.orchestrator.runs.reschedule(later.id, { delay: new Date(house.clock.now() + 7_200_000) })).toBe(true);
  expect(sooner.state).toMatchObject({ phase: 'delayed', retryAt: house.clock.now() + 10_000 });
  house = await crash(house, { tasks: [task] });
  const status = () => [sooner, later].map(({ id }) => house.orchestrator.getTaskState(id)!.status);
  await house.clock.advance(9999);
  expect(status()).toEqual(['pending', 'pending']);
  await house.clock.advance(1);
  expect(status()).toEqual(['completed', 'pending']);
  await house.clock.advance(7_189_999);
  expect(status()).toEqual(['completed', 'pending']);
  await house.clock.advance(1);
  expect(status()).toEqual(['completed', 'completed']);
});

it('A run that waits for no time, or is not there, is left alone, and what is no time is refused', async () => {
  const { orchestrator } = await open();
  const run = orchestrator.trigger(quick(), 1);
  await run.result();
  expect(await orchestrator.runs.reschedule(run.id, { delay: 5 })).toBe(false);
  expect(await orchestrator.runs.reschedule('nobody', { delay: 5 })).toBe(false);
  for (const options of [{}, { delay: 'soon' }, { delay: -1 }, { at: 5 }, { delay: new Date(Number.NaN) }])
    await expect(orchestrator.runs.reschedule(run.id, options as any), JSON.stringify(options)).rejects.toThrow(ConfigurationError);
});

it('A run of another tab is rescheduled there', async () => {
  const origin = new Origin();
  const task = quick();
  const [one, two] = [await origin.open({ tasks: [task] }), await origin.open({ tasks: [task] })];
  let run = undefined as any;
  one.act(() => (run = one.orchestrator.trigger(task, 1, { delay: '1h' })));
  for (let turn = 0; turn < 10; turn++) await origin.clock.advance(50);
  let done = undefined as any;
  two.act(() => (done = two.orchestrator.runs.reschedule(run.id, { delay: 100 })));
  for (let turn = 0; turn < 10; turn++) await origin.clock.advance(50);
  expect(await done).toBe(true);
  expect(run.status).toBe('completed');
  await origin.close();
});
