/**
 * `task.triggerAndWait` in a task's code: a child of the run, found again by its place, whose end comes as a value.
 *
 * Invariants: under one place of one run there is one child; what it came to is recorded before the code after it
 * goes on. A failure is data for this try; a further try of the code tries the child again, as `ctx.run` does.
 */
import { driftOf, forChild, made, revive } from '../context/children.ts';
import type { Durable } from '../context/durable.ts';
import type { ContextServices } from '../context/services.ts';
import type { Definition } from '../intake/registry.ts';
import { type Joined, KeyedHandle } from '../identity/keyed-handle.ts';
import { type Entry, KeyPrefix, RecordKind } from '../journal/history.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import { joinedBy } from '../runs/waits.ts';
import type { TaskRunResult, TriggerOptions } from '../types.ts';
import { unmade } from './batch.ts';

/** Of a call, told when it was made. */
export interface OneCall {
  readonly key: string;
  readonly definition: Definition;
  readonly input: unknown;
  readonly options: TriggerOptions;
}

export async function askOne(durable: Durable, host: ContextServices, call: OneCall, launched: () => void): Promise<TaskRunResult> {
  const { key, definition, input, options } = call;
  const recorded = await durable.ask(key);
  const found = host.find(durable.run, key);
  if (found && !host.matches(found, definition, input)) throw driftOf(durable, key, found, definition);
  if (recorded) return recordedResult(durable, host, call, recorded, found);
  await durable.safePoint('run', definition.id);
  const asked = found ? undefined : host.identityOf(durable.run, durable.attempt, definition, input, options);
  const identity = asked && (await asked);
  const joined = identity && host.joinedBy(durable.run, definition, identity);
  if (joined) {
    launched();
    return joinedResult(durable, key, joined);
  }
  const child = found ?? made(() => host.create(durable.run, key, P.ChildPolicyCancel, definition, input, options, identity), identity);
  durable.children.set(child, '');
  launched();
  if (found) await revive(durable, host, key, found);
  return resultOf(durable, host, key, child);
}

const joinedMark = (key: string): string => `${KeyPrefix.Mark}joined${key}`;

function recordedResult(durable: Durable, host: ContextServices, { key, definition }: OneCall, recorded: Entry, child: Run | undefined): TaskRunResult | Promise<TaskRunResult> {
  if (recorded.kind === RecordKind.Value) return durable.answer(recorded) as TaskRunResult;
  if (child && child.end !== End.None) return host.resultOf(child);
  const mark = durable.replay.mark(joinedMark(key));
  const id = child?.id ?? (mark ? (durable.host.valueOf(mark) as string) : '');
  return { ...unmade(definition.id, failureOf(durable, recorded)), id };
}

function failureOf(durable: Durable, recorded: Entry): unknown {
  try {
    return durable.answer(recorded);
  } catch (error) {
    return error;
  }
}

async function resultOf(durable: Durable, host: ContextServices, key: string, child: Run): Promise<TaskRunResult> {
  const ended = child.ended.then(() => host.resultOf(child));
  return durable.wait(ended, () => {
    durable.children.delete(child);
    if (child.end === End.Completed) durable.note(key, RecordKind.ChildDone);
    else durable.fail(key, RecordKind.ChildFailed, host.errorOf(child));
  }, forChild(child));
}

/** Another run has its key: it is no child, so what it came to is kept here. */
async function joinedResult(durable: Durable, key: string, joined: Joined): Promise<TaskRunResult> {
  const handle = new KeyedHandle(joined);
  durable.note(joinedMark(key), RecordKind.Mark, handle.id);
  const others = joinedBy.get(durable.run) ?? new Set();
  joinedBy.set(durable.run, others.add(joined.handle));
  const outside = (async () => {
    const result = await handle.wait();
    return { result, record: result.ok ? await durable.prepare(key, RecordKind.Value, result, 'result') : undefined };
  })();
  let come: Awaited<typeof outside> | undefined;
  outside.then((outcome) => (come = outcome), () => {});
  const { result } = await durable.wait(outside, () => {
    others.delete(joined.handle);
    if (come?.record) durable.commit(come.record);
    else if (come && !come.result.ok) durable.fail(key, RecordKind.ChildFailed, come.result.error);
  }, () => ({ kind: 'child', runs: [handle.id], text: `Waits for run ${handle.id} (${handle.taskIdentifier}), which holds the key of its child.` }));
  return result;
}
