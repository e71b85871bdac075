/**
 * The runner of a graph under the name that workglow gives it.
 * Invariant: it decides nothing: what a run is, and what becomes of it, is the graph's run.
 */
import { describe } from '../intake/checks.ts';
import { TaskConfigurationError } from './errors.ts';
import { TaskGraph } from './task-graph.ts';
import type { GraphResultArray, GraphRunOptions, MergeStrategy, TaskInput, TaskOutput } from './types.ts';

/** Runs a graph in memory, as `graph.run()` does; where it shall outlive the page: `orchestrator.graphs.run(graph, input)`. */
export class TaskGraphRunner {
  readonly graph: TaskGraph;
  readonly #outputCache: GraphRunOptions['outputCache'];

  /** @param outputCache of runs that say nothing of it. Default: the graph's. @throws TaskConfigurationError */
  constructor(graph: TaskGraph, outputCache?: GraphRunOptions['outputCache']) {
    if (!(graph instanceof TaskGraph)) throw new TaskConfigurationError(`new TaskGraphRunner takes a TaskGraph, not ${describe(graph)}.`);
    this.graph = graph;
    this.#outputCache = outputCache;
  }

  /** What its leaves gave. @throws as `graph.run` */
  runGraph<Output = TaskOutput>(input: TaskInput = {}, config: GraphRunOptions = {}): Promise<GraphResultArray<Output>> {
    return this.graph.run<Output>(input, { ...(this.#outputCache !== undefined && { outputCache: this.#outputCache }), ...config });
  }
  /** What cheap previews give; touches nothing. */
  runGraphPreview<Output = TaskOutput>(input: TaskInput = {}): Promise<GraphResultArray<Output>> {
    return this.graph.runPreview<Output>(input);
  }
  /** @throws TaskConfigurationError of an unknown strategy */
  mergeExecuteOutputsToRunOutput(results: GraphResultArray, strategy: MergeStrategy): Promise<any> {
    return this.graph.mergeExecuteOutputsToRunOutput(results, strategy);
  }
  abort(reason?: unknown): void {
    this.graph.abort(reason);
  }
  disable(): Promise<void> {
    return this.graph.disable();
  }
}
