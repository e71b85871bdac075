/**
 * The JSON task: a large file is checked, cleaned and cut into parts of at most `partBytes`, one durable
 * step per part. A step's value holds the part, compressed, and the cursor where the next one begins.
 */
import { FatalError, type TaskContext } from 'holdfast';
import { Cleaner, type CleanCounts, type CleanOptions } from './json-clean.ts';
import { type Cursor, type Element, inspect, type JsonKind, read } from './json-read.ts';
import { faultOf, type Subject, subjectOf } from './faults.ts';
import { baseName, numbered, shownName } from './names.ts';
import { announcedStep } from './progress.ts';
import { type Compressed, compress, Compressor, ZipWriter } from './zip.ts';

export interface JsonInput extends CleanOptions {
  file: File;
  /** Before compression. */
  partBytes: number;
  format: 'zip';
}

export interface Problem extends Cursor {
  message: string;
}

interface Part {
  from: Cursor;
  /** Where the next part begins; undefined: this is the last. */
  next?: Cursor | undefined;
  read: number;
  written: number;
  counts: CleanCounts;
  problems: Problem[];
  problemCount: number;
  /** undefined: nothing was left of all its elements. */
  content?: Compressed | undefined;
}

const kMinPartBytes = 1024;
const kMaxPartBytes = 256 * 1024 * 1024;
const kProblemsPerPart = 100;
const kProblemsInReport = 1000;
/** The zip's limit; part numbers get as many digits. */
const kMaxParts = 9_999;
const kBatchBytes = 64 * 1024;

export async function processJson(input: JsonInput, ctx: TaskContext): Promise<File> {
  const { file } = checkInput(input);
  const step = announcedStep(ctx);
  const subject = subjectOf(file, ctx.metadata);
  const { kind, from } = await step('open', () => inspect(file, subject));
  const builder = new ResultBuilder(input, kind, subject);
  let cursor: Cursor | undefined = from;
  for (let number = 1; cursor; number++) {
    const at: Cursor = cursor;
    const part: Part = await step(`part-${number}`, () => cutPart(input, subject, kind, at, ctx));
    builder.add(part);
    cursor = part.next;
    report(ctx, cursor?.offset ?? file.size, file.size, number);
  }
  const result = builder.finish();
  // Done is not the whole truth then: the page says so beside the panel.
  if (builder.problemCount > 0) ctx.emit('problems', { fileName: file.name, count: builder.problemCount });
  return result;
}

function checkInput(input: JsonInput): JsonInput {
  if (!(input?.file instanceof Blob)) throw new FatalError('The JSON task needs { file }: a File.');
  if (input.format !== 'zip') throw new FatalError(`The JSON task knows format 'zip', not ${JSON.stringify(input.format)}.`);
  if (!(input.partBytes >= kMinPartBytes && input.partBytes <= kMaxPartBytes)) {
    throw new FatalError('partBytes must lie between 1 KB and 256 MB.');
  }
  return input;
}

function report(ctx: TaskContext, offset: number, size: number, part: number): void {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  // 99: the last hundredth is the zip.
  ctx.progress({ value: (99 * offset) / size, phase: 'parts', step: `part-${part}`, message: `${megabytes(offset)} / ${megabytes(size)} MB` });
}

async function cutPart(input: JsonInput, subject: Subject, kind: JsonKind, from: Cursor, ctx: TaskContext): Promise<Part> {
  const problems = new ProblemList();
  let [elements, here] = [0, from];
  const onProblem = (message: string, at: Cursor) => problems.add(message, at);
  const cleaner = new Cleaner(input, (message) => onProblem(message, here));
  const writer = new PartWriter(kind, input.partBytes);
  const onElement = ({ key, value, at }: Element): boolean => {
    here = at;
    const counts = { ...cleaner.counts };
    const text = textOf(cleaner, value, (message) => onProblem(message, at));
    if (text !== undefined && !writer.add(key === undefined ? text : `${JSON.stringify(key)}: ${text}`)) {
      // The next part reads it again and counts it.
      Object.assign(cleaner.counts, counts);
      return false;
    }
    elements += 1;
    return true;
  };
  const next = await read({
    file: input.file, subject, kind, from, signal: ctx.signal, onElement, onProblem,
    onBytes: throttled((offset) => report(ctx, offset, input.file.size, 0), input.file.size / 200),
  });
  if (next) problems.dropFrom(next.offset);
  return {
    from, next, read: elements, written: writer.elements, counts: cleaner.counts,
    problems: problems.first, problemCount: problems.count, content: writer.finish(),
  };
}

/** Counts all problems and keeps the first; those of the newest element can be taken back. */
class ProblemList {
  readonly first: Problem[] = [];
  count = 0;
  #newest = { offset: -1, count: 0, kept: 0 };

  add(message: string, at: Cursor): void {
    if (at.offset !== this.#newest.offset) this.#newest = { offset: at.offset, count: this.count, kept: this.first.length };
    this.count += 1;
    if (this.first.length < kProblemsPerPart) this.first.push({ ...at, message });
  }

  dropFrom(offset: number): void {
    if (this.#newest.offset < offset) return;
    this.count = this.#newest.count;
    this.first.length = this.#newest.kept;
  }
}

/** Calls through when the offset has grown by `every` bytes. */
function throttled(call: (offset: number) => void, every: number): (offset: number) => void {
  let last = 0;
  return (offset) => {
    if (offset - last < every) return;
    last = offset;
    call(offset);
  };
}

function textOf(cleaner: Cleaner, value: unknown, onProblem: (message: string) => void): string | undefined {
  try {
    const clean = cleaner.clean(value);
    return clean === undefined ? undefined : JSON.stringify(clean);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    onProblem('an element was left out: it is nested too deep');
    return undefined;
  }
}

/** One part's text, compressed as it grows. An element larger than a part becomes a part of its own. */
class PartWriter {
  elements = 0;
  readonly #compressor = new Compressor();
  readonly #encoder = new TextEncoder();
  readonly #limit: number;
  readonly #frame: { open: string; between: string; close: string };
  #bytes: number;
  #batch = '';

  constructor(kind: JsonKind, limit: number) {
    this.#limit = limit;
    this.#frame = kind === 'lines' ? { open: '', between: '\n', close: '\n' }
      : kind === 'array' ? { open: '[\n', between: ',\n', close: '\n]\n' } : { open: '{\n', between: ',\n', close: '\n}\n' };
    this.#bytes = this.#frame.open.length + this.#frame.close.length;
  }

  /** false: it does not fit and was not added. */
  add(text: string): boolean {
    const before = this.elements === 0 ? this.#frame.open : this.#frame.between;
    const bytes = byteLength(text) + (this.elements === 0 ? 0 : before.length);
    if (this.elements > 0 && this.#bytes + bytes > this.#limit) return false;
    this.#bytes += bytes;
    this.elements += 1;
    this.#batch += before + text;
    if (this.#batch.length >= kBatchBytes) this.#flush();
    return true;
  }

  finish(): Compressed | undefined {
    if (this.elements === 0) return undefined;
    this.#batch += this.#frame.close;
    this.#flush();
    return this.#compressor.finish();
  }

  #flush(): void {
    this.#compressor.push(this.#encoder.encode(this.#batch));
    this.#batch = '';
  }
}

/** In UTF-8, without encoding it. */
function byteLength(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

class ResultBuilder {
  readonly #input: JsonInput;
  readonly #kind: JsonKind;
  readonly #subject: Subject;
  readonly #zip = new ZipWriter();
  readonly #parts: object[] = [];
  readonly #problems: Problem[] = [];
  readonly #sums = { elementsRead: 0, elementsWritten: 0, trimmed: 0, dropped: 0, renamed: 0, problems: 0 };

  constructor(input: JsonInput, kind: JsonKind, subject: Subject) {
    this.#input = input;
    this.#kind = kind;
    this.#subject = subject;
  }

  add({ from, read: elements, written, counts, problems, problemCount, content }: Part): void {
    const { trimmed, dropped, renamed } = counts;
    const growth = { elementsRead: elements, elementsWritten: written, trimmed, dropped, renamed, problems: problemCount };
    for (const [key, value] of Object.entries(growth) as [keyof typeof growth, number][]) this.#sums[key] += value;
    this.#problems.push(...problems.slice(0, kProblemsInReport - this.#problems.length));
    if (!content) return;
    const name = `parts/${numbered('part', this.#parts.length + 1, kMaxParts)}.${this.#kind === 'lines' ? 'ndjson' : 'json'}`;
    this.#zip.add(name, content);
    this.#parts.push({ name, bytes: content.size, elements: written, fromByte: from.offset, fromLine: from.line });
  }

  get problemCount(): number {
    return this.#sums.problems;
  }

  finish(): File {
    const { file, partBytes, trim, dropEmpty, keys, format } = this.#input;
    if (this.#kind === 'lines' && this.#sums.elementsRead === 0 && this.#sums.problems > 0) {
      throw faultOf(this.#subject, 'noValidLine', { count: this.#sums.problems });
    }
    const text = JSON.stringify({
      file: shownName(file.name), fileSize: file.size, kind: this.#kind, options: { partBytes, trim, dropEmpty, keys, format },
      ...this.#sums, parts: this.#parts, problemList: this.#problems,
    }, null, 2);
    this.#zip.add('report.json', compress(`${text}\n`));
    return this.#zip.finish(`${baseName(file.name)}-parts.zip`);
  }
}
