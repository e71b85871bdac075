/**
 * How long attempts of a task take, smoothed, so that their progress can be estimated. Kept in
 * localStorage where there is one: best effort, and never more than a few hundred tasks.
 * Invariant: nothing is expected before three samples.
 */
const fewest = 3;
const weight = 0.3;
const mostTasks = 200;
const saveIntervalMs = 1000;

interface Known {
  samples: number;
  meanMs: number;
}

export class Durations {
  /** undefined: names of tasks are not to be written down. */
  readonly #key: () => string | undefined;
  #known: Map<string, Known> | undefined;
  #savedMs = Number.NEGATIVE_INFINITY;

  constructor(key: () => string | undefined) {
    this.#key = key;
  }

  expected(taskIdentifier: string): number | undefined {
    const known = this.#all().get(taskIdentifier);
    return known && known.samples >= fewest ? known.meanMs : undefined;
  }

  learn(taskIdentifier: string, durationMs: number, nowMs: number): void {
    if (!(durationMs >= 0)) return;
    const all = this.#all();
    const { samples, meanMs } = all.get(taskIdentifier) ?? { samples: 0, meanMs: durationMs };
    // Set anew, so that the task used longest ago is the first to go.
    all.delete(taskIdentifier);
    all.set(taskIdentifier, { samples: samples + 1, meanMs: meanMs + weight * (durationMs - meanMs) });
    if (all.size > mostTasks) all.delete(all.keys().next().value!);
    if (nowMs - this.#savedMs < saveIntervalMs && samples >= fewest) return;
    this.#savedMs = nowMs;
    this.save();
  }

  save(): void {
    try {
      const key = this.#key();
      if (key !== undefined && this.#known?.size && typeof localStorage !== 'undefined')
        localStorage.setItem(key, JSON.stringify([...this.#known]));
    } catch {
      // They are learnt again.
    }
  }

  #all(): Map<string, Known> {
    return (this.#known ??= this.#load());
  }

  #load(): Map<string, Known> {
    const known = new Map<string, Known>();
    try {
      const key = this.#key();
      const told: unknown = key === undefined || typeof localStorage === 'undefined' ? [] : JSON.parse(localStorage.getItem(key) ?? '[]');
      for (const [id, { samples, meanMs }] of (told as [string, Known][]).slice(0, mostTasks))
        if (typeof id === 'string' && samples >= 1 && meanMs >= 0) known.set(id, { samples, meanMs });
    } catch {
      // Somebody else's, or damaged: as if there were none.
    }
    return known;
  }
}
