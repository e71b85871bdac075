/**
 * Nodes and edges of a graph that has no cycle, in a topological order that is kept as edges come (Pearce and Kelly,
 * A Dynamic Topological Sort Algorithm for Directed Acyclic Graphs, 2006): an edge that goes along with the order costs
 * nothing, another one only what lies between its ends.
 *
 * Invariants: for every edge, the order of its source is below that of its target; an edge that would close a cycle
 * changes nothing.
 */

/** What stands in the graph for a node. */
export class Vertex<Node, Edge> {
  readonly node: Node;
  /** When it was added, among the others. */
  readonly place: number;
  order: number;
  readonly incoming: Edge[] = [];
  readonly outgoing: Edge[] = [];
  readonly sources: Vertex<Node, Edge>[] = [];
  readonly targets: Vertex<Node, Edge>[] = [];
  /** Of the search that was here last. */
  mark = 0;
  cameFrom: Vertex<Node, Edge> | undefined;

  constructor(node: Node, place: number, order: number) {
    this.node = node;
    this.place = place;
    this.order = order;
  }
}

export class Dag<Node, Edge> {
  readonly vertices = new Map<string, Vertex<Node, Edge>>();
  #places = 0;
  #orders = 0;
  #mark = 0;

  add(id: string, node: Node): Vertex<Node, Edge> {
    const vertex = new Vertex<Node, Edge>(node, this.#places++, this.#orders++);
    this.vertices.set(id, vertex);
    return vertex;
  }

  /** In the place of another: edges and order stay. */
  replace(vertex: Vertex<Node, Edge>, id: string, node: Node): Vertex<Node, Edge> {
    const other = new Vertex<Node, Edge>(node, vertex.place, vertex.order);
    other.incoming.push(...vertex.incoming);
    other.outgoing.push(...vertex.outgoing);
    other.sources.push(...vertex.sources);
    other.targets.push(...vertex.targets);
    for (const source of other.sources) exchange(source.targets, vertex, other);
    for (const target of other.targets) exchange(target.sources, vertex, other);
    this.vertices.set(id, other);
    return other;
  }

  /** REQUIRES: it has no edges. */
  remove(id: string): void {
    this.vertices.delete(id);
  }

  /** undefined: it was connected; else the vertices of the cycle that it would close, and nothing is changed. */
  connect(source: Vertex<Node, Edge>, target: Vertex<Node, Edge>, edge: Edge): Vertex<Node, Edge>[] | undefined {
    if (source === target) return [source];
    if (source.order > target.order) {
      const cycle = this.#reorder(source, target);
      if (cycle) return cycle;
    }
    source.outgoing.push(edge);
    source.targets.push(target);
    target.incoming.push(edge);
    target.sources.push(source);
    return undefined;
  }

  disconnect(source: Vertex<Node, Edge>, target: Vertex<Node, Edge>, edge: Edge): void {
    const out = source.outgoing.indexOf(edge);
    source.outgoing.splice(out, 1);
    source.targets.splice(out, 1);
    const into = target.incoming.indexOf(edge);
    target.incoming.splice(into, 1);
    target.sources.splice(into, 1);
  }

  /** Sources before targets; of what is in no order among itself, what was added first. */
  sorted(): Vertex<Node, Edge>[] {
    return [...this.vertices.values()].sort((one, other) => one.order - other.order);
  }

  #reorder(source: Vertex<Node, Edge>, target: Vertex<Node, Edge>): Vertex<Node, Edge>[] | undefined {
    const after = this.#collect(target, (vertex) => vertex.targets, (order) => order <= source.order, source);
    if (after === undefined) return pathTo(source, target);
    const before = this.#collect(source, (vertex) => vertex.sources, (order) => order >= target.order, undefined)!;
    const moved = [...before.sort(byOrder), ...after.sort(byOrder)];
    const orders = moved.map(({ order }) => order).sort((one, other) => one - other);
    for (const [index, vertex] of moved.entries()) vertex.order = orders[index]!;
    return undefined;
  }

  /** What can be reached within the bounds; undefined: `forbidden` can. */
  #collect(
    from: Vertex<Node, Edge>, next: (vertex: Vertex<Node, Edge>) => readonly Vertex<Node, Edge>[], within: (order: number) => boolean, forbidden: Vertex<Node, Edge> | undefined,
  ): Vertex<Node, Edge>[] | undefined {
    const mark = ++this.#mark;
    const found = [from];
    from.mark = mark;
    from.cameFrom = undefined;
    for (let at = 0; at < found.length; at++) {
      for (const vertex of next(found[at]!)) {
        if (vertex.mark === mark || !within(vertex.order)) continue;
        vertex.mark = mark;
        vertex.cameFrom = found[at];
        if (vertex === forbidden) return undefined;
        found.push(vertex);
      }
    }
    return found;
  }
}

function byOrder(one: { readonly order: number }, other: { readonly order: number }): number {
  return one.order - other.order;
}

function exchange<Each>(list: Each[], from: Each, to: Each): void {
  for (let at = 0; at < list.length; at++) if (list[at] === from) list[at] = to;
}

function pathTo<Node, Edge>(end: Vertex<Node, Edge>, start: Vertex<Node, Edge>): Vertex<Node, Edge>[] {
  const path: Vertex<Node, Edge>[] = [];
  for (let vertex: Vertex<Node, Edge> | undefined = end; vertex; vertex = vertex === start ? undefined : vertex.cameFrom) path.push(vertex);
  return path.reverse();
}
