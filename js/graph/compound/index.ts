/** Tasks that hold tasks. */
export type { BranchConfig } from '../conditions.ts';
export { ArrayTask, ConditionalTask, type ConditionalTaskConfig, FallbackTask, type FallbackTaskConfig, TypeReplicateArray } from './choices.ts';
export { GraphAsTask, type GraphAsTaskConfig, WorkflowTask } from './graph-as-task.ts';
export { IteratorTask, type IteratorTaskConfig, MapTask, type MapTaskConfig, ReduceTask, type ReduceTaskConfig, WhileTask, type WhileTaskConfig } from './loops.ts';
export type { IterationBound, IterationInputConfig, IterationMode } from './iterations.ts';
