'use client';
import { useCallback } from 'react';
import type { StorageState } from '../types.ts';
import { openingStorage } from './inert.ts';
import { useOrchestrator } from './provider.tsx';
import { useSelected } from './useSelected.ts';

const itself = (state: StorageState) => state;

/** How well tasks are kept right now. */
export function useStorageState(): StorageState {
  const orchestrator = useOrchestrator();
  const subscribe = useCallback(
    (listener: () => void) => {
      const stop = orchestrator.on('storage', listener);
      // Opening ends without a storage event when all is well.
      orchestrator.ready.then(listener, listener);
      return stop;
    },
    [orchestrator],
  );
  return useSelected(subscribe, () => orchestrator.storageState, itself, openingStorage);
}
