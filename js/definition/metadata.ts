/**
 * Metadata of a run that its code changes while it runs.
 *
 * Invariants: an operation is seen at once and taken by value; the records are replaced, never changed;
 * what was changed is stored as a whole, at the latest with the next recorded step, after 250 ms, or
 * when the run has ended; code that runs again over what is recorded changes nothing again.
 */
import type { Clock } from '../time/clock.ts';
import { clone, encode } from '../codec/codec.ts';
import { PayloadTooLargeError, SerializationError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import { NoteKind } from '../journal/notes.ts';
import type { PayloadArea } from '../journal/payloads.ts';
import * as P from '../protocol.ts';
import type { Pump } from '../pump/pump.ts';
import type { Run } from '../runs/run.ts';
import { changed, type MetadataVerb } from './metadata-view.ts';

const storeIntervalMs = 250;

type Values = Readonly<Record<string, any>>;

export interface MetadataHost {
  readonly clock: Clock;
  readonly pump: Pump;
  readonly payloads: PayloadArea;
  readonly journal: Journal | undefined;
  changed(run: Run): void;
}

/** The metadata of all runs of an orchestrator, as far as it changes. */
export class Metadata {
  readonly #host: MetadataHost;
  /** Changed, and not stored yet. */
  readonly #dirty = new Set<Run>();
  readonly #sizes = new WeakMap<Run, Map<string, number>>();
  #isScheduled = false;
  #storedMs = Number.NEGATIVE_INFINITY;

  constructor(host: MetadataHost) {
    this.#host = host;
  }

  /** Some wait to be stored. */
  get isDirty(): boolean {
    return this.#dirty.size > 0;
  }

  /** @throws ConfigurationError SerializationError PayloadTooLargeError, and nothing has changed */
  update(run: Run, verb: MetadataVerb, args: readonly unknown[]): void {
    const values = run.extra.metadata ?? {};
    const next = changed(values, verb, byValue(args));
    this.#weigh(run, values, next);
    run.ownExtra.metadata = next;
    this.#dirty.add(run);
    this.#host.changed(run);
    this.#storeLater();
  }

  /** Only what an operation touched is measured again. */
  #weigh(run: Run, values: Values, next: Values): void {
    const sizes = new Map(this.#sizes.get(run));
    for (const key of Object.keys(next)) if (next[key] !== values[key] || !sizes.has(key)) sizes.set(key, sizeOf(key, next[key]));
    for (const key of sizes.keys()) if (!Object.hasOwn(next, key)) sizes.delete(key);
    let total = 0;
    for (const size of sizes.values()) total += size;
    if (total > this.#host.payloads.limits.metadataBytes)
      throw new PayloadTooLargeError(`The metadata of run ${run.id} would take ${total} bytes; ${this.#host.payloads.limits.metadataBytes} are allowed. Keep large values in steps or in the result.`);
    this.#sizes.set(run, sizes);
  }

  #storeLater(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const { clock } = this.#host;
    const store = () => {
      this.#isScheduled = false;
      this.#storedMs = clock.now();
      for (const run of [...this.#dirty]) this.store(run);
    };
    // The first change after a while is stored with what its code does next.
    if (clock.now() - this.#storedMs >= storeIntervalMs) queueMicrotask(store);
    else clock.schedule(this.#storedMs + storeIntervalMs, store);
  }

  /** Into the next step of the core, where it was changed. */
  store(run: Run): void {
    if (!this.#dirty.delete(run) || run.extra.gone || run.extra.refusal !== undefined || !this.#host.pump.open) return;
    if (run.task === 0) (run.ownExtra.early ??= []).push(() => this.#write(run));
    else this.#write(run);
  }

  #write(run: Run): void {
    const { pump, payloads, journal } = this.#host;
    const { metadata } = run.extra;
    if (!journal) return;
    const payload = payloads.writeMetadata(metadata);
    (run.ownExtra.notes ??= new Map()).set(NoteKind.Metadata, { payload });
    pump.commands.addPayload(payload.bytes, payload.start, payload.length);
    pump.commands.push(P.CommandNote, run.task, NoteKind.Metadata, payload.length);
    pump.wake();
  }

  /** Resolves when everything changed so far is stored. */
  async flush(run: Run): Promise<void> {
    const { pump, journal } = this.#host;
    if (!this.#dirty.has(run) || !journal || run.task === 0) return;
    await new Promise<void>((resolve) => {
      (run.ownExtra.waiters ??= []).push({ command: P.CommandNote, resolve: () => resolve() });
      this.store(run);
      pump.wake();
    });
  }
}

function sizeOf(key: string, value: unknown): number {
  const { bytes, blobs } = encode({ [key]: value }, 'metadata');
  if (blobs) throw new SerializationError(`metadata.${key} holds a file or large binary value, which metadata can't. Keep it in a step or in the result.`);
  return bytes.length;
}

/** What the caller changes later reaches nobody. */
function byValue(args: readonly unknown[]): unknown[] {
  return args.map((value, index) => (typeof value === 'object' && value !== null ? clone(value, index === 0 ? 'metadata' : `metadata.${String(args[0])}`) : value));
}
