/** Every reason why a run does not go on, in words and as data. */
import { defineTask, schedules, type TriggerOptions, type WaitKind, type WaitReason } from 'holdfast';
import { createTestOrchestrator, type TestOptions, type TestOrchestrator } from 'holdfast/testing';
import { expect, it } from 'vitest';
import * as P from '../../js/protocol.ts';
import { HoldSchemaMismatch, HoldTurn } from '../../js/runs/holds.ts';
import { name } from './houses.ts';

interface Case {
  orchestrator: TestOrchestrator;
  id: string;
  /** Parts of the reason that is looked for. */
  is: Partial<WaitReason>;
  /** Its sentence, in part. */
  says: string | RegExp;
}

const nowMs = Date.UTC(2026, 0, 1);
const forever = () => new Promise(() => {});

async function open(options: TestOptions = {}): Promise<TestOrchestrator> {
  const orchestrator = createTestOrchestrator(options);
  await orchestrator.ready;
  return orchestrator;
}

/** A run of such code, as far as it comes without time passing. */
async function started(run: (input: any, ctx: any) => unknown, options: TriggerOptions & { spec?: object; house?: TestOptions } = {}) {
  const { spec, house, ...given } = options;
  const orchestrator = await open(house);
  const task = defineTask({ id: name('why'), retry: { randomize: false }, ...spec, run } as any);
  const handle = orchestrator.trigger(task, null as never, given);
  await orchestrator.clock.settle();
  return { orchestrator, task, id: handle.id };
}

/** A run behind another one. */
async function behind(options: TestOptions, run: TriggerOptions, says: string, more: Partial<WaitReason>): Promise<Case> {
  const orchestrator = await open(options);
  const task = defineTask({ id: name('behind'), run: forever });
  const [first, second] = [orchestrator.trigger(task, null as never, run), orchestrator.trigger(task, null as never, run)];
  await orchestrator.clock.settle();
  return { orchestrator, id: second.id, is: { ...more, ...('runs' in more && { runs: [first.id] }) }, says: says.replace('FIRST', first.id) };
}

/** Held by one of its bits, as what causes it does. */
async function holding(bit: number, says: string | RegExp, is: Partial<WaitReason> = {}): Promise<Case> {
  const { orchestrator, id } = await started(forever, { delay: '1h' });
  const run = orchestrator.localRun(id)!;
  orchestrator.pump.commands.push(P.CommandHold, run.task, bit);
  orchestrator.pump.wake();
  await orchestrator.clock.settle();
  return { orchestrator, id, is, says };
}

async function child(): Promise<Case> {
  const inner = defineTask({ id: name('child'), run: forever });
  const { orchestrator, id } = await started((_, ctx) => ctx.run(inner, null));
  const made = orchestrator.list({ taskIdentifier: inner.id }).items[0]!;
  return { orchestrator, id, is: { runs: [made.id] }, says: `Waits for its child ${made.id} (${inner.id}).` };
}

const cases: Record<WaitKind, () => Promise<Case>> = {
  delay: async () => ({ ...(await started(forever, { delay: '1h' })), is: { until: nowMs + 3_600_000 }, says: 'Starts at 2026-01-01T01:00:00.000Z, as its delay says.' }),
  retry: async () => ({ ...(await started(() => { throw new Error('not yet'); })), is: { until: nowMs + 1000 }, says: 'Attempt 1 failed (not yet); the next one starts at 2026-01-01T00:00:01.000Z.' }),
  debounce: async () => ({ ...(await started(forever, { debounce: { delay: '1m' } })), is: { until: nowMs + 60_000 }, says: 'unless it is called again' }),
  throttle: async () => {
    const { orchestrator, task } = await started(async () => null, { spec: { throttle: { period: '1m' } } });
    const { id } = orchestrator.trigger(task, null as never);
    await orchestrator.clock.settle();
    return { orchestrator, id, is: { until: nowMs + 60_000 }, says: 'its task is throttled' };
  },
  schedule: async () => {
    const task = schedules.task({ id: name('scheduled'), run: forever });
    const orchestrator = await open({ id: 'why' });
    const { id } = await orchestrator.schedules.create({ task, cron: '0 9 * * *' });
    await orchestrator.clock.settle();
    return { orchestrator, id, is: { name: task.id, until: nowMs + 9 * 3_600_000 }, says: `The schedule of "${task.id}" runs it next at 2026-01-01T09:00:00.000Z.` };
  },
  timer: async () => ({ ...(await started((_, ctx) => ctx.sleep('1d'))), is: { until: nowMs + 86_400_000 }, says: 'Its code sleeps until 2026-01-02T00:00:00.000Z.' }),
  slot: () => behind({ queues: { narrow: { concurrency: 1 } } }, { queue: 'narrow' }, 'queue "narrow" runs 1 of 1 at once; it is held by FIRST.', { name: 'narrow', runs: [] }),
  limit: () => behind({ concurrencyLimits: { memory: { concurrency: 1 } } }, { concurrencyLimits: ['memory'] }, 'Waits for a slot of concurrency limit "memory"; it is held by FIRST.', { runs: [] }),
  rate: () => behind({ queues: { api: { rateLimit: { limit: 1, period: '1m' } } } }, { queue: 'api' }, 'the limit of queue "api" lets the next one begin at 2026-01-01T00:01:00.000Z', { until: nowMs + 60_000 }),
  'queue-paused': async () => {
    const orchestrator = await open({ queues: { q: {} } });
    const pausing = orchestrator.queues.pause('q');
    await orchestrator.clock.settle();
    await pausing;
    const { id } = orchestrator.trigger(defineTask({ id: name('queued'), run: forever }), null as never, { queue: 'q' });
    await orchestrator.clock.settle();
    return { orchestrator, id, is: { name: 'q' }, says: 'Its queue is paused: queues.resume("q").' };
  },
  'queue-full': () => behind({ queues: { q: { maxSize: 1, overflow: 'block' } } }, { queue: 'q', delay: '1h' }, 'Waits to be let in: queue "q" is full.', { name: 'q' }),
  removed: async () => {
    const found = await started(forever, { delay: '1h' });
    await Promise.all([found.orchestrator.removeTask(found.id, { undoFor: '1d' }), found.orchestrator.clock.settle()]);
    return { ...found, is: { until: nowMs + 86_400_000 }, says: `until then undoRemove("${found.id}") brings it back.` };
  },
  paused: async () => {
    const found = await started(forever, { delay: '1h' });
    await found.orchestrator.pauseTask(found.id);
    return { ...found, is: {}, says: 'Paused. Resume it' };
  },
  dependencies: () => behind({}, { idempotencyKey: 'k', onDuplicate: 'queue' }, 'Waits for 1 other run(s): FIRST.', { runs: [] }),
  'not-called': async () => {
    const orchestrator = await open();
    const signature = await orchestrator.sign(defineTask({ id: name('signed'), run: forever }));
    return { orchestrator, id: signature.key, is: {}, says: 'It has not been called' };
  },
  members: async () => {
    const orchestrator = await open();
    const batch = await orchestrator.batch.triggerByTask([{ task: defineTask({ id: name('member'), run: forever }), payload: null as never }]);
    // Its code is loaded with the first of them.
    for (let turn = 0; turn < 200 && orchestrator.getTaskState(batch.batchId)!.phase !== 'waiting'; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      await orchestrator.clock.settle();
    }
    return { orchestrator, id: batch.batchId, is: {}, says: 'Waits for 1 of its 1 member(s) so far.' };
  },
  child,
  shared: async () => {
    const { orchestrator, task, id } = await started(forever, { spec: { cache: true } });
    const second = orchestrator.trigger(task, null as never);
    for (let turn = 0; turn < 10; turn++) await orchestrator.clock.settle();
    return { orchestrator, id: second.id, is: { runs: [id] }, says: `Waits for run ${id}, which computes the same` };
  },
  batch: async () => ({ ...(await started(forever, { spec: { batchEvents: { maxSize: 5, timeout: '1m' } } })), is: { until: nowMs + 60_000 }, says: '1 of 5 are there' }),
  event: async () => ({ ...(await started((_, ctx) => ctx.waitFor('paid', { timeout: '1h' }))), is: { name: 'paid', until: nowMs + 3_600_000 }, says: 'Waits for the event "paid", until 2026-01-01T01:00:00.000Z at the latest.' }),
  token: async () => {
    const orchestrator = await open();
    const token = await orchestrator.wait.createToken();
    const { id } = orchestrator.trigger(defineTask({ id: name('token'), run: (_: null, ctx) => ctx.waitForToken(token) }), null);
    await orchestrator.clock.settle();
    return { orchestrator, id, is: { name: token.id }, says: `wait.completeToken("${token.id}")` };
  },
  outside: async () => {
    const orchestrator = await open();
    const { id } = await orchestrator.wait.createToken();
    return { orchestrator, id, is: { name: id }, says: `Waits until wait.completeToken("${id}") is called.` };
  },
  lock: async () => {
    const { orchestrator, task, id } = await started((_, ctx) => ctx.lock('cache', forever));
    const second = orchestrator.trigger(task, null as never);
    for (let turn = 0; turn < 5; turn++) await orchestrator.clock.settle();
    return { orchestrator, id: second.id, is: { name: 'cache', runs: [id] }, says: `Waits for the lock "cache", which run ${id} holds` };
  },
  offline: async () => {
    const orchestrator = await open();
    orchestrator.goOffline();
    const { id } = orchestrator.trigger(defineTask({ id: name('offline'), intent: 'fetch', run: forever }), null as never);
    await orchestrator.clock.settle();
    return { orchestrator, id, is: {}, says: 'this browser is offline' };
  },
  breaker: () => holding(P.HoldCircuit, 'runs like it fail too often'),
  storage: () => holding(P.HoldStorage, 'The browser storage is full'),
  'missing-definition': async () => {
    const orchestrator = await open();
    const id = name('unknown');
    await orchestrator.schedules.create({ task: id, every: '1h' });
    await orchestrator.clock.advance('1h');
    return { orchestrator, id: orchestrator.list({ taskIdentifier: id }).items[0]!.id, is: { name: id }, says: `No task "${id}" is registered in this page.` };
  },
  'schema-mismatch': () => holding(HoldSchemaMismatch, "Today's schema of its task refuses its input."),
  'missing-file': () => holding(P.HoldPayloadMissing, 'is gone from the browser storage'),
  adoption: () => holding(P.HoldImportUnconfirmed, 'It is being taken over from a closed tab.'),
  recovery: () => holding(HoldTurn, 'its turn comes'),
  'other-tab': async () => {
    const { orchestrator, id } = await started(forever);
    const second = await orchestrator.newTab();
    for (let turn = 0; turn < 10; turn++) await second.clock.advance(50);
    return { orchestrator: second, id, is: {}, says: 'It belongs to another tab, which runs it.' };
  },
  locked: async () => {
    const key = () => crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
    const { orchestrator, id } = await started(forever, { house: { encryption: { key: await key() } } });
    await orchestrator.attach(id)!.accepted;
    const next = await orchestrator.reload({ encryption: { key: await key() } });
    // Under what name only its key tells.
    return { orchestrator: next, id: next.getAllTasks()[0]!.id, is: {}, says: 'It is encrypted with another key' };
  },
  opening: async () => {
    const orchestrator = createTestOrchestrator();
    const { id } = orchestrator.trigger(defineTask({ id: name('early'), run: forever }), null as never);
    const found = orchestrator.explain(id);
    expect(found.reasons[0]).toMatchObject({ kind: 'opening' });
    return { orchestrator: { ...orchestrator, explain: () => found, why: () => found.text, dispose: () => orchestrator.dispose() } as any, id, is: {}, says: 'The storage is being opened.' };
  },
  storing: async () => {
    const orchestrator = await open();
    const { id } = orchestrator.trigger(defineTask({ id: name('new'), run: forever }), null as never);
    const found = orchestrator.explain(id);
    return { orchestrator: { explain: () => found, why: () => found.text, dispose: () => orchestrator.dispose() } as any, id, is: {}, says: 'Being stored.' };
  },
  stopping: async () => {
    const found = await started(forever);
    void found.orchestrator.cancelTask(found.id);
    await found.orchestrator.clock.settle();
    return { ...found, is: {}, says: 'its code has been asked to stop' };
  },
  running: async () => ({ ...(await started(forever)), is: {}, says: 'Running, attempt 1 of 3.' }),
  ended: async () => ({ ...(await started(async () => null)), is: {}, says: 'It has ended: completed.' }),
  unknown: async () => ({ orchestrator: await open(), id: 'run_nobody', is: {}, says: 'There is no run "run_nobody".' }),
};

it.each(Object.keys(cases) as WaitKind[])('%s is a reason that is told of', async (kind) => {
  const { orchestrator, id, is, says } = await cases[kind]();
  const found = orchestrator.explain(id);
  const told = found.reasons.find((reason) => reason.kind === kind);
  expect(told, JSON.stringify(found)).toMatchObject({ kind, ...is });
  if (typeof says === 'string') expect(told!.text).toContain(says);
  else expect(told!.text).toMatch(says);
  expect(orchestrator.why(id)).toContain(told!.text);
  await orchestrator.dispose();
});

it('Who holds a slot of a key is of that key; what has its turn behind others of its key waits for it', async () => {
  const orchestrator = await open({ queues: { q: { concurrency: { total: 9, perKey: 1 }, order: 'fair' } } });
  const task = defineTask({ id: name('keyed'), queue: 'q', run: forever });
  const [first, , second, third] = ['a', 'b', 'a', 'a'].map((concurrencyKey) => orchestrator.trigger(task, null as never, { concurrencyKey }));
  await orchestrator.clock.settle();
  expect(orchestrator.explain(second!.id).reasons).toEqual([{ kind: 'limit', name: 'the limit of queue "q"', runs: [first!.id], text: `Waits for a slot of its key of the limit of queue "q"; it is held by ${first!.id}.` }]);
  expect(orchestrator.why(third!.id)).toBe('Waits for its turn, and 1 of it is before it.');
  await orchestrator.dispose();
});

it('A member of a swarm that runs no more at once waits for those that run', async () => {
  const orchestrator = await open();
  const task = defineTask({ id: name('member'), run: forever });
  const swarm = await orchestrator.swarm([task, task], { config: { maxConcurrency: 1 }, isSwarmClosed: true });
  await swarm.runNoWait();
  for (let turn = 0; turn < 10; turn++) await orchestrator.clock.settle();
  const [waits, runs] = orchestrator.list({ taskIdentifier: task.id, status: ['pending', 'running'] }).items;
  expect(orchestrator.explain(waits!.id).reasons).toEqual([{ kind: 'slot', runs: [runs!.id], text: `Waits for a slot of ${swarm.key}, which runs no more of its members at once; it is held by ${runs!.id}.` }]);
  expect(await orchestrator.queues.standing(waits!.id)).toMatchObject({ blockedBy: [{ reason: 'container', name: swarm.key, holders: [runs!.id] }] });
  await orchestrator.dispose();
});

it('Code that waits for a batch, or for a signature that it has called, says which', async () => {
  const inner = defineTask({ id: name('inner'), run: forever });
  const waits: [code: (input: null, ctx: any) => unknown, of: string][] = [
    [(_, ctx) => ctx.batch.triggerByTaskAndWait([{ task: inner, payload: null }]), 'holdfast/batch'],
    [async (_, ctx) => (await ctx.sign(inner)).run(), inner.id],
  ];
  for (const [code, of] of waits) {
    const { orchestrator, id } = await started(code);
    for (let turn = 0; turn < 200 && orchestrator.getTaskState(id)!.phase !== 'waiting'; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      await orchestrator.clock.settle();
    }
    const [made] = orchestrator.list({ taskIdentifier: of, hidden: true }).items;
    expect(orchestrator.explain(id).reasons).toEqual([{ kind: 'child', runs: [made!.id], text: `Waits for its child ${made!.id} (${of}).` }]);
    await orchestrator.dispose();
  }
});

it('All that stands in the way of a run is said, the first thing first', async () => {
  const { orchestrator, id } = await holding(P.HoldStorage | HoldTurn, '');
  await orchestrator.pauseTask(id);
  const { reasons, text } = orchestrator.explain(id);
  expect(reasons.map(({ kind }) => kind)).toEqual(['storage', 'recovery', 'paused']);
  expect(text).toBe(reasons.map((reason) => reason.text).join(' '));
  await orchestrator.dispose();
});

it('Code that waits for several things says all of them', async () => {
  const { orchestrator, id } = await started((_, ctx) => Promise.all([ctx.sleep('1h'), ctx.waitFor('paid')]));
  expect(orchestrator.explain(id).reasons.map(({ kind }) => kind)).toEqual(['timer', 'event']);
  await orchestrator.clock.advance('1h');
  expect(orchestrator.explain(id).reasons.map(({ kind }) => kind)).toEqual(['event']);
  await orchestrator.dispose();
  expect(orchestrator.why(id)).toContain('disposed');
});
