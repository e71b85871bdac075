/** Moments that a wait decides once. Pure but for the record that it makes. */
import type { Durable } from '../context/durable.ts';
import { KeyPrefix, RecordKind } from '../journal/history.ts';

/** Decided once in this try: a new attempt waits anew. */
export function decided(durable: Durable, what: string, key: string, decide: () => number): number {
  const marker = `${KeyPrefix.Mark}${what}${key}`;
  const known = durable.replay.mark(marker);
  if (known && known.attempt > durable.host.closedAttemptOf(durable.run)) return durable.host.valueOf(known) as number;
  const value = decide();
  durable.note(marker, RecordKind.Mark, value);
  return value;
}
