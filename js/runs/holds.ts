/**
 * Holds of ours on a run, beside those that the core knows (`Hold…` in protocol.ts): each reason has its own
 * bit, so that lifting one never lifts another. They are stored: a number that was used keeps its meaning.
 */

/** It waits for its turn. */
export const HoldTurn = 1 << 4;
/** It waits for somebody outside. */
export const HoldOutside = 1 << 5;
/** Its input is not what today's schema takes. */
export const HoldSchemaMismatch = 1 << 6;
/** There is no network. */
export { HoldOffline } from '../protocol.ts';
