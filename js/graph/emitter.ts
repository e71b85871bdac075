/**
 * Events of one object. Made with the first listener: most tasks and edges of a large graph have none.
 *
 * Invariants: listeners hear in the order in which they came; one that throws is reported like any uncaught error and
 * keeps nobody from hearing; who listens while an event is told hears the next one first.
 */

/** What listeners get, by event. */
export type EventMap = Record<string, any[]>;
export type Listener<Parameters extends any[]> = (...given: Parameters) => void;

export class EventEmitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<Listener<any>>>();

  on<Name extends keyof Events>(name: Name, listener: Listener<GivenBy<Events, Name>>): void {
    const listeners = this.#listeners.get(name);
    if (listeners) listeners.add(listener);
    else this.#listeners.set(name, new Set([listener]));
  }

  off<Name extends keyof Events>(name: Name, listener: Listener<GivenBy<Events, Name>>): void {
    this.#listeners.get(name)?.delete(listener);
  }

  once<Name extends keyof Events>(name: Name, listener: Listener<GivenBy<Events, Name>>): void {
    const heard: Listener<any> = (...given) => {
      this.off(name, heard);
      listener(...(given as GivenBy<Events, Name>));
    };
    this.on(name, heard);
  }

  /** Gives what ends it. */
  subscribe<Name extends keyof Events>(name: Name, listener: Listener<GivenBy<Events, Name>>): () => void {
    this.on(name, listener);
    return () => this.off(name, listener);
  }

  /** What the next event of this name brings. */
  waitOn<Name extends keyof Events>(name: Name): Promise<GivenBy<Events, Name>> {
    return new Promise((resolve) => this.once(name, (...given) => resolve(given)));
  }

  has(name: keyof Events): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0;
  }

  emit<Name extends keyof Events>(name: Name, ...given: GivenBy<Events, Name>): void {
    const listeners = this.#listeners.get(name);
    if (!listeners) return;
    for (const listener of [...listeners]) {
      try {
        listener(...given);
      } catch (error) {
        report(error);
      }
    }
  }
}

type GivenBy<Events, Name extends keyof Events> = Events[Name] extends any[] ? Events[Name] : never;

function report(error: unknown): void {
  if (typeof reportError === 'function') reportError(error);
  else
    queueMicrotask(() => {
      throw error;
    });
}
