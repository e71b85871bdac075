import { mkdtempSync, openAsBlob, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { strFromU8, unzipSync } from 'fflate';
import { afterAll, describe, expect, it } from 'vitest';
import { type JsonInput, processJson } from '../../demo/src/tasks/json.ts';
import { writeLargeJson } from '../fixtures/jsons.mjs';
import { plainContext } from './plain-context.ts';

const asIs = { trim: false, dropEmpty: false, keys: 'keep', partBytes: 5e6, format: 'zip' } as const;
const temporary = mkdtempSync(join(tmpdir(), 'holdfast-json-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

const named = (name: string, content: BlobPart) => new File([content], name);

async function run(file: File, options: Partial<JsonInput> = {}, ctx = plainContext()) {
  const zip = await processJson({ ...asIs, file, ...options }, ctx);
  const bytes = new Uint8Array(await zip.arrayBuffer());
  const entries = unzipSync(bytes);
  const { 'report.json': report, ...parts } = Object.fromEntries(Object.entries(entries).map(([name, data]) => [name, strFromU8(data)]));
  return { bytes, name: zip.name, report: JSON.parse(report as string), parts };
}

const failure = (file: File, options: Partial<JsonInput> = {}) =>
  run(file, options).then(() => 'no failure', (error: Error) => error.message);

describe('Splitting', () => {
  it('gives every element back, in order, in parts no larger than asked', async () => {
    const values = Array.from({ length: 500 }, (_, index) => ({ index, text: `Zoë 😀 "${index}" \\ `.repeat(index % 7) }));
    const { parts, report } = await run(named('a.json', JSON.stringify(values, null, 2)), { partBytes: 4096 });
    const texts = Object.values(parts);
    expect(texts.length).toBeGreaterThan(5);
    for (const text of texts) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096);
    expect(texts.flatMap((text) => JSON.parse(text))).toEqual(values);
    expect(report).toMatchObject({ kind: 'array', elementsRead: 500, elementsWritten: 500, problems: 0 });
  });

  it('keeps the keys of a top-level object', async () => {
    const object = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`key ${index}`, { index }]));
    const { parts } = await run(named('a.json', `\ufeff  ${JSON.stringify(object)}\n`), { partBytes: 1024 });
    expect(Object.assign({}, ...Object.values(parts).map((text) => JSON.parse(text)))).toEqual(object);
  });

  it('takes NDJSON with any line end and without a last one', async () => {
    const { parts, report } = await run(named('a.ndjson', '{"a":1}\r\n\n[2]\n"three"'));
    expect(parts['parts/part-0001.ndjson']).toBe('{"a":1}\n[2]\n"three"\n');
    expect(report).toMatchObject({ kind: 'lines', elementsWritten: 3, problems: 0 });
  });

  it('gives an element larger than a part a part of its own', async () => {
    const { parts } = await run(named('a.json', JSON.stringify([1, 'x'.repeat(3000), 2])), { partBytes: 1024 });
    expect(Object.values(parts).map((text) => JSON.parse(text).length)).toEqual([1, 1, 1]);
  });

  it('makes of an empty list a report and no part', async () => {
    const { parts, report } = await run(named('a.json', ' [ ] '));
    expect(parts).toEqual({});
    expect(report.elementsRead).toBe(0);
  });

  it('agrees with JSON.parse on any array', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue({ maxDepth: 4 })), fc.nat(2), async (values, indent) => {
        const text = JSON.stringify(values, null, indent);
        const { parts } = await run(named('a.json', text), { partBytes: 1024 });
        expect(Object.values(parts).flatMap((part) => JSON.parse(part))).toEqual(JSON.parse(text));
      }),
      { numRuns: 200 },
    );
  });
});

describe('Resuming', () => {
  const values = Array.from({ length: 400 }, (_, index) => ({ ' Index ': index, text: ' é '.repeat(index % 50), none: null }));
  const files = [named('a.json', JSON.stringify(values, null, 1)), named('a.ndjson', values.map((value) => JSON.stringify(value)).join('\n'))];

  it.each(files)('a killed run of $name gives the same bytes and computes no part twice', async (file) => {
    const options = { partBytes: 2048, trim: true, dropEmpty: true, keys: 'snake_case' } as const;
    const undisturbed = await run(file, options);
    const kept = new Map<string, unknown>();
    const computed: string[] = [];
    for (;;) {
      const ctx = plainContext(kept, 3);
      const result = await run(file, options, ctx).catch(() => undefined);
      computed.push(...ctx.computed);
      if (!result) continue;
      expect(Buffer.from(result.bytes).equals(Buffer.from(undisturbed.bytes))).toBe(true);
      break;
    }
    expect(new Set(computed).size).toBe(computed.length);
    expect(computed.length).toBe(undisturbed.report.parts.length + 1);
  });

  it('counts a problem once, wherever parts are cut', async () => {
    const lines = Array.from({ length: 300 }, (_, index) => (index % 3 === 0 ? `{broken ${index}` : JSON.stringify({ index, text: 'x'.repeat(60) })));
    const ctx = plainContext();
    const { report } = await run(named('a.ndjson', lines.join('\n')), { partBytes: 1024 }, ctx);
    expect(report).toMatchObject({ problems: 100, elementsWritten: 200 });
    expect(ctx.emitted).toEqual([['problems', { fileName: 'a.ndjson', count: 100 }]]);
    expect(report.problemList.map((problem: { line: number }) => problem.line)).toEqual(Array.from({ length: 100 }, (_, index) => index * 3 + 1));
  });
});

describe('Cleaning', () => {
  it('trims, drops what is empty and renames keys, and counts each', async () => {
    const value = [{ 'First Name': '  Ada ', HTMLParser: [null, '', {}], nested: { empty: ' ' }, ok: 0, no: false }, null, '  '];
    const { parts, report } = await run(named('a.json', JSON.stringify(value)), { trim: true, dropEmpty: true, keys: 'snake_case' });
    expect(JSON.parse(parts['parts/part-0001.json'] as string)).toEqual([{ first_name: 'Ada', ok: 0, no: false }]);
    expect(report).toMatchObject({ elementsRead: 3, elementsWritten: 1, trimmed: 3, renamed: 1 });
  });

  it('never lets one key overwrite another', async () => {
    const { parts, report } = await run(named('a.json', '[{"A b":1,"a_b":2,"__proto__":{"x":1}}]'), { keys: 'snake_case' });
    expect(parts['parts/part-0001.json']).toBe('[\n{"A b":1,"a_b":2,"proto":{"x":1}}\n]\n');
    expect(report.problemList).toMatchObject([{ line: 1, offset: 1 }]);
  });

  it('keeps __proto__ a key like any other', async () => {
    const { parts } = await run(named('a.json', '[{"__proto__":{"x":1}}]'));
    expect(parts['parts/part-0001.json']).toBe('[\n{"__proto__":{"x":1}}\n]\n');
  });

  it.each(['a.json', 'a.ndjson'])('keeps the digits of a long number in %s, or says that it did not', async (name) => {
    const { parts, report } = await run(named(name, name === 'a.json' ? '[12345678901234567890]' : '12345678901234567890'));
    const kept = 'rawJSON' in JSON;
    expect(Object.values(parts)[0]).toContain(kept ? '12345678901234567890' : '12345678901234567000');
    expect(report.problems).toBe(kept ? 0 : 1);
  });
});

describe('What is wrong with a file is one sentence that names it', () => {
  it.each([
    ['an empty file', named('a.json', ''), '"a.json" is empty (0 bytes).'],
    ['no JSON', named('a.json', 'hello'), '"a.json" holds neither a JSON array nor a JSON object.'],
    ['UTF-16', named('a.json', new Uint8Array([0xff, 0xfe, 0x5b, 0])), '"a.json" is UTF-16 text; save it as UTF-8.'],
    ['a cut end', named('a.json', '[1, {"a": 2'), '"a.json" is incomplete: it ends in the middle of its JSON.'],
    ['a missing value', named('a.json', '[\n1,\n,2]'), '"a.json" is not valid JSON: unexpected "," at byte 5 (line 3).'],
    ['a stray letter', named('a.json', '[\n1,\n  oops]'), '"a.json" is not valid JSON: unexpected "o" at byte 7 (line 3).'],
    ['a trailing comma', named('a.json', '{"a":1,}'), '"a.json" is not valid JSON: unexpected "}" at byte 7 (line 1).'],
    ['something behind', named('a.json', '{"a":1}\n{"b":2}'), '"a.json" has something after the end of its JSON at byte 8 (line 2).'],
    ['no valid line', named('a.ndjson', 'one\ntwo\n'), '"a.ndjson" is not JSON: none of its lines is valid (2 problems).'],
  ])('%s', async (_, file, sentence) => {
    expect(await failure(file)).toBe(sentence);
  });

  it('also in a later part', async () => {
    const text = JSON.stringify(Array.from({ length: 100 }, () => 'x'.repeat(100)), null, 1).replace(/\]$/, ', !]');
    expect(await failure(named('a.json', text), { partBytes: 1024 })).toBe(`"a.json" is not valid JSON: unexpected "!" at byte ${text.length - 2} (line 102).`);
  });
});

it('A 200 MB file is processed in constant memory', async () => {
  for (const [kind, size] of [['json', 200e6], ['ndjson', 100e6]] as const) {
    const path = join(temporary, `large.${kind}`);
    const { bytes, elements } = writeLargeJson(path, kind, size);
    const file = new File([await openAsBlob(path)], `large.${kind}`);
    const begin = process.memoryUsage().rss;
    let peak = 0;
    const watch = setInterval(() => { peak = Math.max(peak, process.memoryUsage().rss); }, 20);
    // Steps are not kept here: what is measured is the task, not the Map.
    const ctx = { ...plainContext(), step: (_: string, work: () => unknown) => work() } as unknown as ReturnType<typeof plainContext>;
    const zip = await processJson({ ...asIs, trim: true, dropEmpty: true, file }, ctx);
    clearInterval(watch);
    const report = unzipSync(new Uint8Array(await zip.arrayBuffer()), { filter: ({ name }) => name === 'report.json' })['report.json'] as Uint8Array;
    expect(JSON.parse(strFromU8(report))).toMatchObject({ elementsRead: elements, fileSize: bytes, problems: 0 });
    expect((peak - begin) / 1e6, `MB more than before, ${kind}`).toBeLessThan(220);
  }
}, 180_000);
