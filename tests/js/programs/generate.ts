/** Random programs: what fast-check makes, shrinks and prints. */
import fc from 'fast-check';
import type { Node, Program } from './program.ts';

const times = fc.constantFrom(0, 0, 5, 40, 300);

const { nodes } = fc.letrec<{ nodes: Node[]; node: Node }>((tie) => ({
  nodes: fc.array(tie('node'), { minLength: 1, maxLength: 4, depthIdentifier: 'program' }),
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true, depthIdentifier: 'program' },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('step' as const), name: fc.constantFrom('a', 'b', 'c'), afterMs: times, fails: fc.constantFrom(false, false, false, false, false, true), durability: fc.constantFrom(undefined, undefined, undefined, 'batched' as const, 'none' as const) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('sleep' as const), ms: fc.constantFrom(1, 10, 100, 1000) }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'now' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'random' as const }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('map' as const), count: fc.integer({ min: 1, max: 4 }), afterMs: times }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('child' as const), body: tie('nodes') as fc.Arbitrary<Node[]> }) },
    { weight: 1, arbitrary: branches('all', tie) },
    { weight: 1, arbitrary: branches('settled', tie) },
    { weight: 1, arbitrary: branches('race', tie) },
    { weight: 1, arbitrary: branches('any', tie) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancelling' as const), verb: fc.constantFrom('race' as const, 'any' as const), branches: fc.array(tie('nodes') as fc.Arbitrary<Node[]>, { minLength: 1, maxLength: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('group' as const), body: tie('nodes') as fc.Arbitrary<Node[]> }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('caught' as const), body: tie('nodes') as fc.Arbitrary<Node[]> }) },
  ) as fc.Arbitrary<Node>,
}));

function branches(kind: 'all' | 'settled' | 'race' | 'any', tie: (key: 'nodes') => fc.Arbitrary<unknown>): fc.Arbitrary<Node> {
  return fc.record({ kind: fc.constant(kind), branches: fc.array(tie('nodes') as fc.Arbitrary<Node[]>, { minLength: 1, maxLength: 3 }) }) as fc.Arbitrary<Node>;
}

const raced = fc.record({ kind: fc.constant('step' as const), name: fc.constantFrom('a', 'b'), afterMs: fc.constantFrom(0, 0, 5, 40), fails: fc.boolean(), durability: fc.constantFrom(undefined, undefined, 'batched' as const) });
const racers = fc.array(fc.array(raced, { minLength: 1, maxLength: 2 }), { minLength: 2, maxLength: 3 });

/** One race of steps that may fail, and something after it: who wins hangs by a hair. */
export const races: fc.Arbitrary<Program> = fc
  .oneof(
    fc.record({ kind: fc.constantFrom('race' as const, 'any' as const), branches: racers }),
    fc.record({ kind: fc.constant('cancelling' as const), verb: fc.constantFrom('race' as const, 'any' as const), branches: racers }),
  )
  .map((race) => ({ body: [race as Node, { kind: 'sleep', ms: 1000 }, { kind: 'now' }], failures: 0 }));

/** How long the storage takes to acknowledge: one append after the other, from the first again. */
export const acknowledgements: fc.Arbitrary<number[]> = fc.constantFrom([0], [0], [0], [3], [0, 30], [60, 0, 0], [7, 200]);

/** Small ones, many to a test. */
export const programs: fc.Arbitrary<Program> = fc.record({ body: nodes, failures: fc.constantFrom(0, 0, 0, 1) });
