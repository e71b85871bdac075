/**
 * An orchestrator without an engine: states are put in by hand, calls are written down. It keeps the
 * promises React relies on: immutable states, the same array until something changes, one notice per frame.
 */
import type { RemoveOptions } from '../../js/runs/removals.ts';
import type {
  ListFilter,
  OrchestratorApi,
  OrchestratorEvents,
  RecoveryReport,
  RunHandle,
  StorageState,
  StreamReader,
  TaskCounts,
  TaskState,
  TaskStatus,
} from '../../js/types.ts';

type Listener = (...args: any[]) => void;
export type Patch = Partial<TaskState>;

const statusOf: Partial<Record<TaskState['phase'], TaskStatus>> = {
  delayed: 'pending',
  blocked: 'pending',
  queued: 'pending',
  retrying: 'pending',
  waiting: 'running',
  running: 'running',
  cancelling: 'running',
  stopping: 'running',
  suspended: 'paused',
  interrupted: 'paused',
  completed: 'completed',
  cancelled: 'cancelled',
};

function refuseEntries(): never {
  throw new Error('the fake has no entries');
}

export class FakeOrchestrator implements OrchestratorApi {
  ready: Promise<RecoveryReport> = Promise.resolve({
    resumed: [],
    kept: [],
    failed: [],
    missingDefinition: [],
    ended: [],
    tailBytesDropped: 0,
    storage: 'fake',
    durability: 'process',
    warnings: [],
  });
  storageState: StorageState = { name: 'fake', durability: 'process', status: 'ok' };
  /** Every call that changes something: `pauseTask a`. */
  readonly calls: string[] = [];
  /** How notices are put off; at once by default. */
  defer: (notify: () => void) => void;
  #tasks = new Map<string, TaskState>();
  /** With `undoFor`, until `forget`. */
  #removed = new Map<string, TaskState>();
  #all: readonly TaskState[] | undefined;
  #wholes = new Set<() => void>();
  #ones = new Map<string, Set<() => void>>();
  #named = new Map<string, Set<Listener>>();
  #dirty = new Set<string>();
  #isAsked = false;
  #next = 1;

  constructor(defer: (notify: () => void) => void = (notify) => notify()) {
    this.defer = defer;
  }

  /** What `stream` gives, by run and key. */
  readonly chunks = new Map<string, AsyncIterable<unknown>>();

  stream<Chunk = any>(id: string, key: string): StreamReader<Chunk> {
    const given = this.chunks.get(`${id} ${key}`) as AsyncIterable<Chunk> | undefined;
    const read = async function* () {
      if (given) yield* given;
    };
    return { key, entries: () => refuseEntries(), readable: () => new ReadableStream(), [Symbol.asyncIterator]: read };
  }

  // The hands of a test.

  add(patch: Patch = {}): TaskState {
    const id = patch.id ?? `run-${this.#next++}`;
    const atMs = patch.createdAt ?? Date.now();
    const phase = patch.phase ?? 'running';
    const state: TaskState = Object.freeze({
      id,
      name: `Task ${id}`,
      taskIdentifier: 'fake',
      phase,
      status: statusOf[phase] ?? 'failed',
      progress: 0,
      createdAt: atMs,
      startTime: atMs,
      depth: 0,
      tags: [],
      lastUpdated: atMs,
      error: null,
      attempt: 1,
      retryCount: 0,
      maxRetries: 2,
      recoveries: 0,
      steps: 0,
      metadata: {},
      fromCache: false,
      durable: true,
      local: true,
      ...patch,
    });
    this.#tasks.set(id, state);
    this.#changed(id);
    return state;
  }

  update(id: string, patch: Patch): void {
    const before = this.#tasks.get(id);
    if (!before) throw new Error(`no run ${id}`);
    const status = patch.phase ? (statusOf[patch.phase] ?? 'failed') : before.status;
    this.#tasks.set(id, Object.freeze({ ...before, status, lastUpdated: Date.now(), ...patch }));
    this.#changed(id);
  }

  complete(id: string, result?: unknown): void {
    this.update(id, { phase: 'completed', progress: 100, result, endedAt: Date.now() });
    this.emit('complete', id, result);
  }

  fail(id: string, error: Error, phase: TaskState['phase'] = 'failed'): void {
    this.update(id, { phase, error, endedAt: Date.now() });
    this.emit('error', id, error);
  }

  drop(id: string): void {
    this.#tasks.delete(id);
    this.#changed(id);
  }

  setStorage(patch: Partial<StorageState>): void {
    this.storageState = { ...this.storageState, ...patch };
    this.emit('storage', { type: 'durability', level: this.storageState.durability });
  }

  emit<Name extends keyof OrchestratorEvents>(name: Name, ...args: OrchestratorEvents[Name]): void {
    for (const listener of [...(this.#named.get(name) ?? [])]) listener(...args);
  }

  /** Listeners of every kind: 0 when nobody forgot to unsubscribe. */
  get listenerCount(): number {
    const sets = [this.#wholes, ...this.#ones.values(), ...this.#named.values()];
    return sets.reduce((sum, set) => sum + set.size, 0);
  }

  #changed(id: string): void {
    this.#all = undefined;
    this.#dirty.add(id);
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.defer(() => this.#notify());
  }

  #notify(): void {
    this.#isAsked = false;
    const ids = [...this.#dirty];
    this.#dirty.clear();
    for (const listener of [...this.#wholes]) listener();
    for (const id of ids) {
      for (const listener of [...(this.#ones.get(id) ?? [])]) listener();
      const state = this.#tasks.get(id);
      if (state) this.emit('change', state);
    }
  }

  async #call(name: string, id: string, change?: () => void): Promise<boolean> {
    this.calls.push(`${name} ${id}`.trim());
    change?.();
    return true;
  }

  // OrchestratorApi.

  async executeTask(name: string): Promise<string> {
    return this.add({ name, phase: 'queued' }).id;
  }
  trigger(): never {
    throw new Error('not in the fake');
  }
  async run(): Promise<never> {
    throw new Error('not in the fake');
  }
  attach<O = any>(id: string): RunHandle<O> | undefined {
    const download = async () => void (await this.#call('download', id));
    return this.#tasks.has(id) ? ({ id, download } as unknown as RunHandle<O>) : undefined;
  }
  getTaskState<R = any>(id: string): TaskState<R> | undefined {
    return this.#tasks.get(id) ?? this.#removed.get(id);
  }
  getAllTasks(): readonly TaskState[] {
    this.#all ??= Object.freeze([...this.#tasks.values()].reverse());
    return this.#all;
  }
  list(_filter?: ListFilter) {
    return { items: [...this.getAllTasks()] };
  }
  counts(): TaskCounts {
    const counts = {
      pending: 0,
      running: 0,
      paused: 0,
      completed: 0,
      failed: 0,
      cancelled: 0,
      total: this.#tasks.size,
    };
    for (const { status } of this.#tasks.values()) counts[status]++;
    return counts;
  }
  cancelTask(id: string) {
    return this.#call('cancelTask', id, () => this.update(id, { phase: 'cancelled', endedAt: Date.now() }));
  }
  pauseTask(id: string) {
    return this.#call('pauseTask', id, () => this.update(id, { phase: 'suspended' }));
  }
  resumeTask(id: string) {
    return this.#call('resumeTask', id, () => this.update(id, { phase: 'running' }));
  }
  async retryTask(id: string) {
    await this.#call('retryTask', id, () => this.update(id, { phase: 'queued', error: null, progress: 0 }));
    return this.attach(id);
  }
  removeTask(id: string, { undoFor }: RemoveOptions = {}) {
    return this.#call('removeTask', undoFor === undefined ? id : `${id} ${undoFor}`, () => {
      const state = this.#tasks.get(id)!;
      if (undoFor !== undefined) this.#removed.set(id, Object.freeze({ ...state, removedUntil: Date.now() + 10_000 }));
      this.drop(id);
    });
  }
  /** The time of a removal is over. */
  forget(id: string): void {
    this.#removed.delete(id);
    this.#changed(id);
  }
  undoRemove(id: string) {
    return this.#call('undoRemove', id, () => {
      const { removedUntil: _, ...state } = this.#removed.get(id)!;
      this.#tasks.set(id, Object.freeze(state));
      this.forget(id);
    });
  }
  /** What a test says of a file: an error to throw, or nothing, and it is taken. */
  judge: (file: Blob) => Error | undefined = () => undefined;
  async providePayload(id: string, file: Blob): Promise<boolean> {
    await this.#call('providePayload', id);
    const refusal = this.judge(file);
    if (refusal) throw refusal;
    const left = (this.#tasks.get(id)?.missing ?? []).filter(({ size }) => size !== file.size);
    this.update(id, left.length > 0 ? { missing: left } : { phase: 'queued', reason: undefined, missing: undefined });
    return left.length === 0;
  }
  async cleanupCompletedTasks(maxAgeMs?: number): Promise<number> {
    await this.#call('cleanupCompletedTasks', String(maxAgeMs));
    return 0;
  }
  async clearAllTasks(): Promise<number> {
    await this.#call('clearAllTasks', '');
    const ids = [...this.#tasks.keys()];
    for (const id of ids) this.drop(id);
    return ids.length;
  }
  on<Name extends keyof OrchestratorEvents>(
    name: Name,
    listener: (...args: OrchestratorEvents[Name]) => void,
  ): () => void {
    return subscribeTo(this.#named, name, listener as Listener);
  }
  subscribe(listener: () => void): () => void {
    const own = () => listener();
    this.#wholes.add(own);
    return () => this.#wholes.delete(own);
  }
  subscribeTask(id: string, listener: () => void): () => void {
    return subscribeTo(this.#ones, id, listener);
  }
  why(id: string): string {
    const state = this.#tasks.get(id);
    if (state?.phase === 'queued') return 'Waits for a slot: queue "default" runs 4 of 4 at once.';
    return state ? `It is ${state.phase}.` : '';
  }
  async dispose(): Promise<void> {}
}

function subscribeTo<Key>(sets: Map<Key, Set<Listener>>, key: Key, listener: Listener): () => void {
  const own: Listener = (...args) => listener(...args);
  const set = sets.get(key) ?? new Set();
  sets.set(key, set.add(own));
  return () => {
    set.delete(own);
  };
}
