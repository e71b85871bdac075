/**
 * Nodes and edges of a graph that has no cycle, in a topological order that is kept as edges come. An edge that goes
 * along with the order costs nothing. Another one is searched from both of its ends at once, and what is found first to
 * be whole (what follows the target, or what leads to the source) moves past the other end; the order is a list with
 * numbers in it, so nothing else moves. (Pearce and Kelly 2006; the two-way search as in Bender, Fineman, Gilbert and
 * Tarjan 2015.)
 *
 * Invariants: for every edge, its source stands before its target; an edge that would close a cycle changes nothing.
 */

/** What stands in the graph for a node. */
export class Vertex<Node, Edge> {
  readonly node: Node;
  /** When it was added, among the others. */
  readonly place: number;
  /** Grows along the order. */
  order = 0;
  before: Vertex<Node, Edge> | undefined;
  after: Vertex<Node, Edge> | undefined;
  incoming: Edge[] = [];
  outgoing: Edge[] = [];
  sources: Vertex<Node, Edge>[] = [];
  targets: Vertex<Node, Edge>[] = [];
  /** A plan has its lists: it changes others. */
  isPlanned = false;
  /** In the plan that was made last. */
  index = 0;
  /** Of the search that came last along the edges, and where it came from … */
  ahead = 0;
  cameFrom: Vertex<Node, Edge> | undefined;
  /** … and against them. */
  behind = 0;
  leadsTo: Vertex<Node, Edge> | undefined;

  constructor(node: Node, place: number) {
    this.node = node;
    this.place = place;
  }
}

export class Dag<Node, Edge> {
  readonly vertices = new Map<string, Vertex<Node, Edge>>();
  #first: Vertex<Node, Edge> | undefined;
  #last: Vertex<Node, Edge> | undefined;
  #places = 0;
  #search = 0;

  add(id: string, node: Node): Vertex<Node, Edge> {
    const vertex = new Vertex<Node, Edge>(node, this.#places++);
    this.vertices.set(id, vertex);
    this.#insert(vertex, this.#last);
    return vertex;
  }

  /** In the place of another: edges and order stay. */
  replace(vertex: Vertex<Node, Edge>, id: string, node: Node): Vertex<Node, Edge> {
    const other = new Vertex<Node, Edge>(node, vertex.place);
    other.incoming.push(...vertex.incoming);
    other.outgoing.push(...vertex.outgoing);
    other.sources.push(...vertex.sources);
    other.targets.push(...vertex.targets);
    for (const source of other.sources) {
      own(source);
      exchange(source.targets, vertex, other);
    }
    for (const target of other.targets) {
      own(target);
      exchange(target.sources, vertex, other);
    }
    this.#insert(other, vertex);
    this.#unlink(vertex);
    this.vertices.set(id, other);
    return other;
  }

  /** REQUIRES: it has no edges. */
  remove(id: string): void {
    this.#unlink(this.vertices.get(id)!);
    this.vertices.delete(id);
  }

  /** undefined: it was connected; else the vertices of the cycle that it would close, and nothing is changed. */
  connect(source: Vertex<Node, Edge>, target: Vertex<Node, Edge>, edge: Edge): Vertex<Node, Edge>[] | undefined {
    if (source === target) return [source];
    if (source.order > target.order) {
      const cycle = this.#reorder(source, target);
      if (cycle) return cycle;
    }
    own(source);
    own(target);
    source.outgoing.push(edge);
    source.targets.push(target);
    target.incoming.push(edge);
    target.sources.push(source);
    return undefined;
  }

  disconnect(source: Vertex<Node, Edge>, target: Vertex<Node, Edge>, edge: Edge): void {
    own(source);
    own(target);
    const out = source.outgoing.indexOf(edge);
    source.outgoing.splice(out, 1);
    source.targets.splice(out, 1);
    const into = target.incoming.indexOf(edge);
    target.incoming.splice(into, 1);
    target.sources.splice(into, 1);
  }

  /** Of the same ends. */
  exchange(source: Vertex<Node, Edge>, target: Vertex<Node, Edge>, edge: Edge, other: Edge): void {
    own(source);
    own(target);
    exchange(source.outgoing, edge, other);
    exchange(target.incoming, edge, other);
  }

  /** Sources before targets. */
  sorted(): Vertex<Node, Edge>[] {
    const sorted: Vertex<Node, Edge>[] = [];
    for (let vertex = this.#first; vertex; vertex = vertex.after) sorted.push(vertex);
    return sorted;
  }

  #reorder(source: Vertex<Node, Edge>, target: Vertex<Node, Edge>): Vertex<Node, Edge>[] | undefined {
    const search = ++this.#search;
    const following = [target];
    const leading = [source];
    target.ahead = source.behind = search;
    target.cameFrom = source.leadsTo = undefined;
    for (let at = 0; ; at++) {
      if (at === following.length) return this.#moveAfter(source, following);
      const met = goOn(following, at, search, source.order);
      if (met) return cycle(met);
      if (at === leading.length) return this.#moveBefore(target, leading);
      const metBack = goBack(leading, at, search, target.order);
      if (metBack) return cycle(metBack);
    }
  }

  #moveAfter(source: Vertex<Node, Edge>, following: Vertex<Node, Edge>[]): undefined {
    let last = source;
    for (const vertex of following.sort(byOrder)) {
      this.#unlink(vertex);
      this.#insert(vertex, last);
      last = vertex;
    }
  }

  #moveBefore(target: Vertex<Node, Edge>, leading: Vertex<Node, Edge>[]): undefined {
    for (const vertex of leading.sort(byOrder)) {
      this.#unlink(vertex);
      this.#insert(vertex, target.before);
    }
  }

  /** undefined: in front of all. */
  #insert(vertex: Vertex<Node, Edge>, before: Vertex<Node, Edge> | undefined): void {
    const after = before ? before.after : this.#first;
    vertex.before = before;
    vertex.after = after;
    if (before) before.after = vertex;
    else this.#first = vertex;
    if (after) after.before = vertex;
    else this.#last = vertex;
    if (!after) vertex.order = before ? before.order + 1 : 0;
    else if (!before) vertex.order = after.order - 1;
    else {
      vertex.order = (before.order + after.order) / 2;
      if (vertex.order <= before.order || vertex.order >= after.order) this.#number();
    }
  }

  #unlink({ before, after }: Vertex<Node, Edge>): void {
    if (before) before.after = after;
    else this.#first = after;
    if (after) after.before = before;
    else this.#last = before;
  }

  /** There was no number left between two. */
  #number(): void {
    let order = 0;
    for (let vertex = this.#first; vertex; vertex = vertex.after) vertex.order = order++;
  }
}

/** One step along the edges. Gives where it met the search from the other end. */
function goOn<Node, Edge>(found: Vertex<Node, Edge>[], at: number, search: number, until: number): Vertex<Node, Edge> | undefined {
  const vertex = found[at]!;
  for (const target of vertex.targets) {
    if (target.ahead === search || target.order > until) continue;
    target.ahead = search;
    target.cameFrom = vertex;
    if (target.behind === search) return target;
    found.push(target);
  }
  return undefined;
}

function goBack<Node, Edge>(found: Vertex<Node, Edge>[], at: number, search: number, until: number): Vertex<Node, Edge> | undefined {
  const vertex = found[at]!;
  for (const source of vertex.sources) {
    if (source.behind === search || source.order < until) continue;
    source.behind = search;
    source.leadsTo = vertex;
    if (source.ahead === search) return source;
    found.push(source);
  }
  return undefined;
}

/** From the target of the edge that closes it to its source. */
function cycle<Node, Edge>(met: Vertex<Node, Edge>): Vertex<Node, Edge>[] {
  const path: Vertex<Node, Edge>[] = [];
  for (let vertex: Vertex<Node, Edge> | undefined = met; vertex; vertex = vertex.cameFrom) path.push(vertex);
  path.reverse();
  for (let vertex = met.leadsTo; vertex; vertex = vertex.leadsTo) path.push(vertex);
  return path;
}

/** What a plan has read stays as it was then. */
function own<Node, Edge>(vertex: Vertex<Node, Edge>): void {
  if (!vertex.isPlanned) return;
  vertex.isPlanned = false;
  vertex.incoming = [...vertex.incoming];
  vertex.outgoing = [...vertex.outgoing];
  vertex.sources = [...vertex.sources];
  vertex.targets = [...vertex.targets];
}

function byOrder(one: { readonly order: number }, other: { readonly order: number }): number {
  return one.order - other.order;
}

function exchange<Each>(list: Each[], from: Each, to: Each): void {
  for (let at = 0; at < list.length; at++) if (list[at] === from) list[at] = to;
}
