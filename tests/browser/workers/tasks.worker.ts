import { FatalError, serve } from 'holdfast/worker';

serve({
  double: (input: number) => input * 2,
  loop: (input: string) => {
    if (input === 'forever') for (;;);
    return 'ended';
  },
  steps: async (_input, ctx) => [
    await ctx.step('one', () => new Date(5)),
    await ctx.step('two', () => new Uint8Array([1, 2])),
  ],
  progress: (_input, ctx) => {
    for (let i = 0; i <= 100; i++) ctx.progress(i);
  },
  throws: () => {
    throw new FatalError('no', { data: { page: 3 } });
  },
  rejects: () => {
    void Promise.reject(new Error('stray'));
    return new Promise(() => {});
  },
  uncaught: () => {
    setTimeout(() => {
      throw new Error('later');
    });
    return new Promise(() => {});
  },
  closes: () => {
    self.close();
    return new Promise(() => {});
  },
  file: (input: { file: File }) => ({ file: input.file, large: new Float64Array(1e6).fill(7) }),
  waits: (_input, ctx) =>
    new Promise((_, reject) => {
      ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason));
    }),
});
