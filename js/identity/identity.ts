/**
 * Which runs are one: a call with a key that another run of the task holds makes no second one.
 *
 * Who holds a key is the core's to say (`Core::key_holder`, from what stands in the journal), of runs that are
 * on their way to it `#pending`, of other tabs what they have told.
 *
 * Invariants: between looking who holds a key and taking it there is no turn; what dead tabs left is known
 * before anybody is given a key (`ready`); key and run are stored in one frame.
 */
import { Collapsing, type CollapsingCall } from '../collapsing/collapsing.ts';
import { checkTriggerOptions } from '../intake/intake.ts';
import { checkRunOptions } from '../intake/options.ts';
import { NoteKind } from '../journal/notes.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { RemoteHandle } from '../tabs/remote.ts';
import { type Definition, isTask } from '../intake/registry.ts';
import { End, Run, settlement, type Settlement } from '../runs/run.ts';
import { hasEnded } from '../runs/status.ts';
import type { KeyPlace } from '../tabs/tabs.ts';
import type { RunHandle, Task, TriggerOptions } from '../types.ts';
import { isPromise } from '../definition/validation.ts';
import { checkIdentifier } from '../intake/checks.ts';
import { type Asker, askerOf, createKey, hashOf, type RunKey, textOf } from './key.ts';
import { KeyTurns } from './key-turns.ts';
import { duplicate, type Joined, KeyedHandle } from './keyed-handle.ts';
import { keyOf } from './plan.ts';
import type { IdempotencyKey, KeyOptions, ResetOptions } from './types.ts';
import { refuseDisposed } from '../runs/disposed.ts';

export class Identity {
  readonly #house: Orchestrator;
  /** Whoever may hold a key is known. */
  #isOpen = false;
  /** On their way to the core and stored, by task and text; the youngest last. */
  readonly #pending = new Map<string, Run[]>();
  /** Runs whose calls wait to hear whether they are made. */
  readonly #undecided = new WeakMap<Run, Settlement>();
  /** What an undecided run waits for: the decisions about calls for its task that came before. */
  readonly #before = new WeakMap<Run, Promise<unknown>>();
  readonly #last = new Map<string, Promise<void>>();
  readonly #turns: KeyTurns;
  readonly create = createKey;
  readonly collapsing: Collapsing;
  /** Runs that have other keys beside their own. */
  readonly #bearers = new Set<Run>();
  #looked = false;

  constructor(house: Orchestrator) {
    this.#house = house;
    this.collapsing = new Collapsing(house);
    this.#turns = new KeyTurns({
      get tabs() {
        return house.opening.tabs;
      },
      defer: (callback) => house.clock.defer(callback),
    });
  }

  opened(): void {
    this.#isOpen = true;
  }

  /** @throws ConfigurationError DuplicateRunError, and what a trigger throws */
  trigger(definition: Definition, input: unknown, options: TriggerOptions = {}, replayOf?: string): RunHandle<any, any> {
    const { intake, clock } = this.#house;
    // Of a call that makes no run nobody else would say what is wrong.
    checkTriggerOptions(options);
    checkRunOptions(options, 'trigger');
    const key = keyOf(definition, input, options, clock.now(), undefined);
    if (key === undefined) return intake.trigger(definition, input, options, replayOf);
    if (this.#isOpen && !isPromise(key)) {
      const joined = this.claim(definition.id, key);
      if (joined) return new KeyedHandle(this.takenIn(joined, key));
      if (!this.#turns.areNeeded) return intake.trigger(definition, input, options, replayOf, undefined, this.#taken(key));
    }
    const run = intake.trigger(definition, input, options, replayOf, undefined, key);
    const decision = settlement();
    this.#undecided.set(run, decision);
    this.#queueUp(run, decision.promise);
    // Refused for another reason.
    run.accepted.then(decision.resolve, () => decision.resolve());
    return new KeyedHandle(run, decision.promise);
  }

  /** Calls for a task are decided in their order, however long the payload of one is read. */
  #queueUp(run: Run, decision: Promise<unknown>): void {
    const { taskIdentifier } = run;
    const before = this.#last.get(taskIdentifier) ?? Promise.resolve();
    this.#before.set(run, before);
    const last = Promise.all([before, decision]).then(() => {
      if (this.#last.get(taskIdentifier) === last) this.#last.delete(taskIdentifier);
    });
    this.#last.set(taskIdentifier, last);
  }

  /** For a child, whose code can wait. */
  async keyOf(definition: Definition, input: unknown, options: TriggerOptions, asker: Asker | undefined): Promise<RunKey | undefined> {
    const key = await keyOf(definition, input, options, this.#house.clock.now(), asker);
    if (!key) return undefined;
    if (!this.#isOpen) await this.#house.ready;
    const endTurn = this.#turns.areNeeded ? await this.#turns.begin(definition.id, key) : undefined;
    return this.#taken({ ...key, endTurn });
  }

  /** What a run bears that may be made at once. */
  #taken(key: RunKey): RunKey {
    return { ...key, decided: true };
  }

  /**
   * Who holds the key, and what its policy makes of that: a run to join, or undefined, and the key is free for a new
   * one in this very turn. @throws DuplicateRunError
   */
  claim(taskIdentifier: string, key: RunKey): Joined | undefined {
    key.replaces = key.after = undefined;
    if (key.collapsing) return this.#claimCollapsing(taskIdentifier, key, key.collapsing);
    const holder = this.#holder(taskIdentifier, key);
    if (!holder || (key.whileAlive && isOver(holder))) return undefined;
    switch (key.onDuplicate) {
      case 'reject':
        throw duplicate(holder, 'Nothing was created');
      case 'replace':
        if (!isOver(holder)) key.replaces = holder;
        return undefined;
      case 'queue':
        if (holder instanceof Run && !isOver(holder)) key.after = holder;
        return undefined;
      default:
        return { handle: holder, skipped: key.onDuplicate === 'skip' };
    }
  }

  /** Its other key wins; a run that was made of calls under several is known by those too. */
  #claimCollapsing(taskIdentifier: string, key: RunKey, call: CollapsingCall): Joined | undefined {
    const { before } = key;
    const joined = before && (this.claim(taskIdentifier, before) ?? this.#borne(taskIdentifier, before));
    if (joined) return joined;
    return this.collapsing.claim(taskIdentifier, key, call, this.#holder(taskIdentifier, key));
  }

  #borne(taskIdentifier: string, { text, onDuplicate }: RunKey): Joined | undefined {
    this.#look();
    const nowMs = this.#house.clock.now();
    for (const run of this.#bearers) {
      const { bears } = run.extra;
      const counts = bears && run.taskIdentifier === taskIdentifier && run.end !== End.Failed && !run.extra.gone && bears.get(text)! > nowMs;
      if (counts) return { handle: run, skipped: onDuplicate === 'skip' };
    }
    return undefined;
  }

  /** The run has taken in a call with another key. */
  #bear(run: Run, { text, untilMs }: RunKey): void {
    const extra = run.ownExtra;
    extra.bears = new Map(extra.bears).set(text, untilMs);
    this.#bearers.add(run);
    run.accepted.then(() => this.#house.services.note(run, NoteKind.Keys, [...extra.bears!], 'keys')).catch(() => {});
  }

  /** A journal was taken over. */
  lookAgain(): void {
    this.#looked = false;
  }

  /** Those of the journal, once somebody asks. */
  #look(): void {
    if (this.#looked) return;
    this.#looked = true;
    for (const run of this.#house.pump.allRuns()) {
      const note = run?.extra.notes?.has(NoteKind.Keys) && this.#house.services.readNote(run, NoteKind.Keys)?.value;
      if (!run || !Array.isArray(note)) continue;
      run.ownExtra.bears = new Map([...(note as [string, number][]), ...(run.extra.bears ?? [])]);
      this.#bearers.add(run);
    }
  }

  /** A run that is there takes the call in. */
  takenIn(joined: Joined, key: RunKey): Joined {
    if (!joined.takesIn) return joined;
    const stored = this.collapsing.takeIn(joined.handle as Run | RemoteHandle, key.collapsing!);
    stored.catch(() => {});
    if (key.before && joined.handle instanceof Run) this.#bear(joined.handle, key.before);
    return { ...joined, stored };
  }

  #holder(taskIdentifier: string, { text, hash }: RunKey): Run | RemoteHandle | undefined {
    const nowMs = this.#house.clock.now();
    return this.#coming(taskIdentifier, text, nowMs) ?? this.#ofTheCore(taskIdentifier, text, hash, nowMs) ?? this.#elsewhere(taskIdentifier, text, nowMs);
  }

  /** For other tabs: of ours only. */
  holdersOf(keys: readonly KeyPlace[]): Run[] {
    const nowMs = this.#house.clock.now();
    return keys.flatMap(([taskIdentifier, text]) => this.#coming(taskIdentifier, text, nowMs) ?? this.#ofTheCore(taskIdentifier, text, hashOf(taskIdentifier, text), nowMs) ?? []);
  }

  #coming(taskIdentifier: string, text: string, nowMs: number): Run | undefined {
    const coming = this.#pending.get(placeOf(taskIdentifier, text)) ?? [];
    return coming.findLast((run) => run.end !== End.Failed && !run.extra.gone && run.extra.refusal === undefined && run.extra.key!.untilMs > nowMs);
  }

  #ofTheCore(taskIdentifier: string, text: string, hash: number, nowMs: number): Run | undefined {
    const { pump } = this.#house;
    const task = pump.open ? pump.engine.keyHolder(hash, nowMs) : 0;
    const run = task === 0 ? undefined : pump.run(task);
    return run?.taskIdentifier === taskIdentifier && run.extra.key?.text === text ? run : undefined;
  }

  #elsewhere(taskIdentifier: string, text: string, nowMs: number): RemoteHandle | undefined {
    const { tabs } = this.#house.opening;
    for (const state of tabs?.remote.keyed() ?? []) {
      const counts = (state.idempotencyKeyExpiresAt ?? 0) > nowMs && state.status !== 'failed';
      if (counts && state.taskIdentifier === taskIdentifier && state.idempotencyKey === text && !this.#house.localRun(state.id)) return tabs!.handle(state.id);
    }
    return undefined;
  }

  // On the way to the core

  /** What it refers to is stored: it may be created, unless its key is held. */
  enqueue(run: Run): void {
    const { pump, ready } = this.#house;
    const key = run.extra.key!;
    if (!key.decided) return void Promise.all([ready, this.#before.get(run)]).then(() => this.#decideInTurn(run, key)).catch(() => {});
    const go = () => pump.enqueue(run);
    // The core has to know whom it waits for.
    if (key.after && key.after.task === 0) key.after.accepted.then(go, go);
    else go();
  }

  async #decideInTurn(run: Run, key: RunKey): Promise<void> {
    if (this.#turns.areNeeded) key.endTurn = await this.#turns.begin(run.taskIdentifier, key);
    this.#decide(run, key);
    if (key.endTurn) run.accepted.then(key.endTurn, key.endTurn);
  }

  #decide(run: Run, key: RunKey): void {
    if (run.extra.refusal !== undefined) return;
    try {
      const joined = this.claim(run.taskIdentifier, key);
      if (joined) return this.#withdraw(run, this.takenIn(joined, key));
      const taken = (run.ownExtra.key = this.#taken({ ...key, collapsing: undefined }));
      this.#undecided.get(run)?.resolve(undefined);
      this.come(run, taken);
      this.enqueue(run);
    } catch (error) {
      this.#house.refuse(run, error);
    }
  }

  /** Nothing of it is kept: the call is about the other one. */
  #withdraw(run: Run, joined: Joined): void {
    this.#undecided.get(run)?.resolve(joined);
    this.#house.refuse(run, duplicate(joined.handle, 'Joined'));
  }

  /** It has taken its key. Until it is acknowledged that is known here, then to the core. */
  come(run: Run, { text, replaces, startAtMs, before }: RunKey): void {
    if (startAtMs !== undefined) run.ownExtra.notBeforeMs = startAtMs;
    if (before) this.#bear(run, before);
    void replaces?.cancel('replaced');
    const place = placeOf(run.taskIdentifier, text);
    const coming = this.#pending.get(place);
    if (coming) coming.push(run);
    else this.#pending.set(place, [run]);
    const arrive = () => {
      const left = (this.#pending.get(place) ?? []).filter((other) => other !== run);
      if (left.length > 0) this.#pending.set(place, left);
      else this.#pending.delete(place);
    };
    run.accepted.then(arrive, arrive);
  }

  /** Pump: its key, among what is said of a run that is created. */
  describe(run: Run): void {
    const { commands } = this.#house.pump;
    const { hash, untilMs, after } = run.extra.key!;
    commands.setTask(run.task, P.TaskFieldKey, hash);
    commands.setTask(run.task, P.TaskFieldKeyUntilMs, untilMs);
    if (after && after.task !== 0 && after.end === End.None) commands.push(P.CommandDependOn, run.task, after.task, P.EdgeKindOnSettled);
  }

  // Freeing a key

  /**
   * The next call with this key makes a new run, whatever holds it now. Resolves when that is stored; false: nobody
   * held it. @throws ConfigurationError
   */
  async reset(task: Task | string, key: string | readonly string[] | IdempotencyKey, options: ResetOptions = {}): Promise<boolean> {
    const asker = askerOf(options, key);
    const taskIdentifier = checkIdentifier(isTask(task) ? task.id : task, 'idempotencyKeys.reset task');
    refuseDisposed(this.#house);
    await this.#house.ready;
    const text = textOf(key as NonNullable<KeyOptions['idempotencyKey']>, asker);
    const wanted: RunKey = { text, hash: hashOf(taskIdentifier, text), untilMs: 0, onDuplicate: 'join', whileAlive: false };
    let count = 0;
    for (let holder = this.#holder(taskIdentifier, wanted); holder; holder = this.#holder(taskIdentifier, wanted)) {
      if (!(await (holder instanceof Run ? this.free(holder) : holder.freeKey()))) break;
      count++;
    }
    return count > 0;
  }

  /** The key of a run counts no longer. */
  async free(run: Run): Promise<boolean> {
    await run.accepted;
    return this.#house.control.set(run, P.TaskFieldKeyUntilMs, 0);
  }
}

function placeOf(taskIdentifier: string, text: string): string {
  return `${taskIdentifier}\u0000${text}`;
}

function isOver(holder: Run | RemoteHandle): boolean {
  return holder instanceof Run ? holder.end !== End.None : hasEnded(holder.status);
}

