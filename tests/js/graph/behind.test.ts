/** Nodes whose time was up while no page was there: they end before anybody listens. */
import { expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { Dataflow, type ExecuteContext, registerTask, Task, TaskGraph, type TaskOutput, TaskRegistry } from 'holdfast/graph';
import { openHouse } from '../house.ts';

class Pause extends Task {
  static override readonly type = 'BehindPause';
  override async execute(input: TaskOutput, { durable }: ExecuteContext) {
    await durable.sleep('3s');
    return input;
  }
}
class Shout extends Task {
  static override readonly type = 'BehindShout';
  // Says more than which ports there are: what checks values is loaded before the run goes on.
  static override inputSchema = () => ({ type: 'object', properties: { text: { type: 'string' } }, required: ['text'], additionalProperties: false }) as const;
  override execute({ text }: TaskOutput) {
    return { text: `${text}!` };
  }
}
/** In a page that has none of the classes yet. */
async function leftBehind() {
  let house = await openHouse();
  await house.orchestrator.graphs.useRegistry(new TaskRegistry().registerTask(Pause, Shout));
  const graph = new TaskGraph();
  graph.addTasks([new Pause({ id: 'pause' }), new Shout({ id: 'shout' })]);
  graph.addDataflow(new Dataflow('pause', 'text', 'shout', 'text'));
  const run = await house.orchestrator.graphs.run(graph, { text: 'hello' });
  await house.clock.advance(1000);
  house.cut();
  await house.clock.advance(10_000);
  house = await house.crash();
  return { house, id: run.id };
}

it('a node that was due while no page was there, and whose class comes late, is over in what the run shows, too', async () => {
  const { house, id } = await leftBehind();
  await house.clock.advance(100);
  registerTask(Pause, Shout);
  const again = (await house.orchestrator.graphs.get(id))!;
  await again.graph();
  await house.clock.advance(4000);
  expect(await again.result()).toEqual([{ id: 'shout', type: 'BehindShout', data: { text: 'hello!' } }]);
  expect([...again.nodes.values()].map(({ id, status }) => `${id} ${status}`)).toEqual(['pause COMPLETED', 'shout COMPLETED']);
  expect((await again.getProvenance('shout'))!.items.map(({ taskId }) => taskId)).toEqual(['pause', 'shout']);
  house.cut();
});
