/** What the records of a run say of the blobs they refer to. Believes nothing: what can't be read says nothing. */
import { type BlobEntry, blobEntries } from '../codec/codec.ts';
import { inputBytes, payloadBytes, recordValueBytes } from '../journal/payloads.ts';
import type { PayloadBytes, Run } from '../runs/run.ts';

function entries(read: (payload: PayloadBytes) => Uint8Array, payload: PayloadBytes | undefined): BlobEntry[] {
  if (!payload) return [];
  try {
    return blobEntries(read(payload));
  } catch {
    return [];
  }
}

/** REQUIRES: the run was just found in a log. */
export function entriesOf(run: Run): BlobEntry[] {
  return [
    ...entries(inputBytes, run.envelope),
    ...(run.extra.stepPayloads ?? []).flatMap((step) => entries(recordValueBytes, step)),
    ...[...(run.extra.notes?.values() ?? [])].flatMap(({ payload }) => entries(payloadBytes, payload)),
    ...(run.extra.streams?.payloads ?? []).flatMap((part) => entries(recordValueBytes, part)),
    ...entries(payloadBytes, run.outputPayload),
  ];
}
