/** What the code of a node gets beside its input. */
import { bindMethods } from '../context/bound.ts';
import { runContainer } from '../context/children.ts';
import type { RunContext } from '../context/context.ts';
import { KeyPrefix } from '../journal/history.ts';
import { End, type Run } from '../runs/run.ts';
import { revived } from './failures.ts';
import { tagsInto } from './lineage.ts';
import type { LiveRun } from './live.ts';
import { NodeOutlet } from './live-streams.ts';
import { graphTask, nodeTask } from './names.ts';
import type { PlanNode } from './plan.ts';
import type { TaskRegistry } from './registry.ts';
import type { InputStream } from './output-stream.ts';
import type { ExecuteContext, Outlet, SubgraphOptions } from './task.ts';
import type { TaskGraph } from './task-graph.ts';
import type { TaskInput } from './types.ts';

export class NodeContext implements ExecuteContext {
  readonly #live: LiveRun;
  readonly #node: PlanNode;
  #outlet: Outlet | undefined;
  readonly #context: RunContext;
  /** Its code is about to record something. */
  #recording: (() => void) | undefined;
  readonly inputStreams: ReadonlyMap<string, InputStream> | undefined;

  constructor(live: LiveRun, node: PlanNode, context: RunContext, inputStreams?: ReadonlyMap<string, InputStream>, recording?: () => void) {
    this.#live = live;
    this.#node = node;
    this.#context = context;
    this.inputStreams = inputStreams;
    this.#recording = recording;
  }

  get durable(): RunContext {
    this.#recording?.();
    this.#recording = undefined;
    return this.#context;
  }

  /** @internal */
  get outlet(): Outlet {
    return (this.#outlet ??= new NodeOutlet(this.#live, this.#node, this.#context));
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }
  get registry(): TaskRegistry {
    return this.#live.registry;
  }
  get graphRunId(): string {
    return this.#live.run.id;
  }
  get rootGraphRunId(): string {
    const { house } = this.#live;
    const above = (run: Run): Run | undefined => run.extra.parent ?? house.localRun(run.extra.parentId ?? '');
    let { run } = this.#live;
    for (let node = above(run); node?.taskIdentifier === nodeTask; node = above(run)) run = above(node) ?? run;
    return run.id;
  }

  async updateProgress(progress: number | undefined, message?: string, ...more: any[]): Promise<void> {
    if (progress !== undefined) this.#context.progress(message === undefined ? progress : { value: progress, message });
    this.#live.mirror?.progressed(this.#node, progress, message, more);
  }

  own<Each>(owned: Each): Each {
    return owned;
  }

  async runGraph(graph: TaskGraph, input: TaskInput = {}, { key, merge = 'PROPERTY_ARRAY', shown = false, passed, progressed, ...options }: SubgraphOptions = {}): Promise<any> {
    const { house, registry } = this.#live;
    const graphs = await house.graphs.load();
    const work = this.durable.durableWork;
    const place = work.key(KeyPrefix.Child, graphTask, key);
    const [outer, node] = [this.#live, this.#node];
    const given = {
      graph, input, isShown: shown, passed,
      options: {
        ...options, registry, outputCache: outer.options.outputCache,
        // Only where somebody asks for it.
        get parentProvenance() {
          return tagsInto(outer, node);
        },
      },
    };
    const begun = (run: Run): void => {
      graphs.give(run, given);
      if (progressed) run.onProgress(progressed);
    };
    const found = house.services.find(work.run, place);
    if (found) begun(found);
    const child = await runContainer(work, house.services, {
      key: place, definition: house.definition(graphTask)!, input: { nested: true }, options: { name: typeof graph.extras.title === 'string' ? graph.extras.title : this.#node.task.title }, made: begun, wait: true,
    });
    const run = house.localRun(child.id)!;
    const live = await graphs.liveOf(run);
    if (run.end !== End.Completed) throw live.firstFailure ? live.errorOf(live.firstFailure) : revived(house.errorOf(run), this.#node.task);
    const { mergeResults } = await import('./merging.ts');
    return mergeResults(await live.results(), merge);
  }
}
bindMethods(NodeContext);
