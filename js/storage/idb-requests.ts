/**
 * The requests of one IndexedDB transaction, and what they failed of.
 * Invariant: no failure is nobody's, and why something failed is not lost behind that it was ended: a request
 * that fails says why, its transaction then only that it was aborted; where the commit fails, it is the other way round.
 */
import { nameOf } from './failures.ts';

/** Its failure is heard from `allOf`, or is that of the transaction. */
export function heardLater<Result>(request: Promise<Result>): Promise<Result> {
  request.catch(() => {});
  return request;
}

/** Settles when the transaction has. @throws what was first to fail by itself */
export async function allOf(transaction: { readonly done: Promise<void> }, requests: readonly Promise<unknown>[]): Promise<void> {
  const outcomes = await Promise.allSettled([...requests, transaction.done]);
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  if (failures.length > 0) throw failures.find((failure) => nameOf(failure) !== 'AbortError') ?? failures[0];
}
