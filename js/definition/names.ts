/**
 * Tasks by their names, for the compiler. Types only.
 *
 *   declare module 'holdfast' { interface TaskMap { 'scrape-wordpress': typeof scrapeWordpress } }
 *
 * makes `ctx.run('scrape-wordpress', url)` and `orchestrator.run('scrape-wordpress', url)` know input and
 * output everywhere; `createOrchestrator({ tasks: [scrapeWordpress] })` makes that orchestrator know them.
 * A name that nobody told of is an error of types, but for `ctx.run` as long as `TaskMap` is empty.
 */
import type { ResultPromise, RunHandle, Task, TriggerOptions } from '../types.ts';

/** To be extended by applications. */
// biome-ignore lint/suspicious/noEmptyInterface: it is there to be extended
export interface TaskMap {}

/** Names that may be called. */
export type NameIn<Map> = keyof Map extends never ? string : keyof Map & string;
export type InputIn<Map, Name> = Name extends keyof Map ? (Map[Name] extends Task<any, infer Input, any> ? Input : never) : any;
export type OutputIn<Map, Name> = Name extends keyof Map ? (Map[Name] extends Task<any, any, infer Output> ? Output : never) : any;

/** A list of tasks, or an object with their ids as keys, as a map by id. */
export type MapOf<Tasks> = Tasks extends readonly Task[]
  ? { [Each in Tasks[number] as string extends Each['id'] ? never : Each['id']]: Each }
  : Tasks extends Record<string, Task>
    ? Tasks
    : unknown;

/** Calls by name of an orchestrator that was told of its tasks. */
export interface NamedCalls<Map> {
  trigger<Name extends keyof Map & string>(name: Name, input: InputIn<Map, Name>, options?: TriggerOptions): RunHandle<OutputIn<Map, Name>, Name>;
  run<Name extends keyof Map & string>(name: Name, input: InputIn<Map, Name>, options?: TriggerOptions): Promise<OutputIn<Map, Name>>;
  triggerAndWait<Name extends keyof Map & string>(name: Name, input: InputIn<Map, Name>, options?: TriggerOptions): ResultPromise<OutputIn<Map, Name>, Name>;
}
