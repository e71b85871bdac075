/**
 * A file that somebody opens: is it a graph, and one that can be drawn here? The package's checker says so, all of it at
 * once, each with its place (a JSON pointer); here is what this page adds: how much it draws, and what its nodes' configs are.
 *
 * Invariant: nothing of the file is believed before it was looked at.
 */
import { checkDocument, type GraphCatalogue, type GraphIssue, mergeStrategies, type TaskGraphJson, upgradeDocument } from 'holdfast/graph';
import type { Catalog } from './catalog.ts';
import type { GraphDocument, Position } from './graph-document.ts';

const kLimits = { maxBytes: 2_000_000, maxTasks: 2_000, maxDataflows: 10_000, maxDepth: 40 };

/** `config`: a node's config is refused by its kind. */
export type Issue = Pick<GraphIssue, 'pointer' | 'message'> & { readonly code: GraphIssue['code'] | 'config' };

/** `leftOut`: how many more there are. */
export type Opened = { document: GraphDocument } | { issues: readonly Issue[]; leftOut?: number };

const kMostIssues = 50;
/** Of such a file nothing else can be said. */
const kUnreadable: ReadonlySet<string> = new Set(['invalid-json', 'too-large', 'too-deep', 'duplicate-key', 'forbidden-key', 'not-a-graph', 'unsupported-version']);
/** A drawing that is not finished can be opened. */
const kOfPorts: ReadonlySet<string> = new Set(['unknown-port', 'incompatible-ports']);

/** Of a text, or of what was parsed already. */
export async function openDrawing(given: string | object, catalog: Catalog): Promise<Opened> {
  const catalogue: GraphCatalogue = { types: Object.fromEntries(catalog.types.map((type) => [type, { dynamic: true }])), merges: mergeStrategies, limits: kLimits };
  const { issues, leftOut = 0, document } = await upgradeDocument(given as TaskGraphJson, catalogue);
  if (!document) {
    const wrong = issues.filter(({ severity }) => severity === 'error');
    return refused([...wrong, ...(wrong.some(({ code }) => kUnreadable.has(code)) ? [] : problemsOf(given, catalog, wrong))], leftOut);
  }
  const json = document as TaskGraphJson;
  const problems = problemsOf(json, catalog, []);
  const ports = await checkDocument(withPorts(json, catalog), { ...catalogue, strict: true });
  const found = [...problems, ...ports.issues.filter(({ code }) => kOfPorts.has(code))];
  return found.length > 0 ? refused(found, ports.leftOut ?? 0) : { document: { ...json, version: 1, dataflows: json.dataflows ?? [], layout: placesOf(json) } };
}

/** Configs that their kinds refuse, of a document in the graph form. @param told what is wrong with a graph in a node is not told of the node again */
function problemsOf(given: string | object, catalog: Catalog, told: readonly Issue[]): Issue[] {
  const { tasks } = (typeof given === 'string' ? JSON.parse(given.replace(/^\uFEFF/, '')) : given) as Partial<TaskGraphJson>;
  if (!Array.isArray(tasks)) return [];
  return tasks.flatMap((item, index): Issue[] => {
    if (typeof item?.id !== 'string' || item.id === '' || typeof item.type !== 'string' || !catalog.kindOf(item.type) || told.some(({ pointer }) => pointer.startsWith(`/tasks/${index}/subgraph/`))) return [];
    const { problem } = catalog.portsOf(item);
    return problem === undefined ? [] : [{ code: 'config', pointer: `/tasks/${index}`, message: problem }];
  });
}

const refused = (issues: readonly Issue[], leftOut: number): Opened => {
  const more = leftOut + Math.max(0, issues.length - kMostIssues);
  return { issues: issues.slice(0, kMostIssues), ...(more > 0 && { leftOut: more }) };
};

/** Each node with the ports that it has here, which its config may have made. */
function withPorts({ tasks, dataflows }: TaskGraphJson, catalog: Catalog): TaskGraphJson {
  return { tasks: tasks.map((item) => ({ id: item.id, type: item.type, config: portsOf(catalog, item) })), dataflows: dataflows ?? [] };
}

function portsOf(catalog: Catalog, item: TaskGraphJson['tasks'][number]): Record<string, unknown> {
  const { inputSchema, outputSchema } = catalog.portsOf(item);
  return { inputSchema, outputSchema };
}

/** Where nothing is said, or nothing that can be: no place. */
function placesOf({ layout, tasks }: TaskGraphJson): Record<string, Position> {
  const places: Record<string, Position> = {};
  for (const { id } of tasks) {
    const at = typeof layout === 'object' && layout !== null && Object.hasOwn(layout, id) ? layout[id] : undefined;
    if (isPlace(at?.x) && isPlace(at?.y)) places[id] = { x: at.x, y: at.y };
  }
  return places;
}

const isPlace = (value: unknown): value is number => typeof value === 'number' && Math.abs(value) < 1e6;
