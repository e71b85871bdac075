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

class Streams {
  #orchestrator!: Orchestrator;

  async open(): Promise<void> {
    this.#orchestrator = createOrchestrator({ id: 'streams', tasks: [writing] });
    await this.#orchestrator.ready;
    for (const { id, phase } of this.#orchestrator.getAllTasks()) if (phase === 'quarantined') await this.#orchestrator.retryTask(id);
  }

  async submit(chunks: number): Promise<string> {
    const run = this.#orchestrator.trigger(writing, { chunks });
    await run.accepted;
    return run.id;
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

  expected(index: number): string {
    return `${pieceBytes} ${digest(new Uint8Array(pieceBytes).fill(index))}`;
  }
}

export type { Streams };
(globalThis as any).streams = new Streams();
