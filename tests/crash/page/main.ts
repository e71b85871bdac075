/** The page that is killed: opens a store, goes on with what is in it, and keeps it busy. */
import { indexedDB } from 'holdfast/storage/indexeddb';
import { opfs } from 'holdfast/storage/opfs';
import type { Contestant } from './contestant.ts';
import { Holdfast } from './holdfast.ts';
import { generator, job, pick } from './load.ts';
import { IdbStore, LocalStore, Plain } from './plain.ts';
import { allTaken, nothingToTell } from './report.ts';

const parameters = new URLSearchParams(location.search);
const contestants: Record<string, () => Contestant> = {
  holdfast: () => new Holdfast(),
  'holdfast on opfs': () => new Holdfast(opfs()),
  'holdfast on indexedDB': () => new Holdfast(indexedDB()),
  idb: () => new Plain(new IdbStore()),
  localStorage: () => new Plain(new LocalStore()),
};

const store = contestants[parameters.get('store') ?? 'holdfast']!();
const random = generator(Number(parameters.get('seed')));
const backlog = 200;
const state = { ready: false, error: undefined as string | undefined, left: 0 };

const isOver = (status: string) => status === 'completed' || status === 'failed' || status === 'cancelled';
const unfinished = () => store.census().filter(({ status }) => !isOver(status)).length;

function submitOne(): void {
  const kind = pick(random);
  const input = kind.input(random);
  const chance = random();
  if (chance < 0.08) store.submit(kind, input, { delayMs: 100 + random() * 2000 });
  else if (chance < 0.12) store.submit(kind, input, { delayMs: 200, then: 'pause' });
  else if (chance < 0.15) store.submit(kind, input, { delayMs: 5000, then: 'cancel' });
  else store.submit(kind, input);
}

/** Bursts of one to eight, a few milliseconds apart, as long as not too much is waiting. */
function load(): void {
  if (state.left <= 0) return;
  if (unfinished() < backlog) for (let count = 1 + random() * 8; count >= 1; count--, state.left--) submitOne();
  setTimeout(load, 2 + random() * 20);
}

const harness = {
  state,
  /** So many tasks from now on; where a load goes on already, it lasts the longer. */
  startLoad(jobs: number, tasks: number): void {
    for (let count = 0; count < jobs; count++) store.submit(job, job.input(random));
    const isIdle = state.left <= 0;
    state.left = tasks;
    if (isIdle) load();
  },
  stopLoad(): void {
    state.left = 0;
  },
  census: () => store.census(),
  /** Which of these are no runs of this page. */
  unknown(ids: string[]): string[] {
    const known = new Set(store.census().map(({ id }) => id));
    return ids.filter((id) => !known.has(id));
  },
  events: () => store.events,
  unfinished,
  results: (ids: string[]) => store.results(ids),
  async remove(ids: string[]): Promise<void> {
    await store.remove(ids);
    // Untold, they would be missed.
    await allTaken();
  },
  release: () => store.release(),
  told: () => nothingToTell(),
};
(globalThis as any).harness = harness;

void store.open().then(
  () => (state.ready = true),
  (error) => (state.error = String(error?.stack ?? error)),
);
