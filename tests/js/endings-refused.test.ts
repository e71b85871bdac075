/** What a handler ends with can't be kept: that is its failure, and no run is left standing. */
import { defineTask, FatalError, NotCloneableError, PayloadTooLargeError } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { type House } from './house.ts';
import { name, open } from './houses.ts';

async function ended(house: House, run: { wait(): Promise<any> }): Promise<any> {
  let result: any;
  void run.wait().then((one) => (result = one));
  for (let i = 0; i < 50 && !result; i++) await house.clock.advance(1000);
  return result;
}

for (const storage of ['memory', undefined] as const)
  describe(`A run whose ending can't be kept fails with the reason${storage ? ', in memory' : ''}`, () => {
    it('ctx.continueAsNew with an input that can not be stored: the place in it', async () => {
      const house = await open(storage && { storage });
      const undone: string[] = [];
      const task = defineTask({
        id: name('anew'),
        retry: { maxAttempts: 1 },
        run: async (_: unknown, ctx) => {
          await ctx.step('first', () => 1, { compensate: () => void undone.push('first') });
          return ctx.continueAsNew({ next: { callback: () => 1 } });
        },
      });
      const result = await ended(house, house.orchestrator.trigger(task, 1));
      expect(result?.error).toBeInstanceOf(NotCloneableError);
      expect(result.error.message).toContain('input of ctx.continueAsNew.next.callback is a function');
      expect(undone).toEqual(['first']);
    });

    it('ctx.continueAsNew with an input that is too large', async () => {
      const house = await open(storage && { storage });
      const task = defineTask({ id: name('large'), retry: { maxAttempts: 1 }, run: async (input: unknown, ctx) => (input === 1 ? ctx.continueAsNew('x'.repeat(3_000_000)) : 'kept') });
      const result = await ended(house, house.orchestrator.trigger(task, 1));
      // Memory has no limit.
      if (storage) expect(result?.output).toBe('kept');
      else expect(result?.error).toBeInstanceOf(PayloadTooLargeError);
    });

    it('an error that is larger than a value may be, of a run that is rolled back', async () => {
      const house = await open(storage && { storage });
      const undone: string[] = [];
      const task = defineTask({
        id: name('huge'),
        run: async (_: unknown, ctx) => {
          await ctx.step('first', () => 1, { compensate: () => void undone.push('first') });
          throw new FatalError('x'.repeat(3_000_000), { data: { long: 'y'.repeat(3_000_000) } });
        },
      });
      const result = await ended(house, house.orchestrator.trigger(task, 1));
      expect(result).toMatchObject({ ok: false, status: 'failed' });
      expect(undone).toEqual(['first']);
    });
  });
