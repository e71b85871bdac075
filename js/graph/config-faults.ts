/**
 * Configs in a document that their classes refuse: each class is asked, and all that it says is told with its place.
 *
 * Invariant: nothing is kept of the tasks that are made here, and pointers lead to where a task stands in the form in which
 * the document came.
 */
import type { ConfigIssue } from './config-checks.ts';
import type { GraphIssue } from './document.ts';
import { makeTask, type ReadGraphOptions } from './json.ts';

export const isRecord = (value: unknown): value is Record<string, any> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Of what can't be looked into the checker has said all that there is to say. */
const unreadable = new Set<GraphIssue['code']>(['invalid-json', 'too-large', 'too-deep', 'duplicate-key', 'forbidden-key', 'not-a-graph', 'unsupported-version']);

/** As many as the checker tells; no more are looked for. */
export const mostIssues = 1000;

/** @param wrong what is known to be wrong with the document */
export function configFaults(document: string | object, options: ReadGraphOptions, wrong: readonly GraphIssue[]): GraphIssue[] {
  if (wrong.some(({ code }) => unreadable.has(code))) return [];
  const allowed = options.allowedTypes && new Set(options.allowedTypes);
  const faults: GraphIssue[] = [];
  for (const { item, path } of itemsOf(document)) {
    if (faults.length >= mostIssues) break;
    const { type } = item;
    if (typeof type !== 'string' || (allowed && !allowed.has(type))) continue;
    for (const { pointer, message } of refusedOf(item, options)) faults.push({ code: 'wrong-config', pointer: path + pointer, message, severity: 'error' });
  }
  return faults;
}

/** What its class says of a task, at places within it. */
function refusedOf({ id, type, config = {}, provenance, defaults, input = defaults }: Record<string, any>, options: ReadGraphOptions): readonly ConfigIssue[] {
  // That they have to be objects the checker says.
  if (!isRecord(config) || (input !== undefined && !isRecord(input))) return [];
  const whole = { ...config, ...(provenance && { provenance }), ...(typeof id === 'string' && id !== '' && { id }), ...(input && { defaults: input }) };
  try {
    makeTask(type, whole, options, '');
    return [];
  } catch (error) {
    const told = (error as { data?: { issues?: unknown } }).data?.issues;
    if (!Array.isArray(told)) return [{ pointer: '/config', message: error instanceof Error ? error.message : String(error) }];
    return told.map(({ pointer, message }: ConfigIssue) => ({ pointer: provenance && /^\/provenance(\/|$)/.test(pointer) ? pointer : `/config${pointer}`, message }));
  }
}

/** Tasks of a document in any form, those of graphs in tasks too, each graph once, with its place; none of what is no JSON. */
export function* itemsOf(document: string | object): Generator<{ item: Record<string, any>; path: string }> {
  const open: { graph: unknown; path: string }[] = [{ graph: typeof document === 'string' ? parsed(document) : document, path: '' }];
  const seen = new Set<unknown>();
  for (const { graph, path } of open) {
    // It may stand in itself: an object of this page is no JSON yet.
    if (seen.has(graph)) continue;
    seen.add(graph);
    const lists = isRecord(graph) ? ['tasks', 'nodes'].map((name) => [graph[name], `${path}/${name}`] as const) : [[graph, path] as const];
    for (const [list, place] of lists) {
      if (!Array.isArray(list)) continue;
      for (const [index, item] of list.entries()) {
        if (!isRecord(item)) continue;
        yield { item, path: `${place}/${index}` };
        for (const inner of ['subgraph', 'subGraph', 'subtasks']) if (typeof item[inner] === 'object' && item[inner] !== null) open.push({ graph: item[inner], path: `${place}/${index}/${inner}` });
      }
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return undefined;
  }
}
