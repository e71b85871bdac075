/**
 * Reads a JSON or NDJSON file element by element from any element's beginning, in constant memory.
 *
 * A *cursor* is where an element begins. For a JSON array it lies right behind the comma: reading is
 * taken up there by telling the parser `[` first and then giving it the rest of the file. So what a
 * finished part has consumed is never parsed again.
 */
import { Tokenizer, TokenParser, TokenType } from '@streamparser/json';
import { FatalError } from 'holdfast';
import { faultOf, type Subject, unreadable } from './faults.ts';
import { exactNumber, parseExactly } from './json-clean.ts';

export type JsonKind = 'array' | 'object' | 'lines';

export interface Cursor {
  /** In bytes from the beginning of the file. */
  offset: number;
  /** From 1. */
  line: number;
}

export interface Element {
  /** Only of an object's. */
  key?: string;
  value: unknown;
  at: Cursor;
}

export interface Reading {
  file: File;
  subject: Subject;
  kind: JsonKind;
  from: Cursor;
  signal: AbortSignal;
  /** false: this element is not wanted; reading ends before it. */
  onElement(element: Element): boolean;
  onProblem(message: string, at: Cursor): void;
  onBytes(offset: number): void;
}

/** Where to go on; undefined: the file has been read to its end. */
export type Stopped = Cursor | undefined;

const kMaxElementBytes = 64 * 1024 * 1024;
const kNewline = 10;

/** What kind of file it is and where its first element may begin. */
export async function inspect(file: File, subject: Subject): Promise<{ kind: JsonKind; from: Cursor }> {
  if (file.size === 0) throw faultOf(subject, 'empty');
  const head = new Uint8Array(await file.slice(0, 64 * 1024).arrayBuffer());
  if ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff)) {
    throw faultOf(subject, 'utf16');
  }
  let at = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0;
  if (/\.(ndjson|jsonl|jsonlines)$/i.test(file.name)) return { kind: 'lines', from: { offset: at, line: 1 } };
  let line = 1;
  for (; at < head.length && [32, 9, 13, kNewline].includes(head[at] as number); at++) if (head[at] === kNewline) line++;
  const first = String.fromCharCode(head[at] ?? 0);
  if (first !== '[' && first !== '{') throw faultOf(subject, 'notJson');
  return { kind: first === '[' ? 'array' : 'object', from: { offset: at + 1, line } };
}

export function read(reading: Reading): Promise<Stopped> {
  return reading.kind === 'lines' ? new LineReader(reading).run() : new ElementReader(reading).run();
}

/** Calls `take` with pieces of the file until it says that it has enough. */
async function eachChunk(reading: Reading, take: (chunk: Uint8Array, base: number) => boolean): Promise<void> {
  const reader = reading.file.slice(reading.from.offset).stream().getReader();
  let base = reading.from.offset;
  try {
    for (;;) {
      reading.signal.throwIfAborted();
      const { value, done } = await reader.read().catch((error) => { throw unreadable(error, reading.subject) ?? error; });
      if (done || take(value, base)) return;
      base += value.length;
      reading.onBytes(base);
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Keeps numbers that JavaScript can't hold. */
class ExactTokenizer extends Tokenizer {
  onInexact: (text: string) => void = () => {};
  override parseNumber(text: string): number {
    return exactNumber(text, () => this.onInexact(text)) as number;
  }
}

class ElementReader {
  readonly #reading: Reading;
  readonly #tokenizer = new ExactTokenizer();
  readonly #parser = new TokenParser({ paths: ['$.*'], keepStack: false });
  #chunk: Uint8Array = new Uint8Array(0);
  #base = 0;
  #line: number;
  /** Newlines before this offset are in `#line`. */
  #countedTo: number;
  /** Right behind the last comma. */
  #boundary: Cursor;
  #start: Cursor | undefined;
  #tokenAt = 0;
  #stopped = false;

  constructor(reading: Reading) {
    this.#reading = reading;
    const { from } = reading;
    [this.#line, this.#countedTo, this.#boundary] = [from.line, from.offset, from];
    this.#tokenizer.onInexact = (text) => reading.onProblem(`the number ${text} was rounded`, this.#here());
    this.#tokenizer.onToken = (token) => this.#onToken(token);
    this.#parser.onValue = ({ key, value }) => this.#onValue(key, value);
    // Both the tokenizer and the parser would otherwise swallow what their callbacks throw.
    this.#tokenizer.onError = this.#parser.onError = (error) => { throw error; };
  }

  async run(): Promise<Stopped> {
    this.#tokenizer.write(this.#reading.kind === 'array' ? '[' : '{');
    await eachChunk(this.#reading, (chunk, base) => this.#take(chunk, base));
    if (this.#stopped) return this.#boundary;
    if (!this.#parser.isEnded) throw faultOf(this.#reading.subject, 'cutShort');
    return undefined;
  }

  #take(chunk: Uint8Array, base: number): boolean {
    [this.#chunk, this.#base] = [chunk, base];
    try {
      this.#tokenizer.write(chunk);
    } catch (error) {
      throw this.#syntaxFault(error);
    }
    if (this.#stopped) return true;
    this.#countLines(base + chunk.length);
    if (base + chunk.length - this.#here().offset > kMaxElementBytes && !this.#parser.isEnded) {
      throw faultOf(this.#reading.subject, 'largeElement', this.#here());
    }
    return false;
  }

  #onToken(token: Parameters<TokenParser['write']>[0] & { offset: number; token: TokenType }): void {
    if (this.#stopped) return;
    // The bracket told first is the parser's byte 0.
    const offset = this.#reading.from.offset + token.offset - 1;
    this.#tokenAt = offset;
    const depth = this.#parser.isEnded ? 0 : (this.#parser as unknown as { stack: unknown[] }).stack.length;
    if (depth === 1 && token.token === TokenType.COMMA) {
      this.#boundary = { offset: offset + 1, line: this.#countLines(offset) };
      this.#start = undefined;
    } else if (depth === 1 && !this.#start) {
      this.#start = { offset, line: this.#countLines(offset) };
    }
    this.#parser.write(token);
  }

  #onValue(key: string | number | undefined, value: unknown): void {
    const element: Element = { value, at: this.#here() };
    if (this.#reading.kind === 'object') element.key = String(key);
    if (!this.#reading.onElement(element)) this.#stopped = true;
  }

  #here(): Cursor {
    return this.#start ?? this.#boundary;
  }

  #countLines(upTo: number): number {
    if (upTo <= this.#countedTo) return this.#line;
    const end = upTo - this.#base;
    let at = this.#chunk.indexOf(kNewline, Math.max(0, this.#countedTo - this.#base));
    for (; at >= 0 && at < end; at = this.#chunk.indexOf(kNewline, at + 1)) this.#line += 1;
    this.#countedTo = upTo;
    return this.#line;
  }

  /** The parser's words, as a sentence with a place. Positions in its messages count within the piece just written. */
  #syntaxFault(error: unknown): unknown {
    if (error instanceof FatalError) return error;
    const message = error instanceof Error ? error.message : String(error);
    const position = /position "(\d+)"/.exec(message);
    const offset = position ? this.#base + Number(position[1]) : this.#tokenAt;
    const place = { offset, line: this.#countLines(Math.min(offset, this.#base + this.#chunk.length)) };
    if (this.#parser.isEnded) return faultOf(this.#reading.subject, 'trailing', place, error);
    const byte = this.#chunk[offset - this.#base];
    const found = byte !== undefined && byte > 32 && byte < 127 ? String.fromCharCode(byte) : '';
    return faultOf(this.#reading.subject, 'syntax', { ...place, found }, error);
  }
}

class LineReader {
  readonly #reading: Reading;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  #rest: Uint8Array[] = [];
  #restBytes = 0;
  #at: Cursor;
  #stopped = false;

  constructor(reading: Reading) {
    this.#reading = reading;
    this.#at = { ...reading.from };
  }

  async run(): Promise<Stopped> {
    await eachChunk(this.#reading, (chunk) => this.#take(chunk));
    if (!this.#stopped && this.#restBytes > 0) this.#line(this.#joined(new Uint8Array(0)), 0);
    return this.#stopped ? this.#at : undefined;
  }

  #take(chunk: Uint8Array): boolean {
    let from = 0;
    for (let end = chunk.indexOf(kNewline); end >= 0 && !this.#stopped; end = chunk.indexOf(kNewline, from)) {
      this.#line(this.#joined(chunk.subarray(from, end)), 1);
      from = end + 1;
    }
    if (this.#stopped) return true;
    this.#rest.push(chunk.slice(from));
    this.#restBytes += chunk.length - from;
    if (this.#restBytes > kMaxElementBytes) throw faultOf(this.#reading.subject, 'longLine', this.#at);
    return false;
  }

  /** The line's bytes with what earlier chunks held of it. */
  #joined(end: Uint8Array): Uint8Array {
    if (this.#restBytes === 0) return end;
    const line = new Uint8Array(this.#restBytes + end.length);
    let at = 0;
    for (const piece of [...this.#rest, end]) {
      line.set(piece, at);
      at += piece.length;
    }
    [this.#rest, this.#restBytes] = [[], 0];
    return line;
  }

  /** A line that can't be read is a problem of its own, not of the file. */
  #line(bytes: Uint8Array, newline: 0 | 1): void {
    const at = { ...this.#at };
    const value = this.#parsed(bytes, at);
    if (value !== undefined && !this.#reading.onElement({ value, at })) {
      this.#stopped = true;
      return;
    }
    this.#at = { offset: at.offset + bytes.length + newline, line: at.line + 1 };
  }

  #parsed(bytes: Uint8Array, at: Cursor): unknown {
    try {
      const text = this.#decoder.decode(bytes).trim();
      if (text === '') return undefined;
      return parseExactly(text, () => this.#reading.onProblem('a number was rounded', at));
    } catch (error) {
      const why = error instanceof SyntaxError ? 'is not valid JSON' : 'is not UTF-8 text';
      this.#reading.onProblem(`the line ${why}`, at);
      return undefined;
    }
  }
}
