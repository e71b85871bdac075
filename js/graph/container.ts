/**
 * The code of a graph's run: makes a run for each node, sources first, each with what it waits for, and waits without
 * a slot until the core says that all of them are over.
 *
 * Invariants: a node is one run, under its id, whatever crashed in between; when it begins, and whether, is the core's.
 */
import type { Container, MemberListener } from '../groups/container.ts';
import { KeyPrefix, RecordKind } from '../journal/history.ts';
import type { Definition } from '../intake/registry.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import { UnrecognizedTaskError } from '../errors.ts';
import type { LiveRun } from './live.ts';
import { nodeTask } from './names.ts';
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

const byDataflow = Object.freeze({ by: 'holdfast/dataflow' });

class GraphCode implements MemberListener {
  readonly #container: Container;
  readonly #live: LiveRun;
  readonly #nodeDefinition: Definition;
  #told = 0;

  constructor(container: Container, live: LiveRun) {
    this.#container = container;
    this.#live = live;
    this.#nodeDefinition = container.house.definition(nodeTask)!;
  }

  async run(): Promise<GraphOutput> {
    const container = this.#container;
    const live = this.#live;
    const { concurrency, failurePolicy = 'abort' } = live.options;
    const generation = container.house.services.closedAttemptOf(container.run);
    const renewedMark = `${KeyPrefix.Mark}renewed ${generation}`;
    const isAgain = generation > 0 && container.durable.replay.mark(renewedMark) === undefined;
    container.listener = this;
    container.open({ concurrency, failureThreshold: failurePolicy === 'abort' ? 1 : undefined }, isAgain);
    live.begin();
    if (isAgain) {
      await this.#renew();
      container.durable.note(renewedMark, RecordKind.Mark);
    }
    if (!container.isClosed) await this.#fill();
    await container.close();
    await container.settled();
    return this.#end(failurePolicy);
  }

  /** It is tried again: what has not completed begins anew, but for failures that an edge has led on. */
  async #renew(): Promise<void> {
    const container = this.#container;
    const live = this.#live;
    for (const node of live.plan.nodes) {
      const run = live.runs[node.index];
      if (!run || run.end === End.None || run.end === End.Completed || (run.end === End.Failed && node.handlesError)) continue;
      const deciding = live.deciding(node);
      if (deciding) await deciding;
      container.renew(run, () => {
        const after = node.incoming.length > 0 ? this.#after(node) : [];
        for (let at = 0; at < after.length; at += 2) container.house.pump.commands.push(P.CommandDependOn, run.task, (after[at] as Run).task, after[at + 1] as number);
      });
      live.reopened(node);
    }
  }

  async #fill(): Promise<void> {
    const container = this.#container;
    for (const node of this.#live.plan.nodes) {
      if (this.#live.runs[node.index]) continue;
      if (container.isBreathless) await container.breathe();
      const deciding = this.#live.deciding(node);
      if (deciding) await deciding;
      this.#live.joined(node, this.#make(node));
    }
  }

  #make(node: PlanNode): Run {
    const { house } = this.#container;
    const { definitionId, task } = node;
    const { timeout } = task.config;
    const own = task.runOptions(house);
    const definition = definitionId === undefined ? this.#nodeDefinition : house.definition(definitionId);
    if (!definition) throw new UnrecognizedTaskError(`Node ${node.id}: no task ${JSON.stringify(definitionId)} is registered.`);
    const made = this.#container.addNew({ key: node.id, definition, input: undefined, options: timeout === undefined ? own : { ...own, timeout }, deferred: definitionId === undefined ? undefined : byDataflow });
    if (node.incoming.length > 0) made.ownExtra.after = this.#after(node);
    else if (definitionId !== undefined) made.ownExtra.after = [];
    if (node.height > 0) made.ownExtra.height = node.height;
    return made;
  }

  /** Its sources' runs and the kinds of edges from them, one after the other. */
  #after(node: PlanNode): (Run | number)[] {
    const { incoming, sources } = node;
    const { runs } = this.#live;
    const first = runs[sources[0]!.index]!;
    const after: (Run | number)[] = [first, this.#live.kindOf(node, 0)];
    for (let at = 1; at < incoming.length; at++) {
      const source = runs[sources[at]!.index]!;
      const kind = this.#live.kindOf(node, at);
      let isKnown = false;
      for (let each = 0; each < after.length; each += 2) isKnown ||= after[each] === source && after[each + 1] === kind;
      if (!isKnown) after.push(source, kind);
    }
    return after;
  }

  memberEnded(member: Run): void {
    const live = this.#live;
    live.ended(member);
    const whole = Math.floor(live.progress);
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
    const failed = live.plan.nodes.filter(({ index, handlesError }) => !handlesError && live.runs[index]?.end === End.Failed);
    if (failed.length <= 1) return failed[0];
    const endedAt = ({ index }: PlanNode) => house.pump.engine.value(live.runs[index]!.task, P.FieldUpdatedAt);
    const { firstFailure } = live;
    return failed.sort((one, other) => endedAt(one) - endedAt(other) || Number(other === firstFailure) - Number(one === firstFailure))[0];
  }
}
