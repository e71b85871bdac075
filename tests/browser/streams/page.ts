/** A run that streams in a page that will be killed; it tells the test what it was told is stored. */
import { createOrchestrator, defineTask, type Orchestrator } from 'holdfast';
import { digest, tell } from '../../crash/page/report.ts';

const pieceBytes = 96 * 1024;

const writing = defineTask({
  id: 'writing',
  retry: { maxAttempts: 50, minDelayMs: 10, factor: 1, randomize: false },
  run: async ({ chunks }: { chunks: number }, ctx) => {
    const out = ctx.stream<{ index: number }>('out');
    const bytes = ctx.stream<Uint8Array>('bytes', { mode: 'binary' });
    for (let index = 0; index < chunks; index++) {
      const stored = out.append({ index });
      // Some wait for theirs, some let several gather; every tenth stands in a step.
      if (index % 10 === 9) await ctx.step(`step ${index}`, () => bytes.append(new Uint8Array(pieceBytes).fill(index)));
      if (index % 3 === 0) await stored;
      void stored.then(() => tell('stored', { index }));
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
    return chunks;
  },
});

const reading = defineTask({
  id: 'reading',
  persistPayload: 'handle',
  run: async ({ handle }: { handle: FileSystemFileHandle }) => {
    const file = await handle.getFile();
    return `${file.name} ${file.size} ${digest(new Uint8Array(await file.arrayBuffer()))}`;
  },
});

/** A file of the origin's own, of so many bytes. */
async function fileOf(bytes: number, name: string): Promise<FileSystemFileHandle> {
  const handle = await (await navigator.storage.getDirectory()).getFileHandle(name, { create: true });
  const writable = await handle.createWritable();
  await writable.write(new Uint8Array(bytes).fill(5));
  await writable.close();
  return handle;
}

class Streams {
  #orchestrator!: Orchestrator;

  async open(): Promise<void> {
    this.#orchestrator = createOrchestrator({ id: 'streams', tasks: [writing, reading] });
    await this.#orchestrator.ready;
    for (const { id, phase } of this.#orchestrator.getAllTasks()) if (phase === 'quarantined') await this.#orchestrator.retryTask(id);
  }

  async submit(chunks: number): Promise<string> {
    const run = this.#orchestrator.trigger(writing, { chunks });
    await run.accepted;
    return run.id;
  }

  /** Two runs that read files by their handles, once a page after this one is open; one of them is changed before. */
  async submitHandles(): Promise<[string, string]> {
    const handles = [await fileOf(3_000_000, 'same.bin'), await fileOf(1000, 'changed.bin')];
    const runs = handles.map((handle) => this.#orchestrator.trigger(reading, { handle }, { delay: 500 }));
    await Promise.all(runs.map(({ accepted }) => accepted));
    await fileOf(999, 'changed.bin');
    return [runs[0]!.id, runs[1]!.id];
  }

  async readHandles([same, changed]: [string, string]) {
    const [one, other] = [this.#orchestrator.attach(same)!, this.#orchestrator.attach(changed)!];
    const output = await one.result();
    while (other.state.reason !== 'missing-payload') await new Promise((resolve) => setTimeout(resolve, 20));
    const missing = other.state.missing!.map(({ name, size }) => [name, size]);
    const { lastModified } = other.state.missing![0]!;
    const wrong = await other.provide(await fileOf(999, 'changed.bin')).catch((error) => error.name);
    const given = await other.provide(new File([new Uint8Array(1000).fill(5)], 'given.bin', { lastModified }));
    return { output, missing, wrong, given, again: await other.result(), blobs: await this.blobBytes() };
  }

  /** What is there at once. */
  async stored(id: string): Promise<number[]> {
    const stop = new AbortController();
    const indexes: number[] = [];
    setTimeout(() => stop.abort(), 300);
    try {
      for await (const { index } of this.#orchestrator.stream<{ index: number }>(id, 'out', { signal: stop.signal })) indexes.push(index);
    } catch {
      // That was all so far.
    }
    return indexes;
  }

  async whole(id: string): Promise<{ indexes: number[]; pieces: string[]; result: unknown }> {
    const indexes: number[] = [];
    const pieces: string[] = [];
    for await (const { index } of this.#orchestrator.stream<{ index: number }>(id, 'out')) indexes.push(index);
    for await (const piece of this.#orchestrator.stream<Uint8Array>(id, 'bytes')) pieces.push(`${piece.length} ${digest(piece)}`);
    return { indexes, pieces, result: await this.#orchestrator.attach(id)!.result() };
  }

  async blobBytes(): Promise<number> {
    return (await this.#orchestrator.storageUsage()).blobs.bytes;
  }

  expected(index: number): string {
    return `${pieceBytes} ${digest(new Uint8Array(pieceBytes).fill(index))}`;
  }
}

export type { Streams };
(globalThis as any).streams = new Streams();
