/** holdfast/graph: graphs of tasks, made in code or drawn by people, run by the core. */
export { portsCompatible, semanticallyCompatible } from './compatibility.ts';
export { Dataflow, DATAFLOW_ALL_PORTS, DATAFLOW_ERROR_PORT, DataflowArrow } from './dataflow.ts';
export {
  catalogueOf, checkDocument, type CheckedDocument, compileDocument, type CompiledDocument, drawDocument, type GraphCatalogue, type GraphDocument, type GraphDocumentPlan, type GraphIssue, type GraphIssueCode,
  type GraphLayout, type GraphLayoutOptions, layoutDocument, type PortsSchema, setDocumentsWasm, toDependencyDocument, upgradeDocument,
} from './document.ts';
export {
  CycleError, JobTaskFailedError, TaskAbortedError, TaskConfigurationError, TaskError, TaskFailedError, TaskGraphTimeoutError, TaskInvalidInputError, TaskJSONError,
  TaskSerializationError, TaskTimeoutError, WorkflowError,
} from './errors.ts';
export type * from './events.ts';
export { DefinitionTask, FunctionTask, type PipeFunction } from './function-task.ts';
export { type ReadGraphOptions, unknownTypes } from './json.ts';
export { JobQueueTask, type JobQueueTaskConfig } from './job-queue-task.ts';
export { type Explanation, type ExplanationStep, explainProvenance } from './explaining.ts';
export type { GraphLintIssue } from './linting.ts';
export { type ProvDocument, type ProvOptions, toProvJson } from './prov.ts';
export type { Provenance, ProvenanceItem, ProvenanceSource } from './provenance.ts';
export { fromReactFlow, type NodePosition, reactFlowElements, type ReactFlowEdge, type ReactFlowNode, type ReactFlowOptions, toReactFlow } from './react-flow.ts';
export { toTypeScript, type TypeScriptOptions } from './typescript.ts';
export { globalTaskRegistry, registerTask, type TaskClass, TaskRegistry } from './registry.ts';
export { TaskGraphRunner } from './runner.ts';
export type { DataPortSchema, FromSchema, JsonSchema, JsonSchemaObject } from './schema.ts';
export { type ExecuteContext, type SubgraphOptions, Task, TaskConfigSchema } from './task.ts';
export { serialGraph, TaskGraph, type TaskLike } from './task-graph.ts';
export * from './types.ts';

// What stands on tasks and graphs: builder, compound tasks, documents, built-in nodes.
export { autoConnect, type AutoConnection, type AutoConnectOptions, type Connectable } from './auto-connect.ts';
export * from './compound/index.ts';
export { activeBranches, type ComparisonOperator, comparisonOperators, evaluateCondition } from './conditions.ts';
export {
  createGraphFromDependencyJSON, createGraphFromGraphJSON, createTaskFromDependencyJSON, createTaskFromGraphJSON, type ReadDocumentOptions, type ReadGraph, readDocument, readGraphText,
} from './documents.ts';
export { dependencyForm, type JsonDependency, type JsonTaskItem, type TaskGraphJsonOptions, toDependencyJSON, withBoundaryNodes } from './forms.ts';
export { checkEntitlements, type Entitlement, type EntitlementPolicy, type EntitlementRule, graphEntitlements, isGranted, type TaskEntitlement, TaskEntitlementError } from './entitlements.ts';
export { GRAPH_RESULT_ARRAY, mergeResults, mergeStrategies, PROPERTY_ARRAY } from './merging.ts';
export * from './nodes/index.ts';
export { applyTransforms, type TransformDefinition, TransformError, TransformRegistry, transforms, transformedSchema } from './transforms.ts';
export { type CreateWorkflow, type RenameOptions, Workflow, type WorkflowEvents } from './workflow.ts';
export {
  directoryGraphStore, type GraphDirectory, type GraphRecord, type GraphStore, indexedDBGraphStore, memoryGraphStore, type SavedGraph, TaskGraphRepository, type TaskGraphRepositoryEvents, type TaskGraphRepositoryOptions,
} from './repository.ts';
export type { InputStream } from './output-stream.ts';
export { type EdgeStream, portStreamMode, type StreamMode, streamsOf } from './stream-ports.ts';
export { StreamAccumulator, StreamingTask } from './streaming.ts';
