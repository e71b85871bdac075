/**
 * What `defineTask` takes. The type parameters of a spec that is annotated by hand are
 * `TaskSpec<Input, Output, Services>`; `defineTask` infers them all.
 */
import type { CacheMode, CacheOptions, Migrations } from '../cache/types.ts';
import type { BatchEventsOptions } from '../batching/types.ts';
import type { CollapseOptions } from '../collapsing/types.ts';
import type { CircuitOptions } from '../circuits/types.ts';
import type { LimitOptions } from '../limiting/types.ts';
import type { IdentityOptions } from '../identity/types.ts';
import type { DefinedTiming } from '../schedules/types.ts';
import type { CancelOn } from '../waiting/types.ts';
import type { CoreContext, Duration, OrchestratorApi, OrchestratorOptions, OwnQueueOptions, RunOptions } from '../types.ts';
import type { TaskHooks } from './hook-types.ts';
import type { Intent } from './intent.ts';
import type { Given, OutputOptions, Parsed, Validator } from './schema.ts';

/** `dispatch`: when it is triggered · `run`: before each attempt · `both`. */
export type ValidationMoment = 'dispatch' | 'run' | 'both';

/** What `setup` gave, as it stands in `ctx`. `undefined` in an annotation leaves it open. */
export type ServicesIn<Services> = [Services] extends [undefined]
  ? Record<string, any>
  : [Services] extends [object]
    ? Services
    : unknown;

export interface SetupInfo {
  readonly orchestrator: OrchestratorApi;
  readonly options: Readonly<OrchestratorOptions>;
  readonly task: { readonly id: string; readonly version: number | string | undefined };
  /** Of the scope `run` the run, of `process` the one at the top of its tree. */
  readonly run?: { readonly id: string };
}

/** `undefined` in an annotation leaves open what is given. */
export type SetupResult<Services> = [Services] extends [undefined] ? unknown : Services | Promise<Services>;

/**
 * `task`: once for a definition and orchestrator, until the code is replaced or the orchestrator closed ·
 * `run`: for each run, until it ends · `process`: for each tree of runs, until the one at its top ends.
 */
export type SetupScope = 'task' | 'run' | 'process';

export type Setup<Services> =
  | ((info: SetupInfo) => SetupResult<Services>)
  | { scope?: SetupScope; run(info: SetupInfo): SetupResult<Services> };

/** In the way of a `setup` that gives what `ctx` has already. */
export type Unreserved<Services> = unknown extends Services
  ? unknown
  : [Extract<keyof Services, keyof CoreContext>] extends [never]
    ? unknown
    : { setup: `ctx has "${Extract<keyof Services, keyof CoreContext> & string}" already` };

/** What a handler gets beside its input. */
export type TaskContext<Services = unknown> = CoreContext & ServicesIn<Services>;

export type TaskHandler<Input = any, Output = any, Services = unknown> = (
  input: Input,
  ctx: TaskContext<Services>,
) => Output | Promise<Output>;

/** What every spec may say but what its code is. */
export interface SpecBase<
  Input = any,
  Output = any,
  Services = any,
  Id extends string = string,
  In extends Validator | undefined = Validator<any, Input> | undefined,
  Out extends Validator | OutputOptions | undefined = Validator<any, Output> | OutputOptions<Validator<any, Output> | undefined> | undefined,
> extends Omit<RunOptions, 'queue'>, CircuitOptions, CollapseOptions<Given<In, Input>>, IdentityOptions<Given<In, Input>>, LimitOptions, TaskHooks<NoInfer<Parsed<In, Input>>, NoInfer<Parsed<Out, Output>>, NoInfer<Services>> {
  /** At most 128 bytes; found by it after a reload. */
  id?: Id;
  /** By name (`createOrchestrator({ queues })`) or inline; inline without a name it is the task's own, called `task/<id>`. */
  queue?: string | OwnQueueOptions;
  /** Another word for `id`; give one of the two. */
  name?: Id;
  description?: string;
  /** What it is for, which decides what is not said: attempts, queue. See js/definition/intent.ts. */
  intent?: Intent;
  /** Of the code: a whole number from 0 or a text. Kept with each run that it accepts. */
  version?: number | string;
  /**
   * What its input has to be: a Standard Schema (zod, valibot, arktype, …), or a function that gives
   * the parsed value or throws. `run` gets the parsed value.
   */
  input?: In;
  /** Another word for `input`. */
  schema?: In;
  /** When the input is validated. Default `dispatch`. What an earlier page accepted is validated again in any case. */
  validate?: ValidationMoment;
  /**
   * What its result has to be: a schema or function as for `input`, and then the parsed value is the
   * result; or `{ nonEmpty, schema }`. A result that does not fit is a failed attempt, and retried.
   */
  output?: Out;
  /**
   * Gives services, which stand in `ctx` under their names. Runs before the first run that needs them, once
   * for all that begin together. One that fails fails their attempts with SetupError; the next tries again.
   * Jobs that are added to a queue like p-queue's are aborted with the attempt.
   */
  setup?: Setup<Services>;
  /** At the end of the services' scope. Without it their `Symbol.asyncDispose` or `Symbol.dispose` is called. */
  teardown?: (services: NoInfer<Services>) => unknown;
  /** What happens to children whose promise the handler did not await. Default `wait`. */
  unawaited?: 'wait' | 'detach' | 'cancel' | 'error';
  /**
   * When code that runs again goes another way than what is recorded: `fail` (default, DriftError),
   * `restart` from the beginning, `discard-tail` from where it differs, `accept-new`: as the code says.
   */
  onDrift?: 'fail' | 'restart' | 'discard-tail' | 'accept-new';
  /**
   * Of a task whose `run` is a workerHandler: binary values of its input move to the worker, those of its result move
   * back, instead of being copied. Each attempt gets its input from what is stored. A hook that looks at the input
   * after that finds its buffers empty, and so does code in the worker with what it has returned. Default false.
   */
  transfer?: boolean;
  /** Sleeps of its code up to so long keep the slot. Default: that of the orchestrator. */
  shortWait?: Duration;
  /** It runs by itself: a cron pattern, or more about when. In the page's default orchestrator and in each that is given the task. */
  schedule?: string | DefinedTiming;
  /** Events that cancel its runs, wherever they stand. */
  cancelOn?: readonly CancelOn<Parsed<In, Input>>[];
  /**
   * What `handle.update` may ask of its runs, by name, and what its data has to be: a schema or function as for
   * `input`. A name that is not here is refused. Without it: whatever the code waits for.
   */
  updates?: Readonly<Record<string, Validator>>;
  /**
   * From the output of one version to that of the next, by the version they start from. Cached outputs
   * and recorded results of older versions are read through them.
   */
  migrations?: Migrations;
  /**
   * What becomes of a run that code of another version began, which one that has only waited has not (2 and '2.1' are one version): `replay` (default)
   * goes on with it, and drift is found out; `restart` begins anew, once; `fail`: VersionChangedError;
   * `finish-old`: the old code ends it, and `migrations` make today's output of what that returns.
   */
  onVersionChange?: 'replay' | 'restart' | 'fail' | 'finish-old';
  /** Where the code of older versions is: `{ 1: () => import('./first.js') }`, a handler or a module whose default it is. */
  formerVersions?: Readonly<Record<number | string, () => Promise<TaskHandler | { default: TaskHandler }>>>;
}

export interface TaskSpec<
  Input = any,
  Output = any,
  Services = any,
  Id extends string = string,
  In extends Validator | undefined = Validator<any, Input> | undefined,
  Out extends Validator | OutputOptions | undefined = Validator<any, Output> | OutputOptions<Validator<any, Output> | undefined> | undefined,
> extends SpecBase<Input, Output, Services, Id, In, Out> {
  run: TaskHandler<Parsed<In, Input>, Given<Out, Output>, NoInfer<Services>>;
  /** Outputs are kept and given again for the same input. Default: they are not. Behind `run`, TypeScript knows its output. */
  cache?: boolean | CacheMode | CacheOptions<NoInfer<Parsed<In, Input>>, NoInfer<Given<Out, Output>>>;
  batchEvents?: undefined;
  select?: undefined;
  selectVersion?: undefined;
}

/** A task whose code is called once for many runs: with the inputs of all, and it gives their outputs in the same order. */
export interface BatchTaskSpec<
  Input,
  Output,
  Services = any,
  Id extends string = string,
  In extends Validator | undefined = Validator<any, Input> | undefined,
  Out extends Validator | OutputOptions | undefined = Validator<any, Output> | OutputOptions<Validator<any, Output> | undefined> | undefined,
> extends SpecBase<Input, Output, Services, Id, In, Out> {
  batchEvents: BatchEventsOptions<NoInfer<Parsed<In, Input>>>;
  /** `ctx` is that of the first run of the batch: its steps, its signal. What it throws fails all of them. */
  run: TaskHandler<Parsed<In, Input>[], Given<Out, Output>[], NoInfer<Services>>;
  cache?: undefined;
  select?: undefined;
  selectVersion?: undefined;
}

/** A task whose `run` returns more than its output: that is what is cached, and `select` makes the output of it. */
export interface SelectTaskSpec<
  Input,
  Raw,
  Output,
  Services = any,
  Id extends string = string,
  In extends Validator | undefined = Validator<any, Input> | undefined,
  Out extends Validator | OutputOptions | undefined = Validator<any, Output> | OutputOptions<Validator<any, Output> | undefined> | undefined,
> extends SpecBase<Input, Output, Services, Id, In, Out> {
  run: TaskHandler<Parsed<In, Input>, Raw, NoInfer<Services>>;
  /** Called at every reading with a copy of its own: changing it needs no new run. */
  select: (raw: NoInfer<Raw>) => Given<Out, Output> | Promise<Given<Out, Output>>;
  /** Keeps what select made beside what it was made of, until this changes. Default: select is called each time. */
  selectVersion?: number | string;
  cache?: boolean | CacheMode | CacheOptions<NoInfer<Parsed<In, Input>>, NoInfer<Raw>>;
}
