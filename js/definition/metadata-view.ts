/**
 * `ctx.metadata`, in the page as in a worker: the values, and what an operation makes of them.
 *
 * Invariant: values are replaced, never changed; an operation that makes no sense changes nothing.
 */
import { ConfigurationError } from '../errors.ts';
import { describe } from '../intake/checks.ts';
import type { ContextMetadata, MetadataUpdates } from './metadata-types.ts';
import { sameValue } from './same.ts';

type Values = Readonly<Record<string, any>>;
export const metadataVerbs = ['set', 'del', 'replace', 'append', 'remove', 'increment', 'decrement'] as const;
export type MetadataVerb = (typeof metadataVerbs)[number];

/** The record after an operation. @throws ConfigurationError */
export function changed(values: Values, verb: MetadataVerb, [key, value]: readonly any[]): Values {
  if (verb === 'replace') return Object.freeze({ ...recordOf(key) });
  if (typeof key !== 'string' || key === '') throw new ConfigurationError(`ctx.metadata.${verb} needs a key, a text, not ${describe(key)}.`);
  if (verb === 'del') return without(values, key);
  return Object.freeze({ ...values, [key]: operations[verb](values[key], value, key) });
}

function recordOf(values: unknown): object {
  if (typeof values === 'object' && values !== null && !Array.isArray(values)) return values;
  throw new ConfigurationError(`ctx.metadata.replace needs an object, not ${describe(values)}.`);
}

function without(values: Values, key: string): Values {
  const { [key]: _gone, ...others } = values;
  return Object.freeze(others);
}

const operations: Record<Exclude<MetadataVerb, 'replace' | 'del'>, (known: unknown, value: any, key: string) => unknown> = {
  set: (_known, value) => value,
  append: (known, value, key) => [...listOf(known, key), value],
  remove: (known, value, key) => listOf(known, key).filter((item) => !sameValue(item, value)),
  increment: (known, by, key) => numberOf(known, key) + amount(by, key),
  decrement: (known, by, key) => numberOf(known, key) - amount(by, key),
};

function listOf(known: unknown, key: string): readonly unknown[] {
  if (known === undefined) return [];
  if (Array.isArray(known)) return known;
  throw new ConfigurationError(`Metadata ${JSON.stringify(key)} is no list but ${describe(known)}; set it to one first.`);
}

function numberOf(known: unknown, key: string): number {
  if (known === undefined) return 0;
  if (typeof known === 'number') return known;
  throw new ConfigurationError(`Metadata ${JSON.stringify(key)} is no number but ${describe(known)}; set it to one first.`);
}

function amount(by: unknown = 1, key = ''): number {
  if (typeof by === 'number' && Number.isFinite(by)) return by;
  throw new ConfigurationError(`Metadata ${JSON.stringify(key)} changes by a finite number, not by ${describe(by)}.`);
}

/** What carries operations out: the page at once, a worker by a message. */
export interface MetadataTarget {
  readonly values: Values;
  update(verb: MetadataVerb, args: readonly unknown[]): void;
  flush(): Promise<void>;
  /** Of the run's parent, and of the one at the top. */
  relative(which: 'parent' | 'root'): MetadataTarget | undefined;
}

/** `ctx.metadata`: the values as they are now; what changes them stands beside them and is no part of them. */
export function metadataView(target: MetadataTarget): ContextMetadata {
  const { values } = target;
  const verbs: Record<string, unknown> = {
    ...metadataUpdates(target, () => metadataView(target)),
    get: (key: string) => (Object.hasOwn(target.values, key) ? target.values[key] : undefined),
    current: () => target.values,
    flush: () => target.flush(),
  };
  const view = { ...values };
  // A value under the name of a verb is had by get(key).
  for (const name of Object.keys(verbs)) Object.defineProperty(view, name, { value: verbs[name], enumerable: false });
  for (const which of ['parent', 'root'] as const)
    Object.defineProperty(view, which, { get: () => relativeUpdates(target, which), enumerable: false });
  return Object.freeze(view) as unknown as ContextMetadata;
}

function metadataUpdates<Self>(target: MetadataTarget, self: () => Self): MetadataUpdates<Self> {
  const make = (verb: MetadataVerb) => (...args: unknown[]) => {
    target.update(verb, args);
    return self();
  };
  return Object.fromEntries(metadataVerbs.map((verb) => [verb, make(verb)])) as unknown as MetadataUpdates<Self>;
}

function relativeUpdates(target: MetadataTarget, which: 'parent' | 'root'): MetadataUpdates<any> {
  const relative = target.relative(which);
  if (relative) {
    const updates: MetadataUpdates<any> = metadataUpdates(relative, () => updates);
    return updates;
  }
  throw new ConfigurationError(`ctx.metadata.${which}: this run has no ${which === 'parent' ? 'parent' : 'run above it'} in this page.`);
}
