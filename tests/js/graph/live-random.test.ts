/**
 * Random graphs that are changed at random while they run, killed and reopened: they give what the reference executor
 * gives of the graph with the changes that were accepted, no finished node is executed again, and a page that comes back
 * has the graph as it was after some change, none that was said to be stored missing.
 */
import { afterEach, expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import type { GraphRun, TaskGraph } from 'holdfast/graph';
import { seededRandom } from '../../../js/time/random.ts';
import { again, crash, open } from '../houses.ts';
import { changeBoth, finishedOf, Model, removeEdge, removeNode, stateFound } from './changing.ts';
import { type Expected, graphOf, heard, randomSpec, reference, type Spec, type SpecNode, taskOf } from './reference.ts';

afterEach(() => {
  heard.executed = () => {};
});
const input = { a: 4, text: 'abc' };
const ports = ['v', 'w', 'list', '*', '[error]'];
/** How often each kind of change was taken and refused, of all seeds. */
const counts: Record<string, number> = {};
const count = (what: string) => (counts[what] = (counts[what] ?? 0) + 1);

type Changed = Model<SpecNode>;

function modelOf({ nodes, edges, order }: Spec): Changed {
  const model: Changed = new Model((node) => taskOf(node).type);
  for (const at of order) model.nodes.set(nodes[at]!.id, nodes[at]!);
  for (const { from, port, to, toPort } of edges) model.connect({ from: nodes[from]!.id, port, to: nodes[to]!.id, toPort });
  return model;
}
/** Sources first, as the reference wants them. */
function specOf({ nodes, edges }: Changed): Spec {
  const left = [...nodes.keys()];
  const sorted: string[] = [];
  while (left.length > 0) {
    const next = left.findIndex((id) => [...edges.values()].every(({ from, to }) => to !== id || sorted.includes(from)));
    sorted.push(...left.splice(next, 1));
  }
  const place = new Map(sorted.map((id, at) => [id, at]));
  return {
    nodes: sorted.map((id) => nodes.get(id)!),
    edges: [...edges.values()].map(({ from, port, to, toPort }) => ({ from: place.get(from)!, port, to: place.get(to)!, toPort })),
    order: [...nodes.keys()].map((id) => place.get(id)!),
  };
}

type Below = (limit: number) => number;

async function change(graph: TaskGraph, model: Changed, below: Below, serial: number): Promise<void> {
  // Of a run that is over the graph is as one likes.
  if (!graph.shown?.isRunning) return;
  const ids = [...model.nodes.keys()];
  const some = () => ids[below(ids.length)] ?? 'none';
  const kind = ['add', 'add', 'connect', 'connect', 'removeEdge', 'removeNode', 'disable', 'swap'][below(8)]!;
  if (kind === 'removeEdge' && model.edges.size === 0) return;
  const connect = (next: Changed, from: string, port: string, to: string, own: string) => {
    const toPort = port === '*' ? '*' : own;
    graph.connect(from, port, to, toPort);
    next.connect({ from, port, to, toPort });
  };
  await changeBoth(graph, model, kind, count, (next) => {
    if (kind === 'add') {
      const node: SpecNode = { id: `x${serial}`, kind: (['sum', 'choose', 'fail'] as const)[below(3)]!, turns: below(100) };
      graph.addTask(taskOf(node));
      next.nodes.set(node.id, node);
      for (let left = below(3); left > 0 && ids.length > 0; left--) {
        try {
          connect(next, some(), ports[below(5)]!, node.id, 'a');
        } catch {
          count('refusedConnect');
        }
      }
    } else if (kind === 'connect') {
      const [from, to] = [some(), some()];
      connect(next, from, ports[below(5)]!, to, 'b');
    } else if (kind === 'removeEdge') removeEdge(graph, next, [...model.edges.keys()][below(model.edges.size)]!);
    else if (kind === 'removeNode') removeNode(graph, next, some());
    else if (kind === 'swap') {
      const id = some();
      const node: SpecNode = { id, kind: 'sum', turns: below(3) };
      graph.replaceTask(id, taskOf(node));
      next.nodes.set(id, node);
    } else {
      const id = some();
      const node = next.nodes.get(id);
      if (node) next.nodes.set(id, { ...node, isDisabled: true });
      return graph.getTask(id)?.disable();
    }
  });
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
  let model = modelOf(spec);
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
    model = stateFound(await run.graph(), states, stored, seed);
    for (const key of finishedOf(house, id)) finished.add(key);
  }
  await house.clock.settle();
  counts.crashes = (counts.crashes ?? 0) + crashes;
  const found = (await house.orchestrator.graphs.get(id))!;
  const results = await found.result();
  const last = specOf(model);
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
