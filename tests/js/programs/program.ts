/**
 * Random durable programs, as data: what fast-check makes, shrinks and prints. `interpret` runs one with
 * the verbs of `ctx`. Its output depends on nothing but the program, so a run that was killed must give
 * what an undisturbed one gives. Who wins a race may depend on a kill; that it stays the winner may not:
 * the program itself records it and looks.
 */
import fc from 'fast-check';
import type { Task, TaskContext } from 'holdfast';

export type Node =
  | { kind: 'step'; name: string; afterMs: number; fails: boolean }
  | { kind: 'child'; body: Node[] }
  | { kind: 'sleep'; ms: number }
  | { kind: 'all'; branches: Node[][] }
  | { kind: 'settled'; branches: Node[][] }
  | { kind: 'race'; branches: Node[][] }
  | { kind: 'caught'; body: Node[] }
  | { kind: 'now' }
  | { kind: 'random' }
  | { kind: 'map'; count: number; afterMs: number };

export interface Program {
  body: Node[];
  /** How often it throws after its body. */
  failures: number;
}

const times = fc.constantFrom(0, 0, 5, 40, 300);

const { nodes } = fc.letrec<{ nodes: Node[]; node: Node }>((tie) => ({
  nodes: fc.array(tie('node'), { minLength: 1, maxLength: 4, depthIdentifier: 'program' }),
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true, depthIdentifier: 'program' },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('step' as const), name: fc.constantFrom('a', 'b', 'c'), afterMs: times, fails: fc.constantFrom(false, false, false, false, false, true) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('sleep' as const), ms: fc.constantFrom(1, 10, 100, 1000) }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'now' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'random' as const }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('map' as const), count: fc.integer({ min: 1, max: 4 }), afterMs: times }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('child' as const), body: tie('nodes') as fc.Arbitrary<Node[]> }) },
    { weight: 1, arbitrary: branches('all', tie) },
    { weight: 1, arbitrary: branches('settled', tie) },
    { weight: 1, arbitrary: branches('race', tie) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('caught' as const), body: tie('nodes') as fc.Arbitrary<Node[]> }) },
  ) as fc.Arbitrary<Node>,
}));

function branches(kind: 'all' | 'settled' | 'race', tie: (key: 'nodes') => fc.Arbitrary<unknown>): fc.Arbitrary<Node> {
  return fc.record({ kind: fc.constant(kind), branches: fc.array(tie('nodes') as fc.Arbitrary<Node[]>, { minLength: 1, maxLength: 3 }) }) as fc.Arbitrary<Node>;
}

export const programs: fc.Arbitrary<Program> = fc.record({ body: nodes, failures: fc.constantFrom(0, 0, 0, 1) });

/** What a run told while it ran: which steps were computed, which had been given. */
export interface Witness {
  computed(path: string): void;
  /** The code has gone on with its result. */
  given(path: string): void;
  /** A race had another winner before. */
  changed(path: string): void;
  sleep(ms: number): Promise<void>;
  /** The children's task. */
  child: Task<string, { body: Node[]; path: string }, unknown>;
}

export async function interpret(body: readonly Node[], ctx: TaskContext, witness: Witness, path: string): Promise<unknown[]> {
  const values: unknown[] = [];
  for (const [index, node] of body.entries()) values.push(await one(node, ctx, witness, `${path}/${index}`));
  return values;
}

async function one(node: Node, ctx: TaskContext, witness: Witness, path: string): Promise<unknown> {
  switch (node.kind) {
    case 'step': {
      const value = await ctx.step(`${node.name}@${path}`, async () => {
        witness.computed(path);
        if (node.afterMs) await witness.sleep(node.afterMs);
        if (node.fails) throw new Error(`${path} fails`);
        return `${node.name}:${path}`;
      });
      witness.given(path);
      return value;
    }
    case 'sleep':
      return void (await ctx.sleep(node.ms));
    case 'now':
      return typeof ctx.now();
    case 'random':
      return ctx.random() < 1 && typeof ctx.uuid();
    case 'map': {
      const items = Array.from({ length: node.count }, (_, n) => ({ id: `${path}#${n}`, n }));
      const done = await ctx.map(items, async ({ id, n }) => {
        witness.computed(id);
        if (node.afterMs) await witness.sleep(node.afterMs * (n % 2));
        return n * n;
      }, { name: `map@${path}` });
      for (const { id, ok } of done) if (ok) witness.given(id);
      return done.map((item) => (item.ok ? item.value : item.error.message));
    }
    case 'child':
      return ctx.run(witness.child, { body: node.body, path });
    case 'caught':
      return interpret(node.body, ctx, witness, path).catch((error: Error) => `caught ${error.message}`);
    default:
      return together(node, ctx, witness, path);
  }
}

async function together(node: Node & { branches: Node[][] }, ctx: TaskContext, witness: Witness, path: string): Promise<unknown> {
  const running = node.branches.map((body, index) => interpret(body, ctx, witness, `${path}.${index}`));
  if (node.kind === 'all') return Promise.all(running);
  if (node.kind === 'race') {
    const winner = await Promise.race(running.map((branch, index) => branch.then(() => index, () => index)));
    if ((await ctx.step(`winner@${path}`, () => winner)) !== winner) witness.changed(path);
    return 'race';
  }
  return (await Promise.allSettled(running)).map((end) => (end.status === 'fulfilled' ? end.value : `failed ${(end.reason as Error).message}`));
}
