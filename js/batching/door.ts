/** Where the house meets micro-batching, which is loaded when the first run of it begins. */
import { Lazy } from '../lazy.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { Batching } from './batching.ts';

export type BatchingDoor = Lazy<Batching>;

export function batchingDoor(house: Orchestrator): BatchingDoor {
  return new Lazy(async () => new (await import('./batching.ts')).Batching(house));
}
