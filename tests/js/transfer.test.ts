/** Buffers that move between page and worker: whose they are afterwards, and what a retry gets. */
import { ConfigurationError, defineTask, type TaskContext, type TaskSpec, workerHandler } from 'holdfast';
import { afterEach, describe, expect, it } from 'vitest';
import { GivenFileHandle } from '../../js/codec/given-file.ts';
import { fromMessage, toMessage } from '../../js/codec/message.ts';
import { serve } from '../../js/workers/serve.ts';
import { FakeWorker } from '../fake/worker.ts';
import { openHouse } from './house.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

let made = 0;
/** Inputs as the page had them, before they were sent. */
let sent: any[];
async function house(handler: (input: any, ctx: TaskContext) => Promise<unknown>, spec: Partial<TaskSpec> = {}, options = {}) {
  sent = [];
  const run = workerHandler<any, any>(() => new FakeWorker((scope) => serve(handler as never, scope)) as unknown as Worker);
  closing.push(() => run.close());
  const task = defineTask({
    id: `moves-${++made}`, retry: { maxAttempts: 2, minDelayMs: 1, randomize: false }, run,
    onStartAttempt: ({ payload }: any) => void sent.push(payload), ...spec,
  } as never);
  const opened = await openHouse({ tasks: [task], ...options });
  closing.push(() => opened.orchestrator.dispose());
  const result = async (input: unknown): Promise<any> => {
    const handle = opened.orchestrator.trigger(task, input as never);
    while (handle.status !== 'completed' && handle.status !== 'failed') {
      await opened.clock.advance(5);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return handle.result();
  };
  return { ...opened, result };
}
const bytes = () => Uint8Array.from({ length: 70_000 }, (_, index) => index);
const isEmpty = ({ buffer }: Uint8Array) => buffer.byteLength === 0;

describe.each([['what is stored', {}], ['memory', { storage: 'memory' }]])('transfer: true, out of %s', (_, options) => {
  it('moves the input, whole for every attempt, and the result; who triggered it keeps theirs', async () => {
    const returned: Uint8Array[] = [];
    const { result } = await house(async ({ data }: { data: Uint8Array }, ctx) => {
      if (ctx.attempt.number === 1) throw new Error('again');
      returned.push(data.map((byte) => byte + 1));
      return returned[0];
    }, { transfer: true }, options);
    const data = bytes();
    expect(await result({ data })).toEqual(bytes().map((byte) => byte + 1));
    expect(sent.map((input) => isEmpty(input.data))).toEqual([true, true]);
    expect(isEmpty(returned[0]!)).toBe(true);
    expect(data).toEqual(bytes());
  });

  it('without it everything is copied', async () => {
    const returned: Uint8Array[] = [];
    const { result } = await house(async ({ data }: { data: Uint8Array }) => {
      returned.push(data);
      return data;
    }, {}, options);
    expect(await result({ data: bytes() })).toEqual(bytes());
    expect(sent.map((input) => isEmpty(input.data))).toEqual([false]);
    expect(isEmpty(returned[0]!)).toBe(false);
  });
});

describe('ctx.transfer', () => {
  it('moves what it names, of results, steps and chunks, and nothing else', async () => {
    const mine: Record<string, Uint8Array> = {};
    const { result, orchestrator } = await house(async (_, ctx) => {
      mine.step = bytes();
      const stepped = await ctx.step('make', () => ctx.transfer({ data: mine.step }, [mine.step!]));
      mine.chunk = bytes();
      await ctx.stream('out', { mode: 'binary' }).append(ctx.transfer(mine.chunk, [mine.chunk.buffer as ArrayBuffer]));
      mine.moved = bytes();
      mine.copied = bytes();
      mine.part = bytes().subarray(1, 4);
      return ctx.transfer({ stepped, moved: mine.moved, copied: mine.copied, part: mine.part }, [mine.moved, mine.part]);
    });
    expect(await result(null)).toEqual({ stepped: { data: bytes() }, moved: bytes(), copied: bytes(), part: Uint8Array.of(1, 2, 3) });
    expect(Object.entries(mine).filter(([, one]) => isEmpty(one)).map(([name]) => name)).toEqual(['step', 'chunk', 'moved']);
    const [id] = orchestrator.getAllTasks().map((state) => state.id);
    for await (const chunk of orchestrator.stream<Uint8Array>(id!, 'out')) expect(chunk).toEqual(bytes());
  });

  it('refuses what is no buffer, and a flag that is none', async () => {
    const { result } = await house(async (_, ctx) => {
      const refusals: string[] = [];
      for (const list of [undefined, {}, ['x'], [new Blob([])], [new SharedArrayBuffer(1)], [kept, 5]])
        try {
          ctx.transfer(1, list as never);
        } catch (error) {
          refusals.push((error as Error).name);
        }
      return { refusals, kept };
    });
    const kept = bytes();
    expect((await result(null)).refusals).toEqual(Array(6).fill('ConfigurationError'));
    // Nothing of what was refused moves.
    expect(kept).toEqual(bytes());
    expect(() => defineTask({ id: 'x', transfer: 'yes' as never, run: () => 1 })).toThrow(ConfigurationError);
  });

  it('of one buffer in two views moves it once', () => {
    const data = bytes();
    const { value, transfer } = toMessage({ one: data, other: new Uint16Array(data.buffer) }, 'input', true);
    expect(transfer).toHaveLength(2);
    expect(new Set(transfer).size).toBe(2);
    expect(fromMessage(structuredClone(value, { transfer }))).toEqual({ one: bytes(), other: new Uint16Array(bytes().buffer) });
  });
});

it('a file that was given in place of a handle comes to a worker as one', async () => {
  const { result } = await house(async ({ handle }: { handle: FileSystemFileHandle }) => {
    const file = await handle.getFile();
    return [handle.kind, await file.text()];
  }, {}, { storage: 'memory' });
  expect(await result({ handle: new GivenFileHandle(new File(['content'], 'a.txt')) })).toEqual(['file', 'content']);
});
