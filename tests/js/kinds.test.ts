import { defineTask, NotCloneableError, PayloadTooLargeError, type RunHandle, SerializationError, type TaskContext } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { fromMessage, toMessage } from '../../js/codec/message.ts';
import { settleReference } from '../../js/codec/blob-list.ts';
import { clone, decode, decodeWithBlobs, encode } from '../../js/codec/codec.ts';
import type { House } from './house.ts';
import { closeLater, open } from './houses.ts';

const idsOf = ({ orchestrator }: House) => orchestrator.journal!.slot.blobIds();
const later = { delay: '1h' } as const;

/** What a handler sees of its input after the page has crashed and another one goes on. */
async function afterCrash<Seen>(input: unknown, look: (value: any) => Promise<Seen>): Promise<Seen> {
  const house = await open();
  const seen: Seen[] = [];
  const task = defineTask({ id: `look ${Math.random()}`, retry: { maxAttempts: 1 }, run: async (value: unknown) => void seen.push(await look(value)) });
  const run = house.orchestrator.trigger(task, input, later);
  await run.accepted;
  const next = await house.crash();
  closeLater(next);
  await next.clock.advance(3_600_000);
  await next.orchestrator.attach(run.id)!.result();
  expect(await idsOf(next)).toHaveLength(new Set(await idsOf(next)).size);
  return seen[0]!;
}

const bytesOf = (parts: (string | Uint8Array)[]) =>
  new ReadableStream({
    pull(controller) {
      const part = parts.shift();
      if (part === undefined) controller.close();
      else controller.enqueue(part);
    },
  });

async function chunksOf(stream: ReadableStream): Promise<unknown[]> {
  const chunks: unknown[] = [];
  for await (const chunk of stream as unknown as AsyncIterable<unknown>) chunks.push(chunk);
  return chunks;
}

describe('after a crash', () => {
  it('a form has its fields in order, files with name, type and bytes', async () => {
    const form = new FormData();
    form.append('name', 'Ä');
    form.append('file', new File(['pdf'], 'a.pdf', { type: 'application/pdf' }));
    form.append('name', 'twice');
    const seen = await afterCrash({ form }, async ({ form: read }: { form: FormData }) => {
      const file = read.get('file') as File;
      return [[...read.keys()], read.getAll('name'), file.name, file.type, await file.text(), read instanceof FormData];
    });
    expect(seen).toEqual([['name', 'file', 'name'], ['Ä', 'twice'], 'a.pdf', 'application/pdf', 'pdf', true]);
  });

  it('headers and search params are what they were, shared ones still shared', async () => {
    const headers = new Headers([['x-one', '1'], ['x-two', '2']]);
    const params = new URLSearchParams('a=1&b=%C3%A4&a=2');
    const seen = await afterCrash({ headers, again: headers, params }, async (read) => [
      [...read.headers], read.headers instanceof Headers, read.again === read.headers, String(read.params), read.params.getAll('a'),
    ]);
    expect(seen).toEqual([[['x-one', '1'], ['x-two', '2']], true, true, 'a=1&b=%C3%A4&a=2', ['1', '2']]);
  });

  it('a request has address, method, headers, options and body; the caller may still read theirs', async () => {
    const request = new Request('https://example.org/upload?x=1', { method: 'PUT', headers: { 'content-type': 'text/x', 'x-a': 'b' }, body: 'body', redirect: 'manual', credentials: 'omit' });
    const seen = await afterCrash({ request }, async ({ request: read }: { request: Request }) => [
      read.url, read.method, read.headers.get('content-type'), read.headers.get('x-a'), read.redirect, read.credentials, await read.text(),
    ]);
    expect(seen).toEqual(['https://example.org/upload?x=1', 'PUT', 'text/x', 'b', 'manual', 'omit', 'body']);
    expect(await request.text()).toBe('body');
    expect(await afterCrash(new Request('https://example.org/'), async (read: Request) => [read.method, read.body])).toEqual(['GET', null]);
  });

  it('a response has status, headers and body, its address too; an empty one stays empty', async () => {
    const response = new Response(new Uint8Array([1, 2, 3]), { status: 201, statusText: 'Made', headers: { etag: '"x"' } });
    const look = async (read: Response) => [read.status, read.statusText, read.headers.get('etag'), read.url, [...new Uint8Array(await read.arrayBuffer())]];
    expect(await afterCrash(response, look)).toEqual([201, 'Made', '"x"', '', [1, 2, 3]]);
    expect(await afterCrash(new Response(null, { status: 204 }), look)).toEqual([204, '', null, '', []]);
  });

  it('a stream gives its bytes, or its text, to every attempt anew', async () => {
    const house = await open();
    const seen: unknown[] = [];
    const task = defineTask({ id: 'streams', retry: { maxAttempts: 2, randomize: false }, run: async (input: { bytes: ReadableStream; text: ReadableStream }, ctx) => {
      const bytes = (await chunksOf(input.bytes)) as Uint8Array[];
      seen.push([bytes.flatMap((chunk) => [...chunk]), (await chunksOf(input.text)).join('')]);
      if (ctx.attempt.number === 1) throw new Error('once more');
    } });
    const reused = new Uint8Array([1, 2]);
    const bytes = bytesOf([reused, new Uint8Array([3])]);
    const run = house.orchestrator.trigger(task, { bytes, text: bytesOf(['ä', '\ud83d\ude00 b']) });
    expect(bytes.locked).toBe(true);
    await run.accepted;
    reused.fill(9);
    await house.clock.advance(10_000);
    await run.result();
    expect(seen).toEqual([[[1, 2, 3], 'ä😀 b'], [[1, 2, 3], 'ä😀 b']]);
  });

  it('results and steps of these kinds come back, each reader with one of its own', async () => {
    const house = await open();
    const task = defineTask({ id: 'gives', run: async (_: null, ctx: TaskContext) => {
      const form = new FormData();
      form.set('a', new File(['x'], 'x'));
      const stepped = await ctx.step('form', () => form);
      const response = await ctx.step('fetched', () => new Response('from a step'));
      return { text: await (stepped.get('a') as File).text(), more: await response.text(), response: new Response('result') };
    } });
    const run: RunHandle = house.orchestrator.trigger(task, null);
    const read = async (handle: RunHandle) => {
      const { text, more, response } = await handle.result();
      return [text, more, await response.text()];
    };
    expect(await read(run)).toEqual(['x', 'from a step', 'result']);
    expect(await read(run)).toEqual(['x', 'from a step', 'result']);
    expect(run.state.result).toBeUndefined();
    const next = await house.crash();
    closeLater(next);
    expect(await read(next.orchestrator.attach(run.id)!)).toEqual(['x', 'from a step', 'result']);
  });
});

describe('what can not be taken', () => {
  it('is refused at the call, by its path, and nothing has been locked or stored', async () => {
    const house = await open();
    const task = defineTask({ id: 'refuses', run: async () => 1 });
    const read = new Request('https://example.org/', { method: 'POST', body: 'x' });
    await read.text();
    const answered = new Response('x');
    await answered.text();
    const locked = bytesOf([]);
    locked.getReader();
    const good = bytesOf(['x']);
    const bad: [unknown, RegExp][] = [
      [{ a: read }, /input\.a is a Request whose body was read already; pass request\.clone\(\)/],
      [[answered], /input\[0\] is a Response whose body was read already/],
      [{ a: Response.error() }, /input\.a is a Response of type "error", which keeps its content to itself/],
      [{ a: locked }, /input\.a is a stream that somebody reads already; pass one branch of stream\.tee\(\)/],
      [{ a: good, b: () => 1 }, /input\.b is a function/],
    ];
    for (const [input, message] of bad) {
      expect(() => house.orchestrator.trigger(task, input)).toThrow(NotCloneableError);
      expect(() => house.orchestrator.trigger(task, input)).toThrow(message);
    }
    expect(good.locked).toBe(false);
    expect(await idsOf(house)).toEqual([]);
  });

  it('and shows only while it is read refuses the run, in words', async () => {
    const house = await open({ limits: { blobBytes: 2000 } });
    const task = defineTask({ id: 'reads', run: async () => 1 });
    const failing = new ReadableStream({ pull: (controller) => controller.error(new Error('cable pulled')) });
    const cases: [ReadableStream, typeof SerializationError, RegExp][] = [
      [bytesOf([{} as never]), NotCloneableError, /input\.s is a stream that gave a chunk of type object; only streams of bytes, or of text alone/],
      [bytesOf(['text', new Uint8Array(1)]), NotCloneableError, /gave bytes among text/],
      [bytesOf([new Uint8Array(1500), new Uint8Array(1500)]), PayloadTooLargeError, /input\.s has 2.9 KiB, the limit for one file or binary value is 2 KiB/],
      [failing, SerializationError, /input\.s is a stream that failed while it was read/],
    ];
    for (const [s, type, message] of cases) {
      const error = await house.orchestrator.trigger(task, { s }).accepted.catch((thrown) => thrown);
      expect(error).toBeInstanceOf(type);
      expect(error.message).toMatch(message);
    }
    expect(await idsOf(house)).toEqual([]);
  });

  it('in an error’s properties is left out, in metadata refused', async () => {
    const house = await open();
    const task = defineTask({ id: 'errs', retry: { maxAttempts: 1 }, run: async () => Promise.reject(Object.assign(new Error('no'), { response: new Response('x'), code: 5 })) });
    expect(await house.orchestrator.trigger(task, null).wait()).toMatchObject({ error: { message: 'no' } });
    expect(() => house.orchestrator.trigger(task, null, { metadata: { r: new Response('x') } })).toThrow(/metadata\.r is a Response/);
  });
});

describe('in memory and to workers', () => {
  it('copies are independent; a stream, which can be read once, is refused', async () => {
    const request = new Request('https://example.org/', { method: 'POST', body: 'x' });
    const [one, other] = [clone({ request }, 'input').request, clone({ request }, 'input').request];
    expect([await one.text(), await other.text(), await request.text()]).toEqual(['x', 'x', 'x']);
    const form = new FormData();
    form.set('a', 'b');
    const copy = clone(form, 'input');
    form.set('a', 'changed');
    expect(copy.get('a')).toBe('b');
    expect(() => clone({ s: bytesOf([]) }, 'input')).toThrow(/input\.s is a stream/);
  });

  it('forms and headers cross, what has a body does not', () => {
    const form = new FormData();
    form.set('field', 'text');
    const { value } = toMessage({ form, headers: new Headers({ a: 'b' }) }, 'input');
    const crossed = fromMessage(structuredClone(value)) as { form: FormData; headers: Headers };
    expect([crossed.form.get('field'), crossed.headers.get('a')]).toEqual(['text', 'b']);
    // structuredClone of Node makes a Blob of a File; a browser's leaves it one.
    form.set('file', new File(['x'], 'x.txt'));
    const { form: near } = fromMessage(toMessage({ form }, 'input').value) as { form: FormData };
    expect((near.get('file') as File).name).toBe('x.txt');
    for (const body of [new Response('x'), new Request('https://example.org/'), bytesOf([])]) expect(() => toMessage({ body }, 'input')).toThrow(NotCloneableError);
  });
});

it('a body that is larger than limits.blobBytes is refused, by its path', async () => {
  const { blobs } = encode({ deep: [new Response('x'.repeat(2000))] }, 'input');
  const read = blobs![0]!.begin!();
  await expect(read(1999)).rejects.toThrow('input.deep[0].body has 2 KiB, the limit');
  expect((await blobs![0]!.begin!()(2000)).size).toBe(2000);
});

it('a bitmap whose bytes are no image, or that comes where there are no bitmaps, is damaged bytes', async () => {
  const { bytes, blobs } = encode({ r: new Response('x') }, 'input');
  blobs![0]!.kind = 'image';
  settleReference(blobs![0]!, blobs![0]!.id, '1'.repeat(64));
  await expect(decodeWithBlobs(bytes, async () => new Blob(['x']))).rejects.toThrow(SerializationError);
});

it('S3: hostile parts are damaged bytes, not requests', async () => {
  const { bytes, blobs } = encode({ r: new Response('x', { status: 201 }), h: new Headers({ a: 'b' }) }, 'input');
  expect(() => decode(bytes)).toThrow();
  for (let at = 60; at < bytes.length; at++) {
    for (const flip of [1, 0x40, 0xff]) {
      const forged = bytes.slice();
      forged[at] = forged[at]! ^ flip;
      const outcome = await decodeWithBlobs(forged, async () => new Blob(['x'])).catch((error) => error);
      if (outcome instanceof Error) expect(['SerializationError', 'PayloadLostError', 'NotCloneableError']).toContain(outcome.name);
    }
  }
  expect(blobs).toHaveLength(1);
});
