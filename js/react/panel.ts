'use client';
import { createContext, type ReactNode, useContext } from 'react';
import type { OrchestratorApi, TaskState } from '../types.ts';
import type { Voice } from './Announcer.tsx';
import type { FocusKeeper } from './focus.ts';
import type { Format } from './format.ts';

export type ActionName = 'pause' | 'resume' | 'cancel' | 'retry' | 'download' | 'remove';

/** What a row can do; each settles when the orchestrator has answered, and never rejects. */
export interface TaskRowApi {
  readonly actions: readonly ActionName[];
  perform(action: ActionName): Promise<void>;
  readonly isOpen: boolean;
  toggle(): void;
}

export type RenderTask = (state: TaskState, row: TaskRowApi) => ReactNode;

export type PanelPart =
  | 'root'
  | 'header'
  | 'chip'
  | 'banner'
  | 'removed'
  | 'list'
  | 'row'
  | 'badge'
  | 'progress'
  | 'actions'
  | 'button'
  | 'details'
  | 'empty';

/** What every part of one panel shares. */
export interface Panel {
  readonly orchestrator: OrchestratorApi;
  readonly format: Format;
  readonly allow: Readonly<Record<'cancel' | 'pause' | 'remove' | 'download', boolean>>;
  readonly renderTask: RenderTask | undefined;
  readonly renderActions: RenderTask | undefined;
  readonly focus: FocusKeeper;
  readonly voice: { current: Voice | undefined };
  clicked(state: TaskState): void;
  /** Removes a run; what can be brought back is told to the person. */
  remove(id: string): Promise<unknown>;
  /** The class of a part, the caller's own included. */
  part(name: PanelPart, base: string): string;
}

export const PanelContext = createContext<Panel | null>(null);

export function usePanel(): Panel {
  const panel = useContext(PanelContext);
  if (!panel) throw new Error('This part belongs inside <TaskManager>.');
  return panel;
}
