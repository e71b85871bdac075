/** What the runs of branches and fallbacks do. They keep nothing: who was chosen follows from what is durable. */
import type { Container } from '../groups/container.ts';
import { End, type Run } from '../runs/run.ts';
import { holds } from './conditions.ts';
import { membersOf } from './membership.ts';
import type { Condition } from './types.ts';

export async function runBranch(container: Container, input: unknown): Promise<unknown> {
  const { run, house } = container;
  const members = membersOf(house, run);
  const subject = subjectOf(run, input);
  // What was begun was chosen, whatever the conditions say now.
  const begun = members.find((one) => !house.dependencies.isDraft(one) && one.end !== End.Cancelled);
  const member = begun ?? chosenBy(run, members, subject);
  // Nothing holds, and there is nothing else: what came goes on.
  if (!member) return subject;
  await follow(container, [member]);
  if (member.end !== End.Completed) throw house.errorOf(member);
  return house.outcomes.copyOf(member);
}

function chosenBy(run: Run, members: readonly Run[], subject: unknown): Run | undefined {
  const { conditions } = run.extra.deferred!.data as { conditions: Condition[] };
  const chosen = conditions.findIndex((condition) => holds(condition, subject));
  return chosen >= 0 ? members[chosen] : members[conditions.length];
}

/** What conditions are asked about: a result, where it came as one. */
function subjectOf({ extra: { bound, deferred } }: Run, input: unknown): unknown {
  const field = deferred?.data?.returnField as string | null | undefined;
  const isResult = bound?.data?.role === 'next' || bound?.data?.role === 'success';
  return isResult && field !== null ? (input as Record<string, unknown>)[field ?? 'result'] : input;
}

export async function runFallback(container: Container): Promise<unknown> {
  const { run, house, context } = container;
  const members = membersOf(house, run);
  await follow(container, members);
  const [task, other] = members;
  if (task!.end === End.Completed) return house.outcomes.copyOf(task!);
  const because = house.errorOf(task!);
  const { data } = run.extra.deferred!;
  if (task!.end === End.Cancelled || (!other && !Object.hasOwn(data!, 'value'))) throw because;
  if (other && other.end !== End.Completed) throw house.errorOf(other);
  context.metadata.set('degraded', because.message);
  return other ? house.outcomes.copyOf(other) : data!.value;
}

async function follow({ house, durable, run }: Container, members: readonly Run[]): Promise<void> {
  const home = await house.signatures.loaded();
  // Tried again by itself: so is what has failed.
  if (house.services.closedAttemptOf(run) > 0) await Promise.all(members.filter(({ end }) => end === End.Failed).map((member) => house.control.retry(member)));
  await Promise.all(members.filter((member) => house.dependencies.isDraft(member)).map((member) => home.of(member).submit()));
  await durable.wait(Promise.all(members.map(({ ended }) => ended)), () => {});
}
