import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServedPage, servePage } from './served-page.ts';

/** Globals of workers/page.ts. */
declare const run: any, missing: any, elsewhere: any, TestContext: any, CanceledError: any, TaskTimeoutError: any;
declare const made: any, start: any, fails: any, pause: any, codec: any;

let served: ServedPage;
beforeAll(async () => {
  served = await servePage(new URL('./workers/', import.meta.url));
});
afterAll(() => served?.close());

describe('a handler in a real worker', () => {
  it('runs, computes steps there and records them here, reports progress', async () => {
    const result = await served.page.evaluate(async () => {
      const steps = start('steps');
      const values = await steps.outcome;
      const progress = start('progress');
      await progress.outcome;
      return [
        await run(21, new TestContext('double')),
        values[0] instanceof Date,
        [...values[1]],
        [...steps.ctx.recorded.keys()],
        progress.ctx.reports.length,
      ];
    });
    expect(result).toEqual([42, true, [1, 2], ['one', 'two'], 101]);
  });

  it('takes Files and gives large arrays without losing anything', async () => {
    const result = await served.page.evaluate(async () => {
      const file = new File(['hello'], 'ä.pdf', { type: 'application/pdf', lastModified: 5 });
      const output = await run({ file }, new TestContext('file'));
      return [
        output.file.name,
        output.file.lastModified,
        await output.file.text(),
        output.large.length,
        output.large[999_999],
      ];
    });
    expect(result).toEqual(['ä.pdf', 5, 'hello', 1_000_000, 7]);
  });

  it('G2: an endless loop is terminated when its grace period is over; the next attempt and the others are not harmed', async () => {
    const result = await served.page.evaluate(async () => {
      const stuck = start('loop', 'forever');
      const waiting = start('waits');
      await pause(100);
      const before = made();
      const failure = fails(stuck.outcome);
      stuck.ctx.controller.abort(new TaskTimeoutError('too long'));
      await pause(50);
      stuck.ctx.abandon();
      const error = await failure;
      const again = await run('short', new TestContext('loop'));
      waiting.ctx.controller.abort(new CanceledError('done'));
      return [error.code, again, made() - before, (await fails(waiting.outcome)).code];
    });
    expect(result).toEqual(['TASK_TIMEOUT', 'ended', 1, 'CANCELED']);
  });

  it('throws its error as the class it was', async () => {
    const error = await served.page.evaluate(() => fails(start('throws').outcome));
    expect(error).toMatchObject({ name: 'FatalError', code: 'FATAL', message: 'no', data: { page: 3 } });
  });

  for (const [id, words] of [
    ['rejects', /stray/],
    ['uncaught', /later/],
    ['closes', /closed itself/],
  ] as const) {
    it(`that dies (${id}) fails its attempt with WorkerCrashedError and the pool recovers`, async () => {
      const [error, next] = await served.page.evaluate(
        async (task) => [await fails(start(task).outcome), await run(2, new TestContext('double'))],
        id,
      );
      expect(error.code).toBe('WORKER_CRASHED');
      expect(error.message).toMatch(words);
      expect(next).toBe(4);
    });
  }

  it('whose script is missing or refused by the policy fails with WorkerCrashedError', async () => {
    const codes = await served.page.evaluate(async () => [
      (await fails(missing(1, new TestContext('x')))).code,
      (await fails(elsewhere(1, new TestContext('x')))).code,
    ]);
    expect(codes).toEqual(['WORKER_CRASHED', 'WORKER_CRASHED']);
    served.complaints.length = 0; // the refused worker, on purpose
  });
});

describe('the codec in a real browser', () => {
  it('H4: refuses what only browsers have, with its path', async () => {
    const messages = await served.page.evaluate(async () => {
      const values = [
        document.getElementById('node'),
        document,
        window,
        new Event('x'),
        document.createTextNode('x'),
        new ImageData(1, 1),
      ];
      values.push(
        navigator as any,
        localStorage as any,
        new Worker('/missing.js') as any,
        Object.assign(document.createElement('input'), { type: 'file' }).files as any,
      );
      return values.map((value) => {
        try {
          codec.encode({ list: [value] }, 'input');
          return `stored: ${Object.prototype.toString.call(value)}`;
        } catch (error: any) {
          return `${error.code} ${error.message}`;
        }
      });
    });
    for (const message of messages) expect(message).toMatch(/^NOT_CLONEABLE input\.list\[0\] is /);
  });

  it('I2: a File comes back equal after its bytes were stored apart', async () => {
    const result = await served.page.evaluate(async () => {
      const file = new File(['x'.repeat(1000)], 'a/ü.txt', { type: 'text/plain', lastModified: 7 });
      const frame = document.createElement('iframe');
      document.body.append(frame);
      const foreign = new (frame.contentWindow as any).Map([[1, new (frame.contentWindow as any).Date(5)]]);
      const { bytes, blobs } = codec.encode({ file, big: new Uint8Array(100_000).fill(9), foreign }, 'input');
      const stored = new Map<string, Blob>();
      for (const { id, blob } of blobs) stored.set(id, new Blob([await blob.arrayBuffer()]));
      const copy = await codec.decodeWithBlobs(bytes, async ({ id }: { id: string }) => stored.get(id));
      return [
        copy.file.name,
        copy.file.type,
        copy.file.lastModified,
        copy.file.size,
        copy.big[99_999],
        copy.foreign.get(1).getTime(),
        copy.foreign instanceof Map,
      ];
    });
    expect(result).toEqual(['a/ü.txt', 'text/plain', 7, 1000, 9, 5, true]);
  });

  it('measures itself', async () => {
    const figures = await served.page.evaluate(async () => {
      const payload = { url: 'https://example.com/a.pdf', n: 1 };
      const nested = {
        id: 'abc',
        items: [1, 2, 3].map((a) => ({ a, b: 'x' })),
        meta: { tags: ['p', 'q'], ok: true, at: 1722222222222 },
      };
      const writer = new codec.PayloadWriter();
      const write = (value: unknown) => () => {
        if (writer.position > 3000) writer.reset();
        writer.write(value, 'input');
      };
      const bytes = codec.encode(payload, 'input').bytes;
      const nestedBytes = codec.encode(nested, 'input').bytes;
      const one = codec.encode(1, 'input').bytes;
      const json = JSON.stringify(payload);
      const subjects: Record<string, () => void> = {
        'write 1': write(1),
        'decode 1': () => codec.decode(one),
        'write {url,n}': write(payload),
        'decode {url,n}': () => codec.decode(bytes),
        'clone {url,n}': () => codec.clone(payload, 'input'),
        'write nested': write(nested),
        'decode nested': () => codec.decode(nestedBytes),
        'write {Date}': write({ at: new Date(5) }),
        'JSON.stringify {url,n}': () => void JSON.stringify(payload),
        'JSON.parse {url,n}': () => void JSON.parse(json),
        'structuredClone {url,n}': () => void structuredClone(payload),
      };
      return Object.fromEntries(
        Object.entries(subjects).map(([name, subject]) => {
          let best = Infinity;
          for (let round = 0; round < 8; round++) {
            const start = performance.now();
            for (let i = 0; i < 50_000; i++) subject();
            best = Math.min(best, ((performance.now() - start) / 50_000) * 1e6);
          }
          return [name, Math.round(best)];
        }),
      );
    });
    console.log('codec, ns in Chromium:', figures);
    expect(figures['write 1']).toBeLessThan(1000);
    expect(figures['write {url,n}']).toBeLessThan(5000);
  });

  it('S4: works with frozen prototypes, also for keys they have', async () => {
    const result = await served.page.evaluate(async () => {
      for (const type of [Object, Array, Map, Set, Date, Error, Uint8Array]) Object.freeze(type.prototype);
      const value = {
        toString: 'x',
        list: [{ valueOf: 1 }],
        map: new Map([[1, new Date(5)]]),
        error: new TypeError('y'),
      };
      const plain = { a: [1, { b: 'c' }] };
      const copy = codec.decode(codec.encode(value, 'input').bytes);
      const clone = codec.clone(value, 'input');
      const same = JSON.stringify(codec.decode(codec.encode(plain, 'input').bytes)) === JSON.stringify(plain);
      return [copy.toString, clone.list[0].valueOf, copy.map.get(1).getTime(), copy.error.message, same];
    });
    expect(result).toEqual(['x', 1, 5, 'y', true]);
  });

  it('S12: nothing asked for eval or for anything inline', () => {
    expect(served.complaints).toEqual([]);
  });
});
