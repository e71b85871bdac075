// The strategy holdfast's predecessor had: at each change the whole list of unfinished tasks is written
// anew, as JSON, into one key of localStorage. `persistState` is its code as it was, but that a failed
// write is an error here: a benchmark of writes that fail would flatter it.
export class SeedTasks {
  tasks = new Map();
  #key;

  constructor(persistenceKey) {
    this.#key = persistenceKey;
  }

  execute(queue, name, work, input) {
    const id = crypto.randomUUID();
    const now = Date.now();
    const state = { id, name, status: 'pending', progress: 0, startTime: now, lastUpdated: now };
    this.#change(id, { ...state, error: null, retryCount: 0, maxRetries: 3, metadata: { input } });
    return queue.add(async () => {
      this.#change(id, { status: 'running' });
      const result = await work(input);
      this.#change(id, { status: 'completed', progress: 100, result });
      return result;
    });
  }

  #change(id, change) {
    this.tasks.set(id, { ...this.tasks.get(id), ...change, lastUpdated: Date.now() });
    this.#persistState();
  }

  #persistState() {
    const serializableTasks = Array.from(this.tasks.entries())
      .filter(([_, task]) => task.status !== 'completed' && task.status !== 'failed')
      .map(([_, task]) => {
        const { executor, ...metadata } = task.metadata;
        return {
          ...task,
          metadata,
          error: task.error ? { message: task.error.message, stack: task.error.stack } : null,
        };
      });
    if (serializableTasks.length > 0) localStorage.setItem(this.#key, JSON.stringify(serializableTasks));
    else localStorage.removeItem(this.#key);
  }
}
