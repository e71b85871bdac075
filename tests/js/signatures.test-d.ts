/** What signatures, chains and swarms are typed as. */
import { createOrchestrator, defineTask, type FailedRun, type Signature, type Swarm, type SwarmResult } from 'holdfast';
import { defineCondition } from 'holdfast/signatures';
import { expectTypeOf, test } from 'vitest';

const orchestrator = createOrchestrator();
const order = defineTask({ id: 'typed-order', run: ({ orderId }: { orderId: string }, ctx) => {
  expectTypeOf(ctx.failure).toEqualTypeOf<FailedRun | undefined>();
  return orderId.length;
} });

test('a signature knows its task', async () => {
  const signature = await orchestrator.sign(order, { orderId: '1', retry: { maxAttempts: 2 }, other: true });
  expectTypeOf(signature).toEqualTypeOf<Signature<{ orderId: string }, number>>();
  expectTypeOf(signature.run({ orderId: '2' })).toEqualTypeOf<Promise<number>>();
  expectTypeOf(signature.clone()).toEqualTypeOf<Promise<Signature<{ orderId: string }, number>>>();
  // @ts-expect-error a kwarg of the task has its type
  void orchestrator.sign(order, { orderId: 5 });
  // @ts-expect-error a condition is one that can be stored
  void orchestrator.sign(order, { when: () => true });
  void orchestrator.sign(order, { when: defineCondition('typed', (result: number) => result > 3), successCallbacks: [order, 'by-name', signature] });
});

test('containers', async () => {
  expectTypeOf(await orchestrator.chain([order, 'by-name'])).toEqualTypeOf<Signature>();
  const swarm = await orchestrator.swarm([order], { config: { maxConcurrency: 2 }, user: 'kwarg' });
  expectTypeOf(swarm).toEqualTypeOf<Swarm>();
  expectTypeOf(swarm.result()).toEqualTypeOf<Promise<SwarmResult[]>>();
  expectTypeOf(await orchestrator.signatures.map([{ orderId: '1' }], order)).toEqualTypeOf<Signature<any, number[]>>();
  // @ts-expect-error
  void orchestrator.swarm([order], { config: { maxConcurency: 2 } });
});
