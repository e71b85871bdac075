/**
 * Queues whose rate all tabs of the origin share. Nothing of such a limit begins in the core but by leave, and a tab gives its core
 * leave while it holds the limit's Web Lock: its turn. What the others have begun stands in a ledger; the core is told of it before,
 * and decides when there is room, as it does alone.
 *
 *   in line → lock → ledger read, core told → reserved in the ledger → leave → starts → ledger written, leave over → lock let go of
 *
 * A turn takes about a quarter of the rate, then whoever waited longer has the next. Who waits for the next opening of a window
 * waits in its turn, so it starts at that moment.
 *
 * Invariants: a core has leave only in its turn, and for no more than is reserved in the ledger. What a tab that died in its turn
 * had reserved counts as begun when that is seen: it expires with the window, and is never exceeded.
 */
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { ledgerOf, type Ledger, type LedgerRecord, type Use } from './ledger.ts';
import { locksOf } from './queue-table.ts';
import type { Known } from './table.ts';

/** Reserved no sooner before the next opening: a tab that is closed while it waits for a far one has reserved nothing. */
const earlyMs = 500;
/** Clocks of tabs are one; what lies further ahead was written before it was set back. */
const skewMs = 1000;
/** No service closes for longer; more was written before the clock was set back. */
const dayMs = 86_400_000;
const mostWeight = 0xffff;
/** The most that one record of the core holds. */
const mostInRecord = 0x3fff;

/** The rate of a queue that all tabs share. */
interface SharedRate {
  readonly queue: string;
  /** In the core. */
  readonly number: number;
  /** At once: of a window, or of a bucket; of a spacing 1. */
  readonly most: number;
  readonly periodMs: number;
  readonly isKeyed: boolean;
  /** Of a bucket of tokens: until it is full. */
  readonly fillMs: number;
  /** After so long nothing that began before counts. */
  readonly longestMs: number;
}

interface Turn {
  phase: 'reading' | 'told' | 'reserving' | 'granted' | 'ending';
  reserved: number;
  /** The record has to be written, though nothing begins. */
  isStale: boolean;
  isWritten: boolean;
  cancel: (() => void) | undefined;
  release: () => void;
}

class RateShare {
  readonly #house: Orchestrator;
  readonly #ledger: Ledger;
  readonly #lock: string;
  readonly #rate: SharedRate;
  readonly #warnOnce: (error: unknown) => void;
  #asking: AbortController | undefined;
  #askLater: { readonly atMs: number; readonly cancel: () => void } | undefined;
  #turn: Turn | undefined;
  /** The host's closing of the limit, as the ledger knows it. */
  #closedUntilMs = 0;
  #closed = false;

  constructor(house: Orchestrator, ledger: Ledger, lock: string, rate: SharedRate, warnOnce: (error: unknown) => void) {
    this.#house = house;
    this.#ledger = ledger;
    this.#lock = lock;
    this.#rate = rate;
    this.#warnOnce = warnOnce;
  }

  /** After each step of the core. */
  look(): void {
    const { commands, engine } = this.#house.pump;
    // The core has not heard all of it yet.
    if (commands.count > 0) return;
    const opensAt = engine.value(this.#rate.number, P.FieldLimitOpensAt);
    if (this.#turn) return this.#lookInTurn(this.#turn, opensAt);
    const isNews = this.#ownClosedUntilMs > Math.max(this.#closedUntilMs, this.#house.clock.now());
    if (opensAt === Number.POSITIVE_INFINITY && !isNews) this.#stopAsking();
    else if (this.#rate.isKeyed && !isNews && opensAt > this.#house.clock.now() + earlyMs) this.#askAt(opensAt - earlyMs);
    else this.#ask();
  }

  /** What others begin can only put it off. */
  #askAt(atMs: number): void {
    if (this.#askLater?.atMs === atMs) return;
    this.#stopAsking();
    const cancel = this.#house.clock.schedule(atMs, () => {
      this.#askLater = undefined;
      this.#house.pump.wake();
    });
    this.#askLater = { atMs, cancel };
  }

  /** What this tab was told to, by a service or by people. */
  get #ownClosedUntilMs(): number {
    return this.#house.table.limits.closedUntil(this.#rate.number);
  }

  #lookInTurn(turn: Turn, opensAt: number): void {
    const now = this.#house.clock.now();
    const leave = this.#house.pump.engine.value(this.#rate.number, P.FieldLimitLeave) - 1;
    if (turn.phase === 'told') return this.#standReady(turn, opensAt, now);
    if (turn.phase === 'ending' && turn.isWritten && leave === 0) return this.#release(turn);
    if (turn.phase !== 'granted') return;
    if (leave <= 0 || opensAt > now + earlyMs) return this.#end(turn);
    turn.cancel?.();
    turn.cancel = undefined;
    if (opensAt > now) turn.cancel = this.#wakeAt(opensAt);
    // The first is heavier than what is left of the leave. That is no moment that the core waits for: the next turn is its own.
    else if (leave < turn.reserved) this.#end(turn);
    else if (leave < mostWeight) void this.#reserve(turn, mostWeight);
  }

  #wakeAt(atMs: number): () => void {
    return this.#house.clock.schedule(atMs, () => this.#house.pump.wake());
  }

  #standReady(turn: Turn, opensAt: number, now: number): void {
    turn.cancel?.();
    turn.cancel = undefined;
    // What has to be known to all is written before anything is waited for.
    if (turn.isStale || opensAt === Number.POSITIVE_INFINITY) return this.#end(turn);
    if (opensAt <= now + earlyMs) return void this.#reserve(turn, this.#share());
    // Keys of other tabs may be open meanwhile.
    if (this.#rate.isKeyed) this.#end(turn);
    else turn.cancel = this.#wakeAt(opensAt - earlyMs);
  }

  /** A part of the rate, and no more than there is to begin. */
  #share(): number {
    const ready = this.#house.pump.engine.queueValue(this.#house.table.queues.named(this.#rate.queue)!.number!, P.QueueValueReady);
    return Math.max(1, Math.min(partOf(this.#rate.most), ready, mostWeight));
  }

  #ask(): void {
    if (this.#asking || this.#closed) return;
    const asking = (this.#asking = new AbortController());
    locksOf(this.#house)!
      .request(this.#lock, { signal: asking.signal }, () => {
        if (asking.signal.aborted || this.#closed) return undefined;
        this.#asking = undefined;
        return new Promise<void>((release) => {
          this.#turn = { phase: 'reading', reserved: 0, isStale: false, isWritten: false, cancel: undefined, release };
          void this.#begin(this.#turn);
        });
      })
      .catch((error) => asking.signal.aborted || this.#goAlone(error));
  }

  /** The browser refuses its locks: nobody would have a turn. */
  #goAlone(error: unknown): void {
    this.#warnOnce(error);
    this.#closed = true;
    this.#house.pump.commands.push(P.CommandSetLimit, this.#rate.number, P.LimitFieldLeave, 0, 0);
    this.#house.pump.wake();
  }

  #stopAsking(): void {
    this.#askLater?.cancel();
    this.#asking?.abort();
    this.#askLater = this.#asking = undefined;
  }

  async #begin(turn: Turn): Promise<void> {
    const record = await this.#ledger.read(this.#rate.number).catch((error): LedgerRecord => {
      this.#warnOnce(error);
      return { uses: [], reserved: 0, closedUntilMs: 0 };
    });
    if (this.#turn !== turn) return;
    if (!this.#house.pump.open) return this.#release(turn);
    this.#learn(turn, record);
    turn.phase = 'told';
    this.#house.pump.wake();
  }

  /** The core hears what it does not know. */
  #learn(turn: Turn, { uses, reserved, closedUntilMs }: LedgerRecord): void {
    const { number, periodMs, isKeyed, most } = this.#rate;
    const now = this.#house.clock.now();
    const known = new Map<string, number>();
    const nameOf = ([key, use, , at]: Use) => `${key} ${use}${use === P.LimitUseTaken ? ` ${at}` : ''}`;
    for (const use of this.#house.pump.engine.usesOf(number)) known.set(nameOf(use), use[1] === P.LimitUseTaken ? (known.get(nameOf(use)) ?? 0) + use[2] : use[3]);
    for (const [key, use, weight, at] of gathered(uses)) {
      const ahead = use === P.LimitUseFullAt ? this.#rate.fillMs : 0;
      const moment = at > now + ahead + skewMs ? now + ahead : at;
      if (use === P.LimitUseTaken && moment <= now - periodMs) continue;
      const had = known.get(nameOf([key, use, weight, moment])) ?? 0;
      if (use === P.LimitUseTaken) this.#tell(key, use, weight - had, moment);
      else if (moment > had) this.#tell(key, use, 0, moment);
    }
    this.#closedUntilMs = Math.min(closedUntilMs, now + Math.max(this.#rate.longestMs, dayMs));
    if (reserved > 0) {
      turn.isStale = true;
      // Of what key is not known.
      if (isKeyed) this.#closedUntilMs = Math.max(this.#closedUntilMs, now + this.#rate.longestMs);
      else this.#tell(0, P.LimitUseTaken, Math.min(reserved, most), now);
    }
    if (this.#ownClosedUntilMs > Math.max(this.#closedUntilMs, now)) {
      turn.isStale = true;
      this.#closedUntilMs = this.#ownClosedUntilMs;
    }
    if (this.#closedUntilMs > now) this.#house.table.limits.closeToo(number, this.#closedUntilMs);
  }

  #tell(key: number, use: number, weight: number, at: number): void {
    const high = Math.floor(key / 0x100000000);
    let left = weight;
    if (use === P.LimitUseTaken && left <= 0) return;
    do {
      const part = Math.min(left, mostInRecord);
      this.#house.pump.commands.push(P.CommandUseLimit, this.#rate.number, key % 0x100000000, (high | (use << 16) | (part << 18)) >>> 0, at);
      left -= part;
    } while (left > 0);
  }

  async #reserve(turn: Turn, weight: number): Promise<void> {
    turn.phase = 'reserving';
    await this.#write(weight);
    if (this.#turn !== turn) return;
    if (!this.#house.pump.open) return this.#release(turn);
    turn.reserved = weight;
    turn.phase = 'granted';
    this.#giveLeave(weight);
  }

  #giveLeave(weight: number): void {
    this.#house.pump.commands.push(P.CommandSetLimit, this.#rate.number, P.LimitFieldLeave, 0, weight + 1);
    this.#house.pump.wake();
  }

  /** As the core knows it now. */
  #write(reserved: number): Promise<void> {
    const { number } = this.#rate;
    const uses = this.#house.pump.engine.usesOf(number);
    return this.#ledger.write(number, { uses, reserved, closedUntilMs: this.#closedUntilMs }).catch(this.#warnOnce);
  }

  #end(turn: Turn): void {
    if (turn.reserved === 0 && !turn.isStale) return this.#release(turn);
    turn.phase = 'ending';
    const written = this.#write(0);
    this.#giveLeave(0);
    void written.then(() => {
      turn.isWritten = true;
      if (this.#turn !== turn) return;
      if (this.#house.pump.open) this.look();
      else this.#release(turn);
    });
  }

  #release(turn: Turn): void {
    turn.cancel?.();
    if (this.#turn === turn) this.#turn = undefined;
    turn.release();
    // Again in line, behind those who waited meanwhile.
    if (!this.#closed && this.#house.pump.open) this.look();
  }

  /** Resolves when what it has begun is written down. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopAsking();
    const turn = this.#turn;
    this.#turn = undefined;
    if (!turn) return;
    turn.cancel?.();
    if (turn.reserved > 0 && turn.phase !== 'ending' && this.#house.pump.open) await this.#write(0);
    turn.release();
  }
}

/** undefined: none. */
function sharedRateOf({ name: queue, number, settings }: Readonly<Known>): SharedRate | undefined {
  const of = (field: number) => settings.find(([known]) => known === field)?.[1] ?? 0;
  const [limit, periodMs, spacingMs] = [of(P.LimitFieldRateLimit), of(P.LimitFieldRatePeriodMs), of(P.LimitFieldSpacingMs)];
  if (limit === 0 && spacingMs === 0) return undefined;
  const isBucket = limit > 0 && of(P.LimitFieldRateKind) === P.RateKindTokenBucket;
  const most = Math.max(1, isBucket ? of(P.LimitFieldRateBurst) : limit);
  const fillMs = isBucket ? (most * periodMs) / limit : 0;
  return { queue, number, most, periodMs: Math.max(periodMs, spacingMs), isKeyed: of(P.LimitFieldRateKeyed) === 1, fillMs, longestMs: Math.max(periodMs, spacingMs, fillMs) };
}

/**
 * A quarter, or a little more that goes into the whole without a rest: so what began in one turn becomes free for one turn.
 * What is split between two is late by the way from one to the other.
 */
function partOf(most: number): number {
  let part = Math.ceil(most / 4);
  while (most <= 1000 && most % part > 0) part++;
  return part;
}

/** Those of one moment as one. */
function gathered(uses: readonly Use[]): Use[] {
  const byName = new Map<string, Use>();
  for (const [key, use, weight, at] of uses) {
    const name = `${key} ${use} ${at}`;
    byName.set(name, [key, use, weight + (byName.get(name)?.[2] ?? 0), at]);
  }
  return [...byName.values()];
}

export class OriginRates {
  readonly #house: Orchestrator;
  readonly #namespace: string;
  readonly #ledger: Ledger;
  readonly #shares = new Map<string, { of: Readonly<Known>; share: RateShare }>();
  #hasWarned = false;

  constructor(house: Orchestrator) {
    this.#house = house;
    this.#namespace = house.opening.namespace;
    this.#ledger = ledgerOf(locksOf(house)!, this.#namespace);
  }

  /** After each step of the core. */
  stepped(names: ReadonlySet<string>): void {
    for (const name of names) {
      const known = this.#house.table.limits.shared(name);
      if (this.#shares.get(name)?.of !== known) this.#end(name);
      if (known) this.#of(name, known)?.look();
    }
    for (const name of this.#shares.keys()) if (!names.has(name)) this.#end(name);
  }

  #end(name: string): void {
    void this.#shares.get(name)?.share.close();
    this.#shares.delete(name);
  }

  #of(name: string, of: Readonly<Known>): RateShare | undefined {
    const known = this.#shares.get(name);
    if (known) return known.share;
    const rate = sharedRateOf(of);
    if (!rate) return undefined;
    const warnOnce = (error: unknown) => {
      if (this.#hasWarned) return;
      this.#hasWarned = true;
      this.#house.warn(`What tabs have begun by the rate of queue "${name}" can't be shared (${error instanceof Error ? error.message : error}); until it can, it is this tab's own.`);
    };
    const share = new RateShare(this.#house, this.#ledger, `holdfast:${this.#namespace}:rate:${name}`, rate, warnOnce);
    this.#shares.set(name, { of, share });
    return share;
  }

  close(): void {
    const closed = [...this.#shares.values()].map(({ share }) => share.close());
    this.#shares.clear();
    void Promise.all(closed).then(() => this.#ledger.close());
  }
}
