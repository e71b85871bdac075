/** Graphs as they run: in memory, durably, killed and opened again. */
import { expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { Dataflow, type ExecuteContext, registerTask, Task, TaskGraph, type TaskOutput } from 'holdfast/graph';
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

it('a run that failed is tried again: what had completed stays, what failed and what waited for it begins anew', async () => {
  let house = await openHouse();
  let fails = true;
  executed = [];
  class Flaky extends Task {
    static override readonly type = 'WalkFlaky';
    override async execute({ text }: TaskOutput) {
      executed.push('flaky');
      if (fails) throw new Error('not now');
      return { text };
    }
  }
  registerTask(Flaky);
  const graph = new TaskGraph();
  graph.addTasks([new Upper({ id: 'upper' }), new Flaky({ id: 'flaky' }), new Length({ id: 'length' })]);
  graph.addDataflows([new Dataflow('upper', 'text', 'flaky', 'text'), new Dataflow('flaky', 'text', 'length', 'text')]);
  const run = await house.orchestrator.graphs.run(graph, { text: 'abc' });
  await expect(run.result()).rejects.toThrow('not now');
  house = await house.crash();
  const again = (await house.orchestrator.graphs.get(run.id))!;
  await expect(again.result()).rejects.toMatchObject({ name: 'TaskFailedError', message: 'not now', taskId: 'flaky' });
  fails = false;
  expect(await again.retry()).toBe(true);
  expect(await again.result()).toEqual([{ id: 'length', type: 'WalkLength', data: { length: 3 } }]);
  expect(executed).toEqual(['upper abc', 'flaky', 'flaky', 'length ABC']);
  expect([...again.nodes.values()].map(({ status }) => status)).toEqual(['COMPLETED', 'COMPLETED', 'COMPLETED']);
  await house.orchestrator.dispose();
});

it('a suspended run begins no node, over a reload too, and goes on when it is resumed', async () => {
  let house = await openHouse();
  executed = [];
  let release: () => void = () => {};
  class Held extends Task {
    static override readonly type = 'WalkHeld';
    override async execute({ text }: TaskOutput) {
      executed.push('held');
      await new Promise<void>((resolve) => (release = resolve));
      return { text };
    }
  }
  registerTask(Held);
  const graph = new TaskGraph();
  graph.addTasks([new Held({ id: 'held' }), new Length({ id: 'length' })]);
  graph.connect('held', 'text', 'length', 'text');
  const run = await house.orchestrator.graphs.run(graph, { text: 'abc' });
  await house.clock.settle();
  expect(await run.suspend()).toBe(true);
  release();
  await house.clock.settle();
  expect([...run.nodes.values()].map(({ status }) => status)).toEqual(['COMPLETED', 'PENDING']);
  house = await house.reload();
  await house.clock.settle();
  expect(executed).toEqual(['held']);
  const again = (await house.orchestrator.graphs.get(run.id))!;
  expect(again.status).toBe('paused');
  expect(await again.resume()).toBe(true);
  expect(await again.result()).toEqual([{ id: 'length', type: 'WalkLength', data: { length: 3 } }]);
  expect(executed).toEqual(['held', 'length abc']);
  await house.orchestrator.dispose();
});

it('a run waits for types that this page has not registered, and says so', async () => {
  let house = await openHouse();
  let release: () => void = () => {};
  class Late extends Task {
    static override readonly type = 'WalkLate';
    override async execute(input: TaskOutput) {
      await new Promise<void>((resolve) => (release = resolve));
      return input;
    }
  }
  const { TaskRegistry } = await import('holdfast/graph');
  const first = new TaskRegistry().registerTask(Late);
  const graph = new TaskGraph();
  graph.addTask(new Late({ id: 'late' }));
  const run = await house.orchestrator.graphs.run(graph, { n: 1 }, { registry: first });
  await house.clock.settle();
  house = await house.crash();
  const warnings: string[] = [];
  house.orchestrator.on('warning', (warning) => warnings.push(String((warning as { message?: string }).message ?? warning)));
  await house.clock.settle();
  const again = (await house.orchestrator.graphs.get(run.id))!;
  expect(house.orchestrator.why(run.id)).toMatch(/definition|registered/);
  class Now extends Late {
    override async execute(input: TaskOutput) {
      return input;
    }
  }
  registerTask(Now);
  release();
  await house.clock.settle();
  expect(await again.result()).toEqual([{ id: 'late', type: 'WalkLate', data: { n: 1 } }]);
  await house.orchestrator.dispose();
});

it('a run that was aborted is tried again, and again where a node fails: what had not completed is executed, nothing is missing in what it gives', async () => {
  const { clock, orchestrator } = await openHouse();
  let fails = true;
  executed = [];
  class Slow extends Task {
    static override readonly type = 'WalkSlow';
    override async execute(input: TaskOutput, { durable }: ExecuteContext) {
      executed.push(this.id);
      await durable.sleep('3s');
      if (fails && this.id === 'fails') throw new Error('not now');
      return input;
    }
  }
  registerTask(Slow);
  const graph = new TaskGraph();
  graph.addTasks([new Slow({ id: 'slow' }), new Length({ id: 'length' }), new Slow({ id: 'fails' }), new Length({ id: 'other' })]);
  graph.connect('slow', 'text', 'length', 'text');
  graph.connect('fails', 'text', 'other', 'text');
  const run = await orchestrator.graphs.run(graph, { text: 'abc' });
  await clock.advance(1000);
  await run.abort('enough');
  await clock.settle();
  expect(await run.retry()).toBe(true);
  await clock.advance(4000);
  await expect(run.result()).rejects.toThrow('not now');
  fails = false;
  expect(await run.retry()).toBe(true);
  await clock.advance(4000);
  expect(await run.result()).toEqual([{ id: 'length', type: 'WalkLength', data: { length: 3 } }, { id: 'other', type: 'WalkLength', data: { length: 3 } }]);
  expect(executed.filter((each) => each.startsWith('length'))).toHaveLength(2);
  await orchestrator.dispose();
});
