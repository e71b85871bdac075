/**
 * A task that holds a graph: its ports are those that the graph leaves open, its output what its leaves gave, merged.
 *
 * Invariant: the graph runs as a run within the node's, found again by its key, so nothing in it is executed twice.
 */
import { TaskConfigurationError } from '../errors.ts';
import { DATAFLOW_ALL_PORTS } from '../dataflow.ts';
import { checkMergeStrategy, mergedSchema, PROPERTY_ARRAY } from '../merging.ts';
import { isSchemaObject, type JsonSchema, propertiesOf, propertyOf } from '../ports.ts';
import { requiredPorts } from '../schema.ts';
import { type ExecuteContext, type SubgraphOptions, Task, TaskConfigSchema } from '../task.ts';
import type { TaskGraph } from '../task-graph.ts';
import type { MergeStrategy, TaskConfig, TaskGraphItemJson, TaskInput, TaskOutput } from '../types.ts';

export interface GraphAsTaskConfig extends TaskConfig {
  /** What it runs. May be set later: `task.subGraph = graph`. */
  subGraph?: TaskGraph;
  /** How results of several leaves become one output. Default 'PROPERTY_ARRAY'. */
  merge?: MergeStrategy;
}

/** A config of the names that every task with a graph has, and of these. */
export function graphConfigWith(properties: Readonly<Record<string, JsonSchema>> = {}, required: readonly string[] = []): JsonSchema {
  return { type: 'object', properties: { ...TaskConfigSchema.properties, merge: {}, ...properties }, ...(required.length > 0 && { required }), additionalProperties: false };
}

const structural = ['task_added', 'task_removed', 'task_replaced', 'dataflow_added', 'dataflow_removed', 'dataflow_replaced'] as const;

export class GraphAsTask<Config extends GraphAsTaskConfig = GraphAsTaskConfig> extends Task<TaskInput, TaskOutput, Config> {
  static override readonly type: string = 'GraphAsTask';
  static override readonly category: string = 'Flow Control';
  static override readonly title: string = 'Group';
  static override readonly description: string = 'A graph as one task';
  static override readonly hasDynamicSchemas: boolean = true;
  /** What it runs gets its input whole. */
  static override readonly takesStreams: boolean = false;
  /** Of instances whose config says nothing. */
  static readonly compoundMerge: MergeStrategy = PROPERTY_ARRAY;
  static override configSchema(): JsonSchema {
    return graphConfigWith();
  }
  #stopHearing: (() => void) | undefined;

  /** @throws TaskConfigurationError */
  constructor(config: Partial<Config> = {}) {
    const { subGraph, ...plain } = config;
    if (plain.merge !== undefined) checkMergeStrategy(plain.merge, 'config.merge');
    super(plain as Partial<Config>);
    if (subGraph) this.subGraph = subGraph;
  }

  get compoundMerge(): MergeStrategy {
    return this.config.merge ?? (this.constructor as typeof GraphAsTask).compoundMerge;
  }

  override get subGraph(): TaskGraph | undefined {
    return super.subGraph;
  }
  /** Its ports follow the graph: what is changed in it is told as `regenerate` and `schemaChange`. */
  override set subGraph(graph: TaskGraph | undefined) {
    super.subGraph = graph;
    this.#stopHearing?.();
    const stops = graph && structural.map((name) => graph.subscribe(name, () => this.regenerateGraph()));
    this.#stopHearing = stops && (() => stops.forEach((stop) => stop()));
  }

  override regenerateGraph(): void {
    super.regenerateGraph();
    // Not while it is being made: nobody listens, and not all of it is there.
    if (this.events.has('schemaChange')) this.emitSchemaChange();
  }

  /** The graph that it has. @throws TaskConfigurationError */
  protected graph(): TaskGraph {
    if (!this.hasChildren()) throw new TaskConfigurationError(`Task ${this.id} (${this.type}) has no graph to run. Give it one: task.subGraph = graph.`, { data: { taskId: this.id } });
    return this.subGraph!;
  }

  /** Ports of tasks that nothing feeds, and required ports of others that nothing feeds. */
  protected innerInputSchema(): JsonSchema {
    const properties = new Map<string, JsonSchema>();
    const required = new Set<string>();
    let isOpen = false;
    for (const task of this.subGraph?.getTasks() ?? []) {
      const schema = task.inputSchema();
      const fed = new Set(this.subGraph!.getSourceDataflows(task.id).map(({ targetTaskPortId }) => targetTaskPortId));
      if (fed.has(DATAFLOW_ALL_PORTS) || task.isDisabled) continue;
      const needed = requiredPorts(schema).filter((port) => !fed.has(port) && task.defaults[port] === undefined && !hasDefault(propertyOf(schema, port)));
      const open = fed.size === 0 ? Object.keys(propertiesOf(schema)) : needed;
      for (const port of open) if (!properties.has(port)) properties.set(port, propertyOf(schema, port) ?? true);
      for (const port of needed) required.add(port);
      if (fed.size === 0 && (schema === true || (isSchemaObject(schema) && schema.additionalProperties !== undefined && schema.additionalProperties !== false))) isOpen = true;
    }
    return { type: 'object', properties: Object.fromEntries(properties), ...(required.size > 0 && { required: [...required] }), additionalProperties: isOpen };
  }

  /** Whose outputs are its own. */
  #leaves(): Task<any, any, any>[] {
    const tasks = this.subGraph?.getTasks() ?? [];
    const leaves = tasks.filter(({ id }) => this.subGraph!.getTargetDataflows(id).every(({ isError }) => isError));
    const marked = leaves.filter((task) => (task.constructor as typeof Task).isGraphOutput);
    return marked.length > 0 ? marked : leaves;
  }

  protected innerOutputSchema(): JsonSchema {
    return mergedSchema(this.#leaves().map((task) => ({ id: task.id, outputSchema: task.outputSchema() })), this.compoundMerge);
  }

  /** The only leaf, where it gives its output piece by piece: its pieces are those of this task. */
  get #streamingLeaf(): Task<any, any, any> | undefined {
    const [leaf, other] = this.#leaves();
    return leaf?.givesStreams && !other && this.execute === GraphAsTask.prototype.execute ? leaf : undefined;
  }
  override get givesStreams(): boolean {
    return this.#streamingLeaf !== undefined;
  }

  override inputSchema(): JsonSchema {
    return this.config.inputSchema ?? (this.hasChildren() ? this.innerInputSchema() : (this.constructor as typeof Task).inputSchema());
  }
  override outputSchema(): JsonSchema {
    return this.config.outputSchema ?? (this.hasChildren() ? this.innerOutputSchema() : (this.constructor as typeof Task).outputSchema());
  }

  /** One run of its graph, or of another. */
  protected runInner(context: ExecuteContext, input: TaskInput, key: string, options: SubgraphOptions & { graph?: TaskGraph } = {}): Promise<TaskOutput> {
    const { graph = this.graph(), ...more } = options;
    return context.runGraph(graph, input, { matchAllEmptyInputs: true, merge: this.compoundMerge, ...more, key });
  }

  /** One of several runs of its graph, told to those who listen. @param count how many there are; Infinity: nobody knows */
  protected async iterate(context: ExecuteContext, input: TaskInput, index: number, count: number): Promise<TaskOutput> {
    this.emit('iteration_start', index, count);
    let told = 0;
    const progressed = (progress: number): void => {
      if (progress > told) this.emit('iteration_progress', index, count, (told = progress));
    };
    const output = await this.runInner(context, input, `turn ${index}`, this.events.has('iteration_progress') ? { progressed } : {});
    progressed(100);
    this.emit('iteration_complete', index, count);
    return output;
  }

  override async execute(input: TaskInput, context: ExecuteContext): Promise<TaskOutput> {
    const graph = this.graph();
    // A graph shows one run: where this task runs several times at once, the first of them.
    const shown = !graph.shown?.isRunning;
    const stop = shown ? graph.subscribe('graph_progress', (progress, message) => void context.updateProgress(Math.min(99, progress), message)) : undefined;
    const leaf = this.#streamingLeaf;
    const outlet = leaf && context.outlet;
    try {
      const output = await this.runInner(context, input, 'graph', { shown, passed: outlet && { from: leaf!.id, outlet } });
      outlet?.gaveAll(output);
      return output;
    } catch (error) {
      outlet?.broke(error);
      throw error;
    } finally {
      stop?.();
    }
  }

  override async executePreview(input: TaskInput): Promise<TaskOutput | undefined> {
    if (!this.hasChildren()) return undefined;
    const { previewGraph } = await import('../preview.ts');
    const { mergeResults } = await import('../merging.ts');
    return mergeResults(await previewGraph(this.subGraph!, input, true), this.compoundMerge);
  }

  override canSerializeConfig(): boolean {
    return typeof this.config.merge !== 'function';
  }
  override toJSON(): TaskGraphItemJson {
    const { config, ...item } = super.toJSON();
    const { merge, ...rest } = config ?? {};
    return { ...item, ...(Object.keys(rest).length > 0 && { config: rest }), ...(merge !== undefined && { merge }) };
  }
}

/** A workflow as a task: `workflow.toTask()`. */
export class WorkflowTask extends GraphAsTask {
  static override readonly type: string = 'Workflow';
  static override readonly title: string = 'Workflow';
  static override readonly description: string = 'A workflow as one task';
}

const hasDefault = (schema: JsonSchema | undefined): boolean => isSchemaObject(schema) && schema.default !== undefined;
