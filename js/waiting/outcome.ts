/**
 * What came of a wait, as a value for people, as a record, and as a message.
 * Invariant: a wait whose time ran out gives an error and throws none.
 */
import { fromMessage, toMessage, type ValueMessage } from '../codec/message.ts';
import type { SerializedError } from '../errors.ts';
import { deserializeError, serializeError } from '../runs/serialize-error.ts';
import type { WaitPromise, WaitResult } from './types.ts';

export const succeeded = <Output>(output: Output): WaitResult<Output> => Object.freeze({ ok: true, output });
export const failed = (error: Error): WaitResult<never> => Object.freeze({ ok: false, error });

export function unwrapped<Output>(result: WaitResult<Output>): Output {
  if (result.ok) return result.output;
  throw result.error;
}

export function waitPromise<Output>(result: Promise<WaitResult<Output>>): WaitPromise<Output> {
  const promise = result as WaitPromise<Output>;
  promise.unwrap = () => result.then(unwrapped);
  return promise;
}

/** To another tab or a worker. */
export type WaitMessage = { ok: true; output: ValueMessage } | { ok: false; error: SerializedError };

export function toWaitMessage(result: WaitResult): { value: WaitMessage; transfer: ArrayBuffer[] } {
  if (!result.ok) return { value: { ok: false, error: serializeError(result.error) }, transfer: [] };
  const { value, transfer } = toMessage(result.output, 'output');
  return { value: { ok: true, output: value }, transfer };
}

export function fromWaitMessage(message: WaitMessage): WaitResult {
  return message.ok ? succeeded(fromMessage(message.output)) : failed(deserializeError(message.error));
}
