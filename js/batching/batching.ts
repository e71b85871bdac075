/**
 * Micro-batching: runs of a task wait for each other, then the code is called once with the inputs of all, and each
 * ends with its element of what that gives. Each is a run of its own; the first of a batch leads it: the code runs in its context.
 *
 *   mark of the leader, when the code is about to be called:  { members: [run id, …] }
 *
 * Invariants: who is in a batch is recorded before its code is called, and stays so until the batch has an outcome, so
 * that code that runs again after a crash finds the steps of the same batch; a run waits without a slot.
 */
import type { RunContext } from '../context/context.ts';
import type { Durable } from '../context/durable.ts';
import type { TaskHandler } from '../definition/types.ts';
import { isRecovered } from '../definition/recovered-inputs.ts';
import { InterruptedError, OutputValidationError } from '../errors.ts';
import { checkIdentifier, describe } from '../intake/checks.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { KeyPrefix, RecordKind } from '../journal/history.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { End, type Run, type Settlement, settlement } from '../runs/run.ts';
import type { WaitReason } from '../task-state.ts';
import type { BatchEventsOptions } from './types.ts';

const marker = `${KeyPrefix.Mark}batch`;

/** How a run's wait ends: it leads, it has its output, or it is collected anew. */
type Turn = { way: 'lead'; batch: Batch } | { way: 'done'; output: unknown } | { way: 'again' };

interface Member {
  readonly run: Run;
  readonly input: unknown;
  readonly turn: Settlement;
}

/** Collected, and not called yet. */
interface Gathering {
  readonly members: Member[];
  readonly untilMs: number;
  readonly maxSize: number;
  readonly close: () => void;
}

/** Its members are fixed. */
interface Batch {
  readonly leader: Run;
  readonly ids: readonly string[];
  readonly inputs: Map<string, unknown>;
  /** Those that wait for its outcome, by id. */
  readonly waiting: Map<string, Settlement>;
  outcome: { outputs: unknown[] } | { error: unknown } | undefined;
}

export class Batching {
  readonly #house: Orchestrator;
  readonly #gatherings = new Map<string, Gathering>();
  readonly #byMember = new Map<string, Batch>();

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  /** The output of one run. @param code called with a list of inputs */
  async run(run: Run, context: RunContext, options: BatchEventsOptions, input: unknown, code: TaskHandler): Promise<unknown> {
    if (options.if && !options.if(input)) return outputsOf(run, await code([input], context), 1)[0];
    const durable = context.durableWork;
    for (;;) {
      const turn = await this.#turnOf(run, durable, options, input);
      if (turn.way === 'done') return turn.output;
      if (turn.way === 'lead') return this.#lead(run, durable, context, turn.batch, code);
    }
  }

  #reason(run: Run): WaitReason {
    const batch = this.#byMember.get(run.id);
    if (batch) return { kind: 'batch', runs: [batch.leader.id], text: `Its batch of ${batch.ids.length} is at work, in run ${batch.leader.id}.` };
    const gathering = [...this.#gatherings.values()].find(({ members }) => members.some((member) => member.run === run));
    if (!gathering) return { kind: 'batch', text: 'Its batch is over, and its output on its way.' };
    const { members, untilMs, maxSize } = gathering;
    return { kind: 'batch', until: untilMs, text: `Waits for its batch: ${members.length} of ${maxSize} are there, and it begins at ${new Date(untilMs).toISOString()} at the latest.` };
  }

  async #turnOf(run: Run, durable: Durable, options: BatchEventsOptions, input: unknown): Promise<Turn> {
    const batch = this.#byMember.get(run.id) ?? (isRecovered(run) ? this.#found(run) : undefined);
    if (batch?.leader === run) return { way: 'lead', batch };
    const turn = settlement();
    // A promise that nobody waits for any more is no error of anybody.
    turn.promise.catch(() => {});
    const leave = batch ? this.#follow(batch, run, turn) : this.#gather(options, { run, input, turn });
    try {
      return await durable.wait(turn.promise, () => {}, () => this.#reason(run));
    } finally {
      leave();
    }
  }

  // Collected

  #gather(options: BatchEventsOptions, member: Member): () => void {
    const place = `${member.run.taskIdentifier}\u0000${keyOf(options, member.input)}`;
    let gathering = this.#gatherings.get(place);
    if (!gathering) this.#gatherings.set(place, (gathering = this.#open(place, options)));
    gathering.members.push(member);
    if (gathering.members.length >= options.maxSize) gathering.close();
    const { members } = gathering;
    return () => {
      const index = members.indexOf(member);
      if (index >= 0) members.splice(index, 1);
    };
  }

  #open(place: string, { maxSize, timeout }: BatchEventsOptions): Gathering {
    const { clock } = this.#house;
    const untilMs = clock.now() + toMilliseconds(timeout, 'batchEvents.timeout');
    const gathering: Gathering = {
      members: [], untilMs, maxSize,
      close: () => {
        cancel();
        if (this.#gatherings.get(place) === gathering) this.#gatherings.delete(place);
        this.#compose(gathering.members.splice(0));
      },
    };
    const cancel = clock.schedule(untilMs, gathering.close);
    return gathering;
  }

  #compose(members: readonly Member[]): void {
    const [first] = members;
    if (!first) return;
    const batch: Batch = { leader: first.run, ids: members.map(({ run }) => run.id), inputs: new Map(members.map(({ run, input }) => [run.id, input])), waiting: new Map(), outcome: undefined };
    this.#keep(batch);
    for (const { run, turn } of members.slice(1)) batch.waiting.set(run.id, turn);
    first.turn.resolve({ way: 'lead', batch });
  }

  #keep(batch: Batch): void {
    for (const id of batch.ids) this.#byMember.set(id, batch);
    // Without an outcome it comes to nothing: the others begin anew. Of a page that closes they are the next one's.
    batch.leader.ended.then(() => this.#settle(batch, { way: 'again' }), () => {});
  }

  #settle(batch: Batch, turn: Turn): void {
    for (const id of batch.ids) if (this.#byMember.get(id) === batch) this.#byMember.delete(id);
    for (const waiting of batch.waiting.values()) waiting.resolve(turn);
    batch.waiting.clear();
  }

  // At work

  async #lead(run: Run, durable: Durable, context: RunContext, batch: Batch, code: TaskHandler): Promise<unknown> {
    if (!this.#marked(run)) durable.note(marker, RecordKind.Mark, { members: batch.ids });
    try {
      const inputs = await Promise.all(batch.ids.map((id) => this.#inputOf(batch, id)));
      const outputs = outputsOf(run, await code(inputs, context), inputs.length);
      batch.ids.forEach((id, index) => batch.waiting.get(id)?.resolve({ way: 'done', output: outputs[index] }));
      batch.waiting.clear();
      this.#settle(batch, { way: 'again' });
      return outputs[batch.ids.indexOf(run.id)];
    } catch (error) {
      // Paused, or its page closes: it goes on with the same ones. Cancelled: see #keep.
      if (context.stopReason === undefined && !(error instanceof InterruptedError)) this.#fail(batch, error);
      throw error;
    }
  }

  #fail(batch: Batch, error: unknown): void {
    for (const waiting of batch.waiting.values()) waiting.reject(error);
    batch.waiting.clear();
    this.#settle(batch, { way: 'again' });
  }

  async #inputOf({ inputs }: Batch, id: string): Promise<unknown> {
    if (inputs.has(id)) return inputs.get(id);
    const run = this.#house.localRun(id);
    return run && this.#house.attempts.inputOf(run);
  }

  #follow(batch: Batch, run: Run, turn: Settlement): () => void {
    batch.waiting.set(run.id, turn);
    return () => batch.waiting.get(run.id) === turn && batch.waiting.delete(run.id);
  }

  // Of former pages

  /** The batch that a run of the journal was in when its page died. */
  #found(run: Run): Batch | undefined {
    for (const leader of this.#house.localRuns()) {
      if (leader.taskIdentifier !== run.taskIdentifier || leader.end !== End.None) continue;
      const ids = this.#marked(leader);
      if (!ids?.includes(run.id) || this.#byMember.has(leader.id)) continue;
      const batch: Batch = { leader, ids, inputs: new Map(), waiting: new Map(), outcome: undefined };
      this.#keep(batch);
      return batch;
    }
    return undefined;
  }

  /** Of the try that is under way. */
  #marked(run: Run): readonly string[] | undefined {
    const { services } = this.#house;
    const entry = services.historyOf(run).entries.findLast(({ key }) => key === marker);
    if (!entry || entry.attempt <= services.closedAttemptOf(run)) return undefined;
    return (services.valueOf(entry) as { members: readonly string[] }).members;
  }
}

/** @throws ConfigurationError */
function keyOf({ key }: BatchEventsOptions, input: unknown): string {
  return typeof key === 'function' ? checkIdentifier(key(input), 'what batchEvents.key gave', 512) : (key ?? '');
}

/** @throws OutputValidationError unless there is one for each */
function outputsOf(run: Run, given: unknown, count: number): unknown[] {
  if (Array.isArray(given) && given.length === count) return given;
  const what = Array.isArray(given) ? `a list of ${given.length}` : describe(given);
  throw new OutputValidationError(`"${run.taskIdentifier}" has batchEvents, so its code must give a list with an output for each of its ${count} inputs, in their order, not ${what}.`);
}
