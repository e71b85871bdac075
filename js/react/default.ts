import { createOrchestrator, getDefaultOrchestrator } from '../index.ts';
import type { OrchestratorApi, OrchestratorOptions } from '../types.ts';
import { inertOrchestrator } from './inert.ts';

/** The page's own orchestrator. While rendering on a server nothing is created: there are no tasks there. */
export function pageOrchestrator(options?: OrchestratorOptions): OrchestratorApi {
  if (typeof document === 'undefined') return inertOrchestrator;
  return options ? createOrchestrator(options) : getDefaultOrchestrator();
}
