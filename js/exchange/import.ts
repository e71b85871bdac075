/**
 * Imports what was exported (lines.ts). All lines are read and checked first; then files are stored, and a log is
 * made of the runs that a core of its own reads, before ours takes it in as it takes in the log of a dead tab.
 *
 * Invariants: all or nothing, but for files that a crash leaves and the next opening sweeps. What is there already, by id, here or
 * in another tab, is left as it is. Nothing that was under way starts unless it is said so.
 */
import { checkNames, oneOf, refuse } from '../intake/checks.ts';
import { digestOf } from '../blobs/digest.ts';
import type { BlobReference } from '../codec/blob-list.ts';
import { Engine } from '../pump/engine.ts';
import { ConfigurationError, ImportError, StorageFullError } from '../errors.ts';
import { type Chain, plainVersion, writeFrame } from '../codec/frames.ts';
import { isContainer } from '../groups/kinds.ts';
import { concatenate } from '../journal/journal.ts';
import { loadCore } from '../load.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { carriers, type EventRow, fromBase64, importError, type Line, linesOf, parseLine, type RunLine } from './lines.ts';
import { blobsIn, headerOf, referenceOf, sectionsOf } from './parts.ts';
import { refuseReserved } from '../waiting/internal.ts';

export interface ImportOptions {
  /**
   * What becomes of runs that had not ended. `paused` (default): they wait until they are resumed. `go`: they go on from
   * their steps, as those of a dead tab do; whatever exported them must not. `skip`: they are left out.
   */
  unfinished?: 'paused' | 'go' | 'skip';
}

export interface ImportReport {
  /** Ids of runs that were taken in. */
  imported: string[];
  /** Ids of runs that were not: they are there already, or had not ended. */
  skipped: { id: string; reason: 'known' | 'unfinished' }[];
  /** Files and large values that came with them. */
  blobs: number;
}

export interface ReadRun extends RunLine {
  line: number;
  bytes: Uint8Array<ArrayBuffer>[];
}

export interface ReadExport {
  runs: ReadRun[];
  blobs: Map<string, { blob: Blob; line: number }>;
}

export async function importState(house: Orchestrator, source: unknown, options: ImportOptions = {}): Promise<ImportReport> {
  checkNames(options, ['unfinished'], 'importState');
  const { unfinished = 'paused' } = options;
  oneOf(unfinished, ['paused', 'go', 'skip'], 'importState unfinished');
  const stream = streamOf(source, 'importState');
  await house.ready;
  if (!house.journal) throw new ConfigurationError("importState: with storage 'memory' nothing can be stored. Use memory() of holdfast/storage/memory.");
  const read = await readExport(stream);
  const skipped: ImportReport['skipped'] = [];
  const without = (runs: ReadRun[], reason: 'known' | 'unfinished', isIt: (run: ReadRun) => boolean) => {
    for (const run of runs) if (isIt(run)) skipped.push({ id: run.id, reason });
    return runs.filter((run) => !isIt(run));
  };
  const unknown = (runs: ReadRun[]) => without(runs, 'known', ({ id }) => house.attach(id) !== undefined);
  const wanted = without(unknown(read.runs), 'unfinished', (run) => unfinished === 'skip' && !hasEnded(run));
  if (wanted.length === 0) return { imported: [], skipped, blobs: 0 };
  if (house.journal.refusing) throw new StorageFullError('importState: the browser storage is full, and nothing was imported. Free space or remove finished runs.');
  const carried = new Map(wanted.map((run) => [run.id, referencesOf(run, read.blobs)]));
  const references = [...carried.values()].flat();
  // Before anything is stored: what our core would not believe is known now, with its line.
  await tryOut(house, wanted);
  await house.blobs.store(references);
  try {
    let taken: ReadRun[] = [];
    // Once more: another import may have brought them meanwhile.
    const makeLog = () => ((taken = unknown(wanted)).length > 0 ? logOf(taken).log : undefined);
    const arrived = await house.opening.takeIn(makeLog, unfinished === 'paused');
    return { imported: arrived.map(({ id }) => id), skipped, blobs: new Set(taken.flatMap((run) => carried.get(run.id)!.map(({ id }) => id))).size };
  } finally {
    house.blobs.release(references);
  }
}

/** @throws ConfigurationError */
export function streamOf(source: unknown, verb: string): ReadableStream<Uint8Array | string> {
  if (source instanceof ReadableStream) {
    if (source.locked) throw new ConfigurationError(`${verb}: the stream is being read by somebody else.`);
    return source as ReadableStream<Uint8Array | string>;
  }
  if (source instanceof Blob) return source.stream();
  return refuse(verb, 'given the stream of an export, or a Blob or File of it', source);
}

/** @throws ImportError */
export async function readExport(source: ReadableStream<Uint8Array | string>): Promise<ReadExport> {
  const read: ReadExport = { runs: [], blobs: new Map() };
  const ids = new Set<string>();
  let open: OpenBlob | undefined;
  let last: Line['kind'] | undefined;
  let number = 0;
  for await (const [text, at] of linesOf(source)) {
    number = at;
    if (text.trim() === '') continue;
    const line = parseLine(text, number);
    if ((last === undefined) !== (line.kind === 'holdfast')) throw importError(number, last === undefined ? 'an export begins with its head' : 'an export has one head');
    if (last === 'end') throw importError(number, 'it stands behind the end');
    if (line.kind !== 'bytes' && open) await closeBlob(open, read, number), (open = undefined);
    if (line.kind === 'blob') open = { ...line, line: number, parts: [], bytes: 0 };
    else if (line.kind === 'bytes') addBytes(open, line, number);
    else if (line.kind === 'run') read.runs.push(readRun(line, number, ids));
    else if (line.kind === 'end') checkEnd(line, read, number);
    last = line.kind;
  }
  if (last !== 'end') throw importError(number + 1, 'the export ends too early: its last line is missing');
  return read;
}

interface OpenBlob {
  id: string;
  size: number;
  digest: string;
  line: number;
  parts: Blob[];
  bytes: number;
}

function addBytes(open: OpenBlob | undefined, { blob, base64 }: Extract<Line, { kind: 'bytes' }>, number: number): void {
  if (open?.id !== blob) throw importError(number, `bytes of blob ${blob}, which was not begun`);
  const bytes = fromBase64(base64);
  open.bytes += bytes.length;
  if (open.bytes > open.size) throw importError(number, `blob ${blob} has more than its ${open.size} bytes`);
  open.parts.push(new Blob([bytes]));
}

async function closeBlob({ id, size, digest, line, parts, bytes }: OpenBlob, read: ReadExport, number: number): Promise<void> {
  if (bytes !== size) throw importError(number, `blob ${id} has ${bytes} of its ${size} bytes`);
  const blob = new Blob(parts);
  if ((await digestOf(blob)) !== digest) throw importError(line, `blob ${id} has another content than its digest says`);
  read.blobs.set(id, { blob, line });
}

/** Everything of it that can be read by itself is. */
function readRun(line: RunLine, number: number, ids: Set<string>): ReadRun {
  if (ids.has(line.id)) throw importError(number, `run ${JSON.stringify(line.id)} came before`);
  ids.add(line.id);
  try {
    const bytes = line.payloads.map(({ base64 }) => fromBase64(base64));
    const header = headerOf(bytes[0]!);
    if (header.id !== line.id || header.identifier !== line.task) throw new Error(`its payload is of ${JSON.stringify(header.id)} of task ${JSON.stringify(header.identifier)}`);
    if (!isContainer(header.identifier)) refuseReserved(header.identifier, 'its task');
    const run = { ...line, line: number, bytes };
    blobsOf(run);
    return run;
  } catch (cause) {
    throw importError(number, (cause as Error).message, cause);
  }
}

/** Of all its payloads. @throws SerializationError */
function blobsOf({ events, payloads, bytes }: ReadRun): ReturnType<typeof blobsIn> {
  const carrying = events.filter(([kind]) => carriers.has(kind));
  return payloads.flatMap(({ part }, index) => blobsIn(sectionsOf(part, bytes[index]!, carrying[index]?.[1])));
}

function checkEnd({ runs, blobs }: Extract<Line, { kind: 'end' }>, read: ReadExport, number: number): void {
  if (runs !== read.runs.length || blobs !== read.blobs.size)
    throw importError(number, `it speaks of ${runs} runs and ${blobs} blobs, and ${read.runs.length} and ${read.blobs.size} came`);
}

function hasEnded({ events }: RunLine): boolean {
  const state = events.findLast(([kind, a]) => kind === P.EventRestored && a === P.RestoredFieldState);
  return state !== undefined && (state[2] & 0xf) >= P.StateSucceeded;
}

/** One for each mention of a blob that came along. */
export function referencesOf(run: ReadRun, blobs: ReadExport['blobs']): BlobReference[] {
  return blobsOf(run).flatMap((found) => {
    const given = blobs.get(found.entry.id);
    return given ? [referenceOf(found, given.blob)] : [];
  });
}

/** @throws ImportError for what a core does not believe */
async function tryOut(house: Orchestrator, runs: readonly ReadRun[]): Promise<void> {
  const { log, ends } = logOf(runs);
  let valid: number;
  try {
    const engine = new Engine(await loadCore(house.getOptions().wasm), 0, 0);
    valid = engine.load(log);
    engine.delete();
  } catch (cause) {
    throw new ImportError('The runs of this export can’t be true. Nothing was imported.', { cause, data: { line: runs[0]!.line, reason: 'its events can’t be true' } });
  }
  if (valid === log.length) return;
  const index = ends.findIndex((end) => end > valid);
  throw importError(runs[index % runs.length]!.line, `the events of run ${JSON.stringify(runs[index % runs.length]!.id)} can’t be true`);
}

/** As a compacted log: what is to be known of all, then whose children they are, what they wait for, and where they stand. */
export function logOf(runs: readonly ReadRun[]): { log: Uint8Array<ArrayBuffer>; ends: number[] } {
  const chain: Chain = { session: 1, sequence: 0, crc: 0 };
  const numbers = new Map(runs.map(({ id }, index) => [id, index + 1]));
  const frames: Uint8Array<ArrayBuffer>[] = [];
  const ends: number[] = [];
  const passes: ((kind: number) => boolean)[] = [(kind) => kind !== P.EventBelonged && kind !== P.EventDepended && kind !== P.EventRestored, (kind) => kind === P.EventBelonged, (kind) => kind === P.EventDepended, (kind) => kind === P.EventRestored];
  for (const isMeant of passes) {
    for (const run of runs) {
      frames.push(frameOf(chain, run, numbers, isMeant));
      ends.push((ends.at(-1) ?? 0) + frames.at(-1)!.length);
    }
  }
  return { log: concatenate(frames), ends };
}

function frameOf(chain: Chain, run: ReadRun, numbers: ReadonlyMap<string, number>, isMeant: (kind: number) => boolean): Uint8Array<ArrayBuffer> {
  const task = numbers.get(run.id)!;
  const rows: EventRow[] = [];
  const payloads: Uint8Array[] = [];
  let payload = 0;
  let edge = 0;
  for (const [kind, a, b, at] of run.events) {
    const bytes = carriers.has(kind) ? run.bytes[payload++] : undefined;
    if (!isMeant(kind)) continue;
    const isEdge = kind === P.EventDepended;
    const other = kind === P.EventBelonged ? numbers.get(run.parent ?? '') : isEdge ? numbers.get(run.after![edge++]!) : a;
    if (other === undefined) continue;
    rows.push([kind, other, bytes?.length ?? b, at]);
    if (bytes) payloads.push(bytes);
    if (kind === P.EventCreated) rows.push(...attachedBlobs(run));
  }
  return writeFrame(chain, plainVersion, recordsOf(rows, task), concatenate(payloads));
}

/** Which blobs its payloads speak of, those that did not come along too: then it is known that they are missing. */
function attachedBlobs(run: ReadRun): EventRow[] {
  const sizes = new Map<string, number>();
  for (const { entry } of blobsOf(run)) sizes.set(entry.id, entry.size ?? 0);
  return [...sizes].map(([id, size]) => [P.EventBlobAttached, Number.parseInt(id.slice(8), 16), Number.parseInt(id.slice(0, 8), 16), size]);
}

function recordsOf(rows: readonly EventRow[], task: number): Uint8Array {
  const records = new Uint8Array(rows.length * P.RecordBytes);
  const view = new DataView(records.buffer);
  rows.forEach(([kind, a, b, at], index) => {
    const word = index * P.RecordBytes;
    [kind, task, a, b].forEach((value, field) => view.setUint32(word + field * 4, value, true));
    view.setFloat64(word + 16, at, true);
  });
  return records;
}
