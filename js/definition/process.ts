/**
 * The process a run belongs to: the tree of runs below one that nobody's code started.
 */
import * as P from '../protocol.ts';
import type { Pump } from '../pump.ts';
import type { Run } from '../run.ts';

/** The run at the top of the tree that this one stands in: itself, where it has no parent. */
export function rootOf(pump: Pump, run: Run): Run {
  let top = run;
  while (pump.open && top.task !== 0) {
    const parent = pump.run(pump.engine.value(top.task, P.FieldParent));
    if (!parent) break;
    top = parent;
  }
  return top;
}
