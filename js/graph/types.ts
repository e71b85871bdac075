/** The public shapes of task graphs: ports and their values, statuses, results, what a run is told. */
import type { Duration } from '../types.ts';
import type { TaskStatus as RunStatus } from '../types.ts';
import type { EntitlementPolicy } from './entitlements.ts';
import type { JsonSchema } from './schema.ts';
import type { Explanation } from './explaining.ts';
import type { Provenance } from './provenance.ts';
import type { TaskRegistry } from './registry.ts';

/** Of a task within its graph: text, unique there. */
export type TaskIdType = string;
/** `source[port] ==> target[port]` */
export type DataflowIdType = `${string}[${string}] ==> ${string}[${string}]`;
/** The name under which a class of tasks is found in a registry, so in a stored graph too. */
export type TaskTypeName = string;

/** Values by ports. */
export type TaskInput = Record<string, any>;
export type TaskOutput = Record<string, any>;

/** What a task, or an edge (which has its source's), is doing. */
export const TaskStatus = {
  PENDING: 'PENDING', DISABLED: 'DISABLED', PROCESSING: 'PROCESSING', STREAMING: 'STREAMING', COMPLETED: 'COMPLETED', ABORTING: 'ABORTING', FAILED: 'FAILED',
} as const;
export type TaskStatus = (typeof TaskStatus)[keyof typeof TaskStatus];

/** Of a node: what a drawn graph says of it. Subclasses may have more, which `configSchema()` names. */
export interface TaskConfig {
  /** Unique in its graph. Default: a random UUID. */
  id?: TaskIdType;
  /** Shown name; `name` is the same. Default: the title of its class. */
  title?: string;
  name?: string;
  description?: string;
  /** Its outputs are kept when the run has an output cache. Default: what its class says. */
  cacheable?: boolean;
  /** How long it may run: milliseconds, or a text like '10s'; then it fails with a TaskTimeoutError. Default, and 0: no limit. */
  timeout?: Duration;
  /** Ports of this node, in place of those of its class. */
  inputSchema?: JsonSchema;
  outputSchema?: JsonSchema;
  /** Values of ports that nothing else gives. */
  defaults?: Record<string, any>;
  /** It is switched off: not executed, and neither is what only follows it. Default false. `disable()` and `enable()` set it. */
  disabled?: boolean;
  /** Of yours: kept and ignored. */
  extras?: Record<string, any>;
  /** Of its outputs, beside where they come from. */
  provenance?: Record<string, any>;
  [more: string]: any;
}

/** What a node gave, with which node it was. */
export interface GraphResult<Output = TaskOutput> {
  readonly id: TaskIdType;
  readonly type: TaskTypeName;
  readonly data: Output;
}
/** What `graph.run()` gives: the nodes without outgoing edges, in the order in which they were added. */
export type GraphResultArray<Output = TaskOutput> = GraphResult<Output>[];

/** How the results of several leaves become one output; by name, or a function. */
export type MergeStrategy =
  | 'GRAPH_RESULT_ARRAY' | 'PROPERTY_ARRAY'
  | 'last' | 'named' | 'unordered-array' | 'property-array' | 'last-or-named' | 'last-or-unordered-array' | 'last-or-property-array'
  | 'by-id' | 'deep-merge'
  | ((results: GraphResultArray) => any);

/**
 * What a failed node does to the others. `abort` (default): what runs is aborted, nothing begins any more, and the
 * run rejects with the first error. `continue-independent`: what does not depend on it goes on, then the run rejects.
 * `collect`: the same, and the run gives what it has; the errors stand with their nodes.
 */
export type FailurePolicy = 'abort' | 'continue-independent' | 'collect';

/** Where outputs of nodes are kept, by type and by what they were made of: what `taskOutputRepository(cache)` of `holdfast/cache` gives is one. */
export interface OutputRepository {
  saveOutput(taskType: string, inputs: unknown, output: unknown): Promise<void>;
  /** undefined: there is none. */
  getOutput(taskType: string, inputs: unknown): Promise<any>;
}

export interface GraphRunOptions {
  /**
   * Every node's output is kept and found again by its inputs, class, version and config. `true`: in the orchestrator's cache
   * (`createOrchestrator({ cache })`). A repository (`taskOutputRepository(cache)` of `holdfast/cache`, or your own): in that, as
   * long as this page lives; a run that goes on in a later page executes what it has not. Default: the graph's `outputCache`, else none.
   */
  outputCache?: boolean | OutputRepository | undefined;
  /** The graph's input goes to every node with a required port that nothing gives, not only to those without incoming edges. Default false. */
  matchAllEmptyInputs?: boolean;
  /** Aborts the run, as long as this page lives. */
  parentSignal?: AbortSignal;
  /** As `parentSignal`. */
  signal?: AbortSignal;
  /** Where types and transforms are found. Default: that of the page. */
  registry?: TaskRegistry;
  /** Pieces of leaves that stream are gathered for the result. Default true; false: they are only told, and such a leaf gives what its `snapshot` or `finish` has. */
  accumulateLeafOutputs?: boolean;
  /** For the whole run: then it is aborted and rejects with a TaskGraphTimeoutError. Milliseconds, or a text like '10s'. */
  timeout?: Duration;
  /** What its tasks may do beyond computing; a graph that asks for more is refused with a TaskEntitlementError. Default: anything. */
  entitlements?: EntitlementPolicy;
  /** More nodes than this are refused before anything begins. Default: no limit. */
  maxTasks?: number;
  /** Nodes that run at once. Default: no limit. */
  concurrency?: number;
  failurePolicy?: FailurePolicy;
  /** `insertion` (default): leaves in the order in which their nodes were added. `completion`: as they ended. */
  resultsOrder?: 'insertion' | 'completion';
  /** Under every output's own, as that of a parent. */
  parentProvenance?: Record<string, any>;
  /** Shown name of the run. Default: 'Graph'. */
  name?: string;
  metadata?: Record<string, any>;
  tags?: string | readonly string[];
  /** Found again by it. Default: a new one. */
  runId?: string;
}

/** A step of what happens to a value on an edge. */
export interface TransformStep {
  readonly id: string;
  readonly params?: Record<string, any>;
}

/** How two ports fit: by their schemas, maybe (the value says), not at all. */
export type Compatibility = 'static' | 'runtime' | 'incompatible';

/** A graph as it is stored. Unknown keys are kept. */
export interface TaskGraphJson {
  $schema?: string;
  version?: number;
  tasks: TaskGraphItemJson[];
  dataflows: DataflowJson[];
  /** Of an editor. */
  layout?: Record<string, any>;
  meta?: Record<string, any>;
  [more: string]: any;
}
export interface TaskGraphItemJson {
  id: TaskIdType;
  type: TaskTypeName;
  defaults?: Record<string, any>;
  config?: Record<string, any>;
  subgraph?: TaskGraphJson;
  merge?: string;
  provenance?: Record<string, any>;
  [more: string]: any;
}
export interface DataflowJson {
  sourceTaskId: TaskIdType;
  sourceTaskPortId: string;
  targetTaskId: TaskIdType;
  targetTaskPortId: string;
  transforms?: TransformStep[];
  [more: string]: any;
}

/** A node of a run, as it stands. */
export interface NodeState {
  readonly id: TaskIdType;
  readonly type: TaskTypeName;
  readonly status: TaskStatus;
  /** 0-100 */
  readonly progress: number;
  /** Its run; undefined until it is made. */
  readonly runId: string | undefined;
  readonly error?: Error;
  readonly fromCache?: boolean;
}

/** What a run would do with a node: `graphs.plan`. */
export interface PlannedNode {
  readonly id: TaskIdType;
  readonly type: TaskTypeName;
  /** `cached`: its output is there. `blocked`: something that it needs is missing, or what it follows is blocked. `disabled`: no edge into it is active. */
  readonly action: 'cached' | 'run' | 'blocked' | 'disabled';
  readonly why: string;
}

/** A run of a graph, found again by its id in any later page. */
export interface GraphRun<Output = any> {
  readonly id: string;
  /** As its run says: `pending`, `running`, `paused`, `completed`, `failed`, `cancelled`. */
  readonly status: RunStatus;
  /** Settles when it is stored. */
  readonly accepted: Promise<void>;
  /** Settles when every change of its graph so far is part of it, and stored. */
  changesStored(): Promise<void>;
  /** The graph that shows it; after a reload one that was read from its document, as it was changed. */
  graph(): Promise<import('./task-graph.ts').TaskGraph>;
  /** By ids of nodes. */
  readonly nodes: ReadonlyMap<TaskIdType, NodeState>;
  /** What it gave, merged as its options say. @throws TaskError of the node that failed */
  result(): Promise<Output>;
  /** What one node gave; undefined where it has given nothing. */
  output(taskId: TaskIdType): Promise<TaskOutput | undefined>;
  /**
   * What its nodes have given so far, as a repository: a run of the changed graph, `graphs.run(changed, input, { outputCache: await
   * run.outputs() })`, executes what has changed and what that leads to with other values, and nothing else. `graphs.plan` says what
   * that is. Functions, tasks of holdfast and those that say `cacheable: false` are executed.
   */
  outputs(): Promise<OutputRepository>;
  /** Where what a node gave comes from, or what came to its port by edges; undefined: nothing did. */
  getProvenance(taskId: TaskIdType, port?: string): Promise<Provenance | undefined>;
  /** The same in words and as data. */
  explain(taskId: TaskIdType, port?: string): Promise<Explanation | undefined>;
  /** Its nodes end as aborted. False: it is over. */
  abort(reason?: unknown): Promise<boolean>;
  /** Nodes that run end, no other begins; also over reloads. `interrupt`: those that run stop, and begin again on `resume`. */
  suspend(how?: 'finish' | 'interrupt'): Promise<boolean>;
  resume(): Promise<boolean>;
  /** What failed or was aborted, and what waited for it, once more; what has completed stays. */
  retry(): Promise<boolean>;
  subscribe(listener: () => void): () => void;
}
