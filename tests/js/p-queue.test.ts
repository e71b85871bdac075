/**
 * `holdfast/p-queue` beside p-queue itself: the examples of its README with nothing but the import changed, and random programs
 * that use the whole of it; both must say the same in the same order.
 */
import { readFileSync } from 'node:fs';
import OurQueue, { createQueue, TimeoutError as OurTimeout } from 'holdfast/p-queue';
import TheirQueue, { TimeoutError as TheirTimeout } from 'p-queue';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

const readme = readFileSync(new URL('../../node_modules/p-queue/readme.md', import.meta.url), 'utf8');
const examples = [...readme.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code!).filter((code) => code.includes('ueue') && !code.includes('queueClass'));
type Names = Record<string, unknown>;
const AsyncFunction = (async () => {}).constructor as new (...parts: string[]) => (...args: unknown[]) => Promise<void>;
const delay = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

beforeEach(() => void vi.useFakeTimers({ now: 1_700_000_000_000, toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] }));
afterEach(() => void vi.useRealTimers());

async function says(code: string, PQueue: unknown, TimeoutError: unknown): Promise<string[]> {
  const said: string[] = [];
  const write = (...words: unknown[]) => said.push(words.map((word) => (typeof word === 'object' && !(word instanceof Error) ? JSON.stringify(word) : String(word))).join(' '));
  const fails = (name: string) => async () => {
    await delay(10);
    throw new Error(name);
  };
  const given: Names = {
    PQueue, TimeoutError, delay, CancelError: class CancelError extends Error {},
    console: { log: write, error: write, warn: write },
    got: () => Object.assign(delay(50), { cancel: () => write('cancelled') }), fetch: () => delay(6000),
    someTask: () => delay(30), doWork: () => delay(20), slowTask: () => delay(7000), verySlowTask: () => delay(9000),
    fetchData: fails('no data'), fetchUser: () => delay(100), fetchPosts: () => delay(100),
  };
  const body = code.replace(/^import .*$/gm, '');
  if (!/\bqueue = /.test(body)) given.queue = new (PQueue as typeof OurQueue)();
  const run = new AsyncFunction(...Object.keys(given), body);
  const done = run(...Object.values(given)).then(() => write('done'), (error) => write('threw', error));
  await vi.advanceTimersByTimeAsync(60_000);
  await done;
  return said;
}

describe('an example of its README says what it says there', () => {
  it.each(examples.map((code, index) => [index + 1, code]))('%i', async (_, code) => {
    const theirs = await says(code, TheirQueue, TheirTimeout);
    expect(theirs.length).toBeGreaterThan(0);
    vi.setSystemTime(1_700_000_000_000);
    expect(await says(code, OurQueue, OurTimeout)).toEqual(theirs);
  });

  it('there are as many as there were', () => expect(examples.length).toBeGreaterThan(18));
});

/** The same for the same seed. */
function chance(seed: number): (below: number) => number {
  let state = seed * 2654435761;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) | 0;
    return (state >>> 0) % below;
  };
}

async function program(seed: number, PQueue: typeof OurQueue, options: object): Promise<string[]> {
  const draw = chance(seed);
  const said: string[] = [];
  const queue = new PQueue(options);
  for (const event of ['active', 'completed', 'error', 'idle', 'pendingZero'] as const) queue.addEventListener(event, () => said.push(event));
  const look = () => said.push(`${queue.size} ${queue.pending} ${queue.isPaused}`);
  let count = 0;
  for (let move = 0; move < 60; move++) {
    const name = `${++count}`;
    switch (draw(12)) {
      case 0: queue.pause(); break;
      case 1:
      case 2: queue.start(); break;
      case 3: if (draw(4) === 0) queue.clear(); break;
      case 4: queue.concurrency = 1 + draw(3); break;
      case 5:
        try {
          queue.setPriority(`${1 + draw(count)}`, draw(5));
        } catch (error) {
          said.push((error as Error).message);
        }
        break;
      case 6: await vi.advanceTimersByTimeAsync(draw(400)); break;
      default: {
        const controller = new AbortController();
        const ms = 1 + draw(200);
        const fails = draw(6) === 0;
        const work = async () => {
          said.push(`begins ${name}`);
          await delay(ms);
          if (fails) throw new Error(`no ${name}`);
          return name;
        };
        queue.add(work, { priority: draw(4), id: name, ...(draw(5) === 0 && { signal: controller.signal }), ...(draw(5) === 0 && { timeout: 40 + 3 * count }) })
          .then((value) => said.push(`is ${value}`), (error) => said.push(`${name}: ${error.name} ${error.message.replace(/\(.*\)/, '')}`));
        if (draw(8) === 0) setTimeout(() => controller.abort(new Error('enough')), draw(100));
      }
    }
    look();
  }
  queue.start();
  void queue.onIdle().then(() => said.push('is idle'));
  await vi.advanceTimersByTimeAsync(120_000);
  look();
  return said;
}

describe('a random program does the same', () => {
  it.each([
    ['with a concurrency', { concurrency: 2 }],
    ['one at a time', { concurrency: 1, autoStart: false }],
    ['in no window more than its rate', { concurrency: 3, intervalCap: 3, interval: 500, strict: true }],
  ])('%s', async (_, options) => {
    for (let seed = 1; seed <= 60; seed++) {
      vi.setSystemTime(1_700_000_000_000);
      const theirs = await program(seed, TheirQueue as never, options);
      vi.setSystemTime(1_700_000_000_000);
      expect(await program(seed, OurQueue, options), `seed ${seed}`).toEqual(theirs);
    }
  });

  it('in intervals no more begin than may', async () => {
    const queue = createQueue({ intervalCap: 2, interval: 1000 });
    const began: number[] = [];
    for (let index = 0; index < 6; index++) void queue.add(() => void began.push(Date.now() - 1_700_000_000_000));
    expect(queue.isRateLimited).toBe(true);
    await vi.advanceTimersByTimeAsync(5000);
    expect(began).toEqual([0, 0, 1000, 1000, 2000, 2000]);
  });
});

describe('what a function or a listener does while others are about to begin', () => {
  type Doing = (queue: OurQueue, said: string[]) => void;
  const events = ['active', 'idle', 'empty', 'add', 'next', 'completed', 'error', 'pendingZero', 'rateLimit', 'rateLimitCleared'] as const;

  async function trace(PQueue: typeof OurQueue, options: object, doing: Doing, inListener: boolean): Promise<string[]> {
    vi.setSystemTime(1_700_000_000_000);
    const said: string[] = [];
    const queue = new PQueue({ autoStart: false, concurrency: 3, ...options });
    const say = (what: string) => said.push(`${what} ${queue.size} ${queue.pending}`);
    for (const event of events) queue.addEventListener(event, () => say(event));
    if (inListener) queue.addEventListener('active', () => doing(queue, said), { once: true });
    for (let index = 0; index < 6; index++) {
      const work = () => {
        say(`begins ${index}`);
        if (index === 0 && !inListener) doing(queue, said);
        if (index === 2) throw new Error('at once');
        return delay(3 + index);
      };
      queue.add(work, { id: `${index}` }).catch((error) => say(`${index}: ${error.name}`));
    }
    queue.start();
    await vi.advanceTimersByTimeAsync(500);
    say('then');
    queue.start();
    await vi.advanceTimersByTimeAsync(2000);
    return said;
  }

  it.each<[string, Doing]>([
    ['nothing', () => {}],
    ['pauses', (queue) => queue.pause()],
    ['clears', (queue) => queue.clear()],
    ['lowers the concurrency', (queue) => void (queue.concurrency = 1)],
    ['raises the priority of another one', (queue) => queue.setPriority('5', 9)],
    ['adds one that goes before the others', (queue, said) => void queue.add(async () => void said.push('the new one'), { priority: 9 })],
  ])('%s: the same happens in the same order', async (_, doing) => {
    for (const options of [{}, { intervalCap: 2, interval: 100 }, { concurrency: Number.POSITIVE_INFINITY }]) {
      for (const inListener of [false, true]) {
        const theirs = await trace(TheirQueue as never, options, doing, inListener);
        expect(await trace(OurQueue, options, doing, inListener)).toEqual(theirs);
      }
    }
  });
});

it('clear settles what waits; bad options are TypeErrors, as they are there', async () => {
  const queue = createQueue({ concurrency: 1 });
  const first = queue.add(() => delay(10));
  const second = queue.add(() => delay(10));
  queue.clear();
  await expect(second).rejects.toThrow(new DOMException('The queue was cleared', 'AbortError'));
  await vi.advanceTimersByTimeAsync(10);
  await first;
  for (const options of [{ concurrency: 0 }, { concurrency: 1.5 }, { intervalCap: 0 }, { interval: -1 }, { strict: true }, { timeout: 0 }, { strict: true, interval: 5 }]) {
    const message = (make: () => unknown) => {
      try {
        make();
      } catch (error) {
        return `${(error as Error).name}: ${(error as Error).message}`;
      }
      return 'taken';
    };
    const theirs = message(() => new TheirQueue(options as never));
    expect(theirs).toContain('TypeError');
    expect(message(() => new OurQueue(options as never))).toBe(theirs);
  }
  expect(() => new OurQueue({ queueClass: class {} } as never)).toThrow(/not supported/);
  await expect(queue.add(() => 1, { priority: Number.NaN })).rejects.toThrow(TypeError);
});
