// What keeps the code of graphs compiled keeps nothing of people's graphs.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { Dataflow, Task, TaskGraph } from '../../../js/graph/index.ts';

class Next extends Task {
  static override readonly type = 'Next';
  override async execute({ n }: { n: number }): Promise<{ n: number }> {
    return { n: n + 1 };
  }
}

async function runOne(): Promise<WeakRef<TaskGraph>> {
  const graph = new TaskGraph();
  graph.addTask(new Next({ id: 'first', defaults: { n: 1 } }));
  graph.addTask(new Next({ id: 'second' }));
  graph.addDataflow(new Dataflow('first', 'n', 'second', 'n'));
  expect((await graph.run())[0]!.data).toEqual({ n: 3 });
  return new WeakRef(graph);
}

it('a graph that nobody holds is collected after its run, with its tasks and values', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const graph = await runOne();
  for (let turn = 0; turn < 20 && graph.deref(); turn++) {
    await new Promise((resolve) => setTimeout(resolve));
    collect();
  }
  expect(graph.deref()).toBeUndefined();
});
