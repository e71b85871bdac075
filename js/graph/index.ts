/** holdfast/graph: graphs of tasks, made in code or drawn by people, run by the core. */
export { portsCompatible, semanticallyCompatible } from './compatibility.ts';
export { Dataflow, DATAFLOW_ALL_PORTS, DATAFLOW_ERROR_PORT, DataflowArrow } from './dataflow.ts';
export {
  CycleError, JobTaskFailedError, TaskAbortedError, TaskConfigurationError, TaskError, TaskFailedError, TaskGraphTimeoutError, TaskInvalidInputError, TaskJSONError,
  TaskSerializationError, TaskTimeoutError, WorkflowError,
} from './errors.ts';
export type * from './events.ts';
export { DefinitionTask, FunctionTask, type PipeFunction } from './function-task.ts';
export { createGraphFromGraphJSON, createTaskFromGraphJSON, type ReadGraphOptions, unknownTypes } from './json.ts';
export type { Provenance, ProvenanceItem } from './provenance.ts';
export { globalTaskRegistry, registerTask, type TaskClass, TaskRegistry } from './registry.ts';
export type { DataPortSchema, FromSchema, JsonSchema, JsonSchemaObject } from './schema.ts';
export { type ExecuteContext, type SubgraphOptions, Task, TaskConfigSchema } from './task.ts';
export { serialGraph, TaskGraph, type TaskLike } from './task-graph.ts';
export * from './types.ts';
