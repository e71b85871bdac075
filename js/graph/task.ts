/**
 * A node of a graph: what it needs, what it gives, and what it does in between. Subclasses say so by statics and
 * `execute`.
 *
 * Invariants: what a run does with it stands in that run; `status`, `runInputData` and `runOutputData` mirror the run
 * that its graph shows. `execute` gets all that it needs as arguments, and may be called by several runs at once, so
 * it keeps nothing on `this`.
 */
import type { RunContext } from '../context/context.ts';
import { describe } from '../intake/checks.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { wallClockMs } from '../time/clock.ts';
import type { TriggerOptions } from '../types.ts';
import { Beginning } from './beginning.ts';
import { configIssues } from './config-checks.ts';
import { EventEmitter, type Listener } from './emitter.ts';
import { TaskConfigurationError, type TaskError, TaskInvalidInputError, TaskSerializationError } from './errors.ts';
import type { StreamEvent, TaskEvents } from './events.ts';
import type { InputStream } from './output-stream.ts';
import { refuseNesting } from './nesting.ts';
import { dependencyForm, type JsonTaskItem } from './forms.ts';
import { copyPlain, refuseFunctions } from './plain-values.ts';
import type { Provenance } from './provenance.ts';
import type { TaskRegistry } from './registry.ts';
import { defaultsOf, type JsonSchema, type JsonSchemaObject, portOf, requiredPorts } from './schema.ts';
import type { TaskGraph } from './task-graph.ts';
import { type GraphRunOptions, type TaskConfig, type TaskGraphItemJson, type TaskIdType, type TaskInput, type TaskOutput, TaskStatus } from './types.ts';

/** What `execute` gets beside the input. */
export interface ExecuteContext {
  /** Aborted when the node, its run or its time is over. */
  readonly signal: AbortSignal;
  readonly registry: TaskRegistry;
  /** Of the node's run: steps, sleeps, waits, children, all durable. */
  readonly durable: RunContext;
  /** Of the graph's run. */
  readonly graphRunId: string;
  /** Of the run that all of it is part of, whose graph stands in no node: the one that people began. */
  readonly rootGraphRunId: string;
  /** 0-100 of this node. */
  updateProgress(progress: number | undefined, message?: string, ...more: any[]): Promise<void>;
  /**
   * Runs a graph within this node, as a run of its own that is found again by `key` after a crash. Gives what it gave,
   * merged. Default key: its place among the calls of this execution.
   */
  runGraph(graph: TaskGraph, input?: TaskInput, options?: SubgraphOptions): Promise<any>;
  /** Says that a graph or task belongs to this node. */
  own<Each>(owned: Each): Each;
  /**
   * Of input ports that say how they grow (`x-stream`): their pieces, as they come where both ends of the edge stream, else
   * one snapshot of what is there. Each ends with `finish`, which has the whole; a source that fails is an error of
   * the stream. Pieces speak of the port by its name here. A port that streams has no value in the input.
   * undefined: no port of the task says how it grows.
   */
  readonly inputStreams?: ReadonlyMap<string, InputStream>;
  /** @internal Where pieces of the output go. */
  readonly outlet?: Outlet;
}

/** @internal Where pieces of an output go. */
export interface Outlet {
  /** Nobody wants the whole, so pieces are not gathered. */
  readonly isHeardOnly: boolean;
  told(event: StreamEvent): void;
  /** @param output what has come so far, with this piece. Gives: until there is room for the next one; undefined: there is */
  gave(event: StreamEvent, output: TaskOutput): Promise<void> | undefined;
  gaveAll(output: TaskOutput): void;
  broke(error: unknown): void;
}

export interface SubgraphOptions extends Pick<GraphRunOptions, 'matchAllEmptyInputs' | 'concurrency' | 'failurePolicy' | 'resultsOrder' | 'timeout'> {
  /** Unique in this execution. */
  key?: string;
  /** Default 'PROPERTY_ARRAY'. */
  merge?: import('./types.ts').MergeStrategy;
  /** The graph's own tasks show this run: their events and values. Default false: several may run at once. */
  shown?: boolean;
  /** Hears how far it is: 0-100. */
  progressed?: ((progress: number) => void) | undefined;
  /** @internal Pieces of this task of the graph are pieces of the node. */
  passed?: Passed | undefined;
}

/** @internal */
export interface Passed {
  readonly from: TaskIdType;
  readonly outlet: Outlet;
}

const nothing: readonly string[] = Object.freeze([]);
const anything: JsonSchemaObject = Object.freeze({ type: 'object', properties: {}, additionalProperties: true });

/** Keys that every config may have; a class names others in `configSchema()`, and what their values may be. */
export const TaskConfigSchema = {
  type: 'object',
  properties: {
    id: { type: 'string', minLength: 1 }, title: { type: 'string' }, name: { type: 'string' }, description: { type: 'string' }, cacheable: { type: 'boolean' },
    timeout: { type: ['number', 'string', 'object'], 'x-duration': true, description: "Milliseconds that it may run, or a text like '10s'; 0: no limit" },
    inputSchema: { type: ['object', 'boolean'] }, outputSchema: { type: ['object', 'boolean'] },
    disabled: { type: 'boolean' }, extras: { type: 'object' }, defaults: { type: 'object' }, provenance: { type: 'object' },
  },
  additionalProperties: false,
} as const satisfies JsonSchema;

export class Task<Input extends TaskInput = TaskInput, Output extends TaskOutput = TaskOutput, Config extends TaskConfig = TaskConfig> {
  /** Its name in stored graphs, where registered. */
  static readonly type: string = 'Task';
  static readonly category: string = 'Hidden';
  static readonly title: string = '';
  static readonly description: string = '';
  /** Its output depends on nothing but its input, so it may be kept. */
  static readonly cacheable: boolean = true;
  /** Part of what its kept outputs are found by; another version finds none of the former. */
  static readonly version: number | string | undefined = undefined;
  /** Its ports depend on its config. */
  static readonly hasDynamicSchemas: boolean = false;
  /** What comes in goes out as well. */
  static readonly passthroughInputsToOutputs: boolean = false;
  static readonly customizable: boolean = false;
  /** Where a graph has leaves of such classes, only those are its result. */
  static readonly isGraphOutput: boolean = false;
  static readonly isPassthrough: boolean = false;
  static readonly hasDynamicEntitlements: boolean = false;
  /** Where an input port says how it grows (`x-stream`) its code reads `inputStreams`, so it may begin when pieces begin to come. */
  static readonly takesStreams: boolean = true;

  static inputSchema(): JsonSchema {
    return anything;
  }
  static outputSchema(): JsonSchema {
    return anything;
  }
  /**
   * What its configs may say: as it is made, and where a document is read, values are held to `type`, `const`, `enum`, `minimum`,
   * `maximum`, `minLength`, `items`, `properties`, `anyOf`, and `'x-duration': true`. What is required its constructor says.
   */
  static configSchema(): JsonSchema {
    return TaskConfigSchema;
  }

  readonly config: Config;
  /** Of an editor, and of whoever stores it: what else stands with it in its document. */
  extras: Record<string, any> | undefined = undefined;
  defaults: Record<string, any>;
  runConfig: Partial<GraphRunOptions>;
  runInputData: Record<string, any> = {};
  runOutputData: Record<string, any> = {};
  status: TaskStatus = TaskStatus.PENDING;
  progress = 0;
  error: TaskError | Error | undefined = undefined;
  /** The graph that it stands in. */
  parentGraph: TaskGraph | undefined = undefined;
  readonly #createdAtMs = wallClockMs();
  startedAtMs: number | undefined = undefined;
  completedAtMs: number | undefined = undefined;
  #events: EventEmitter<TaskEvents> | undefined;
  #subGraph: TaskGraph | undefined;
  /** What was set for runs of itself. */
  #given: Record<string, any> | undefined;

  /** @throws TaskConfigurationError */
  constructor(config: Partial<Config> = {}, runConfig: Partial<GraphRunOptions> = {}) {
    checkConfig(new.target, config);
    this.config = { ...config, id: config.id ?? crypto.randomUUID() } as Config;
    this.runConfig = runConfig;
    this.defaults = config.defaults ?? {};
    if (config.disabled) this.status = TaskStatus.DISABLED;
    if (config.defaults !== undefined) this.resetInputData();
  }

  get id(): string {
    return this.config.id!;
  }
  get type(): string {
    return (this.constructor as typeof Task).type;
  }
  get category(): string {
    return (this.constructor as typeof Task).category;
  }
  get title(): string {
    return this.config.title ?? this.config.name ?? saidName(this.extras) ?? ((this.constructor as typeof Task).title || this.type);
  }
  get description(): string {
    return this.config.description ?? (this.constructor as typeof Task).description;
  }
  get cacheable(): boolean {
    return this.config.cacheable ?? (this.constructor as typeof Task).cacheable;
  }
  get createdAt(): Date {
    return new Date(this.#createdAtMs);
  }
  get startedAt(): Date | undefined {
    return this.startedAtMs === undefined ? undefined : new Date(this.startedAtMs);
  }
  get completedAt(): Date | undefined {
    return this.completedAtMs === undefined ? undefined : new Date(this.completedAtMs);
  }

  inputSchema(): JsonSchema {
    return this.config.inputSchema ?? (this.constructor as typeof Task).inputSchema();
  }
  outputSchema(): JsonSchema {
    return this.config.outputSchema ?? (this.constructor as typeof Task).outputSchema();
  }
  configSchema(): JsonSchema {
    return (this.constructor as typeof Task).configSchema();
  }
  inputPort(port: string): JsonSchema | undefined {
    return portOf(this.inputSchema(), port);
  }
  outputPort(port: string): JsonSchema | undefined {
    return portOf(this.outputSchema(), port);
  }

  /** It gives its output piece by piece: it has an `executeStream`. */
  get givesStreams(): boolean {
    return typeof (this as { executeStream?: unknown }).executeStream === 'function';
  }

  // What it does

  /** The work: by ports in, by ports out. undefined: nothing comes out. */
  execute(_input: Input, _context: ExecuteContext): Output | undefined | Promise<Output | undefined> {
    throw new TaskConfigurationError(`Class ${this.type} has no execute(input, context).`);
  }

  /** Quick, for an editor; touches nothing. */
  executePreview(_input: Input, _context: Pick<ExecuteContext, 'own'>): Output | undefined | Promise<Output | undefined> {
    return undefined;
  }

  /** Output ports whose edges are disabled by what it gave. Depends on the output alone. */
  inactivePorts(_output: Output): readonly string[] {
    return nothing;
  }

  /** What the run of its node is made with: queue, retries. undefined: nothing of its own. @throws TaskConfigurationError */
  runOptions(_house: Orchestrator): TriggerOptions | undefined {
    return undefined;
  }

  /** What is told of a failure in place of what its code threw. */
  failure(thrown: Error): Error {
    return thrown;
  }

  /** By itself: as a graph of one node. Gives what it gave. @throws TaskError */
  async run(overrides: Partial<Input> = {}, config: GraphRunOptions = {}): Promise<Output> {
    const beginning = new Beginning();
    this.aborting = beginning.abort;
    const { runAlone } = await import('./alone.ts');
    return runAlone(this as Task<any, any, any>, overrides, { ...this.runConfig, ...config }, beginning);
  }

  async runPreview(overrides: Partial<Input> = {}): Promise<Output> {
    const { previewTask } = await import('./preview.ts');
    return previewTask(this as Task<any, any, any>, overrides);
  }

  /** @internal What ends the execution that is shown. */
  aborting: ((reason?: unknown) => void) | undefined = undefined;

  /** Ends the run in which it stands. */
  abort(reason?: unknown): void {
    if (this.aborting) this.aborting(reason);
    else this.parentGraph?.abort(reason);
  }

  /**
   * Switched off: not executed from the next run on until `enable`, and neither is what only follows it. Kept with its
   * config. In a run that its graph shows it is disabled as soon as the call is over.
   * @throws TaskConfigurationError where such a run has begun it already, and nothing is changed
   */
  async disable(): Promise<void> {
    if (!this.isDisabled) switchTask(this as Task<any, any, any>, true);
  }
  /** From the next run on it is executed again. @throws TaskConfigurationError where a run that goes on has left it out */
  async enable(): Promise<void> {
    if (this.isDisabled) switchTask(this as Task<any, any, any>, false);
  }
  get isDisabled(): boolean {
    return this.config.disabled === true;
  }

  // Values

  /** @throws TaskConfigurationError where a run that goes on has begun it */
  setDefaults(defaults: Partial<Input>): void {
    const set = (): void => {
      this.defaults = defaults;
      this.resetInputData();
    };
    if (this.parentGraph) this.parentGraph.retouch(this.id, set);
    else set();
  }
  /** The inputs are the defaults again, by value where that is plain data. */
  resetInputData(): void {
    this.#given = undefined;
    this.#showDefaults();
  }
  #showDefaults(): void {
    this.runInputData = copyPlain(this.defaults) as Record<string, any>;
  }
  /** What `run()` and `runPreview()` of the task by itself take, over its defaults, until `resetInputData()`. In a graph it gets what that brings. */
  setInput(input: Partial<Input>): void {
    for (const [port, value] of Object.entries(input)) if (value !== undefined) (this.#given ??= {})[port] = this.runInputData[port] = value;
  }
  /** As `setInput`; lists are joined at ports that take lists, elsewhere the new value counts. True: something changed. */
  addInput(overrides: Partial<Input> | undefined): boolean {
    if (!overrides) return false;
    let changed = false;
    for (const [port, value] of Object.entries(overrides)) {
      if (!addPort(this as Task<any, any, any>, this.runInputData, port, value)) continue;
      (this.#given ??= {})[port] = this.runInputData[port];
      changed = true;
    }
    return changed;
  }
  /** @internal What was set, and these over it. */
  inputWith(overrides: Partial<Input>): Record<string, any> {
    return { ...this.#given, ...overrides };
  }

  /** What is missing of what it needs, and whatever else its schema refuses. @throws TaskInvalidInputError */
  async validateInput(input: Input): Promise<boolean> {
    const { checkInput } = await import('./validate.ts');
    await checkInput(this as Task<any, any, any>, input);
    return true;
  }

  /** Values are made to fit ports that may take them: for subclasses. */
  narrowInput(input: Input, _registry: TaskRegistry): Input | Promise<Input> {
    return input;
  }

  /** @internal Required ports without a value. */
  missingPorts(input: Record<string, any>): string[] {
    const required = requiredPorts(this.inputSchema());
    return required.length === 0 ? [] : required.filter((port) => input[port] === undefined);
  }

  // A graph in it

  hasChildren(): boolean {
    return this.#subGraph !== undefined && this.#subGraph.size > 0;
  }
  /** undefined: it has none. */
  get subGraph(): TaskGraph | undefined {
    return this.#subGraph;
  }
  /** @throws TaskConfigurationError of what is no graph; CycleError where it would stand in itself */
  set subGraph(graph: TaskGraph | undefined) {
    if (graph !== undefined && typeof (graph as Partial<TaskGraph> | null)?.getTasks !== 'function') throw new TaskConfigurationError(`Task ${this.id} (${this.type}): subGraph must be a TaskGraph, not ${describe(graph)}.`);
    if (graph) refuseNesting(graph, this.parentGraph, this as Task<any, any, any>);
    this.#subGraph = graph;
    this.regenerateGraph();
  }
  /** Its ports may be others now. */
  regenerateGraph(): void {
    this.emit('regenerate');
  }

  /** Where what it gave in the run that its graph shows comes from; undefined: it has given nothing there. */
  getProvenance(): Provenance | undefined {
    return this.parentGraph?.getProvenance(this.id);
  }
  get provenance(): Provenance | undefined {
    return this.getProvenance();
  }

  // As a document

  canSerializeConfig(): boolean {
    return true;
  }

  /** @throws TaskSerializationError where its config has functions */
  toJSON(): TaskGraphItemJson {
    const { id, type } = this;
    if (!this.canSerializeConfig()) throw new TaskSerializationError(`Task ${id} (${type}) can't be stored: its work is a function of this page. Make it a class, and register that.`, { data: { taskId: id } });
    const { id: _id, defaults: _defaults, provenance, ...config } = this.config;
    const plain = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
    for (const [key, value] of Object.entries(plain)) refuseFunctions(value, `config.${key}`, id, type);
    return {
      ...this.extras, id, type,
      ...(Object.keys(this.defaults).length > 0 && { defaults: this.defaults }),
      ...(Object.keys(plain).length > 0 && { config: plain }),
      ...(provenance && Object.keys(provenance).length > 0 && { provenance }),
      ...(this.#subGraph && { subgraph: this.#subGraph.toJSON() }),
    };
  }

  /** The same in the dependency form. @throws TaskSerializationError */
  toDependencyJSON(): JsonTaskItem {
    return dependencyForm({ tasks: [this.toJSON()], dataflows: [] })[0]!;
  }

  // Events

  setStatus(status: TaskStatus): void {
    if (this.status === status) return;
    this.status = status;
    this.#events?.emit('status', status);
    this.parentGraph?.heardStatus(this as Task<any, any, any>, status);
  }
  resetStatus(): void {
    this.setStatus(this.isDisabled ? TaskStatus.DISABLED : TaskStatus.PENDING);
    this.progress = 0;
    this.error = this.startedAtMs = this.completedAtMs = undefined;
    this.runOutputData = {};
    this.#showDefaults();
    this.emit('reset');
  }
  protected emitSchemaChange(input?: JsonSchema, output?: JsonSchema): void {
    this.emit('schemaChange', input ?? this.inputSchema(), output ?? this.outputSchema());
  }

  get events(): EventEmitter<TaskEvents> {
    return (this.#events ??= new EventEmitter());
  }
  on<Name extends keyof TaskEvents>(name: Name, listener: Listener<TaskEvents[Name]>): void {
    this.events.on(name, listener as Listener<any>);
  }
  off<Name extends keyof TaskEvents>(name: Name, listener: Listener<TaskEvents[Name]>): void {
    this.#events?.off(name, listener as Listener<any>);
  }
  once<Name extends keyof TaskEvents>(name: Name, listener: Listener<TaskEvents[Name]>): void {
    this.events.once(name, listener as Listener<any>);
  }
  subscribe<Name extends keyof TaskEvents>(name: Name, listener: Listener<TaskEvents[Name]>): () => void {
    return this.events.subscribe(name, listener as Listener<any>);
  }
  waitOn<Name extends keyof TaskEvents>(name: Name): Promise<TaskEvents[Name]> {
    return this.events.waitOn(name) as Promise<TaskEvents[Name]>;
  }
  emit<Name extends keyof TaskEvents>(name: Name, ...given: TaskEvents[Name]): void {
    this.#events?.emit(name, ...(given as any));
  }
}

/** As a document may have it beside the config. */
function saidName({ title, name }: Record<string, any> = {}): string | undefined {
  return [title, name].find((one) => typeof one === 'string');
}

function switchTask(task: Task<any, any, any>, off: boolean): void {
  const { parentGraph } = task;
  const set = (): void => {
    if (off) task.config.disabled = true;
    else delete task.config.disabled;
  };
  if (parentGraph) parentGraph.retouch(task.id, set);
  else set();
  // In a run it is told when that is so.
  if (parentGraph?.shown?.isRunning) return;
  task.setStatus(off ? TaskStatus.DISABLED : TaskStatus.PENDING);
  if (off) task.emit('disabled');
}

/** @throws TaskConfigurationError with `data.issues` of all that is wrong */
function checkConfig(type: typeof Task, config: object): void {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) throw new TaskConfigurationError(`${type.type}: config must be an object, not ${describe(config)}.`);
  const issues = configIssues(type, config as TaskConfig, TaskConfigSchema.properties);
  if (issues) throw new TaskConfigurationError(`${type.type}: ${issues.map(({ message }) => message).join(' ')}`, { data: { issues } });
}

/** One value comes to a port. True: something changed. */
export function addPort(task: Task<any, any, any>, inputs: Record<string, any>, port: string, value: unknown): boolean {
  if (value === undefined) return false;
  const former = inputs[port];
  if (former !== undefined && (Array.isArray(former) || Array.isArray(value)) && takesLists(task, port, former)) {
    inputs[port] = [...(Array.isArray(former) ? former : [former]), ...(Array.isArray(value) ? value : [value])];
    return true;
  }
  inputs[port] = value;
  return former !== value;
}

/** A port for lists, or for anything where there is a list already. */
export function takesLists(task: Task<any, any, any>, port: string, former?: unknown): boolean {
  const schema = task.inputPort(port);
  if (schema === undefined || schema === true) return Array.isArray(former);
  if (schema === false) return false;
  if (isForLists(schema)) return true;
  return schema.type === undefined && schema.anyOf === undefined && schema.oneOf === undefined && Array.isArray(former);
}

export function isForLists(port: JsonSchema | undefined): boolean {
  if (typeof port !== 'object') return false;
  const { type } = port;
  return type === 'array' || (Array.isArray(type) && type.includes('array'));
}

/** @throws TaskInvalidInputError */
export function refuseMissing(task: Task<any, any, any>, missing: readonly string[]): never {
  throw new TaskInvalidInputError(`Task ${task.id} (${task.type}) needs ${missing.map((port) => JSON.stringify(port)).join(', ')}, which nothing gives: connect the port, or give a default.`, { data: { taskId: task.id, missing } });
}

export { defaultsOf };
