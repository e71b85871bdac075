/**
 * Random programs of signatures, chains and swarms, in each other, with failures, callbacks and members that come later:
 * what becomes of one that is killed at random moments and reopened is what becomes of it undisturbed, run for run.
 */
import { defineTask, type Signature, type Swarm } from 'holdfast';
import { expect, test } from 'vitest';
import { seededRandom } from '../../js/time/random.ts';
import type { House } from './house.ts';
import { closeHouses, crash, open } from './houses.ts';

interface Leaf {
  kind: 'leaf';
  name: string;
  fails: boolean;
  when: boolean | undefined;
  steps: number;
  success: Node[];
  errors: Node[];
}
interface Group {
  kind: 'chain' | 'swarm';
  name: string;
  members: Node[];
  later: Node[];
  onError: 'stop' | 'continue';
  threshold: number | undefined;
  concurrency: number;
  success: Node[];
  errors: Node[];
}
type Node = Leaf | Group;

/** Swarms come as lists of what became of their members. */
function brief(result: unknown): string {
  if (Array.isArray(result)) return `[${result.map((one) => (one.ok ? brief(one.output) : 'x')).join(' ')}]`;
  return result === undefined ? '' : String(result).slice(0, 40);
}

const leaf = defineTask({
  id: 'random-leaf',
  retry: { maxAttempts: 1 },
  run: async ({ name, fails, steps, result }: { name: string; fails: boolean; steps: number; result?: unknown }, ctx) => {
    for (let step = 0; step < steps; step++) await ctx.step(`step ${step}`, () => step);
    if (fails) throw new Error(`${name} fails`);
    return `${name}<${brief(result)}>`;
  },
});

class Programs {
  readonly #random: () => number;
  #count = 0;
  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }
  below(end: number): number {
    return Math.floor(this.#random() * end);
  }
  node(depth: number): Node {
    const name = `n${this.#count++}`;
    const callbacks = () => (depth > 0 && this.below(4) === 0 ? [this.node(0)] : []);
    const common = { name, success: callbacks(), errors: callbacks() };
    if (depth === 0 || this.below(3) === 0) return { kind: 'leaf', ...common, fails: this.below(5) === 0, when: this.below(6) === 0 ? this.below(2) === 0 : undefined, steps: this.below(3) };
    const isChain = this.below(2) === 0;
    const members = Array.from({ length: (isChain ? 2 : 0) + this.below(3) }, () => this.node(depth - 1));
    const threshold = !isChain && this.below(3) === 0 ? 1 : undefined;
    const later = !isChain && depth === 3 && threshold === undefined ? Array.from({ length: this.below(3) }, () => this.node(1)) : [];
    // With one at a time it is sure who has begun when failures are too many.
    return { kind: isChain ? 'chain' : 'swarm', ...common, members, later, onError: this.below(3) === 0 ? 'continue' : 'stop', threshold, concurrency: threshold === undefined ? 1 + this.below(3) : 1 };
  }
}

async function make({ orchestrator }: House, node: Node): Promise<Signature> {
  const house = { orchestrator } as House;
  const all = async (nodes: Node[]) => {
    const made: Signature[] = [];
    for (const one of nodes) made.push(await make(house, one));
    return made;
  };
  const [success, errors] = [await all(node.success), await all(node.errors)];
  if (node.kind === 'leaf') {
    const { name, fails, steps, when } = node;
    return orchestrator.sign(leaf, { kwargs: { name, fails, steps }, name, successCallbacks: success, errorCallbacks: errors, ...(when !== undefined && { when: { operator: when ? 'is_not_empty' : 'is_empty' } }) });
  }
  const members = await all(node.members);
  if (node.kind === 'chain') return orchestrator.chain(members, { name: node.name, success, error: errors, onError: node.onError });
  return orchestrator.swarm(members, { taskName: node.name, successCallbacks: success, errorCallbacks: errors, isSwarmClosed: node.later.length === 0, config: { maxConcurrency: node.concurrency, stopAfterNFailures: node.threshold } });
}

/** Members that come while it runs: each once, whatever happened to the page that added it. */
async function addLater(house: House, key: string, node: Node): Promise<void> {
  if (node.kind !== 'swarm' || node.later.length === 0) return;
  const swarm = await house.orchestrator.loadSignature<Swarm>(key);
  if (swarm.isSwarmClosed) return;
  for (const one of node.later) {
    const isThere = swarm.tasks.some((member) => house.orchestrator.getTaskState(member)!.name === shown(one));
    if (!isThere) await swarm.addTask(await make(house, one));
  }
  await swarm.closeSwarm();
}

const shown = (node: Node): string => (node.kind === 'chain' ? `chain-task:${node.name}` : node.name);

/** What nobody has called, and what waits for it: of a page that died before it had given it to anybody. */
async function uncalled({ orchestrator }: House): Promise<Set<string>> {
  const found = new Set<string>();
  const take = async (signature: Signature): Promise<void> => {
    found.add(signature.key);
    if (signature.kind !== 'simple') for (const member of (await orchestrator.signatures.children(signature.key)).items) await take(member);
    const { success, errors } = await orchestrator.signatures.callbacks(signature.key);
    for (const callback of [...success, ...errors]) await take(callback);
  };
  for (const root of await orchestrator.signatures.rootTasks()) if (root.state.reason === 'not-called') await take(root);
  return found;
}

/** How all runs ended that belong to the program, by their names. */
async function outcome(house: House, isPart: (name: string) => boolean): Promise<unknown[]> {
  const left = await uncalled(house);
  const runs = house.orchestrator.list({ limit: 1000 }).items.filter(({ id, name }) => isPart(name) && !left.has(id));
  return runs.map(({ name, status, result, error, skipped }) => [name, status, brief(result), status === 'failed' ? error?.message.replace(/run_\w+/g, 'RUN') : '', skipped === true]).sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
}

function namesOf(node: Node): string[] {
  const inner = node.kind === 'leaf' ? [] : [...node.members, ...node.later];
  return [shown(node), ...[...inner, ...node.success, ...node.errors].flatMap(namesOf)];
}

async function turns(house: House, count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => house.clock.defer(resolve));
}

async function settled(house: House, key: string): Promise<void> {
  for (let turn = 0; turn < 60; turn++) {
    await house.clock.settle();
    if (['done', 'failed', 'canceled'].includes((await house.orchestrator.loadSignature(key)).status) && turn > 8) return;
  }
  throw new Error(`It does not end: ${house.orchestrator.list({ limit: 100 }).items.map(({ id, name, phase }) => `${name} ${phase} ${house.orchestrator.why(id)}`).join('\n')}`);
}

async function undisturbed(node: Node): Promise<unknown[]> {
  const house = await open();
  const signature = await make(house, node);
  await signature.runNoWait();
  await addLater(house, signature.key, node);
  await settled(house, signature.key);
  const names = new Set(namesOf(node));
  return outcome(house, (name) => names.has(name));
}

async function killed(node: Node, random: Programs): Promise<unknown[]> {
  let house = await open();
  const { key } = await make(house, node);
  await (await house.orchestrator.loadSignature(key)).runNoWait();
  for (let kills = 1 + random.below(2); kills > 0; kills--) {
    const adding = random.below(2) === 0 ? addLater(house, key, node).catch(() => {}) : undefined;
    await turns(house, random.below(25));
    void adding;
    house = await crash(house);
  }
  await addLater(house, key, node);
  await settled(house, key);
  const names = new Set(namesOf(node));
  return outcome(house, (name) => names.has(name));
}

const programs = Number(process.env.HOLDFAST_PROGRAMS ?? 200);
const first = Number(process.env.HOLDFAST_SEED ?? 1);

test(`${programs} programs that are killed and reopened end as they do undisturbed`, { timeout: 120_000 }, async () => {
  for (let seed = first; seed < first + programs; seed++) {
    const random = new Programs(seed);
    const node = random.node(1 + random.below(3));
    const expected = await undisturbed(node);
    const found = await killed(node, random);
    expect(found, `HOLDFAST_SEED=${seed} HOLDFAST_PROGRAMS=1`).toEqual(expected);
    if (seed % 10 === 0) await closeHouses();
  }
});
