/** The nodes that are built in, and their registration. */
import { ConditionalTask, FallbackTask, GraphAsTask, MapTask, ReduceTask, WhileTask, WorkflowTask } from '../compound/index.ts';
import { globalTaskRegistry, type TaskClass, type TaskRegistry } from '../registry.ts';
import { FetchUrlTask, FileLoaderTask } from './fetching.ts';
import { DebugLogTask, DelayTask, InputTask, MergeTask, OutputTask, SplitTask } from './flow.ts';
import { HumanApprovalTask, HumanInputTask } from './human.ts';
import { JsonTask } from './json.ts';
import { DateFormatTask, JsonPathTask, RegexTask, TemplateTask } from './text.ts';

/** All that a stored graph may name without more being registered; LambdaTask is none of them, since a function can't be stored. */
export const baseTasks: readonly TaskClass[] = [
  InputTask, OutputTask, DelayTask, MergeTask, SplitTask, DebugLogTask, TemplateTask, JsonPathTask, RegexTask, DateFormatTask, FetchUrlTask, FileLoaderTask, JsonTask, HumanApprovalTask, HumanInputTask,
  GraphAsTask, WorkflowTask, MapTask, ReduceTask, WhileTask, ConditionalTask, FallbackTask,
];

/** Stored graphs may name them from now on; default: of this page. */
export function registerBaseTasks(registry: TaskRegistry = globalTaskRegistry): void {
  registry.registerTask(...baseTasks);
}

export { csvRows, FetchUrlTask, FileLoaderTask } from './fetching.ts';
export { DebugLogTask, type DebugLogTaskConfig, DelayTask, type DelayTaskConfig, InputTask, LambdaTask, type LambdaTaskConfig, MergeTask, OutputTask, SplitTask } from './flow.ts';
export {
  type HumanAction, type HumanAnswer, HumanApprovalTask, HumanInputTask, type HumanInputTaskConfig, type HumanRequest, type HumanTaskConfig, listHumanRequests, respondToHumanRequest,
} from './human.ts';
export { JsonTask, type JsonTaskConfig } from './json.ts';
export { parsePath, readPath } from './json-path.ts';
export { DateFormatTask, JsonPathTask, RegexTask, renderTemplate, TemplateTask } from './text.ts';
