/**
 * `ctx.waitFor` and `ctx.waitForToken`: the run waits without a slot, and what it gets stands in its
 * history before its code goes on. Time that ran out is recorded as a failure is: code that goes on
 * finds it again, a new attempt waits anew.
 */
import { toMilliseconds } from '../intake/duration.ts';
import { ConfigurationError, type SerializedError, WaitTimeoutError } from '../errors.ts';
import { type Entry, KeyPrefix, RecordKind } from '../journal/history.ts';
import { checkNames, describe } from '../intake/checks.ts';
import { deserializeError, serializeError } from '../runs/serialize-error.ts';
import type { Durable, Prepared } from '../context/durable.ts';
import { decided } from './decided.ts';
import { checkEventName, eventKey, type StoredEvent } from './events.ts';
import { checkMatch, matches } from './match.ts';
import { failed, succeeded } from './outcome.ts';
import { idOf } from './tokens.ts';
import { nameOfUpdate } from '../asking/names.ts';
import type { WaitReason } from '../task-state.ts';
import type { WaitForOptions, WaitResult } from './types.ts';
import type { Waiting } from './waiting.ts';

/** What came, and the record of it. */
interface Arrival {
  result: WaitResult;
  record: Prepared;
}

/** `event`: which one it was, so that a run takes none twice. */
interface Received {
  event: string;
  output: unknown;
}

async function read(durable: Durable, entry: Entry): Promise<WaitResult> {
  const value = await durable.host.valueOf(entry);
  return entry.kind === RecordKind.Failure ? failed(deserializeError(value as SerializedError)) : succeeded((value as Received).output);
}

/** Blobs of it are stored by then, so that the record can be made the moment the code goes on. */
async function arrival(durable: Durable, key: string, event: string, result: WaitResult): Promise<Arrival> {
  const record = result.ok
    ? durable.prepare(key, RecordKind.Received, { event, output: result.output } satisfies Received, 'what was waited for')
    : durable.prepare(key, RecordKind.Failure, serializeError(result.error), 'error');
  return { result, record: await record };
}

async function give(durable: Durable, key: string, outside: Promise<Arrival>, what: WaitReason): Promise<WaitResult> {
  let come: Arrival | undefined;
  let committed = false;
  const noted = outside.then((value) => (come = value));
  try {
    await durable.wait(noted, () => {
      committed = true;
      if (come) durable.commit(come.record);
    }, () => what, key);
  } catch (error) {
    // Stopped before the code could take it: nobody will refer to what was stored for it.
    if (!committed) noted.then(({ record }) => durable.host.discard(record), () => {});
    throw error;
  }
  return come!.result;
}

interface EventWait {
  key: string;
  name: string;
  match: unknown;
  sinceMs: number;
  afterNumber: number;
  untilMs: number;
  timeoutMs: number | undefined;
}

export async function waitForEvent(durable: Durable, waiting: Waiting, name: string, options: WaitForOptions = {}): Promise<WaitResult> {
  checkEventName(name, 'ctx.waitFor');
  const where = `ctx.waitFor("${name}")`;
  checkNames(options, ['id', 'match', 'timeout', 'since'], where);
  const { match, since = 'run-start', timeout } = options;
  checkMatch(match, where);
  if (since !== 'run-start' && since !== 'now') throw new ConfigurationError(`${where} since must be 'run-start' or 'now', not ${describe(since)}.`);
  const timeoutMs = timeout === undefined ? undefined : toMilliseconds(timeout, `${where} timeout`);
  durable.check('waitFor', name);
  const key = durable.key(KeyPrefix.Event, eventKey(name), options.id);
  const recorded = await durable.ask(key);
  if (recorded) return read(durable, recorded);
  await durable.safePoint('waitFor', name, key);
  const { nowMs } = durable.host;
  const wait: EventWait = { key, name, match, timeoutMs, sinceMs: waiting.createdAtMs(durable.run), afterNumber: -1, untilMs: Number.POSITIVE_INFINITY };
  if (since === 'now') {
    wait.sinceMs = decided(durable, 'since', key, () => {
      wait.afterNumber = waiting.events.count;
      return nowMs;
    });
  }
  if (timeoutMs !== undefined) wait.untilMs = decided(durable, 'until', key, () => nowMs + timeoutMs);
  const used = await waiting.events.usedBy(durable);
  const result = await give(durable, key, comes(durable, waiting, used, wait), eventWords(wait));
  durable.check('waitFor', name);
  return result;
}

function eventWords({ name, untilMs }: EventWait): WaitReason {
  const hasEnd = untilMs !== Number.POSITIVE_INFINITY;
  const end = hasEnd ? `, until ${new Date(untilMs).toISOString()} at the latest` : '';
  return { kind: 'event', name, ...(hasEnd && { until: untilMs }), text: nameOfUpdate(`Waits for the event "${name}"${end}.`) };
}

/** The event, or that its time ran out; whichever is first. */
function comes(durable: Durable, waiting: Waiting, used: Set<string>, wait: EventWait): Promise<Arrival> {
  const { key, name, match, sinceMs, afterNumber, untilMs, timeoutMs } = wait;
  return new Promise((resolve, reject) => {
    let [leave, silence] = [() => {}, () => {}];
    const take = (event: StoredEvent, data: unknown) => {
      silence();
      resolve(arrival(durable, key, event.id, succeeded(data)));
    };
    const fail = (error: unknown) => {
      silence();
      reject(error);
    };
    if (timeoutMs !== undefined) {
      silence = durable.alarms.add(untilMs, () => {
        leave();
        resolve(arrival(durable, key, '', failed(new WaitTimeoutError(`No event "${name}" came for run ${durable.run.id} within ${timeoutMs} ms.`))));
      });
    }
    durable.branchOf(key)?.onLost(() => {
      leave();
      silence();
    });
    leave = waiting.events.wait({ durable, name, sinceMs, afterNumber, untilMs, used, accepts: (data) => matches(match, data), take, fail });
  });
}

export async function waitForToken(durable: Durable, waiting: Waiting, token: string | { id: string }): Promise<WaitResult> {
  const id = idOf(token);
  durable.check('waitForToken', id);
  const key = durable.key(KeyPrefix.Event, `token ${id}`);
  const recorded = await durable.ask(key);
  if (recorded) return read(durable, recorded);
  await durable.safePoint('waitForToken', id);
  const result = await give(durable, key, waiting.tokens.outcome(id).then((outcome) => arrival(durable, key, '', outcome)), { kind: 'token', name: id, text: `Waits until wait.completeToken("${id}") is called, or its time is over.` });
  durable.check('waitForToken', id);
  return result;
}
