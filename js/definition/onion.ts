/**
 * Middleware around an attempt: layers, the orchestrator's outside the task's.
 *
 * Invariant: what the innermost gives or throws is what the onion gives or throws, unless a layer
 * throws something else; so a layer that swallows an error, or forgets to await, changes nothing.
 */
import { ConfigurationError } from '../errors.ts';
import type { AttemptEvent, Middleware } from './hook-types.ts';

const ignore = () => {};

/** @throws ConfigurationError for a layer that calls `next` twice, or returns without calling it */
export function onion(layers: readonly Middleware[], event: AttemptEvent, core: () => Promise<unknown>, task: string): Promise<unknown> {
  return layers.reduceRight<() => Promise<unknown>>((inner, layer) => () => through(layer, inner, event, task), core)();
}

async function through(layer: Middleware, inner: () => Promise<unknown>, event: AttemptEvent, task: string): Promise<unknown> {
  let passed: Promise<unknown> | undefined;
  const next = () => {
    if (passed) throw new ConfigurationError(`A middleware of "${task}" has called next() twice; an attempt runs once.`);
    passed = inner();
    // It is awaited below, whatever the layer does with it.
    passed.catch(ignore);
    return passed;
  };
  await layer({ ...event, next });
  if (!passed) throw new ConfigurationError(`A middleware of "${task}" has returned without calling next(). To end an attempt, throw.`);
  return passed;
}
