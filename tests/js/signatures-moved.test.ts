/** Chains and swarms that another tab takes over, or that are exported and imported, in the middle. */
import { defineTask } from 'holdfast';
import { expect, test } from 'vitest';
import { memory } from '../../js/storage/memory.ts';
import { type House, shifted } from './house.ts';
import { name, open } from './houses.ts';

const settle = async (clock: { settle(): Promise<void> }) => {
  for (let turn = 0; turn < 30; turn++) await clock.settle();
};

const add = defineTask({ id: name('add'), run: async ({ result = 0, by = 1 }: { result?: number; by?: number }, ctx) => { await ctx.waitFor('go'); return result + by; } });
const told = defineTask({ id: name('told'), run: ({ result }: { result: unknown }) => result });

/** A chain and a swarm, each with a callback, whose first members wait for an event; and a signature nobody has called. */
async function begin({ orchestrator, clock }: House) {
  const chain = await orchestrator.chain([add, await orchestrator.sign(add, { by: 10 })], { success: told });
  const swarm = await orchestrator.swarm([add, add, await orchestrator.sign(add, { by: 5 })], { config: { maxConcurrency: 2 }, isSwarmClosed: true, successCallbacks: [told] });
  const idle = await orchestrator.sign(add, { by: 100, successCallbacks: [told] });
  await chain.runNoWait({ result: 1 });
  await swarm.runNoWait({ result: 2 });
  await settle(clock);
  return { chain: chain.key, swarm: swarm.key, idle: idle.key };
}

async function finish({ orchestrator, clock }: House, keys: { chain: string; swarm: string; idle: string }) {
  await settle(clock);
  await (await orchestrator.loadSignature(keys.idle)).runNoWait();
  for (let round = 0; round < 3; round++) {
    await orchestrator.send('go');
    await settle(clock);
  }
  const [chain, swarm, idle] = await Promise.all([keys.chain, keys.swarm, keys.idle].map((key) => orchestrator.loadSignature(key)));
  expect([chain!.status, swarm!.status, idle!.status]).toEqual(['done', 'done', 'done']);
  expect([await chain!.result(), (await swarm!.result()).map(({ output }: { output: number }) => output), await idle!.result()]).toEqual([12, [3, 3, 7], 100]);
  const callbacks = orchestrator.list({ taskIdentifier: told.id }).items;
  expect(callbacks.map(({ status, result }) => [status, Array.isArray(result) ? result.length : result]).sort()).toEqual([['completed', 100], ['completed', 12], ['completed', 3]]);
  expect(orchestrator.list({ taskIdentifier: add.id }).items).toHaveLength(6);
}

test('another tab takes them over and ends them', async () => {
  const storage = memory();
  const other = await open({}, undefined, storage);
  const keys = await begin(other);
  other.cut();
  const house = await open({}, undefined, shifted(storage));
  await house.orchestrator.opening.adopt(1);
  await finish(house, keys);
});

test('what is exported goes on where it is imported', async () => {
  const from = await open();
  const keys = await begin(from);
  const text = await new Response(await from.orchestrator.exportState()).text();
  from.cut();
  const house = await open();
  await house.orchestrator.importState(new Blob([text]), { unfinished: 'go' });
  await finish(house, keys);
});
