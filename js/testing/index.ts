/**
 * `holdfast/testing`: what a test of an application needs to be fast and repeatable.
 *
 *     const clock = new TestClock();
 *     const orchestrator = createTestOrchestrator({ clock, tasks: [pages] });
 *     await orchestrator.ready;               // the core is loaded; from here on only the clock moves
 *     const run = orchestrator.trigger(pages, input);
 *     await clock.advance(60_000);            // retries, delays and timeouts fall due, in order
 *
 * A storage made by `memory()` outlives the orchestrator, so a test can dispose one and open another.
 */
import { TestClock } from '../time/clock.ts';
import { Orchestrator } from '../orchestrator.ts';
import type { OrchestratorOptions } from '../types.ts';

export { TestClock } from '../time/clock.ts';
export { memory } from '../storage/memory.ts';

/**
 * An orchestrator of its own (never the page's), in memory, on a standing clock, without other tabs.
 * Everything can be overridden.
 */
export function createTestOrchestrator(options: OrchestratorOptions = {}): Orchestrator {
  return new Orchestrator({ storage: 'memory', clock: new TestClock(), tabs: false, ...options });
}
