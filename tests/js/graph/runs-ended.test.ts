/** How runs of graphs are ended from outside, in each phase, and what of the graph is part of a run. */
import { expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { type ExecuteContext, GraphAsTask, registerTask, Task, TaskGraph, type TaskInput, type TaskOutput } from 'holdfast/graph';
import { crash, open } from '../houses.ts';

let stays = false;
class Endless extends Task {
  static override readonly type = 'EndedEndless';
  override execute(input: TaskInput): TaskOutput | Promise<TaskOutput> {
    return stays ? new Promise(() => {}) : input;
  }
}
class Pause extends Task {
  static override readonly type = 'EndedPause';
  override async execute(input: TaskInput, { durable }: ExecuteContext) {
    await durable.sleep('3s');
    return input;
  }
}
class Pass extends Task {
  static override readonly type = 'EndedPass';
  override execute(input: TaskInput) {
    return input;
  }
}
registerTask(Endless, Pause, Pass, GraphAsTask);

function endless(): TaskGraph {
  stays = true;
  const graph = new TaskGraph();
  graph.addTask(new Endless({ id: 'endless' }));
  return graph;
}
function paused(): TaskGraph {
  const graph = new TaskGraph();
  graph.addTasks([new Pause({ id: 'pause' }), new Pass({ id: 'pass' })]);
  graph.connect('pause', '*', 'pass', '*');
  return graph;
}
const aborted = { name: 'TaskAbortedError', cause: 'enough' };

it('a graph that is aborted before its run is there does not run', async () => {
  const graph = endless();
  const running = graph.run();
  graph.abort('enough');
  await expect(running).rejects.toMatchObject(aborted);
});

it('a task that is aborted before its run is there does not run', async () => {
  stays = true;
  const task = new Endless({ id: 'endless' });
  const running = task.run();
  task.abort('enough');
  await expect(running).rejects.toMatchObject(aborted);
});

it('a task that has not begun, or is over, ends the run in which it stands, too', async () => {
  const graph = endless();
  graph.addTask(new Pass({ id: 'before' }));
  graph.connect('before', '*', 'endless', '*');
  const running = graph.run();
  await graph.getTask('endless')!.waitOn('start');
  graph.getTask('before')!.abort('enough');
  await expect(running).rejects.toMatchObject(aborted);
});

it('a graph that was aborted, or out of time, runs again and may be changed, though its code has not heeded that', async () => {
  const graph = endless();
  const told: string[] = [];
  graph.on('abort', ({ name }) => told.push(name));
  const running = graph.run();
  await graph.getTask('endless')!.waitOn('start');
  graph.abort('enough');
  await expect(running).rejects.toMatchObject(aborted);
  await expect(graph.run({}, { timeout: 20 })).rejects.toThrow('did not end within its timeout');
  expect(told).toEqual(['TaskAbortedError', 'TaskGraphTimeoutError']);
  stays = false;
  expect(await graph.run({ a: 1 })).toEqual([{ id: 'endless', type: 'EndedEndless', data: { a: 1 } }]);
  expect(graph.removeTask('endless')).toBe(true);
});

it('what a run that was aborted does later is not shown as of the run that came after it', async () => {
  const { clock, orchestrator } = await open();
  const graph = endless();
  const first = await orchestrator.graphs.run(graph);
  await clock.advance(10);
  await first.abort('enough');
  await clock.settle();
  stays = false;
  const second = await orchestrator.graphs.run(graph, { a: 2 });
  await clock.advance(60_000);
  expect(await second.result()).toEqual([{ id: 'endless', type: 'EndedEndless', data: { a: 2 } }]);
  expect(graph.getTask('endless')).toMatchObject({ status: 'COMPLETED', runOutputData: { a: 2 } });
});

it('a graph shows a run that was aborted and is tried again', async () => {
  const { clock, orchestrator } = await open();
  const graph = paused();
  const run = await orchestrator.graphs.run(graph, { a: 1 });
  await clock.advance(10);
  await run.abort('enough');
  await clock.advance(10);
  expect(await run.retry()).toBe(true);
  await clock.advance(10);
  expect(() => graph.removeTask('pause')).toThrow(`Task pause is PROCESSING in graph run ${run.id}`);
  await clock.advance(4000);
  expect(await run.result()).toEqual([{ id: 'pass', type: 'EndedPass', data: { a: 1 } }]);
  expect(graph.removeTask('pass')).toBe(true);
});

it('a durable run is ended by its signal, before it begins and later', async () => {
  const { clock, orchestrator } = await open();
  for (const name of ['signal', 'parentSignal'] as const) {
    const early = await orchestrator.graphs.run(paused(), {}, { [name]: AbortSignal.abort('enough') });
    const controller = new AbortController();
    const late = await orchestrator.graphs.run(paused(), {}, { [name]: controller.signal });
    await clock.advance(10);
    controller.abort('enough');
    await clock.advance(10);
    expect([early.status, late.status]).toEqual(['cancelled', 'cancelled']);
    await expect(late.result()).rejects.toMatchObject(aborted);
    await expect(orchestrator.graphs.run(paused(), {}, { [name]: 3 as never })).rejects.toThrow(`graphs.run ${name} must be an AbortSignal, not 3.`);
  }
});

it('of several who abort a run at once the first is told that it did', async () => {
  const { clock, orchestrator } = await open();
  const run = await orchestrator.graphs.run(paused());
  await clock.advance(10);
  expect(await Promise.all([run.abort('enough'), run.suspend(), run.abort('too late'), run.resume()])).toEqual([true, false, false, false]);
  await clock.advance(10);
  await expect(run.result()).rejects.toMatchObject(aborted);
});

it('a run that is found again in the next page says at once what its nodes have come to, suspended too', async () => {
  const house = await open();
  const run = await house.orchestrator.graphs.run(paused());
  await house.clock.advance(10);
  await run.suspend();
  const next = await crash(house);
  const found = (await next.orchestrator.graphs.get(run.id))!;
  expect([found.status, ...[...found.nodes.values()].map(({ id, status }) => `${id} ${status}`)]).toEqual(['paused', 'pause PROCESSING', 'pass PENDING']);
  expect(await next.orchestrator.graphs.get('nobody')).toBe(undefined);
});

it('graphs that stand in each other deeper than runs may begin others are refused at the call', async () => {
  const { clock, orchestrator } = await open({ maxDepth: 5 });
  const nested = (depth: number): TaskGraph => {
    const graph = new TaskGraph();
    graph.addTask(depth === 0 ? new Pass({ id: 'pass' }) : new GraphAsTask({ id: 'whole', subGraph: nested(depth - 1) }));
    return graph;
  };
  const run = await orchestrator.graphs.run(nested(2), { a: 1 });
  await clock.advance(10);
  expect((await run.result())[0]!.data).toEqual({ a: 1 });
  await expect(orchestrator.graphs.run(nested(3))).rejects.toThrow('The graph has graphs in it 3 deep, and here 2 can run: runs begin others 5 deep at most');
});

it('what an editor calls a graph in a task is no name of its run where it is no text', async () => {
  const { clock, orchestrator } = await open();
  const run = await orchestrator.graphs.run({ tasks: [{ id: 'whole', type: 'GraphAsTask', subgraph: { title: { not: 'text' }, tasks: [{ id: 'pass', type: Pass.type }], dataflows: [] } }], dataflows: [] }, { a: 1 });
  await clock.advance(10);
  expect((await run.result())[0]!.data).toEqual({ a: 1 });
});

it('an edit between the call that runs a graph in memory and its run is part of it', async () => {
  stays = false;
  const graph = new TaskGraph();
  graph.addTasks([new Pass({ id: 'one' }), new Pass({ id: 'other' })]);
  const running = graph.run({ a: 1 });
  expect(graph.removeTask('other')).toBe(true);
  expect((await running).map(({ id }) => id)).toEqual(['one']);
});
