/**
 * Are the inputs of a task what its schema says? By a kept library that needs no `eval`, loaded with the first schema
 * that says more than which ports are required.
 *
 * Invariant: what a task gets fits its schema, or it does not begin.
 */
import type { Validator as ValidatorClass } from '@cfworker/json-schema';
import { describe } from '../intake/checks.ts';
import { TaskInvalidInputError } from './errors.ts';
import { isSchemaObject } from './ports.ts';
import type { JsonSchema } from './schema.ts';
import { refuseMissing, type Task } from './task.ts';

type AnyTask = Task<any, any, any>;
type Validator = InstanceType<typeof ValidatorClass>;

let Loaded: typeof ValidatorClass | undefined;
let loading: Promise<typeof ValidatorClass> | undefined;
const validators = new WeakMap<object, Validator>();

/** What a schema asks of ports: types by port, checked here; or more, which the library checks. */
interface Asked {
  readonly types: readonly { readonly port: string; readonly type: string | readonly string[] }[];
  readonly more: boolean;
}
const asked = new WeakMap<object, Asked>();
const nothing: Asked = { types: [], more: false };
const everything: Asked = { types: [], more: true };

/** Of nodes one after the other many are of one class. */
let last: { readonly schema: JsonSchema; readonly asked: Asked } = { schema: true, asked: nothing };

function askedBy(schema: JsonSchema): Asked {
  if (schema === last.schema) return last.asked;
  if (typeof schema === 'boolean') return schema ? nothing : everything;
  let known = asked.get(schema);
  if (!known) asked.set(schema, (known = { types: typesOf(schema), more: speaks(schema) }));
  last = { schema, asked: known };
  return known;
}

/** Does the schema say more of values than which ports are there, and of which type? */
export function saysMuch(schema: JsonSchema): boolean {
  return askedBy(schema).more;
}

const silent = new Set(['$id', '$schema', 'title', 'description', 'type', 'properties', 'required', 'additionalProperties', 'default', 'format', 'examples']);
const types = new Set(['string', 'number', 'integer', 'boolean', 'null', 'array', 'object']);

function speaks(schema: Exclude<JsonSchema, boolean>): boolean {
  if (schema.additionalProperties !== undefined && schema.additionalProperties !== true) return true;
  for (const word of Object.keys(schema)) if (!silent.has(word) && !word.startsWith('x-')) return true;
  return Object.values(schema.properties ?? {}).some(portSpeaks);
}

function portSpeaks(port: JsonSchema): boolean {
  if (typeof port === 'boolean') return !port;
  const isKnown = port.type === undefined || [port.type].flat().every((type) => types.has(type));
  // What is in a list or an object is the library's to look at.
  return !isKnown || Object.keys(port).some((word) => !silent.has(word) && !word.startsWith('x-')) || port.properties !== undefined || port.required !== undefined || port.additionalProperties === false;
}

function typesOf({ properties = {} }: Exclude<JsonSchema, boolean>): Asked['types'] {
  return Object.entries(properties).flatMap(([port, each]) => (typeof each === 'object' && each.type !== undefined ? [{ port, type: each.type }] : []));
}

function isOf(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'array') return Array.isArray(value);
  if (type === 'null') return value === null;
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return typeof value === type;
}

function isOfAny(value: unknown, types: readonly string[]): boolean {
  return types.some((type) => isOf(value, type));
}

/** Loads what checks values; afterwards `checkNow` can be asked. */
export async function prepareValidation(): Promise<void> {
  loading ??= import('@cfworker/json-schema').then(
    ({ Validator }) => (Loaded = Validator),
    (error) => {
      loading = undefined;
      throw error;
    },
  );
  await loading;
}

/** @throws TaskInvalidInputError with every issue */
export async function checkInput(task: AnyTask, input: Record<string, any>): Promise<void> {
  if (saysMuch(task.inputSchema())) await prepareValidation();
  checkNow(task, input);
}

/**
 * REQUIRES: `prepareValidation`, where the schema says much.
 * @param coming ports whose value comes as a stream
 * @throws TaskInvalidInputError
 */
export function checkNow(task: AnyTask, input: Record<string, any>, coming?: Coming): void {
  const lacking = task.missingPorts(input);
  const missing = coming ? besides(lacking, coming) : lacking;
  if (missing.length > 0) refuseMissing(task, missing);
  const asked = task.inputSchema();
  const schema = coming && isSchemaObject(asked) && asked.required ? { ...asked, required: besides(asked.required, coming) } : asked;
  const { types: ports, more } = askedBy(schema);
  // Every node of a graph comes by here: a list of pairs, iterated over, was a third of all that a trivial one allocates.
  for (let at = 0; at < ports.length; at++) {
    const { port, type } = ports[at]!;
    const value = input[port];
    if (value === undefined || (typeof type === 'string' ? isOf(value, type) : isOfAny(value, type))) continue;
    refuse(task, [{ path: `/${port}`, message: `must be ${[type].flat().join(' or ')}, not ${describe(value)}.` }]);
  }
  if (!more) return;
  if (schema === false) throw new TaskInvalidInputError(`Task ${task.id} (${task.type}) takes no input.`, { data: { taskId: task.id } });
  const { valid, errors } = validatorOf(schema as object).validate(present(input));
  if (!valid) refuse(task, errors.map(({ instanceLocation, error }) => ({ path: instanceLocation.replace(/^#/, ''), message: error })));
}

type Coming = Pick<ReadonlyMap<string, unknown>, 'has'>;

function besides(ports: readonly string[], coming: Coming): string[] {
  return ports.filter((port) => !coming.has(port));
}

function refuse(task: AnyTask, issues: readonly { path: string; message: string }[]): never {
  const told = issues.at(-1)!;
  throw new TaskInvalidInputError(`Task ${task.id} (${task.type}) got what its schema refuses: ${told.path || 'the input'}: ${told.message}`, { data: { taskId: task.id, issues } });
}

function validatorOf(schema: object): Validator {
  let validator = validators.get(schema);
  if (!validator) validators.set(schema, (validator = new Loaded!(schema as never, '2020-12', false)));
  return validator;
}

/** A port that holds `undefined` is one that nothing gave. */
function present(input: Record<string, any>): Record<string, any> {
  const given: Record<string, any> = {};
  for (const [port, value] of Object.entries(input)) if (value !== undefined) given[port] = value;
  return given;
}
