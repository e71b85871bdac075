/**
 * Random graphs that are changed at random while they run, killed and reopened: they give what the reference executor
 * gives of the graph with the changes that were accepted, no finished node is executed again, and a page that comes back
 * has the graph as it was after some change, none that was said to be stored missing.
 */
import { afterEach, expect, it } from 'vitest';
import '../../../js/graph/alone.ts';
import '../../../js/graph/container.ts';
import '../../../js/graph/home.ts';
import '../../../js/graph/merging.ts';
import '../../../js/groups/container.ts';
import type { GraphRun, TaskGraph } from 'holdfast/graph';
import { seededRandom } from '../../../js/time/random.ts';
import { again, crash, open } from '../houses.ts';
import { type Expected, graphOf, heard, randomSpec, reference, type Spec, type SpecNode, taskOf } from './reference.ts';

afterEach(() => {
  heard.executed = () => {};
});
const input = { a: 4, text: 'abc' };
const ports = ['v', 'w', 'list', '*', '[error]'];
/** How often each kind of change was taken and refused, of all seeds. */
const counts: Record<string, number> = {};

/** The graph as the test knows it: what was accepted, in order. */
class Model {
  readonly nodes = new Map<string, SpecNode>();
  readonly edges = new Map<string, { from: string; port: string; to: string; toPort: string }>();

  static of({ nodes, edges, order }: Spec): Model {
    const model = new Model();
    for (const at of order) model.nodes.set(nodes[at]!.id, nodes[at]!);
    for (const { from, port, to, toPort } of edges) model.connect(nodes[from]!.id, port, nodes[to]!.id, toPort);
    return model;
  }
  copy(): Model {
    const model = new Model();
    for (const [id, node] of this.nodes) model.nodes.set(id, node);
    for (const [id, edge] of this.edges) model.edges.set(id, edge);
    return model;
  }
  connect(from: string, port: string, to: string, toPort: string): void {
    this.edges.set(`${from}[${port}] ==> ${to}[${toPort}]`, { from, port, to, toPort });
  }
  remove(id: string): void {
    this.nodes.delete(id);
    for (const [key, { from, to }] of this.edges) if (from === id || to === id) this.edges.delete(key);
  }
  /** Sources first, as the reference wants them. */
  get spec(): Spec {
    const left = [...this.nodes.keys()];
    const sorted: string[] = [];
    while (left.length > 0) {
      const next = left.findIndex((id) => [...this.edges.values()].every(({ from, to }) => to !== id || sorted.includes(from)));
      sorted.push(...left.splice(next, 1));
    }
    const place = new Map(sorted.map((id, at) => [id, at]));
    return {
      nodes: sorted.map((id) => this.nodes.get(id)!),
      edges: [...this.edges.values()].map(({ from, port, to, toPort }) => ({ from: place.get(from)!, port, to: place.get(to)!, toPort })),
      order: [...this.nodes.keys()].map((id) => place.get(id)!),
    };
  }
  get words(): string {
    return JSON.stringify([[...this.nodes.values()].map(({ id, isDisabled }) => `${id}${isDisabled ? ' off' : ''}`), [...this.edges.keys()].sort()]);
  }
}
const wordsOf = (graph: TaskGraph) => JSON.stringify([graph.getTasks().map(({ id, isDisabled }) => `${id}${isDisabled ? ' off' : ''}`), graph.getDataflows().map(({ id }) => id).sort()]);

type Below = (limit: number) => number;

/** One change of both, or of neither. */
async function change(graph: TaskGraph, model: Model, below: Below, serial: number): Promise<void> {
  // Of a run that is over the graph is as one likes.
  if (!graph.shown?.isRunning) return;
  const ids = [...model.nodes.keys()];
  const some = () => ids[below(ids.length)] ?? 'none';
  const next = model.copy();
  const kind = ['add', 'add', 'connect', 'connect', 'removeEdge', 'removeNode', 'disable', 'swap'][below(8)]!;
  const before = wordsOf(graph);
  try {
    if (kind === 'add') {
      const node: SpecNode = { id: `x${serial}`, kind: (['sum', 'choose', 'fail'] as const)[below(3)]!, turns: below(100) };
      graph.addTask(taskOf(node));
      next.nodes.set(node.id, node);
      for (let left = below(3); left > 0 && ids.length > 0; left--) {
        const [from, port] = [some(), ports[below(5)]!];
        try {
          graph.connect(from, port, node.id, port === '*' ? '*' : 'a');
          next.connect(from, port, node.id, port === '*' ? '*' : 'a');
        } catch {
          counts.refusedConnect = (counts.refusedConnect ?? 0) + 1;
        }
      }
    } else if (kind === 'connect') {
      const [from, to, port] = [some(), some(), ports[below(5)]!];
      graph.connect(from, port, to, port === '*' ? '*' : 'b');
      next.connect(from, port, to, port === '*' ? '*' : 'b');
    } else if (kind === 'removeEdge') {
      const edges = [...model.edges.keys()];
      const id = edges[below(edges.length)];
      if (id === undefined) return;
      graph.removeDataflow(id as never);
      next.edges.delete(id);
    } else if (kind === 'removeNode') {
      const id = some();
      graph.removeTask(id);
      next.remove(id);
    } else if (kind === 'swap') {
      const id = some();
      const node: SpecNode = { id, kind: 'sum', turns: below(3) };
      graph.replaceTask(id, taskOf(node));
      next.nodes.set(id, node);
    } else {
      const id = some();
      await graph.getTask(id)?.disable();
      if (next.nodes.has(id)) next.nodes.set(id, { ...next.nodes.get(id)!, isDisabled: true });
    }
  } catch (error) {
    counts[`${kind} refused`] = (counts[`${kind} refused`] ?? 0) + 1;
    expect(['TaskConfigurationError', 'CycleError']).toContain((error as Error).name);
    expect(wordsOf(graph)).toBe(before);
    return;
  }
  counts[kind] = (counts[kind] ?? 0) + 1;
  Object.assign(model, { nodes: next.nodes, edges: next.edges });
  expect(wordsOf(graph)).toBe(model.words);
}

function leavesOf({ nodes, edges, order }: Spec, expected: ReadonlyMap<string, Expected>) {
  const leaves = order.filter((at) => edges.every(({ from, port }) => from !== at || port === '[error]')).map((at) => nodes[at]!.id);
  return leaves.flatMap((id) => (expected.get(id)!.status === 'COMPLETED' ? [{ id, data: expected.get(id)!.output }] : []));
}
const statuses = (all: Iterable<readonly [string, { readonly status: string }]>) => Object.fromEntries([...all].map(([id, { status }]) => [id, status]));

async function live(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const below: Below = (limit) => Math.floor(random() * limit);
  const few = randomSpec(below, 1 + below(20), false);
  const spec = { ...few, nodes: few.nodes.map((node) => ({ ...node, turns: below(150) })) };
  let model = Model.of(spec);
  let house = await open();
  const finished = new Set<string>();
  heard.executed = (id) => expect(finished.has(id), `seed ${seed}: ${id} has finished and is executed again`).toBe(false);
  const begun = house.orchestrator.graphs.run(graphOf(spec), input, { failurePolicy: 'collect', concurrency: below(2) === 0 ? 1 + below(3) : undefined });
  let run: GraphRun | undefined;
  void begun.then((made) => (run = made));
  while (!run) await null;
  const { id } = run;
  let crashes = 0;
  let serial = 0;
  for (let look = 0; look < 25; look++) {
    let storedAt = 0;
    const states = [model.copy()];
    const graph = await run.graph();
    for (let left = 1 + below(3); left > 0 && run.status !== 'completed'; left--) {
      for (let turns = below(30); turns > 0; turns--) await null;
      for (let each = 1 + below(3); each > 0; each--) await change(graph, model, below, ++serial);
      states.push(model.copy());
      const at = states.length - 1;
      void run.changesStored().then(() => (storedAt = Math.max(storedAt, at)));
    }
    if (run.status === 'completed') break;
    if (crashes >= 4 || below(3) > 0) continue;
    for (let turns = below(60); turns > 0; turns--) await null;
    const stored = storedAt;
    house = crashes++ % 2 === 0 ? await crash(house) : await again(house.reload());
    run = (await house.orchestrator.graphs.get(id))!;
    const found = wordsOf(await run.graph());
    const place = states.findLastIndex((state) => state.words === found);
    expect(place, `seed ${seed}: the graph is as it was at some moment: ${found}`).toBeGreaterThanOrEqual(stored);
    model = states[place]!;
    for (const { status, parentId, id: runId } of house.orchestrator.getAllTasks()) {
      const key = house.orchestrator.localRun(runId)!.extra.childKey;
      if (status === 'completed' && parentId === id) finished.add(key!);
    }
  }
  await house.clock.settle();
  counts.crashes = (counts.crashes ?? 0) + crashes;
  const found = (await house.orchestrator.graphs.get(id))!;
  const results = await found.result();
  const last = model.spec;
  const expected = reference(last, input);
  expect(statuses(found.nodes), `seed ${seed}`).toEqual(statuses(expected));
  expect(results.map((result: any) => ({ id: result.id, data: result.data })), `seed ${seed}`).toEqual(leavesOf(last, expected));
  const members = house.orchestrator.getAllTasks().filter(({ parentId }) => parentId === id);
  expect(members.map(({ id: runId }) => house.orchestrator.localRun(runId)!.extra.childKey).sort(), `seed ${seed}: no run is left of what was removed`).toEqual([...model.nodes.keys()].sort());
  await house.orchestrator.dispose();
}

it('random graphs that are changed while they run, killed and reopened, give what the accepted changes make of them', { timeout: 120_000 }, async () => {
  const first = Number(process.env.HOLDFAST_SEED ?? 1);
  for (let seed = first; seed < first + Number(process.env.HOLDFAST_RUNS ?? 25); seed++) await live(seed);
  if (process.env.HOLDFAST_RUNS === undefined) for (const kind of ['add', 'connect', 'removeEdge', 'removeNode', 'disable', 'swap', 'connect refused', 'removeNode refused', 'crashes']) expect(counts[kind], kind).toBeGreaterThan(3);
  if (process.env.HOLDFAST_SEED) console.log(counts);
});
