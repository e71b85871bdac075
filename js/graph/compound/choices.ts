/** Ways that part: by conditions, by what fails, by what a list holds. */
import { activeBranches, type BranchConfig, branchPort, checkBranches } from '../conditions.ts';
import { TaskFailedError, TaskInvalidInputError } from '../errors.ts';
import { mergeResults, PROPERTY_ARRAY } from '../merging.ts';
import { isSchemaObject, type JsonSchema, propertiesOf } from '../ports.ts';
import { type ExecuteContext, Task, TaskConfigSchema } from '../task.ts';
import { TaskGraph } from '../task-graph.ts';
import type { MergeStrategy, TaskConfig, TaskInput, TaskOutput } from '../types.ts';
import { GraphAsTask, type GraphAsTaskConfig, graphConfigWith } from './graph-as-task.ts';
import { combinations } from './iterations.ts';

export interface ConditionalTaskConfig extends TaskConfig {
  /** In this order they are asked. */
  branches?: readonly BranchConfig[];
  /** The first that holds is taken, alone. Default true; false: all that hold. */
  exclusive?: boolean;
  /** Id of the branch that is taken when none holds. */
  defaultBranch?: string;
  /** The same in one object, as editors keep it. */
  conditionConfig?: { readonly branches: readonly BranchConfig[]; readonly exclusive?: boolean; readonly defaultBranch?: string };
}

/**
 * Gives its input to the ports of the branches that are taken; edges from the other ports are disabled, and with them
 * what only they lead to. `_activeBranches` lists the ids of those taken.
 */
export class ConditionalTask extends Task<TaskInput, TaskOutput, ConditionalTaskConfig> {
  static override readonly type = 'ConditionalTask';
  static override readonly category = 'Flow Control';
  static override readonly title = 'Condition';
  static override readonly description = 'Goes on by the branches whose conditions hold';
  static override readonly hasDynamicSchemas = true;
  static override readonly cacheable = false;
  static override configSchema(): JsonSchema {
    const properties = { branches: { type: 'array' }, exclusive: { type: 'boolean' }, defaultBranch: { type: 'string' } };
    return { type: 'object', properties: { ...TaskConfigSchema.properties, ...properties, conditionConfig: { type: 'object', properties } }, additionalProperties: false };
  }

  /** @throws TaskConfigurationError for branches that are none */
  constructor(config: Partial<ConditionalTaskConfig> = {}) {
    super(config);
    const { branches, defaultBranch } = this.#said();
    checkBranches(branches, defaultBranch, this.type);
  }

  #said(): { branches: readonly BranchConfig[]; exclusive: boolean | undefined; defaultBranch: string | undefined } {
    const { branches, exclusive, defaultBranch, conditionConfig } = this.config;
    return { branches: branches ?? conditionConfig?.branches ?? [], exclusive: exclusive ?? conditionConfig?.exclusive, defaultBranch: defaultBranch ?? conditionConfig?.defaultBranch };
  }

  override execute(input: TaskInput): TaskOutput {
    const { branches, ...how } = this.#said();
    const active = activeBranches(input, branches, how);
    const taken = new Set(active);
    return { ...Object.fromEntries(branches.filter(({ id }) => taken.has(id)).map((branch) => [branchPort(branch), input])), _activeBranches: active };
  }

  /** Conditions are cheap. */
  override executePreview(input: TaskInput): TaskOutput {
    return this.execute(input);
  }

  override inactivePorts(output: TaskOutput): readonly string[] {
    const { branches } = this.#said();
    const taken = new Set((output._activeBranches as string[] | undefined) ?? []);
    const open = new Set(branches.filter(({ id }) => taken.has(id)).map(branchPort));
    return branches.map(branchPort).filter((port) => !open.has(port));
  }

  override outputSchema(): JsonSchema {
    const ports = this.#said().branches.map((branch) => [branchPort(branch), { type: 'object', additionalProperties: true }] as const);
    return this.config.outputSchema ?? { type: 'object', properties: { ...Object.fromEntries(ports), _activeBranches: { type: 'array', items: { type: 'string' } } }, required: ['_activeBranches'], additionalProperties: false };
  }
}

export interface FallbackTaskConfig extends GraphAsTaskConfig {
  /** 'task' (default): its tasks are tried one after the other; 'data': its graph, with one alternative after the other over what came in. */
  fallbackMode?: 'task' | 'data';
  alternatives?: readonly Record<string, any>[];
}

/** Gives what the first that does not fail gives. Where all fail it fails with the last error, and `data.errors` tells of each. */
export class FallbackTask extends GraphAsTask<FallbackTaskConfig> {
  static override readonly type = 'FallbackTask';
  static override readonly title = 'Fallback';
  static override readonly description = 'Tries one way after the other until one goes';
  static override configSchema(): JsonSchema {
    return graphConfigWith({ fallbackMode: { type: 'string', enum: ['task', 'data'] }, alternatives: { type: 'array', items: { type: 'object' } } });
  }

  #ways(input: TaskInput): { name: string; graph: TaskGraph; input: TaskInput }[] {
    const graph = this.graph();
    if (this.config.fallbackMode !== 'data') return graph.getTasks().filter(({ isDisabled }) => !isDisabled).map((task) => ({ name: task.id, graph: alone(task), input }));
    const alternatives = this.config.alternatives ?? [];
    return (alternatives.length > 0 ? alternatives : [{}]).map((over, index) => ({ name: `alternative ${index}`, graph, input: { ...input, ...over } }));
  }

  override async execute(input: TaskInput, context: ExecuteContext): Promise<TaskOutput> {
    const errors: { name: string; error: unknown }[] = [];
    const ways = this.#ways(input);
    for (const [index, { name, graph, input: given }] of ways.entries()) {
      try {
        return await this.runInner(context, given, `way ${index}`, { graph });
      } catch (error) {
        context.signal.throwIfAborted();
        errors.push({ name, error });
        await context.updateProgress(Math.round((100 * (index + 1)) / ways.length), `${name} failed`);
      }
    }
    const history = errors.map(({ name, error }) => ({ name, message: error instanceof Error ? error.message : String(error) }));
    throw new TaskFailedError(`All ${ways.length} alternatives of ${this.type} ${this.id} failed: ${history.map(({ name, message }) => `${name}: ${message}`).join('; ')}`, { cause: errors.at(-1)?.error, data: { errors: history } });
  }

  override inputSchema(): JsonSchema {
    const schema = super.inputSchema();
    // What an alternative brings need not come in.
    const given = new Set(this.config.fallbackMode === 'data' ? this.config.alternatives?.flatMap(Object.keys) : []);
    return isSchemaObject(schema) && given.size > 0 ? { ...schema, required: (schema.required ?? []).filter((port) => !given.has(port)) } : schema;
  }
  override outputSchema(): JsonSchema {
    const first = this.subGraph?.getTasks()[0];
    return this.config.outputSchema ?? (this.config.fallbackMode !== 'data' && first ? first.outputSchema() : super.outputSchema());
  }
  override executePreview(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}

/** A graph of this task alone; it stays where it stands. */
function alone(task: Task<any, any, any>): TaskGraph {
  const { parentGraph } = task;
  const graph = new TaskGraph();
  graph.addTask(task);
  task.parentGraph = parentGraph;
  return graph;
}

/** More children than this are refused. */
const mostCombinations = 10_000;

/**
 * A task that takes one value or many: where ports marked `'x-replicate': true` (or `replicate: true`) hold lists of
 * more than one element, `execute` runs once for every combination, each in a run of its own, and the results are merged.
 */
export abstract class ArrayTask<Input extends TaskInput = TaskInput, Output extends TaskOutput = TaskOutput, Config extends TaskConfig = TaskConfig> extends Task<Input, Output, Config> {
  static override readonly type: string = 'ArrayTask';
  static readonly compoundMerge: MergeStrategy = PROPERTY_ARRAY;

  constructor(config: Partial<Config> = {}) {
    super(config);
    const one = this.execute;
    // Subclasses say what is done with one value; with many it is this that is called.
    Object.defineProperty(this, 'execute', { value: (input: Input, context: ExecuteContext) => this.#replicated(input, context, one), configurable: true });
  }

  /** What is made of the merged output. */
  executeMerge(_input: Input, output: Output): Output {
    return output;
  }

  #replicated(input: Input, context: ExecuteContext, one: Task<Input, Output>['execute']): Output | undefined | Promise<Output | undefined> {
    const ports = Object.entries(propertiesOf(this.inputSchema())).filter(([port, schema]) => isReplicated(schema) && Array.isArray(input[port]) && input[port].length > 1).map(([port]) => port);
    return ports.length === 0 ? one.call(this, input, context) : this.#each(input, ports, context);
  }

  async #each(input: Input, ports: readonly string[], context: ExecuteContext): Promise<Output> {
    const count = ports.reduce((product, port) => product * input[port].length, 1);
    if (count > mostCombinations) throw new TaskInvalidInputError(`Task ${this.id} (${this.type}): ${ports.map((port) => `${input[port].length} of ${port}`).join(' times ')} are ${count} combinations; the limit is ${mostCombinations}.`, { data: { count } });
    const { id: _id, defaults: _defaults, ...config } = this.config;
    let ended = 0;
    const outputs = await Promise.all(
      combinations(input, ports).map(async (values, index) => {
        this.emit('iteration_start', index, count);
        const graph = new TaskGraph();
        graph.addTask(new (this.constructor as new (config: TaskConfig) => Task)({ ...config, id: 'one', defaults: values }));
        const data = await context.runGraph(graph, {}, { key: `combination ${index}` });
        this.emit('iteration_progress', index, count, 100);
        this.emit('iteration_complete', index, count);
        await context.updateProgress(Math.min(99, Math.round((100 * ++ended) / count)), `${ended} of ${count}`);
        return { id: String(index), type: this.type, data };
      }),
    );
    return this.executeMerge(input, mergeResults(outputs, (this.constructor as typeof ArrayTask).compoundMerge) as Output);
  }
}

const isReplicated = (schema: JsonSchema): boolean => isSchemaObject(schema) && (schema['x-replicate'] === true || schema.replicate === true);

/** A port that takes one value of this schema, or a list of which each gets a run of its own. */
export function TypeReplicateArray(schema: Exclude<JsonSchema, boolean>, annotations: Record<string, unknown> = {}): JsonSchema {
  return { anyOf: [schema, { type: 'array', items: schema }], ...(schema.title && { title: schema.title }), ...(schema.format && { format: schema.format }), ...annotations, 'x-replicate': true };
}
