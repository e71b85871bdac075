/** Parts of a run's code (section.ts): how one is called, and which of those of its name it is. */
import type { GroupOptions, RaceOptions, Section } from '../types.ts';
import { nextRound } from './items.ts';

/** Where a part begins, and what it is called with. */
export type PartCall = [verb: 'group', name: string, work: (group: Section) => unknown, options?: GroupOptions] | [verb: 'race' | 'any', branches: readonly unknown[], options?: RaceOptions];

/** Which of those of its name it is: to be asked in the order of the calls. */
export const placeOf = (owner: object, call: PartCall): string => nextRound(owner, call[0] === 'group' ? `group ${call[1]}` : call[0]);
