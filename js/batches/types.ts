/** The public shapes of batches: what goes in, what comes out, typed by position. */
import type { InputIn, OutputIn, TaskMap } from '../definition/names.ts';
import type { Duration, QueueOptions, Task, TaskRunResult, TaskStatus, TriggerOptions } from '../types.ts';

type PayloadOf<Each> = Each extends Task<any, infer Input, any> ? Input : never;

/** What became of an item: as the result of one run, and its place in the batch. */
export type BatchItemResult<Output = any, Id extends string = string> = TaskRunResult<Output, Id> & {
  /** Its place in the batch, from 0. */
  readonly index: number;
};
/** The result of a run of this task; of a union of tasks the union of theirs, told apart by `taskIdentifier`. */
export type TaskRunResultFromTask<Each> = Each extends Task<infer Id, any, infer Output> ? BatchItemResult<Output, Id> : never;

/** Options of an item are those of a call; its own win over the batch's and the task's. */
export type BatchItemOptions = TriggerOptions;

export interface BatchItem<Each extends Task = Task> {
  task: Each;
  payload: PayloadOf<Each>;
  options?: BatchItemOptions;
}

/** An item by the id of its task. */
export type BatchItemById<Each> = Each extends Task<infer Id, infer Input, any> ? { id: Id; payload: Input; options?: BatchItemOptions } : never;

/** An item of one task. */
export interface BatchPayload<Input = any> {
  payload: Input;
  options?: BatchItemOptions;
}

/**
 * Where items come from: an array, which is stored with the batch before it is accepted, or anything that is pulled
 * while there is room: an iterable, an async iterable (a generator), a ReadableStream. What is pulled lives in this
 * page: after a reload the items that had been taken go on, and the rest is a `sourceError`.
 */
export type BatchSource<Item> = readonly Item[] | Iterable<Item> | AsyncIterable<Item> | ReadableStream<Item>;

export interface BatchOptions {
  /** Items that run at once, beside the limits of their queues. Default: no limit. */
  concurrency?: number;
  /**
   * `collect` (default): a failed item is a result as any other. `fail-fast`: the first failure cancels the others.
   * An object: so many failures (`failures`), or such a part of all items (`rate`, above 0 to 1; of an array only), do.
   */
  onItemError?: 'collect' | 'fail-fast' | { failures: number } | { rate: number };
  /** As `onItemError: 'fail-fast'`. */
  stopOnError?: boolean;
  /** So many items have to succeed (of an array only, at most as many as it has): when that can't be any more, the others are cancelled. */
  minSuccess?: number;
  /** For the whole batch, from its creation, more than 0: what has not ended by then is cancelled, with why as the cause of its error. Default: none. */
  timeout?: Duration;
  /** The same batch whoever asks for it again; its items get the key and their place as theirs. */
  idempotencyKey?: string | readonly string[];
  idempotencyKeyTTL?: Duration;
  /** Of the batch and all its items. */
  tags?: string | readonly string[];
  /** Of items that name none. */
  queue?: string | QueueOptions;
  priority?: number;
  /** Shown name. Default: its id. */
  name?: string;
  metadata?: Record<string, any>;
  /** Items begin in their order in any case; it is taken for the sake of code that says it. */
  triggerSequentially?: boolean;
  /** Of a source: items that are open at once; it is pulled when half of them have ended. Default 256. */
  highWater?: number;
  /**
   * A task that is told of each item as it ends, whatever becomes of the page: a run for each, with the item's result as its input
   * (`BatchItemReport`). Its id is `{id of the batch}:item:{index}`.
   */
  onItem?: Task<string, any, any> | string;
  /** A task that is told how far the batch is (`BatchProgress`), at each whole percent; of a source after each 100 items, and at the end. */
  onProgress?: Task<string, BatchProgress, any> | string;
  /** When a source throws: the items it has given go on (`continue`, default), or are cancelled. */
  onSourceError?: 'continue' | 'cancel';
}

/** What `onItem` is given: the result of the item, its place, and of which batch. `error` is an Error. */
export type BatchItemReport<Output = any> = BatchItemResult<Output> & { readonly batchId: string };

/** What `onProgress` is given. */
export interface BatchProgress {
  readonly batchId: string;
  /** Items; of a source those that it has given so far. */
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  /** 0-100, of the items that have ended; of a source 0 until all have. */
  readonly progress: number;
}

export interface BatchStreamOptions extends BatchOptions {
  /** true: in the order of the items. Default false: as they come. */
  ordered?: boolean;
  /** false: a run is forgotten when its result has been handed out, so that any number of them takes no more room. Default false. */
  keepRuns?: boolean;
}

type Outputs<Result> = Result extends { ok: true; output: infer Output } ? Output : never;
type Succeeded<Result> = Extract<Result, { ok: true }>;
type Failed<Result> = Extract<Result, { ok: false }>;
type OfTask<Result, Id> = Extract<Result, { taskIdentifier: Id }>;
type IdOf<Each> = Each extends Task<infer Id> ? Id : Each extends string ? Each : never;

/** What the array of results can, beside what every array can. */
export interface BatchHelpers<Result> {
  /** The results that are ok. */
  ok(): Succeeded<Result>[];
  /** Those that failed or were cancelled. */
  failed(): Failed<Result>[];
  /** Outputs of what is ok, in order. */
  outputs(): Outputs<Result>[];
  /** Errors of what failed, in order. */
  errors(): Error[];
  /** The results of one task, by itself or its id, with its types. */
  byTask<Each extends Task | string>(task: Each): OfTask<Result, IdOf<Each>>[];
  /** The results of runs with this tag. */
  byTag(tag: string): Result[];
  /** Those that are ok, and those that are not. */
  partition(): [ok: Succeeded<Result>[], failed: Failed<Result>[]];
  /** All outputs, in order. @throws BatchFailedError with every error, where one failed */
  unwrapAll(): Outputs<Result>[];
  /** What the item of this place was given. */
  payload(index: number): Promise<any>;
}

/** An array, by position where the items were a tuple. */
export type BatchRuns<Results extends readonly unknown[]> = Results & BatchHelpers<Results[number]>;

export interface BatchResult<Results extends readonly unknown[] = readonly BatchItemResult[]> {
  readonly id: string;
  readonly runs: BatchRuns<Results>;
}

export interface BatchCounts {
  readonly pending: number;
  readonly running: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
}

/** A batch as it stands. */
export interface BatchState {
  readonly id: string;
  readonly status: TaskStatus;
  /** Items so far. */
  readonly runCount: number;
  readonly counts: BatchCounts;
  /** 0-100, of all items together. */
  readonly progress: number;
  readonly createdAt: number;
  readonly completedAt?: number;
  readonly idempotencyKey?: string;
}

/** A batch that was triggered, or found again by its id. */
export interface BatchHandle<Results extends readonly unknown[] = readonly BatchItemResult[]> {
  readonly id: string;
  /** As `id`. */
  readonly batchId: string;
  /** Items of an array; of a source those that it has given so far. */
  readonly runCount: number;
  /** Another call with the same key had made it. */
  readonly isCached: boolean;
  readonly state: BatchState;
  readonly status: TaskStatus;
  /** Results in the order of the items, when all have ended. @throws BatchTriggerError where its source threw */
  wait(): Promise<BatchResult<Results>>;
  /**
   * Hears of each item once, as it ends; of those that have ended at once. When `wait()` resolves it has heard of all, also of items that
   * could not be made. Gives what ends it. For what is to outlive the page: the option `onItem`.
   */
  onItem(listener: (result: Results[number]) => void): () => void;
  cancel(reason?: unknown): Promise<boolean>;
  /** Items that have not begun wait, those that run stop at their next safe point. */
  pause(): Promise<boolean>;
  resume(): Promise<boolean>;
}

type Results<Tasks extends readonly unknown[]> = { -readonly [Place in keyof Tasks]: TaskRunResultFromTask<Tasks[Place]> };
type ItemsOf<Tasks extends readonly unknown[]> = { [Place in keyof Tasks]: Tasks[Place] extends Task ? BatchItem<Tasks[Place]> : never };
type AnySource<Item> = Iterable<Item> | AsyncIterable<Item> | ReadableStream<Item>;

/** `batch`: many runs as one. In a task it is durable: `ctx.batch`, or the global `batch` where js/batches/README.md says so. */
export interface BatchApi {
  /**
   * Runs several tasks and waits for all; never rejects for an item that fails.
   * @throws BatchTriggerError where the batch can't be made, or its source throws
   */
  triggerByTaskAndWait<const Tasks extends readonly Task[]>(items: ItemsOf<Tasks>, options?: BatchOptions): Promise<BatchResult<Results<Tasks>>>;
  triggerByTaskAndWait<Each extends Task>(items: AnySource<BatchItem<Each>>, options?: BatchOptions): Promise<BatchResult<TaskRunResultFromTask<Each>[]>>;
  /** As `triggerByTaskAndWait`, and resolves when the batch is stored. */
  triggerByTask<const Tasks extends readonly Task[]>(items: ItemsOf<Tasks>, options?: BatchOptions): Promise<BatchHandle<Results<Tasks>>>;
  triggerByTask<Each extends Task>(items: AnySource<BatchItem<Each>>, options?: BatchOptions): Promise<BatchHandle<TaskRunResultFromTask<Each>[]>>;
  /** Items by the ids of their tasks: `batch.triggerAndWait<typeof a | typeof b>([{ id: 'a', payload }])`. */
  triggerAndWait<Each extends Task = Task>(items: BatchSource<BatchItemById<Each>>, options?: BatchOptions): Promise<BatchResult<TaskRunResultFromTask<Each>[]>>;
  trigger<Each extends Task = Task>(items: BatchSource<BatchItemById<Each>>, options?: BatchOptions): Promise<BatchHandle<TaskRunResultFromTask<Each>[]>>;
  /**
   * Results as they come, pulled from the items only as fast as they are taken; leaving the loop cancels what is left. In a
   * task code that runs again gets the same results in the same order, and runs are kept until the task's has ended.
   */
  stream<Each extends Task>(items: BatchSource<BatchItem<Each>>, options?: BatchStreamOptions): AsyncIterableIterator<TaskRunResultFromTask<Each>>;
  /** The batch with this id; undefined: this tab has none. */
  retrieve(id: string): Promise<BatchHandle | undefined>;
  /** Runs the failed and cancelled items once more, in their places. @throws ConfigurationError for an id that is no batch's */
  retryFailed(id: string, options?: Pick<BatchOptions, 'concurrency'>): Promise<BatchHandle>;
}

/** `tasks`: tasks by their ids, for code that does not import them. */
export interface TasksApi {
  trigger<Each extends Task>(id: Each['id'], payload: PayloadOf<Each>, options?: TriggerOptions): Promise<import('../types.ts').RunHandle<OutputOf<Each>, Each['id']>>;
  trigger<Name extends keyof TaskMap & string>(id: Name, payload: InputIn<TaskMap, Name>, options?: TriggerOptions): Promise<import('../types.ts').RunHandle<OutputIn<TaskMap, Name>, Name>>;
  triggerAndWait<Each extends Task>(id: Each['id'], payload: PayloadOf<Each>, options?: TriggerOptions): import('../types.ts').ResultPromise<OutputOf<Each>, Each['id']>;
  batchTrigger<Each extends Task>(id: Each['id'], items: BatchSource<BatchPayload<PayloadOf<Each>>>, options?: BatchOptions): Promise<BatchHandle<TaskRunResultFromTask<Each>[]>>;
  batchTriggerAndWait<Each extends Task>(id: Each['id'], items: BatchSource<BatchPayload<PayloadOf<Each>>>, options?: BatchOptions): Promise<BatchResult<TaskRunResultFromTask<Each>[]>>;
}
type OutputOf<Each> = Each extends Task<any, any, infer Output> ? Output : never;
