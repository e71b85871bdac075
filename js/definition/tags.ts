/**
 * Tags of runs: texts to find them by.
 * Invariant: at most ten, each of 1 to 128 characters, none twice.
 */
import { describe } from '../intake/checks.ts';
import { ConfigurationError } from '../errors.ts';

const mostTags = 10;
const longestTag = 128;

/** @throws ConfigurationError */
export function checkTags(tags: unknown, where: string): readonly string[] {
  const list: unknown[] = Array.isArray(tags) ? tags : [tags];
  for (const tag of list) {
    if (typeof tag !== 'string' || tag === '' || tag.length > longestTag)
      throw new ConfigurationError(`${where} must be texts of 1 to ${longestTag} characters, not ${describe(tag)}.`);
  }
  return list as string[];
}

/** undefined: there are none. @throws ConfigurationError for more than ten in all */
export function joinTags(lists: readonly (string | readonly string[] | undefined)[], where: string): readonly string[] | undefined {
  const all = new Set<string>();
  for (const list of lists) if (list !== undefined) for (const tag of checkTags(list, where)) all.add(tag);
  if (all.size > mostTags) throw new ConfigurationError(`${where}: a run has at most ${mostTags}, not ${all.size}: ${[...all].map((tag) => describe(tag)).join(', ')}.`);
  return all.size > 0 ? Object.freeze([...all]) : undefined;
}

/** Believes nothing. */
export function readTags(stored: unknown): readonly string[] | undefined {
  try {
    return joinTags([stored as string[] | undefined], 'tags');
  } catch {
    return undefined;
  }
}
