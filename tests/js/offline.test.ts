/** D8: what runs do while there is no network, and how it is found out that there is none. */
import { ConfigurationError, type ConnectivityOptions, createOrchestrator, defineTask, type Orchestrator, type TaskContext } from 'holdfast';
import { describe, expect, it, vi } from 'vitest';
import { isNetworkFault } from '../../js/network/fault.ts';
import { crash, name, open } from './houses.ts';
import { Origin } from './origin.ts';

/** A network that a test unplugs. */
class Wire {
  online: boolean;
  asked = 0;
  readonly listeners = new Set<() => void>();
  constructor(online = true) {
    this.online = online;
  }
  readonly options: ConnectivityOptions = {
    isOnline: () => {
      this.asked++;
      return this.online;
    },
    subscribe: (changed) => {
      this.listeners.add(changed);
      return () => this.listeners.delete(changed);
    },
    jitter: 0,
  };
  turn(online: boolean): void {
    this.online = online;
    for (const changed of this.listeners) changed();
  }
}

const gone = () => new TypeError('Failed to fetch');
const placed = ({ state }: { state: { status: string; phase: string; reason?: string } }) => [state.status, state.phase, state.reason];
const waits = ['paused', 'blocked', 'offline'];

async function unplugged(options: ConnectivityOptions = {}) {
  const wire = new Wire(false);
  const house = await open({ connectivity: { ...wire.options, ...options } });
  return { wire, ...house, house };
}

describe('without a network', () => {
  it('D8: a run that needs one waits, says why, and starts when there is one again', async () => {
    const { wire, orchestrator, clock } = await unplugged();
    const task = defineTask({ id: name('get'), intent: 'fetch', run: async () => 'got' });
    const run = orchestrator.trigger(task, null);
    await run.accepted;
    await clock.advance(60_000);
    expect(placed(run)).toEqual(waits);
    expect(run.state.attempt).toBe(0);
    expect(orchestrator.why(run.id)).toMatch(/offline.*by itself/);
    expect(orchestrator.counts().paused).toBe(1);
    wire.turn(true);
    await expect(run.result()).resolves.toBe('got');
    expect(run.state).toMatchObject({ attempt: 1, retryCount: 0, recoveries: 0 });
  });

  it('D8: who needs one follows from the intent, unless the task or the call says otherwise', async () => {
    const { orchestrator, clock } = await unplugged();
    const made = (spec: object) => defineTask({ id: name('kind'), run: async () => 'ran', ...spec });
    const cases: [object, object | undefined, boolean][] = [
      [{}, undefined, true],
      [{ intent: 'transform' }, undefined, true],
      [{ intent: 'fetch' }, undefined, false],
      [{ intent: 'effect' }, undefined, false],
      [{ networkMode: 'online' }, undefined, false],
      [{ intent: 'fetch', networkMode: 'always' }, undefined, true],
      [{ intent: 'fetch', networkMode: 'offlineFirst' }, undefined, true],
      [{ intent: 'fetch' }, { networkMode: 'always' }, true],
      [{}, { networkMode: 'online' }, false],
    ];
    const runs = cases.map(([spec, options]) => orchestrator.trigger(made(spec), null, options));
    await clock.settle();
    expect(runs.map(({ status }) => status === 'completed')).toEqual(cases.map(([, , runsOn]) => runsOn));
  });

  it('D8: an attempt that fails for want of it is none, and goes on from its last step', async () => {
    for (const isAsync of [false, true]) {
      const wire = new Wire();
      const { orchestrator, clock } = await open({ connectivity: { ...wire.options, ...(isAsync && { isOnline: async () => wire.online }) } });
      let steps = 0;
      let calls = 0;
      const caught: unknown[] = [];
      const task = defineTask({ id: name('page'), intent: 'fetch', retry: { maxAttempts: 1 }, catchError: ({ error }) => void caught.push(error), run: async (_: null, ctx) => {
        await ctx.step('once', () => void steps++);
        calls++;
        if (!wire.online) throw new Error('page 1', { cause: gone() });
        return calls;
      } });
      wire.online = false;
      // The browser has not said so yet.
      const run = orchestrator.trigger(task, null, { networkMode: 'online' });
      await clock.settle();
      expect(placed(run)).toEqual(waits);
      expect(run.state.retryCount).toBe(0);
      wire.turn(true);
      await expect(run.result()).resolves.toBe(2);
      expect([steps, run.state.retryCount, run.state.recoveries, caught]).toEqual([1, 0, 0, []]);
    }
  });

  it('D8: what is no fault of the network counts, and so does a fault while there is one, or that nobody cares for', async () => {
    const { wire, orchestrator, clock } = await unplugged();
    const failing = (thrown: unknown, spec: object) => orchestrator.trigger(defineTask({ id: name('fails'), retry: { maxAttempts: 1 }, networkMode: 'offlineFirst', run: async () => { throw thrown; }, ...spec }), null);
    const runs = [failing(new TypeError('x is not a function'), {}), failing(gone(), { networkMode: 'always' }), failing(gone(), {})];
    await clock.settle();
    expect(runs.map(({ status }) => status)).toEqual(['failed', 'failed', 'paused']);
    wire.turn(true);
    await clock.settle();
    expect(runs[2]!.status).toBe('failed');
  });

  it('D8: a retry waits for it however long its time is over, also with offlineFirst', async () => {
    const wire = new Wire();
    const { orchestrator, clock } = await open({ connectivity: wire.options });
    const starts: number[] = [];
    const failing = (networkMode: 'online' | 'offlineFirst') => orchestrator.trigger(defineTask({ id: name('retries'), networkMode, retry: { maxAttempts: 2, minDelayMs: 1000, randomize: false }, run: async (_: null, ctx) => {
      starts.push(clock.now());
      if (ctx.attempt.number === 1) throw new Error('busy');
    } }), null);
    const runs = [failing('online'), failing('offlineFirst')];
    await clock.settle();
    expect(runs.map(({ state }) => state.phase)).toEqual(['retrying', 'retrying']);
    wire.turn(false);
    await clock.advance(30_000);
    expect(runs.map(placed)).toEqual([waits, waits]);
    expect(starts.length).toBe(2);
    wire.turn(true);
    await Promise.all(runs.map((run) => run.result()));
    expect(runs.map(({ state }) => state.retryCount)).toEqual([1, 1]);
  });

  it('D8: what runs, sleeps or waits for its child is left alone', async () => {
    const wire = new Wire();
    const { orchestrator, clock } = await open({ connectivity: wire.options });
    let open_ = () => {};
    const running = orchestrator.trigger(defineTask({ id: name('runs'), networkMode: 'online', run: () => new Promise<void>((resolve) => (open_ = resolve)) }), null);
    const sleeping = orchestrator.trigger(defineTask({ id: name('sleeps'), networkMode: 'online', run: (_: null, ctx) => ctx.sleep(1000) }), null);
    await clock.settle();
    wire.turn(false);
    await clock.advance(500);
    expect([running.state.phase, sleeping.state.phase]).toEqual(['running', 'waiting']);
    open_();
    await clock.advance(1000);
    expect([running.status, sleeping.status]).toEqual(['completed', 'completed']);
  });

  it('D8: tries of a step by itself are not used up', async () => {
    const wire = new Wire();
    const { orchestrator, clock } = await open({ connectivity: wire.options });
    let calls = 0;
    const run = orchestrator.trigger(defineTask({ id: name('step'), networkMode: 'online', retry: { maxAttempts: 1 }, run: (_: null, ctx) => ctx.step('get', () => {
      calls++;
      if (!wire.online) throw gone();
      return 'got';
    }, { retry: { maxAttempts: 2, minDelayMs: 100 } }) }), null);
    wire.online = false;
    await clock.advance(5000);
    expect([calls, ...placed(run)]).toEqual([1, ...waits]);
    wire.turn(true);
    await clock.settle();
    expect([calls, run.status]).toEqual([2, 'completed']);
  });

  it('D8: it can be cancelled, and a time to live, a deadline or a limit means what it means', async () => {
    const { wire, orchestrator, clock } = await unplugged();
    const task = defineTask({ id: name('limited'), networkMode: 'online', queue: { name: name('q'), concurrency: 1 }, run: async () => 'ran' });
    const [late, cancelled, stale, ...rest] = [{ deadline: 1000 }, {}, { ttl: 1000 }, {}, { ttl: 5000 }].map((options) => orchestrator.trigger(task, null, options));
    await clock.advance(500);
    await expect(cancelled!.cancel()).resolves.toBe(true);
    await clock.advance(1000);
    expect([stale!.state.phase, stale!.state.error?.message]).toEqual(['expired', expect.stringContaining('was not started within its ttl')]);
    expect([late!.state.phase, cancelled!.status, ...rest.map(({ status }) => status)]).toEqual(['timedOut', 'cancelled', 'paused', 'paused']);
    wire.turn(true);
    await clock.settle();
    expect(rest.map(({ status }) => status)).toEqual(['completed', 'completed']);
  });
});

describe('over a reload', () => {
  it('D8: it waits on where there is no network, by the mode of its call, and goes on where there is one', async () => {
    const { wire, house, orchestrator } = await unplugged();
    const task = defineTask({ id: name('kept'), run: async () => 'got' });
    const run = orchestrator.trigger(task, null, { networkMode: 'online' });
    await run.accepted;
    const second = await crash(house);
    await second.clock.advance(10_000);
    expect(placed(second.orchestrator.attach(run.id)!)).toEqual(waits);
    const third = await crash(second, { connectivity: { jitter: 1000 } });
    const again = third.orchestrator.attach(run.id)!;
    await third.clock.advance(1000);
    await expect(again.result()).resolves.toBe('got');
    // What was interrupted before it was held waits too.
    const other = third.orchestrator.trigger(defineTask({ id: name('cut'), networkMode: 'online', run: () => new Promise(() => {}) }), null);
    await other.accepted;
    await third.clock.settle();
    expect(other.state.phase).toBe('running');
    const fourth = await crash(third, { connectivity: wire.options });
    await fourth.clock.settle();
    expect(placed(fourth.orchestrator.attach(other.id)!)).toEqual(waits);
  });

  it('D8: code that needs no network any more is not held by what was held before', async () => {
    const { house, orchestrator } = await unplugged();
    const id = name('changed');
    const run = orchestrator.trigger(defineTask({ id, networkMode: 'online', run: async () => 1 }), null);
    await run.accepted;
    defineTask({ id, networkMode: 'always', run: async () => 2 });
    const next = await crash(house);
    await expect(next.orchestrator.attach(run.id)!.result()).resolves.toBe(2);
  });

  it('D8: a tab that has a network goes on with what waited in one that died', async () => {
    const origin = new Origin();
    const task = defineTask({ id: name('moved'), networkMode: 'online', run: async () => 'got' });
    const first = await origin.open({ connectivity: new Wire(false).options });
    const run = first.orchestrator.trigger(task, null);
    await run.accepted;
    const second = await origin.open({ connectivity: { jitter: 0 } });
    first.kill();
    await origin.clock.advance(5000);
    expect(second.orchestrator.getTaskState(run.id)).toMatchObject({ status: 'completed', local: true });
    await origin.close();
  });
});

describe('when there is a network again', () => {
  it('D8: runs go on one by one within the jitter, and those whose turn has not come wait on if it is gone again', async () => {
    const { wire, orchestrator, clock } = await unplugged({ jitter: 1000 });
    const starts: number[] = [];
    const task = defineTask({ id: name('herd'), networkMode: 'online', run: async () => void starts.push(clock.now()) });
    const runs = Array.from({ length: 100 }, () => orchestrator.trigger(task, null));
    await Promise.all(runs.map(({ accepted }) => accepted));
    const begunMs = clock.now();
    wire.turn(true);
    await clock.advance(500);
    const half = starts.length;
    expect(half).toBeGreaterThan(25);
    expect(half).toBeLessThan(75);
    wire.turn(false);
    await clock.advance(5000);
    expect(starts.length).toBe(half);
    expect(orchestrator.counts()).toMatchObject({ paused: 100 - half, completed: half });
    wire.turn(true);
    await clock.advance(1000);
    expect(starts.length).toBe(100);
    expect(new Set(starts).size).toBeGreaterThan(80);
    expect(Math.min(...starts)).toBeGreaterThan(begunMs);
  });
});

describe('whether there is a network', () => {
  const fetching = (orchestrator: Orchestrator) => orchestrator.trigger(defineTask({ id: name('asks'), networkMode: 'online', run: async () => 'got' }), null);

  it('D8: is the browser’s word where nothing else is said', async () => {
    const events = new EventTarget();
    vi.stubGlobal('navigator', { onLine: false });
    vi.stubGlobal('addEventListener', events.addEventListener.bind(events));
    vi.stubGlobal('removeEventListener', events.removeEventListener.bind(events));
    const { orchestrator, clock } = await open({ connectivity: { jitter: 0 } });
    const run = fetching(orchestrator);
    await clock.advance(60_000);
    expect(run.status).toBe('paused');
    vi.stubGlobal('navigator', { onLine: true });
    events.dispatchEvent(new Event('online'));
    await expect(run.result()).resolves.toBe('got');
    await orchestrator.dispose();
    vi.stubGlobal('navigator', { onLine: false });
    events.dispatchEvent(new Event('offline'));
  });

  it('D8: is asked again while it is gone, though nobody says that it is back', async () => {
    const wire = new Wire(false);
    const { orchestrator, clock } = await open({ connectivity: { isOnline: wire.options.isOnline!, checkEvery: '2s', jitter: 0 } });
    const run = fetching(orchestrator);
    await clock.advance(7000);
    expect(wire.asked).toBe(4);
    wire.online = true;
    await clock.advance(2000);
    expect(run.status).toBe('completed');
    await clock.advance(60_000);
    expect(wire.asked).toBe(5);
  });

  it('D8: is the last answer asked for, and one question for all that fail at once', async () => {
    const answers: ((online: boolean) => void)[] = [];
    const wire = new Wire();
    const { orchestrator, clock } = await open({ connectivity: { ...wire.options, isOnline: () => new Promise<boolean>((resolve) => answers.push(resolve)) } });
    wire.turn(true);
    answers[1]!(false);
    await clock.settle();
    answers[0]!(true);
    await clock.settle();
    const run = fetching(orchestrator);
    await clock.settle();
    expect(run.status).toBe('paused');
    wire.turn(true);
    answers.at(-1)!(true);
    await clock.settle();
    expect(run.status).toBe('completed');
    const asked = answers.length;
    const task = defineTask({ id: name('many'), networkMode: 'online', run: async () => { throw gone(); } });
    const runs = Array.from({ length: 50 }, () => orchestrator.trigger(task, null));
    await clock.settle();
    expect(answers.length).toBe(asked + 1);
    answers.at(-1)!(false);
    await clock.settle();
    expect(runs.map(({ status }) => status)).toEqual(runs.map(() => 'paused'));
  });

  it.each([
    ['throws', () => { throw new Error('no idea'); }, /no idea/],
    ['rejects', () => Promise.reject(new Error('no idea')), /no idea/],
    ['gives no boolean', () => 'yes' as never, /"yes"/],
    ['never answers', () => new Promise<boolean>(() => {}), /10 s/],
  ])('D8: one that %s is told once, and the browser’s word counts', async (_, isOnline, words) => {
    const warnings: string[] = [];
    const wire = new Wire();
    const { orchestrator, clock } = await open({ connectivity: { ...wire.options, isOnline } });
    orchestrator.on('warning', (message) => warnings.push(message));
    // It has been asked when the page opened.
    wire.turn(true);
    const fails = orchestrator.trigger(defineTask({ id: name('fails'), networkMode: 'online', retry: { maxAttempts: 1 }, run: async () => { throw gone(); } }), null);
    await clock.advance(11_000);
    await clock.advance(11_000);
    expect(fails.status).toBe('failed');
    expect(warnings.length).toBeLessThanOrEqual(1);
    for (const warning of warnings) expect(warning).toMatch(words);
  });

  it('D8: may be found out in another way from now on', async () => {
    const { orchestrator, clock } = await unplugged();
    const run = fetching(orchestrator);
    await clock.settle();
    orchestrator.setOptions({ connectivity: { isOnline: () => true, jitter: 0 } });
    await expect(run.result()).resolves.toBe('got');
  });

  it('D8: bad options are refused by name, and nothing is changed', async () => {
    const refused = (connectivity: object) => expect(() => createOrchestrator({ id: name('bad'), connectivity } as never)).toThrow(ConfigurationError);
    refused({ isOnline: true });
    refused({ probe: () => true });
    refused({ checkEvery: -1 });
    refused({ jitter: 'soon' });
    refused([]);
    expect(() => defineTask({ id: name('bad'), networkMode: 'offline' as never, run: async () => 1 })).toThrow(/networkMode must be one of online, always, offlineFirst, not "offline"/);
    const { orchestrator } = await unplugged();
    const task = defineTask({ id: name('call'), run: async (_: null, _ctx: TaskContext) => 1 });
    expect(() => orchestrator.trigger(task, null, { networkMode: null as never })).toThrow(ConfigurationError);
    expect(orchestrator.counts().total).toBe(0);
  });
});

describe('a fault of the network', () => {
  it.each([
    ['Chromium', new TypeError('Failed to fetch'), true],
    ['Chromium, of a module', new TypeError('Failed to fetch dynamically imported module: https://a/b.js'), true],
    ['Firefox', new TypeError('NetworkError when attempting to fetch resource.'), true],
    ['Safari', new TypeError('Load failed'), true],
    ['Node', new TypeError('fetch failed', { cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }) }), true],
    ['axios', Object.assign(new Error('Network Error'), { code: 'ERR_NETWORK' }), true],
    ['a DOMException', new DOMException('A network error occurred.', 'NetworkError'), true],
    ['one of several', new AggregateError([new Error('a'), gone()]), true],
    ['a wrapped one', new Error('page', { cause: new Error('get', { cause: gone() }) }), true],
    ['wrong code', new TypeError("Cannot read properties of undefined (reading 'fetch')"), false],
    ['a status', new Error('The server says 503.'), false],
    ['text', 'Failed to fetch', false],
    ['nothing', undefined, false],
  ])('D8: as %s says it: %o is %s', (_, error, is) => expect(isNetworkFault(error)).toBe(is));

  it('D8: what throws when it is looked at is none', () => {
    const trap = () => { throw new Error('trapped'); };
    expect(isNetworkFault(new Proxy({}, { get: trap }))).toBe(false);
    expect(isNetworkFault({ get message() { return trap(); } })).toBe(false);
  });

  it('D8: an error that is its own cause ends the search', () => {
    const error: Error & { cause?: unknown } = new Error('round');
    error.cause = error;
    expect(isNetworkFault(error)).toBe(false);
  });
});
