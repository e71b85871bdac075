/** holdfast/signatures: what signatures are stored with under a name. */
export { defineCondition } from './conditions.ts';
export type * from './types.ts';
export { defineValidator } from './validators.ts';
