/**
 * What is made of chains and swarms: branches, fallbacks, and the group primitives. Each is a signature like any other; what
 * decides is the core's edges and groups, and what is chosen is chosen from what is durable.
 */
import { ConfigurationError } from '../errors.ts';
import { checkNames, checkRecord, describe, wholeNumber } from '../intake/checks.ts';
import type { Prerequisite } from '../dependencies/types.ts';
import { chain } from './chain.ts';
import { checkCondition } from './conditions.ts';
import { adopt, bindTo, memberKey } from './membership.ts';
import { branchTask, fallbackTask } from './names.ts';
import { partsOf } from './options.ts';
import type { StoredSignature } from './signature.ts';
import type { Making, Signatures } from './signatures.ts';
import { type StoredSwarm, swarm } from './swarm.ts';
import type { BranchCase, PipelineStage, Signable, SwarmOptions } from './types.ts';

type Options = Record<string, unknown>;

/** One of several, by the first condition that holds. @throws ConfigurationError, and as sign */
export function branch(home: Signatures, given: { cases: readonly BranchCase[]; default?: Signable }, options: Options = {}): Promise<StoredSignature> {
  checkNames(given, ['cases', 'default'], 'branch');
  const { cases, default: otherwise } = given;
  if (!Array.isArray(cases) || cases.length === 0) throw new ConfigurationError(`branch cases must be a list of { when, task }, not ${describe(cases)}.`);
  cases.forEach((one, index) => {
    checkNames(one, ['when', 'task'], `branch cases[${index}]`);
    checkCondition(one.when, `branch cases[${index}].when`);
    home.checkSignable(one.task, `branch cases[${index}].task`);
  });
  if (otherwise !== undefined) home.checkSignable(otherwise, 'branch default');
  const conditions = cases.map(({ when }) => when);
  return contain(home, branchTask, [...cases.map(({ task }) => task), ...(otherwise === undefined ? [] : [otherwise])], options, { conditions }, 'branch');
}

/** Another task, or `{ value }`, in place of one that fails for good. @throws ConfigurationError, and as sign */
export function fallback(home: Signatures, task: Signable, other: Signable | { value: unknown }, options: Options = {}): Promise<StoredSignature> {
  home.checkSignable(task, 'fallback task');
  const isValue = typeof other === 'object' && other !== null && Object.keys(other).length === 1 && 'value' in other;
  if (!isValue) home.checkSignable(other, 'fallback');
  return contain(home, fallbackTask, isValue ? [task] : [task, other as Signable], options, isValue ? { value: (other as { value: unknown }).value } : {}, 'fallback');
}

function contain(home: Signatures, kind: string, tasks: readonly Signable[], options: Options, data: object, where: string): Promise<StoredSignature> {
  const { name, ...others } = options;
  const parts = partsOf(others, where);
  const callbacks = home.checkCallbacks(parts.own, where);
  return home.make((making) => {
    const members = tasks.map((task) => home.signable(making, task));
    const deferred = { ...parts.deferred, data: { ...parts.deferred.data, ...data, size: tasks.length } };
    const container = home.draft(making, home.container(kind), parts.kwargs, { ...parts.trigger, name: (name as string | undefined) ?? `${where}:${members[0]!.taskName}` }, deferred);
    enlistChoices(home, making, container, members);
    home.attach(making, container, callbacks);
    return container;
  });
}

/** Members that get what the container is called with; which of them begins is seen then. A fallback begins when the first has failed. */
export function enlistChoices(home: Signatures, making: Making, container: StoredSignature, members: readonly StoredSignature[]): void {
  const isFallback = container.run_.taskIdentifier === fallbackTask;
  members.forEach((member, index) => {
    const first = isFallback && index > 0 ? members[0]! : undefined;
    const binding = bindTo(home.edges, member.run_, { sources: { container: container.key, ...(first && { of: first.key }) }, data: { role: first ? 'instead' : 'first', index } });
    const belong = adopt(home.house, home.edges, container.run_, member.run_, memberKey(0, index));
    const after: Prerequisite[] = first ? [{ run: first.run_, on: 'failure' }] : [];
    making.done.push(home.edges.describe(member.run_, { after, known: [container.run_], binding, also: belong, submit: false }));
  });
}

/** All outputs, as the tasks were given; the first failure ends the others. */
export function all(home: Signatures, tasks: readonly Signable[], options: SwarmOptions & Options = {}): Promise<StoredSwarm> {
  return swarm(home, tasks, closed(options, { stopAfterNFailures: 1, onStop: 'cancel-running' }), { mode: 'all' });
}
/** What became of each. */
export function allSettled(home: Signatures, tasks: readonly Signable[], options: SwarmOptions & Options = {}): Promise<StoredSwarm> {
  return swarm(home, tasks, closed(options, {}));
}
/** The first output; the others are cancelled. Fails where all do. */
export function any(home: Signatures, tasks: readonly Signable[], options: SwarmOptions & Options = {}): Promise<StoredSwarm> {
  return swarm(home, some(tasks, 'any'), closed(options, {}), { mode: 'any' });
}
/** The first that ends, well or badly; the others are cancelled. */
export function race(home: Signatures, tasks: readonly Signable[], options: SwarmOptions & Options = {}): Promise<StoredSwarm> {
  return swarm(home, some(tasks, 'race'), closed(options, {}), { mode: 'race' });
}

function some(tasks: readonly Signable[], verb: string): readonly Signable[] {
  if (!Array.isArray(tasks) || tasks.length === 0) throw new ConfigurationError(`${verb} needs at least one task, and was given ${describe(tasks)}.`);
  return tasks;
}

function closed(options: SwarmOptions & Options, config: object): Options {
  if (options.config !== undefined) checkRecord(options.config, 'config');
  return { ...options, config: { ...options.config, ...config }, isSwarmClosed: true };
}

/** The task for each item, which is its message; all outputs, in order. */
export async function map(home: Signatures, items: readonly unknown[], task: Signable, options: Options = {}): Promise<StoredSwarm> {
  const { concurrency = 30, ...others } = options;
  wholeNumber(concurrency, 'map concurrency', 1);
  if (!Array.isArray(items)) throw new ConfigurationError(`map items must be a list, not ${describe(items)}.`);
  return swarm(home, items.map(() => task), closed(others, { maxConcurrency: concurrency, stopAfterNFailures: 1, onStop: 'cancel-running' }), { mode: 'all' }, undefined, items);
}

/** One after the other: each gets `{ result, item, index }`, of which `result` is what the one before gave, at first the initial value. */
export async function reduce(home: Signatures, items: readonly unknown[], task: Signable, initial: unknown, options: Options = {}): Promise<StoredSignature> {
  if (!Array.isArray(items) || items.length === 0) throw new ConfigurationError(`reduce needs a list of at least one item, not ${describe(items)}.`);
  const members: StoredSignature[] = [];
  for (const [index, item] of items.entries()) members.push(await home.sign(task, { kwargs: { item, index } }));
  return chain(home, members, options, undefined, { first: { result: initial } });
}

/** Beside each other, and then one with what became of all. */
export async function chord(home: Signatures, tasks: Signable | readonly Signable[], then: Signable, options: Options = {}): Promise<StoredSignature> {
  const header = Array.isArray(tasks) ? await allSettled(home, tasks) : (tasks as Signable);
  return chain(home, [header, then], options);
}

/** Each item through all stages; of each stage so many run at once, and not many more items are on their way than that. */
export async function pipeline(home: Signatures, items: readonly unknown[], stages: readonly PipelineStage[], options: Options = {}): Promise<StoredSwarm> {
  if (!Array.isArray(items)) throw new ConfigurationError(`pipeline items must be a list, not ${describe(items)}.`);
  if (!Array.isArray(stages) || stages.length === 0) throw new ConfigurationError(`pipeline stages must be a list of { task, concurrency }, not ${describe(stages)}.`);
  const { buffer = stages.length, ...others } = options;
  wholeNumber(buffer, 'pipeline buffer', 0);
  stages.forEach((stage, index) => {
    checkNames(stage, ['task', 'concurrency'], `pipeline stages[${index}]`);
    wholeNumber(stage.concurrency ?? 1, `pipeline stages[${index}].concurrency`, 1);
    home.checkSignable(stage.task, `pipeline stages[${index}].task`);
  });
  const group = `pipeline-${Math.floor(home.house.random() * 2 ** 48).toString(36)}`;
  const limits = stages.map(({ concurrency = 1 }, index) => ({ name: `${group}-${index}`, concurrency }));
  const lines: StoredSignature[] = [];
  for (const _ of items) {
    const members = await Promise.all(stages.map(({ task }, index) => home.sign(task, { queue: limits[index] })));
    lines.push(members.length === 1 ? members[0]! : await chain(home, members));
  }
  const most = limits.reduce((sum, { concurrency }) => sum + concurrency, buffer as number);
  return swarm(home, lines, closed(others, { maxConcurrency: most, stopAfterNFailures: 1, onStop: 'cancel-running' }), { mode: 'all' }, undefined, items);
}
