/**
 * Regular expressions of people who draw graphs, in time that grows linearly with the text: RE2, which never goes back.
 * What needs going back (lookaround, references to groups) it does not have, and says so. Loaded with the first.
 *
 * Invariant: looking for one match takes time that grows with the pattern times the text, and that product has a
 * limit; between matches the page gets its turn, since looking for all of them may take the square of it.
 */
import type { RE2JS } from 're2js';
import { TaskInvalidInputError } from '../errors.ts';

/** Characters. */
export const longestPattern = 1000;
/** Instructions of the compiled pattern times characters of the text: about a second. */
export const mostWork = 20_000_000;
/** As much is done in one turn of the page. */
const workOfTurn = 1_000_000;

export interface RegexMatch {
  /** Does it match anywhere? */
  readonly match: boolean;
  /** With `g` every match; without, the first and what its groups have, `''` for one that took no part. */
  readonly matches: string[];
}

/**
 * @param pause gives the page its turn; may throw to end it
 * @throws TaskInvalidInputError for a pattern, flags or a text that it does not take
 */
export async function matchRegex(value: string, pattern: string, flags = '', pause: () => void | Promise<void> = () => {}): Promise<RegexMatch> {
  const compiled = await compile(pattern, flags);
  const work = compiled.programSize() * value.length;
  if (work > mostWork) throw new TaskInvalidInputError(`The pattern ${JSON.stringify(pattern)} has ${compiled.programSize()} instructions; a text may have ${Math.floor(mostWork / compiled.programSize())} characters then, not ${value.length}.`);
  const matcher = compiled.matcher(value);
  if (!flags.includes('g')) return matcher.find() ? { match: true, matches: Array.from({ length: matcher.groupCount() + 1 }, (_, group) => matcher.group(group) ?? '') } : { match: false, matches: [] };
  const matches: string[] = [];
  const perTurn = Math.max(1, Math.floor(workOfTurn / (work || 1)));
  while (matcher.find()) {
    matches.push(matcher.group() ?? '');
    if (matches.length % perTurn === 0) await pause();
  }
  return { match: matches.length > 0, matches };
}

async function compile(pattern: string, flags: string): Promise<RE2JS> {
  if (pattern.length > longestPattern) throw new TaskInvalidInputError(`The pattern has ${pattern.length} characters; the limit is ${longestPattern}.`);
  const { RE2JS } = await import('re2js');
  const known: Record<string, number> = { i: RE2JS.CASE_INSENSITIVE, m: RE2JS.MULTILINE, s: RE2JS.DOTALL, g: 0, u: 0 };
  let bits = 0;
  for (const flag of flags) {
    if (!Object.hasOwn(known, flag) || flags.indexOf(flag) !== flags.lastIndexOf(flag)) throw new TaskInvalidInputError(`flags ${JSON.stringify(flags)}: each of g, i, m, s and u at most once.`);
    bits |= known[flag]!;
  }
  try {
    return RE2JS.compile(pattern, bits);
  } catch (error) {
    throw new TaskInvalidInputError(`The pattern ${JSON.stringify(pattern)} is not taken: ${error instanceof Error ? error.message : String(error)}. Lookaround and references to groups are left out, since they can take for ever.`, { cause: error, data: { pattern } });
  }
}
