/** Outputs that are kept: a graph that was changed executes only what has changed, and says so before. */
import { expect, it } from 'vitest';
import '../../../js/cache/memory.ts';
import '../../../js/testing/graph-rooms.ts';
import { createGraphFromGraphJSON, GraphAsTask, registerTask, Task, TaskConfigSchema, TaskGraph, type TaskInput, type TaskOutput } from 'holdfast/graph';
import { memoryCache, taskOutputRepository } from 'holdfast/cache';
import { openHouse } from '../house.ts';
import { again, open } from '../houses.ts';

let executed: string[] = [];
class Times extends Task {
  static override readonly type = 'CachedTimes';
  static override configSchema() {
    return { ...TaskConfigSchema, properties: { ...TaskConfigSchema.properties, by: { type: 'number' } } };
  }
  static override inputSchema() {
    return { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] } as const;
  }
  override execute({ n }: TaskInput): TaskOutput {
    executed.push(this.id);
    return { n: n * this.config.by };
  }
}
registerTask(Times, GraphAsTask);

const graphOf = (...by: number[]) => {
  const graph = new TaskGraph({ outputCache: true });
  by.forEach((each, at) => {
    graph.addTask(new Times({ id: `t${at}`, by: each }));
    if (at > 0) graph.connect(`t${at - 1}`, 'n', `t${at}`, 'n');
  });
  return graph;
};

it('a second run executes nothing, one of a changed graph what has changed and what follows it, and plan says so before', async () => {
  const house = await open({ cache: {} });
  const { graphs } = house.orchestrator;
  const outcome = async (graph: TaskGraph) => {
    executed = [];
    const run = await graphs.run(graph, { n: 1 });
    const [result] = await run.result();
    return { n: result!.data.n, executed, fromCache: [...run.nodes.values()].filter((node) => node.fromCache).map(({ id }) => id), run };
  };
  const actions = async (graph: TaskGraph, input = { n: 1 }) => (await graphs.plan(graph, input)).map(({ action }) => action);
  expect(await actions(graphOf(2, 3, 5))).toEqual(['run', 'run', 'run']);
  expect(await outcome(graphOf(2, 3, 5))).toMatchObject({ n: 30, executed: ['t0', 't1', 't2'], fromCache: [] });
  expect(await actions(graphOf(2, 3, 5))).toEqual(['cached', 'cached', 'cached']);
  const second = await outcome(graphOf(2, 3, 5));
  expect(second).toMatchObject({ n: 30, executed: [], fromCache: ['t0', 't1', 't2'] });
  expect((await second.run.getProvenance('t2'))!.items.map(({ fromCache }) => fromCache)).toEqual([true, true, true]);
  const changed = graphOf(2, 4, 5);
  expect(await actions(changed)).toEqual(['cached', 'run', 'run']);
  expect((await graphs.plan(changed, { n: 1 }))[2]!.why).toBe('It follows t1, which is executed.');
  executed = [];
  expect(await outcome(changed)).toMatchObject({ n: 40, executed: ['t1', 't2'] });
  expect((await graphs.plan(graphOf(2), {}))[0]).toMatchObject({ action: 'blocked', why: 'Nothing gives "n".' });
});

it('what an editor keeps with a graph in a node is no part of what the node does', async () => {
  const { orchestrator } = await open({ cache: {} });
  const whole = (kept: number, by = 2) => createGraphFromGraphJSON({ tasks: [{ id: 'whole', type: 'GraphAsTask', subgraph: { layout: { a: kept }, tasks: [{ id: 'a', type: 'CachedTimes', position: kept, config: { by } }, { id: 'b', type: 'CachedTimes', config: { by: 3 } }], dataflows: [{ sourceTaskId: 'a', sourceTaskPortId: 'n', targetTaskId: 'b', targetTaskPortId: 'n', label: kept }] } }], dataflows: [] });
  await (await orchestrator.graphs.run(whole(1), { n: 1 }, { outputCache: true })).result();
  const actions = async (graph: TaskGraph) => (await orchestrator.graphs.plan(graph, { n: 1 }, { outputCache: true })).map(({ action }) => action);
  expect([await actions(whole(2)), await actions(whole(2, 5))]).toEqual([['cached'], ['run']]);
});

it('what the cache has answered is known to be after a reload, of a run that was changed while it went on, too', async () => {
  let house = await open({ cache: {} });
  await (await house.orchestrator.graphs.run(graphOf(2, 3), { n: 1 })).result();
  executed = [];
  const graph = graphOf(2, 3);
  const { id } = await house.orchestrator.graphs.run(graph, { n: 1 });
  graph.addTask(new Times({ id: 'more', by: 7 }));
  graph.connect('t1', 'n', 'more', 'n');
  await house.clock.advance(10);
  house = await again(house.reload());
  const found = (await house.orchestrator.graphs.get(id))!;
  expect((await found.result()).map((each: { data: unknown }) => each.data)).toEqual([{ n: 42 }]);
  expect([...found.nodes.values()].map((node) => [node.id, node.fromCache ?? false])).toEqual([['t0', true], ['t1', true], ['more', false]]);
  expect((await found.getProvenance('t1'))!.items.map(({ fromCache }) => fromCache)).toEqual([true, true]);
  expect(executed).toEqual(['more']);
});

it('outputs are kept in a repository where one is given, by runs in memory and durable ones, and what goes wrong with it costs an execution', async () => {
  const house = await open();
  const repository = taskOutputRepository(memoryCache());
  const run = async (options: object = {}) => {
    executed = [];
    const graph = graphOf(2, 3);
    const told: string[] = [];
    for (const name of ['start', 'complete'] as const) graph.getTask('t1')!.on(name, () => told.push(name));
    const results = await graph.run({ n: 1 }, { outputCache: repository, ...options });
    return [results[0]!.data.n, executed.length, graph.getTask('t1')!.progress, graph.getProvenance('t1')!.items.map(({ fromCache }) => fromCache), told.join()];
  };
  expect(await house.orchestrator.graphs.plan(graphOf(2, 3), { n: 1 }, { outputCache: repository })).toMatchObject([{ action: 'run' }, { action: 'run' }]);
  expect(await run()).toEqual([6, 2, 100, [false, false], 'start,complete']);
  expect(await run()).toEqual([6, 0, 100, [true, true], 'start,complete']);
  expect(await repository.size()).toBe(2);
  expect(await house.orchestrator.graphs.plan(graphOf(2, 4), { n: 1 }, { outputCache: repository })).toMatchObject([{ action: 'cached' }, { action: 'run' }]);
  executed = [];
  const durable = await house.orchestrator.graphs.run(graphOf(2, 3), { n: 1 }, { outputCache: repository });
  expect([(await durable.result())[0]!.data.n, executed, [...durable.nodes.values()].map(({ fromCache }) => fromCache)]).toEqual([6, [], [true, true]]);
  const broken = { getOutput: () => Promise.reject(new Error('no')), saveOutput: () => Promise.reject(new Error('no')) };
  expect((await run({ outputCache: broken })).slice(0, 2)).toEqual([6, 2]);
});

it.each(['yes', 1, {}, { getOutput() {} }, memoryCache()] as any[])('what is no place for outputs (%j) is refused with what is one', async (outputCache) => {
  const says = 'a cache becomes one by taskOutputRepository(cache) of holdfast/cache';
  expect(() => new TaskGraph({ outputCache })).toThrow(says);
  await expect(graphOf(2).run({ n: 1 }, { outputCache })).rejects.toThrow(says);
});

it('a changed graph goes on from a run that failed, in a later page: what is the same and got the same keeps its output', async () => {
  class Broken extends Times {
    static override readonly type: any = 'CachedBroken';
    override execute(): TaskOutput {
      throw new Error('broken');
    }
  }
  registerTask(Broken);
  let house = await openHouse();
  const graph = graphOf(2, 3, 5, 7);
  graph.outputCache = undefined;
  graph.replaceTask('t2', new Broken({ id: 't2', by: 1 }));
  const { id } = await house.orchestrator.graphs.run(graph, { n: 1 });
  await house.clock.advance(10);
  house = await house.crash();
  await house.clock.advance(10);
  const failed = (await house.orchestrator.graphs.get(id))!;
  await expect(failed.result()).rejects.toThrow('broken');
  const outputCache = await failed.outputs();
  const changed = graphOf(2, 3, 5, 7);
  changed.addTask(new Times({ id: 'beside', by: 11 }));
  changed.connect('t0', 'n', 'beside', 'n');
  const options = { outputCache };
  expect((await house.orchestrator.graphs.plan(changed, { n: 1 }, options)).map(({ id: node, action }) => `${node} ${action}`).sort()).toEqual(['beside run', 't0 cached', 't1 cached', 't2 run', 't3 run']);
  executed = [];
  const run = await house.orchestrator.graphs.run(changed, { n: 1 }, options);
  const results = run.result();
  await house.clock.advance(10);
  expect((await results).map(({ data }) => data)).toEqual([{ n: 210 }, { n: 22 }]);
  expect(executed.sort()).toEqual(['beside', 't2', 't3']);
  executed = [];
  // With another input nothing is the same.
  await (await house.orchestrator.graphs.run(changed, { n: 2 }, options)).result();
  expect(executed).toHaveLength(5);
  house.cut();
});
