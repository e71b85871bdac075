/**
 * Who of this page holds which lock, and who waits for it. Runs of the page stand in one line for each key, first
 * come first served; the first of the line asks the browser, whose Web Lock keeps the other tabs out.
 *
 * Invariants: at most one claim of a key is held, in all tabs of the namespace; a line moves on when its first
 * is released, however that came about; nobody waits in this page for a run that waits for him.
 */
import { LockDeadlockError, LockReentryError } from '../errors.ts';
import type { Run } from '../runs/run.ts';
import { delivery } from '../runs/run.ts';
import { wayTo } from '../runs/waits.ts';
import type { TabLocks } from '../tabs/platform.ts';
import { type Claim, RunLocks } from './claims.ts';

export interface LockHost {
  /** How the browser knows the key; undefined: this page has no other tabs to mind. */
  nameOf(key: string): string | undefined;
  readonly locks: TabLocks | undefined;
  changed(run: Run): void;
  warn(message: string): void;
}

class Place implements Claim {
  readonly number: number;
  readonly run: Run;
  readonly key: string;
  readonly #table: LockTable;
  readonly #grant = delivery();
  readonly #stop = new AbortController();
  #free: (() => void) | undefined;
  #asks = false;
  isHeld = false;
  isOver = false;

  constructor(table: LockTable, run: Run, key: string, number: number) {
    this.#table = table;
    this.run = run;
    this.key = key;
    this.number = number;
  }

  get granted(): Promise<void> {
    return this.#grant.promise;
  }

  get holder(): Run | undefined {
    return this.#table.holderOf(this.key);
  }

  get words(): string {
    const { holder } = this;
    return `Waits for the lock ${JSON.stringify(this.key)}, ${holder ? `which run ${holder.id} holds` : 'which another tab holds'}; its slot is free for others.`;
  }

  /** It is the first of its line. */
  ask(host: LockHost): void {
    if (this.#asks) return;
    this.#asks = true;
    const name = host.nameOf(this.key);
    if (name === undefined) return this.#have();
    const kept = new Promise<void>((resolve) => (this.#free = resolve));
    const held = () => {
      if (this.isOver) return;
      this.#have();
      return kept;
    };
    host.locks!.request(name, { signal: this.#stop.signal }, held).catch((error) => this.#refused(host, error));
  }

  /** The browser has no lock for us, or has taken it away. */
  #refused(host: LockHost, error: unknown): void {
    if (this.isOver) return;
    const what = this.isHeld ? 'was taken away from' : 'could not be had of the browser for';
    host.warn(`The lock ${JSON.stringify(this.key)} ${what} run ${this.run.id} (${error instanceof Error ? error.message : error}); it keeps out runs of this page alone.`);
    if (!this.isHeld) this.#have();
  }

  #have(): void {
    this.isHeld = true;
    this.#grant.resolve();
    this.#table.changed(this.run);
  }

  release(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.isHeld = false;
    this.run.extra.locks?.claims.delete(this);
    this.#stop.abort();
    this.#free?.();
    this.#table.leave(this);
  }
}

export class LockTable {
  readonly #host: LockHost;
  /** By key, the first has it or asks for it. */
  readonly #lines = new Map<string, Place[]>();

  constructor(host: LockHost) {
    this.#host = host;
  }

  /** @throws LockReentryError LockDeadlockError, and nothing is changed */
  claim(run: Run, key: string): Claim {
    const locks = (run.ownExtra.locks ??= new RunLocks());
    const own = locks.claimOf(key);
    if (own)
      throw new LockReentryError(`Run ${run.id} ${own.isHeld ? 'holds' : 'waits for'} the lock ${JSON.stringify(key)} already; asked for again by itself it would wait for ever. Take it once, around all that needs it.`, { data: { key } });
    this.#refuseDeadlock(run, key);
    const place = new Place(this, run, key, ++locks.made);
    const line = this.#lines.get(key) ?? [];
    this.#lines.set(key, line);
    line.push(place);
    locks.claims.add(place);
    line[0]!.ask(this.#host);
    this.changed(run);
    return place;
  }

  holderOf(key: string): Run | undefined {
    const first = this.#lines.get(key)?.[0];
    return first?.isHeld ? first.run : undefined;
  }

  leave(place: Place): void {
    const line = this.#lines.get(place.key)!;
    line.splice(line.indexOf(place), 1);
    if (line.length === 0) this.#lines.delete(place.key);
    else line[0]!.ask(this.#host);
    this.changed(place.run);
  }

  changed(run: Run): void {
    this.#host.changed(run);
  }

  #refuseDeadlock(run: Run, key: string): void {
    const holder = this.holderOf(key);
    const way = holder && wayTo(run, holder);
    if (!way) return;
    const words = [`run ${run.id} would wait for the lock ${JSON.stringify(key)}, which run ${holder.id} holds`, ...way.map(({ words }) => words)].join('; ');
    throw new LockDeadlockError(`Nobody would go on: ${words}. Take locks in the same order everywhere, and none around a child that takes it too.`, { data: { key, holder: holder.id } });
  }
}
