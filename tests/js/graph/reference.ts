/**
 * A straightforward executor of random graphs, and the same graphs as tasks: one after the other, sources first, no
 * core, no runs. What it says is what the real one has to give.
 */
import { Dataflow, registerTask, Task, TaskConfigSchema, TaskGraph, type TaskInput, type TaskOutput } from 'holdfast/graph';

export interface SpecNode {
  readonly id: string;
  /** sum: adds up; choose: one of its ports gives nothing; fail: throws where the sum is a multiple of 3; nest: a graph of its own. */
  readonly kind: 'sum' | 'choose' | 'fail' | 'nest';
  /** Turns of the page that it takes. */
  readonly turns: number;
  readonly isDisabled?: boolean;
}
export interface SpecEdge {
  readonly from: number;
  readonly port: string;
  readonly to: number;
  readonly toPort: string;
}
export interface Spec {
  readonly nodes: readonly SpecNode[];
  /** From a lower to a higher place. */
  readonly edges: readonly SpecEdge[];
  /** In which the nodes are added. */
  readonly order: readonly number[];
}

export interface Expected {
  readonly status: string;
  readonly output?: TaskOutput;
}

export function work(kind: SpecNode['kind'], input: TaskInput): TaskOutput {
  const sum = 1 + total(input);
  if (kind === 'fail' && sum % 3 === 0) throw new Error(`the sum is ${sum}`);
  const output = { v: sum % 1009, w: (sum * 7) % 1009, list: [sum % 5, sum % 7] };
  return kind === 'choose' ? { ...output, off: sum % 2 === 0 ? 'v' : 'w' } : output;
}

function total(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  // Not commutative, so that the order of values counts.
  if (Array.isArray(value)) return value.reduce((sum: number, each, at) => (sum * 3 + total(each) * (at + 1)) % 100_003, 0);
  return Object.keys(value).sort().reduce((sum, key) => sum + total((value as Record<string, unknown>)[key]), 0);
}

/** What a node with a graph in it does: two sums, one after the other. */
export function nested(input: TaskInput): TaskOutput {
  return work('sum', { a: work('sum', input).v });
}

const inactive = (kind: string, output: TaskOutput | undefined): string[] => (kind === 'choose' && output ? [output.off] : []);

/** By id. */
export function reference({ nodes, edges }: Spec, input: TaskInput): Map<string, Expected> {
  const expected = new Map<string, Expected>();
  const errors = new Map<string, Error>();
  for (const [place, node] of nodes.entries()) {
    const into = edges
      .filter(({ to }) => to === place)
      .map((edge) => ({ edge, id: Dataflow.createId(nodes[edge.from]!.id, edge.port, node.id, edge.toPort), source: nodes[edge.from]!, was: expected.get(nodes[edge.from]!.id)! }))
      .sort((one, other) => (one.id < other.id ? -1 : 1));
    if (node.isDisabled) {
      expected.set(node.id, { status: 'DISABLED' });
      continue;
    }
    const handles = (at: SpecNode) => edges.some(({ from, port }) => nodes[from] === at && port === '[error]') && errors.has(at.id);
    const isActive = ({ edge, source, was }: (typeof into)[number]) => edge.port === '[error]' ? errors.has(source.id) : was.status === 'COMPLETED' && !inactive(source.kind, was.output).includes(edge.port);
    if (into.some(({ edge, source, was }) => edge.port !== '[error]' && was.status === 'FAILED' && !handles(source))) {
      expected.set(node.id, { status: 'FAILED' });
      continue;
    }
    const active = into.filter(isActive);
    if (into.length > 0 && active.length === 0) {
      expected.set(node.id, { status: 'DISABLED' });
      continue;
    }
    const given: TaskInput = into.length === 0 ? { ...input } : {};
    const filled = new Set<string>();
    for (const { edge, source, was } of active) {
      const error = errors.get(source.id);
      const value = edge.port === '[error]' ? { error: error!.message, errorType: 'TaskFailedError' } : edge.port === '*' ? was.output : was.output![edge.port];
      for (const [port, each] of edge.toPort === '*' ? Object.entries(value) : [[edge.toPort, value]]) {
        if (each === undefined) continue;
        if (port === 'many') given.many = [...(filled.has('many') ? given.many : []), ...(Array.isArray(each) ? each : [each])];
        else if (filled.has(port) && Array.isArray(given[port])) given[port] = [...given[port], ...(Array.isArray(each) ? each : [each])];
        else given[port] = each;
        filled.add(port);
      }
    }
    try {
      expected.set(node.id, { status: 'COMPLETED', output: node.kind === 'nest' ? nested(given) : work(node.kind, given) });
    } catch (error) {
      errors.set(node.id, error as Error);
      expected.set(node.id, { status: 'FAILED' });
    }
  }
  return expected;
}

/** Hears of each execution that begins. */
export const heard = { executed: (_id: string): void => {} };

const schema = { type: 'object', properties: { many: { type: 'array' } }, additionalProperties: true } as const;

class Worker extends Task {
  static override readonly type: string = 'RandomSum';
  static override inputSchema() {
    return schema;
  }
  static override configSchema() {
    return { ...TaskConfigSchema, properties: { ...TaskConfigSchema.properties, turns: { type: 'number' } } };
  }
  protected get kind(): SpecNode['kind'] {
    return 'sum';
  }
  override execute(input: TaskInput): TaskOutput | Promise<TaskOutput> {
    heard.executed(this.id);
    return this.config.turns > 0 ? this.#later(input) : work(this.kind, input);
  }
  async #later(input: TaskInput): Promise<TaskOutput> {
    for (let turn = 0; turn < this.config.turns; turn++) await null;
    return work(this.kind, input);
  }
}
class Choose extends Worker {
  static override readonly type = 'RandomChoose';
  protected override get kind() {
    return 'choose' as const;
  }
  override inactivePorts(output: TaskOutput): string[] {
    return inactive('choose', output);
  }
}
class Fail extends Worker {
  static override readonly type = 'RandomFail';
  protected override get kind() {
    return 'fail' as const;
  }
}
class Nest extends Worker {
  static override readonly type = 'RandomNest';
  override async execute(input: TaskInput, context?: any): Promise<TaskOutput> {
    const graph = new TaskGraph();
    graph.addTasks([new Worker({ id: 'first', turns: 1 }), new Worker({ id: 'second', turns: 0 })]);
    graph.connect('first', 'v', 'second', 'a');
    return context.runGraph(graph, input);
  }
}
registerTask(Worker, Choose, Fail, Nest);
const classes = { sum: Worker, choose: Choose, fail: Fail, nest: Nest };

export function taskOf({ id, kind, turns, isDisabled }: SpecNode): Task<any, any, any> {
  return new classes[kind]({ id, turns, ...(isDisabled && { disabled: true }) });
}

export function graphOf({ nodes, edges, order }: Spec): TaskGraph {
  const graph = new TaskGraph();
  for (const at of order) {
    graph.addTask(taskOf(nodes[at]!));
  }
  for (const { from, port, to, toPort } of edges) graph.addDataflow(new Dataflow(nodes[from]!.id, port, nodes[to]!.id, toPort));
  return graph;
}

/** From whole numbers below a limit. */
export function randomSpec(below: (limit: number) => number, size: number, nests: boolean): Spec {
  const kinds = ['sum', 'sum', 'sum', 'choose', 'fail', ...(nests ? (['nest'] as const) : [])] as const;
  const nodes = Array.from({ length: size }, (_, at): SpecNode => ({ id: `n${(at * 7919) % 10_007}`, kind: kinds[below(kinds.length)]!, turns: below(3) === 0 ? below(8) : 0 }));
  const edges = new Map<string, SpecEdge>();
  for (let to = 1; to < size; to++) {
    for (let left = below(4); left > 0; left--) {
      const from = Math.max(0, to - 1 - below(8));
      const port = ['v', 'w', 'list', '*', 'v', 'w', '[error]'][below(7)]!;
      const edge = { from, port, to, toPort: port === '*' ? '*' : ['a', 'b', 'many', 'many'][below(4)]! };
      edges.set(JSON.stringify(edge), edge);
    }
  }
  const order = nodes.map((_, at) => at);
  for (let at = order.length - 1; at > 0; at--) {
    const other = below(at + 1);
    [order[at], order[other]] = [order[other]!, order[at]!];
  }
  return { nodes, edges: [...edges.values()], order };
}
