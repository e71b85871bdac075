/**
 * Graphs that run in memory, where nobody gives an orchestrator: on one of the page's own, which keeps nothing of what
 * has ended.
 */
import { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import type { Run } from '../runs/run.ts';
import type { GraphHandle } from './handle.ts';
import type { Graphs } from './home.ts';
import type { Task } from './task.ts';
import { TaskGraph } from './task-graph.ts';
import type { GraphRun, GraphResultArray, GraphRunOptions, TaskInput } from './types.ts';

let own: Orchestrator | undefined;

function house(): Orchestrator {
  own ??= new Orchestrator({ storage: 'memory', tabs: false });
  return own;
}

async function begin(graph: TaskGraph, input: TaskInput, options: GraphRunOptions, isShown: boolean): Promise<{ graphs: Graphs; handle: GraphHandle }> {
  const orchestrator = house();
  const graphs = await orchestrator.graphs.load();
  await orchestrator.ready;
  const handle = graphs.run(graph, input, { outputCache: graph.outputCache, ...options }, isShown);
  for (const signal of [options.signal, options.parentSignal]) if (signal) abortWith(signal, handle);
  return { graphs, handle };
}

function abortWith(signal: AbortSignal, handle: GraphHandle): void {
  const abort = () => void handle.abort(signal.reason);
  if (signal.aborted) return abort();
  signal.addEventListener('abort', abort);
  const over = () => signal.removeEventListener('abort', abort);
  handle.run.ended.then(over, over);
}

export async function runInMemory(graph: TaskGraph, input: TaskInput, options: GraphRunOptions): Promise<GraphResultArray<any>> {
  const { handle } = await begin(graph, input, options, true);
  try {
    return await handle.result();
  } finally {
    forget(handle.run);
  }
}

export async function startInMemory(graph: TaskGraph, input: TaskInput, options: GraphRunOptions): Promise<GraphRun<GraphResultArray>> {
  return (await begin(graph, input, options, false)).handle;
}

/** A task as a graph of one node, which is not the one it stands in. */
export async function runAlone(task: Task<any, any, any>, input: TaskInput, options: GraphRunOptions): Promise<any> {
  const { parentGraph } = task;
  const graph = new TaskGraph();
  graph.addTask(task);
  try {
    const [result] = await runInMemory(graph, input, options);
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
