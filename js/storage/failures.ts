/**
 * The platform's storage errors, told apart by name (their classes differ between browsers), and our
 * own errors carried over a worker's door.
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
