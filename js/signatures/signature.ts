/**
 * A signature: the handle of a run that is described and stored, and begins when it is called. Everything it says is
 * read from its run, so that any page that loads its key sees the same.
 *
 * Invariant: it keeps nothing of its own.
 */
import type { RemoveOptions } from '../runs/removals.ts';
import { ConfigurationError, SignatureUsedError } from '../errors.ts';
import { NoteKind } from '../journal/notes.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import { projectStatus } from '../runs/status.ts';
import type { RunContext } from '../context/context.ts';
import { forChild } from '../context/children.ts';
import type { RunHandle, TaskState } from '../types.ts';
import { retryFrom } from './chain.ts';
import { wholeNumber } from '../intake/checks.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { defaultReturnField } from './merge.ts';
import { chainTask, swarmTask } from './names.ts';
import type { Signatures } from './signatures.ts';
import type { CallbackOptions, CallOptions, NamedValidator, Signable, Signature, SignatureKind, SignatureStatus } from './types.ts';

export type CallbackRole = 'success' | 'failure' | 'cancelled';

export class StoredSignature<Input = any, Output = any> implements Signature<Input, Output> {
  readonly #home: Signatures;
  /** @internal */
  readonly run_: Run;
  /** @internal The code that has made it, and may run again: what it calls once more is what it has called. */
  caller: RunContext | undefined;

  constructor(home: Signatures, run: Run) {
    this.#home = home;
    this.run_ = run;
  }

  get key(): string {
    return this.run_.id;
  }
  get taskName(): string {
    const { extra, taskIdentifier } = this.run_;
    return this.kind === 'simple' ? taskIdentifier : (extra.name ?? taskIdentifier);
  }
  get kind(): SignatureKind {
    const { taskIdentifier } = this.run_;
    return taskIdentifier === chainTask ? 'chain' : taskIdentifier === swarmTask ? 'swarm' : 'simple';
  }
  get handle(): RunHandle<Output> {
    return this.run_;
  }
  get state(): TaskState<Output> {
    return this.run_.state;
  }
  get status(): SignatureStatus {
    return projectStatus(this.state, 'mageflow') as SignatureStatus;
  }
  /** Where it stands but for the pause. */
  get lastStatus(): SignatureStatus {
    const { status } = this;
    if (status !== 'suspended' && status !== 'interrupted') return status;
    return this.state.startTime > this.state.createdAt || this.state.attempt > 0 ? 'active' : 'pending';
  }
  get taskStatus(): { readonly status: SignatureStatus; readonly lastStatus: SignatureStatus } {
    const { status, lastStatus } = this;
    return { status, lastStatus };
  }
  get creationTime(): number {
    return this.state.createdAt;
  }
  get taskIdentifiers(): Readonly<Record<string, any>> {
    return (this.state.metadata.taskIdentifiers as Record<string, any> | undefined) ?? {};
  }
  get returnFieldName(): string | null {
    const field = this.#data.returnField as string | null | undefined;
    return field === undefined ? defaultReturnField : field;
  }
  get modelValidators(): NamedValidator | undefined {
    const { validator } = this.#data;
    return validator === undefined ? undefined : { validator };
  }
  get containerId(): string | undefined {
    return this.run_.extra.bound?.sources.container;
  }
  get successCallbacks(): readonly string[] {
    return this.callbacks('success').map(({ id }) => id);
  }
  get errorCallbacks(): readonly string[] {
    return this.callbacks('failure').map(({ id }) => id);
  }
  get cancelCallbacks(): readonly string[] {
    return this.callbacks('cancelled').map(({ id }) => id);
  }

  retry(): Promise<boolean> {
    return this.#home.retry(this);
  }
  /** Of a chain that failed or was cancelled: begins it anew from the member at this place. */
  retryFrom(index?: number): Promise<boolean> {
    return retryFrom(this.#home, this, index);
  }

  /** @internal */
  callbacks(role?: CallbackRole): Run[] {
    return this.#home.edges.boundTo(this.key).filter(({ extra }) => extra.bound?.data?.callback === true && (role === undefined || extra.bound.data.role === role));
  }

  get #data(): Record<string, any> {
    return this.run_.extra.deferred?.data ?? {};
  }

  async kwargs(): Promise<Record<string, any>> {
    return (await this.#home.edges.givenOf(this.run_)) as Record<string, any>;
  }

  async run(message?: unknown): Promise<Output> {
    const handle = await this.runNoWait(message);
    if (!this.caller) return handle.result();
    await this.caller.durableWork.wait(this.run_.ended, () => {}, forChild(this.run_));
    return handle.result();
  }

  async runNoWait(message?: unknown): Promise<RunHandle<Output>> {
    return this.#call(message, false);
  }

  async call(result: unknown, { setReturnField = true }: CallOptions = {}): Promise<RunHandle<Output>> {
    return this.#call(result, setReturnField);
  }

  /** One call after the other: what is refused must not have said what the run gets. */
  #call(message: unknown, isReturn: boolean): Promise<RunHandle<Output>> {
    return this.#home.inLine(this.run_, () => this.#begin(message, isReturn));
  }

  async #begin(message: unknown, isReturn: boolean): Promise<RunHandle<Output>> {
    if (this.caller && !this.#home.house.dependencies.isDraft(this.run_)) return this.run_;
    this.refuseUsed('run');
    const { services } = this.#home.house;
    await this.run_.accepted;
    const noted = message === undefined && !isReturn ? undefined : await services.writeNote(this.run_, NoteKind.Message, { message, ...(isReturn && { isReturn }) }, 'message');
    this.refuseUsed('run');
    if (!(await this.submit(noted))) throw this.#used('run');
    return this.run_;
  }

  /** @internal It begins when nothing stands in its way. False: it had been said before. */
  submit(also?: () => void): Promise<boolean> {
    return this.#home.edges.describe(this.run_, { submit: true, also: () => (also?.(), this.setTimes()) });
  }

  /** @internal Times that count from now. REQUIRES: the core knows it. */
  setTimes(laterMs = 0): void {
    const { house } = this.#home;
    const nowMs = house.clock.now();
    const spec = house.definition(this.run_.taskIdentifier)?.spec;
    const { delayMs = ofSpec(spec?.delay), deadlineMs = ofSpec(spec?.deadline), notBeforeMs = 0, staggerMs = 0 } = this.#data;
    const beginMs = Math.max(notBeforeMs, nowMs + laterMs + delayMs + (staggerMs > 0 ? Math.floor(house.random() * (staggerMs + 1)) : 0));
    const set = (field: number, value: number) => house.pump.commands.setTask(this.run_.task, field, value);
    if (beginMs > nowMs) set(P.TaskFieldNotBeforeMs, beginMs);
    if (deadlineMs > 0) set(P.TaskFieldDeadlineAtMs, nowMs + deadlineMs + staggerMs + laterMs);
  }

  /** @internal @throws SignatureUsedError where it cannot begin any more, or is not its own to begin @throws MissingSignatureError where it was removed */
  refuseUsed(verb: string): void {
    this.#home.refuseRemoved(this.run_);
    const { bound } = this.run_.extra;
    const container = bound?.sources.container;
    if (container !== undefined) throw new SignatureUsedError(`Signature ${this.key} (${this.taskName}) is a member of ${container}, which begins it: ${verb} that, or a clone().`, { data: { key: this.key, containerId: container } });
    if (bound?.data?.callback) throw new SignatureUsedError(`Signature ${this.key} (${this.taskName}) is a callback of ${bound.sources.of}, and begins after it. Use a clone().`, { data: { key: this.key } });
    if (this.run_.end !== End.None || !this.#home.house.dependencies.isDraft(this.run_)) throw this.#used(verb);
  }

  #used(verb: string): SignatureUsedError {
    return new SignatureUsedError(`Signature ${this.key} (${this.taskName}) is ${this.status}, and can't be used again (${verb}): a signature runs once. Use a clone().`, { data: { key: this.key, status: this.status } });
  }

  result(): Promise<Output> {
    return this.run_.result();
  }

  async clone(): Promise<Signature<Input, Output>> {
    return (await this.duplicateMany(1))[0]!;
  }

  async duplicateMany(count: number): Promise<Signature<Input, Output>[]> {
    return this.#home.duplicate(this, count);
  }

  async addCallbacks(callbacks: CallbackOptions): Promise<void> {
    await this.#home.addCallbacks(this, callbacks);
  }

  setPriority(priority: number): Promise<boolean> {
    wholeNumber(priority, 'setPriority', -(2 ** 31));
    return this.#home.house.control.set(this.run_, P.TaskFieldPriority, priority);
  }
  pause(): Promise<boolean> {
    return this.run_.pause('soft');
  }
  suspend(): Promise<boolean> {
    return this.run_.pause('soft');
  }
  interrupt(): Promise<boolean> {
    return this.run_.pause('hard');
  }
  resume(): Promise<boolean> {
    return this.run_.resume();
  }
  cancel(reason?: unknown): Promise<boolean> {
    return this.run_.cancel(reason);
  }
  async remove(options?: RemoveOptions): Promise<boolean> {
    return options === undefined ? this.#home.removeRun(this.run_) : this.#home.house.removeTask(this.key, options);
  }
}

function ofSpec(duration: unknown): number {
  if (duration === undefined || duration instanceof Date) return 0;
  return toMilliseconds(duration as number, 'delay');
}

export function isSignature(value: unknown): value is StoredSignature {
  return value instanceof StoredSignature;
}

export function notSignable(value: Signable, where: string): never {
  throw new ConfigurationError(`${where} needs a signature, a task, the id of one or a key, not ${String(value)}.`);
}
