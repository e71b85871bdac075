/**
 * How a run comes to a lock: it waits without a slot, and that it had the lock is recorded, in order with what
 * else it did. A run that goes over its records again takes the lock again before it goes on.
 *
 * Invariant: code that is behind `acquire` runs only while its run holds the lock.
 */
import type { Durable } from '../context/durable.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { ConfigurationError, LockTimeoutError } from '../errors.ts';
import { type Entry, RecordKind } from '../journal/history.ts';
import { decided } from '../waiting/decided.ts';
import type { Claim } from './claims.ts';
import type { LockTable } from './table.ts';
import type { LockOptions } from './types.ts';

/** @throws ConfigurationError */
export function lockTimeMs({ timeout, timeoutMs }: LockOptions): number | undefined {
  if (timeout !== undefined && timeoutMs !== undefined) throw new ConfigurationError('ctx.lock has a timeout and a timeoutMs, which mean the same; give one of the two.');
  const given = timeout === undefined ? timeoutMs : timeout;
  return given === undefined ? undefined : toMilliseconds(given, timeout === undefined ? 'ctx.lock timeoutMs' : 'ctx.lock timeout');
}

/** @param record what the lock is known by in the run's records */
export async function acquire(durable: Durable, table: LockTable, key: string, record: string, timeoutMs: number | undefined): Promise<Claim> {
  const known = await durable.ask(record);
  // Of this try: it went on without the lock.
  if (known?.kind === RecordKind.Failure) await durable.answer(known);
  await durable.safePoint('lock', key);
  const claim = table.claim(durable.run, key);
  try {
    await durable.wait(inTime(durable, claim, record, hadIt(durable, known) ? undefined : timeoutMs), () => {
      // Called where time is over too.
      if (!known && claim.isHeld) durable.note(record, RecordKind.Locked);
    }, () => ({ kind: 'lock', name: key, ...(claim.holder && { runs: [claim.holder.id] }), text: claim.words }));
    durable.check('lock', key);
    return claim;
  } catch (error) {
    claim.release();
    if (error instanceof LockTimeoutError) durable.fail(record, RecordKind.Failure, error);
    throw error;
  }
}

/** In this try, before the page went: then time is not over for it. */
function hadIt(durable: Durable, known: Entry | undefined): boolean {
  return known !== undefined && known.attempt > durable.host.closedAttemptOf(durable.run);
}

function inTime(durable: Durable, claim: Claim, record: string, timeoutMs: number | undefined): Promise<void> {
  if (timeoutMs === undefined) return claim.granted;
  const untilMs = decided(durable, 'until', record, () => durable.host.nowMs + timeoutMs);
  return new Promise((resolve, reject) => {
    const late = () => {
      const { words } = claim;
      if (claim.isHeld) return;
      // Whoever comes next need not wait until this code has a slot to hear of it.
      claim.release();
      reject(new LockTimeoutError(`Run ${durable.run.id} did not get the lock ${JSON.stringify(claim.key)} within ${timeoutMs} ms. ${words}`, { data: { key: claim.key } }));
    };
    const cancel = durable.alarms.add(untilMs, late);
    void claim.granted.then(() => {
      cancel();
      resolve();
    });
  });
}
