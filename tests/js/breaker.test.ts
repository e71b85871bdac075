/** D9: circuit breakers and retry budgets, as people see them. When a circuit opens is the core's: tests/core. */
import { ConfigurationError, createOrchestrator, defineTask } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { circuitNumber } from '../../js/circuits/settings.ts';
import { crash, name, open } from './houses.ts';
import { Origin } from './origin.ts';

/** A service that a test breaks. */
class Service {
  broken = true;
  calls = 0;
  readonly call = async (): Promise<string> => {
    this.calls++;
    if (this.broken) throw new Error('the service is down');
    return 'served';
  };
}

const once = { maxAttempts: 1 };
const breaker = { failureRate: 0.5, minCalls: 4, openFor: '30s' };
const placed = ({ state }: { state: { status: string; phase: string; reason?: string } }) => [state.status, state.phase, state.reason];
const heldBack = ['pending', 'blocked', 'breaker'];

/** Four calls that fail. */
async function broken(spec: object = {}, options: object = {}) {
  const service = new Service();
  const house = await open(options);
  const task = defineTask({ id: name('calls'), retry: once, breaker, run: service.call, ...spec });
  const failing = Array.from({ length: 4 }, () => house.orchestrator.trigger(task, null));
  await house.clock.settle();
  expect(failing.map(({ status }) => status)).toEqual(['failed', 'failed', 'failed', 'failed']);
  return { service, task, house, ...house };
}

describe('a breaker', () => {
  it('D9: holds back what would fail, says until when, lets one try, and then all others', async () => {
    const { service, task, orchestrator, clock } = await broken();
    const runs = Array.from({ length: 5 }, () => orchestrator.trigger(task, null));
    const other = orchestrator.trigger(defineTask({ id: name('other'), run: async () => 'ran' }), null);
    await clock.settle();
    expect(service.calls).toBe(4);
    expect(other.status).toBe('completed');
    expect(runs.map(placed)).toEqual(runs.map(() => heldBack));
    expect(runs[0]!.state.retryAt).toBe(clock.now() + 30_000);
    expect(orchestrator.why(runs[0]!.id)).toMatch(/fail too often: a few try again at \d{4}-/);
    await clock.advance(29_000);
    expect(service.calls).toBe(4);
    await clock.advance(1000);
    expect(service.calls).toBe(5);
    // It failed: as long again, and the others say so.
    expect([runs[0]!.status, runs[1]!.state.retryAt]).toEqual(['failed', clock.now() + 30_000]);
    service.broken = false;
    await clock.advance(30_000);
    await expect(Promise.all(runs.slice(1).map((run) => run.result()))).resolves.toEqual(['served', 'served', 'served', 'served']);
    expect(runs.slice(1).map(({ state }) => [state.attempt, state.retryAt])).toEqual(runs.slice(1).map(() => [1, undefined]));
    const types = [];
    for await (const event of orchestrator.events({ types: ['circuitOpened', 'circuitHalfOpened', 'circuitClosed'], signal: AbortSignal.timeout(50) })) types.push(event.type);
    expect(types).toEqual(['circuitOpened', 'circuitHalfOpened', 'circuitOpened', 'circuitHalfOpened', 'circuitClosed']);
  });

  it('D9: while a few try, the others say that', async () => {
    let finish = () => {};
    const { service, task, orchestrator, clock } = await broken({ breaker: { ...breaker, halfOpenMax: 2 } });
    service.broken = false;
    const runs = Array.from({ length: 3 }, () => orchestrator.trigger(task, null));
    await clock.settle();
    const slow = new Promise<void>((resolve) => (finish = resolve));
    const { call } = service;
    Object.assign(service, { call: () => slow.then(call) });
    defineTask({ id: task.id, retry: once, breaker: { ...breaker, halfOpenMax: 2 }, run: () => service.call() });
    await clock.advance(30_000);
    expect(runs.map(({ state }) => state.phase)).toEqual(['running', 'running', 'blocked']);
    expect(orchestrator.why(runs[2]!.id)).toMatch(/a few try now/);
    finish();
    await expect(runs[2]!.result()).resolves.toBe('served');
  });

  it('D9: of a queue counts all that runs in it, whoever declared it', async () => {
    const service = new Service();
    const queueName = name('api');
    const { orchestrator, clock } = await open({ queues: { [queueName]: { concurrency: 2, breaker } } });
    const [one, other] = ['one', 'other'].map((text) => defineTask({ id: name(text), retry: once, queue: queueName, run: service.call }));
    for (const task of [one!, other!, one!, other!]) await orchestrator.trigger(task, null).wait();
    const run = orchestrator.trigger(one!, null);
    const elsewhere = orchestrator.trigger(defineTask({ id: name('elsewhere'), run: async () => 1 }), null);
    await clock.settle();
    expect([placed(run), elsewhere.status]).toEqual([heldBack, 'completed']);
    await run.cancel();
    expect(run.status).toBe('cancelled');
  });

  it('D9: retries are held back too, and no attempt is lost while they are', async () => {
    const { service, orchestrator, clock } = await broken();
    const id = name('retried');
    const task = defineTask({ id, retry: { maxAttempts: 3, minDelayMs: 1000, randomize: false }, breaker: { minCalls: 1, openFor: 60_000 }, run: service.call });
    const run = orchestrator.trigger(task, null);
    await clock.advance(5000);
    expect([...placed(run), run.state.retryCount]).toEqual([...heldBack, 1]);
    service.broken = false;
    await clock.advance(60_000);
    await expect(run.result()).resolves.toBe('served');
  });

  it('D9: over a reload it stays open until its time, and counts anew', async () => {
    const { service, task, house, orchestrator, clock } = await broken();
    const run = orchestrator.trigger(task, null);
    await run.accepted;
    await clock.advance(10_000);
    const next = await crash(house, { tasks: [task] });
    await next.clock.settle();
    const again = next.orchestrator.attach(run.id)!;
    expect([...placed(again), again.state.retryAt]).toEqual([...heldBack, next.clock.now() + 20_000]);
    service.broken = false;
    await next.clock.advance(20_000);
    await expect(again.result()).resolves.toBe('served');
    // Three failures of the new page are too few, whatever the old one had counted.
    service.broken = true;
    for (let n = 0; n < 3; n++) await next.orchestrator.trigger(task, null).wait();
    const third = await crash(next, { tasks: [task] });
    for (let n = 0; n < 3; n++) await third.orchestrator.trigger(task, null).wait();
    const open_ = third.orchestrator.trigger(task, null);
    await third.clock.settle();
    expect(open_.status).toBe('failed');
    const held = third.orchestrator.trigger(task, null);
    await third.clock.settle();
    expect(placed(held)).toEqual(heldBack);
  });

  it('D9: what was held in a tab that died is tried by the tab that takes it over', async () => {
    const origin = new Origin();
    const service = new Service();
    const task = defineTask({ id: name('moved'), retry: once, breaker, run: service.call });
    const first = await origin.open({ tasks: [task] });
    for (let n = 0; n < 4; n++) first.orchestrator.trigger(task, null);
    await origin.clock.settle();
    const run = first.orchestrator.trigger(task, null);
    await run.accepted;
    await origin.clock.settle();
    expect(placed(run)).toEqual(heldBack);
    const second = await origin.open({ tasks: [task] });
    service.broken = false;
    first.kill();
    await origin.clock.advance(5000);
    expect(second.orchestrator.getTaskState(run.id)).toMatchObject({ status: 'completed', local: true });
    await origin.close();
  });

  it('D9: bad options are refused by name, and nothing is changed', async () => {
    const refused = (spec: object, words: RegExp) => expect(() => defineTask({ id: name('bad'), run: async () => 1, ...spec } as never)).toThrow(words);
    refused({ breaker: { failureRate: 0 } }, /breaker\.failureRate must be a number above 0, to 1, not 0/);
    refused({ breaker: { failureRate: 1.1 } }, /failureRate/);
    refused({ breaker: { minCalls: 0 } }, /breaker\.minCalls must be a whole number from 1/);
    refused({ breaker: { halfOpenMax: 1.5 } }, /halfOpenMax/);
    refused({ breaker: { openFor: 0 } }, /breaker\.openFor must be from 1 ms/);
    refused({ breaker: { openFor: 1, openForMs: 1 } }, /mean the same/);
    refused({ breaker: { window: 'long' } }, /window/);
    refused({ breaker: { rate: 1 } }, /no option "rate"/);
    refused({ breaker: true }, /breaker must be an object/);
    refused({ retryBudget: {} }, /retryBudget\.ratio/);
    refused({ retryBudget: { ratio: 0.1, window: -1 } }, /window/);
    refused({ queue: { name: 'q', breaker: { minCalls: 'many' } } }, /breaker\.minCalls/);
    expect(() => createOrchestrator({ id: name('bad'), queues: { q: { retryBudget: { ratio: 2 } } } })).toThrow(ConfigurationError);
  });
});

describe('a retry budget', () => {
  it('D9: spaces the retries of a swarm, so that they are no more than its share', async () => {
    const starts: number[] = [];
    const { orchestrator, clock } = await open();
    let isDown = true;
    const task = defineTask({ id: name('swarm'), retry: { maxAttempts: 2, minDelayMs: 1000, randomize: false }, retryBudget: { ratio: 0.2, window: '10s' }, run: async (_: null, ctx) => {
      if (ctx.attempt.number > 1) starts.push(clock.now());
      if (isDown) throw new Error('down');
    } });
    const begunMs = clock.now();
    const runs = Array.from({ length: 500 }, () => orchestrator.trigger(task, null));
    await clock.advance(500);
    isDown = false;
    expect(runs.at(-1)!.state.phase).toBe('retrying');
    expect(runs.at(-1)!.state.retryAt).toBe(begunMs + 1000 + 499 * 100);
    for (let n = 0; n < 60; n++) await clock.advance(1000);
    await Promise.all(runs.map((run) => run.result()));
    // 100 in any ten seconds, where they were 500 at once.
    for (const at of starts) expect(starts.filter((other) => other >= at && other < at + 10_000).length).toBeLessThanOrEqual(100);
    expect(starts.length).toBe(500);
  });

  it('D9: leaves a few retries alone', async () => {
    const { orchestrator, clock } = await open();
    const task = defineTask({ id: name('few'), retry: { maxAttempts: 2, minDelayMs: 1000, randomize: false }, retryBudget: { ratio: 0.1 }, run: async (_: null, ctx) => {
      if (ctx.attempt.number === 1) throw new Error('once');
      return clock.now();
    } });
    const begunMs = clock.now();
    const run = orchestrator.trigger(task, null);
    await clock.advance(1000);
    await expect(run.result()).resolves.toBe(begunMs + 1000);
  });
});

it('a circuit’s number is the same everywhere, and no task’s', () => {
  expect(circuitNumber('task', 'calls')).toBe(circuitNumber('task', 'calls'));
  expect(circuitNumber('task', 'calls')).not.toBe(circuitNumber('queue', 'calls'));
  for (const text of ['', 'a', 'é'.repeat(60)]) expect(circuitNumber('queue', text)).toBeGreaterThanOrEqual(2 ** 31);
});
