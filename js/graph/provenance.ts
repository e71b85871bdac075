/**
 * Where a value comes from: what people noted on nodes (`tags`, the later counts), and which nodes it went through.
 *
 * Invariant: a lineage has each execution of a node once, sources before what was made of them.
 */

/** One execution of a node that a value went through. */
export interface ProvenanceItem {
  readonly taskId: string;
  readonly type: string;
  /** Of the graph's run, and of the node's. */
  readonly graphRunId: string;
  readonly runId: string;
  readonly version?: number | string;
  readonly configHash: string;
  /** Of the input it got and the output it gave, where they are plain data. */
  readonly inputHash?: string;
  readonly outputHash?: string;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly fromCache: boolean;
  /** What came in by edges, in their order: from which execution (its `runId`), out of which port, into which. None: the graph's input, and defaults. */
  readonly sources: readonly ProvenanceSource[];
}

export interface ProvenanceSource {
  readonly runId: string;
  readonly sourcePort: string;
  readonly targetPort: string;
}

export interface Provenance {
  /** Merged: of the run, of the sources in the order of their edges, of the node. */
  readonly tags: Readonly<Record<string, any>>;
  readonly items: readonly ProvenanceItem[];
}

/** Later tags count; items are kept once. */
export function mergeProvenance(parts: readonly (Provenance | undefined)[], own: Readonly<Record<string, any>> = {}): Provenance {
  const tags: Record<string, any> = {};
  const items = new Map<string, ProvenanceItem>();
  for (const part of parts) {
    if (!part) continue;
    Object.assign(tags, part.tags);
    for (const item of part.items) if (!items.has(item.runId)) items.set(item.runId, item);
  }
  Object.assign(tags, own);
  return { tags, items: [...items.values()] };
}
