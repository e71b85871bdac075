/**
 * Code that stands in for the code of tasks: mocks, failures, a page that dies at a step. One for all tabs of a world,
 * laid over the definitions of each.
 */
import { plainDefinition } from '../definition/spec.ts';
import type { TaskHandler } from '../definition/types.ts';
import { ConfigurationError } from '../errors.ts';
import { checkIdentifier, describe, wholeNumber } from '../intake/checks.ts';
import type { Definition } from '../intake/registry.ts';
import { isBuiltIn } from '../definition/built-in.ts';

const never = new Promise<never>(() => {});
const moments = /^(before|after)-step:(.+)$/s;

interface CrashPoint {
  readonly moment: 'before' | 'after';
  readonly step: string;
  readonly crashed: () => void;
}

export class Faults {
  readonly #mocks = new Map<string, TaskHandler>();
  readonly #failures = new Map<string, { left: number; error: unknown }[]>();
  readonly #laidOver = new WeakMap<Definition, { mock: TaskHandler | undefined; definition: Definition }>();
  readonly #runsNothing: boolean;
  #crashPoints: CrashPoint[] = [];
  /** Code begins, with this input. */
  begun: (runId: string, input: unknown) => void = () => {};

  /** @param runsNothing no task's own code is run */
  constructor(runsNothing: boolean) {
    this.#runsNothing = runsNothing;
  }

  mock(task: unknown, mock: unknown): void {
    const handler = typeof mock === 'function' ? (mock as TaskHandler) : () => mock;
    this.#mocks.set(checkIdentifier(task, 'mockTask name'), handler);
  }

  unmock(task: string | undefined): void {
    if (task === undefined) this.#mocks.clear();
    else this.#mocks.delete(task);
  }

  fail(task: unknown, count: unknown, error: unknown): void {
    const id = checkIdentifier(task, 'failNext name');
    const left = wholeNumber(count, 'failNext count', 1);
    this.#failures.set(id, [...(this.#failures.get(id) ?? []), { left, error: error ?? new Error(`failNext("${id}")`) }]);
  }

  /** The definition of a task as its runs are to see it; one that is not there may have a mock. */
  over(id: string | undefined, definition: Definition | undefined): Definition | undefined {
    // A run of the journal is asked for before its envelope was read.
    if (id === undefined || isBuiltIn(id) || definition?.hidden) return definition;
    const mock = this.#mocks.get(id) ?? (this.#runsNothing ? nothing : undefined);
    // Where no code is run a name that nobody has defined is a mistake all the same.
    const base = definition ?? (this.#mocks.has(id) ? this.#unknown(id) : undefined);
    if (!base) return undefined;
    const known = this.#laidOver.get(base);
    if (known && known.mock === mock) return known.definition;
    const made = this.#lay(base, mock);
    this.#laidOver.set(base, { mock, definition: made });
    return made;
  }

  readonly #made = new Map<string, Definition>();
  #unknown(id: string): Definition {
    const made = this.#made.get(id) ?? plainDefinition(id, nothing);
    this.#made.set(id, made);
    return made;
  }

  #lay(base: Definition, mock: TaskHandler | undefined): Definition {
    const inner = mock ?? base.handler;
    const handler: TaskHandler = (input, ctx) => {
      this.begun(ctx.run.id, input);
      const failure = this.#nextFailure(base.id);
      if (failure) throw failure.error;
      return inner(input, ctx);
    };
    // How a handler is run stands with it.
    if (!mock) Object.assign(handler, base.handler);
    const prepared = mock && base.prepared ? { ...base.prepared, setup: undefined, inWorker: false } : base.prepared;
    return { ...base, handler, prepared };
  }

  #nextFailure(id: string): { error: unknown } | undefined {
    const waiting = this.#failures.get(id);
    const next = waiting?.[0];
    if (next && --next.left === 0) waiting!.shift();
    return next;
  }

  // Pages that die

  /** @throws ConfigurationError */
  crashAt(moment: unknown, crashed: () => void): void {
    const parts = typeof moment === 'string' ? moments.exec(moment) : null;
    if (!parts) throw new ConfigurationError(`crashAt must be told 'before-step:name' or 'after-step:name', not ${describe(moment)}.`);
    this.#crashPoints.push({ moment: parts[1] as 'before' | 'after', step: parts[2]!, crashed });
  }

  /** Around what records a step: at a crash point the page dies, and the code hears nothing any more. */
  async record<Value>(step: string, record: () => Promise<Value>): Promise<Value> {
    if (this.#strikes('before', step)) return never;
    const value = await record();
    return this.#strikes('after', step) ? never : value;
  }

  #strikes(moment: CrashPoint['moment'], step: string): boolean {
    const point = this.#crashPoints.find((one) => one.moment === moment && one.step === step);
    if (!point) return false;
    this.#crashPoints = this.#crashPoints.filter((one) => one !== point);
    point.crashed();
    return true;
  }
}

const nothing: TaskHandler = () => undefined;
