/**
 * `ctx.run`: another task as a child of this run. A child is a run of its own (listed, retried, durable),
 * found again by its parent and the key it was asked for under; its parent waits without a slot.
 *
 * Invariant: under one key of one run there is one child; what it gave is given again from where it is
 * kept, and never copied.
 */
import { ConfigurationError, DriftError, UnawaitedChildrenError } from '../errors.ts';
import { type Entry, KeyPrefix, RecordKind } from '../journal/history.ts';
import { checkNames } from '../intake/checks.ts';
import { triggerOptionNames } from '../intake/options.ts';
import * as P from '../protocol.ts';
import type { RunKey } from '../identity/key.ts';
import { joinRun } from '../identity/join-child.ts';
import type { Joined } from '../identity/keyed-handle.ts';
import { checkItem } from '../intake/family.ts';
import type { Definition } from '../intake/registry.ts';
import { End, type Run } from '../runs/run.ts';
import type { ChildOptions, RunFacts, RunFunction, RunItem, TriggerOptions, WaitReason } from '../types.ts';
import type { Durable } from './durable.ts';

const childOptionNames = [...triggerOptionNames.filter((name) => name !== 'id'), 'id', 'label', 'childPolicy', 'item'];
const policies = { cancel: P.ChildPolicyCancel, detach: P.ChildPolicyDetach, abandon: P.ChildPolicyDetach };
/** Parents above a run. */
export const depthLimit = P.MaxDepth;

export interface ChildrenHost {
  /** @throws UnrecognizedTaskError ConfigurationError */
  resolve(task: unknown): Definition;
  find(parent: Run, key: string): Run | undefined;
  create(parent: Run, key: string, policy: number, definition: Definition, input: unknown, options: TriggerOptions, identity?: RunKey, item?: RunItem): Run;
  /** What makes the child the same as another run; undefined: nothing is asked for. @throws ConfigurationError */
  identityOf(parent: Run, attempt: number, definition: Definition, input: unknown, options: TriggerOptions): Promise<RunKey | undefined> | undefined;
  /** Another run that the child is the same as. @throws DuplicateRunError ConfigurationError */
  joinedBy(parent: Run, definition: Definition, identity: RunKey): Joined | undefined;
  outputOf(child: Run): Promise<unknown>;
  errorOf(child: Run): Error;
  /** Does the child do what is asked for now? */
  matches(child: Run, definition: Definition, input: unknown): boolean;
  /** It has been asked to stop for good, and has not ended yet. */
  isCancelling(child: Run): boolean;
  retry(child: Run): Promise<boolean>;
}

/** A function with facts: `ctx.run(task, input)` and `ctx.run.id`. */
export function runFunction(call: (...args: any[]) => unknown, facts: RunFacts): RunFunction {
  for (const [key, value] of Object.entries(facts)) Object.defineProperty(call, key, { value, enumerable: true });
  return Object.freeze(call) as unknown as RunFunction;
}

/**
 * A child's failure is told by its own run, and that the code is being stopped by whoever stopped it: where
 * nobody awaits the promise, neither is an unhandled rejection of the page.
 */
export function runChild(durable: Durable, host: ChildrenHost, task: unknown, input: unknown, options: ChildOptions = {}, place = ''): Promise<unknown> {
  const output: Promise<unknown> = new Promise((resolve, reject) => {
    askChild(durable, host, task, input, options, place).then((value) => resolve(durable.given(value, 'a child')), (error) => {
      if (durable.isStopped || error instanceof ChildError) output.catch(() => {});
      reject(error instanceof ChildError ? error.cause : error);
    });
  });
  return output;
}

/** A child ended so; its error is the cause. */
class ChildError extends Error {}

async function askChild(durable: Durable, host: ChildrenHost, task: unknown, input: unknown, options: ChildOptions, place: string): Promise<unknown> {
  const definition = host.resolve(task);
  const { id } = definition;
  durable.check('run', id);
  checkNames(options, childOptionNames, `ctx.run("${id}")`);
  const { id: ownKey, label, childPolicy = 'cancel', item, ...rest } = options;
  if (!Object.hasOwn(policies, childPolicy))
    throw new ConfigurationError(`ctx.run("${id}") childPolicy must be 'cancel', 'detach' or 'abandon', not ${JSON.stringify(childPolicy)}.`);
  const asked = { definition, input, policy: policies[childPolicy], options: label === undefined ? rest : { name: label, ...rest }, item: item && checkItem(item, `ctx.run("${id}") item`) };
  const key = durable.key(KeyPrefix.Child, id, ownKey);
  const launch = durable.launches.begin();
  try {
    return await launchChild(durable, host, { key, place, ...asked }, launch);
  } finally {
    launch();
  }
}

interface Launch {
  key: string;
  definition: Definition;
  input: unknown;
  policy: number;
  options: TriggerOptions;
  item: RunItem | undefined;
  /** Of the code that asks, where `checkDeterminism` is on. */
  place: string;
}

async function launchChild(durable: Durable, host: ChildrenHost, { key, definition, input, policy, options, item, place }: Launch, launched: () => void): Promise<unknown> {
  const known = host.find(durable.run, key);
  const stopsWithBranch = (child: Run) => {
    if (policy === P.ChildPolicyCancel) durable.branchOf(key)?.onLost((because) => giveUp(durable, child, because));
  };
  if (known) stopsWithBranch(known);
  const recorded = await durable.ask(key);
  const found = host.find(durable.run, key);
  if (found && !host.matches(found, definition, input)) throw driftOf(durable, key, found, definition);
  if (recorded) return answer(durable, host, recorded, found);
  await durable.safePoint('run', definition.id, key);
  const asked = found ? undefined : host.identityOf(durable.run, durable.attempt, definition, input, options);
  const identity = asked && (await asked);
  const joined = identity && host.joinedBy(durable.run, definition, identity);
  if (joined) {
    launched();
    return joinRun(durable, key, joined);
  }
  const child = found ?? made(() => host.create(durable.run, key, policy, definition, input, options, identity, item), identity);
  durable.children.set(child, place);
  if (!known) stopsWithBranch(child);
  launched();
  if (found) await revive(durable, host, key, found);
  return give(durable, host, key, child);
}

/** Its branch of a race has lost. */
function giveUp(durable: Durable, child: Run, because: Error): void {
  durable.children.delete(child);
  if (child.end === End.None) void child.cancel(because.message);
}

export function made(create: () => Run, identity: RunKey | undefined): Run {
  try {
    return create();
  } catch (error) {
    identity?.endTurn?.();
    throw error;
  }
}

export function driftOf(durable: Durable, key: string, child: Run, definition: Definition): DriftError {
  return new DriftError(
    `Run ${durable.run.id}: the code asks for child "${definition.id}" with an input it did not have when child ${child.id} was made. Keep the order and the inputs of what a run has done, or guard changes with ctx.patch(id).`,
    { data: { expected: child.id, actual: definition.id, path: key.replaceAll('\u0000', '/').slice(1), key } },
  );
}

async function answer(durable: Durable, host: ChildrenHost, recorded: Entry, child: Run | undefined): Promise<unknown> {
  if (recorded.kind !== RecordKind.ChildDone) return answerAsChild(durable, recorded);
  if (!child) throw new DriftError(`Run ${durable.run.id}: the child whose result the code asks for is not there any more.`);
  return host.outputOf(child);
}

function answerAsChild(durable: Durable, recorded: Entry): unknown {
  try {
    return durable.answer(recorded);
  } catch (cause) {
    throw new ChildError('', { cause });
  }
}

export const forChild = (child: Run) => (): WaitReason => ({ kind: 'child', runs: [child.id], text: `Waits for its child ${child.id} (${child.taskIdentifier}).` });

/** One that ended badly in a former try is tried again, once in each try; one that is on its way out ends first. */
export async function revive(durable: Durable, host: ChildrenHost, key: string, child: Run): Promise<void> {
  if (host.isCancelling(child)) await durable.wait(child.ended, () => {}, forChild(child));
  if (child.end !== End.Failed && child.end !== End.Cancelled) return;
  const closed = durable.host.closedAttemptOf(durable.run);
  const marker = `${KeyPrefix.Mark}retried${key}`;
  const known = durable.replay.mark(marker);
  if (closed === 0 || (known && known.attempt > closed)) return;
  durable.note(marker, RecordKind.Mark);
  await host.retry(child);
}

async function give(durable: Durable, host: ChildrenHost, key: string, child: Run): Promise<unknown> {
  const failed = () => child.end !== End.Completed;
  const ended = child.ended.then(() => (failed() ? undefined : host.outputOf(child)));
  const output = await durable.wait(ended, () => {
    durable.children.delete(child);
    if (failed()) durable.fail(key, RecordKind.ChildFailed, host.errorOf(child));
    else durable.note(key, RecordKind.ChildDone);
  }, forChild(child), key);
  if (failed()) throw new ChildError('', { cause: host.errorOf(child) });
  return output;
}

interface ContainerLaunch {
  readonly key: string;
  readonly definition: Definition;
  readonly input: unknown;
  readonly options: TriggerOptions | undefined;
  /** Before its code runs. */
  readonly made: (run: Run) => void;
  /** false: it goes on by itself, and, where no policy says otherwise, without its parent. */
  readonly wait: boolean;
  readonly policy?: number;
}

/**
 * A container as a child, found again by its key. Resolves when it has ended, however it did, or with `wait: false` when it
 * is there. `{ id }`: a run of the same key, which is no child.
 */
export async function runContainer(durable: Durable, host: ChildrenHost, { key, definition, input, options = {}, made: tell, wait, policy = wait ? P.ChildPolicyCancel : P.ChildPolicyDetach }: ContainerLaunch): Promise<Run | { id: string }> {
  const launched = durable.launches.begin();
  try {
    const found = host.find(durable.run, key);
    if (found && !host.matches(found, definition, input)) throw driftOf(durable, key, found, definition);
    // Nothing is recorded of one that nobody waits for: to ask would be to wait for the end of what is.
    if (found && !wait) return found;
    const recorded = await durable.ask(key);
    if (recorded && recorded.kind !== RecordKind.ChildDone) return durable.answer(recorded) as { id: string };
    if (found && recorded) return found;
    await durable.safePoint('run', definition.id);
    const identity = found ? undefined : await host.identityOf(durable.run, durable.attempt, definition, input, options);
    const joined = identity && host.joinedBy(durable.run, definition, identity);
    if (joined) return (await joinRun(durable, key, joined)) as { id: string };
    const child = found ?? made(() => host.create(durable.run, key, policy, definition, input, options, identity), identity);
    if (!found) tell(child);
    launched();
    if (wait) await endOf(durable, key, child);
    else await child.accepted;
    return child;
  } finally {
    launched();
  }
}

/** What became of its members stands with them: that it has ended is all that is recorded. */
async function endOf(durable: Durable, key: string, child: Run): Promise<void> {
  durable.children.set(child, '');
  await durable.wait(child.ended, () => {
    durable.children.delete(child);
    durable.note(key, RecordKind.ChildDone);
  }, forChild(child));
}

export type Unawaited = 'wait' | 'detach' | 'cancel' | 'error';

/**
 * The handler has returned while children of it still run. Resolves when it may end.
 * @throws UnawaitedChildrenError where the policy is `error`
 */
export async function settleUnawaited(durable: Durable, policy: Unawaited, detach: (child: Run) => void): Promise<void> {
  await durable.launches.none();
  const places = durable.children;
  const open = [...places.keys()].filter(({ end }) => end === End.None);
  if (open.length === 0 || policy === 'cancel') return;
  const names = open.map((child) => `${child.taskIdentifier} (${child.id})${places.get(child) && `, asked for at ${places.get(child)}`}`).join(', ');
  if (policy === 'error')
    throw new UnawaitedChildrenError(`Run ${durable.run.id} returned before ${open.length} of its children: ${names}. Await what ctx.run returns.`);
  durable.host.warn(`Run ${durable.run.id} returned before ${open.length} of its children: ${names}. It ${policy === 'wait' ? 'waits for them' : 'leaves them'}; await what ctx.run returns.`);
  if (policy === 'detach') return open.forEach(detach);
  await Promise.allSettled(open.map((child) => durable.wait(child.ended, () => {}, forChild(child))));
  const failed = open.filter(({ end }) => end !== End.Completed);
  if (failed.length > 0) durable.host.warn(`Run ${durable.run.id}: ${failed.length} child(ren) nobody awaited failed: ${failed.map(({ id }) => id).join(', ')}.`);
}
