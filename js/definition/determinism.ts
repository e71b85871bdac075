/**
 * `checkDeterminism`: the page's clock, chance and network tell when code of a durable task asks them itself, outside of
 * steps. What it got would be something else when the code runs again after a reload. What steps and children gave is
 * frozen (frozen.ts).
 *
 * Whose call it is stands in the stack: handlers and steps are called by functions with names of ours, which are seen
 * behind an `await` too where the engine shows asynchronous callers (V8, so Chromium and Node; Firefox in part).
 * Elsewhere only what is called before the first `await` is found. (Temporal's sandbox replaces these functions; here
 * they do what they always do.)
 *
 * Invariants: for development, loaded only when it is asked for; each place is told once; a task that uses nothing
 * durable is told nothing; what the house itself asks is nobody's finding.
 */
import type { Definition } from '../intake/registry.ts';
import type { Run } from '../runs/run.ts';
import { outside } from '../time/clock.ts';
import { advice as copyAdvice, freeze, isOfFrozen } from './frozen.ts';
import type { TaskHandler } from './types.ts';

interface Attempt {
  readonly run: Run;
  readonly number: number;
  readonly listener: Determinism;
  /** Until it is known whether its task is durable. */
  found: Finding[];
}

interface Finding {
  what: string;
  place: string;
}

const advice: Readonly<Record<string, string>> = {
  'Date.now()': 'use ctx.now()',
  'new Date()': 'use new Date(ctx.now())',
  'performance.now()': 'use ctx.now()',
  'Math.random()': 'use ctx.random()',
  'crypto.getRandomValues()': 'use ctx.random()',
  'crypto.randomUUID()': 'use ctx.uuid()',
  'fetch()': 'its answer is not recorded: call it in ctx.step(name, …)',
};

const marker = /holdfast:(?:step|attempt (\d+))/;
/** Of callers; code that is deeper is not found. */
const depth = 200;

/** Of the page: several orchestrators may listen. */
const attempts = new Map<number, Attempt>();
let listeners = 0;
let restore: (() => void) | undefined;
let count = 0;

export class Determinism {
  readonly #warn: (message: string) => void;
  readonly #told = new Set<string>();
  #open = true;

  constructor(warn: (message: string) => void) {
    this.#warn = warn;
    if (listeners++ === 0) restore = replaceAll();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    if (--listeners === 0) restore!();
  }

  /** The same task, whose code is listened to while this attempt runs. */
  listening(run: Run, number: number, definition: Definition): Definition {
    if (definition.hidden || !this.#open) return definition;
    const id = ++count;
    const attempt: Attempt = { run, number, listener: this, found: [] };
    const name = `holdfast:attempt ${id}`;
    const named: Record<string, TaskHandler> = { [name]: async (input, ctx) => await definition.handler(input, ctx) };
    const handler: TaskHandler = async (input, ctx) => {
      attempts.set(id, attempt);
      try {
        return await named[name]!(input, ctx);
      } catch (error) {
        if (isOfFrozen(error)) this.#tellFrozen(run, error);
        throw error;
      } finally {
        attempts.delete(id);
        if (isDurable(attempt)) for (const finding of attempt.found) this.tell(run, finding);
      }
    };
    return { ...definition, handler };
  }

  /** What a verb gave, so that code which changes it is found. @param whose for people */
  given<Value>(value: Value, whose: string): Value {
    return freeze(value, whose);
  }

  #tellFrozen({ taskIdentifier, id }: Run, { message, stack = '' }: TypeError): void {
    const place = placeOf(stack.split('\n').find((line) => placeOf(line) !== '' && !line.includes('/definition/frozen.')) ?? '');
    this.#warn(`Task "${taskIdentifier}" (run ${id}) changes what a step or a child gave${place && `, at ${place}`}: ${message} ${message.includes(copyAdvice) ? '' : copyAdvice}`.trim());
  }

  /** What a step computes may ask whom it likes: its result is recorded. */
  async ['holdfast:step']<Value>(compute: () => Value): Promise<Awaited<Value>> {
    return await compute();
  }

  /** Where this function has been called just now. */
  placeBelow(called: Function): string {
    return placeOf(callers(called)[0] ?? '');
  }

  tell({ taskIdentifier, id }: Run, { what, place }: Finding): void {
    const key = `${taskIdentifier} ${what} ${place}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#warn(`Task "${taskIdentifier}" (run ${id}) calls ${what} outside of a step${place && ` at ${place}`}. Code that runs again after a reload gets something else there: ${advice[what]}.`);
  }
}

function isDurable({ run, number }: Attempt): boolean {
  return run.attempt === number && run.context?.durable !== undefined;
}

/** Somebody has called it. */
function called(what: string, by: Function): void {
  if (attempts.size === 0) return;
  const lines = callers(by);
  const found = lines.map((line) => marker.exec(line)).find((match) => match !== null);
  const attempt = found?.[1] === undefined ? undefined : attempts.get(Number(found[1]));
  if (!attempt) return;
  const finding = { what, place: placeOf(lines[0] ?? '') };
  if (isDurable(attempt)) attempt.listener.tell(attempt.run, finding);
  else attempt.found.push(finding);
}

/** What V8 has beyond the standard. */
const traces = Error as unknown as { stackTraceLimit: number | undefined; captureStackTrace?(holder: object, below: Function): void };

function callers(below: Function): string[] {
  const holder: { stack?: string } = {};
  const limit = traces.stackTraceLimit;
  traces.stackTraceLimit = depth;
  if (traces.captureStackTrace) traces.captureStackTrace(holder, below);
  else holder.stack = new Error().stack!;
  traces.stackTraceLimit = limit;
  return (holder.stack ?? '').split('\n').filter((line) => /^\s+at |@/.test(line));
}

/** `file:line:column`, as the engine writes it. */
function placeOf(line: string): string {
  return /\(?((?:[a-z]+:)?\/[^\s()]+:\d+:\d+)\)?\s*$/i.exec(line)?.[1] ?? '';
}

function replaceAll(): () => void {
  const { now, elapsed, fetch: send } = outside;
  const [readNow, readDate, readElapsed, readFetch] = [Date.now, Date, performance.now, globalThis.fetch];
  outside.now = () => readNow.call(readDate);
  outside.elapsed = () => readElapsed.call(performance);
  if (readFetch) outside.fetch = (...args) => readFetch(...args);
  const back = [
    replace(Date, 'now', 'Date.now()'),
    replace(Math, 'random', 'Math.random()'),
    replace(globalThis.performance, 'now', 'performance.now()'),
    replace(globalThis.crypto, 'randomUUID', 'crypto.randomUUID()'),
    replace(globalThis.crypto, 'getRandomValues', 'crypto.getRandomValues()'),
    replace(globalThis, 'fetch', 'fetch()'),
    replaceDate(),
  ];
  return () => {
    for (const undo of back.reverse()) undo();
    outside.now = now;
    outside.elapsed = elapsed;
    outside.fetch = send;
  };
}

/** Puts in its place what says so and does the same. Gives the way back. */
function replace(holder: object | undefined, name: string, what: string): () => void {
  const original: unknown = holder && Reflect.get(holder, name);
  if (!holder || typeof original !== 'function') return () => {};
  const own = Object.getOwnPropertyDescriptor(holder, name);
  const listened = function (this: unknown, ...args: unknown[]): unknown {
    called(what, listened);
    return original.apply(this === undefined ? holder : this, args);
  };
  Object.defineProperty(holder, name, { value: listened, configurable: true, writable: true, enumerable: own?.enumerable ?? false });
  return () => {
    if (own) Object.defineProperty(holder, name, own);
    else Reflect.deleteProperty(holder, name);
  };
}

/** `new Date()` and `Date()` read the clock; with arguments it is a date as any other. */
function replaceDate(): () => void {
  const original = Date;
  const construct = (target: DateConstructor, args: unknown[], newTarget: Function) => {
    if (args.length === 0) called('new Date()', construct);
    return Reflect.construct(target, args, newTarget) as object;
  };
  const apply = (target: DateConstructor) => {
    called('new Date()', apply);
    return target();
  };
  globalThis.Date = new Proxy(original, { construct, apply });
  return () => {
    globalThis.Date = original;
  };
}
