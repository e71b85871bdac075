/**
 * Random graphs give what the reference executor says; also when they are killed at random moments and reopened, and
 * then no finished node is executed again.
 */
import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import type { GraphRun } from 'holdfast/graph';
import { seededRandom } from '../../../js/time/random.ts';
import { again, crash, open } from '../houses.ts';
import { type Expected, graphOf, heard, randomSpec, reference, type Spec } from './reference.ts';

afterEach(() => {
  heard.executed = () => {};
});

const input = { a: 4, text: 'abc' };

function leavesOf({ nodes, edges, order }: Spec, expected: ReadonlyMap<string, Expected>) {
  const leaves = order.filter((at) => edges.every(({ from, port }) => from !== at || port === '[error]')).map((at) => nodes[at]!.id);
  return leaves.flatMap((id) => (expected.get(id)!.status === 'COMPLETED' ? [{ id, data: expected.get(id)!.output }] : []));
}

const statuses = (all: Iterable<readonly [string, { readonly status: string }]>) => Object.fromEntries([...all].map(([id, { status }]) => [id, status]));

it('a random graph in memory gives what the reference gives', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 40 }), async (seed, size) => {
      const random = seededRandom(seed);
      const spec = randomSpec((limit) => Math.floor(random() * limit), size, true);
      const expected = reference(spec, input);
      const graph = graphOf(spec);
      const results = await graph.run(input, { failurePolicy: 'collect' });
      expect(statuses(graph.getTasks().map((task) => [task.id, task]))).toEqual(statuses(expected));
      expect(results.map(({ id, data }) => ({ id, data }))).toEqual(leavesOf(spec, expected));
      for (const task of graph.getTasks()) if (task.status === 'COMPLETED') expect(task.runOutputData).toEqual(expected.get(task.id)!.output);
    }),
    { numRuns: 25 },
  );
});

it('so does one of 2,000 nodes', async () => {
  const random = seededRandom(5);
  const spec = randomSpec((limit) => Math.floor(random() * limit), 2000, true);
  const expected = reference(spec, input);
  const graph = graphOf(spec);
  const results = await graph.run(input, { failurePolicy: 'collect' });
  expect(statuses(graph.getTasks().map((task) => [task.id, task]))).toEqual(statuses(expected));
  expect(results.map(({ id, data }) => ({ id, data }))).toEqual(leavesOf(spec, expected));
});

async function live(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const spec = randomSpec(below, 1 + below(seed % 6 === 0 ? 300 : 30), seed % 2 === 0);
  const expected = reference(spec, input);
  let house = await open();
  const finished = new Set<string>();
  heard.executed = (id) => expect(finished.has(id), `seed ${seed}: ${id} has finished and is executed again`).toBe(false);
  const begun = house.orchestrator.graphs.run(graphOf(spec), input, { failurePolicy: 'collect', concurrency: below(3) === 0 ? 1 + below(3) : undefined });
  let run: GraphRun | undefined;
  void begun.then((made) => (run = made));
  while (!run) await null;
  const { id } = run;
  let crashes = 0;
  for (let deaths = below(6); deaths > 0; deaths--) {
    for (let turns = below(120); turns > 0; turns--) await null;
    house = crashes++ < 2 ? await crash(house) : await again(house.reload());
    for (const { status, parentId, id: runId } of house.orchestrator.getAllTasks()) {
      const key = house.orchestrator.localRun(runId)!.extra.childKey;
      if (status === 'completed' && parentId === id) finished.add(key!);
    }
  }
  await house.clock.settle();
  const found = (await house.orchestrator.graphs.get(id))!;
  const results = await found.result();
  expect(statuses(found.nodes), `seed ${seed}`).toEqual(statuses(expected));
  expect(results.map((result: any) => ({ id: result.id, data: result.data })), `seed ${seed}`).toEqual(leavesOf(spec, expected));
  await house.orchestrator.dispose();
}

it('random graphs that are killed and reopened give the same, and execute no finished node again', { timeout: 60_000 }, async () => {
  const first = Number(process.env.HOLDFAST_SEED ?? 1);
  for (let seed = first; seed < first + Number(process.env.HOLDFAST_RUNS ?? 12); seed++) await live(seed);
});
