/**
 * The pump: commands → core → events → frame → effects, for one orchestrator.
 *
 * Invariants: the core is stepped from here only, never re-entrantly; no user code runs while events
 * are read; effects happen in event order; at most 8 ms go by before the page gets its turn.
 */
import { CommandBuffer, type Engine, recordWords } from './engine.ts';
import type { FoundRuns } from '../opening/found.ts';
import { overflowError } from '../limiting/sizes.ts';
import { awaitedNote } from '../journal/notes.ts';
import * as P from '../protocol.ts';
import { type CommandWaiter, End, type Run } from '../runs/run.ts';
import { Slice } from './slice.ts';
import { TimeWatch } from '../time/time-watch.ts';
import type { PumpHost } from './host.ts';

/** Creations wait while more than this is handed over and not acknowledged: a full disk must fit it. */
const creationWindowBytes = 256 * 1024;
const creationBatch = 512;
/** Its reactions are microtasks that never leave V8; queueMicrotask is a call into the browser that costs a turn of ten trivial runs a tenth of its time. */
const settled = Promise.resolve();

/** Events that say that somebody's command was carried out, and nothing else. */
const answered: ReadonlyMap<number, number> = new Map([
  [P.EventPaused, P.CommandPause], [P.EventUnpaused, P.CommandResume],
  [P.EventReleased, P.CommandRelease], [P.EventTaskSet, P.CommandSetTask], [P.EventSubmitted, P.CommandSubmit],
]);

/** Has something to say that may be heard by people's code. */
export interface Told {
  tell(): void;
}

export class Pump {
  readonly #host: PumpHost;
  readonly commands = new CommandBuffer();
  /** By the core's numbers. Of those that were found in the journal only the ones somebody has asked for: see `run`. */
  runs: (Run | undefined)[] = [];
  #found: FoundRuns | undefined;
  #engine: Engine | undefined;
  #freeTasks: number[] = [];
  #creations: Run[] = [];
  #nextCreation = 0;
  #scheduled = false;
  #pumping = false;
  #stopped = false;
  readonly #slice: Slice;
  #armedMs = Number.POSITIVE_INFINITY;
  readonly #time: TimeWatch;
  #disarm: (() => void) | undefined;
  #starts: Run[] = [];
  #attempts: number[] = [];
  #burstMs = Number.NaN;
  #untold: Told[] = [];

  constructor(host: PumpHost) {
    this.#host = host;
    this.#slice = new Slice(host.clock);
    this.#time = new TimeWatch(host, () => this.wake());
    // Number 0 stays free: it says that the core does not know a run yet.
    this.runs.push(undefined);
  }

  get engine(): Engine {
    if (!this.#engine) throw new Error('holdfast: the core is not open');
    return this.#engine;
  }

  get open(): boolean {
    return this.#engine !== undefined;
  }

  start(engine: Engine): void {
    this.#engine = engine;
    this.#armedMs = Number.POSITIVE_INFINITY;
    this.wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#disarm?.();
    this.#time.stop();
    this.#engine?.delete();
    this.#engine = this.#found = undefined;
  }

  /** After a crash of the core: until `start` nothing is stepped. */
  detach(): void {
    this.#found?.pause();
    try {
      this.#engine?.delete();
    } catch {
      // A trapped instance can't even be freed; its memory goes with the module.
    }
    this.#engine = undefined;
    this.#time.takeStandstill();
    this.commands.clear();
  }

  enqueue(run: Run): void {
    this.#creations.push(run);
    this.wake();
  }

  /** Takes a run back that has not reached the core. */
  withdraw(run: Run): boolean {
    const index = this.#creations.indexOf(run, this.#nextCreation);
    if (index < 0) return false;
    this.#creations.splice(index, 1);
    return true;
  }

  get waitingCreations(): number {
    return this.#creations.length - this.#nextCreation;
  }

  /** Carries out now what has been asked for; for closing. */
  drain(): void {
    if (!this.#engine || this.#pumping) return;
    while (!this.#step(this.#host.clock.now())) this.#host.journal?.handOver();
  }

  /** Once the events of a step are read, so that whoever hears of it may ask for more at once. */
  afterRead(told: Told): void {
    this.#untold.push(told);
  }

  /**
   * What has been asked for before is carried out, and then what `say` asks for: now, without time going on, and in one
   * frame. REQUIRES: the core is open, and no events are being read.
   */
  atOnce(say: () => void): void {
    const { steppedMs } = this.#engine!;
    while (!this.#step(steppedMs));
    say();
    while (!this.#step(steppedMs));
    this.wake();
  }

  /** Creates now what waits to be created as children of this run. */
  admitChildren(parent: Run): void {
    for (const run of this.#creations.splice(this.#nextCreation)) {
      if (run.extra.parent === parent) this.#create(run);
      else this.#creations.push(run);
    }
  }

  /** Pumps once what is under way on this stack is done. */
  wake(): void {
    if (this.#scheduled || this.#pumping || !this.#engine || this.#stopped) return;
    this.#scheduled = true;
    void settled.then(this.#turn);
  }

  /** After the page had its turn. */
  defer(callback: () => void): void {
    this.#host.clock.defer(callback);
  }

  /** The time of what is asked for without a pause, read once for all of it: a clock costs a fifth of a trigger. */
  get burstMs(): number {
    if (!this.#scheduled || Number.isNaN(this.#burstMs)) this.#burstMs = this.#host.clock.now();
    return this.#burstMs;
  }

  assignTask(run: Run): number {
    const task = this.#freeTasks.pop() ?? this.runs.length;
    run.task = task;
    this.runs[task] = run;
    return task;
  }

  /** The runs of a journal. The pump has none of its own yet. */
  expect(found: FoundRuns): void {
    this.#found = found;
    this.runs = new Array(Math.max(1, found.end)).fill(undefined);
  }

  /** The run with this number, one that was found in the journal too. */
  run(task: number): Run | undefined {
    return this.runs[task] ?? this.#found?.take(task);
  }

  /** Every run; `undefined` where a number is free. */
  allRuns(): readonly (Run | undefined)[] {
    this.takeSome(Number.POSITIVE_INFINITY);
    return this.runs;
  }

  /** Makes about so many of the runs that were found and that nobody has asked for. False: there are more. */
  takeSome(count: number): boolean {
    if (!this.#found) return true;
    if (!this.#found.takeSome(count)) return false;
    this.#found = undefined;
    this.numbered();
    return true;
  }

  /** Numbers of runs that were found and that nobody has asked for. */
  untaken(): Iterable<number> {
    return this.#found?.left() ?? [];
  }

  /** Why it was cancelled, a CancelCause; undefined: it was not, or nobody can be asked. REQUIRES: the core knows it */
  cancelCauseOf(run: Run): number | undefined {
    return run.end === End.Cancelled && this.open ? this.engine.value(run.task, P.FieldCancelReason) >>> 24 : undefined;
  }

  /** The runs on which this hold lies. */
  heldRuns(hold: number): Run[] {
    return this.engine.heldTasks(hold).flatMap((task) => this.run(task) ?? []);
  }

  /** A core that was rebuilt has loaded this log. */
  moveFound(engine: Engine, log: Uint8Array): void {
    this.#found?.moved(engine, log);
  }

  /** After runs were put under the numbers of a journal: the gaps between them are free. REQUIRES: all are taken. */
  numbered(): void {
    this.#freeTasks = [];
    for (let task = this.runs.length - 1; task > 0; task--) if (!this.runs[task]) this.#freeTasks.push(task);
  }

  release(run: Run): void {
    this.#host.eventLog.released(run.task, run);
    this.runs[run.task] = undefined;
    this.#freeTasks.push(run.task);
    run.task = 0;
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.#burstMs = Number.NaN;
    if (!this.#engine || this.#stopped || this.#pumping) return;
    const nowMs = this.#host.clock.now();
    if (this.#time.isAsking(nowMs)) return;
    this.#time.look(nowMs, this.#armedMs);
    if (!this.#slice.enter(nowMs)) return this.#yield();
    this.#pumping = true;
    try {
      this.#pump(nowMs);
    } catch (error) {
      this.#host.crashed(error);
    }
    this.#pumping = false;
  };

  #yield(): void {
    this.#scheduled = true;
    this.#slice.yield(this.#turn);
  }

  #pump(firstNowMs: number): void {
    let nowMs = firstNowMs;
    this.#thaw(nowMs);
    for (;;) {
      this.#admit();
      const done = this.#step(nowMs);
      this.#host.stepped();
      this.#runStarts();
      if (done && this.commands.count === 0 && this.#starts.length === 0 && !this.#admissible()) break;
      nowMs = this.#host.clock.now();
      if (this.#slice.isOver(nowMs)) return this.#yield();
    }
    this.#arm();
  }

  #step(nowMs: number): boolean {
    const done = this.#engine!.step(this.commands, nowMs);
    this.#read(nowMs);
    if (this.#untold.length > 0) for (const told of this.#untold.splice(0)) told.tell();
    return done;
  }

  /** Ahead of all commands: those of more than one step would let the timers ring in between. */
  #thaw(nowMs: number): void {
    const forMs = this.#time.takeStandstill();
    if (forMs === 0) return;
    this.#engine!.stepOne(P.CommandThaw, forMs, nowMs);
    this.#read(nowMs);
  }

  #admissible(): boolean {
    if (this.waitingCreations === 0) return false;
    const { journal } = this.#host;
    return !journal || journal.unacknowledgedBytes < creationWindowBytes;
  }

  /** What is wrong with one run is that run's; only the core's own faults are a crash. */
  #create(run: Run): void {
    const { count, byteCount } = this.commands;
    try {
      this.#host.create(run);
    } catch (error) {
      this.commands.count = count;
      this.commands.byteCount = byteCount;
      if (run.task !== 0) this.release(run);
      this.#host.refuse(run, error);
    }
  }

  #admit(): void {
    if (!this.#admissible()) return;
    const until = Math.min(this.#creations.length, this.#nextCreation + creationBatch);
    // What one step does not carry out would keep what the runs before it say waiting.
    while (this.#nextCreation < until && !this.commands.fillsStep) {
      const run = this.#creations[this.#nextCreation++]!;
      this.#create(run);
    }
    if (this.#nextCreation === this.#creations.length) {
      this.#creations = [];
      this.#nextCreation = 0;
    }
  }

  #arm(): void {
    this.#time.watchStandstill(this.#engine!.thawableAttempts > 0);
    const deadlineMs = this.#engine!.deadlineMs;
    if (deadlineMs !== this.#armedMs) this.#armFor(deadlineMs);
  }

  #armFor(deadlineMs: number): void {
    this.#disarm?.();
    this.#armedMs = deadlineMs;
    this.#disarm =
      deadlineMs === Number.POSITIVE_INFINITY
        ? undefined
        : this.#host.clock.schedule(deadlineMs, () => {
            this.#time.look(this.#host.clock.now(), deadlineMs);
            this.#armedMs = Number.POSITIVE_INFINITY;
            this.#disarm = undefined;
            this.wake();
          });
  }

  #runStarts(): void {
    if (this.#starts.length === 0) return;
    const runs = this.#starts;
    const numbers = this.#attempts;
    this.#starts = [];
    this.#attempts = [];
    const { attempts } = this.#host;
    for (let index = 0; index < runs.length; index++) attempts.start(runs[index]!, numbers[index]!);
  }

  /** Reads the events of the last step. Nothing here runs code of others, but for effects queued above. */
  #read(nowMs: number): void {
    const { events } = this.#engine!;
    const { runs } = this;
    this.#host.eventLog.append(events, runs, nowMs);
    const { words } = events;
    const end = events.count * recordWords;
    for (let word = 0; word < end; word += recordWords) {
      const kind = words[word]!;
      const task = words[word + 1]!;
      if (kind === P.EventGroupSettled) this.#host.groups.heard(task, words[word + 2]!, words[word + 3]!);
      if (kind >= P.EventQueueSet && kind <= P.EventGroupSettled) continue;
      const run = runs[task] ?? (kind < P.EventQueueSet ? this.#found?.take(task, true) : undefined);
      if (run) this.#apply(run, kind, words[word + 2]!, words[word + 3]!);
      else if (kind >= P.EventCircuitOpened && kind <= P.EventCircuitClosed) for (const held of this.heldRuns(P.HoldCircuit)) this.#host.changed(held);
    }
  }

  #apply(run: Run, kind: number, a: number, b: number): void {
    switch (kind) {
      case P.EventCreated:
        return this.#created(run);
      case P.EventStarted:
        run.attempt = a;
        this.#starts.push(run);
        this.#attempts.push(a);
        return this.#host.changed(run);
      case P.EventSucceeded:
        return this.#end(run, End.Completed);
      default:
        return this.#applyRare(run, kind, a, b);
    }
  }

  #applyRare(run: Run, kind: number, a: number, b: number): void {
    switch (kind) {
      case P.EventFailed:
        return this.#end(run, End.Failed);
      case P.EventCancelled:
        this.#answer(run, P.CommandCancel);
        return this.#end(run, End.Cancelled);
      case P.EventAttemptFailed:
        this.#host.attemptFailed(run);
        return this.#host.changed(run);
      case P.EventStopping:
        this.#host.attempts.stopping(run, a >>> 24);
        return this.#host.changed(run);
      case P.EventAbandoned:
        return this.#host.attempts.abandoned(run);
      case P.EventResumed:
        this.#host.attempts.resumed(run);
        return this.#host.changed(run);
      case P.EventRetried:
        run.end = End.None;
        if (run.announced) run.promised = run.deliver = undefined;
        if (run.announced && run.extra.completion) run.ownExtra.completion = undefined;
        run.announced = false;
        if (run.extra.error ?? run.extra.errorPayload) run.ownExtra.error = run.ownExtra.errorPayload = undefined;
        this.#answer(run, P.CommandRetry);
        return this.#host.changed(run);
      case P.EventForgotten:
        this.#answer(run, P.CommandForget);
        return this.#host.forgotten(run);
      case P.EventStepRecorded:
        return this.#recorded(run);
      case P.EventWaited:
        if (b === 0) this.#host.attempts.waited(run);
        return this.#host.changed(run);
      case P.EventWoken:
        this.#host.attempts.woken(run);
        return this.#host.changed(run);
      case P.EventAlarmRang:
        return this.#host.attempts.alarmRang(run);
      case P.EventAlarmSet:
      case P.EventHeartbeatSeen:
        return;
      case P.EventStepsDropped:
        run.extra.history?.dropped(b);
        return this.#host.changed(run);
      case P.EventRejected:
        return this.#refuse(run, a, b);
      default: {
        const command = kind === P.EventNoted ? awaitedNote(a) : answered.get(kind);
        if (command !== undefined) this.#answer(run, command);
        return this.#host.changed(run);
      }
    }
  }

  #created(run: Run): void {
    const { journal } = this.#host;
    if (journal) journal.announcements.created.push(run);
    else this.accept(run);
  }

  /** The run is acknowledged (or needs no acknowledgement). */
  accept(run: Run): void {
    run.accepted_ = true;
    run.extra.acceptance?.resolve();
    this.#host.changed(run);
  }

  #end(run: Run, end: End): void {
    run.end = end;
    run.attempt = 0;
    this.#host.ended(run);
  }

  /** Who gave the command hears of it when it is acknowledged. */
  #answer(run: Run, command: number): void {
    this.#takeWaiter(run, command, (resolve) => {
      const { journal } = this.#host;
      if (journal) journal.announcements.waiters.push(() => resolve(true));
      else resolve(true);
    });
  }

  #recorded(run: Run): void {
    const acknowledged = run.extra.history?.taken();
    this.#host.changed(run);
    if (!acknowledged) return;
    const { journal } = this.#host;
    if (journal) journal.announcements.waiters.push(acknowledged);
    else acknowledged();
  }

  #refuse(run: Run, why: number, command: number): void {
    if (command === P.CommandCreate && why === P.RejectionQueueFull) return this.#overflown(run);
    if (command === P.CommandRecordStep) return run.extra.history?.refused();
    if (command === P.CommandWait) return this.#host.attempts.waitRefused(run);
    // Begun anew by somebody else meanwhile, it goes on without the group.
    if (command === P.CommandJoinGroup && why === P.RejectionAlreadySubmitted) return;
    if (command === P.CommandBelong || command === P.CommandJoinGroup) return this.#host.attempts.orphaned(run);
    this.#takeWaiter(run, command, (resolve) => resolve(false), true);
  }

  /** Its queue takes no more; the core does not know it. */
  #overflown(run: Run): void {
    this.release(run);
    if (!run.extra.dropsWhereFull) return this.#host.refuse(run, overflowError(run));
    run.ownExtra.isDropped = true;
    this.enqueue(run);
  }

  /** @param last what is refused came after what goes on to be carried out */
  #takeWaiter(run: Run, command: number, take: (resolve: (carriedOut: boolean) => void) => void, last = false): void {
    const isIt = (waiter: CommandWaiter) => waiter.command === command;
    const { waiters } = run.extra;
    const index = (last ? waiters?.findLastIndex(isIt) : waiters?.findIndex(isIt)) ?? -1;
    if (index < 0) return;
    const [waiter] = run.extra.waiters!.splice(index, 1);
    take(waiter!.resolve);
  }
}
