'use client';
import { createContext, type ReactNode, useContext, useMemo } from 'react';
import type { OrchestratorApi, OrchestratorOptions } from '../types.ts';
import { pageOrchestrator } from './default.ts';

const OrchestratorContext = createContext<OrchestratorApi | null>(null);

export interface OrchestratorProviderProps {
  /** Made outside of React, by `createOrchestrator`: React never owns its life. */
  orchestrator: OrchestratorApi;
  children?: ReactNode;
}

/** Makes every hook and panel below use this orchestrator instead of the page's default one. */
export function OrchestratorProvider({ orchestrator, children }: OrchestratorProviderProps) {
  return <OrchestratorContext.Provider value={orchestrator}>{children}</OrchestratorContext.Provider>;
}

/**
 * The provider's orchestrator, or the page's default one. `options` count once, when the engine of
 * their `id` is made; a new object on every render is fine.
 */
export function useOrchestrator(options?: OrchestratorOptions): OrchestratorApi {
  const provided = useContext(OrchestratorContext);
  const id = options?.id;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the engine is found by its id; other options are read at creation
  return useMemo(() => provided ?? pageOrchestrator(options), [provided, id]);
}
