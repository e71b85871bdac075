/**
 * Runs of our own: an event, a token and a removal are tasks too, so that they are stored, taken over and
 * forgotten by the same machinery. They are hidden: no list, count or callback shows them unasked.
 *
 * Invariant: what is hidden is known by its queue (cheap, for a whole journal) and by its definition.
 */
import { ConfigurationError } from '../errors.ts';
import type { Definition } from '../intake/registry.ts';

export type { SentEvent } from './events.ts';

/** Ids and queues that begin with it are ours. */
const reserved = 'holdfast:';
/** Definitions of ours whose runs are seen. */
export const containerPrefix = 'holdfast/';
export const hiddenQueue = 'holdfast:waiting';
export const eventTask = 'holdfast:event';
export const tokenTask = 'holdfast:token';
export const removalTask = 'holdfast:removal';

export function internal(id: string, run: (input: any) => unknown): Definition {
  return { id, hidden: true, handler: run, prepared: undefined, spec: { id, run, queue: hiddenQueue, simulateProgress: false } };
}

const nothing = (): void => {};
export const internalDefinitions: readonly Definition[] = [internal(eventTask, nothing), internal(tokenTask, nothing)];

export function isReserved(name: string): boolean {
  return name.startsWith(reserved);
}

/** @throws ConfigurationError */
export function refuseReserved(name: string, where: string): void {
  const prefix = [reserved, containerPrefix].find((ours) => name.startsWith(ours));
  if (prefix) throw new ConfigurationError(`${where} must not begin with "${prefix}", as ${JSON.stringify(name)} does: these are holdfast's own.`);
}
