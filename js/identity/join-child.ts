/**
 * A child whose key another run holds: the parent waits for that run and records what it gave. It is no child
 * of the parent: whatever becomes of the parent, it goes on.
 */
import type { Durable, Prepared } from '../context/durable.ts';
import { ConfigurationError } from '../errors.ts';
import { RecordKind } from '../history.ts';
import type { Run } from '../run.ts';
import { duplicate, type Joined } from './keyed-handle.ts';

type Outcome = { output: unknown; record: Prepared } | { error: Error };

/** @throws ConfigurationError where the run would wait for itself */
export function refuseOwnAncestor(parent: Run, { handle }: Joined): void {
  for (let run: Run | undefined = parent; run; run = run.extra.parent) {
    if (run.id === handle.id)
      throw new ConfigurationError(`ctx.run("${handle.taskIdentifier}") of run ${parent.id}: run ${handle.id} holds the key ${JSON.stringify(handle.idempotencyKey)}, and waits for this one itself. Use another key.`);
  }
}

/** Gives the output, recorded before the code goes on. @throws what the other run failed with */
export async function joinRun(durable: Durable, key: string, { handle, skipped }: Joined): Promise<unknown> {
  if (skipped) throw duplicate(handle, 'The child was skipped');
  let come: Outcome | undefined;
  const outside = outcomeOf(durable, key, handle).then((outcome) => (come = outcome));
  await durable.wait(outside, () => {
    if (come && 'record' in come) durable.commit(come.record);
    else if (come) durable.fail(key, RecordKind.ChildFailed, come.error);
  });
  if ('error' in come!) throw come.error;
  return come!.output;
}

async function outcomeOf(durable: Durable, key: string, handle: Joined['handle']): Promise<Outcome> {
  const result = await handle.wait();
  if (!result.ok) return { error: result.error };
  return { output: result.output, record: await durable.prepare(key, RecordKind.Value, result.output, 'result') };
}
