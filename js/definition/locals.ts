/**
 * Values that the code of one run, and of the runs it makes, shares in this page: what middleware finds
 * out and handlers need. Not stored; after a reload whoever sets them sets them again.
 *
 * Invariant: a run sees what it set, else what its parent sees.
 */
import { describe } from '../intake/checks.ts';
import { ConfigurationError } from '../errors.ts';
import type { Run } from '../runs/run.ts';

declare const valueType: unique symbol;
/** Of every copy of this code that a page has loaded. */
const isKey = Symbol.for('holdfast.local');
/** Made by `locals.create`. Known by itself, not by its name. */
export interface LocalKey<Value> {
  readonly name: string;
  readonly [valueType]?: Value;
}

export const locals = {
  /** @param name for messages */
  create<Value>(name: string): LocalKey<Value> {
    if (typeof name !== 'string' || name === '') throw new ConfigurationError(`locals.create needs a name, not ${describe(name)}.`);
    return Object.freeze(Object.defineProperty({ name }, isKey, { value: true }));
  },
};

/** @throws ConfigurationError */
function checkKey(key: unknown, verb: string): void {
  if ((key as { [isKey]?: unknown } | null | undefined)?.[isKey] !== true) throw new ConfigurationError(`ctx.locals.${verb} needs a key made by locals.create, not ${describe(key)}.`);
}

export class Locals {
  readonly #parent: () => Locals | undefined;
  #values: Map<LocalKey<any>, unknown> | undefined;

  constructor(parent: () => Locals | undefined = () => undefined) {
    this.#parent = parent;
  }

  /** @throws ConfigurationError for a key that locals.create has not made, here and below */
  set<Value>(key: LocalKey<Value>, value: Value): Value {
    checkKey(key, 'set');
    (this.#values ??= new Map()).set(key, value);
    return value;
  }

  get<Value>(key: LocalKey<Value>): Value | undefined {
    checkKey(key, 'get');
    if (this.#values?.has(key)) return this.#values.get(key) as Value;
    return this.#parent()?.get(key);
  }

  /** @throws ConfigurationError where nobody set it */
  getOrThrow<Value>(key: LocalKey<Value>): Value {
    const value = this.get(key);
    if (value === undefined) throw new ConfigurationError(`Nobody has set ctx.locals "${key.name}" in this run or above it. Set it in a middleware or in the parent.`);
    return value;
  }
}

/** Made with the first look; below those of the run whose code made this one, if that was in this page. */
export function localsOf(run: Run): Locals {
  return (run.ownExtra.locals ??= new Locals(() => run.extra.parent && localsOf(run.extra.parent)));
}
