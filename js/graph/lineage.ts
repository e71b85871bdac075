/** Where what a node gave comes from, read from its graph's run. Computed when somebody asks, so a run that nobody asks pays nothing. */
import { encode } from '../codec/codec.ts';
import * as P from '../protocol.ts';
import { crc32 } from '../storage/crc32.ts';
import { isFromCache } from './caching.ts';
import { DATAFLOW_ALL_PORTS, type Dataflow } from './dataflow.ts';
import type { LiveRun } from './live.ts';
import type { PlanNode } from './plan.ts';
import { mergeProvenance, type Provenance, type ProvenanceItem } from './provenance.ts';
import { TaskStatus } from './types.ts';

/** undefined: it has given nothing. */
export function lineageOf(live: LiveRun, node: PlanNode): Provenance | undefined {
  return of(live, node, new Map());
}

/** Of what edges brought to one of its ports; undefined: nothing came. */
export function lineageInto(live: LiveRun, node: PlanNode, port: string): Provenance | undefined {
  const known = new Map<PlanNode, Provenance | undefined>();
  const parts = arrived(live, node).flatMap(({ edge, source }) => (edge.targetTaskPortId === port || edge.targetTaskPortId === DATAFLOW_ALL_PORTS ? [of(live, source, known)] : []));
  return parts.length === 0 ? undefined : mergeProvenance([parentOf(live), ...parts]);
}

/** Without recursion: graphs may be deeper than the stack. */
function of(live: LiveRun, last: PlanNode, known: Map<PlanNode, Provenance | undefined>): Provenance | undefined {
  const above = new Set([last]);
  for (const node of above) for (const source of node.sources) if (!known.has(source)) above.add(source);
  for (const node of [...above].sort((one, other) => one.index - other.index)) if (!known.has(node)) known.set(node, single(live, node, known));
  return known.get(last);
}

function single(live: LiveRun, node: PlanNode, known: Map<PlanNode, Provenance | undefined>): Provenance | undefined {
  const status = live.statuses[node.index];
  if (status !== TaskStatus.COMPLETED && !(status === TaskStatus.FAILED && node.handlesError)) return undefined;
  const sources = arrived(live, node);
  const merged = mergeProvenance([parentOf(live), ...sources.map(({ source }) => known.get(source))], node.task.config.provenance);
  return { tags: merged.tags, items: [...merged.items, itemOf(live, node, sources)] };
}

const parentOf = ({ options: { parentProvenance } }: LiveRun): Provenance | undefined => parentProvenance && { tags: parentProvenance, items: [] };

interface Arrived {
  readonly edge: Dataflow;
  readonly source: PlanNode;
}
/** Edges that brought something, in the order in which they count. */
const arrived = (live: LiveRun, { incoming, sources }: PlanNode): Arrived[] => incoming.flatMap((edge, at) => (live.valueOn(edge, sources[at]!) ? [{ edge, source: sources[at]! }] : []));

/** What a graph within a node is given as its parent's, when somebody asks: tags alone, what its edges brought and its own. */
export function tagsInto(live: LiveRun, node: PlanNode): Record<string, any> {
  const known = new Map<PlanNode, Provenance | undefined>();
  return mergeProvenance([parentOf(live), ...arrived(live, node).map(({ source }) => of(live, source, known))], node.task.config.provenance).tags;
}

function itemOf(live: LiveRun, node: PlanNode, sources: readonly Arrived[]): ProvenanceItem {
  const { task, index, id } = node;
  const run = live.runs[index]!;
  const { startedAt, durationMs } = timesOf(live, node);
  const { version } = task.constructor as { version?: number | string };
  const { id: _id, provenance: _provenance, disabled: _disabled, ...config } = task.config;
  return {
    taskId: id, type: task.type, graphRunId: live.run.id, runId: run.id,
    ...(version !== undefined && { version }),
    configHash: hashOf(config) ?? '',
    ...hashed('inputHash', live.inputOf(node)), ...hashed('outputHash', live.outputInPage(index)),
    startedAt, durationMs, fromCache: Boolean(live.options.outputCache) && isFromCache(live.house, run),
    sources: sources.map(({ edge, source }) => ({ runId: live.runs[source.index]!.id, sourcePort: edge.sourceTaskPortId, targetPort: edge.targetTaskPortId })),
  };
}

/** What the core has forgotten, as it has runs in memory that are over, the graph that showed it still knows. */
function timesOf(live: LiveRun, { task, index }: PlanNode): { startedAt: number; durationMs: number } {
  const { startedAtMs, completedAtMs } = task;
  if (live.mirror && startedAtMs !== undefined && completedAtMs !== undefined) return { startedAt: startedAtMs, durationMs: Math.max(0, completedAtMs - startedAtMs) };
  const run = live.runs[index]!;
  const { engine } = live.house.pump;
  const startedAt = engine.value(run.task, P.FieldStartedAt);
  return { startedAt, durationMs: Math.max(0, engine.value(run.task, P.FieldUpdatedAt) - startedAt) };
}

function hashed<Name extends string>(name: Name, value: unknown): { [Each in Name]?: string } {
  const hash = value === undefined ? undefined : hashOf(value);
  return hash === undefined ? {} : ({ [name]: hash } as { [Each in Name]?: string });
}

/** undefined: it is no plain data. */
function hashOf(value: unknown): string | undefined {
  try {
    const { bytes, blobs } = encode(value, 'value');
    return blobs?.length ? undefined : crc32(bytes).toString(16).padStart(8, '0');
  } catch {
    return undefined;
  }
}
