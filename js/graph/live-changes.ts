/**
 * Changes of a graph while a run of it goes on.
 *
 * A call asks first. What has begun stays as it is: whether it has, the core says, and a node that a change concerns is a
 * draft from then on, so it does not begin until the change is part of the run. What was changed in one turn of the page is
 * told in one frame: the document as it is now, which runs are gone, which are new, and what those that wait wait for. A page that dies
 * before leaves the graph as it was, and drafts, which the next page lets go.
 *
 * Invariants: what is refused changes nothing; what is stored is the whole of a turn, or nothing of it; a node that has
 * begun has the edges that it began with.
 */
import { NoteKind } from '../journal/notes.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import type { Dataflow } from './dataflow.ts';
import { checkEntitlements } from './entitlements.ts';
import { TaskConfigurationError } from './errors.ts';
import type { LiveRun } from './live.ts';
import { definitionOf, dropNode, letGo, makeNode, optionsOf, roomOf, Rooms, waitingIn } from './making.ts';
import { type Plan, type PlanNode, planOf } from './plan.ts';
import { Task } from './task.ts';
import { type TaskIdType, TaskStatus } from './types.ts';
import { prepareValidation, saysMuch } from './validate.ts';

type AnyTask = Task<any, any, any>;

export class LiveChanges {
  readonly #live: LiveRun;
  /** Nodes that a change concerns. Their runs are drafts until it is told. */
  #claimed = new Set<TaskIdType>();
  #count = 0;
  #settled: Promise<void> | undefined;
  #stored: Promise<void> = Promise.resolve();

  constructor(live: LiveRun) {
    this.#live = live;
  }

  /** Until what was changed is part of the run; undefined: nothing was. */
  get settled(): Promise<void> | undefined {
    return this.#settled;
  }
  /** Until every change so far is stored, or part of the run where nothing is. */
  get stored(): Promise<void> {
    return (this.#settled ?? Promise.resolve()).then(() => this.#stored);
  }

  // What a call asks before it changes anything

  /** @throws TaskConfigurationError TaskSerializationError TaskEntitlementError UnrecognizedTaskError */
  adding(task: AnyTask): void {
    this.#open();
    const { house, graph, options } = this.#live;
    if (options.maxTasks !== undefined && graph.size >= options.maxTasks) throw new TaskConfigurationError(`Graph run ${this.#live.run.id} may have ${options.maxTasks} tasks (maxTasks), and has them.`);
    this.#check(task);
    if (house.journal) task.toJSON();
  }
  /** @throws as `adding`, and where the task that it replaces has begun */
  replacing(task: AnyTask): void {
    this.refuseBegunTask(task.id);
    this.#check(task);
    if (this.#live.house.journal) task.toJSON();
    this.#claimWithTargets(task.id);
  }
  removing(id: TaskIdType): void {
    this.refuseBegunTask(id);
    this.#claimWithTargets(id);
  }
  retouching(id: TaskIdType): void {
    this.refuseBegunTask(id);
    this.claim(id);
  }

  /** Of an edge that comes or goes. @throws TaskConfigurationError where an end has begun */
  refuseBegun({ sourceTaskId, targetTaskId }: Dataflow): void {
    this.refuseBegunTask(sourceTaskId);
    this.refuseBegunTask(targetTaskId);
  }

  refuseBegunTask(id: TaskIdType): void {
    this.#open();
    if (this.#hasNotBegun(id)) return;
    const { run, plan, statuses } = this.#live;
    const known = statuses[plan.byId.get(id)!.index]!;
    const status = known === TaskStatus.PENDING ? TaskStatus.PROCESSING : known;
    throw new TaskConfigurationError(`Task ${id} is ${status} in graph run ${run.id}, and what has begun stays as it is, with the edges into it and out of it. Change what has not begun, wait until the run is over, or change a copy: createGraphFromGraphJSON(graph.toJSON()).`, {
      data: { taskId: id, runId: run.id, status },
    });
  }

  isPending(id: TaskIdType): boolean {
    this.#open();
    return this.#hasNotBegun(id);
  }

  /** It does not begin before the change is part of the run. REQUIRES: it has not begun */
  claim(id: TaskIdType): void {
    this.#claim([id]);
  }

  /** Those that it feeds are told anew what they wait for. */
  #claimWithTargets(id: TaskIdType): void {
    this.#claim([id, ...this.#live.graph.getTargetTasks(id).map((target) => target.id)]);
  }

  #claim(ids: readonly TaskIdType[]): void {
    const { house } = this.#live;
    const fresh = ids.filter((id) => !this.#claimed.has(id));
    for (const id of fresh) this.#claimed.add(id);
    const runs = fresh.flatMap((id) => this.#runOf(id) ?? []).filter(({ task }) => task !== 0);
    this.#schedule();
    if (runs.length > 0) house.pump.atOnce(() => runs.forEach(({ task }) => house.pump.commands.push(P.CommandRevise, task)));
  }

  /** What has been asked for before is carried out, so that the core says how things are. @throws TaskConfigurationError where the run is over */
  #open(): void {
    const { house, run, isRunning } = this.#live;
    const isNested = run.extra.parentId !== undefined;
    if (isNested) throw new TaskConfigurationError(`The graph is that of a node, in graph run ${run.id}, which goes on: it stays as it is until that is over.`, { data: { runId: run.id } });
    if (!house.pump.open) return;
    house.pump.atOnce(() => house.pump.admitChildren(run));
    if (!isRunning || run.end !== End.None || house.disposed || house.services.isCancelling(run)) throw new TaskConfigurationError(`Graph run ${run.id} is ${run.end === End.None ? 'ending' : 'over'}, and takes no change any more.`, { data: { runId: run.id, status: run.status } });
  }

  #check(task: AnyTask): void {
    const { house, options } = this.#live;
    definitionOf(house, task);
    this.#refuseFull(task, optionsOf(house, task)?.queue);
    if (options.entitlements) checkEntitlements({ getTasks: () => [task] } as never, options.entitlements);
  }

  /** What comes in this turn is made at once, with what follows it: its queue can't hold it back. Where it fills until then, see `Rooms`. */
  #refuseFull({ id }: AnyTask, queue: unknown): void {
    const { house, graph, plan } = this.#live;
    const known = typeof queue === 'string' ? house.table.queues.named(queue) : undefined;
    const most = known && roomOf(known.rules);
    if (most === undefined) return;
    const waiting = waitingIn(house, queue as string);
    const coming = graph.getTasks().filter((task) => !plan.byId.has(task.id) && task.runOptions(house)?.queue === queue).length;
    if (waiting + coming < most) return;
    throw new TaskConfigurationError(`Task ${id} would stand in queue ${JSON.stringify(queue)}, which is full: ${waiting + coming} wait of ${most} (maxSize). Add it when there is room, or give the queue a greater maxSize.`, { data: { taskId: id, queue } });
  }

  #runOf(id: TaskIdType): Run | undefined {
    const node = this.#live.plan.byId.get(id);
    return node && this.#live.runs[node.index];
  }

  #hasNotBegun(id: TaskIdType): boolean {
    const run = this.#runOf(id);
    const { pump } = this.#live.house;
    return run === undefined || (run.end === End.None && (run.task === 0 || pump.engine.value(run.task, P.FieldStartedAt) === 0));
  }

  // How it becomes part of the run

  /** Something was changed: at the end of this turn it is told. */
  changed(): void {
    this.#count++;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#settled) return;
    const { house, run } = this.#live;
    const group = house.pump.open ? house.groups.ownedBy(run) : 0;
    // It is not over before what comes has come.
    if (group !== 0) house.pump.commands.push(P.CommandSetGroup, group, P.GroupFieldClosed, 0, 0);
    this.#settled = this.#tell();
  }

  async #tell(): Promise<void> {
    const { house, run, graph } = this.#live;
    try {
      await Promise.resolve();
      for (let told = -1; told !== this.#count; ) {
        const count = this.#count;
        if (run.task === 0) await run.accepted.catch(() => {});
        await this.#load();
        const written = house.journal && (await house.services.writeNote(run, NoteKind.Graph, graph.toJSON(), 'changed graph'));
        if (run.end !== End.None || house.disposed || !house.pump.open || run.task === 0) return;
        house.pump.atOnce(() => {
          // Whoever heard of what came before may have changed more.
          if (count !== this.#count) return;
          told = count;
          this.#say(written);
        });
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      // Now, and not a moment later: what is changed next is told anew.
      this.#settled = undefined;
    }
  }

  /** It can't be stored: the run goes on as it was, and what waited for the change does not any more. */
  #fail(error: unknown): void {
    const live = this.#live;
    const { house, run } = live;
    const failed = Promise.reject(error);
    failed.catch(() => {});
    this.#stored = failed;
    house.warn(`A change of graph run ${run.id} can't be stored, and is no part of it: ${error instanceof Error ? error.message : String(error)}`);
    if (house.disposed || !house.pump.open) return;
    house.pump.atOnce(() => {
      for (const node of live.plan.nodes) {
        const waiting = live.runs[node.index];
        if (!this.#claimed.has(node.id) || !waiting || waiting.task === 0 || waiting.end !== End.None) continue;
        house.pump.commands.push(P.CommandRevise, waiting.task);
        letGo(live, node, waiting);
      }
      const group = house.groups.ownedBy(run);
      if (group !== 0 && live.isFilled) house.groups.close(group);
    });
    this.#claimed.clear();
  }

  /** Outputs that say which edges lead on, and what checks values. */
  async #load(): Promise<void> {
    const { graph, plan, statuses } = this.#live;
    for (const task of graph.getTasks()) {
      const former = plan.byId.get(task.id);
      if (former && !this.#claimed.has(task.id)) continue;
      if (saysMuch(task.inputSchema())) await prepareValidation();
      for (const { id, inactivePorts } of graph.getSourceTasks(task.id)) {
        const source = plan.byId.get(id);
        if (source && statuses[source.index] === TaskStatus.COMPLETED && inactivePorts !== Task.prototype.inactivePorts) await this.#live.loadOutput(source.index);
      }
    }
  }

  #say(written: (() => void) | undefined): void {
    const live = this.#live;
    const { house, run, graph, plan: former, runs } = live;
    const { commands } = house.pump;
    const plan = planOf(graph);
    const concerned = this.#claimed;
    this.#claimed = new Set();
    const gone = former.nodes.filter(({ id, task }) => plan.byId.get(id)?.task !== task);
    const isOver = new Set(gone.flatMap(({ index }) => runs[index] ?? []));
    live.replan(plan, new Set(gone.map(({ id }) => id)));
    if (written) this.#stored = new Promise((resolve) => (run.ownExtra.waiters ??= []).push({ command: P.CommandNote, resolve: () => resolve() }));
    written?.();
    const group = house.groups.ownedBy(run);
    const isMade = group !== 0 && live.isFilled;
    if (group !== 0) commands.push(P.CommandSetGroup, group, P.GroupFieldClosed, 0, 0);
    const claimed = plan.nodes.filter(({ id, index }) => concerned.has(id) && live.runs[index] && live.runs[index]!.end === End.None);
    // Once more: after a crash of the core they are what they were before.
    for (const { index } of claimed) commands.push(P.CommandRevise, live.runs[index]!.task);
    for (const each of isOver) dropNode(house, each);
    if (isMade) this.#make(plan, group);
    for (const node of claimed) letGo(live, node, live.runs[node.index]!);
    for (const node of plan.nodes) this.#measure(node, former.byId.get(node.id));
    if (isMade) commands.push(P.CommandSetGroup, group, P.GroupFieldClosed, 0, 1);
  }

  #make(plan: Plan, group: number): void {
    const live = this.#live;
    const { house, run } = live;
    const members = run.extra.members as { addNew?(member: object): Run } | undefined;
    const made: Run[] = [];
    const rooms = new Rooms(house);
    for (const node of plan.nodes) {
      if (live.runs[node.index]) continue;
      const each = makeNode(live, node, (member) => members?.addNew?.(member) ?? house.services.member(run, member, group));
      rooms.take(each);
      live.joined(node, each);
      made.push(each);
    }
    house.pump.admitChildren(run);
    // What happened to the run happens to what comes, too.
    if (house.services.isPaused(run)) for (const { task } of made) house.pump.commands.push(P.CommandPause, task, P.PauseKindSuspend);
  }

  /** What came below it may make it go before others, and lead on its failure. */
  #measure(node: PlanNode, former: PlanNode | undefined): void {
    const run = this.#live.runs[node.index];
    if (!former || !run || run.task === 0 || run.end !== End.None) return;
    const { commands } = this.#live.house.pump;
    if (former.height !== node.height) commands.setTask(run.task, P.TaskFieldHeight, node.height);
    if (former.handlesError !== node.handlesError) commands.setTask(run.task, P.TaskFieldHandled, node.handlesError ? 1 : 0);
  }
}
