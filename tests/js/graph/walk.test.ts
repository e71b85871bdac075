/** Graphs as they run: in memory, durably, killed and opened again. */
import { expect, it } from 'vitest';
import '../../../js/graph/container.ts';
import '../../../js/graph/home.ts';
import '../../../js/graph/alone.ts';
import '../../../js/groups/container.ts';
import { Dataflow, registerTask, Task, TaskGraph, type TaskOutput } from 'holdfast/graph';
import { openHouse } from '../house.ts';

class Input extends Task {
  static override readonly type = 'WalkInput';
  override execute(input: TaskOutput) {
    return input;
  }
}
let executed: string[] = [];
class Upper extends Task {
  static override readonly type = 'WalkUpper';
  override async execute({ text }: TaskOutput) {
    executed.push(`upper ${text}`);
    return { text: String(text).toUpperCase() };
  }
}
class Length extends Task {
  static override readonly type = 'WalkLength';
  override execute({ text }: TaskOutput) {
    executed.push(`length ${text}`);
    return { length: String(text).length };
  }
}
class Merge extends Task {
  static override readonly type = 'WalkMerge';
  override execute({ text, length }: TaskOutput) {
    return { both: `${text} ${length}` };
  }
}
registerTask(Input, Upper, Length, Merge);

function walk(): TaskGraph {
  executed = [];
  const graph = new TaskGraph();
  graph.addTasks([new Input({ id: 'in' }), new Upper({ id: 'upper' }), new Length({ id: 'length' }), new Merge({ id: 'merge' })]);
  graph.addDataflows([new Dataflow('in', 'text', 'upper', 'text'), new Dataflow('in', 'text', 'length', 'text'), new Dataflow('upper', 'text', 'merge', 'text'), new Dataflow('length', 'length', 'merge', 'length')]);
  return graph;
}

it('a graph runs in memory, and gives what its leaves gave', async () => {
  const graph = walk();
  expect(await graph.run({ text: 'hello' })).toEqual([{ id: 'merge', type: 'WalkMerge', data: { both: 'HELLO 5' } }]);
  expect(graph.getTasks().map(({ status }) => status)).toEqual(['COMPLETED', 'COMPLETED', 'COMPLETED', 'COMPLETED']);
  expect(graph.getTask('upper')!.runOutputData).toEqual({ text: 'HELLO' });
  expect(await graph.run({ text: 'you' })).toEqual([{ id: 'merge', type: 'WalkMerge', data: { both: 'YOU 3' } }]);
});

it('a graph runs durably, and its run is found again with what its nodes gave', async () => {
  let house = await openHouse();
  const run = await house.orchestrator.graphs.run(walk(), { text: 'hello' });
  expect(await run.result()).toEqual([{ id: 'merge', type: 'WalkMerge', data: { both: 'HELLO 5' } }]);
  house = await house.reload();
  const again = (await house.orchestrator.graphs.get(run.id))!;
  expect(await again.result()).toEqual([{ id: 'merge', type: 'WalkMerge', data: { both: 'HELLO 5' } }]);
  expect([...again.nodes.values()].map(({ status }) => status)).toEqual(['COMPLETED', 'COMPLETED', 'COMPLETED', 'COMPLETED']);
  expect(await again.output('length')).toEqual({ length: 5 });
  house.cut();
});
