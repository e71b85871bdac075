// A graph document in layers, three dataflows into each node: read, checked and planned by ours; parsed and sorted,
// and nothing checked, by what anybody would write. Both give the places of its nodes, from 1 on, in an order to run.
import { compileDocument } from '../../../dist/graph/document.js';

const width = 100;
const intoEach = 3;
const catalogue = Object.freeze({
  types: {
    Step: {
      inputs: { type: 'object', properties: { values: { type: 'array', items: { type: 'number' } } }, required: ['values'] },
      outputs: { type: 'object', properties: { value: { type: 'number' } }, required: ['value'] },
    },
  },
});

function layered(count) {
  const tasks = Array.from({ length: count }, (_, n) => ({ id: `node ${n}`, type: 'Step', defaults: { values: [n] }, config: { title: `Node ${n}` } }));
  const dataflows = [];
  for (let n = width; n < count; n++) {
    const layer = n - (n % width) - width;
    for (let i = 0; i < intoEach; i++) dataflows.push({ sourceTaskId: `node ${layer + ((n * 7 + i * 31) % width)}`, sourceTaskPortId: 'value', targetTaskId: `node ${n}`, targetTaskPortId: 'values' });
  }
  return JSON.stringify({ version: 1, tasks, dataflows });
}

export async function documents(count) {
  const text = layered(count);
  // The module is loaded once a page.
  await compileDocument({ tasks: [], dataflows: [] }, catalogue);
  const run = async () => {
    const { issues, plan } = await compileDocument(text, catalogue);
    if (issues.length) throw new Error(issues[0].message);
    return plan.order.map((place) => place + 1);
  };
  return { run, close: async () => {} };
}

export async function parsedAndSorted(count) {
  const text = layered(count);
  return { run: async () => sort(JSON.parse(text)).map((place) => place + 1), close: async () => {} };
}

function sort({ tasks, dataflows }) {
  const places = new Map(tasks.map(({ id }, place) => [id, place]));
  const waits = new Uint32Array(tasks.length);
  const out = tasks.map(() => []);
  for (const { sourceTaskId, targetTaskId } of dataflows) {
    const target = places.get(targetTaskId);
    out[places.get(sourceTaskId)].push(target);
    waits[target]++;
  }
  const order = [];
  for (let place = 0; place < tasks.length; place++) if (waits[place] === 0) order.push(place);
  for (let done = 0; done < order.length; done++) for (const target of out[order[done]]) if (--waits[target] === 0) order.push(target);
  return order;
}
