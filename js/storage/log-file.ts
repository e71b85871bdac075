/**
 * The log of one slot in two files ("halves"), written synchronously. One half holds the log, the
 * other is spare; `replace` writes the spare one and then switches.
 *
 *   half       = superblock log zeros
 *   superblock = magic "HFLOG" version(1) 0 0 | generation u64 | epoch u32 | base u32 | zeros | crc32 u32   (64 bytes)
 *   log        = the bytes above's business; where it ends is theirs to tell (`inspect`)
 *   zeros      = the reserve: room already taken from the disk, so that a full disk still takes the
 *                ends of tasks that were accepted
 *
 * Invariants: at every moment one half has a valid superblock, and the one with the highest epoch is
 * the log. Behind the log there are only zeros. The spare half is zeros, PRESET long, but for the
 * traces of a crash, which are wiped before it is used. A write counts only when its length says so
 * (a browser may write nothing at quota, without an exception).
 */
import { StorageFullError, StorageLostError, StoreTooNewError } from '../errors.ts';
import { crc32 } from './crc32.ts';

/** The part of FileSystemSyncAccessHandle in use. */
export interface SyncFile {
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}

const VERSION = 1;
export const SUPERBLOCK = 64;
export const PRESET = 64 * 1024;
/** Room kept behind the log at all times. */
export const RESERVE = 512 * 1024;
const STEP_MIN = 512 * 1024;
const STEP_MAX = 4 * 1024 * 1024;
const CHUNK = 1024 * 1024;

const zeros = new Uint8Array(PRESET);

export interface Superblock {
  generation: string;
  epoch: number;
  base: number;
}

export function encodeSuperblock({ generation, epoch, base }: Superblock): Uint8Array {
  const bytes = new Uint8Array(SUPERBLOCK);
  const view = new DataView(bytes.buffer);
  bytes.set([0x48, 0x46, 0x4c, 0x4f, 0x47, VERSION]);
  view.setBigUint64(8, BigInt(`0x${generation}`), true);
  view.setUint32(16, epoch, true);
  view.setUint32(20, base, true);
  view.setUint32(60, crc32(bytes.subarray(0, 60)), true);
  return bytes;
}

/** @throws StoreTooNewError if a later version has written it */
export function decodeSuperblock(bytes: Uint8Array): Superblock | undefined {
  if (bytes.length < SUPERBLOCK) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (view.getUint32(0, true) !== 0x4f4c4648 || bytes[4] !== 0x47) return undefined;
  if (view.getUint32(60, true) !== crc32(bytes.subarray(0, 60))) return undefined;
  if (bytes[5]! > VERSION)
    throw new StoreTooNewError('The files were written by a newer version of holdfast. Reload the page.');
  return {
    generation: view.getBigUint64(8, true).toString(16).padStart(16, '0'),
    epoch: view.getUint32(16, true),
    base: view.getUint32(20, true),
  };
}

function readSuperblock(file: SyncFile): Superblock | undefined {
  const bytes = new Uint8Array(SUPERBLOCK);
  return file.read(bytes, { at: 0 }) === SUPERBLOCK ? decodeSuperblock(bytes) : undefined;
}

function hasTraces(file: SyncFile): boolean {
  const bytes = new Uint8Array(SUPERBLOCK);
  return bytes.subarray(0, file.read(bytes, { at: 0 })).some((byte) => byte !== 0);
}

/** @throws StorageFullError if not every byte was written */
export function writeFully(file: SyncFile, bytes: Uint8Array, at: number): void {
  const written = file.write(bytes, { at });
  if (written !== bytes.length) {
    // Chromium answers an error as a huge number.
    const fits = written < bytes.length ? written : 0;
    throw new StorageFullError(`No room left: ${fits} of ${bytes.length} bytes could be written.`);
  }
}

function writeZeros(file: SyncFile, from: number, to: number): void {
  for (let at = from; at < to; at += PRESET) {
    writeFully(file, to - at < PRESET ? zeros.subarray(0, to - at) : zeros, at);
  }
}

export class LogFile {
  #file: SyncFile;
  #spare: SyncFile;
  #block: Superblock;
  readonly #power: boolean;
  /** Bytes of log; undefined after opening, until `truncate` has told. */
  #tail: number | undefined;
  #size: number;
  #spareIsClean = false;
  /** Something had been written here whose superblock can't be read. */
  damaged = false;

  private constructor(file: SyncFile, spare: SyncFile, block: Superblock, power: boolean) {
    this.#file = file;
    this.#spare = spare;
    this.#block = block;
    this.#power = power;
    this.#size = file.getSize();
  }

  /** The half that counts; undefined: neither is whole and of this generation. Writes nothing. */
  static find(a: SyncFile, b: SyncFile, generation: string, power: boolean): LogFile | undefined {
    const [blockA, blockB] = [a, b].map(readSuperblock).map((block) => (block?.generation === generation ? block : undefined));
    if (blockB && !(blockA && blockA.epoch >= blockB.epoch)) return new LogFile(b, a, blockB, power);
    return blockA && new LogFile(a, b, blockA, power);
  }

  /** As `find`, and makes good what is damaged, or of another store. */
  static open(a: SyncFile, b: SyncFile, generation: string, power: boolean): LogFile {
    const found = LogFile.find(a, b, generation, power);
    if (found) return found;
    if (!readSuperblock(a) && !readSuperblock(b)) return LogFile.#salvage(a, b, generation, power);
    // Whole, but of a store that isn't this one.
    reset(b);
    return new LogFile(a, b, format(a, generation), power);
  }

  /**
   * No half counts. One whose superblock is damaged, not wiped, was the log: its bytes tell for
   * themselves how far they are good. The epoch is not known any more, so another copy has precedence.
   */
  static #salvage(a: SyncFile, b: SyncFile, generation: string, power: boolean): LogFile {
    const block = { generation, epoch: 0, base: 0 };
    const [file, spare] = hasTraces(b) && !hasTraces(a) ? [b, a] : [a, b];
    const damaged = hasTraces(file);
    if (damaged) writeFully(file, encodeSuperblock(block), 0);
    else format(file, generation);
    const log = new LogFile(file, spare, block, power);
    log.damaged = damaged;
    return log;
  }

  get epoch(): number {
    return this.#block.epoch;
  }
  get base(): number {
    return this.#block.base;
  }
  get tail(): number | undefined {
    return this.#tail;
  }

  /** The log; with all that lies behind it while its end isn't known. */
  read(length = this.#tail ?? Math.max(0, this.#size - SUPERBLOCK)): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    const got = this.#file.read(bytes, { at: SUPERBLOCK });
    return got === length ? bytes : bytes.slice(0, got);
  }

  /** REQUIRES: the end is known. */
  append(bytes: Uint8Array): void {
    const tail = this.#knownTail();
    try {
      writeFully(this.#file, bytes, SUPERBLOCK + tail);
      if (this.#power) this.#file.flush();
    } catch (error) {
      this.#rollBack(tail, bytes.length);
      throw error;
    }
    this.#tail = tail + bytes.length;
    this.#size = Math.max(this.#size, SUPERBLOCK + this.#tail);
  }

  truncate(length: number): void {
    if (length === this.#tail) return;
    // What a replace has promised can only be taken back by another one.
    if (length < this.#block.base) this.replace(this.read(length));
    else this.#shorten(length);
  }

  #shorten(length: number): void {
    const end = SUPERBLOCK + length;
    this.#tail = length;
    if (this.#size > end + STEP_MAX || length === 0) this.#cut(end);
    else this.#wipe(end, this.#size);
    if (this.#power) this.#file.flush();
  }

  /** Takes room ahead. Returns false where the disk gives no more: what is left is the last reserve. */
  reserve(): boolean {
    const want = SUPERBLOCK + this.#knownTail() + RESERVE;
    if (this.#size >= want) return true;
    const step = Math.min(STEP_MAX, Math.max(STEP_MIN, this.#knownTail() >>> 2));
    try {
      writeZeros(this.#file, this.#size, want + step);
      this.#size = want + step;
    } catch {
      this.#size = this.#file.getSize();
    }
    return this.#size >= want;
  }

  replace(bytes: Uint8Array, epoch = this.#block.epoch + 1): void {
    const block = { generation: this.#block.generation, epoch, base: bytes.length };
    try {
      this.#prepareSpare(bytes);
      writeFully(this.#spare, encodeSuperblock(block), 0);
    } catch (error) {
      this.#cleanSpare();
      throw error;
    }
    if (this.#power) this.#spare.flush();
    [this.#file, this.#spare] = [this.#spare, this.#file];
    this.#block = block;
    this.#tail = bytes.length;
    this.#size = this.#file.getSize();
    this.#cleanSpare();
  }

  flush(): void {
    this.#file.flush();
  }

  close(): void {
    this.#file.close();
    this.#spare.close();
  }

  #knownTail(): number {
    if (this.#tail === undefined) throw new Error('The end of the log is not known: truncate() first.');
    return this.#tail;
  }

  /** Everything of the new log but the superblock that makes it count. */
  #prepareSpare(bytes: Uint8Array): void {
    if (!this.#spareIsClean) reset(this.#spare);
    this.#spareIsClean = false;
    writeFully(this.#spare, bytes, SUPERBLOCK);
    verify(this.#spare, bytes);
    if (this.#power) this.#spare.flush();
  }

  /** The switch has happened or failed; either way the other half decides, and a trace left here is wiped later. */
  #cleanSpare(): void {
    try {
      reset(this.#spare);
      this.#spareIsClean = true;
    } catch {
      this.#spareIsClean = false;
    }
  }

  /** A failed write leaves nothing behind: neither bytes in the reserve nor a longer file. */
  #rollBack(tail: number, length: number): void {
    try {
      if (this.#file.getSize() > this.#size) this.#file.truncate(this.#size);
      this.#wipe(SUPERBLOCK + tail, Math.min(SUPERBLOCK + tail + length, this.#size));
    } catch (cause) {
      this.#tail = undefined;
      throw new StorageLostError('A failed append could not be taken back.', { cause });
    }
  }

  /** Gives the space back; the reserve is taken anew by `reserve`. */
  #cut(end: number): void {
    this.#file.truncate(end);
    this.#size = end;
    writeZeros(this.#file, end, PRESET);
    this.#size = Math.max(end, PRESET);
  }

  /** Zeros what isn't zero, in place: that keeps the reserve even when the disk is full. */
  #wipe(from: number, to: number): void {
    const chunk = new Uint8Array(PRESET);
    for (let at = from; at < to; at += PRESET) {
      const part = to - at < PRESET ? chunk.subarray(0, to - at) : chunk;
      const got = this.#file.read(part, { at });
      if (!isZero(chunk, got)) writeZeros(this.#file, at, at + got);
    }
  }
}

/** An empty half that counts. */
export function format(file: SyncFile, generation: string): Superblock {
  const block = { generation, epoch: 0, base: 0 };
  reset(file);
  writeFully(file, encodeSuperblock(block), 0);
  return block;
}

/** Makes a half spare: the superblock goes first, so it can't come to count with its log half wiped. */
export function reset(file: SyncFile): void {
  const size = file.getSize();
  if (size >= SUPERBLOCK) writeZeros(file, 0, SUPERBLOCK);
  if (size > PRESET) file.truncate(PRESET);
  writeZeros(file, 0, PRESET);
}

function verify(file: SyncFile, bytes: Uint8Array): void {
  const chunk = new Uint8Array(Math.min(CHUNK, bytes.length));
  for (let at = 0; at < bytes.length; at += CHUNK) {
    const expected = bytes.subarray(at, at + CHUNK);
    const got = file.read(chunk.subarray(0, expected.length), { at: SUPERBLOCK + at });
    if (got !== expected.length || !same(chunk, expected)) {
      throw new StorageLostError(`What was written did not read back the same, near byte ${at}.`);
    }
  }
}

/** Megabytes are looked through at an opening: four bytes at a time. REQUIRES: `bytes` has a buffer of its own. */
function isZero(bytes: Uint8Array<ArrayBuffer>, length: number): boolean {
  const words = new Uint32Array(bytes.buffer, 0, length >>> 2);
  for (let at = 0; at < words.length; at++) if (words[at] !== 0) return false;
  return bytes.subarray(length & ~3, length).every((byte) => byte === 0);
}

export function same(left: Uint8Array, right: Uint8Array): boolean {
  for (let at = 0; at < right.length; at++) if (left[at] !== right[at]) return false;
  return true;
}
