/**
 * The side of whoever asks; `data` is a copy already. A query goes to the code that runs, and nothing is kept of it; an update is an event for
 * one run that brings a token, which the code's answer completes. So both survive, and may lie in different tabs.
 *
 * Invariants: bad data is refused at the call and nothing is stored; the first answer counts, and that the run ended is
 * an answer too.
 */
import { clone } from '../codec/codec.ts';
import { CROSSING } from '../codec/clone.ts';
import { toMessage } from '../codec/message.ts';
import { checkOf, issuesInWords } from '../definition/validation.ts';
import { ConfigurationError, InputValidationError, QueryError, UpdateError, WaitTimeoutError } from '../errors.ts';
import { checkIdentifier, checkNames, describe } from '../intake/checks.ts';
import { toMilliseconds } from '../intake/duration.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { RunContext } from '../context/context.ts';
import { deserializeError } from '../runs/serialize-error.ts';
import { End, type Run } from '../runs/run.ts';
import { hasEnded } from '../runs/status.ts';
import { type Asked, checkAskedName, type Reply, updateEvent } from './names.ts';
import type { QueryOptions, UpdateOptions } from './types.ts';

export const defaultQueryMs = 10_000;

/** @throws ConfigurationError */
export function queryMs(name: unknown, options: QueryOptions = {}): number {
  checkAskedName(name, 'query');
  const where = `query "${name}"`;
  checkNames(options, ['timeout'], where);
  return options.timeout === undefined ? defaultQueryMs : toMilliseconds(options.timeout, `${where} timeout`);
}

export async function query(house: Orchestrator, run: Run, name: string, data: unknown, options?: QueryOptions): Promise<unknown> {
  const timeoutMs = queryMs(name, options);
  const context = await answering(house, run, name, timeoutMs);
  return clone(await context.answers!.get(name)!(data), `the answer to query "${name}"`, CROSSING);
}

/** The code that answers, as soon as it is there. */
function answering(house: Orchestrator, run: Run, name: string, timeoutMs: number): Promise<RunContext> {
  return new Promise((resolve, reject) => {
    const stops: (() => void)[] = [];
    const settle = (then: () => void) => {
      for (const stop of stops.splice(0)) stop();
      then();
    };
    const look = () => {
      const { context } = run;
      if (context?.answers?.get(name)) settle(() => resolve(context));
      else if (run.extra.refusal !== undefined) settle(() => reject(run.extra.refusal));
      else if (run.end !== End.None) settle(() => reject(overError(run, name)));
    };
    stops.push(house.waiting.asking.onOffer(run, look), house.subscribeRun(run, look));
    stops.push(house.clock.schedule(house.clock.now() + timeoutMs, () => settle(() => reject(silentError(house, run, name, timeoutMs)))));
    look();
  });
}

function overError({ id, taskIdentifier, state }: Run, name: string): QueryError {
  return new QueryError(`Query "${name}": run ${id} of "${taskIdentifier}" has ended (${state.status}), and queries are answered by code that runs. Its result, state and streams are still there.`);
}

function silentError(house: Orchestrator, { id, taskIdentifier, context }: Run, name: string, timeoutMs: number): QueryError {
  const known = context?.answers?.names() ?? [];
  const why = context ? `Its code answers ${known.length > 0 ? known.map((other) => `"${other}"`).join(', ') : 'no query'}; ctx.onQuery("${name}", …) would make it do so.` : `Its code does not run: ${house.why(id)}`;
  return new QueryError(`Query "${name}" was not answered by run ${id} of "${taskIdentifier}" within ${timeoutMs} ms. ${why}`);
}

// Updates

/** @throws ConfigurationError */
export function checkUpdate(name: unknown, options: UpdateOptions = {}): void {
  checkAskedName(name, 'update');
  const where = `update "${name}"`;
  checkNames(options, ['id', 'timeout'], where);
  if (options.id !== undefined) checkIdentifier(options.id, `${where} id`, 64);
  if (options.timeout !== undefined && toMilliseconds(options.timeout, `${where} timeout`) === 0)
    throw new ConfigurationError(`${where} timeout must be more than 0 ms.`);
}

/** Wherever the run is: it may move to another tab meanwhile. */
export async function update(house: Orchestrator, id: string, name: string, data: unknown, options: UpdateOptions = {}): Promise<unknown> {
  checkUpdate(name, options);
  const run = house.localRun(id);
  const token = run ? await accept(house, run, name, data, options) : await acceptElsewhere(house, id, name, data, options);
  const { tokens } = house.waiting;
  const stop = whenEnded(house, id, (status) => {
    // What it has answered before counts, also where this tab has not heard of it yet.
    tokens.completeToken(token, { ended: status } satisfies Reply).catch(() => {});
  });
  try {
    return answerOf(await tokens.outcome(token), name, id);
  } finally {
    stop();
  }
}

async function acceptElsewhere(house: Orchestrator, id: string, name: string, data: unknown, options: UpdateOptions): Promise<string> {
  const timeoutMs = options.timeout === undefined ? undefined : toMilliseconds(options.timeout, 'update timeout');
  const sent = [name, toMessage(data, 'data').value, { ...options, timeout: timeoutMs }];
  return (await house.opening.tabs!.remote.ask(id, 'update', sent)) as string;
}

function answerOf(outcome: Awaited<ReturnType<Orchestrator['wait']['outcome']>>, name: string, id: string): unknown {
  if (!outcome.ok) {
    if (!(outcome.error instanceof WaitTimeoutError)) throw outcome.error;
    throw new UpdateError(`Update "${name}" was not answered by run ${id} in time. What it asks for may still be done; a call with the same id gets the answer.`, { cause: outcome.error });
  }
  const reply = outcome.output as Reply;
  if ('answer' in reply) return reply.answer;
  if ('refused' in reply) throw deserializeError(reply.refused);
  throw new UpdateError(`Update "${name}": run ${id} ended (${reply.ended}) before it answered.`);
}

/** Once. Gives the way to hear no more. */
function whenEnded(house: Orchestrator, id: string, ended: (status: string) => void): () => void {
  let isOver = false;
  const look = () => {
    const status = house.getTaskState(id)?.status;
    if (isOver || status === undefined || !hasEnded(status)) return;
    isOver = true;
    ended(status);
  };
  const stop = house.store.subscribeId(id, look);
  look();
  return stop;
}

export async function accept(house: Orchestrator, run: Run, name: string, given: unknown, options: UpdateOptions = {}): Promise<string> {
  checkUpdate(name, options);
  if (run.extra.refusal !== undefined) throw run.extra.refusal;
  const data = await validated(run, name, given);
  await run.accepted;
  if (run.end !== End.None) throw new UpdateError(`Update "${name}": run ${run.id} of "${run.taskIdentifier}" has ended (${run.state.status}). Nothing was stored.`);
  const { tokens, events } = house.waiting;
  const { id, timeout = '10m' } = options;
  const key = id === undefined ? undefined : `${id} ${run.id}`;
  const token = await tokens.make({ timeout, ...(key !== undefined && { idempotencyKey: key, idempotencyKeyTTL: timeout }) }, 'update');
  // The page may have died between the two: an event that is known already under its id is not stored again.
  await events.send(updateEvent(name), { token: token.id, data } satisfies Asked, { id: token.id }, run.id);
  return token.id;
}

/** @throws ConfigurationError InputValidationError */
async function validated(run: Run, name: string, data: unknown): Promise<unknown> {
  const { updates } = run.definition?.spec ?? {};
  if (!updates) return data;
  const of = `"${run.taskIdentifier}"`;
  if (!Object.hasOwn(updates, name)) throw new ConfigurationError(`${of} takes no update ${describe(name)}, only ${Object.keys(updates).join(', ') || 'none'}.`);
  const checked = await checkOf(updates[name]!, `The schema of update "${name}" of ${of}`)(data);
  if (!checked.issues) return checked.value;
  throw new InputValidationError(`Update "${name}" of run ${run.id} (${of}) is not valid: ${issuesInWords(checked.issues)}.`, { issues: checked.issues });
}
