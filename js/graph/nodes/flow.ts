/** Nodes that move values: ends of a graph, lists taken apart and put together, a pause, a look at what passes. */
import type { Duration } from '../../types.ts';
import { TaskConfigurationError } from '../errors.ts';
import { byPorts, type PipeFunction } from '../function-task.ts';
import type { JsonSchema } from '../schema.ts';
import { type ExecuteContext, Task, TaskConfigSchema } from '../task.ts';
import type { TaskConfig, TaskInput, TaskOutput } from '../types.ts';

/** Any ports: those that edges and values name. */
export const anyPorts = { type: 'object', properties: {}, additionalProperties: true } as const satisfies JsonSchema;

/** A config of the names that every task has, and of these. */
export function configWith(properties: Readonly<Record<string, JsonSchema>>, required: readonly string[] = []): JsonSchema {
  return { type: 'object', properties: { ...TaskConfigSchema.properties, ...properties }, ...(required.length > 0 && { required }), additionalProperties: false };
}

/** What comes in goes out. */
abstract class Passing<Config extends TaskConfig = TaskConfig> extends Task<TaskInput, TaskOutput, Config> {
  static override readonly category: string = 'Flow Control';
  static override readonly cacheable: boolean = false;
  static override readonly isPassthrough: boolean = true;
  static override readonly passthroughInputsToOutputs: boolean = true;
  static override inputSchema(): JsonSchema {
    return anyPorts;
  }
  static override outputSchema(): JsonSchema {
    return anyPorts;
  }
  override execute(input: TaskInput, _context: ExecuteContext): TaskOutput | Promise<TaskOutput> {
    return input;
  }
  override executePreview(input: TaskInput): TaskOutput {
    return input;
  }
}

/** Where a graph's input comes in: `config.inputSchema` and `outputSchema` say which ports it has; none: any. */
export class InputTask extends Passing {
  static override readonly type = 'InputTask';
  static override readonly title = 'Input';
  static override readonly description = 'Where the input of the graph comes in';
  static override readonly hasDynamicSchemas = true;
}

/** What a graph gives: where there is one, other leaves don't count. */
export class OutputTask extends Passing {
  static override readonly type = 'OutputTask';
  static override readonly title = 'Output';
  static override readonly description = 'What the graph gives';
  static override readonly hasDynamicSchemas = true;
  static override readonly isGraphOutput = true;
}

export interface DelayTaskConfig extends TaskConfig {
  /** How long: milliseconds, or a text like '2h'. Default 1. */
  delay?: Duration;
}

/** Gives what it got, later. It waits without a slot, and over reloads. */
export class DelayTask extends Passing<DelayTaskConfig> {
  static override readonly type = 'DelayTask';
  static override readonly category = 'Utility';
  static override readonly title = 'Delay';
  static override readonly description = 'Waits for a time, over reloads too';
  static override readonly isPassthrough = false;
  static override configSchema(): JsonSchema {
    return configWith({ delay: { type: ['number', 'string'], 'x-duration': true, title: 'Delay', description: "Milliseconds, or a text like '2h'", default: 1 } });
  }

  override async execute(input: TaskInput, { durable }: ExecuteContext): Promise<TaskOutput> {
    await durable.sleep(this.config.delay ?? 1);
    return input;
  }
}

const consoleLevels = ['dir', 'log', 'debug', 'info', 'warn', 'error'] as const;

export interface DebugLogTaskConfig extends TaskConfig {
  /** Default 'log'. */
  log_level?: (typeof consoleLevels)[number];
}

/** Gives what it got, and shows it in the console. */
export class DebugLogTask extends Passing<DebugLogTaskConfig> {
  static override readonly type = 'DebugLogTask';
  static override readonly category = 'Utility';
  static override readonly title = 'Debug Log';
  static override readonly description = 'Shows in the console what passes';
  static override readonly customizable = true;
  static override configSchema(): JsonSchema {
    return configWith({ log_level: { type: 'string', enum: consoleLevels, title: 'Level', default: 'log' } });
  }

  override execute(input: TaskInput, _context: ExecuteContext): TaskOutput {
    console[this.config.log_level ?? 'log'](`${this.title} (${this.id})`, input);
    return input;
  }
}

/** All of its ports as one list, in the order of their names, numbers in them as numbers. */
export class MergeTask extends Task {
  static override readonly type = 'MergeTask';
  static override readonly category = 'Utility';
  static override readonly title = 'Merge';
  static override readonly description = 'Puts all that comes in into one list';
  static override inputSchema(): JsonSchema {
    return anyPorts;
  }
  static override outputSchema(): JsonSchema {
    return { type: 'object', properties: { output: { type: 'array', title: 'Output', description: 'The values, in the order of the names of their ports' } }, required: ['output'], additionalProperties: false };
  }
  override execute(input: TaskInput): TaskOutput {
    return { output: Object.keys(input).sort(byNameWithNumbers).map((port) => input[port]) };
  }
  override executePreview(input: TaskInput): TaskOutput {
    return this.execute(input);
  }
}

const collator = new Intl.Collator('en', { numeric: true });
const byNameWithNumbers = (one: string, other: string): number => collator.compare(one, other) || (one < other ? -1 : 1);

/** A list taken apart: `output_0`, `output_1`, … */
export class SplitTask extends Task {
  static override readonly type = 'SplitTask';
  static override readonly category = 'Utility';
  static override readonly title = 'Split';
  static override readonly description = 'Takes a list apart, one port for each element';
  static override inputSchema(): JsonSchema {
    return { type: 'object', properties: { input: { title: 'Input', description: 'A list' } }, required: ['input'], additionalProperties: false };
  }
  static override outputSchema(): JsonSchema {
    return anyPorts;
  }
  override execute({ input }: TaskInput): TaskOutput {
    const values: unknown[] = Array.isArray(input) ? input : [input];
    return Object.fromEntries(values.map((value, index) => [`output_${index}`, value]));
  }
  override executePreview(input: TaskInput): TaskOutput {
    return this.execute(input);
  }
}

export interface LambdaTaskConfig extends TaskConfig {
  /** Gets values by ports; gives them by ports, or one value, which is the port `output`. */
  execute?: PipeFunction;
  executePreview?: (input: any, context: Pick<ExecuteContext, 'own'>) => any;
}

/** A function as a node, by its config. It can't be written into a document. */
export class LambdaTask extends Task<TaskInput, TaskOutput, LambdaTaskConfig> {
  static override readonly type = 'LambdaTask';
  static override readonly title = 'Lambda';
  static override readonly description = 'A function of the page';
  /** Functions of the same text need not do the same. */
  static override readonly cacheable = false;
  static override configSchema(): JsonSchema {
    return configWith({ execute: {}, executePreview: {} });
  }

  /** @throws TaskConfigurationError without a function */
  constructor(config: Partial<LambdaTaskConfig> = {}) {
    if (typeof config.execute !== 'function' && typeof config.executePreview !== 'function') throw new TaskConfigurationError('LambdaTask needs config.execute or config.executePreview, a function.');
    super(config);
  }
  override async execute(input: TaskInput, context: ExecuteContext): Promise<TaskOutput | undefined> {
    return this.config.execute ? byPorts(await this.config.execute(input, context)) : {};
  }
  override async executePreview(input: TaskInput, context: Pick<ExecuteContext, 'own'>): Promise<TaskOutput | undefined> {
    return byPorts(await this.config.executePreview?.(input, context));
  }
  override canSerializeConfig(): boolean {
    return false;
  }
}
