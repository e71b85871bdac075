/**
 * What a run decides once and finds again: time, chance, ids, and which way changed code goes.
 *
 * Chance comes from the run's id, so it needs no record: code that asks in the same order gets the same
 * numbers. Time and patches are marks (history.ts).
 */
import { checkIdentifier } from '../intake/checks.ts';
import { KeyPrefix, RecordKind } from '../journal/history.ts';
import type { Durable } from './durable.ts';

/** sfc32, seeded with 128 bits of the text. */
export class Chance {
  readonly #words: Words = new Int32Array(4);

  constructor(seed: string) {
    beginWords(this.#words, seed);
  }

  word(): number {
    return nextWord(this.#words);
  }

  /** Uniform in [0, 1), 53 bits. */
  number(): number {
    return ((this.word() >>> 5) * 67_108_864 + (this.word() >>> 6)) / 9_007_199_254_740_992;
  }

  /** Version 4. */
  uuid(): string {
    const hex = [0, 1, 2, 3].map(() => this.word().toString(16).padStart(8, '0')).join('');
    const variant = ((Number.parseInt(hex[16]!, 16) & 3) | 8).toString(16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
  }
}

/** The four of sfc32. */
type Words = Int32Array;
const noWords: Words = Int32Array.of(0x9e3779b9, 0x243f6a88, 0xb7e15162, 0x85ebca6b);

/** The four words of a text. @param after those of what comes before it */
export function seedWords(words: Words, seed: string, after: Words = noWords): Words {
  // Four lanes, each in a variable of its own, for speed.
  let a = after[0]!;
  let b = after[1]!;
  let c = after[2]!;
  let d = after[3]!;
  for (let index = 0; index < seed.length; index++) {
    const code = seed.charCodeAt(index);
    a = mixed(Math.imul(a ^ code, 0x01000193));
    b = mixed(Math.imul(b ^ (code + 1), 0x01009fcb));
    c = mixed(Math.imul(c ^ (code + 2), 0x01013e03));
    d = mixed(Math.imul(d ^ (code + 3), 0x0101dc3b));
  }
  return put(words, a, b, c, d);
}

/** Ready for the first `nextWord`, without an object: every key of a limit comes by here. */
export function beginWords(words: Words, seed: string, after?: Words): void {
  seedWords(words, seed, after);
  for (let round = 0; round < 15; round++) nextWord(words);
}

/** From 0 to 2^32 - 1. */
export function nextWord(words: Words): number {
  const b = words[1]!;
  const c = words[2]!;
  const d = words[3]!;
  const sum = (words[0]! + b + d) | 0;
  put(words, b ^ (b >>> 9), (c + (c << 3)) | 0, (((c << 21) | (c >>> 11)) + sum) | 0, d + 1);
  return sum >>> 0;
}

function put(words: Words, a: number, b: number, c: number, d: number): Words {
  words[0] = a;
  words[1] = b;
  words[2] = c;
  words[3] = d;
  return words;
}

function mixed(product: number): number {
  return product ^ (product >>> 15);
}

export function now(durable: Durable): number {
  durable.check('now', '');
  return durable.mark('now', () => durable.host.nowMs) as number;
}

/**
 * true for runs that come here for the first time, and for those that were told so then; false for runs
 * that had passed this point before the patch was there.
 */
export async function patch(durable: Durable, id: string): Promise<boolean> {
  checkIdentifier(id, 'ctx.patch');
  durable.check('patch', id);
  // One answer for the whole run, however often it is asked.
  const key = `${KeyPrefix.Mark}patch ${id}`;
  if (durable.replay.mark(key)) return true;
  if (durable.replay.active) return false;
  durable.note(key, RecordKind.Mark, true);
  return true;
}
