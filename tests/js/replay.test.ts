/** What is recorded, given to code that runs again: cases that code of the house meets by chance only. */
import { expect, test } from 'vitest';
import { Replay } from '../../js/context/replay.ts';
import { type Entry, type History, RecordKind } from '../../js/journal/history.ts';

const entry = (key: string, kind: number): Entry => ({ key, kind, attempt: 1 }) as unknown as Entry;

test('an answer that was to follow is let be where the branch that asked for it has lost meanwhile', async () => {
  const deferred: (() => void)[] = [];
  const host = { defer: (callback: () => void) => void deferred.push(callback), after: () => () => {} };
  const replay = new Replay(host, { entries: [entry('fails', RecordKind.Failure), entry('loses', RecordKind.Value)] } as unknown as History, 0);
  expect(replay.ask('fails')).toMatchObject({ key: 'fails' });
  // A value does not follow a failure in one turn: it waits for the next.
  expect(replay.ask('loses')).toBeInstanceOf(Promise);
  const fresh = replay.ask('new');
  replay.pass((key) => key === 'loses');
  expect(replay.active).toBe(false);
  for (const callback of deferred) callback();
  expect(await fresh).toBeUndefined();
});
