/**
 * Rebuilds what codec/graph-writer.ts has written (grammar there). Nothing in the graph is believed:
 * every index, kind and type is checked, keys are defined and never assigned, depth is bounded.
 */
import { PayloadLostError, SerializationError } from '../errors.ts';
import { shareDigest } from './known-digests.ts';
import { putTogether } from './web-kinds.ts';
import { BINARY_NAMES, codecNamed, ERROR_NAMES, MAX_DEPTH, NodeKind, SlotKind } from './kinds.ts';

/** Gives a stored blob, by its id and its place in the list; for one of kind `bytes` its bytes. */
export type ResolveBlob = (id: string, index: number) => Blob | ArrayBuffer | ImageBitmap | undefined;

function damaged(what: string): never {
  throw new SerializationError(`Stored bytes can't be read: ${what}.`);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : damaged('text expected');
}

function count(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : damaged('a count expected');
}

function define(target: object, key: string, value: unknown, enumerable = true): void {
  Object.defineProperty(target, key, { value, enumerable, writable: true, configurable: true });
}

export class GraphReader {
  readonly #graph: readonly unknown[];
  readonly #built: unknown[] = [];
  readonly #blobIds: readonly string[];
  readonly #resolveBlob: ResolveBlob | undefined;
  readonly #memory: 'shared' | 'own' | undefined;
  #depth = 0;

  /** `memory`: the graph never was bytes; `own`: its buffers are nobody else's and need no copy. */
  constructor(graph: unknown, blobIds: readonly string[] = [], resolveBlob?: ResolveBlob, memory?: 'shared' | 'own') {
    this.#graph = Array.isArray(graph) && graph.length > 0 ? graph : damaged('a graph expected');
    this.#blobIds = blobIds;
    this.#resolveBlob = resolveBlob;
    this.#memory = memory;
  }

  read(): unknown {
    return this.#slot(this.#graph[0]);
  }

  #slot(slot: unknown): unknown {
    if (typeof slot !== 'object' || slot === null) return slot;
    if (!Array.isArray(slot) || slot.length === 0) return damaged('a slot expected');
    if (slot.length === 1) return this.#node(slot[0]);
    if (slot[0] === SlotKind.negativeZero) return -0;
    if (slot[0] === SlotKind.bigint) return bigintFrom(text(slot[1]));
    return slot[0] === SlotKind.utf16 ? utf16From(slot[1]) : damaged('an unknown slot');
  }

  #text(slot: unknown): string {
    return text(this.#slot(slot));
  }

  #node(index: unknown): unknown {
    const at = count(index);
    if (at in this.#built) return this.#built[at];
    const node = at > 0 ? this.#graph[at] : undefined;
    if (!Array.isArray(node) || node.length === 0) return damaged('a node expected');
    if (++this.#depth > MAX_DEPTH) damaged(`more than ${MAX_DEPTH} levels`);
    const value = this.#build(node, at);
    this.#depth--;
    return value;
  }

  /** Containers are known before they are filled, so cycles find them. */
  #know<Value>(at: number, value: Value): Value {
    this.#built[at] = value;
    return value;
  }

  #build(node: unknown[], at: number): unknown {
    switch (node[0]) {
      case NodeKind.object:
        return this.#record(node, this.#know(at, {}));
      case NodeKind.nullObject:
        return this.#record(node, this.#know(at, Object.create(null)));
      case NodeKind.array:
        return this.#array(node, this.#know(at, []));
      case NodeKind.map:
        return this.#map(node, this.#know(at, new Map()));
      case NodeKind.set:
        return this.#set(node, this.#know(at, new Set()));
      case NodeKind.error:
        return this.#error(node, at);
      case NodeKind.custom:
        return this.#custom(node, at);
      case NodeKind.web:
        this.#know(at, undefined); // hostile: refers to itself
        return this.#know(at, putTogether(node[1], this.#slot(node[2])));
      default:
        return this.#know(at, this.#leaf(node));
    }
  }

  #leaf(node: unknown[]): unknown {
    switch (node[0]) {
      case NodeKind.date:
        return typeof node[1] === 'number' ? new Date(node[1]) : damaged('a date expected');
      case NodeKind.regExp:
        return new RegExp(this.#text(node[1]), text(node[2]));
      case NodeKind.url:
        return new URL(this.#text(node[1]));
      case NodeKind.binary:
        return this.#binary(node);
      case NodeKind.storedBinary:
        return this.#storedBinary(node);
      case NodeKind.blob:
      case NodeKind.file:
        return this.#blob(node);
      case NodeKind.domException:
        return new DOMException(this.#text(node[1]), this.#text(node[2]));
      case NodeKind.kept:
        return this.#memory ? node[1] : damaged('an unknown node');
      default:
        return damaged('an unknown node');
    }
  }

  #record(node: unknown[], target: object): object {
    for (let i = 1; i < node.length; i += 2) {
      const key = this.#text(node[i]);
      if (key in target) define(target, key, this.#slot(node[i + 1]));
      else (target as Record<string, unknown>)[key] = this.#slot(node[i + 1]);
    }
    return target;
  }

  #array(node: unknown[], target: unknown[]): unknown[] {
    for (let i = 1; i < node.length; i++) target.push(this.#slot(node[i]));
    return target;
  }

  #map(node: unknown[], target: Map<unknown, unknown>): Map<unknown, unknown> {
    for (let i = 1; i < node.length; i += 2) target.set(this.#slot(node[i]), this.#slot(node[i + 1]));
    return target;
  }

  #set(node: unknown[], target: Set<unknown>): Set<unknown> {
    for (let i = 1; i < node.length; i++) target.add(this.#slot(node[i]));
    return target;
  }

  #error(node: unknown[], at: number): Error {
    const name = ERROR_NAMES[count(node[1])] ?? damaged('an unknown error type');
    const type = (globalThis as any)[name] as ErrorConstructor;
    const error = this.#know(at, name === 'AggregateError' ? new AggregateError([]) : new type());
    delete error.stack;
    for (let i = 2; i < node.length; i += 3) {
      define(error, this.#text(node[i]), this.#slot(node[i + 2]), node[i + 1] === true);
    }
    return error;
  }

  #custom(node: unknown[], at: number): unknown {
    const name = text(node[1]);
    const codec = codecNamed(name);
    if (!codec) {
      throw new SerializationError(
        `A stored value needs the codec '${name}'; call registerCodec('${name}', …) before the orchestrator is created.`,
      );
    }
    this.#know(at, undefined); // hostile: refers to itself
    return this.#know(at, codec.decode(this.#slot(node[3]), count(node[2])));
  }

  #stored(index: unknown): NonNullable<ReturnType<ResolveBlob>> {
    const at = count(index);
    const id = this.#blobIds[at] ?? damaged('an unknown blob');
    const stored = this.#resolveBlob?.(id, at);
    if (!stored) throw new PayloadLostError(`The stored blob ${id} is gone.`, { data: { blobId: id } });
    return stored;
  }

  #binary(node: unknown[]): unknown {
    const bytes = node[2];
    if (!(bytes instanceof Uint8Array)) return damaged('bytes expected');
    return binaryFrom(node[1], this.#memory === 'own' ? bytes.buffer : new Uint8Array(bytes).buffer);
  }

  #storedBinary(node: unknown[]): unknown {
    const buffer = this.#stored(node[2]);
    if (!(buffer instanceof ArrayBuffer)) return damaged('bytes expected: use decodeWithBlobs');
    if (buffer.byteLength !== node[3]) throw new PayloadLostError('A stored binary value has lost bytes.');
    return binaryFrom(node[1], buffer);
  }

  #blob(node: unknown[]): unknown {
    const stored = this.#stored(node[1]);
    if (node[2] === -1) return stored;
    const blob = stored instanceof Blob ? stored : new Blob([stored as ArrayBuffer]);
    if (blob.size !== node[2]) {
      throw new PayloadLostError(`A stored blob has ${blob.size} of ${String(node[2])} bytes.`);
    }
    const type = this.#text(node[3]);
    // One of the same content may have been stored as a File, with a name.
    const isSame = blob.type === type && !(typeof File === 'function' && blob instanceof File);
    if (node[0] === NodeKind.blob) return isSame ? blob : shareDigest(blob, blob.slice(0, blob.size, type));
    return shareDigest(blob, new File([blob], this.#text(node[4]), { type, lastModified: Number(node[5]) }));
  }
}

function bigintFrom(digits: string): bigint {
  const negative = digits.startsWith('-');
  const absolute = BigInt(`0x${negative ? digits.slice(1) : digits}`);
  return negative ? -absolute : absolute;
}

function utf16From(bytes: unknown): string {
  if (!(bytes instanceof Uint8Array) || bytes.length % 2) return damaged('code units expected');
  const parts: string[] = [];
  for (let i = 0; i < bytes.length; i += 8192) {
    const units: number[] = [];
    for (let j = i; j < Math.min(i + 8192, bytes.length); j += 2) {
      units.push((bytes[j] as number) | ((bytes[j + 1] as number) << 8));
    }
    parts.push(String.fromCharCode(...units));
  }
  return parts.join('');
}

/** The whole of a buffer as the type it was. */
function binaryFrom(kind: unknown, buffer: ArrayBufferLike): unknown {
  const name = BINARY_NAMES[count(kind)] ?? damaged('an unknown binary type');
  if (name === 'ArrayBuffer') return buffer;
  const type = (globalThis as any)[name];
  return typeof type === 'function' ? new type(buffer) : damaged(`this browser has no ${name}`);
}
