/**
 * Which of two copies of a log is the better one. Pure: it reads and compares, it changes nothing.
 *
 * The order: a copy that has at least what its last replace wrote; then the one replaced more often;
 * then the one with more that is valid.
 */
import type { CopySlot, Stamp } from './copy.ts';

export interface Judged {
  epoch: number;
  valid: number;
  /** At least what the last replace wrote is good. */
  sound: boolean;
  /** What is known to have been there. */
  expected: number;
  bytes: Uint8Array<ArrayBuffer>;
}

export function judge(slot: CopySlot, bytes: Uint8Array<ArrayBuffer>, valid: number): Judged {
  const { epoch, base, length } = slot.stamp();
  return { epoch, valid, sound: valid >= base, expected: length ?? base, bytes };
}

/** Is `a` surely the better copy, without reading the other? */
export function leads(a: Judged, b: Stamp): boolean {
  if (!a.sound) return false;
  if (a.epoch !== b.epoch) return a.epoch > b.epoch;
  return b.length !== undefined && a.valid >= b.length;
}

export function isBetter(b: Judged, a: Judged): boolean {
  if (b.sound !== a.sound) return b.sound;
  if (b.sound && b.epoch !== a.epoch) return b.epoch > a.epoch;
  return b.valid > a.valid;
}

/** Bytes that are known to have been there and that neither copy has, when `valid` are left. */
export function shortfall(valid: number, a: Judged, b: Judged): number {
  if (a.epoch !== b.epoch) return Math.max(0, (a.epoch > b.epoch ? a : b).expected - valid);
  return Math.max(0, Math.max(a.expected, b.expected) - valid);
}
