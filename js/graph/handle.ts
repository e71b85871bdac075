/** A run of a graph, as people hold it. Everything is read from its run and those of its nodes. */
import { End, type Run } from '../runs/run.ts';
import type { TaskStatus as RunStatus } from '../types.ts';
import { endOf } from './failures.ts';
import type { GraphPayload, Graphs } from './home.ts';
import type { LiveRun } from './live.ts';
import { mergeResults } from './merging.ts';
import type { Explanation } from './explaining.ts';
import type { Provenance } from './provenance.ts';
import type { TaskGraph } from './task-graph.ts';
import type { GraphRun, MergeStrategy, NodeState, OutputRepository, TaskIdType, TaskOutput } from './types.ts';

const noNodes: ReadonlyMap<TaskIdType, NodeState> = new Map();

export class GraphHandle implements GraphRun {
  readonly #graphs: Graphs;
  readonly run: Run;
  readonly #merge: MergeStrategy | undefined;

  constructor(graphs: Graphs, run: Run, merge: MergeStrategy | undefined) {
    this.#graphs = graphs;
    this.run = run;
    this.#merge = merge;
  }

  get id(): string {
    return this.run.id;
  }
  get status(): RunStatus {
    return this.run.status;
  }
  get accepted(): Promise<void> {
    return this.run.accepted;
  }
  get nodes(): ReadonlyMap<TaskIdType, NodeState> {
    return this.#graphs.liveNow(this.run)?.nodes ?? noNodes;
  }

  /** The graph that shows it; after a reload one that was read from its document. */
  async graph(): Promise<TaskGraph> {
    return (await this.live()).graph;
  }
  /** Until its nodes can be asked for at once. */
  async known(): Promise<this> {
    // The graph of one in a node is that of the node's code, which may not run here.
    if (this.run.extra.parentId === undefined) await this.live().catch(() => {});
    return this;
  }
  live(): Promise<LiveRun> {
    return this.#graphs.liveOf(this.run);
  }

  async changesStored(): Promise<void> {
    await this.#graphs.liveNow(this.run)?.changes.stored;
  }

  async result(): Promise<any> {
    await this.run.ended;
    const { house } = this.#graphs;
    if (this.run.end !== End.Completed) throw await this.#error();
    const live = await this.live();
    return mergeResults(await live.results(), this.#merge ?? ((await house.attempts.inputOf(this.run)) as GraphPayload).merge as MergeStrategy | undefined ?? 'GRAPH_RESULT_ARRAY');
  }

  async #error(): Promise<Error> {
    const { house } = this.#graphs;
    const ended = endOf(house, this.run);
    if (ended) return ended;
    const live = await this.live().catch(() => undefined);
    return (live?.firstFailure && live.errorOf(live.firstFailure)) ?? house.errorOf(this.run);
  }

  async output(taskId: TaskIdType): Promise<TaskOutput | undefined> {
    const live = await this.live();
    const node = live.plan.byId.get(taskId);
    return node && live.loadOutput(node.index);
  }

  async outputs(): Promise<OutputRepository> {
    const live = await this.#whole();
    const { outputsOf } = await import('./former-outputs.ts');
    return outputsOf(live);
  }

  async getProvenance(taskId: TaskIdType, port?: string): Promise<Provenance | undefined> {
    return (await this.#whole()).getProvenance(taskId, port);
  }
  async explain(taskId: TaskIdType, port?: string): Promise<Explanation | undefined> {
    return (await this.#whole()).explain(taskId, port);
  }
  /** With all that its nodes gave. */
  async #whole(): Promise<LiveRun> {
    const live = await this.live();
    await Promise.all(live.plan.nodes.map(({ index }) => live.loadOutput(index)));
    return live;
  }

  abort(reason?: unknown): Promise<boolean> {
    return this.run.cancel(reason);
  }
  suspend(how: 'finish' | 'interrupt' = 'finish'): Promise<boolean> {
    return this.run.pause(how === 'interrupt' ? 'hard' : 'soft');
  }
  resume(): Promise<boolean> {
    return this.run.resume();
  }
  retry(): Promise<boolean> {
    return this.run.retry();
  }

  subscribe(listener: () => void): () => void {
    const stop = this.run.subscribe(listener);
    const { house } = this.#graphs;
    const stopNodes = house.subscribe(listener);
    return () => {
      stop();
      stopNodes();
    };
  }
}
