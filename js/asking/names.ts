/** What an update is to the house: an event for one run that brings a token, which the answer completes. */
import { ConfigurationError, type SerializedError } from '../errors.ts';
import { checkIdentifier } from '../intake/checks.ts';

const prefix = 'holdfast:update ';

/** What comes to the run. */
export interface Asked {
  token: string;
  data: unknown;
}

/** What the token is completed with. */
export type Reply = { answer: unknown } | { refused: SerializedError } | { ended: string };

/** @throws ConfigurationError */
export function checkAskedName(name: unknown, where: string): string {
  if (typeof name === 'string' && name.includes('\u0000')) throw new ConfigurationError(`${where} name must not contain the character U+0000.`);
  return checkIdentifier(name, `${where} name`, 100);
}

export function updateEvent(name: string): string {
  return prefix + name;
}

/** As people know it. */
export function nameOfUpdate(text: string): string {
  return text.replace(`event "${prefix}`, 'update "');
}
