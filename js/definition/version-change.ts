/**
 * What a task says about runs that code of another version began. What is done then is in
 * former-code.ts, which is loaded by those who say something.
 */
import { checkFunction, checkRecord, oneOf } from '../intake/checks.ts';
import { ConfigurationError } from '../errors.ts';
import type { NamedSpec } from './spec.ts';

/** A look at what is thrown asks nothing of it: it may be anybody's. */
const notes = new WeakMap<object, () => void>();

/** To be thrown through an attempt: the run begins anew, and `note` says for which version. */
export function beginAnew(note: () => void): Error {
  const thrown = new Error("The run begins anew: its task's code is of another version.");
  notes.set(thrown, note);
  return thrown;
}

/** undefined: it is thrown for another reason. */
export function beginsAnew(thrown: unknown): (() => void) | undefined {
  return notes.get(thrown as object);
}

/** @throws ConfigurationError */
export function checkVersionChange({ onVersionChange, formerVersions }: NamedSpec, where: string): void {
  if (onVersionChange !== undefined) oneOf(onVersionChange, ['replay', 'restart', 'fail', 'finish-old'], `${where} onVersionChange`);
  if (formerVersions !== undefined) checkRecord(formerVersions, `${where} formerVersions`);
  for (const [version, load] of Object.entries(formerVersions ?? {})) checkFunction(load, `${where} formerVersions[${version}]`);
  if ((onVersionChange === 'finish-old') !== (formerVersions !== undefined))
    throw new ConfigurationError(`${where} needs onVersionChange: 'finish-old' and formerVersions together: { 1: () => import('./first.js') } says where the code of version 1 is.`);
}
