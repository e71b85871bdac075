/** What "clean" means for one JSON value. Pure; numbers a JavaScript number can't hold stay as they were written. */

export type KeyStyle = 'keep' | 'snake_case' | 'camelCase';

export interface CleanOptions {
  /** White space at both ends of strings. */
  trim: boolean;
  /** null, '', [] and {}, also those that became empty by cleaning. */
  dropEmpty: boolean;
  keys: KeyStyle;
}

export interface CleanCounts {
  trimmed: number;
  dropped: number;
  renamed: number;
}

interface RawJson { rawJSON?(text: string): object; isRawJSON?(value: unknown): boolean }
const raw = JSON as RawJson;

export function isRawNumber(value: unknown): boolean {
  return raw.isRawJSON?.(value) ?? false;
}

/** `12345678901234567890` and `1e999` as they were written; where the browser can't, the nearest number. */
export function exactNumber(source: string, onInexact: () => void): unknown {
  const value = Number(source);
  if (source.length < 16 && Number.isFinite(value)) return value;
  if (String(value) === source) return value;
  if (raw.rawJSON) return raw.rawJSON(source);
  onInexact();
  return value;
}

/** JSON.parse, but numbers stay exact. The slow way is only taken for texts with a number that needs it. */
export function parseExactly(text: string, onInexact: () => void): unknown {
  if (!/\d[\d.]{14}|[eE][+-]?\d{3}/.test(text)) return JSON.parse(text);
  type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown;
  const reviver: Reviver = (_, value, context) => {
    if (typeof value !== 'number') return value;
    if (context?.source !== undefined) return exactNumber(context.source, onInexact);
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) onInexact();
    return value;
  };
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown);
}

function styled(key: string, style: KeyStyle): string {
  if (style === 'keep') return key;
  const words = key.trim().match(/\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{Ll}\p{Lo}\p{M}]+|\p{N}+/gu);
  if (!words) return key.trim();
  if (style === 'snake_case') return words.map((word) => word.toLowerCase()).join('_');
  const [first = '', ...rest] = words;
  return first.toLowerCase() + rest.map((word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()).join('');
}

export class Cleaner {
  readonly counts: CleanCounts = { trimmed: 0, dropped: 0, renamed: 0 };
  readonly #options: CleanOptions;
  readonly #onProblem: (message: string) => void;
  /** The same few keys come a million times. */
  readonly #styled = new Map<string, string>();

  constructor(options: CleanOptions, onProblem: (message: string) => void) {
    this.#options = options;
    this.#onProblem = onProblem;
  }

  /** undefined: nothing is left of it. */
  clean(value: unknown): unknown {
    const { trim, dropEmpty } = this.#options;
    if (typeof value === 'string') return this.#emptyOr(trim ? this.#trimmed(value) : value, '');
    if (value === null) return dropEmpty ? this.#drop() : null;
    if (typeof value !== 'object' || isRawNumber(value)) return value;
    return Array.isArray(value) ? this.#array(value) : this.#object(value as Record<string, unknown>);
  }

  #array(values: unknown[]): unknown {
    const had = values.length;
    const kept = values.map((value) => this.clean(value)).filter((value) => value !== undefined);
    return kept.length > 0 || !this.#options.dropEmpty ? kept : had === 0 ? this.#drop() : undefined;
  }

  #object(values: Record<string, unknown>): unknown {
    // No prototype: `__proto__` is a key like any other.
    const kept: Record<string, unknown> = Object.create(null);
    const keys = Object.keys(values);
    for (const key of keys) {
      const value = this.clean(values[key]);
      if (value !== undefined) kept[this.#key(key, kept, values)] = value;
    }
    if (!this.#options.dropEmpty || Object.keys(kept).length > 0) return kept;
    return keys.length === 0 ? this.#drop() : undefined;
  }

  #key(key: string, taken: object, source: object): string {
    if (this.#options.keys === 'keep') return key;
    let name = this.#styled.get(key);
    if (name === undefined) {
      name = styled(key, this.#options.keys);
      if (this.#styled.size < 10_000) this.#styled.set(key, name);
    }
    if (name === key) return key;
    // Never onto another key of the same object, whichever of them comes first.
    if (name in taken || Object.hasOwn(source, name)) {
      this.#onProblem(`the key ${JSON.stringify(key)} was kept: its new name ${JSON.stringify(name)} is taken`);
      return key;
    }
    this.counts.renamed += 1;
    return name;
  }

  #trimmed(text: string): string {
    const short = text.trim();
    if (short.length !== text.length) this.counts.trimmed += 1;
    return short;
  }

  #emptyOr(value: string, empty: string): unknown {
    return value === empty && this.#options.dropEmpty ? this.#drop() : value;
  }

  #drop(): undefined {
    this.counts.dropped += 1;
    return undefined;
  }
}
