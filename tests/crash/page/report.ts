/**
 * Tells the harness what has happened, outside of the browser, where no kill reaches it.
 *
 * Invariant: reports of a page arrive in their order; each is told only after the fact it speaks of,
 * but for `attempt` and `execute`, which are told before the code they speak of has done anything.
 */
export const page = new URLSearchParams(location.search).get('page') ?? 'page';

let waiting: object[] = [];
let sending = false;
let told = 0;

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
    } catch {
      waiting = [...batch, ...waiting];
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  sending = false;
}

export const nothingToTell = (): boolean => waiting.length === 0 && !sending;

/** FNV-1a: equal values have equal digests, others hardly ever. */
export function digest(bytes: Uint8Array | string): string {
  const data = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
  let hash = 0x811c9dc5;
  for (const byte of data) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** A value as one line: equal lines, equal values. Blobs by their bytes. */
export async function summary(value: unknown): Promise<string> {
  if (value instanceof Blob) return `${value.size} bytes ${digest(new Uint8Array(await value.arrayBuffer()))}`;
  if (value instanceof Uint8Array) return `${value.length} bytes ${digest(value)}`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined';
  const parts = await Promise.all(Object.entries(value).map(async ([key, part]) => `${key}: ${await summary(part)}`));
  return `{${parts.join(', ')}}`;
}
