/** `ctx.lock` of a context: checked at the call; what does the work comes in with the first use. */
import { checkFunction, checkIdentifier, checkNames } from '../intake/checks.ts';
import type { Durable } from '../context/durable.ts';
import { KeyPrefix } from '../journal/history.ts';
import type { Claim } from './claims.ts';
import type { LockTable } from './table.ts';
import type { LockOptions } from './types.ts';

const optionNames = ['id', 'timeout', 'timeoutMs'];

export interface LockingHost {
  lockTable(): Promise<LockTable>;
}

/** @throws ConfigurationError, and what stops the attempt */
export async function claimLock(durable: Durable, host: LockingHost, key: string, options: LockOptions = {}): Promise<Claim> {
  durable.check('lock', String(key));
  checkIdentifier(key, 'ctx.lock key', 512);
  checkNames(options, optionNames, 'ctx.lock');
  if (options.id !== undefined) checkIdentifier(options.id, 'ctx.lock id', 512);
  // Known before anything is awaited, so that two of a key are told apart by the order of the calls.
  const record = durable.key(KeyPrefix.Lock, key, options.id);
  const [{ acquire, lockTimeMs }, table] = await Promise.all([import('./acquire.ts'), host.lockTable()]);
  return acquire(durable, table, key, record, lockTimeMs(options));
}

/** Runs it while the run holds the lock. @throws what it throws, LockTimeoutError LockReentryError LockDeadlockError */
export async function lock<Value>(durable: Durable, host: LockingHost, key: string, work: () => Value | Promise<Value>, options?: LockOptions): Promise<Value> {
  checkFunction(work, `ctx.lock(${JSON.stringify(key)}) work`);
  const claim = await claimLock(durable, host, key, options);
  try {
    return await work();
  } finally {
    claim.release();
  }
}
