/**
 * What an orchestrator makes of several runs: groups of the core and edges between runs, and what stands on them.
 * All but the names is loaded with the first use.
 */
import { BatchDoor, batchApi } from '../batches/door.ts';
import type { BatchApi } from '../batches/types.ts';
import { Dependencies } from '../dependencies/dependencies.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { SignatureDoor } from '../signatures/door.ts';
import type { Signature, SignatureApi } from '../signatures/types.ts';
import { Groups } from './groups.ts';

export abstract class Composing implements SignatureApi {
  readonly groups = new Groups(this.#house);
  readonly batches = new BatchDoor(this.#house);
  /** Many runs as one: `triggerByTaskAndWait`, `trigger`, `stream`, … */
  readonly batch: BatchApi = batchApi({ house: () => this.#house, own: true });
  readonly dependencies = new Dependencies(this.#house);
  /** Signatures, chains and swarms by their keys, and how they are found. */
  readonly signatures = new SignatureDoor(this.#house);

  get #house(): Orchestrator {
    return this as unknown as Orchestrator;
  }

  async sign(task: any, options?: any): Promise<any> {
    return (await this.signatures.ready()).sign(task, options);
  }
  async chain(tasks: readonly any[], options?: any): Promise<any> {
    return (await this.signatures.ready()).chain(tasks, options);
  }
  async loadSignature(key: string): Promise<any> {
    return this.signatures.load(key);
  }
  async lockTask<Value>(key: string, work: (signature: Signature) => Value | Promise<Value>): Promise<Value> {
    return (await this.signatures.ready()).lock(key, work);
  }
}
