/** Destroying a namespace where no gate tells when its session has left it: `tabs: false`, plain http. */
import { createOrchestrator, defineTask, TestClock } from 'holdfast';
import { expect, it } from 'vitest';
import { memory } from '../../js/storage/memory.ts';

const endless = defineTask({
  id: 'endless-alone',
  run: (_: { file?: Blob }, ctx) => new Promise((_, stop) => ctx.signal.addEventListener('abort', () => stop(ctx.signal.reason))),
});

it.each(['accepts runs', 'runs one', 'is being disposed'])('leaves nothing of an orchestrator that %s', async (how) => {
  const [clock, storage] = [new TestClock(), memory()];
  const orchestrator = createOrchestrator({ clock, storage, tabs: false, namespace: how });
  await orchestrator.ready;
  const run = orchestrator.trigger(endless, { file: new Blob(['x'.repeat(200_000)]) });
  if (how !== 'accepts runs') await run.accepted;
  if (how === 'runs one') await clock.settle();
  if (how === 'is being disposed') void orchestrator.dispose();
  const heard = run.result().catch((error) => error);
  const destroyed = orchestrator.destroyNamespace();
  if (how !== 'is being disposed') orchestrator.trigger(endless, {}).result().catch(() => {});
  await destroyed;
  expect(await storage.occupiedSlots()).toEqual([]);
  expect(await (await storage.openSlot(0)).blobIds()).toEqual([]);
  expect(await heard).toMatchObject({ code: how === 'is being disposed' ? 'DISPOSED' : 'NAMESPACE_DESTROYED' });
});
