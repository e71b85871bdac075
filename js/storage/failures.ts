/**
 * The platform's storage errors, told apart by name (their classes differ between browsers), which of
 * those of a transaction says why, and our own errors carried over a worker's door.
 */
import {
  PayloadLostError,
  StorageBlockedError,
  StorageError,
  StorageFullError,
  StorageLostError,
  StorageUnavailableError,
  StoreTooNewError,
} from '../errors.ts';

export function nameOf(error: unknown): string {
  return (error as { name?: string } | null)?.name ?? '';
}

export const isQuota = (error: unknown): boolean =>
  nameOf(error) === 'QuotaExceededError' || nameOf(error) === 'NS_ERROR_DOM_QUOTA_REACHED';
/** A second handle on a file that is open, mostly the last breath of a tab that was closed just now. */
export const isHeld = (error: unknown): boolean => nameOf(error) === 'NoModificationAllowedError';
export const isMissing = (error: unknown): boolean => nameOf(error) === 'NotFoundError';

export function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

export interface CarriedError {
  code: string;
  message: string;
}

const types = {
  STORAGE_FULL: StorageFullError,
  STORAGE_LOST: StorageLostError,
  STORAGE_BLOCKED: StorageBlockedError,
  STORAGE_UNAVAILABLE: StorageUnavailableError,
  PAYLOAD_LOST: PayloadLostError,
  STORE_TOO_NEW: StoreTooNewError,
} as const;

/** What a failed operation on an open store means above. */
export function asStorageError(error: unknown, doing: string): StorageError {
  if (error instanceof StorageError) return error;
  if (isQuota(error)) return new StorageFullError(`No room left while ${doing}. Free some space.`, { cause: error });
  return new StorageLostError(`The store failed while ${doing} (${textOf(error)}).`, { cause: error });
}

export function carry(error: unknown, doing: string): CarriedError {
  const known = asStorageError(error, doing);
  return { code: known.code, message: known.message };
}

export function uncarry(error: CarriedError): StorageError {
  const type = types[error.code as keyof typeof types] ?? StorageError;
  return new type(error.message);
}

/** Its failure is heard from `allOf`, or is that of the transaction. */
export function heardLater<Result>(request: Promise<Result>): Promise<Result> {
  request.catch(() => {});
  return request;
}

/**
 * Settles when an IndexedDB transaction with these requests has. A request that fails says why, its transaction then only
 * that it was aborted; where the commit fails, it is the other way round. @throws the one that says why
 */
export async function allOf(transaction: { readonly done: Promise<void> }, requests: readonly Promise<unknown>[]): Promise<void> {
  const outcomes = await Promise.allSettled([...requests, transaction.done]);
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  if (failures.length > 0) throw failures.find((failure) => nameOf(failure) !== 'AbortError') ?? failures[0];
}
