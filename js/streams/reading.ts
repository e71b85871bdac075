/**
 * The end of a stream that is read: of a run of this tab from its recorder, of another tab's by asking that one. Where
 * the run moves meanwhile (its tab died, and we or a third took it over), reading goes on at the same chunk.
 *
 * Invariant: each chunk from `from` on is given once, in order, and none that is not stored.
 */
import { decode } from '../codec/codec.ts';
import { CanceledError, StorageLostError } from '../errors.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { End, type Run } from '../runs/run.ts';
import { hasEnded } from '../runs/status.ts';
import type { StreamRecorder } from './recorder.ts';
import { recorderOf } from './work.ts';
import type { StreamEntry } from './types.ts';

/** Between the death of a run's tab and the time when another one says that it has it. */
const lostAfterMs = 15_000;
/** Tabs tell each other their runs when one of them opens. */
const unknownAfterMs = 2000;

export interface Wanted {
  id: string;
  key: string;
  from: number;
  signal: AbortSignal | undefined;
}

/** What one tab tells another: chunks as they are stored, and whether the run has ended. */
export interface StreamAnswer {
  chunks: { bytes: Uint8Array; attempt: number }[];
  isOver: boolean;
}

export async function* entriesOf(house: Orchestrator, { id, key, from, signal }: Wanted): AsyncGenerator<StreamEntry, void, undefined> {
  signal?.throwIfAborted();
  await house.ready;
  let next = from;
  const news = new News(house, id, signal);
  try {
    for (;;) {
      news.begin();
      const { chunks, isOver, end } = await answerOf(house, id, key, next, news);
      for (const { bytes, attempt } of chunks) {
        signal?.throwIfAborted();
        yield { index: next++, chunk: decode(bytes), attempt };
      }
      if (chunks.length > 0) continue;
      if (isOver) return end();
      await news.next();
    }
  } finally {
    news.close();
  }
}

async function answerOf(house: Orchestrator, id: string, key: string, from: number, news: News): Promise<StreamAnswer & { end(): void }> {
  const run = house.localRun(id);
  if (run) {
    const recorder = recorderOf(house, run);
    news.hear(run, recorder);
    const answer = await answerHere(house, run, key, from);
    return { ...answer, end: () => endHere(house, run) };
  }
  const remote = house.opening.tabs?.handle(id);
  if (!remote) {
    news.lost(`There is no run "${id}".`);
    return { chunks: [], isOver: false, end: () => {} };
  }
  try {
    const isOver = hasEnded(remote.state.status);
    const answer = (await remote.ask('readStream', [key, from])) as StreamAnswer;
    news.found();
    return { ...readAnswer(answer), isOver: isOver && answer.isOver === true, end: () => endThere(remote.state) };
  } catch (error) {
    news.lost(`Run ${id} can't be asked for its stream: ${(error as Error).message}`);
    return { chunks: [], isOver: false, end: () => {} };
  }
}

/** Nothing of another tab is believed without a look at it. */
function readAnswer(answer: StreamAnswer): StreamAnswer {
  const chunks = Array.isArray(answer?.chunks) ? answer.chunks.filter((chunk) => chunk?.bytes instanceof Uint8Array) : [];
  return { chunks, isOver: answer?.isOver === true };
}

export async function answerHere(house: Orchestrator, run: Run, key: string, from: number): Promise<StreamAnswer> {
  // Before: what was stored by then is there.
  const isOver = run.announced && run.end !== End.None;
  const chunks = await recorderOf(house, run).read(key, from);
  return { chunks: chunks.map(({ bytes, attempt }) => ({ bytes, attempt })), isOver };
}

/** @throws what the run failed with */
function endHere(house: Orchestrator, run: Run): void {
  if (run.end === End.Failed || run.end === End.Cancelled) throw house.errorOf(run);
}

function endThere({ status, error, id }: { status: string; error: Error | null; id: string }): void {
  if (status === 'cancelled') throw error ?? new CanceledError(`Run ${id} was cancelled.`);
  if (status === 'failed') throw error;
}

/** Whatever may mean that there is more to read. */
class News {
  readonly #house: Orchestrator;
  readonly #signal: AbortSignal | undefined;
  readonly #unsubscribe: () => void;
  readonly #unclose: () => void;
  #forget = () => {};
  #ended: Promise<void> | undefined;
  #isFresh = false;
  #wake = () => {};
  #fail: (error: unknown) => void = () => {};
  #refusal: { error: unknown } | undefined;
  /** Why nobody has it, it seems; and since when. */
  #lost: string | undefined;
  #lostSinceMs: number | undefined;
  #lostAfterMs = unknownAfterMs;
  readonly #aborted = () => this.#fail(this.#signal!.reason);

  constructor(house: Orchestrator, id: string, signal: AbortSignal | undefined) {
    this.#house = house;
    this.#signal = signal;
    this.#unsubscribe = house.store.subscribeId(id, this.#heard);
    signal?.addEventListener('abort', this.#aborted);
    this.#unclose = house.store.whenClosed(() => {
      this.#refusal ??= { error: house.opening.closedBecause() };
      this.#heard();
    });
  }

  readonly #heard = () => {
    this.#isFresh = true;
    this.#wake();
  };

  /** From now on it counts. */
  begin(): void {
    this.#isFresh = false;
    this.#lost = undefined;
    this.#forget();
  }

  /** Of a run of this tab. */
  hear(run: Run, recorder: StreamRecorder): void {
    this.found();
    this.#forget = recorder.wake(this.#heard);
    const { ended } = run;
    if (this.#ended === ended) return;
    this.#ended = ended;
    ended.then(this.#heard, (error) => {
      if (!run.extra.gone) this.#refusal = { error };
      this.#heard();
    });
  }

  found(): void {
    this.#lostSinceMs = undefined;
    this.#lostAfterMs = lostAfterMs;
  }

  lost(why: string): void {
    this.#lost = why;
    this.#lostSinceMs ??= this.#house.clock.now();
  }

  /** @throws the signal's reason, why the run was refused, or that nobody has it */
  async next(): Promise<void> {
    // It is said once, while chunks of before are read perhaps.
    if (!this.#isFresh && !this.#refusal) await this.#wait();
    if (this.#refusal) throw this.#refusal.error;
  }

  async #wait(): Promise<void> {
    const { clock } = this.#house;
    const lost = this.#lost;
    const give = () => this.#fail(new StorageLostError(lost!));
    const cancel = lost === undefined ? undefined : clock.schedule(this.#lostSinceMs! + this.#lostAfterMs, give);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        this.#fail = reject;
        if (this.#signal?.aborted) reject(this.#signal.reason);
      });
    } finally {
      cancel?.();
      this.#wake = this.#fail = () => {};
    }
  }

  close(): void {
    this.#forget();
    this.#unsubscribe();
    this.#unclose();
    this.#signal?.removeEventListener('abort', this.#aborted);
  }
}
