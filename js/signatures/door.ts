/**
 * Where the house and this room meet: names of verbs, and nothing else. What they do is loaded with the first.
 *
 * Invariant: who uses no signature loads none of this room.
 */
import type { Orchestrator } from '../orchestrator.ts';
import type { Signatures } from './signatures.ts';
import type { Signature, SignaturesApi } from './types.ts';

type Verb = 'pause' | 'interrupt' | 'resume' | 'cancel' | 'remove';

export class SignatureDoor implements SignaturesApi {
  readonly #house: Orchestrator;
  #loading: Promise<Signatures> | undefined;

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  /** @internal Rejects where the code of this room can't be had; the next call tries again. */
  loaded(): Promise<Signatures> {
    this.#loading ??= import('./signatures.ts').then(
      async ({ Signatures }) => new Signatures(this.#house, await this.#house.dependencies.edges()),
      (error) => {
        this.#loading = undefined;
        throw error;
      },
    );
    return this.#loading;
  }

  /** @internal Loaded, and what is stored is read. */
  async ready(): Promise<Signatures> {
    const loaded = await this.loaded();
    await this.#house.ready;
    return loaded;
  }

  async load<Stored extends Signature = Signature>(key: string): Promise<Stored> {
    return (await this.ready()).load(key) as Signature as Stored;
  }
  async find(filter: Parameters<SignaturesApi['find']>[0]): Promise<Signature[]> {
    return (await this.ready()).find(filter);
  }
  async rootTasks(): Promise<Signature[]> {
    return (await this.ready()).roots();
  }
  async children(...asked: Parameters<SignaturesApi['children']>): ReturnType<SignaturesApi['children']> {
    return (await this.ready()).children(...asked);
  }
  async callbacks(key: string): ReturnType<SignaturesApi['callbacks']> {
    return (await this.ready()).callbacksOf(key);
  }

  async #by(key: string, verb: Verb, reason?: unknown): Promise<boolean> {
    return (await this.load(key))[verb](reason);
  }
  pause(key: string): Promise<boolean> {
    return this.#by(key, 'pause');
  }
  suspend(key: string): Promise<boolean> {
    return this.#by(key, 'pause');
  }
  interrupt(key: string): Promise<boolean> {
    return this.#by(key, 'interrupt');
  }
  resume(key: string): Promise<boolean> {
    return this.#by(key, 'resume');
  }
  cancel(key: string, reason?: unknown): Promise<boolean> {
    return this.#by(key, 'cancel', reason);
  }
  remove(key: string): Promise<boolean> {
    return this.#by(key, 'remove');
  }
}
