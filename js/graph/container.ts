/**
 * The code of a graph's run: makes a run for each node, sources first, each with what it waits for, and waits without
 * a slot until the core says that all of them are over.
 *
 * Invariants: a node is one run, under its id, whatever crashed in between; when it begins, and whether, is the core's.
 */
import type { Container, MemberListener } from '../groups/container.ts';
import { KeyPrefix, RecordKind } from '../journal/history.ts';
import type { NewMember } from '../context/services.ts';
import * as P from '../protocol.ts';
import type { Told } from '../pump/pump.ts';
import { End, type Run } from '../runs/run.ts';
import { hasFailed, revived, wasTaken } from './failures.ts';
import type { LiveRun } from './live.ts';
import { dropNode, letGo, makeNode, sayWaits } from './making.ts';
import type { PlanNode } from './plan.ts';
import { shapesOf } from './shapes.ts';
import { type FailurePolicy, TaskStatus } from './types.ts';
import { prepareValidation, saysMuch } from './validate.ts';

/** What a graph's run gives: what its nodes do not say themselves. */
export interface GraphOutput {
  /** How many nodes, and how they ended. */
  readonly nodes: number;
  readonly completed: number;
  readonly failed: number;
  readonly disabled: number;
}

export async function runGraph(container: Container): Promise<GraphOutput> {
  const { house, run } = container;
  const graphs = await house.graphs.load();
  const waits = await graphs.waitForTypes(run, run);
  if (waits) return waits.promise;
  const live = await graphs.liveOf(run);
  if (live.plan.nodes.some(({ task }) => saysMuch(task.inputSchema()))) await prepareValidation();
  try {
    return await new GraphCode(container, live).run();
  } finally {
    if (run.extra.parentId === undefined) graphs.shapes = shapesOf(house, GraphCode);
  }
}

class GraphCode implements MemberListener, Told {
  readonly #container: Container;
  readonly #live: LiveRun;
  #told = 0;
  #ended: Run[] = [];

  constructor(container: Container, live: LiveRun) {
    this.#container = container;
    this.#live = live;
  }

  async run(): Promise<GraphOutput> {
    const container = this.#container;
    const live = this.#live;
    const { concurrency, failurePolicy = 'abort' } = live.options;
    const generation = container.house.services.closedAttemptOf(container.run);
    const renewedMark = `${KeyPrefix.Mark}renewed ${generation}`;
    const isAgain = generation > 0 && container.durable.replay.mark(renewedMark) === undefined;
    container.listener = this;
    const limits = { concurrency, failureThreshold: failurePolicy === 'abort' ? 1 : undefined };
    container.open(limits, isAgain);
    live.begin();
    if (isAgain) {
      await this.#renew();
      container.durable.note(renewedMark, RecordKind.Mark);
    }
    // A node may have come since all were made, when there was nobody to make it.
    if (container.isClosed && live.isChanged) container.reopen(limits);
    if (!container.isClosed || live.isChanged) await this.#fill();
    if (!container.isFresh) await this.#mend();
    for (;;) {
      live.isFilled = true;
      await container.close();
      await container.settled();
      while (live.changing) await live.changing;
      if (live.plan.nodes.every(({ index }) => live.runs[index])) break;
      live.isFilled = false;
      container.reopen(limits);
      await this.#fill();
    }
    return this.#end(failurePolicy);
  }

  /** What a page that is gone has begun to change, and has not told to the end: it is told anew, as it stands in the document. */
  async #mend(): Promise<void> {
    const { house, members } = this.#container;
    const live = this.#live;
    for (const run of members) if (run.task !== 0 && run.end === End.None && !live.nodeOf(run)) dropNode(house, run);
    await this.#each(
      ({ index }) => {
        const run = live.runs[index];
        return run !== undefined && run.task !== 0 && run.end === End.None && house.pump.engine.value(run.task, P.FieldSubmitted) === 0;
      },
      (node) => {
        const run = live.runs[node.index]!;
        house.pump.commands.push(P.CommandRevise, run.task);
        letGo(live, node, run);
      },
    );
    house.pump.wake();
  }

  /** It is tried again: what has not completed begins anew, but for failures that an edge has led on. */
  async #renew(): Promise<void> {
    const container = this.#container;
    const live = this.#live;
    await this.#each(
      (node) => {
        const run = live.runs[node.index];
        return run !== undefined && run.end !== End.None && run.end !== End.Completed && !node.isDisabled && !(node.handlesError && hasFailed(live.house, run));
      },
      (node) => {
        const run = live.runs[node.index]!;
        container.renew(run, () => sayWaits(live, node, run));
        live.reopened(node);
      },
    );
  }

  async #fill(): Promise<void> {
    const live = this.#live;
    const add = (member: NewMember) => this.#container.addNew(member);
    await this.#each(
      (node) => !live.runs[node.index],
      (node) => {
        const run = makeNode(live, node, add);
        live.joined(node, run);
        // Who follows one that its queue holds back, or refuses, has nothing to follow yet.
        return run.extra.dropsWhereFull ? accepted(run, node) : undefined;
      },
    );
  }

  /** Sources first; from the front again where the graph was changed meanwhile. */
  async #each(isDue: (node: PlanNode) => boolean, work: (node: PlanNode) => Promise<void> | void): Promise<void> {
    const container = this.#container;
    const live = this.#live;
    let { plan } = live;
    for (let at = 0; at < plan.nodes.length; at++) {
      const node = plan.nodes[at]!;
      if (!isDue(node)) continue;
      if (container.isBreathless) await container.breathe();
      const deciding = live.deciding(node);
      if (deciding) await deciding;
      while (live.changing) await live.changing;
      if (live.plan === plan) {
        const working = work(node);
        if (working) await working;
      } else {
        plan = live.plan;
        at = -1;
      }
    }
    while (live.changing) await live.changing;
    if (live.plan !== plan) await this.#each(isDue, work);
  }

  memberEnded(member: Run): void {
    if (this.#ended.push(member) === 1) this.#container.house.pump.afterRead(this);
  }

  /** People's code hears of it, and may change the graph. */
  tell(): void {
    const ended = this.#ended;
    this.#ended = [];
    for (const member of ended) this.#live.ended(member);
    const whole = Math.floor(this.#live.progress);
    if (whole === this.#told) return;
    this.#told = whole;
    this.#container.context.progress(whole);
  }

  #end(policy: FailurePolicy): GraphOutput {
    const live = this.#live;
    live.over();
    const counts = { completed: 0, failed: 0, disabled: 0 };
    for (const status of live.statuses) {
      if (status === TaskStatus.COMPLETED) counts.completed++;
      else if (status === TaskStatus.DISABLED) counts.disabled++;
      else counts.failed++;
    }
    const failed = policy === 'collect' || counts.failed === 0 ? undefined : this.#firstFailed();
    const error = failed && live.errorOf(failed);
    live.mirror?.over(error);
    if (error) throw error;
    return { nodes: live.plan.nodes.length, ...counts };
  }

  /** As the core says, after a reload too. */
  #firstFailed(): PlanNode | undefined {
    const { house } = this.#container;
    const live = this.#live;
    const failed = live.plan.nodes.filter((node) => isCulprit(live, node));
    if (failed.length <= 1) return failed[0];
    const endedAt = ({ index }: PlanNode) => house.pump.engine.value(live.runs[index]!.task, P.FieldUpdatedAt);
    const { firstFailure } = live;
    return failed.sort((one, other) => endedAt(one) - endedAt(other) || Number(other === firstFailure) - Number(one === firstFailure))[0];
  }
}

/** @throws what it was refused with, as an error of its task */
async function accepted(run: Run, { task }: PlanNode): Promise<void> {
  await run.accepted.catch((error) => {
    throw revived(error, task);
  });
}

/** By it the whole fails: it failed and nothing leads that on, or it alone was ended. */
function isCulprit(live: LiveRun, node: PlanNode): boolean {
  const run = live.runs[node.index];
  return run !== undefined && (hasFailed(live.house, run) ? !node.handlesError : wasTaken(live.house, run) && !live.failedSourceOf(node));
}
