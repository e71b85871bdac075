/** What streams need once somebody uses one; loaded with the first (door.ts). */
import type { Orchestrator } from '../orchestrator.ts';
import type { Run } from '../runs/run.ts';
import { StreamLog } from './log.ts';
import { StreamRecorder } from './recorder.ts';
import { Repetition } from './repetition.ts';

export { answerHere, entriesOf } from './reading.ts';

export function recorderOf(house: Orchestrator, run: Run): StreamRecorder {
  const log = (run.ownExtra.streams ??= new StreamLog());
  return (log.recorder ??= new StreamRecorder(house, run, log));
}

/** By attempt: which chunks its code has repeated. */
const repetitions = new WeakMap<Run, { attempt: number; byKey: Map<string, Repetition> }>();

export function repetitionOf(house: Orchestrator, run: Run, attempt: number, key: string): Repetition {
  let known = repetitions.get(run);
  if (known?.attempt !== attempt) repetitions.set(run, (known = { attempt, byKey: new Map() }));
  let repetition = known.byKey.get(key);
  if (!repetition) known.byKey.set(key, (repetition = new Repetition(house, run, recorderOf(house, run), key)));
  return repetition;
}
