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
 * Invariant: an extent becomes used only after its data has been written. A blob is read only with
 * its checksum right.
 */
import { PayloadLostError, StorageFullError } from '../errors.ts';
import { crc32 } from './crc32.ts';
import { type SyncFile, writeFully } from './log-file.ts';

const HEADER = 32;
const UNIT = 64;
const MAGIC = 0x31584648;
const SLICE = 4 * 1024 * 1024;
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

const endOf = (extent: Extent): number => extent.offset + extent.units * UNIT;
const isFree = (extent: Extent): boolean => extent.id === undefined && extent.busy === 0;

export class Arena {
  readonly #file: SyncFile;
  readonly #power: boolean;
  /** In file order, without gaps but for damaged stretches. */
  readonly #extents: Extent[] = [];
  readonly #byId = new Map<string, Extent>();

  constructor(file: SyncFile, power: boolean) {
    this.#file = file;
    this.#power = power;
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
      await this.#fill(extent, blob);
      this.#use(extent, id, blob.size);
    } catch (error) {
      extent.id = undefined;
      throw error;
    } finally {
      extent.busy--;
      this.#trim();
    }
  }

  /** The bytes in a Blob built of slices, so that they never are in memory all at once. */
  get(id: string): Blob {
    const extent = this.#byId.get(id);
    if (!extent) throw new PayloadLostError(`There is no blob ${id}.`);
    const parts: Blob[] = [];
    let crc = 0;
    for (let at = 0; at < extent.length; at += SLICE) {
      const part = new Uint8Array(Math.min(SLICE, extent.length - at));
      const got = this.#file.read(part, { at: extent.offset + HEADER + at });
      crc = crc32(got === part.length ? part : part.subarray(0, got), crc);
      parts.push(new Blob([part]));
    }
    if (crc !== extent.crc) throw new PayloadLostError(`Blob ${id} is damaged (checksum).`);
    return new Blob(parts);
  }

  delete(ids: readonly string[]): void {
    for (const id of ids) {
      const extent = this.#byId.get(id);
      if (!extent) continue;
      this.#byId.delete(id);
      this.#free(extent);
    }
    this.#trim();
    if (this.#power) this.#file.flush();
  }

  close(): void {
    this.#file.close();
  }

  async #fill(extent: Extent, blob: Blob): Promise<void> {
    let crc = 0;
    for (let at = 0; at < blob.size; at += SLICE) {
      const part = new Uint8Array(await blob.slice(at, at + SLICE).arrayBuffer());
      crc = crc32(part, crc);
      writeFully(this.#file, part, extent.offset + HEADER + at);
    }
    extent.crc = crc;
    if (this.#power) this.#file.flush();
  }

  #use(extent: Extent, id: string, length: number): void {
    const before = this.#byId.get(id);
    extent.id = id;
    extent.length = length;
    this.#write(extent);
    if (this.#power) this.#file.flush();
    this.#byId.set(id, extent);
    if (before) this.#free(before);
  }

  #free(extent: Extent): void {
    extent.id = undefined;
    this.#write(extent);
  }

  /** First fit, or a new one at the end. */
  #allocate(units: number): Extent {
    this.#merge();
    for (let index = 0; index < this.#extents.length; index++) {
      const extent = this.#extents[index]!;
      if (isFree(extent) && extent.units >= units) {
        this.#split(index, units);
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
