/**
 * Chains: signatures one after the other, each with the result of the one before. A chain is a run of its own (see
 * chain-run.ts), whose members are stored with it before it begins; the edges between them are the core's.
 *
 * Invariants: a chain has all its members or is not there; a member stands in it by its place, so one that is given
 * twice is two runs.
 */
import { ConfigurationError, SignatureUsedError } from '../errors.ts';
import { describe, oneOf } from '../intake/checks.ts';
import { NoteKind } from '../journal/notes.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import type { EdgeCondition, Prerequisite } from '../dependencies/types.ts';
import { chainTask } from './names.ts';
import { adopt, bindTo, memberKey, membersOf } from './membership.ts';
import { partsOf } from './options.ts';
import { isSignature, type StoredSignature } from './signature.ts';
import type { Making, Signatures } from './signatures.ts';
import type { Signable } from './types.ts';

type OnError = 'stop' | 'continue' | 'compensate';

/** @throws ConfigurationError UnrecognizedTaskError MissingSignatureError SignatureUsedError SerializationError */
export function chain(home: Signatures, tasks: readonly unknown[], options: Record<string, unknown> = {}, id?: string, kind: object = {}): Promise<StoredSignature> {
  const fewest = 'first' in kind ? 1 : 2;
  if (!Array.isArray(tasks) || tasks.length < fewest) throw new ConfigurationError(`chain needs at least two tasks, and was given ${describe(tasks)}.`);
  const { name, success, error, cancelled, onError = 'stop', ...others } = options;
  if (name !== undefined && (typeof name !== 'string' || name === '')) throw new ConfigurationError(`chain name must be a text, not ${describe(name)}.`);
  oneOf(onError, ['stop', 'continue', 'compensate'], 'chain onError');
  tasks.forEach((task, index) => home.checkSignable(task, `chain tasks[${index}]`));
  const callbacks = { ...(success !== undefined && { successCallbacks: listOf(success) }), ...(error !== undefined && { errorCallbacks: listOf(error) }), ...(cancelled !== undefined && { cancelCallbacks: listOf(cancelled) }) };
  const parts = partsOf({ ...others, ...callbacks }, 'chain');
  const checked = home.checkCallbacks(parts.own, 'chain');
  return home.make(async (making) => {
    const members: StoredSignature[] = [];
    for (const task of tasks as Signable[]) members.push(await memberOf(home, making, task, members));
    const named = `chain-task:${(name as string | undefined) ?? members[0]!.taskName}`;
    const deferred = { ...parts.deferred, data: { ...parts.deferred.data, onError: onError as OnError, size: tasks.length, ...kind } };
    const container = home.draft(making, home.container(chainTask), parts.kwargs, { ...parts.trigger, name: named }, deferred, id);
    link(home, making, container.run_, members);
    home.attach(making, container, checked);
    return container;
  });
}

const listOf = (given: unknown): unknown => (Array.isArray(given) ? given : [given]);

/** The same signature a second time is another like it. */
async function memberOf(home: Signatures, making: Making, task: Signable, before: readonly StoredSignature[]): Promise<StoredSignature> {
  const signature = home.signable(making, task);
  return before.some(({ key }) => key === signature.key) ? home.copy(making, signature) : signature;
}

/** Where one member stands. */
interface Place {
  index: number;
  generation: number;
  before: readonly Run[];
  submit: boolean;
}

function link(home: Signatures, making: Making, container: Run, members: readonly StoredSignature[]): void {
  members.forEach((member, index) => {
    making.done.push(enlist(home, container, member, { index, generation: 0, before: members.slice(0, index).map(({ run_ }) => run_), submit: false }));
  });
}

/** A member takes its place: bound to the one before, which has to end well, unless the chain goes on whatever happens. */
export function enlist(home: Signatures, container: Run, member: StoredSignature, { index, generation, before, submit }: Place): Promise<boolean> {
  const goesOn = container.extra.deferred?.data?.onError === 'continue';
  const on: EdgeCondition = goesOn ? 'settled' : 'success';
  const previous = before.at(-1);
  const binding = bindTo(home.edges, member.run_, {
    sources: {
      container: container.id,
      ...(goesOn && Object.fromEntries(before.slice(0, -1).map((run, at) => [`before${at}`, run.id]))),
      ...(previous && { previous: previous.id }),
    },
    data: { role: previous ? 'next' : 'first', index, generation, passes: true },
  });
  const run = member.run_;
  const belong = adopt(home.house, home.edges, container, run, memberKey(generation, index));
  const after: Prerequisite[] = previous ? [{ run: previous, on }] : [];
  return home.edges.describe(run, { after, known: [container], binding, also: () => (belong(), submit && member.setTimes()), submit });
}

/** A copy, members and all. */
export async function copyMembers(home: Signatures, making: Making, from: Run, to: Run): Promise<void> {
  const copies: StoredSignature[] = [];
  for (const member of membersOf(home.house, from)) copies.push(await home.copy(making, home.of(member)));
  link(home, making, to, copies);
}

/**
 * Begins a chain anew that has failed or was cancelled: from the member at this place on, the results of those before
 * stand. Default: the first that did not succeed.
 * @throws ConfigurationError SignatureUsedError
 */
export async function retryFrom(home: Signatures, chained: StoredSignature, from?: number): Promise<boolean> {
  const { run_: run } = chained;
  if (!isSignature(chained) || run.taskIdentifier !== chainTask) throw new ConfigurationError(`retryFrom is of chains; ${chained.key} is ${chained.kind}.`);
  const members = membersOf(home.house, run);
  const first = members.findIndex(({ end }) => end !== End.Completed);
  const last = first < 0 ? members.length - 1 : first;
  if (from !== undefined && !(Number.isInteger(from) && from >= 0 && from <= last)) throw new ConfigurationError(`retryFrom must be a whole number from 0 to ${last}, the first member that did not succeed, not ${describe(from)}.`);
  if (run.end !== End.Failed && run.end !== End.Cancelled) throw new SignatureUsedError(`Chain ${chained.key} is ${chained.status}; one that failed or was cancelled can be retried. Use a clone().`, { data: { key: chained.key } });
  return home.retry(chained, async () => {
    const message = (await home.house.services.readNote(run, NoteKind.Message)?.value) as object | undefined;
    home.edges.note(run, NoteKind.Message, { ...message, from: from ?? last, fromAttempt: home.house.pump.engine.value(run.task, P.FieldAttempt) });
  });
}
