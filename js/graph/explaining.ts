/**
 * Where a value comes from, told to people: from it back over the nodes that it went through, to the graph's input.
 *
 * Invariant: what is told is what the lineage says, each execution once, what is nearest first.
 */
import { DATAFLOW_ALL_PORTS, DATAFLOW_ERROR_PORT } from './dataflow.ts';
import { lineageInto, lineageOf } from './lineage.ts';
import type { LiveRun } from './live.ts';
import type { PlanNode } from './plan.ts';
import type { Provenance, ProvenanceItem } from './provenance.ts';

export interface Explanation {
  /** For people: a sentence for each step. */
  readonly message: string;
  readonly taskId: string;
  /** It is of what came to this port. */
  readonly port?: string;
  readonly tags: Provenance['tags'];
  /** The nearest first. */
  readonly steps: readonly ExplanationStep[];
}

export interface ExplanationStep {
  readonly item: ProvenanceItem;
  /** What it got by edges; none: the graph's input, and defaults. */
  readonly inputs: readonly { readonly port: string; readonly taskId: string; readonly sourcePort: string }[];
  readonly message: string;
}

/** undefined: it has given nothing, or nothing came to that port. */
export function explained(live: LiveRun, node: PlanNode, port: string | undefined): Explanation | undefined {
  const provenance = port === undefined ? lineageOf(live, node) : lineageInto(live, node, port);
  return provenance && explainProvenance(provenance, node.id, port);
}

/** Of what `getProvenance` gave, now or in another page. */
export function explainProvenance({ tags, items }: Provenance, taskId: string = items.at(-1)?.taskId ?? '', port?: string): Explanation {
  const byRun = new Map(items.map((item) => [item.runId, item]));
  const steps = [...items].reverse().map((item): ExplanationStep => {
    const inputs = item.sources.map(({ runId, sourcePort, targetPort }) => ({ port: targetPort, taskId: byRun.get(runId)?.taskId ?? runId, sourcePort }));
    return { item, inputs, message: sentence(item, inputs) };
  });
  const first = port === undefined ? `What ${taskId} gave:` : `What came to ${taskId}[${port}]:`;
  const said = Object.entries(tags);
  const noted = said.length === 0 ? [] : [`Noted on the way: ${said.map(([name, value]) => `${name} = ${typeof value === 'string' ? value : JSON.stringify(value)}`).join(', ')}.`];
  return { message: [first, ...steps.map(({ message }) => message), ...noted].join('\n'), taskId, ...(port !== undefined && { port }), tags, steps };
}

function sentence({ taskId, type, version, startedAt, durationMs, fromCache }: ProvenanceItem, inputs: ExplanationStep['inputs']): string {
  const made = fromCache ? 'answered from the cache' : `ran for ${durationMs} ms`;
  const of = version === undefined ? type : `${type}, version ${version}`;
  return `${taskId} (${of}) ${made} at ${new Date(startedAt).toISOString()}, ${inputs.length === 0 ? "on the graph's input and its defaults" : `with ${inputs.map(phrase).join(', ')}`}.`;
}

function phrase({ port, taskId, sourcePort }: ExplanationStep['inputs'][number]): string {
  const what = sourcePort === DATAFLOW_ALL_PORTS ? `all that ${taskId} gave` : sourcePort === DATAFLOW_ERROR_PORT ? `the error of ${taskId}` : `${sourcePort} of ${taskId}`;
  return port === DATAFLOW_ALL_PORTS ? what : `${port} = ${what}`;
}
