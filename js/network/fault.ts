/**
 * Is it the network that an error is about? Browsers do not say so by a class: `fetch` throws a TypeError, as
 * code that is wrong does, and only its words differ by browser.
 * Invariant: pure, and looks no deeper than a few causes.
 */

/** Chromium; Firefox; Safari; Node; what wrappers and native shells say. */
const words = /^(failed to fetch|networkerror when attempting|load failed|fetch failed|network ?error|network request failed|error loading dynamically imported module|importing a module script failed|the (internet|network) connection)/i;
const codes: ReadonlySet<unknown> = new Set(['ERR_NETWORK', 'FETCH_TIMEOUT', 'ENOTFOUND', 'ECONNREFUSED', 'ECONNRESET', 'EAI_AGAIN', 'ENETUNREACH']);
const deepest = 8;

interface Clue {
  name?: unknown;
  message?: unknown;
  code?: unknown;
  cause?: unknown;
  errors?: unknown;
}

/** An error from a worker, or one that was stored, has lost its class and kept its name. Never throws: anything can be thrown. */
export function isNetworkFault(error: unknown): boolean {
  try {
    return isOne(error, 0);
  } catch {
    return false;
  }
}

function isOne(error: unknown, depth: number): boolean {
  if (typeof error !== 'object' || error === null || depth > deepest) return false;
  const { name, message, code, cause, errors } = error as Clue;
  if (name === 'NetworkError' || codes.has(code)) return true;
  if (typeof message === 'string' && words.test(message)) return true;
  return isOne(cause, depth + 1) || (Array.isArray(errors) && errors.some((one) => isOne(one, depth + 1)));
}
