import { type } from 'arktype';
import { ConfigurationError, defineTask, InputValidationError, OutputValidationError, RecoverySchemaError, type Task, type ValidationIssue } from 'holdfast';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { pageRegistry } from '../../js/intake/registry.ts';
import { type House } from './house.ts';
import { again, open } from './houses.ts';

const storedBytes = async ({ orchestrator }: House) => (await orchestrator.journal!.slot.read()).filter(Boolean).length;

async function refusedAtTheCall(task: Task<string, any, any>, input: unknown): Promise<InputValidationError> {
  const house = await open();
  const before = await storedBytes(house);
  let thrown: unknown;
  try {
    house.orchestrator.trigger(task, input);
  } catch (error) {
    thrown = error;
  }
  await house.clock.settle();
  expect(thrown).toBeInstanceOf(InputValidationError);
  expect(house.orchestrator.getAllTasks()).toEqual([]);
  expect(await storedBytes(house)).toBe(before);
  return thrown as InputValidationError;
}

/** One task in three libraries: pages are coerced, a mode is filled in. */
const byLibrary = {
  zod: defineTask({
    id: 'zod',
    input: z.object({ name: z.string().min(1), pages: z.coerce.number().int(), mode: z.enum(['fast', 'complete']).default('complete') }),
    run: (input) => input,
  }),
  valibot: defineTask({
    id: 'valibot',
    input: v.object({
      name: v.pipe(v.string(), v.minLength(1)),
      pages: v.pipe(v.union([v.string(), v.number()]), v.transform(Number), v.number(), v.integer()),
      mode: v.optional(v.picklist(['fast', 'complete']), 'complete'),
    }),
    run: (input) => input,
  }),
  arktype: defineTask({
    id: 'arktype',
    input: type({ name: 'string >= 1', pages: 'number.integer | string.integer.parse', mode: "'fast' | 'complete' = 'complete'" }),
    run: (input) => input,
  }),
};

describe('an input', () => {
  for (const [library, task] of Object.entries(byLibrary) as [string, Task<string, any, any>][]) {
    it(`K1: is validated by a schema of ${library} as it is, and the parsed value goes to run`, async () => {
      const { orchestrator } = await open();
      expect(await orchestrator.run(task, { name: 'a', pages: '12' })).toEqual({ name: 'a', pages: 12, mode: 'complete' });
      const { issues, message, retryable } = await refusedAtTheCall(task, { name: 'a', pages: 'many', mode: 'slow' });
      expect(issues.map(({ path }) => path)).toEqual([['pages'], ['mode']]);
      expect(message).toMatch(new RegExp(`^The input of "${library}" is not valid: pages: .+; mode: .+\\.$`));
      expect(retryable).toBe(false);
      expect((await refusedAtTheCall(task, undefined)).issues[0]).not.toHaveProperty('path');
    });
  }

  it('K1: is validated by a plain function, which gives the parsed value or throws', async () => {
    const task = defineTask({
      id: 'by a function',
      input: (value: unknown) => {
        if (typeof value !== 'string') throw new TypeError('a text, please');
        return { text: value.trim() };
      },
      run: (input) => input.text,
    });
    const { orchestrator } = await open();
    expect(await orchestrator.run(task as Task, ' a ')).toBe('a');
    const { issues, cause } = await refusedAtTheCall(task, 3);
    expect(issues).toEqual([{ message: 'a text, please' }]);
    expect(cause).toBeInstanceOf(TypeError);
  });

  it('K1: `schema` is another word for it, and a nested path is told in one line', async () => {
    const task = defineTask({ id: 'nested', schema: z.object({ items: z.array(z.object({ size: z.number() })) }), run: () => 1 });
    const { issues, message } = await refusedAtTheCall(task, { items: [{ size: 1 }, { size: 'x' }] });
    expect(issues[0]!.path).toEqual(['items', 1, 'size']);
    expect(message).toContain('items[1].size: ');
  });

  it('K1: many and long issues are bounded, and survive with the error', async () => {
    const task = defineTask({ id: 'wordy', validate: 'run', input: z.array(z.number(`no ${'x'.repeat(500)}`)), run: () => 1 });
    const house = await open();
    const run = house.orchestrator.trigger(task, Array(100).fill('a') as never);
    await run.wait();
    const error = (await again(house.crash())).orchestrator.getTaskState(run.id)!.error as InputValidationError;
    expect(error).toBeInstanceOf(InputValidationError);
    expect(error.issues).toHaveLength(32);
    expect(error.issues[31]).toEqual({ message: expect.stringMatching(/^no x+…$/), path: [31] });
    expect(error.message).toContain('and 29 more');
  });

  it('K1: a schema that throws or gives nonsense is told as an issue', async () => {
    const broken = { '~standard': { version: 1, vendor: 'nobody', validate: () => 7 } } as never;
    const bare = { '~standard': { version: 1, vendor: 'nobody', validate: () => ({ issues: [null, { path: [{ key: 'a' }, Symbol('b')] }] }) } } as never;
    const breaks = () => {
      throw new RangeError('the refinement broke');
    };
    expect((await refusedAtTheCall(defineTask({ id: 'nonsense', input: broken, run: () => 1 }), 1)).issues[0]!.message).toContain('gave 7');
    expect((await refusedAtTheCall(defineTask({ id: 'bare', input: bare, run: () => 1 }), 1)).issues).toEqual([
      { message: 'not valid' }, { message: 'not valid', path: ['a', 'Symbol(b)'] },
    ]);
    const throwing = defineTask({ id: 'throwing', input: v.pipe(v.string(), v.check(breaks)), run: () => 1 });
    expect((await refusedAtTheCall(throwing, 'x')).issues).toEqual([{ message: 'the refinement broke' }]);
    // zod tries what threw once more, asynchronously.
    const { orchestrator } = await open();
    const later = orchestrator.trigger(defineTask({ id: 'throwing', input: z.string().refine(breaks), run: () => 1 }), 'x');
    await expect(later.accepted).rejects.toMatchObject({ code: 'INPUT_VALIDATION', issues: [{ message: 'the refinement broke' }] });
  });

  it('K1: validators that are none, and words that contradict each other, are refused when the task is defined', () => {
    const run = () => 1;
    const given = (spec: object) => () => defineTask({ id: 'bad', run, ...spec } as never);
    expect(given({ input: 'string' })).toThrow('defineTask "bad" input must be a Standard Schema');
    expect(given({ schema: { parse: run, safeParse: run } })).toThrow('a function that gives the parsed value, not {}');
    expect(given({ input: { '~standard': { version: 2, validate: run } } })).toThrow('version 2');
    expect(given({ input: run, schema: run })).toThrow('mean the same');
    expect(given({ input: run, validate: 'never' })).toThrow("'dispatch', 'run' or 'both', not \"never\"");
    expect(given({ validate: 'run' })).toThrow('nothing to validate by');
    expect(given({ output: 3 })).toThrow(ConfigurationError);
    expect(given({ output: { schema: {} } })).toThrow('output.schema must be a Standard Schema');
    expect(given({ output: { nonempty: true } })).toThrow('has no option "nonempty"');
    expect(pageRegistry.get('bad')).toBeUndefined();
  });

  it('costs a task without one nothing: there is nothing prepared', () => {
    defineTask({ id: 'plain', run: () => 1 });
    defineTask({ id: 'plain output', output: { nonEmpty: false }, run: () => 1 });
    expect(pageRegistry.get('plain')!.prepared).toBeUndefined();
    expect(pageRegistry.get('plain output')!.prepared).toBeUndefined();
  });
});

describe('an asynchronous schema', () => {
  const known = z.string().refine(async (name) => name !== 'unknown', 'nobody knows it');
  const greet = defineTask({ id: 'greet', input: known, run: (name) => `hello ${name}` });

  it('K1: refuses by the handle, and nothing is stored or left behind', async () => {
    const house = await open();
    const before = await storedBytes(house);
    const run = house.orchestrator.trigger(greet, 'unknown');
    await expect(run.accepted).rejects.toBeInstanceOf(InputValidationError);
    await expect(run.result()).rejects.toMatchObject({ issues: [{ message: 'nobody knows it' }] });
    await house.clock.settle();
    expect(house.orchestrator.getTaskState(run.id)).toBeUndefined();
    expect(await storedBytes(house)).toBe(before);
    expect(await house.orchestrator.run(greet, 'Ada')).toBe('hello Ada');
  });

  it('K1: a run can be cancelled and its id is taken while it is being validated', async () => {
    let answer = (_value: boolean) => {};
    const slow = defineTask({ id: 'slow', input: z.string().refine(() => new Promise<boolean>((resolve) => (answer = resolve))), run: () => 1 });
    const { orchestrator, clock } = await open();
    const run = orchestrator.trigger(slow, 'a', { id: 'mine', metadata: { from: 'here' } });
    expect(() => orchestrator.trigger(slow, 'b', { id: 'mine' })).toThrow('There is a run "mine" already');
    const cancelled = run.cancel('no more');
    await clock.settle();
    expect(run.state).toMatchObject({ id: 'mine', status: 'pending', metadata: { from: 'here' } });
    answer(true);
    // A refinement is asked once more, for what the schema gives.
    await clock.settle();
    answer(true);
    expect(await cancelled).toBe(true);
    expect((await run.wait()).status).toBe('cancelled');
  });

  it('K1: what is being validated when the page closes was not accepted', async () => {
    const never = defineTask({ id: 'never', input: z.string().refine(() => new Promise<boolean>(() => {})), run: () => 1 });
    const house = await open();
    const run = house.orchestrator.trigger(never, 'a');
    await house.orchestrator.dispose();
    await expect(run.accepted).rejects.toMatchObject({ code: 'DISPOSED' });
  });
});

describe('the moment', () => {
  const seen: unknown[] = [];
  const schema = z.object({ n: z.coerce.number().max(10) });

  it('K1: `run` leaves the call alone; a bad input fails the run at once and is not retried', async () => {
    const task = defineTask({ id: 'late', input: schema, validate: 'run', run: ({ n }) => n });
    const house = await open();
    expect(await house.orchestrator.run(task, { n: '3' })).toBe(3);
    const run = house.orchestrator.trigger(task, { n: '11' });
    const result = await run.wait();
    expect(result).toMatchObject({ ok: false, status: 'failed', attempts: 1 });
    expect((result as { error: Error }).error).toBeInstanceOf(InputValidationError);
    expect((result as { error: Error }).error.message).toContain('n: ');
    expect(await (await again(house.crash())).orchestrator.attach(run.id)!.wait()).toMatchObject({ error: { code: 'INPUT_VALIDATION' } });
  });

  it('K1: `both` validates at the call and before each attempt', async () => {
    let calls = 0;
    const counted = (value: unknown) => {
      calls++;
      return schema.parse(value);
    };
    const task = defineTask({ id: 'twice', input: counted, validate: 'both', retry: { maxAttempts: 2, minDelayMs: 0 }, run: ({ n }, ctx) => {
      seen.push(n);
      if (ctx.attempt.number === 1) throw new Error('once more');
      return n;
    } });
    const { orchestrator } = await open();
    expect(() => orchestrator.trigger(task, { n: 11 })).toThrow(InputValidationError);
    expect(calls).toBe(1);
    expect(await orchestrator.run(task, { n: 3 })).toBe(3);
    expect(seen).toEqual([3, 3]);
    expect(calls).toBe(1 + 1 + 2);
  });

  it('K1: an attempt that is stopped while its input is validated never reaches its code', async () => {
    let isRun = false;
    const task = defineTask({
      id: 'stopped', validate: 'run', timeout: 100, retry: { maxAttempts: 1 },
      input: z.string().refine(() => new Promise<boolean>((resolve) => void clock.schedule(clock.now() + 200, () => resolve(true)))),
      run: () => {
        isRun = true;
      },
    });
    const { orchestrator, clock } = await open();
    const run = orchestrator.trigger(task, 'a');
    await clock.advance(1000);
    expect((await run.wait()).ok).toBe(false);
    expect(run.state.error).toMatchObject({ code: 'TASK_TIMEOUT' });
    expect(isRun).toBe(false);
  });
});

describe('a result', () => {
  it('K2: is what the output schema gives', async () => {
    const { orchestrator } = await open();
    const zod = defineTask({ id: 'out zod', output: z.object({ total: z.number(), at: z.string().default('now') }), run: (total: number) => ({ total }) });
    const valibot = defineTask({ id: 'out valibot', output: v.pipe(v.string(), v.transform((text) => text.length)), run: (text: string) => text });
    const arktype = defineTask({ id: 'out arktype', output: type('string.numeric.parse'), run: (n: number) => String(n) });
    const plain = defineTask({ id: 'out function', output: (value: number[]) => new Set(value), run: async (n: number) => [n, n] });
    expect(await orchestrator.run(zod, 3)).toEqual({ total: 3, at: 'now' });
    expect(await orchestrator.run(valibot, 'four')).toBe(4);
    expect(await orchestrator.run(arktype, 5)).toBe(5);
    expect(await orchestrator.run(plain, 6)).toEqual(new Set([6]));
  });

  it('K2: that does not fit fails its attempt, which is retried; steps are not repeated', async () => {
    let computed = 0;
    const task = defineTask({
      id: 'moody', output: z.number().max(1), retry: { minDelayMs: 0 },
      run: async (_: null, ctx) => {
        await ctx.step('expensive', () => ++computed);
        return ctx.attempt.number === 3 ? 1 : 2;
      },
    });
    const { orchestrator } = await open();
    const result = await orchestrator.trigger(task, null).wait();
    expect(result).toMatchObject({ ok: true, output: 1, attempts: 3 });
    expect(computed).toBe(1);
  });

  it('K2: that never fits ends as OutputValidationError; `retryOn` may say that once is enough', async () => {
    const spec = { output: z.number(), run: () => 'x' as never };
    const stubborn = defineTask({ id: 'stubborn', retry: { minDelayMs: 0 }, ...spec });
    const once = defineTask({ id: 'once', retry: { retryOn: (error) => !(error instanceof OutputValidationError) }, ...spec });
    const { orchestrator } = await open();
    const result = await orchestrator.trigger(stubborn, undefined).wait();
    expect(result).toMatchObject({ ok: false, attempts: 3, error: { code: 'OUTPUT_VALIDATION', issues: [{ message: expect.any(String) }] } });
    expect(await orchestrator.trigger(once, undefined).wait()).toMatchObject({ ok: false, attempts: 1 });
  });

  it('K2: `nonEmpty` stands alone or beside a schema', async () => {
    const task = defineTask({ id: 'file', retry: { maxAttempts: 1 }, output: { nonEmpty: true, schema: z.instanceof(Blob) }, run: (text: string) => new Blob([text]) });
    const { orchestrator } = await open({ storage: 'memory' });
    expect((await orchestrator.run(task, 'abc')).size).toBe(3);
    expect(await orchestrator.trigger(task, '').wait()).toMatchObject({ ok: false, error: { code: 'EMPTY_OUTPUT' } });
    const other = defineTask({ id: 'file', retry: { maxAttempts: 1 }, output: { nonEmpty: true, schema: z.instanceof(Blob) }, run: () => 'text' as never });
    expect(await orchestrator.trigger(other, undefined).wait()).toMatchObject({ ok: false, error: { code: 'OUTPUT_VALIDATION' } });
  });
});

/** A run of `id` that is in the middle of its first attempt, one step done, when its tab dies. */
async function interruptedRun(id: string, input: z.ZodType, given: unknown) {
  const task = defineTask({ id, input, run: async (_: unknown, ctx) => {
    await ctx.step('first', () => 'kept');
    return new Promise<never>(() => {});
  } });
  const house = await open();
  const run = house.orchestrator.trigger(task as Task, given);
  await run.accepted;
  await house.clock.settle();
  expect(run.state).toMatchObject({ status: 'running', steps: 1 });
  return { house, id: run.id };
}

describe('after a reload', () => {
  const finish = (id: string, input: z.ZodType) =>
    defineTask({ id, input, run: async (value: unknown, ctx) => [await ctx.step('first', () => 'computed again'), value] });

  it('K5: an input that still fits goes on, with what today’s schema fills in', async () => {
    const { house, id } = await interruptedRun('grown', z.object({ a: z.number() }), { a: 1 });
    finish('grown', z.object({ a: z.number(), b: z.string().default('new') }));
    const next = await again(house.crash());
    expect(await next.orchestrator.attach(id)!.result()).toEqual(['kept', { a: 1, b: 'new' }]);
  });

  it('K5: one that does not fit makes its run wait for a decision, shown with its reason and not counted as failed', async () => {
    const { house, id } = await interruptedRun('changed', z.object({ a: z.number() }), { a: 1 });
    finish('changed', z.object({ a: z.string() }));
    const warnings: string[] = [];
    const next = await again(house.crash());
    next.orchestrator.on('warning', (message) => warnings.push(message));
    await next.clock.settle();
    const { state } = next.orchestrator.attach(id)!;
    expect(state).toMatchObject({ status: 'paused', phase: 'blocked', reason: 'schema-mismatch', retryCount: 0, steps: 1 });
    expect(state.error).toBeInstanceOf(RecoverySchemaError);
    expect((state.error as RecoverySchemaError).issues).toMatchObject([{ path: ['a'] } satisfies Partial<ValidationIssue>]);
    expect(next.orchestrator.why(id)).toContain('today\'s schema refuses it: a: ');
    const told: unknown[] = [];
    for await (const { type: kind, data } of next.orchestrator.events({ runId: id, types: ['held'] })) {
      told.push(kind, data);
      break;
    }
    expect(told).toEqual(['held', { reasons: ['schema-mismatch'] }]);

    // Tried again as it is, it waits again; nothing of it was lost.
    expect(await next.orchestrator.resumeTask(id)).toBe(true);
    await next.clock.settle();
    expect(next.orchestrator.getTaskState(id)).toMatchObject({ reason: 'schema-mismatch', retryCount: 0, error: { code: 'RECOVERY_SCHEMA' } });
    expect(warnings.at(-1)).toContain(`Run ${id} waits.`);

    // Another page with the same code, and one whose code takes it.
    const third = await again(next.crash());
    await third.clock.settle();
    expect(third.orchestrator.getTaskState(id)).toMatchObject({ status: 'paused', reason: 'schema-mismatch' });
    finish('changed', z.object({ a: z.union([z.string(), z.number().transform(String)]) }));
    expect(await third.orchestrator.attach(id)!.result()).toEqual(['kept', { a: '1' }]);
    expect(third.orchestrator.getTaskState(id)).toMatchObject({ status: 'completed', error: null });
  });

  it('K5: after a reload with fixed code it goes on by itself; it may also be cancelled', async () => {
    const { house, id } = await interruptedRun('fixed', z.object({ a: z.number() }), { a: 1 });
    finish('fixed', z.object({ a: z.string() }));
    const second = await again(house.crash());
    const other = second.orchestrator.trigger(finish('fixed', z.object({ a: z.string() })), { a: 'x' });
    expect(await other.result()).toEqual(['computed again', { a: 'x' }]);
    await second.clock.settle();
    expect(second.orchestrator.getTaskState(id)!.reason).toBe('schema-mismatch');
    finish('fixed', z.object({ a: z.coerce.string() }));
    const third = await again(second.reload());
    expect(await third.orchestrator.attach(id)!.result()).toEqual(['kept', { a: '1' }]);

    const { house: doomed, id: unwanted } = await interruptedRun('fixed', z.object({ a: z.number() }), { a: 1 });
    finish('fixed', z.object({ a: z.string() }));
    const last = await again(doomed.crash());
    await last.clock.settle();
    expect(await last.orchestrator.cancelTask(unwanted)).toBe(true);
    expect(last.orchestrator.getTaskState(unwanted)!.status).toBe('cancelled');
  });

  it('K5: in `manual` recovery one resume goes on from both the pause and the hold', async () => {
    const { house, id } = await interruptedRun('manual', z.object({ a: z.number() }), { a: 1 });
    finish('manual', z.object({ a: z.string() }));
    const second = await again(house.crash({ recovery: { mode: 'manual' } }));
    await second.orchestrator.resumeTask(id);
    await second.clock.settle();
    expect(second.orchestrator.getTaskState(id)!.reason).toBe('schema-mismatch');
    await second.orchestrator.pauseTask(id);
    expect(second.orchestrator.getTaskState(id)!.phase).toBe('suspended');
    finish('manual', z.object({ a: z.coerce.string() }));
    expect(await second.orchestrator.resumeTask(id)).toBe(true);
    expect(await second.orchestrator.attach(id)!.result()).toEqual(['kept', { a: '1' }]);
  });

  it('K5: with `validate: run` an input that nobody had accepted yet is a plain failure', async () => {
    const strict = defineTask({ id: 'unseen', validate: 'run', delay: 1000, input: z.string(), run: () => 1 });
    const house = await open();
    const run = house.orchestrator.trigger(strict, 3 as never);
    await run.accepted;
    const next = await again(house.crash());
    await next.clock.advance(1000);
    expect(await next.orchestrator.attach(run.id)!.wait()).toMatchObject({ ok: false, error: { code: 'INPUT_VALIDATION' } });
  });

  it('K5: a schema that would not take its own result again is asked for what was given', async () => {
    const length = z.object({ text: z.string().transform((text) => text.length), file: z.instanceof(File) });
    const { house, id } = await interruptedRun('transformed', length, { text: 'four', file: new File(['x'.repeat(100_000)], 'a.txt') });
    expect(await house.orchestrator.journal!.slot.blobIds()).toHaveLength(1);
    const task = finish('transformed', length);
    const next = await again(house.crash());
    const [step, { text, file }] = (await next.orchestrator.attach(id)!.result()) as [string, { text: number; file: File }];
    expect([step, text, file.name, file.size]).toEqual(['kept', 4, 'a.txt', 100_000]);
    const replayed = await next.orchestrator.runs.replay<any>(id);
    expect((await replayed.result())[1].text).toBe(4);

    const memory = await open({ storage: 'memory' });
    const run = memory.orchestrator.trigger(task as Task, { text: 'three', file: new File([], 'b.txt') });
    expect(((await run.result()) as any)[1].text).toBe(5);
    expect(((await (await memory.orchestrator.runs.replay(run.id)).result()) as any)[1].text).toBe(5);
  });

  it('K5: code that asks for nothing any more still gets the parsed input', async () => {
    const { house, id } = await interruptedRun('loosened', z.string().transform((text) => text.length), 'four');
    defineTask({ id: 'loosened', run: (value: unknown) => value });
    const next = await again(house.crash());
    expect(await next.orchestrator.attach(id)!.result()).toBe(4);
  });
});

describe('a run that begins anew', () => {
  it('P12, K1: has its next input parsed as the first one was, and fails for one that is not valid', async () => {
    const seen: number[] = [];
    const task = defineTask({ id: 'anew', input: z.string().transform((text) => text.length), run: async (length, ctx) => {
      seen.push(length);
      if (length === 3) return ctx.continueAsNew('four');
      if (length === 4) return ctx.continueAsNew(5);
      return length;
    } });
    const house = await open();
    const run = house.orchestrator.trigger(task, 'one');
    expect(await run.wait()).toMatchObject({ ok: false, error: { code: 'INPUT_VALIDATION' } });
    expect(seen).toEqual([3, 4]);
  });

  it('P12, K5: after a reload goes on with the input it went on with', async () => {
    let isHeld = true;
    const task = defineTask({ id: 'anew later', input: z.string().transform((text) => text.length), run: async (length, ctx) => {
      if (length === 3) return ctx.continueAsNew('four');
      return isHeld ? new Promise<never>(() => {}) : length;
    } });
    const house = await open();
    const run = house.orchestrator.trigger(task, 'one');
    await house.clock.settle();
    isHeld = false;
    const next = await again(house.crash());
    expect(await next.orchestrator.attach(run.id)!.result()).toBe(4);
    expect(await (await next.orchestrator.runs.replay(run.id)).result()).toBe(4);
  });
});

describe('version and name', () => {
  it('B1: `name` is another word for `id`, and a run knows the version that accepted it', async () => {
    const task = defineTask({ name: 'named', version: 2, run: () => 1 });
    expect(task.id).toBe('named');
    const house = await open();
    const run = house.orchestrator.trigger(task, undefined);
    await run.result();
    expect(run.state.version).toBe(2);
    defineTask({ name: 'named', version: '3.0', run: () => 1 });
    expect((await again(house.crash())).orchestrator.getTaskState(run.id)!.version).toBe(2);
    expect(() => defineTask({ id: 'a', name: 'b', run: () => 1 } as never)).toThrow('differ');
    expect(() => defineTask({ run: () => 1 } as never)).toThrow('defineTask id must be text');
    for (const version of [-1, 1.5, Number.NaN, '', null]) expect(() => defineTask({ id: 'a', version, run: () => 1 } as never)).toThrow('version must be');
  });
});
