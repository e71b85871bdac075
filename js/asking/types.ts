/** The shapes of asking a run something: queries, which its code answers and nothing is kept of, and updates. */
import type { Duration } from '../types.ts';

export interface QueryOptions {
  /** How long to wait for code that answers. Default 10 s. */
  timeout?: Duration;
}

export interface UpdateOptions {
  /** At most 64 bytes. A second update of the run under this id is the first one, and gets its answer. */
  id?: string;
  /** How long to wait for the answer. Default 10 minutes. */
  timeout?: Duration;
}

/** Something that the run was asked to do. */
export interface Update<Data = any, Answer = any> {
  readonly name: string;
  readonly data: Data;
  /**
   * What `handle.update` gives to whoever asked. Resolves when it is stored; the first answer counts, so code that
   * runs again answers once. Nobody may be there to hear it. @throws SerializationError
   */
  respond(answer?: Answer): Promise<void>;
  /** As `respond`: `handle.update` throws it. */
  reject(error: unknown): Promise<void>;
}

/** Gives what a query is answered with. It changes nothing, calls no verb of `ctx`, and may be asynchronous. */
export type Answering<Data = any, Answer = any> = (data: Data) => Answer | Promise<Answer>;
