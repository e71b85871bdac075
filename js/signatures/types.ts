/** Signatures, chains and swarms: what people write, and what they get. */
import type { RemoveOptions } from '../runs/removals.ts';
import type { Duration, QueueOptions, RunHandle, Task, TaskState, TriggerOptions } from '../types.ts';

export type ConditionOperator =
  | 'equals' | 'not_equals' | 'greater_than' | 'greater_or_equal' | 'less_than' | 'less_or_equal' | 'contains' | 'starts_with' | 'ends_with'
  | 'is_empty' | 'is_not_empty' | 'is_true' | 'is_false';

/** What `defineCondition` gives. */
export interface NamedCondition {
  readonly condition: string;
}
/** What `defineValidator` gives. */
export interface NamedValidator {
  readonly validator: string;
}

/**
 * Asked about a result (of what a callback or a chain's member follows) or a message. `field`: a path like `user.age`;
 * without it the value itself. Compared without conversion; `contains` is of texts and lists.
 */
export type Condition =
  | { readonly field?: string; readonly operator: ConditionOperator; readonly value?: unknown }
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition }
  | NamedCondition;

export type SignatureStatus = 'pending' | 'active' | 'failed' | 'done' | 'suspended' | 'interrupted' | 'canceled';
export type SignatureKind = 'simple' | 'chain' | 'swarm';

/** A signature, its key, a task or a task's id: of the latter two a signature is made. */
export type Signable = Signature<any, any> | Task<string, any, any> | string;

/** What is said of a signature beside the options of its run. Any other name is a kwarg. */
export interface OwnSignatureOptions {
  /** Bound now, merged over every message; objects deeply, lists replace. In it a name may also be that of an option. */
  kwargs?: Record<string, unknown>;
  /** Begin when it has succeeded; each gets its result in its own return field. */
  successCallbacks?: readonly Signable[];
  /** Begin when it has failed for good; each gets the message that this one had got. `ctx.failure` says why. */
  errorCallbacks?: readonly Signable[];
  /** Begin when it was cancelled; as `errorCallbacks`, which do not. */
  cancelCallbacks?: readonly Signable[];
  /** To be found by: `signatures.find({ taskIdentifiers })`. Kept in `metadata.taskIdentifiers`. */
  taskIdentifiers?: Record<string, string | number | boolean>;
  /** Field that a result comes in, where this follows another run. Default `result`; null: the result is the message. */
  returnFieldName?: string | null;
  /** Checks what it is called with, kwargs and all, before its task's own schema does. */
  modelValidators?: NamedValidator;
  /** Asked when it is to begin. No: it is `skipped`, which counts as done; in a chain what came before goes on to the next. */
  when?: Condition;
  /** As a member of a chain with `onError: 'compensate'`: gets the result of this one when a later one fails. */
  compensate?: Task<string, any, any> | string;
  /** A random delay of 0 to so much before it begins, so that many do not begin at once. */
  stagger?: Duration;
}

export type SignOptions<Input = any> = OwnSignatureOptions & Omit<TriggerOptions, 'id' | 'idempotencyKey' | 'idempotencyKeyTTL' | 'onDuplicate'> & { [Name in keyof Input]?: Input[Name] } & Record<string, unknown>;

export interface CallOptions {
  /** The message is a result: it comes in the return field. Default true. */
  setReturnField?: boolean;
}

export interface CallbackOptions {
  success?: readonly Signable[];
  errors?: readonly Signable[];
  cancelled?: readonly Signable[];
  /** What becomes of one for an end that has been already. `fire` (default): it begins. `ignore`: it does not. `error`: the call throws. */
  late?: 'fire' | 'ignore' | 'error';
}

/** A run that is described and not begun: stored, found by its key in any page, run once. */
export interface Signature<Input = any, Output = any> {
  /** Id of its run. */
  readonly key: string;
  readonly taskName: string;
  readonly kind: SignatureKind;
  readonly status: SignatureStatus;
  /** What it was before it was suspended or interrupted. */
  readonly lastStatus: SignatureStatus;
  readonly taskStatus: { readonly status: SignatureStatus; readonly lastStatus: SignatureStatus };
  /** ms since the epoch. */
  readonly creationTime: number;
  readonly taskIdentifiers: Readonly<Record<string, any>>;
  readonly returnFieldName: string | null;
  readonly modelValidators: NamedValidator | undefined;
  /** Key of the chain or swarm that it is a member of. */
  readonly containerId: string | undefined;
  readonly successCallbacks: readonly string[];
  readonly errorCallbacks: readonly string[];
  readonly cancelCallbacks: readonly string[];
  readonly state: TaskState<Output>;
  readonly handle: RunHandle<Output>;
  /** What was bound when it was made. */
  kwargs(): Promise<Record<string, any>>;
  /** Runs it and waits for its result. @throws as `runNoWait`, and what it failed with */
  run(message?: Partial<Input> | Input): Promise<Output>;
  /** Runs it; resolves when that is stored. @throws SignatureUsedError ConfigurationError SerializationError */
  runNoWait(message?: Partial<Input> | Input): Promise<RunHandle<Output>>;
  /** As `runNoWait` with a result of something else, in the return field. */
  call(result: unknown, options?: CallOptions): Promise<RunHandle<Output>>;
  result(): Promise<Output>;
  /** A new one like it, callbacks and members too. */
  clone(): Promise<Signature<Input, Output>>;
  duplicateMany(count: number): Promise<Signature<Input, Output>[]>;
  /** All of them or none; before or while it runs. @throws SignatureUsedError ConfigurationError */
  addCallbacks(callbacks: CallbackOptions): Promise<void>;
  /** It has failed or was cancelled: it is tried again, and its callbacks wait anew. A swarm does so for members that did not succeed. */
  retry(): Promise<boolean>;
  /**
   * Of a chain that failed or was cancelled: begins anew from the member at this place, with the results of those before.
   * Default: the first that did not succeed. @throws ConfigurationError SignatureUsedError
   */
  retryFrom(index?: number): Promise<boolean>;
  /** Of those that wait for a slot the one with more comes first. Integers; default 0. @throws ConfigurationError */
  setPriority(priority: number): Promise<boolean>;
  /** Softly: code that runs goes on to its next safe point. */
  pause(): Promise<boolean>;
  suspend(): Promise<boolean>;
  /** At once, in the middle of its code, which begins again from its last step. */
  interrupt(): Promise<boolean>;
  resume(): Promise<boolean>;
  cancel(reason?: unknown): Promise<boolean>;
  /** Cancels what has not ended, and forgets it, its callbacks and members too; with `undoFor` after that time. @throws ConfigurationError */
  remove(options?: RemoveOptions): Promise<boolean>;
}


export interface ChainOptions extends Omit<OwnSignatureOptions, 'successCallbacks' | 'errorCallbacks' | 'cancelCallbacks'> {
  /** It is shown as `chain-task:` and this; default the name of its first task. */
  name?: string;
  /** Begin when the last member has succeeded; each gets its result. */
  success?: Signable | readonly Signable[];
  /** Begin when it stopped; each gets `{ chain_task_id, error, original_msg, error_task_key }`. */
  error?: Signable | readonly Signable[];
  cancelled?: Signable | readonly Signable[];
  /**
   * What a member's failure does. `stop` (default): those after it do not begin, and the chain fails. `continue`: the next
   * gets the last result that there is. `compensate`: as `stop`, and those before are undone by their `compensate`, the last first.
   */
  onError?: 'stop' | 'continue' | 'compensate';
}

export interface BranchCase {
  /** Asked about the message; about the result, where it follows another run. */
  when: Condition;
  task: Signable;
}

export interface PipelineStage {
  task: Signable;
  /** Of this stage, over all items. Default 1. */
  concurrency?: number;
}

export interface SwarmConfig {
  /** Members that run at once. Default 30. */
  maxConcurrency?: number;
  /** So many members that fail for good make the swarm fail: `Swarm failed too much`. Default: none do. */
  stopAfterNFailures?: number | null;
  /** Members it may have; with the last of them it closes. Default: any number. */
  maxTaskAllowed?: number | null;
  /** What the swarm is called with comes to each member in its return field. Default false: as its message. */
  sendSwarmMessageToReturnField?: boolean;
  /** As `stopAfterNFailures`, by the part of members that failed (0-1), once `minSamples` (default 1) have ended. */
  stopOn?: { failureRate: number; minSamples?: number };
  /** Then members that have begun go on and the others are cancelled (`let-finish`, default), or all are. */
  onStop?: 'let-finish' | 'cancel-running';
  /** Members begin over this time: one after the other (`even`), or each at a moment of its own (`random`). */
  stagger?: 'even' | 'random';
  window?: Duration;
  /** `task` (default): as they were added. `completion`: as they ended. */
  resultsOrder?: 'task' | 'completion';
  /** For the whole swarm, from when it is called, more than 0: then it fails with a DeadlineError, and what has not ended is cancelled. Default: none. */
  timeout?: Duration;
  /** Of members that are given as tasks; a signature is signed with its own. With a rate and keys it limits them by key. */
  queue?: string | QueueOptions;
  priority?: number;
  concurrencyKey?: string;
}

export interface SwarmOptions extends OwnSignatureOptions {
  /** Default `swarm-task-` and a random id. */
  taskName?: string;
  config?: SwarmConfig;
  /** No member comes later. Default false: it is open until `closeSwarm()`, and has not ended before. */
  isSwarmClosed?: boolean;
  /** Follow each member that succeeds, as its success callbacks. */
  onItemSuccess?: Signable | readonly Signable[];
  /** Follow each member that fails for good, as its error callbacks. */
  onItemError?: Signable | readonly Signable[];
  /**
   * A task (or its id) that gets `SwarmProgress` as members end: after each of up to a hundred, of more after each hundredth part,
   * and at the end. Each is a run of its own, made once, whatever crashes.
   */
  onProgress?: Task<string, SwarmProgress> | string;
}

/** How far a swarm is. */
export interface SwarmProgress {
  readonly key: string;
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  /** 0-100. */
  readonly progress: number;
}

/** What became of a member; `index` is its place among those that were added. */
export type SwarmResult<Output = any> = {
  readonly index: number;
  readonly key: string;
  readonly taskIdentifier: string;
  readonly identifiers: Readonly<Record<string, any>>;
} & ({ readonly ok: true; readonly output: Output; readonly skipped?: true } | { readonly ok: false; readonly error: Error });

export interface AddOptions {
  /** With as many members as `maxTaskAllowed` it closes. Default true. */
  closeOnMaxTask?: boolean;
}

/** All that throw have added nothing. */
export interface Swarm extends Signature<any, SwarmResult[]> {
  readonly config: Readonly<SwarmConfig>;
  readonly isSwarmClosed: boolean;
  /** Closed, and every member has ended. */
  readonly isSwarmDone: boolean;
  /** Keys of its members, as they were added. */
  readonly tasks: readonly string[];
  /** Before it runs or while it does. @throws TooManyTasksError SwarmClosedError SwarmIsCanceledError, and as `sign` */
  addTask(task: Signable, options?: AddOptions): Promise<Signature>;
  addTasks(tasks: readonly Signable[], options?: AddOptions): Promise<Signature[]>;
  /** Adds with a message of their own in place of the swarm's, and begins the swarm where it had not. @throws as addTask */
  runInSwarm(task: Signable | readonly Signable[], message?: unknown, options?: AddOptions): Promise<Signature[]>;
  /** As `runInSwarm`, a message for each. @throws TaskAndMsgsDontMatchForSwarmError, and as addTask */
  runTasksInSwarm(tasks: readonly Signable[], messages: readonly unknown[], options?: AddOptions): Promise<Signature[]>;
  /** Nobody joins it any more; it ends with its last member. False: it was closed. */
  closeSwarm(): Promise<boolean>;
}

/** Within `signatures.transaction`. Each checks at the call, and takes place with all the others when the function has ended. */
export interface Transaction {
  /** @throws as `sign` */
  sign(task: Task<string, any, any> | string, options?: SignOptions): Signature;
  /** @throws as `addCallbacks` */
  addCallbacks(signature: Signature, callbacks: Omit<CallbackOptions, 'late'>): void;
  /** Without files in the message. @throws SignatureUsedError */
  run(signature: Signature, message?: unknown): void;
}

export interface ContainerSummary {
  readonly key: string;
  readonly kind: SignatureKind;
  readonly taskName: string;
  readonly status: SignatureStatus;
  /** 0-100. */
  readonly progress: number;
  readonly total: number;
  readonly counts: Readonly<Record<SignatureStatus, number>>;
  /** Keys of members for which a fallback stood in. */
  readonly degraded: readonly string[];
}

/** Verbs by key; each does what the signature's own does. `false`: it did not apply. */
export interface SignaturesApi {
  /** @throws MissingSignatureError ConfigurationError for one of another tab */
  load<Stored extends Signature = Signature>(key: string): Promise<Stored>;
  /** Those of this tab with these identifiers, newest first. */
  find(filter: { taskIdentifiers: Record<string, string | number | boolean> }): Promise<Signature[]>;
  pause(key: string): Promise<boolean>;
  suspend(key: string): Promise<boolean>;
  interrupt(key: string): Promise<boolean>;
  resume(key: string): Promise<boolean>;
  cancel(key: string, reason?: unknown): Promise<boolean>;
  /** Cancels what has not ended, and forgets it, its callbacks and members too; with `undoFor` after that time. @throws ConfigurationError */
  remove(key: string, options?: RemoveOptions): Promise<boolean>;
  /** Brings back what was removed with `undoFor`, and what went with it. false: that time is over, or it was not removed. */
  undoRemove(key: string): Promise<boolean>;
  /** @throws MissingSignatureError */
  containerSummary(key: string): Promise<ContainerSummary>;
  /** Several changes, all or none: what the function throws has changed nothing, and a crash leaves nothing begun. */
  transaction<Value>(work: (transaction: Transaction) => Value | Promise<Value>): Promise<Value>;
  /** One of several, by the first condition that holds; its output. Where none does and there is no default, what came goes on. */
  branch(given: { cases: readonly BranchCase[]; default?: Signable }, options?: SignOptions): Promise<Signature>;
  /** Another one with the same message, or a value, where the task fails for good; `metadata.degraded` says why. */
  fallback(task: Signable, other: Signable | { value: unknown }, options?: SignOptions): Promise<Signature>;
  /** All outputs, as the tasks were given; the first failure ends the others. */
  all(tasks: readonly Signable[], options?: SwarmOptions & Record<string, unknown>): Promise<Signature<any, any[]>>;
  /** What became of each. */
  allSettled(tasks: readonly Signable[], options?: SwarmOptions & Record<string, unknown>): Promise<Signature<any, SwarmResult[]>>;
  /** The first output; the others are cancelled. Fails where all do. */
  any(tasks: readonly Signable[], options?: SwarmOptions & Record<string, unknown>): Promise<Signature>;
  /** The first that ends, well or badly; the others are cancelled. */
  race(tasks: readonly Signable[], options?: SwarmOptions & Record<string, unknown>): Promise<Signature>;
  /** The task for each item, which is its message; so many at once (default 30). All outputs, in order. */
  map<Item, Output>(items: readonly Item[], task: Task<string, Item, Output>, options?: SwarmOptions & { concurrency?: number } & Record<string, unknown>): Promise<Signature<any, Output[]>>;
  /** One after the other: each gets `{ result, item, index }`, where `result` is what the one before gave, at first the initial value. */
  reduce<Item, Output>(items: readonly Item[], task: Task<string, { result: Output; item: Item; index: number }, Output>, initial: Output, options?: ChainOptions & Record<string, unknown>): Promise<Signature<any, Output>>;
  /** Beside each other, and then one with what became of all, in its return field. */
  chord(tasks: Signable | readonly Signable[], then: Signable, options?: ChainOptions & Record<string, unknown>): Promise<Signature>;
  /** Each item through all stages; `buffer` items (default: one for each stage) are on their way beyond what the stages run at once. */
  pipeline(items: readonly unknown[], stages: readonly PipelineStage[], options?: SwarmOptions & { buffer?: number } & Record<string, unknown>): Promise<Signature<any, any[]>>;
  /** Signatures of this tab that belong to nothing: no members, no callbacks. Newest first. */
  rootTasks(): Promise<Signature[]>;
  /** Members of a container, in their order. @throws MissingSignatureError ConfigurationError */
  children(key: string, options?: { page?: number; size?: number }): Promise<{ items: Signature[]; total: number; page: number; pages: number }>;
  /** @throws MissingSignatureError */
  callbacks(key: string): Promise<{ success: Signature[]; errors: Signature[]; cancelled: Signature[] }>;
}

export interface SignatureApi {
  readonly signatures: SignaturesApi;
  /** Describes and stores a run that begins when it is called. @throws UnrecognizedTaskError ConfigurationError SerializationError MissingSignatureError SignatureUsedError */
  sign<Input, Output>(task: Task<string, Input, Output>, options?: SignOptions<Input>): Promise<Signature<Input, Output>>;
  sign(task: string, options?: SignOptions): Promise<Signature>;
  /**
   * Members one after the other, each with the result of the one before; other names are kwargs for all of them. A signature
   * itself: called, paused, cancelled, retried as one, and may be a member or a callback.
   * @throws ConfigurationError UnrecognizedTaskError MissingSignatureError SignatureUsedError SerializationError
   */
  chain(tasks: readonly Signable[], options?: ChainOptions & Record<string, unknown>): Promise<Signature>;
  /**
   * Members beside each other; other names are kwargs for all of them. It succeeds, with what became of each, when it is
   * closed and all have ended, unless as many failed as its config says. A signature itself, as a chain is.
   * @throws ConfigurationError UnrecognizedTaskError MissingSignatureError SignatureUsedError SerializationError TooManyTasksError
   */
  swarm(tasks?: readonly Signable[], options?: SwarmOptions & Record<string, unknown>): Promise<Swarm>;
  /** @throws MissingSignatureError ConfigurationError for one of another tab */
  loadSignature<Stored extends Signature = Signature>(key: string): Promise<Stored>;
  /** One at a time, over tabs: `work` gets the signature as it is then. @throws MissingSignatureError, and what `work` throws */
  lockTask<Value>(key: string, work: (signature: Signature) => Value | Promise<Value>): Promise<Value>;
}
