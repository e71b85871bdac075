/**
 * The code of a batch's run: makes its members in order, each once, and waits until the core says that
 * their group is settled. Nothing of a result goes through here; it stays with the member.
 *
 * Invariants: member `index` stands under the key `index`; what became of an item that has no member of
 * its own (it could not be made, or its key is another run's) is recorded before the batch ends.
 */
import { UnrecognizedTaskError } from '../errors.ts';
import type { Container, MemberListener } from '../groups/container.ts';
import { asksForKey } from '../identity/plan.ts';
import type { Asker, RunKey } from '../identity/key.ts';
import type { Joined } from '../identity/keyed-handle.ts';
import { duplicate } from '../identity/keyed-handle.ts';
import { RecordKind } from '../journal/history.ts';
import { End, type Run } from '../runs/run.ts';
import { serializeError } from '../runs/serialize-error.ts';
import type { TriggerOptions } from '../types.ts';
import { Callbacks } from './callbacks.ts';
import { defaultHighWater } from './options.ts';
import { type BatchPlan, itemsOf, type PlannedItem } from './plan.ts';
import { lost, type SourceReader, untilAborted } from './sources.ts';
import { type Outcome, outcomeMark, outcomesOf, resultOf } from './told.ts';

/** What the run of a batch returns: what its members do not say themselves. */
export interface BatchOutput {
  readonly id: string;
  readonly runCount: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Items that could not be made, with why. */
  readonly rejected?: readonly (readonly [index: number, task: string, error: unknown])[];
  /** Items whose key another run holds. */
  readonly joined?: readonly (readonly [index: number, runId: string])[];
  /** The source threw, or was gone after a reload. */
  readonly sourceError?: unknown;
}

export async function runBatch(container: Container, plan: BatchPlan): Promise<BatchOutput> {
  const batch = new Batch(container, plan);
  container.listener = batch;
  container.open({ concurrency: plan.concurrency, failureThreshold: plan.failureThreshold });
  batch.tellAgain();
  if (!container.isClosed) await batch.fill();
  await container.close();
  await batch.waitForJoined();
  await container.settled();
  await batch.callbacks?.done();
  return batch.output();
}

class Batch implements MemberListener {
  readonly #container: Container;
  readonly #plan: BatchPlan;
  readonly #outcomes = new Map<number, Outcome>();
  #sourceError: unknown;
  #source: SourceReader | undefined;
  #count: number;
  #failures = 0;
  /** Of an array: the run that was made under a key of a task, by both. A failed one holds its key no longer, and is the other item's too. */
  readonly #keyed = new Map<string, Run>();
  /** undefined: nobody is told. */
  readonly callbacks: Callbacks | undefined;

  constructor(container: Container, plan: BatchPlan) {
    this.#container = container;
    this.#plan = plan;
    this.#count = plan.count;
    if (plan.onItem !== undefined || plan.onProgress !== undefined) this.callbacks = new Callbacks(container, plan);
    for (const [index, outcome] of outcomesOf(container.house, container.run)) this.#outcomes.set(index, outcome);
    for (const member of container.members) this.#noteKey(member);
  }

  /** What had ended when the page went, and may not have been told. */
  tellAgain(): void {
    const { callbacks } = this;
    if (!callbacks) return;
    for (const member of this.#container.members) if (member.announced && member.end !== End.None) callbacks.ended(member);
    for (const [index, outcome] of this.#outcomes) callbacks.told(index, resultOf(this.#container.house, outcome));
  }

  async fill(): Promise<void> {
    const { house, run } = this.#container;
    if (this.#isArray) {
      let index = 0;
      for (const item of itemsOf(this.#plan)) {
        const added = this.#add(index++, item);
        if (added) await added;
      }
      return;
    }
    const source = (this.#source = house.batches.loaded?.sources.get(run));
    this.#count = this.#container.members.length;
    if (!source) this.#sourceError = serializeError(lost(this.#count));
    else await this.#drain(source);
  }

  get #isArray(): boolean {
    return this.#plan.pieces !== undefined || this.#plan.items !== undefined;
  }

  /** Pulls while there is room, and not at all once too many have failed. */
  async #drain(source: SourceReader): Promise<void> {
    const { highWater = defaultHighWater, failureThreshold = Number.POSITIVE_INFINITY } = this.#plan;
    const { signal } = this.#container;
    try {
      while (this.#failures < failureThreshold) {
        if (this.#container.openCount >= highWater) await this.#container.room(Math.max(1, highWater >> 1));
        const room = source.room?.();
        if (room) await untilAborted(room, signal);
        const pulled = source.pull(signal);
        const next = pulled instanceof Promise ? await pulled : pulled;
        if (next.done) return;
        const added = this.#add(this.#count, [next.value.task, next.value.payload, next.value.options]);
        if (added) await added;
        this.#count++;
      }
      source.stop();
    } catch (error) {
      source.stop();
      if (signal.aborted) throw error;
      this.#sourceError = serializeError(error);
      if (this.#plan.onSourceError === 'cancel') await this.#cancelMembers();
    }
  }

  async #cancelMembers(): Promise<void> {
    const { house, members } = this.#container;
    for (const member of members) if (member.end === End.None) void house.cancelRun(member, 'the source of its batch failed');
  }

  /** A promise where it can't be at once. */
  #add(index: number, item: PlannedItem): Promise<void> | undefined {
    if (this.#container.isBreathless) return this.#container.breathe().then(() => this.#make(index, item));
    return this.#make(index, item);
  }

  #make(index: number, item: PlannedItem): Promise<void> | undefined {
    const container = this.#container;
    const task = item[0];
    const id = typeof task === 'number' ? this.#plan.tasks[task]! : task;
    if (this.#outcomes.has(index)) return undefined;
    try {
      const definition = container.house.definition(id);
      if (!definition) throw new UnrecognizedTaskError(`batch item ${index}: no task ${JSON.stringify(id)} is registered. Import the module that defines it.`);
      const options = this.#optionsOf(index, item[2]);
      const member = { key: String(index), definition, input: item[1], options };
      if (asksForKey(definition, options) && !container.member(member.key)) return this.#addKeyed(index, member);
      if (container.isFresh) container.addNew(member);
      else container.add(member);
    } catch (error) {
      this.#refused(index, id, error);
    }
    return undefined;
  }

  #refused(index: number, task: string, error: unknown): void {
    if (this.#container.signal.aborted) throw error;
    this.#settle(index, { rejected: serializeError(error), task });
  }

  #optionsOf(index: number, own: TriggerOptions | undefined): TriggerOptions | undefined {
    const { options: all, key } = this.#plan;
    const keyed = key !== undefined && own?.idempotencyKey === undefined ? { idempotencyKey: [...(typeof key === 'string' ? [key] : key), String(index)] } : undefined;
    return all || keyed ? { ...all, ...keyed, ...own } : own;
  }

  get #asker(): Asker | undefined {
    const { parent, parentId } = this.#container.run.extra;
    return this.#plan.isAsked && parentId !== undefined ? { id: parentId, attempt: parent?.attempt || 1 } : undefined;
  }

  /** Its key may be held: then the item is what that run is. */
  async #addKeyed(index: number, member: Parameters<Container['add']>[0]): Promise<void> {
    const { house, run } = this.#container;
    try {
      const identity = await house.identity.keyOf(member.definition, member.input, member.options ?? {}, this.#asker);
      const joined = identity && (house.services.joinedBy(run, member.definition, identity) ?? this.#failedUnder(member.definition.id, identity));
      if (joined) this.#join(index, member.definition.id, joined);
      else this.#addUnder(identity, member);
    } catch (error) {
      this.#refused(index, member.definition.id, error);
    }
  }

  #addUnder(identity: RunKey | undefined, member: Parameters<Container['add']>[0]): void {
    try {
      this.#noteKey(this.#container.add({ ...member, identity }));
    } catch (error) {
      identity?.endTurn?.();
      throw error;
    }
  }

  #noteKey(member: Run): void {
    const { key } = member.extra;
    if (key && this.#isArray) this.#keyed.set(`${member.taskIdentifier} ${key.text}`, member);
  }

  /** An item before has this key, and failed: whoever asks later makes a new run, an item of the same batch does not. */
  #failedUnder(task: string, { text, onDuplicate, whileAlive, collapsing, endTurn }: RunKey): Joined | undefined {
    const handle = this.#keyed.get(`${task} ${text}`);
    if (!handle || onDuplicate !== 'join' || whileAlive || collapsing || (handle.state.idempotencyKeyExpiresAt ?? 0) <= this.#container.house.clock.now()) return undefined;
    endTurn?.();
    return { handle, skipped: false };
  }

  #join(index: number, task: string, { handle, skipped }: Joined): void {
    if (skipped) this.#settle(index, { rejected: serializeError(duplicate(handle, 'The item was skipped')), task });
    else this.#settle(index, { joined: handle.id });
  }

  #settle(index: number, outcome: Outcome): void {
    this.#outcomes.set(index, outcome);
    this.#container.durable.note(outcomeMark + index, RecordKind.Mark, outcome);
    this.#tell(index, outcome);
  }

  /** In durable code the results are followed, whether or not they come of a source. */
  get #follower(): Pick<SourceReader, 'begins' | 'ended' | 'told'> | undefined {
    return this.#container.house.batches.loaded?.followers.get(this.#container.run) ?? this.#source;
  }

  #tell(index: number, outcome: Outcome): void {
    this.callbacks?.told(index, resultOf(this.#container.house, outcome));
    const follower = this.#follower;
    if (!follower?.told) return;
    const result = resultOf(this.#container.house, outcome);
    if (result instanceof Promise) void result.then((known) => follower.told!(index, known));
    else follower.told(index, result);
  }

  memberEnded(member: Run): void {
    const { refusal, cancelReason } = member.extra;
    if (refusal !== undefined && member.task === 0) return this.#settle(Number(member.extra.childKey), { rejected: serializeError(refusal), task: member.taskIdentifier });
    this.#follower?.begins?.();
    if (member.end !== End.Completed && cancelReason === undefined) this.#failures++;
    if (this.#isArray) this.#container.context.progress((100 * (this.#container.count - this.#container.openCount)) / Math.max(1, this.#count));
  }

  memberAnnounced(member: Run): void {
    this.callbacks?.ended(member);
    this.#follower?.ended?.(member);
  }

  /** Runs of others, which are in no group of ours. */
  async waitForJoined(): Promise<void> {
    const { house } = this.#container;
    for (const outcome of this.#outcomes.values()) {
      if (!('joined' in outcome)) continue;
      const handle = house.attach(outcome.joined);
      if (handle) await this.#container.waitFor(handle.wait().then(() => {}, () => {}));
    }
  }

  output(): BatchOutput {
    const { run, members } = this.#container;
    const counts = { completed: 0, failed: 0, cancelled: 0 };
    for (const { end } of members) {
      if (end === End.Completed) counts.completed++;
      else if (end === End.Cancelled) counts.cancelled++;
      else counts.failed++;
    }
    const outcomes = [...this.#outcomes].sort(([one], [other]) => one - other);
    const rejected = outcomes.flatMap(([index, outcome]) => ('rejected' in outcome ? [[index, outcome.task, outcome.rejected] as const] : []));
    const joined = outcomes.flatMap(([index, outcome]) => ('joined' in outcome ? [[index, outcome.joined] as const] : []));
    return {
      id: run.id, runCount: this.#count, ...counts,
      ...(rejected.length > 0 && { rejected }),
      ...(joined.length > 0 && { joined }),
      ...(this.#sourceError !== undefined && { sourceError: this.#sourceError }),
    };
  }
}
