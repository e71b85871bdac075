/** Saved graphs: one contract for every store, and versions, names and events over them. */
import 'fake-indexeddb/auto';
import {
  directoryGraphStore, type GraphDirectory, type GraphStore, indexedDBGraphStore, LambdaTask, memoryGraphStore, MergeTask, registerBaseTasks, TaskGraph, TaskGraphRepository, TaskJSONError,
} from 'holdfast/graph';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

registerBaseTasks();

/** A directory as browsers have them. */
function directory(files = new Map<string, string>()): GraphDirectory {
  return {
    async getFileHandle(name, { create } = {}) {
      if (!files.has(name) && !create) throw new DOMException(`no ${name}`, 'NotFoundError');
      return {
        getFile: async () => new File([files.get(name) ?? ''], name, { lastModified: 5 }),
        async createWritable() {
          let text = '';
          return { write: async (more) => void (text += more), close: async () => void files.set(name, text) };
        },
      };
    },
    removeEntry: async (name) => void files.delete(name),
    async *keys() {
      yield* files.keys();
    },
  };
}

let databases = 0;
const stores: [string, () => GraphStore][] = [
  ['memory', memoryGraphStore],
  ['IndexedDB', () => indexedDBGraphStore(`graphs-${++databases}`)],
  ['a directory', () => directoryGraphStore(directory(new Map([['notes.txt', 'mine'], ['%.1.json', '{}']])))],
];
const graphOf = (...ids: string[]): TaskGraph => {
  const graph = new TaskGraph();
  graph.addTasks(ids.map((id) => new MergeTask({ id })));
  return graph;
};
const ids = (graph: TaskGraph | undefined) => graph?.getTasks().map(({ id }) => id);

describe.each(stores)('in %s', (_, make) => {
  it('a graph comes back as it was saved, whatever happens to it later', async () => {
    const repository = new TaskGraphRepository(make());
    const graph = graphOf('a');
    expect(await repository.saveTaskGraph('mine', graph)).toBe(1);
    graph.addTask(new MergeTask({ id: 'b' }));
    expect(ids(await repository.getTaskGraph('mine'))).toEqual(['a']);
    expect(await repository.getTaskGraph('other')).toBeUndefined();
  });

  it('each save is a version; the oldest go', async () => {
    const repository = new TaskGraphRepository(make(), { keepVersions: 2 });
    for (const id of ['a', 'b', 'c']) await repository.saveTaskGraph('mine', graphOf(id));
    await repository.saveTaskGraph('other/ä', graphOf('x'));
    expect((await repository.versions('mine')).map(({ version }) => version)).toEqual([3, 2]);
    expect(ids(await repository.getTaskGraph('mine'))).toEqual(['c']);
    expect(ids(await repository.getTaskGraph('mine', { version: 2 }))).toEqual(['b']);
    expect(await repository.getTaskGraph('mine', { version: 1 })).toBeUndefined();
    expect((await repository.list()).map(({ key, version }) => [key, version])).toEqual([['mine', 3], ['other/ä', 1]]);
    expect(await repository.size()).toBe(2);
    expect((await repository.list()).every(({ savedAt }) => savedAt > 0)).toBe(true);
  });

  it('is renamed with its versions, deleted, cleared', async () => {
    const repository = new TaskGraphRepository(make());
    for (const id of ['a', 'b']) await repository.saveTaskGraph('mine', graphOf(id));
    await repository.saveTaskGraph('other', graphOf('x'));
    await expect(repository.rename('mine', 'other')).rejects.toThrow('A graph is saved under "other" already.');
    expect(await repository.rename('mine', 'yours')).toBe(true);
    expect(await repository.rename('mine', 'ours')).toBe(false);
    expect([await repository.size(), ids(await repository.getTaskGraph('yours', { version: 1 })), await repository.versions('mine')]).toEqual([2, ['a'], []]);
    expect([await repository.delete('yours'), await repository.delete('yours'), await repository.size()]).toEqual([true, false, 1]);
    await repository.clear();
    expect(await repository.list()).toEqual([]);
  });

  it('tells what happened', async () => {
    const repository = new TaskGraphRepository(make());
    const heard: string[] = [];
    for (const name of ['graph_saved', 'graph_retrieved', 'graph_deleted', 'graph_renamed', 'graph_cleared'] as const) repository.on(name, (...given: unknown[]) => heard.push([name, ...given].join(' ')));
    await repository.saveTaskGraph('a', graphOf('a'));
    await repository.getTaskGraph('a');
    await repository.getTaskGraph('nothing');
    await repository.rename('a', 'b');
    await repository.delete('b');
    await repository.clear();
    expect(heard).toEqual(['graph_saved a 1', 'graph_retrieved a', 'graph_renamed b a', 'graph_deleted b', 'graph_cleared']);
  });

  it('what has no document is not saved; a document that can not be read is refused', async () => {
    const repository = new TaskGraphRepository(make());
    const graph = new TaskGraph();
    graph.addTask(new LambdaTask({ execute: () => 1 }));
    await expect(repository.saveTaskGraph('mine', graph)).rejects.toThrow("can't be stored");
    expect(await repository.size()).toBe(0);
    await repository.saveTaskGraph('mine', { tasks: [{ id: 'a', type: 'Nobody' }], dataflows: [] });
    await expect(repository.getTaskGraph('mine')).rejects.toThrow(TaskJSONError);
    expect(await repository.getDocument('mine')).toEqual({ tasks: [{ id: 'a', type: 'Nobody' }], dataflows: [] });
    await expect(repository.getTaskGraph('')).rejects.toThrow('text of 1 to 200 characters');
  });

  it('whatever is done, in whatever order, it does what the others do', async () => {
    const key = fc.constantFrom('a', 'b', 'c');
    const act = fc.oneof(
      fc.tuple(fc.constant('save' as const), key, fc.constantFrom('x', 'y')),
      fc.tuple(fc.constant('delete' as const), key),
      fc.tuple(fc.constant('rename' as const), key, key),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 10 }), async (acts) => {
        const both = [make(), memoryGraphStore()].map((store) => new TaskGraphRepository(store, { keepVersions: 2 }));
        for (const [what, one, other] of acts) {
          const outcomes = await Promise.all(both.map((each) => (what === 'save' ? each.saveTaskGraph(one, graphOf(other)) : what === 'delete' ? each.delete(one) : each.rename(one, other)).catch((error: Error) => error.message)));
          expect(outcomes[0]).toEqual(outcomes[1]);
        }
        const [found, expected] = await Promise.all(both.map(async (each) => Promise.all((await each.list()).map(async ({ key: name }) => [name, (await each.versions(name)).map(({ version }) => version), await each.getDocument(name)]))));
        expect(found).toEqual(expected);
      }),
      { numRuns: 25 },
    );
  });
});

it('files that are not its own stay', async () => {
  const files = new Map([['notes.txt', 'mine'], ['%.1.json', '{}']]);
  const repository = new TaskGraphRepository(directoryGraphStore(directory(files)));
  await repository.saveTaskGraph('a/b', graphOf('a'));
  expect([...files.keys()]).toEqual(['notes.txt', '%.1.json', 'a%2Fb.1.json']);
  expect(JSON.parse(files.get('a%2Fb.1.json')!)).toEqual({ tasks: [{ id: 'a', type: 'MergeTask' }], dataflows: [] });
  await repository.clear();
  expect([...files.keys()]).toEqual(['notes.txt', '%.1.json']);
});

it('two tabs that save at once have a version each', async () => {
  const [one, other] = [new TaskGraphRepository(indexedDBGraphStore('shared')), new TaskGraphRepository(indexedDBGraphStore('shared'))];
  const versions = await Promise.all([one.saveTaskGraph('a', graphOf('x')), other.saveTaskGraph('a', graphOf('y')), one.saveTaskGraph('a', graphOf('z'))]);
  expect(new Set(versions).size).toBe(3);
  expect(await other.versions('a')).toHaveLength(3);
});
