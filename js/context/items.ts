/**
 * Collections whose items keep their identity: `ctx.map` (each item by itself), `ctx.gather` (several
 * sources for all items, joined by id), `ctx.scatter` (several sources at once). `map` and `gather` give
 * the same records, so code may change from one to the other. Made of `step` and `run` alone.
 */
import { BatchError, ConfigurationError, UnrecognizedTaskError } from '../errors.ts';
import { checkNames, describe, wholeNumber } from '../intake/checks.ts';
import { isTask } from '../intake/registry.ts';
import type { GatherOptions, ItemInfo, ItemResult, Joined, MapOptions, Section } from '../types.ts';

const mapOptionNames = ['id', 'concurrency', 'ordered', 'onItemError', 'name'];
const gatherOptionNames = ['id', 'concurrency', 'onItemError'];

type ItemContext = Pick<Section, 'run' | 'step' | 'options' | 'signal'>;

type Work<Item> = ((item: Item, info: ItemInfo) => unknown) | object | string;

/** @throws ConfigurationError for an id that is no text, or comes twice */
function idsOf<Item>(items: readonly Item[], id: MapOptions<Item>['id'], verb: string): string[] {
  const ids = items.map((item, index) => (id ? id(item, index) : defaultId(item, index)));
  const seen = new Set<string>();
  for (const [index, one] of ids.entries()) {
    if (typeof one !== 'string' || one === '') throw new ConfigurationError(`${verb}: the id of item ${index} must be text, not ${describe(one)}.`);
    if (seen.has(one)) throw new ConfigurationError(`${verb}: two items have the id ${JSON.stringify(one)}. Give each its own: { id: (item) => … }.`);
    seen.add(one);
  }
  return ids;
}

/** An item's own id where it has one, else its place. */
function defaultId(item: unknown, index: number): string {
  const own = typeof item === 'object' && item !== null ? (item as { id?: unknown }).id : undefined;
  return typeof own === 'string' || typeof own === 'number' ? String(own) : String(index);
}

export async function map<Item, Value>(
  ctx: ItemContext, items: readonly Item[], work: Work<Item>, options: MapOptions<Item> = {},
): Promise<ItemResult<Value, Item>[]> {
  checkItems(items, options, mapOptionNames, 'ctx.map');
  checkWork(work, 'ctx.map');
  return mapKeyed(ctx, items, work, options, { verb: 'ctx.map', childId: (id) => id });
}

function checkItems(items: unknown, options: object, names: readonly string[], verb: string): void {
  if (!Array.isArray(items)) throw new ConfigurationError(`${verb} needs an array of items, not ${describe(items)}.`);
  checkNames(options, names, verb);
}

/** @throws ConfigurationError */
function checkWork(work: unknown, verb: string): void {
  if (typeof work !== 'function' && typeof work !== 'string' && !isTask(work))
    throw new ConfigurationError(`${verb} needs a task made by defineTask, the id of one or a function for its items, not ${describe(work)}.`);
}

/** A name nobody registered is the code's mistake and not an item's failure; a child that made it has a run. */
function isMistake(error: unknown): boolean {
  return error instanceof UnrecognizedTaskError && error.runId === undefined;
}

/** @param childId of an item's id: what tells its child from others of the task */
async function mapKeyed<Item, Value>(
  ctx: ItemContext, items: readonly Item[], work: Work<Item>, options: MapOptions<Item>,
  { verb, childId }: { verb: string; childId: (id: string) => string },
): Promise<ItemResult<Value, Item>[]> {
  const { concurrency = ctx.options?.concurrency ?? (items.length || 1), ordered = true, onItemError = 'collect', name = 'map' } = options;
  wholeNumber(concurrency, `${verb} concurrency`, 1);
  if (onItemError !== 'collect' && onItemError !== 'fail') throw new ConfigurationError(`${verb} onItemError must be 'collect' or 'fail', not ${describe(onItemError)}.`);
  const ids = idsOf(items, options.id, verb);
  const round = nextRound(ctx, isTask(work) ? `task ${work.id}` : typeof work === 'string' ? `task ${work}` : name);
  const done: ItemResult<Value, Item>[] = [];
  const one = async (index: number): Promise<void> => {
    const id = ids[index]!;
    const result = await runItem<Item, Value>(ctx, work, { id, index, item: items[index]!, total: items.length }, name, round + childId(id));
    if (!result.ok && onItemError === 'fail') throw result.error;
    done.push(result);
  };
  await pool(items.length, concurrency, one);
  return ordered ? done.sort((a, b) => a.index - b.index) : done;
}

const rounds = new WeakMap<object, Map<string, number>>();

/** Tells a collection, or another part of code, from those before it of the same work; nothing for the first. */
export function nextRound(owner: object, work: string): string {
  const counts = rounds.get(owner) ?? new Map<string, number>();
  const count = counts.get(work) ?? 0;
  rounds.set(owner, counts.set(work, count + 1));
  return count === 0 ? '' : `${count}/`;
}

async function runItem<Item, Value>(
  ctx: ItemContext, work: Work<Item>, { id, index, item, total }: { id: string; index: number; item: Item; total: number }, name: string, key: string,
): Promise<ItemResult<Value, Item>> {
  try {
    const value = (isTask(work) || typeof work === 'string'
      ? await ctx.run(work as never, item as never, { id: key, item: { id, index, total } } as never)
      : await ctx.step(name, (step?: { stepId: string }) => (work as (item: Item, info: object) => unknown)(item, { id, index, stepId: step?.stepId }), { id: key })) as Value;
    return { id, index, item, ok: true, value };
  } catch (error) {
    // The run is being stopped: that is no failure of the item.
    if (ctx.signal.aborted || isMistake(error)) throw error;
    return { id, index, item, ok: false, error: error as Error };
  }
}

/** Begins them in order, so many at once; the first throw ends it. */
async function pool(count: number, concurrency: number, one: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, lane));
}

/** Every source at once, each a step or a promise of its own; rejects with all that failed. */
export async function scatter<Sources extends Record<string, unknown>>(
  ctx: ItemContext, sources: Sources,
): Promise<{ [Name in keyof Sources]: unknown }> {
  if (typeof sources !== 'object' || sources === null || Array.isArray(sources)) throw new ConfigurationError(`ctx.scatter needs an object of named sources, not ${describe(sources)}.`);
  const names = Object.keys(sources);
  const settled = await Promise.allSettled(
    names.map((name) => {
      const source = sources[name];
      return typeof source === 'function' ? ctx.step(name, source as () => unknown) : source;
    }),
  );
  const errors = settled.flatMap((one, index) => (one.status === 'rejected' ? [[names[index]!, one.reason] as const] : []));
  if (errors.length > 0)
    throw new BatchError(`ctx.scatter: ${errors.map(([name, error]) => `${name}: ${(error as Error)?.message ?? error}`).join('; ')}`, {
      cause: errors[0]![1], data: { failed: errors.map(([name]) => name) },
    });
  return Object.fromEntries(settled.map((one, index) => [names[index]!, (one as PromiseFulfilledResult<unknown>).value])) as never;
}

/**
 * Everything is fetched, then combined: every source begins at once and works through all items as `map`
 * does. The records are those of `map`, with a value by source.
 */
export async function gather(
  ctx: ItemContext, items: readonly unknown[], sources: Record<string, Work<unknown>>, options: GatherOptions = {},
): Promise<ItemResult[]> {
  checkItems(items, options, gatherOptionNames, 'ctx.gather');
  if (typeof sources !== 'object' || sources === null || Object.keys(sources).length === 0)
    throw new ConfigurationError(`ctx.gather needs an object of named sources, not ${describe(sources)}.`);
  for (const [name, work] of Object.entries(sources)) checkWork(work, `ctx.gather source ${JSON.stringify(name)}`);
  const lists = await Promise.all(Object.entries(sources).map(async ([name, work]) =>
    [name, await mapKeyed(ctx, items, work, { ...options, name }, { verb: 'ctx.gather', childId: (id) => `${name}/${id}` })] as const));
  return joinById(Object.fromEntries(lists)) as ItemResult[];
}

/**
 * Records of several lists, from `ctx.map` or `ctx.gather`, joined by their ids: one record an id, with a
 * value by list. It is `ok` where all of them are; else its error is a BatchError that names the lists
 * that failed or have no such id. In the order of the first list.
 * @throws ConfigurationError for lists that are none
 */
export function joinById<const Lists extends Record<string, readonly ItemResult[]>>(lists: Lists): ItemResult<Joined<Lists>>[] {
  const joined = new Map<string, { item: unknown; parts: Map<string, ItemResult> }>();
  for (const [name, list] of Object.entries(lists)) {
    if (!Array.isArray(list)) throw new ConfigurationError(`joinById needs named lists of records; ${name} is ${describe(list)}.`);
    for (const record of list) {
      const known = joined.get(record.id) ?? { item: record.item, parts: new Map() };
      known.parts.set(name, record);
      joined.set(record.id, known);
    }
  }
  const names = Object.keys(lists);
  return [...joined].map(([id, { item, parts }], index) => joinParts({ id, index, item }, names, parts) as ItemResult<Joined<Lists>>);
}

function joinParts(known: { id: string; index: number; item: unknown }, names: readonly string[], parts: ReadonlyMap<string, ItemResult>): ItemResult {
  const failed = names.filter((name) => !parts.get(name)?.ok);
  if (failed.length === 0) return { ...known, ok: true, value: Object.fromEntries(names.map((name) => [name, (parts.get(name) as { value: unknown }).value])) };
  const errors = failed.map((name) => (parts.get(name) as { error?: Error } | undefined)?.error);
  const words = failed.map((name, index) => `${name}: ${errors[index]?.message ?? 'has no such item'}`);
  return { ...known, ok: false, error: new BatchError(`item ${JSON.stringify(known.id)}: ${words.join('; ')}`, { cause: errors[0], data: { failed } }) };
}
