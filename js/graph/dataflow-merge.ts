/** The input of a task of holdfast that is a node of a graph: what its edges bring. */
import type { MergeCall, Merged } from '../dependencies/types.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { TaskConfigurationError } from './errors.ts';

export async function merge({ run }: MergeCall): Promise<Merged> {
  const house = run.host as Orchestrator;
  const graphs = await house.graphs.load();
  const container = run.extra.parent ?? house.localRun(run.extra.parentId ?? '');
  if (!container) throw new TaskConfigurationError(`Run ${run.id} is of a node of graph run ${run.extra.parentId}, which is not there any more.`);
  const waits = await graphs.waitForTypes(container, run);
  if (waits) return waits.promise;
  const live = await graphs.liveOf(container);
  return { input: await live.givenTo(run) };
}
