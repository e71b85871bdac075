/**
 * Edges along which a source that has ended well gives nothing.
 * Invariant: several edges between two nodes are one: it is inactive where all of them are.
 */
import * as P from '../protocol.ts';
import type { Run } from '../runs/run.ts';
import type { PlanNode } from './plan.ts';

/** No port of the source that feeds the target gives anything. */
export function isInactive(source: PlanNode, target: PlanNode, inactive: readonly string[]): boolean {
  const { outgoing, targets } = source;
  let leads = false;
  for (let at = 0; at < outgoing.length; at++) {
    const edge = outgoing[at]!;
    if (targets[at] !== target || edge.isError) continue;
    if (!inactive.includes(edge.sourceTaskPortId)) return false;
    leads = true;
  }
  return leads;
}

/** What the core has not been told yet: as an edge that its source's success disables. */
export function disableIn(after: (Run | number)[], source: Run): void {
  for (let at = 0; at < after.length; at += 2) if (after[at] === source && after[at + 1] === P.EdgeKindDataflow) after[at + 1] = P.EdgeKindErrorFlow;
}
