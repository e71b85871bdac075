/**
 * Where the house and this room meet: names of verbs, and the code of nodes. What they do is loaded with the first.
 *
 * Invariant: who runs no graph loads none of this room.
 */
import type { RunContext } from '../context/context.ts';
import { defineSpec } from '../definition/spec.ts';
import { Lazy } from '../lazy.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { Graphs } from './home.ts';
import type { OutputQuestion } from './caching.ts';
import { nodeTask, outputTask } from './names.ts';
import type { TaskRegistry } from './registry.ts';
import type { TaskGraph } from './task-graph.ts';
import type { GraphResultArray, GraphRun, GraphRunOptions, MergeStrategy, PlannedNode, TaskGraphJson, TaskInput } from './types.ts';

export class GraphDoor {
  readonly #house: Orchestrator;
  readonly #room: Lazy<Graphs>;

  constructor(house: Orchestrator) {
    this.#house = house;
    this.#room = new Lazy(async () => new (await import('./home.ts')).Graphs(house));
  }

  /** @internal */
  load(): Promise<Graphs> {
    return this.#room.load();
  }

  /** @internal Their runs have no limit: a node waits for no slot that its graph's others hold. */
  define(queue: string): void {
    const run = (_input: unknown, context: unknown): unknown => {
      const { loaded } = this.#room;
      return loaded ? loaded.execute(context as RunContext) : this.load().then((graphs) => graphs.execute(context as RunContext));
    };
    const { definitions } = this.#house;
    definitions.addInternal({ id: nodeTask, handler: run as never, prepared: undefined, spec: { id: nodeTask, run: run as never, queue, simulateProgress: false, retry: { maxAttempts: 1 } } });
    const answer = async (question: unknown, context: unknown): Promise<unknown> => (await this.load()).executeOutput(context as RunContext, question as OutputQuestion);
    definitions.addInternal(defineSpec({ id: outputTask, run: answer as never, queue, simulateProgress: false, retry: { maxAttempts: 1 }, cache: true }));
  }

  /**
   * Runs a graph durably, or its document: it goes on after a reload. Resolves when it is stored; `result()` gives what
   * it gave, merged by `merge` (default: results of the leaves, by their ids).
   * @throws TaskSerializationError TaskJSONError CycleError TaskConfigurationError and nothing is begun
   */
  async run<Output = GraphResultArray>(graph: TaskGraph | TaskGraphJson, input: TaskInput = {}, options: GraphRunOptions & { merge?: MergeStrategy } = {}): Promise<GraphRun<Output> & { graph(): Promise<TaskGraph> }> {
    const graphs = await this.load();
    await this.#house.ready;
    const handle = await graphs.runGiven(graph, input, options);
    await handle.accepted;
    return handle;
  }

  /** What a run of it would do, node by node, sources first; nothing is executed. */
  async plan(graph: TaskGraph | TaskGraphJson, input: TaskInput = {}, options: GraphRunOptions = {}): Promise<PlannedNode[]> {
    const graphs = await this.load();
    await this.#house.ready;
    return graphs.plan(graph, input, options);
  }

  /** A run of a graph by its id, in this or a later page; undefined: this tab has none. */
  async get(id: string): Promise<(GraphRun & { graph(): Promise<TaskGraph> }) | undefined> {
    const graphs = await this.load();
    await this.#house.ready;
    return graphs.get(id)?.known();
  }

  /** Runs of graphs of this tab, the oldest first. */
  async list(): Promise<GraphRun[]> {
    const graphs = await this.load();
    await this.#house.ready;
    return graphs.list();
  }

  /** Where types of stored graphs are found. Default: what `registerTask` has registered in this page. */
  async useRegistry(registry: TaskRegistry): Promise<void> {
    (await this.load()).registry = registry;
  }
}
