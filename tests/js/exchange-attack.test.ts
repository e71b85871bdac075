/** Export and import where something goes wrong, or two do it at once: what is said is so, and nobody waits for ever. */
import { defineTask, DisposedError, ImportError, NotCloneableError, StorageFullError, StorageLostError } from 'holdfast';
import { expect, it, vi } from 'vitest';
import { fromBase64, linesOf, toBase64 } from '../../js/exchange/lines.ts';
import { crash, name, open } from './houses.ts';

const echo = defineTask({ id: 'exchange-attack', run: async (value: unknown, ctx) => [await ctx.step('first', () => 1), value] });
const waits = defineTask({ id: 'exchange-attack-waits', run: async (_: null, ctx) => ctx.sleep('1h') });

async function exported(options = {}): Promise<string> {
  const { orchestrator, clock } = await open();
  for (const id of ['one', 'two']) await orchestrator.trigger(echo, new File([id.repeat(40_000)], id), { id }).result();
  orchestrator.trigger(waits, null, { id: 'waits' });
  await clock.settle();
  return new Response(await orchestrator.exportState({ blobs: true, ...options })).text();
}

it('two imports at once bring every run once, and each report names every run', async () => {
  const text = await exported();
  const house = await open();
  const { orchestrator } = house;
  const reports = await Promise.all([orchestrator.importState(new Blob([text])), orchestrator.importState(new Blob([text]), { unfinished: 'go' })]);
  for (const { imported, skipped } of reports) expect([...imported, ...skipped.map(({ id }) => id)].sort()).toEqual(['one', 'two', 'waits']);
  expect(reports.flatMap(({ imported }) => imported).sort()).toEqual(['one', 'two', 'waits']);
  expect(reports.map(({ blobs }) => blobs).sort()).toEqual([0, 2]);
  const next = await crash(house);
  expect(next.orchestrator.getAllTasks().map(({ id }) => id).sort()).toEqual(['one', 'two', 'waits']);
  expect(await (await next.orchestrator.attach('two')!.result())[1].text()).toBe('two'.repeat(40_000));
  expect((await next.orchestrator.storageUsage()).blobs.count).toBe(2);
});

it('an import that is refused has changed nothing: the storage fails, or has no room', async () => {
  const text = await exported();
  const house = await open();
  const { orchestrator } = house;
  const { slot } = orchestrator.journal!;
  const failing = vi.spyOn(slot, 'blobIds').mockRejectedValue(new StorageLostError('gone'));
  await expect(orchestrator.importState(new Blob([text]))).rejects.toBeInstanceOf(StorageLostError);
  expect(orchestrator.getAllTasks()).toEqual([]);
  failing.mockRestore();
  orchestrator.journal!.spaceLow(true);
  await expect(orchestrator.importState(new Blob([text]))).rejects.toBeInstanceOf(StorageFullError);
  orchestrator.journal!.spaceLow(false);
  expect(orchestrator.getAllTasks()).toEqual([]);
  expect((await orchestrator.importState(new Blob([text]))).imported.sort()).toEqual(['one', 'two', 'waits']);
});

it('after the orchestrator was disposed, all of it says so, in the middle too', async () => {
  const text = await exported();
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const { orchestrator } = await open({ encryption: { key } });
  await orchestrator.run(echo, 1);
  let appended: (() => void) | undefined;
  const stored = orchestrator.journal!.slot.append;
  orchestrator.journal!.slot.append = () => new Promise((_, reject) => (appended = () => reject(new StorageLostError('gone'))));
  const importing = orchestrator.importState(new Blob([text]));
  importing.catch(() => {});
  await vi.waitFor(() => expect(appended).toBeDefined());
  appended!();
  orchestrator.journal!.slot.append = stored;
  await vi.waitFor(() => expect(orchestrator.storageState.status).toBe('failing'));
  await orchestrator.dispose();
  await expect(importing).rejects.toBeInstanceOf(DisposedError);
  for (const call of [() => orchestrator.exportState(), () => orchestrator.importState(new Blob([text])), () => orchestrator.unlock({ key }), () => orchestrator.reseal(), () => orchestrator.journal!.acknowledged()])
    await expect(call()).rejects.toBeInstanceOf(DisposedError);
});

it('reads text as well as bytes, and says of what is compressed what to do', async () => {
  const text = await exported();
  const { orchestrator } = await open();
  const zipped = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'));
  await expect(orchestrator.importState(zipped)).rejects.toThrow("pipeThrough(new DecompressionStream('gzip'))");
  const { imported } = await orchestrator.importState(new Blob([text]).stream().pipeThrough(new TextDecoderStream()));
  expect(imported).toHaveLength(3);
});

it('what redact gives is stored as any value is, and named where it can not be', async () => {
  const { orchestrator } = await open();
  await orchestrator.trigger(echo, 'secret', { id: name('run') }).result();
  const read = (redact: (value: unknown, about: { part: string }) => unknown) => orchestrator.exportState({ blobs: true, redact }).then((stream) => new Response(stream).text());
  const text = await read((value, { part }) => (part === 'output' ? new Blob(['from a stream']).stream() : value));
  const other = await open();
  const [id] = (await other.orchestrator.importState(new Blob([text]))).imported;
  expect(await new Response(await other.orchestrator.attach(id!)!.result()).text()).toBe('from a stream');
  await expect(read(() => () => 1)).rejects.toBeInstanceOf(NotCloneableError);
  await expect(read((value, { part }) => (part === 'step' ? { at: () => 1 } : value))).rejects.toThrow(/redact\(step of run "run-\d+"\)\.at is a function/);
  expect(await new Response(await orchestrator.exportState()).text()).toContain('secret');
  await expect(other.orchestrator.importState(new Blob(['{}']))).rejects.toBeInstanceOf(ImportError);
});

it('a long line is read however it is cut, and bytes are text that is theirs', async () => {
  const piece = 'x'.repeat(2 ** 16);
  // A run with 1,500 steps of 40 KB.
  const pieces = 1200;
  let given = 0;
  const source = new ReadableStream<string>({ pull: (controller) => (given++ < pieces ? controller.enqueue(piece) : controller.close()) });
  const lines: [length: number, number: number][] = [];
  for await (const [text, number] of linesOf(source)) lines.push([text.length, number]);
  expect(lines).toEqual([[pieces * piece.length, 1]]);
  const cut = new ReadableStream<string>({ start: (controller) => (['a', 'b\n', '\nc\nd', 'e\n', ''].forEach((one) => controller.enqueue(one)), controller.close()) });
  const read: string[] = [];
  for await (const [text, number] of linesOf(cut)) read.push(`${number} ${text}`);
  expect(read).toEqual(['1 ab', '2 ', '3 c', '4 de']);
  const bytes = Uint8Array.from({ length: 100_001 }, (_, index) => (index * 7) % 251);
  expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
  expect(fromBase64(toBase64(bytes))).toEqual(bytes);
});
