/**
 * The slow path: any value the codec can hold, as a flat list of nodes that refer to each other by
 * index, so that cycles, sharing and every type survive and no reader has to recurse into bytes.
 * It is also where values are refused, and the only walk that knows paths.
 *
 *   graph := [ root slot, node … ]           a node's index counts from 1
 *   slot  := null | undefined | boolean | number but -0 | well-formed string     itself
 *          | [ index ]                                                          that node
 *          | [ SlotKind.bigint, hexadecimal text ] | [ SlotKind.utf16, code units as bytes ] | [ SlotKind.negativeZero, 0 ]
 *   node  := [ NodeKind.object | NodeKind.nullObject, (key slot, slot) … ]
 *          | [ NodeKind.array, slot … ]             holes become undefined, other properties are left out
 *          | [ NodeKind.map, (slot, slot) … ] | [ NodeKind.set, slot … ]
 *          | [ NodeKind.date, milliseconds ] | [ NodeKind.regExp, source slot, flags ] | [ NodeKind.url, href ]
 *          | [ NodeKind.binary, position in BINARY_NAMES, bytes ]        a view's own bytes, little-endian
 *          | [ NodeKind.storedBinary, position in BINARY_NAMES, blob index, bytes ]
 *          | [ NodeKind.blob, blob index, size, type ]
 *          | [ NodeKind.file, blob index, size, type, name slot, lastModified ]
 *          | [ NodeKind.error, position in ERROR_NAMES, (key slot, enumerable, slot) … ]
 *          | [ NodeKind.domException, message slot, name slot ]
 *          | [ NodeKind.custom, codec name, version, slot ]
 *          | [ NodeKind.web, WebKind, slot of its parts ]                 codec/web-kinds.ts
 *            of which a body is [ NodeKind.blob, blob index, -1 ]: its size stands in the list
 */
import { NotCloneableError, SerializationError } from '../errors.ts';
import type { BlobReference } from './blob-list.ts';
import {
  BINARY_NAMES,
  binaryKind,
  codecFor,
  ERROR_NAMES,
  errorKind,
  isExactly,
  isRecord,
  MAX_DEPTH,
  NodeKind,
  SlotKind,
  tagOf,
} from './kinds.ts';
import { isExactInUtf8 } from './plain.ts';
import { Body, copyInMemory, handleItself, type KeepHandle, takeApart, WebKind } from './web-kinds.ts';
import { fileTooLarge, notCloneable, notReadable, segment, tooDeep, tooLarge } from './refuse.ts';

export interface GraphOptions {
  /** Largest sum of characters and bytes. */
  limit: number;
  /** Binary values above this become blobs. */
  blobThreshold: number;
  /** Largest blob. Default: no limit. */
  blobLimit?: number;
  /** Larger Blobs and Files are not stored. Default: none. */
  inPageAbove?: number;
  /** Stores a file handle. Default: those are refused. */
  keepHandle?: KeepHandle | undefined;
  randomId: () => string;
  /** A graph that stays in memory crosses to another thread: what can't is refused. */
  crossing?: boolean;
  /** `keep`: as they are, for a graph that stays in memory. `store`: as references. Or refused. */
  blobs: 'store' | 'keep' | 'refuse';
}

export type GraphNode = unknown[];

export class GraphWriter {
  readonly graph: unknown[] = [undefined];
  readonly blobs: BlobReference[] = [];
  readonly #indexes = new Map<object, number>();
  readonly #openCustom = new Set<number>();
  readonly #path: string[];
  readonly #options: GraphOptions;
  #size = 0;

  constructor(rootName: string, options: GraphOptions) {
    this.#path = [rootName];
    this.#options = options;
  }

  /** The graph of a value. @throws NotCloneableError TooDeepError PayloadTooLargeError */
  write(value: unknown): unknown[] {
    try {
      this.graph[0] = this.#slot(value, 1);
      return this.graph;
    } catch (error) {
      if (error instanceof SerializationError) throw error;
      throw notReadable(this.#where(), error);
    }
  }

  #where(): string {
    return this.#path.join('');
  }

  #take(size: number): void {
    this.#size += size;
    const { limit } = this.#options;
    if (this.#size > limit) throw tooLarge(this.#where(), this.#size, limit);
  }

  #slot(value: unknown, depth: number): unknown {
    switch (typeof value) {
      case 'string':
        return this.#text(value);
      case 'number':
        return Object.is(value, -0) ? [SlotKind.negativeZero, 0] : value;
      case 'bigint':
        return [SlotKind.bigint, this.#text(value.toString(16))];
      case 'boolean':
      case 'undefined':
        return value;
      case 'object':
        return value === null ? null : [this.#reference(value, depth)];
      default:
        throw notCloneable(this.#where(), value, typeof value);
    }
  }

  #text(text: string): unknown {
    this.#take(text.length);
    if (isExactInUtf8(text)) return text;
    const units = new Uint8Array(text.length * 2);
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      units[2 * i] = unit & 255;
      units[2 * i + 1] = unit >> 8;
    }
    return [SlotKind.utf16, units];
  }

  #reference(value: object, depth: number): number {
    const known = this.#indexes.get(value);
    if (known !== undefined) {
      if (!this.#openCustom.has(known)) return known;
      throw new NotCloneableError(`${this.#where()} is being encoded by its codec, whose result must not contain it.`);
    }
    if (depth > MAX_DEPTH) throw tooDeep(this.#where());
    this.#take(1);
    const node: GraphNode = [];
    const index = this.graph.push(node) - 1;
    this.#indexes.set(value, index);
    this.#fill(node, index, value, depth + 1);
    return index;
  }

  #fill(node: GraphNode, index: number, value: object, depth: number): unknown {
    if (value instanceof Body) return this.#body(node, value);
    if (Array.isArray(value)) return this.#array(node, value, depth);
    if (isRecord(value)) return this.#record(node, value as Record<string, unknown>, depth);
    const custom = codecFor(value);
    if (custom) {
      this.#openCustom.add(index);
      const [name, { version = 0 }] = custom;
      node.push(NodeKind.custom, name, version, this.#slot(custom[1].encode(value), depth));
      return this.#openCustom.delete(index);
    }
    const tag = tagOf(value);
    const binary = binaryKind(value, tag);
    if (binary >= 0) return this.#binary(node, binary, value as ArrayBuffer | ArrayBufferView);
    const error = errorKind(value, tag);
    if (error >= 0 && tag !== 'DOMException') return this.#error(node, error, value as Error, depth);
    return this.#builtIn(node, value as any, tag, depth);
  }

  #builtIn(node: GraphNode, value: any, tag: string, depth: number): unknown {
    if (tag === 'Blob' || tag === 'File') return this.#blob(node, value);
    if (!isExactly(value, tag)) throw notCloneable(this.#where(), value, tag);
    switch (tag) {
      case 'Map':
        return this.#map(node, value, depth);
      case 'Set':
        return this.#set(node, value, depth);
      case 'Date':
        return node.push(NodeKind.date, Date.prototype.getTime.call(value));
      case 'RegExp':
        return node.push(NodeKind.regExp, this.#text(value.source), value.flags);
      case 'URL':
        return node.push(NodeKind.url, this.#text(value.href));
      case 'DOMException':
        return node.push(NodeKind.domException, this.#text(value.message), this.#text(value.name));
      default:
        return this.#web(node, value, tag, depth);
    }
  }

  #web(node: GraphNode, value: any, tag: string, depth: number): unknown {
    const { blobs, crossing = false, keepHandle } = this.#options;
    const apart = takeApart(value, tag, this.#where(), blobs === 'keep' ? handleItself : keepHandle);
    const hasBody = apart !== undefined && apart.kind >= WebKind.request;
    if (!apart || (hasBody && blobs === 'refuse')) throw notCloneable(this.#where(), value, tag);
    if (!hasBody || blobs === 'store') return node.push(NodeKind.web, apart.kind, this.#slot(apart.parts, depth));
    if (apart.kind === WebKind.stream || (crossing && apart.kind <= WebKind.response)) throw notCloneable(this.#where(), value, tag);
    return node.push(NodeKind.kept, copyInMemory(value, apart.kind));
  }

  #body(node: GraphNode, { kind, begin }: Body): void {
    const path = this.#where();
    const index = this.#store({ kind, size: 0, type: '', blob: undefined, begin: () => begin(path) });
    node.push(NodeKind.blob, index, -1);
  }

  /** One value below the current path. */
  #below(key: string, value: unknown, depth: number): unknown {
    this.#path.push(key);
    const slot = this.#slot(value, depth);
    this.#path.pop();
    return slot;
  }

  #record(node: GraphNode, value: Record<string, unknown>, depth: number): void {
    node.push(Object.getPrototypeOf(value) === null ? NodeKind.nullObject : NodeKind.object);
    for (const key of Object.keys(value)) {
      this.#path.push(segment(key));
      node.push(this.#text(key), this.#slot(value[key], depth));
      this.#path.pop();
    }
  }

  #array(node: GraphNode, value: unknown[], depth: number): void {
    this.#take(value.length);
    node.push(NodeKind.array);
    for (let i = 0; i < value.length; i++) node.push(this.#below(`[${i}]`, value[i], depth));
  }

  #map(node: GraphNode, value: Map<unknown, unknown>, depth: number): void {
    node.push(NodeKind.map);
    let i = 0;
    for (const [key, item] of Map.prototype.entries.call(value)) {
      const shown = typeof key === 'string' || typeof key === 'number' ? JSON.stringify(key) : `key ${i}`;
      node.push(this.#below(`.key(${i})`, key, depth), this.#below(`.get(${shown})`, item, depth));
      i++;
    }
  }

  #set(node: GraphNode, value: Set<unknown>, depth: number): void {
    node.push(NodeKind.set);
    let i = 0;
    for (const item of Set.prototype.values.call(value)) node.push(this.#below(`.item(${i++})`, item, depth));
  }

  #error(node: GraphNode, kind: number, error: Error, depth: number): void {
    node.push(NodeKind.error, kind);
    const keys = new Set(Object.getOwnPropertyNames(error));
    if (typeof error.stack === 'string') keys.add('stack'); // an accessor of the prototype in Firefox
    if (error.name !== ERROR_NAMES[kind]) keys.add('name');
    for (const key of keys) {
      const enumerable = Object.prototype.propertyIsEnumerable.call(error, key);
      node.push(this.#text(key), enumerable, this.#below(segment(key), (error as any)[key], depth));
    }
  }

  #binary(node: GraphNode, kind: number, value: ArrayBuffer | ArrayBufferView): void {
    const bytes = bytesOf(value) ?? this.#transferred(kind);
    // Who takes no blobs has nowhere to put it but here, where it counts.
    if (bytes.length <= this.#options.blobThreshold || this.#options.blobs === 'refuse') {
      this.#take(bytes.length);
      node.push(NodeKind.binary, kind, bytes);
      return;
    }
    const blob = new Blob([bytes as Uint8Array<ArrayBuffer>]);
    node.push(
      NodeKind.storedBinary,
      kind,
      this.#store({ kind: 'bytes', size: bytes.length, type: '', blob }),
      bytes.length,
    );
  }

  #transferred(kind: number): never {
    throw new NotCloneableError(
      `${this.#where()} was transferred away and is an empty ${BINARY_NAMES[kind]} now; keep a copy before you transfer it.`,
    );
  }

  #blob(node: GraphNode, blob: Blob): void {
    const { size, type } = blob;
    const tag = tagOf(blob);
    if (this.#options.blobs === 'refuse') throw notCloneable(this.#where(), blob, tag);
    if (this.#options.blobs === 'keep') {
      node.push(NodeKind.kept, blob);
      return;
    }
    if (tag === 'Blob') {
      node.push(NodeKind.blob, this.#store({ kind: 'blob', size, type, blob }), size, this.#text(type));
      return;
    }
    const { name, lastModified } = blob as File;
    const index = this.#store({ kind: 'blob', size, type, name, lastModified, blob });
    node.push(NodeKind.file, index, size, this.#text(type), this.#text(name), lastModified);
  }

  #store(reference: Omit<BlobReference, 'id'>): number {
    this.#take(9);
    const { blobLimit = Number.POSITIVE_INFINITY, inPageAbove = Number.POSITIVE_INFINITY } = this.#options;
    const inPage = reference.kind === 'blob' && reference.size > inPageAbove;
    if (reference.size > blobLimit && !inPage) throw fileTooLarge(this.#where(), reference.size, blobLimit);
    return this.blobs.push({ id: this.#options.randomId(), ...reference, ...(inPage && { kind: 'page' }) }) - 1;
  }
}

/** undefined: the buffer is detached. */
function bytesOf(value: ArrayBuffer | ArrayBufferView): Uint8Array | undefined {
  try {
    return ArrayBuffer.isView(value)
      ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      : new Uint8Array(value);
  } catch {
    return undefined;
  }
}
