/**
 * The event log: every event of the core, kept as the 24 bytes it is, decoded only when it is read.
 *
 *   position :  -past … -1   the journal as it was found, read when somebody asks
 *               0 … end      this session, in a ring; what is older than the ring is gone
 *
 * Invariants: nobody listening costs one copy per event; an event is shown only when the frame it
 * stands in was acknowledged; `seq` counts the journal's events, so it goes on over a reload.
 */
import type { EventBatch, Engine } from './engine.ts';
import { capacity, EventLabel, Records, recordWords } from './event-records.ts';
import { concernsRun, endsRun, KindClockJumped, wordOf } from './event-words.ts';
import type { Announcements } from './journal.ts';
import * as P from './protocol.ts';
import type { Run } from './run.ts';
import type { EventsOptions, RunEvent } from './types.ts';

export interface EventLogHost {
  engine(): Engine;
  /** The gathered frame's announcements; undefined: nothing is kept beyond memory. */
  readonly journal: { announcements: Announcements } | undefined;
  readonly pump: { runs: readonly (Run | undefined)[] };
  /** Resolves when the log that was found is known. */
  readonly opening: { opened: Promise<void> };
  readonly store: { has(name: 'event'): boolean; emit(name: 'event', event: RunEvent): void };
}

export class EventLog {
  readonly #host: EventLogHost;
  readonly #ring = new Records();
  #end = 0;
  #shown = 0;
  /** Journalled events of this session. */
  #counted = 0;
  /** Listeners of `event` have heard everything before it. */
  #told = 0;
  #found: { log: Uint8Array; runs: readonly (Run | undefined)[] } | undefined;
  #past = new Records();
  #pastLength = 0;
  /** How many events the log that was found holds. */
  #pastTotal = 0;
  #wakers = new Set<() => void>();
  #closed = false;

  constructor(host: EventLogHost) {
    this.#host = host;
  }

  // Writing

  /** The events of one step, before they are applied. */
  append(events: EventBatch, runs: readonly (Run | undefined)[], nowMs: number): void {
    const from = this.#end;
    for (let index = 0; index < events.count; index++) {
      const kind = events.kind(index);
      if (kind >= P.EventRejected) continue;
      const run = concernsRun(kind) ? runs[events.task(index)] : undefined;
      const label = run && (run.eventLabel ??= new EventLabel(run));
      const slot = this.#next();
      this.#ring.labels[slot] = label;
      this.#ring.stamps[slot] = nowMs;
      this.#ring.numbers[slot] = ++this.#counted;
      const word = slot * recordWords;
      for (let part = 0; part < recordWords; part++) this.#ring.words[word + part] = events.words[index * recordWords + part]!;
      // A payload's length tells nobody anything; which step it was does.
      if (kind === P.EventStepRecorded && label) this.#ring.words[word + 3] = label.steps++;
    }
    if (this.#end > from) this.#awaitFrame(from);
  }

  /** Something of the page itself; it takes no number of its own. */
  note(kind: number, at: number, nowMs: number): void {
    const from = this.#end;
    const slot = this.#next();
    this.#ring.labels[slot] = undefined;
    this.#ring.stamps[slot] = nowMs;
    this.#ring.numbers[slot] = this.#counted;
    this.#ring.words.fill(0, slot * recordWords, (slot + 1) * recordWords);
    this.#ring.words[slot * recordWords] = kind;
    this.#ring.times[slot * 3 + 2] = at;
    if (this.#shown === from) this.show(this.#end);
    else this.#awaitFrame(from);
  }

  #next(): number {
    if (this.#end === this.#ring.room && this.#ring.room < capacity) this.#ring.grow();
    return this.#end++ % this.#ring.room;
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
      const slot = --this.#end % this.#ring.room;
      const kind = this.#ring.words[slot * recordWords]!;
      if (kind < KindClockJumped) this.#counted--;
      if (kind === P.EventStepRecorded && this.#ring.labels[slot]) this.#ring.labels[slot].steps--;
    }
  }

  // The journal as it was found

  found(log: Uint8Array, runs: readonly (Run | undefined)[]): void {
    if (log.length > 0) this.#found = { log, runs: [...runs] };
  }

  /** Reads it now, or never: it is about to be replaced by a shorter one. */
  readFound(): void {
    if (!this.#found) return;
    const { log, runs } = this.#found;
    this.#found = undefined;
    const { total, words } = this.#host.engine().history(log, capacity);
    this.#pastTotal = total;
    const past = this.#past;
    past.words = words;
    past.times = new Float64Array(words.buffer);
    this.#pastLength = words.length / recordWords;
    past.stamps = new Float64Array(this.#pastLength);
    this.#stamp();
    this.#label(runs);
  }

  #stamp(): void {
    let nowMs = 0;
    for (let index = 0; index < this.#pastLength; index++) {
      if (!wordOf(this.#past.words[index * recordWords]!)?.untimed) nowMs = this.#past.times[index * 3 + 2]!;
      this.#past.stamps[index] = nowMs;
    }
  }

  /** Backwards: a number belongs to the run that had it last, and to nobody before that was created. */
  #label(runs: readonly (Run | undefined)[]): void {
    const { words, labels } = this.#past;
    const left = new Map<number, { label: EventLabel; steps: number }>();
    const over = new Set<number>();
    for (let index = this.#pastLength - 1; index >= 0; index--) {
      const [kind, task] = [words[index * recordWords]!, words[index * recordWords + 1]!];
      // What comes before the end of a compacted log is a state, not a story.
      if (kind === P.EventSnapshotEnded) return this.#drop(index + 1);
      const run = concernsRun(kind) && !over.has(task) ? runs[task] : undefined;
      if (!run) continue;
      let known = left.get(task);
      if (!known) {
        const label = (run.eventLabel ??= new EventLabel(run));
        left.set(task, (known = { label, steps: label.stepsBefore }));
      }
      labels[index] = known.label;
      if (kind === P.EventStepRecorded) words[index * recordWords + 3] = --known.steps;
      if (kind === P.EventCreated) over.add(task);
    }
  }

  #drop(count: number): void {
    const past = this.#past;
    past.words = past.words.slice(count * recordWords);
    past.times = new Float64Array(past.words.buffer);
    past.stamps = past.stamps.slice(count);
    past.labels = past.labels.slice(count);
    this.#pastLength -= count;
  }

  // Reading

  /** First what is kept, then what comes. Ends with `signal` and with the orchestrator. */
  async *read(options: EventsOptions = {}): AsyncGenerator<RunEvent, void, undefined> {
    const { since = 0, runId, types, signal } = options;
    const wanted = types && new Set<string>(types);
    await this.#host.opening.opened;
    if (!this.#closed) this.readFound();
    let position = this.#end > capacity ? 0 : -this.#pastLength;
    while (!signal?.aborted) {
      if (position >= this.#shown) {
        if (this.#closed) return;
        await this.#more(signal);
        continue;
      }
      position = Math.max(position, this.#end > capacity ? this.#end - capacity : position);
      const at = position++;
      if (this.#number(at) <= since || (runId !== undefined && this.#labelAt(at)?.id !== runId)) continue;
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
    const oldest = this.#end > capacity ? this.#end - capacity : -this.#pastLength;
    for (let at = this.#shown - 1; at >= oldest && this.#number(at) > seq; at--) if (this.#labelAt(at)?.id === runId) return true;
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
    if (position < 0) return this.#pastTotal + position + 1;
    return this.#pastTotal + this.#ring.numbers[position % this.#ring.room]!;
  }

  #labelAt(position: number): EventLabel | undefined {
    return position < 0 ? this.#past.labels[this.#pastLength + position] : this.#ring.labels[position % this.#ring.room];
  }

  /** undefined: not for people, or of a run that was forgotten before this page was opened. */
  #decode(position: number): RunEvent | undefined {
    const records = position < 0 ? this.#past : this.#ring;
    const index = position < 0 ? this.#pastLength + position : position % this.#ring.room;
    const [kind, , a, b] = records.words.subarray(index * recordWords, (index + 1) * recordWords) as unknown as [number, number, number, number];
    const word = wordOf(kind);
    const label = records.labels[index];
    if (!word || (concernsRun(kind) && !label)) return undefined;
    const at = records.times[index * 3 + 2]!;
    const step = kind === P.EventStepRecorded ? label!.stepName(b) : undefined;
    const idOf = (task: number) => this.#host.pump.runs[task]?.id;
    const data = word.data({ kind, a, b, at, taskIdentifier: label?.taskIdentifier, step, idOf });
    const runId = label?.id;
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
