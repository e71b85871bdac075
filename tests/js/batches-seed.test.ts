/**
 * The patterns people know from trigger.dev, word for word, run and compiled. What a snippet takes from its application
 * (`database`, `claims`, tasks) stands before it. Of a payload that nobody annotates nothing is known: where `strict` wants
 * a parameter of code over it annotated, that stands before the line, and nothing else is wrong.
 */
import { batch, createOrchestrator, type Orchestrator, queue, task } from 'holdfast';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

let orchestrator: Orchestrator;
beforeAll(async () => {
  orchestrator = createOrchestrator({ storage: 'memory', seed: 3 });
  await orchestrator.ready;
});
afterAll(() => orchestrator.dispose());

const taskA = task({ id: 'seed-a', run: async ({ foo }: { foo: string }) => `${foo}!` });
const taskB = task({ id: 'seed-b', run: async ({ num }: { num: number }) => num + 1 });
const once = { maxAttempts: 1 };

describe('the patterns of trigger.dev', () => {
  it('basic usage', async () => {
    const said: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((text) => said.push(text));
    // Trigger different tasks, get typed results
    const { runs } = await batch.triggerByTaskAndWait([
      { task: taskA, payload: { foo: "bar" } },  // payload typed to taskA
      { task: taskB, payload: { num: 42 } },     // payload typed to taskB
    ]);

    // Results are typed based on position
    if (runs[0].ok) {
      console.log(runs[0].output);  // typed as taskA output
    }
    vi.restoreAllMocks();
    expect(said).toEqual(['bar!']);
    expect(runs[1]).toMatchObject({ ok: true, output: 43 });
  });

  it('destructured results', async () => {
    const id = 'u1';
    const fetchUser = task({ id: 'fetch-user', run: async ({ id }: { id: string }) => ({ id, name: 'Ada' }) });
    const fetchPosts = task({ id: 'fetch-posts', run: async ({ userId }: { userId: string }) => [`post of ${userId}`] });
    const fetchSettings = task({ id: 'fetch-settings', retry: once, run: async (_: { userId: string }): Promise<{ theme: string }> => { throw new Error('no settings'); } });
    const {
      runs: [userRun, postsRun, settingsRun],
    } = await batch.triggerByTaskAndWait([
      { task: fetchUser, payload: { id } },
      { task: fetchPosts, payload: { userId: id } },
      { task: fetchSettings, payload: { userId: id } },
    ]);

    // Each run is individually typed
    const user = userRun.ok ? userRun.output : null;
    const posts = postsRun.ok ? postsRun.output : [];
    expect([user, posts, settingsRun.ok]).toEqual([{ id: 'u1', name: 'Ada' }, ['post of u1'], false]);
  });

  it('error handling per task', async () => {
    const [item1, item2, item3] = [1, 2, 3];
    const riskyTask = task({ id: 'risky', retry: once, run: async (n: number) => { if (n === 2) throw new Error('two'); return n; } });
    const { runs } = await batch.triggerByTaskAndWait([
      { task: riskyTask, payload: item1 },
      { task: riskyTask, payload: item2 },
      { task: riskyTask, payload: item3 },
    ]);

    // Individual error handling
    const results = runs.map(run => {
      if (run.ok) {
        return { success: true, data: run.output };
      }
      return {
        success: false,
        error: run.error,
        taskId: run.taskIdentifier,
        runId: run.id,
      };
    });

    // Or throw if any failed
    const throwing = () => {
      const failed = runs.filter(r => !r.ok);
      if (failed.length > 0) {
        throw new Error(`${failed.length} tasks failed`);
      }
    };
    expect(throwing).toThrow('1 tasks failed');
    expect(results[0]).toEqual({ success: true, data: 1 });
    expect(results[1]).toMatchObject({ success: false, error: { message: 'two' }, taskId: 'risky', runId: expect.stringMatching(/^run_/) });
    expect(results[2]).toEqual({ success: true, data: 3 });
  });

  it('filtering by task identifier', async () => {
    type SourceVerification = { claim: string; valid: boolean };
    type HistoricalAnalysis = { claim: string; changes: number };
    const claims = ['x', 'y'];
    const verifySource = task({ id: 'verify-source', run: async (claim: string) => ({ claim, valid: true }) });
    const analyzeHistory = task({ id: 'analyze-history', run: async (claim: string) => ({ claim, changes: 3 }) });
    const { runs } = await batch.triggerByTaskAndWait([
      ...claims.map(c => ({ task: verifySource, payload: c })),
      ...claims.map(c => ({ task: analyzeHistory, payload: c })),
    ]);

    // Filter to specific task results
    const verifications = runs
      .filter((r): r is typeof r & { ok: true } =>
        r.ok && r.taskIdentifier === "verify-source"
      )
      .map(r => r.output as SourceVerification);

    const analyses = runs
      .filter((r): r is typeof r & { ok: true } =>
        r.ok && r.taskIdentifier === "analyze-history"
      )
      .map(r => r.output as HistoricalAnalysis);
    expect(verifications).toEqual([{ claim: 'x', valid: true }, { claim: 'y', valid: true }]);
    expect(analyses).toEqual([{ claim: 'x', changes: 3 }, { claim: 'y', changes: 3 }]);
    // The same in ours.
    expect(runs.byTask(verifySource).map(({ ok }) => ok)).toEqual([true, true]);
  });

  it('fan-out, fan-in', async () => {
    const processItem = task({ id: 'process-item', retry: once, run: async (item: number) => { if (item < 0) throw new Error('negative'); return item * 2; } });
    const processItems = task({
      id: "process-items",
      run: async ({ items }) => {
        // Fan-out: process all items in parallel
        const { runs } = await batch.triggerByTaskAndWait(
          // @ts-expect-error item is any
          items.map(item => ({ task: processItem, payload: item }))
        );

        // Fan-in: aggregate results
        const successful = runs.filter(r => r.ok).map(r => r.output);
        const failed = runs.filter(r => !r.ok);

        return {
          processed: successful.length,
          failed: failed.length,
          results: successful,
          errors: failed.map(f => ({ id: f.id, error: f.error })),
        };
      },
    });
    const run = processItems.trigger({ items: [1, -1, 3] });
    expect(await run.result()).toMatchObject({ processed: 2, failed: 1, results: [2, 6], errors: [{ id: expect.stringMatching(/^run_/), error: { message: 'negative' } }] });
    // It was known whose code asked: the batch is its child.
    expect(orchestrator.list({ parentId: run.id }).items.map(({ taskIdentifier }) => taskIdentifier)).toEqual(['holdfast/batch']);
  });

  it('sequential, then parallel', async () => {
    const preprocess = task({ id: 'preprocess', run: async ({ input }: { input: string }) => input.split(' ') });
    const processItem = task({ id: 'process-word', run: async (word: string) => word.length });
    const aggregate = task({ id: 'aggregate', run: async ({ results }: { results: number[] }) => results.reduce((sum, one) => sum + one, 0) });
    const orchestrator_ = task({
      id: "orchestrator",
      run: async ({ input }) => {
        // Step 1: Sequential preprocessing
        const { runs: [prepResult] } = await batch.triggerByTaskAndWait([
          { task: preprocess, payload: { input } },
        ]);

        if (!prepResult.ok) {
          throw new Error(`Preprocessing failed: ${prepResult.error}`);
        }

        const items = prepResult.output;

        // Step 2: Parallel processing
        const { runs } = await batch.triggerByTaskAndWait(
          items.map(item => ({ task: processItem, payload: item }))
        );

        // Step 3: Sequential aggregation
        const { runs: [aggResult] } = await batch.triggerByTaskAndWait([
          { task: aggregate, payload: { results: runs.filter(r => r.ok).map(r => r.output) } },
        ]);

        return aggResult.ok ? aggResult.output : null;
      },
    });
    const run = orchestrator_.trigger({ input: 'to be or not' });
    expect(await run.result()).toBe(9);
    // All three are children of the run: it stays known whose code asks, from one await to the next.
    expect(orchestrator.list({ parentId: run.id }).items).toHaveLength(3);
  });

  it('the same task, several items', async () => {
    const [item1, item2, item3] = [1, 2, 3];
    const processItem = task({ id: 'same-task', run: async (n: number) => n * n });
    // Using batchTriggerAndWait (single task type)
    const results = await processItem.batchTriggerAndWait([
      { payload: item1 },
      { payload: item2 },
      { payload: item3 },
    ]);

    // Equivalent using batch.triggerByTaskAndWait
    const { runs } = await batch.triggerByTaskAndWait([
      { task: processItem, payload: item1 },
      { task: processItem, payload: item2 },
      { task: processItem, payload: item3 },
    ]);
    expect(results.runs.outputs()).toEqual([1, 4, 9]);
    expect(runs.outputs()).toEqual([1, 4, 9]);
  });

  it('concurrency control', async () => {
    let running = 0;
    let most = 0;
    const fetch = async (url: string) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve));
      running--;
      return `page of ${url}`;
    };
    const rateLimitedQueue = queue({
      name: "api-calls",
      concurrencyLimit: 5,  // Max 5 concurrent
    });

    const callExternalApi = task({
      id: "call-external-api",
      queue: rateLimitedQueue,
      run: async (payload) => {
        // Rate limited to 5 concurrent executions
        return fetch(payload.url);
      },
    });

    // Parent can batch trigger many - queue handles concurrency
    const batchProcess = task({
      id: "batch-process",
      run: async ({ urls }) => {
        // Will queue up, respecting concurrencyLimit: 5
        return callExternalApi.batchTriggerAndWait(
          // @ts-expect-error url is any
          urls.map(url => ({ payload: { url } }))
        );
      },
    });
    const { runs } = await batchProcess.trigger({ urls: Array.from({ length: 20 }, (_, n) => `u${n}`) }).result();
    expect(runs).toHaveLength(20);
    expect(runs[19]).toMatchObject({ ok: true, output: 'page of u19' });
    expect(most).toBe(5);
  });

  it('streaming batch items', async () => {
    const processRecord = task({ id: 'process-record', run: async (record: { id: number }) => record.id });
    const database = { async *cursor() { for (let id = 0; id < 700; id++) yield { id }; } };
    // Generator function for items
    async function* generateItems() {
      for await (const record of database.cursor()) {
        yield { task: processRecord, payload: record };
      }
    }

    // Stream to batch trigger
    const { runs } = await batch.triggerByTaskAndWait(generateItems());
    expect(runs.outputs()).toEqual(Array.from({ length: 700 }, (_, id) => id));
  });
});
