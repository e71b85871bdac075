/**
 * The ways out of a page, closed while histories are replayed: code that goes over what it did must reach nobody.
 *
 * Invariant: what was there before is there again when the last replay has ended, however it ended.
 */
import { ConfigurationError } from '../errors.ts';

/** Names of the ways out that are closed. */
const waysOut = ['fetch', 'XMLHttpRequest', 'WebSocket', 'EventSource'] as const;

let closings = 0;
const former = new Map<string, PropertyDescriptor>();

export function outsideError(what: string): ConfigurationError {
  return new ConfigurationError(`A replay does nothing outside, and its code called ${what} outside of a step. Put it into ctx.step, whose result is recorded.`);
}

function close(): void {
  for (const name of waysOut) {
    const descriptor = Object.getOwnPropertyDescriptor(globalThis, name);
    if (!descriptor?.configurable) continue;
    former.set(name, descriptor);
    const refuse = name === 'fetch' ? () => Promise.reject(outsideError(name)) : class { constructor() { throw outsideError(name); } };
    Object.defineProperty(globalThis, name, { configurable: true, enumerable: descriptor.enumerable ?? false, writable: true, value: refuse });
  }
}

/** Does the work with them closed. */
export async function withoutOutside<Value>(work: () => Promise<Value>): Promise<Value> {
  if (closings++ === 0) close();
  try {
    return await work();
  } finally {
    if (--closings === 0) {
      for (const [name, descriptor] of former) Object.defineProperty(globalThis, name, descriptor);
      former.clear();
    }
  }
}
