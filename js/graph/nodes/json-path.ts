/**
 * Paths into JSON: a strict part of JSONPath (RFC 9535), without `eval`, filters and recursive descent.
 *
 *   path    = [ "$" ] *segment | name *segment
 *   segment = "." name | "." "*" | "[" integer "]" | "[*]" | "['" text "']" | "[" DQUOTE text DQUOTE "]"
 *   name    = anything but . [ ] * and spaces; in digits it is an element of a list too
 *
 * Invariants: pure; reads own properties only; a path that is none is refused with its place.
 */
import { TaskInvalidInputError } from '../errors.ts';

/** A name, an index from either end, or all. */
export type PathSegment = string | number | typeof every;
export const every: unique symbol = Symbol('*');

const segment = /\.(?:(\*)|([^.[\]*\s'"]+))|\[(?:(\*)|(-?\d{1,9})|'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\]/y;

/** @throws TaskInvalidInputError that says where it is no path any more */
export function parsePath(path: string): PathSegment[] {
  const refuse = (at: number): never => {
    throw new TaskInvalidInputError(`${JSON.stringify(path)} is no path at position ${at}. A path is $.name, $.list[0], $.list[-1], $.list[*].name, $['a name'], or names with dots.`, { data: { path, position: at } });
  };
  if (typeof path !== 'string' || path.length > 10_000) return refuse(0);
  const text = path.startsWith('$') ? path.slice(1) : path === '' || path.startsWith('[') ? path : `.${path}`;
  const segments: PathSegment[] = [];
  for (let at = 0; at < text.length; at = segment.lastIndex) {
    segment.lastIndex = at;
    const [found, star, name, starIn, index, single, double] = segment.exec(text) ?? [];
    if (found === undefined) return refuse(at + path.length - text.length);
    segments.push(star || starIn ? every : index !== undefined ? Number(index) : (name ?? unescaped(single ?? double!)));
  }
  return segments;
}

const unescaped = (text: string): string => text.replace(/\\(.)/g, '$1');

/** One value, undefined where there is none; behind a `*` the list of all that there are. */
export function readPath(value: unknown, path: string): unknown {
  const segments = parsePath(path);
  let found: unknown[] = [value];
  for (const each of segments) found = found.flatMap((one) => step(one, each));
  return segments.includes(every) ? found : found[0];
}

/** None, one or many. */
function step(value: unknown, segment: PathSegment): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  if (segment === every) return Array.isArray(value) ? value : Object.values(value);
  if (Array.isArray(value)) {
    const index = typeof segment === 'number' ? segment : /^\d+$/.test(segment) ? Number(segment) : Number.NaN;
    const at = index < 0 ? value.length + index : index;
    return at in value && Number.isInteger(at) ? [value[at]] : [];
  }
  return Object.hasOwn(value, segment) ? [(value as Record<string | number, unknown>)[segment]] : [];
}
