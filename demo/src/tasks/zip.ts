/**
 * A zip whose bytes depend on its entries only: no clock, no time zone, entries in the order given.
 * What is finished is handed to Blobs, which the browser may keep on disk, so the archive can be
 * larger than memory. Entries may come compressed already: a durable step stores what it compressed.
 */
import { Zip, ZipDeflate, type ZipInputFile } from 'fflate';

/** fflate writes local time; from local parts the stored bytes are the same in every time zone. */
const kModified = new Date(1980, 0, 1, 0, 0, 0);
const kSpillBytes = 8 * 1024 * 1024;
/** Without zip64, which not every reader knows. */
const kMaxBytes = 0xffff_ffff;
const kMaxEntries = 0xffff;

/** An entry's content after compression; plain data, fit for a step's result. */
export interface Compressed {
  bytes: Uint8Array<ArrayBuffer>;
  /** Before compression. */
  size: number;
  crc: number;
}

/** Compresses what is pushed, piece by piece. */
export class Compressor {
  readonly #stream: ZipDeflate;
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  constructor(level: 0 | 6 | 9 = 6) {
    this.#stream = new ZipDeflate('', { level });
    this.#stream.ondata = (error, chunk) => {
      if (error) throw error;
      this.#chunks.push(chunk);
      this.#length += chunk.length;
    };
  }

  push(bytes: Uint8Array): void {
    this.#stream.push(bytes as Uint8Array<ArrayBuffer>);
  }

  finish(): Compressed {
    this.#stream.push(new Uint8Array(0), true);
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return { bytes, size: this.#stream.size, crc: this.#stream.crc };
  }
}

export function compress(content: Uint8Array | string, level: 0 | 6 | 9 = 6): Compressed {
  const compressor = new Compressor(level);
  compressor.push(typeof content === 'string' ? new TextEncoder().encode(content) : content);
  return compressor.finish();
}

export class ZipWriter {
  #pieces: BlobPart[] = [];
  #pending: Uint8Array<ArrayBuffer>[] = [];
  #pendingBytes = 0;
  #bytes = 0;
  #entries = 0;
  readonly #zip = new Zip((error, chunk) => {
    if (error) throw error;
    this.#pending.push(chunk as Uint8Array<ArrayBuffer>);
    this.#pendingBytes += chunk.length;
    this.#bytes += chunk.length;
    if (this.#pendingBytes >= kSpillBytes) this.#spill();
  });

  add(name: string, { bytes, size, crc }: Compressed): void {
    if (++this.#entries > kMaxEntries || this.#bytes + bytes.length > kMaxBytes) {
      throw new RangeError('The result is too large for one zip file (4 GB or 65,535 files).');
    }
    // `mtime` is read by fflate's header writer although the type of a streamed entry does not name it.
    const entry: ZipInputFile & { mtime: Date } = { filename: name, size, crc, compression: 8, mtime: kModified };
    this.#zip.add(entry);
    entry.ondata?.(null, bytes, true);
  }

  finish(fileName: string): File {
    this.#zip.end();
    this.#spill();
    return new File(this.#pieces, fileName, { type: 'application/zip', lastModified: 0 });
  }

  #spill(): void {
    this.#pieces.push(new Blob(this.#pending));
    this.#pending = [];
    this.#pendingBytes = 0;
  }
}
