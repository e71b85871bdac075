/** What configs of compound tasks may say, checked where they are made. */
import { TaskConfigurationError } from '../errors.ts';

/** @throws TaskConfigurationError unless each that is there is a whole number above 0 */
export function checkAtOnce(config: object, names: readonly string[], type: string): void {
  for (const name of names) {
    const value = (config as Record<string, unknown>)[name];
    if (value !== undefined && !(typeof value === 'number' && Number.isInteger(value) && value > 0)) throw new TaskConfigurationError(`${type}: config.${name} must be a whole number above 0, not ${JSON.stringify(value)}.`);
  }
}

/** @throws TaskConfigurationError unless each that is there is true or false */
export function checkFlags(config: object, names: readonly string[], type: string): void {
  for (const name of names) {
    const value = (config as Record<string, unknown>)[name];
    if (value !== undefined && typeof value !== 'boolean') throw new TaskConfigurationError(`${type}: config.${name} must be true or false, not ${JSON.stringify(value)}.`);
  }
}
