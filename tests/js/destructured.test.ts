/** Verbs of a context that are taken out of it, as people write it. */
import { defineTask, type TaskContext } from 'holdfast';
import { TaskGraph, Task } from 'holdfast/graph';
import { describe, expect, it } from 'vitest';
import { name, open } from './houses.ts';
import { setup, TestContext } from './worker-house.ts';

describe('verbs of a context work without it', () => {
  it('in the parameters of a task', async () => {
    const house = await open();
    const child = defineTask({ id: name('child'), run: async (n: number) => 2 * n });
    const task = defineTask({
      id: name('task'),
      run: async (input: number, { step, run, sleep, now, uuid, random, map, group, progress, emit, onRollback, createToken, signal, log }) => {
        progress(10);
        emit('begun');
        log.info('begun');
        onRollback('nothing', () => {});
        const one = await step('one', () => input + 1);
        const two = await run(child, one);
        const many = await map([1, 2], (n: number) => n + two);
        const inside = await group('part', ({ step: stepInside }) => stepInside('in', () => 'in'));
        const { id } = await createToken();
        await sleep(1);
        return { two, many: many.map((each) => each.ok && each.value), inside, kinds: [typeof now(), typeof random(), uuid().length, typeof id, signal.aborted] };
      },
    });
    const given = house.orchestrator.trigger(task, 1).result();
    await house.clock.settle();
    await house.clock.advance(1000);
    expect(await given).toEqual({ two: 4, many: [5, 6], inside: 'in', kinds: ['number', 'number', 36, 'string', false] });
  });

  it('in a worker', async () => {
    const { run } = setup(async (_: unknown, { step, progress }: TaskContext) => {
      progress(50);
      return step('one', () => 1);
    });
    expect(await run(null, new TestContext())).toBe(1);
  });

  it('in the parameters of a node, as the classes of graphs have them', async () => {
    class Within extends Task {
      static override readonly type: string = 'Within';
      override async execute(_: object, { signal }: { signal: AbortSignal }) {
        return { aborted: signal.aborted };
      }
    }
    const heard: unknown[] = [];
    class Outer extends Task {
      static override readonly type: string = 'Outer';
      override async execute(_: object, { updateProgress, own, runGraph }: Parameters<Task['execute']>[1]) {
        await updateProgress(40, 'half way', { page: 2 });
        const graph = own(new TaskGraph());
        graph.addTask(new Within({ id: 'within' }));
        return runGraph(graph);
      }
    }
    const outer = new Outer({ id: 'outer' });
    outer.on('progress', (...told: unknown[]) => heard.push(told));
    const graph = new TaskGraph();
    graph.addTask(outer);
    expect(await graph.run()).toMatchObject([{ id: 'outer', data: { aborted: false } }]);
    expect(heard).toContainEqual([40, 'half way', { page: 2 }]);
  });
});

it('a verb can be replaced, by who watches what is called', async () => {
  const house = await open();
  const asked: string[] = [];
  const task = defineTask({
    id: name('task'),
    run: async (_: null, ctx) => {
      const { step } = ctx;
      ctx.step = ((stepName: string, ...rest: [any]) => {
        asked.push(stepName);
        return step(stepName, ...rest);
      }) as typeof ctx.step;
      return ctx.step('one', () => 1);
    },
  });
  expect(await house.orchestrator.trigger(task, null).result()).toBe(1);
  expect(asked).toEqual(['one']);
});
