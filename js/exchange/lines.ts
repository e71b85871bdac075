/**
 * The form of an export: text, a JSON object a line, so that it can be looked through, cut and compared, and
 * written and read without having all of it.
 *
 *   export := head · (blob · bytes{bytes})* · run* · end
 *   head   := { kind: 'holdfast', version: 1, at }
 *   blob   := { kind: 'blob', id, size, digest }            its content follows
 *   bytes  := { kind: 'bytes', blob: id, base64 }
 *   run    := { kind: 'run', id, task, name, status, createdAt, parent, after, events, payloads }
 *   events := [kind, a, b, at]{events}                      the records of a snapshot of this run (src/record.h)
 *   payloads := { part, base64, shown }{payloads}           one for each event that carries one; `shown` is for people
 *   end    := { kind: 'end', runs, blobs }                  without it something is missing
 *
 * Invariant: what is read here has the shapes that it claims; anything else is an ImportError with its line.
 */
import { ImportError } from '../errors.ts';
import * as P from '../protocol.ts';

export type EventRow = [kind: number, a: number, b: number, at: number];

/** What a payload is of: `input` bears names and metadata too. */
export type Part = 'input' | 'step' | 'output' | 'error' | 'note';

export interface PayloadLine {
  part: Part;
  base64: string;
  shown?: unknown;
}
export interface RunLine {
  kind: 'run';
  id: string;
  task: string;
  name: string;
  status: string;
  createdAt: number;
  /** Of the run whose child it is. */
  parent?: string;
  /** Of the runs that it waits for, one for each `Depended` among its events. */
  after?: string[];
  events: EventRow[];
  payloads: PayloadLine[];
}
export type Line =
  | { kind: 'holdfast'; version: number; at: number }
  | { kind: 'blob'; id: string; size: number; digest: string }
  | { kind: 'bytes'; blob: string; base64: string }
  | RunLine
  | { kind: 'end'; runs: number; blobs: number };

export const formVersion = 1;
/** Of what is in a `bytes` line, before it is text. */
export const pieceBytes = 192 * 1024;
/** More a browser can hardly have in one piece. */
export const longestLine = 256 * 1024 * 1024;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isWord = (value: unknown): value is number => isCount(value) && (value as number) <= 0xffffffff;
const isText = (value: unknown): value is string => typeof value === 'string';
const isId = (value: unknown): boolean => isText(value) && /^[0-9a-f]{16}$/.test(value);
const isBase64 = (value: unknown): boolean => isText(value) && value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value);

/** Every kind that a run's events may be of: what one run's snapshot has. */
const kinds: ReadonlySet<number> = new Set([
  P.EventCreated, P.EventTaskSet, P.EventNoted, P.EventStepRecorded, P.EventSucceeded, P.EventAttemptFailed, P.EventHeld, P.EventBelonged, P.EventDepended, P.EventRestored,
]);
export const carriers: ReadonlyMap<number, Part> = new Map([
  [P.EventCreated, 'input'], [P.EventStepRecorded, 'step'], [P.EventSucceeded, 'output'], [P.EventAttemptFailed, 'error'], [P.EventNoted, 'note'],
]);

const isEvent = (row: unknown): boolean =>
  Array.isArray(row) && row.length === 4 && row.slice(0, 3).every(isWord) && kinds.has(row[0]) && typeof row[3] === 'number' && Number.isFinite(row[3]);

const shapes: Record<Line['kind'], (line: any) => string | undefined> = {
  holdfast: ({ version }) => (version === formVersion ? undefined : `its version is ${JSON.stringify(version)}, this release reads ${formVersion}`),
  blob: ({ id, size, digest }) => (isId(id) && isCount(size) && isText(digest) && /^[0-9a-f]{64}$/.test(digest) ? undefined : 'a blob needs id, size and digest'),
  bytes: ({ blob, base64 }) => (isId(blob) && isBase64(base64) ? undefined : 'bytes need the id of their blob, and base64'),
  run: (line) => checkRun(line),
  end: ({ runs, blobs }) => (isCount(runs) && isCount(blobs) ? undefined : 'the end needs counts of runs and blobs'),
};

function checkRun({ id, task, name, events, payloads, parent, after }: RunLine): string | undefined {
  if (![id, task, name].every(isText) || id === '' || id.length > 512) return 'a run needs id, task and name';
  if (parent !== undefined && !isText(parent)) return 'the parent of a run is named by its id';
  if (!Array.isArray(events) || events.length === 0) return `run ${JSON.stringify(id)} has no events`;
  const wrong = events.findIndex((row) => !isEvent(row));
  if (wrong >= 0) return `event ${wrong} of run ${JSON.stringify(id)} is none: ${JSON.stringify(events[wrong])?.slice(0, 80)}`;
  if (events[0]![0] !== P.EventCreated || events.filter(([kind]) => kind === P.EventCreated).length !== 1) return `run ${JSON.stringify(id)} does not begin with its creation`;
  const edges = events.filter(([kind]) => kind === P.EventDepended).length;
  if (edges > 0 ? !Array.isArray(after) || after.length !== edges || !after.every(isText) : after !== undefined) return `run ${JSON.stringify(id)} waits for ${edges} runs, and does not name as many`;
  const parts = events.flatMap(([kind]) => carriers.get(kind) ?? []);
  if (!Array.isArray(payloads) || payloads.length !== parts.length) return `run ${JSON.stringify(id)} has ${parts.length} events with a payload, and not as many payloads`;
  const bad = payloads.findIndex((payload, index) => payload?.part !== parts[index] || !isBase64(payload.base64));
  return bad < 0 ? undefined : `payload ${bad} of run ${JSON.stringify(id)} is none`;
}

/** @param number from 1 @throws ImportError */
export function parseLine(text: string, number: number): Line {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch (cause) {
    throw importError(number, 'it is no JSON', cause);
  }
  const kind = (line as { kind?: unknown } | null)?.kind;
  if (typeof kind !== 'string' || !Object.hasOwn(shapes, kind)) throw importError(number, 'it is no line of an export of holdfast');
  const wrong = shapes[kind as Line['kind']](line);
  if (wrong !== undefined) throw importError(number, wrong);
  return line as Line;
}

export function importError(line: number, reason: string, cause?: unknown): ImportError {
  return new ImportError(`Line ${line} can't be imported: ${reason}. Nothing was imported.`, { data: { line, reason }, ...(cause !== undefined && { cause }) });
}

const zipped = "it is compressed: file.stream().pipeThrough(new DecompressionStream('gzip'))";

/** Of bytes, or of text. @throws ImportError */
export async function* linesOf(source: ReadableStream<Uint8Array | string>): AsyncGenerator<[text: string, number: number]> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  // Joined once: a line may come in thousands of pieces.
  let rest: string[] = [];
  let length = 0;
  let number = 0;
  const add = (piece: string) => {
    rest.push(piece);
    length += piece.length;
    if (length > longestLine) throw importError(number + 1, `it has more than ${longestLine} characters`);
  };
  const line = (): [string, number] => {
    const text = rest.join('');
    rest = [];
    length = 0;
    return [text, ++number];
  };
  const decode = (bytes?: Uint8Array | string) => {
    if (typeof bytes === 'string') return bytes;
    try {
      if (number === 0 && length === 0 && bytes?.[0] === 0x1f && bytes[1] === 0x8b) throw new Error(zipped);
      return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
    } catch (cause) {
      throw importError(number + 1, (cause as Error).message === zipped ? zipped : 'it is no text', cause);
    }
  };
  const reader = source.getReader();
  try {
    for (let done = false; !done; ) {
      const read = await reader.read();
      done = read.done;
      const parts = decode(read.value).split('\n');
      const last = parts.pop()!;
      for (const part of parts) {
        add(part);
        yield line();
      }
      add(last);
    }
    if (length > 0) yield line();
  } finally {
    await reader.cancel().catch(() => {});
  }
}

export function toBase64(bytes: Uint8Array): string {
  let text = '';
  // Spread, each byte would be taken from an iterator: a hundred times as long.
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode.apply(null, bytes.subarray(at, at + 0x8000) as unknown as number[]);
  return btoa(text);
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const decoded = atob(text);
  const bytes = new Uint8Array(decoded.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = decoded.charCodeAt(at);
  return bytes;
}
