/**
 * Graphs that run again and again: for each element, from one to the next, while something holds.
 *
 * Invariant: a turn is a run of its own under its number, so after a crash those that have ended answer from what is
 * stored, and the count goes on where it was.
 */
import { asked, evaluateCondition, getNestedValue, type ComparisonOperator, comparisonOperators } from '../conditions.ts';
import { TaskConfigurationError } from '../errors.ts';
import { isSchemaObject, type JsonSchema, propertiesOf } from '../ports.ts';
import type { ExecuteContext } from '../task.ts';
import type { TaskInput, TaskOutput } from '../types.ts';
import { GraphAsTask, type GraphAsTaskConfig, graphConfigWith } from './graph-as-task.ts';
import { checkBound, type IterationBound, type IterationInputConfig, inTurns, type Iterations, iterationsOf, listOrElement, listsOf } from './iterations.ts';

export interface IteratorTaskConfig extends GraphAsTaskConfig {
  /** More elements than this are refused. Required; 'unbounded' says that there is no limit. */
  maxIterations: IterationBound;
  /** Turns at once. Default: all; of ReduceTask always one. */
  concurrencyLimit?: number;
  /** So many turns are done, then the next so many. Default: no such pauses. */
  batchSize?: number;
  /** How ports are meant. Default: lists are gone through, unless the inner port takes lists as such. */
  iterationInputConfig?: IterationInputConfig;
}

const bound = { anyOf: [{ type: 'integer', minimum: 1 }, { const: 'unbounded' }] } as const;
const iteratorConfig = {
  maxIterations: bound, concurrencyLimit: { type: 'integer', minimum: 1 }, batchSize: { type: 'integer', minimum: 1 }, iterationInputConfig: { type: 'object', additionalProperties: true },
} as const;

/** Runs its graph for each element of the lists that come in. */
export abstract class IteratorTask<Config extends IteratorTaskConfig = IteratorTaskConfig> extends GraphAsTask<Config> {
  /** @throws TaskConfigurationError */
  constructor(config: Partial<Config> = {}) {
    super(config);
    checkBound(config.maxIterations, this.type);
  }

  override inputSchema(): JsonSchema {
    return this.config.inputSchema ?? (this.hasChildren() ? listOrElement(this.innerInputSchema(), this.config.iterationInputConfig) : true);
  }

  protected iterations(input: TaskInput): Iterations {
    return iterationsOf(input, this.innerInputSchema(), this.config.iterationInputConfig, this.config.maxIterations, `${this.type} ${this.id}`);
  }

  /** One turn, told to those who listen. */
  protected async turn(context: ExecuteContext, input: TaskInput, index: number, count: number, done: () => number): Promise<TaskOutput> {
    const output = await this.iterate(context, input, index, count);
    const ended = done();
    const progress = Math.min(99, Math.round((100 * ended) / count));
    await context.updateProgress(progress, `${ended} of ${count}`);
    return output;
  }

  override executePreview(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}

export interface MapTaskConfig extends IteratorTaskConfig {
  /** Results in the order of the elements (default), or as they come. */
  preserveOrder?: boolean;
  /** Lists that turns give are joined into one. Default false. */
  flatten?: boolean;
}

/** Runs its graph for each element; gives a list for each property. Several lists go side by side; what is no list comes to each turn. */
export class MapTask extends IteratorTask<MapTaskConfig> {
  static override readonly type = 'MapTask';
  static override readonly title = 'Map';
  static override readonly description = 'Runs a graph for each element of a list';
  static override configSchema(): JsonSchema {
    return graphConfigWith({ ...iteratorConfig, preserveOrder: { type: 'boolean' }, flatten: { type: 'boolean' } }, ['maxIterations']);
  }

  override async execute(input: TaskInput, context: ExecuteContext): Promise<TaskOutput> {
    this.graph();
    const { preserveOrder = true, flatten = false, concurrencyLimit = Number.POSITIVE_INFINITY, batchSize } = this.config;
    const { count, input: inputOf } = this.iterations(input);
    const outputs: TaskOutput[] = [];
    let ended = 0;
    const step = batchSize ?? Math.max(1, count);
    for (let from = 0; from < count; from += step)
      await inTurns(Math.min(step, count - from), concurrencyLimit, async (at) => {
        const index = from + at;
        const output = await this.turn(context, inputOf(index), index, count, () => ++ended);
        if (preserveOrder) outputs[index] = output;
        else outputs.push(output);
      });
    return listsOf(outputs, Object.keys(propertiesOf(this.innerOutputSchema())), flatten);
  }

  override outputSchema(): JsonSchema {
    const inner = this.innerOutputSchema();
    if (this.config.outputSchema || !this.hasChildren() || !isSchemaObject(inner)) return this.config.outputSchema ?? true;
    const listOf = (schema: JsonSchema): JsonSchema => (this.config.flatten && isSchemaObject(schema) && schema.type === 'array' ? schema : { type: 'array', items: schema });
    return { ...inner, properties: Object.fromEntries(Object.entries(propertiesOf(inner)).map(([name, schema]) => [name, listOf(schema)])), required: Object.keys(propertiesOf(inner)) };
  }
}

export interface ReduceTaskConfig extends IteratorTaskConfig {
  /** What the first turn finds at the accumulator's port. */
  initialValue?: any;
  /** Where a turn finds what the last one gave, or its property of this name. Default 'accumulator'. */
  accumulatorPort?: string;
}

/**
 * Runs its graph for each element, one after the other. A turn gets what the last one gave (its property `accumulator`
 * where it has one, else all of it) at `accumulator`, the element at its port and at `currentItem`, its number at `index`.
 * Gives what the last turn gave; of no elements, the initial value.
 */
export class ReduceTask extends IteratorTask<ReduceTaskConfig> {
  static override readonly type = 'ReduceTask';
  static override readonly title = 'Reduce';
  static override readonly description = 'Goes through a list and carries a value along';
  static override configSchema(): JsonSchema {
    return graphConfigWith({ ...iteratorConfig, initialValue: {}, accumulatorPort: { type: 'string' } }, ['maxIterations']);
  }

  get #port(): string {
    return this.config.accumulatorPort ?? 'accumulator';
  }

  override async execute(input: TaskInput, context: ExecuteContext): Promise<TaskOutput> {
    this.graph();
    const port = this.#port;
    const { count, ports, input: inputOf } = this.iterations(input);
    let carried: unknown = this.config.initialValue;
    let output: TaskOutput = isRecord(carried) ? carried : { [port]: carried };
    let ended = 0;
    for (let index = 0; index < count; index++) {
      const given = inputOf(index);
      const currentItem = ports.length === 1 ? given[ports[0]!] : Object.fromEntries(ports.map((one) => [one, given[one]]));
      output = await this.turn(context, { ...given, currentItem, index, [port]: carried }, index, count, () => ++ended);
      carried = Object.hasOwn(output, port) ? output[port] : output;
    }
    return output;
  }

  override inputSchema(): JsonSchema {
    const schema = super.inputSchema();
    if (this.config.inputSchema || !isSchemaObject(schema)) return schema;
    const given = [this.#port, 'index', ...(Object.keys(propertiesOf(schema)).some((name) => ![this.#port, 'index', 'currentItem'].includes(name)) ? ['currentItem'] : [])];
    const properties = Object.fromEntries(Object.entries(propertiesOf(schema)).filter(([name]) => !given.includes(name)));
    return { ...schema, properties, required: (schema.required ?? []).filter((name) => !given.includes(name)), additionalProperties: true };
  }
}

const isRecord = (value: unknown): value is Record<string, any> => typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

export interface WhileTaskConfig extends GraphAsTaskConfig {
  /** Goes on while it gives true of what the last turn gave. Its answer is stored, so it is asked once a turn; a promise is none. It can't be written into a document. */
  condition?: (output: any, iteration: number) => boolean;
  /** In words: a path into the output, an operator, a value. */
  conditionField?: string;
  conditionOperator?: ComparisonOperator;
  conditionValue?: any;
  /** Turns, at most; then it stops, and `_maxIterationsReached` says so. Required; 'unbounded' says that there is no limit. */
  maxIterations: IterationBound;
  /** What a turn gives comes in to the next one, over what came in. Default true. */
  chainIterations?: boolean;
}

/** Runs its graph, and again while a condition holds of what it gave. `_iterations` says how often. */
export class WhileTask extends GraphAsTask<WhileTaskConfig> {
  static override readonly type = 'WhileTask';
  static override readonly title = 'While';
  static override readonly description = 'Runs a graph again while a condition holds';
  static override configSchema(): JsonSchema {
    return graphConfigWith({ condition: {}, conditionField: { type: 'string' }, conditionOperator: { type: 'string', enum: comparisonOperators }, conditionValue: {}, maxIterations: bound, chainIterations: { type: 'boolean' } }, ['maxIterations']);
  }

  /** @throws TaskConfigurationError */
  constructor(config: Partial<WhileTaskConfig> = {}) {
    super(config);
    const { condition, conditionOperator: operator } = config;
    checkBound(config.maxIterations, this.type);
    if (condition !== undefined ? typeof condition !== 'function' : !comparisonOperators.includes(operator!)) throw new TaskConfigurationError(`${this.type} needs config.condition, a function of the output, or config.conditionOperator, one of ${comparisonOperators.join(', ')}.`);
  }

  override async execute(input: TaskInput, context: ExecuteContext): Promise<TaskOutput> {
    this.graph();
    const { maxIterations, chainIterations = true } = this.config;
    const most = maxIterations === 'unbounded' ? Number.POSITIVE_INFINITY : maxIterations;
    let output: TaskOutput = {};
    for (let index = 0, current = input; ; index++) {
      output = await this.iterate(context, { ...current, _iterationIndex: index }, index, most);
      await context.updateProgress(most === Number.POSITIVE_INFINITY ? undefined : Math.min(99, Math.round((100 * (index + 1)) / most)), `Turn ${index + 1}`);
      const goesOn = await this.#goesOn(output, index, context);
      if (!goesOn || index + 1 >= most) return { ...output, _iterations: index + 1, _maxIterationsReached: goesOn };
      if (chainIterations) current = { ...current, ...output };
    }
  }

  #goesOn(output: TaskOutput, index: number, { durable }: ExecuteContext): boolean | Promise<boolean> {
    const { condition, conditionField = '', conditionOperator, conditionValue } = this.config;
    if (!condition) return evaluateCondition(getNestedValue(output, conditionField), conditionOperator!, conditionValue);
    return durable.step(`condition ${index}`, () => asked(() => condition(output, index), `${this.type} ${this.id}: its condition at turn ${index}`));
  }

  override outputSchema(): JsonSchema {
    const inner = super.outputSchema();
    if (this.config.outputSchema || !isSchemaObject(inner)) return inner;
    return { ...inner, properties: { ...propertiesOf(inner), _iterations: { type: 'integer', title: 'Turns' }, _maxIterationsReached: { type: 'boolean', title: 'Stopped by the limit' } } };
  }

  override canSerializeConfig(): boolean {
    return this.config.condition === undefined && super.canSerializeConfig();
  }
  override executePreview(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}
