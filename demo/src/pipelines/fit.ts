/**
 * May this edge be drawn? Asked while it is drawn, when a file is opened, and by the menu that connects without a pointer.
 *
 * Invariant: pure; a refusal says everything that a sentence about it needs.
 */
import { type DataflowJson, type JsonSchema, portsCompatible, type TaskGraphItemJson, type TaskGraphJson } from 'holdfast/graph';
import { type Catalog, isSchemaObject, kAllPorts, kErrorPort, type Ports } from './catalog.ts';
import { edgeId, leadsTo, taskOf } from './graph-document.ts';

export type Refusal =
  | { code: 'noTask'; id: string }
  | { code: 'noPort'; id: string; port: string; way: 'in' | 'out' }
  | { code: 'self' }
  | { code: 'known' }
  | { code: 'cycle' }
  | { code: 'types'; gives: JsonSchema; takes: JsonSchema; sourcePort: string; targetPort: string };

export type Fit = { refusal: Refusal } | { how: 'static' | 'runtime' };

/** What `[error]` gives. */
const kErrorSchema: JsonSchema = { type: 'object', title: 'Error', properties: { error: { type: 'string' }, errorType: { type: 'string' } } };

export function fitOf(document: TaskGraphJson, catalog: Catalog, edge: DataflowJson): Fit {
  const { sourceTaskId, targetTaskId } = edge;
  const [source, target] = [taskOf(document, sourceTaskId), taskOf(document, targetTaskId)];
  if (!source || !target) return { refusal: { code: 'noTask', id: source ? targetTaskId : sourceTaskId } };
  if (source === target) return { refusal: { code: 'self' } };
  if (document.dataflows.some((each) => each !== edge && edgeId(each) === edgeId(edge))) return { refusal: { code: 'known' } };
  const fit = portsFit(catalog, source, target, edge);
  // What is wrong with the ports is said first: a circle of ports that do not fit is no circle.
  if (!('refusal' in fit) && leadsTo(document, targetTaskId, sourceTaskId)) return { refusal: { code: 'cycle' } };
  return fit;
}

/** As `fitOf`, of the two ends alone. */
export function portsFit(catalog: Catalog, source: TaskGraphItemJson, target: TaskGraphItemJson, { sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId }: DataflowJson): Fit {
  const [output, input] = [catalog.portsOf(source), catalog.portsOf(target)];
  const gives = schemaOfPort(output, output.outputSchema, sourceTaskPortId);
  const takes = schemaOfPort(input, input.inputSchema, targetTaskPortId);
  if (gives === undefined) return { refusal: { code: 'noPort', id: sourceTaskId, port: sourceTaskPortId, way: 'out' } };
  if (takes === undefined || targetTaskPortId === kErrorPort) return { refusal: { code: 'noPort', id: targetTaskId, port: targetTaskPortId, way: 'in' } };
  const how = portsCompatible(output.outputSchema, sourceTaskPortId, input.inputSchema, targetTaskPortId);
  if (how !== 'incompatible') return { how };
  return { refusal: { code: 'types', gives, takes, sourcePort: sourceTaskPortId, targetPort: targetTaskPortId } };
}

function schemaOfPort({ problem }: Ports, schema: JsonSchema, port: string): JsonSchema | undefined {
  if (port === kErrorPort) return kErrorSchema;
  if (port === kAllPorts) return schema;
  if (typeof schema === 'boolean') return schema || (problem !== undefined) ? true : undefined;
  const { properties, additionalProperties } = schema;
  if (properties && Object.hasOwn(properties, port)) return properties[port];
  if (additionalProperties === true || isSchemaObject(additionalProperties)) return additionalProperties;
  return undefined;
}
