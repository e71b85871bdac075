/**
 * What the run of a chain does: lets its members begin, waits without a slot until they have ended, gives the last
 * result. Who begins after whom is the core's.
 *
 * Invariants: nothing here is kept but in the journal, so it may begin again at any line; each try of the chain (a
 * generation, known by the attempt that was over before it) makes each member anew at most once.
 */
import type { Container } from '../groups/container.ts';
import { ChainStoppedError } from '../errors.ts';
import { NoteKind } from '../journal/notes.ts';
import { End, type Run } from '../runs/run.ts';
import { enlist } from './chain.ts';
import { membersOf } from './membership.ts';
import type { Signatures } from './signatures.ts';

export async function runChain(container: Container): Promise<unknown> {
  const { house, run, durable, context } = container;
  const home = await house.signatures.loaded();
  await renew(home, run);
  const members = membersOf(house, run);
  const begun = members.filter((member) => house.dependencies.isDraft(member)).map((member) => home.of(member).submit());
  await Promise.all(begun);
  let over = 0;
  const ended = members.map((member) => member.ended.then(() => context.progress((100 * ++over) / members.length)));
  await durable.wait(Promise.all(ended), () => {});
  const goesOn = run.extra.deferred?.data?.onError === 'continue';
  const stopped = members.findIndex(({ end }) => end !== End.Completed);
  if (stopped < 0 || (goesOn && members.some(({ end }) => end === End.Completed))) return house.outcomes.copyOf(members.findLast(({ end }) => end === End.Completed)!);
  if (run.extra.deferred?.data?.onError === 'compensate') await compensate(container, members.slice(0, stopped));
  throw stoppedAt(home, members, stopped);
}

function stoppedAt(home: Signatures, members: readonly Run[], index: number): ChainStoppedError {
  const member = members[index]!;
  const cause = home.house.errorOf(member);
  const { taskName, key } = home.of(member);
  return new ChainStoppedError(`The chain stopped at member ${index} (${taskName}, run ${key}): ${cause.message}`, { cause, data: { key, index, taskName } });
}

/** What those that had succeeded did is undone, the last first. */
async function compensate({ context, house }: Container, done: readonly Run[]): Promise<void> {
  for (const [index, member] of [...done.entries()].reverse()) {
    const task = member.extra.deferred?.data?.compensate as string | undefined;
    if (task !== undefined) await context.run(task, await house.outcomes.copyOf(member), { id: `undo ${index} ${member.id}` });
  }
}

/** Tried again: members from where it stopped, or from where it was told, are made anew. */
async function renew(home: Signatures, run: Run): Promise<void> {
  const { services } = home.house;
  const generation = services.closedAttemptOf(run);
  if (generation === 0) return;
  const members = membersOf(home.house, run);
  const isNew = (member: Run): boolean => member.extra.bound!.data!.generation === generation;
  const told = (await services.readNote(run, NoteKind.Message)?.value) as { from?: number; fromAttempt?: number } | undefined;
  const first = [members.findIndex(isNew), told?.fromAttempt === generation ? told.from! : -1, members.findIndex(({ end }) => end !== End.Completed)].find((at) => at >= 0) ?? 0;
  await home.make(async (making) => {
    const standing = members.slice(0, first);
    for (let index = first; index < members.length; index++) {
      let member = home.of(members[index]!);
      if (!isNew(members[index]!)) {
        member = await home.copy(making, member);
        making.done.push(enlist(home, run, member, { index, generation, before: [...standing], submit: false }));
      }
      standing.push(member.run_);
    }
  });
}
