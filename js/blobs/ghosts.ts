/**
 * Runs whose files are gone: evicted by the browser, lost in both stores, or never stored because the
 * person chose so. Such a run is held, says which files it misses, and goes on when they are given again.
 *
 * Invariants: a file is taken for the missing one only if its content is (size and digest; name and size
 * where holdfast 0.1 has kept no digest). A run is never failed for a file that the person can give.
 */
import { refuse } from '../intake/checks.ts';
import { blobEntries } from '../codec/codec.ts';
import { inUnits } from '../codec/refuse.ts';
import { PayloadLostError, PayloadMismatchError, StorageLockedError } from '../errors.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import type { MissingFile } from '../types.ts';
import { type DescribedFile, describeFiles } from './describe.ts';
import { digestOf } from './digest.ts';
import { fileOf, isFileHandle } from './handles.ts';

export class Ghosts {
  readonly #house: Orchestrator;
  readonly #waiting = new Map<Run, DescribedFile[]>();

  constructor(house: Orchestrator) {
    this.#house = house;
    house.blobs.onRestored = (id) => this.#restored(id);
  }

  /**
   * Runs of a log that was just read: those that miss files are held before any of them starts, and those in
   * `held`, which were when the log was written, are not any more if everything is there.
   */
  async look(runs: readonly Run[], held: ReadonlySet<Run>, lost: ReadonlySet<string>): Promise<void> {
    for (const run of runs) {
      // An event is not run; whoever reads it hears that its data is gone.
      if (run.end !== End.None || !run.extra.blobs || run.extra.hidden) continue;
      const missing = [...run.extra.blobs.keys()].some((id) => lost.has(id)) ? await this.#missing(run, lost) : undefined;
      // The core may have crashed meanwhile, and the run with it.
      if (run.task === 0) continue;
      if (missing) this.#hold(run, missing);
      else if (held.has(run)) this.#letGo(run);
    }
  }

  #letGo(run: Run): void {
    this.#waiting.delete(run);
    run.ownExtra.missing = undefined;
    this.#house.pump.commands.push(P.CommandRelease, run.task, P.HoldPayloadMissing);
    this.#house.changed(run);
    this.#house.pump.wake();
  }

  /** An attempt could not load its input. False: nobody can help. */
  async startFailed(run: Run, attempt: number, error: Error): Promise<boolean> {
    const lost = new Set<string>();
    for (const id of run.extra.blobs?.keys() ?? []) if (!(await this.#house.blobs.isThere(id))) lost.add(id);
    const isLocked = error instanceof StorageLockedError;
    const missing = await this.#missing(run, new Set([...lost, ...(await this.#closedHandles(run))]), isLocked);
    if (!missing || run.attempt !== attempt) return false;
    this.#house.blobs.lose(lost);
    this.#hold(run, missing);
    return true;
  }

  /** Handles whose files can't be read, or are others now; what stands for them is there. */
  async #closedHandles(run: Run): Promise<string[]> {
    const { attempts, blobs } = this.#house;
    const handles = blobEntries(attempts.inputBytes(run)).filter(({ kind }) => kind === 'handle');
    const closed = await Promise.all(handles.map((entry) => blobs.load(entry).then(() => [], () => [entry.id])));
    return closed.flat();
  }

  /** What a handle stood for. */
  async #described(file: DescribedFile): Promise<DescribedFile> {
    if (file.kind !== 'handle') return file;
    const { blobs } = this.#house;
    return { ...file, ...(await blobs.handles.read(await blobs.ticket(file))) };
  }

  /** The files of its input that are gone. undefined: none, or what is gone was no file. `isLocked`: a key is missing, which may come. */
  async #missing(run: Run, lost: ReadonlySet<string>, isLocked = false): Promise<DescribedFile[] | undefined> {
    try {
      const bytes = this.#house.attempts.inputBytes(run);
      const files = await describeFiles(bytes, this.#house.blobs.load).catch((error) => {
        if (error instanceof StorageLockedError) return blobEntries(bytes).map((entry) => ({ ...entry, name: undefined, type: '', lastModified: undefined }));
        throw error;
      });
      // One file twice in a value, as it was given and as a schema parsed it, is asked for once.
      const missing = files.filter(({ id, name }, index) => lost.has(id) && files.findIndex((one) => one.id === id && one.name === name) === index);
      const canBeGiven = missing.length > 0 && (isLocked || missing.every(({ kind }) => kind === 'blob' || kind === 'page' || kind === 'handle'));
      return canBeGiven ? await Promise.all(missing.map((file) => this.#described(file))) : undefined;
    } catch (error) {
      if (!(error instanceof PayloadLostError)) this.#house.warn(`The input of run ${run.id} can't be read: ${(error as Error).message}`);
      return undefined;
    }
  }

  #hold(run: Run, missing: DescribedFile[]): void {
    this.#waiting.set(run, missing);
    run.ownExtra.missing = missing.map(told);
    this.#house.pump.commands.push(P.CommandHold, run.task, P.HoldPayloadMissing);
    this.#house.changed(run);
    this.#house.pump.wake();
  }

  /**
   * One of the files the run misses. True: it has all of them and goes on; false: others are still missing,
   * or it waits for none.
   * @throws PayloadMismatchError saying what differs @throws SerializationError for a handle that can't be read @throws StorageFullError
   */
  async provide(run: Run, file: unknown): Promise<boolean> {
    const content = isFileHandle(file) ? await fileOf(file) : file;
    if (!(content instanceof Blob)) refuse('provide', 'a File, a Blob or a file handle', file);
    const missing = this.#waiting.get(run);
    if (!missing) return false;
    const match = await findMatch(missing, content);
    if (match.kind === 'handle') await this.#house.blobs.giveHandle(match, isFileHandle(file) ? file : (content as File), content as File);
    else await this.#house.blobs.restore(match, content);
    if (this.#waiting.has(run)) return false;
    await this.#house.journal!.acknowledged();
    return true;
  }

  /** Whoever brought it: every run that missed it has it now. */
  #restored(id: string): void {
    const { pump } = this.#house;
    for (const [run, missing] of this.#waiting) {
      if (run.extra.gone) this.#waiting.delete(run);
      const left = missing.filter((file) => file.id !== id);
      if (left.length === missing.length) continue;
      if (left.length > 0) {
        this.#waiting.set(run, left);
        run.ownExtra.missing = left.map(told);
      } else {
        this.#waiting.delete(run);
        run.ownExtra.missing = undefined;
        if (run.task !== 0) pump.commands.push(P.CommandRelease, run.task, P.HoldPayloadMissing);
      }
      this.#house.changed(run);
    }
    pump.wake();
  }
}

function told({ name, type, size, lastModified, digest }: DescribedFile): MissingFile {
  return Object.freeze({ name, type, size: size ?? 0, lastModified, digest });
}

async function findMatch(missing: readonly DescribedFile[], file: Blob): Promise<DescribedFile> {
  const name = typeof File === 'function' && file instanceof File ? file.name : undefined;
  const sized = missing.filter(({ size }) => size === file.size);
  if (sized.length === 0) throw mismatch(closest(missing, name), file, name, 'size');
  const old = sized.find((one) => one.digest === undefined && (one.name === undefined || one.name === name) && isOfTheTime(one, file));
  const digest = sized.some((one) => one.digest !== undefined) ? await digestOf(file) : undefined;
  const match = sized.find((one) => one.digest !== undefined && one.digest === digest) ?? old;
  if (match) return match;
  const wanted = closest(sized, name);
  throw mismatch(wanted, file, name, wanted.digest !== undefined ? 'content' : wanted.name === name ? 'lastModified' : 'name');
}

/** Of a handle's large file nothing is known but this. */
const isOfTheTime = (one: DescribedFile, file: Blob): boolean => one.kind !== 'handle' || one.lastModified === (file as Partial<File>).lastModified;

/** The one that was probably meant. */
function closest(missing: readonly DescribedFile[], name: string | undefined): DescribedFile {
  return missing.find((one) => one.name === name) ?? missing[0]!;
}

function mismatch(wanted: DescribedFile, file: Blob, name: string | undefined, differs: 'name' | 'size' | 'content' | 'lastModified'): PayloadMismatchError {
  const given = name === undefined ? 'This Blob' : JSON.stringify(name);
  const missing = wanted.name === undefined ? 'the missing file' : JSON.stringify(wanted.name);
  const why = {
    name: `it has another name, and nothing else is known of the missing one's content`,
    size: `it has ${inUnits(file.size)}, the missing one had ${inUnits(wanted.size ?? 0)}`,
    content: `it has the same size, but another content`,
    lastModified: `it was changed since, or is another one, and nothing else is known of the missing one's content`,
  }[differs];
  return new PayloadMismatchError(`${given} is not ${missing}: ${why}.`, {
    data: { differs, expected: told(wanted), given: { name, size: file.size } },
  });
}
