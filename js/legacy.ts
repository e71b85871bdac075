/**
 * Reads, once, what the predecessor of this library kept in localStorage: a JSON array of TaskStates
 * that had neither completed nor failed, without code and without inputs.
 * Invariant: the old entry is removed only when every run of it is acknowledged here.
 */
import type { Orchestrator } from './orchestrator.ts';
import type { RecoveryReport } from './types.ts';

/** The key that is looked at when `persistenceKey` is not given. */
export const defaultPersistenceKey = 'task_orchestrator_state';

interface LegacyTask {
  id: string;
  name: string;
  metadata: Record<string, any>;
}

function readLegacy(key: string): LegacyTask[] | undefined {
  let text: string | null;
  try {
    text = typeof localStorage === 'undefined' ? null : localStorage.getItem(key);
  } catch {
    return undefined;
  }
  if (text === null) return undefined;
  const told: unknown = JSON.parse(text);
  if (!Array.isArray(told)) throw new TypeError('it is no array of tasks');
  return told.filter(isLegacyTask);
}

function isLegacyTask(told: unknown): told is LegacyTask {
  if (typeof told !== 'object' || told === null) return false;
  const { id, name, status } = told as Record<string, unknown>;
  return typeof id === 'string' && id !== '' && typeof name === 'string' && status !== 'completed' && status !== 'failed';
}

/** Its runs are shown as waiting for their file, which that store never kept; people retry or remove them. */
export async function importLegacy(house: Orchestrator, report: RecoveryReport): Promise<void> {
  const key = house.getOptions().persistenceKey ?? defaultPersistenceKey;
  let tasks: LegacyTask[] | undefined;
  try {
    tasks = readLegacy(key);
  } catch (error) {
    report.warnings.push(`The old tasks under localStorage "${key}" can't be read (${error instanceof Error ? error.message : error}); they are left there.`);
    return;
  }
  if (!tasks) return;
  const fresh = tasks.filter(({ id }) => !house.knows(id));
  await Promise.all(fresh.map(({ id, name, metadata }) => house.intake.triggerWithoutInput(id, name, metadata ?? {}).accepted));
  localStorage.removeItem(key);
  report.kept.push(...fresh.map(({ id }) => id));
}
