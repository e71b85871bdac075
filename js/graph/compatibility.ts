/**
 * May what one port gives go into another? `static`: whatever comes fits. `runtime`: it may fit, and each value is
 * looked at. `incompatible`: no value fits, or the two mean different things.
 *
 * Rules, the first that decides wins:
 *   1  nothing asked (`true`, no constraints) → static; `false` on either side → incompatible
 *   2  unions: all of a source's parts have to fit, one of a target's; intersections the other way round
 *   3  the same `$id`, or the same `format`, and types that are not disjoint → static
 *   4  formats `a` and `b` → incompatible; `a:x` into `a` → goes on as if they were the same; `a` or nothing into
 *      `a:x` → at best runtime; `a:x` and `a:y` → incompatible
 *   5  values (`const`, `enum`), then types (`integer` fits `number`), then properties and items, then bounds
 * The C++ checker of documents has the same rules: tests/fixtures/schema-compatibility.json holds both to them, and
 * tests/js/graph/compatibility-cross.test.ts holds each to the other.
 *
 * Invariant: pure; a schema is `static` into itself. Bounded: what is nested deeper than 64, or would take more than
 * 10,000 comparisons, is `runtime`.
 */
import { DATAFLOW_ALL_PORTS, DATAFLOW_ERROR_PORT, type Dataflow } from './dataflow.ts';
import { TaskConfigurationError } from './errors.ts';
import { errorSchema, isSchemaObject, type JsonSchema, type JsonSchemaObject, propertiesOf, propertyOf, sameJson, typeOfValue } from './ports.ts';
import { portOf } from './schema.ts';
import type { Compatibility } from './types.ts';

const deepest = 64;
const mostComparisons = 10_000;
const allTypes = ['null', 'boolean', 'number', 'string', 'array', 'object'];

/** What is left of one question's allowance. */
interface Walk {
  left: number;
  depth: number;
}

/** As good as the worst of them. */
function worst(found: readonly Compatibility[]): Compatibility {
  return found.includes('incompatible') ? 'incompatible' : found.includes('runtime') ? 'runtime' : 'static';
}

/** As good as the best of them. */
function best(found: readonly Compatibility[]): Compatibility {
  return found.includes('static') ? 'static' : found.includes('runtime') ? 'runtime' : 'incompatible';
}

/** Any of them may come: what fits only sometimes is looked at each time. */
function each(found: readonly Compatibility[]): Compatibility {
  return found.every((one) => one === 'static') ? 'static' : found.every((one) => one === 'incompatible') ? 'incompatible' : 'runtime';
}

/** May values of `source` go where `target` is asked for? A schema that is missing is that of a port that is not there. */
export function semanticallyCompatible(source: JsonSchema | undefined, target: JsonSchema | undefined): Compatibility {
  if (source === undefined || target === undefined) return 'incompatible';
  return compare(source, target, { left: mostComparisons, depth: 0 });
}

/**
 * As `semanticallyCompatible`, of ports: `*` stands for the whole, `[error]` for what a failure gives. A port of lists
 * takes elements too, since several edges may bring one each.
 */
export function portsCompatible(output: JsonSchema, sourcePort: string, input: JsonSchema, targetPort: string): Compatibility {
  const source = sourcePort === DATAFLOW_ERROR_PORT ? errorSchema : sourcePort === DATAFLOW_ALL_PORTS ? output : portOf(output, sourcePort);
  if (targetPort === DATAFLOW_ALL_PORTS) return semanticallyCompatible(source, withoutRequired(input));
  const target = portOf(input, targetPort);
  const whole = semanticallyCompatible(source, target);
  const items = isSchemaObject(target) && target.type === 'array' ? (target.items ?? true) : undefined;
  if (whole === 'static' || items === undefined || Array.isArray(items)) return whole;
  return best([whole, isArray(source) ? 'incompatible' : semanticallyCompatible(source, items as JsonSchema)]);
}

/** Of an edge without transforms. @throws TaskConfigurationError where no value fits */
export function refuseUnfit(edge: Dataflow, source: Ported, target: Ported): void {
  const { sourceTaskPortId: from, targetTaskPortId: to } = edge;
  if (edge.getTransforms().length > 0) return;
  const [output, input] = [source.outputSchema(), target.inputSchema()];
  if (portsCompatible(output, from, input, to) !== 'incompatible') return;
  const said = (schema: JsonSchema | undefined): string => (schema === undefined ? 'no such port' : JSON.stringify(schema).slice(0, 200));
  const given = edge.isError ? errorSchema : from === DATAFLOW_ALL_PORTS ? output : portOf(output, from);
  const wanted = to === DATAFLOW_ALL_PORTS ? input : portOf(input, to);
  throw new TaskConfigurationError(`The edge ${edge.id} can carry nothing: ${from} of ${source.id} (${source.type}) is ${said(given)}, and ${to} of ${target.id} (${target.type}) takes ${said(wanted)}. Connect ports that fit, or give the edge transforms.`, { data: { dataflowId: edge.id } });
}
interface Ported {
  readonly id: string;
  readonly type: string;
  inputSchema(): JsonSchema;
  outputSchema(): JsonSchema;
}

const isArray = (schema: JsonSchema | undefined): boolean => isSchemaObject(schema) && schema.type === 'array';

/** What else is required may come by other edges; what it has no port for is left out. */
function withoutRequired(schema: JsonSchema): JsonSchema {
  if (!isSchemaObject(schema)) return schema;
  return schema.additionalProperties === false ? without(schema, 'required', 'additionalProperties') : without(schema, 'required');
}

function compare(source: JsonSchema, target: JsonSchema, walk: Walk): Compatibility {
  if (source === false || target === false) return 'incompatible';
  if (target === true || !isConstrained(target)) return 'static';
  if (walk.left-- <= 0) return 'runtime';
  if (sameJson(source, target)) return 'static';
  if (source === true || !isConstrained(source) || walk.depth > deepest) return 'runtime';
  walk.depth++;
  const found = combined(source, target, walk) ?? single(source, target, walk);
  walk.depth--;
  return found;
}

const words = [
  'type', 'format', '$id', '$ref', 'const', 'enum', 'properties', 'required', 'additionalProperties', 'items', 'allOf', 'anyOf', 'oneOf',
  'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'minLength', 'maxLength', 'pattern', 'minItems', 'maxItems',
  'uniqueItems', 'minProperties', 'maxProperties', 'prefixItems', 'contains', 'not', 'if', 'patternProperties', 'propertyNames', 'dependentRequired', 'dependentSchemas',
];

function isConstrained(schema: JsonSchema): schema is JsonSchemaObject {
  return isSchemaObject(schema) && words.some((word) => schema[word] !== undefined);
}

function partsOf(schema: JsonSchemaObject, word: 'allOf' | 'anyOf' | 'oneOf'): readonly JsonSchema[] | undefined {
  return Array.isArray(schema[word]) ? schema[word] : undefined;
}

function without(schema: JsonSchemaObject, ...left: string[]): JsonSchemaObject {
  return Object.fromEntries(Object.entries(schema).filter(([word]) => !left.includes(word)));
}

/** Of schemas that are made of others; undefined for those that are not. */
function combined(source: JsonSchemaObject, target: JsonSchemaObject, walk: Walk): Compatibility | undefined {
  const sourceUnion = unionOf(source);
  if (sourceUnion) return each(sourceUnion.map((part) => compare(part, target, walk)));
  const targetAll = partsOf(target, 'allOf');
  if (targetAll) return worst([...targetAll, without(target, 'allOf')].map((part) => compare(source, part, walk)));
  const targetUnion = unionOf(target);
  if (targetUnion) return best(targetUnion.map((part) => compare(source, part, walk)));
  const sourceAll = partsOf(source, 'allOf');
  if (!sourceAll) return undefined;
  const found = [...sourceAll, without(source, 'allOf')].filter(isConstrained).map((part) => compare(part, target, walk));
  return found.includes('incompatible') ? 'incompatible' : best(found);
}

/** The parts of `anyOf` or `oneOf`, each with what stands beside it. */
function unionOf(schema: JsonSchemaObject): readonly JsonSchema[] | undefined {
  const word = partsOf(schema, 'anyOf') ? 'anyOf' : partsOf(schema, 'oneOf') ? 'oneOf' : undefined;
  if (!word) return undefined;
  const beside = without(schema, word, 'title', 'description', 'default');
  return isConstrained(beside) ? schema[word]!.map((part) => ({ allOf: [part, beside] })) : schema[word]!;
}

function single(source: JsonSchemaObject, target: JsonSchemaObject, walk: Walk): Compatibility {
  const byType = types(source, target);
  if (byType === 'incompatible') return 'incompatible';
  for (const word of ['$id', 'format']) if (textOf(source, word) !== undefined && source[word] === target[word]) return 'static';
  const byFormat = formats(textOf(source, 'format'), textOf(target, 'format'));
  if (byFormat === 'incompatible') return 'incompatible';
  return worst([byType, byFormat, values(source, target), objects(source, target, walk), lists(source, target, walk), bounds(source, target)]);
}

const textOf = (schema: JsonSchemaObject, word: string): string | undefined => (typeof schema[word] === 'string' ? schema[word] : undefined);

/** `name` or `name:narrower`. */
function formats(source: string | undefined, target: string | undefined): Compatibility {
  if (target === undefined || source === target) return 'static';
  if (source === undefined) return 'runtime';
  const [sourceName, sourceNarrow] = divided(source);
  const [targetName, targetNarrow] = divided(target);
  if (sourceName !== targetName) return 'incompatible';
  if (targetNarrow === undefined) return 'static';
  return sourceNarrow === undefined ? 'runtime' : 'incompatible';
}

function divided(format: string): [name: string, narrow: string | undefined] {
  const colon = format.indexOf(':');
  return colon < 0 ? [format, undefined] : [format.slice(0, colon), format.slice(colon + 1)];
}

function valuesOf(schema: JsonSchemaObject): readonly unknown[] | undefined {
  if (schema.const !== undefined) return [schema.const];
  return Array.isArray(schema.enum) ? schema.enum : undefined;
}

function typesOf(schema: JsonSchemaObject): readonly string[] {
  const { type } = schema;
  if (typeof type === 'string') return [type];
  if (Array.isArray(type)) return type.filter((one) => typeof one === 'string');
  return valuesOf(schema)?.map(typeOfValue) ?? allTypes;
}

function types(source: JsonSchemaObject, target: JsonSchemaObject): Compatibility {
  const wanted = typesOf(target);
  return each(typesOf(source).map((type) => typeInto(type, wanted)));
}

function typeInto(type: string, wanted: readonly string[]): Compatibility {
  if (wanted.includes(type) || (type === 'integer' && wanted.includes('number'))) return 'static';
  return type === 'number' && wanted.includes('integer') ? 'runtime' : 'incompatible';
}

function values(source: JsonSchemaObject, target: JsonSchemaObject): Compatibility {
  const wanted = valuesOf(target);
  if (!wanted) return 'static';
  const given = valuesOf(source);
  return given ? each(given.map((value) => (wanted.some((one) => sameJson(one, value)) ? 'static' : 'incompatible'))) : 'runtime';
}

function objects(source: JsonSchemaObject, target: JsonSchemaObject, walk: Walk): Compatibility {
  if (!typesOf(source).includes('object') || !asksOfObjects(target)) return 'static';
  const found: Compatibility[] = required(target).filter((name) => typeof name === 'string').map((name) => requiredFrom(source, name));
  const sourceProperties = propertiesOf(source);
  for (const name of Object.keys(sourceProperties)) {
    const wanted = propertyOf(target, name) ?? (isSchemaObject(target.additionalProperties) || target.additionalProperties === false ? target.additionalProperties : true);
    found.push(compare(sourceProperties[name]!, wanted, walk));
  }
  // A source that may bring more than it lists may bring what does not fit.
  if (source.additionalProperties !== false) found.push(openInto(source, target, walk));
  return worst(found);
}

const required = (schema: JsonSchemaObject): readonly string[] => (Array.isArray(schema.required) ? schema.required : []);

function asksOfObjects(target: JsonSchemaObject): boolean {
  return Object.keys(propertiesOf(target)).length > 0 || required(target).length > 0 || target.additionalProperties === false || isSchemaObject(target.additionalProperties);
}

/** A list of properties without a word about others is meant as whole. */
function requiredFrom(source: JsonSchemaObject, name: string): Compatibility {
  if (propertyOf(source, name) !== undefined) return required(source).includes(name) ? 'static' : 'runtime';
  const lists = Object.keys(propertiesOf(source)).length > 0;
  const { additionalProperties } = source;
  if (additionalProperties === false) return 'incompatible';
  return lists && additionalProperties === undefined ? 'incompatible' : 'runtime';
}

function openInto(source: JsonSchemaObject, target: JsonSchemaObject, walk: Walk): Compatibility {
  const { additionalProperties } = source;
  const lists = Object.keys(propertiesOf(source)).length > 0;
  if (lists && additionalProperties === undefined) return 'static';
  const more = isSchemaObject(additionalProperties) ? additionalProperties : true;
  const wanted = [...Object.entries(propertiesOf(target)).filter(([name]) => propertyOf(source, name) === undefined).map(([, schema]) => schema), target.additionalProperties ?? true];
  // Nothing more has to come, so what would not fit is no reason to refuse.
  return wanted.every((schema) => compare(more, schema, walk) === 'static') ? 'static' : 'runtime';
}

function lists(source: JsonSchemaObject, target: JsonSchemaObject, walk: Walk): Compatibility {
  if (!typesOf(source).includes('array') || target.items === undefined) return 'static';
  if (Array.isArray(target.items) || Array.isArray(source.items)) return sameJson(source.items, target.items) ? 'static' : 'runtime';
  // The empty list fits everywhere, but an edge that can carry nothing else is a mistake.
  return compare((source.items as JsonSchema | undefined) ?? true, target.items as JsonSchema, walk);
}

const lower = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'];
const upper = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'];
const exact = ['$ref', 'multipleOf', 'pattern', 'uniqueItems', 'prefixItems', 'contains', 'not', 'if', 'patternProperties', 'propertyNames', 'dependentRequired', 'dependentSchemas'];

/** What is asked beyond types, and not promised by the source, is looked at in each value. */
function bounds(source: JsonSchemaObject, target: JsonSchemaObject): Compatibility {
  const isKept = (word: string, test: (given: any, wanted: any) => boolean) => target[word] === undefined || (source[word] !== undefined && test(source[word], target[word]));
  const areNumbers = (...both: unknown[]): boolean => both.every((one) => typeof one === 'number');
  const kept = lower.every((word) => isKept(word, (given, wanted) => areNumbers(given, wanted) && given >= wanted)) && upper.every((word) => isKept(word, (given, wanted) => areNumbers(given, wanted) && given <= wanted)) && exact.every((word) => isKept(word, sameJson));
  return kept ? 'static' : 'runtime';
}
