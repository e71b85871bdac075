/** The pages are hash routes: they work on any static host and from a file list. */
import { useSyncExternalStore } from 'react';

export const routes = ['pdf', 'json', 'enrich', 'pipelines'] as const;
export type Route = (typeof routes)[number];

// The hash is a stranger's text: it is only ever compared.
const current = (): Route => routes.find((route) => location.hash === `#/${route}`) ?? 'pdf';

function subscribe(listener: () => void): () => void {
  addEventListener('hashchange', listener);
  return () => removeEventListener('hashchange', listener);
}

export const useRoute = (): Route => useSyncExternalStore(subscribe, current);
