/** How large things may be. Each limit is checked where the thing comes in, by name and value. */
import { checkNames, oneOf, wholeNumber } from './checks.ts';
import { ConfigurationError } from '../errors.ts';

export interface PayloadLimits {
  /** Values whose encoding is larger lie beside the journal, as files do. Default 64 KiB; at most 1 MiB. */
  inlineBytes?: number;
  /** One input, result or step result, its files and large binary values not counted. Default 1 MiB; at most 512 MiB. */
  valueBytes?: number;
  /** Default 256 KiB; at most 1 MiB. */
  metadataBytes?: number;
  /** One file or binary value. Default 512 MiB; at most just under 4 GiB. */
  blobBytes?: number;
  /**
   * What becomes of a larger file of an input: `refuse` (default), or `page`: it is not stored, and asked for
   * again after a reload, as with `persistPayload: 'none'`.
   */
  largeFiles?: 'refuse' | 'page';
  /** All chunks of all streams of one run. Default 256 MiB. */
  streamBytes?: number;
  /** All files and large values of this tab's runs together, each content once. Default 2 GiB. */
  totalBlobBytes?: number;
}

export type ResolvedLimits = Readonly<Required<PayloadLimits>>;
type Sizes = Omit<Required<PayloadLimits>, 'largeFiles'>;

const KiB = 1024;
const MiB = 1024 * KiB;

const defaults: Sizes = {
  inlineBytes: 64 * KiB,
  valueBytes: MiB,
  metadataBytes: 256 * KiB,
  blobBytes: 512 * MiB,
  streamBytes: 256 * MiB,
  totalBlobBytes: 2048 * MiB,
};

/** What storages can take. */
const largest: Sizes = {
  inlineBytes: MiB,
  valueBytes: 512 * MiB,
  metadataBytes: MiB,
  blobBytes: 2 ** 32 - 128,
  streamBytes: Number.MAX_SAFE_INTEGER,
  totalBlobBytes: Number.MAX_SAFE_INTEGER,
};

const names = Object.keys(defaults) as (keyof Sizes)[];

/** @throws ConfigurationError */
export function resolveLimits(limits: PayloadLimits = {}): ResolvedLimits {
  checkNames(limits, [...names, 'largeFiles'], 'limits');
  const { largeFiles = 'refuse', inlineBytes } = limits;
  oneOf(largeFiles, ['refuse', 'page'], 'limits.largeFiles');
  const sizes = { ...defaults };
  for (const name of names) if (limits[name] !== undefined) sizes[name] = wholeNumber(limits[name], `limits.${name}`, KiB, largest[name]);
  if (inlineBytes !== undefined && inlineBytes > sizes.valueBytes)
    throw new ConfigurationError(`limits.inlineBytes ${inlineBytes} is more than limits.valueBytes ${sizes.valueBytes}; no value could be that large.`);
  return { ...sizes, largeFiles };
}
