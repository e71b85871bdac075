/** What the storage tests share: frames that tell how far they are good, a clock to turn by hand, and verbs. */

import type { CopyStorage } from '../../js/storage/copy.ts';
import { crc32 } from '../../js/storage/crc32.ts';
import type { Timers } from '../../js/storage/wait.ts';
import type { StorageEvent, StorageOpenOptions } from '../../js/storage.ts';

/** frame = 0xF7 | length u32 | crc32 u32 | payload; zeros behind the last one end the log. */
export function frame(text: string, size = 0): Uint8Array<ArrayBuffer> {
  const payload = new TextEncoder().encode(text);
  // Zeros at the end: no adapter may take them for the reserve.
  const bytes = new Uint8Array(Math.max(size, 9 + payload.length + 4));
  const view = new DataView(bytes.buffer);
  bytes[0] = 0xf7;
  view.setUint32(1, bytes.length, true);
  bytes.set(payload, 9);
  view.setUint32(5, crc32(bytes.subarray(9)), true);
  return bytes;
}

function walk(log: Uint8Array, visit: (payload: Uint8Array) => void): number {
  const view = new DataView(log.buffer, log.byteOffset, log.length);
  let at = 0;
  while (at + 9 <= log.length && log[at] === 0xf7) {
    const length = view.getUint32(at + 1, true);
    if (length < 13 || at + length > log.length) break;
    const payload = log.subarray(at + 9, at + length);
    if (crc32(payload) !== view.getUint32(at + 5, true)) break;
    visit(payload);
    at += length;
  }
  return at;
}

export const inspect = (log: Uint8Array) => ({ validBytes: walk(log, () => undefined) });

/** The texts of the frames in the valid prefix. */
export function textsIn(log: Uint8Array): string[] {
  const texts: string[] = [];
  walk(log, (payload) => {
    const end = payload.indexOf(0);
    texts.push(new TextDecoder().decode(payload.subarray(0, end < 0 ? undefined : end)));
  });
  return texts;
}

export function log(...texts: string[]): Uint8Array<ArrayBuffer> {
  const frames = texts.map((text) => frame(text));
  const bytes = new Uint8Array(frames.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const one of frames) {
    bytes.set(one, at);
    at += one.length;
  }
  return bytes;
}

/** Time that stands still until it is told to move. */
export class HandTimers implements Timers {
  #now = 0;
  #due: { atMs: number; callback: () => void }[] = [];

  after(delayMs: number, callback: () => void): () => void {
    const entry = { atMs: this.#now + delayMs, callback };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((one) => one !== entry);
    };
  }
  nowMs(): number {
    return this.#now;
  }
  get pending(): number {
    return this.#due.length;
  }
  async advance(milliseconds: number): Promise<void> {
    const untilMs = this.#now + milliseconds;
    await turn();
    for (;;) {
      const next = this.#due.filter((one) => one.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (!next) break;
      this.#now = next.atMs;
      this.#due = this.#due.filter((one) => one !== next);
      next.callback();
      await turn();
    }
    this.#now = untilMs;
    await turn();
  }
}

/** Lets everything that is under way in this thread arrive. */
export async function turn(): Promise<void> {
  for (let count = 0; count < 30; count++) await new Promise<void>((resolve) => setImmediate(resolve));
}

export interface Session {
  storage: CopyStorage;
  events: StorageEvent[];
  types(): string[];
}

export async function openSession(storage: CopyStorage, options: Partial<StorageOpenOptions> = {}): Promise<Session> {
  const events: StorageEvent[] = [];
  const onEvent = (event: StorageEvent) => void events.push(event);
  await storage.open({ namespace: 'test', durability: 'process', inspect, onEvent, ...options });
  return { storage, events, types: () => events.map((event) => event.type) };
}

/** As the product does it: read, find the end, drop what is torn. */
export async function recover(storage: CopyStorage, slot = 0) {
  const opened = await storage.openSlot(slot);
  const bytes = await opened.read();
  await opened.truncate(inspect(bytes).validBytes);
  return { slot: opened, texts: textsIn(bytes) };
}
