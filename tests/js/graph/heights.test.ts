/** Who begins first, where more nodes are ready than may run: the one with the longest way below it. */
import { Task, TaskGraph, type TaskInput, type TaskOutput } from 'holdfast/graph';
import { expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import '../../../js/testing/rooms.ts';
import { planOf } from '../../../js/graph/plan.ts';

const begun: string[] = [];
class Step extends Task {
  static override readonly type = 'Step';
  static override readonly cacheable = false;
  override execute(_: TaskInput): TaskOutput {
    begun.push(this.id);
    return { out: this.id };
  }
}

/** `short` and `long…` both follow `first`; the short ones were added before. */
function graph(): TaskGraph {
  const made = new TaskGraph();
  for (const id of ['first', 'short1', 'short2', 'long1', 'long2', 'long3']) made.addTask(new Step({ id }));
  for (const [from, to] of [['first', 'short1'], ['first', 'short2'], ['first', 'long1'], ['long1', 'long2'], ['long2', 'long3']]) made.connect(from!, 'out', to!, 'in');
  return made;
}

it('the critical path goes first, then what was added first', async () => {
  begun.length = 0;
  await graph().run({}, { concurrency: 1 });
  expect(begun).toEqual(['first', 'long1', 'long2', 'short1', 'short2', 'long3']);
});

it('nothing is said of heights where all ways are equally long', () => {
  const even = new TaskGraph();
  for (const id of ['a', 'b', 'c', 'd']) even.addTask(new Step({ id }));
  for (const [from, to] of [['a', 'b'], ['a', 'c'], ['b', 'd'], ['c', 'd']]) even.connect(from!, 'out', to!, 'in');
  expect(planOf(even).nodes.map(({ height }) => height)).toEqual([0, 0, 0, 0]);
  expect(Object.fromEntries(planOf(graph()).nodes.map(({ id, height }) => [id, height]))).toEqual({ first: 4, short1: 1, short2: 1, long1: 3, long2: 2, long3: 1 });
});
