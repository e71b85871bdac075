/** A stream read in one tab while its run goes on in another, which dies on the way. */
import { CanceledError, defineTask, FatalError } from 'holdfast';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Origin } from './origin.ts';

let origin: Origin;
let gates: (() => void)[];
beforeEach(() => {
  origin = new Origin();
  gates = [];
});
afterEach(() => origin.close());

const chunks = Array.from({ length: 6 }, (_, index) => ({ index, bytes: Uint8Array.of(index, index) }));
const writing = defineTask({
  id: 'writing',
  retry: { maxAttempts: 1 },
  run: async (input: 'fail' | null, ctx) => {
    const out = ctx.stream('out');
    for (const chunk of chunks) {
      await out.append(chunk);
      if (chunk.index % 2 === 1) await new Promise<void>((resolve) => gates.push(resolve));
    }
    if (input === 'fail') throw new FatalError('broken');
  },
});

/** A tab that has loaded what streams need: the clock knows nothing of a load. */
async function open() {
  const tab = await origin.open({ tasks: [writing] });
  await tab.orchestrator.streams.load();
  return tab;
}

/** Lets whoever waits go on, in whichever tab. */
async function goOn(): Promise<void> {
  for (const open of gates.splice(0)) open();
  await origin.clock.settle();
}

function reading(source: AsyncIterable<unknown>) {
  const got: unknown[] = [];
  let end: unknown = 'reads';
  void (async () => {
    for await (const chunk of source) got.push(chunk);
  })().then(
    () => (end = 'ended'),
    (error) => (end = error),
  );
  return { got, end: () => end };
}

it('is read in every tab, from the same chunk on when its run moves, each chunk once', async () => {
  const [first, second] = [await open(), await open()];
  const third = await open();
  const run = first.orchestrator.trigger(writing, null);
  await run.accepted;
  await origin.clock.settle();
  const readers = [second, third].map(({ orchestrator }) => reading(orchestrator.attach(run.id)!.stream('out')));
  await origin.clock.settle();
  for (const { got } of readers) expect(got).toEqual(chunks.slice(0, 2));
  first.kill();
  await origin.clock.settle();
  // The code begins again, and waits where it had waited: what it appends is there.
  for (let left = 0; left < 4; left++) await goOn();
  await origin.clock.advance(1000);
  for (const { got, end } of readers) {
    expect(got).toEqual(chunks);
    expect(end()).toBe('ended');
  }
});

it('ends in another tab as it does in its own', async () => {
  const [first, second] = [await open(), await open()];
  const [failing, cancelled] = [first.orchestrator.trigger(writing, 'fail'), first.orchestrator.trigger(writing, null)];
  await cancelled.accepted;
  await origin.clock.settle();
  const [one, other] = [failing, cancelled].map(({ id }) => reading(second.orchestrator.stream(id, 'out', { from: 1 })));
  await origin.clock.settle();
  await cancelled.cancel();
  for (let left = 0; left < 4; left++) await goOn();
  expect(one!.got).toEqual(chunks.slice(1));
  expect(one!.end()).toMatchObject({ message: 'broken' });
  expect(other!.end()).toBeInstanceOf(CanceledError);
});

it('refuses what another script of the origin asks, and lives on', async () => {
  const tab = await open();
  const run = tab.orchestrator.trigger(writing, null);
  await origin.clock.settle();
  const asked = (argument: unknown) => tab.orchestrator.streams.answer(tab.orchestrator.localRun(run.id)!, argument);
  for (const argument of [undefined, 5, ['', 0], ['out', -1], ['out', 'x'], [{}, 0]]) await expect(asked(argument)).rejects.toThrow();
  expect(((await asked(['out', 1])) as { chunks: unknown[] }).chunks).toHaveLength(1);
});
