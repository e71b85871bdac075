/**
 * Queues whose concurrency is `auto`. Loaded with the first of them: after each step of the core it reads from the events what
 * runs took and how they failed, hears of the page's long tasks and of its memory, and tells the core another limit.
 *
 * Invariant: what is decided follows from the core's events and times alone, and from what the page is told to be (`pressed`).
 */
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { RetryableError } from '../errors.ts';
import { Adaptation } from './adaptation.ts';
import { type PageLoad, watchPage } from './page-load.ts';
import type { Queue } from './queue-table.ts';

interface Adapted {
  readonly name: string;
  readonly queue: Queue;
  readonly adaptation: Adaptation;
}

/** An attempt that runs. */
interface Begun {
  readonly of: Adapted;
  readonly atMs: number;
}

/** Not the engine's own: that would become a file of its own in every page. */
const recordWords = P.RecordBytes / 4;
const refusals = new Set([429, 503]);
/** Ended for reasons that say nothing of a queue. What was abandoned is said to have ended next, by what it is. */
const endings = new Set<number>([P.EventCancelled, P.EventFailed, P.EventInterrupted, P.EventWaited, P.EventForgotten, P.EventThawed]);

export class AdaptiveQueues {
  readonly #house: Orchestrator;
  readonly #byName = new Map<string, Adapted>();
  readonly #byNumber = new Map<number, Adapted>();
  readonly #begun = new Map<number, Begun>();
  #page: PageLoad | undefined;

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  /** After each step of the core. */
  stepped(names: ReadonlySet<string>): void {
    for (const adapted of this.#byName.values()) if (!names.has(adapted.name)) this.#forget(adapted);
    for (const name of names) this.#know(name);
    const { words, times, count } = this.#house.pump.engine.events;
    for (let word = 0; word < count * recordWords; word += recordWords) this.#heard(words[word]!, words[word + 1]!, words[word + 2]!, times[(word >> 1) + 2]!);
    this.#page ??= watchPage(this.#house.clock, (reason) => this.pressed(reason));
    // Only where something runs that it could slow down.
    this.#page.watch(this.#begun.size > 0);
  }

  #know(name: string): void {
    const queue = this.#house.table.queues.named(name);
    const known = this.#byName.get(name);
    if (!queue?.rules.auto || queue.number === undefined) return;
    if (known?.queue === queue) return;
    const isSame = known && JSON.stringify(known.queue.rules.auto) === JSON.stringify(queue.rules.auto);
    const adapted = { name, queue, adaptation: isSame ? known.adaptation : new Adaptation(queue.rules.auto, this.#house.clock.now()) };
    this.#byName.set(name, adapted);
    this.#byNumber.set(queue.number, adapted);
    this.#tell(adapted, queue.adapted?.limit ?? queue.concurrency);
  }

  /** It has another concurrency now. */
  #forget({ name, queue }: Adapted): void {
    this.#byName.delete(name);
    this.#byNumber.delete(queue.number!);
  }

  #heard(kind: number, task: number, a: number, at: number): void {
    if (kind === P.EventStarted) return this.#started(task, at);
    const begun = this.#begun.get(task);
    if (!begun) return;
    if (kind === P.EventSucceeded) this.#ended(task, begun, (adaptation, running) => adaptation.ended(at, begun.atMs, running));
    else if (kind === P.EventAttemptFailed) this.#failed(task, begun, a >>> 24, at);
    else if (endings.has(kind)) this.#begun.delete(task);
  }

  #started(task: number, at: number): void {
    const of = this.#byNumber.get(this.#house.pump.engine.value(task, P.FieldQueue));
    if (of) this.#begun.set(task, { of, atMs: at });
  }

  #failed(task: number, begun: Begun, outcome: number, at: number): void {
    const isTimeout = outcome === P.OutcomeTimeout || outcome === P.OutcomeStalled;
    const reason = isTimeout ? 'timeout' : isRefusal(this.#house.pump.runs[task]?.extra.error) ? 'refused' : undefined;
    // Whatever else it failed with is no matter of how many there are.
    if (reason) this.#ended(task, begun, (adaptation) => adaptation.failed(at, begun.atMs, reason));
    else this.#begun.delete(task);
  }

  #ended(task: number, { of }: Begun, change: (adaptation: Adaptation, running: number) => boolean): void {
    let running = 0;
    for (const other of this.#begun.values()) if (other.of === of) running++;
    this.#begun.delete(task);
    if (this.#byName.get(of.name) !== of) return;
    const former = of.adaptation.now.limit;
    if (change(of.adaptation, running)) this.#tell(of, former);
  }

  pressed(reason: 'long-tasks' | 'memory'): void {
    const now = this.#house.clock.now();
    const running = new Set([...this.#begun.values()].map(({ of }) => of));
    for (const of of running) {
      const former = of.adaptation.now.limit;
      if (of.adaptation.pressed(now, reason)) this.#tell(of, former);
    }
  }

  #tell({ name, queue, adaptation }: Adapted, former: number): void {
    const { limit, reason, changedAt } = (queue.adapted = adaptation.now);
    if (limit === former) return;
    // Somebody's word counts as long as it does.
    if (queue.override === undefined) this.#house.pump.commands.push(P.CommandSetQueue, queue.number!, P.QueueFieldConcurrency, 0, limit);
    this.#house.pump.wake();
    this.#house.store.emit('concurrency', Object.freeze({ queue: name, from: former, to: limit, reason, at: changedAt }));
  }

  close(): void {
    this.#page?.close();
  }
}

/** What it called has asked for less: a status, or a time to come back at. */
function isRefusal(error: unknown): boolean {
  if (error instanceof RetryableError && error.retryAfter !== undefined) return true;
  const { status, statusCode, data } = (error ?? {}) as { status?: unknown; statusCode?: unknown; data?: { status?: unknown } };
  return [status, statusCode, data?.status].some((code) => refusals.has(code as number));
}
