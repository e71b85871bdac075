/** Where the house and file handles meet: their code and their database are had when the first one is met. */
import type { Orchestrator } from '../orchestrator.ts';
import type { HandleStore, Ticket } from './handles.ts';
import { entriesOf } from './records.ts';

export class HandleDoor {
  readonly #house: Orchestrator;
  #loading: Promise<HandleStore> | undefined;

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  #store(): Promise<HandleStore> {
    this.#loading ??= this.#load();
    this.#loading.catch(() => (this.#loading = undefined));
    return this.#loading;
  }

  async #load(): Promise<HandleStore> {
    const { HandleStore, databases } = await import('./handles.ts');
    const store = new HandleStore(await databases.open(this.#house.opening.namespace));
    // What is left behind is swept another time.
    this.#sweep(store).catch(() => {});
    return store;
  }

  /** Gives what is stored in its place. */
  readonly keep = async (handle: FileSystemFileHandle, path: string): Promise<Blob> => (await this.#store()).keep(handle, path);

  async open(ticket: Blob): Promise<FileSystemFileHandle> {
    const store = await this.#store();
    return store.open(await this.read(ticket));
  }

  async read(ticket: Blob): Promise<Ticket> {
    return (await import('./handles.ts')).readTicket(ticket);
  }

  async give(ticket: Blob, given: FileSystemFileHandle | File, file: File): Promise<void> {
    return (await this.#store()).give(await this.read(ticket), given, file);
  }

  /** Handles of runs that are gone, while nobody else may have tickets: another tab, or a slot nobody has taken over. */
  async #sweep(store: HandleStore): Promise<void> {
    const { ready, opening, pump, blobs } = this.#house;
    await ready;
    if (!(await opening.isAlone())) return;
    const referred = new Set<string>();
    for (const run of pump.allRuns()) {
      if (!run?.extra.blobs) continue;
      for (const entry of entriesOf(run)) if (entry.kind === 'handle') referred.add((await this.read(await blobs.ticket(entry))).key);
    }
    await store.sweep(referred);
  }
}

