/** H12 for streams: the core ends half way through an event, at every point; the chunks are those there would have been. */
import { readFileSync } from 'node:fs';
import { defineTask, TestClock } from 'holdfast';
import { afterEach, expect, it, vi } from 'vitest';
import { type House, openHouse } from './house.ts';

interface TrapModule {
  __trap(point: number): void;
}
const { modules } = vi.hoisted(() => ({ modules: [] as TrapModule[] }));
vi.mock('../../js/core.js', async () => {
  const glue = new URL('../../build/wasm-trap/core.js', import.meta.url).href;
  const { default: create } = await import(/* @vite-ignore */ glue);
  return {
    default: async (...args: unknown[]) => {
      const module = await create(...args);
      modules.push(module);
      return module;
    },
  };
});
const wasm = new WebAssembly.Module(readFileSync(new URL('../../build/wasm-trap/core.wasm', import.meta.url)));

const houses: House[] = [];
afterEach(async () => {
  for (const { orchestrator } of houses.splice(0)) await Promise.race([orchestrator.dispose(), new TestClock().settle()]);
});

const large = 'z'.repeat(100_000);
const writing = defineTask({
  id: 'writing',
  retry: { maxAttempts: 3, minDelayMs: 1, randomize: false },
  run: async (_: null, ctx) => {
    const out = ctx.stream('out');
    await out.append('first');
    await ctx.step('one', () => out.append('in one'));
    void out.append(large);
    void out.append('behind');
    await ctx.step('two', () => 2);
    await out.append('last');
  },
});

it('H12: wherever the core traps, each chunk is there once and in order', async () => {
  let point = 1;
  for (let trapped = true; trapped; point++) {
    modules.length = 0;
    const house = await openHouse({ wasm, tasks: [writing] });
    houses.push(house);
    const warnings: string[] = [];
    house.orchestrator.on('warning', (message) => warnings.push(message));
    await house.orchestrator.streams.load();
    for (const module of modules) module.__trap(point);
    const run = house.orchestrator.trigger(writing, null);
    const read: unknown[] = [];
    const reading = (async () => {
      for await (const chunk of run.stream('out')) read.push(chunk);
    })();
    // Another core is instantiated in real time.
    for (let turn = 0; turn < 400 && run.status !== 'completed'; turn++) {
      await house.clock.advance(250);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(run.status, `trapped at ${point}: ${warnings}`).toBe('completed');
    await reading;
    expect(read, `trapped at ${point}`).toEqual(['first', 'in one', large, 'behind', 'last']);
    trapped = warnings.some((message) => message.includes('rebuilt'));
    expect(warnings.filter((message) => message.includes('another chunk'))).toEqual([]);
  }
  expect(point).toBeGreaterThan(20);
});
