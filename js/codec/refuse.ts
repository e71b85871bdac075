/**
 * Refusals: every one names the exact path of the value and says what to do instead.
 */
import { NotCloneableError, PayloadTooLargeError, TooDeepError } from '../errors.ts';
import { MAX_DEPTH } from './kinds.ts';

const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** How a key reads behind what it belongs to: `.name`, `["my key"]`, `[3]`. */
export function segment(key: string | number): string {
  if (typeof key === 'number') return `[${key}]`;
  return identifier.test(key) ? `.${key}` : `[${JSON.stringify(key.length > 40 ? `${key.slice(0, 40)}…` : key)}]`;
}

/** By what `Object.prototype.toString` says. */
const FIXES: Record<string, string> = {
  Promise: 'is a Promise; await it first',
  WeakMap: "is a WeakMap, which can't be listed; use a Map",
  WeakSet: "is a WeakSet, which can't be listed; use a Set",
  WeakRef: 'is a WeakRef; store what it refers to',
  ReadableStream: 'is a stream; read it first: await new Response(stream).blob()',
  WritableStream: 'is a stream; open it inside the handler',
  TransformStream: 'is a stream; open it inside the handler',
  Request: 'is a Request; store its url, method and body and build it inside the handler',
  Response: 'is a Response; store what it holds: await response.blob(), .json() or .text()',
  AbortSignal: 'is an AbortSignal; leave it out, the handler has ctx.signal',
  AbortController: 'is an AbortController; leave it out and cancel the run instead',
  MessagePort: "is a MessagePort, which can't outlive the page; open it inside the handler",
  FileList: 'is a FileList; store [...list]',
  SharedArrayBuffer: 'is a SharedArrayBuffer; store a copy: new Uint8Array(shared).slice()',
  ImageBitmap: 'is an ImageBitmap; put it into the input or the result',
  Blob: 'is a Blob; put it into the input or the result',
  File: 'is a File; put it into the input or the result',
  FileSystemFileHandle: "is a file handle; pass await handle.getFile(), or keep it in an input with persistPayload: 'handle'",
  FileSystemDirectoryHandle: 'is a directory handle; pass the files in it',
  Window: 'is a window',
};

function fixFor(value: unknown, tag: string): string {
  if (typeof value === 'function') return 'is a function; store its name and look it up inside the handler';
  if (typeof value === 'symbol') return 'is a symbol; store a string';
  if (Object.hasOwn(FIXES, tag)) return FIXES[tag] as string;
  if (tag.startsWith('WebAssembly.')) return `is a ${tag}; store the bytes and compile them inside the handler`;
  if (tag === 'Element' || /^HTML|^SVG|Document$|^Text$|Event$/.test(tag)) {
    return `is a DOM object (${tag}); store the text, id or data it stands for`;
  }
  const name = classNameOf(value) ?? tag;
  return `is an instance of ${name}; store a plain object of its data or teach holdfast the class: registerCodec('${name}', { match, encode, decode })`;
}

function classNameOf(value: unknown): string | undefined {
  const name = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name === 'string' && name && name !== 'Object' ? name : undefined;
}

export function notCloneable(path: string, value: unknown, tag: string): NotCloneableError {
  return new NotCloneableError(`${path} ${fixFor(value, tag)}.`, { data: { path } });
}

export function notReadable(path: string, cause: unknown): NotCloneableError {
  return new NotCloneableError(
    `${path} threw while it was read (a getter, a Proxy or a codec); store a plain copy of its data.`,
    { cause, data: { path } },
  );
}

export function tooDeep(path: string): TooDeepError {
  const shown = path.length > 60 ? `${path.slice(0, 60)}…` : path;
  return new TooDeepError(
    `${shown} is nested deeper than ${MAX_DEPTH} levels; store it flat (a list with ids or parent indexes).`,
    { data: { limit: MAX_DEPTH } },
  );
}

export function tooLarge(path: string, size: number, limit: number): PayloadTooLargeError {
  const fix = path.startsWith('metadata')
    ? 'put the large part into the input, or raise limits.metadataBytes'
    : path.startsWith('chunk')
      ? 'append it in parts (pipe cuts bytes and text), or raise limits.valueBytes'
      : 'put the large part into a Blob or File (new Blob([text])), which is stored beside it, or raise limits.valueBytes';
  return new PayloadTooLargeError(
    `${path} takes ${inUnits(size)} or more, the limit is ${inUnits(limit)}; ${fix}.`,
    { data: { path, size, limit } },
  );
}

export function fileTooLarge(path: string, size: number, limit: number): PayloadTooLargeError {
  return new PayloadTooLargeError(
    `${path} has ${inUnits(size)}, the limit for one file or binary value is ${inUnits(limit)}; split it, or raise limits.blobBytes.`,
    { data: { path, size, limit } },
  );
}

/** 1000 bytes, 1.5 KiB, 64 MiB, 2 GiB. */
export function inUnits(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  const power = Math.min(3, Math.floor(Math.log2(bytes) / 10));
  return `${Math.round((bytes / 1024 ** power) * 10) / 10} ${['KiB', 'MiB', 'GiB'][power - 1]}`;
}
