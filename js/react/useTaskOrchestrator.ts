'use client';
import { useEffect, useLayoutEffect, useRef } from 'react';
import type { OrchestratorApi, OrchestratorOptions } from '../types.ts';
import { useOrchestrator } from './provider.tsx';

const bound = [
  'executeTask',
  'getTaskState',
  'getAllTasks',
  'retryTask',
  'pauseTask',
  'resumeTask',
  'cancelTask',
  'removeTask',
  'undoRemove',
  'clearAllTasks',
] as const;

/** The orchestrator and its verbs, free to be passed around. */
export type TaskOrchestrator = Pick<OrchestratorApi, (typeof bound)[number]> & {
  readonly orchestrator: OrchestratorApi;
};

const made = new WeakMap<OrchestratorApi, TaskOrchestrator>();

function verbsOf(orchestrator: OrchestratorApi): TaskOrchestrator {
  const known = made.get(orchestrator);
  if (known) return known;
  const verbs = Object.fromEntries(bound.map((name) => [name, orchestrator[name].bind(orchestrator)]));
  const result = Object.freeze({ ...verbs, orchestrator }) as TaskOrchestrator;
  made.set(orchestrator, result);
  return result;
}

// React warns about layout effects on a server; there they would do nothing anyway.
const useIsomorphicLayoutEffect = typeof document === 'undefined' ? useEffect : useLayoutEffect;

/** Always the value of the last committed render, for listeners that live longer than one. */
export function useLatest<Value>(value: Value) {
  const latest = useRef(value);
  useIsomorphicLayoutEffect(() => {
    latest.current = value;
  });
  return latest;
}

/**
 * Every caller gets the same store and the same functions. `onComplete`, `onError` and `onProgress`
 * are listeners of this component: the latest ones are called, and none after it is gone.
 */
export function useTaskOrchestrator(options?: OrchestratorOptions): TaskOrchestrator {
  const { onComplete, onError, onProgress, ...engine } = options ?? {};
  const orchestrator = useOrchestrator(options && engine);
  const latest = useLatest({ onComplete, onError, onProgress });
  useEffect(() => {
    const stops = [
      orchestrator.on('complete', (id, result) => latest.current.onComplete?.(id, result)),
      orchestrator.on('error', (id, error) => latest.current.onError?.(id, error)),
      orchestrator.on('progress', (id, progress) => latest.current.onProgress?.(id, progress)),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }, [orchestrator, latest]);
  return verbsOf(orchestrator);
}
