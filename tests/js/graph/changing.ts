/**
 * What tests of graphs that are changed while they run have in common: the graph as the test knows it, and changes of both.
 *
 * Invariant: a change is in the graph and in its model, or, refused with a typed error, in neither.
 */
import { Dataflow, type TaskGraph } from 'holdfast/graph';
import { expect } from 'vitest';
import type { House } from '../house.ts';

export interface Connection {
  readonly from: string;
  readonly port: string;
  readonly to: string;
  readonly toPort: string;
}
export const idOf = ({ from, port, to, toPort }: Connection): string => Dataflow.createId(from, port, to, toPort);

/** What was accepted, in order. */
export class Model<Node extends { readonly id: string; readonly isDisabled?: boolean }> {
  nodes = new Map<string, Node>();
  edges = new Map<string, Connection>();
  readonly #typeOf: (node: Node) => string;

  constructor(typeOf: (node: Node) => string) {
    this.#typeOf = typeOf;
  }
  copy(): Model<Node> {
    const model = new Model(this.#typeOf);
    for (const [id, node] of this.nodes) model.nodes.set(id, node);
    for (const [id, edge] of this.edges) model.edges.set(id, edge);
    return model;
  }
  connect(edge: Connection): void {
    this.edges.set(idOf(edge), edge);
  }
  remove(id: string): void {
    this.nodes.delete(id);
    for (const [key, { from, to }] of this.edges) if (from === id || to === id) this.edges.delete(key);
  }
  /** As `wordsOf` the graph. */
  get words(): string {
    return JSON.stringify([[...this.nodes.values()].map((node) => `${node.id} ${this.#typeOf(node)}${node.isDisabled ? ' off' : ''}`), [...this.edges.keys()].sort()]);
  }
}
export const wordsOf = (graph: TaskGraph): string => JSON.stringify([graph.getTasks().map(({ id, type, isDisabled }) => `${id} ${type}${isDisabled ? ' off' : ''}`), graph.getDataflows().map(({ id }) => id).sort()]);

/**
 * Takes both a change further, or neither. @param work changes the graph, and the copy of the model that it gets
 * @returns whether it was accepted
 */
export async function changeBoth<M extends Model<any>>(graph: TaskGraph, model: M, kind: string, count: (what: string) => void, work: (next: M) => Promise<void> | void): Promise<boolean> {
  const next = model.copy() as M;
  const before = wordsOf(graph);
  try {
    const working = work(next);
    if (working) await working;
  } catch (error) {
    count(`${kind} refused`);
    expect(['TaskConfigurationError', 'CycleError'], (error as Error).message).toContain((error as Error).name);
    expect(wordsOf(graph)).toBe(before);
    return false;
  }
  count(kind);
  Object.assign(model, { nodes: next.nodes, edges: next.edges });
  expect(wordsOf(graph)).toBe(model.words);
  return true;
}

export function removeEdge(graph: TaskGraph, next: Model<any>, id: string): void {
  graph.removeDataflow(id as never);
  next.edges.delete(id);
}
export function removeNode(graph: TaskGraph, next: Model<any>, id: string): void {
  graph.removeTask(id);
  next.remove(id);
}

/** After a death: the state that the graph came back in, none that was said to be stored missing. */
export function stateFound<M extends Model<any>>(graph: TaskGraph, states: readonly M[], stored: number, seed: number): M {
  const found = wordsOf(graph);
  const place = states.findLastIndex((state) => state.words === found);
  expect(place, `seed ${seed}: the graph is as it was at some moment: ${found}`).toBeGreaterThanOrEqual(stored);
  return states[place]!;
}

/** The nodes of that run that have ended well. */
export function finishedOf({ orchestrator }: House, runId: string): string[] {
  const ended = orchestrator.getAllTasks().filter(({ status, parentId }) => status === 'completed' && parentId === runId);
  return ended.map(({ id }) => orchestrator.localRun(id)!.extra.childKey!);
}
