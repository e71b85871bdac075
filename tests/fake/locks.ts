/** Web Locks without a browser: what `tabs.ts` asks of `navigator.locks`, for several tabs in one process. */

interface Held {
  free: () => void;
}
interface Waiting {
  name: string;
  grant: () => void;
}

export class FakeLocks {
  readonly #held = new Map<string, Held>();
  #waiting: Waiting[] = [];

  request(name: string, options: { ifAvailable?: boolean; signal?: AbortSignal }, work: (lock: { name: string } | null) => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const run = (lock: { name: string } | null) => Promise.resolve(work(lock)).then(resolve, reject);
      const grant = () => {
        let free!: () => void;
        const freed = new Promise<void>((done) => (free = done));
        this.#held.set(name, { free });
        void Promise.race([run({ name }), freed]).finally(() => this.#release(name));
      };
      if (!this.#held.has(name)) return grant();
      if (options.ifAvailable) return void run(null);
      const waiting = { name, grant };
      this.#waiting.push(waiting);
      options.signal?.addEventListener('abort', () => {
        this.#waiting = this.#waiting.filter((one) => one !== waiting);
        reject(options.signal!.reason);
      });
    });
  }

  #release(name: string): void {
    this.#held.delete(name);
    const next = this.#waiting.findIndex((one) => one.name === name);
    if (next >= 0) this.#waiting.splice(next, 1)[0]!.grant();
  }

  async query(): Promise<{ held: { name: string }[] }> {
    return { held: [...this.#held.keys()].map((name) => ({ name })) };
  }

  /** The tab that holds it has died. */
  kill(name: string): void {
    this.#held.get(name)?.free();
  }
}
