/** The drawings to start from, and where nodes stand. One of them is run, in Node, with the demo's own nodes. */
import { createOrchestrator } from 'holdfast';
import { globalTaskRegistry } from 'holdfast/graph';
import { TestClock } from 'holdfast/testing';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import '../../js/testing/graph-rooms.ts';
import { Catalog } from '../../demo/src/pipelines/catalog.ts';
import { openDrawing } from '../../demo/src/pipelines/check.ts';
import { examples } from '../../demo/src/pipelines/examples.ts';
import { kEmpty } from '../../demo/src/pipelines/graph-document.ts';
import { laneOf } from '../../demo/src/pipelines/lanes.ts';
import { freePlace, kUsualSize, neighbour, placeBehind, placed, tidied } from '../../demo/src/pipelines/places.ts';
import { lackOf } from '../../demo/src/pipelines/ready.ts';
import { withFiles, withoutFiles } from '../../demo/src/pipelines/run-files.ts';
import { registerNodes } from '../../demo/src/tasks/graph-nodes.ts';

beforeAll(registerNodes);
const catalog = new Catalog(globalTaskRegistry, []);

describe('Every example', () => {
  it.each(examples.flatMap((example) => (['en', 'fr'] as const).map((language) => [example.id, language, example] as const)))('%s (%s) can be opened, and run', async (_id, language, example) => {
    const document = example.document(language);
    expect(await openDrawing(JSON.stringify(document), catalog)).toEqual({ document });
    expect(lackOf(document, catalog)).toBeUndefined();
  });
});

describe('A drawing that can not be run', () => {
  it('says what it lacks', () => {
    expect(lackOf(kEmpty, catalog)).toEqual({ code: 'nothing' });
    const [count, map] = [{ id: 'c', type: 'demo/count-words' }, { id: 'm', type: 'MapTask' }];
    expect(lackOf({ ...kEmpty, tasks: [count] }, catalog)).toEqual({ code: 'port', item: count, port: 'text' });
    expect(lackOf({ ...kEmpty, tasks: [{ ...count, defaults: { text: 'a b' } }] }, catalog)).toBeUndefined();
    expect(lackOf({ ...kEmpty, tasks: [map] }, catalog)).toMatchObject({ code: 'config', item: map });
    const bounded = { ...map, config: { maxIterations: 5 } };
    expect(lackOf({ ...kEmpty, tasks: [bounded] }, catalog)).toEqual({ code: 'inside', item: bounded });
  });
});

describe('The orders', () => {
  async function run(file?: File) {
    const clock = new TestClock();
    const orchestrator = createOrchestrator({ storage: 'memory', clock });
    await orchestrator.ready;
    const document = examples.find(({ id }) => id === 'orders')!.document('en');
    const handle = await orchestrator.graphs.run(file ? withFiles(document, new Map([['json-file', file]])) : document, {}, { failurePolicy: 'continue-independent' });
    // Reading a file takes turns of the real world; the pause takes the clock's.
    const stop = setInterval(() => void clock.advance(1000), 1);
    const outcome = await handle.result().then(async ([leaf]) => (await (leaf!.data['file'] as File).text()).trim(), (error) => error as Error);
    clearInterval(stop);
    const statuses = Object.fromEntries([...handle.nodes].map(([id, { status }]) => [id, status]));
    await orchestrator.dispose();
    return { outcome, statuses };
  }

  it('of the sample are a good month, and the other ways are not gone', async () => {
    const { outcome, statuses } = await run();
    expect(outcome).toBe('A good month: 3577.5 in 40 orders.');
    expect(statuses).toMatchObject({ 'good-month': 'COMPLETED', 'slow-month': 'DISABLED', unreadable: 'DISABLED' });
  });

  it('that can not be read go by the error port, which is no failure of the run', async () => {
    const { outcome, statuses } = await run(new File(['[1, 2'], 'broken.json'));
    expect(outcome).toBe('The file could not be read. "broken.json" is incomplete: it ends in the middle of its JSON.');
    expect(statuses).toMatchObject({ read: 'FAILED', totals: 'DISABLED', decide: 'DISABLED', unreadable: 'COMPLETED', 'text-file': 'COMPLETED' });
  });
});

describe('Files', () => {
  it('go into a run, and stay out of the drawing', () => {
    const document = examples[0]!.document('en');
    const files = new Map([['pdf-file', new File(['x'], 'x.pdf')]]);
    expect(withFiles(document, files).tasks[0]!.defaults!['file']).toBe(files.get('pdf-file'));
    expect(withoutFiles(withFiles(document, files))).toEqual({ document, files });
  });
});

describe('Nodes stand', () => {
  const graph = fc.integer({ min: 1, max: 30 }).chain((count) =>
    fc.uniqueArray(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)), { maxLength: 60, selector: ([from, to]) => from * count + to }).map((pairs) => {
      const tasks = Array.from({ length: count }, (_, index) => ({ id: `n${index}`, type: 'x' }));
      const dataflows = pairs.filter(([from, to]) => from < to).map(([from, to]) => ({ sourceTaskId: `n${from}`, sourceTaskPortId: 'a', targetTaskId: `n${to}`, targetTaskPortId: 'b' }));
      return { version: 1, tasks, dataflows, layout: {} };
    }));

  it('behind all that feed them, and none on another', async () => {
    await fc.assert(
      fc.asyncProperty(graph, async (document) => {
        const places = await tidied(document);
        for (const { sourceTaskId, targetTaskId } of document.dataflows) expect(places[sourceTaskId]!.x).toBeLessThan(places[targetTaskId]!.x);
        const all = Object.values(places);
        for (const [index, one] of all.entries())
          for (const other of all.slice(index + 1)) expect(Math.abs(one.x - other.x) >= kUsualSize.width || Math.abs(one.y - other.y) >= kUsualSize.height).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('where they were put; only those without a place get one', async () => {
    const document = { ...kEmpty, tasks: [{ id: 'a', type: 'x' }, { id: 'b', type: 'x' }], layout: { a: { x: 5, y: 7 } } };
    const { layout } = await placed(document);
    expect(layout['a']).toEqual({ x: 5, y: 7 });
    expect(layout['b']!.y).toBeGreaterThan(7);
  });

  it('beside what is there when they are added', () => {
    const document = { layout: { a: { x: 0, y: 0 } } };
    const b = placeBehind(document, 'a');
    const c = placeBehind({ layout: { ...document.layout, b } }, 'a');
    expect(b).toEqual({ x: 264, y: 0 });
    expect(c).toEqual({ x: 264, y: 148 });
    expect(freePlace(document, { x: 500, y: 3 })).toEqual({ x: 500, y: 3 });
  });

  it('with edges round those that lie in their way', () => {
    const box = (left: number, top: number) => ({ left, top, right: left + 200, bottom: top + 100 });
    const [from, to] = [{ x: 200, y: 50 }, { x: 900, y: 60 }];
    expect(laneOf(from, to, [box(0, 0), box(900, 10)])).toBeUndefined();
    expect(laneOf(from, to, [box(0, 0), box(300, 0), box(600, -200), box(900, 10)])).toEqual({ y: 112, from: 288, to: 512 });
    // Below is another one: the way is above, or below both.
    expect(laneOf(from, to, [box(300, 0), box(300, 110)])!.y).toBe(-12);
    expect(laneOf(to, from, [box(300, 0)])).toBeUndefined();
  });

  it('so that arrows lead to the nearest that way', () => {
    const at = { left: { x: 0, y: 0 }, right: { x: 300, y: 10 }, far: { x: 600, y: 0 }, below: { x: 20, y: 300 } };
    const document = { ...kEmpty, tasks: Object.keys(at).map((id) => ({ id, type: 'x' })), layout: at };
    expect([neighbour(document, 'left', 'right'), neighbour(document, 'left', 'down'), neighbour(document, 'far', 'left'), neighbour(document, 'left', 'up')]).toEqual(['right', 'below', 'right', undefined]);
  });
});
