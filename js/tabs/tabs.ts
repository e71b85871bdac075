/**
 * Sessions of one origin: who owns which slot, who takes over from the dead, what other tabs see.
 *
 * Ownership is a Web Lock per slot, held for a session's whole life; the browser frees it the moment
 * the tab dies. There is no leader and no heartbeat. Messages are hints: nothing in them is believed
 * without a check of its shape, and no run is executed or forgotten because of one, but for commands
 * that its owner carries out itself.
 *
 * Invariants: a slot is opened only under its lock; a slot is adopted by exactly one session.
 */
import { Asking } from './asking.ts';
import type { Clock } from '../time/clock.ts';
import { randomSeed } from '../load.ts';
import type { Run } from '../runs/run.ts';
import type { TabChannel, TabPlatform } from './platform.ts';
import { type RemoteHost, RemoteRuns, type RemoteHandle, publicState } from './remote.ts';
import type { TaskState } from '../types.ts';
import { isSentEvent, type SentEvent } from '../waiting/events.ts';
import { eventTask } from '../waiting/internal.ts';
import { toSent } from '../waiting/waiting.ts';

export interface TabsHost {
  readonly clock: Clock;
  /** The slot's lock is held until this resolves: take over what is in it, leave it empty. It does not reject. */
  adopt(slot: number): Promise<void>;
  localStates(): TaskState[];
  /** Which of these runs go on here, and which wait here because another session may have them; undefined: not known now. */
  standingOf(ids: readonly string[]): Standing | undefined;
  /** Carries out another tab's command on a run of ours. */
  obey(id: string, verb: string, argument: unknown): Promise<unknown>;
  /** A run of ours. */
  local(id: string): Run | undefined;
  /** Another tab has sent an event; resolves when it is stored here. */
  received(event: SentEvent): Promise<void>;
  /** Our runs that hold these keys, also such as are on their way to the core. */
  holdersOf(keys: readonly KeyPlace[]): Run[];
  /** Events a tab that has just come may have missed. */
  news(): SentEvent[];
  remoteChanged(id?: string): void;
  readStream: RemoteHost['stream'];
  update: RemoteHost['update'];
  warn(message: string): void;
  /** A tab destroys the namespace, and waits for us to leave it. */
  destroyed(): Promise<void>;
}

export { platformOf } from './platform.ts';

/** A key of a task, as text. */
export type KeyPlace = readonly [taskIdentifier: string, key: string];

export interface Claim {
  slot: number;
  /** Slots of dead sessions, their locks held until `release`. */
  adoptable: { slot: number; release: () => void }[];
}

export interface Standing {
  owned: string[];
  held: string[];
}

/** What a session says of runs it was asked for. */
export interface Answer extends Standing {
  slot: number;
}

type Message =
  | { type: 'hello'; session: string; slot: number; again?: boolean }
  | { type: 'states'; session: string; states: unknown[] }
  | { type: 'forgotten'; session: string; id: string }
  | { type: 'bye'; session: string }
  | { type: 'destroy'; session: string }
  | { type: 'command'; session: string; request: string; id: string; verb: string; argument: unknown }
  | { type: 'answer'; session: string; request: string; known: boolean; value?: unknown; error?: unknown }
  | { type: 'event'; session: string; request: string; event: SentEvent }
  | { type: 'stored'; session: string; request: string }
  | { type: 'holders'; session: string; request: string; keys: KeyPlace[] }
  | { type: 'told'; session: string; request: string; slot: number }
  | { type: 'owns'; session: string; request: string; ids: string[] }
  | { type: 'owned'; session: string; request: string; slot: number; ids: string[]; held?: string[] };

const stateBatch = 500;
const spreadTimeoutMs = 2000;
const keyBatch = 500;

export class Tabs {
  readonly #host: TabsHost;
  readonly #namespace: string;
  readonly session = randomSeed().toString(16).padStart(8, '0') + randomSeed().toString(16).padStart(8, '0');
  readonly remote: RemoteRuns;
  #slot = -1;
  #channel: TabChannel | undefined;
  readonly #platform: TabPlatform;
  #releaseOwn: (() => void) | undefined;
  #watched = new Set<number>();
  #stop = new AbortController();
  #peers = new Map<string, number>();
  #pendingStates = new Map<string, Run>();
  readonly #asking: Asking;
  #storedAnswers = new Map<string, (session: string) => void>();
  #ownedAnswers = new Map<string, (message: Extract<Message, { type: 'owned' }>) => void>();
  readonly #toldAnswers = new Map<string, (slot: number) => void>();
  /** Slots of sessions that did not answer in time: nobody waits for them before they are heard again. */
  readonly #silent = new Set<number>();
  #requests = 0;

  constructor(host: TabsHost, namespace: string, platform: TabPlatform) {
    this.#platform = platform;
    this.#host = host;
    this.#namespace = namespace;
    this.#asking = new Asking(host.clock);
    this.remote = new RemoteRuns({
      clock: host.clock,
      ask: (session, id, verb, argument) => this.#ask(session, id, verb, argument),
      obey: (...asked) => host.obey(...asked),
      local: (id) => host.local(id),
      changed: (id) => host.remoteChanged(id),
      stream: (...asked) => host.readStream(...asked),
      update: (...asked) => host.update(...asked),
    });
  }

  #lockName(slot: number): string {
    return `holdfast:${this.#namespace}:slot:${slot}`;
  }

  /** The slot that most sessions have, if nobody holds it: whether it is to be ours is seen when it is open. */
  async claimUsual(): Promise<number | undefined> {
    const release = await this.#tryLock(0);
    if (release) this.#own(0, release);
    return release && 0;
  }

  /** A slot of our own, if possible one that a dead session left behind: then its runs simply go on. */
  async claim(occupied: readonly number[], count: number, except: ReadonlySet<number> = new Set()): Promise<Claim> {
    const adoptable: Claim['adoptable'] = [];
    const rest = Array.from({ length: count }, (_, slot) => slot).filter((slot) => !occupied.includes(slot));
    for (const slot of [...occupied, ...rest]) {
      if (this.#slot >= 0 && !occupied.includes(slot)) break;
      if (except.has(slot)) continue;
      const release = await this.#tryLock(slot);
      if (!release) continue;
      if (this.#slot < 0) this.#own(slot, release);
      else adoptable.push({ slot, release });
    }
    for (let slot = count; this.#slot < 0; slot++) {
      const release = await this.#tryLock(slot);
      if (release) this.#own(slot, release);
    }
    return { slot: this.#slot, adoptable };
  }

  /** The slot can't be opened after all. */
  giveUpClaim(): void {
    this.#releaseOwn?.();
    this.#releaseOwn = undefined;
    this.#slot = -1;
  }

  #own(slot: number, release: () => void): void {
    this.#slot = slot;
    this.#releaseOwn = release;
  }

  /** Waits until no other session holds this name. Resolves to what lets go of it. */
  exclusive(name: string): Promise<() => void> {
    return new Promise((resolve) => {
      this.#platform.locks!
        .request(`holdfast:${this.#namespace}:${name}`, { signal: this.#stop.signal }, () => new Promise<void>((release) => resolve(release)))
        // Closed, or not to be had: then as without other tabs.
        .catch(() => resolve(() => {}));
    });
  }

  #tryLock(slot: number): Promise<(() => void) | undefined> {
    return new Promise((resolve, reject) => {
      this.#platform.locks!
        .request(this.#lockName(slot), { ifAvailable: true }, (lock) => {
          if (!lock) return resolve(undefined);
          return new Promise<void>((release) => resolve(release));
        })
        .catch(reject);
    });
  }

  /** Begins to listen, and to wait for the end of every other session. */
  async start(): Promise<void> {
    this.#channel = this.#platform.channel(`holdfast:${this.#namespace}`);
    if (this.#channel) {
      this.#channel.onmessage = (event) => this.#receive(event.data);
      this.#post({ type: 'hello', session: this.session, slot: this.#slot });
    }
    for (const slot of await this.#heldSlots()) this.watch(slot);
  }

  async #heldSlots(): Promise<number[]> {
    const { held = [] } = await this.#platform.locks!.query();
    const prefix = this.#lockName(0).slice(0, -1);
    const slots = held.map(({ name = '' }) => (name.startsWith(prefix) ? Number(name.slice(prefix.length)) : Number.NaN));
    return slots.filter((slot) => Number.isInteger(slot) && slot !== this.#slot);
  }

  /** Takes over what is in a slot that nobody holds. False: somebody does. */
  async adoptIfFree(slot: number): Promise<boolean> {
    const release = await this.#tryLock(slot);
    if (release) await this.#host.adopt(slot).finally(release);
    return release !== undefined;
  }

  /** Takes over what is in a slot when its session has ended: the browser grants the lock then, however that was. */
  watch(slot: number): void {
    if (slot === this.#slot || this.#watched.has(slot) || this.#stop.signal.aborted) return;
    this.#watched.add(slot);
    this.#platform.locks!
      .request(this.#lockName(slot), { signal: this.#stop.signal }, async () => {
        this.#watched.delete(slot);
        this.#forgetPeersOf(slot);
        await this.#host.adopt(slot);
      })
      .catch((error) => {
        this.#watched.delete(slot);
        if (!this.#stop.signal.aborted) this.#host.warn(`Slot ${slot} of another tab can't be waited for: ${error?.message ?? error}`);
      });
  }

  #forgetPeersOf(slot: number): void {
    for (const [session, peerSlot] of this.#peers) {
      if (peerSlot !== slot) continue;
      this.#peers.delete(session);
      this.remote.dropSession(session);
    }
  }

  /** Another tab has told that it is its. */
  isHeld(slot: number): boolean {
    return [...this.#peers.values()].includes(slot);
  }

  get alone(): boolean {
    return this.#peers.size === 0;
  }

  /** Certainly: one that has not greeted yet holds its slot all the same. */
  get surelyAlone(): boolean {
    return this.#peers.size === 0 && this.#watched.size === 0;
  }

  // What others see of ours

  changed(runs: readonly Run[]): void {
    this.remote.changedHere(runs);
    if (this.#peers.size === 0) return;
    for (const run of runs) this.#pendingStates.set(run.id, run);
    this.#flushStates();
  }

  #flushStates(): void {
    const batch: unknown[] = [];
    for (const [id, run] of this.#pendingStates) {
      if (batch.length === stateBatch) break;
      this.#pendingStates.delete(id);
      if ((run.task !== 0 || run.accepted_) && run.taskIdentifier !== eventTask) batch.push(publicState(run.state));
    }
    if (batch.length > 0) this.#post({ type: 'states', session: this.session, states: batch });
    if (this.#pendingStates.size > 0) this.#host.clock.frame(() => this.#flushStates());
  }

  forgotten(id: string): void {
    this.#pendingStates.delete(id);
    if (this.#peers.size > 0) this.#post({ type: 'forgotten', session: this.session, id });
  }

  // What we see of theirs

  states(): TaskState[] {
    return this.remote.states();
  }
  state(id: string): TaskState | undefined {
    return this.remote.state(id);
  }
  handle(id: string): RemoteHandle | undefined {
    return this.remote.handle(id);
  }

  /** What every other session knows of these runs; undefined: not all of them answered. */
  async askAll(ids: readonly string[]): Promise<Answer[] | undefined> {
    const waiting = new Set(await this.#heldSlots());
    const answers: Answer[] = [];
    if (waiting.size === 0) return answers;
    const request = this.#request();
    return new Promise((resolve) => {
      const finish = (result: Answer[] | undefined) => {
        cancel();
        this.#ownedAnswers.delete(request);
        resolve(result);
      };
      const cancel = this.#host.clock.schedule(this.#host.clock.now() + 2000, () => finish(undefined));
      this.#ownedAnswers.set(request, ({ slot, ids: owned, held = [] }) => {
        answers.push({ slot, owned, held });
        waiting.delete(slot);
        if (waiting.size === 0) finish(answers);
      });
      this.#post({ type: 'owns', session: this.session, request, ids: [...ids] });
    });
  }

  /** Every other session tells of its runs that hold these keys. Resolves when they are known, or after 2 s. */
  async hearHolders(keys: readonly KeyPlace[]): Promise<void> {
    const waiting = new Set((await this.#heldSlots()).filter((slot) => !this.#silent.has(slot)));
    for (let first = 0; waiting.size > 0 && first < keys.length; first += keyBatch)
      await this.#hearSome(keys.slice(first, first + keyBatch), new Set(waiting));
  }

  #hearSome(keys: KeyPlace[], waiting: Set<number>): Promise<void> {
    const request = this.#request();
    return new Promise((resolve) => {
      const finish = () => {
        cancel();
        this.#toldAnswers.delete(request);
        resolve();
      };
      const cancel = this.#host.clock.schedule(this.#host.clock.now() + spreadTimeoutMs, () => {
        for (const slot of waiting) this.#silent.add(slot);
        finish();
      });
      this.#toldAnswers.set(request, (slot) => {
        waiting.delete(slot);
        if (waiting.size === 0) finish();
      });
      this.#post({ type: 'holders', session: this.session, request, keys });
    });
  }

  /** Ahead of the answer, on the same way. */
  #tellHolders({ request, keys }: Extract<Message, { type: 'holders' }>): void {
    const states = this.#host.holdersOf(keys).map((run) => publicState(run.state));
    if (states.length > 0) this.#post({ type: 'states', session: this.session, states });
    this.#post({ type: 'told', session: this.session, request, slot: this.#slot });
  }

  /** Gives an event to every other tab. Resolves when those that live have it, or after 2 s. */
  spread(event: SentEvent): Promise<void> {
    const request = this.#request();
    const waiting = new Set(this.#peers.keys());
    const message: Message = { type: 'event', session: this.session, request, event: toSent(event) };
    // One that has not greeted yet may hear it all the same.
    if (waiting.size === 0) return Promise.resolve(this.#post(message));
    return new Promise((resolve) => {
      const finish = () => {
        cancel();
        this.#storedAnswers.delete(request);
        resolve();
      };
      const cancel = this.#host.clock.schedule(this.#host.clock.now() + spreadTimeoutMs, finish);
      this.#storedAnswers.set(request, (session) => {
        waiting.delete(session);
        if (waiting.size === 0) finish();
      });
      this.#post(message);
    });
  }

  #hear({ request, event }: Extract<Message, { type: 'event' }>): void {
    this.#host.received(event).then(
      () => this.#post({ type: 'stored', session: this.session, request }),
      (error) => this.#host.warn(`An event of another tab could not be stored: ${error?.message ?? error}`),
    );
  }

  #request(): string {
    return `${this.session}:${++this.#requests}`;
  }

  #ask(session: string, id: string, verb: string, argument: unknown): Promise<unknown> {
    const request = this.#request();
    return this.#asking.ask(request, id, () => this.#post({ type: 'command', session, request, id, verb, argument }));
  }

  #post(message: Message): void {
    try {
      this.#channel?.postMessage(message);
    } catch {
      // A value that can't be cloned is only a hint less: the journal is the truth.
    }
  }

  #receive(data: unknown): void {
    const message = checkMessage(data);
    if (!message) return;
    switch (message.type) {
      case 'hello':
        return this.#greet(message);
      case 'states':
        return this.remote.accept(message.session, message.states);
      case 'forgotten':
        return this.remote.forget(message.session, message.id);
      case 'bye':
        this.#peers.delete(message.session);
        return this.remote.dropSession(message.session);
      case 'destroy':
        return void this.#host.destroyed();
      case 'command':
        return this.#obey(message);
      case 'answer':
        return this.#answered(message);
      case 'event':
        return this.#hear(message);
      case 'stored':
        return this.#storedAnswers.get(message.request)?.(message.session);
      case 'holders':
        return this.#tellHolders(message);
      case 'told':
        this.#silent.delete(message.slot);
        return this.#toldAnswers.get(message.request)?.(message.slot);
      case 'owns':
        return this.#tellStanding(message);
      case 'owned':
        return this.#ownedAnswers.get(message.request)?.(message);
    }
  }

  #answered({ request, error, value }: Extract<Message, { type: 'answer' }>): void {
    const asked = this.#asking.asked(request);
    if (error === undefined) asked?.resolve(value);
    else asked?.reject(this.remote.readError(error));
  }

  #tellStanding({ request, ids }: Extract<Message, { type: 'owns' }>): void {
    const standing = this.#host.standingOf(ids);
    // Who gets no answer asks again.
    if (!standing) return;
    const { owned, held } = standing;
    this.#post({ type: 'owned', session: this.session, request, slot: this.#slot, ids: owned, held });
  }

  #greet({ session, slot, again }: Extract<Message, { type: 'hello' }>): void {
    this.#silent.delete(slot);
    const news = !this.#peers.has(session);
    this.#peers.set(session, slot);
    this.watch(slot);
    if (!again) this.#post({ type: 'hello', session: this.session, slot: this.#slot, again: true });
    if (!news) return;
    this.#sendAll();
    for (const event of this.#host.news()) this.#post({ type: 'event', session: this.session, request: this.#request(), event });
  }

  #sendAll(): void {
    const states = this.#host.localStates();
    for (let first = 0; first < states.length; first += stateBatch)
      this.#post({ type: 'states', session: this.session, states: states.slice(first, first + stateBatch).map(publicState) });
  }

  #obey({ session, request, id, verb, argument }: Extract<Message, { type: 'command' }>): void {
    if (session !== this.session) return;
    this.#host.obey(id, verb, argument).then(
      (value) => this.#post({ type: 'answer', session: this.session, request, known: true, value }),
      (error) => this.#post({ type: 'answer', session: this.session, request, known: true, error: this.remote.writeError(error) }),
    );
  }

  close(because: Error): void {
    this.#post({ type: 'bye', session: this.session });
    this.#asking.close(because);
    this.remote.close(because);
    this.#stop.abort();
    this.#channel?.close();
    this.#channel = undefined;
    this.#releaseOwn?.();
  }
}

const text = (value: unknown): value is string => typeof value === 'string' && value.length <= 512;
const texts = (value: unknown): boolean => Array.isArray(value) && value.every(text);
const isKeyPlace = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string' && part.length <= 4096);
const slotNumber = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0 && (value as number) < 4096;
const shapes: Record<Message['type'], (message: any) => boolean> = {
  hello: ({ slot }) => slotNumber(slot),
  states: ({ states }) => Array.isArray(states) && states.length <= stateBatch,
  forgotten: ({ id }) => text(id),
  bye: () => true,
  destroy: () => true,
  command: ({ request, id, verb }) => text(request) && text(id) && text(verb),
  answer: ({ request }) => text(request),
  event: ({ request, event }) => text(request) && isSentEvent(event),
  stored: ({ request }) => text(request),
  holders: ({ request, keys }) => text(request) && Array.isArray(keys) && keys.length <= keyBatch && keys.every(isKeyPlace),
  told: ({ request, slot }) => text(request) && slotNumber(slot),
  owns: ({ request, ids }) => text(request) && texts(ids),
  owned: ({ request, slot, ids, held = [] }) => text(request) && slotNumber(slot) && texts(ids) && texts(held),
};

/** Anything on the origin can post into the channel; what does not fit is nothing. */
function checkMessage(data: unknown): Message | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const message = data as Message;
  if (!text(message.session) || !Object.hasOwn(shapes, message.type)) return undefined;
  return shapes[message.type](message) ? message : undefined;
}
