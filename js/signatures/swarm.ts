/**
 * Swarms: signatures beside each other. A swarm is a run of its own (swarm-run.ts) with a group of the core, which decides
 * how many run at once and when failures are too many; members may come until it is closed.
 *
 * Invariants: what is added is added whole or not at all; what changes one swarm is done one after the other, so nobody
 * joins a group that has closed; a swarm that was closed stays so.
 */
import {
  ConfigurationError, SwarmClosedError, SwarmIsCanceledError, TaskAndMsgsDontMatchForSwarmError, TooManyTasksError,
} from '../errors.ts';
import { checkBoolean, checkNames, checkRecord, describe, oneOf, wholeNumber } from '../intake/checks.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { checkRunOptions } from '../intake/options.ts';
import { NoteKind } from '../journal/notes.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import type { TriggerOptions } from '../types.ts';
import { adopt, bindTo, memberKey, membersOf } from './membership.ts';
import { swarmTask } from './names.ts';
import { partsOf } from './options.ts';
import { type CallbackRole, StoredSignature } from './signature.ts';
import type { Making, Signatures } from './signatures.ts';
import type { AddOptions, Signable, Swarm, SwarmConfig, SwarmResult } from './types.ts';

const configNames = ['maxConcurrency', 'stopAfterNFailures', 'maxTaskAllowed', 'sendSwarmMessageToReturnField', 'stopOn', 'onStop', 'resultsOrder', 'stagger', 'window', 'timeout', 'queue', 'priority', 'concurrencyKey'];
/** Of members: the run of a swarm waits without a slot. */
const memberNames = ['queue', 'concurrencyKey'] as const;
const defaultConcurrency = 30;

export function configOf(run: Run): SwarmConfig {
  return (run.extra.deferred?.data?.swarm as SwarmConfig | undefined) ?? {};
}

/** Nobody may join it any more. */
export function isClosed(run: Run): boolean {
  return run.extra.bound?.data?.closed === true;
}

/** @throws ConfigurationError */
function checkConfig(config: SwarmConfig): SwarmConfig {
  checkNames(config, configNames, 'swarm config');
  const { maxConcurrency = defaultConcurrency, stopAfterNFailures, maxTaskAllowed, sendSwarmMessageToReturnField, stopOn, onStop = 'let-finish', resultsOrder = 'task' } = config;
  wholeNumber(maxConcurrency, 'swarm config.maxConcurrency', 1);
  // The seed says None for none.
  if (stopAfterNFailures !== undefined && stopAfterNFailures !== null) wholeNumber(stopAfterNFailures, 'swarm config.stopAfterNFailures', 1);
  if (maxTaskAllowed !== undefined && maxTaskAllowed !== null) wholeNumber(maxTaskAllowed, 'swarm config.maxTaskAllowed', 1);
  if (sendSwarmMessageToReturnField !== undefined) checkBoolean(sendSwarmMessageToReturnField, 'swarm config.sendSwarmMessageToReturnField');
  if (stopOn !== undefined) {
    checkNames(stopOn, ['failureRate', 'minSamples'], 'swarm config.stopOn');
    const { failureRate } = stopOn;
    if (typeof failureRate !== 'number' || !(failureRate > 0 && failureRate <= 1)) throw new ConfigurationError(`swarm config.stopOn.failureRate must be a number above 0 and up to 1, not ${describe(failureRate)}.`);
    if (stopOn.minSamples !== undefined) wholeNumber(stopOn.minSamples, 'swarm config.stopOn.minSamples', 1);
  }
  oneOf(onStop, ['let-finish', 'cancel-running'], 'swarm config.onStop');
  oneOf(resultsOrder, ['task', 'completion'], 'swarm config.resultsOrder');
  const { stagger, window, timeout } = config;
  if (timeout !== undefined && toMilliseconds(timeout, 'swarm config.timeout') === 0) throw new ConfigurationError(`swarm config.timeout must be more than 0 ms, not ${describe(timeout)}. Without one leave it out.`);
  checkRunOptions(ofMembers(config), 'swarm config');
  if (stagger !== undefined) oneOf(stagger, ['even', 'random'], 'swarm config.stagger');
  if ((stagger === undefined) !== (window === undefined)) throw new ConfigurationError(`swarm config.stagger (${describe(stagger)}) and config.window (${describe(window)}) go together: { stagger: 'even', window: '10s' }.`);
  return { ...config, maxConcurrency, onStop, resultsOrder, ...(window !== undefined && { window: toMilliseconds(window, 'swarm config.window') }) };
}

/** What members say that are given as tasks; a signature has said its own. */
function ofMembers({ queue, priority, concurrencyKey }: SwarmConfig): TriggerOptions {
  return { ...(queue !== undefined && { queue }), ...(priority !== undefined && { priority }), ...(concurrencyKey !== undefined && { concurrencyKey }) };
}

/** Its own options with the time that it may take. @throws ConfigurationError */
function ownOptions(options: Record<string, unknown>, { timeout }: SwarmConfig): Record<string, unknown> {
  for (const name of memberNames) if (options[name] !== undefined) throw new ConfigurationError(`swarm has an option ${name}, and its own run needs no slot. For its members say config: { ${name}: … }; a kwarg of that name stands in kwargs: { ${name}: … }.`);
  if (timeout === undefined) return options;
  if (options.deadline !== undefined) throw new ConfigurationError('swarm has a deadline and config.timeout, which say the same; give one of the two.');
  return { ...options, deadline: timeout };
}

/** @throws ConfigurationError UnrecognizedTaskError MissingSignatureError SignatureUsedError SerializationError TooManyTasksError */
export function swarm(home: Signatures, tasks: readonly Signable[] = [], options: Record<string, unknown> = {}, kind: object = {}, id?: string, messages?: readonly unknown[]): Promise<StoredSwarm> {
  if (!Array.isArray(tasks)) throw new ConfigurationError(`swarm tasks must be a list, not ${describe(tasks)}.`);
  const { taskName, config = {}, isSwarmClosed = false, onItemSuccess, onItemError, onProgress, ...others } = options;
  if (taskName !== undefined && (typeof taskName !== 'string' || taskName === '')) throw new ConfigurationError(`swarm taskName must be a text, not ${describe(taskName)}.`);
  checkBoolean(isSwarmClosed, 'swarm isSwarmClosed');
  checkRecord(config, 'swarm config');
  const checked = checkConfig(config as SwarmConfig);
  const parts = partsOf(ownOptions(others, checked), 'swarm');
  const callbacks = home.checkCallbacks(parts.own, 'swarm');
  const items = itemCallbacks(home, onItemSuccess, onItemError);
  const progress = onProgress === undefined ? undefined : home.house.definitions.of(onProgress, 'swarm onProgress').id;
  tasks.forEach((task, index) => home.checkSignable(task, `swarm tasks[${index}]`));
  checkRoom(checked, 0, tasks.length);
  return home.make(async (making) => {
    const name = (taskName as string | undefined) ?? `swarm-task-${randomId(home)}`;
    const deferred = { ...parts.deferred, data: { ...parts.deferred.data, swarm: checked, size: tasks.length, ...(progress !== undefined && { progress }), ...kind } };
    const container = home.draft(making, home.container(swarmTask), parts.kwargs, { ...parts.trigger, name }, deferred, id);
    const made = new StoredSwarm(home, container.run_);
    for (const [role, one] of items) keepTemplate(home, making, made, role, one);
    await enlistAll(home, making, made, tasks, messages);
    if (isSwarmClosed || tasks.length === checked.maxTaskAllowed) making.done.push(home.edges.describe(container.run_, { binding: closedBinding(container.run_), submit: false }));
    home.attach(making, container, callbacks);
    return made;
  });
}

function randomId({ house }: Signatures): string {
  return Array.from({ length: 4 }, () => Math.floor(house.random() * 2 ** 32).toString(16).padStart(8, '0')).join('');
}

// Callbacks of each member: kept as signatures that are never called themselves

function itemCallbacks(home: Signatures, success: unknown, failure: unknown): [CallbackRole, Signable][] {
  const list = (given: unknown): Signable[] => (given === undefined ? [] : Array.isArray(given) ? given : [given as Signable]);
  const all: [CallbackRole, Signable][] = [...list(success).map((one) => ['success', one] as [CallbackRole, Signable]), ...list(failure).map((one) => ['failure', one] as [CallbackRole, Signable])];
  for (const [role, one] of all) home.checkSignable(one, `swarm ${role === 'success' ? 'onItemSuccess' : 'onItemError'}`);
  return all;
}

function keepTemplate(home: Signatures, making: Making, container: StoredSwarm, role: CallbackRole, one: Signable): void {
  const { run_: run } = home.signable(making, one);
  const binding = bindTo(home.edges, run, { sources: { template: container.key }, data: { template: role } });
  making.done.push(home.edges.describe(run, { known: [container.run_], binding, submit: false }));
}

export function templatesOf(home: Signatures, container: Run): Run[] {
  return home.edges.boundTo(container.id).filter(({ extra }) => extra.bound?.sources.template === container.id);
}

// Members

async function enlistAll(home: Signatures, making: Making, container: StoredSwarm, tasks: readonly Signable[], messages: readonly unknown[] | undefined): Promise<void> {
  const { run_: run } = container;
  const places = home.house.services.children.of(run).map(({ extra }) => (extra.bound?.data?.index as number | undefined) ?? -1);
  let index = Math.max(-1, ...places) + 1;
  const given = new Set<string>();
  for (const [at, task] of tasks.entries()) {
    let member = home.signable(making, task, ofMembers(container.config));
    if (given.has(member.key)) member = await home.copy(making, member);
    given.add(member.key);
    for (const template of templatesOf(home, run)) {
      const role = template.extra.bound!.data!.template as CallbackRole;
      home.attach(making, member, [[role, await home.copy(making, home.of(template))]]);
    }
    const noted = messages ? await messageNote(home, member.run_, messages[at]) : undefined;
    making.done.push(enlist(home, run, member, { index: index++, generation: 0, isOwn: messages !== undefined, noted }));
  }
}

async function messageNote({ house }: Signatures, run: Run, message: unknown): Promise<() => void> {
  await run.accepted;
  return house.services.writeNote(run, NoteKind.Message, { message }, 'message');
}

/** What one was called with by itself, for another. */
export async function sameMessage(home: Signatures, from: Run, to: Run): Promise<(() => void) | undefined> {
  if (from.extra.bound?.data?.own !== true) return undefined;
  const noted = (await home.house.services.readNote(from, NoteKind.Message)?.value) as { message?: unknown } | undefined;
  return messageNote(home, to, noted?.message);
}

interface Place {
  index: number;
  generation: number;
  isOwn: boolean;
  noted?: (() => void) | undefined;
}

/** It takes its place; where the swarm runs it may begin at once, as soon as its group has room. */
export function enlist(home: Signatures, container: Run, member: StoredSignature, { index, generation, isOwn, noted }: Place): Promise<boolean> {
  const { house, edges } = home;
  const run = member.run_;
  const toReturnField = configOf(container).sendSwarmMessageToReturnField === true;
  const binding = bindTo(home.edges, run, { sources: { container: container.id }, data: { role: 'member', index, generation, ...(isOwn && { own: true }), ...(toReturnField && !isOwn && { toReturnField }) } });
  const belong = adopt(house, edges, container, run, memberKey(generation, index));
  const group = () => (container.task === 0 ? 0 : house.groups.ownedBy(container));
  return edges.describe(run, {
    known: [container], binding, submit: () => group() !== 0,
    also: () => {
      belong();
      noted?.();
      if (group() !== 0) begin(home, run, group());
      if (house.services.isPaused(container)) house.pump.commands.push(P.CommandPause, run.task, P.PauseKindSuspend);
    },
  });
}

/** REQUIRES: it is submitted right after. */
export function begin(home: Signatures, run: Run, group: number): void {
  home.house.pump.commands.push(P.CommandJoinGroup, run.task, group);
  home.of(run).setTimes(staggerOf(home, run));
}

/** How much later than at once, so that not all begin together. */
function staggerOf({ house }: Signatures, { extra }: Run): number {
  const { stagger, window = 0 } = configOf(extra.parent!);
  if (stagger === undefined) return 0;
  const members = membersOf(house, extra.parent!);
  const part = stagger === 'random' ? house.random() : members.findIndex((member) => member.extra === extra) / members.length;
  return Math.floor(part * (window as number));
}

/** A copy, members and all. */
export async function copySwarm(home: Signatures, making: Making, from: Run, to: Run): Promise<void> {
  const made = new StoredSwarm(home, to);
  for (const template of templatesOf(home, from)) keepTemplate(home, making, made, template.extra.bound!.data!.template as CallbackRole, await home.copy(making, home.of(template)));
  for (const [index, member] of membersOf(home.house, from).entries()) {
    const copied = await home.copy(making, home.of(member));
    making.done.push(enlist(home, to, copied, { index, generation: 0, isOwn: member.extra.bound!.data!.own === true, noted: await sameMessage(home, member, copied.run_) }));
  }
  if (isClosed(from)) making.done.push(home.edges.describe(to, { binding: closedBinding(to), submit: false }));
}

export function closedBinding({ extra: { bound } }: Run) {
  return { sources: {}, ...bound, data: { ...bound?.data, closed: true } };
}

function checkRoom({ maxTaskAllowed }: SwarmConfig, known: number, more: number): void {
  if (typeof maxTaskAllowed !== 'number' || known + more <= maxTaskAllowed) return;
  throw new TooManyTasksError(`The swarm has ${known} tasks and may have ${maxTaskAllowed} (maxTaskAllowed); ${more} more are too many, and none was added.`, { data: { known, more, maxTaskAllowed } });
}

export class StoredSwarm extends StoredSignature<any, SwarmResult[]> implements Swarm {
  readonly #home: Signatures;

  constructor(home: Signatures, run: Run) {
    super(home, run);
    this.#home = home;
  }

  get config(): Readonly<SwarmConfig> {
    return configOf(this.run_);
  }
  get isSwarmClosed(): boolean {
    return isClosed(this.run_);
  }
  get tasks(): readonly string[] {
    return membersOf(this.#home.house, this.run_).map(({ id }) => id);
  }
  get isSwarmDone(): boolean {
    return this.isSwarmClosed && membersOf(this.#home.house, this.run_).every(({ end }) => end !== End.None);
  }

  async addTask(task: Signable, options?: AddOptions): Promise<StoredSignature> {
    return (await this.addTasks([task], options))[0]!;
  }
  addTasks(tasks: readonly Signable[], options: AddOptions = {}): Promise<StoredSignature[]> {
    return this.#add(tasks, undefined, options);
  }

  async runInSwarm(task: Signable | readonly Signable[], message: unknown = {}, options: AddOptions = {}): Promise<StoredSignature[]> {
    const tasks = Array.isArray(task) ? task : [task];
    return this.runTasksInSwarm(tasks, tasks.map(() => message), options);
  }
  async runTasksInSwarm(tasks: readonly Signable[], messages: readonly unknown[], options: AddOptions = {}): Promise<StoredSignature[]> {
    if (!Array.isArray(tasks) || !Array.isArray(messages) || tasks.length !== messages.length)
      throw new TaskAndMsgsDontMatchForSwarmError(`runTasksInSwarm needs a message for each task: ${Array.isArray(tasks) ? tasks.length : describe(tasks)} tasks, ${Array.isArray(messages) ? messages.length : describe(messages)} messages. Nothing was added.`);
    const added = await this.#add(tasks, messages, options);
    if (this.run_.end === End.None && this.#home.house.dependencies.isDraft(this.run_) && this.containerId === undefined && !this.run_.extra.bound?.data?.callback) await this.submit();
    return added;
  }

  #add(tasks: readonly Signable[], messages: readonly unknown[] | undefined, options: AddOptions): Promise<StoredSignature[]> {
    checkNames(options, ['closeOnMaxTask'], 'addTasks');
    const { closeOnMaxTask = true } = options;
    if (!Array.isArray(tasks)) throw new ConfigurationError(`addTasks needs a list of tasks, not ${describe(tasks)}.`);
    return this.#home.inLine(this.run_, async () => {
      this.#refuseOver();
      tasks.forEach((task, index) => this.#home.checkSignable(task, `addTasks[${index}]`));
      const known = this.tasks.length;
      checkRoom(this.config, known, tasks.length);
      await this.#home.make((making) => enlistAll(this.#home, making, this, tasks, messages));
      if (closeOnMaxTask && known + tasks.length === this.config.maxTaskAllowed) await this.close();
      return membersOf(this.#home.house, this.run_).slice(known).map((run) => this.#home.of(run));
    });
  }

  /** @throws SwarmIsCanceledError SwarmClosedError MissingSignatureError */
  #refuseOver(): void {
    this.#home.refuseRemoved(this.run_);
    const { end } = this.run_;
    if (end === End.Cancelled) throw new SwarmIsCanceledError(`Swarm ${this.key} (${this.taskName}) was cancelled; nothing was added. Make another one.`, { data: { key: this.key } });
    if (end === End.Failed) throw new SwarmClosedError(`Swarm ${this.key} (${this.taskName}) has failed; nothing was added. Its result() says why; retry() begins anew those that failed.`, { data: { key: this.key } });
    if (end !== End.None || this.isSwarmClosed) throw new SwarmClosedError(`Swarm ${this.key} (${this.taskName}) is closed${end === End.None ? ': closeSwarm() was called, it has all members it may have, or too many of them failed' : ' and over'}. Nothing was added; make another one.`, { data: { key: this.key } });
  }

  closeSwarm(): Promise<boolean> {
    return this.#home.inLine(this.run_, () => this.close());
  }

  /** @internal REQUIRES: it is its turn. */
  async close(): Promise<boolean> {
    const { run_: run } = this;
    if (this.isSwarmClosed || run.end !== End.None) return false;
    await this.#home.edges.describe(run, {
      binding: closedBinding(run), submit: false,
      also: () => {
        const group = this.#home.house.groups.ownedBy(run);
        if (group !== 0) this.#home.house.groups.close(group);
      },
    });
    return true;
  }
}
