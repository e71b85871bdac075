/** Jobs of graphs stand in queues of holdfast. */
import { expect, it } from 'vitest';
import '../../../js/graph/container.ts';
import '../../../js/graph/home.ts';
import '../../../js/groups/container.ts';
import { JobQueueTask, registerTask, TaskGraph, type TaskInput, type TaskOutput } from 'holdfast/graph';
import { open } from '../houses.ts';

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
