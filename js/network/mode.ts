/** Network modes as people and journals say them. Pure; knows nothing of the house. */
import { oneOf } from '../intake/checks.ts';
import type { TaskSpec } from '../types.ts';
import type { NetworkMode } from './types.ts';

const networkModes: readonly NetworkMode[] = ['online', 'always', 'offlineFirst'];

/** @throws ConfigurationError */
export function checkNetworkMode(mode: unknown, where: string): void {
  oneOf(mode, networkModes, where);
}

/** Of the journal: believes nothing. */
export function storedNetworkMode(mode: unknown): NetworkMode | undefined {
  return networkModes.find((known) => known === mode);
}

/** What brings something from outside or changes it there needs a network, unless it says otherwise. */
export function modeOfSpec({ networkMode, intent }: Pick<TaskSpec, 'networkMode' | 'intent'>): NetworkMode {
  return networkMode ?? (intent === 'fetch' || intent === 'effect' ? 'online' : 'always');
}
