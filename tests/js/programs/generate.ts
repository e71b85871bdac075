/** Random programs: what fast-check makes, shrinks and prints. */
import fc from 'fast-check';
import type { Node, Program } from './program.ts';

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
    { weight: 1, arbitrary: branches('any', tie) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('caught' as const), body: tie('nodes') as fc.Arbitrary<Node[]> }) },
  ) as fc.Arbitrary<Node>,
}));

function branches(kind: 'all' | 'settled' | 'race' | 'any', tie: (key: 'nodes') => fc.Arbitrary<unknown>): fc.Arbitrary<Node> {
  return fc.record({ kind: fc.constant(kind), branches: fc.array(tie('nodes') as fc.Arbitrary<Node[]>, { minLength: 1, maxLength: 3 }) }) as fc.Arbitrary<Node>;
}

/** Small ones, many to a test. */
export const programs: fc.Arbitrary<Program> = fc.record({ body: nodes, failures: fc.constantFrom(0, 0, 0, 1) });
