/** Which code computes inputs, by the names that stand in journals. Each is loaded when it is needed. */
import { ConfigurationError } from '../errors.ts';
import type { Merge } from './types.ts';

const merges: Readonly<Record<string, () => Promise<{ merge: Merge }>>> = {
  'holdfast/signature': () => import('../signatures/merge.ts'),
  'holdfast/dataflow': () => import('../graph/dataflow-merge.ts'),
};

/** @throws ConfigurationError of a name that a later release wrote */
export async function mergeNamed(name: string): Promise<Merge> {
  if (!Object.hasOwn(merges, name)) throw new ConfigurationError(`The input of this run is to be made by ${JSON.stringify(name)}, which this release does not know.`);
  return (await merges[name]!()).merge;
}
