/**
 * `ctx.sign`, `ctx.chain`, `ctx.swarm`: made once however often the code runs, since what is made is named by the step that
 * makes it. All but this is loaded with the first.
 */
import type { RunContext } from '../context/context.ts';

export async function makeInRun(context: RunContext, verb: 'sign' | 'chain' | 'swarm', given: readonly any[]): Promise<any> {
  const { signatures } = context.house;
  const key = await context.step(`ctx.${verb}`, async ({ stepId }) => (await signatures.loaded()).makeOnce(`${verb}_${stepId}`, verb, given));
  return (await signatures.loaded()).inRun(key, context, given[0]);
}
