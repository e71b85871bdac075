/** Ids of the containers of this room; they stand in journals. */
export { chainTask } from './chain-error.ts';
export const swarmTask = 'holdfast/swarm';
