/** E7: time in which nothing could run is not held against an attempt. */
import { ConfigurationError, defineTask, type RunEvent, type RunHandle, type TaskContext, TestClock } from 'holdfast';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Alarm, SystemClock, type Standstill } from '../../js/time/clock.ts';
import { WorkerAlarm } from '../../js/small-worker/worker-alarm.ts';
import { type House } from './house.ts';
import { open } from './houses.ts';

const hourMs = 3_600_000;
const endless = (_: unknown, ctx: TaskContext) =>
  new Promise<never>((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)));
const once = { maxAttempts: 1 };

/** The machine sleeps: time passes and nothing rings; then whatever rang or was said meanwhile comes. */
async function sleep({ clock }: House, milliseconds: number) {
  clock.jump(milliseconds);
  await clock.advance(0);
}

async function story(run: RunHandle): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of run) events.push(event);
  return events;
}

describe('a machine that slept, a page that was frozen', () => {
  it('leaves an attempt what was left of its timeout, and its story says so', async () => {
    const house = await open();
    const task = defineTask({ id: 'timed', retry: once, timeout: '10s', run: endless });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.advance(5000);
    await sleep(house, 8 * hourMs);
    expect(run.status).toBe('running');
    await house.clock.advance(4999);
    expect(run.status).toBe('running');
    await house.clock.advance(1);
    expect(await run.wait()).toMatchObject({ ok: false, error: { code: 'TASK_TIMEOUT' } });
    expect((await story(run)).filter(({ type }) => type === 'thawed')).toMatchObject([
      { runId: run.id, data: { attempt: 1, frozenMs: 8 * hourMs } },
    ]);
  });

  it('E4, E5: makes nobody miss a heartbeat, and is no running time', async () => {
    for (const spec of [{ heartbeat: '10s' }, { maxDuration: '10s' }]) {
      const house = await open();
      const [run, counting] = [{}, { countFrozen: true }].map((frozen) => house.orchestrator.trigger(defineTask({ id: 'limited', retry: once, ...spec, run: endless }), null, frozen));
      await house.clock.advance(5000);
      await sleep(house, 8 * hourMs);
      expect([run!.status, counting!.status]).toEqual(['running', 'failed']);
      await house.clock.advance(4999);
      expect(run!.status).toBe('running');
      await house.clock.advance(1);
      expect(run!.status).toBe('failed');
    }
  });

  it('is asked about before anything else, however much has gathered', async () => {
    const house = await open();
    const timed = defineTask({ id: 'timed', retry: once, timeout: '10s', run: endless });
    const timeds = Array.from({ length: 50 }, () => house.orchestrator.trigger(timed, null));
    await house.clock.settle();
    house.clock.jump(hourMs);
    const plain = defineTask({ id: 'plain', run: async () => 1 });
    const plains = Array.from({ length: 3000 }, () => house.orchestrator.trigger(plain, null));
    await Promise.all(plains.map((run) => run.result()));
    expect(timeds.every((run) => run.status === 'running')).toBe(true);
  });

  it('counts where that is asked for: at the call, in the definition, in the orchestrator', async () => {
    const counting = await open({ countFrozen: true });
    const usual = await open();
    const spec = { retry: once, timeout: '10s', run: endless };
    const plain = defineTask({ id: 'plain', ...spec });
    const runs = [
      usual.orchestrator.trigger(plain, null, { countFrozen: true }),
      usual.orchestrator.trigger(defineTask({ id: 'defined', ...spec, countFrozen: true }), null),
      counting.orchestrator.trigger(plain, null),
    ];
    const spared = [
      usual.orchestrator.trigger(plain, null),
      counting.orchestrator.trigger(plain, null, { countFrozen: false }),
    ];
    for (const house of [usual, counting]) {
      await house.clock.settle();
      await sleep(house, hourMs);
    }
    expect(runs.map((run) => run.status)).toEqual(['failed', 'failed', 'failed']);
    expect(spared.map((run) => run.status)).toEqual(['running', 'running']);
    expect(() => usual.orchestrator.trigger(plain, null, { countFrozen: 1 as never })).toThrow(ConfigurationError);
    expect(() => usual.orchestrator.trigger(plain, null, { countFrozen: 1 as never })).toThrow('countFrozen must be true or false, not 1.');
  });

  it('counts for deadlines, times to live and delays in any case', async () => {
    const house = await open({ queues: { one: { concurrency: 1 } } });
    const task = defineTask({ id: 'by the clock', retry: once, queue: 'one', run: endless });
    const due = house.orchestrator.trigger(task, null, { deadline: '1m', timeout: '10m' });
    const stale = house.orchestrator.trigger(task, null, { ttl: '1m' });
    const quick = defineTask({ id: 'quick', run: async () => 1 });
    const delayed = house.orchestrator.trigger(quick, null, { delay: '1m' });
    await house.clock.settle();
    await sleep(house, hourMs);
    expect(due.state.phase).toBe('timedOut');
    expect(stale.state.phase).toBe('expired');
    expect(await delayed.result()).toBe(1);
  });

  it('leaves code that was asked to stop its grace', async () => {
    const house = await open();
    const deaf = defineTask({ id: 'deaf', run: () => new Promise<never>(() => {}) });
    const run = house.orchestrator.trigger(deaf, null);
    await house.clock.settle();
    void run.cancel();
    await house.clock.advance(4000);
    await sleep(house, hourMs);
    expect(run.state.phase).toBe('cancelling');
    await house.clock.advance(1000);
    expect(run.status).toBe('cancelled');
  });

  it('is watched for only while an attempt has a timeout or is stopping', async () => {
    const clock = new TestClock();
    let watching = 0;
    const watch = clock.watchStandstill.bind(clock);
    clock.watchStandstill = () => {
      watching++;
      const { ask } = watch();
      return { ask, stop: () => watching-- };
    };
    const { orchestrator } = await open({}, clock);
    const quick = defineTask({ id: 'quick', run: async () => 1 });
    await orchestrator.trigger(quick, null).result();
    orchestrator.trigger(quick, null, { delay: '1d', deadline: '2d' });
    await clock.settle();
    expect(watching).toBe(0);
    const timed = orchestrator.trigger(defineTask({ id: 'timed', retry: once, timeout: '1h', run: endless }), null);
    await clock.settle();
    expect(watching).toBe(1);
    await timed.cancel();
    await clock.settle();
    expect(watching).toBe(0);
    orchestrator.trigger(defineTask({ id: 'timed', timeout: '1h', run: endless }), null);
    await clock.settle();
    expect(watching).toBe(1);
    await orchestrator.dispose();
    expect(watching).toBe(0);
  });

  it('is nothing that a clock must know of', async () => {
    const clock = new TestClock();
    Object.assign(clock, { watchStandstill: undefined });
    const house = await open({}, clock);
    const run = house.orchestrator.trigger(defineTask({ id: 'timed', retry: once, timeout: '10s', run: endless }), null);
    await clock.settle();
    await sleep(house, hourMs);
    expect(run.state.phase).toBe('failed');
  });
});

describe('the clock of a page', () => {
  const ask = (standstill: Standstill) => new Promise<number>((resolve) => standstill.ask(resolve));

  function page() {
    const target = new EventTarget();
    vi.stubGlobal('document', Object.assign(target, { visibilityState: 'hidden' }));
    vi.useFakeTimers({ toFake: ['Date'] });
    const alarm: Alarm & { toldMs: number } = {
      toldMs: 0, arm: () => {}, onDue: undefined, dispose: () => {},
      watchStandstill: () => ({ ask: (tell) => queueMicrotask(() => tell(alarm.toldMs)), stop: () => {} }),
    };
    return { target, alarm, pass: (ms: number) => vi.setSystemTime(Date.now() + ms) };
  }
  afterEach(() => void vi.useRealTimers());

  it('takes the longer of what its timers and the browser tell', async () => {
    const { target, alarm, pass } = page();
    const standstill = new SystemClock(alarm).watchStandstill();
    expect(await ask(standstill)).toBe(0);
    target.dispatchEvent(new Event('freeze'));
    pass(60_000);
    target.dispatchEvent(new Event('resume'));
    pass(5000);
    alarm.toldMs = 59_000;
    expect(await ask(standstill)).toBe(60_000);
    alarm.toldMs = 0;
    expect(await ask(standstill)).toBe(0);
    alarm.toldMs = 7000;
    expect(await ask(standstill)).toBe(7000);
  });

  it('knows that it was frozen before the browser says that it is not any more', async () => {
    const { target, alarm, pass } = page();
    const standstill = new SystemClock(alarm).watchStandstill();
    target.dispatchEvent(new Event('freeze'));
    pass(60_000);
    expect(await ask(standstill)).toBe(60_000);
    target.dispatchEvent(new Event('resume'));
    expect(await ask(standstill)).toBe(0);
  });

  it('asks the browser alone where there is no worker, and hears nothing when it was stopped', async () => {
    const { target, alarm, pass } = page();
    delete alarm.watchStandstill;
    const standstill = new SystemClock(alarm).watchStandstill();
    target.dispatchEvent(new Event('freeze'));
    pass(60_000);
    target.dispatchEvent(new Event('resume'));
    expect(await ask(standstill)).toBe(60_000);
    standstill.stop();
    target.dispatchEvent(new Event('freeze'));
    pass(60_000);
    expect(await ask(standstill)).toBe(0);
  });

  it('goes on with the next worker when one died, which knows nothing of the time before', async () => {
    const made: { totalMs: number; watching: boolean; dead?: Error }[] = [];
    const shared = {
      get: () => {
        const worker = {
          totalMs: 0, watching: false, dead: undefined as Error | undefined,
          armTimer: () => {},
          watchStandstill(watching: boolean) { this.watching = watching; },
          async call() { return this.totalMs; },
        };
        made.push(worker);
        return worker;
      },
    };
    const alarm = new WorkerAlarm(shared as never);
    const watch = alarm.watchStandstill();
    const asked = () => new Promise<number>((resolve) => watch.ask(resolve));
    made[0]!.totalMs = 700;
    expect([await asked(), await asked()]).toEqual([700, 0]);
    made[0]!.dead = new Error('gone');
    expect(await asked()).toBe(0);
    expect(made.map(({ watching }) => watching)).toEqual([true, true]);
    made[1]!.totalMs = 300;
    expect(await asked()).toBe(300);
    watch.stop();
    expect(made[1]!.watching).toBe(false);
    alarm.dispose();
  });
});
