/**
 * `holdfast/testing`: what a test of an application needs to be fast and repeatable.
 *
 *     const orchestrator = createTestOrchestrator({ tasks: [pages] });
 *     const run = orchestrator.trigger(pages, input);
 *     orchestrator.failNext('pages', 2);
 *     await orchestrator.runUntilIdle();          // retries, delays and timeouts fall due, in order, at once
 *
 * A storage made by `memory()` outlives the orchestrator, so a test can dispose one and open another.
 */
export { TestClock } from '../time/clock.ts';
export { memory } from '../storage/memory.ts';
export type { Dispatch, DispatchedOptions } from './dispatches.ts';
export { AssertionError, createTestOrchestrator, type RunUntilOptions, TestOrchestrator, type TestOptions } from './kit.ts';
export { type HoldfastMatchers, matchers } from './matchers.ts';
export { assertReplays, replay, type ReplayDrift, type ReplayedRun, type ReplayOptions, type ReplayReport } from './replay.ts';
