/**
 * Another durable-execution engine, the smallest one: a journal of JSON lines that code is replayed
 * against from its first line whenever something was missing. It shares nothing with ours and knows
 * nothing of it but the types of the portable surface.
 */
import { setImmediate } from 'node:timers/promises';
import type { PortableContext, PortableTask } from 'holdfast';

/** The machine has gone down; the journal is what is left. */
export class PowerCut extends Error {}

/** The code waits for something that has not come. */
const parked = new Promise<never>(() => {});

export class FakeEngine {
  /** Lines of JSON by run and key. */
  readonly journal = new Map<string, string>();
  readonly #tasks = new Map<string, PortableTask>();
  readonly #events = new Map<string, unknown>();
  #now = 1_000_000;
  /** Moments somebody sleeps for. */
  #alarms: number[] = [];
  #writesLeft: number;

  /** @param writes the power is cut after so many lines; @param journal what an engine before it left */
  constructor(tasks: readonly PortableTask[], writes = Number.POSITIVE_INFINITY, journal = new Map<string, string>()) {
    for (const task of tasks) this.#tasks.set(task.id, task);
    this.#writesLeft = writes;
    this.journal = journal;
  }

  send(name: string, data: unknown): void {
    this.#events.set(name, data);
  }

  /** Runs it to its end, through as many replays as it takes. @throws PowerCut */
  async execute<Output>(name: string, input: unknown, run = name): Promise<Output> {
    const task = this.#tasks.get(name);
    if (!task) throw new Error(`No task ${name}.`);
    for (let attempt = 1; ; ) {
      const result = await this.#once(task, input, run, attempt);
      if (result.state === 'done') return result.value as Output;
      if (result.state === 'parked') this.#wake();
      else if (result.error instanceof PowerCut || attempt++ >= (task.retry?.maxAttempts ?? 3)) throw result.error;
    }
  }

  async #once(task: PortableTask, input: unknown, run: string, attempt: number): Promise<{ state: string; value?: unknown; error?: unknown }> {
    let over = false;
    const ended = task.run(structuredClone(input), this.#context(task, run, attempt)).then(
      (value) => ({ state: 'done', value: structuredClone(value) }), (error) => ({ state: 'failed', error }),
    ).finally(() => (over = true));
    for (let turn = 0; turn < 50 && !over; turn++) await setImmediate();
    return over ? ended : { state: 'parked' };
  }

  /** Nothing moves but time: on to the next alarm. */
  #wake(): void {
    if (this.#alarms.length === 0) throw new Error('Waits for ever.');
    this.#now = Math.max(this.#now, Math.min(...this.#alarms));
    this.#alarms = [];
  }

  #record(key: string, value: unknown): void {
    if (this.#writesLeft-- <= 0) throw new PowerCut('The power was cut.');
    this.journal.set(key, JSON.stringify({ value }));
  }

  #context(task: PortableTask, run: string, attempt: number): PortableContext {
    const ordinals = new Map<string, number>();
    const keyOf = (kind: string, id?: string): string => {
      const ordinal = ordinals.get(kind) ?? 0;
      ordinals.set(kind, ordinal + 1);
      return `${run}|${kind}|${id ?? ordinal}`;
    };
    const recorded = (key: string): { value: any } | undefined => (this.journal.has(key) ? JSON.parse(this.journal.get(key)!) : undefined);
    const decide = <Value>(kind: string, make: () => Value): Value => {
      const key = keyOf(kind);
      if (!recorded(key)) this.#record(key, make());
      return recorded(key)!.value;
    };
    const once = async (key: string, compute: () => unknown): Promise<any> => {
      if (!recorded(key)) this.#record(key, await compute());
      return recorded(key)!.value;
    };
    const until = async (key: string, atMs: number): Promise<void> => {
      const dueMs: number = await once(key, () => atMs);
      if (dueMs > this.#now) await (this.#alarms.push(dueMs), parked);
    };
    const quiet = () => {};
    return {
      signal: new AbortController().signal, attempt: { number: attempt }, task, progress: quiet,
      log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
      step: (name, compute, { id } = {}) => once(keyOf(`step ${name}`, id), compute),
      run: (name, input, { id } = {}) => {
        const key = keyOf(`run ${name}`, id);
        return once(key, () => this.execute(name, input, key));
      },
      sleep: (duration, { id } = {}) => until(keyOf('sleep', id), this.#now + Number.parseInt(`${duration}`, 10) * 1000),
      sleepUntil: (instant, { id } = {}) => until(keyOf('sleep', id), new Date(instant as number).getTime()),
      waitFor: async (name, { id } = {}) => {
        const key = keyOf(`wait ${name}`, id);
        if (!recorded(key) && !this.#events.has(name)) await parked;
        return { ok: true, output: await once(key, () => this.#events.get(name)) };
      },
      now: () => decide('now', () => this.#now),
      random: () => decide('random', Math.random),
      uuid: () => decide('uuid', () => crypto.randomUUID()),
    };
  }
}
