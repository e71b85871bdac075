/**
 * An orchestrator for tests of applications: on a clock that only the test moves, in a storage that outlives it, with
 * what goes wrong in browsers at hand.
 *
 * Invariant: everything that time decides (retries, delays, schedules, timeouts, rates, simulated progress) is decided
 * by the virtual clock, in order; two tests with the same seed and steps see the same.
 */
import './graph-rooms.ts';
import './rooms.ts';
import { ConfigurationError } from '../errors.ts';
import { checkBoolean, checkEach, checkNames, checkNumber, checkRecord, refuse } from '../intake/checks.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { checkOrchestratorOptions, orchestratorOptionNames } from '../intake/orchestrator-options.ts';
import { nameOf } from '../journal/history.ts';
import { Orchestrator } from '../orchestrator.ts';
import { hasEnded } from '../runs/status.ts';
import { chainTask, swarmTask } from '../signatures/names.ts';
import { memory } from '../storage/memory.ts';
import { TestClock } from '../time/clock.ts';
import type { Duration, OrchestratorOptions, TaskState } from '../types.ts';
import { isBuiltIn } from '../definition/built-in.ts';
import { type Dispatch, type DispatchedOptions, Dispatches, type Verdict } from './dispatches.ts';
import { Faults } from './faults.ts';
import { Life, type VirtualClock, World } from './world.ts';

export interface TestOptions extends Omit<OrchestratorOptions, 'clock' | 'tabs'> {
  /** `virtual` (default): a TestClock of its own, from 2026-01-01T00:00:00Z on. */
  clock?: 'virtual' | TestClock;
  /** false: without other tabs. Default true: those that `newTab()` opens, and no others. */
  tabs?: boolean;
  /** Of everything that is left to chance, ids of runs among it. Default: another for each orchestrator of a test file. */
  seed?: number;
  /** false: no task's own code is run, each run completes with undefined, or what its mock gives. Default true. */
  localExecution?: boolean;
}

export interface RunUntilOptions {
  /** Virtual time after which it is an error that it is not so. Default 30 days. */
  within?: Duration;
}

const ownNames = [...orchestratorOptionNames, 'localExecution'];
/** Where time alone brings a run no further. */
const stuckPhases: readonly TaskState['phase'][] = ['suspended', 'interrupted'];
const stuckReasons: readonly (string | undefined)[] = ['missing-definition', 'schema-mismatch', 'missing-payload', 'locked', 'offline', 'not-called'];
/** Code that does real work (an import, a file) gets so many turns before time is moved for it. */
const realTurns = 10;

interface Surroundings {
  readonly world: World;
  readonly faults: Faults;
  readonly dispatches: Dispatches;
  readonly options: TestOptions;
  readonly seed: number;
  /** Tabs so far. */
  tabs: number;
  /** The youngest. */
  tab: TestOrchestrator | undefined;
}

export class TestOrchestrator extends Orchestrator {
  declare readonly clock: VirtualClock;
  readonly #life: Life;
  readonly #surroundings: Surroundings;
  readonly #warnings: string[] = [];

  /** @internal Use `createTestOrchestrator`. */
  constructor(surroundings: Surroundings, options: TestOptions) {
    const life = new Life();
    const { localExecution: _, clock: __, storage: ___, tabs, ...given } = options;
    super({ ...surroundings.world.optionsOf(life), ...given, seed: surroundings.seed + surroundings.tabs++, ...(tabs === false && { tabs }) } as OrchestratorOptions);
    this.#life = life;
    this.#surroundings = surroundings;
    surroundings.tab = this;
    this.on('warning', (message) => this.#warnings.push(message));
    this.#layOver();
  }

  #layOver(): void {
    const { faults, dispatches } = this.#surroundings;
    const { definitions, intake, services } = this;
    const get = definitions.get.bind(definitions);
    definitions.get = (id) => faults.over(id, get(id));
    faults.begun = (runId, input) => dispatches.begun(runId, input);
    const trigger = intake.trigger.bind(intake);
    intake.trigger = (...given) => {
      const run = trigger(...given);
      dispatches.add(given[0], given[1], given[2], { id: run.id, parentId: run.extra.parentId, isDescribed: given[7] !== undefined });
      return run;
    };
    const commit = services.commit.bind(services);
    services.commit = (run, prepared) => faults.record(nameOf(prepared.entry.key), () => commit(run, prepared));
  }

  /** What it has warned of so far. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  // Time

  /**
   * Moves time until no run of this tab goes on by itself: each has ended, is paused, or waits for something that time does not
   * bring. Schedules do not count: they always go on. @throws Error naming what still goes on after `within`
   */
  async runUntilIdle(options: RunUntilOptions = {}): Promise<void> {
    await this.#until('runUntilIdle', () => this.#going().length === 0, options, true);
  }

  /** Moves time until it is so; asked after everything that happens. @throws Error when it is not within `within`, or nothing is due any more */
  async runUntil(isSo: () => boolean | Promise<boolean>, options: RunUntilOptions = {}): Promise<void> {
    if (typeof isSo !== 'function') refuse('runUntil', 'given a function', isSo);
    await this.#until('runUntil', isSo, options, false);
  }

  async #until(verb: string, isSo: () => boolean | Promise<boolean>, options: RunUntilOptions, maySleep: boolean): Promise<void> {
    checkNames(options, ['within'], verb);
    const { clock } = this;
    const untilMs = clock.now() + toMilliseconds(options.within ?? '30d', `${verb} within`);
    await this.ready;
    for (;;) {
      if (await this.#comesTrue(isSo)) return;
      if (maySleep && clock.nextAtMs === Number.POSITIVE_INFINITY) return;
      if (clock.nextAtMs > untilMs) throw this.#notSo(verb, options.within ?? '30d');
      await clock.skip();
    }
  }

  /** Without time passing. */
  async #comesTrue(isSo: () => boolean | Promise<boolean>): Promise<boolean> {
    const { clock } = this;
    for (let turn = 0; turn < realTurns; turn++) {
      await clock.settle();
      if (await isSo()) return true;
      if (!this.#going().some(({ phase }) => phase === 'running')) return false;
    }
    return false;
  }

  #going(): TaskState[] {
    const isGoing = ({ local, status, phase, reason, taskIdentifier }: TaskState) =>
      local && !hasEnded(status) && !stuckPhases.includes(phase) && !stuckReasons.includes(reason) && !(reason === 'storage-full' && phase === 'blocked') && !isBuiltIn(taskIdentifier);
    return this.getAllTasks().filter(isGoing);
  }

  #notSo(verb: string, within: Duration): Error {
    const going = this.#going().slice(0, 5).map(({ id, name }) => `\n  ${name} (${id}): ${this.why(id)}`);
    const due = this.clock.nextAtMs === Number.POSITIVE_INFINITY ? 'nothing is due any more' : `${JSON.stringify(within)} of virtual time are over`;
    return new Error(`${verb}: ${due}, and it is not so. ${going.length === 0 ? 'No run goes on.' : `What goes on:${going.join('')}`}`);
  }

  // Pages

  /** Closes the page in order and opens it again on what is stored. What is said of options counts from then on. */
  async reload(options: TestOptions = {}): Promise<TestOrchestrator> {
    if (!this.#life.isDead) await this.dispose();
    this.#life.end();
    return this.#next(options);
  }

  /** The page dies: what was not acknowledged is lost. Another one opens. */
  async crash(options: TestOptions = {}): Promise<TestOrchestrator> {
    this.#die();
    return this.#next(options);
  }

  /** Another tab, beside this one. Its clock and its faults are the same. */
  newTab(options: TestOptions = {}): Promise<TestOrchestrator> {
    if (this.#surroundings.options.tabs === false) throw new ConfigurationError('newTab: this orchestrator was made with tabs: false. Leave that out.');
    return this.#next(options);
  }

  /** It does nothing any more; its runs go to another tab, or to the page that `reload()` opens. */
  kill(): void {
    this.#die();
  }

  /**
   * The page dies at a step of whatever run: `before-step:name` before it is recorded, `after-step:name` when it is. Resolves then;
   * `reload()` opens the next one. @throws ConfigurationError
   */
  crashAt(moment: `${'before' | 'after'}-step:${string}`): Promise<void> {
    return new Promise((resolve) =>
      this.#surroundings.faults.crashAt(moment, () => {
        this.#die();
        resolve();
      }),
    );
  }

  #die(): void {
    this.#life.end();
    this.definitions.stopWatching();
  }

  async #next(options: TestOptions): Promise<TestOrchestrator> {
    checkTestOptions(options);
    if (options.clock !== undefined || options.storage !== undefined || options.localExecution !== undefined)
      throw new ConfigurationError('A page of a test that goes on keeps its clock, its storage and localExecution; give them to createTestOrchestrator.');
    const surroundings: Surroundings = this.#surroundings;
    const next = new TestOrchestrator(surroundings, { ...surroundings.options, ...options });
    await next.ready;
    await next.clock.settle();
    return next;
  }

  // What goes wrong

  /** In place of the task's code, in all tabs: a function as its `run`, or what that gives. It need not be defined. */
  mockTask(name: string, mock: unknown): void {
    this.#surroundings.faults.mock(name, mock);
    this.intake.definitionsChanged();
  }
  /** Without a name: all of them. */
  unmockTask(name?: string): void {
    this.#surroundings.faults.unmock(name);
    this.intake.definitionsChanged();
  }

  /** The next so many attempts of the task fail with it, whatever their code is. */
  failNext(name: string, count = 1, error?: unknown): void {
    this.#surroundings.faults.fail(name, count, error);
  }

  goOffline(): void {
    this.#surroundings.world.setOnline(false);
  }
  goOnline(): void {
    this.#surroundings.world.setOnline(true);
  }

  /** So many bytes may lie in the storage, of all tabs together; what is there stays. Infinity: no end. */
  quota(bytes: number): void {
    checkNumber(bytes, 'quota bytes', 0);
    this.#surroundings.world.setQuota(bytes);
  }

  // What was dispatched

  /** Every run that was made since the beginning or `clear()`, in order, children among them; of all tabs. */
  get dispatches(): readonly Dispatch[] {
    return this.#surroundings.dispatches.all;
  }
  /** Signatures of these kinds that were made, called or not; by the names that they were given. */
  get chainDispatches(): readonly (Dispatch & { name: string })[] {
    return this.#surroundings.dispatches.containers(chainTask);
  }
  get swarmDispatches(): readonly (Dispatch & { name: string })[] {
    return this.#surroundings.dispatches.containers(swarmTask);
  }
  /** With the ids of its tasks, in their order. @throws AssertionError saying what there was instead */
  assertChainDispatched(name: string, expected: readonly string[]): void {
    assertSo(this.#surroundings.dispatches.findContainer(chainTask, name, expected, (id) => this.#members(id)));
  }
  assertSwarmDispatched(name: string, expected: readonly string[]): void {
    assertSo(this.#surroundings.dispatches.findContainer(swarmTask, name, expected, (id) => this.#members(id)));
  }
  #members(id: string): string[] {
    const place = (key = '') => Number(key.split(':')[1] ?? 0);
    const members = this.localRuns().filter((run) => run.extra.parentId === id && run.extra.childKey?.startsWith('g'));
    return members.sort((a, b) => place(a.extra.childKey) - place(b.extra.childKey)).map(({ taskIdentifier }) => taskIdentifier);
  }

  /** Those of one task. */
  taskDispatches(name: string): Dispatch[] {
    return this.dispatches.filter(({ task }) => task === name);
  }
  clear(): void {
    this.#surroundings.dispatches.clear();
  }

  /** @throws AssertionError saying what was dispatched instead */
  assertTaskDispatched(name: string, ...[input, options = {}]: [input?: unknown, options?: DispatchedOptions]): void {
    assertSo(this.hasDispatched(name, input, options));
  }
  /** @throws AssertionError naming what was */
  assertNothingDispatched(): void {
    assertSo(this.hasDispatchedNothing());
  }

  /** @internal For matchers. */
  hasDispatched(name: string, input: unknown, options: DispatchedOptions): Verdict {
    checkNames(options, ['exact'], 'assertTaskDispatched');
    return this.#surroundings.dispatches.find(name, input, input !== undefined, options);
  }
  /** @internal */
  hasDispatchedNothing(): Verdict {
    return this.#surroundings.dispatches.nothing();
  }
}

/** As test runners know it. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** A signature is once it was called; one that another calls (a member, a callback) once it has begun. */
function isCalled(tab: TestOrchestrator | undefined, runId: string, isSignature: boolean): boolean {
  if (!isSignature) return true;
  const run = tab?.localRun(runId);
  if (!run) return (tab?.getTaskState(runId)?.reason ?? 'not-called') !== 'not-called';
  const { attempt, reason, status } = run.state;
  return attempt > 0 || (!run.extra.bound && reason !== 'not-called' && status !== 'cancelled');
}

function assertSo({ pass, words }: Verdict): void {
  if (!pass) throw new AssertionError(words);
}

function checkTestOptions(options: TestOptions): void {
  checkRecord(options, 'createTestOrchestrator');
  checkNames(options, ownNames, 'createTestOrchestrator');
  checkEach(options, { localExecution: checkBoolean, tabs: checkBoolean }, 'createTestOrchestrator');
  const { clock, localExecution: _, ...rest } = options;
  checkOrchestratorOptions(rest, 'createTestOrchestrator');
  if (clock !== undefined && clock !== 'virtual' && !(clock instanceof TestClock)) refuse('createTestOrchestrator clock', "'virtual' or a TestClock", clock);
}

let made = 0;

/**
 * An orchestrator of its own (never the page's), on a virtual clock and in a storage that its next pages find again.
 * Everything else can be said as to `createOrchestrator`. @throws ConfigurationError
 */
export function createTestOrchestrator(options: TestOptions = {}): TestOrchestrator {
  checkTestOptions(options);
  const { clock, storage, localExecution = true } = options;
  const world = new World(clock instanceof TestClock ? clock : new TestClock(), storage === undefined || storage === 'memory' ? memory() : storage);
  const surroundings: Surroundings = {
    world, faults: new Faults(!localExecution), options, seed: options.seed ?? ++made * 1000, tabs: 0, tab: undefined,
    dispatches: new Dispatches(({ runId }, isSignature) => isCalled(surroundings.tab, runId, isSignature)),
  };
  return new TestOrchestrator(surroundings, options);
}
