/**
 * Whose member a signature becomes: said to the core (`Belong`), noted with the run, known here at once.
 *
 * Invariant: a run becomes a member once, before it is submitted; its place is in its binding.
 */
import { NoteKind } from '../journal/notes.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { familyOf } from '../intake/family.ts';
import { depthLimit } from '../context/children.ts';
import { ConfigurationError, SignatureUsedError } from '../errors.ts';
import type { Binding } from '../dependencies/types.ts';
import type { Edges } from '../dependencies/edges.ts';
import type { Run } from '../runs/run.ts';

/** `g0:3`: of the first generation, the fourth. */
export function memberKey(generation: number, index: number): string {
  return `g${generation}:${index}`;
}

/**
 * Known at once, so that it is not used for anything else meanwhile; that it is closed stays known. To be said to the core
 * by `describe`.
 * @throws SignatureUsedError something else has taken it since it was looked at
 */
export function bindTo(edges: Edges, run: Run, binding: Binding): Binding {
  const [former, next] = [run.extra.bound, binding].map((one) => one?.sources.container ?? one?.sources.of);
  if (former !== undefined && next !== former) throw new SignatureUsedError(`Signature ${run.id} (${run.taskIdentifier}) belongs to ${former} already: a signature runs once. Give a clone().`, { data: { key: run.id } });
  const closed = run.extra.bound?.data?.closed === true;
  const kept = closed ? { ...binding, data: { ...binding.data, closed } } : binding;
  edges.claim(run, kept);
  return kept;
}

/** Known here; what it gives says the same to the core, once that knows both. @throws ConfigurationError */
export function adopt(house: Orchestrator, edges: Edges, container: Run, member: Run, key: string): () => void {
  const below = heightOf(house, member);
  const { maxDepth = depthLimit } = house.getOptions();
  if (container.extra.depth + 1 + below > maxDepth) throw new ConfigurationError(`${container.id} would be ${container.extra.depth + 1 + below} containers deep, and ${maxDepth} are the limit.`);
  const extra = member.ownExtra;
  extra.parent = container;
  extra.childKey = key;
  extra.childPolicy = P.ChildPolicyCancel;
  house.services.children.add(container, key, member);
  const moved = place(house, container, member);
  return () => {
    house.pump.commands.push(P.CommandBelong, member.task, container.task, P.ChildPolicyCancel);
    for (const run of moved) if (run.task !== 0) edges.note(run, NoteKind.Family, familyOf(run));
  };
}

function heightOf(house: Orchestrator, run: Run): number {
  let height = 0;
  for (const child of house.services.children.of(run)) height = Math.max(height, 1 + heightOf(house, child));
  return height;
}

/** Everything below it is deeper too. */
function place(house: Orchestrator, container: Run, member: Run): Run[] {
  const extra = member.ownExtra;
  extra.parentId = container.id;
  extra.rootId = container.extra.rootId ?? container.id;
  extra.depth = container.extra.depth + 1;
  house.changed(member);
  return [member, ...house.services.children.of(member).flatMap((child) => place(house, member, child))];
}

/** Members as they count: at each place that of the last generation, in order. */
export function membersOf(house: Orchestrator, container: Run): Run[] {
  const latest = new Map<number, Run>();
  for (const run of house.services.children.of(container)) {
    house.identify(run);
    const { index, generation = 0 } = run.extra.bound?.data ?? {};
    if (typeof index !== 'number' || run.extra.gone) continue;
    const known = latest.get(index);
    if (!known || (known.extra.bound!.data!.generation ?? 0) < generation) latest.set(index, run);
  }
  return [...latest].sort(([one], [other]) => one - other).map(([, run]) => run);
}
