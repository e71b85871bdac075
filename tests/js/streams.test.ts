/** `ctx.stream`: chunks are stored as they are written, read by anybody, once each, over crashes and reloads. */
import {
  CanceledError, ConfigurationError, ContextClosedError, defineTask, FatalError, PayloadTooLargeError, SerializationError, StorageLostError, type StreamReader, type Task, type TaskContext,
} from 'holdfast';
import { afterEach, describe, expect, it } from 'vitest';
import { type House, openHouse } from './house.ts';

const houses: House[] = [];
let made = 0;

async function open(...options: Parameters<typeof openHouse>): Promise<House> {
  const house = await openHouse(...options);
  houses.push(house);
  return house;
}
async function crash(house: House): Promise<House> {
  const next = await house.crash();
  houses.push(next);
  return next;
}
afterEach(async () => {
  for (const { orchestrator, clock } of houses.splice(0)) await Promise.race([orchestrator.dispose(), clock.settle()]);
});

const streaming = (run: (ctx: TaskContext, input: any) => unknown, more: object = {}): Task<string, any, any> =>
  defineTask({ id: `streams-${++made}`, retry: { maxAttempts: 1 }, ...more, run: async (input: any, ctx) => run(ctx, input) });

async function all<Chunk>(reader: AsyncIterable<Chunk>): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const chunk of reader) chunks.push(chunk);
  return chunks;
}

/** Code waits here until the test lets it go on. */
function gate(): { promise: Promise<void>; open: () => void } {
  let open = () => {};
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}

describe('a stream', () => {
  it('is read while it is written, and afterwards, from any offset, also after a reload', async () => {
    const go = gate();
    const task = streaming(async (ctx) => {
      const out = ctx.stream<string>('words');
      await out.append('one');
      await go.promise;
      await out.append('two');
      await out.append('three');
      return 'done';
    });
    const house = await open();
    const run = house.orchestrator.trigger(task, null);
    const reading = run.stream<string>('words')[Symbol.asyncIterator]();
    expect(await reading.next()).toEqual({ done: false, value: 'one' });
    const later = reading.next();
    go.open();
    expect(await later).toEqual({ done: false, value: 'two' });
    expect(await all({ [Symbol.asyncIterator]: () => reading })).toEqual(['three']);
    expect(await run.result()).toBe('done');
    expect(await all(house.orchestrator.stream(run.id, 'words', { from: 1 }))).toEqual(['two', 'three']);
    const next = await house.reload();
    houses.push(next);
    expect(await all(next.orchestrator.stream(run.id, 'words'))).toEqual(['one', 'two', 'three']);
    expect(await all(next.orchestrator.attach(run.id)!.stream('words', { from: 3 }))).toEqual([]);
    expect(await all(next.orchestrator.stream(run.id, 'nobody wrote this'))).toEqual([]);
  });

  it('keeps values of every mode exactly, and several streams apart', async () => {
    const at = new Date(5);
    const task = streaming(async (ctx) => {
      const [objects, text, bytes] = [ctx.stream('objects'), ctx.stream<string>('text', { mode: 'text' }), ctx.stream<Uint8Array>('bytes', { mode: 'binary' })];
      const value = { at, set: new Set([1]), big: 2n };
      void objects.append(value);
      value.big = 3n;
      void text.append('ä\u{1f600}');
      void bytes.append(Uint8Array.of(1, 2, 3).subarray(1));
      void objects.append(undefined);
      void objects.append('');
    });
    const house = await open();
    const run = house.orchestrator.trigger(task, null);
    await run.result();
    const next = await crash(house);
    expect(await all(next.orchestrator.stream(run.id, 'objects'))).toEqual([{ at, set: new Set([1]), big: 2n }, undefined, '']);
    expect(await all(next.orchestrator.stream(run.id, 'text'))).toEqual(['ä\u{1f600}']);
    expect(await all(next.orchestrator.stream(run.id, 'bytes'))).toEqual([Uint8Array.of(2, 3)]);
  });

  it('ends as the run does: readers get the chunks, and then what it failed with', async () => {
    const task = streaming(async (ctx, end: 'fail' | 'wait') => {
      await ctx.stream('out').append(1);
      if (end === 'fail') throw new FatalError('broken');
      await new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)));
    });
    const house = await open();
    const failing = house.orchestrator.trigger(task, 'fail');
    const got: unknown[] = [];
    const read = async (reader: StreamReader) => {
      for await (const chunk of reader) got.push(chunk);
    };
    await expect(read(failing.stream('out'))).rejects.toThrow('broken');
    const waiting = house.orchestrator.trigger(task, 'wait');
    const reading = read(waiting.stream('out'));
    reading.catch(() => {});
    await house.clock.settle();
    await waiting.cancel();
    await expect(reading).rejects.toBeInstanceOf(CanceledError);
    expect(got).toEqual([1, 1]);
    const next = await house.reload();
    houses.push(next);
    await expect(read(next.orchestrator.stream(failing.id, 'out'))).rejects.toThrow('broken');
    await expect(read(next.orchestrator.stream(waiting.id, 'out'))).rejects.toBeInstanceOf(CanceledError);
  });

  it('is a ReadableStream too, which may be cancelled while it waits, as reading by a signal may', async () => {
    const task = streaming(async (ctx) => {
      const out = ctx.stream('out');
      for (let index = 0; index < 3; index++) await out.append(index);
      await new Promise(() => {});
    });
    const house = await open();
    const run = house.orchestrator.trigger(task, null);
    const reader = run.stream<number>('out').readable().getReader();
    for (let index = 0; index < 3; index++) expect(await reader.read()).toEqual({ done: false, value: index });
    const waits = reader.read();
    await house.clock.settle();
    await reader.cancel('enough');
    expect((await waits).done).toBe(true);
    const stop = new AbortController();
    const reading = all(run.stream('out', { from: 2, signal: stop.signal }));
    reading.catch(() => {});
    await house.clock.settle();
    stop.abort(new Error('not any more'));
    await expect(reading).rejects.toThrow('not any more');
  });

  it('says of each chunk where it stands and which attempt wrote it', async () => {
    const task = streaming(async (ctx) => {
      const out = ctx.stream('out');
      await out.recorded();
      await out.append(`of ${ctx.attempt.number}`);
      if (ctx.attempt.number === 1) throw new Error('again');
    }, { retry: { maxAttempts: 2, minDelayMs: 1, randomize: false } });
    const house = await open();
    const run = house.orchestrator.trigger(task, null);
    await house.clock.advance(10);
    await run.result();
    const entries = await all(run.stream('out').entries());
    expect(entries).toEqual([{ index: 0, chunk: 'of 1', attempt: 1 }, { index: 1, chunk: 'of 2', attempt: 2 }]);
  });

  it('works where nothing is kept beyond memory', async () => {
    const task = streaming(async (ctx) => {
      await ctx.stream('out').append({ a: 1 });
      await ctx.stream('bytes', { mode: 'binary' }).pipe(new Blob(['xy']).stream());
    });
    const house = await open({ storage: 'memory' });
    const run = house.orchestrator.trigger(task, null);
    await run.result();
    expect(await all(run.stream('out'))).toEqual([{ a: 1 }]);
    expect(await all(run.stream('bytes'))).toEqual([Uint8Array.of(120, 121)]);
  });

  it('is counted, and goes with its run', async () => {
    const task = streaming(async (ctx) => {
      await ctx.stream('bytes', { mode: 'binary' }).pipe([new Uint8Array(600_000)]);
      await ctx.stream('out').append('x');
    });
    const house = await open();
    const run = house.orchestrator.trigger(task, null);
    await run.result();
    const { streams, blobs } = await house.orchestrator.storageUsage();
    expect(streams.count).toBe(4);
    expect(streams.bytes).toBeGreaterThan(600_000);
    expect(blobs.bytes).toBeGreaterThan(600_000);
    expect(await house.orchestrator.removeTask(run.id)).toBe(true);
    await house.clock.settle();
    const after = await house.orchestrator.storageUsage();
    expect(after.streams).toEqual({ count: 0, bytes: 0 });
    expect(after.blobs.bytes).toBe(0);
    expect(await house.orchestrator.journal!.slot.blobIds()).toEqual([]);
  });
});

describe('code that runs again', () => {
  it('appends nothing twice: not before a step, not in one, not behind it', async () => {
    let go = gate();
    const task = streaming(async (ctx) => {
      const out = ctx.stream<string>('out');
      await out.append('before');
      await ctx.step('one', async () => {
        await out.append('in one');
        await out.append('in one');
      });
      void out.append('between');
      await ctx.step('two', async () => {
        await out.append('in two');
        await go.promise;
        await out.append('end of two');
      });
      await out.append('between');
      return 'done';
    });
    let house = await open({ tasks: [task] });
    const run = house.orchestrator.trigger(task, null);
    await run.accepted;
    await house.clock.settle();
    go = gate();
    house = await crash(house);
    await house.clock.settle();
    go.open();
    expect(await house.orchestrator.attach(run.id)!.result()).toBe('done');
    const expected = ['before', 'in one', 'in one', 'between', 'in two', 'end of two', 'between'];
    expect(await all(house.orchestrator.stream(run.id, 'out'))).toEqual(expected);
    house = await crash(house);
    expect(await all(house.orchestrator.stream(run.id, 'out'))).toEqual(expected);
  });

  it('loses nothing that was acknowledged and repeats nothing, wherever it crashes', async () => {
    const chunks = Array.from({ length: 12 }, (_, index) => `chunk ${index}`);
    let stopAt = 0;
    const acknowledged = new Set<string>();
    const task = streaming(async (ctx) => {
      const out = ctx.stream<string>('out');
      for (const [index, chunk] of chunks.entries()) {
        if (index === stopAt) await new Promise(() => {});
        if (index % 2 === 1) await ctx.step(`step ${index}`, () => out.append(chunk));
        else await out.append(chunk);
        acknowledged.add(chunk);
      }
    });
    let house = await open({ tasks: [task] });
    const run = house.orchestrator.trigger(task, null);
    while (stopAt < chunks.length) {
      await house.clock.settle();
      const before = [...acknowledged];
      stopAt++;
      house = await crash(house);
      const seen: string[] = [];
      const stop = new AbortController();
      const reading = (async () => {
        for await (const chunk of house.orchestrator.stream<string>(run.id, 'out', { signal: stop.signal })) seen.push(chunk);
      })();
      reading.catch(() => {});
      await house.clock.settle();
      stop.abort();
      expect(seen.slice(0, before.length)).toEqual(before);
      expect(new Set(seen).size).toBe(seen.length);
    }
    await house.orchestrator.attach(run.id)!.result();
    expect(await all(house.orchestrator.stream(run.id, 'out'))).toEqual(chunks);
  });

  it('goes on from what is recorded where its source differs each time, and says so where it does not', async () => {
    let round = 0;
    const careful = streaming(async (ctx) => {
      const out = ctx.stream<string>('out');
      const known = await out.recorded();
      for (let index = known.length; index < 4; index++) {
        if (index === 2 && round === 1) await new Promise(() => {});
        await out.append(`${index} of round ${round}`);
      }
    });
    const careless = streaming(async (ctx) => {
      const out = ctx.stream<string>('out');
      for (let index = 0; index < 2; index++) await out.append(`${index} of round ${round}`);
      if (round === 1) await new Promise(() => {});
    });
    round = 1;
    let house = await open({ tasks: [careful, careless] });
    const [one, other] = [house.orchestrator.trigger(careful, null), house.orchestrator.trigger(careless, null)];
    await house.clock.settle();
    round = 2;
    const warnings: string[] = [];
    house = await crash(house);
    house.orchestrator.on('warning', (message) => warnings.push(message));
    await Promise.all([one, other].map(({ id }) => house.orchestrator.attach(id)!.result()));
    expect(await all(house.orchestrator.stream(one.id, 'out'))).toEqual(['0 of round 1', '1 of round 1', '2 of round 2', '3 of round 2']);
    expect(await all(house.orchestrator.stream(other.id, 'out'))).toEqual(['0 of round 1', '1 of round 1', '0 of round 2', '1 of round 2']);
    expect(warnings.filter((message) => message.includes(other.id))).toHaveLength(1);
    expect(warnings.filter((message) => message.includes(one.id))).toEqual([]);
  });

  it('takes a chunk with an id once, in whatever order branches come', async () => {
    const order = [[2, 0, 1], [0, 1, 2]];
    let attempts = 0;
    const task = streaming(async (ctx) => {
      const out = ctx.stream<string>('out');
      const mine = order[attempts++]!;
      for (const item of mine) await out.append(`${item} in attempt ${ctx.attempt.number}`, { id: `item-${item}` });
      if (ctx.attempt.number === 1) throw new Error('again');
    }, { retry: { maxAttempts: 2, minDelayMs: 1, randomize: false } });
    const house = await open();
    const run = house.orchestrator.trigger(task, null);
    await house.clock.advance(10);
    await run.result();
    expect(await all(run.stream('out'))).toEqual(['2 in attempt 1', '0 in attempt 1', '1 in attempt 1']);
  });

  it('begins behind what there is when it begins anew', async () => {
    const task = streaming(async (ctx, round: number) => {
      await ctx.stream('out').append('same');
      if (round < 3) ctx.continueAsNew(round + 1);
    });
    let house = await open({ tasks: [task] });
    const run = house.orchestrator.trigger(task, 1);
    await run.result();
    house = await crash(house);
    expect(await all(house.orchestrator.stream(run.id, 'out'))).toEqual(['same', 'same', 'same']);
  });

  it('begins behind what a former page had appended, also where its code has not looked at the stream since', async () => {
    let page = 1;
    const task = streaming(async (ctx, round: number) => {
      if (page === 1 || round === 2) await ctx.stream('out').append('same');
      if (page === 1) await new Promise(() => {});
      if (round === 1) ctx.continueAsNew(2);
    });
    let house = await open({ tasks: [task] });
    const run = house.orchestrator.trigger(task, 1);
    await run.accepted;
    await house.clock.settle();
    expect((await house.orchestrator.storageUsage()).streams.count).toBe(1);
    page = 2;
    house = await crash(house);
    await house.orchestrator.attach(run.id)!.result();
    expect(await all(house.orchestrator.stream(run.id, 'out'))).toEqual(['same', 'same']);
  });
});

describe('what is piped', () => {
  it('is text of bytes, bytes of text, cut where it is long, and no half characters', async () => {
    const bytes = new TextEncoder().encode('a\u{1f600}b');
    const source = () => new ReadableStream({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const task = streaming(async (ctx) => {
      await ctx.stream('text', { mode: 'text' }).pipe(source());
      await ctx.stream('bytes', { mode: 'binary' }).pipe(['a\u{1f600}b']);
      await ctx.stream('long', { mode: 'text' }).pipe([`x${'\u{1f600}'.repeat(150_000)}`]);
      await ctx.stream('objects').pipe((async function* () {
        yield { a: 1 };
        yield { a: 2 };
      })());
    });
    const house = await open();
    const run = house.orchestrator.trigger(task, null);
    await run.result();
    expect((await all(run.stream<string>('text'))).join('')).toBe('a\u{1f600}b');
    expect(await all(run.stream('bytes'))).toEqual([bytes]);
    const long = await all(run.stream<string>('long'));
    expect(long.length).toBeGreaterThan(1);
    expect(long.every((piece) => !/[\ud800-\udbff]$/.test(piece))).toBe(true);
    expect(long.join('').length).toBe(300_001);
    expect(await all(run.stream('objects'))).toEqual([{ a: 1 }, { a: 2 }]);
  });

  it('is read no faster than it is stored', async () => {
    let given = 0;
    const source = (size: number) => new ReadableStream({
      pull(controller) {
        if (given === 40) return controller.close();
        given++;
        controller.enqueue(new Uint8Array(size));
      },
    }, { highWaterMark: 0 });
    const go = gate();
    const house = await open();
    const { slot } = house.orchestrator.journal!;
    const put = slot.putBlob.bind(slot);
    slot.putBlob = async (...args) => {
      await go.promise;
      return put(...args);
    };
    const task = streaming((ctx) => ctx.stream('bytes', { mode: 'binary' }).pipe(source(200_000)));
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    expect(given).toBeLessThan(10);
    go.open();
    await run.result();
    expect(given).toBe(40);
    let bytes = 0;
    for await (const chunk of run.stream<Uint8Array>('bytes')) bytes += chunk.length;
    expect(bytes).toBe(8_000_000);
  });

  it('cancels its source when the run is cancelled, and when a chunk is refused', async () => {
    const cancelled: unknown[] = [];
    const source = (chunk?: unknown) => new ReadableStream({
      start: (controller) => chunk !== undefined && controller.enqueue(chunk),
      cancel: (reason) => void cancelled.push(reason),
    });
    const task = streaming((ctx, chunk) => ctx.stream('out').pipe(source(chunk === 'bad' ? () => {} : undefined)));
    const house = await open();
    const waiting = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    await waiting.cancel();
    await waiting.wait();
    const failing = house.orchestrator.trigger(task, 'bad');
    await expect(failing.result()).rejects.toBeInstanceOf(SerializationError);
    expect(cancelled).toEqual([expect.any(CanceledError), expect.any(SerializationError)]);
  });
});

describe('a long stream', () => {
  it('leaves the journal in packs, and is read the same before, after and over a crash in between', async () => {
    const line = 'y'.repeat(900);
    const task = streaming(async (ctx) => {
      const out = ctx.stream<string>('out', { mode: 'text' });
      const other = ctx.stream<number>('other');
      for (let index = 0; index < 1500; index++) {
        void out.append(`${index} ${line}`);
        if (index % 100 === 0) await other.append(index);
        if (index % 10 === 0) await ctx.step(`step ${index}`, () => 0);
      }
    });
    let house = await open({ tasks: [task] });
    const run = house.orchestrator.trigger(task, null);
    await run.result();
    const { journal, streams, blobs } = await house.orchestrator.storageUsage();
    expect(streams.bytes).toBeGreaterThan(1_300_000);
    expect(journal.liveBytes).toBeLessThan(700_000);
    expect(blobs.count).toBeGreaterThan(0);
    for (let round = 0; round < 2; round++) {
      const lines = await all(house.orchestrator.stream<string>(run.id, 'out'));
      expect(lines).toEqual(Array.from({ length: 1500 }, (_, index) => `${index} ${line}`));
      expect(await all(house.orchestrator.stream(run.id, 'other', { from: 13 }))).toEqual([1300, 1400]);
      house = await crash(house);
    }
  });
});

describe('what is refused', () => {
  it('is refused at the call, with the value and what to do, and changes nothing', async () => {
    const errors: Error[] = [];
    const task = streaming(async (ctx) => {
      const attempt = async (work: () => unknown) => {
        try {
          await work();
        } catch (error) {
          errors.push(error as Error);
        }
      };
      await attempt(() => ctx.stream(''));
      await attempt(() => ctx.stream('x', { mode: 'json' as any }));
      await attempt(() => ctx.stream('x', { modes: 1 } as any));
      await attempt(() => ctx.stream('x', { mode: 'text' }).append(5));
      await attempt(() => ctx.stream('x', { mode: 'binary' }).append('5'));
      await attempt(() => ctx.stream('x').append(() => {}));
      await attempt(() => ctx.stream('x').append({ file: new Blob(['a']) }));
      await attempt(() => ctx.stream('x').append('y'.repeat(2 ** 20 + 1)));
      await attempt(() => ctx.stream('x').append(1, { id: '' }));
      await attempt(() => ctx.stream('x').append(1, { ids: 'a' } as any));
      await attempt(() => ctx.stream('x').pipe('text' as any));
      return ctx;
    }, { output: (value: unknown) => void (kept = value as TaskContext) });
    let kept: TaskContext | undefined;
    const house = await open({ storage: 'memory' });
    const run = house.orchestrator.trigger(task, null);
    await run.wait();
    expect(errors.map(({ name }) => name)).toEqual([
      'ConfigurationError', 'ConfigurationError', 'ConfigurationError', 'ConfigurationError', 'ConfigurationError',
      'NotCloneableError', 'NotCloneableError', 'PayloadTooLargeError', 'ConfigurationError', 'ConfigurationError', 'ConfigurationError',
    ]);
    expect(errors[6]!.message).toContain('chunk.file');
    expect(await all(run.stream('x'))).toEqual([]);
    await expect(kept!.stream('x').append(1)).rejects.toBeInstanceOf(ContextClosedError);
    expect(() => run.stream('x', { from: -1 })).toThrow(ConfigurationError);
    expect(() => house.orchestrator.stream(run.id, 'x', { until: 3 } as any)).toThrow(ConfigurationError);
  });

  it('fails the attempt when there is more than the limit, whether that was awaited or not', async () => {
    const task = streaming(async (ctx) => {
      const out = ctx.stream('out');
      for (let index = 0; index < 4; index++) void out.append('z'.repeat(20_000));
      await ctx.step('after', () => 1);
    });
    const house = await open({ limits: { streamBytes: 50_000 } });
    const run = house.orchestrator.trigger(task, null);
    await expect(run.result()).rejects.toBeInstanceOf(PayloadTooLargeError);
    const read: string[] = [];
    await expect((async () => {
      for await (const chunk of run.stream<string>('out')) read.push(chunk);
    })()).rejects.toThrow('limits.streamBytes');
    expect(read).toHaveLength(2);
  });

  it('is the stream of a run that nobody knows', async () => {
    const house = await open();
    const reading = all(house.orchestrator.stream('nobody', 'out'));
    reading.catch(() => {});
    await house.clock.advance(3000);
    await expect(reading).rejects.toBeInstanceOf(StorageLostError);
  });
});
