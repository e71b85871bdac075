/** What toTypeScript prints of a graph of the tests; compiled with them. */
import { DelayTask, InputTask, MapTask, MergeTask, OutputTask, TaskGraph } from 'holdfast/graph';

export function letters(): TaskGraph {
  const graph = new TaskGraph();
  graph.extras = { version: 1, meta: { title: 'Letters' } };
  graph.addTask(new InputTask({ id: 'in' }));
  graph.addTask(Object.assign(new MapTask({ id: 'each', maxIterations: 3, title: 'Each "one"' }), { subGraph: eachGraph() }));
  graph.addTask(new DelayTask({ id: 'wait', delay: '1h', provenance: { by: 'me' }, defaults: { a: [1, { b: null }] } }));
  graph.addTask(new OutputTask({ id: 'out' }));
  graph.connect('in', 'list', 'each', 'list').setTransforms([{ id: 'pick', params: { path: 'q' } }]);
  graph.connect('each', '*', 'wait', '*');
  graph.connect('each', '[error]', 'out', 'error');
  graph.connect('wait', '*', 'out', '*');
  return graph;
}

function eachGraph(): TaskGraph {
  const graph = new TaskGraph();
  graph.addTask(new MergeTask({ id: 'inner' }));
  return graph;
}
