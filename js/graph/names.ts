/** Of the runs of graphs and of their nodes. They stand in journals. */
import { containerPrefix } from '../waiting/internal.ts';

export const graphTask = `${containerPrefix}graph`;
/** Of runs that answer for nodes whose outputs are kept. */
export const outputTask = `${containerPrefix}output`;
export const nodeTask = `${containerPrefix}node`;
