import { defineTask, PayloadLostError, PayloadMismatchError, type RunHandle } from 'holdfast';
import { describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../js/blobs/digest.ts';
import { memory } from '../../js/storage/memory.ts';
import { type House, openHouse, shifted } from './house.ts';
import { closeLater, open } from './houses.ts';

const seen: string[] = [];
const read = defineTask({
  id: 'read files',
  retry: { maxAttempts: 1 },
  run: async ({ files }: { files: Blob[] }) => {
    const texts = await Promise.all(files.map((file) => file.text()));
    seen.push(...texts);
    return files.map((file, index) => `${(file as File).name}: ${texts[index]}`);
  },
});
const later = { delay: '1h' } as const;
const pdf = (text: string, name = 'a.pdf') => new File([text], name, { type: 'application/pdf', lastModified: 77 });

const idsOf = ({ orchestrator }: House) => orchestrator.journal!.slot.blobIds();

/** The browser loses these blobs, in all of its stores, while no page is open. */
async function evict(house: House, files: Blob[]): Promise<House> {
  const { slot } = house.orchestrator.journal!;
  const ids = await Promise.all(files.map(async (file) => (await digestOf(file)).slice(0, 16)));
  await slot.deleteBlobs(ids);
  const next = await house.crash();
  closeLater(next);
  return next;
}

const handleOf = (house: House, run: { id: string }): RunHandle => house.orchestrator.attach(run.id)!;

describe('a recovered run whose file is gone', () => {
  it('is held, shows what is missing, takes no other file, and goes on with the right one', async () => {
    seen.length = 0;
    const house = await open();
    const file = pdf('content');
    const accepted = house.orchestrator.trigger(read, { files: [file] }, { name: 'Read a.pdf', ...later });
    await accepted.accepted;
    const next = await evict(house, [file]);
    await next.clock.advance(3_600_000);
    const run = handleOf(next, accepted);
    const digest = await digestOf(file);
    expect(run.state).toMatchObject({
      name: 'Read a.pdf', status: 'paused', phase: 'blocked', reason: 'missing-payload', attempt: 0,
      missing: [{ name: 'a.pdf', type: 'application/pdf', size: 7, lastModified: 77, digest }],
    });
    expect((await next.orchestrator.ready).kept).toEqual([run.id]);
    expect(next.orchestrator.why(run.id)).toBe('A file it works on is gone from the browser storage: "a.pdf" (7 bytes). It goes on when given again: run.provide(file).');
    expect(seen).toEqual([]);

    const refusals = [
      [pdf('other'), 'size', /^"a.pdf" is not "a.pdf": it has 5 bytes, the missing one had 7 bytes\.$/],
      [pdf('CONTENT', 'b.pdf'), 'content', /^"b.pdf" is not "a.pdf": it has the same size, but another content\.$/],
      [new Blob(['xx']), 'size', /^This Blob is not "a.pdf"/],
    ] as const;
    for (const [wrong, differs, message] of refusals) {
      const error = await run.provide(wrong).catch((thrown) => thrown);
      expect(error).toBeInstanceOf(PayloadMismatchError);
      expect(error.message).toMatch(message);
      expect(error.data).toMatchObject({ differs, expected: { name: 'a.pdf' }, given: { size: wrong.size } });
    }
    await expect(run.provide('a.pdf' as never)).rejects.toThrow(/must be a File, a Blob or a file handle, not "a.pdf"/);
    expect(await idsOf(next)).toEqual([]);

    // Renamed since; what it holds is the same.
    expect(await run.provide(pdf('content', 'renamed.pdf'))).toBe(true);
    expect(await run.result()).toEqual(['a.pdf: content']);
    expect(run.state.missing).toBeUndefined();
    expect(await run.provide(pdf('content'))).toBe(false);
    const last = await next.crash();
    closeLater(last);
    expect(await idsOf(last)).toHaveLength(1);
  });

  it('stays held over reloads, and goes on by itself when the browser has it again', async () => {
    const house = await open();
    const file = pdf('back');
    const run = house.orchestrator.trigger(read, { files: [file] }, later);
    await run.accepted;
    const second = await evict(house, [file]);
    await second.clock.advance(3_600_000);
    const third = await second.reload();
    closeLater(third);
    expect(handleOf(third, run).state).toMatchObject({ reason: 'missing-payload', missing: [{ name: 'a.pdf' }] });
    await third.orchestrator.journal!.slot.putBlob((await digestOf(file)).slice(0, 16), file);
    const fourth = await third.crash();
    closeLater(fourth);
    expect(await handleOf(fourth, run).result()).toEqual(['a.pdf: back']);
  });

  it('of several files wants each, and of several runs one gift serves all', async () => {
    const house = await open();
    const [a, b, c] = [pdf('aaa', 'a'), pdf('bbb', 'b'), pdf('ccc', 'c')];
    const one = house.orchestrator.trigger(read, { files: [a, b, c] }, later);
    const other = house.orchestrator.trigger(read, { files: [b] }, later);
    await Promise.all([one.accepted, other.accepted]);
    const next = await evict(house, [a, b]);
    await next.clock.advance(3_600_000);
    const names = (run: { id: string }) => handleOf(next, run).state.missing?.map(({ name }) => name);
    expect([names(one), names(other)]).toEqual([['a', 'b'], ['b']]);
    expect(await next.orchestrator.providePayload(one.id, b)).toBe(false);
    expect([names(one), names(other)]).toEqual([['a'], undefined]);
    expect(await handleOf(next, other).result()).toEqual(['b: bbb']);
    // Also somebody who starts a new run with it.
    await next.orchestrator.trigger(read, { files: [a] }).result();
    expect(await handleOf(next, one).result()).toEqual(['a: aaa', 'b: bbb', 'c: ccc']);
    expect(await next.orchestrator.providePayload('nobody', a)).toBe(false);
  });

  it('can be cancelled, retried and still be given its file', async () => {
    const house = await open();
    const file = pdf('again');
    const run = house.orchestrator.trigger(read, { files: [file] }, later);
    await run.accepted;
    const next = await evict(house, [file]);
    await next.clock.advance(3_600_000);
    const handle = handleOf(next, run);
    expect(await handle.cancel()).toBe(true);
    expect(handle.state).toMatchObject({ status: 'cancelled', missing: undefined });
    expect(await handle.retry()).toBe(true);
    await next.clock.settle();
    await vi.waitFor(() => expect(handle.state).toMatchObject({ reason: 'missing-payload', missing: [{ name: 'a.pdf' }] }));
    expect(await handle.provide(file)).toBe(true);
    expect(await handle.result()).toEqual(['a.pdf: again']);
  });

  it('in a large input is found out too; a lost value that is no file fails the run, in words', async () => {
    const house = await open();
    const file = pdf('deep');
    const rows = Array.from({ length: 5000 }, (_, index) => ({ index, text: `row ${index}` }));
    const large = defineTask({ id: 'large with file', retry: { maxAttempts: 1 }, run: async (input: { rows: unknown[]; file?: File }) => [input.rows.length, await input.file?.text()] });
    const withFile = house.orchestrator.trigger(large, { rows, file }, later);
    const without = house.orchestrator.trigger(large, { rows: rows.slice(1) }, later);
    await Promise.all([withFile.accepted, without.accepted]);
    const { slot } = house.orchestrator.journal!;
    const value = [...(without as unknown as { extra: { blobs: Map<string, number> } }).extra.blobs.keys()];
    await slot.deleteBlobs(value);
    const next = await evict(house, [file]);
    await next.clock.advance(3_600_000);
    expect(handleOf(next, withFile).state.missing).toMatchObject([{ name: 'a.pdf', size: 4 }]);
    expect(await handleOf(next, withFile).provide(file)).toBe(true);
    expect(await handleOf(next, withFile).result()).toEqual([5000, 'deep']);
    await expect(handleOf(next, without).result()).rejects.toThrow(PayloadLostError);
  });
});

it('a file lost while the page is open: the attempt is taken back, not failed', async () => {
  const house = await open();
  const file = pdf('open');
  const run = house.orchestrator.trigger(read, { files: [file] }, later);
  await run.accepted;
  await house.orchestrator.journal!.slot.deleteBlobs(await idsOf(house));
  await house.clock.advance(3_600_000);
  await vi.waitFor(() => expect(run.state).toMatchObject({ status: 'paused', reason: 'missing-payload', retryCount: 0, missing: [{ name: 'a.pdf' }] }));
  expect(await run.provide(file)).toBe(true);
  expect(await run.result()).toEqual(['a.pdf: open']);
  expect(run.state.retryCount).toBe(0);
});

describe('files that are not stored', () => {
  it('by choice stay in the page, are asked for after a reload, and stay out of the store then too', async () => {
    const house = await open();
    const file = pdf('secret');
    const now = house.orchestrator.trigger(read, { files: [file] }, { persistPayload: 'none' });
    expect(await now.result()).toEqual(['a.pdf: secret']);
    const run = house.orchestrator.trigger(read, { files: [file] }, { persistPayload: 'none', ...later });
    await run.accepted;
    expect(await idsOf(house)).toEqual([]);
    expect((await house.orchestrator.storageUsage()).blobs.bytes).toBe(0);
    const next = await house.crash();
    closeLater(next);
    await next.clock.advance(3_600_000);
    const handle = handleOf(next, run);
    expect(handle.state.missing).toMatchObject([{ name: 'a.pdf', size: 6 }]);
    await expect(handle.provide(pdf('SECRET'))).rejects.toThrow(PayloadMismatchError);
    expect(await handle.provide(file)).toBe(true);
    expect(await handle.result()).toEqual(['a.pdf: secret']);
    expect(await idsOf(next)).toEqual([]);
  });

  it('are stored when another run wants them stored', async () => {
    const house = await open();
    const file = pdf('both ways');
    const first = house.orchestrator.trigger(read, { files: [file] }, { persistPayload: 'none', ...later });
    await first.accepted;
    const second = house.orchestrator.trigger(read, { files: [file] }, later);
    await second.accepted;
    expect((await house.orchestrator.storageUsage()).blobs).toEqual({ count: 1, bytes: 9, sharedBytes: 9 });
    const next = await house.crash();
    closeLater(next);
    await next.clock.advance(3_600_000);
    expect(await handleOf(next, first).result()).toEqual(['a.pdf: both ways']);
    expect(await handleOf(next, second).result()).toEqual(['a.pdf: both ways']);
  });

  it('that has ended can be repeated with another input: the error says which run it is and what to give', async () => {
    let house = await open();
    const run = house.orchestrator.trigger(read, { files: [pdf('content')] }, { persistPayload: 'none' });
    await run.result();
    house = closeLater(await house.crash());
    const verbs = [['replay', 'payload'], ['fork', 'input']] as const;
    for (const [verb, option] of verbs) {
      const refused = house.orchestrator.runs[verb](run.id);
      await expect(refused).rejects.toBeInstanceOf(PayloadLostError);
      await expect(refused).rejects.toThrow(`The input of run "${run.id}" is not there any more`);
      await expect(refused).rejects.toThrow(`Give one: runs.${verb}(id, { ${option} }).`);
    }
    for (const [verb, option] of verbs) {
      const given = await house.orchestrator.runs[verb](run.id, { [option]: { files: [pdf('content')] } });
      expect(await given.result()).toEqual(['a.pdf: content']);
    }
  });

  it('for their size: limits.largeFiles', async () => {
    const house = await open({ limits: { blobBytes: 1024, largeFiles: 'page' } });
    const [small, large] = [pdf('s'), pdf('l'.repeat(2000), 'large.pdf')];
    const run = house.orchestrator.trigger(read, { files: [small, large] }, later);
    await run.accepted;
    expect(await idsOf(house)).toHaveLength(1);
    const next = await house.crash();
    closeLater(next);
    await next.clock.advance(3_600_000);
    expect(handleOf(next, run).state.missing).toMatchObject([{ name: 'large.pdf', size: 2000 }]);
    expect(await handleOf(next, run).provide(large)).toBe(true);
    expect(await handleOf(next, run).result()).toHaveLength(2);
    expect(() => house.orchestrator.trigger(read, { files: [] }, { persistPayload: 'some' as never })).toThrow(/persistPayload must be one of copy, none, handle, not "some"/);
  });
});

it('holdfast 0.1 kept no digests: name and size decide', async () => {
  const house = await open();
  const run = house.orchestrator.trigger(read, { files: [pdf('older')] }, later);
  await run.accepted;
  // What is known of the content is taken out of the record, as if it had never been there.
  const { journal } = house.orchestrator;
  const log = journal!.log();
  const digest = Buffer.from(await digestOf(pdf('older')), 'hex');
  const at = Buffer.from(log).indexOf(digest);
  expect(at).toBeGreaterThan(0);
  const envelope = (run as unknown as { envelope: { bytes: Uint8Array; start: number; length: number } }).envelope;
  const bytes = envelope.bytes.slice(envelope.start, envelope.start + envelope.length);
  bytes.fill(0, Buffer.from(bytes).indexOf(digest), Buffer.from(bytes).indexOf(digest) + 32);
  const { Ghosts } = await import('../../js/blobs/ghosts.ts');
  const ghosts = new Ghosts(house.orchestrator);
  (run as unknown as { envelope: object }).envelope = { bytes, start: 0, length: bytes.length };
  await ghosts.look([run as never], new Set(), new Set(await idsOf(house)));
  await expect(ghosts.provide(run as never, pdf('older', 'other name'))).rejects.toThrow(/it has another name, and nothing else is known/);
  await expect(ghosts.provide(run as never, pdf('longer text'))).rejects.toThrow(/11 bytes, the missing one had 5 bytes/);
  expect(await ghosts.provide(run as never, pdf('OLDER'))).toBe(true);
});

it('a file that was lost comes back with the runs of a dead tab', async () => {
  const storage = memory();
  const other = await openHouse({}, undefined, storage);
  const file = pdf('both');
  await other.orchestrator.trigger(read, { files: [file] }, { ...later, id: 'theirs' }).accepted;
  const house = await open({}, undefined, shifted(storage));
  const ours = house.orchestrator.trigger(read, { files: [file] }, later);
  await ours.accepted;
  await house.orchestrator.journal!.slot.deleteBlobs(await idsOf(house));
  await house.clock.advance(3_600_000);
  await vi.waitFor(() => expect(ours.state.reason).toBe('missing-payload'));
  await house.orchestrator.opening.adopt(1);
  expect(await ours.result()).toEqual(['a.pdf: both']);
});

it('a run taken over from a dead tab without its file is held, not started', async () => {
  const storage = memory();
  const other = await openHouse({}, undefined, storage);
  const file = pdf('theirs');
  const theirs = other.orchestrator.trigger(read, { files: [file] });
  const blocked = defineTask({ id: 'blocker', run: () => new Promise(() => {}) });
  const waiting = other.orchestrator.trigger(read, { files: [file] }, later);
  other.orchestrator.trigger(blocked, null);
  await Promise.all([theirs.result(), waiting.accepted]);
  await other.orchestrator.journal!.slot.deleteBlobs(await idsOf(other));
  const house = await open({}, undefined, shifted(storage));
  await house.orchestrator.opening.adopt(1);
  await house.clock.advance(3_600_000);
  expect(handleOf(house, waiting).state).toMatchObject({ reason: 'missing-payload', missing: [{ name: 'a.pdf' }] });
  expect(await handleOf(house, waiting).provide(file)).toBe(true);
  expect(await handleOf(house, waiting).result()).toEqual(['a.pdf: theirs']);
});
