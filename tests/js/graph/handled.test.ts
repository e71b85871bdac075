/** Failures that edges of `[error]` lead on: whatever is made when, switched off, or changed meanwhile. */
import { expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { type ExecuteContext, type FailurePolicy, registerTask, Task, TaskGraph, type TaskInput, type TaskOutput } from 'holdfast/graph';
import { open } from '../houses.ts';

let isBroken = false;
class Fails extends Task {
  static override readonly type = 'HandledFails';
  override execute(): TaskOutput {
    throw new Error('it fails');
  }
}
class Breaks extends Task {
  static override readonly type = 'HandledBreaks';
  override execute(): TaskOutput {
    if (isBroken) throw new Error('broken');
    return { from: this.id };
  }
}
class Slow extends Task {
  static override readonly type = 'HandledSlow';
  override async execute(_: TaskInput, { durable }: ExecuteContext): Promise<TaskOutput> {
    await durable.sleep('1s');
    return { from: this.id };
  }
}
class Tell extends Task {
  static override readonly type = 'HandledTell';
  override execute({ why }: TaskInput): TaskOutput {
    return { told: why?.error };
  }
}
registerTask(Fails, Breaks, Slow, Tell);
const policies: FailurePolicy[] = ['abort', 'continue-independent', 'collect'];

/** More than are made in one turn of the page stand between a node that fails at once and who is told. */
function wide(): TaskGraph {
  const graph = new TaskGraph();
  graph.addTask(new Fails({ id: 'fails' }));
  for (let at = 0; at < 520; at++) graph.addTask(new Tell({ id: `other ${at}` }));
  graph.addTasks([new Tell({ id: 'tell' }), new Breaks({ id: 'breaks' })]);
  graph.connect('fails', '[error]', 'tell', 'why');
  return graph;
}

it('a failure is led on by a node that is made long after it failed, in a second try too', async () => {
  isBroken = false;
  const house = await open();
  const run = await house.orchestrator.graphs.run(wide());
  await house.clock.advance(1000);
  const result = await run.result();
  expect(result.length).toBe(522);
  expect(result.find(({ id }: any) => id === 'tell')!.data).toEqual({ told: 'it fails' });

  isBroken = true;
  const other = await house.orchestrator.graphs.run(wide());
  const first = other.result().catch((error) => error);
  await house.clock.advance(1000);
  expect(await first).toMatchObject({ message: 'broken', taskId: 'breaks' });
  isBroken = false;
  expect(await other.retry()).toBe(true);
  await house.clock.advance(1000);
  expect((await other.result()).length).toBe(522);
});

it.each(policies)('a failure that leads only to a node that is switched off is no handled one (%s)', async (failurePolicy) => {
  const house = await open();
  const graph = new TaskGraph();
  graph.addTasks([new Fails({ id: 'fails' }), new Slow({ id: 'slow' }), new Tell({ id: 'tell', disabled: true }), new Slow({ id: 'after' })]);
  graph.connect('fails', '[error]', 'tell', 'why');
  graph.connect('fails', 'x', 'after', 'x');
  const run = await house.orchestrator.graphs.run(graph, {}, { failurePolicy });
  const result = run.result().catch((error) => error);
  await house.clock.advance(60_000);
  if (failurePolicy === 'collect') expect(await result).toEqual([{ id: 'slow', type: 'HandledSlow', data: { from: 'slow' } }]);
  else expect(await result).toMatchObject({ message: 'it fails', taskId: 'fails' });
  expect([...run.nodes.values()].map(({ id, status }) => `${id} ${status}`)).toEqual(['fails FAILED', `slow ${failurePolicy === 'abort' ? 'FAILED' : 'COMPLETED'}`, 'tell DISABLED', 'after FAILED']);
});

it('whether a failure is led on follows the changes of a run that goes on', async () => {
  const begin = async (isLedOn: boolean) => {
    const house = await open();
    const graph = new TaskGraph();
    graph.addTasks([new Slow({ id: 'slow' }), new Slow({ id: 'longer' }), new Fails({ id: 'fails' }), new Tell({ id: 'tell' })]);
    graph.connect('slow', 'from', 'fails', 'x');
    graph.connect('slow', 'from', 'longer', 'x');
    graph.connect('slow', 'from', 'tell', 'x');
    if (isLedOn) graph.connect('fails', '[error]', 'tell', 'why');
    const run = await house.orchestrator.graphs.run(graph);
    const result = run.result().catch((error) => error);
    await house.clock.advance(10);
    return { house, graph, result };
  };
  const taken = await begin(true);
  taken.graph.removeDataflow('fails[[error]] ==> tell[why]');
  await taken.house.clock.advance(60_000);
  expect(await taken.result).toMatchObject({ message: 'it fails', taskId: 'fails' });

  const given = await begin(false);
  given.graph.connect('fails', '[error]', 'tell', 'why');
  await given.house.clock.advance(60_000);
  expect((await given.result).map(({ id }: any) => id)).toEqual(['longer', 'tell']);

  const off = await begin(true);
  await off.graph.getTask('tell')!.disable();
  await off.house.clock.advance(60_000);
  expect(await off.result).toMatchObject({ message: 'it fails', taskId: 'fails' });
});
