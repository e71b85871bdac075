/**
 * The keys a person gave, by the origin they are for. They are no part of a task, so they are in no journal, export or
 * cache: a run that goes on after a reload finds the key here or is told by the endpoint that there is none.
 *
 * `remember`: until it is cleared (localStorage). Otherwise as long as the tab, a reload and a crash of it included
 * (sessionStorage).
 */
const name = (endpoint: string) => `holdfast-demo:key:${new URL(endpoint).origin}`;

/** Blocked storage throws at the first look. */
function each(use: (storage: Storage) => void): void {
  for (const storage of [() => sessionStorage, () => localStorage]) {
    try {
      use(storage());
    } catch {
      // The key then lasts as long as the page.
    }
  }
}

const ofThisPage = new Map<string, string>();

export function apiKeyOf(endpoint: string): string {
  let key = ofThisPage.get(name(endpoint)) ?? '';
  each((storage) => {
    key ||= storage.getItem(name(endpoint)) ?? '';
  });
  return key;
}

/** Is it there when the browser was closed? */
export function isRemembered(endpoint: string): boolean {
  try {
    return localStorage.getItem(name(endpoint)) !== null;
  } catch {
    return false;
  }
}

/** An empty key clears it. */
export function setApiKey(endpoint: string, key: string, remember: boolean): void {
  const entry = name(endpoint);
  if (key === '') ofThisPage.delete(entry);
  else ofThisPage.set(entry, key);
  each((storage) => storage.removeItem(entry));
  if (key === '') return;
  try {
    (remember ? localStorage : sessionStorage).setItem(entry, key);
  } catch {
    // See above.
  }
}
