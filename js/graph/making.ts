/**
 * Nodes as runs: what each is made with, and which runs it waits for.
 * Invariant: said in one place, so that a node that is made late, or told anew what it waits for, is as it would have been.
 */
import { UnrecognizedTaskError } from '../errors.ts';
import type { NewMember } from '../context/services.ts';
import type { Definition } from '../intake/registry.ts';
import type { Rules } from '../limiting/order.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import type { Run } from '../runs/run.ts';
import type { TriggerOptions } from '../types.ts';
import { DefinitionTask } from './function-task.ts';
import type { LiveRun } from './live.ts';
import { nodeTask } from './names.ts';
import type { PlanNode } from './plan.ts';
import type { Task } from './task.ts';

const byDataflow = Object.freeze({ by: 'holdfast/dataflow' });

/** @throws UnrecognizedTaskError TaskConfigurationError of what its run can't be made with */
export function definitionOf(house: Orchestrator, task: Task<any, any, any>): Definition {
  const id = task instanceof DefinitionTask ? task.definitionId : nodeTask;
  const definition = house.definition(id);
  if (!definition) throw new UnrecognizedTaskError(`Node ${task.id}: no task ${JSON.stringify(id)} is registered.`);
  return definition;
}

/** @throws TaskConfigurationError */
export function optionsOf(house: Orchestrator, task: Task<any, any, any>): TriggerOptions | undefined {
  const own = task.runOptions(house);
  const { timeout } = task.config;
  return timeout === undefined ? own : { ...own, timeout };
}

/** @param add makes it a member of its container @throws UnrecognizedTaskError TaskConfigurationError */
export function makeNode(live: LiveRun, node: PlanNode, add: (member: NewMember) => Run): Run {
  const { house } = live;
  const { definitionId, task } = node;
  const made = add({ key: node.id, definition: definitionOf(house, task), input: undefined, options: optionsOf(house, task), deferred: definitionId === undefined ? undefined : byDataflow });
  if (node.isDisabled) {
    made.ownExtra.isDisabled = true;
    made.ownExtra.after = [];
  } else if (node.incoming.length > 0) made.ownExtra.after = afterOf(live, node);
  else if (definitionId !== undefined) made.ownExtra.after = [];
  if (node.height > 0) made.ownExtra.height = node.height;
  if (node.handlesError) made.ownExtra.isHandled = true;
  if (isBounded(house, made)) made.ownExtra.dropsWhereFull = true;
  return made;
}

/**
 * Of nodes that are made at once, with what follows them: a queue that has filled since they were asked for has no room for
 * one more, or takes it beyond what it holds back at, since it can't wait.
 */
export class Rooms {
  readonly #house: Orchestrator;
  /** By queue: how many it takes. */
  readonly #left = new Map<string, number>();

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  /** REQUIRES: the core does not know it yet */
  take(run: Run): void {
    const queueName = run.options?.queueName;
    const most = queueName === undefined ? undefined : roomOf(this.#house.table.queues.named(queueName)!.rules);
    if (most === undefined) return;
    if (run.options!.blockAt) {
      run.options = { ...run.options!, blockAt: 0 };
      return;
    }
    const left = this.#left.get(queueName!) ?? most - waitingIn(this.#house, queueName!);
    this.#left.set(queueName!, left - 1);
    if (left <= 0) run.ownExtra.isDropped = true;
  }
}

/** How many have not begun. */
export function waitingIn({ table, intake }: Orchestrator, queue: string): number {
  const number = table.queues.named(queue)?.number;
  return number === undefined ? 0 : intake.sizes.of(number) + intake.sizes.blocked(number);
}

/** How many may wait in a queue that holds back, or refuses, one more; undefined: any number, or one more takes the place of another. */
export function roomOf({ blockAt, maxSize, overflow }: Rules): number | undefined {
  return blockAt || (overflow === P.OverflowReject && maxSize) || undefined;
}
function isBounded(house: Orchestrator, { options }: Run): boolean {
  const queue = options?.queueName === undefined ? undefined : house.table.queues.named(options.queueName);
  return queue !== undefined && roomOf(queue.rules) !== undefined;
}

/** Its sources' runs and the kinds of edges from them, one after the other. */
export function afterOf(live: LiveRun, node: PlanNode): (Run | number)[] {
  const { incoming, sources } = node;
  const { runs } = live;
  const after: (Run | number)[] = new Array(2 * incoming.length);
  let length = 0;
  for (let at = 0; at < incoming.length; at++) {
    const source = runs[sources[at]!.index]!;
    const kind = live.kindOf(node, at);
    let isKnown = false;
    for (let each = 0; each < length; each += 2) isKnown ||= after[each] === source && after[each + 1] === kind;
    if (isKnown) continue;
    after[length++] = source;
    after[length++] = kind;
  }
  after.length = length;
  return after;
}

/** Of a draft: what it waits for, to the core. REQUIRES: that knows its sources */
export function sayWaits(live: LiveRun, node: PlanNode, run: Run): void {
  const { commands } = live.house.pump;
  if (node.incoming.length === 0) return;
  const after = afterOf(live, node);
  for (let at = 0; at < after.length; at += 2) commands.push(P.CommandDependOn, run.task, (after[at] as Run).task, after[at + 1] as number);
}

/** The same, and that it may begin, or is not to. */
export function letGo(live: LiveRun, node: PlanNode, run: Run): void {
  const { commands } = live.house.pump;
  if (!node.isDisabled) sayWaits(live, node, run);
  commands.push(P.CommandSubmit, run.task, node.isDisabled ? P.SubmitDisabled : 0);
}

/** One that has not begun is no node any more: nothing of it is left. REQUIRES: the core knows it */
export function dropNode(house: Orchestrator, run: Run): void {
  const { commands } = house.pump;
  commands.push(P.CommandRevise, run.task);
  commands.push(P.CommandSubmit, run.task, P.SubmitDisabled);
  commands.push(P.CommandForget, run.task, P.ForgetTaken);
}
