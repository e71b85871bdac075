/**
 * Where the house and this room meet: names of verbs, and nothing else. What they do is loaded with the first.
 *
 * Invariant: who uses no signature loads none of this room.
 */
import { Lazy } from '../lazy.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { Signatures } from './signatures.ts';
import type { RemoveOptions } from '../runs/removals.ts';
import type { Signature, SignaturesApi } from './types.ts';

type Verb = 'pause' | 'interrupt' | 'resume' | 'cancel';

export class SignatureDoor implements SignaturesApi {
  readonly #house: Orchestrator;
  readonly #room = new Lazy(async () => {
    const { Signatures } = await import('./signatures.ts');
    return new Signatures(this.#house, await this.#house.dependencies.edges());
  });

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  /** @internal Rejects where the code of this room can't be had; the next call tries again. */
  loaded(): Promise<Signatures> {
    return this.#room.load();
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

  async containerSummary(key: string): ReturnType<SignaturesApi['containerSummary']> {
    return (await this.ready()).summary(key);
  }
  readonly transaction: SignaturesApi['transaction'] = async (work) => (await this.ready()).transaction(work);
  readonly branch: SignaturesApi['branch'] = (...given) => this.#group('branch', given);
  readonly fallback: SignaturesApi['fallback'] = (...given) => this.#group('fallback', given);
  readonly all: SignaturesApi['all'] = (...given) => this.#group('all', given);
  readonly allSettled: SignaturesApi['allSettled'] = (...given) => this.#group('allSettled', given);
  readonly any: SignaturesApi['any'] = (...given) => this.#group('any', given);
  readonly race: SignaturesApi['race'] = (...given) => this.#group('race', given);
  readonly map: SignaturesApi['map'] = (...given) => this.#group('map', given);
  readonly reduce: SignaturesApi['reduce'] = (...given) => this.#group('reduce', given);
  readonly chord: SignaturesApi['chord'] = (...given) => this.#group('chord', given);
  readonly pipeline: SignaturesApi['pipeline'] = (...given) => this.#group('pipeline', given);

  async #group(verb: keyof Signatures['groups'], given: readonly unknown[]): Promise<any> {
    const home = await this.ready();
    return (home.groups[verb] as (...all: any[]) => unknown)(home, ...given);
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
  async remove(key: string, options?: RemoveOptions): Promise<boolean> {
    return (await this.load(key)).remove(options);
  }
  undoRemove(key: string): Promise<boolean> {
    return this.#house.undoRemove(key);
  }
}
