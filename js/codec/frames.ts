/**
 * Frames of a log as src/journal.h describes them, read and written without the core: those that are sealed
 * (js/vault), which the core takes for a later version's and so leaves alone, and those of an import (js/exchange).
 *
 *   frame   := header · event{events} · payload bytes · zeros up to a multiple of 8
 *   header  := magic u32 · version u32 · session u32 · sequence u32 · events u32 · payload bytes u32
 *              · CRC of the frame before u32 (0: the log's first) · CRC-32C u32 (of the frame without this field)
 *
 * Invariant: what is read here as a frame has the checksum and the predecessor it says it has.
 */
import { crc32c } from '../storage/crc32.ts';

export const plainVersion = 1;
/** Beyond every version of the core's. */
export const sealedVersion = 0x5ea1ed01;

const magic = 0x74666468;
const headerBytes = 32;
const recordBytes = 24;

/** Where a log stands: what its next frame has to name. */
export interface Chain {
  session: number;
  sequence: number;
  crc: number;
}

export interface Frame {
  version: number;
  session: number;
  sequence: number;
  /** Of the records, and of the payload; offsets in the log. */
  events: number;
  eventCount: number;
  payload: number;
  payloadBytes: number;
  end: number;
  crc: number;
}

/** The frame at `at`, if one of this version stands there whole and continues the chain; undefined: none does. */
export function readFrame(log: Uint8Array, at: number, version: number, chain?: Chain): Frame | undefined {
  if (log.length - at < headerBytes) return undefined;
  const view = new DataView(log.buffer, log.byteOffset + at, headerBytes);
  const field = (index: number) => view.getUint32(index * 4, true);
  if (field(0) !== magic || field(1) !== version) return undefined;
  const [session, sequence, eventCount, payloadBytes, previous, crc] = [field(2), field(3), field(4), field(5), field(6), field(7)];
  const follows = chain ? session === chain.session && sequence === chain.sequence && previous === chain.crc : previous === 0;
  const events = at + headerBytes;
  const payload = events + eventCount * recordBytes;
  const end = events + padded(eventCount * recordBytes + payloadBytes);
  if (!follows || end > log.length || crcOf(log.subarray(at, end)) !== crc) return undefined;
  return { version, session, sequence, events, eventCount, payload, payloadBytes, end, crc };
}

/** Every frame of this version from the log's begin, as far as they are good. */
export function* framesOf(log: Uint8Array, version: number): Generator<Frame> {
  let chain: Chain | undefined;
  for (let at = 0; ; ) {
    const frame = readFrame(log, at, version, chain);
    if (!frame) return;
    yield frame;
    chain = after(frame);
    at = frame.end;
  }
}

/** Frames of the core's, as they lie one after the other in bytes that came from the core itself: nothing is checked. */
export function* bareFrames(bytes: Uint8Array): Generator<Pick<Frame, 'events' | 'eventCount' | 'payload' | 'end'>> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + headerBytes <= bytes.length; ) {
    if (view.getUint32(at, true) !== magic || view.getUint32(at + 4, true) !== plainVersion) return;
    const [eventCount, payloadBytes] = [view.getUint32(at + 16, true), view.getUint32(at + 20, true)];
    const [events, end] = [at + headerBytes, at + headerBytes + padded(eventCount * recordBytes + payloadBytes)];
    if (end > bytes.length) return;
    yield { events, eventCount, payload: events + eventCount * recordBytes, end };
    at = end;
  }
}

export const after = ({ session, sequence, crc }: Frame): Chain => ({ session, sequence: sequence + 1, crc });

/** The next frame of the chain, which moves on. */
export function writeFrame(chain: Chain, version: number, events: Uint8Array, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(headerBytes + padded(events.length + payload.length));
  const view = new DataView(frame.buffer);
  [magic, version, chain.session, chain.sequence, events.length / recordBytes, payload.length, chain.crc].forEach((value, index) => view.setUint32(index * 4, value, true));
  frame.set(events, headerBytes);
  frame.set(payload, headerBytes + events.length);
  chain.crc = crcOf(frame);
  chain.sequence++;
  view.setUint32(28, chain.crc, true);
  return frame;
}

/** Bytes of the good prefix of a sealed log; undefined: it is none. */
export function sealedLength(log: Uint8Array): number | undefined {
  let length: number | undefined;
  for (const { end } of framesOf(log, sealedVersion)) length = end;
  return length;
}

export function isSealed(log: Uint8Array): boolean {
  return readFrame(log, 0, sealedVersion) !== undefined;
}

const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8;

const crcOf = (frame: Uint8Array): number => crc32c(frame.subarray(headerBytes), crc32c(frame.subarray(0, headerBytes - 4)));
