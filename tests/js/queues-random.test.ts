/**
 * Random programs of queues and limits: runs of all weights, keys and priorities that fail, wait, have children, are cancelled, paused,
 * promoted and cleared, in a page that is killed and reopened. No limit is exceeded, as the code itself counts, and every promise settles.
 */
import { defineTask, type OrchestratorOptions, RetryableError, type RunHandle, type TaskContext, type TriggerOptions } from 'holdfast';
import { expect, it } from 'vitest';
import { seededRandom } from '../../js/time/random.ts';
import type { House } from './house.ts';
import { again, closeHouses, crash, open } from './houses.ts';

interface Start {
  queue: string;
  key: string;
  atMs: number;
}
interface Input extends Start {
  weight: number;
  does: 'returns' | 'fails' | 'sleeps' | 'asks' | 'is told to come later';
}

/** What the code of all runs sees. */
class Watch {
  house!: House;
  /** Code of a page that was killed may go on here; nobody hears of it. */
  page = 0;
  readonly active = new Set<Input>();
  starts: Start[] = [];
  readonly exceeded: string[] = [];
  now(): number {
    return this.house.clock.now();
  }

  enter(input: Input, page: number): void {
    if (page !== this.page) return;
    this.active.add(input);
    const count = (isOne: (other: Input) => boolean, size = (_: Input) => 1) => [...this.active].filter(isOne).reduce((sum, other) => sum + size(other), 0);
    const inQueue = (other: Input) => other.queue === input.queue;
    if (input.queue === 'few' && count(inQueue) > 1) this.exceeded.push('few');
    if (input.queue === 'keyed' && count(inQueue) > 3) this.exceeded.push('keyed, in all');
    if (input.queue === 'keyed' && count((other) => inQueue(other) && other.key === input.key) > 1) this.exceeded.push('keyed, of a key');
    if (count(() => true, ({ weight }) => weight) > 10) this.exceeded.push('memory');
  }

  /** In no window of the period more than the limit, wherever it lies. */
  start({ queue, key, atMs }: Start, page: number): void {
    if (page !== this.page) return;
    this.starts.push({ queue, key, atMs });
    const since = (periodMs: number, isOne: (other: Start) => boolean) => this.starts.filter((other) => other.queue === queue && isOne(other) && other.atMs > atMs - periodMs).length;
    if (queue === 'rate' && since(1000, () => true) > 3) this.exceeded.push('rate');
    if (queue === 'keyed rate' && since(2000, (other) => other.key === key) > 2) this.exceeded.push('keyed rate');
    if (queue === 'blocks' && since(100, () => true) > 1) this.exceeded.push('blocks');
  }
}

function tasksOf(watch: Watch) {
  const page = ++watch.page;
  const pause = (ctx: TaskContext, ms: number) =>
    new Promise<void>((resolve) => {
      watch.house.clock.schedule(watch.now() + ms, resolve);
      ctx.signal.addEventListener('abort', () => resolve());
    });
  const child = defineTask({ id: 'random-child', queue: 'few', retry: { maxAttempts: 1 }, run: async (n: number) => n });
  const work = defineTask({
    id: 'random-work', retry: { maxAttempts: 2, minTimeoutInMs: 300, randomize: false },
    run: async (given: Input, ctx) => {
      const input = { ...given };
      // A run that goes on after a wait begins its code anew, and takes nothing from a rate.
      if (input.does === 'returns' || input.does === 'fails') watch.start({ ...input, atMs: watch.now() }, page);
      watch.enter(input, page);
      try {
        await pause(ctx, 40);
        if (input.does === 'fails') throw new Error('fails');
        if (input.does === 'is told to come later') throw new RetryableError('429', { retryAfter: 700 });
        if (input.does !== 'returns') {
          watch.active.delete(input);
          if (input.does === 'sleeps') await ctx.sleep(500);
          else await ctx.run(child, 1);
          watch.enter(input, page);
          await pause(ctx, 30);
        }
      } finally {
        watch.active.delete(input);
      }
    },
  });
  return [work, child] as const;
}



class Program {
  readonly #random: () => number;
  readonly #watch = new Watch();
  #tasks = tasksOf(this.#watch);
  readonly #options: OrchestratorOptions;
  /** Of the page that is open. */
  #promises: { what: string; isSettled: boolean }[] = [];
  #handles: RunHandle[] = [];
  readonly #queues: string[];

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    const order = this.#one(['priority', 'fifo', 'lifo', 'fair'] as const);
    this.#options = {
      concurrencyLimits: { memory: { concurrency: 10 } },
      queues: {
        few: { concurrency: 1, order, maxSize: 6, overflow: this.#one(['reject', 'drop-new', 'drop-oldest', 'drop-lowest-priority'] as const) },
        keyed: { concurrency: { total: 3, perKey: 1 }, order: this.#one(['fair', 'priority'] as const), deadLetter: this.#one(['keep', 'discard', 'broken']) },
        rate: { rateLimit: { limit: 3, period: '1s', feedback: true }, order },
        'keyed rate': { rateLimit: { limit: 2, period: '2s', perKey: true } },
        blocks: { concurrency: 2, minTime: 100, maxSize: 2, overflow: 'block' },
      },
    };
    this.#queues = Object.keys(this.#options.queues!);
  }
  #below(end: number): number {
    return Math.floor(this.#random() * end);
  }
  #one<Value>(values: readonly Value[]): Value {
    return values[this.#below(values.length)]!;
  }

  #follow(what: string, promise: Promise<unknown>): void {
    const followed = { what, isSettled: false };
    this.#promises.push(followed);
    const settle = () => (followed.isSettled = true);
    promise.then(settle, settle);
  }

  #trigger(): void {
    const queue = this.#one(this.#queues);
    const input: Input = { queue, key: this.#one(['a', 'b', 'c']), atMs: 0, weight: 1 + this.#below(6), does: this.#one(['returns', 'returns', 'returns', 'fails', 'sleeps', 'asks', 'is told to come later']) };
    const options: TriggerOptions = {
      queue, concurrencyKey: input.key, priority: this.#below(4), concurrencyLimits: [{ name: 'memory', weight: input.weight }],
      ...(this.#below(6) === 0 && { delay: this.#below(2000) }), ...(this.#below(8) === 0 && { ttl: 1500 }),
    };
    const handle = this.#watch.house.orchestrator.trigger(this.#tasks[0], input, options);
    this.#handles.push(handle);
    this.#follow(`accepted of ${handle.id} (${input.does}, ${queue})`, handle.accepted);
    this.#follow(`result of ${handle.id} (${input.does}, ${queue})`, handle.result());
  }

  #touch(): void {
    const { orchestrator } = this.#watch.house;
    const { queues } = orchestrator;
    const queue = this.#one(this.#queues);
    const id = this.#handles.length > 0 ? this.#one(this.#handles).id : 'nobody';
    const verbs: [string, () => Promise<unknown>][] = [
      ['cancel', () => orchestrator.cancelTask(id)], ['pause', () => orchestrator.pauseTask(id, this.#one(['soft', 'hard'] as const))], ['resume', () => orchestrator.resumeTask(id)],
      ['retry', () => orchestrator.retryTask(id)], ['promote', () => queues.promote(id)], ['setPriority', () => queues.setPriority(id, this.#below(9))], ['remove', () => queues.remove(id)],
      ['pause of a queue', () => queues.pause(queue)], ['resume of a queue', () => queues.resume(queue)], ['clear', () => queues.clear(queue, { reason: 'enough', running: this.#below(2) === 0 })],
      ['override', () => queues.overrideConcurrencyLimit('few', this.#below(2))], ['reset', () => queues.resetConcurrencyLimit('few')], ['redrive', () => queues.deadLetters.redrive()],
    ];
    const [what, verb] = this.#one(verbs);
    this.#follow(`${what} of ${what.includes('queue') || what === 'clear' ? queue : id}`, verb());
  }

  async #reopen(): Promise<void> {
    const watch = this.#watch;
    const dies = this.#below(3) > 0;
    // What began just now may not stand in the log yet.
    if (this.#below(2) === 0) await watch.house.clock.settle();
    else if (dies) watch.starts = watch.starts.filter(({ atMs }) => atMs < watch.now());
    const next = () => ({ ...this.#options, tasks: [...(this.#tasks = tasksOf(watch))] });
    if (dies) {
      watch.house.cut();
      watch.active.clear();
      watch.house = await crash(watch.house, next());
    } else {
      await watch.house.orchestrator.dispose();
      watch.active.clear();
      watch.house = await again(watch.house.reload(next()));
      this.#allSettled('after the page has closed');
    }
    this.#promises = [];
    const { orchestrator } = watch.house;
    this.#handles = this.#handles.flatMap(({ id }) => orchestrator.attach(id) ?? []);
    for (const handle of this.#handles) this.#follow(`result of ${handle.id} over a reload`, handle.result());
  }

  #allSettled(when: string): void {
    expect(this.#promises.filter(({ isSettled }) => !isSettled).map(({ what }) => what), when).toEqual([]);
  }

  async run(): Promise<{ starts: number; runs: number }> {
    const watch = this.#watch;
    watch.house = await open({ ...this.#options, tasks: [...this.#tasks] });
    let starts = 0;
    for (let move = 0; move < 80; move++) {
      const dice = this.#below(20);
      if (dice < 9) this.#trigger();
      else if (dice < 13) this.#touch();
      else if (dice < 19) await watch.house.clock.advance(this.#below(600));
      else {
        starts += watch.starts.length;
        await this.#reopen();
      }
    }
    const { orchestrator, clock } = watch.house;
    const { queues } = orchestrator;
    await clock.settle();
    void orchestrator.runs.bulk.resume({ status: 'paused' });
    for (const name of this.#queues) void queues.resume(name);
    void queues.resetConcurrencyLimit('few');
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve)).then(() => clock.settle());
    await clock.advance('5m');
    this.#allSettled('at the end');
    const { pending, running, paused } = orchestrator.counts();
    expect([pending, running, paused]).toEqual([0, 0, 0]);
    expect(watch.exceeded).toEqual([]);
    return { starts: starts + watch.starts.length, runs: this.#handles.length };
  }
}

it('no limit is exceeded and every promise settles, whatever happens to the page', async () => {
  let total = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const { starts } = await new Program(seed).run().catch((error) => {
      error.message = `seed ${seed}: ${error.message}`;
      throw error;
    });
    total += starts;
    await closeHouses();
  }
  expect(total).toBeGreaterThan(100);
}, 30_000);
