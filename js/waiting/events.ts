/**
 * Events: `orchestrator.send` stores one as a hidden run, `ctx.waitFor` takes it. Every session has its
 * own copy of what was sent, under the same id, so that a run finds it wherever it is taken over.
 *
 * Invariants: an event is offered when it is stored, never before, in the order in which it came; one
 * run takes an event once under its name; what was taken stands in the run's own history.
 */
import { clone, decode, refersToBlobs } from '../codec/codec.ts';
import { CROSSING } from '../codec/clone.ts';
import type { Durable } from '../context/durable.ts';
import { ConfigurationError } from '../errors.ts';
import { type Entry, KeyPrefix, RecordKind } from '../journal/history.ts';
import { NoteKind } from '../journal/notes.ts';
import { checkIdentifier, checkNames } from '../intake/checks.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { inputBytes } from '../journal/payloads.ts';
import { End, type Run } from '../runs/run.ts';
import { eventTask } from './internal.ts';
import type { SendOptions } from './types.ts';
import { refuseDisposed } from '../runs/disposed.ts';

/** One that is stored here. */
export interface StoredEvent {
  readonly id: string;
  readonly name: string;
  readonly atMs: number;
  /** Only for this run. */
  readonly to: string | undefined;
  readonly run: Run;
  /** In the order in which they came to this session. */
  readonly number: number;
  /** Read once where it refers to blobs. */
  readonly loaded: { value: unknown } | undefined;
}

/** As it crosses to other tabs. */
export interface SentEvent {
  id: string;
  name: string;
  atMs: number;
  to?: string | undefined;
  data: unknown;
}

/** Code that waits for one. */
export interface Waiter {
  readonly durable: Durable;
  readonly name: string;
  readonly sinceMs: number;
  /** Of those sent in the very millisecond `sinceMs`, only later ones. */
  readonly afterNumber: number;
  readonly untilMs: number;
  readonly used: Set<string>;
  accepts(data: unknown): boolean;
  take(event: StoredEvent, data: unknown): void;
  fail(error: unknown): void;
}

/** A tab that opens while an event is sent may not be known yet: it is told of what is as young as this. */
const newsMs = 60_000;

export function eventKey(name: string): string {
  return `event ${name}`;
}

/** @throws ConfigurationError */
export function checkEventName(name: unknown, where: string): string {
  if (typeof name === 'string' && name.includes('\u0000')) throw new ConfigurationError(`${where} name must not contain the character U+0000.`);
  return checkIdentifier(name, `${where} name`);
}

export class Events {
  readonly #house: Orchestrator;
  readonly #byId = new Map<string, StoredEvent>();
  readonly #byName = new Map<string, StoredEvent[]>();
  readonly #waiters = new Map<string, Set<Waiter>>();
  /** Being stored, by their ids. */
  readonly #sending = new Map<string, Promise<void>>();
  readonly #used = new WeakMap<Durable, Promise<Set<string>>>();
  #count = 0;
  /** Told of each event when it is stored. */
  onStored: ((event: StoredEvent) => void) | undefined;

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  /** Resolves when it is stored, here and in the tabs that answer. @throws ConfigurationError SerializationError StorageFullError */
  async send(name: string, data: unknown, options: SendOptions = {}, to?: string): Promise<{ id: string }> {
    checkEventName(name, 'send');
    checkNames(options, ['id'], 'send');
    const id = options.id === undefined ? undefined : checkIdentifier(`event:${options.id}`, 'send id, with "event:" before it,');
    if (id !== undefined && (this.#byId.has(id) || this.#sending.has(id))) {
      await this.#sending.get(id);
      return { id };
    }
    const sent = { name, atMs: this.#house.clock.now(), to, data: clone(data, 'data', CROSSING) };
    const run = this.#trigger(id, sent);
    await this.#store(run);
    // One for a single run concerns nobody but its owner, who is asked by name.
    if (to === undefined) await this.#house.opening.tabs?.spread({ ...sent, id: run.id });
    return { id: run.id };
  }

  /** false: the run has ended. */
  async signal(run: Run, name: string, data: unknown, id?: string): Promise<boolean> {
    checkEventName(name, 'signal');
    refuseDisposed(this.#house);
    if (run.end !== End.None || run.extra.refusal !== undefined) return false;
    await this.send(name, data, id === undefined ? {} : { id }, run.id);
    return true;
  }

  /** Another tab has sent it. Resolves when it is stored here too. */
  async receive({ id, ...sent }: SentEvent): Promise<void> {
    if (this.#byId.has(id)) return;
    const storing = this.#sending.get(id);
    if (storing) return storing;
    if (!this.#house.localRun(id)) await this.#store(this.#trigger(id, sent));
  }

  #trigger(id: string | undefined, { name, atMs, to, data }: Omit<SentEvent, 'id'>): Run {
    const metadata = { sentAt: atMs, ...(to !== undefined && { to }) };
    return this.#house.intake.trigger(this.#house.definition(eventTask)!, data, { name, metadata, ...(id !== undefined && { id }) });
  }

  #store(run: Run): Promise<void> {
    const storing = run.accepted.then(() => this.add(run)).finally(() => this.#sending.delete(run.id));
    this.#sending.set(run.id, storing);
    return storing;
  }

  /** It is stored: whoever waits for it gets it. */
  async add(run: Run): Promise<void> {
    const loaded = await this.#load(run);
    const event = this.#known(run, loaded);
    if (event) this.#offerToAll(event);
  }

  /** Of the journal that was just opened; nobody waits yet. */
  addFound(runs: readonly Run[]): void {
    const found = runs.map((run) => ({ run, atMs: sentAt(run) })).sort((one, other) => one.atMs - other.atMs || (one.run.id < other.run.id ? -1 : 1));
    for (const { run } of found) {
      if (mustBeLoaded(run)) this.add(run).catch((error) => this.#house.warn(`Event ${run.id} can't be read: ${(error as Error).message}`));
      else this.#known(run, undefined);
    }
  }

  #known(run: Run, loaded: StoredEvent['loaded']): StoredEvent | undefined {
    const { id } = run;
    if (this.#byId.has(id) || run.extra.gone) return undefined;
    const { name = '', metadata } = run.extra;
    const to = typeof metadata?.to === 'string' ? metadata.to : undefined;
    const event = { id, name, atMs: sentAt(run), to, run, number: ++this.#count, loaded };
    this.#byId.set(id, event);
    const others = this.#byName.get(name);
    if (others) others.push(event);
    else this.#byName.set(name, [event]);
    this.onStored?.(event);
    return event;
  }

  async #load(run: Run): Promise<StoredEvent['loaded']> {
    return mustBeLoaded(run) ? { value: await this.#house.attempts.inputOf(run) } : undefined;
  }

  /** By value: what one run does to it reaches no other. @throws SerializationError */
  dataOf({ run, loaded }: StoredEvent): unknown {
    if (loaded) return clone(loaded.value, 'data');
    return run.envelope ? decode(inputBytes(run.envelope)) : clone(run.input, 'data');
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }
  all(): Iterable<StoredEvent> {
    return this.#byId.values();
  }
  get count(): number {
    return this.#count;
  }

  // Who waits

  /** Ids of what the run has taken; the same set for all waits of an attempt. */
  usedBy(durable: Durable): Promise<Set<string>> {
    let used = this.#used.get(durable);
    if (!used) this.#used.set(durable, (used = this.#readUsed(durable)));
    return used;
  }

  async #readUsed(durable: Durable): Promise<Set<string>> {
    const former = (await durable.host.readNote(durable.run, NoteKind.Taken)?.value) as string[] | undefined;
    const used = new Set<string>(former);
    const entries = [...durable.host.forkedOf(durable.run), ...durable.host.historyOf(durable.run).entries];
    for (const entry of entries) if (isReceived(entry)) used.add(((await durable.host.valueOf(entry)) as { event: string }).event);
    return used;
  }

  /** For a run that begins anew: it forgets its history, and must not take again what it has taken. */
  async taken(durable: Durable): Promise<string[]> {
    return [...(await this.usedBy(durable))].filter((id) => this.#byId.has(id));
  }

  /** At once, if it is there. Gives the way to stop waiting. */
  wait(waiter: Waiter): () => void {
    for (const event of this.#byName.get(waiter.name) ?? []) if (this.#offer(waiter, event)) return () => {};
    let waiters = this.#waiters.get(waiter.name);
    if (!waiters) this.#waiters.set(waiter.name, (waiters = new Set()));
    for (const other of waiters) if (isOver(other)) waiters.delete(other);
    waiters.add(waiter);
    return () => this.#leave(waiter);
  }

  #leave(waiter: Waiter): void {
    const waiters = this.#waiters.get(waiter.name);
    if (waiters?.delete(waiter) && waiters.size === 0) this.#waiters.delete(waiter.name);
  }

  #offerToAll(event: StoredEvent): void {
    for (const waiter of [...(this.#waiters.get(event.name) ?? [])]) if (isOver(waiter) || this.#offer(waiter, event)) this.#leave(waiter);
  }

  /** True: it waits no longer. */
  #offer(waiter: Waiter, event: StoredEvent): boolean {
    const { durable, sinceMs, afterNumber, untilMs, used } = waiter;
    if (event.to !== undefined && event.to !== durable.run.id) return false;
    if (event.atMs < sinceMs || event.atMs > untilMs || used.has(event.id)) return false;
    if (event.atMs === sinceMs && event.number <= afterNumber) return false;
    try {
      const data = this.dataOf(event);
      if (!waiter.accepts(data)) return false;
      used.add(event.id);
      // `match` is people's code and may have changed what it was given.
      waiter.take(event, this.dataOf(event));
    } catch (error) {
      waiter.fail(error);
    }
    return true;
  }

  // Retention, and tabs that open

  /** When the next one is to be forgotten. */
  expire(beforeMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const event of this.#byId.values()) {
      if (event.atMs < beforeMs) this.#forget(event);
      else nextMs = Math.min(nextMs, event.atMs);
    }
    return nextMs;
  }

  #forget(event: StoredEvent): void {
    this.forgotten(event.run);
    void this.#house.control.forget(event.run);
  }

  /** Its run is gone, or about to go. */
  forgotten(run: Run): void {
    if (!this.#byId.delete(run.id)) return;
    const name = run.extra.name ?? '';
    const left = this.#byName.get(name)!.filter((event) => event.run !== run);
    if (left.length > 0) this.#byName.set(name, left);
    else this.#byName.delete(name);
  }

  /** Another tab has just come. */
  news(): SentEvent[] {
    const sinceMs = this.#house.clock.now() - newsMs;
    const young = [...this.#byId.values()].filter(({ atMs, to }) => atMs >= sinceMs && to === undefined);
    return young.map((event) => ({ id: event.id, name: event.name, atMs: event.atMs, data: this.dataOf(event) }));
  }
}

function isReceived({ key, kind }: Entry): boolean {
  return kind === RecordKind.Received && key.startsWith(KeyPrefix.Event + eventKey(''));
}

/** Its attempt has ended. */
function isOver({ durable }: Waiter): boolean {
  return durable.run.end !== End.None || durable.run.context?.durable !== durable;
}

function sentAt(run: Run): number {
  const atMs: unknown = run.extra.metadata?.sentAt;
  return typeof atMs === 'number' ? atMs : 0;
}

function mustBeLoaded({ envelope }: Run): boolean {
  return envelope !== undefined && refersToBlobs(inputBytes(envelope));
}

/** A message of another tab, checked by what it must have. */
export function isSentEvent(told: unknown): told is SentEvent {
  if (typeof told !== 'object' || told === null) return false;
  const { id, name, atMs, to, data } = told as Partial<SentEvent>;
  const short = (text: unknown) => typeof text === 'string' && text.length > 0 && text.length <= 128;
  const readable = typeof data === 'object' && data !== null && ('plain' in data || 'graph' in data);
  return readable && short(id) && short(name) && Number.isFinite(atMs) && (to === undefined || short(to));
}

