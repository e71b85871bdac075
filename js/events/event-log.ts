/**
 * The event log: every event of the core, kept as the 24 bytes it is, decoded only when it is read.
 *
 *   position :  -past … -1   the journal as it was found, read when somebody asks
 *               0 … end      this session, in a ring; what is older than the ring is gone
 *
 * Invariants: nobody listening costs one copy per event; an event is shown only when the frame it
 * stands in was acknowledged; `seq` counts the journal's events, so it goes on over a reload.
 */
import { checkEach, checkNames, checkNumber, checkSignal, checkText, oneOf, refuse } from '../intake/checks.ts';
import { copyWords, type EventBatch, type Engine } from '../pump/engine.ts';
import { capacity, type EventOwner, FormerOwners, Records, recordWords, remainsOf, stepName, stepsOf } from './event-records.ts';
import { Past } from './event-past.ts';
import { concernsRun, endsRun, eventTypes, KindClockJumped, MarkNotKept, marks, MarkStep, MarkUntimed, wordOf } from './event-words.ts';
import type { Announcements } from '../journal/journal.ts';
import * as P from '../protocol.ts';
import type { Run } from '../runs/run.ts';
import type { EventsOptions, RunEvent } from '../types.ts';

/** Numbers that change hands before those whose events are gone are looked for. */
const sweepEvery = 1000;

const eventsChecks = {
  since: (value: unknown, where: string) => checkNumber(value, where),
  runId: checkText,
  types: (value: unknown, where: string) => {
    if (!Array.isArray(value)) refuse(where, 'a list of types of events', value);
    for (const type of value) oneOf(type, eventTypes(), where);
  },
  signal: checkSignal,
};

export interface EventLogHost {
  engine(): Engine;
  /** The gathered frame's announcements; undefined: nothing is kept beyond memory. */
  readonly journal: { announcements: Announcements } | undefined;
  readonly pump: { runs: readonly (Run | undefined)[]; run(task: number): Run | undefined };
  readonly table: { readonly queues: { named(name: string): { readonly rules: { readonly isThrottled?: boolean } } | undefined } };
  /** Resolves when the log that was found is known. */
  readonly opening: { opened: Promise<void> };
  readonly store: { has(name: 'event'): boolean; emit(name: 'event', event: RunEvent): void };
}

export class EventLog {
  readonly #host: EventLogHost;
  readonly #ring = new Records();
  #end = 0;
  #shown = 0;
  /** Where events of the page itself stand; they have no number of their own. */
  #ofPage: number[] = [];
  readonly #former = new FormerOwners();
  /** Numbers that changed hands since the last sweep. */
  #freed = 0;
  /** Listeners of `event` have heard everything before it. */
  #told = 0;
  #found: { log: Uint8Array; runAt: (task: number) => Run | undefined } | undefined;
  readonly #past = new Past();
  #wakers = new Set<() => void>();
  #closed = false;

  constructor(host: EventLogHost) {
    this.#host = host;
  }

  // Writing

  /** The events of one step, before they are applied. */
  append(events: EventBatch, runs: readonly (Run | undefined)[], nowMs: number): void {
    const from = this.#end;
    const { words, count } = events;
    let first = 0;
    let seen = 0;
    for (let index = 0; index < count; index++) {
      const mark = marks[words[index * recordWords]!]!;
      if ((mark & (MarkNotKept | MarkStep)) === 0) {
        seen |= mark;
        continue;
      }
      this.#copy(words, first, mark & MarkStep ? index + 1 : index, seen, nowMs);
      if (mark & MarkStep) this.#numberStep((this.#end - 1) % capacity, runs);
      first = index + 1;
      seen = 0;
    }
    this.#copy(words, first, count, seen, nowMs);
    if (this.#end > from) this.#awaitFrame(from);
  }

  /** Records that are kept as they are, in one copy; two where the ring ends between them. `seen`: their marks. */
  #copy(words: Uint32Array, first: number, last: number, seen: number, nowMs: number): void {
    const ring = this.#ring;
    while (first < last) {
      const slot = this.#end % capacity;
      const count = Math.min(last - first, capacity - slot);
      if (slot + count > ring.room) ring.grow();
      copyWords(words, first * recordWords, ring.words, slot * recordWords, count * recordWords);
      if (seen & MarkUntimed) ring.stamps.fill(nowMs, slot, slot + count);
      this.#end += count;
      first += count;
    }
  }

  /** A payload's length tells nobody anything; which step it was does. */
  #numberStep(slot: number, runs: readonly (Run | undefined)[]): void {
    const { words } = this.#ring;
    const run = runs[words[slot * recordWords + 1]!];
    if (!run) return;
    const extra = run.ownExtra;
    const before = stepsOf(run);
    extra.eventSteps ??= { before, next: before };
    words[slot * recordWords + 3] = extra.eventSteps.next++;
  }

  /** Something of the page itself; it takes no number of its own. */
  note(kind: number, at: number, nowMs: number): void {
    const from = this.#end;
    const slot = this.#next();
    this.#ofPage.push(from);
    this.#ring.stamps[slot] = nowMs;
    this.#ring.words.fill(0, slot * recordWords, (slot + 1) * recordWords);
    this.#ring.words[slot * recordWords] = kind;
    this.#ring.times[slot * 3 + 2] = at;
    if (this.#shown === from) this.show(this.#end);
    else this.#awaitFrame(from);
  }

  #next(): number {
    if (this.#end === this.#ring.room && this.#ring.room < capacity) this.#ring.grow();
    const position = this.#end++;
    return position < capacity ? position : position % capacity;
  }

  /** They are shown with the frame that is gathered now. */
  #awaitFrame(from: number): void {
    const announcements = this.#host.journal?.announcements;
    if (!announcements) return;
    announcements.eventsFrom ??= from;
    announcements.eventsEnd = this.#end;
  }

  /** Everything before this position is acknowledged; without a position everything. */
  show(end: number = this.#end): void {
    if (end <= this.#shown) return;
    this.#shown = end;
    if (this.#host.store.has('event')) this.#tell();
    else this.#told = end;
    if (this.#wakers.size > 0) this.#wake();
  }

  /** A core that crashed: what it had not sealed has not happened. */
  rewind(end: number | undefined): void {
    if (end === undefined) return;
    while (this.#end > end) {
      const slot = --this.#end % capacity;
      const kind = this.#ring.words[slot * recordWords]!;
      if (kind >= KindClockJumped) this.#ofPage.pop();
      const steps = this.#ownerAt(this.#end)?.extra?.eventSteps;
      if (kind === P.EventStepRecorded && steps) steps.next--;
    }
  }

  /** The number goes to somebody else; what stands here up to now stays this run's. */
  released(task: number, run: Run): void {
    this.#former.add(task, this.#end, remainsOf(run));
    if (++this.#freed < sweepEvery) return;
    this.#freed = 0;
    this.#former.drop(this.#end - capacity);
    this.#past.sweep();
  }

  // The journal as it was found

  /** `runAt`: whose a number was then. */
  found(log: Uint8Array, runAt: (task: number) => Run | undefined): void {
    if (log.length > 0) this.#found = { log, runAt };
  }

  /** Reads it now, or never: it is about to be replaced by a shorter one. */
  readFound(): void {
    if (!this.#found) return;
    const { log, runAt } = this.#found;
    this.#found = undefined;
    this.#past.read(this.#host.engine(), log, runAt, capacity);
  }

  // Reading

  /** First what is kept, then what comes. Ends with `signal` and with the orchestrator. */
  read(options: EventsOptions = {}): AsyncGenerator<RunEvent, void, undefined> {
    checkNames(options, ['since', 'runId', 'types', 'signal'], 'events');
    checkEach(options, eventsChecks, 'events');
    return this.#read(options);
  }

  async *#read({ since = 0, runId, types, signal }: EventsOptions): AsyncGenerator<RunEvent, void, undefined> {
    const wanted = types && new Set<string>(types);
    await this.#host.opening.opened;
    if (!this.#closed) this.readFound();
    let position = this.#end > capacity ? 0 : -this.#past.length;
    while (!signal?.aborted) {
      if (position >= this.#shown) {
        if (this.#closed) return;
        await this.#more(signal);
        continue;
      }
      position = Math.max(position, this.#end > capacity ? this.#end - capacity : position);
      const at = position++;
      if (this.#number(at) <= since || (runId !== undefined && this.#ownerAt(at)?.id !== runId)) continue;
      const event = this.#decode(at);
      if (event && (!wanted || wanted.has(event.type))) yield event;
    }
  }

  /** The story of one run; ends with its end, or when it is refused. */
  async *story(run: Run): AsyncGenerator<RunEvent, void, undefined> {
    const stop = new AbortController();
    run.accepted.catch(() => stop.abort());
    for await (const event of this.read({ runId: run.id, signal: stop.signal })) {
      yield event;
      // Retried by hand it went on; then this end is not the last.
      if (endsRun(event.type) && !this.#hasLater(run.id, event.seq)) return;
    }
  }

  #hasLater(runId: string, seq: number): boolean {
    const oldest = this.#end > capacity ? this.#end - capacity : -this.#past.length;
    for (let at = this.#shown - 1; at >= oldest && this.#number(at) > seq; at--) if (this.#ownerAt(at)?.id === runId) return true;
    return false;
  }

  #more(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#wakers.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      this.#wakers.add(wake);
      signal?.addEventListener('abort', wake);
    });
  }

  #wake(): void {
    for (const wake of [...this.#wakers]) wake();
  }

  #tell(): void {
    this.readFound();
    while (this.#told < this.#shown) {
      const event = this.#decode(this.#told++);
      if (event) this.#host.store.emit('event', event);
    }
  }

  #number(position: number): number {
    if (position < 0) return this.#past.total + position + 1;
    let number = this.#past.total + position + 1;
    for (const at of this.#ofPage) if (at <= position) number--;
    return number;
  }

  #ownerAt(position: number): EventOwner | undefined {
    if (position < 0) return this.#past.ownerAt(this.#past.length + position);
    const word = (position % capacity) * recordWords;
    const task = this.#ring.words[word + 1]!;
    return concernsRun(this.#ring.words[word]!) ? (this.#former.find(task, position) ?? this.#host.pump.runs[task]) : undefined;
  }

  /** Its queue has a `throttle`. */
  #isThrottled(owner: EventOwner | undefined): boolean {
    const name = owner?.options?.queueName;
    return name !== undefined && this.#host.table.queues.named(name)?.rules.isThrottled === true;
  }

  /** undefined: not for people, or of a run that was forgotten before this page was opened. */
  #decode(position: number): RunEvent | undefined {
    const records = position < 0 ? this.#past.records : this.#ring;
    const index = position < 0 ? this.#past.length + position : position % capacity;
    const [kind, , a, b] = records.words.subarray(index * recordWords, (index + 1) * recordWords) as unknown as [number, number, number, number];
    const word = wordOf(kind);
    const owner = this.#ownerAt(position);
    if (!word || (concernsRun(kind) && !owner)) return undefined;
    const at = records.times[index * 3 + 2]!;
    const step = kind === P.EventStepRecorded ? stepName(owner!, b) : undefined;
    const idOf = (task: number) => this.#host.pump.run(task)?.id;
    const data = word.data({ kind, a, b, at, taskIdentifier: owner?.taskIdentifier, intent: owner?.definition?.spec.intent, isThrottled: () => this.#isThrottled(owner), step, idOf });
    const runId = owner?.id;
    return {
      seq: this.#number(position),
      at: word.untimed ? records.stamps[index]! : at,
      type: word.type,
      ...(runId !== undefined && { runId }),
      ...(data && { data }),
    };
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }
}
