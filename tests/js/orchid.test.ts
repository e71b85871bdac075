/** The note that asked for durable code (Orchid Task Orchestrator): its example runs as it is written. */
import { defineTask, type TaskContext } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { crash, open } from './houses.ts';

/** What the example calls by name. */
function blog() {
  const processed: string[] = [];
  let held: Promise<void> | undefined;
  const scrape = defineTask({ id: 'scrape-wordpress', run: async (_url: string) => ['first', 'second', 'third'] });
  const process = defineTask({
    id: 'process-post',
    run: async (post: string) => {
      if (held && post === 'third') await held;
      processed.push(post);
    },
  });
  return { tasks: [scrape, process], processed, hold: (until: Promise<void> | undefined) => (held = until) };
}

const example = {
  id: 'blog',
  async run(input: null, ctx: TaskContext) {
    const posts = await ctx.run("scrape-wordpress", "https://url-bullshit");

    // biome-ignore lint/suspicious/useIterableCallbackReturn: as it is written in the note
    await Promise.all(posts.map((post: string) => {
        ctx.run('process-post', post)
    }))
  },
};

describe('the example of the note', () => {
  it('C9: processes every post before it is done, though its arrow function returns no promise', async () => {
    const { tasks, processed } = blog();
    const house = await open({ tasks });
    await house.orchestrator.run(defineTask(example), null);
    expect(processed.sort()).toEqual(['first', 'second', 'third']);
  });

  it('A1, C9: goes on after a crash with the posts that were left, scrapes nothing again, and rejects nothing that nobody handles', async () => {
    const { tasks, processed, hold } = blog();
    hold(new Promise(() => {}));
    const house = await open({ tasks });
    const run = house.orchestrator.trigger(defineTask(example), null);
    await run.accepted;
    await house.clock.settle();
    expect(processed.sort()).toEqual(['first', 'second']);
    hold(undefined);
    const next = await crash(house);
    await next.orchestrator.attach(run.id)!.result();
    expect(processed.sort()).toEqual(['first', 'second', 'third']);
    expect(next.orchestrator.getAllTasks().map(({ taskIdentifier, status }) => `${taskIdentifier} ${status}`).sort()).toEqual([
      'blog completed', 'process-post completed', 'process-post completed', 'process-post completed', 'scrape-wordpress completed',
    ]);
  });

  it('C9: a post that fails is told by its own run and a warning, and by no unhandled rejection', async () => {
    const { tasks } = blog();
    const house = await open({ tasks: [tasks[0]!, defineTask({ id: 'process-post', retry: { maxAttempts: 1 }, run: async (post: string) => {
      if (post === 'second') throw new Error('bad post');
    } })] });
    const warnings: string[] = [];
    house.orchestrator.on('warning', (message) => void warnings.push(message));
    await house.orchestrator.run(defineTask(example), null);
    const failed = house.orchestrator.getAllTasks().filter(({ status }) => status === 'failed');
    expect(failed.map(({ error }) => error?.message)).toEqual(['bad post']);
    expect(warnings).toContainEqual(expect.stringContaining(`1 child(ren) nobody awaited failed: ${failed[0]!.id}`));
  });

  it('C9: so it is when the code runs again after a crash', async () => {
    const house = await open({ tasks: [defineTask({ id: 'process-post', retry: { maxAttempts: 1 }, run: async () => {
      throw new Error('bad post');
    } })] });
    const run = house.orchestrator.trigger(defineTask({ id: 'blog', run: async (_: null, ctx) => {
      void ctx.run('process-post', 'first');
      await ctx.sleep('1m');
      return 'slept';
    } }), null);
    await run.accepted;
    await house.clock.advance(1000);
    const next = await crash(house);
    await house.clock.advance(60_000);
    expect(await next.orchestrator.attach(run.id)!.result()).toBe('slept');
  });
});
