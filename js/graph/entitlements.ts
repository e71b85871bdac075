/**
 * What the tasks of a graph may do beyond computing: ask hosts, ask people, run tasks of the page. Tasks declare it, a
 * policy grants or denies it, and a graph that asks for more is refused before anything of it begins, all of it at once.
 * For graphs that come from people.
 *
 * Invariant: what is not granted is denied; a denial counts for more than a grant; a task that can't say which resource it
 * will ask for asks for any.
 */
import { describe } from '../intake/checks.ts';
import { TaskConfigurationError, TaskError } from './errors.ts';
import { DefinitionTask } from './function-task.ts';
import type { Task } from './task.ts';
import type { TaskGraph } from './task-graph.ts';

/** Something that a task needs. A class or a task says so by a method `entitlements()`. */
export interface Entitlement {
  /** `network`, `human`, `task:send-mail`: what stands before a colon includes what stands behind it. */
  readonly id: string;
  /** Which of it, for `network` hosts. None: any. */
  readonly resources?: readonly string[];
  /** For people. */
  readonly reason?: string;
  /** It does without. */
  readonly optional?: boolean;
}

/** An id, or one with resources: exact, or `*.example.com` with all that ends so. */
export type EntitlementRule = string | { readonly id: string; readonly resources?: readonly string[] };

export interface EntitlementPolicy {
  readonly grant: readonly EntitlementRule[];
  readonly deny?: readonly EntitlementRule[];
}

/** Which task needs it; of a graph in a graph `outer/inner`. */
export interface TaskEntitlement {
  readonly path: string;
  readonly type: string;
  readonly entitlement: Entitlement;
}

/** A graph asks for what it may not. `data`: `{ denied }`, what was not granted of which task. */
export class TaskEntitlementError extends TaskError {
  static override readonly type: string = 'TaskEntitlementError';
  override readonly code = 'TASK_ENTITLEMENT';
}

interface Declaring {
  entitlements?(): readonly Entitlement[];
}

function declared(task: Task<any, any, any>): readonly Entitlement[] {
  if (task instanceof DefinitionTask) return [{ id: `task:${task.definitionId}` }];
  return (task as Declaring).entitlements?.() ?? (task.constructor as Declaring).entitlements?.() ?? [];
}

/** All that a graph asks for, those in it included, in the order of its tasks. */
export function graphEntitlements(graph: TaskGraph, within = ''): TaskEntitlement[] {
  return graph.getTasks().flatMap((task) => {
    const path = within + task.id;
    return [...declared(task).map((entitlement) => ({ path, type: task.type, entitlement })), ...(task.subGraph ? graphEntitlements(task.subGraph, `${path}/`) : [])];
  });
}

const ruleOf = (rule: EntitlementRule): Exclude<EntitlementRule, string> => (typeof rule === 'string' ? { id: rule } : rule);
const includes = (id: string, asked: string): boolean => asked === id || asked.startsWith(`${id}:`);
const fits = (pattern: string, resource: string): boolean => pattern === resource || (pattern.startsWith('*.') && resource.endsWith(pattern.slice(1)));

/** May it? */
export function isGranted({ id, resources }: Entitlement, { grant, deny = [] }: EntitlementPolicy): boolean {
  const denies = deny.map(ruleOf).some((rule) => includes(rule.id, id) && (!rule.resources || !resources || resources.some((one) => rule.resources!.some((pattern) => fits(pattern, one)))));
  if (denies) return false;
  const granting = grant.map(ruleOf).filter((rule) => includes(rule.id, id));
  if (granting.some((rule) => !rule.resources)) return true;
  const patterns = granting.flatMap((rule) => rule.resources!);
  return resources !== undefined && resources.length > 0 && resources.every((one) => patterns.some((pattern) => fits(pattern, one)));
}

const isRule = (rule: unknown): boolean => {
  const { id, resources } = (typeof rule === 'string' ? { id: rule } : (rule ?? {})) as { id?: unknown; resources?: unknown };
  return typeof id === 'string' && id !== '' && (resources === undefined || (Array.isArray(resources) && resources.every((one) => typeof one === 'string')));
};

/** @throws TaskConfigurationError for what is no policy: nothing would be granted by mistake, but nothing denied either */
function checkPolicy(policy: EntitlementPolicy): void {
  const { grant, deny = [] } = policy ?? {};
  if (Array.isArray(grant) && Array.isArray(deny) && [...grant, ...deny].every(isRule)) return;
  throw new TaskConfigurationError(`entitlements must be { grant: […], deny: […] }, lists of ids or { id, resources: […] }, not ${describe(policy)}.`);
}

/** @throws TaskEntitlementError with all that is denied; what is optional is not looked at. TaskConfigurationError for what is no policy */
export function checkEntitlements(graph: TaskGraph, policy: EntitlementPolicy): void {
  checkPolicy(policy);
  const denied = graphEntitlements(graph).filter(({ entitlement }) => !entitlement.optional && !isGranted(entitlement, policy));
  if (denied.length === 0) return;
  const words = denied.map(({ path, type, entitlement: { id, resources, reason } }) => `${path} (${type}) needs ${id}${resources ? ` of ${resources.join(', ')}` : ''}${reason ? ` (${reason})` : ''}`);
  throw new TaskEntitlementError(`The graph may not run: ${words.join('; ')}. Grant it: { entitlements: { grant: [${JSON.stringify(denied[0]!.entitlement.id)}, …] } }.`, { data: { denied } });
}
