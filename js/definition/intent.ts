/**
 * What a task is for, and the defaults that follow from it. They are weaker than what the task, its call,
 * its process or the orchestrator says.
 *
 *   fetch       brings data from outside: three attempts; six at once in all, in the queue `network`
 *   transform   computes, and has no other effect: one attempt, two more when its worker dies; one less than
 *               the processors at once, in the queue `cpu`
 *   effect      changes something outside: three attempts
 */
import { oneOf } from '../intake/checks.ts';
import type { RunOptions } from '../types.ts';

export type Intent = 'fetch' | 'transform' | 'effect';

interface IntentDefaults {
  readonly retry: NonNullable<RunOptions['retry']>;
  /** Where it queues; declared with this limit unless the application declares it. */
  readonly queue?: { readonly name: string; readonly concurrency: () => number };
}

const defaults: Record<Intent, IntentDefaults> = {
  fetch: { retry: { maxAttempts: 3 }, queue: { name: 'network', concurrency: () => 6 } },
  transform: { retry: { maxAttempts: 1, crashRetries: 2 }, queue: { name: 'cpu', concurrency: () => Math.max(1, (globalThis.navigator?.hardwareConcurrency ?? 2) - 1) } },
  effect: { retry: { maxAttempts: 3 } },
};

/** @throws ConfigurationError */
export function checkIntent(intent: unknown, where: string): void {
  oneOf(intent, Object.keys(defaults), where);
}

/** @param declare makes a queue known under this name unless it is */
export function intentDefaults(intent: Intent | undefined, declare: (name: string, concurrency: number) => void): RunOptions {
  if (intent === undefined) return {};
  const { retry, queue } = defaults[intent];
  if (!queue) return { retry };
  declare(queue.name, queue.concurrency());
  return { retry, queue: queue.name };
}
