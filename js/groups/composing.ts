/**
 * What an orchestrator makes of several runs: groups of the core and edges between runs, and what stands on them.
 * All but the names is loaded with the first use.
 */
import { batchApi, batchDoor } from '../batches/door.ts';
import type { BatchApi } from '../batches/types.ts';
import { Dependencies } from '../dependencies/dependencies.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { SignatureDoor } from '../signatures/door.ts';
import type { SignatureApi } from '../signatures/types.ts';
import { GraphDoor } from '../graph/door.ts';
import { Groups } from './groups.ts';

export abstract class Composing implements SignatureApi {
  readonly groups = new Groups(this.#house);
  readonly batches = batchDoor(this.#house);
  /** Many runs as one: `triggerByTaskAndWait`, `trigger`, `stream`, … */
  readonly batch: BatchApi = batchApi({ house: () => this.#house, own: true });
  readonly dependencies = new Dependencies(this.#house);
  /** Signatures, chains and swarms by their keys, and how they are found. */
  readonly signatures = new SignatureDoor(this.#house);

  /** Graphs of tasks, run durably: `run`, `get`, `list`. */
  readonly graphs = new GraphDoor(this.#house);

  get #house(): Orchestrator {
    return this as unknown as Orchestrator;
  }

  readonly sign: SignatureApi['sign'] = async (task: any, options?: any): Promise<any> => (await this.signatures.ready()).sign(task, options);
  readonly chain: SignatureApi['chain'] = async (tasks, options) => (await this.signatures.ready()).chain(tasks, options);
  readonly swarm: SignatureApi['swarm'] = async (tasks, options) => (await this.signatures.ready()).swarm(tasks, options);
  readonly loadSignature: SignatureApi['loadSignature'] = (key) => this.signatures.load(key);
  readonly lockTask: SignatureApi['lockTask'] = async (key, work) => (await this.signatures.ready()).lock(key, work);
}
