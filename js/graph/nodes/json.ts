/** A graph that comes as text: read, checked and run by the node that gets it. */
import type { Entitlement } from '../entitlements.ts';
import { TaskJSONError } from '../errors.ts';
import type { JsonSchema } from '../schema.ts';
import { type ExecuteContext, Task } from '../task.ts';
import type { TaskConfig } from '../types.ts';
import { configWith } from './flow.ts';

export interface JsonTaskConfig extends TaskConfig {
  /** Types of tasks that the document may name. Default: all that are registered. */
  allowedTypes?: string[];
}

const jsonInput = {
  type: 'object',
  properties: { json: { type: 'string', title: 'JSON', description: 'A graph, or its tasks in the dependency form' } },
  required: ['json'],
  additionalProperties: true,
} as const satisfies JsonSchema;

/** Runs the graph that its `json` is, with its other ports as input; what the graph gives is the port `output`. */
export class JsonTask extends Task<{ json: string; [more: string]: any }, { output: any }, JsonTaskConfig> {
  static override readonly type = 'JsonTask';
  static override readonly category = 'Hidden';
  static override readonly title = 'JSON';
  static override readonly description = 'Runs a graph that comes as JSON';
  static override readonly cacheable = false;
  static entitlements(): readonly Entitlement[] {
    return [{ id: 'graph', reason: 'runs a graph that is not known before' }];
  }
  static override configSchema(): JsonSchema {
    return configWith({ allowedTypes: { type: 'array', items: { type: 'string' } } });
  }
  static override inputSchema(): JsonSchema {
    return jsonInput;
  }
  static override outputSchema(): JsonSchema {
    return { type: 'object', properties: { output: { title: 'Output' } }, required: ['output'], additionalProperties: false };
  }
  override async execute({ json, ...input }: { json: string; [more: string]: any }, context: ExecuteContext): Promise<{ output: any }> {
    const { readGraphText } = await import('../documents.ts');
    const graph = await readGraphText(json, { registry: context.registry, ...(this.config.allowedTypes && { allowedTypes: this.config.allowedTypes }) });
    if (graph.getTasks().some(({ type }) => type === JsonTask.type)) throw new TaskJSONError('A graph that comes as JSON may not hold a JsonTask: it could go on for ever.');
    return { output: await context.runGraph(graph, input, { key: 'json' }) };
  }
}
