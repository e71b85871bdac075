/** What a person told about the endpoint, kept across reloads; the key is kept elsewhere (`tasks/api-key.ts`). */

export interface EndpointSettings {
  /** As typed. */
  endpoint: string;
  model: string;
  instruction: string;
  field: string;
  perMinute: number;
  atOnce: number;
}

export const kDefaultEndpoint: EndpointSettings = {
  endpoint: '', model: '', instruction: 'Summarize the text in one sentence.', field: 'text', perMinute: 60, atOnce: 4,
};

const kEntry = 'holdfast-demo:endpoint';

export const kMostPerMinute = 100_000;
export const kMostAtOnce = 100;

/** What was stored may be anything: it is taken field by field. */
export function storedEndpoint(): EndpointSettings {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(kEntry) ?? '{}');
    return merged(typeof stored === 'object' && stored !== null ? (stored as Partial<Record<keyof EndpointSettings, unknown>>) : {});
  } catch {
    return kDefaultEndpoint;
  }
}

function merged(stored: Partial<Record<keyof EndpointSettings, unknown>>): EndpointSettings {
  const settings = { ...kDefaultEndpoint };
  for (const name of ['endpoint', 'model', 'instruction', 'field'] as const) {
    const value = stored[name];
    if (typeof value === 'string') settings[name] = value;
  }
  settings.perMinute = within(stored.perMinute, kMostPerMinute, settings.perMinute);
  settings.atOnce = within(stored.atOnce, kMostAtOnce, settings.atOnce);
  return settings;
}

/** A whole number from 1, or what there was. */
export function within(value: unknown, most: number, otherwise: number): number {
  const number = Math.round(Number(value));
  return Number.isFinite(number) && number >= 1 ? Math.min(number, most) : otherwise;
}

export function storeEndpoint(settings: EndpointSettings): void {
  try {
    localStorage.setItem(kEntry, JSON.stringify(settings));
  } catch {
    // The choice then lasts as long as the page.
  }
}

/**
 * The address that questions go to, without a slash at its end, whatever of it was typed: `localhost:11434/v1`,
 * `https://api.example.com/v1/chat/completions`. undefined: it is none, or one with a password in it.
 */
export function addressOf(typed: string): string | undefined {
  const text = typed.trim();
  // Else `ftp://host` would be the host `ftp`.
  if (/^[a-z][a-z\d+.-]*:\/\//i.test(text) && !/^https?:/i.test(text)) return undefined;
  const isNearby = /^(localhost|127\.0\.0\.1|\[::1\])([:/]|$)/i.test(text);
  try {
    const url = new URL(/^https?:\/\//i.test(text) ? text : `${isNearby ? 'http' : 'https'}://${text}`);
    if (text === '' || url.username || url.password || url.hostname === '') return undefined;
    return `${url.origin}${url.pathname.replace(/\/+$/, '').replace(/\/chat\/completions$/, '')}`;
  } catch {
    return undefined;
  }
}
