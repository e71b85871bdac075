'use client';
/** React for holdfast: hooks over the orchestrator's store, and the panel that shows it. */
export { ApprovalCard, type ApprovalCardLabels, type ApprovalCardProps } from './ApprovalCard.tsx';
export type { Format } from './format.ts';
export { en, fr, type LabelKey, type Labels, type Locale } from './labels.ts';
export type { ActionName, PanelPart, RenderTask, TaskRowApi } from './panel.ts';
export { OrchestratorProvider, type OrchestratorProviderProps, useOrchestrator } from './provider.tsx';
export type { TaskFilter, TaskSort } from './selection.ts';
export { TaskManager, type TaskManagerProps } from './TaskManager.tsx';
export { useBatch } from './useBatch.ts';
export { useStorageState } from './useStorageState.ts';
export { useTask } from './useTask.ts';
export { type TaskOrchestrator, useTaskOrchestrator } from './useTaskOrchestrator.ts';
export { type TaskProgress, useTaskProgress } from './useTaskProgress.ts';
export { type TaskStreamState, useTaskStream } from './useTaskStream.ts';
export { useTasks } from './useTasks.ts';
