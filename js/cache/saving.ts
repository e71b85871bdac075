/**
 * What is written into stores: outputs, failures, migrated entries; and what is told of it.
 * Invariant: nothing here rejects. What can't be written is a warning.
 */
import { serializeError } from '../runs/serialize-error.ts';
import type { Run } from '../runs/run.ts';
import type { Flight, Share } from './flight.ts';
import { type CacheHost, limited, peek } from './host.ts';
import { textOf } from './judge.ts';
import { meets } from './key.ts';
import { checkTags } from './checks.ts';
import type { CachePlan } from './options.ts';
import type { Stored } from './outputs.ts';
import { checkEntry, packValue, sizeOf } from './packing.ts';
import type { Cache, CacheEntry, CacheSetOptions } from './types.ts';
import { isNewer } from './version.ts';

const dayMs = 86_400_000;
/** Private entries of a root run that never succeeds. */
const privateTtlMs = 7 * dayMs;

export interface Made {
  /** What `run` returned, as it is to be stored; throws where it can't be. */
  stored: () => Stored;
  output: unknown;
  /** What select made of it, where that is to be kept; throws where it can't be. */
  derived: (() => CacheEntry['derived']) | undefined;
  /** Of what is stored, where that is known. */
  bytes: number | undefined;
  durationMs: number;
}

type ToSave = Stored & Pick<CacheEntry, 'failed' | 'derived' | 'tags'> & Pick<Made, 'bytes' | 'durationMs'>;

export class Saving {
  readonly #host: CacheHost;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(host: CacheHost) {
    this.#host = host;
  }

  get isUnderWay(): boolean {
    return this.#underWay.size > 0;
  }

  /** Settles when nothing is being written any more. */
  async idle(): Promise<void> {
    await Promise.allSettled([...this.#underWay]);
  }

  /** Stores what was made, if one of those who asked for it may store. */
  async output(flight: Flight, { stored, output, derived, bytes, durationMs }: Made): Promise<void> {
    const writer = flight.live.find(({ plan }) => plan.writes);
    if (!writer) return;
    const { plan } = writer;
    try {
      const tags = tagsOf(plan, output, flight.asked?.input);
      await this.#save(flight, writer, { ...stored(), tags, bytes, durationMs, ...(derived && { derived: derived() }) }, plan.ttlMs, plan.staleMs);
    } catch (error) {
      this.#warn(writer, error);
    }
  }

  async failure(flight: Flight, writer: Share, error: Error): Promise<void> {
    const { negativeTtlMs, tags, options } = writer.plan;
    // A function of the output has nothing to go by.
    const own = typeof options.tags === 'function' ? [] : (options.tags ?? []);
    try {
      await this.#save(flight, writer, { value: serializeError(error), serialized: false, failed: true, tags: [...own, ...tags], bytes: undefined, durationMs: 0 }, negativeTtlMs!, 0);
    } catch (problem) {
      this.#warn(writer, problem);
    }
  }

  async #save(flight: Flight, { run, plan }: Share, what: ToSave, ttlMs: number, staleMs: number): Promise<void> {
    const { key } = flight.key;
    const entry = this.#entryOf(flight, run, plan, what, ttlMs, staleMs);
    const store = await this.#host.storeOf(plan);
    if (!plan.reads) flight.keepsNewer = await this.#isNewerThere(store, key, plan);
    if (flight.keepsNewer || flight.invalidations.some((filter) => meets(filter, key, plan.spec.id, entry.tags))) return;
    await this.write(store, key, entry);
    this.#host.emit('output_saved', { key, taskId: plan.spec.id, runId: run.id });
  }

  #entryOf(flight: Flight, run: Run, plan: CachePlan, { serialized, bytes, durationMs, ...kept }: ToSave, ttlMs: number, staleMs: number): CacheEntry {
    const createdAt = this.#host.clock.now();
    const lifeMs = plan.scope === 'run' ? Math.min(ttlMs, privateTtlMs) : ttlMs;
    const expiresAt = Number.isFinite(lifeMs) ? createdAt + lifeMs : undefined;
    return {
      ...kept,
      version: plan.version,
      createdAt,
      ...(expiresAt !== undefined && { expiresAt }),
      ...(expiresAt !== undefined && staleMs > 0 && { staleUntil: expiresAt + staleMs }),
      ...(serialized && { serialized }),
      meta: {
        taskId: plan.spec.id,
        runId: run.id,
        durationMs,
        bytes: bytes ?? bytesOf(kept.value),
        ...(flight.asked && { inputs: flight.asked.inputs }),
      },
    };
  }

  /** No downgrade: newer code would lose what it has stored. */
  async #isNewerThere(store: Cache, key: string, { version }: CachePlan): Promise<boolean> {
    try {
      const found = await peek(this.#host.clock, store, key);
      checkEntry(found);
      return isNewer(found.version, version);
    } catch {
      return false;
    }
  }

  /** @throws what the store throws */
  async write(store: Cache, key: string, entry: CacheEntry): Promise<void> {
    const { clock } = this.#host;
    const endsAt = entry.staleUntil ?? entry.expiresAt;
    const options: CacheSetOptions = { ...(entry.tags && { tags: entry.tags }), ...(endsAt !== undefined && { ttl: Math.max(0, endsAt - clock.now()) }) };
    const written = await this.#tracked(limited(clock, 'writing', store.set(key, entry, options)));
    const pruned = written?.pruned ?? [];
    if (pruned.length > 0) this.#host.emit('output_pruned', { count: pruned.length, keys: pruned });
  }

  /** Puts a migrated entry in the place of the old one; nobody waits for it. */
  rewrite(store: Cache, key: string, entry: CacheEntry): void {
    void this.#tracked(this.write(store, key, entry).catch((error) => this.#host.warn(`The migrated entry ${key} was not written: ${textOf(error)}.`)));
  }

  #tracked<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    const done = () => this.#underWay.delete(work);
    work.then(done, done);
    return work;
  }

  #warn({ run }: Share, error: unknown): void {
    this.#host.warn(`Run ${run.id}: its output was not cached (${textOf(error)}).`);
  }
}

function tagsOf({ options, tags }: CachePlan, output: unknown, input: unknown): readonly string[] {
  const own = typeof options.tags === 'function' ? options.tags(output, input) : (options.tags ?? []);
  checkTags(own, 'cache.tags');
  return [...new Set([...own, ...tags])];
}

function bytesOf(value: unknown): number {
  return sizeOf(packValue(value));
}
