/**
 * Reads, once, what the predecessor of this library kept in localStorage: a JSON array of TaskStates
 * that had neither completed nor failed, without code and without inputs.
 * Invariant: a run leaves the old entry only when it is acknowledged here; one that can't be taken over
 * stays there, is told, and stands in nobody's way.
 */
import { describe } from '../intake/checks.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { RecoveryReport } from '../types.ts';

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
  const left: LegacyTask[] = [];
  const take = async (task: LegacyTask) => {
    try {
      await house.intake.triggerWithoutInput(task.id, task.name, task.metadata ?? {}).accepted;
      report.kept.push(task.id);
    } catch (error) {
      left.push(task);
      report.warnings.push(`The old task ${describe(task.id)} under localStorage "${key}" can't be taken over (${error instanceof Error ? error.message : error}); it is left there.`);
    }
  };
  await Promise.all(tasks.filter(({ id }) => !house.localRun(id)).map(take));
  if (left.length > 0) localStorage.setItem(key, JSON.stringify(left));
  else localStorage.removeItem(key);
}
