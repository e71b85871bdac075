/** `ctx.wait`: the waits of a context under the names of others; in a page and in a worker alike. */
import { checkIdentifier } from '../intake/checks.ts';
import type { ContextWait, Duration, SleepOptions, TaskContext } from '../types.ts';

type WaitingContext = Pick<TaskContext, 'sleep' | 'sleepUntil' | 'waitForEvent' | 'createToken' | 'waitForToken'>;

/** Waits that were asked for under a key, by the context they were asked of. */
const asked = new WeakMap<object, Map<string, Promise<void>>>();

export function contextWait(ctx: WaitingContext): ContextWait {
  return {
    for: (given) => {
      if (typeof given !== 'object' || !('idempotencyKey' in given)) return ctx.sleep(given as Duration);
      const { idempotencyKey, ...duration } = given;
      return once(ctx, idempotencyKey, 'ctx.wait.for', (options) => ctx.sleep(duration, options));
    },
    until: (moment) => {
      if (typeof moment !== 'object' || moment instanceof Date) return ctx.sleepUntil(moment);
      const { date, idempotencyKey, ...more } = moment;
      return once(ctx, idempotencyKey, 'ctx.wait.until', (options) => ctx.sleepUntil(date, { ...more, ...options }));
    },
    forEvent: (name, options) => ctx.waitForEvent(name, options),
    createToken: (options) => ctx.createToken(options),
    forToken: (token) => ctx.waitForToken(token),
  };
}

/** The first wait under a key is the only one. @throws ConfigurationError */
async function once(ctx: WaitingContext, key: string | undefined, where: string, wait: (options: SleepOptions) => Promise<void>): Promise<void> {
  if (key === undefined) return wait({});
  checkIdentifier(key, `${where} idempotencyKey`);
  const known = asked.get(ctx) ?? new Map<string, Promise<void>>();
  asked.set(ctx, known);
  const waits = known.get(key) ?? wait({ id: key });
  known.set(key, waits);
  return waits;
}
