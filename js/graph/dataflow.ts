/**
 * An edge: a port of one task feeds a port of another.
 *
 * Invariants: its id is made of its four ends, so there is one edge between two ports; while a graph runs its status
 * mirrors that of its source.
 */
import { describe } from '../intake/checks.ts';
import { EventEmitter, type Listener } from './emitter.ts';
import { TaskAbortedError, TaskConfigurationError } from './errors.ts';
import type { DataflowEvents } from './events.ts';
import type { Provenance } from './provenance.ts';
import type { DataflowIdType, DataflowJson, TaskIdType, TaskInput, TransformStep } from './types.ts';
import { TaskStatus } from './types.ts';

/** As a source port: the whole output; as a target port: the value's properties go into the inputs. */
export const DATAFLOW_ALL_PORTS = '*';
/** As a source port: `{ error, errorType }` of a task that failed. */
export const DATAFLOW_ERROR_PORT = '[error]';

function checkEnd(name: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') throw new TaskConfigurationError(`Dataflow: ${name} must be text of at least one character, not ${describe(value)}.`);
}

export class Dataflow {
  readonly sourceTaskId: TaskIdType;
  readonly sourceTaskPortId: string;
  readonly targetTaskId: TaskIdType;
  readonly targetTaskPortId: string;
  /** What it carries in the run that is shown, transformed. */
  value: any = undefined;
  status: TaskStatus = TaskStatus.PENDING;
  error: Error | undefined = undefined;
  /** Of an editor, and of whoever stores it: what else stands with it in its document. */
  extras: Record<string, any> | undefined = undefined;
  /** @internal The run whose value it carries. */
  shownBy: { getProvenance(taskId: TaskIdType): Provenance | undefined } | undefined = undefined;
  #provenance: Provenance | undefined;
  #id: DataflowIdType | undefined;
  #transforms: readonly TransformStep[] = [];
  #events: EventEmitter<DataflowEvents> | undefined;

  /** @throws TaskConfigurationError where an end is no text */
  constructor(sourceTaskId: TaskIdType, sourceTaskPortId: string, targetTaskId: TaskIdType, targetTaskPortId: string) {
    checkEnd('sourceTaskId', sourceTaskId);
    checkEnd('sourceTaskPortId', sourceTaskPortId);
    checkEnd('targetTaskId', targetTaskId);
    checkEnd('targetTaskPortId', targetTaskPortId);
    this.sourceTaskId = sourceTaskId;
    this.sourceTaskPortId = sourceTaskPortId;
    this.targetTaskId = targetTaskId;
    this.targetTaskPortId = targetTaskPortId;
  }

  static createId(sourceTaskId: TaskIdType, sourceTaskPortId: string, targetTaskId: TaskIdType, targetTaskPortId: string): DataflowIdType {
    return `${sourceTaskId}[${sourceTaskPortId}] ==> ${targetTaskId}[${targetTaskPortId}]`;
  }

  get id(): DataflowIdType {
    return (this.#id ??= Dataflow.createId(this.sourceTaskId, this.sourceTaskPortId, this.targetTaskId, this.targetTaskPortId));
  }

  get isError(): boolean {
    return this.sourceTaskPortId === DATAFLOW_ERROR_PORT;
  }

  /** Where what it carries comes from: that of its source. undefined: it carries nothing. */
  get provenance(): Provenance | undefined {
    return this.#provenance ?? this.shownBy?.getProvenance(this.sourceTaskId);
  }

  /** Takes its port of what its source gave. */
  setPortData(output: any, provenance?: Provenance): void {
    this.value = this.sourceTaskPortId === DATAFLOW_ALL_PORTS || this.isError ? output : output?.[this.sourceTaskPortId];
    if (provenance) this.#provenance = provenance;
  }

  /** What it gives to its target, by ports. */
  getPortData(): TaskInput {
    if (this.targetTaskPortId === DATAFLOW_ALL_PORTS) return this.value ?? {};
    return { [this.targetTaskPortId]: this.value };
  }

  reset(): void {
    this.value = this.error = this.#provenance = this.shownBy = undefined;
    this.setStatus(TaskStatus.PENDING);
    this.emit('reset');
  }

  setStatus(status: TaskStatus): void {
    if (this.status === status) return;
    this.status = status;
    if (!this.#events) return;
    this.emit('status', status);
    if (status === TaskStatus.PROCESSING) this.emit('start');
    else if (status === TaskStatus.STREAMING) this.emit('streaming');
    else if (status === TaskStatus.COMPLETED) this.emit('complete');
    else if (status === TaskStatus.DISABLED) this.emit('disabled');
    else if (status === TaskStatus.ABORTING) this.emit('abort');
    else if (status === TaskStatus.FAILED && this.error && !(this.error instanceof TaskAbortedError)) this.emit('error', this.error);
  }

  // Transforms

  getTransforms(): readonly TransformStep[] {
    return this.#transforms;
  }
  /** What happens to the value on the way, one after the other; by ids of the registry. @throws TaskConfigurationError of what is no list of `{ id, params }` */
  setTransforms(steps: readonly TransformStep[]): this {
    if (!Array.isArray(steps) || steps.some((step) => typeof step?.id !== 'string')) throw new TaskConfigurationError(`Edge ${this.id}: transforms are a list of { id, params }, not ${describe(steps)}.`);
    this.#transforms = steps.map(({ params, ...step }) => Object.freeze(params ? { ...step, params: { ...params } } : step));
    return this;
  }
  addTransform(step: TransformStep): this {
    return this.setTransforms([...this.#transforms, step]);
  }
  removeTransform(index: number): this {
    return this.setTransforms(this.#transforms.filter((_, at) => at !== index));
  }

  toJSON(): DataflowJson {
    const { sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId } = this;
    const transforms = this.#transforms.length > 0 ? { transforms: this.#transforms.map(({ params, ...step }) => (params ? { ...step, params: { ...params } } : step)) } : {};
    return { ...this.extras, sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId, ...transforms };
  }

  // Events

  get events(): EventEmitter<DataflowEvents> {
    return (this.#events ??= new EventEmitter());
  }
  on<Name extends keyof DataflowEvents>(name: Name, listener: Listener<DataflowEvents[Name]>): void {
    this.events.on(name, listener as Listener<any>);
  }
  off<Name extends keyof DataflowEvents>(name: Name, listener: Listener<DataflowEvents[Name]>): void {
    this.#events?.off(name, listener as Listener<any>);
  }
  once<Name extends keyof DataflowEvents>(name: Name, listener: Listener<DataflowEvents[Name]>): void {
    this.events.once(name, listener as Listener<any>);
  }
  subscribe<Name extends keyof DataflowEvents>(name: Name, listener: Listener<DataflowEvents[Name]>): () => void {
    return this.events.subscribe(name, listener as Listener<any>);
  }
  waitOn<Name extends keyof DataflowEvents>(name: Name): Promise<DataflowEvents[Name]> {
    return this.events.waitOn(name) as Promise<DataflowEvents[Name]>;
  }
  emit<Name extends keyof DataflowEvents>(name: Name, ...given: DataflowEvents[Name]): void {
    this.#events?.emit(name, ...(given as any));
  }
}

const arrow = /^(.+?)\[([^\]]+|\[error\])\] ==> (.+?)\[([^\]]+|\[error\])\]$/;

/** An edge by its id: `new DataflowArrow('a[text] ==> b[body]')`. @throws TaskConfigurationError */
export class DataflowArrow extends Dataflow {
  constructor(id: string) {
    const ends = arrow.exec(id);
    if (!ends) throw new TaskConfigurationError(`An edge reads "source[port] ==> target[port]", not ${JSON.stringify(id)}.`);
    super(ends[1]!, ends[2]!, ends[3]!, ends[4]!);
  }
}
