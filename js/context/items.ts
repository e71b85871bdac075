/**
 * Collections whose items keep their identity: `ctx.map` (each item by itself), `ctx.scatter` (several
 * sources at once).
 */
import { BatchError, ConfigurationError } from '../errors.ts';
import { checkNames, describe, wholeNumber } from '../checks.ts';
import { isTask } from '../registry.ts';
import type { ItemResult, MapOptions, TaskContext } from '../types.ts';

const mapOptionNames = ['id', 'concurrency', 'ordered', 'onItemError', 'name'];

type Work<Item> = ((item: Item, info: { id: string; index: number }) => unknown) | object | string;

/** @throws ConfigurationError for an id that is no text, or comes twice */
function idsOf<Item>(items: readonly Item[], id: MapOptions<Item>['id']): string[] {
  const ids = items.map((item, index) => (id ? id(item, index) : defaultId(item, index)));
  const seen = new Set<string>();
  for (const [index, one] of ids.entries()) {
    if (typeof one !== 'string' || one === '') throw new ConfigurationError(`ctx.map: the id of item ${index} must be text, not ${describe(one)}.`);
    if (seen.has(one)) throw new ConfigurationError(`ctx.map: two items have the id ${JSON.stringify(one)}. Give each its own: ctx.map(items, work, { id: (item) => … }).`);
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
  ctx: TaskContext, items: readonly Item[], work: Work<Item>, options: MapOptions<Item> = {},
): Promise<ItemResult<Value, Item>[]> {
  if (!Array.isArray(items)) throw new ConfigurationError(`ctx.map needs an array of items, not ${describe(items)}.`);
  checkNames(options, mapOptionNames, 'ctx.map');
  const { concurrency = items.length || 1, ordered = true, onItemError = 'collect', name = 'map' } = options;
  wholeNumber(concurrency, 'ctx.map concurrency', 1);
  if (onItemError !== 'collect' && onItemError !== 'fail') throw new ConfigurationError(`ctx.map onItemError must be 'collect' or 'fail', not ${describe(onItemError)}.`);
  const ids = idsOf(items, options.id);
  const done: ItemResult<Value, Item>[] = [];
  const one = async (index: number): Promise<void> => {
    const result = await runItem<Item, Value>(ctx, work, items[index]!, ids[index]!, index, name);
    if (!result.ok && onItemError === 'fail') throw result.error;
    done.push(result);
  };
  await pool(items.length, concurrency, one);
  return ordered ? done.sort((a, b) => a.index - b.index) : done;
}

async function runItem<Item, Value>(
  ctx: TaskContext, work: Work<Item>, item: Item, id: string, index: number, name: string,
): Promise<ItemResult<Value, Item>> {
  try {
    const value = (isTask(work) || typeof work === 'string'
      ? await ctx.run(work as never, item as never, { id, item: { id, index } } as never)
      : await ctx.step(name, () => (work as (item: Item, info: object) => unknown)(item, { id, index }), { id })) as Value;
    return { id, index, item, ok: true, value };
  } catch (error) {
    // The run is being stopped: that is no failure of the item.
    if (ctx.signal.aborted) throw error;
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
  ctx: TaskContext, sources: Sources,
): Promise<{ [Name in keyof Sources]: unknown }> {
  if (typeof sources !== 'object' || sources === null) throw new ConfigurationError(`ctx.scatter needs an object of named sources, not ${describe(sources)}.`);
  const names = Object.keys(sources);
  const settled = await Promise.allSettled(
    names.map((name) => {
      const source = sources[name];
      return typeof source === 'function' ? ctx.step(name, source as () => unknown, { id: 'scatter' }) : source;
    }),
  );
  const errors = settled.flatMap((one, index) => (one.status === 'rejected' ? [[names[index]!, one.reason] as const] : []));
  if (errors.length > 0)
    throw new BatchError(`ctx.scatter: ${errors.map(([name, error]) => `${name}: ${(error as Error)?.message ?? error}`).join('; ')}`, {
      cause: errors[0]![1], data: { failed: errors.map(([name]) => name) },
    });
  return Object.fromEntries(settled.map((one, index) => [names[index]!, (one as PromiseFulfilledResult<unknown>).value])) as never;
}
