/**
 * Durable programs, as data; `generate.ts` makes random ones. `interpret` runs one with the verbs of
 * `ctx`. Its output depends on nothing but the program, so a run that was killed must give what an
 * undisturbed one gives. Who wins a race may depend on a kill; that it stays the winner may not: the
 * program itself records it and looks.
 */
import type { Section, StepOptions, TaskContext } from 'holdfast';

export type Node =
  | { kind: 'step'; name: string; afterMs: number; fails: boolean; durability?: StepOptions['durability'] }
  | { kind: 'child'; body: Node[] }
  | { kind: 'sleep'; ms: number }
  | { kind: 'all'; branches: Node[][] }
  | { kind: 'settled'; branches: Node[][] }
  | { kind: 'race'; branches: Node[][] }
  | { kind: 'any'; branches: Node[][] }
  | { kind: 'cancelling'; verb: 'race' | 'any'; branches: Node[][] }
  | { kind: 'group'; body: Node[] }
  | { kind: 'caught'; body: Node[] }
  | { kind: 'now' }
  | { kind: 'random' }
  | { kind: 'map'; count: number; afterMs: number };

export interface Program {
  body: Node[];
  /** How often it throws after its body. */
  failures: number;
}

/** What a child is given: nodes, and where in the program they stand. */
export interface Part {
  body: Node[];
  path: string;
}

/** What a run told while it ran: which steps were computed, which had been given. */
export interface Witness {
  computed(path: string): void;
  /** The code has gone on with its result. */
  given(path: string): void;
  /** A race had another winner before. */
  changed(path: string): void;
  sleep(ms: number): Promise<void>;
  /** Runs it as a child of `ctx`. */
  child(ctx: Code, part: Part): Promise<unknown>;
}

/** `ctx`, or a part of the code; what has a clock and chance stays `ctx`. */
export type Code = Pick<TaskContext & Section, Exclude<keyof Section, 'run'>> & { run: Section['run'] };

/** @param whole the context that a part belongs to */
export async function interpret(body: readonly Node[], ctx: Code, witness: Witness, path: string, whole = ctx as TaskContext): Promise<unknown[]> {
  const values: unknown[] = [];
  for (const [index, node] of body.entries()) values.push(await one(node, ctx, witness, `${path}/${index}`, whole));
  return values;
}

async function one(node: Node, ctx: Code, witness: Witness, path: string, whole: TaskContext): Promise<unknown> {
  switch (node.kind) {
    case 'step': {
      const value = await ctx.step(`${node.name}@${path}`, async () => {
        witness.computed(path);
        if (node.afterMs) await witness.sleep(node.afterMs);
        if (node.fails) throw new Error(`${path} fails`);
        return `${node.name}:${path}`;
      }, node.durability && { durability: node.durability });
      // What was given before it was acknowledged may be computed again.
      if (!node.durability || node.durability === 'sync') witness.given(path);
      return value;
    }
    case 'sleep':
      return void (await ctx.sleep(node.ms));
    case 'now':
      return typeof whole.now();
    case 'random':
      return whole.random() < 1 && typeof whole.uuid();
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
      return witness.child(ctx, { body: node.body, path });
    case 'caught':
      return interpret(node.body, ctx, witness, path, whole).catch((error: Error) => `caught ${error.message}`);
    case 'group':
      return ctx.group('group', (group) => interpret(node.body, group, witness, path, whole), { id: path });
    case 'cancelling':
      return cancelling(node, ctx, witness, path, whole);
    default:
      return together(node, ctx, witness, path, whole);
  }
}

/** What the losers did is nobody's: the children of them that were cancelled run no step again. */
async function cancelling({ verb, branches }: Node & { kind: 'cancelling' }, ctx: Code, witness: Witness, path: string, whole: TaskContext): Promise<unknown> {
  const bodies = branches.map((body, index) => async (branch: Section) => {
    await interpret(body, branch, witness, `${path}.${index}`, whole);
    return index;
  });
  const winner = await ctx[verb](bodies, { cancelLosers: true }).catch(() => 'none');
  if ((await ctx.step(`winner@${path}`, () => winner)) !== winner) witness.changed(path);
  return verb === 'any' && winner === 'none' ? 'none' : verb;
}

/** What is not recorded stands outside of the order: a race with such a step may go another way when code runs again. */
const isRecorded = (node: unknown): boolean => !JSON.stringify(node).includes('"durability":"none"');

async function together(node: Node & { branches: Node[][] }, ctx: Code, witness: Witness, path: string, whole: TaskContext): Promise<unknown> {
  const running = node.branches.map((body, index) => interpret(body, ctx, witness, `${path}.${index}`, whole));
  if (node.kind === 'all') return Promise.all(running);
  if (node.kind === 'race') {
    const winner = await Promise.race(running.map((branch, index) => branch.then(() => index, () => index)));
    if ((await ctx.step(`winner@${path}`, () => winner)) !== winner && isRecorded(node)) witness.changed(path);
    return 'race';
  }
  if (node.kind === 'any') {
    const winner = await Promise.any(running.map((branch, index) => branch.then(() => index))).catch(() => 'none');
    if ((await ctx.step(`winner@${path}`, () => winner)) !== winner && isRecorded(node)) witness.changed(path);
    return winner === 'none' ? 'none' : 'any';
  }
  return (await Promise.allSettled(running)).map((end) => (end.status === 'fulfilled' ? end.value : `failed ${(end.reason as Error).message}`));
}
