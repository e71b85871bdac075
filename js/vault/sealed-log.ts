/**
 * A log that is sealed: the core's frames, some at a time, encrypted and carried as frames of a later version, which
 * no core without the key takes for its own, and none overwrites.
 *
 *   sealed log   := frame{frames}               js/codec/frames.ts, version `sealedVersion`, no events
 *   its payload  := outline length u32 · outline (outline.ts) · sealed (keys.ts)
 *
 * Invariants: a piece opens only in its own log, slot and place; what was changed, swapped or doubled is told, never
 * given out. `marks` says where pieces end, plain and sealed.
 */
import { readHex } from '../codec/blob-list.ts';
import { StorageError, StorageLockedError } from '../errors.ts';
import { after, bareFrames, type Chain, type Frame, framesOf, sealedVersion, writeFrame } from '../codec/frames.ts';
import { concatenate } from '../journal/journal.ts';
import { about, type Keys } from './keys.ts';
import { outlineOf, readOutlines, type Outlined } from './outline.ts';

/** Of a log that is written anew; what is appended is a piece by itself. */
const pieceBytes = 1024 * 1024;
const noEvents = new Uint8Array(0);

type Bytes = Uint8Array<ArrayBuffer>;

export interface Mark {
  plain: number;
  sealed: number;
}

export class SealedLog {
  readonly #keys: Keys;
  readonly #place: readonly (string | number)[];
  #chain: Chain = { session: 0, sequence: 0, crc: 0 };
  marks: Mark[] = [];

  constructor(keys: Keys, namespace: string, slot: number) {
    this.#keys = keys;
    this.#place = ['log', namespace, slot];
    this.begin();
  }

  begin(): void {
    this.#chain = { session: crypto.getRandomValues(new Uint32Array(1))[0]!, sequence: 0, crc: 0 };
    this.marks = [];
  }

  get end(): Mark {
    return this.marks.at(-1) ?? { plain: 0, sealed: 0 };
  }

  /** Drops what lies behind the first so many bytes, plain. False: no piece ends there. */
  cut(plain: number): boolean {
    const kept = this.marks.filter((mark) => mark.plain <= plain);
    return (kept.at(-1)?.plain ?? 0) === plain && (this.marks = kept) === kept;
  }

  /** A log as it is stored. @throws StorageLockedError */
  async open(log: Uint8Array): Promise<Bytes> {
    this.begin();
    const parts: Bytes[] = [];
    for (const frame of framesOf(log, sealedVersion)) {
      const part = await this.#openPiece(log, frame);
      parts.push(part);
      this.marks.push({ plain: this.end.plain + part.length, sealed: frame.end });
      this.#chain = after(frame);
    }
    return concatenate(parts);
  }

  async #openPiece(log: Uint8Array, frame: Frame): Promise<Bytes> {
    const { outline, sealed } = partsOf(log, frame);
    try {
      return await this.#keys.open(sealed, this.#about(frame, outline), 'What is stored here');
    } catch (error) {
      // Its checksum is right: nobody's disk did that.
      if (error instanceof StorageError && !(error instanceof StorageLockedError)) throw new StorageLockedError(error.message, { cause: error });
      throw error;
    }
  }

  /** The frame to append, and where the log ends then: `took` says that it is there. */
  async piece(plain: Uint8Array): Promise<{ frame: Bytes; took(): void }> {
    const chain = { ...this.#chain };
    const frame = await this.#pieceOf(plain, chain);
    const { end } = this;
    const took = () => {
      this.#chain = chain;
      this.marks.push({ plain: end.plain + plain.length, sealed: end.sealed + frame.length });
    };
    return { frame, took };
  }

  async #pieceOf(plain: Uint8Array, chain: Chain): Promise<Bytes> {
    const outline = outlineOf(plain);
    const sealed = await this.#keys.seal(plain, this.#about(chain, outline));
    const payload = new Uint8Array(4 + outline.length + sealed.length);
    new DataView(payload.buffer).setUint32(0, outline.length, true);
    payload.set(outline, 4);
    payload.set(sealed, 4 + outline.length);
    return writeFrame(chain, sealedVersion, noEvents, payload);
  }

  /** A whole log anew, under the key of today. */
  async whole(plain: Uint8Array): Promise<Bytes> {
    this.begin();
    const parts: Bytes[] = [];
    for (const part of piecesOf(plain)) {
      const { frame, took } = await this.piece(part);
      parts.push(frame);
      took();
    }
    return concatenate(parts);
  }

  #about({ session, sequence }: Pick<Chain, 'session' | 'sequence'>, outline: Uint8Array): Bytes {
    return about(...this.#place, session, sequence, readHex(outline));
  }
}

/** Which runs are in a log that nobody can open. */
export function outlinedIn(log: Uint8Array): Outlined[] {
  return readOutlines([...framesOf(log, sealedVersion)].map((frame) => partsOf(log, frame).outline));
}

function partsOf(log: Uint8Array, { payload, payloadBytes }: Frame): { outline: Uint8Array; sealed: Uint8Array } {
  const bytes = log.subarray(payload, payload + payloadBytes);
  const length = bytes.length < 4 ? Number.POSITIVE_INFINITY : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (length > bytes.length - 4) throw new StorageLockedError('What is stored here is encrypted in a way that is not known here.');
  return { outline: bytes.subarray(4, 4 + length), sealed: bytes.subarray(4 + length) };
}

/** At ends of frames where there are any: what is cut off later is frames. */
function* piecesOf(plain: Uint8Array): Generator<Uint8Array> {
  let from = 0;
  for (const { end } of bareFrames(plain)) {
    if (end - from < pieceBytes) continue;
    yield plain.subarray(from, end);
    from = end;
  }
  for (; from < plain.length; from += pieceBytes) yield plain.subarray(from, from + pieceBytes);
}
