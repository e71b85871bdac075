/** Ids of the containers of this room; they stand in journals. */
export const chainTask = 'holdfast/chain';
export const swarmTask = 'holdfast/swarm';
export const branchTask = 'holdfast/branch';
export const fallbackTask = 'holdfast/fallback';
