/**
 * One object of each class of which a graph's run makes thousands.
 *
 * Invariant: they refer to their house and to nothing of people's. Why: an engine drops the hidden class of a class of
 * which a collection finds no object, and with it all code that was compiled for it, so each run after a pause would
 * begin cold. They are made anew when a run is over, because what is made first is laid out as nothing is later.
 */
import { RunContext } from '../context/context.ts';
import { Container } from '../groups/container.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { Run } from '../runs/run.ts';
import { Dataflow } from './dataflow.ts';
import { LiveRun } from './live.ts';
import { NodeContext } from './node-context.ts';
import { Task } from './task.ts';
import { TaskGraph } from './task-graph.ts';

export function shapesOf(house: Orchestrator, Code: new (container: Container, live: LiveRun) => object): readonly object[] {
  const run = new Run(house);
  const context = new RunContext(house.attempts, run, 0);
  const graph = new TaskGraph();
  graph.addTasks([new Task({ id: 'a' }), new Task({ id: 'b' })]);
  graph.addDataflow(new Dataflow('a', '*', 'b', '*'));
  const live = new LiveRun({ house, run, graph, input: {}, options: {}, isShown: true });
  const container = new Container(house, context);
  run.ownExtra.members = undefined;
  return [live, new NodeContext(live, undefined as never, context), container, new Code(container, live)];
}
