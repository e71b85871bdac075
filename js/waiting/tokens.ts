/**
 * Wait tokens: something outside (a person, another tab) completes them, code and pages wait for them.
 * A token is a hidden run that is held until then; its deadline is the timeout.
 *
 * Invariants: the first completion counts and is stored before it is told; a token that was completed
 * is completed, however its run ends; what is asked of a token of another tab is asked of its owner.
 */
import { clone } from '../codec/codec.ts';
import { fromMessage, toMessage, type ValueMessage } from '../codec/message.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { CanceledError, ConfigurationError, WaitTimeoutError } from '../errors.ts';
import { HoldOutside } from '../runs/holds.ts';
import { NoteKind } from '../journal/notes.ts';
import { checkIdentifier, checkNames, describe } from '../intake/checks.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { hasEnded } from '../runs/status.ts';
import { End, type Run } from '../runs/run.ts';
import type { CreatedToken, CreateTokenOptions, TaskState, TokenFilter, TokenState, TokenStatus, WaitPromise, WaitResult } from '../types.ts';
import { tokenTask } from './internal.ts';
import { failed, fromWaitMessage, succeeded, toWaitMessage, type WaitMessage, waitPromise } from './outcome.ts';
import { refuseDisposed } from '../runs/disposed.ts';

const optionNames = ['timeout', 'tags', 'idempotencyKey', 'idempotencyKeyTTL'];
/** A token of a tab that has just died is unknown until it is taken over. */
export const unknownMs = 10_000;

interface Facts {
  timeoutAt: number;
  tags: string[];
  key?: string;
  keyUntil?: number;
  /** The house's own use of it: none of those that people made. */
  purpose?: 'update';
}

export class Tokens {
  readonly #house: Orchestrator;
  readonly #runs = new Map<string, Run>();
  /** By how many waits a token is watched here. */
  readonly #watched = new Map<string, number>();

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  /** Resolves when it is stored. @throws ConfigurationError */
  createToken(options?: CreateTokenOptions): Promise<CreatedToken> {
    return this.make(options);
  }

  /** @internal */
  async make(options: CreateTokenOptions = {}, purpose?: Facts['purpose']): Promise<CreatedToken> {
    const { timeoutMs, tags, key, keyMs } = checkOptions(options);
    await this.#house.opening.opened;
    const nowMs = this.#house.clock.now();
    const known = key === undefined ? undefined : this.#idOfKey(key, nowMs, purpose);
    if (known !== undefined) {
      await this.#runs.get(known)?.accepted;
      return { id: known, isCached: true };
    }
    const facts: Facts = { timeoutAt: nowMs + timeoutMs, tags, ...(key !== undefined && { key, keyUntil: nowMs + keyMs }), ...(purpose && { purpose }) };
    const run = this.#house.intake.trigger(this.#house.definition(tokenTask)!, undefined, { deadline: timeoutMs, metadata: facts });
    run.ownExtra.hold = HoldOutside;
    this.#runs.set(run.id, run);
    await run.accepted;
    return { id: run.id, isCached: false };
  }

  #idOfKey(key: string, nowMs: number, purpose: Facts['purpose']): string | undefined {
    for (const state of this.#states()) {
      const facts = factsOf(state);
      if (facts.key === key && facts.purpose === purpose && (facts.keyUntil ?? 0) > nowMs) return state.id;
    }
    return undefined;
  }

  /**
   * Resolves when it is stored. false: it was completed, had timed out or was cancelled before.
   * @throws ConfigurationError for a token nobody knows, SerializationError
   */
  async completeToken(id: string | { id: string }, data?: unknown): Promise<boolean> {
    const name = idOf(id);
    refuseDisposed(this.#house);
    await this.#house.opening.opened;
    const run = this.#runs.get(name);
    if (run) return this.#complete(run, data);
    if (!this.#remote(name)) throw this.#unknown(name);
    return (await this.#house.opening.tabs!.remote.ask(name, 'completeToken', toMessage(data, 'data').value)) === true;
  }

  async #complete(run: Run, data: unknown): Promise<boolean> {
    if (!isOpen(run)) return false;
    refuseDisposed(this.#house);
    const copy = clone(data, 'data');
    // Nobody comes between: the last note of a kind is what the core keeps.
    run.ownExtra.completing = true;
    try {
      await run.accepted;
      if (!(await this.#house.services.note(run, NoteKind.Completion, copy, 'data'))) {
        run.extra.notes?.delete(NoteKind.Completion);
        return false;
      }
    } finally {
      run.ownExtra.completing = false;
    }
    this.#release(run);
    this.#house.changed(run);
    return true;
  }

  /** Completed: nothing holds it any more, and it ends. */
  #release(run: Run): void {
    if (run.end !== End.None || run.task === 0) return;
    run.ownExtra.hold = 0;
    this.#house.pump.commands.push(P.CommandRelease, run.task, HoldOutside);
    this.#house.pump.wake();
  }

  /** Of the journal, or of another tab's that was taken over. A completion whose page died goes on. */
  add(run: Run): void {
    this.#runs.set(run.id, run);
    if (isCompleted(run)) this.#release(run);
  }

  forgotten(run: Run): void {
    if (this.#runs.get(run.id) === run) this.#runs.delete(run.id);
  }

  // What came of it

  /**
   * Waits for a token of this tab or of another. Never rejects: time that ran out is a result.
   * @throws ConfigurationError for what is no id
   */
  forToken<Output = any>(id: string | { id: string }): WaitPromise<Output> {
    return waitPromise(this.outcome(idOf(id)));
  }

  async outcome(id: string): Promise<WaitResult> {
    await this.#house.opening.opened;
    this.#watched.set(id, (this.#watched.get(id) ?? 0) + 1);
    try {
      return await this.#settled(id);
    } finally {
      const left = this.#watched.get(id)! - 1;
      if (left > 0) this.#watched.set(id, left);
      else this.#watched.delete(id);
    }
  }

  #settled(id: string): Promise<WaitResult> {
    const { clock, store } = this.#house;
    return new Promise((resolve, reject) => {
      let cancel: (() => void) | undefined;
      let asking = false;
      const finish = (result: WaitResult) => {
        cancel?.();
        stop();
        resolve(result);
      };
      const look = () => {
        const found = this.#standing(id);
        if (!found) {
          cancel ??= clock.schedule(clock.now() + unknownMs, () => finish(failed(this.#unknown(id))));
          return;
        }
        cancel?.();
        cancel = undefined;
        if (!found.over || asking) return;
        asking = true;
        // Its tab may die before it answers: then whoever takes it over is asked.
        found.read().then(finish, (error) => {
          asking = false;
          if (this.#runs.has(id)) reject(error);
          else look();
        });
      };
      const stop = store.subscribeId(id, look);
      look();
    });
  }

  #standing(id: string): { over: boolean; read: () => Promise<WaitResult> } | undefined {
    const run = this.#runs.get(id);
    if (run) return { over: run.announced || isCompleted(run), read: () => this.read(run) };
    const state = this.#remote(id);
    if (!state) return undefined;
    return { over: hasEnded(state.status), read: async () => fromWaitMessage((await this.#house.opening.tabs!.remote.ask(id, 'tokenOutcome')) as WaitMessage) };
  }

  /** One of ours that is over. */
  async read(run: Run): Promise<WaitResult> {
    if (isCompleted(run)) return succeeded(await this.#house.services.readNote(run, NoteKind.Completion)!.value);
    if (run.end === End.Cancelled) return failed(new CanceledError(`Token ${run.id} was cancelled.`, { cause: run.extra.cancelReason }));
    return failed(new WaitTimeoutError(`Token ${run.id} was not completed within ${factsOf(run.state).timeoutAt - run.state.createdAt} ms.`));
  }

  #unknown(id: string): ConfigurationError {
    return new ConfigurationError(`There is no token ${JSON.stringify(id)}. Ended tokens are kept for an hour; createToken() makes one.`);
  }

  // For other tabs

  obeyComplete(id: string, data: unknown): Promise<boolean> {
    return this.completeToken(id, fromMessage(data as ValueMessage));
  }

  async obeyOutcome(id: string): Promise<WaitMessage> {
    const run = this.#runs.get(id);
    if (!run) throw this.#unknown(id);
    return toWaitMessage(await this.read(run)).value;
  }

  // Reading

  #remote(id: string): TaskState | undefined {
    const state = this.#house.opening.tabs?.state(id);
    return state?.taskIdentifier === tokenTask ? state : undefined;
  }

  *#states(): Iterable<TaskState> {
    for (const run of this.#runs.values()) yield run.state;
    for (const state of this.#house.opening.tabs?.states() ?? []) if (state.taskIdentifier === tokenTask && !this.#runs.has(state.id)) yield state;
  }

  /** Newest first, of all tabs; without their outputs. @throws ConfigurationError for a filter nobody knows */
  async listTokens(filter: TokenFilter = {}): Promise<TokenState[]> {
    checkNames(filter, ['status', 'tags'], 'listTokens');
    await this.#house.opening.opened;
    const wanted = ({ status, tags }: TokenState) =>
      (filter.status === undefined || status === filter.status) && (filter.tags === undefined || filter.tags.some((tag) => tags.includes(tag)));
    const given = [...this.#states()].filter((state) => factsOf(state).purpose === undefined);
    return given.map((state) => this.#tokenState(state)).filter(wanted).sort((one, other) => other.createdAt - one.createdAt || (one.id < other.id ? 1 : -1));
  }

  /** With what it was completed with; undefined: nobody knows it. */
  async retrieveToken(id: string | { id: string }): Promise<TokenState | undefined> {
    const name = idOf(id);
    await this.#house.opening.opened;
    const state = this.#runs.get(name)?.state ?? this.#remote(name);
    if (!state) return undefined;
    const token = this.#tokenState(state);
    if (token.status === 'waiting') return token;
    const result = await this.#standing(name)!.read();
    return Object.freeze({ ...token, ...(result.ok ? { output: result.output } : { error: result.error }) });
  }

  #tokenState(state: TaskState): TokenState {
    const { timeoutAt, tags, key } = factsOf(state);
    const { id, createdAt } = state;
    return Object.freeze({ id, status: this.#statusOf(state), createdAt, timeoutAt, tags, ...(key !== undefined && { idempotencyKey: key }) });
  }

  #statusOf({ id, status }: TaskState): TokenStatus {
    if (status === 'completed' || isCompleted(this.#runs.get(id))) return 'completed';
    if (status === 'failed') return 'timedOut';
    return status === 'cancelled' ? 'cancelled' : 'waiting';
  }

  /** Forgets ended ones that nobody here waits for; gives when the next one has been over since. */
  expire(beforeMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const run of this.#runs.values()) {
      if (!run.announced) continue;
      const { lastUpdated } = run.state;
      if (lastUpdated < beforeMs && !this.#watched.has(run.id)) void this.#house.control.forget(run);
      else nextMs = Math.min(nextMs, lastUpdated);
    }
    return nextMs;
  }
}

/** It is stored what it was completed with. */
function isCompleted(run: Run | undefined): boolean {
  return run !== undefined && !run.extra.completing && run.extra.notes?.has(NoteKind.Completion) === true;
}

function isOpen(run: Run): boolean {
  const { completing, notes, refusal } = run.extra;
  return run.end === End.None && !completing && !notes?.has(NoteKind.Completion) && refusal === undefined;
}

export function idOf(token: unknown): string {
  const id: unknown = typeof token === 'object' && token !== null ? (token as { id?: unknown }).id : token;
  return checkIdentifier(id, 'token id');
}

/** @throws ConfigurationError */
function checkOptions(options: CreateTokenOptions): { timeoutMs: number; tags: string[]; key: string | undefined; keyMs: number } {
  checkNames(options, optionNames, 'createToken');
  const { timeout = '10m', tags = [], idempotencyKey: key, idempotencyKeyTTL = '1h' } = options;
  const timeoutMs = toMilliseconds(timeout, 'createToken timeout');
  if (timeoutMs === 0) throw new ConfigurationError('createToken timeout must be more than 0 ms.');
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string'))
    throw new ConfigurationError(`createToken tags must be a list of texts, not ${describe(tags)}.`);
  if (key !== undefined) checkIdentifier(key, 'createToken idempotencyKey', 256);
  return { timeoutMs, tags: [...tags], key, keyMs: toMilliseconds(idempotencyKeyTTL, 'createToken idempotencyKeyTTL') };
}

/** Believes nothing: other scripts of the origin can write what is read here. */
function factsOf({ metadata }: TaskState): Facts {
  const { timeoutAt, tags, key, keyUntil, purpose } = metadata as Partial<Facts>;
  return {
    timeoutAt: Number(timeoutAt) || 0,
    tags: Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [],
    ...(typeof key === 'string' && { key, keyUntil: Number(keyUntil) || 0 }),
    ...(purpose === 'update' && { purpose }),
  };
}
