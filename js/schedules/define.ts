/** `schedules`: a task that runs by itself, and the schedules of the page's default orchestrator. */
import { defineTask, getDefaultOrchestrator } from '../define.ts';
import { checkRecord } from '../intake/checks.ts';
import type { TaskSpec } from '../definition/types.ts';
import type { Task } from '../types.ts';
import { definedTimingNames } from './settings.ts';
import type { ScheduledTaskPayload, SchedulesApi, DefinedTiming } from './types.ts';

/** A definition without an input of its own: it gets what its schedule says. */
export type ScheduledTaskSpec<Id extends string, Output> = DefinedTiming & Omit<TaskSpec<ScheduledTaskPayload, Output, any, Id>, 'schedule' | 'input' | 'schema' | 'validate'>;

export interface PageSchedules extends SchedulesApi {
  /**
   * A task that runs by a schedule: `schedules.task({ id: 'report', cron: '0 9 * * 1', run })`. With neither `cron` nor
   * `every` it is one that `schedules.create` is called for. @throws ConfigurationError
   */
  task<const Id extends string, Output>(spec: ScheduledTaskSpec<Id, Output>): Task<Id, ScheduledTaskPayload, Output>;
}

function task(given: object): Task<any, ScheduledTaskPayload, any> {
  checkRecord(given, 'schedules.task');
  const isTiming = (name: string) => (definedTimingNames as readonly string[]).includes(name);
  const entries = Object.entries(given);
  const timing = Object.fromEntries(entries.filter(([name, value]) => isTiming(name) && value !== undefined));
  const spec = Object.fromEntries(entries.filter(([name]) => !isTiming(name)));
  return defineTask({ ...spec, ...(Object.keys(timing).length > 0 && { schedule: timing }) } as any) as any;
}

const page = () => getDefaultOrchestrator().schedules;

export const schedules: PageSchedules = Object.freeze({
  task: task as unknown as PageSchedules['task'],
  create: (options) => page().create(options),
  update: (id, options) => page().update(id, options),
  activate: (id) => page().activate(id),
  deactivate: (id) => page().deactivate(id),
  del: (id) => page().del(id),
  list: (filter) => page().list(filter),
  retrieve: (id) => page().retrieve(id),
  timezones: () => page().timezones(),
} satisfies PageSchedules);
