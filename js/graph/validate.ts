/**
 * Are the inputs of a task what its schema says? By a kept library that needs no `eval`, loaded with the first schema
 * that says more than which ports are required.
 *
 * Invariant: what a task gets fits its schema, or it does not begin.
 */
import type { Validator as ValidatorClass } from '@cfworker/json-schema';
import { TaskInvalidInputError } from './errors.ts';
import type { JsonSchema } from './schema.ts';
import { refuseMissing, type Task } from './task.ts';

type AnyTask = Task<any, any, any>;
type Validator = InstanceType<typeof ValidatorClass>;

let Loaded: typeof ValidatorClass | undefined;
let loading: Promise<typeof ValidatorClass> | undefined;
const validators = new WeakMap<object, Validator>();
const says = new WeakMap<object, boolean>();

/** Does the schema say anything about values, beside which must be there? */
export function saysMuch(schema: JsonSchema): boolean {
  if (typeof schema === 'boolean') return !schema;
  const known = says.get(schema);
  if (known !== undefined) return known;
  const much = speaks(schema);
  says.set(schema, much);
  return much;
}

const silent = new Set(['$id', '$schema', 'title', 'description', 'type', 'properties', 'required', 'additionalProperties', 'default', 'format', 'examples']);

function speaks(schema: Exclude<JsonSchema, boolean>): boolean {
  if (schema.additionalProperties !== undefined && schema.additionalProperties !== true) return true;
  for (const word of Object.keys(schema)) if (!silent.has(word) && !word.startsWith('x-')) return true;
  return Object.values(schema.properties ?? {}).some((port) => typeof port === 'boolean' ? !port : Object.keys(port).some((word) => !(silent.has(word) && word !== 'type') && !word.startsWith('x-')));
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

/** REQUIRES: `prepareValidation`, where the schema says much. @throws TaskInvalidInputError */
export function checkNow(task: AnyTask, input: Record<string, any>): void {
  const missing = task.missingPorts(input);
  if (missing.length > 0) refuseMissing(task, missing);
  const schema = task.inputSchema();
  if (!saysMuch(schema)) return;
  if (schema === false) throw new TaskInvalidInputError(`Task ${task.id} (${task.type}) takes no input.`, { data: { taskId: task.id } });
  const { valid, errors } = validatorOf(schema as object).validate(present(input));
  if (valid) return;
  const issues = errors.map(({ instanceLocation, error }) => ({ path: instanceLocation.replace(/^#/, ''), message: error }));
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
