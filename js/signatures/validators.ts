/** Validators of signatures, by names that can be stored. */
import { ConfigurationError } from '../errors.ts';
import type { Validator } from '../definition/schema.ts';
import { type Check, checkOf } from '../definition/validation.ts';
import { checkIdentifier } from '../intake/checks.ts';
import type { NamedValidator } from './types.ts';

const validators = new Map<string, Check>();

/**
 * Gives a schema a name, so that a signature can be stored with it (`modelValidators`): a page that comes later finds it
 * by that name, once this has been called there. Later calls replace it.
 * @throws ConfigurationError for a bad name, or what is no Standard Schema and no function
 */
export function defineValidator(name: string, validator: Validator): NamedValidator {
  checkIdentifier(name, 'defineValidator name');
  validators.set(name, checkOf(validator, `defineValidator "${name}"`));
  return { validator: name };
}

/** @throws ConfigurationError */
export function validatorNamed(name: string): Check {
  const check = validators.get(name);
  if (!check) throw new ConfigurationError(`No validator ${JSON.stringify(name)} is defined in this page. Call defineValidator(${JSON.stringify(name)}, schema) before the orchestrator is created.`);
  return check;
}
