/**
 * `checkDeterminism`: what steps and children gave is frozen, as deep as it goes. Code that changes it and runs again
 * gets it as it was recorded, so what was written into it between two verbs is not there where it was read before.
 * Here every asking gives a copy; elsewhere, and where code is shared with others, it does not.
 *
 * Invariants: for development, loaded with determinism.ts; what can be frozen is, without another kind of object in its
 * place; who changes it hears whose it is.
 */
const changers: readonly (readonly [abstract new (...args: any[]) => object, readonly string[]])[] = [
  [Map, ['set', 'delete', 'clear']],
  [Set, ['add', 'delete', 'clear']],
  [Date, Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith('set'))],
];

/** @param whose for people: `step "open"` */
export function freeze<Value>(value: Value, whose: string, seen = new Set<unknown>()): Value {
  if (typeof value !== 'object' || value === null || seen.has(value) || Object.isFrozen(value)) return value;
  seen.add(value);
  for (const [kind, names] of changers) if (value instanceof kind) for (const name of names) refuse(value, name, whose);
  if (value instanceof Map) for (const [key, one] of value) [key, one].forEach((part) => freeze(part, whose, seen));
  if (value instanceof Set) for (const one of value) freeze(one, whose, seen);
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = Array.isArray(value) || prototype === Object.prototype || prototype === null;
  if (!isPlain) return value;
  for (const one of Object.values(value)) freeze(one, whose, seen);
  return Object.freeze(value);
}

function refuse(holder: object, name: string, whose: string): void {
  Object.defineProperty(holder, name, {
    value: () => {
      throw new TypeError(`${name}() would change what ${whose} gave. ${advice}`);
    },
  });
}

export const advice = 'It is frozen while checkDeterminism is on: code that runs again gets it as it was recorded. Change a copy: structuredClone(value).';

/** The engine's words for a write to something frozen (V8, SpiderMonkey, JavaScriptCore). */
export function isOfFrozen(error: unknown): error is TypeError {
  return error instanceof TypeError && (error.message.includes(advice) || /read[- ]?only|not extensible|Cannot (?:delete|redefine) property|can't be deleted|Unable to delete property/i.test(error.message));
}
