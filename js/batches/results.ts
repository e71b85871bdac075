/**
 * The results of a batch: a real array in the order of the items, with what one asks of it most.
 * Invariant: a result stands in the place of its item, whatever ended first.
 */
import { BatchFailedError } from '../errors.ts';
import { isTask } from '../intake/registry.ts';
import type { Task } from '../types.ts';
import type { BatchItemResult } from './types.ts';

export interface ResultsHost {
  tagsOf(id: string): readonly string[];
  payloadOf(id: string): Promise<unknown>;
}

/** Arrays made of it (`map`, `filter`) are plain ones. */
export class ResultArray extends Array<BatchItemResult> {
  static override get [Symbol.species]() {
    return Array;
  }
  /** Not copied with it when it is stored. */
  #host: ResultsHost | undefined;

  static over(results: readonly BatchItemResult[], host: ResultsHost): ResultArray {
    const made = new ResultArray();
    for (const result of results) made.push(result);
    made.#host = host;
    return made;
  }

  ok(): BatchItemResult[] {
    return this.filter(({ ok }) => ok);
  }
  failed(): BatchItemResult[] {
    return this.filter(({ ok }) => !ok);
  }
  outputs(): unknown[] {
    return this.flatMap((result) => (result.ok ? [result.output] : []));
  }
  errors(): Error[] {
    return this.flatMap((result) => (result.ok ? [] : [result.error]));
  }
  byTask(task: Task | string): BatchItemResult[] {
    const id = isTask(task) ? task.id : task;
    return this.filter(({ taskIdentifier }) => taskIdentifier === id);
  }
  byTag(tag: string): BatchItemResult[] {
    return this.filter(({ id }) => this.#host?.tagsOf(id).includes(tag));
  }
  partition(): [BatchItemResult[], BatchItemResult[]] {
    return [this.ok(), this.failed()];
  }
  unwrapAll(): unknown[] {
    const errors = this.errors();
    if (errors.length === 0) return this.outputs();
    const [first] = errors;
    throw new BatchFailedError(`${errors.length} of ${this.length} items failed; the first: ${first!.message}`, { cause: first, errors, data: { failed: this.failed().map(({ index }) => index) } });
  }
  async payload(index: number): Promise<unknown> {
    const result = this[index];
    return result && this.#host?.payloadOf(result.id);
  }
}
