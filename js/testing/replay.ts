/**
 * Replays: today's code goes over what runs have recorded elsewhere, and where it goes another way is told. For CI, against
 * histories of production.
 *
 * Each run has a house of its own, in memory and on a standing clock, in which its last attempt begins once more with all that
 * is recorded of it and of its children. What is recorded answers; what is not ends the replay.
 *
 * Invariant: no step is computed, no run is made, no hook is called, nothing is written but in that house, which is gone
 * with the verdict.
 */
import type { RunContext } from '../context/context.ts';
import { isBuiltIn } from '../definition/built-in.ts';
import { codeFor } from '../definition/former-code.ts';
import type { Prepared } from '../definition/spec.ts';
import type { TaskHandler } from '../definition/types.ts';
import { beginsAnew } from '../definition/version-change.ts';
import { ContinueAsNew } from '../context/again.ts';
import { ConfigurationError, DriftError, PayloadLostError } from '../errors.ts';
import { logOf, readExport, type ReadExport, type ReadRun, streamOf } from '../exchange/import.ts';
import { isContainer } from '../groups/kinds.ts';
import { checkNames, checkNumber, describe, refuse } from '../intake/checks.ts';
import { type Definition, isTask } from '../intake/registry.ts';
import { nameOf } from '../journal/history.ts';
import { Orchestrator } from '../orchestrator.ts';
import { toError } from '../runs/serialize-error.ts';
import { hasEnded } from '../runs/status.ts';
import { memory } from '../storage/memory.ts';
import { TestClock } from '../time/clock.ts';
import type { Task } from '../types.ts';
import { AssertionError } from './kit.ts';
import { outsideError, withoutOutside } from './outside.ts';
import { beforeItsEnd, blobsOf, familyOf, latestAtMs, type Recorded, recordedOf } from './recorded.ts';
import { Life, World } from './world.ts';

export interface ReplayOptions {
  /** Ids of the runs that are replayed. Default: every run of a task that was given. */
  runs?: readonly string[];
  /** Real time for which code may do things of its own between two verbs, in milliseconds. Default 1000. */
  patienceMs?: number;
}

export interface ReplayDrift {
  /** What the run recorded next: the name of a step, a task, an event. */
  readonly expected: string;
  /** What today's code did instead: the name that it asked for, or how it ended. */
  readonly actual: string;
  /** How many records fitted before. */
  readonly after: number;
}

export interface ReplayedRun {
  readonly id: string;
  readonly task: string;
  /** As it was exported. */
  readonly status: string;
  /**
   * `same`: the code goes the way that is recorded, to its end or to where the record ends. `drift`: it goes another one.
   * `unknown`: it could not be told; `reason` says why.
   */
  readonly verdict: 'same' | 'drift' | 'unknown';
  /** Records that the code was given. */
  readonly given: number;
  readonly drift?: ReplayDrift;
  readonly reason?: string;
}

export interface ReplayReport {
  readonly runs: readonly ReplayedRun[];
  /** None drifted, and at least one was replayed to a verdict. */
  readonly ok: boolean;
  /** For people: a line for each run that drifted or could not be told. */
  readonly words: string;
}

const never = new Promise<never>(() => {});
const turnMs = 4;

type Verdict = Pick<ReplayedRun, 'verdict' | 'drift' | 'reason'>;

/** What one run's code does, seen from outside of it. */
class Watch {
  given = 0;
  verdict: Verdict | undefined;
  began = false;
  /** How many records had been given when their order was given up. */
  #lostAt: number | undefined;
  readonly #recorded: Recorded;

  constructor(recorded: Recorded) {
    this.#recorded = recorded;
  }

  say(verdict: Verdict): void {
    this.verdict ??= verdict;
  }

  drift(expected: string, actual: string): void {
    this.say({ verdict: 'drift', drift: { expected, actual, after: this.#lostAt ?? this.given } });
  }

  /** Its code does not go on by itself. */
  orderLost(): void {
    this.#lostAt ??= this.given;
  }

  /** Its code asks for what is not recorded. */
  beyond(name: string, unasked: { expected: string } | undefined): void {
    if (unasked) this.drift(unasked.expected, name);
    else if (this.#recorded.end === 'returned') this.drift('the end of its code', name);
    else this.say({ verdict: 'same' });
  }

  returned(unasked: { expected: string; actual: string | undefined } | undefined): void {
    if (unasked) this.drift(unasked.expected, unasked.actual ?? 'the end of its code');
    else this.say({ verdict: 'same' });
  }

  threw(error: Error, unasked: { expected: string } | undefined): void {
    const words = `${error.name}: ${error.message}`;
    if (beginsAnew(error)) return this.say({ verdict: 'same', reason: 'it begins anew, as onVersionChange says' });
    if (error instanceof PayloadLostError) return this.say({ verdict: 'unknown', reason: `${words} Export with { blobs: true }.` });
    const { expected, actual } = (error instanceof DriftError ? error.data : {}) as { expected?: string; actual?: string };
    if (expected !== undefined) return this.drift(expected, actual ?? words);
    const did = error instanceof ContinueAsNew ? 'ctx.continueAsNew' : words;
    if (unasked) this.drift(unasked.expected, did);
    else if (this.#recorded.end === 'returned') this.drift('the end of its code', did);
    else this.say({ verdict: 'same' });
  }
}

/** The code of the run, watched; it hears nothing any more once it has ended. */
function watched(house: Orchestrator, definition: Definition, watch: Watch): Definition {
  const { spec, prepared } = definition;
  const follow = async (context: RunContext, returned: unknown): Promise<never> => {
    const { replay } = context.durableWork;
    try {
      await returned;
      await replay.finish();
      watch.returned(replay.unasked());
    } catch (thrown) {
      watch.threw(toError(thrown), replay.unasked());
    }
    return never;
  };
  const begin = (code: TaskHandler, input: unknown, context: RunContext): Promise<never> => {
    watch.began = true;
    watchVerbs(context, watch);
    let returned: unknown;
    try {
      returned = code(input as never, context as never);
    } catch (thrown) {
      returned = Promise.reject(thrown);
    }
    return follow(context, returned);
  };
  const handler = (input: unknown, given: unknown): Promise<never> => {
    const context = given as RunContext;
    if (!prepared?.versioned) return begin(definition.handler, input, context);
    const former = codeFor(house.services, context.owner, spec).then((code) => begin(code ?? definition.handler, input, context));
    return former.catch((thrown) => follow(context, Promise.reject(thrown)));
  };
  return { ...definition, handler: handler as TaskHandler, spec: withoutCache(spec), prepared: prepared && quiet(prepared) };
}

function withoutCache(spec: Definition['spec']): Definition['spec'] {
  const { cache: _, intent: __, ...rest } = spec;
  return rest as Definition['spec'];
}

/** What is around the code and a part of it stays: middleware, services, what `init` gives. Nobody is told of anything. */
function quiet(prepared: Prepared): Prepared {
  const { middleware, init } = prepared.hooks ?? {};
  return { ...prepared, hooks: { ...(middleware && { middleware }), ...(init && { init }) }, cached: false, versioned: false, inWorker: false, identity: undefined };
}

/** Its verbs answer from what is recorded, or end the replay. */
function watchVerbs(context: RunContext, watch: Watch): void {
  const durable = context.durableWork;
  const ask = durable.ask.bind(durable);
  durable.ask = (key) =>
    ask(key).then((entry) => {
      if (!entry) return watch.beyond(nameOf(key), durable.replay.unasked()), never;
      watch.given++;
      return entry;
    });
  // Of a step that keeps nothing nobody knows what it gave.
  durable.inside = (name) => {
    watch.say({ verdict: 'unknown', reason: `${outsideError(`step "${name}"`).message.split(',')[0]}, and what its step "${name}" gave is not recorded (durability: 'none')` });
    return never as never;
  };
}

async function replayRun(run: ReadRun, read: ReadExport, tasks: readonly Task[], atMs: number, patienceMs: number): Promise<ReplayedRun> {
  const recorded = recordedOf(run);
  const about = { id: run.id, task: run.task, status: run.status };
  if (!recorded) return { ...about, verdict: 'unknown', given: 0, reason: 'no attempt of it had begun' };
  const watch = new Watch(recorded);
  const life = new Life();
  const world = new World(new TestClock(atMs), memory());
  const house = new Orchestrator({ ...world.optionsOf(life), seed: 1, tasks: [...tasks] });
  try {
    layOver(house, run.task, watch);
    await house.ready;
    await takeIn(house, run, read);
    await untilTold(house, run.id, watch, patienceMs);
  } finally {
    life.end();
    house.definitions.stopWatching();
  }
  return { ...about, given: watch.given, ...watch.verdict! };
}

/** Nobody's code runs but that of the task, watched. */
function layOver(house: Orchestrator, task: string, watch: Watch): void {
  const { definitions, services } = house;
  const get = definitions.get.bind(definitions);
  const laid = new Map<Definition, Definition>();
  definitions.get = (id) => {
    const definition = get(id);
    if (!definition || isBuiltIn(id) || isContainer(id) || definition.hidden) return definition;
    const known = laid.get(definition);
    if (known) return known;
    const made = id === task ? watched(house, definition, watch) : { ...definition, prepared: undefined, handler: () => never };
    laid.set(definition, made);
    return made;
  };
  const matches = services.matches.bind(services);
  services.matches = (child, definition, input) => {
    const fits = matches(child, definition, input);
    if (!fits) watch.drift(`${child.taskIdentifier} with the input of ${child.id}`, `${definition.id} with another input`);
    return fits;
  };
}

async function takeIn(house: Orchestrator, run: ReadRun, read: ReadExport): Promise<void> {
  const family = familyOf(run, read).map((one) => (one === run ? beforeItsEnd(one) : one));
  const references = blobsOf(family, read);
  await house.blobs.store(references);
  try {
    await house.opening.takeIn(() => logOf(family).log, true);
  } finally {
    house.blobs.release(references);
  }
  const own = house.localRun(run.id)!;
  // A store may be anybody's.
  own.ownExtra.cacheOption = undefined;
  await house.resumeTask(run.id);
}

/** Gives the code time of its own, and the order of the records up when it does not go on by that. */
async function untilTold(house: Orchestrator, id: string, watch: Watch, patienceMs: number): Promise<void> {
  const { clock } = house as unknown as { clock: TestClock };
  for (let round = 0; round < 3; round++) {
    let seen = -1;
    for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += turnMs) {
      await clock.settle();
      if (watch.verdict) return;
      const stuck = whyNot(house, id, watch);
      if (stuck) return watch.say(stuck);
      if (watch.given !== seen) [seen, waitedMs] = [watch.given, 0];
      await new Promise<void>((resolve) => setTimeout(resolve, turnMs));
    }
    watch.orderLost();
    await clock.advance(1000);
  }
  watch.say({ verdict: 'unknown', reason: 'its code waits for something that is no verb of ctx' });
}

/** Its code was never called. */
function whyNot(house: Orchestrator, id: string, watch: Watch): Verdict | undefined {
  if (watch.began) return undefined;
  const { status, reason, error, phase } = house.getTaskState(id)!;
  if (reason === 'schema-mismatch') return { verdict: 'drift', drift: { expected: 'an input that fits', actual: 'a schema that its input does not fit', after: 0 } };
  if (reason === 'missing-payload') return { verdict: 'unknown', reason: 'a file of its input is not in the export: export with { blobs: true }' };
  if (hasEnded(status) || phase === 'retrying') return { verdict: 'unknown', reason: `its code was never called: ${error?.message ?? phase}` };
  return undefined;
}

/** Why no code of ours can go over it, where none can. */
function refusal(definition: Definition | undefined): string | undefined {
  if (!definition) return 'its task is not among those that were given';
  if (definition.prepared?.inWorker) return 'its code runs in a worker; give the task with that code as its run';
  if (definition.spec.batchEvents) return 'its code is called for many runs at once';
  return undefined;
}

/** @throws ConfigurationError */
function checkCall(tasks: readonly Task[], options: ReplayOptions): void {
  if (!Array.isArray(tasks) || tasks.length === 0) refuse('replay tasks', 'a list of tasks made by defineTask', tasks);
  for (const task of tasks) if (!isTask(task)) refuse('replay tasks', 'tasks made by defineTask', task);
  checkNames(options, ['runs', 'patienceMs'], 'replay');
  const { runs, patienceMs } = options;
  if (runs !== undefined && !(Array.isArray(runs) && runs.every((id) => typeof id === 'string'))) refuse('replay runs', 'a list of ids', runs);
  if (patienceMs !== undefined) checkNumber(patienceMs, 'replay patienceMs', 0);
}

/** @throws ConfigurationError for a history that has no values */
function sourceOf(history: unknown): ReadableStream<Uint8Array | string> {
  if (typeof history === 'string') return new Blob([history]).stream();
  if (typeof history === 'object' && history !== null && 'entries' in history && 'taskIdentifier' in history)
    throw new ConfigurationError('replay: what runs.history gives has names and no values, so nothing could answer. Give an export: await orchestrator.exportState({ runs: [id] }).');
  return streamOf(history, 'replay');
}

function reportOf(runs: readonly ReplayedRun[]): ReplayReport {
  const told = runs.filter(({ verdict }) => verdict !== 'unknown');
  const line = ({ id, task, verdict, drift, reason }: ReplayedRun) =>
    verdict === 'drift'
      ? `${task} ${id}: after ${drift!.after} records it had recorded "${drift!.expected}", and the code now comes to "${drift!.actual}".`
      : `${task} ${id}: could not be told, ${reason}.`;
  const words = runs.filter(({ verdict }) => verdict !== 'same').map(line);
  const count = `${told.filter(({ verdict }) => verdict === 'same').length} of ${runs.length} runs go the way that they went.`;
  return Object.freeze({ runs: Object.freeze(runs), ok: told.length > 0 && told.every(({ verdict }) => verdict === 'same'), words: [count, ...words].join('\n') });
}

/**
 * Lets today's code go over an export (`exportState`; text, a Blob or its stream) and tells where it goes another way. Nothing
 * outside is done: steps are not computed, children not started, `fetch` and its kin refuse meanwhile.
 *
 * @throws ImportError for what is no export, ConfigurationError for ids that are not in it
 */
export async function replay(history: unknown, tasks: readonly Task[], options: ReplayOptions = {}): Promise<ReplayReport> {
  checkCall(tasks, options);
  const read = await readExport(sourceOf(history));
  const { runs: ids, patienceMs = 1000 } = options;
  const unknown = ids?.find((id) => !read.runs.some((run) => run.id === id));
  if (unknown !== undefined) throw new ConfigurationError(`replay runs: there is no run ${describe(unknown)} in this export.`);
  const given = new Set(tasks.map(({ id }) => id));
  const wanted = read.runs.filter(({ id, task }) => (ids ? ids.includes(id) : given.has(task)) && !isContainer(task));
  const { defineSpec } = await import('../definition/spec.ts');
  const definitions = new Map(tasks.map((task) => [task.id as string, defineSpec(task.spec as never)]));
  const atMs = latestAtMs(read);
  return withoutOutside(async () => {
    const replayed: ReplayedRun[] = [];
    for (const run of wanted) {
      const reason = refusal(definitions.get(run.task));
      if (reason) replayed.push({ id: run.id, task: run.task, status: run.status, verdict: 'unknown', given: 0, reason });
      else replayed.push(await replayRun(run, read, tasks, atMs, patienceMs));
    }
    return reportOf(replayed);
  });
}

/** @throws AssertionError naming each run that drifted, and where; also when there was none to replay */
export async function assertReplays(history: unknown, tasks: readonly Task[], options?: ReplayOptions): Promise<ReplayReport> {
  const report = await replay(history, tasks, options);
  if (!report.ok) throw new AssertionError(`Today's code does not replay what was recorded. ${report.words}`);
  return report;
}
