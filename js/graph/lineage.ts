/** Where what a node gave comes from, read from its graph's run. Computed when somebody asks, so a run that nobody asks pays nothing. */
import { encode } from '../codec/codec.ts';
import * as P from '../protocol.ts';
import { crc32 } from '../storage/crc32.ts';
import { isFromCache } from './caching.ts';
import type { LiveRun } from './live.ts';
import type { PlanNode } from './plan.ts';
import { mergeProvenance, type Provenance, type ProvenanceItem } from './provenance.ts';
import { TaskStatus } from './types.ts';

/** undefined: it has given nothing. */
export function lineageOf(live: LiveRun, node: PlanNode): Provenance | undefined {
  return of(live, node, new Map());
}

/** Without recursion: graphs may be deeper than the stack. */
function of(live: LiveRun, last: PlanNode, known: Map<PlanNode, Provenance | undefined>): Provenance | undefined {
  const above = [last];
  for (let at = 0; at < above.length; at++) for (const source of above[at]!.sources) if (!known.has(source)) above.push(source);
  for (const node of [...new Set(above)].sort((one, other) => one.index - other.index)) known.set(node, single(live, node, known));
  return known.get(last);
}

function single(live: LiveRun, node: PlanNode, known: Map<PlanNode, Provenance | undefined>): Provenance | undefined {
  const status = live.statuses[node.index];
  if (status !== TaskStatus.COMPLETED && !(status === TaskStatus.FAILED && node.handlesError)) return undefined;
  const { parentProvenance } = live.options;
  const parent: Provenance | undefined = parentProvenance && { tags: parentProvenance, items: [] };
  const sources = node.incoming.flatMap((edge, at) => (live.valueOn(edge, node.sources[at]!) ? [known.get(node.sources[at]!)] : []));
  const merged = mergeProvenance([parent, ...sources], node.task.config.provenance);
  return { tags: merged.tags, items: [...merged.items, itemOf(live, node)] };
}

function itemOf(live: LiveRun, node: PlanNode): ProvenanceItem {
  const { task, index, id } = node;
  const run = live.runs[index]!;
  const { engine } = live.house.pump;
  const startedAt = engine.value(run.task, P.FieldStartedAt);
  const { version } = task.constructor as { version?: number | string };
  const { id: _id, provenance: _provenance, disabled: _disabled, ...config } = task.config;
  return {
    taskId: id, type: task.type, graphRunId: live.run.id, runId: run.id,
    ...(version !== undefined && { version }),
    configHash: hashOf(config) ?? '',
    ...hashed('inputHash', live.inputOf(node)), ...hashed('outputHash', live.outputInPage(index)),
    startedAt, durationMs: Math.max(0, engine.value(run.task, P.FieldUpdatedAt) - startedAt), fromCache: live.options.outputCache === true && isFromCache(live.house, run),
  };
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
