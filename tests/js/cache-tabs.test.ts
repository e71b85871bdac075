/** J7: what one tab invalidates, while another one computes it or is about to store it. */
import { type Cache, defineTask, type Task } from 'holdfast';
import { memoryCache } from 'holdfast/cache';
import { expect, it } from 'vitest';
import { name } from './houses.ts';
import { Origin, type Tab } from './origin.ts';

const calm = async ({ clock }: Origin) => {
  for (let round = 0; round < 6; round++) {
    for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
    await clock.settle();
  }
};

function gate() {
  let open = () => {};
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { passed, open: () => open() };
}

const within = <Value>(tab: Tab, work: () => Value): Value => {
  let value: Value | undefined;
  tab.act(() => (value = work()));
  return value as Value;
};

/** Two tabs with one store, as they have in IndexedDB; what `source` holds is computed, and may be looked up for long. */
async function tabs(overStore: (store: Cache) => Cache = (store) => store) {
  await import('../../js/cache/task-cache.ts');
  const origin = new Origin();
  const source = { value: 'old', wait: Promise.resolve() };
  const store = overStore(memoryCache());
  const task: Task<string, string, string> = defineTask({ id: name('looked up'), cache: { tags: ['prices'], store }, run: async (_: string) => {
    const { value } = source;
    await source.wait;
    return value;
  } });
  const [one, other] = [await origin.open({ tasks: [task] }), await origin.open({ tasks: [task] })];
  for (const tab of [one, other]) await within(tab, () => tab.orchestrator.cache.load());
  await calm(origin);
  const look = async (tab: Tab) => {
    const run = within(tab, () => tab.orchestrator.trigger(task, 'a price'));
    await calm(origin);
    return run;
  };
  return { origin, source, one, other, look };
}

for (const filter of [{ tag: 'prices' }, { tag: 'taxes' }])
  it(`J7: what was begun in another tab before it was invalidated is ${filter.tag === 'prices' ? 'not stored' : 'stored, unless another tag was meant'}`, async () => {
    const { origin, source, one, other, look } = await tabs();
    const { passed, open } = gate();
    source.wait = passed;
    const before = await look(one);
    source.value = 'new';
    source.wait = Promise.resolve();
    await within(other, () => other.orchestrator.cache.invalidate(filter));
    open();
    await calm(origin);
    expect(await before.result()).toBe('old');
    for (const tab of [other, one]) expect(await (await look(tab)).result()).toBe(filter.tag === 'prices' ? 'new' : 'old');
    await origin.close();
  });

it('J7: what another tab was writing meanwhile is dropped when it has been written', async () => {
  const writing = gate();
  const { origin, source, one, other, look } = await tabs((store) => new Proxy(store, {
    get: (target, key) => {
      if (key === 'set') return async (...entry: Parameters<Cache['set']>) => (source.value === 'old' && (await writing.passed), target.set(...entry));
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  }));
  const before = await look(one);
  await within(other, () => other.orchestrator.cache.invalidate({ tag: 'prices' }));
  await calm(origin);
  writing.open();
  await calm(origin);
  expect(await before.result()).toBe('old');
  source.value = 'new';
  expect(await (await look(other)).result()).toBe('new');
  await origin.close();
});

it('J7: what is no filter is not believed', async () => {
  const { origin, one, other, look } = await tabs();
  await look(one);
  within(other, () => {
    const channel = new BroadcastChannel(`holdfast:${other.orchestrator.opening.namespace}:cache`);
    for (const nonsense of [null, 5, 'all', { tag: 5 }, { task: {} }]) channel.postMessage(nonsense);
  });
  await calm(origin);
  expect((await look(other)).state.fromCache).toBe(true);
  await origin.close();
});
