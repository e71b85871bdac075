import { type } from 'arktype';
import { createOrchestrator, defineTask, locals, type RunHandle, type Task, type TaskContext, type TaskSpec } from 'holdfast';
import * as v from 'valibot';
import { describe, expectTypeOf, it } from 'vitest';
import { z } from 'zod';

describe('types of a definition', () => {
  it('K1: run gets what a schema gives, trigger takes what it takes', () => {
    const zod = defineTask({ id: 'a', input: z.object({ n: z.coerce.number<string>(), m: z.string().default('x') }), run: (input, ctx) => {
      expectTypeOf(input).toEqualTypeOf<{ n: number; m: string }>();
      expectTypeOf(ctx.signal).toEqualTypeOf<AbortSignal>();
      return input.n;
    } });
    expectTypeOf(zod).toEqualTypeOf<Task<'a', { n: string; m?: string | undefined }, number>>();
    const valibot = defineTask({ id: 'a', schema: v.pipe(v.string(), v.transform((text) => text.length)), run: async (input) => {
      expectTypeOf(input).toBeNumber();
      return input;
    } });
    expectTypeOf(valibot).toEqualTypeOf<Task<'a', string, number>>();
    const arktype = defineTask({ id: 'a', input: type({ text: 'string', 'n?': 'string.numeric.parse' }), run: (input) => {
      expectTypeOf(input).toEqualTypeOf<{ text: string; n?: number }>();
      return input.text;
    } });
    expectTypeOf(arktype).toEqualTypeOf<Task<'a', { text: string; n?: string }, string>>();
    // @ts-expect-error n is a text
    zod.trigger({ n: 1 });
    // @ts-expect-error run asks for what the schema does not give
    defineTask({ id: 'a', input: z.string(), run: (input: number) => input });
  });

  it('K1: a function gives the input; what it takes is what it says, or else what it gives', () => {
    const guess = defineTask({ id: 'a', input: (value: unknown) => ({ n: Number(value) }), run: (input) => input.n });
    expectTypeOf(guess).toEqualTypeOf<Task<'a', { n: number }, number>>();
    const says = defineTask({ id: 'a', input: async (value: string) => value.length, run: (input) => input });
    expectTypeOf(says).toEqualTypeOf<Task<'a', string, number>>();
  });

  it('K2: run returns what the output schema takes, the result is what it gives', () => {
    const task = defineTask({ id: 'a', output: z.string().transform(Number), run: (input: Date) => input.toISOString() });
    expectTypeOf(task).toEqualTypeOf<Task<'a', Date, number>>();
    expectTypeOf(task.trigger(new Date())).toEqualTypeOf<RunHandle<number, 'a'>>();
    const file = defineTask({ id: 'a', output: { nonEmpty: true, schema: z.instanceof(Blob) }, run: () => new Blob() });
    expectTypeOf(file).toEqualTypeOf<Task<'a', any, Blob>>();
    const plain = defineTask({ id: 'a', output: { nonEmpty: true }, run: () => new File([], 'a') });
    expectTypeOf(plain).toEqualTypeOf<Task<'a', any, File>>();
    // @ts-expect-error a number is no text
    defineTask({ id: 'a', output: z.string(), run: () => 3 });
    // @ts-expect-error no such option
    defineTask({ id: 'a', output: { nonempty: true }, run: () => 3 });
  });

  it('B1: a spec is annotated by input, output and services; `name` is its id', () => {
    const spec: TaskSpec<{ a: number }, string, { base: URL }> = { name: 'a', run: (input, ctx) => `${input.a}${ctx.base.href}` };
    expectTypeOf(defineTask(spec)).toEqualTypeOf<Task<string, { a: number }, string>>();
    expectTypeOf(defineTask({ name: 'b', run: (n: number) => n })).toEqualTypeOf<Task<'b', number, number>>();
    const context = {} as TaskContext<{ base: URL }>;
    expectTypeOf(context.base).toEqualTypeOf<URL>();
    expectTypeOf(context.step).toEqualTypeOf<TaskContext['step']>();
    const ended = defineTask({ id: 'c', input: z.string().transform(Number), run: (n) => [n], onSuccess: ({ input, output, state }) => {
      expectTypeOf(input).toBeNumber();
      expectTypeOf(output).toEqualTypeOf<number[]>();
      expectTypeOf(state.result).toEqualTypeOf<number[] | undefined>();
    } });
    expectTypeOf(ended).toEqualTypeOf<Task<'c', string, number[]>>();
    // @ts-expect-error no such option
    defineTask({ id: 'd', run: () => 1, retires: 3 });
  });
});

describe('types of services', () => {
  it('B3: are inferred from setup, in either order of words, and stand in ctx', () => {
    const method = defineTask({ id: 'a', setup() { return { base: new URL('a:b') }; }, run(input: number, ctx) {
      expectTypeOf(ctx.base).toEqualTypeOf<URL>();
      expectTypeOf(ctx.step).toEqualTypeOf<TaskContext['step']>();
      return ctx.base.href.length + input;
    }, teardown: (services) => expectTypeOf(services).toEqualTypeOf<{ base: URL }>() });
    expectTypeOf(method).toEqualTypeOf<Task<'a', number, number>>();
    defineTask({ id: 'a', run: (_: null, ctx) => expectTypeOf(ctx.base).toEqualTypeOf<URL>(), setup: async () => ({ base: new URL('a:b') }) });
    defineTask({ id: 'a', setup: { scope: 'run', run: () => ({ n: 1 }) }, run: (_: null, ctx) => expectTypeOf(ctx.n).toBeNumber() });
    defineTask({ id: 'a', setup: () => {}, run: (_: null, ctx) => expectTypeOf(ctx.signal).toEqualTypeOf<AbortSignal>() });
  });

  it('B3: a name that ctx has is an error of types too', () => {
    // @ts-expect-error ctx has "step" already
    defineTask({ id: 'a', setup: () => ({ step: 1, other: 2 }), run: () => 1 });
    // @ts-expect-error there is no such service
    defineTask({ id: 'a', setup: () => ({ base: 1 }), run: (_: null, ctx) => ctx.bass });
    // @ts-expect-error no such scope
    defineTask({ id: 'a', setup: { scope: 'page', run: () => ({}) }, run: () => 1 });
  });

  it('B1: `undefined` in an annotation leaves the services open, as seed 000 writes it', () => {
    const spec: TaskSpec<null, any, undefined> = { name: 'a', setup: () => ({ queue: [1] }), run: async (input, ctx) => {
      expectTypeOf(input).toEqualTypeOf<null>();
      expectTypeOf(ctx.queue).toBeAny();
      expectTypeOf(ctx.signal).toEqualTypeOf<AbortSignal>();
    } };
    expectTypeOf(defineTask(spec)).toEqualTypeOf<Task<string, null, any>>();
  });
});

describe('types of hooks', () => {
  it('B9, D5: written after run they know its input, output and services', () => {
    defineTask({
      id: 'a', input: z.string().transform(Number), setup: () => ({ base: 'b' }), run: (n) => [n],
      middleware: ({ payload, next }) => (expectTypeOf(payload).toBeNumber(), next()),
      onStart: ({ ctx, input }) => expectTypeOf([ctx.base, input] as const).toEqualTypeOf<readonly [string, number]>(),
      onSuccess: ({ output, state }) => expectTypeOf([output, state.result] as const).toEqualTypeOf<readonly [number[], number[] | undefined]>(),
      onFailure: ({ error }) => expectTypeOf(error).toEqualTypeOf<Error>(),
      onComplete: ({ result }) => void (result.ok && expectTypeOf(result.output).toEqualTypeOf<number[]>()),
      onCancel: ({ runPromise }) => expectTypeOf(runPromise).toEqualTypeOf<Promise<number[] | undefined>>(),
      catchError: ({ retryAt, attempt, retry }) => {
        expectTypeOf([retryAt, attempt] as const).toEqualTypeOf<readonly [Date | undefined, number]>();
        return { retryDelayInMs: '5s', retry: { ...retry, maxAttempts: 4 } };
      },
    });
    // @ts-expect-error no such answer
    defineTask({ id: 'a', run: () => 1, catchError: () => ({ retryIn: 3 }) });
    // @ts-expect-error no such hook
    defineTask({ id: 'a', run: () => 1, onSuccesss: () => {} });
    createOrchestrator({ hooks: { onStart: ({ ctx }) => void ctx.run.id, onComplete: ({ result }) => void result.ok } });
  });
});

describe('types of names', () => {
  const length = defineTask({ id: 'length', input: z.coerce.string<number>(), run: (text) => text.length });
  const shout = defineTask({ id: 'shout', run: (text: string) => text.toUpperCase() });

  it('B14: an orchestrator that was told of its tasks knows them by name, from a list or an object', () => {
    const listed = createOrchestrator({ id: 'listed', tasks: [length, shout] });
    expectTypeOf(listed.run('length', 1)).resolves.toBeNumber();
    expectTypeOf(listed.trigger('shout', 'a')).toEqualTypeOf<RunHandle<string, 'shout'>>();
    expectTypeOf(listed.run(shout, 'a')).resolves.toBeString();
    // @ts-expect-error the input of length is a number
    void listed.run('length', 'a');
    // @ts-expect-error there is no such task
    void listed.run('lenght', 1);
    const keyed = createOrchestrator({ id: 'keyed', tasks: { length, shout } });
    expectTypeOf(keyed.run('shout', 'a')).resolves.toBeString();
    // @ts-expect-error there is no such task
    void keyed.triggerAndWait('whisper', 'a');
    // @ts-expect-error nobody told this one
    void createOrchestrator({ id: 'plain' }).run('length', 1);
  });

  it('B13, B11, B12: options of the process, locals and metadata are typed', () => {
    const who = locals.create<{ name: string }>('who');
    defineTask({ id: 'a', run: (_: null, ctx) => {
      expectTypeOf(ctx.options.dryRun).toEqualTypeOf<boolean | undefined>();
      expectTypeOf(ctx.locals.get(who)).toEqualTypeOf<{ name: string } | undefined>();
      expectTypeOf(ctx.metadata.anything).toBeAny();
      expectTypeOf(ctx.metadata.increment('n').flush()).resolves.toBeVoid();
      expectTypeOf(ctx.tags.current).toEqualTypeOf<readonly string[]>();
      // @ts-expect-error a wrong value
      ctx.locals.set(who, 3);
    } });
    // @ts-expect-error no such intent
    defineTask({ id: 'a', intent: 'read', run: () => 1 });
    // @ts-expect-error no such option of a process
    length.trigger(1, { process: { dryrun: true } });
  });
});
