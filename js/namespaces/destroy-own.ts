/**
 * Destroying the namespace of an orchestrator: that ends first, as in every other tab.
 * Invariant: bad options have changed nothing.
 */
import type { Orchestrator } from '../orchestrator.ts';
import { type DestroyOptions, destroyStored, destroyTimeout, markBegun } from './destroy.ts';

export async function destroyOwn(house: Orchestrator, options: DestroyOptions): Promise<void> {
  const timeoutMs = destroyTimeout(options, 'destroyNamespace');
  const { storage } = house.getOptions();
  const { namespace } = house.opening;
  markBegun(namespace);
  const ended = house.opening.destroyed();
  // Nobody waits for a session without a gate, and what it writes as it closes would be left.
  if (!house.opening.hasGate) await ended;
  // The others are told at once: none of them is to take over what this one leaves.
  await Promise.all([ended, destroyStored(namespace, { storage: typeof storage === 'object' ? storage : undefined, timeoutMs })]);
}
