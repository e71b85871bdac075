import {
  createOrchestrator, defineTask, executeTask, type ResultPromise, type RunEvent, type RunHandle, type TaskContext, type TaskExecutor,
  type TaskRunResult, type TaskState,
} from 'holdfast';
import { describe, expectTypeOf, it } from 'vitest';

const count = defineTask({ id: 'count', run: async (input: { text: string }, ctx: TaskContext) => input.text.length + ctx.attempt.number });
const orchestrator = createOrchestrator();

describe('types', () => {
  it('B1: input, output and id are inferred from the definition', () => {
    expectTypeOf(count.id).toEqualTypeOf<'count'>();
    expectTypeOf(count.trigger).parameter(0).toEqualTypeOf<{ text: string }>();
    expectTypeOf(count.trigger({ text: 'a' })).toEqualTypeOf<RunHandle<number, 'count'>>();
    expectTypeOf(orchestrator.trigger(count, { text: 'a' }).result()).resolves.toBeNumber();
    expectTypeOf(orchestrator.run(count, { text: 'a' })).resolves.toBeNumber();
    expectTypeOf(count.triggerAndWait({ text: 'a' })).toEqualTypeOf<ResultPromise<number, 'count'>>();
    expectTypeOf(count.triggerAndWait({ text: 'a' }).unwrap()).resolves.toBeNumber();
    expectTypeOf(defineTask({ id: 'sync', run: (n: number) => String(n) }).trigger(1).state.result).toEqualTypeOf<string | undefined>();
  });

  it('refuses a wrong input, an unknown option and a wrong event name', () => {
    // @ts-expect-error the input is an object
    count.trigger('a');
    // @ts-expect-error no such option
    count.trigger({ text: 'a' }, { prioritty: 1 });
    // @ts-expect-error no such recovery mode
    createOrchestrator({ recovery: { mode: 'off' } });
    // @ts-expect-error no such event
    orchestrator.on('finished', () => {});
    // @ts-expect-error no such type of event
    orchestrator.events({ types: ['finished'] });
  });

  it('A4: a result narrows by ok', () => {
    const result = {} as TaskRunResult<number, 'count'>;
    expectTypeOf(result.taskIdentifier).toEqualTypeOf<'count'>();
    expectTypeOf(result.attempts).toBeNumber();
    if (result.ok) {
      expectTypeOf(result.output).toBeNumber();
      expectTypeOf(result.status).toEqualTypeOf<'completed'>();
    } else {
      expectTypeOf(result.error).toEqualTypeOf<Error>();
      expectTypeOf(result.status).toEqualTypeOf<'failed' | 'cancelled'>();
      // @ts-expect-error there is none
      void result.output;
    }
  });

  it('A8, T1: listeners and events are typed', () => {
    orchestrator.on('complete', (...args) => expectTypeOf(args).toEqualTypeOf<[taskId: string, result: any]>());
    orchestrator.once('error', (id, error) => {
      expectTypeOf(id).toBeString();
      expectTypeOf(error).toEqualTypeOf<Error>();
    });
    expectTypeOf(orchestrator.waitOn('change')).resolves.toEqualTypeOf<[state: TaskState]>();
    expectTypeOf(orchestrator.events()).toExtend<AsyncIterable<RunEvent>>();
    expectTypeOf(count.trigger({ text: '' })).toExtend<AsyncIterable<RunEvent>>();
  });

  it('an executor class is taken as it is', () => {
    class PdfProcessor implements TaskExecutor<{ file: File }, Blob> {
      readonly taskType = 'pdf';
      async execute({ file }: { file: File }, onProgress?: (progress: number) => void): Promise<Blob> {
        onProgress?.(50);
        return file;
      }
    }
    const file = new File([], 'a.pdf');
    expectTypeOf(executeTask('Processing: a.pdf', new PdfProcessor(), { file }, { fileName: file.name })).resolves.toBeString();
    expectTypeOf(executeTask('plain', async (n: number, onProgress) => (onProgress?.(1), n), 1)).resolves.toBeString();
    // @ts-expect-error the input has no file
    void executeTask('Processing: a.pdf', new PdfProcessor(), {});
  });
});
