/**
 * A task that is a job: its node's run stands in a queue of holdfast, with that queue's limits, order and pauses, and is
 * tried again as jobs are.
 *
 * Invariant: there is no second queue: what the job is, the node's run is.
 */
import type { Orchestrator } from '../orchestrator.ts';
import type { TriggerOptions } from '../types.ts';
import { JobTaskFailedError, markTask, TaskConfigurationError, TaskError } from './errors.ts';
import { Task, TaskConfigSchema } from './task.ts';
import type { JsonSchema } from './schema.ts';
import type { TaskConfig, TaskInput, TaskOutput } from './types.ts';

export interface JobQueueTaskConfig extends TaskConfig {
  /** true (default): in the queue of its type. A name: in that queue, which has to be known to the orchestrator. false: in none. */
  queue?: boolean | string;
  /** Failures that are tried again. Default 10. */
  maxRetries?: number;
}

export class JobQueueTask<Input extends TaskInput = TaskInput, Output extends TaskOutput = TaskOutput, Config extends JobQueueTaskConfig = JobQueueTaskConfig> extends Task<Input, Output, Config> {
  static override readonly type: string = 'JobQueueTask';
  /** May it run where its queue is not there, and where `queue` is false? */
  static readonly canRunDirectly: boolean = true;
  static override configSchema(): JsonSchema {
    return { ...TaskConfigSchema, properties: { ...TaskConfigSchema.properties, queue: { anyOf: [{ type: 'boolean' }, { type: 'string', minLength: 1 }] }, maxRetries: { type: 'integer', minimum: 0, maximum: 2 ** 31 - 1 } } };
  }

  /** Of tasks whose config says nothing, or true. */
  getDefaultQueueName(): string {
    return this.type;
  }

  /** What its run is made with. @throws TaskConfigurationError */
  override runOptions(house: Orchestrator): TriggerOptions {
    const { queue = true, maxRetries = 10 } = this.config;
    const retry = { maxRetries };
    const { canRunDirectly } = this.constructor as typeof JobQueueTask;
    if (queue === true) {
      const name = this.getDefaultQueueName();
      house.table.queues.known(name);
      return { queue: name, retry };
    }
    const isThere = typeof queue === 'string' && house.table.queues.named(queue) !== undefined;
    if (isThere) return { queue, retry };
    if (canRunDirectly) return { retry };
    const why = queue === false ? 'its config says queue: false' : `there is no queue ${JSON.stringify(queue)} here: declare it (createOrchestrator({ queues }))`;
    throw new TaskConfigurationError(`Task ${this.id} (${this.type}) can't run outside of a queue, and ${why}.`, { data: { taskId: this.id } });
  }

  /** What it failed with in the end. What is wrong with its set-up stays what it is. */
  override failure(thrown: Error): Error {
    if (thrown instanceof TaskError) return thrown;
    const { code } = thrown as { code?: string };
    const failed = new JobTaskFailedError(thrown.message, { cause: thrown, ...(code !== undefined && { data: { code } }) });
    failed.jobError = thrown;
    return markTask(failed, this.id, this.type);
  }
}
