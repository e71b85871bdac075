/** Results of batches are typed by position, by task, by id. Compiled, not run. */
import { batch, type BatchItemResult, createOrchestrator, defineTask, queue, type Task, type TaskRunResultFromTask, tasks } from 'holdfast';
import { describe, expectTypeOf, it } from 'vitest';

const user = defineTask({ id: 'user', run: async ({ id }: { id: string }) => ({ id, name: 'Ada' }) });
const posts = defineTask({ id: 'posts', run: async (_: { userId: string }) => ['post'] });
type User = { id: string; name: string };

describe('batches', () => {
  it('are typed by position', async () => {
    const { runs } = await batch.triggerByTaskAndWait([
      { task: user, payload: { id: 'u' } },
      { task: posts, payload: { userId: 'u' } },
    ]);
    expectTypeOf(runs[0]).toEqualTypeOf<BatchItemResult<User, 'user'>>();
    expectTypeOf(runs[1]).toEqualTypeOf<TaskRunResultFromTask<typeof posts>>();
    if (runs[0].ok) expectTypeOf(runs[0].output).toEqualTypeOf<User>();
    const { runs: [first, second] } = await createOrchestrator().batch.triggerByTaskAndWait([{ task: user, payload: { id: 'u' } }, { task: posts, payload: { userId: 'u' } }]);
    expectTypeOf(first.ok ? first.output : null).toEqualTypeOf<User | null>();
    expectTypeOf(second.ok ? second.output : []).toEqualTypeOf<string[]>();
  });

  it('check each payload against its own task', () => {
    // @ts-expect-error the payload of another task
    void (() => batch.triggerByTaskAndWait([
      { task: user, payload: { id: 'u' } },
      { task: posts, payload: { id: 'u' } },
    ]));
    // @ts-expect-error a payload of another type
    void (() => user.batchTriggerAndWait([{ payload: 7 }]));
    // @ts-expect-error no such policy
    void (() => batch.triggerByTask([{ task: user, payload: { id: 'u' } }], { onItemError: 'ignore' }));
  });

  it('of a mapped array, and of a source, are an array of their union', async () => {
    const ids = ['a', 'b'];
    const { runs } = await batch.triggerByTaskAndWait(ids.map((id) => ({ task: user, payload: { id } })));
    expectTypeOf(runs[0]!).toEqualTypeOf<BatchItemResult<User, 'user'>>();
    const mixed = await batch.triggerByTaskAndWait([...ids.map((id) => ({ task: user, payload: { id } })), ...ids.map((userId) => ({ task: posts, payload: { userId } }))]);
    const one = mixed.runs[0]!;
    if (one.ok) expectTypeOf(one.output).toEqualTypeOf<User | string[]>();
    expectTypeOf(mixed.runs.byTask(user).map((run) => (run.ok ? run.output : null))).toEqualTypeOf<(User | null)[]>();
    expectTypeOf(mixed.runs.byTask('posts').map((run) => (run.ok ? run.output : null))).toEqualTypeOf<(string[] | null)[]>();
    expectTypeOf(mixed.runs.outputs()).toEqualTypeOf<(User | string[])[]>();
    expectTypeOf(mixed.runs.partition()[1][0]!.error).toEqualTypeOf<Error>();
    expectTypeOf(mixed.runs.failed()[0]!.ok).toEqualTypeOf<false>();
    async function* items() {
      yield { task: user, payload: { id: 'u' } };
    }
    const streamed = await batch.triggerByTaskAndWait(items());
    expectTypeOf(streamed.runs.unwrapAll()).toEqualTypeOf<User[]>();
    for await (const result of batch.stream(items())) expectTypeOf(result).toEqualTypeOf<BatchItemResult<User, 'user'>>();
  });

  it('by id narrow by the id', async () => {
    const { runs } = await batch.triggerAndWait<typeof user | typeof posts>([
      { id: 'user', payload: { id: 'u' } },
      { id: 'posts', payload: { userId: 'u' } },
    ]);
    for (const run of runs) {
      if (run.ok && run.taskIdentifier === 'user') expectTypeOf(run.output).toEqualTypeOf<User>();
      if (run.ok && run.taskIdentifier === 'posts') expectTypeOf(run.output).toEqualTypeOf<string[]>();
    }
    // @ts-expect-error the payload of another task
    void (() => batch.trigger<typeof user | typeof posts>([{ id: 'user', payload: { userId: 'u' } }]));
    const same = await tasks.batchTriggerAndWait<typeof user>('user', [{ payload: { id: 'u' } }]);
    expectTypeOf(same.runs.outputs()).toEqualTypeOf<User[]>();
  });

  it('of one task know it', async () => {
    const { runs } = await user.batchTriggerAndWait([{ payload: { id: 'u' } }]);
    expectTypeOf(runs.outputs()).toEqualTypeOf<User[]>();
    const handle = await user.batchTrigger([{ payload: { id: 'u' } }]);
    expectTypeOf((await handle.wait()).runs.outputs()).toEqualTypeOf<User[]>();
    expectTypeOf(handle.runCount).toEqualTypeOf<number>();
    expectTypeOf(user).toExtend<Task>();
    defineTask({ id: 'of the queue', queue: queue({ name: 'api', concurrencyLimit: 5 }), run: async () => 1 });
  });
});
