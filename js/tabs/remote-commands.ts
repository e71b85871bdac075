/**
 * Commands of other tabs on runs of ours. Only what is listed is carried out, on runs we own.
 */
import type { CollapseMessage } from '../collapsing/collapsing.ts';
import { fromMessage, type ValueMessage } from '../codec/message.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { RemoveOptions } from '../runs/removals.ts';
import { remoteVerbs } from './remote.ts';
import type { QueryOptions, ResumePolicy, UpdateOptions } from '../types.ts';

type Verb = (typeof remoteVerbs)[number];

const verbs: Record<Verb, (house: Orchestrator, id: string, argument: unknown) => Promise<unknown>> = {
  cancel: (house, id, argument) => house.cancelTask(id, argument),
  pause: (house, id, argument) => house.pauseTask(id, argument === 'hard' ? 'hard' : 'soft'),
  resume: (house, id, argument) => house.resumeTask(id, argument as ResumePolicy),
  retry: async (house, id) => (await house.retryTask(id)) !== undefined,
  remove: (house, id, argument) => house.removeTask(id, argument as RemoveOptions | undefined),
  undoRemove: (house, id) => house.undoRemove(id),
  provide: (house, id, argument) => house.providePayload(id, argument as Blob),
  result: (house, id) => house.attach(id)!.result(),
  signal: (house, id, argument) => house.waiting.events.signal(house.localRun(id)!, ...read<string | undefined>(argument)),
  query: (house, id, argument) => house.waiting.asking.query(house.localRun(id)!, ...read<QueryOptions>(argument)),
  update: (house, id, argument) => house.waiting.asking.accept(house.localRun(id)!, ...read<UpdateOptions>(argument)),
  completeToken: (house, id, argument) => house.wait.obeyComplete(id, argument),
  tokenOutcome: (house, id) => house.wait.obeyOutcome(id),
  reschedule: (house, id, argument) => house.runs.reschedule(id, { delay: new Date(argument as number) }),
  readStream: (house, id, argument) => house.streams.answer(house.localRun(id)!, argument),
  collapse: (house, id, argument) => house.identity.collapsing.obey(house.localRun(id)!, fromMessage(argument as ValueMessage) as CollapseMessage),
  freeKey: (house, id) => house.identity.free(house.localRun(id)!),
};

function read<Options>(argument: unknown): [name: string, data: unknown, options: Options] {
  const [name, data, options] = argument as [string, ValueMessage, Options];
  return [name, fromMessage(data), options];
}

/** @throws TypeError for what is no command, or a run that is not ours */
export async function obey(house: Orchestrator, id: string, verb: string, argument: unknown): Promise<unknown> {
  if (!(remoteVerbs as readonly string[]).includes(verb)) throw new TypeError(`There is no command "${verb}".`);
  if (!house.localRun(id)) throw new TypeError(`Run ${id} is not known here.`);
  return verbs[verb as Verb](house, id, argument);
}
