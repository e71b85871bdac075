/** Web Locks without a browser: what `tabs.ts` asks of `navigator.locks`, for several tabs in one process. */

interface Held {
  shared: boolean;
  free: () => void;
}
interface Waiting {
  name: string;
  shared: boolean;
  grant: () => void;
}
interface Options {
  mode?: 'shared' | 'exclusive';
  ifAvailable?: boolean;
  signal?: AbortSignal;
}

export class FakeLocks {
  readonly #held = new Map<string, Set<Held>>();
  #waiting: Waiting[] = [];

  request(name: string, options: Options, work: (lock: { name: string } | null) => unknown): Promise<unknown> {
    const shared = options.mode === 'shared';
    return new Promise((resolve, reject) => {
      const run = (lock: { name: string } | null) => Promise.resolve(work(lock)).then(resolve, reject);
      const grant = () => {
        let free!: () => void;
        const freed = new Promise<void>((done) => (free = done));
        const held = { shared, free };
        this.#held.set(name, (this.#held.get(name) ?? new Set()).add(held));
        void Promise.race([run({ name }), freed]).finally(() => this.#release(name, held));
      };
      if (this.#isFree(name, shared) && !this.#waiting.some((one) => one.name === name)) return grant();
      if (options.ifAvailable) return void run(null);
      const waiting = { name, shared, grant };
      this.#waiting.push(waiting);
      options.signal?.addEventListener('abort', () => {
        this.#waiting = this.#waiting.filter((one) => one !== waiting);
        reject(options.signal!.reason);
      });
    });
  }

  #isFree(name: string, shared: boolean): boolean {
    const held = this.#held.get(name);
    return !held || (shared && [...held].every((one) => one.shared));
  }

  #release(name: string, held: Held): void {
    const all = this.#held.get(name);
    if (!all?.delete(held)) return;
    if (all.size === 0) this.#held.delete(name);
    for (;;) {
      const next = this.#waiting.findIndex((one) => one.name === name);
      if (next < 0 || !this.#isFree(name, this.#waiting[next]!.shared)) return;
      this.#waiting.splice(next, 1)[0]!.grant();
    }
  }

  async query(): Promise<{ held: { name: string }[] }> {
    return { held: [...this.#held.keys()].map((name) => ({ name })) };
  }

  /** The tab that holds it has died. */
  kill(name: string): void {
    for (const { free } of this.#held.get(name) ?? []) free();
  }
}
