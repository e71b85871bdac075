/** Enrichment against a server that streams, delays, fails, breaks off and limits. Real time, real requests. */
import { createOrchestrator, type Orchestrator } from 'holdfast';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { EnrichInput } from '../../demo/src/tasks/enrich.ts';
import { answerTo, type Behaviour, completionsServer } from '../fixtures/completions-server.mjs';

let demo: typeof import('../../demo/src/tasks/definitions.ts');
let settings: typeof import('../../demo/src/shell/endpoint-settings.ts');
let keys: typeof import('../../demo/src/tasks/api-key.ts');
beforeAll(async () => {
  vi.stubGlobal('navigator', { hardwareConcurrency: 2 });
  demo = await import('../../demo/src/tasks/definitions.ts');
  settings = await import('../../demo/src/shell/endpoint-settings.ts');
  keys = await import('../../demo/src/tasks/api-key.ts');
});

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function server(behaviour: Behaviour = {}) {
  const made = await completionsServer(behaviour);
  closing.push(made.close);
  return made;
}

let houses = 0;
function house(pace = { perMinute: 100_000, atOnce: 8 }): Orchestrator {
  const { queues, textQueue, enrichTask, enrichTextTask } = demo;
  const made = createOrchestrator({ id: `enrich-${++houses}`, storage: 'memory', tasks: [enrichTask, enrichTextTask], queues: { ...queues, texts: textQueue(pace) } });
  closing.push(() => made.dispose());
  return made;
}

const texts = (count: number, word = 'word') => Array.from({ length: count }, (_, index) => `${word} ${'x '.repeat(index % 5)}number ${index}`);
const json = (value: unknown, name = 'texts.json') => new File([JSON.stringify(value)], name);

async function enriched(orchestrator: Orchestrator, endpoint: string, file: File, more: Partial<EnrichInput> = {}) {
  const input: EnrichInput = { file, endpoint, model: 'counter', instruction: 'Count.', field: 'text', fresh: false, ...more };
  const run = orchestrator.trigger(demo.enrichTask, input, { metadata: { fileName: file.name } });
  const result = await run.result();
  return { run, result, text: await result.text() };
}

describe('Texts', () => {
  it('come back with their answers beside them, in order, whether the endpoint streams or not', async () => {
    for (const streams of [true, false]) {
      const { url, seen } = await server({ streams });
      const elements = ['one two', { text: 'three', id: 7 }, { title: 'nothing to ask' }, 5, ''];
      const { result, text } = await enriched(house(), url, json(elements, 'a/b.json'));
      expect(JSON.parse(text)).toEqual([
        { text: 'one two', enrichment: answerTo('one two') }, { text: 'three', id: 7, enrichment: answerTo('three') }, { title: 'nothing to ask' }, 5, '',
      ]);
      expect(result.name).toBe('b.enriched.json');
      expect([...seen.systems]).toEqual(['Count.']);
    }
  });

  it('of objects and of lines stay objects and lines, and no key is written over', async () => {
    const { url } = await server();
    const orchestrator = house();
    const object = await enriched(orchestrator, url, json({ a: 'x y', b: { text: 'z', enrichment: 'mine' } }));
    expect(JSON.parse(object.text)).toEqual({ a: { text: 'x y', enrichment: answerTo('x y') }, b: { text: 'z', enrichment: 'mine', enrichment_: answerTo('z') } });
    const lines = await enriched(orchestrator, url, new File(['{"body":"p q"}\n{"body":"r"}\n'], 'l.ndjson'), { field: 'body', instruction: '' });
    expect(lines.text).toBe(`{"body":"p q","enrichment":"${answerTo('p q')}"}\n{"body":"r","enrichment":"${answerTo('r')}"}\n`);
  });

  it('are asked for once, in one file, in several and in a later one', async () => {
    const { url, seen } = await server({ delayMs: 5 });
    const orchestrator = house();
    const same = ['again and again', 'another', 'again and again'];
    await Promise.all([enriched(orchestrator, url, json(same)), enriched(orchestrator, url, json(same, 'second.json'))]);
    await enriched(orchestrator, url, json(same));
    expect(seen.texts.toSorted()).toEqual(['again and again', 'another']);
    await enriched(orchestrator, url, json(same), { fresh: true });
    expect(seen.texts).toHaveLength(4);
    await enriched(orchestrator, url, json(same), { model: 'other' });
    expect(seen.texts).toHaveLength(6);
  });

  it('come in pieces while they are written', async () => {
    const { url } = await server({ pieceMs: 5 });
    const orchestrator = house();
    const { run } = await enriched(orchestrator, url, json(['a b c']));
    const child = orchestrator.list({ parentId: run.id }).items[0]!;
    const pieces: string[] = [];
    for await (const { text } of orchestrator.stream<{ text: string }>(child.id, 'answer')) pieces.push(text);
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.join('')).toBe(answerTo('a b c'));
  });
});

describe('An endpoint', () => {
  it('that fails, breaks off and limits gets each question answered in the end, and each answer once', async () => {
    const trouble = (n: number) => (n % 7 === 3 ? 'fail' : n % 11 === 5 ? 'break' : undefined);
    const { url, seen } = await server({ trouble, rate: { limit: 20, periodMs: 200 }, most: 8 });
    const all = texts(30);
    const { text } = await enriched(house({ perMinute: 100_000, atOnce: 8 }), url, json(all));
    expect(JSON.parse(text)).toEqual(all.map((each) => ({ text: each, enrichment: answerTo(each) })));
    expect(seen.texts).toHaveLength(30);
    expect(seen.mostOpen).toBeLessThanOrEqual(8);
  }, 60_000);

  it('that says 429 is left alone by all until the time it names', async () => {
    const refusedWith = async (feedback: boolean) => {
      const { url, seen } = await server({ rate: { limit: 5, periodMs: 400 } });
      const orchestrator = house();
      const { concurrency, rateLimit } = demo.textQueue({ perMinute: 100_000, atOnce: 5 });
      orchestrator.setOptions({ queues: { texts: { concurrency: concurrency!, rateLimit: { ...rateLimit!, feedback } } } });
      await enriched(orchestrator, url, json(texts(30)));
      if (feedback) expect(seen.texts).toHaveLength(30);
      return seen.refused;
    };
    const [alone, asked] = [await refusedWith(true), await refusedWith(false)];
    expect(alone, `${asked} without feedback`).toBeLessThan(asked / 1.5);
  }, 60_000);

  it('is asked no faster than the person says, and by no more at once', async () => {
    const { url, seen } = await server({ delayMs: 30 });
    await enriched(house({ perMinute: 1200, atOnce: 3 }), url, json(texts(12)));
    expect(seen.mostOpen).toBeLessThanOrEqual(3);
    expect(seen.refused).toBe(0);
  });

  it('that wants a key stops the file with one sentence, and a new try after the key was given asks for what is missing', async () => {
    const { url, seen, behaviour } = await server({ key: 'right' });
    const orchestrator = house({ perMinute: 100_000, atOnce: 2 });
    keys.setApiKey(url, 'wrong', false);
    const run = orchestrator.trigger(demo.enrichTask, { file: json(texts(30)), endpoint: url, model: 'counter', instruction: '', field: 'text', fresh: false });
    await expect(run.result()).rejects.toThrow(`${new URL(url).host} answers 401: Incorrect API key provided. Check the key, then try again.`);
    expect(seen.refused).toBeLessThanOrEqual(6);
    keys.setApiKey(url, 'right', false);
    expect(await run.retry()).toBe(true);
    expect(JSON.parse(await ((await run.result()) as File).text())).toHaveLength(30);
    expect(seen.texts).toHaveLength(30);
    expect(behaviour.key).toBe('right');
    keys.setApiKey(url, '', false);
  });

  it('that knows the model not, or is no such endpoint, is named', async () => {
    const { url } = await server({ model: 'other' });
    await expect(enriched(house(), url, json(['a']))).rejects.toThrow(/answers 404: The model counter does not exist\. Check the address and the model "counter"\./);
    await expect(enriched(house(), url.replace('/v1', '/nothing'), json(['a']))).rejects.toThrow(/answers 404/);
  });
});

describe('A file', () => {
  it.each([
    ['no texts', '[1, 2, {"title": "x"}]', /holds no texts: neither texts themselves nor objects with a text under "text"/],
    ['nothing', '[]', /holds no texts/],
    ['no byte', '', /is empty/],
    ['half of it', '[1, 2', /is incomplete/],
    ['no JSON', 'hello', /neither a JSON array nor a JSON object/],
    ['too much', JSON.stringify(Array.from({ length: 10_001 }, () => 'x')), /more than 10000 elements/],
  ])('that holds %s is refused with a sentence', async (_, content, sentence) => {
    await expect(enriched(house(), 'http://127.0.0.1:1/v1', new File([content], 'f.json'))).rejects.toThrow(sentence);
  });
});

describe('An address', () => {
  it.each([
    ['http://localhost:11434/v1', 'http://localhost:11434/v1'],
    [' https://api.example.com/v1/ ', 'https://api.example.com/v1'],
    ['api.example.com/v1/chat/completions', 'https://api.example.com/v1'],
    ['localhost:8080', 'http://localhost:8080'],
    ['', undefined],
    ['not an address', undefined],
    ['https://me:secret@example.com', undefined],
    ['javascript:alert(1)', undefined],
    ['ftp://example.com', undefined],
    ['HTTPS://api.example.com/v1', 'https://api.example.com/v1'],
  ])('typed as %j is %j', (typed, address) => {
    expect(settings.addressOf(typed)).toBe(address);
  });

  it('and the rest of what is stored may be anything', () => {
    const stored = new Map([['holdfast-demo:endpoint', '{"endpoint":5,"model":"m","perMinute":-3,"atOnce":"7"}']]);
    vi.stubGlobal('localStorage', { getItem: (key: string) => stored.get(key) ?? null });
    expect(settings.storedEndpoint()).toMatchObject({ endpoint: '', model: 'm', perMinute: 60, atOnce: 7 });
    stored.set('holdfast-demo:endpoint', 'null');
    expect(settings.storedEndpoint()).toEqual(settings.kDefaultEndpoint);
  });
});
