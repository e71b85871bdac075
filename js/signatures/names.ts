/** Ids of the containers of this room; they stand in journals. */
export const chainTask = 'holdfast/chain';
export const swarmTask = 'holdfast/swarm';
