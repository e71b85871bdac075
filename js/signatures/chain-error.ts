/** What the error callbacks of a chain get: where it stopped, and why. */
import { chainTask } from './names.ts';
import type { Source } from '../dependencies/types.ts';

export function isChain(identifier: string): boolean {
  return identifier === chainTask;
}

export async function chainErrorMessage(chain: Source): Promise<Record<string, unknown>> {
  const { error } = chain;
  const where = (error as { data?: { key?: unknown } } | undefined)?.data;
  return { chain_task_id: chain.id, error: error?.message ?? '', original_msg: await chain.input().catch(() => undefined), error_task_key: where?.key };
}
