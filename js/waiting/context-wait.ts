/** `ctx.wait`: the waits of a context under the names of others; in a page and in a worker alike. */
import type { ContextWait, TaskContext } from '../types.ts';

export function contextWait(ctx: Pick<TaskContext, 'sleep' | 'sleepUntil' | 'waitForEvent' | 'createToken' | 'waitForToken'>): ContextWait {
  return {
    for: (duration) => ctx.sleep(duration),
    until: (moment) => {
      if (typeof moment !== 'object' || moment instanceof Date) return ctx.sleepUntil(moment);
      const { date, ...options } = moment;
      return ctx.sleepUntil(date, options);
    },
    forEvent: (name, options) => ctx.waitForEvent(name, options),
    createToken: (options) => ctx.createToken(options),
    forToken: (token) => ctx.waitForToken(token),
  };
}
