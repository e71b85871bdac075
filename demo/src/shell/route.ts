/** The two pages are hash routes: they work on any static host and from a file list. */
import { useSyncExternalStore } from 'react';

export type Route = 'pdf' | 'json';

// The hash is a stranger's text: it is only ever compared.
const current = (): Route => (location.hash === '#/json' ? 'json' : 'pdf');

function subscribe(listener: () => void): () => void {
  addEventListener('hashchange', listener);
  return () => removeEventListener('hashchange', listener);
}

export const useRoute = (): Route => useSyncExternalStore(subscribe, current);
