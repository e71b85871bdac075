/**
 * Blobs in one file: a chain of extents from offset 0, each at a multiple of 64.
 *
 *   arena  = extent*
 *   extent = header(32) data(length) padding(to units * 64)
 *   header = magic "HFX1" | units u32 | chain crc32 | id u64 | length u32 | data crc32 | state crc32
 *
 * `chain crc32` covers magic, units and the extent's place: it is the chain. `state crc32` covers all
 * before it; where it is wrong the extent is free. So a torn write of the state frees one extent
 * that nobody was promised, and never breaks the chain. (32 bytes at a multiple of 64 lie in one
 * sector, which disks write whole.)
 *
 * Invariants: an extent becomes used only after its data has been written. A blob is read only with
 * its checksum right; a large one that was just put is given once as it was written, without being read:
 * a file that a person drops is worked on at once.
 */
import { PayloadLostError, StorageFullError } from '../errors.ts';
import { crc32 } from './crc32.ts';
import { type SyncFile, writeFully } from './log-file.ts';
import type { Timers } from './wait.ts';

const HEADER = 32;
const UNIT = 64;
const MAGIC = 0x31584648;
const SLICE = 4 * 1024 * 1024;
/** Of a copy: as much between two turns of others. */
const COPY_BYTES = 8 * 1024 * 1024;
/** The last one put is at hand for a while if it has from so many bytes to so many: others are read fast, or would fill the memory. */
const AT_HAND_MS = 10_000;
const AT_HAND_FROM = 1024 * 1024;
const AT_HAND_TO = 64 * 1024 * 1024;
const LIMIT = 0xffff_ffff - UNIT;

interface Extent {
  offset: number;
  units: number;
  /** undefined: free. */
  id: string | undefined;
  length: number;
  crc: number;
  /** Being written or read: may not be given away. */
  busy: number;
}

/** Where a copy is: the place to look for room at, and the bytes since others had their turn. */
interface Cursor {
  index: number;
  bytes: number;
}
type Turn = () => Promise<void>;

const endOf = (extent: Extent): number => extent.offset + extent.units * UNIT;
const isFree = (extent: Extent): boolean => extent.id === undefined && extent.busy === 0;

export class Arena {
  readonly #file: SyncFile;
  readonly #power: boolean;
  /** In file order, without gaps but for damaged stretches. */
  readonly #extents: Extent[] = [];
  readonly #byId = new Map<string, Extent>();
  readonly #timers: Timers;
  #atHand: { readonly extent: Extent; readonly blob: Blob; readonly cancel: () => void } | undefined;

  constructor(file: SyncFile, power: boolean, timers: Timers) {
    this.#file = file;
    this.#power = power;
    this.#timers = timers;
    this.#load();
  }

  ids(): string[] {
    return [...this.#byId.keys()];
  }

  async put(id: string, blob: Blob): Promise<void> {
    if (blob.size > LIMIT)
      throw new StorageFullError(`A blob of ${blob.size} bytes is too large; the limit is ${LIMIT}.`);
    const extent = this.#allocate(Math.ceil((HEADER + blob.size) / UNIT));
    extent.busy++;
    try {
      const parts = await this.#fill(extent, blob);
      this.#flush();
      this.#use(extent, id);
      this.#flush();
      this.#keepAtHand(extent, parts);
    } finally {
      extent.busy--;
      this.#trim();
    }
  }

  /** The bytes in a Blob built of slices, so that they never are in memory all at once. */
  get(id: string): Blob {
    const extent = this.#byId.get(id);
    if (!extent) throw new PayloadLostError(`There is no blob ${id}.`);
    const atHand = this.#atHand;
    if (extent === atHand?.extent) {
      this.#forget(extent);
      return atHand.blob;
    }
    const parts: Blob[] = [];
    let crc = 0;
    for (let at = 0; at < extent.length; at += SLICE) {
      const part = this.#part(extent, at);
      crc = crc32(part, crc);
      parts.push(new Blob([part]));
    }
    if (crc !== extent.crc) throw new PayloadLostError(`Blob ${id} is damaged (checksum).`);
    return new Blob(parts);
  }

  /**
   * Takes blobs of another arena over, checksums as they are. Resolves to the ids that are not there
   * whole. `turn` lets others have this thread between two slices.
   */
  async copy(from: Arena, ids: readonly string[], turn: Turn): Promise<string[]> {
    const missing: string[] = [];
    const wanted = ids.filter((id) => !this.#byId.has(id));
    for (let index = 0; index < wanted.length; ) {
      if (index > 0) await turn();
      const copies: { id: string; extent: Extent }[] = [];
      try {
        const cursor: Cursor = { index: 0, bytes: 0 };
        this.#merge();
        for (; index < wanted.length && cursor.bytes < COPY_BYTES; index++) {
          const id = wanted[index]!;
          const extent = await this.#copyData(from, id, cursor, turn);
          if (extent) copies.push({ id, extent });
          else missing.push(id);
        }
        this.#flush();
        for (const { id, extent } of copies) this.#use(extent, id);
      } finally {
        for (const { extent } of copies) extent.busy--;
        this.#trim();
      }
      this.#flush();
    }
    return missing;
  }

  delete(ids: readonly string[]): void {
    const freed: Extent[] = [];
    for (const id of ids) {
      const extent = this.#byId.get(id);
      if (!extent) continue;
      this.#byId.delete(id);
      extent.id = undefined;
      this.#forget(extent);
      freed.push(extent);
    }
    // What lies behind the last one used goes with one truncation.
    this.#trim();
    const last = this.#extents.at(-1);
    for (const extent of freed) if (last && extent.offset < endOf(last)) this.#write(extent);
    this.#flush();
  }

  close(): void {
    this.#atHand?.cancel();
    this.#file.close();
  }

  /** @returns what was written, if it is to be at hand */
  async #fill(extent: Extent, blob: Blob): Promise<Blob[] | undefined> {
    const parts = blob.size >= AT_HAND_FROM && blob.size <= AT_HAND_TO ? ([] as Blob[]) : undefined;
    let crc = 0;
    // The next slice is read while this one is written.
    let next = sliceOf(blob, 0);
    for (let at = 0; at < blob.size; at += SLICE) {
      const part = new Uint8Array(await next);
      if (at + SLICE < blob.size) next = sliceOf(blob, at + SLICE);
      crc = crc32(part, crc);
      writeFully(this.#file, part, extent.offset + HEADER + at);
      parts?.push(new Blob([part]));
    }
    extent.crc = crc;
    extent.length = blob.size;
    return parts;
  }

  /** The data of one blob of another arena, in an extent that is busy and not used yet; undefined: it is not there whole. */
  async #copyData(from: Arena, id: string, cursor: Cursor, turn: Turn): Promise<Extent | undefined> {
    const source = from.#byId.get(id);
    if (!source) return undefined;
    const extent = this.#place(Math.ceil((HEADER + source.length) / UNIT), cursor);
    extent.busy++;
    source.busy++;
    let crc = 0;
    try {
      for (let at = 0; at < source.length; at += SLICE) {
        if (cursor.bytes >= COPY_BYTES) {
          await turn();
          cursor.bytes = 0;
        }
        const part = from.#part(source, at);
        crc = crc32(part, crc);
        writeFully(this.#file, part, extent.offset + HEADER + at);
        cursor.bytes += part.length;
      }
    } catch (error) {
      extent.busy--;
      throw error;
    } finally {
      source.busy--;
    }
    extent.length = source.length;
    extent.crc = crc;
    if (crc === source.crc) return extent;
    extent.busy--;
    return undefined;
  }

  /** Up to a slice of a blob's bytes; fewer where the file ends too early. */
  #part(extent: Extent, at: number): Uint8Array<ArrayBuffer> {
    const part = new Uint8Array(Math.min(SLICE, extent.length - at));
    const got = this.#file.read(part, { at: extent.offset + HEADER + at });
    return got === part.length ? part : part.subarray(0, got);
  }

  /** REQUIRES: its data, length and checksum are there. */
  #use(extent: Extent, id: string): void {
    const before = this.#byId.get(id);
    this.#write({ ...extent, id });
    extent.id = id;
    this.#byId.set(id, extent);
    if (before) this.#free(before);
  }

  #flush(): void {
    if (this.#power) this.#file.flush();
  }

  #free(extent: Extent): void {
    extent.id = undefined;
    this.#forget(extent);
    this.#write(extent);
  }

  #keepAtHand(extent: Extent, parts: Blob[] | undefined): void {
    if (this.#atHand) this.#forget(this.#atHand.extent);
    if (!parts) return;
    const cancel = this.#timers.after(AT_HAND_MS, () => this.#forget(extent));
    this.#atHand = { extent, blob: new Blob(parts), cancel };
  }

  #forget(extent: Extent): void {
    if (this.#atHand?.extent !== extent) return;
    this.#atHand.cancel();
    this.#atHand = undefined;
  }

  #allocate(units: number): Extent {
    this.#merge();
    return this.#place(units, { index: 0 });
  }

  /** The first free extent at the cursor or behind it that fits, or a new one at the end. */
  #place(units: number, cursor: { index: number }): Extent {
    for (; cursor.index < this.#extents.length; cursor.index++) {
      const extent = this.#extents[cursor.index]!;
      if (isFree(extent) && extent.units >= units) {
        this.#split(cursor.index, units);
        return extent;
      }
    }
    const last = this.#extents.at(-1);
    const extent = newExtent(last ? endOf(last) : 0, units);
    this.#write(extent);
    this.#extents.push(extent);
    return extent;
  }

  /** The rest's header is written first: until the shorter one is, it is only bytes in a free extent. */
  #split(index: number, units: number): void {
    const extent = this.#extents[index]!;
    if (extent.units === units) return;
    const rest = newExtent(extent.offset + units * UNIT, extent.units - units);
    this.#write(rest);
    this.#write({ ...extent, units });
    extent.units = units;
    this.#extents.splice(index + 1, 0, rest);
  }

  /** Joins free neighbours; two with a damaged stretch between them aren't. */
  #merge(): void {
    for (let index = this.#extents.length - 2; index >= 0; index--) {
      const [extent, next] = [this.#extents[index]!, this.#extents[index + 1]!];
      if (!isFree(extent) || !isFree(next) || endOf(extent) !== next.offset) continue;
      const units = extent.units + next.units;
      this.#write({ ...extent, units });
      extent.units = units;
      this.#extents.splice(index + 1, 1);
    }
  }

  /** Free extents at the end give their space back. */
  #trim(): void {
    let end: number | undefined;
    while (this.#extents.length > 0 && isFree(this.#extents.at(-1)!)) end = this.#extents.pop()!.offset;
    const last = this.#extents.at(-1);
    if (end !== undefined) this.#file.truncate(last ? endOf(last) : 0);
  }

  #write(extent: Extent): void {
    writeFully(this.#file, encodeHeader(extent), extent.offset);
  }

  /** Walks the chain; behind a damaged header it looks for the next whole one. */
  #load(): void {
    const size = this.#file.getSize();
    const header = new Uint8Array(HEADER);
    for (let at = 0; at + HEADER <= size; ) {
      const extent = this.#file.read(header, { at }) === HEADER ? decodeHeader(header, at) : undefined;
      if (!extent) {
        at += UNIT;
        continue;
      }
      this.#keep(extent);
      at = endOf(extent);
    }
    this.#trim();
  }

  #keep(extent: Extent): void {
    this.#extents.push(extent);
    if (extent.id === undefined) return;
    // Two of one id: a crash came between writing the new one and freeing the old one. Either is whole.
    if (this.#byId.has(extent.id)) this.#free(extent);
    else this.#byId.set(extent.id, extent);
  }
}

/** Where nobody comes to wait for it, its failure is nobody's. */
function sliceOf(blob: Blob, at: number): Promise<ArrayBuffer> {
  const slice = blob.slice(at, at + SLICE).arrayBuffer();
  slice.catch(() => {});
  return slice;
}

function newExtent(offset: number, units: number): Extent {
  return { offset, units, id: undefined, length: 0, crc: 0, busy: 0 };
}

function chainCrc(bytes: Uint8Array, offset: number): number {
  const place = new Uint8Array(8);
  new DataView(place.buffer).setBigUint64(0, BigInt(offset), true);
  return crc32(place, crc32(bytes.subarray(0, 8)));
}

function encodeHeader(extent: Extent): Uint8Array {
  const bytes = new Uint8Array(HEADER);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, extent.units, true);
  view.setUint32(8, chainCrc(bytes, extent.offset), true);
  if (extent.id === undefined) return bytes;
  view.setBigUint64(12, BigInt(`0x${extent.id}`), true);
  view.setUint32(20, extent.length, true);
  view.setUint32(24, extent.crc, true);
  view.setUint32(28, crc32(bytes.subarray(0, 28)), true);
  return bytes;
}

function decodeHeader(bytes: Uint8Array, offset: number): Extent | undefined {
  const view = new DataView(bytes.buffer);
  const units = view.getUint32(4, true);
  if (view.getUint32(0, true) !== MAGIC || units === 0) return undefined;
  if (view.getUint32(8, true) !== chainCrc(bytes, offset)) return undefined;
  const extent = newExtent(offset, units);
  const length = view.getUint32(20, true);
  if (view.getUint32(28, true) !== crc32(bytes.subarray(0, 28)) || HEADER + length > units * UNIT) return extent;
  extent.id = view.getBigUint64(12, true).toString(16).padStart(16, '0');
  extent.length = length;
  extent.crc = view.getUint32(24, true);
  return extent;
}
