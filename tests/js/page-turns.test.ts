/** However much there is to do, the page has its turn in between. */
import { createOrchestrator, defineTask, TestClock } from 'holdfast';
import { expect, it } from 'vitest';

/** Deferred callbacks come with the page's next turn, as in a browser; time stands still but for the work. */
class PageClock extends TestClock {
  workedMs = 0;
  turns = 0;
  override now(): number {
    return super.now() + this.workedMs;
  }
  override defer(callback: () => void): void {
    setImmediate(() => {
      this.turns++;
      callback();
    });
  }
}

it('the page has its turn whenever about 8 ms have gone by, and is not asked for after each small step', async () => {
  const clock = new PageClock();
  const orchestrator = createOrchestrator({ clock, storage: 'memory', tabs: false });
  await orchestrator.ready;
  let costMs = 3;
  let sinceMs = 0;
  let longestMs = 0;
  let turnsSeen = 0;
  const work = defineTask({
    id: 'work', queue: { name: 'work', concurrency: 1 },
    run: async () => {
      if (clock.turns !== turnsSeen) sinceMs = 0;
      turnsSeen = clock.turns;
      clock.workedMs += costMs;
      sinceMs += costMs;
      longestMs = Math.max(longestMs, sinceMs);
    },
  });
  const all = () => Promise.all(Array.from({ length: 60 }, () => orchestrator.trigger(work, null).result()));

  await all();
  expect(longestMs).toBeLessThanOrEqual(8 + 3);

  const before = clock.turns;
  costMs = 0.1;
  for (let count = 0; count < 60; count++) {
    await orchestrator.trigger(work, null).result();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(clock.turns - before).toBeLessThanOrEqual(4);
  await orchestrator.dispose();
});
