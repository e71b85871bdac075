/**
 * One text per value: equal values have equal texts, different values different ones. Keys of the
 * cache are hashed from it.
 *
 *   text    := undefined | null | true | false | number | number n | JSON string
 *            | [text, …] | {key:text, …}                              keys sorted
 *            | Map{text=>text, …} | Set{text, …}                      entries sorted
 *            | Date(ms) | RegExp(source,flags) | URL(href)
 *            | URLSearchParams[[name,text],…] | FormData[…] | Headers[…]   as they give them; Headers sort theirs
 *            | Uint8Array(length,hex) …                               every binary kind, by its bytes
 *            | Error(kind,{own fields but stack}) | DOMException(name,message)
 *            | Blob(type,size,digest) | File(name,type,size,digest)   by content
 *            | @name(text)                                            of a registered codec
 *            | ^n                                                     a cycle: n containers up
 *   and any text of a container longer than 512 characters is #SHA-256 of itself.
 *
 * What does not count: the order of an object's keys, of a Map's and of a Set's entries; whether one
 * object stands in two places or two equal ones do; prototypes (null or Object's); an Error's stack;
 * a File's lastModified. What counts: everything else the codec keeps, -0 and undefined fields too.
 *
 * Invariant: the hashing of long texts bounds the work, so that shared parts are walked once however
 * often they occur.
 */
import { digestOf } from '../blobs/digest.ts';
import { binaryKind, BINARY_NAMES, codecFor, ERROR_NAMES, errorKind, isExactly, isRecord, MAX_DEPTH, tagOf } from '../codec/kinds.ts';
import { knownDigest } from '../codec/known-digests.ts';
import { notCloneable, segment, tooDeep } from '../codec/refuse.ts';
import { digestBytes, digestText } from './digest.ts';

const longText = 512;
const shortBytes = 64;

/** The text of a value, Blobs and all. @throws SerializationError for what the codec can't store */
export async function canonical(value: unknown): Promise<string> {
  const writer = new CanonicalWriter();
  let text = writer.write(value);
  while (writer.blobs.length > 0) {
    for (const blob of writer.blobs.splice(0)) await digestOf(blob);
    text = writer.write(value);
  }
  return text;
}

export class CanonicalWriter {
  /** Met and not hashed yet: the text is good only when there are none. */
  readonly blobs: Blob[] = [];
  readonly #path: object[] = [];
  readonly #texts = new Map<object, string>();
  /** The highest container (as an index of the path) that a cycle under way refers to. */
  #highest = Number.POSITIVE_INFINITY;
  #complete = true;

  write(value: unknown): string {
    switch (typeof value) {
      case 'string':
        return JSON.stringify(value);
      case 'number':
        return Object.is(value, -0) ? '-0' : String(value);
      case 'bigint':
        return `${value}n`;
      case 'boolean':
      case 'undefined':
        return String(value);
      case 'object':
        return value === null ? 'null' : this.#object(value);
      default:
        throw notCloneable('value', value, typeof value);
    }
  }

  #object(value: object): string {
    const known = this.#texts.get(value);
    if (known !== undefined) return known;
    const depth = this.#path.length;
    const index = this.#path.indexOf(value);
    if (index >= 0) {
      this.#highest = Math.min(this.#highest, index);
      return `^${depth - index}`;
    }
    if (depth > MAX_DEPTH) throw tooDeep('value');
    const [highest, complete] = [this.#highest, this.#complete];
    this.#highest = Number.POSITIVE_INFINITY;
    this.#complete = true;
    this.#path.push(value);
    const written = this.#container(value);
    this.#path.pop();
    const text = written.length > longText ? `#${digestText(written)}` : written;
    // What refers to a container above means something else elsewhere.
    if (this.#highest >= depth && this.#complete) this.#texts.set(value, text);
    if (this.#highest >= depth) this.#highest = Number.POSITIVE_INFINITY;
    this.#highest = Math.min(this.#highest, highest);
    this.#complete = this.#complete && complete;
    return text;
  }

  #container(value: object): string {
    if (Array.isArray(value)) return `[${this.#list(value)}]`;
    if (isRecord(value)) return this.#record(value as Record<string, unknown>);
    const custom = codecFor(value);
    if (custom) return `@${JSON.stringify(custom[0])}(${this.write(custom[1].encode(value))})`;
    const tag = tagOf(value);
    const binary = binaryKind(value, tag);
    if (binary >= 0) return this.#binary(BINARY_NAMES[binary]!, value as ArrayBuffer | ArrayBufferView);
    if (tag === 'Blob' || tag === 'File') return this.#blob(value as Blob, tag);
    const error = errorKind(value, tag);
    if (error >= 0 && tag !== 'DOMException') return this.#error(ERROR_NAMES[error]!, value as Error);
    return this.#builtIn(value, tag);
  }

  #builtIn(value: any, tag: string): string {
    if (!isExactly(value, tag)) throw notCloneable('value', value, tag);
    switch (tag) {
      case 'Map':
        return `Map{${[...value].map(([key, item]: [unknown, unknown]) => `${this.write(key)}=>${this.write(item)}`).sort().join()}}`;
      case 'Set':
        return `Set{${[...value].map((item) => this.write(item)).sort().join()}}`;
      case 'Date':
        return `Date(${value.getTime()})`;
      case 'RegExp':
        return `RegExp(${JSON.stringify(value.source)},${value.flags})`;
      case 'URL':
        return `URL(${JSON.stringify(value.href)})`;
      case 'URLSearchParams':
      case 'FormData':
      case 'Headers':
        return `${tag}[${this.#list([...value])}]`;
      case 'DOMException':
        return `DOMException(${JSON.stringify(value.name)},${JSON.stringify(value.message)})`;
      default:
        throw notCloneable('value', value, tag);
    }
  }

  #list(values: readonly unknown[]): string {
    let text = '';
    for (let i = 0; i < values.length; i++) text += i === 0 ? this.write(values[i]) : `,${this.write(values[i])}`;
    return text;
  }

  #record(value: Record<string, unknown>, keys: string[] = Object.keys(value)): string {
    return `{${keys.sort().map((key) => `${JSON.stringify(key)}:${this.write(value[key])}`).join()}}`;
  }

  #error(kind: string, error: Error): string {
    const keys = new Set(Object.getOwnPropertyNames(error)).add('name').add('message');
    keys.delete('stack');
    return `Error(${kind},${this.#record(error as unknown as Record<string, unknown>, [...keys])})`;
  }

  #binary(name: string, value: ArrayBuffer | ArrayBufferView): string {
    const bytes = ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : new Uint8Array(value);
    const content = bytes.length > shortBytes ? `#${digestBytes(bytes)}` : Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return `${name}(${bytes.length},${content})`;
  }

  #blob(blob: Blob, tag: string): string {
    const digest = knownDigest(blob);
    if (digest === undefined) {
      this.blobs.push(blob);
      this.#complete = false;
    }
    const name = tag === 'File' ? `${JSON.stringify((blob as File).name)},` : '';
    return `${tag}(${name}${JSON.stringify(blob.type)},${blob.size},${digest})`;
  }
}

const maxFields = 64;
const maxText = 80;

/**
 * What a value is made of, in at most 64 fields by their paths, each as its text where that is short:
 * for people, and to say where two values differ. Call it after `canonical` has seen the Blobs.
 */
export function fieldsOf(value: unknown, rootName: string): Record<string, string> {
  const writer = new CanonicalWriter();
  let open: [path: string, value: unknown][] = [[rootName, value]];
  const done: typeof open = [];
  while (open.length > 0) {
    const next: typeof open = [];
    open.forEach(([path, part], index) => {
      const parts = partsOf(path, part);
      const others = done.length + next.length + open.length - index - 1;
      if (parts.length === 0 || parts.length + others > maxFields) done.push([path, part]);
      else next.push(...parts);
    });
    open = next;
  }
  return Object.fromEntries(done.map(([path, part]) => [path, shorten(writer.write(part), part)]));
}

function partsOf(path: string, value: unknown): [path: string, value: unknown][] {
  if (typeof value !== 'object' || value === null || path.length > 200) return [];
  if (Array.isArray(value)) return value.map((item, index) => [path + segment(index), item]);
  return isRecord(value) ? Object.entries(value).map(([key, item]) => [path + segment(key), item]) : [];
}

function shorten(text: string, value: unknown): string {
  if (text.startsWith('#')) return text.slice(0, 17);
  if (text.length <= maxText) return text;
  const digest = `#${digestText(text).slice(0, 16)}`;
  return typeof value === 'string' ? `${JSON.stringify(value.slice(0, 40))}… ${digest}` : digest;
}
