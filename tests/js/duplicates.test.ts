/** What happens to a call whose key is held: onDuplicate and singleton. */
import { defineTask, DuplicateRunError, SerializationError, type Task } from 'holdfast';
import { afterEach, describe, expect, it } from 'vitest';
import { closeLater, crash, name, open } from './houses.ts';
import { Orchestrator } from '../../js/orchestrator.ts';
import { Origin } from './origin.ts';

/** Inputs of runs that began, in order. */
const begun: unknown[] = [];
const gates = new Map<unknown, (value: unknown) => void>();
let origin: Origin | undefined;

afterEach(async () => {
  begun.length = 0;
  gates.clear();
  await origin?.close();
  origin = undefined;
});

/** Its runs end when their gate is opened, or at once when they are asked to stop. */
function gated(spec: object = {}): Task<string, any, any> {
  return defineTask({
    id: name('gated'),
    retry: { maxAttempts: 1 },
    run: (input: any, ctx: any) => {
      begun.push(input);
      return new Promise((resolve, reject) => {
        gates.set(input, resolve);
        ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason));
      });
    },
    ...spec,
  });
}

const withKey = (onDuplicate: any) => ({ idempotencyKey: 'k', onDuplicate });

describe('onDuplicate', () => {
  it("'reject' throws at the call and keeps nothing, unless the key is free", async () => {
    const { orchestrator, clock } = await open();
    const task = gated();
    const one = orchestrator.trigger(task, 1, withKey('reject'));
    expect(() => orchestrator.trigger(task, 2, withKey('reject'))).toThrow(DuplicateRunError);
    await clock.settle();
    gates.get(1)!('done');
    await one.result();
    expect(() => orchestrator.trigger(task, 3, withKey('reject'))).toThrow(one.id);
    await orchestrator.idempotencyKeys.reset(task, 'k');
    expect(orchestrator.trigger(task, 4, withKey('reject')).isCached).toBe(false);
    expect(orchestrator.getAllTasks()).toHaveLength(2);
  });

  it("'reject' before the journal was read is told by accepted, and no run of it is left", async () => {
    const house = await open();
    const task = gated();
    await house.orchestrator.trigger(task, 1, withKey('reject')).accepted;
    house.cut();
    const early = new Orchestrator({ seed: 71, clock: house.clock, storage: house.storage, tabs: false, tasks: [task] });
    const refused = early.trigger(task, 2, withKey('reject'));
    await expect(refused.accepted).rejects.toThrow(DuplicateRunError);
    await expect(refused.result()).rejects.toThrow(DuplicateRunError);
    expect(early.getAllTasks()).toHaveLength(1);
    await early.dispose();
  });

  it("'replace' cancels the one that is alive, and the new one has the key, over a crash too", async () => {
    const house = await open();
    const task = gated();
    const one = house.orchestrator.trigger(task, 1, withKey('replace'));
    await house.clock.settle();
    const two = house.orchestrator.trigger(task, 2, withKey('replace'));
    const three = house.orchestrator.trigger(task, 3, withKey('replace'));
    await three.accepted;
    await house.clock.settle();
    expect([one.status, two.status, three.status]).toEqual(['cancelled', 'cancelled', 'running']);
    expect(new Set([one.id, two.id, three.id]).size).toBe(3);
    const later = await crash(house, { tasks: [task] });
    expect(later.orchestrator.trigger(task, 4, withKey('join'))).toMatchObject({ id: three.id, isCached: true });
  });

  it("'replace' cancels nothing when the new input can't be stored", async () => {
    const { orchestrator, clock } = await open();
    const task = gated();
    const one = orchestrator.trigger(task, 1, withKey('replace'));
    await clock.settle();
    expect(() => orchestrator.trigger(task, () => 1, withKey('replace'))).toThrow(SerializationError);
    await clock.settle();
    expect(one.status).toBe('running');
    expect(orchestrator.trigger(task, 2, { idempotencyKey: 'k' }).id).toBe(one.id);
  });

  it("'queue' runs one after the other, in the order of the calls, over a crash too", async () => {
    let house = await open();
    const task = gated();
    const runs = [1, 2, 3].map((input) => house.orchestrator.trigger(task, input, withKey('queue')));
    await Promise.all(runs.map(({ accepted }) => accepted));
    await house.clock.settle();
    expect(begun).toEqual([1]);
    house = await crash(house, { tasks: [task] });
    await house.clock.settle();
    expect(begun).toEqual([1, 1]);
    expect(house.orchestrator.why(runs[1]!.id)).toContain('Waits for 1 other run');
    for (const input of [1, 2]) {
      gates.get(input)!('done');
      await house.clock.settle();
    }
    expect(begun).toEqual([1, 1, 2, 3]);
    expect(runs.map(({ id }) => house.orchestrator.getTaskState(id)!.status)).toEqual(['completed', 'completed', 'running']);
  });

  it("'queue' waits for a run whose file is still being stored, and not for one that failed", async () => {
    const { orchestrator, clock } = await open();
    const task = gated();
    const blob = new Blob(['x'.repeat(100_000)]);
    const one = orchestrator.trigger(task, { blob }, withKey('queue'));
    const two = orchestrator.trigger(task, 2, withKey('queue'));
    await two.accepted;
    await clock.settle();
    expect(begun).toHaveLength(1);
    void one.cancel();
    await two.accepted;
    await clock.settle();
    expect(begun).toHaveLength(2);
  });

  it("'skip' creates nothing and waits for nobody", async () => {
    const { orchestrator, clock } = await open();
    const task = gated();
    const one = orchestrator.trigger(task, 1, withKey('skip'));
    await clock.settle();
    const two = orchestrator.trigger(task, 2, withKey('skip'));
    await two.accepted;
    expect(two).toMatchObject({ id: one.id, isCached: true, status: 'running' });
    await expect(two.result()).rejects.toThrow(DuplicateRunError);
    expect(await two.wait()).toMatchObject({ ok: false, status: 'cancelled' });
    await expect(two.wait().unwrap()).rejects.toThrow(DuplicateRunError);
    expect(orchestrator.getAllTasks()).toHaveLength(1);
  });

  it('of a definition counts for calls that have a key, and a call may say otherwise', async () => {
    const { orchestrator } = await open();
    const task = gated({ onDuplicate: 'reject' });
    orchestrator.trigger(task, 1, { idempotencyKey: 'k' });
    expect(() => orchestrator.trigger(task, 1, { idempotencyKey: 'k' })).toThrow(DuplicateRunError);
    expect(orchestrator.trigger(task, 1, withKey('join')).isCached).toBe(true);
    expect(orchestrator.trigger(task, 1).id).not.toBe(orchestrator.trigger(task, 1).id);
  });
});

describe('singleton', () => {
  it("'skip' makes no second run while one is alive, and one when it has ended, however", async () => {
    const { orchestrator, clock } = await open();
    const task = gated({ singleton: { mode: 'skip' } });
    const one = orchestrator.trigger(task, 1);
    expect(orchestrator.trigger(task, 2)).toMatchObject({ id: one.id, isCached: true });
    await clock.settle();
    gates.get(1)!('done');
    await one.result();
    const three = orchestrator.trigger(task, 3);
    expect(three.isCached).toBe(false);
    await clock.settle();
    void three.cancel();
    await three.wait();
    expect(orchestrator.trigger(task, 4).isCached).toBe(false);
  });

  it("'cancel' lets the newest run, one for each key, over a reload too", async () => {
    const house = await open();
    const task = gated({ singleton: { key: ({ user }: any) => user, mode: 'cancel' } });
    const [one, other] = [house.orchestrator.trigger(task, { user: 'a' }), house.orchestrator.trigger(task, { user: 'b' })];
    await Promise.all([one.accepted, other.accepted]);
    const later = closeLater(await house.reload({ tasks: [task] }));
    const two = later.orchestrator.trigger(task, { user: 'a' });
    await two.accepted;
    await later.clock.settle();
    const status = (id: string) => later.orchestrator.getTaskState(id)!.status;
    expect([status(one.id), status(other.id), two.status]).toEqual(['cancelled', 'running', 'running']);
  });

  it('is one of its key also over tabs, once they have told each other', async () => {
    origin = new Origin();
    const task = gated({ singleton: { mode: 'cancel' } });
    const [one, two] = [await origin.open({ tasks: [task] }), await origin.open({ tasks: [task] })];
    let first = undefined as any;
    one.act(() => (first = one.orchestrator.trigger(task, 1)));
    for (let turn = 0; turn < 10; turn++) await origin.clock.advance(50);
    expect(first.status).toBe('running');
    two.act(() => void two.orchestrator.trigger(task, 2));
    for (let turn = 0; turn < 10; turn++) await origin.clock.advance(50);
    expect(first.status).toBe('cancelled');
    expect(two.own.map(({ status }) => status)).toEqual(['running']);
  });

  it('has a key of its own: a call can not give another', async () => {
    const { orchestrator } = await open();
    const task = gated({ singleton: { mode: 'skip' } });
    expect(() => orchestrator.trigger(task, 1, { idempotencyKey: 'k' })).toThrow('singleton');
    expect(() => orchestrator.trigger(gated({ singleton: { mode: 'skip', key: () => 5 } }), 1)).toThrow('what singleton.key gave must be text');
    expect(orchestrator.getAllTasks()).toEqual([]);
  });
});
