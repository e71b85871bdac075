/** For `expect.extend(matchers)` of vitest and jest. */
import { ConfigurationError } from '../errors.ts';
import { describe } from '../intake/checks.ts';
import type { DispatchedOptions, Verdict } from './dispatches.ts';
import type { Task } from '../types.ts';
import { TestOrchestrator } from './kit.ts';
import { replay, type ReplayOptions } from './replay.ts';

/** What `expect(orchestrator)` can say then; to be merged into the test runner's own type. */
export interface HoldfastMatchers<Result = unknown> {
  /** A run of the task was made; with such an input: what is named of it, or, with `exact`, the whole. */
  toHaveDispatched(task: string, input?: unknown, options?: DispatchedOptions): Result;
  toHaveDispatchedNothing(): Result;
  /** Of an export: today's code of these tasks goes the way that is recorded. */
  toReplay(tasks: readonly Task[], options?: ReplayOptions): Promise<void>;
}

interface MatcherResult {
  pass: boolean;
  message(): string;
}

function resultOf({ pass, words }: Verdict): MatcherResult {
  return { pass, message: () => words };
}

function kitOf(received: unknown): TestOrchestrator {
  if (received instanceof TestOrchestrator) return received;
  throw new ConfigurationError(`expect must be given what createTestOrchestrator made, not ${describe(received)}.`);
}

export const matchers = {
  toHaveDispatched: (received: unknown, task: string, input?: unknown, options: DispatchedOptions = {}): MatcherResult => resultOf(kitOf(received).hasDispatched(task, input, options)),
  toHaveDispatchedNothing: (received: unknown): MatcherResult => resultOf(kitOf(received).hasDispatchedNothing()),
  toReplay: async (received: unknown, tasks: readonly Task[], options?: ReplayOptions): Promise<MatcherResult> => {
    const { ok, words } = await replay(received, tasks, options);
    return resultOf({ pass: ok, words });
  },
};
