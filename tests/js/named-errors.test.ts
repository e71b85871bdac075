/** What is refused at a call says which task it was about, where in the value it is, and what would do. */
import { ConfigurationError, defineTask, type OrchestratorError, SerializationError } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { name, open } from './houses.ts';

function refusal(call: () => unknown): OrchestratorError {
  try {
    call();
  } catch (error) {
    return error as OrchestratorError;
  }
  throw new Error('It was not refused.');
}

describe('A refused call names its task', () => {
  const options: object[] = [
    { retry: { maxAttempts: 0 } }, { retry: { crashRetries: -1 } }, { heartbeat: 'soon' }, { priority: 'high' }, { simulateProgress: 5 }, { timeout: -1 }, { delay: 'soon' }, { queue: 5 },
    { metadata: { callback: () => 1 } },
  ];
  for (const option of options)
    it(`for ${Object.keys(option)[0]} ${JSON.stringify(Object.values(option)[0])}: when it is defined or triggered, and by ctx.run`, async () => {
      const house = await open();
      const id = name('task');
      const task = defineTask({ id, run: async () => 1 });
      const refused = refusal(() => house.orchestrator.trigger(task, 1, option as never));
      expect(refused).toBeInstanceOf('metadata' in option ? SerializationError : ConfigurationError);
      expect(refused.message).toContain(`trigger "${id}"`);
      expect(house.orchestrator.getAllTasks()).toHaveLength(0);
      if (!('metadata' in option)) expect(refusal(() => defineTask({ id: 'wrong', run: async () => 1, ...option } as never)).message).toContain('defineTask "wrong"');
      const parent = defineTask({ id: name('parent'), retry: { maxAttempts: 1 }, run: async (_: null, ctx) => ctx.run(task, undefined as never, option as never) });
      await expect(house.orchestrator.run(parent, null)).rejects.toThrow(`ctx.run("${id}")`);
      expect(house.orchestrator.getAllTasks()).toHaveLength(1);
    });

  it('for an input that can not be stored, and the place in it; the error keeps its type and data', async () => {
    const house = await open();
    const child = defineTask({ id: name('child'), run: async (_: unknown) => 1 });
    const refused = refusal(() => house.orchestrator.trigger(child, { list: [{ callback: () => 1 }] }));
    expect(refused).toMatchObject({ name: 'NotCloneableError', code: 'NOT_CLONEABLE', data: { path: 'input.list[0].callback' } });
    expect(refused.message).toBe(`trigger "${child.id}": input.list[0].callback is a function; store its name and look it up inside the handler.`);
    expect(house.orchestrator.getAllTasks()).toHaveLength(0);
    const parent = defineTask({ id: name('parent'), retry: { maxAttempts: 1 }, run: async (_: null, ctx) => ctx.run(child, { callback: () => 1 }) });
    await expect(house.orchestrator.run(parent, null)).rejects.toThrow(`ctx.run("${child.id}"): input.callback is a function`);
  });

  it('for a key that the task’s own function does not give', async () => {
    const house = await open();
    const from = () => {
      throw new TypeError('no order');
    };
    const keyed = defineTask({ id: name('keyed'), idempotency: { from }, run: async () => 1 });
    const single = defineTask({ id: name('single'), singleton: { key: from, mode: 'skip' }, run: async () => 1 });
    for (const [task, what] of [[keyed, 'idempotency.from'], [single, 'singleton.key']] as const) {
      const refused = refusal(() => house.orchestrator.trigger(task as any, 1));
      expect(refused).toBeInstanceOf(ConfigurationError);
      expect(refused.message).toBe(`trigger "${task.id}": ${what} threw TypeError: no order`);
      expect(refused.cause).toBeInstanceOf(TypeError);
    }
    expect(house.orchestrator.getAllTasks()).toHaveLength(0);
  });
});
