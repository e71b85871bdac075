'use client';
import { useCallback } from 'react';
import type { TaskState } from '../types.ts';
import { useOrchestrator } from './provider.tsx';
import { type Subscribe, useSelected } from './useSelected.ts';

type Select<Value, Result> = (state: TaskState<Result> | undefined) => Value;
const itself = <Value>(value: Value) => value;
const never: Subscribe = () => () => {};

/** The state of one run; undefined while the run is not known. */
export function useTask<Result = any>(id: string | undefined): TaskState<Result> | undefined;
/** A part of it: re-renders only when what `selector` gives differs (one level deep). */
export function useTask<Value, Result = any>(id: string | undefined, selector: Select<Value, Result>): Value;
export function useTask(id: string | undefined, selector: Select<unknown, any> = itself) {
  const orchestrator = useOrchestrator();
  const subscribe = useCallback<Subscribe>(
    (listener) => (id === undefined ? never(listener) : orchestrator.subscribeTask(id, listener)),
    [orchestrator, id],
  );
  const read = () => (id === undefined ? undefined : orchestrator.getTaskState(id));
  return useSelected(subscribe, read, selector, selector(undefined));
}
