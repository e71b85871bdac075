/** Nodes whose work is a function of the page, or a task made by `defineTask`. */
import { isPromise } from '../definition/validation.ts';
import { isTask } from '../intake/registry.ts';
import type { Task as Definition } from '../types.ts';
import { TaskConfigurationError } from './errors.ts';
import { type ExecuteContext, Task, TaskConfigSchema } from './task.ts';
import type { JsonSchema } from './schema.ts';
import type { TaskConfig, TaskGraphItemJson, TaskInput, TaskOutput } from './types.ts';

/** Gets values by ports; gives them by ports, or one value, which is the port `output` then. */
export type PipeFunction<Input extends TaskInput = any, Output = any> = (input: Input, context: ExecuteContext) => Output | Promise<Output>;

/** A function as a node. It can't be stored. */
export class FunctionTask extends Task {
  static override readonly type = 'Function';
  static override readonly title = 'Function';
  /** Functions of the same text need not do the same. */
  static override readonly cacheable = false;
  readonly #work: PipeFunction;

  constructor(work: PipeFunction, config: TaskConfig = {}) {
    super(config);
    this.#work = work;
  }

  override get title(): string {
    return this.config.title ?? this.config.name ?? (this.#work.name || 'Function');
  }

  override execute(input: TaskInput, context: ExecuteContext): TaskOutput | undefined | Promise<TaskOutput | undefined> {
    const given = this.#work(input, context);
    return isPromise(given) ? Promise.resolve(given).then(byPorts) : byPorts(given);
  }

  override canSerializeConfig(): boolean {
    return false;
  }
}

/** What is no object of ports is the port `output`. */
export function byPorts(given: unknown): TaskOutput | undefined {
  if (given === undefined) return undefined;
  const isPlain = typeof given === 'object' && given !== null && (Object.getPrototypeOf(given) === Object.prototype || Object.getPrototypeOf(given) === null);
  return isPlain ? (given as TaskOutput) : { output: given };
}

/**
 * A task of holdfast as a node, by its id, with its own queue, retries and limits. It gets its ports as its input; what
 * it gives is the ports, or the port `output`.
 */
export class DefinitionTask extends Task {
  static override readonly type: string = 'holdfast/task';
  static override readonly title: string = 'Task';
  readonly definitionId: string;

  constructor(definition: string | Definition<any, any, any>, config: TaskConfig = {}) {
    super(config);
    this.definitionId = typeof definition === 'string' ? definition : definition.id;
  }

  override get type(): string {
    return this.definitionId;
  }
  override get title(): string {
    return this.config.title ?? this.config.name ?? this.definitionId;
  }
  override inputSchema(): JsonSchema {
    return this.config.inputSchema ?? Task.inputSchema();
  }
  override toJSON(): TaskGraphItemJson {
    return super.toJSON();
  }
  static override configSchema(): JsonSchema {
    return TaskConfigSchema;
  }
}

/** What may be added to a graph. @throws TaskConfigurationError */
export function asTask(given: unknown, config: TaskConfig | undefined): Task<any, any, any> {
  if (given instanceof Task) {
    if (config !== undefined) throw new TaskConfigurationError(`Task ${given.id} is made already; its config is given to its constructor.`);
    return given;
  }
  if (typeof given === 'function') return isTaskClass(given) ? new given(config) : new FunctionTask(given as PipeFunction, config);
  if (isTask(given)) return new DefinitionTask(given, config);
  throw new TaskConfigurationError(`A graph takes tasks, classes of tasks, functions and what defineTask gives, not ${given === null ? 'null' : typeof given}.`);
}

function isTaskClass(given: Function): given is new (config?: TaskConfig) => Task<any, any, any> {
  return given === Task || given.prototype instanceof Task;
}
