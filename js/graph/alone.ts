/**
 * Graphs that run in memory, where nobody gives an orchestrator: on one of the page's own, which keeps nothing of what
 * has ended.
 */
import { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import type { Run } from '../runs/run.ts';
import type { GraphHandle } from './handle.ts';
import type { Beginning } from './beginning.ts';
import { cancelWith } from './home.ts';
import type { Task } from './task.ts';
import { TaskGraph } from './task-graph.ts';
import type { GraphRun, GraphResultArray, GraphRunOptions, TaskInput } from './types.ts';

let own: Orchestrator | undefined;

function house(): Orchestrator {
  own ??= new Orchestrator({ storage: 'memory', tabs: false });
  return own;
}

/** @param beginning what was aborted before there was a run */
async function begin(graph: TaskGraph, input: TaskInput, options: GraphRunOptions, beginning?: Beginning): Promise<GraphHandle> {
  const orchestrator = house();
  const graphs = await orchestrator.graphs.load();
  await orchestrator.ready;
  if (graph.shown === beginning) graph.shown = undefined;
  const handle = graphs.run(graph, input, options, beginning !== undefined);
  if (beginning) cancelWith(beginning.signal, handle.run);
  return handle;
}

export async function runInMemory(graph: TaskGraph, input: TaskInput, options: GraphRunOptions, beginning: Beginning): Promise<GraphResultArray<any>> {
  const handle = await begin(graph, input, options, beginning);
  try {
    return await handle.result();
  } finally {
    // Whoever waits for the result has it first.
    house().pump.defer(() => forget(handle.run));
  }
}

export async function startInMemory(graph: TaskGraph, input: TaskInput, options: GraphRunOptions): Promise<GraphRun<GraphResultArray>> {
  return begin(graph, input, options);
}

/** A task as a graph of one node, which is not the one it stands in. */
export async function runAlone(task: Task<any, any, any>, input: TaskInput, options: GraphRunOptions, beginning: Beginning): Promise<any> {
  const { parentGraph } = task;
  const graph = new TaskGraph();
  graph.addTask(task);
  try {
    const [result] = await runInMemory(graph, task.inputWith(input), options, beginning);
    return result?.data;
  } finally {
    task.parentGraph = parentGraph;
  }
}

/** Nobody can ask for it any more. */
function forget(run: Run): void {
  const { pump, services } = house();
  if (!pump.open) return;
  for (const member of services.children.of(run)) if (member.task !== 0) pump.commands.push(P.CommandForget, member.task, P.ForgetTaken);
  if (run.task !== 0) pump.commands.push(P.CommandForget, run.task);
  pump.wake();
}
