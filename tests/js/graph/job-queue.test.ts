/** Jobs of graphs stand in queues of holdfast. */
import { defineTask } from 'holdfast';
import { expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { type ExecuteContext, type GraphRun, type GraphRunOptions, JobQueueTask, registerTask, Task, TaskGraph, type TaskInput, type TaskOutput } from 'holdfast/graph';
import { again, open } from '../houses.ts';

let running = 0;
let most = 0;
let tries = 0;
class Job extends JobQueueTask {
  static override readonly type: string = 'Job';
  override async execute({ n }: TaskInput): Promise<TaskOutput> {
    most = Math.max(most, ++running);
    for (let turn = 0; turn < 5; turn++) await null;
    running--;
    return { n: n + 1 };
  }
}
class Flaky extends JobQueueTask {
  static override readonly type = 'FlakyJob';
  override execute(): TaskOutput {
    if (++tries < 3) throw new Error('busy');
    if (tries > 5) throw Object.assign(new Error('gone'), { code: 'GONE' });
    return { tries };
  }
}
class OnlyQueued extends Job {
  static override readonly type = 'OnlyQueued';
  static override readonly canRunDirectly = false;
}
registerTask(Job, Flaky, OnlyQueued);

it('jobs wait for their queue, and are tried again as jobs are', async () => {
  const house = await open({ queues: { narrow: { concurrency: 1 } } } as never);
  const graph = new TaskGraph();
  for (let at = 0; at < 5; at++) graph.addTask(new Job({ id: `job${at}`, queue: 'narrow' }));
  graph.addTask(new Flaky({ id: 'flaky' }));
  const run = await house.orchestrator.graphs.run(graph, { n: 1 });
  const result = run.result();
  await house.clock.advance(60_000);
  expect((await result).map(({ data }) => data)).toEqual([{ n: 2 }, { n: 2 }, { n: 2 }, { n: 2 }, { n: 2 }, { tries: 3 }]);
  expect(most).toBe(1);
});

it('a job that fails for good says what with; one that may not run without its queue says so', async () => {
  const house = await open();
  tries = 5;
  const graph = new TaskGraph();
  graph.addTask(new Flaky({ id: 'flaky', maxRetries: 0 }));
  const run = await house.orchestrator.graphs.run(graph);
  await expect(run.result()).rejects.toMatchObject({ name: 'JobTaskFailedError', message: 'gone', taskId: 'flaky', data: { code: 'GONE' } });
  const direct = new TaskGraph();
  direct.addTask(new OnlyQueued({ id: 'only', queue: 'nowhere' }));
  await expect((await house.orchestrator.graphs.run(direct, { n: 1 })).result()).rejects.toThrow(`Task only (OnlyQueued) can't run outside of a queue, and there is no queue "nowhere" here`);
});

class Slow extends JobQueueTask {
  static override readonly type = 'SlowJob';
  override async execute(_: TaskInput, { durable }: ExecuteContext): Promise<TaskOutput> {
    await durable.sleep('1s');
    return { from: this.id };
  }
}
class Note extends Task {
  static override readonly type = 'NoteOfJob';
  override execute({ from = 'nobody' }: TaskInput): TaskOutput {
    return { noted: from };
  }
}
registerTask(Slow, Note);

/** Jobs in one queue, each with one that follows it. */
async function crowd(overflow: string, options: GraphRunOptions = {}) {
  const house = await open({ queues: { small: { concurrency: 1, maxSize: 1, overflow } } } as never);
  const graph = new TaskGraph();
  for (const name of ['a', 'b', 'c']) {
    graph.addTasks([new Slow({ id: name, queue: 'small' }), new Note({ id: `after ${name}` })]);
    graph.connect(name, 'from', `after ${name}`, 'from');
  }
  const run = await house.orchestrator.graphs.run(graph, {}, options);
  const result = run.result().then((results: any) => results.map(({ data }: any) => data.noted), (error) => error);
  await house.clock.advance(50);
  return { house, graph, run, result };
}
const told = (run: GraphRun) => [...run.nodes.values()].map(({ id, status }) => `${id} ${status}`);

it('what follows a job that its full queue holds back waits for it, in the next page too', async () => {
  const alone = await crowd('block');
  await alone.house.clock.advance(60_000);
  expect(await alone.result).toEqual(['a', 'b', 'c']);

  const { house, run } = await crowd('block');
  const next = await again(house.crash());
  await next.clock.advance(60_000);
  expect((await (await next.orchestrator.graphs.get(run.id))!.result()).map(({ data }: any) => data.noted)).toEqual(['a', 'b', 'c']);
});

it.each(['reject', 'drop-new'])('a job that its full queue has no room for (%s) is a failure of its node that says so, and what follows it is not executed', async (overflow) => {
  const { house, run, result } = await crowd(overflow, { failurePolicy: 'collect' });
  await house.clock.advance(60_000);
  expect(await result).toEqual(['a', 'b']);
  expect(told(run)).toEqual(['a COMPLETED', 'after a COMPLETED', 'b COMPLETED', 'after b COMPLETED', 'c FAILED', 'after c FAILED']);
  expect(run.nodes.get('c')!.error).toMatchObject({ name: 'JobTaskFailedError', message: expect.stringContaining('Queue "small" was full'), data: { code: 'QUEUE_OVERFLOW' }, taskId: 'c' });
  expect(run.nodes.get('after c')!.error).toMatchObject({ name: 'TaskAbortedError', data: { failedTaskId: 'c' } });

  const aborted = await crowd(overflow);
  await aborted.house.clock.advance(60_000);
  expect(await aborted.result).toMatchObject({ message: expect.stringContaining('Queue "small" was full'), taskId: 'c' });

  const killed = await crowd(overflow, { failurePolicy: 'collect' });
  const next = await again(killed.house.crash());
  await next.clock.advance(60_000);
  const found = (await next.orchestrator.graphs.get(killed.run.id))!;
  expect((await found.result()).map(({ data }: any) => data.noted)).toEqual(['a', 'b']);
  expect(told(found)).toEqual(told(run));
});

class Excuse extends Task {
  static override readonly type = 'ExcuseOfJob';
  override execute({ why }: TaskInput): TaskOutput {
    return { noted: `${why.errorType}: ${why.error.split(';')[0]}` };
  }
}
registerTask(Excuse);

it.each(['reject', 'drop-new', 'drop-oldest'])('edges of [error] lead on from a job that there was no room for (%s), in the next page and in a second try too', async (overflow) => {
  const begin = async (options: GraphRunOptions) => {
    const house = await open({ queues: { small: { concurrency: 1, maxSize: 1, overflow } } } as never);
    const graph = new TaskGraph();
    for (const name of ['a', 'b', 'c']) {
      graph.addTasks([new Slow({ id: name, queue: 'small' }), new Note({ id: `after ${name}` }), new Excuse({ id: `without ${name}` })]);
      graph.connect(name, 'from', `after ${name}`, 'from');
      graph.connect(name, '[error]', `without ${name}`, 'why');
    }
    const run = await house.orchestrator.graphs.run(graph, {}, options);
    await house.clock.advance(50);
    return { house, graph, run };
  };
  const [out, ...in_] = overflow === 'drop-oldest' ? ['b', 'a', 'c'] : ['c', 'a', 'b'];
  const wanted = [...in_.map((name) => `after ${name} ${name}`), `without ${out} JobTaskFailedError: Queue "small" was full`].sort();
  const gave = async (run: GraphRun) => (await run.result()).map(({ id, data }: any) => `${id} ${data.noted}`).sort();
  for (const failurePolicy of ['abort', 'continue-independent', 'collect'] as const) {
    const { house, graph, run } = await begin({ failurePolicy });
    await house.clock.advance(60_000);
    expect(await gave(run)).toEqual(wanted);
    expect(told(run)).toEqual(expect.arrayContaining([`${out} FAILED`, `after ${out} DISABLED`, `without ${out} COMPLETED`]));
    expect([graph.getDataflow(`${out}[[error]] ==> without ${out}[why]`)!.status, graph.getDataflow(`${out}[from] ==> after ${out}[from]`)!.status]).toEqual(['COMPLETED', 'DISABLED']);
  }
  const { house, run } = await begin({});
  const next = await again(house.crash());
  await next.clock.advance(60_000);
  expect(await gave((await next.orchestrator.graphs.get(run.id))!)).toEqual(wanted);
});

it('a job that there was no room for stands in its queue when its graph is tried again', async () => {
  const { house, run, result } = await crowd('reject');
  await house.clock.advance(60_000);
  expect(await result).toBeInstanceOf(Error);
  expect(await run.retry()).toBe(true);
  await house.clock.advance(60_000);
  expect((await run.result()).map(({ data }: any) => data.noted)).toEqual(['a', 'b', 'c']);
  expect(house.orchestrator.getTaskState(run.nodes.get('c')!.runId!)!.queue).toBe('small');
});

it('a node that alone is cancelled fails its graph', async () => {
  const { house, run, result } = await crowd('block', { failurePolicy: 'continue-independent' });
  void house.orchestrator.attach(run.nodes.get('a')!.runId!)!.cancel();
  await house.clock.advance(60_000);
  expect(await result).toMatchObject({ name: 'TaskAbortedError', taskId: 'a' });
  expect(told(run)).toEqual(expect.arrayContaining(['a FAILED', 'after a FAILED', 'after c COMPLETED']));
});

it('a job is not added to a run that goes on while its queue is full', async () => {
  const house = await open({ queues: { small: { concurrency: 1, maxSize: 2, overflow: 'block' } } } as never);
  const graph = new TaskGraph();
  graph.addTask(new Slow({ id: 'a', queue: 'small' }));
  const run = await house.orchestrator.graphs.run(graph);
  await house.clock.advance(50);
  graph.addTasks([new Slow({ id: 'b', queue: 'small' }), new Slow({ id: 'c', queue: 'small' })]);
  expect(() => graph.addTask(new Slow({ id: 'd', queue: 'small' }))).toThrow('queue "small", which is full: 2 wait of 2');
  graph.addTask(new Note({ id: 'after c' }));
  graph.connect('c', 'from', 'after c', 'from');
  await house.clock.advance(60_000);
  expect((await run.result()).map(({ id }) => id)).toEqual(['a', 'b', 'after c']);
});

it.each(['block', 'reject'])('a queue that fills between the call and the end of its turn (%s): who was let in by the call goes in, or fails as one that there is no room for, and what follows waits for it', async (overflow) => {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const other = defineTask({ id: `other in the queue (${overflow})`, queue: 'small', run: () => held });
  const house = await open({ queues: { small: { concurrency: 1, maxSize: 2, overflow } } } as never);
  const graph = new TaskGraph();
  graph.addTask(new Slow({ id: 'a', queue: 'small' }));
  const run = await house.orchestrator.graphs.run(graph, {}, { failurePolicy: 'collect' });
  await house.clock.advance(50);
  graph.addTasks([new Slow({ id: 'b', queue: 'small' }), new Note({ id: 'after b' }), new Excuse({ id: 'without b' })]);
  graph.connect('b', 'from', 'after b', 'from');
  graph.connect('b', '[error]', 'without b', 'why');
  for (let count = 0; count < 3; count++) house.orchestrator.trigger(other, null);
  await run.changesStored();
  release();
  await house.clock.advance(60_000);
  expect((await run.result()).map(({ id, data }: any) => `${id} ${data.from ?? data.noted}`)).toEqual(['a a', overflow === 'block' ? 'after b b' : 'without b JobTaskFailedError: Queue "small" was full']);
});
