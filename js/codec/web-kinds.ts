/**
 * What browsers hand around beside plain data: forms, headers, requests, responses, streams, bitmaps, file handles.
 * Each is taken apart into values the codec has, and put together again when it is read; what
 * has a body (bytes that can be read once) or pixels becomes a blob.
 *
 * Invariant: taking apart changes nothing; only `begin`, called when the value as a whole is accepted,
 * locks a stream or copies a body.
 */
import { NotCloneableError } from '../errors.ts';
import { fileTooLarge } from './refuse.ts';

/** Stored: never change or reuse a number. */
export const WebKind = {
  urlSearchParams: 0,
  headers: 1,
  formData: 2,
  request: 3,
  response: 4,
  stream: 5,
  imageBitmap: 6,
  fileHandle: 7,
} as const;

/** Type of a body that is text: its chunks come back as text. */
export const textBody = 'text/plain;charset=utf-8';

/** @param limit more bytes are refused */
export type ReadBody = (limit: number) => Promise<Blob>;

/** Bytes that are read after the value was accepted. */
export class Body {
  readonly kind: 'body' | 'image' | 'handle';
  /** Takes hold of it, at once; what it gives reads it. */
  readonly begin: (path: string) => ReadBody;

  constructor(kind: Body['kind'], begin: Body['begin']) {
    this.kind = kind;
    this.begin = begin;
  }
}

/** Stores a file handle where handles can be stored; gives what stands for it. */
export type KeepHandle = (handle: FileSystemFileHandle, path: string) => Promise<Blob>;

/** In memory a handle stands for itself. */
export const handleItself: KeepHandle = async (handle) => handle as never;

export interface Apart {
  kind: number;
  parts: unknown;
}

const readers = () => import('./web-bodies.ts');

/**
 * undefined: it is none of these. Without `keepHandle` a file handle is none either.
 * @throws NotCloneableError where it can't be taken as it is
 */
export function takeApart(value: any, tag: string, path: string, keepHandle?: KeepHandle): Apart | undefined {
  switch (tag) {
    case 'URLSearchParams':
      return { kind: WebKind.urlSearchParams, parts: String(value) };
    case 'Headers':
      return { kind: WebKind.headers, parts: [...value] };
    case 'FormData':
      return { kind: WebKind.formData, parts: [...value] };
    case 'Request':
      return { kind: WebKind.request, parts: request(value, path) };
    case 'Response':
      return { kind: WebKind.response, parts: response(value, path) };
    case 'ReadableStream':
      return { kind: WebKind.stream, parts: stream(value, path) };
    case 'ImageBitmap':
      return { kind: WebKind.imageBitmap, parts: bitmap(value, path) };
    case 'FileSystemFileHandle':
      return keepHandle && { kind: WebKind.fileHandle, parts: new Body('handle', (where) => () => keepHandle(value, where)) };
    default:
      return undefined;
  }
}

function refuse(path: string, why: string): never {
  throw new NotCloneableError(`${path} ${why}.`, { data: { path } });
}

const requestFields = ['mode', 'credentials', 'cache', 'redirect', 'referrer', 'referrerPolicy', 'integrity', 'keepalive'] as const;

function request(value: Request, path: string): object {
  if (value.bodyUsed) refuse(path, 'is a Request whose body was read already; pass request.clone() made before that');
  const init: Record<string, unknown> = {};
  // `navigate` is what only browsers may ask for, `about:client` the default that has no other name.
  for (const name of requestFields) if (value[name] !== undefined && value[name] !== 'navigate' && value[name] !== 'about:client') init[name] = value[name];
  const { url, method, headers } = value;
  const empty = method === 'GET' || method === 'HEAD';
  return { url, init: { ...init, method }, headers: [...(headers as unknown as Iterable<[string, string]>)], body: empty ? null : bodyOf(value) };
}

function response(value: Response, path: string): object {
  const { url, status, statusText, headers } = value;
  if (value.bodyUsed) refuse(path, 'is a Response whose body was read already; pass response.clone() made before that');
  if (status < 200 || status > 599) refuse(path, `is a Response of type ${JSON.stringify(value.type)}, which keeps its content to itself; fetch it with CORS`);
  return { url, status, statusText, headers: [...(headers as unknown as Iterable<[string, string]>)], body: value.body === null ? null : bodyOf(value) };
}

/** A copy of the body, so that whoever passed it may still read theirs. */
function bodyOf(value: Request | Response): Body {
  return new Body('body', (path) => {
    const copy = value.clone();
    return async (limit) => within(limit, await copy.blob(), path);
  });
}

function stream(value: ReadableStream, path: string): Body {
  if (value.locked) refuse(path, 'is a stream that somebody reads already; pass one branch of stream.tee()');
  return new Body('body', (where) => {
    const reader = value.getReader();
    return async (limit) => (await readers()).readAll(reader, where, limit);
  });
}

function within(limit: number, blob: Blob, path: string): Blob {
  if (blob.size > limit) throw fileTooLarge(path, blob.size, limit);
  return blob;
}

function bitmap(value: ImageBitmap, path: string): Body {
  if (value.width === 0) refuse(path, 'is an ImageBitmap that was closed or moved away; pass it before that');
  if (typeof OffscreenCanvas !== 'function') refuse(path, 'is an ImageBitmap, and this browser has no OffscreenCanvas to read it with; pass a Blob of the image');
  return new Body('image', (where) => {
    const canvas = drawn(value);
    return async (limit) => within(limit, await canvas.convertToBlob({ type: 'image/png' }), where);
  });
}

function drawn(value: ImageBitmap): OffscreenCanvas {
  const canvas = new OffscreenCanvas(value.width, value.height);
  canvas.getContext('2d')!.drawImage(value, 0, 0);
  return canvas;
}

/** One of its own for whoever gets it in memory. REQUIRES: `takeApart` has let it pass, and it is no stream. */
export function copyInMemory(value: any, kind: number): unknown {
  if (kind === WebKind.fileHandle) return value;
  return kind === WebKind.imageBitmap ? drawn(value).transferToImageBitmap() : value.clone();
}

/** Believes nothing: what does not fit throws, and the codec says that the bytes can't be read. */
export function putTogether(kind: unknown, parts: any): unknown {
  switch (kind) {
    case WebKind.urlSearchParams:
      return new URLSearchParams(String(parts));
    case WebKind.headers:
      return new Headers(parts);
    case WebKind.formData:
      return formData(parts);
    case WebKind.request:
      return new Request(parts.url, { ...parts.init, headers: parts.headers, body: parts.body });
    case WebKind.response:
      return responseFrom(parts);
    case WebKind.stream:
      return streamFrom(parts);
    case WebKind.imageBitmap:
      return bitmapFrom(parts);
    case WebKind.fileHandle:
      return handleFrom(parts);
    default:
      throw new TypeError('an unknown kind');
  }
}

function formData(entries: [string, string | Blob][]): FormData {
  const form = new FormData();
  for (const [name, value] of entries) form.append(name, value as string);
  return form;
}

/** A made Response has no address; this one keeps the one it came from. */
function responseFrom({ url, status, statusText, headers, body }: any): Response {
  return Object.defineProperty(new Response(body, { status, statusText, headers }), 'url', { value: String(url), configurable: true });
}

function streamFrom(body: unknown): ReadableStream {
  if (!(body instanceof Blob)) throw new TypeError('a body expected');
  return body.type === textBody ? body.stream().pipeThrough(new TextDecoderStream()) : body.stream();
}

/** `decodeWithBlobs` has made it of its PNG. */
function bitmapFrom(image: unknown): unknown {
  if (Object.prototype.toString.call(image) !== '[object ImageBitmap]') throw new TypeError('a bitmap expected');
  return image;
}

/** Whoever loads it has asked whether its file may be read. */
function handleFrom(handle: any): unknown {
  if (typeof handle?.getFile !== 'function') throw new TypeError('a file handle expected');
  return handle;
}
