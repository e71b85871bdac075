/**
 * What can be asked of the stored data as a whole: how much there is. `Orchestrator` inherits it, so that
 * its own file is about runs. What is seldom used is loaded when it is asked for.
 */
import type { Attempts } from '../runs/attempts.ts';
import type { Ghosts } from '../blobs/ghosts.ts';
import type { BlobKeeper } from '../blobs/keeper.ts';
import { ConfigurationError } from '../errors.ts';
import type { ExportOptions } from '../exchange/export.ts';
import type { ImportOptions, ImportReport } from '../exchange/import.ts';
import { Composing } from '../groups/composing.ts';
import type { Journal } from './journal.ts';
import type { DestroyOptions } from '../namespaces/destroy.ts';
import type { Opening } from '../opening/opening.ts';
import type { Pump } from '../pump/pump.ts';
import { StreamDoor } from '../streams/door.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { type Run, snapshotBytesOf } from '../runs/run.ts';
import type { StorageEvent } from '../storage.ts';
import type { Store } from '../views/store.ts';
import type { ReadStreamOptions, RunHandle, StorageState, StreamReader } from '../types.ts';
import type { EncryptionOptions } from '../vault/checks.ts';
import type { Vault } from '../vault/vault.ts';

export interface Amount {
  count: number;
  bytes: number;
}

/** What this tab's part of the store holds. */
export interface StorageUsage {
  /** All records as they lie there; `liveBytes`: about what is left of them after a compaction. */
  journal: { bytes: number; liveBytes: number };
  /** Inputs with name and metadata, recorded steps, results, errors: parts of the journal. */
  inputs: Amount;
  steps: Amount;
  results: Amount;
  errors: Amount;
  /** Chunks of streams; a part of the journal where they are few, of the blobs where they are many. */
  streams: Amount;
  /** Files and large values, stored once each; `sharedBytes`: what that saves. */
  blobs: Amount & { sharedBytes: number };
  /** What the browser says of the whole origin; undefined: it says nothing. */
  origin: { usageBytes: number; quotaBytes: number } | undefined;
}

export abstract class StoredData extends Composing {
  abstract readonly blobs: BlobKeeper;
  abstract readonly attempts: Attempts;
  abstract readonly pump: Pump;
  abstract readonly journal: Journal | undefined;
  abstract readonly opening: Opening;
  abstract readonly store: Store;
  abstract readonly ready: Promise<unknown>;
  abstract readonly disposed: boolean;
  abstract attach(id: string): RunHandle | undefined;

  readonly streams = new StreamDoor(this as unknown as Orchestrator);
  #ghosts: Promise<Ghosts> | undefined;
  #wasFull = false;

  get storageState(): StorageState {
    const { failure, storageState, lockedRuns } = this.opening;
    const state = failure === undefined && this.journal ? this.journal.state : storageState;
    return lockedRuns ? lockedRuns.over(state) : state;
  }
  storageChanged(state: StorageState): void {
    this.store.emit('storage', { type: 'durability', level: state.durability, ...(state.message && { reason: state.message }) });
    this.store.changedElsewhere();
    this.#tellUnstored(state.status === 'full');
    this.pump.wake();
  }
  /** What waits to be accepted shows that it waits for room. */
  #tellUnstored(isFull: boolean): void {
    if (isFull === this.#wasFull) return;
    this.#wasFull = isFull;
    const house = this as unknown as Orchestrator;
    for (const run of house.localRuns()) if (!run.accepted_) house.changed(run);
  }
  storageEvent(event: StorageEvent): void {
    this.opening.storageEvent(event);
    this.store.emit('storage', event);
  }

  /** What cares for runs whose files are gone; hardly anybody needs it. */
  ghosts(): Promise<Ghosts> {
    this.#ghosts ??= import('../blobs/ghosts.ts').then((module) => new module.Ghosts(this as unknown as Orchestrator));
    // A file that could not be fetched may be there the next time.
    this.#ghosts.catch(() => (this.#ghosts = undefined));
    return this.#ghosts;
  }

  /** An attempt could not load its input: held, if the person can give what is missing, else it fails. */
  async inputLost(run: Run, attempt: number, error: Error): Promise<void> {
    const waits = await (await this.ghosts()).startFailed(run, attempt, error);
    if (run.attempt !== attempt) return;
    if (waits) this.attempts.interrupt(run, error);
    else this.attempts.failed(run, attempt, error);
  }

  async provideFor(run: Run, file: Blob | FileSystemFileHandle): Promise<boolean> {
    await this.#open();
    return (await this.ghosts()).provide(run, file);
  }

  /** As `provide` of the run's handle. @throws PayloadMismatchError saying what differs */
  async providePayload(id: string, file: Blob | FileSystemFileHandle): Promise<boolean> {
    const handle = this.attach(id);
    return handle ? handle.provide(file) : false;
  }

  /**
   * What the code of a run appends to `ctx.stream(key)`, in whichever tab it runs: first what is stored, then what
   * comes. Reading rejects with StorageLostError where nobody knows the run. @throws ConfigurationError
   */
  stream<Chunk = any>(id: string, key: string, options?: ReadStreamOptions): StreamReader<Chunk> {
    return this.streams.reader(id, key, options);
  }

  /**
   * Logout: nothing of this namespace is left in this browser: runs, files, results, cache entries (but those of a
   * cache store of your own), marks and locks. This orchestrator ends, and so do those of other tabs
   * (`storageState.status` is `destroyed`, whoever waits hears NamespaceDestroyedError). Other namespaces stay. What
   * was cut short is finished by the next opening of the namespace, or by calling it again.
   * @throws NamespaceInUseError a tab did not leave it in time: nothing is deleted yet @throws ConfigurationError
   */
  async destroyNamespace(options: DestroyOptions = {}): Promise<void> {
    const { destroyOwn } = await import('../namespaces/destroy-own.ts');
    await destroyOwn(this as unknown as Orchestrator, options);
  }

  /**
   * Runs of this tab as text, one JSON object a line: to look into, to send with a bug report (`redact`), to import
   * elsewhere. Begins when it is read.
   * @throws ConfigurationError DisposedError
   */
  async exportState(options: ExportOptions = {}): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    await this.#open();
    const { checkExport, exportStream } = await import('../exchange/export.ts');
    checkExport(this as unknown as Orchestrator, options);
    return exportStream(this as unknown as Orchestrator, options);
  }

  /**
   * Takes in what was exported, all of it or nothing; runs whose ids are known, here or in another tab, are left as they are.
   * @throws ImportError with `data.line` and `data.reason` @throws StorageFullError PayloadTooLargeError ConfigurationError DisposedError
   */
  async importState(source: ReadableStream<Uint8Array | string> | Blob, options: ImportOptions = {}): Promise<ImportReport> {
    await this.#open();
    const { importState } = await import('../exchange/import.ts');
    return importState(this as unknown as Orchestrator, source, options);
  }

  /**
   * Gives another key: what it opens goes on here, and from now on it seals; `former` keys open too, and those given
   * before stay. Resolves to the number of runs that are still locked.
   * @throws ConfigurationError for a key that is none, or where this orchestrator has not been made with `encryption`
   */
  async unlock(encryption: EncryptionOptions): Promise<number> {
    const vault = await this.#vaultFor('unlock');
    return (await import('../vault/vault.ts')).unlock(this as unknown as Orchestrator, vault, encryption);
  }

  /**
   * Writes what this tab has stored anew, log and files, under the key that seals now; what was stored without a key too.
   * Resolves when all of it is. @throws StorageError for files that stay as they are: call it again @throws ConfigurationError DisposedError
   */
  async reseal(): Promise<void> {
    await this.#vaultFor('reseal');
    await (await import('../vault/vault.ts')).reseal(this as unknown as Orchestrator);
  }

  /** @throws why it can't be opened, or DisposedError */
  async #open(): Promise<void> {
    await this.ready;
    if (this.disposed) throw this.opening.closedBecause();
  }

  async #vaultFor(verb: string): Promise<Vault> {
    await this.#open();
    const vault = await this.opening.vault();
    if (!vault) throw new ConfigurationError(`${verb}() needs an orchestrator that was made with \`encryption\` (and stores something).`);
    return vault;
  }

  /** About what a compacted journal would hold. */
  liveBytes(): number {
    let bytes = 0;
    for (const run of this.pump.allRuns()) if (run) bytes += snapshotBytesOf(run);
    return bytes;
  }

  /** How much is stored, by what it is. Nothing (but memory) with storage `memory`. */
  async storageUsage(): Promise<StorageUsage> {
    await this.ready;
    const [inputs, steps, results, errors, streams] = Array.from({ length: 5 }, () => ({ count: 0, bytes: 0 })) as [Amount, Amount, Amount, Amount, Amount];
    const add = (amount: Amount, bytes: number | undefined, count = 1) => {
      if (bytes === undefined) return;
      amount.count += count;
      amount.bytes += bytes;
    };
    for (const run of this.pump.allRuns()) {
      if (!run) continue;
      if (run.extra.streams) {
        const { count, bytes } = (await this.streams.load()).recorderOf(this as unknown as Orchestrator, run).usage;
        add(streams, bytes, count);
      }
      add(inputs, run.envelope?.length);
      add(results, run.outputPayload?.length);
      add(errors, run.extra.errorPayload?.length);
      for (const step of run.extra.stepPayloads ?? []) add(steps, step.length);
      add(steps, run.extra.history?.bytes, run.extra.history?.entries.length);
    }
    const journal = { bytes: this.journal?.bytes ?? 0, liveBytes: this.journal ? this.liveBytes() : 0 };
    return { journal, inputs, steps, results, errors, streams, blobs: this.blobs.usage(), origin: await originUsage() };
  }
}

async function originUsage(): Promise<StorageUsage['origin']> {
  try {
    const { usage, quota } = await navigator.storage.estimate();
    return usage === undefined || quota === undefined ? undefined : { usageBytes: usage, quotaBytes: quota };
  } catch {
    return undefined;
  }
}
