/**
 * Options of a process: of the tree of runs below one that nobody's code started. They are given with
 * that run, stored with each run of the tree, and stand in `ctx.options` of all of them.
 *
 * Invariant: what is stored was checked and taken by value; a child has its parent's, but for what its
 * own call changes; what is read back is believed no more than the rest of a journal.
 */
import { checkCacheMode } from '../cache/checks.ts';
import { checkBoolean, checkNames, checkRecord, describe, wholeNumber } from '../intake/checks.ts';
import { clone } from '../codec/codec.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { ConfigurationError } from '../errors.ts';
import { canonicalRetry, resolvePolicy } from '../intake/options.ts';
import * as P from '../protocol.ts';
import type { Pump } from '../pump/pump.ts';
import type { Definition } from '../intake/registry.ts';
import type { Run } from '../runs/run.ts';
import type { RunOptions } from '../types.ts';
import type { ProcessOptions } from './process-types.ts';
import { nothingPrepared } from './spec.ts';
import { checkTags } from './tags.ts';
import { type Check, inputRefused, isPromise } from './validation.ts';

export interface Process {
  readonly options: Readonly<ProcessOptions>;
  /** When all of it has to be over. */
  readonly deadlineAtMs?: number;
  /** Where `ctx.random()` begins, of this run of it. */
  readonly seed?: string;
}

const ownNames = [
  'cacheMode', 'retry', 'priority', 'deadline', 'concurrency', 'dryRun', 'seed', 'locale', 'onlyTasks', 'skipTasks', 'tags',
] as const satisfies readonly (keyof ProcessOptions)[];

type Rule = (value: unknown, where: string) => unknown;
const text: Rule = (value, where) => {
  if (typeof value !== 'string' || value === '') throw new ConfigurationError(`${where} must be text, not ${describe(value)}.`);
};
const texts: Rule = (value, where) => {
  if (!Array.isArray(value)) throw new ConfigurationError(`${where} must be a list of task ids, not ${describe(value)}.`);
  for (const item of value) text(item, where);
};
const rules: Record<(typeof ownNames)[number], Rule> = {
  cacheMode: checkCacheMode, locale: text, dryRun: checkBoolean, onlyTasks: texts, skipTasks: texts, tags: checkTags,
  retry: (value) => resolvePolicy(canonicalRetry(value as object)),
  priority: (value, where) => wholeNumber(value, where, -(2 ** 31)),
  concurrency: (value, where) => wholeNumber(value, where, 1),
  seed: (value, where) => wholeNumber(value, where, -(2 ** 53), 2 ** 53),
  deadline: (value, where) => toMilliseconds(value as number, where),
};

/** The tree's options as they stand for a run that comes in. @throws ConfigurationError SerializationError */
export function beginProcess(given: ProcessOptions, parent: Process | undefined, nowMs: number, custom: Check | undefined): Process {
  checkRecord(given, 'process');
  const own: Record<string, unknown> = {};
  const theirs: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const rule = Object.hasOwn(rules, name) ? rules[name as keyof typeof rules] : undefined;
    rule?.(value, `process.${name}`);
    (rule ? own : theirs)[name] = value;
  }
  const parsed = checkCustom(theirs, custom);
  const options = Object.freeze(clone({ ...parent?.options, ...own, ...parsed }, 'process')) as ProcessOptions;
  const deadlineMs = given.deadline === undefined ? 0 : toMilliseconds(given.deadline, 'process.deadline');
  const deadlines = [parent?.deadlineAtMs, deadlineMs > 0 ? nowMs + deadlineMs : undefined];
  const deadlineAtMs = Math.min(...deadlines.map((atMs) => atMs ?? Number.POSITIVE_INFINITY));
  return {
    options,
    ...(deadlineAtMs !== Number.POSITIVE_INFINITY && { deadlineAtMs }),
    ...(options.seed !== undefined && { seed: String(options.seed) }),
  };
}

function checkCustom(theirs: Record<string, unknown>, custom: Check | undefined): object {
  if (!custom) {
    checkNames(theirs, ownNames, 'process');
    return {};
  }
  const checked = custom(theirs);
  if (isPromise(checked)) throw new ConfigurationError('processSchema must be synchronous: a run is triggered at once.');
  if (checked.issues) throw inputRefused('process', checked);
  if (typeof checked.value !== 'object' || checked.value === null)
    throw new ConfigurationError(`processSchema must give an object of options, not ${describe(checked.value)}.`);
  return checked.value;
}

/** A child's: its own chance begins at its own place of the tree. */
export function inheritProcess(parent: Process, childKey: string): Process {
  return parent.seed === undefined ? parent : { ...parent, seed: `${parent.seed}/${childKey}` };
}

/** Believes nothing. */
export function readProcess(stored: unknown): Process | undefined {
  if (typeof stored !== 'object' || stored === null) return undefined;
  const { options, deadlineAtMs, seed } = stored as Partial<Process>;
  return {
    options: Object.freeze(typeof options === 'object' && options !== null ? { ...options } : {}),
    ...(typeof deadlineAtMs === 'number' && { deadlineAtMs }),
    ...(typeof seed === 'string' && { seed }),
  };
}

/** What it says about each of its runs, where neither call nor definition does. */
export function layerOf({ options: { retry, priority } }: Process): RunOptions {
  return { ...(retry && { retry }), ...(priority !== undefined && { priority }) };
}

/** The task is left out of this process: its runs end at once, with `undefined`. */
export function isSkipped({ options: { onlyTasks, skipTasks } }: Process, task: string): boolean {
  return skipTasks?.includes(task) === true || onlyTasks?.includes(task) === false;
}

/** In place of the code of a task that is left out. */
export function skipped({ id, spec }: Definition): Definition {
  return { id, spec, handler: () => undefined, prepared: nothingPrepared };
}

/** The run at the top of the tree that this one stands in: itself, where it has no parent. */
export function rootOf(pump: Pump, run: Run): Run {
  let top = run;
  while (pump.open && top.task !== 0) {
    const parent = pump.run(pump.engine.value(top.task, P.FieldParent));
    if (!parent) break;
    top = parent;
  }
  return top;
}
