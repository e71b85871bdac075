/**
 * What an orchestrator has of runs that depend on others: signatures, chains, swarms. `Orchestrator` inherits it, so
 * that its own file is about runs. All of it but its names is loaded with the first use.
 */
import { Dependencies } from '../dependencies/dependencies.ts';
import { StoredData } from '../journal/stored-data.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { SignatureDoor } from './door.ts';
import type { Signature, SignatureApi } from './types.ts';

export abstract class Composing extends StoredData implements SignatureApi {
  readonly dependencies = new Dependencies(this as unknown as Orchestrator);
  /** Signatures, chains and swarms, what belongs to them, and how they are found. */
  readonly signatures = new SignatureDoor(this as unknown as Orchestrator);

  async sign(task: any, options?: any): Promise<any> {
    return (await this.signatures.ready()).sign(task, options);
  }
  async loadSignature(key: string): Promise<any> {
    return this.signatures.load(key);
  }
  async lockTask<Value>(key: string, work: (signature: Signature) => Value | Promise<Value>): Promise<Value> {
    return (await this.signatures.ready()).lock(key, work);
  }
}
