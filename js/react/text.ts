/**
 * Text of strangers: task names, error messages, metadata. It is only ever shown as text; here it is
 * made short enough to show, kept from reordering its neighbours, and links are let through by scheme.
 */

const bidi = /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc]/;

/** For attributes and announcements, where no <bdi> can be put around it. */
export function isolate(text: string): string {
  return bidi.test(text) ? `\u2068${text}\u2069` : text;
}

export function clip(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max)}…` : text;
}

/** http, https, mailto, and blobs of this page. Everything else, relative addresses included, is no link. */
export function safeUrl(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > 2048) return undefined;
  if (!/^(https?|blob|mailto):/i.test(value)) return undefined; // the parser would forgive leading spaces and tabs
  let url: URL;
  try {
    url = new URL(value);
  } catch {
    return undefined;
  }
  if (url.protocol === 'blob:')
    return url.origin !== 'null' && url.origin === globalThis.location?.origin ? url.href : undefined;
  return url.href;
}

/** Why something did not work, for people. */
export function reasonOf(error: unknown): string {
  return isolate(clip(error instanceof Error ? error.message : String(error), 300));
}

export const isBlob = (value: unknown): value is Blob => typeof Blob !== 'undefined' && value instanceof Blob;

function describe(value: object, depth: number, budget: { left: number }): string {
  if (value instanceof Date || value instanceof Error) return String(value);
  if (isBlob(value)) return `${(value as File).name ?? 'Blob'} (${value.type || '?'}, ${value.size})`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value.byteLength})`;
  const isArray = Array.isArray(value);
  if (depth >= 3) return isArray ? '[…]' : '{…}';
  const parts: string[] = [];
  for (const key of Object.keys(value)) {
    if (budget.left <= 0 || parts.length >= 20) {
      parts.push('…');
      break;
    }
    const shown = write((value as Record<string, unknown>)[key], depth + 1, budget);
    parts.push(isArray ? shown : `${clip(key, 40)}: ${shown}`);
  }
  return isArray ? `[${parts.join(', ')}]` : `{${parts.join(', ')}}`;
}

function write(value: unknown, depth: number, budget: { left: number }): string {
  const text =
    typeof value === 'object' && value !== null
      ? describe(value, depth, budget)
      : typeof value === 'string'
        ? clip(value, budget.left + 1)
        : typeof value === 'bigint'
          ? `${value}n`
          : String(value);
  budget.left -= text.length;
  return text;
}

/** A value in a line. Bounded work whatever its size, and never throws. */
export function preview(value: unknown, max = 240): string {
  try {
    return clip(write(value, 0, { left: max }), max);
  } catch {
    return '…';
  }
}
