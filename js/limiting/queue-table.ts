/**
 * The queues of a page: what is said of them, and the numbers they have in the core.
 * Invariant: a number is given when the first run needs it, after the journal was read: what that has numbered keeps its number,
 * and goes by what the code says today.
 */
import type { AutoLimit } from './adaptation.ts';
import type { CircuitTable } from '../circuits/table.ts';
import { ConfigurationError } from '../errors.ts';
import { checkIdentifier, checkNames } from '../intake/checks.ts';
import * as P from '../protocol.ts';
import type { CommandBuffer, Engine } from '../pump/engine.ts';
import { platformOf, type TabLocks, type TabPlatform } from '../tabs/platform.ts';
import type { QueueOptions } from '../types.ts';
import { refuseReserved } from '../waiting/internal.ts';
import { checkQueueOptions, plainRules, queueNames, queueSettings, type Rules, rulesOf, plainOf } from './order.ts';
import type { LimitTable } from './table.ts';

/** When it was, and by whom it was said to be. */
export interface Overridden {
  readonly atMs: number;
  readonly by: string | undefined;
}

export interface Queue {
  /** undefined: the core does not know it yet. */
  number: number | undefined;
  concurrency: number;
  rules: Rules;
  /** In place of its concurrency, for a while. */
  override?: number | undefined;
  overridden?: Overridden | undefined;
  /** Found out, in place of its concurrency. */
  adapted?: AutoLimit | undefined;
  /** One more than the slots that this tab holds, of a queue whose concurrency all tabs share. */
  granted?: number;
  /** Takes nothing more. */
  isDrained?: boolean;
  /** 1 or 0, as this page was told last. */
  paused?: number;
}

/** Of the core's queue; 0: no limit. */
export const concurrencyNow = ({ override, adapted, concurrency }: Queue): number => override || adapted?.limit || concurrency;

/** Whose core this is about, while there is one. */
export interface CoreOwner {
  readonly pump: { readonly open: boolean; readonly engine: Engine };
  getOptions(): { readonly tabs?: boolean | TabPlatform };
}

export class QueueTable {
  readonly #commands: CommandBuffer;
  readonly #circuits: CircuitTable;
  readonly #limits: LimitTable;
  readonly #owner: CoreOwner | undefined;
  readonly #queues = new Map<string, Queue>();
  #nextNumber = 1;
  /** Names of queues whose concurrency or rate all tabs share; of those whose concurrency is found out. */
  readonly shared = new Set<string>();
  readonly adaptive = new Set<string>();

  constructor(commands: CommandBuffer, circuits: CircuitTable, limits: LimitTable, owner?: CoreOwner) {
    this.#owner = owner;
    this.#commands = commands;
    this.#circuits = circuits;
    this.#limits = limits;
  }

  /** A queue of the journal, whose name stands with its runs. */
  adopt(name: string, number: number, engine: Engine): void {
    this.#nextNumber = Math.max(this.#nextNumber, number + 1);
    const known = this.#queues.get(name);
    if (known?.number !== undefined) return;
    const queue = { ...(known ?? { concurrency: engine.queueValue(number, P.QueueValueConcurrency), rules: plainRules }), number };
    this.#queues.set(name, queue);
    this.#limits.joinOpenRuns(name, number, engine);
    // What the code says now counts; a queue it does not declare keeps its journalled limit.
    if (known) this.#tell(queue, true);
  }

  names(): string[] {
    return [...this.#queues.keys()];
  }
  named(name: string): Queue | undefined {
    return this.#queues.get(name);
  }

  /** Of every queue the core knows. */
  numbers(): number[] {
    const numbers = new Set([0]);
    for (const { number } of this.#queues.values()) if (number !== undefined) numbers.add(number);
    return [...numbers];
  }

  /** The name of a stored run's queue; one that the code does not declare any more has no limit. */
  known(name: string | undefined): string | undefined {
    if (name !== undefined && !this.#queues.has(name)) this.#queues.set(name, { number: undefined, concurrency: 0, rules: plainRules });
    return name;
  }

  /** @throws ConfigurationError for a name nobody declared, or a bad limit */
  check(queue: string | QueueOptions): string {
    const name = typeof queue === 'object' && queue !== null ? queue.name : queue;
    if (this.#queues.get(name)?.isDrained) throw new ConfigurationError(`Queue ${JSON.stringify(name)} was drained and takes nothing more. Open it again: orchestrator.queues.resume(${JSON.stringify(name)}).`);
    if (typeof queue !== 'string') {
      checkNames(queue, queueNames, 'queue');
      // What a definition says was declared when it came; the last word on a queue is not that of who runs first.
      if (!this.#queues.has(checkIdentifier(queue.name, 'queue.name'))) this.declare(queue.name, queue);
      return queue.name;
    }
    if (this.#queues.has(queue)) return queue;
    throw new ConfigurationError(
      `There is no queue ${JSON.stringify(queue)}. Declare it: createOrchestrator({ queues: { ${JSON.stringify(queue)}: { concurrency: 5 } } }).`,
    );
  }

  /** Unless somebody has said something about it. */
  declareUnlessKnown(name: string, concurrency: number): void {
    if (!this.#queues.has(name)) this.declare(name, { concurrency });
  }

  /** @throws ConfigurationError */
  declare(name: string, options: Omit<QueueOptions, 'name'>): void {
    refuseReserved(checkIdentifier(name, 'queue name'), 'queue name');
    const where = `queue "${name}"`;
    checkNames(options, queueNames, where);
    const concurrency = checkQueueOptions(options, where);
    const said = plainOf(options, where);
    const rules: Rules = { ...rulesOf(said, where), ...(options.throttle && { isThrottled: true }) };
    this.#circuits.declare('queue', name, said);
    this.#limits.declareQueue(name, said, rules.isOrigin && this.#hasLocks);
    const known = this.#queues.get(name);
    if (known?.override !== undefined) this.#limits.overrideQueue(name, known.override, known.overridden);
    if (known?.number !== undefined && this.#owner?.pump.open) this.#limits.joinOpenRuns(name, known.number, this.#owner.pump.engine);
    if (known?.concurrency === concurrency && JSON.stringify(known.rules) === JSON.stringify(rules)) return;
    const queue: Queue = { ...known, number: known?.number, concurrency, rules };
    if (!rules.auto) queue.adapted = undefined;
    for (const [names, isOne] of [[this.shared, rules.isOrigin], [this.adaptive, rules.auto]] as const) isOne ? names.add(name) : names.delete(name);
    this.#queues.set(name, queue);
    if (queue.number !== undefined) this.#tell(queue, true);
  }

  /** A fresh core may have missed what was told to the old one. */
  tellAgain(): void {
    for (const queue of this.#queues.values()) if (queue.number !== undefined) this.#tell(queue, true);
  }

  /** The core knows it by this. REQUIRES a queue of that name. */
  numberOf(name: string): number {
    const queue = this.#queues.get(name)!;
    if (queue.number !== undefined) return queue.number;
    if (this.#nextNumber > 0xffff) throw new ConfigurationError('More than 65,535 queues; use fewer names.');
    queue.number = this.#nextNumber++;
    this.#tell(queue, false);
    return queue.number;
  }

  #tell(queue: Queue, all: boolean): void {
    const { number, concurrency, rules, override, granted = 1 } = queue;
    const set = (field: number, value: number) => this.#commands.push(P.CommandSetQueue, number!, field, 0, value);
    set(P.QueueFieldConcurrency, concurrencyNow(queue));
    if (override === 0) set(P.QueueFieldStill, 1);
    for (const [field, value] of queueSettings(rules, all)) set(field, value);
    if (rules.isOrigin && concurrency > 0 && this.#hasLocks) set(P.QueueFieldGranted, granted);
    else if (all) set(P.QueueFieldGranted, 0);
  }

  get #hasLocks(): boolean {
    return this.#owner !== undefined && locksOf(this.#owner) !== undefined;
  }
}

/** Of the browser, or those of the tabs that a test makes. */
export function locksOf(owner: Pick<CoreOwner, 'getOptions'>): TabLocks | undefined {
  return platformOf(owner.getOptions().tabs).locks;
}
