/**
 * Waiting for the outside, of one orchestrator: events, tokens, runs that events cancel. What is kept
 * of them are hidden runs; here they are found when a journal is opened or taken over, and let go by age.
 *
 * Invariant: every hidden run of this tab is known to `events` or `tokens` before code that may wait
 * for it runs.
 */
import { fromMessage, toMessage, type ValueMessage } from '../codec/message.ts';
import { toMilliseconds } from '../intake/duration.ts';
import type { Definitions } from '../definition/definitions.ts';
import type { OptionTable } from '../intake/options.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { Asking } from '../asking/asking.ts';
import * as P from '../protocol.ts';
import type { Run } from '../runs/run.ts';
import { Cancellations } from './cancel-on.ts';
import { Events, type SentEvent } from './events.ts';
import { eventTask, hiddenQueue, internal, internalDefinitions, removalTask, tokenTask } from './internal.ts';
import { Tokens } from './tokens.ts';

/** What was opened has this long to be asked for, however old it is. */
const patienceMs = 60_000;

export class Waiting {
  readonly #house: Orchestrator;
  readonly events: Events;
  readonly tokens: Tokens;
  readonly cancellations: Cancellations;
  readonly asking: Asking;
  #sweepAtMs = Number.POSITIVE_INFINITY;
  #cancelSweep: (() => void) | undefined;

  constructor(house: Orchestrator) {
    this.#house = house;
    this.events = new Events(house);
    this.tokens = new Tokens(house);
    this.asking = new Asking(house);
    this.cancellations = new Cancellations(house, this);
    this.events.onStored = (event) => {
      this.cancellations.apply(event);
      this.#sweepAt(event.atMs + this.#ages().eventMs);
    };
  }

  /** Makes our own tasks and their queue known. */
  define(definitions: Definitions, table: OptionTable): void {
    for (const definition of internalDefinitions) definitions.addInternal(definition);
    definitions.addInternal(internal(removalTask, async (removal) => (await this.#house.removals.load()).carryOut(removal)));
    table.queues.known(hiddenQueue);
  }

  createdAtMs(run: Run): number {
    if (run.createdAtMs > 0) return run.createdAtMs;
    const { pump } = this.#house;
    return pump.open && run.task !== 0 ? pump.engine.value(run.task, P.FieldCreatedAt) : 0;
  }

  /** One of a journal that is read. */
  hide(run: Run): void {
    run.ownExtra.hidden = true;
    // What it has removed is not to be shown for a moment.
    if (run.taskIdentifier === removalTask) this.#house.removals.load().catch(() => {});
  }

  /** The journal is read; nothing runs yet. Resolves when what is removed is not shown. */
  async opened(): Promise<void> {
    const hidden = this.#house.pump.runs.filter((run): run is Run => run?.extra.hidden === true);
    this.events.addFound(hidden.filter((run) => run.taskIdentifier === eventTask));
    if (hidden.length > 0) this.#sweepAt(this.#house.clock.now() + patienceMs);
    for (const run of hidden) if (run.taskIdentifier === tokenTask) this.tokens.add(run);
    for (const run of hidden) if (run.taskIdentifier === removalTask) await this.#removal(run);
  }

  /** A run of a dead session is ours now. */
  adopted(run: Run): void {
    if (!run.extra.hidden) return this.cancellations.consider(run);
    if (run.taskIdentifier === tokenTask) this.tokens.add(run);
    else if (run.taskIdentifier === removalTask) return void this.#removal(run);
    else void this.events.add(run).catch((error) => this.#house.listenerFailed(error));
    this.#sweepAt(this.#house.clock.now() + patienceMs);
  }

  #removal(run: Run): Promise<void> {
    return this.#house.removals.load().then((removals) => removals.find(run), (error) => this.#house.listenerFailed(error));
  }

  /** A token has ended. */
  ended(run: Run): void {
    if (run.extra.hidden && run.taskIdentifier === tokenTask) this.#sweepAt(this.#house.clock.now() + this.#ages().tokenMs);
  }

  forgotten(run: Run): void {
    if (!run.extra.hidden) return;
    this.events.forgotten(run);
    this.tokens.forgotten(run);
  }

  // Retention

  #ages(): { eventMs: number; tokenMs: number } {
    const { events = {}, tokens = {} } = this.#house.getOptions().retention ?? {};
    return { eventMs: toMilliseconds(events.age ?? '24h', 'retention.events.age'), tokenMs: toMilliseconds(tokens.age ?? '1h', 'retention.tokens.age') };
  }

  #sweepAt(atMs: number): void {
    if (atMs >= this.#sweepAtMs || this.#house.disposed) return;
    this.#cancelSweep?.();
    this.#sweepAtMs = atMs;
    this.#cancelSweep = this.#house.clock.schedule(atMs, () => this.#sweep());
  }

  #sweep(): void {
    this.#sweepAtMs = Number.POSITIVE_INFINITY;
    if (this.#house.disposed) return;
    const nowMs = this.#house.clock.now();
    const { eventMs, tokenMs } = this.#ages();
    const nextMs = Math.min(this.events.expire(nowMs - eventMs) + eventMs, this.tokens.expire(nowMs - tokenMs) + tokenMs);
    // What is just as old as it may be goes with the next millisecond; what is still waited for, later.
    if (nextMs !== Number.POSITIVE_INFINITY) this.#sweepAt(Math.max(nextMs + 1, nowMs + 1000));
  }

  close(): void {
    this.#cancelSweep?.();
  }

  // Between tabs

  /** Another tab has sent one. */
  async receive(event: SentEvent): Promise<void> {
    return this.events.receive({ ...event, data: fromMessage(event.data as ValueMessage) });
  }

  /** What another tab that has just come may have missed. */
  news(): SentEvent[] {
    return this.events.news().map(toSent);
  }
}

export function toSent(event: SentEvent): SentEvent {
  return { ...event, data: toMessage(event.data, 'data').value };
}
