/** What an orchestrator that was disposed says to whoever still asks it to do something. What only reads shows what was there last. */
import { DisposedError } from '../errors.ts';

interface Mortal {
  readonly disposed: boolean;
}

export const disposedError = (): DisposedError => new DisposedError('This orchestrator was disposed. Create another one.');

/** @throws DisposedError */
export function refuseDisposed({ disposed }: Mortal): void {
  if (disposed) throw disposedError();
}

/** Whoever does not await it is not told by the page of a rejection that nobody handled. */
export function unheard<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {});
  return promise;
}

/** undefined: it lives. */
export function refusedAsDisposed(house: Mortal): Promise<never> | undefined {
  return house.disposed ? unheard(Promise.reject(disposedError())) : undefined;
}
