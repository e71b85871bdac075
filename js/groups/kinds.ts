/**
 * Containers: runs of our own that stand for what their members do together (a batch, a chain, a swarm).
 * They are runs like any other, seen in every list; only what they do is written here, and loaded when the
 * first of its kind begins, after a reload too.
 *
 * Invariant: their queue has no limit, so no member waits for a slot that its own container holds.
 */
import type { Container } from './container.ts';
import { Lazy } from '../lazy.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { RunContext } from '../context/context.ts';
import { branchTask, chainTask, fallbackTask, swarmTask } from '../signatures/names.ts';
import { graphTask } from '../graph/names.ts';
import { containerPrefix } from '../waiting/internal.ts';

/** What a kind of container does, from its beginning or once more. What it returns is the run's output. */
export type ContainerCode<Input = any, Output = unknown> = (container: Container, input: Input) => Promise<Output>;

export const containerQueue = 'holdfast:containers';
export const batchTask = `${containerPrefix}batch`;

/** By id: where its code is. */
const kinds: Readonly<Record<string, () => Promise<ContainerCode>>> = {
  [chainTask]: () => import('../signatures/chain-run.ts').then(({ runChain }) => runChain),
  [swarmTask]: () => import('../signatures/swarm-run.ts').then(({ runSwarm }) => runSwarm),
  [branchTask]: () => import('../signatures/choice-run.ts').then(({ runBranch }) => runBranch),
  [fallbackTask]: () => import('../signatures/choice-run.ts').then(({ runFallback }) => runFallback),
  [graphTask]: () => import('../graph/container.ts').then(({ runGraph }) => runGraph),
  [batchTask]: () => import('../batches/container.ts').then(({ runBatch }) => runBatch),
};

export function isContainer(id: string | undefined): boolean {
  return id !== undefined && Object.hasOwn(kinds, id);
}

export function defineContainers(house: Orchestrator): void {
  house.table.queues.known(containerQueue);
  house.graphs.define(containerQueue);
  for (const [id, load] of Object.entries(kinds)) {
    const parts = new Lazy(() => Promise.all([load(), import('./container.ts')]));
    const run = async (input: unknown, ctx: unknown): Promise<unknown> => {
      const [code, { Container }] = parts.loaded ?? (await parts.load());
      return code(new Container(house, ctx as RunContext), input);
    };
    const spec = { id, run, queue: containerQueue, simulateProgress: false, retry: { maxAttempts: 1 } };
    house.definitions.addInternal({ id, handler: run, prepared: undefined, spec });
  }
}
