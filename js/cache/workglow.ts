/**
 * A cache under the names workglow gives one: outputs by task type and inputs.
 * Invariant: two inputs of one canonical text share an output, those of two types never do.
 */
import { SystemClock } from '../time/clock.ts';
import { clone } from '../codec/codec.ts';
import { checkIdentifier } from '../intake/checks.ts';
import { canonical } from './canonical.ts';
import { digestText } from './digest.ts';
import { keyBegin } from './key.ts';
import { packValue, sizeOf } from './packing.ts';
import type { Cache } from './types.ts';
import { firstVersion } from './version.ts';

export interface TaskOutputEvents {
  output_saved: [taskType: string];
  output_retrieved: [taskType: string];
  output_cleared: [];
  output_pruned: [];
}

export interface TaskOutputRepository {
  /** `createdAt`: for tests; default now. */
  saveOutput(taskType: string, inputs: unknown, output: unknown, createdAt?: Date): Promise<void>;
  /** undefined: there is none. */
  getOutput<Output = any>(taskType: string, inputs: unknown): Promise<Output | undefined>;
  clear(): Promise<void>;
  size(): Promise<number>;
  clearOlderThan(olderThanInMs: number): Promise<void>;
  /** Gives the way to stop listening. */
  on<Name extends keyof TaskOutputEvents>(name: Name, listener: (...args: TaskOutputEvents[Name]) => void): () => void;
}

/** Works on entries of its own in any cache, beside those of an orchestrator. @throws ConfigurationError for a bad task type */
export function taskOutputRepository(cache: Cache): TaskOutputRepository {
  return new Repository(cache);
}

class Repository implements TaskOutputRepository {
  readonly #cache: Cache;
  readonly #clock = new SystemClock();
  readonly #listeners = new Map<string, Set<(...args: any[]) => void>>();

  constructor(cache: Cache) {
    this.#cache = cache;
  }

  async saveOutput(taskType: string, inputs: unknown, output: unknown, createdAt?: Date): Promise<void> {
    const key = await keyOf(taskType, inputs);
    const value = clone(output, 'output');
    await this.#cache.set(key, {
      value,
      version: firstVersion,
      createdAt: createdAt?.getTime() ?? this.#clock.now(),
      meta: { taskId: taskType, runId: '', durationMs: 0, bytes: sizeOf(packValue(value)) },
    });
    this.#tell('output_saved', taskType);
  }

  async getOutput<Output>(taskType: string, inputs: unknown): Promise<Output | undefined> {
    const entry = await this.#cache.get(await keyOf(taskType, inputs));
    if (!entry) return undefined;
    this.#tell('output_retrieved', taskType);
    return this.#cache.copies ? entry.value : clone(entry.value, 'output');
  }

  async clear(): Promise<void> {
    await this.#cache.clear();
    this.#tell('output_cleared');
  }

  size(): Promise<number> {
    return this.#cache.size();
  }

  async clearOlderThan(olderThanInMs: number): Promise<void> {
    await this.#cache.clearOlderThan(olderThanInMs);
    this.#tell('output_pruned');
  }

  on<Name extends keyof TaskOutputEvents>(name: Name, listener: (...args: TaskOutputEvents[Name]) => void): () => void {
    let listeners = this.#listeners.get(name);
    if (!listeners) this.#listeners.set(name, (listeners = new Set()));
    const own = (...args: TaskOutputEvents[Name]) => listener(...args);
    listeners.add(own);
    return () => listeners.delete(own);
  }

  #tell<Name extends keyof TaskOutputEvents>(name: Name, ...args: TaskOutputEvents[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) listener(...args);
  }
}

async function keyOf(taskType: string, inputs: unknown): Promise<string> {
  checkIdentifier(taskType, 'task type');
  return `${keyBegin(taskType)}~${digestText(await canonical(inputs))}`;
}
