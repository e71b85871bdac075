/**
 * Code that runs again and asks for a signature gets the one that it has made. What it asks for by then may be
 * another one: the same verb, in the same place, of other tasks.
 *
 * Invariant: nobody is given a signature of a task that was not asked for.
 */
import type { RunContext } from '../context/context.ts';
import { DriftError } from '../errors.ts';
import { isTask } from '../intake/registry.ts';
import { KeyPrefix, valueOf } from '../journal/history.ts';
import { isSignature, type StoredSignature } from './signature.ts';
import type { Signatures } from './signatures.ts';

/** @param what a task, or those of a chain or swarm. @throws DriftError */
export function refuseDrift(home: Signatures, { house, durableWork: { run } }: RunContext, signature: StoredSignature, what: unknown): void {
  const isOne = !Array.isArray(what) && what !== undefined;
  const asked = (isOne ? [what] : ((what as unknown[] | undefined) ?? [])).map((one) => idOf(home, one));
  const size = (signature.run_.extra.deferred!.data?.size as number | undefined) ?? 1;
  const made = isOne ? [signature.run_] : home.membersOf(signature.run_).slice(0, size);
  const expected = made.map(({ taskIdentifier }) => taskIdentifier);
  // Members that were removed since are no drift.
  if ((!isOne && made.length < size) || String(asked) === String(expected)) return;
  const entry = house.services.historyOf(run).entries.find((one) => one.key.startsWith(`${KeyPrefix.Step}ctx.`) && valueOf(one) === signature.key);
  throw new DriftError(
    `Run ${run.id}: its code had made signature ${signature.key} of ${words(expected)} here, but asked for one of ${words(asked)}. Keep the tasks and the order of what a run has made, or guard changes with ctx.patch(id).`,
    { data: { expected: words(expected), actual: words(asked), path: run.taskIdentifier, key: entry?.key } },
  );
}

function idOf(home: Signatures, one: unknown): string {
  if (isSignature(one)) return one.run_.taskIdentifier;
  if (isTask(one)) return one.id;
  return home.local(String(one))?.taskIdentifier ?? String(one);
}

const words = (ids: readonly string[]): string => ids.map((id) => JSON.stringify(id)).join(', ') || 'nothing';
