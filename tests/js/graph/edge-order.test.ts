/** Values come in the order of edge ids, whatever it is compared by. */
import { expect, it } from 'vitest';
import { planOf } from '../../../js/graph/plan.ts';
import { Dataflow, Task, TaskGraph } from '../../../js/graph/index.ts';

class Any extends Task<any, any, any> {
  static override type = 'Any';
  static override inputSchema() {
    return true as const;
  }
  override async execute() {
    return {};
  }
}

const sources = ['1', '12', '9', '10', 'a', 'ab', 'Z', 'a1', '[', 'a[b', 'é'];
const ends = [['next', 'x'], ['next', 'xy'], ['n', 'x'], ['next2', 'a']] as const;

it.each([12, 44])('%i edges into a node stand in the order of their ids, whatever order they were added in', (count) => {
  const graph = new TaskGraph();
  const target = new Any({ id: 'target' });
  const used = sources.slice(0, count / ends.length);
  graph.addTasks([...used.map((id) => new Any({ id })), target]);
  const edges = used.flatMap((id) => ends.map(([from, to]) => new Dataflow(id, from, 'target', to)));
  for (const [at, edge] of edges.entries()) if (at % 2 === 1) graph.addDataflow(edge);
  for (const [at, edge] of edges.entries()) if (at % 2 === 0) graph.addDataflow(edge);
  const { incoming, sources: theirs } = planOf(graph).byId.get('target')!;
  const ids = edges.map(({ id }) => id);
  expect(incoming.map(({ id }) => id)).toEqual([...ids].sort((one, other) => (one < other ? -1 : 1)));
  expect(theirs.map(({ id }) => id)).toEqual(incoming.map(({ sourceTaskId }) => sourceTaskId));
});
