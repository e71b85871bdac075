/** ctx.retry and ctx.fetch: tries within an attempt, against a server that answers as it is told. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigurationError, defineTask, FatalError, RetryableError, RetryableJobError, type RetryFetchInit, type TaskContext, TestClock } from 'holdfast';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resetAtMs, retryAfterMs } from '../../js/retrying/reset-time.ts';
import { deserializeError, serializeError } from '../../js/runs/serialize-error.ts';
import { name, open } from './houses.ts';

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;

let url = '';
let answers: Answer[] = [];
let bodies: string[] = [];
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
    bodies.push(Buffer.concat(chunks).toString());
    const answer = answers.shift() ?? ((_, other) => void other.writeHead(200).end('good'));
    answer(request, response, bodies.at(-1)!);
  });
});
beforeAll(async () => {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const status = (code: number, headers: Record<string, string> = {}): Answer => (_, response) => void response.writeHead(code, headers).end(`status ${code}`);

/** What happens outside of the virtual clock is waited for; then its time goes on. */
async function requests(count: number): Promise<void> {
  while (bodies.length < count) await new Promise((resolve) => setImmediate(resolve));
}

/** A run of this code; `after[n]`: milliseconds from the n-th request to the next. */
async function fetches(init: RetryFetchInit | ((house: Awaited<ReturnType<typeof open>>) => RetryFetchInit) = {}, input: () => string | Request = () => url) {
  bodies = [];
  const house = await open();
  const task = defineTask({ id: name('fetches'), retry: { maxAttempts: 1 }, run: async (_: null, ctx) => {
    const response = await (ctx as TaskContext).fetch(input(), typeof init === 'function' ? init(house) : init);
    return `${response.status} ${await response.text()}`;
  } });
  const run = house.orchestrator.trigger(task, null);
  const outcome = run.wait().then((result) => (result.ok ? result.output : result.error));
  return { house, run, outcome };
}

/** Goes on until it has ended; gives the times between requests, in steps of 100 ms. */
async function follow({ house, outcome }: Awaited<ReturnType<typeof fetches>>, count: number): Promise<{ outcome: unknown; pauses: number[] }> {
  const pauses: number[] = [];
  for (let n = 1; n < count; n++) {
    await requests(n);
    const begun = house.clock.now();
    while (bodies.length === n) {
      await house.clock.advance(100);
      for (let turn = 0; turn < 20 && bodies.length === n; turn++) await new Promise((resolve) => setImmediate(resolve));
      if (house.clock.now() - begun > 600_000) throw new Error(`no request ${n + 1}`);
    }
    pauses.push(house.clock.now() - begun);
  }
  return { outcome: await outcome, pauses };
}

describe('ctx.fetch', () => {
  it('D6: tries again with backoff what is busy or broken, and sends the same body', async () => {
    answers = [status(503), status(429), status(500)];
    const fixed = { strategy: 'backoff' as const, maxAttempts: 5, minDelayMs: 1000, factor: 2, randomize: false };
    const { outcome, pauses } = await follow(await fetches({ method: 'POST', body: 'question', retry: { byStatus: { '429,5xx': fixed } } }), 4);
    expect(outcome).toBe('200 good');
    expect(pauses.map((pause) => Math.round(pause / 1000))).toEqual([1, 2, 4]);
    expect(bodies).toEqual(['question', 'question', 'question', 'question']);
  });

  it('D4: waits as long as Retry-After says, in seconds or until a date, and not the backoff', async () => {
    answers = [status(429, { 'retry-after': '7' }), (_, response) => void response.writeHead(503, { 'retry-after': new Date(Date.parse('2020-01-01')).toUTCString() }).end()];
    const { outcome, pauses } = await follow(await fetches(), 3);
    expect(outcome).toBe('200 good');
    expect(pauses[0]).toBeGreaterThanOrEqual(7000);
    expect(pauses[0]).toBeLessThan(7500);
    expect(pauses[1]).toBeLessThan(500);
  });

  it('D6: by headers waits until the moment the server names', async () => {
    answers = [status(429, { 'x-reset': '1m2s', 'x-left': '0' }), status(429, { 'x-reset': '1m2s', 'x-left': '3' })];
    const byStatus = { 429: { strategy: 'headers' as const, resetHeader: 'x-reset', remainingHeader: 'x-left', resetFormat: 'iso_8601_duration_openai_variant' as const } };
    const { outcome, pauses } = await follow(await fetches({ retry: { byStatus } }), 3);
    expect(outcome).toBe('200 good');
    expect(pauses[0]).toBeGreaterThanOrEqual(62_000);
    expect(pauses[1]).toBeLessThan(500);
  });

  it('gives what the last try gave: a status is no error, and what is not to be tried again is given at once', async () => {
    answers = [status(503), status(503), status(404)];
    expect(await follow(await fetches({ retry: { byStatus: { '5xx': { strategy: 'backoff', maxAttempts: 2, minDelayMs: 10 } } } }), 2)).toMatchObject({ outcome: '503 status 503' });
    expect(await follow(await fetches(), 1)).toMatchObject({ outcome: '404 status 404' });
    answers = [status(503)];
    expect(await follow(await fetches({ retry: false }), 1)).toMatchObject({ outcome: '503 status 503' });
  });

  it('tries again when the connection broke, and throws what fetch threw when that was the last', async () => {
    const broken: Answer = (request) => void request.socket.destroy();
    answers = [broken];
    expect((await follow(await fetches({ retry: { connectionError: { minDelayMs: 100 } } }), 2)).outcome).toBe('200 good');
    answers = [broken, broken];
    const { outcome } = await follow(await fetches({ retry: { connectionError: { maxAttempts: 2, minDelayMs: 100 } } }), 2);
    expect(outcome).toMatchObject({ name: 'TypeError' });
    answers = [broken];
    expect((await follow(await fetches({ retry: { connectionError: false } }), 1)).outcome).toMatchObject({ name: 'TypeError' });
  });

  it('gives up a try that has no response within its timeout, and tries again', async () => {
    answers = [() => {}];
    const { outcome } = await follow(await fetches({ timeout: '5s', retry: { timeout: { minDelayMs: 100 } } }), 2);
    expect(outcome).toBe('200 good');
    answers = [() => {}];
    const one = await fetches({ timeoutInMs: 5000, retry: false });
    await requests(1);
    await one.house.clock.advance(5000);
    expect(await one.outcome).toMatchObject({ name: 'FetchTimeoutError', code: 'FETCH_TIMEOUT', message: expect.stringContaining(`${url} came within 5000 ms`) });
  });

  it('ends with its run, while it waits for a response and between two tries; the caller\'s own signal ends it too', async () => {
    answers = [() => {}];
    const waiting = await fetches();
    await requests(1);
    await waiting.run.cancel();
    expect(await waiting.outcome).toMatchObject({ name: 'CanceledError' });
    answers = [status(503, { 'retry-after': '3600' })];
    const between = await fetches();
    await requests(1);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    await between.run.cancel();
    expect(await between.outcome).toMatchObject({ name: 'CanceledError' });
    expect(bodies).toHaveLength(1);
    answers = [() => {}];
    const own = new AbortController();
    const stopped = await fetches({ signal: own.signal });
    await requests(1);
    own.abort(new FatalError('enough'));
    expect(await stopped.outcome).toMatchObject({ message: 'enough' });
  });

  it('the caller\'s own signal, or his request\'s, ends a pause between two tries, in no time', async () => {
    for (const ofRequest of [false, true]) {
      answers = [status(503, { 'retry-after': '3600' })];
      const own = new AbortController();
      const { signal } = own;
      const between = await fetches(ofRequest ? {} : { signal }, () => (ofRequest ? new Request(url, { signal }) : url));
      await requests(1);
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
      own.abort(new FatalError('enough'));
      expect(await Promise.race([between.outcome, new Promise((resolve) => setTimeout(resolve, 2000, 'it waits on'))])).toMatchObject({ message: 'enough' });
      expect(bodies).toHaveLength(1);
    }
  });

  it.each<[string, RetryFetchInit, () => string | Request]>([
    ['an address that is none', {}, () => 'http://[nowhere'],
    ['a body where there may be none', { body: 'question' }, () => url],
    ['a request that was sent already', {}, () => {
      const sent = new Request(url, { method: 'POST', body: 'question' });
      void sent.text();
      return sent;
    }],
  ])('does not try again what no try makes better: %s', async (_, init, input) => {
    const { house, outcome } = await fetches(init, input);
    // No time passes, so no second try could have been.
    expect(await Promise.race([outcome, new Promise((resolve) => setTimeout(resolve, 2000, 'it tries again'))])).toBeInstanceOf(TypeError);
    expect(house.clock.now()).toBe(new TestClock().now());
    expect(bodies).toEqual([]);
  });

  it('E5: is no standstill of its code while it pauses, as the server or the policy asks; then it counts again', async () => {
    answers = [status(503, { 'retry-after': '600' })];
    const house = await open();
    const beats = { id: name('beats'), heartbeat: '2m', retry: { maxAttempts: 1 } };
    const pausing = defineTask({ ...beats, run: async (stands: boolean, ctx) => {
      const response = await (ctx as TaskContext).fetch(url);
      await ctx.retry.onThrow(({ attempt }) => {
        if (attempt === 1) throw new Error('not yet');
      }, { maxAttempts: 2, minDelayMs: 600_000, randomize: false });
      if (stands) await new Promise((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)));
      return response.status;
    } });
    const outcomeOf = async (stands: boolean) => {
      let outcome: unknown;
      bodies = [];
      void house.orchestrator.trigger(pausing, stands).wait().then((result) => (outcome = result));
      await requests(1);
      // Slowly, for answers take real time.
      for (let step = 0; step < 1000 && !outcome; step++) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        await house.clock.advance(5000);
      }
      return outcome;
    };
    expect(await outcomeOf(false)).toMatchObject({ ok: true, output: 200 });
    expect(await outcomeOf(true)).toMatchObject({ error: { name: 'StalledError' } });
  });

  it.each<[string, RetryFetchInit, RegExp]>([
    ['a pattern', { retry: { byStatus: { '6xx': { strategy: 'backoff' } } } }, /"6xx" names no statuses/],
    ['a range', { retry: { byStatus: { '510-500': { strategy: 'backoff' } } } }, /510-500/],
    ['a strategy', { retry: { byStatus: { '5xx': { strategy: 'hope' as never } } } }, /strategy.*hope/],
    ['an option', { retry: { byStatsu: {} } as never }, /byStatsu/],
    ['a policy', { retry: { connectionError: { factor: 0 } } }, /factor/],
    ['a format', { retry: { byStatus: { 429: { strategy: 'headers', resetFormat: 'lunar' as never } } } }, /lunar/],
    ['a timeout', { timeout: 'soon' }, /soon/],
    ['a timeout twice', { timeout: 5, timeoutInMs: 5 }, /timeoutInMs/],
    ['a timeout of nothing', { timeout: null as never }, /it is null/],
    ['a policy for all', { retry: null as never }, /retry must be an object, not null/],
    ['an init', 'POST' as never, /init must be an object, not "POST"/],
    ['an init', null as never, /init must be an object, not null/],
    ['a signal', { signal: new AbortController() as never }, /its signal/],
    ['a stream that would have to be sent twice', { method: 'POST', body: new ReadableStream(), duplex: 'half' } as never, /stream/],
  ])('refuses %s that is none, before it asks', async (_, init, words) => {
    const { outcome } = await fetches(init);
    const error = (await outcome) as Error;
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error.message).toMatch(words);
    expect(bodies).toEqual([]);
  });

  it.each([undefined, null, 5, Symbol('there')])('refuses %s in place of an address', async (input) => {
    expect(await (await fetches({}, () => input as never)).outcome).toMatchObject({ code: 'CONFIGURATION', message: expect.stringContaining(`an address or a Request, not ${String(input)}`) });
  });
});

describe('ctx.retry.onThrow', () => {
  async function trying(work: (attempt: number) => unknown, options: object = {}) {
    const house = await open();
    const tries: number[] = [];
    const task = defineTask({ id: name('tries'), retry: { maxAttempts: 1 }, run: (_: null, ctx) => ctx.retry.onThrow(({ attempt }) => {
      tries.push(house.clock.now());
      return work(attempt);
    }, { minDelayMs: 1000, factor: 1, randomize: false, ...options }) });
    const run = house.orchestrator.trigger(task, null);
    const outcome = run.wait();
    for (let n = 0; n < 200; n++) {
      await house.clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return { outcome: await outcome, pauses: tries.slice(1).map((at, index) => Math.round((at - tries[index]!) / 1000)), count: tries.length };
  }

  it('D6: calls until it does not throw, and gives what that returned', async () => {
    const { outcome, pauses } = await trying((attempt) => {
      if (attempt < 3) throw new Error('not yet');
      return `at ${attempt}`;
    });
    expect(outcome).toMatchObject({ ok: true, output: 'at 3' });
    expect(pauses).toEqual([1, 1]);
  });

  it('throws what the last try threw; a FatalError is the last, and so is what retryOn refuses', async () => {
    const failing = await trying((attempt) => {
      throw new Error(`try ${attempt}`);
    });
    expect(failing).toMatchObject({ count: 3, outcome: { ok: false, error: { message: 'try 3' } } });
    expect(await trying(() => {
      throw new FatalError('never');
    })).toMatchObject({ count: 1, outcome: { error: { message: 'never' } } });
    expect(await trying(() => {
      throw new TypeError('wrong');
    }, { retryOn: (error: Error) => error.name !== 'TypeError' })).toMatchObject({ count: 1 });
  });

  it.each<[string, (nowMs: number) => Error]>([
    ['in milliseconds', () => new RetryableError('busy', { retryAfter: 5000 })],
    ['as a text', () => new RetryableError('busy', { retryAfter: '5s' })],
    ['in parts', () => new RetryableError('busy', { retryAfter: { seconds: 5 } })],
    ['as a Date', (nowMs) => new RetryableError('busy', { retryAfter: new Date(nowMs + 5000) })],
    ['as a RetryableJobError', (nowMs) => new RetryableJobError('busy', new Date(nowMs + 5000))],
  ])('D4: a RetryableError says when, %s: here, to a step with tries of its own, and to the run', async (_, made) => {
    const house = await open();
    const { clock } = house;
    const began: number[] = [];
    const fail = () => {
      began.push(clock.now());
      throw made(clock.now());
    };
    const policy = { maxAttempts: 2, minDelayMs: 1000, randomize: false };
    const tasks = [
      defineTask({ id: name('here'), retry: { maxAttempts: 1 }, run: (_: null, ctx) => ctx.retry.onThrow(fail, policy) }),
      defineTask({ id: name('step'), retry: { maxAttempts: 1 }, run: (_: null, ctx) => ctx.step('fails', fail, { retry: policy }) }),
      defineTask({ id: name('run'), retry: policy, run: fail }),
    ];
    for (const task of tasks) {
      began.length = 0;
      const run = house.orchestrator.trigger(task, null);
      for (let n = 0; n < 70; n++) {
        await clock.advance(100);
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(run.state).toMatchObject({ status: 'failed', error: { message: 'busy' } });
      expect(began).toHaveLength(2);
      expect(Math.round((began[1]! - began[0]!) / 1000)).toBe(5);
    }
  });

  it('D4: a time that is none is told where the error is made; a RetryableJobError comes back as what it was', () => {
    expect(() => new RetryableError('busy', { retryAfter: 'soon' })).toThrow(expect.objectContaining({ code: 'CONFIGURATION', message: expect.stringMatching(/retryAfter.*soon/) }));
    const error = new RetryableJobError('busy', new Date(9));
    const revived = deserializeError(serializeError(error));
    expect(revived).toBeInstanceOf(RetryableJobError);
    expect(revived).toMatchObject({ name: 'RetryableJobError', retryable: true, retryAfter: new Date(9) });
    expect(deserializeError(serializeError(new RetryableError('busy')))).not.toBeInstanceOf(RetryableJobError);
  });
});

describe('when a server takes requests again', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  it.each<[string, Parameters<typeof resetAtMs>[2], number | undefined]>([
    ['7', undefined, now + 7000], ['0', undefined, now], ['-3', undefined, undefined], ['', undefined, undefined], ['soon', undefined, undefined],
    [String(now / 1000 + 60), undefined, now + 60_000], [String(now + 60_000), undefined, now + 60_000],
    ['Thu, 01 Jan 2026 00:01:00 GMT', undefined, now + 60_000], ['2026-01-01T00:01:00Z', undefined, now + 60_000],
    ['6m0s', undefined, now + 360_000], ['20ms', undefined, now + 20], ['1h2m3.5s', undefined, now + 3_723_500],
    ['5', 'unix_timestamp', 5000], ['5', 'unix_timestamp_in_ms', 5], ['nothing', 'unix_timestamp', undefined], ['nothing', 'iso_8601', undefined],
    ['2s', 'iso_8601_duration_openai_variant', now + 2000], ['2 s', 'iso_8601_duration_openai_variant', undefined],
  ])('%j as %s', (text, format, atMs) => {
    expect(resetAtMs(text, now, format)).toBe(atMs);
  });

  it('D4: Retry-After comes before x-ratelimit-reset', () => {
    expect(retryAfterMs(new Headers({ 'x-ratelimit-reset': '9', 'retry-after': '7' }), now)).toBe(now + 7000);
    expect(retryAfterMs(new Headers({ 'x-ratelimit-reset': '9', 'retry-after': 'later' }), now)).toBe(now + 9000);
    expect(retryAfterMs(new Headers(), now)).toBeUndefined();
  });
});
