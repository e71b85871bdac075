/** Export and import: what was exported is there elsewhere, once; what is damaged or made up changes nothing. */
import { defineTask, ImportError, type Orchestrator, type RedactedPart, type TaskState } from 'holdfast';
import { beforeEach, describe, expect, it } from 'vitest';
import { crash, name, open } from './houses.ts';
import type { House } from './house.ts';

let gate: (() => void) | undefined;
let calls: string[];
beforeEach(() => {
  gate = undefined;
  calls = [];
});

const child = defineTask({ id: 'exchanged-child', run: async (n: number) => n + 1 });
const work = defineTask({
  id: 'exchanged',
  run: async ({ word, file }: { word: string; file?: File }, ctx) => {
    calls.push(word);
    const first = await ctx.step('first', () => (calls.push(`step of ${word}`), { said: `${word}!`, at: new Date(5) }));
    await ctx.metadata.set('seen', word);
    const next = await ctx.run(child, 1);
    if (word === 'waits') await new Promise<void>((resolve) => (gate = resolve));
    return { first, next, text: file && (await file.text()).slice(0, 30), copy: file, list: new Map([[1, 2n]]) };
  },
});
const fails = defineTask({ id: 'exchanged-failure', retry: { maxAttempts: 2, minDelayMs: 1, randomize: false }, run: (): Promise<never> => Promise.reject(new TypeError('no luck')) });

const fileOf = (word: string, times = 1000) => new File([`${word} in a file `.repeat(times)], `${word}.txt`, { type: 'text/plain', lastModified: 7 });

async function textOf(orchestrator: Orchestrator, options = {}): Promise<string> {
  return new Response(await orchestrator.exportState(options)).text();
}
const linesOf = (text: string) => text.trimEnd().split('\n').map((line) => JSON.parse(line));
const blobOf = (lines: readonly unknown[]) => new Blob([lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n')]);

/** What people see of it, but for what says where it runs, and how often an ended one would have been tried. */
const seen = ({ local: _, maxRetries: _most, lastUpdated: _when, durable: _kept, result: _read, error, ...state }: TaskState) => ({ ...state, error: error && `${error.name}: ${error.message}` });

async function filled(): Promise<House> {
  const house = await open();
  const { orchestrator, clock } = house;
  await orchestrator.trigger(work, { word: 'ends', file: fileOf('ends') }, { id: 'ends', name: 'It ends', tags: ['a tag'], metadata: { about: 'ends' } }).result();
  await clock.advance(1000);
  const failed = orchestrator.trigger(fails, null, { id: 'fails' }).result().catch(() => {});
  await clock.advance(1000);
  await failed;
  orchestrator.trigger(work, { word: 'waits', file: fileOf('waits', 20_000) }, { id: 'waits' });
  // Digests are read by the platform, which is nobody's clock's time.
  while (!gate) await new Promise<void>((resolve) => setImmediate(() => resolve(clock.settle())));
  return house;
}

describe('export and import', () => {
  it('gives elsewhere what was there: states, results, files, errors, children, and steps that are not computed again', async () => {
    const house = await filled();
    const text = await textOf(house.orchestrator, { blobs: true });
    const before = house.orchestrator.getAllTasks();
    const other = await open({}, house.clock);
    const report = await other.orchestrator.importState(new Blob([text]), { unfinished: 'go' });
    expect(report.skipped).toEqual([]);
    expect(report.imported.sort()).toEqual(before.map(({ id }) => id).sort());
    expect(report.blobs).toBe(2);
    await other.clock.settle();
    const after = (id: string) => seen(other.orchestrator.getTaskState(id)!);
    for (const state of before.filter(({ status }) => status !== 'running')) expect(after(state.id), state.id).toEqual(seen(state));
    expect(await other.orchestrator.attach('ends')!.result()).toMatchObject({ first: { said: 'ends!', at: new Date(5) }, next: 2, list: new Map([[1, 2n]]), copy: { name: 'ends.txt', lastModified: 7 } });
    await expect(other.orchestrator.attach('fails')!.result()).rejects.toMatchObject({ name: 'TypeError', message: 'no luck' });
    gate!();
    await other.clock.settle();
    expect(await other.orchestrator.attach('waits')!.result()).toMatchObject({ first: { said: 'waits!' }, next: 2, text: expect.stringMatching(/^waits in a file/) });
    // Its step stood in the export; its child had ended there.
    expect(other.orchestrator.getTaskState('waits')!.steps).toBe(before.find(({ id }) => id === 'waits')!.steps);
    expect(calls).toEqual(['ends', 'step of ends', 'waits', 'step of waits', 'waits']);

    // And what was taken in is as durable as anything.
    const next = await crash(other);
    expect(await next.orchestrator.attach('waits')!.result()).toMatchObject({ text: expect.stringMatching(/^waits in a file/) });
    expect(next.orchestrator.getAllTasks()).toHaveLength(before.length);
  });

  it('does nothing the second time, and leaves what had not ended paused unless it is told otherwise', async () => {
    const house = await filled();
    const text = await textOf(house.orchestrator, { blobs: true });
    const other = await open();
    await other.orchestrator.importState(new Blob([text]));
    await other.clock.settle();
    expect(other.orchestrator.getTaskState('waits')).toMatchObject({ status: 'paused', phase: 'suspended' });
    expect(calls).toEqual(['ends', 'step of ends', 'waits', 'step of waits']);
    const all = other.orchestrator.getAllTasks();
    const again = await other.orchestrator.importState(new Blob([text]).stream());
    expect(again).toMatchObject({ imported: [], blobs: 0 });
    expect(again.skipped.map(({ reason }) => reason)).toEqual(all.map(() => 'known'));
    expect(other.orchestrator.getAllTasks().map(seen)).toEqual(all.map(seen));
    await other.orchestrator.resumeTask('waits');
    await other.clock.settle();
    expect(other.orchestrator.getTaskState('waits')).toMatchObject({ status: 'running' });

    const third = await open();
    const without = await third.orchestrator.importState(new Blob([text]), { unfinished: 'skip' });
    expect(without.skipped).toEqual([{ id: 'waits', reason: 'unfinished' }]);
    // Its own house: nothing of it is new there.
    expect((await house.orchestrator.importState(new Blob([text]))).imported).toEqual([]);
  });

  it('without files says which are missing: a run that had not ended waits for them', async () => {
    const house = await filled();
    const text = await textOf(house.orchestrator);
    expect(text).not.toContain('"kind":"bytes"');
    const { orchestrator, clock } = await open();
    await orchestrator.importState(new Blob([text]), { unfinished: 'go' });
    expect(orchestrator.getTaskState('waits')).toMatchObject({ status: 'paused', reason: 'missing-payload', missing: [{ name: 'waits.txt' }] });
    expect(await orchestrator.providePayload('waits', fileOf('waits', 20_000))).toBe(true);
    await clock.settle();
    expect(orchestrator.getTaskState('waits')).toMatchObject({ status: 'running' });
  });

  it('chooses by filter or ids, children included, and shows values to people', async () => {
    const house = await filled();
    const runs = (text: string) => linesOf(text).filter(({ kind }) => kind === 'run');
    expect(runs(await textOf(house.orchestrator, { runs: { status: 'failed' } })).map(({ id }) => id)).toEqual(['fails']);
    const [first, second] = runs(await textOf(house.orchestrator, { runs: ['ends'] }));
    expect([first.id, second.task, second.parent]).toEqual(['ends', 'exchanged-child', 'ends']);
    expect(first).toMatchObject({ task: 'exchanged', name: 'It ends', status: 'completed' });
    expect(first.payloads.map(({ part, shown }: any) => [part, shown])).toEqual(expect.arrayContaining([
      ['input', { input: { word: 'ends', file: '[File ends.txt text/plain]' }, metadata: { about: 'ends' }, tags: ['a tag'] }],
      ['step', { key: 'first', step: { said: 'ends!', at: '1970-01-01T00:00:00.005Z' } }],
    ]));
    await expect(house.orchestrator.exportState({ runs: ['nobody'] })).rejects.toMatchObject({ code: 'CONFIGURATION' });
    await expect(house.orchestrator.exportState({ redact: 'all' as never })).rejects.toMatchObject({ code: 'CONFIGURATION' });
    await expect(house.orchestrator.exportState({ all: true } as never)).rejects.toThrow('all');
  });

  it('writes nothing that `redact` has taken out, in no form, and what is left can be imported', async () => {
    const house = await filled();
    const parts = new Set<string>();
    const redact = (value: unknown, { part, key }: RedactedPart) => {
      parts.add(key === undefined ? part : `${part} ${key}`);
      return part === 'error' ? value : 'redacted';
    };
    const text = await textOf(house.orchestrator, { blobs: true, redact });
    expect([...parts].sort()).toEqual(expect.arrayContaining(['error', 'input', 'metadata', 'name', 'note Metadata', 'output', 'step first', 'tags']));
    const decoded = linesOf(text).flatMap(({ payloads = [] }) => payloads.map(({ base64 }: any) => Buffer.from(base64, 'base64').toString('latin1'))).join('\n');
    expect(decoded).toContain('redacted');
    for (const word of ['in a file', '!', 'It ends', 'a tag', 'about', 'seen']) {
      expect(text.replace(/"base64":"[^"]*"/g, ''), word).not.toContain(word);
      expect(decoded, word).not.toContain(word);
    }
    const { orchestrator } = await open();
    await orchestrator.importState(new Blob([text]));
    expect(await orchestrator.attach('ends')!.result()).toBe('redacted');
  });

  it('goes from one key to another: files are named anew', async () => {
    const key = () => crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
    const house = await open({ encryption: { key: await key() } });
    await house.orchestrator.trigger(work, { word: 'ends', file: fileOf('ends', 20_000) }, { id: 'ends' }).result();
    const text = await textOf(house.orchestrator, { blobs: true });
    const other = await open({ encryption: { key: await key() } });
    await other.orchestrator.importState(new Blob([text]));
    const next = await crash(other);
    expect(await (await next.orchestrator.attach('ends')!.result()).copy.text()).toContain('ends in a file');
    expect(await next.orchestrator.journal!.slot.blobIds()).toHaveLength(1);
    expect(await next.orchestrator.removeTask('ends')).toBe(true);
  });
});

describe('an import that is damaged or made up', () => {
  let lines: any[];
  let house: House;
  beforeEach(async () => {
    const source = await open();
    await source.orchestrator.trigger(work, { word: 'one', file: fileOf('one', 10_000) }, { id: 'one' }).result();
    await source.orchestrator.trigger(child, 5, { id: 'two' }).result();
    lines = linesOf(await textOf(source.orchestrator, { blobs: true }));
    house = await open();
  });

  async function refused(changed: readonly unknown[], line: number, reason: RegExp): Promise<void> {
    const stored = (await house.orchestrator.journal!.slot.read()).length;
    const error = await house.orchestrator.importState(blobOf(changed)).then(() => undefined, (error) => error);
    expect(error).toBeInstanceOf(ImportError);
    expect(error.data.line, error.message).toBe(line);
    expect(error.data.reason).toMatch(reason);
    expect(house.orchestrator.getAllTasks()).toEqual([]);
    expect((await house.orchestrator.journal!.slot.read()).length).toBe(stored);
    expect(await house.orchestrator.journal!.slot.blobIds()).toEqual([]);
  }
  const at = (kind: string) => lines.findIndex((line) => line.kind === kind);
  const withLine = (index: number, change: (line: any) => unknown) => lines.map((line, number) => (number === index ? change(structuredClone(line)) : line));

  it('is refused with its line and the reason, and changes nothing', async () => {
    const [blob, bytes, run] = [at('blob'), at('bytes'), at('run')];
    await refused([], 1, /ends too early/);
    await refused(lines.slice(0, -1), lines.length, /ends too early/);
    await refused(withLine(run, () => '{ "kind": "run", '), run + 1, /no JSON/);
    await refused(['{"kind":"zip"}'], 1, /no line of an export/);
    await refused(['null'], 1, /no line of an export/);
    await refused(lines.slice(1), 1, /begins with its head/);
    await refused([lines[0], ...lines], 2, /one head/);
    await refused([...lines, lines[run]], lines.length + 1, /behind the end/);
    await refused(withLine(0, (head) => ({ ...head, version: 2 })), 1, /version is 2/);
    await refused(withLine(bytes, (line) => ({ ...line, base64: '!' })), bytes + 1, /base64/);
    await refused(lines.filter((_, index) => index !== bytes), bytes + 1, /of its/);
    await refused(withLine(blob, (line) => ({ ...line, digest: '0'.repeat(64) })), blob + 1, /another content/);
    await refused(withLine(blob, (line) => ({ ...line, size: 5 })), bytes + 1, /more than its 5 bytes/);
    await refused([...lines.slice(0, run + 1), ...lines.slice(run)], run + 2, /came before/);
    await refused(lines.filter((_, index) => index !== run), lines.length - 1, /speaks of/);
    await refused(withLine(run, (line) => ({ ...line, id: 'another' })), run + 1, /its payload is of "one"/);
    await refused(withLine(run, (line) => ({ ...line, payloads: line.payloads.slice(1) })), run + 1, /not as many payloads/);
    await refused(withLine(run, (line) => (line.payloads[0].base64 = btoa('nonsense'), line)), run + 1, /can't be read/);
    await refused(withLine(run, (line) => ({ ...line, events: line.events.slice(1) })), run + 1, /creation|payloads/);
    await refused(withLine(run, (line) => (line.events.push([99, 0, 0, 0]), line)), run + 1, /event \d+/);
  });

  it('is refused when its events can’t be true', async () => {
    const run = at('run');
    const state = (line: any) => line.events.find(([kind, a]: number[]) => kind === 112 && a === 1);
    await refused(withLine(run, (line) => (state(line)[2] = 0xf, line)), run + 1, /can’t be true/);
    await refused(withLine(run, (line) => (line.events.find(([kind, a]: number[]) => kind === 112 && a !== 1)[1] = 4000, line)), run + 1, /can’t be true/);
    await refused(withLine(run, (line) => (line.events[0][3] = -1e300, line)), run + 1, /can’t be true/);
  });

  it('never harms the house, whatever numbers and bytes are put into it', { timeout: 60_000 }, async () => {
    const run = at('run');
    let taken = 0;
    for (let seed = 1; seed <= 150; seed++) {
      const changed = withLine(run, (line) => {
        const row = line.events[seed % line.events.length];
        row[(seed * 7) % 4] = [0, 1, 7, 255, 2 ** 31, 2 ** 32 - 1, 1e15][seed % 7];
        return line;
      });
      const result = await house.orchestrator.importState(blobOf(changed)).then((report) => report, (error) => error);
      if (result instanceof Error) expect(result, `${seed}: ${result.stack}`).toBeInstanceOf(ImportError);
      else {
        taken++;
        for (const id of result.imported) await house.orchestrator.removeTask(id);
        await house.orchestrator.clearAllTasks();
      }
    }
    expect(taken).toBeGreaterThan(0);
    expect(await house.orchestrator.run(child, 1)).toBe(2);
  });

  it('is refused at the call where it is no stream, or is being read', async () => {
    const { orchestrator } = house;
    await expect(orchestrator.importState('text' as never)).rejects.toMatchObject({ code: 'CONFIGURATION' });
    await expect(orchestrator.importState(undefined as never)).rejects.toMatchObject({ code: 'CONFIGURATION' });
    const stream = blobOf(lines).stream();
    stream.getReader();
    await expect(orchestrator.importState(stream)).rejects.toThrow('somebody else');
    await expect(orchestrator.importState(blobOf(lines), { unfinished: 'run' as never })).rejects.toMatchObject({ code: 'CONFIGURATION' });
    const binary = new Blob([new Uint8Array([0x50, 0x4b, 3, 4, 0xff, 0xfe])]);
    await expect(orchestrator.importState(binary)).rejects.toMatchObject({ code: 'IMPORT', data: { line: 1 } });
    const inMemory = await open({ storage: 'memory', id: name('memory') });
    await expect(inMemory.orchestrator.exportState()).rejects.toMatchObject({ code: 'CONFIGURATION' });
    await expect(inMemory.orchestrator.importState(blobOf(lines))).rejects.toMatchObject({ code: 'CONFIGURATION' });
  });
});
