/** One definition file, which imports nothing, on our engine and on another one. */
import { readFileSync } from 'node:fs';
import { defineTask, type PortableContext, type TaskContext } from 'holdfast';
import ts from 'typescript';
import { afterEach, describe, expect, expectTypeOf, it } from 'vitest';
import { crash, open } from './houses.ts';
import { FakeEngine, PowerCut } from './portable/fake-engine.ts';
import { importNotes, summarise, world } from './portable/import-notes.ts';

const notes = { text: 'one two. three. four five six', separator: '. ' };
const summary = { parts: 3, words: 6, madeAt: expect.any(Number), by: 'Ada' };
const everyStep = ['split', 'one two', 'three', 'four five six', 'sum'].sort();

let executed: string[] = [];
world.executed = (what) => void executed.push(what);
afterEach(() => {
  executed = [];
  world.failing.clear();
});

describe('a definition that keeps to the portable surface', () => {
  it('imports nothing when it runs', () => {
    const source = readFileSync(new URL('./portable/import-notes.ts', import.meta.url), 'utf8');
    expect(source).toContain("from 'holdfast'");
    const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 } });
    expect(outputText).not.toMatch(/\bimport\b\s*[^-\s]/);
    expect(outputText).toContain("id: 'import-notes'");
  });

  it('finds all of it in our ctx', () => {
    expectTypeOf<TaskContext>().toExtend<PortableContext>();
  });

  it('runs on another engine, through a power cut after every line of its journal', async () => {
    const tasks = [importNotes, summarise];
    const whole = new FakeEngine(tasks);
    whole.send('approved', { by: 'Ada' });
    expect(await whole.execute('import-notes', notes)).toEqual(summary);
    expect(executed.sort()).toEqual(everyStep);
    const lines = whole.journal.size;
    expect(lines).toBeGreaterThanOrEqual(9);
    for (let writes = 0; writes < lines; writes++) {
      executed = [];
      const cut = new FakeEngine(tasks, writes);
      cut.send('approved', { by: 'Ada' });
      await expect(cut.execute('import-notes', notes)).rejects.toThrow(PowerCut);
      const recorded = [...cut.journal.keys()].filter((key) => key.includes('step ')).length;
      const lost = executed.length - recorded;
      const next = new FakeEngine(tasks, Number.POSITIVE_INFINITY, cut.journal);
      next.send('approved', { by: 'Ada' });
      expect(await next.execute('import-notes', notes)).toEqual(summary);
      expect(executed.length - lost, `after ${writes} lines`).toBe(everyStep.length);
    }
  });

  it('is tried again by another engine as by ours, without a step that was recorded', async () => {
    world.failing.add('three');
    const engine = new FakeEngine([importNotes, summarise]);
    engine.send('approved', { by: 'Ada' });
    expect(await engine.execute('import-notes', notes)).toEqual(summary);
    const theirs = executed.sort();
    executed = [];
    world.failing.add('three');
    const tasks = [defineTask(importNotes), defineTask(summarise)] as const;
    const { orchestrator, clock } = await open({ tasks });
    const run = orchestrator.trigger(tasks[0], notes);
    await run.accepted;
    await orchestrator.send('approved', { by: 'Ada' });
    await clock.advance(20_000);
    expect(await run.result()).toEqual(summary);
    expect(executed.sort()).toEqual(theirs);
    expect(theirs).toEqual([...everyStep, 'three'].sort());
  });

  it('runs on ours, through crashes while it waits, when the event has come, and while it sleeps', async () => {
    const tasks = [defineTask(importNotes), defineTask(summarise)] as const;
    for (const moments of [[], ['waits'], ['sent'], ['asleep'], ['waits', 'sent', 'asleep']]) {
      executed = [];
      let house = await open({ tasks });
      const at = async (moment: string) => {
        if (moments.includes(moment)) house = await crash(house);
      };
      const { id, accepted } = house.orchestrator.trigger(tasks[0], notes);
      await accepted;
      await house.clock.settle();
      await at('waits');
      await house.clock.settle();
      await house.orchestrator.send('approved', { by: 'Ada' });
      await at('sent');
      await house.clock.advance(5000);
      await at('asleep');
      await house.clock.advance(6000);
      expect(await house.orchestrator.attach(id)!.result(), moments.join()).toEqual(summary);
      expect(executed.sort(), moments.join()).toEqual(everyStep);
    }
  });
});
