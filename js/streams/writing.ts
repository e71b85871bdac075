/**
 * The end of a stream that is written, in the page and in a worker: what is appended becomes chunks of the mode.
 * Where they go is its sink's affair.
 *
 * Invariant: a chunk that is refused is refused at the call, and changes nothing.
 */
import { checkIdentifier, checkNames, oneOf, refuse } from '../intake/checks.ts';
import { ConfigurationError } from '../errors.ts';
import { inMode, type Mode, Pieces } from './chunks.ts';
import type { AppendOptions, StreamOptions, TaskStream } from './types.ts';

export interface StreamSink {
  /** Aborted when the attempt is stopped. */
  readonly signal: AbortSignal;
  /** Resolves when the chunk is stored. */
  append(chunk: unknown, id: string | undefined): Promise<void>;
  recorded(): Promise<any[]>;
}

/** Of what is piped. */
const windowBytes = 1024 * 1024;

/** @throws ConfigurationError */
export function checkStream(key: unknown, options: StreamOptions | undefined, where: string): Mode {
  checkIdentifier(key, `${where} key`);
  if (options === undefined) return 'object';
  checkNames(options, ['mode'], `${where} options`);
  const { mode = 'object' } = options;
  oneOf(mode, ['object', 'text', 'binary'], `${where} mode`);
  return mode;
}

export class StreamWriting implements TaskStream {
  readonly key: string;
  readonly #mode: Mode;
  readonly #sink: StreamSink;

  constructor(key: string, mode: Mode, sink: StreamSink) {
    this.key = key;
    this.#mode = mode;
    this.#sink = sink;
  }

  get #where(): string {
    return `ctx.stream("${this.key}")`;
  }

  append(chunk: unknown, options?: AppendOptions): Promise<void> {
    try {
      if (options !== undefined) checkNames(options, ['id'], `${this.#where}.append options`);
      if (options?.id !== undefined) checkIdentifier(options.id, `${this.#where}.append id`);
      return this.#sink.append(inMode(chunk, this.#mode, `${this.#where}.append chunk`), options?.id);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  recorded(): Promise<any[]> {
    return this.#sink.recorded();
  }

  async pipe(source: any): Promise<void> {
    const pieces = new Pieces(this.#mode);
    const stop = new AbortController();
    const window = new Window((error) => stop.abort(error));
    const signal = AbortSignal.any([this.#sink.signal, stop.signal]);
    await eachOf(source, `${this.#where}.pipe source`, signal, async (chunk) => {
      for (const piece of pieces.of(chunk)) await window.room(this.append(piece), sizeOf(piece));
    });
    for (const piece of pieces.last()) await window.room(this.append(piece), sizeOf(piece));
    await window.empty();
  }
}

/** About; an object counts as little, and is waited for with the rest. */
function sizeOf(chunk: unknown): number {
  if (typeof chunk === 'string') return chunk.length;
  return (chunk as { byteLength?: number } | null)?.byteLength ?? 1024;
}

/** Appended, and not stored yet. */
class Window {
  #bytes = 0;
  readonly #stored: Promise<void>[] = [];
  readonly #sizes: number[] = [];
  readonly #onFailure: (error: unknown) => void;

  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** Resolves when there is room for more. @throws why one could not be stored */
  async room(stored: Promise<void>, bytes: number): Promise<void> {
    stored.catch(this.#onFailure);
    this.#stored.push(stored);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    while (this.#bytes > windowBytes) await this.#first();
  }

  async #first(): Promise<void> {
    const stored = this.#stored.shift()!;
    this.#bytes -= this.#sizes.shift()!;
    await stored;
  }

  async empty(): Promise<void> {
    while (this.#stored.length > 0) await this.#first();
  }
}

/** Calls for each thing the source gives, one after the other. What ends early cancels it. */
async function eachOf(source: any, where: string, signal: AbortSignal, take: (chunk: unknown) => Promise<void>): Promise<void> {
  if (typeof source?.getReader === 'function') {
    if (source.locked) throw new ConfigurationError(`${where}: the stream is being read by somebody else, or was read before. Pipe one that is not: stream.tee(), or the response's clone().`);
    return eachRead(source, signal, take);
  }
  if (typeof source !== 'string' && (source?.[Symbol.asyncIterator] || source?.[Symbol.iterator])) return eachGiven(source, signal, take);
  refuse(where, 'a ReadableStream (response.body, blob.stream()) or something to iterate over', source);
}

async function eachGiven(source: any, signal: AbortSignal, take: (chunk: unknown) => Promise<void>): Promise<void> {
  const iterator: AsyncIterator<unknown> = source[Symbol.asyncIterator]?.() ?? source[Symbol.iterator]();
  let stop = () => {};
  // A source that never gives its next thing would keep who is stopped waiting.
  const stopped = new Promise<never>((_, reject) => (stop = () => reject(signal.reason)));
  stopped.catch(() => {});
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop);
  let itself = true;
  try {
    for (;;) {
      const { done, value } = await Promise.race([stopped, iterator.next()]);
      if (done) return;
      const chunk = await Promise.race([stopped, value]);
      itself = false;
      await take(chunk);
      itself = true;
    }
  } catch (error) {
    // Not awaited: a generator that waits for something comes to it only when that is there.
    if (!itself || signal.aborted) void endOf(iterator).catch(() => {});
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function endOf(iterator: AsyncIterator<unknown>): Promise<void> {
  await iterator.return?.();
}

async function eachRead(source: ReadableStream, signal: AbortSignal, take: (chunk: unknown) => Promise<void>): Promise<void> {
  const reader = source.getReader();
  // A read that waits for a slow source hears of the stop by this.
  const stop = () => void reader.cancel(signal.reason).catch(() => {});
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) return;
      await take(value);
    }
  } catch (error) {
    void reader.cancel(error).catch(() => {});
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
