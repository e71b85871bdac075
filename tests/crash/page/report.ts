/**
 * Tells the harness what has happened, outside of the browser, where no kill reaches it.
 *
 * Invariant: reports of a page arrive in their order; each is told only after the fact it speaks of,
 * but for `attempt` and `execute`, which are told before the code they speak of has done anything.
 */
import { digest } from './digest.ts';

export { digest };

export const page = new URLSearchParams(location.search).get('page') ?? 'page';

let waiting: object[] = [];
let sending = false;
let told = 0;
let taken = 0;

export function tell(type: string, facts: Record<string, unknown>): void {
  waiting.push({ page, seq: ++told, atMs: Date.now(), type, ...facts });
  if (!sending) void send();
}

/** Sends what gathered meanwhile in one go; what could not be sent is sent again, and known by its number. */
async function send(): Promise<void> {
  sending = true;
  for (;;) {
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) break;
    try {
      await fetch('/report', { method: 'POST', body: JSON.stringify(batch) });
      taken = (batch.at(-1) as { seq: number }).seq;
    } catch {
      waiting = [...batch, ...waiting];
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  sending = false;
}

/** Resolves when the harness has taken what was told so far: a kill would take the rest along. */
export async function allTaken(): Promise<void> {
  const last = told;
  while (taken < last) await new Promise((resolve) => setTimeout(resolve, 5));
}

export const nothingToTell = (): boolean => waiting.length === 0 && !sending;

/** A value as one line: equal lines, equal values. Blobs by their bytes. */
export async function summary(value: unknown): Promise<string> {
  if (value instanceof Blob) return `${value.size} bytes ${digest(new Uint8Array(await value.arrayBuffer()))}`;
  if (value instanceof Uint8Array) return `${value.length} bytes ${digest(value)}`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined';
  const parts = await Promise.all(Object.entries(value).map(async ([key, part]) => `${key}: ${await summary(part)}`));
  return `{${parts.join(', ')}}`;
}
