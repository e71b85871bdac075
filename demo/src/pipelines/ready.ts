/** Can this drawing be run? What it lacks is said before anything begins. */
import type { TaskGraphItemJson } from 'holdfast/graph';
import { type Catalog, edgesOf, isSchemaObject, kAllPorts, shownPorts } from './catalog.ts';
import type { GraphDocument } from './graph-document.ts';

export type Lack = { code: 'nothing' } | { code: 'port'; item: TaskGraphItemJson; port: string } | { code: 'inside'; item: TaskGraphItemJson } | { code: 'config'; item: TaskGraphItemJson; why: string };

/** undefined: it can be run. Else the first thing that it lacks. */
export function lackOf(document: GraphDocument, catalog: Catalog): Lack | undefined {
  if (document.tasks.length === 0) return { code: 'nothing' };
  for (const item of document.tasks) {
    const { problem } = catalog.portsOf(item);
    if (problem !== undefined) return { code: 'config', item, why: problem };
    if (item.config?.['disabled'] === true) continue;
    if (item.type === 'MapTask' && !item.subgraph?.tasks?.length) return { code: 'inside', item };
    const fed = new Set(edgesOf(document, item.id).incoming.map(({ targetTaskPortId }) => targetTaskPortId));
    if (fed.has(kAllPorts)) continue;
    const missing = shownPorts(document, catalog, item).inputs.find(({ name, schema, isRequired }) => {
      const hasDefault = isSchemaObject(schema) && schema.default !== undefined;
      const isGiven = item.defaults !== undefined && Object.hasOwn(item.defaults, name);
      return isRequired && !hasDefault && !isGiven && !fed.has(name);
    });
    if (missing) return { code: 'port', item, port: missing.name };
  }
  return undefined;
}
