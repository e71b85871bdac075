/**
 * Limits of tasks, queues and by name: what the core is told of them, and in which of them a run takes part.
 * Invariant: the core knows a limit's settings before a run that takes part in it begins.
 */
import { ConfigurationError } from '../errors.ts';
import { describe } from '../intake/checks.ts';
import * as P from '../protocol.ts';
import type { CommandBuffer, Engine } from '../pump/engine.ts';
import { resourceClass } from './classes.ts';
import type { Overridden } from './queue-table.ts';
import { checkWeight, keyNumber, type LimitKind, limitNumber, type Settings, settingsOf } from './settings.ts';
import type { LimitedRunOptions, LimitOptions } from './types.ts';

/** A limit that a run takes part in, as the core takes it. */
export interface Part {
  number: number;
  weight: number;
  key: number;
  /** Whatever its run's `concurrencyKey` is. */
  hasOwnKey?: boolean;
}

export interface Known {
  kind: LimitKind;
  name: string;
  number: number;
  settings: Settings;
  text: string;
  /** Of all keys; 0: no limit. */
  total: number;
  feedback: boolean;
  isTold: boolean;
  isShared: boolean;
  /** As this page was told. */
  closedUntilMs?: number;
  /** In place of its concurrency, for a while. */
  override?: LimitOverride | undefined;
}

export interface LimitOverride extends Overridden {
  /** 0: no limit. */
  readonly total: number;
  readonly perKey: number;
}

const baseOf = (settings: Settings) => ({ total: settings[0]![1], perKey: settings[1]![1] });

const isLimited = ({ concurrency, rateLimit, minTime }: LimitOptions) => rateLimit !== undefined || minTime !== undefined || (typeof concurrency === 'object' && concurrency !== null);

export class LimitTable {
  readonly #commands: CommandBuffer;
  readonly #known = new Map<string, Known>();
  readonly #byNumber = new Map<number, Known>();
  /** There are runs that others have made. */
  #tellsAtOnce = false;

  constructor(commands: CommandBuffer) {
    this.#commands = commands;
  }

  /** A queue whose concurrency is all it says needs none: a number is the core's queue's, which counts runs. @throws ConfigurationError */
  declareQueue(name: string, said: LimitOptions, isShared: boolean): void {
    const { concurrency, ...rates } = said;
    const options = typeof concurrency === 'number' ? rates : said;
    if (isLimited(options) || this.#known.has(`queue${name}`)) this.#declare('queue', name, isLimited(options) ? options : {}, isShared);
  }
  /** @throws ConfigurationError */
  declareTask(id: string, options: LimitOptions): void {
    if (isLimited(options) || options.concurrency !== undefined || this.#known.has(`task${id}`)) this.#declare('task', id, options);
  }
  /** @throws ConfigurationError */
  declareNamed(name: string, options: LimitOptions): void {
    this.#declare('limit', name, options);
  }

  #declare(kind: LimitKind, name: string, options: LimitOptions, isShared = false): void {
    const settings = settingsOf(options, `${kind} "${name}"`, isShared);
    const text = JSON.stringify([settings, options.rateLimit?.feedback]);
    const known = this.#known.get(kind + name);
    if (known?.text === text) return;
    const number = known?.number ?? limitNumber(kind, name);
    const now = { kind, name, number, settings, text, total: settings[0]![1], feedback: options.rateLimit?.feedback === true, isTold: false, override: known?.override, isShared };
    this.#known.set(kind + name, now);
    this.#byNumber.set(number, now);
    // Runs that take part in it already go by what is said now.
    if (known?.isTold || this.#tellsAtOnce) this.#tell(now);
  }

  /** undefined: none. @throws ConfigurationError */
  partsOf(task: string | undefined, queue: string | undefined, { concurrencyKey, concurrencyLimits = [], weight = 1 }: LimitedRunOptions): Part[] | undefined {
    const parts: Part[] = [];
    const add = (known: Known | undefined, own: number, key: string | undefined, hasOwnKey = false) => {
      if (!known) return;
      const { total, override } = known;
      // What a limit was lowered to for a while refuses nobody: who is heavier begins alone.
      const most = override ? override.total && Math.max(total, override.total) : total;
      if (most > 0 && own > most) throw new ConfigurationError(`weight ${own} is more than all of ${known.kind} "${known.name}": its concurrency is ${most}.`);
      parts.push({ number: known.number, weight: own, key: keyNumber(key), ...(hasOwnKey && { hasOwnKey }) });
    };
    const own = checkWeight(weight, 'weight');
    if (task !== undefined) add(this.#known.get(`task${task}`), own, concurrencyKey);
    if (queue !== undefined) add(this.#known.get(`queue${queue}`), own, concurrencyKey);
    for (const given of concurrencyLimits) {
      const { name, weight: heavy = 1, key = concurrencyKey } = typeof given === 'string' ? ({ name: given } as { name: string; weight?: number; key?: string }) : given;
      add(this.#named(name), checkWeight(heavy, `weight in concurrencyLimits "${name}"`), key, typeof given === 'object' && given.key !== undefined);
    }
    if (new Set(parts.map(({ number }) => number)).size < parts.length) throw new ConfigurationError('concurrencyLimits names a limit twice; give it a weight instead.');
    return parts.length > 0 ? parts : undefined;
  }

  #named(name: string): Known {
    const known = this.#known.get(`limit${name}`);
    if (known) return known;
    const machine = resourceClass(name);
    if (machine) {
      this.declareNamed(name, machine);
      return this.#known.get(`limit${name}`)!;
    }
    throw new ConfigurationError(`There is no concurrency limit ${describe(name)}. Declare it: createOrchestrator({ concurrencyLimits: { ${JSON.stringify(name)}: { concurrency: 5 } } }).`);
  }

  /** Tells the core in what a run takes part. @param callKey of its call's `concurrencyKey`; 0: none */
  describe(task: number, parts: readonly Part[], callKey: number): void {
    for (let at = 0; at < parts.length; at++) {
      const { number, weight, key, hasOwnKey } = parts[at]!;
      const known = this.#byNumber.get(number)!;
      if (!known.isTold) this.#tell(known);
      this.#commands.push(P.CommandSetTask, task, P.TaskFieldLimit | (weight << 8), number, hasOwnKey ? key : callKey || key);
    }
  }

  /**
   * The limit of a queue counts for the open runs that are there, of a former page too, whose code knew of none. What they would
   * have given is not known: each takes part as one of weight 1, without a key.
   */
  joinOpenRuns(name: string, queue: number, engine: Engine): void {
    const known = this.#known.get(`queue${name}`);
    if (!known || engine.value(known.number, P.FieldHasLimit) === 1) return;
    if (!known.isTold) this.#tell(known);
    for (let task = engine.value(0, P.FieldTaskEnd) - 1; task > 0; task--) {
      const state = engine.state(task) & 0xf;
      const isOpen = state !== P.StateNone && state < P.StateSucceeded;
      if (isOpen && engine.value(task, P.FieldQueue) === queue) this.#commands.push(P.CommandSetTask, task, P.TaskFieldLimit | (1 << 8), known.number, 1);
    }
  }

  #tell(known: Known): void {
    known.isTold = true;
    for (const [field, value] of known.settings) this.#commands.push(P.CommandSetLimit, known.number, field, 0, value);
    if (known.override) this.#tellConcurrency(known, known.override);
  }

  #tellConcurrency({ number }: Known, { total, perKey }: { total: number; perKey: number }): void {
    this.#commands.push(P.CommandSetLimit, number, P.LimitFieldConcurrency, 0, total);
    this.#commands.push(P.CommandSetLimit, number, P.LimitFieldKeyConcurrency, 0, perKey);
  }

  /** Limits that have names of their own. */
  named(): { name: string; number: number; base: { total: number; perKey: number }; override: LimitOverride | undefined }[] {
    return [...this.#known.values()].filter(({ kind }) => kind === 'limit').map(({ name, number, settings, override }) => ({ name, number, base: baseOf(settings), override }));
  }

  /** undefined: as it was declared. @throws ConfigurationError */
  override(name: string, override: LimitOverride | undefined): void {
    const known = this.#named(name);
    known.override = override;
    if (known.isTold) this.#tellConcurrency(known, override ?? baseOf(known.settings));
  }

  /** The concurrency of a queue, where it is an object; a number is the core's queue's. undefined: as it was declared. */
  overrideQueue(name: string, total: number | undefined, overridden: Overridden = { atMs: 0, by: undefined }): void {
    const known = this.#known.get(`queue${name}`);
    if (!known) return;
    const base = baseOf(known.settings);
    const isOwn = base.total > 0 || base.perKey > 0;
    // 0 lets the queue stand still.
    known.override = isOwn && total ? { total, perKey: base.perKey, ...overridden } : undefined;
    if (known.isTold) this.#tellConcurrency(known, known.override ?? base);
  }

  /** Runs of former pages and of other tabs may take part in them. */
  tellAll(): void {
    if (this.#tellsAtOnce) return;
    this.#tellsAtOnce = true;
    for (const known of this.#known.values()) if (!known.isTold) this.#tell(known);
  }
  /** A fresh core may have missed it. */
  tellAgain(): void {
    for (const known of this.#known.values()) if (known.isTold) this.#tell(known);
  }

  /** A service has said until when it wants to hear nothing: limits with `feedback` are closed until then. */
  penalize(parts: readonly Part[], untilMs: number): void {
    for (const { number } of parts) if (this.#byNumber.get(number)?.feedback) this.closeToo(number, untilMs);
  }

  #close(known: Known, untilMs: number): void {
    known.closedUntilMs = untilMs;
    this.#commands.push(P.CommandSetLimit, known.number, P.LimitFieldClosedUntilMs, 0, untilMs);
  }

  /** Another tab was told to, or another answer: the one that asks for more counts. */
  closeToo(number: number, untilMs: number): void {
    const known = this.#byNumber.get(number);
    if (known && untilMs > (known.closedUntilMs ?? 0)) this.#close(known, untilMs);
  }
  closedUntil(number: number): number {
    return this.#byNumber.get(number)?.closedUntilMs ?? 0;
  }

  /** Nothing of it begins until then, and no longer: the last word counts, unless it is to be `isAtLeast` so. A named limit, else that of a queue. @throws ConfigurationError */
  close(name: string, untilMs: number, isAtLeast = false): void {
    const known = this.#known.get(`limit${name}`) ?? this.#known.get(`queue${name}`) ?? this.#known.get(`task${name}`);
    if (!known) throw new ConfigurationError(`There is no limit of the name ${describe(name)}, and no queue or task of it with a rate, a minTime or a concurrency as an object.`);
    if (!known.isTold) this.#tell(known);
    if (isAtLeast) this.closeToo(known.number, untilMs);
    else this.#close(known, untilMs);
  }

  /** undefined: it has none, or its rate is this tab's. */
  shared(queue: string): Readonly<Known> | undefined {
    const known = this.#known.get(`queue${queue}`);
    return known?.isShared ? known : undefined;
  }

  isShared(number: number): boolean {
    return this.#byNumber.get(number)?.isShared === true;
  }

  /** Of all its keys; undefined: there is none. */
  totalOf(kind: LimitKind, name: string): number | undefined {
    return this.#known.get(kind + name)?.total;
  }

  /** In words; undefined: of code that is not here. */
  nameOf(number: number): string | undefined {
    const known = this.#byNumber.get(number);
    return known && (known.kind === 'limit' ? `concurrency limit "${known.name}"` : `the limit of ${known.kind} "${known.name}"`);
  }
}
