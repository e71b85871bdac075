/**
 * What a run of a graph would do, without doing it: which nodes the cache answers, which are executed, which can't be.
 * Invariant: no code of a node is called.
 */
import type { Orchestrator } from '../orchestrator.ts';
import type { Run } from '../runs/run.ts';
import { along, assemble } from './assembly.ts';
import { inputsOf, isKept, isRepository, questionOf } from './caching.ts';
import { byPorts } from './function-task.ts';
import { outputTask } from './names.ts';
import { type PlanNode, planOf } from './plan.ts';
import type { TaskGraph } from './task-graph.ts';
import type { GraphRunOptions, PlannedNode, TaskInput, TaskOutput } from './types.ts';

export async function plannedNodes(house: Orchestrator, graph: TaskGraph, input: TaskInput, options: GraphRunOptions): Promise<PlannedNode[]> {
  const { nodes } = planOf(graph);
  const outputs: (TaskOutput | undefined)[] = new Array(nodes.length);
  const planned: PlannedNode[] = [];
  for (const node of nodes) {
    const { plan, output } = await planOne(house, node, planned, outputs, input, options);
    planned.push(plan);
    outputs[node.index] = output;
  }
  return planned;
}

type One = { readonly plan: PlannedNode; readonly output?: TaskOutput };

async function planOne(house: Orchestrator, node: PlanNode, planned: readonly PlannedNode[], outputs: readonly (TaskOutput | undefined)[], input: TaskInput, options: GraphRunOptions): Promise<One> {
  const { id, task } = node;
  const as = (action: PlannedNode['action'], why: string): One => ({ plan: { id, type: task.type, action, why } });
  if (node.isDisabled) return as('disabled', 'It is switched off.');
  const ofSources = node.sources.map(({ index }) => planned[index]!);
  const blocking = ofSources.find(({ action }, at) => action === 'blocked' && !node.incoming[at]!.isError);
  if (blocking) return as('blocked', `It follows ${blocking.id}, which can't be executed.`);
  const running = ofSources.find(({ action }) => action === 'run');
  if (running) return as('run', `It follows ${running.id}, which is executed.`);
  const isActive = node.incoming.map((edge, at) => {
    const output = outputs[node.sources[at]!.index];
    return output !== undefined && !edge.isError && !node.sources[at]!.task.inactivePorts(output).includes(edge.sourceTaskPortId);
  });
  if (node.incoming.length > 0 && !isActive.includes(true)) return as('disabled', 'No edge into it is active.');
  const given = assemble(node, input, options.matchAllEmptyInputs === true, { carried: (edge, source) => (isActive[node.incoming.indexOf(edge)] ? { value: along(edge, outputs[source.index]) } : undefined) });
  const missing = task.missingPorts(given);
  if (missing.length > 0) return as('blocked', `Nothing gives ${missing.map((port) => JSON.stringify(port)).join(', ')}.`);
  if (!isKept(node, options)) return as('run', options.outputCache ? 'Its output is not kept.' : 'The run has no output cache.');
  const question = questionOf(task, given);
  if (isRepository(options.outputCache)) {
    const found = await options.outputCache.getOutput(task.type, inputsOf(question));
    return found === undefined ? as('run', 'The repository has no output for it.') : { ...as('cached', 'The repository has an output for it.'), output: found };
  }
  const { outcome, message } = await house.cache.explain(outputTask, question);
  if (outcome !== 'hit' && outcome !== 'stale') return as('run', message);
  // The entry is there: a run that asks for it is answered.
  const run = house.intake.triggerTask(outputTask, question, undefined, 'graphs.plan') as Run;
  const output = byPorts(await run.result()) ?? {};
  void house.control.forget(run);
  return { ...as('cached', message), output };
}
