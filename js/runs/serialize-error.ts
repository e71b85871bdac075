/**
 * Errors ↔ plain data, for storage, workers and tabs.
 *
 * Whatever was thrown, `serializeError` gives a SerializedError of bounded size that every codec and
 * `postMessage` takes, and never throws itself: each property is read on its own, and what can't be
 * read or copied is left out. At most five causes deep, cycles cut. Own properties (also `data`) go
 * into `data` under their names and come back as own properties.
 */
import { clone } from '../codec/clone.ts';
import type { GraphOptions } from '../codec/graph-writer.ts';
import type { SerializedError } from '../errors.ts';
import * as errors from '../errors.ts';

const MAX_CAUSES = 5;
const MAX_TEXT = 16 * 1024;
const MAX_PROPERTIES = 50;
const MAX_AGGREGATED = 20;
/** Characters and bytes one property may take. */
const PROPERTY_LIMITS: GraphOptions = {
  limit: 16 * 1024,
  blobThreshold: 16 * 1024,
  blobs: 'refuse',
  randomId: () => '',
};
/** Fields of SerializedError, or handled by themselves. */
const OWN_FIELDS = new Set(['name', 'message', 'stack', 'code', 'retryable', 'cause', 'errors', '__proto__']);

/** The run in which an error was thrown. */
export interface ErrorOrigin {
  taskIdentifier: string;
  runId: string;
  attempt: number;
}

/** @param origin counts where the error does not say another: one that came from a child bears the child's */
export function serializeError(thrown: unknown, origin?: ErrorOrigin): SerializedError {
  const serialized = serialize(thrown, 0, new Set());
  return origin && serialized.runId === undefined ? { ...serialized, ...origin } : serialized;
}

/** Says on the error itself where it was thrown, unless it says so already or can't be written to. */
export function markOrigin(error: Error, origin: ErrorOrigin): void {
  try {
    if ('runId' in error || !Object.isExtensible(error)) return;
    for (const [name, value] of Object.entries(origin)) set(error, name, value);
  } catch {
    // A proxy, or what looks like an error: its origin is not told.
  }
}

function serialize(thrown: unknown, depth: number, above: Set<unknown>): SerializedError {
  try {
    if (!isErrorLike(thrown)) return wrap(thrown);
    above.add(thrown);
    const serialized = describe(thrown, depth, above);
    above.delete(thrown);
    return serialized;
  } catch {
    return { name: 'Error', message: "Something was thrown that can't be read." };
  }
}

function isErrorLike(thrown: unknown): thrown is object {
  if (typeof thrown !== 'object' || thrown === null) return false;
  return read(thrown, 'message', 'string') !== undefined;
}

/** What is no error: its text, and the value itself where it can be kept. */
function wrap(thrown: unknown): SerializedError {
  const message = typeof thrown === 'string' ? thrown : `A value that is no Error was thrown: ${inWords(thrown)}`;
  const serialized: SerializedError = { name: 'Error', message: clip(message) };
  const thrownCopy = copy(thrown);
  if (typeof thrown !== 'string' && thrownCopy) serialized.data = { thrown: thrownCopy.value };
  return serialized;
}

function inWords(value: unknown): string {
  try {
    if (typeof value === 'object' && value !== null) return clip(JSON.stringify(value) ?? 'an object', 200);
    return typeof value === 'function' ? 'a function' : String(value);
  } catch {
    return Object.prototype.toString.call(value).slice(8, -1);
  }
}

function describe(error: object, depth: number, above: Set<unknown>): SerializedError {
  const serialized: SerializedError = { name: nameOf(error), message: clip(read(error, 'message', 'string') ?? '') };
  const stack = read(error, 'stack', 'string');
  if (stack) serialized.stack = clip(stack);
  const code = read(error, 'code', 'string');
  if (code !== undefined) serialized.code = clip(code, 200);
  const retryable = read(error, 'retryable', 'boolean');
  if (retryable !== undefined) serialized.retryable = retryable;
  const cause = read(error, 'cause');
  if (cause !== undefined && depth < MAX_CAUSES && !above.has(cause))
    serialized.cause = serialize(cause, depth + 1, above);
  const runId = read(error, 'runId', 'string');
  const attempt = read(error, 'attempt');
  if (runId !== undefined && typeof attempt === 'number')
    Object.assign(serialized, { taskIdentifier: clip(read(error, 'taskIdentifier', 'string') ?? '', 200), runId: clip(runId, 200), attempt });
  const data = properties(error, depth, above);
  const aggregated = depth < 2 ? aggregatedErrors(error, depth, above) : undefined;
  if (aggregated) data.errors = aggregated;
  if (Object.keys(data).length > 0) serialized.data = data;
  return serialized;
}

function nameOf(error: object): string {
  const name = read(error, 'name', 'string');
  return name ? clip(name, 200) : 'Error';
}

/** The property if it can be read and has this type. */
function read(object: object, key: string, type: 'string'): string | undefined;
function read(object: object, key: string, type: 'boolean'): boolean | undefined;
function read(object: object, key: string): unknown;
function read(object: object, key: string, type?: string): unknown {
  try {
    const value = (object as Record<string, unknown>)[key];
    return type === undefined || typeof value === type ? value : undefined;
  } catch {
    return undefined;
  }
}

function clip(text: string, length = MAX_TEXT): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

function copy(value: unknown): { value: unknown } | undefined {
  try {
    return { value: clone(value, 'error', PROPERTY_LIMITS) };
  } catch {
    return undefined;
  }
}

/** Own properties that are errors become plain data too. */
function properties(error: object, depth: number, above: Set<unknown>): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  for (const key of Object.keys(error).slice(0, MAX_PROPERTIES)) {
    const value = read(error, key);
    if ((OWN_FIELDS.has(key) && !(key === 'code' && typeof value === 'number')) || above.has(value)) continue;
    const kept = copy(value instanceof Error && depth < MAX_CAUSES ? serialize(value, depth + 1, above) : value);
    if (kept && kept.value !== undefined) data[key] = kept.value;
  }
  return data;
}

function aggregatedErrors(error: object, depth: number, above: Set<unknown>): SerializedError[] | undefined {
  const list = read(error, 'errors');
  if (!Array.isArray(list)) return undefined;
  return list.slice(0, MAX_AGGREGATED).map((item) => serialize(above.has(item) ? 'a cycle' : item, depth + 1, above));
}

type ErrorType = new (message: string, details?: { cause?: unknown }) => Error;
let typesByCode: Map<string, ErrorType> | undefined;
const registered = new Map<string, { prototype: object }>();

/**
 * Errors of this class come back from storage, workers and other tabs as instances of it, with their own
 * properties; its constructor is not called. They are known by their `name`.
 * @throws ConfigurationError for what is no class of errors, or a name that is taken
 */
export function registerError(type: { readonly prototype: Error; readonly name: string }, name: string = type?.name): void {
  if (typeof type !== 'function' || !((type as { prototype: unknown }).prototype instanceof Error))
    throw new errors.ConfigurationError(`registerError needs a class that extends Error, not ${String(type)}.`);
  const other = registered.get(name);
  if (typeof name !== 'string' || name === '' || (other && other !== type) || Object.hasOwn(BUILT_IN, name) || Object.hasOwn(errors, name))
    throw new errors.ConfigurationError(`registerError can't use the name ${JSON.stringify(name)}: it is empty, taken, or one of ours or of the language. Give another: registerError(type, 'MyError').`);
  registered.set(name, type);
}

/** Classes of js/errors.ts. */
function typeFor(code: string): ErrorType | undefined {
  typesByCode ??= new Map(
    Object.values(errors)
      .filter((type) => typeof type === 'function' && type.prototype instanceof Error)
      .map((type) => [new type('').code, type]),
  );
  return typesByCode.get(code);
}

const BUILT_IN: Record<string, ErrorType> = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

/** An Error of the class it was, where holdfast or the language has it; else one of that name. */
export function deserializeError(serialized: SerializedError): Error {
  return revive(serialized, 0);
}

function revive(serialized: SerializedError, depth: number): Error {
  const fields =
    typeof serialized === 'object' && serialized !== null ? serialized : { name: 'Error', message: String(serialized) };
  const { stack, code, retryable, cause, data } = fields;
  const name = String(fields.name ?? 'Error');
  const details = cause && depth <= MAX_CAUSES ? { cause: revive(cause, depth + 1) } : undefined;
  const error = construct(name, code, String(fields.message ?? ''), data, details, depth);
  if (error.name !== name) set(error, 'name', name);
  const type = typeof code === 'string' && typeFor(code) ? undefined : registered.get(name);
  if (type) Object.setPrototypeOf(error, type.prototype);
  if (typeof stack === 'string') set(error, 'stack', stack);
  if (code !== undefined && (error as any).code !== code) set(error, 'code', code, true);
  if (retryable !== undefined && (error as any).retryable !== retryable) set(error, 'retryable', retryable, true);
  assign(error, data);
  const { taskIdentifier, runId, attempt } = fields;
  if (typeof runId === 'string' && typeof attempt === 'number') markOrigin(error, { taskIdentifier: String(taskIdentifier), runId, attempt });
  return error;
}

function construct(
  name: string,
  code: unknown,
  message: string,
  data: any,
  details: { cause: Error } | undefined,
  depth: number,
): Error {
  const ours = typeof code === 'string' ? typeFor(code) : undefined;
  if (Array.isArray(data?.errors) && depth <= 2) {
    const inner = data.errors.map((item: SerializedError) => revive(item, depth + 1));
    const error = ours ? new ours(message, details) : new AggregateError(inner, message, details);
    if (ours) set(error, 'errors', inner, true);
    return error;
  }
  const type = ours ?? (Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name]! : Error);
  return new type(message, details);
}

function assign(error: Error, data: unknown): void {
  if (data === undefined) return;
  if (typeof data !== 'object' || data === null || Object.getPrototypeOf(data) !== Object.prototype) {
    set(error, 'data', data, true);
    return;
  }
  for (const [key, value] of Object.entries(data)) {
    if (!OWN_FIELDS.has(key) || key === 'code') set(error, key, value, true);
  }
}

function set(error: Error, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(error, key, { value, enumerable, writable: true, configurable: true });
}

/** One that can be read: getters and proxies may throw themselves. */
function isSoundError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error && typeof thrown.message === 'string' && typeof thrown.name === 'string' && typeof thrown.stack !== 'object';
  } catch {
    return false;
  }
}

/** Handlers may throw anything; people get an Error, with what was thrown as its cause. */
export function toError(thrown: unknown): Error {
  if (isSoundError(thrown)) return thrown;
  const { message, name } = serializeError(thrown);
  const error = new Error(message, { cause: thrown });
  if (name) Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  return error;
}
