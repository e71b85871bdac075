/** The shapes of streams: chunk logs that a run's code appends to and anybody reads. */

export interface StreamOptions {
  /**
   * `object` (default): any value that can be stored, but no files. `text`: strings; `pipe` decodes bytes as UTF-8.
   * `binary`: bytes, which readers get as Uint8Array; `pipe` encodes strings as UTF-8.
   */
  mode?: 'object' | 'text' | 'binary';
}

export interface AppendOptions {
  /** A chunk with an id that this stream has already is not appended again, whatever is in it. 1 to 128 bytes. */
  id?: string;
}

/** What `ctx.stream(key)` gives: the end that is written. Closed with its attempt. */
export interface TaskStream<Chunk = any> {
  readonly key: string;
  /**
   * Resolves when the chunk is stored, whatever happens afterwards. Chunks are stored in the order of the calls, awaited
   * or not; a run does not record a step, and does not end, before those that were appended before are stored.
   * @throws SerializationError PayloadTooLargeError StorageFullError ConfigurationError ContextClosedError, or why the attempt is stopped
   */
  append(chunk: Chunk, options?: AppendOptions): Promise<void>;
  /**
   * Appends everything the source gives, no faster than it is stored: at most 1 MiB of it waits. The source is
   * cancelled when this fails or the attempt is stopped.
   * @throws as append, or what the source throws
   */
  pipe(source: ReadableStream<any> | AsyncIterable<any> | Iterable<any>): Promise<void>;
  /**
   * What attempts before this one have appended. Who has asked goes on behind it: what is appended from then on
   * is never taken for a repetition.
   */
  recorded(): Promise<Chunk[]>;
}

export interface ReadStreamOptions {
  /** Index of the first chunk that is wanted. Default 0. */
  from?: number;
  /** Ends the reading, with its reason. */
  signal?: AbortSignal;
}

export interface StreamEntry<Chunk = any> {
  readonly index: number;
  readonly chunk: Chunk;
  /** The attempt that appended it. */
  readonly attempt: number;
}

/**
 * The end that is read, in any tab: first what is stored, then what comes. It ends when the run has succeeded, and
 * throws what the run failed with, or its CanceledError, behind the last chunk. May be read several times.
 */
export interface StreamReader<Chunk = any> extends AsyncIterable<Chunk> {
  readonly key: string;
  entries(): AsyncGenerator<StreamEntry<Chunk>, void, undefined>;
  /** Reads on only as it is read. */
  readable(): ReadableStream<Chunk>;
}
