/** What graphs may do is granted before they begin, or refused, all of it at once. */
import { defineTask } from 'holdfast';
import fc from 'fast-check';
import { checkEntitlements, type EntitlementPolicy, FetchUrlTask, FileLoaderTask, GraphAsTask, graphEntitlements, HumanApprovalTask, InputTask, isGranted, JsonTask, MergeTask, Task, TaskEntitlementError, TaskGraph } from 'holdfast/graph';
import { expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import '../../../js/testing/rooms.ts';

class Camera extends Task {
  static override readonly type = 'EntitledCamera';
  static entitlements = () => [{ id: 'device:camera', reason: 'takes a picture' }, { id: 'gpu', optional: true }];
}

function graph(): TaskGraph {
  const made = new TaskGraph();
  const inner = new TaskGraph();
  inner.addTasks([new Camera({ id: 'camera' }), new JsonTask({ id: 'json' })]);
  made.addTasks([
    new InputTask({ id: 'in' }), new FetchUrlTask({ id: 'fixed', defaults: { url: 'https://api.example.com/a' } }), new FetchUrlTask({ id: 'any', defaults: { url: 'https://api.example.com/a' } }), new FileLoaderTask({ id: 'file' }),
    new HumanApprovalTask({ id: 'ask' }), new MergeTask({ id: 'merge' }), new GraphAsTask({ id: 'group', subGraph: inner }),
  ]);
  made.addTask(defineTask({ id: 'entitled-mail', run: async () => 1 }), { id: 'mail' });
  made.connect('in', 'url', 'any', 'url');
  return made;
}

it('a graph says all that it asks for, with the hosts that are sure', () => {
  expect(graphEntitlements(graph()).map(({ path, entitlement: { id, resources } }) => [path, id, resources?.join()].filter(Boolean).join(' '))).toEqual([
    'fixed network api.example.com', 'any network', 'file network', 'ask human', 'group/camera device:camera', 'group/camera gpu', 'group/json graph', 'mail task:entitled-mail',
  ]);
});

it('what is not granted is listed before anything begins', async () => {
  const entitlements: EntitlementPolicy = { grant: ['device', 'graph', { id: 'network', resources: ['*.example.com'] }] };
  expect(() => checkEntitlements(graph(), entitlements)).toThrow(TaskEntitlementError);
  await expect(graph().run({}, { entitlements })).rejects.toThrow('The graph may not run: any (FetchUrlTask) needs network; file (FileLoaderTask) needs network; ask (HumanApprovalTask) needs human; mail (entitled-mail) needs task:entitled-mail.');
  expect(() => checkEntitlements(graph(), { grant: ['device', 'graph', 'network', 'human', 'task'] })).not.toThrow();
});

it.each([[{}], [null], [{ grant: 'network' }], [{ grant: [3] }], [{ grant: [], deny: [{ id: 'network', resources: 'a.com' }] }]])('%j is no policy', async (entitlements) => {
  if (entitlements) await expect(graph().run({}, { entitlements: entitlements as never })).rejects.toThrow('entitlements must be { grant: […], deny: […] }');
  else expect(() => checkEntitlements(graph(), entitlements as never)).toThrow('not null');
});

it('a denial counts for more', () => {
  expect(() => checkEntitlements(graph(), { grant: ['device', 'graph', 'network', 'human', 'task'], deny: ['task:entitled-mail', { id: 'network', resources: ['api.example.com'] }] })).toThrow('fixed (FetchUrlTask) needs network of api.example.com; any (FetchUrlTask) needs network; file (FileLoaderTask) needs network; mail');
});

it('laws: nothing without a grant, nothing of what is denied, more grants never deny', () => {
  const id = fc.constantFrom('network', 'network:http', 'human', 'task', 'task:a');
  const resources = fc.option(fc.subarray(['a.com', 'x.b.com', 'b.com'], { minLength: 1 }), { nil: undefined });
  const rule = fc.oneof(id, fc.record({ id, resources: fc.constantFrom(undefined, ['a.com'], ['*.b.com']) }));
  fc.assert(
    fc.property(id, resources, fc.array(rule, { maxLength: 3 }), fc.array(rule, { maxLength: 2 }), rule, (asked, of, grant, deny, more) => {
      const entitlement = { id: asked, ...(of && { resources: of }) };
      expect(isGranted(entitlement, { grant: [] })).toBe(false);
      expect(isGranted(entitlement, { grant: ['network', 'human', 'task'], deny: [asked] })).toBe(false);
      const found = isGranted(entitlement, { grant, deny } as EntitlementPolicy);
      if (found) {
        expect(isGranted(entitlement, { grant: [...grant, more], deny } as EntitlementPolicy)).toBe(true);
        expect(isGranted(entitlement, { grant } as EntitlementPolicy)).toBe(true);
      }
    }),
  );
});
