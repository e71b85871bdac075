/** `ctx` at the wrong time, in the page as in a worker: each error names the task, the verb and the fix. */
import { ConfigurationError, ContextClosedError } from '../errors.ts';
import { containerPrefix } from '../waiting/internal.ts';

export const whoIs = (task: string, run: string): string => `Task ${JSON.stringify(task)} (run ${run})`;

/** A container is asked for by the name of its kind: `ctx.batch`. */
const callOf = (verb: string, name: string): string =>
  name.startsWith(containerPrefix) ? `ctx.${name.slice(containerPrefix.length)}` : `ctx.${verb}(${name === '' ? '' : JSON.stringify(name)})`;

export function closedError(who: string, verb: string, name: string): ContextClosedError {
  return new ContextClosedError(`${who}: ${callOf(verb, name)} was used after its attempt had ended. Await everything before the handler returns.`);
}

/** Code that has given way may be the code of any step, or of none: only what was handed to it is sure to be its own. */
export function noStepError(who: string): ConfigurationError {
  return new ConfigurationError(`${who}: ctx.stepId is asked for where no step's function runs, or after an await in one. Take it from what the function gets: ctx.step(name, async ({ stepId }) => …), and { idempotencyKey: stepId } for ctx.fetch.`);
}

/** A recorded step is not run again: what it had asked of `ctx` would be missed. */
export function nestedError(who: string, verb: string, name: string, step: string): ConfigurationError {
  const fix = verb === 'now' || verb === 'random' || verb === 'uuid' ? 'The clock and the chance of JavaScript will do there: the result is recorded' : 'Do it before or after the step';
  return new ConfigurationError(`${who}: ${callOf(verb, name)} in step ${JSON.stringify(step)}. A recorded step is not run again, so nothing in it may be recorded by itself. ${fix}.`);
}
