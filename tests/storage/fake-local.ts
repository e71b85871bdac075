import type { KeyValues } from '../../js/storage/local.ts';

/** A localStorage of `quota` UTF-16 units, keys included. */
export class FakeLocalStorage implements KeyValues {
  readonly items = new Map<string, string>();
  quota: number;

  constructor(quota = 5_242_880) {
    this.quota = quota;
  }
  get length(): number {
    return this.items.size;
  }
  key(index: number): string | null {
    return [...this.items.keys()][index] ?? null;
  }
  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    const before = this.items.get(key);
    let used = key.length + value.length;
    for (const [name, text] of this.items) if (name !== key) used += name.length + text.length;
    if (used > this.quota && value.length > (before?.length ?? -1)) {
      throw Object.assign(new Error('full'), { name: 'QuotaExceededError' });
    }
    this.items.set(key, value);
  }
  removeItem(key: string): void {
    this.items.delete(key);
  }
}
