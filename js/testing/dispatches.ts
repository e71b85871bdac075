/**
 * What was dispatched: every run that was made, by whoever made it, in order; and what a test claims of that.
 * Invariant: inputs are copies, taken when the run was made; of a signature when it began, with its message, and its kwargs before.
 */
import { clone } from '../codec/codec.ts';
import { describe } from '../intake/checks.ts';
import type { Definition } from '../intake/registry.ts';
import { matches } from '../waiting/match.ts';
import { isBuiltIn } from '../definition/built-in.ts';
import type { TriggerOptions } from '../types.ts';

export interface Dispatch {
  /** Id of the task. */
  readonly task: string;
  readonly input: unknown;
  readonly options: TriggerOptions;
  readonly runId: string;
  /** Of a child. */
  readonly parentId?: string;
}

export interface DispatchedOptions {
  /** true: the whole input must be equal. Default: what is named of it. */
  exact?: boolean;
}

/** How a claim about dispatches came out. */
export interface Verdict {
  readonly pass: boolean;
  /** What there was instead, or, where it is so, that it is. */
  readonly words: string;
}

export class Dispatches {
  #all: Dispatch[] = [];
  /** Signatures: what they are called with is known when they begin. */
  readonly #described = new Set<string>();
  readonly #given = new Map<string, unknown>();
  readonly #isCalled: (dispatch: Dispatch, isSignature: boolean) => boolean;

  /** @param isCalled false: a signature that is only described, or goes without having begun */
  constructor(isCalled: (dispatch: Dispatch, isSignature: boolean) => boolean) {
    this.#isCalled = isCalled;
  }

  add({ id, hidden }: Definition, input: unknown, options: TriggerOptions | undefined, run: { id: string; parentId: string | undefined; isDescribed: boolean }): void {
    if (hidden) return;
    const { id: runId, parentId, isDescribed } = run;
    if (isDescribed) this.#described.add(runId);
    this.#all.push(Object.freeze({ task: id, input: copyOf(input), options: options ?? {}, runId, ...(parentId !== undefined && { parentId }) }));
  }

  /** All but holdfast's own, and signatures that nobody has called. */
  get all(): readonly Dispatch[] {
    const called = this.#all.filter((dispatch) => !isBuiltIn(dispatch.task) && (this.#given.has(dispatch.runId) || this.#isCalled(dispatch, this.#described.has(dispatch.runId))));
    return called.map((dispatch) => (this.#given.has(dispatch.runId) ? Object.freeze({ ...dispatch, input: this.#given.get(dispatch.runId) }) : dispatch));
  }

  begun(runId: string, input: unknown): void {
    if (this.#described.has(runId) && !this.#given.has(runId)) this.#given.set(runId, copyOf(input));
  }

  /** Chains or swarms, whether they were called or not, with their names as people gave them. */
  containers(task: string): (Dispatch & { name: string })[] {
    const ofIt = this.#all.filter((dispatch) => dispatch.task === task);
    return ofIt.map((dispatch) => ({ ...dispatch, name: (dispatch.options.name ?? task).replace(/^(?:chain|swarm)-task:/, '') }));
  }

  /** Was one of that name made, with these tasks for members, in this order? */
  findContainer(task: string, name: string, expected: readonly string[], membersOf: (runId: string) => string[]): Verdict {
    const kind = task.replace('holdfast/', '');
    const all = this.containers(task).map((container) => ({ ...container, members: membersOf(container.runId) }));
    const pass = all.some((container) => container.name === name && isEqual(container.members, [...expected]));
    const wanted = `${kind} "${name}" of [${expected.join(', ')}]`;
    if (pass) return { pass, words: `${wanted} was dispatched` };
    const others = all.map((container) => `"${container.name}" of [${container.members.join(', ')}]`);
    return { pass, words: `${wanted} was not dispatched. ${others.length === 0 ? `No ${kind} was.` : `There were: ${others.join('; ')}.`}` };
  }

  clear(): void {
    this.#all = [];
  }

  /** Was there one of this task, with such an input? */
  find(task: string, input: unknown, isGiven: boolean, { exact = false }: DispatchedOptions): Verdict {
    const ofTask = this.all.filter((dispatch) => dispatch.task === task);
    const fits = ({ input: given }: Dispatch) => !isGiven || (exact ? isEqual(input, given) : isEqual(input, given) || matchesInput(input, given));
    const pass = ofTask.some(fits);
    const wanted = `"${task}"${isGiven ? ` with ${exact ? 'exactly ' : ''}${describe(input)}` : ''}`;
    if (pass) return { pass, words: `${wanted} was dispatched` };
    if (ofTask.length > 0) return { pass, words: `${wanted} was not dispatched. Its inputs were: ${ofTask.map((dispatch) => describe(dispatch.input)).join('; ')}` };
    return { pass, words: `${wanted} was not dispatched. ${this.#others}` };
  }

  get #others(): string {
    const names = [...new Set(this.all.map(({ task }) => `"${task}"`))];
    return names.length === 0 ? 'Nothing was.' : `There were: ${names.join(', ')}.`;
  }

  nothing(): Verdict {
    const { all } = this;
    const words = all.map(({ task, input }) => `"${task}" with ${describe(input)}`).join('; ');
    return { pass: all.length === 0, words: all.length === 0 ? 'nothing was dispatched' : `${all.length} were dispatched: ${words}` };
  }
}

/** What can't be copied was refused, or is the mock's to look at. */
function copyOf(input: unknown): unknown {
  try {
    return clone(input, 'input');
  } catch {
    return input;
  }
}

function matchesInput(part: unknown, whole: unknown): boolean {
  return typeof part === 'object' && part !== null ? matches(part, whole) : Object.is(part, whole);
}

/** By value, at any depth. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Date) return a.getTime() === (b as Date).getTime();
  if (a instanceof Map || a instanceof Set) return isEqual([...a], [...(b as Map<unknown, unknown>)]);
  if (ArrayBuffer.isView(a) || a instanceof ArrayBuffer) return isEqual(Array.from(bytesOf(a)), Array.from(bytesOf(b as ArrayBuffer)));
  if (a instanceof Blob) return a.size === (b as Blob).size && a.type === (b as Blob).type;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isEqual((a as any)[key], (b as any)[key]));
}

function bytesOf(value: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : new Uint8Array(value);
}
