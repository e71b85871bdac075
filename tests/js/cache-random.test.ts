/**
 * J7 under whatever people do: random runs of few keys, with random modes, limits, pauses, cancels,
 * failures, slow stores, crashes. Nothing hangs, nobody gets what is not theirs, code runs no more
 * often than somebody needs it.
 */
import { type Cache, defineTask, type RunHandle, type TaskContext } from 'holdfast';
import { memoryCache } from 'holdfast/cache';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type CacheHouse, open, over, watch } from './cache-house.ts';

const modes = ['read-write', 'read-only', 'write-only', 'refresh', 'off'] as const;
const verb = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('trigger' as const), key: fc.nat(2), mode: fc.constantFrom(...modes), limit: fc.constantFrom(undefined, 'timeout', 'deadline', 'policy') }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('cancel' as const, 'pause' as const, 'interrupt' as const, 'resume' as const), which: fc.nat(30) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('return' as const, 'throw' as const), which: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 60, 1100, 5000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('slow store' as const, 'quick store' as const, 'invalidate' as const, 'settle' as const, 'crash' as const) }) },
);
type Verb = typeof verb extends fc.Arbitrary<infer Value> ? Value : never;

interface Call {
  key: number;
  runId: string;
  settle: (throws: boolean) => void;
  ctx: TaskContext;
  open: boolean;
}

class World {
  house!: CacheHouse;
  readonly store = memoryCache();
  readonly runs: { id: string; key: number; handle: RunHandle }[] = [];
  calls: Call[] = [];
  #held: (() => void)[] = [];
  #slow = false;

  readonly cache: Cache = over(this.store, {
    get: async (key) => (await this.#turn(), this.store.get(key)),
    set: async (...args) => (await this.#turn(), this.store.set(...args)),
  });

  #turn(): Promise<void> {
    return this.#slow ? new Promise((resolve) => this.#held.push(resolve)) : Promise.resolve();
  }
  slow(on: boolean): void {
    this.#slow = on;
    if (!on) for (const go of this.#held.splice(0)) go();
  }

  readonly task = defineTask({
    id: 'random',
    cache: true,
    graceMs: 50,
    retry: { maxAttempts: 2, jitter: 'none' },
    run: (input: { key: number }, ctx: TaskContext) =>
      new Promise<unknown>((resolve, reject) => {
        const call: Call = {
          key: input.key,
          runId: ctx.run.id,
          ctx,
          open: true,
          settle: (throws) => {
            call.open = false;
            if (throws) reject(new Error(`no ${input.key}`));
            else resolve({ key: input.key, list: [] });
          },
        };
        ctx.signal.addEventListener('abort', () => ((call.open = false), reject(ctx.signal.reason)));
        this.calls.push(call);
      }),
  });

  async carryOut(step: Verb): Promise<void> {
    const { clock, orchestrator } = this.house;
    switch (step.do) {
      case 'trigger': {
        const limits = { timeout: { timeout: 50 }, deadline: { deadline: 80 }, policy: { retry: { maxAttempts: 1 } } };
        const handle = orchestrator.trigger(this.task, { key: step.key }, { cache: step.mode, ...(step.limit && limits[step.limit as keyof typeof limits]) });
        this.runs.push({ id: handle.id, key: step.key, handle });
        return;
      }
      case 'cancel':
      case 'pause':
      case 'interrupt':
      case 'resume': {
        const run = this.runs[step.which % Math.max(1, this.runs.length)]?.handle;
        if (step.do === 'pause' || step.do === 'interrupt') void run?.pause(step.do === 'pause' ? 'soft' : 'hard');
        else void run?.[step.do]();
        return;
      }
      case 'return':
      case 'throw': {
        const open = this.calls.filter((call) => call.open);
        open[step.which % Math.max(1, open.length)]?.settle(step.do === 'throw');
        return;
      }
      case 'wait':
        return clock.advance(step.ms);
      case 'slow store':
        return this.slow(true);
      case 'quick store':
        return this.slow(false);
      case 'invalidate':
        return void orchestrator.cache.invalidate({ task: 'random' });
      case 'settle':
        return clock.settle();
      case 'crash':
        return this.#crash();
    }
  }

  async #crash(): Promise<void> {
    await this.house.clock.settle();
    this.slow(false);
    this.calls = [];
    this.house = watch(await this.house.crash(), this.cache);
    // A run whose acceptance was not acknowledged may be gone.
    for (const run of this.runs.splice(0)) {
      const handle = this.house.orchestrator.attach(run.id);
      if (handle) this.runs.push({ ...run, handle });
    }
  }

  /** Everybody is let go on, everything returns: everything ends. */
  async finish(): Promise<void> {
    const { clock } = this.house;
    this.slow(false);
    for (let turn = 0; turn < 60 && this.runs.some(({ handle }) => !isOver(handle)); turn++) {
      for (const { handle } of this.runs) if (handle.status === 'paused') void handle.resume();
      await clock.settle();
      for (const call of this.calls) if (call.open) call.settle(false);
      await clock.advance(1500);
    }
  }

  check(): void {
    const stuck = this.runs.filter(({ handle }) => !isOver(handle)).map(({ id, handle }) => `${id} ${handle.state.phase}: ${this.house.orchestrator.why(id)}`);
    expect(stuck).toEqual([]);
    for (const { key, handle } of this.runs) if (handle.status === 'completed') expect(handle.state.result).toEqual({ key, list: [] });
  }
}

const isOver = ({ status }: RunHandle) => status === 'completed' || status === 'failed' || status === 'cancelled';

it('J7: whatever happens, every run ends, with its own answer', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(verb, { minLength: 5, maxLength: 40 }), fc.constantFrom(undefined, 'memory' as const), async (steps, storage) => {
      const world = new World();
      world.house = await open({ cache: world.cache, ...(storage && { storage }) });
      for (const step of steps) if (!(step.do === 'crash' && storage)) await world.carryOut(step);
      await world.finish();
      world.check();
      await world.house.orchestrator.dispose();
    }),
    { numRuns: 300 },
  );
}, 120_000);

it('J7: of runs that all may share and none of which is stopped, one calls the code', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ key: fc.nat(2), after: fc.nat(3) }), { minLength: 2, maxLength: 20 }), async (triggers) => {
      const world = new World();
      world.house = await open({ cache: world.cache });
      for (const { key, after } of triggers) {
        await world.carryOut({ do: 'trigger', key, mode: 'read-write', limit: undefined });
        if (after > 1) await world.house.clock.settle();
        if (after > 2) world.calls.find(({ open }) => open)?.settle(false);
      }
      await world.finish();
      world.check();
      expect(world.calls.length).toBe(new Set(triggers.map(({ key }) => key)).size);
      await world.house.orchestrator.dispose();
    }),
    { numRuns: 100 },
  );
}, 120_000);
