/**
 * Signatures of one orchestrator: made, found by key, bound to each other. What is kept of them are runs that are not
 * submitted yet, with edges and notes (../dependencies); nothing is kept here.
 *
 * Invariants: what is wrong with a call is refused before anything is made; what a call had made when it fails halfway is
 * taken back; a callback begins once, however often the page dies, since the core decides that it may.
 */
import type { RunContext } from '../context/context.ts';
import type { Edges } from '../dependencies/edges.ts';
import type { EdgeCondition } from '../dependencies/types.ts';
import { ConfigurationError, MissingSignatureError, SignatureUsedError, UnrecognizedTaskError } from '../errors.ts';
import { checkFunction, checkIdentifier, checkNames, checkRecord, describe, oneOf, wholeNumber } from '../intake/checks.ts';
import type { Definition } from '../intake/registry.ts';
import { NoteKind } from '../journal/notes.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import { Run as RunClass } from '../runs/run.ts';
import { chain, copyMembers } from './chain.ts';
import { refuseDrift } from './drift.ts';
import { bindTo, membersOf } from './membership.ts';
import * as groups from './groups.ts';
import { branchTask, chainTask, fallbackTask, swarmTask } from './names.ts';
import { partsOf } from './options.ts';
import { type CallbackRole, isSignature, StoredSignature } from './signature.ts';
import { copySwarm, StoredSwarm, swarm } from './swarm.ts';
import type { CallbackOptions, ContainerSummary, OwnSignatureOptions, Signable, SignatureStatus, Transaction } from './types.ts';

const roles: Readonly<Record<CallbackRole, EdgeCondition>> = { success: 'success', failure: 'failure', cancelled: 'cancelled' };

/** What is being made by one call, so that it can be taken back. */
export class Making {
  readonly runs: Run[] = [];
  readonly done: Promise<unknown>[] = [];
}

export class Signatures {
  /** Branches, fallbacks, and what is made of several. */
  readonly groups = groups;
  readonly house: Orchestrator;
  readonly edges: Edges;
  readonly #lines = new WeakMap<Run, Promise<void>>();
  /** What was said of runs of this page; of others what could be stored. */
  readonly #triggers = new WeakMap<Run, object>();
  /** Where there are no other tabs to mind. */
  readonly #locks = new Map<string, Promise<void>>();

  constructor(house: Orchestrator, edges: Edges) {
    this.house = house;
    this.edges = edges;
  }

  /** @throws UnrecognizedTaskError ConfigurationError SerializationError */
  async sign(task: unknown, options: Record<string, unknown> = {}, id?: string): Promise<StoredSignature> {
    return this.make((making) => this.signed(making, task, options, id));
  }

  /** For code that may run again: what has this id already, whole, or is made now. Gives its key. */
  async makeOnce(id: string, verb: 'sign' | 'chain' | 'swarm', [what, options]: readonly any[]): Promise<string> {
    const known = this.local(id);
    if (known) {
      const size = (known.extra.deferred!.data?.size as number | undefined) ?? 0;
      if (size <= this.membersOf(known).length) return id;
      // The page died while it was being made.
      await this.removeRun(known);
    }
    await (verb === 'sign' ? this.sign(what, options, id) : verb === 'chain' ? chain(this, what, options, id) : swarm(this, what, options, {}, id));
    return id;
  }

  /** @throws DriftError it is of other tasks */
  inRun(key: string, context: RunContext, what: unknown): StoredSignature {
    const signature = this.load(key);
    refuseDrift(this, context, signature, what);
    signature.caller = context;
    return signature;
  }

  /** All that `make` makes is stored, or none of it. */
  async make<Made>(make: (making: Making) => Made | Promise<Made>): Promise<Made> {
    const making = new Making();
    try {
      const made = await make(making);
      await Promise.all([...making.runs.map((run) => run.accepted), ...making.done]);
      return made;
    } catch (error) {
      for (const run of making.runs) if (run.extra.refusal === undefined) void this.house.control.forget(run);
      throw error;
    }
  }

  signed(making: Making, task: unknown, options: Record<string, unknown>, id?: string): StoredSignature {
    const definition = this.house.definitions.of(task, 'sign');
    const where = `sign("${definition.id}")`;
    const parts = partsOf(options, where);
    const callbacks = this.checkCallbacks(parts.own, where);
    const signature = this.draft(making, definition, parts.kwargs, parts.trigger, parts.deferred, id);
    this.attach(making, signature, callbacks);
    return signature;
  }

  /** A run that is stored, and not begun. */
  draft(making: Making, definition: Definition, kwargs: unknown, trigger: object, deferred: object, id?: string): StoredSignature {
    const run = this.house.intake.trigger(definition, kwargs, id === undefined ? trigger : { ...trigger, id }, undefined, undefined, undefined, undefined, deferred as never);
    making.runs.push(run);
    this.#triggers.set(run, trigger);
    return new StoredSignature(this, run);
  }

  // Callbacks

  /** @throws ConfigurationError MissingSignatureError SignatureUsedError UnrecognizedTaskError */
  checkCallbacks(own: OwnSignatureOptions, where: string): [CallbackRole, Signable][] {
    const { successCallbacks = [], errorCallbacks = [], cancelCallbacks = [] } = own;
    const all: [CallbackRole, Signable, string][] = [
      ...successCallbacks.map((one, index) => ['success', one, `successCallbacks[${index}]`] as [CallbackRole, Signable, string]),
      ...errorCallbacks.map((one, index) => ['failure', one, `errorCallbacks[${index}]`] as [CallbackRole, Signable, string]),
      ...cancelCallbacks.map((one, index) => ['cancelled', one, `cancelCallbacks[${index}]`] as [CallbackRole, Signable, string]),
    ];
    const used = new Set<unknown>();
    for (const [, one, name] of all) {
      this.checkSignable(one, `${where} ${name}`);
      if (isSignature(one) && used.has(one.key)) throw new SignatureUsedError(`${where} ${name} is signature ${one.key} once more; a signature runs once. Give a clone().`, { data: { key: one.key } });
      if (isSignature(one)) used.add(one.key);
    }
    return all.map(([role, one]) => [role, one]);
  }

  /** @throws ConfigurationError MissingSignatureError SignatureUsedError UnrecognizedTaskError */
  checkSignable(one: unknown, where: string): void {
    if (isSignature(one)) return one.refuseUsed(where);
    const known = typeof one === 'string' ? this.local(one) : undefined;
    if (known) return this.of(known).refuseUsed(where);
    if (typeof one === 'string' && one.startsWith('run_') && !this.house.definition(one)) this.load(one);
    this.house.definitions.of(one, where);
  }

  /** Of what is stored. */
  of(run: Run): StoredSignature {
    return run.taskIdentifier === swarmTask ? new StoredSwarm(this, run) : new StoredSignature(this, run);
  }

  /** The code of our own containers. */
  container(id: string): Definition {
    return this.house.definition(id)!;
  }

  chain(tasks: readonly unknown[], options?: Record<string, unknown>): Promise<StoredSignature> {
    return chain(this, tasks, options);
  }

  swarm(tasks?: readonly Signable[], options?: Record<string, unknown>): Promise<StoredSwarm> {
    return swarm(this, tasks, options);
  }

  /** What changes one container is done one after the other. */
  inLine<Value>(container: Run, work: () => Value | Promise<Value>): Promise<Value> {
    const done = (this.#lines.get(container) ?? Promise.resolve()).then(work);
    this.#lines.set(container, done.then(() => {}, () => {}));
    return done;
  }

  /** Of a task or its id one is made, with these options. */
  signable(making: Making, one: Signable, options: object = {}): StoredSignature {
    if (isSignature(one)) return one;
    const known = typeof one === 'string' ? this.local(one) : undefined;
    return known ? this.of(known) : this.signed(making, one, options as Record<string, unknown>);
  }

  local(key: string): Run | undefined {
    const run = this.house.localRun(key);
    if (!run) return undefined;
    this.house.identify(run);
    return run.extra.deferred ? run : undefined;
  }

  attach(making: Making, signature: StoredSignature, callbacks: readonly [CallbackRole, Signable][]): void {
    for (const [role, one] of callbacks) {
      const callback = this.signable(making, one);
      const binding = bindTo(this.edges, callback.run_, { sources: { of: signature.key }, data: { role, callback: true } });
      making.done.push(this.edges.describe(callback.run_, { after: [{ run: signature.run_, on: roles[role] }], binding, also: () => callback.setTimes(), submit: true }));
    }
  }

  async addCallbacks(signature: StoredSignature, options: CallbackOptions): Promise<void> {
    checkNames(options, ['success', 'errors', 'cancelled', 'late'], 'addCallbacks');
    const { success, errors, cancelled, late = 'fire' } = options;
    oneOf(late, ['fire', 'ignore', 'error'], 'addCallbacks late');
    const callbacks = this.checkCallbacks({ ...(success && { successCallbacks: success }), ...(errors && { errorCallbacks: errors }), ...(cancelled && { cancelCallbacks: cancelled }) }, 'addCallbacks');
    this.refuseRemoved(signature.run_);
    const { end } = signature.run_;
    const isOver = end !== End.None;
    if (isOver && late === 'error') throw new SignatureUsedError(`Signature ${signature.key} (${signature.taskName}) is ${signature.status}: callbacks come too late (late: 'error').`, { data: { key: signature.key } });
    if (isOver && late === 'ignore') return;
    await this.make((making) => this.attach(making, signature, callbacks));
  }

  // Copies

  async duplicate(signature: StoredSignature, count: number): Promise<StoredSignature[]> {
    wholeNumber(count, 'duplicateMany count', 1, 10_000);
    return this.make(async (making) => {
      const copies: StoredSignature[] = [];
      for (let index = 0; index < count; index++) copies.push(await this.copy(making, signature));
      return copies;
    });
  }

  /** Of its callbacks too. */
  async copy(making: Making, signature: StoredSignature): Promise<StoredSignature> {
    const { run_: run } = signature;
    const { deferred } = run.extra;
    const definition = this.house.definition(run.taskIdentifier);
    if (!definition) throw new UnrecognizedTaskError(`No task "${run.taskIdentifier}" is registered, so signature ${run.id} can't be cloned. Import the module that defines it.`);
    const drafted = this.draft(making, definition, await this.edges.givenOf(run), this.#triggers.get(run) ?? (deferred!.data?.options as object | undefined) ?? {}, deferred!);
    const made = this.of(drafted.run_);
    if (run.taskIdentifier === chainTask) await copyMembers(this, making, run, made.run_);
    if (run.taskIdentifier === swarmTask) await copySwarm(this, making, run, made.run_);
    if (run.taskIdentifier === branchTask || run.taskIdentifier === fallbackTask) {
      const members: StoredSignature[] = [];
      for (const member of membersOf(this.house, run)) members.push(await this.copy(making, this.of(member)));
      groups.enlistChoices(this, making, made, members);
    }
    for (const callback of signature.callbacks()) {
      const copied = await this.copy(making, this.of(callback));
      this.attach(making, made, [[callback.extra.bound!.data!.role as CallbackRole, copied]]);
    }
    return made;
  }

  /** Tried again, with callbacks that are as new. Who asks meanwhile finds it begun: its callbacks are made anew once. */
  retry(signature: StoredSignature, also?: () => Promise<void>): Promise<boolean> {
    return this.inLine(signature.run_, () => this.#retry(signature, also));
  }

  async #retry(signature: StoredSignature, also?: () => Promise<void>): Promise<boolean> {
    const { run_: run } = signature;
    if ((run.end !== End.Failed && run.end !== End.Cancelled) || run.extra.removedUntilMs > 0) return false;
    await also?.();
    const roles = signature.callbacks().map(({ extra }) => extra.bound!.data!.role as CallbackRole);
    const copies = await this.make((making) => Promise.all(signature.callbacks().map((callback) => this.copy(making, this.of(callback)))));
    return this.make((making) => {
      const retried = run.retry();
      this.attach(making, signature, copies.map((copy, index) => [roles[index]!, copy]));
      for (const callback of signature.callbacks()) if (callback.end !== End.None) void this.house.control.forget(callback);
      return retried;
    });
  }

  // By key

  /** @throws MissingSignatureError ConfigurationError */
  load(key: unknown): StoredSignature {
    checkIdentifier(key, 'loadSignature key');
    const run = this.local(key as string);
    if (run) this.refuseRemoved(run);
    if (run) return this.of(run);
    const elsewhere = this.house.attach(key as string);
    if (elsewhere && !(elsewhere instanceof RunClass)) throw new ConfigurationError(`Signature ${String(key)} belongs to another tab, which runs it. Load it there, or when that tab is closed; orchestrator.attach(key) gives its handle.`);
    throw new MissingSignatureError(`There is no signature ${describe(key)}${elsewhere ? ': it is a run that was triggered' : '. Was it removed?'}`, { data: { key } });
  }

  /** @throws MissingSignatureError */
  refuseRemoved({ id, extra: { removedUntilMs } }: Run): void {
    if (removedUntilMs > 0) throw new MissingSignatureError(`Signature ${describe(id)} was removed. Until ${new Date(removedUntilMs).toISOString()} undoRemove(key) brings it back.`, { data: { key: id } });
  }

  /** Those whose identifiers are these, newest first. */
  find(filter: { taskIdentifiers: Record<string, unknown> }): StoredSignature[] {
    checkNames(filter, ['taskIdentifiers'], 'find');
    const { taskIdentifiers } = filter;
    checkRecord(taskIdentifiers, 'find taskIdentifiers');
    const wanted = Object.entries(taskIdentifiers);
    return this.all().filter((signature) => wanted.every(([name, value]) => Object.is(signature.taskIdentifiers[name], value)));
  }

  all(): StoredSignature[] {
    const runs = this.house.localRuns().filter((run) => (this.house.identify(run), run.extra.deferred !== undefined && !run.extra.gone && run.extra.removedUntilMs === 0));
    return runs.map((run) => this.of(run)).reverse();
  }

  /**
   * Changes of several signatures, all or none: what `work` makes is stored first, then all that it has asked for is said to
   * the core in one go. What it throws has changed nothing.
   */
  async transaction<Value>(work: (transaction: Transaction) => Value | Promise<Value>): Promise<Value> {
    checkFunction(work, 'transaction work');
    const asked: ((making: Making) => void)[] = [];
    const checks: (() => void)[] = [];
    let isOpen = true;
    const ask = (check: () => void, apply: (making: Making) => void) => {
      if (!isOpen) throw new ConfigurationError('The transaction is over: use what it gives within its function, and await it there.');
      check();
      checks.push(check);
      asked.push(apply);
    };
    const { value } = await this.make(async (making) => {
      const transaction: Transaction = {
        sign: (task, options = {}) => {
          if (!isOpen) throw new ConfigurationError('The transaction is over: use what it gives within its function, and await it there.');
          return this.signed(making, task, options);
        },
        addCallbacks: (signature, { success = [], errors = [], cancelled = [] }) => {
          const own = { successCallbacks: success, errorCallbacks: errors, cancelCallbacks: cancelled };
          ask(() => void this.checkCallbacks(own, 'addCallbacks'), (made) => this.attach(made, this.local(signature.key) ? this.of(this.local(signature.key)!) : (signature as StoredSignature), this.checkCallbacks(own, 'addCallbacks')));
        },
        run: (signature, message) => {
          const called = signature as StoredSignature;
          ask(() => called.refuseUsed('run'), (made) => made.done.push(called.submit(() => message !== undefined && this.edges.note(called.run_, NoteKind.Message, { message }))));
        },
      };
      const value = await work(transaction);
      isOpen = false;
      await Promise.all(making.runs.map((run) => run.accepted));
      for (const check of checks) check();
      for (const apply of asked) apply(making);
      return { value };
    });
    return value;
  }

  /** How many members are where. @throws MissingSignatureError */
  summary(key: string): ContainerSummary {
    const signature = this.load(key);
    const counts: Record<SignatureStatus, number> = { pending: 0, active: 0, failed: 0, done: 0, suspended: 0, interrupted: 0, canceled: 0 };
    const members = this.#shownOf(signature.run_).map((run) => this.of(run));
    for (const { status } of members) counts[status]++;
    const degraded = members.filter(({ state }) => state.metadata.degraded !== undefined).map((member) => member.key);
    const { kind, taskName, status, state } = signature;
    return { key, kind, taskName, status, progress: state.progress, total: members.length, counts, degraded };
  }

  roots(): StoredSignature[] {
    return this.all().filter(({ run_: { extra } }) => Object.keys(extra.bound?.sources ?? {}).length === 0 && extra.parentId === undefined);
  }

  /** @throws MissingSignatureError ConfigurationError */
  children(key: string, options: { page?: number; size?: number } = {}): { items: StoredSignature[]; total: number; page: number; pages: number } {
    checkNames(options, ['page', 'size'], 'children');
    const { page = 1, size = 20 } = options;
    wholeNumber(page, 'children page', 1);
    wholeNumber(size, 'children size', 1, 1000);
    const members = this.#shownOf(this.load(key).run_);
    const items = members.slice((page - 1) * size, page * size).map((run) => this.of(run));
    return { items, total: members.length, page, pages: Math.max(1, Math.ceil(members.length / size)) };
  }

  /** Without what was removed. */
  #shownOf(container: Run): Run[] {
    return this.membersOf(container).filter(({ extra }) => extra.removedUntilMs === 0);
  }

  /** In their order. */
  membersOf(container: Run): Run[] {
    return membersOf(this.house, container);
  }

  callbacksOf(key: string): { success: StoredSignature[]; errors: StoredSignature[]; cancelled: StoredSignature[] } {
    const signature = this.load(key);
    const of = (role: CallbackRole) => signature.callbacks(role).map((run) => this.of(run));
    return { success: of('success'), errors: of('failure'), cancelled: of('cancelled') };
  }

  /** @throws MissingSignatureError */
  async lock<Value>(key: string, work: (signature: StoredSignature) => Value | Promise<Value>): Promise<Value> {
    checkFunction(work, 'lockTask work');
    this.load(key);
    const locked = async () => work(this.load(key));
    const name = `holdfast:${this.house.opening.namespace}:signature:${key}`;
    if (this.house.opening.tabs && typeof navigator !== 'undefined' && navigator.locks) return navigator.locks.request(name, locked) as Promise<Value>;
    const before = this.#locks.get(key);
    const done = (before ?? Promise.resolve()).then(locked);
    const over = done.then(() => {}, () => {});
    this.#locks.set(key, over);
    void over.then(() => this.#locks.get(key) === over && this.#locks.delete(key));
    return done;
  }

  /** It, what is in it, and what was to follow: that first, or it would begin because something it follows was cancelled. */
  async removeRun(run: Run): Promise<boolean> {
    const { control } = this.house;
    const members = this.#family(run);
    await Promise.all(members.flatMap((member) => this.#followers(member)).map((follower) => this.removeRun(follower)));
    const removed = await control.forget(run);
    if (removed) await Promise.all(members.slice(1).map((member) => control.forget(member)));
    return removed;
  }

  /** What goes when it is removed, itself first. */
  whole(run: Run): Run[] {
    const family = this.#family(run);
    return [...new Set([...family, ...family.flatMap((member) => this.#followers(member)).flatMap((follower) => this.whole(follower))])];
  }

  #family(run: Run): Run[] {
    return [run, ...this.house.services.children.of(run).flatMap((child) => this.#family(child))];
  }

  /** As far as they have not begun: then they are runs of their own. */
  #followers({ id }: Run): Run[] {
    const { engine } = this.house.pump;
    return this.edges.boundTo(id).filter(({ task, extra }) => {
      const { callback, template } = extra.bound?.data ?? {};
      return (callback || template) && (task === 0 || engine.value(task, P.FieldStartedAt) === 0);
    });
  }
}
