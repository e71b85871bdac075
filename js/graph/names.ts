/** Of the runs of graphs and of their nodes. They stand in journals. */
import { containerPrefix } from '../waiting/internal.ts';

export const graphTask = `${containerPrefix}graph`;
export const nodeTask = `${containerPrefix}node`;
