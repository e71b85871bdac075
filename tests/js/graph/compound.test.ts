/** Tasks that hold tasks: what they give, what they tell, and that a kill costs no turn. */
import fc from 'fast-check';
import { Dataflow, DelayTask, registerTask, Task, TaskGraph, TaskInvalidInputError, type TaskInput, type TaskOutput } from 'holdfast/graph';
import { afterEach, describe, expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { ArrayTask, ConditionalTask, FallbackTask, GraphAsTask, MapTask, ReduceTask, TypeReplicateArray, WhileTask } from '../../../js/graph/compound/index.ts';
import { combinations, inTurns, iterationsOf, listsOf } from '../../../js/graph/compound/iterations.ts';
import { type House, openHouse } from '../house.ts';

const number = { type: 'number' } as const;
const ports = (properties: Record<string, any>, required: string[] = Object.keys(properties)) => ({ type: 'object', properties, required, additionalProperties: false });

let executed: string[] = [];
/** Turns that wait here until they are let go. */
let held: Map<number, () => void> | undefined;

class Double extends Task {
  static override readonly type = 'CompoundDouble';
  static override inputSchema = () => ports({ n: number });
  static override outputSchema = () => ports({ n: number });
  override async execute({ n }: TaskInput) {
    if (held) await new Promise<void>((resolve) => held!.set(n, resolve));
    executed.push(`double ${n}`);
    if (n === 13) throw new Error('thirteen');
    return { n: 2 * n };
  }
}
class Add extends Task {
  static override readonly type = 'CompoundAdd';
  static override inputSchema = () => ports({ accumulator: number, n: number });
  static override outputSchema = () => ports({ accumulator: number });
  override execute({ accumulator, n }: TaskInput) {
    executed.push(`add ${accumulator} ${n}`);
    return { accumulator: accumulator + n };
  }
}
class Turn extends Task {
  static override readonly type = 'CompoundTurn';
  static override inputSchema = () => ports({ _iterationIndex: number, _iterationCount: number });
  static override outputSchema = () => ports({ text: { type: 'string' } });
  override execute({ _iterationIndex: index, _iterationCount: count }: TaskInput) {
    return { text: `${index} of ${count}` };
  }
}
class Pass extends Task {
  static override readonly type = 'CompoundPass';
  override execute(input: TaskInput) {
    executed.push(this.id);
    return input;
  }
}
class Fails extends Task {
  static override readonly type = 'CompoundFails';
  override execute({ why = 'no' }: TaskInput): TaskOutput {
    executed.push(`fails ${why}`);
    throw new Error(why);
  }
}
class Greet extends ArrayTask {
  static override readonly type = 'CompoundGreet';
  static override inputSchema = () => ({ type: 'object', properties: { name: TypeReplicateArray({ type: 'string' }), word: TypeReplicateArray({ type: 'string' }), end: { type: 'string' } } });
  override execute({ name, word, end }: TaskInput): TaskOutput {
    return { greeting: `${word} ${name}${end ?? ''}` };
  }
}
registerTask(Double, Add, Turn, Pass, Fails, Greet, MapTask, ReduceTask, WhileTask, ConditionalTask, FallbackTask, GraphAsTask);

afterEach(() => {
  executed = [];
  held = undefined;
});

const graphOf = (...tasks: Task<any, any, any>[]): TaskGraph => {
  const graph = new TaskGraph();
  graph.addTasks(tasks);
  return graph;
};
const doubled = () => graphOf(new Double({ id: 'double' }));

describe('GraphAsTask', () => {
  const group = () => {
    const inner = graphOf(new Double({ id: 'double' }), new Add({ id: 'add', defaults: { accumulator: 1 } }));
    inner.connect('double', 'n', 'add', 'n');
    return new GraphAsTask({ id: 'group', subGraph: inner });
  };

  it('has the ports that its graph leaves open, and gives what its leaves give', async () => {
    expect(group().inputSchema()).toEqual({ type: 'object', properties: { n: number }, required: ['n'], additionalProperties: false });
    expect(group().outputSchema()).toEqual(ports({ accumulator: number }));
    expect(await group().run({ n: 5 })).toEqual({ accumulator: 11 });
  });

  it('follows changes of its graph, and says so', () => {
    const task = group();
    const heard: string[] = [];
    task.on('regenerate', () => heard.push('regenerate'));
    task.on('schemaChange', (input) => heard.push(`schemaChange ${Object.keys((input as any).properties)}`));
    task.subGraph!.addTask(new Turn({ id: 'turn' }));
    expect(heard).toEqual(['regenerate', 'schemaChange n,_iterationIndex,_iterationCount']);
    expect(Object.keys((task.outputSchema() as any).properties)).toEqual(['accumulator', 'text']);
  });

  it('merges several leaves as its config says, and keeps that in its document', async () => {
    const task = new GraphAsTask({ id: 'group', merge: 'by-id', subGraph: graphOf(new Pass({ id: 'a' }), new Pass({ id: 'b' })) });
    expect(await task.run({ x: 1 })).toEqual({ a: { x: 1 }, b: { x: 1 } });
    expect(task.toJSON()).toMatchObject({ type: 'GraphAsTask', merge: 'by-id', subgraph: { tasks: [{ id: 'a' }, { id: 'b' }] } });
  });

  it('in itself, and fails with what failed in it', async () => {
    const outer = new GraphAsTask({ id: 'outer', subGraph: graphOf(group()) });
    expect(await outer.run({ n: 2 })).toEqual({ accumulator: 5 });
    await expect(outer.run({ n: 13 })).rejects.toThrow('thirteen');
  });

  it('is as far as its graph is, and says what that says of itself', async () => {
    const inner = graphOf(new Pass({ id: 'first' }));
    inner.addTask(async (input: TaskInput, { updateProgress }) => (await updateProgress(10, 'Reading'), input), { id: 'reads' });
    inner.connect('first', '*', 'reads', '*');
    const whole = new GraphAsTask({ id: 'whole', subGraph: inner });
    const told: string[] = [];
    inner.on('graph_progress', (...given) => told.push(`graph ${given.join(' ')}`));
    whole.on('progress', (...given) => told.push(`task ${given.filter((one) => one !== undefined).join(' ')}`));
    await whole.run({ n: 1 });
    expect(told).toEqual(['graph 50', 'task 50', 'graph 50 Reading', 'task 50 Reading', 'graph 100', 'task 99']);
  });

  it('without a graph it says what is missing', async () => {
    await expect(new GraphAsTask({ id: 'empty' }).run({})).rejects.toThrow('Task empty (GraphAsTask) has no graph to run.');
  });
});

describe('MapTask', () => {
  const map = (config: object = {}, graph = doubled()) => new MapTask({ id: 'map', maxIterations: 100, subGraph: graph, ...config });

  it('runs its graph for each element and gives lists', async () => {
    expect(await map().run({ n: [1, 2, 3] })).toEqual({ n: [2, 4, 6] });
    expect(await map().run({ n: [] })).toEqual({ n: [] });
  });

  it('goes through several lists side by side; what is no list comes to each turn', async () => {
    const graph = graphOf(new Add({ id: 'add' }));
    expect(await map({}, graph).run({ n: [1, 2], accumulator: [10, 20] })).toEqual({ accumulator: [11, 22] });
    expect(await map({}, graph).run({ n: [1, 2], accumulator: 10 })).toEqual({ accumulator: [11, 12] });
    await expect(map({}, graph).run({ n: [1, 2], accumulator: [10] })).rejects.toThrow('the lists that are gone through together have to be of one length: n has 2, accumulator has 1');
  });

  it('tells each turn its number, and tells of each turn', async () => {
    const task = map({ concurrencyLimit: 1 }, graphOf(new Turn({ id: 'turn' })));
    task.subGraph!.addTask(new Pass({ id: 'pass' }));
    const heard: string[] = [];
    for (const name of ['iteration_start', 'iteration_complete', 'iteration_progress'] as const) task.on(name, (index, count, ...more) => heard.push([name, `${index}/${count}`, ...more].join(' ')));
    expect(await task.run({ item: ['a', 'b'] })).toMatchObject({ text: [['0 of 2'], ['1 of 2']], item: [['a'], ['b']] });
    expect(heard).toEqual([0, 1].flatMap((at) => [`iteration_start ${at}/2`, `iteration_progress ${at}/2 100`, `iteration_complete ${at}/2`]));
  });

  it('tells how far a turn is, and so does a loop', async () => {
    const house = await openHouse();
    const chained = () => {
      const graph = graphOf(new DelayTask({ id: 'first', delay: '1m' }), new DelayTask({ id: 'last', delay: '1m' }));
      graph.connect('first', '*', 'last', '*');
      return graph;
    };
    const told = async (task: Task<any, any, any>, input: object) => {
      const heard: string[] = [];
      task.on('iteration_progress', (...given) => heard.push(given.join(' ')));
      const run = await house.orchestrator.graphs.run(graphOf(task), input);
      await house.clock.advance(600_000);
      await run.result();
      return heard;
    };
    const each = ['0 2 50', '0 2 99', '0 2 100', '1 2 50', '1 2 99', '1 2 100'];
    expect(await told(map({ concurrencyLimit: 1 }, chained()), { item: ['a', 'b'] })).toEqual(each);
    expect(await told(new WhileTask({ id: 'while', maxIterations: 2, conditionField: 'n', conditionOperator: 'equals', conditionValue: '1', subGraph: chained() }), { n: 1 })).toEqual(each);
    house.cut();
  });

  it('joins lists that turns give where it is to', async () => {
    const graph = graphOf(new Pass({ id: 'pass' }));
    expect(await map({ flatten: true, iterationInputConfig: { _iterationCount: { mode: 'scalar' } } }, graph).run({ list: [[1, 2], [3]] })).toMatchObject({ list: [1, 2, 3] });
  });

  it('does so many at once, in batches', async () => {
    held = new Map();
    const running = map({ batchSize: 3, concurrencyLimit: 2 }).run({ n: [1, 2, 3, 4] });
    const seen: number[][] = [];
    for (let turn = 0; turn < 4; turn++) {
      await expect.poll(() => held!.size).toBeGreaterThan(0);
      await new Promise((resolve) => setTimeout(resolve, 5));
      seen.push([...held.keys()]);
      const [first] = held.keys();
      const go = held.get(first!)!;
      held.delete(first!);
      go();
    }
    expect(await running).toEqual({ n: [2, 4, 6, 8] });
    expect(seen).toEqual([[1, 2], [2, 3], [3], [4]]);
  });

  it('refuses more elements than it may have, no list, and a bound that nobody said', async () => {
    await expect(map({ maxIterations: 2 }).run({ n: [1, 2, 3] })).rejects.toThrow('3 elements are more than its maxIterations (2)');
    await expect(map().run({ n: 1 })).rejects.toThrow('got no list to go through');
    expect(() => new MapTask({ id: 'map' })).toThrow("MapTask: config.maxIterations must be a whole number above 0, or 'unbounded', not nothing.");
    expect(await map({ maxIterations: 'unbounded' }).run({ n: [1] })).toEqual({ n: [2] });
    expect(() => map({ concurrencyLimit: 0 })).toThrow('config.concurrencyLimit must be a whole number above 0, not 0');
  });

  it('fails with the first turn that fails', async () => {
    await expect(map().run({ n: [1, 13, 2] })).rejects.toThrow('thirteen');
  });

  it('has ports for lists', () => {
    expect(map().inputSchema()).toMatchObject({ properties: { n: { anyOf: [number, { type: 'array', items: number }] } }, required: ['n'] });
    expect(map().outputSchema()).toMatchObject({ properties: { n: { type: 'array', items: number } }, required: ['n'] });
  });

  it('a killed run goes on with the turns that have not ended: none is executed twice', async () => {
    held = new Map();
    const graph = graphOf(new Pass({ id: 'in' }), new MapTask({ id: 'map', maxIterations: 10, concurrencyLimit: 1, subGraph: doubled() }));
    graph.connect('in', 'n', 'map', 'n');
    let house = await openHouse();
    const run = await house.orchestrator.graphs.run(graph, { n: [1, 2, 3] });
    await letGo(1);
    await letGo(2);
    await heldTurn(3);
    held.clear();
    house = await house.crash();
    await letGo(3);
    const again = (await house.orchestrator.graphs.get(run.id))!;
    expect(await again.result()).toEqual([{ id: 'map', type: 'MapTask', data: { n: [2, 4, 6] } }]);
    expect(executed).toEqual(['in', 'double 1', 'double 2', 'double 3']);
    house.cut();
  });
});

const heldTurn = (n: number) => expect.poll(() => held!.has(n)).toBe(true);
async function letGo(n: number): Promise<void> {
  await heldTurn(n);
  const go = held!.get(n)!;
  held!.delete(n);
  go();
}

describe('ReduceTask', () => {
  const reduce = (config: object = {}) => new ReduceTask({ id: 'reduce', maxIterations: 100, initialValue: 0, subGraph: graphOf(new Add({ id: 'add' })), ...config });

  it('carries a value along the list', async () => {
    expect(await reduce().run({ n: [1, 2, 3] })).toEqual({ accumulator: 6 });
    expect(executed).toEqual(['add 0 1', 'add 1 2', 'add 3 3']);
    expect(await reduce({ initialValue: 7 }).run({ n: [] })).toEqual({ accumulator: 7 });
  });

  it('does not ask for what it gives to its turns', () => {
    expect((reduce().inputSchema() as any).required).toEqual(['n']);
  });

  it('a killed run goes on with the value it had', async () => {
    const graph = new TaskGraph();
    const inner = graphOf(new Double({ id: 'double' }), new Add({ id: 'add' }));
    inner.connect('double', 'n', 'add', 'n');
    graph.addTask(new ReduceTask({ id: 'reduce', maxIterations: 10, initialValue: 100, subGraph: inner }));
    held = new Map();
    let house = await openHouse();
    const run = await house.orchestrator.graphs.run(graph, { n: [1, 2, 3] });
    await letGo(1);
    await letGo(2);
    await heldTurn(3);
    held.clear();
    house = await house.crash();
    await letGo(3);
    expect(await (await house.orchestrator.graphs.get(run.id))!.result()).toMatchObject([{ data: { accumulator: 112 } }]);
    expect(executed).toEqual(['double 1', 'add 100 2', 'double 2', 'add 102 4', 'double 3', 'add 106 6']);
    house.cut();
  });
});

describe('WhileTask', () => {
  const loop = (config: object) => new WhileTask({ id: 'while', maxIterations: 10, subGraph: doubled(), ...config });

  it('runs again while its condition holds, each turn with what the last one gave', async () => {
    expect(await loop({ condition: ({ n }: any) => n < 50 }).run({ n: 3 })).toEqual({ n: 96, _iterations: 5, _maxIterationsReached: false });
    expect(await loop({ conditionField: 'n', conditionOperator: 'less_than', conditionValue: '50' }).run({ n: 3 })).toEqual({ n: 96, _iterations: 5, _maxIterationsReached: false });
  });

  it('stops at the limit and says so, which is no error', async () => {
    expect(await loop({ condition: () => true, maxIterations: 3 }).run({ n: 1 })).toEqual({ n: 8, _iterations: 3, _maxIterationsReached: true });
  });

  it('without chaining each turn gets what came in', async () => {
    expect(await loop({ condition: (_: any, turn: number) => turn < 2, chainIterations: false }).run({ n: 1 })).toEqual({ n: 2, _iterations: 3, _maxIterationsReached: false });
  });

  it('a condition that throws fails it, and a condition is needed', async () => {
    await expect(loop({ condition: () => { throw new Error('hm'); } }).run({ n: 1 })).rejects.toThrow('its condition at turn 0 threw: hm');
    await expect(loop({ condition: (async () => true) as never }).run({ n: 1 })).rejects.toThrow('its condition at turn 0 gave a promise, and has to answer at once');
    await expect(new ConditionalTask({ branches: [{ id: 'way', condition: (async () => Promise.reject(new Error('nobody hears'))) as never }] }).run({})).rejects.toThrow('The condition of branch "way" gave a promise');
    expect(() => loop({})).toThrow('WhileTask needs config.condition, a function of the output, or config.conditionOperator, one of equals');
    expect(() => loop({ condition: () => true }).toJSON()).toThrow("can't be stored");
  });

  it('the count goes on after a kill', async () => {
    held = new Map();
    const graph = graphOf(loop({ conditionField: 'n', conditionOperator: 'less_than', conditionValue: 20 }));
    let house = await openHouse();
    const run = await house.orchestrator.graphs.run(graph, { n: 3 });
    await letGo(3);
    await letGo(6);
    await heldTurn(12);
    held.clear();
    house = await house.crash();
    await letGo(12);
    expect(await (await house.orchestrator.graphs.get(run.id))!.result()).toMatchObject([{ data: { n: 24, _iterations: 3 } }]);
    expect(executed).toEqual(['double 3', 'double 6', 'double 12']);
    house.cut();
  });
});

describe('ConditionalTask', () => {
  const branches = [{ id: 'big', field: 'n', operator: 'greater_than' as const, value: 100 }, { id: 'even', condition: ({ n }: any) => n % 2 === 0, outputPort: 'evens' }];
  const graph = (config: object) => {
    const made = graphOf(new ConditionalTask({ id: 'if', ...config }), new Pass({ id: 'big' }), new Pass({ id: 'even' }), new Pass({ id: 'after big' }));
    made.addDataflows([new Dataflow('if', 'big', 'big', '*'), new Dataflow('if', 'evens', 'even', '*'), new Dataflow('big', '*', 'after big', '*')]);
    return made;
  };

  it('goes on by the first branch that holds; the others are disabled, and what only they lead to', async () => {
    const made = graph({ branches });
    expect(await made.run({ n: 200 })).toEqual([{ id: 'after big', type: 'CompoundPass', data: { n: 200 } }]);
    expect(made.getTask('even')!.status).toBe('DISABLED');
    expect(made.getTask('if')!.runOutputData._activeBranches).toEqual(['big']);
    expect(await made.run({ n: 2 })).toEqual([{ id: 'even', type: 'CompoundPass', data: { n: 2 } }]);
    expect(['big', 'after big'].map((id) => made.getTask(id)!.status)).toEqual(['DISABLED', 'DISABLED']);
  });

  it('by all that hold where it is not exclusive, by the default where none does', async () => {
    expect((await graph({ branches, exclusive: false }).run({ n: 200 })).map(({ id }) => id)).toEqual(['even', 'after big']);
    expect((await graph({ branches, defaultBranch: 'even' }).run({ n: 3 })).map(({ id }) => id)).toEqual(['even']);
    expect(await graph({ branches }).run({ n: 3 })).toEqual([]);
  });

  it('is stored where its conditions are in words, and refused where they are functions', () => {
    expect(() => new ConditionalTask({ branches }).toJSON()).toThrow("can't be stored: config.branches.1.condition is a function");
    const conditionConfig = { branches: [branches[0]!], exclusive: false };
    expect(new ConditionalTask({ id: 'if', conditionConfig }).toJSON()).toEqual({ id: 'if', type: 'ConditionalTask', config: { conditionConfig } });
    expect(new ConditionalTask({ conditionConfig }).execute({ n: 101 })).toEqual({ big: { n: 101 }, _activeBranches: ['big'] });
  });
});

describe('FallbackTask', () => {
  it('gives what the first task that goes gives', async () => {
    const task = new FallbackTask({ id: 'fallback', subGraph: graphOf(new Fails({ id: 'one' }), new Pass({ id: 'two' }), new Pass({ id: 'three' })) });
    expect(await task.run({ x: 1 })).toEqual({ x: 1 });
    expect(executed).toEqual(['fails no', 'two']);
  });

  it('gives what the first alternative of its input gives', async () => {
    const task = new FallbackTask({ id: 'fallback', fallbackMode: 'data', alternatives: [{ n: 13 }, { n: 4 }], subGraph: doubled() });
    expect(await task.run({})).toEqual({ n: 8 });
    expect(executed).toEqual(['double 13', 'double 4']);
  });

  it('tells of all where all fail', async () => {
    const task = new FallbackTask({ id: 'fallback', subGraph: graphOf(new Fails({ id: 'one', defaults: { why: 'first' } }), new Fails({ id: 'two', defaults: { why: 'second' } })) });
    await expect(task.run({})).rejects.toMatchObject({ message: 'All 2 alternatives of FallbackTask fallback failed: one: first; two: second', data: { errors: [{ name: 'one', message: 'first' }, { name: 'two', message: 'second' }] } });
  });
});

describe('ArrayTask', () => {
  it('runs once for every combination of the lists at its marked ports', async () => {
    expect(await new Greet({ id: 'greet' }).run({ name: ['Ada', 'Bob'], word: ['Hi', 'Hello'], end: '!' })).toEqual({ greeting: ['Hi Ada!', 'Hello Ada!', 'Hi Bob!', 'Hello Bob!'] });
    expect(await new Greet({ id: 'greet' }).run({ name: 'Ada', word: 'Hi' })).toEqual({ greeting: 'Hi Ada' });
  });

  it('refuses more combinations than any page should make', async () => {
    const many = Array.from({ length: 101 }, String);
    await expect(new Greet({ id: 'greet' }).run({ name: many, word: many })).rejects.toThrow('are 10201 combinations; the limit is 10000');
  });
});

describe('laws of turns', () => {
  const list = fc.array(fc.integer(), { maxLength: 6 });

  it('what is gone through comes back as it was', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer(), fc.string()), { maxLength: 8 }), fc.anything(), (rows, scalar) => {
        const input = { a: rows.map(([a]) => a), b: rows.map(([, b]) => b), ...(Array.isArray(scalar) ? {} : { scalar }) };
        const { count, ports: gone, input: of } = iterationsOf(input, true, undefined, 'unbounded', 'test');
        expect([count, gone]).toEqual([rows.length, ['a', 'b']]);
        const outputs = Array.from({ length: count }, (_, index) => of(index));
        const lists = listsOf(outputs, ['a', 'b'], false);
        expect([lists.a, lists.b]).toEqual([input.a, input.b]);
        expect(outputs.every((output, index) => output._iterationIndex === index && output._iterationCount === count)).toBe(true);
        if ('scalar' in input) expect(outputs.every((output) => Object.is(output.scalar, input.scalar))).toBe(true);
      }),
    );
  });

  it('lists of different lengths are refused', () => {
    fc.assert(fc.property(list, list, (a, b) => {
      fc.pre(a.length !== b.length);
      expect(() => iterationsOf({ a, b }, true, undefined, 'unbounded', 'test')).toThrow(TaskInvalidInputError);
    }));
  });

  it('combinations are all there are, each once', () => {
    fc.assert(fc.property(fc.uniqueArray(fc.integer(), { minLength: 1, maxLength: 5 }), fc.uniqueArray(fc.integer(), { minLength: 1, maxLength: 5 }), (a, b) => {
      const found = combinations({ a, b, c: 1 }, ['a', 'b']);
      expect(found).toHaveLength(a.length * b.length);
      expect(new Set(found.map((one) => `${one.a} ${one.b}`)).size).toBe(found.length);
      expect(found.every((one) => a.includes(one.a) && b.includes(one.b) && one.c === 1)).toBe(true);
    }));
  });

  it('never more at once than may be, each once, begun in order', async () => {
    await fc.assert(fc.asyncProperty(fc.nat(12), fc.integer({ min: 1, max: 5 }), fc.infiniteStream(fc.nat(3)), async (count, atOnce, waits) => {
      const begun: number[] = [];
      let running = 0;
      await inTurns(count, atOnce, async (index) => {
        begun.push(index);
        expect(++running).toBeLessThanOrEqual(atOnce);
        for (let ticks = waits.next().value; ticks > 0; ticks--) await undefined;
        running--;
      });
      expect(begun).toEqual(Array.from({ length: count }, (_, index) => index));
    }), { numRuns: 50 });
  });
});
