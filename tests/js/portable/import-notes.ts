/**
 * A definition as an application would keep it, in a file that imports nothing at run time: split a
 * text, read its parts at once, wait for a person's word, sleep, sum up in a child.
 */
import type { PortableTask } from 'holdfast';

interface Notes {
  text: string;
  /** What counts as the end of a part. */
  separator: string;
}

interface Summary {
  parts: number;
  words: number;
  madeAt: number;
  by: string;
}

/** Stands for the world outside: every execution of a step is heard here. */
export const world = {
  executed: (_what: string): void => {},
  /** Fails at its first word. */
  failing: new Set<string>(),
};

function words(part: string): number {
  world.executed(part);
  if (world.failing.delete(part)) throw new Error(`${part} is not to be read yet`);
  return part.split(/\s+/).filter(Boolean).length;
}

export const summarise: PortableTask<{ counts: number[] }, number> = {
  id: 'summarise',
  run: async ({ counts }, ctx) => ctx.step('sum', () => {
    world.executed('sum');
    return counts.reduce((sum, count) => sum + count, 0);
  }),
};

export const importNotes: PortableTask<Notes, Summary> = {
  id: 'import-notes',
  retry: { maxAttempts: 3, minDelayMs: 1000, factor: 1, randomize: false },
  run: async ({ text, separator }, ctx) => {
    const madeAt = ctx.now();
    const parts = await ctx.step('split', () => {
      world.executed('split');
      return text.split(separator);
    });
    const counts = await Promise.all(parts.map((part, index) =>
      ctx.step('read', () => words(part), { id: `part-${index}` })));
    ctx.progress(50);
    const answer = await ctx.waitFor<{ by: string }>('approved', { timeout: '1h' });
    await ctx.sleep('10s');
    const total = await ctx.run<number>('summarise', { counts });
    ctx.log.info('imported', { parts: parts.length });
    return { parts: parts.length, words: total, madeAt, by: answer.ok ? answer.output.by : 'nobody' };
  },
};
