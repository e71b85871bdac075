// Layered graphs of trivial nodes, ours and those of @workglow/task-graph: the same classes, the same edges. What a
// node gives is read from its task, as people read it.
import { Dataflow as PeerDataflow, Task as PeerTask, TaskGraph as PeerGraph } from '@workglow/task-graph';
import { Dataflow, Task, TaskGraph } from 'holdfast/graph';

/** Layers of ten, each node fed by four of the one before: see README.md. */
const width = 10;
const ports = ['a', 'b', 'c', 'd'];
const schema = (...names) => ({ type: 'object', properties: Object.fromEntries(names.map((port) => [port, { type: 'number' }])), additionalProperties: false });
const inputs = { ...schema('n', ...ports), additionalProperties: true };
const outputs = schema('next');

const trivial = (Base) =>
  class extends Base {
    static type = 'Next';
    static inputSchema() {
      return inputs;
    }
    static outputSchema() {
      return outputs;
    }
    async execute({ n }) {
      return { next: n + 1 };
    }
  };
const Ours = trivial(Task);
const Theirs = trivial(PeerTask);

function layered(graph, Node, Edge, count) {
  for (let n = 0; n < count; n++) {
    graph.addTask(new Node({ id: `${n}`, defaults: { n } }));
    const before = (Math.floor(n / width) - 1) * width;
    if (before < 0) continue;
    for (const [at, port] of ports.entries()) graph.addDataflow(new Edge(`${before + ((n + at) % width)}`, 'next', `${n}`, port));
  }
  return graph;
}

function contender(graph) {
  return {
    run: async () => {
      await graph.run();
      return graph.getTasks().map(({ runOutputData }) => runOutputData.next);
    },
    close: async () => {},
  };
}

export const oursInGraph = async (count) => contender(layered(new TaskGraph(), Ours, Dataflow, count));
export const workglow = async (count) => contender(layered(new PeerGraph(), Theirs, PeerDataflow, count));

/** Milliseconds to build it, edges checked for cycles as they come. */
export function buildMs(count) {
  const start = performance.now();
  const graph = layered(new TaskGraph(), Ours, Dataflow, count);
  const ms = performance.now() - start;
  if (graph.getTasks().length !== count) throw new Error('the graph is not whole');
  return ms;
}
