/**
 * A part: chunks that were stored together. In the journal it is a note, made as a record (payloads.ts) whose key is
 *
 *   header := JSON of { spans: [[key, first, count, bytes, attempt, during, ids?]…], anew?: { key: count } }
 *
 * and whose value is the chunks' bytes (chunks.ts), span after span; large ones lie beside the journal, as any
 * large binary value. `anew`: code began anew when there were so many chunks.
 *
 * Invariant: reading believes nothing; what can't be read is no part.
 */
import { NoteKind } from '../journal/notes.ts';
import { readRecord } from '../journal/payloads.ts';
import type { PayloadBytes } from '../runs/run.ts';
import type { FoundPart } from './log.ts';

export interface Span {
  key: string;
  /** Index of its first chunk in the stream. */
  first: number;
  count: number;
  /** Of its chunks, with their lengths. */
  bytes: number;
  attempt: number;
  /** Keys of the steps that were being computed. */
  during: readonly string[];
  /** By chunk; null: it has none. */
  ids: readonly (string | null)[] | undefined;
}

export interface Part {
  kind: number;
  spans: Span[];
  anew: Record<string, number> | undefined;
  /** Where it was encoded … */
  payload: PayloadBytes | undefined;
  /** … and the chunks themselves, where nothing is kept beyond memory. */
  bytes: Uint8Array | undefined;
  acknowledged: boolean;
}

export function headerOf(spans: readonly Span[], anew?: Record<string, number>): string {
  const lists = spans.map(({ key, first, count, bytes, attempt, during, ids }) => [key, first, count, bytes, attempt, during, ...(ids ? [ids] : [])]);
  return JSON.stringify({ spans: lists, ...(anew && { anew }) });
}

/** undefined: it can't be read. */
export function readPart({ kind, payload }: FoundPart): Part | undefined {
  try {
    const { spans, anew } = JSON.parse(readRecord(payload).key);
    return { kind, spans: spans.map(readSpan), anew: anew && readCounts(anew), payload, bytes: undefined, acknowledged: true };
  } catch {
    return undefined;
  }
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

function readSpan([key, first, count, bytes, attempt, during, ids]: any[]): Span {
  const isSpan = typeof key === 'string' && [first, count, bytes, attempt].every(isCount) && Array.isArray(during);
  if (!isSpan || (ids !== undefined && !Array.isArray(ids))) throw new TypeError('no span');
  return { key, first, count, bytes, attempt, during, ids };
}

function readCounts(anew: object): Record<string, number> {
  return Object.fromEntries(Object.entries(anew).filter(([, count]) => isCount(count)));
}

/** In the order in which they were written. A pack has taken the place of what was packed before it. */
export function readParts(found: readonly FoundPart[]): Part[] {
  const parts: Part[] = [];
  for (const one of found) {
    const part = readPart(one);
    if (part) parts.push(part);
  }
  return parts;
}

export const isInline = ({ kind }: Part): boolean => kind === NoteKind.StreamPacked;
