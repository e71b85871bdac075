import { ConfigurationError, defineTask, FatalError, RetryableError, type TaskHooks } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { again, open } from './houses.ts';

describe('catchError', () => {
  const failing = (catchError: TaskHooks['catchError'], error: unknown = new Error('from run')) => {
    const attempts: number[] = [];
    const task = defineTask({ id: 'caught', retry: { minDelayMs: 1000, jitter: 'none' }, catchError, run: (_: null, ctx) => {
      attempts.push(ctx.attempt.number);
      throw error;
    } });
    return { task, attempts };
  };

  it('D5: is told of the input, the error, the attempt, the policy and what the error asked for', async () => {
    const seen: any[] = [];
    const { task } = failing((event) => void seen.push(event), new RetryableError('busy', { retryAfter: 5000 }));
    const { orchestrator, clock } = await open();
    const run = orchestrator.trigger(task, null);
    await clock.settle();
    const { ctx, ...event } = seen[0];
    expect(ctx.run.id).toBe(run.id);
    expect(event).toMatchObject({
      input: null, payload: null, attempt: 1, error: { code: 'RETRYABLE' }, retryDelayInMs: 5000, retryAt: new Date(clock.now() + 5000),
      retry: { maxAttempts: 3, minTimeoutInMs: 1000, maxTimeoutInMs: 60_000, factor: 2, backoff: 'exponential', jitter: 'none' },
    });
    expect(run.state.retryAt).toBe(clock.now() + 5000);
  });

  it('D5: may say that it is over, or when the next attempt is, or both again each time', async () => {
    const { orchestrator, clock } = await open();
    const skipped = failing(async () => ({ skipRetrying: true }));
    expect(await orchestrator.trigger(skipped.task, null).wait()).toMatchObject({ ok: false, attempts: 1, error: { message: 'from run' } });

    const startedAt = clock.now();
    for (const answer of [{ retryDelayInMs: 7000 }, { retryDelayInMs: '7s' }, { retryAt: new Date(startedAt + 7000) }, { retryAt: startedAt + 7000 }]) {
      const { task, attempts } = failing(() => answer);
      const run = orchestrator.trigger(task, null);
      await clock.settle();
      expect(run.state).toMatchObject({ phase: 'retrying', retryAt: startedAt + 7000 });
      expect(attempts).toEqual([1]);
      await run.cancel();
    }
    const { task } = failing(() => ({ retryDelayInMs: 0 }));
    expect(await orchestrator.trigger(task, null).wait()).toMatchObject({ ok: false, attempts: 3 });
  });

  it('D5: may ask for another attempt after an error that is final by itself', async () => {
    const { orchestrator } = await open();
    const { task } = failing(() => ({ retryDelayInMs: 0 }), new FatalError('final'));
    expect(await orchestrator.trigger(task, null).wait()).toMatchObject({ ok: false, attempts: 3 });
  });

  it('D5: may put another error in place of what was thrown, which then decides', async () => {
    const { orchestrator } = await open();
    const replaced = failing(({ error }) => ({ error: new FatalError('replaced', { cause: error }) }));
    const result = await orchestrator.trigger(replaced.task, null).wait();
    expect(result).toMatchObject({ ok: false, attempts: 1, error: { code: 'FATAL', message: 'replaced', cause: { message: 'from run' } } });
    const text = failing(() => ({ error: 'a text', skipRetrying: true }));
    expect(await orchestrator.trigger(text.task, null).wait()).toMatchObject({ error: { message: 'a text' } });
  });

  it('D5: may change the policy, from then on and over a reload', async () => {
    let answers = 0;
    const { task, attempts } = failing(({ retry }) => (answers++ === 0 ? { retry: { maxAttempts: 5, minTimeoutInMs: Number(retry.minTimeoutInMs) * 3 } } : undefined));
    const house = await open();
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    expect(run.state).toMatchObject({ maxRetries: 4, retryAt: house.clock.now() + 3000 });
    const next = await again(house.crash());
    const found = next.orchestrator.attach(run.id)!;
    await next.clock.advance(3000);
    expect(found.state).toMatchObject({ maxRetries: 4, retryAt: next.clock.now() + 6000 });
    await next.clock.advance(200_000);
    // The dead tab's code goes on here, unheard.
    expect([...new Set(attempts)]).toEqual([1, 2, 3, 4, 5]);
    expect(found.state).toMatchObject({ status: 'failed', retryCount: 5 });
  });

  it('D5: of the orchestrator comes first; the task’s sees its error and policy, and has the last word', async () => {
    const seen: unknown[] = [];
    const { orchestrator, clock } = await open({ hooks: { catchError: () => ({ error: new Error('global'), retry: { maxAttempts: 9 }, retryDelayInMs: 1 }) } });
    const { task } = failing(({ error, retry }) => {
      seen.push(error.message, retry.maxAttempts);
      return { retryDelayInMs: 2 };
    });
    const run = orchestrator.trigger(task, null);
    await clock.settle();
    expect(seen).toEqual(['global', 9]);
    expect(run.state).toMatchObject({ maxRetries: 8, retryAt: clock.now() + 2, error: { message: 'global' } });
  });

  it('D5: what it throws, or answers wrongly, is the attempt’s error under the normal policy', async () => {
    const { orchestrator, clock } = await open();
    const throwing = failing(() => {
      throw new TypeError('from catchError');
    });
    const run = orchestrator.trigger(throwing.task, null);
    await clock.settle();
    expect(run.state).toMatchObject({ phase: 'retrying', error: { message: 'from catchError' }, retryAt: clock.now() + 1000 });
    for (const [answer, words] of [
      [{ retryIn: 3 }, 'has no option "retryIn"'], [{ retryDelayInMs: -1 }, 'catchError retryDelayInMs'], [{ retryAt: 'soon' }, 'catchError retryAt'],
      [{ skipRetrying: 1 }, 'true or false, not 1'], [{ retry: { maxAttempts: 0 } }, 'retry.maxAttempts'], [{ retryAt: 1, retryDelayInMs: 1 }, 'one of the two'], ['stop', 'must be an object'],
    ] as const) {
      const { task } = failing(() => answer as never);
      const result = await orchestrator.trigger(task, null).wait();
      expect(result).toMatchObject({ ok: false, attempts: 1, error: { code: 'CONFIGURATION', message: expect.stringContaining(words) } });
    }
  });

  it('D5: hears of timed out attempts and unfit results, and of nothing when the run is cancelled', async () => {
    const seen: string[] = [];
    const hear: TaskHooks['catchError'] = ({ error }) => void seen.push((error as { code?: string }).code ?? error.message);
    const { orchestrator, clock } = await open();
    const slow = defineTask({ id: 'slow', timeout: 1000, catchError: hear, run: (_: null, ctx) => new Promise((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))) });
    const run = orchestrator.trigger(slow, null);
    await clock.advance(1000);
    expect(seen.splice(0)).toEqual(['TASK_TIMEOUT']);
    await run.cancel();
    const cancelled = orchestrator.trigger(slow, null);
    await clock.settle();
    await cancelled.cancel();
    await clock.settle();
    expect(seen).toEqual([]);
    const unfit = defineTask({ id: 'unfit', output: { nonEmpty: true }, retry: { maxAttempts: 1 }, catchError: hear, run: () => new Blob([]) });
    const uncloneable = defineTask({ id: 'uncloneable', catchError: hear, run: () => () => {} });
    await orchestrator.trigger(unfit, undefined).wait();
    await orchestrator.trigger(uncloneable, undefined).wait();
    expect(seen).toEqual(['EMPTY_OUTPUT', 'NOT_CLONEABLE']);
  });
});

describe('an error', () => {
  it('A5: says in which task, run and attempt it was thrown, at once and after a reload', async () => {
    const task = defineTask({ id: 'origin', retry: { maxAttempts: 2, minDelayMs: 0 }, run: () => Promise.reject(new TypeError('x')) });
    const house = await open();
    const run = house.orchestrator.trigger(task, undefined);
    const result = await run.wait();
    const origin = { taskIdentifier: 'origin', runId: run.id, attempt: 2 };
    expect(result).toMatchObject({ error: origin });
    const found = (await again(house.crash())).orchestrator.getTaskState(run.id)!.error;
    expect(found).toMatchObject(origin);
    expect(found).toBeInstanceOf(TypeError);
  });
});

describe('what is not retried', () => {
  class Gone extends Error {}
  const attemptsOf = async (retry: object, thrown: unknown) => {
    const { orchestrator } = await open();
    const task = defineTask({ id: 'picky', retry: { minDelayMs: 0, ...retry }, run: () => Promise.reject(thrown) });
    return (await orchestrator.trigger(task, undefined).wait()).attempts;
  };

  it('D3: is said by class, name or code, or by `retryable-only`', async () => {
    const coded = Object.assign(new Error('x'), { code: 'E_GONE' });
    expect(await attemptsOf({ nonRetryable: [Gone] }, new Gone())).toBe(1);
    expect(await attemptsOf({ nonRetryable: ['E_GONE'] }, coded)).toBe(1);
    expect(await attemptsOf({ nonRetryable: ['TypeError'] }, new TypeError())).toBe(1);
    expect(await attemptsOf({ nonRetryable: [Gone, 'E_OTHER'] }, coded)).toBe(3);
    expect(await attemptsOf({ retryOn: 'retryable-only' }, new Error('x'))).toBe(1);
    expect(await attemptsOf({ retryOn: 'retryable-only' }, new RetryableError('x'))).toBe(3);
    expect(await attemptsOf({ retryOn: () => true, nonRetryable: [Gone] }, new Gone())).toBe(1);
    for (const retry of [{ retryOn: 'never' }, { nonRetryable: Gone }, { nonRetryable: [3] }])
      expect(() => defineTask({ id: 'wrong', retry: retry as never, run: () => 1 })).toThrow(ConfigurationError);
  });

  it('D3: holds after a reload too, as today’s code says', async () => {
    const task = defineTask({ id: 'picky later', delay: 1000, retry: { minDelayMs: 0, nonRetryable: ['E'] }, run: () => Promise.reject(Object.assign(new Error('x'), { code: 'E' })) });
    const house = await open();
    const run = house.orchestrator.trigger(task, undefined);
    await run.accepted;
    const next = await again(house.crash());
    await next.clock.advance(1000);
    expect(next.orchestrator.getTaskState(run.id)).toMatchObject({ status: 'failed', attempt: 1 });
  });

  it('A9: a word of a stronger layer counts, whichever of its names it uses', async () => {
    const { orchestrator, clock } = await open({ retry: { minDelayMs: 5, factor: 3, maxAttempts: 9, jitter: 'full' } });
    const task = defineTask({ id: 'aliases', retry: { initialDelay: 70, retryBackoffFactor: 1, maxRetries: 4, randomize: false }, run: () => Promise.reject(new Error('x')) });
    const run = orchestrator.trigger(task, undefined);
    await clock.settle();
    expect(run.state).toMatchObject({ retryAt: clock.now() + 70, maxRetries: 4 });
    await clock.advance(70);
    expect(run.state.retryAt).toBe(clock.now() + 70);
  });
});
