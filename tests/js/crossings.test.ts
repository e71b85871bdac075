/** Features that were made apart, together: streams, encryption, export, forks and locks. */
import { defineTask, type Storage } from 'holdfast';
import { expect, it } from 'vitest';
import { memory } from '../../js/storage/memory.ts';
import { crash, open } from './houses.ts';

const big = (letter: string) => letter.repeat(100_000);
const teller = defineTask({
  id: 'crossing-teller',
  run: async (words: string[], ctx) => {
    const stream = ctx.stream<string>('told');
    for (const word of words) await ctx.step(word.slice(0, 20), async () => void (await stream.append(word)));
    return words.length;
  },
});
const words = ['a short word', big('x'), 'another word', big('y')];

async function all<Chunk>(reader: AsyncIterable<Chunk>): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const chunk of reader) chunks.push(chunk);
  return chunks;
}

it('what a run has streamed is exported with it, short chunks and long ones', async () => {
  const house = await open();
  const run = house.orchestrator.trigger(teller, words, { id: 'told' });
  expect(await run.result()).toBe(4);
  const text = await new Response(await house.orchestrator.exportState({ blobs: true })).text();
  const other = await open({}, house.clock);
  expect((await other.orchestrator.importState(new Blob([text]))).imported).toEqual(['told']);
  expect(await all(other.orchestrator.stream('told', 'told'))).toEqual(words);
});

it('what a fork has taken over is exported with its files; what is redacted holds neither that nor streams', async () => {
  const gates: (() => void)[] = [];
  const task = defineTask({
    id: 'crossing-fork',
    run: async (_: null, ctx) => {
      const file = await ctx.step('a file', () => new File([big('secret ')], 'found.txt'));
      await ctx.stream<string>('told').append('a secret chunk');
      if (ctx.run.id !== 'origin') await new Promise<void>((resolve) => void gates.push(resolve));
      return (await file.text()).length;
    },
  });
  const house = await open();
  await house.orchestrator.trigger(task, null, { id: 'origin' }).result();
  const fork = await house.orchestrator.runs.fork('origin', { id: 'fork' });
  while (gates.length === 0) await new Promise<void>((resolve) => setImmediate(() => resolve(house.clock.settle())));
  const textOf = async (options: object) => new Response(await house.orchestrator.exportState({ runs: [fork.id], blobs: true, ...options })).text();
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const other = await open({ encryption: { key } }, house.clock);
  expect(await other.orchestrator.importState(new Blob([await textOf({})]), { unfinished: 'go' })).toMatchObject({ imported: ['fork'], blobs: 1 });
  while (gates.length < 2) await new Promise<void>((resolve) => setImmediate(() => resolve(other.clock.settle())));
  for (const go of gates) go();
  expect(await other.orchestrator.attach('fork')!.result()).toBe(700_000);
  const redacted = (await textOf({ redact: () => 'gone' })).split('\n');
  const bytes = redacted.flatMap((line) => [...line.matchAll(/"base64":"([^"]*)"/g)].map(([, text]) => Buffer.from(text!, 'base64').toString('latin1')));
  expect([...redacted, ...bytes].filter((text) => text.includes('secret'))).toEqual([]);
});

it('what a run streams is encrypted with everything else, and is there after a crash', async () => {
  const storage: Storage = memory();
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const house = await open({ encryption: { key } }, undefined, storage);
  await house.orchestrator.trigger(teller, words, { id: 'told' }).result();
  let raw = '';
  for (const number of await storage.occupiedSlots()) {
    const slot = await storage.openSlot(number);
    raw += Buffer.from(await slot.read()).toString('latin1');
    for (const id of await slot.blobIds()) raw += Buffer.from(await (await slot.getBlob(id)).arrayBuffer()).toString('latin1');
  }
  expect(raw.length).toBeGreaterThan(200_000);
  expect(['a short word', 'another word', 'xxxxxxxxxxxx'].filter((word) => raw.includes(word))).toEqual([]);
  const later = await crash(house);
  expect(await all(later.orchestrator.stream('told', 'told'))).toEqual(words);
});

it('a run that has streamed can be forked: its steps are not done again', async () => {
  const house = await open();
  await house.orchestrator.trigger(teller, words, { id: 'told' }).result();
  const fork = await house.orchestrator.runs.fork('told', { fromStep: 'another word' });
  expect(await fork.result()).toBe(4);
  expect(await all(house.orchestrator.stream(fork.id, 'told'))).toEqual(words.slice(2));
});

it('a fork within a lock waits for it, with what it has taken over', async () => {
  const order: string[] = [];
  const locked = defineTask({
    id: 'crossing-locked',
    run: (_: null, ctx) => ctx.lock('one', async () => {
      await ctx.step('first', () => void order.push('first'));
      await ctx.sleep(1000);
      await ctx.step('second', () => void order.push('second'));
      return 'done';
    }),
  });
  const house = await open();
  const { orchestrator, clock } = house;
  const one = orchestrator.trigger(locked, null, { id: 'one' });
  // What comes in with the first use comes in its own time.
  const until = async (seen: () => boolean) => {
    while (!seen()) await new Promise<void>((resolve) => setImmediate(() => resolve(clock.settle())));
  };
  await until(() => order.length === 1);
  await clock.settle();
  const fork = await orchestrator.runs.fork('one');
  await until(() => fork.state.reason === 'lock');
  for (let turn = 0; turn < 8; turn++) await clock.advance(500);
  expect([await one.result(), await fork.result()]).toEqual(['done', 'done']);
  expect(order).toEqual(['first', 'second', 'second']);
});
