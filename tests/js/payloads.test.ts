import { describe, expect, it } from 'vitest';
import { decode, encode, PayloadWriter } from '../../js/codec/codec.ts';
import { inputBytes, PayloadArea, readHeader, readMetadata } from '../../js/journal/payloads.ts';

const headers = [
  { id: 'run_1', identifier: 'a', name: undefined, extras: undefined },
  { id: 'run_2', identifier: 'a', name: undefined, extras: undefined },
  { id: 'run_3', identifier: 'a', name: 'Ä', extras: undefined },
  { id: 'run_4', identifier: 'a', name: 'Ä', extras: { queue: 'q' } },
  { id: 'run_5', identifier: 'a', name: 'Ä', extras: { queue: 'q' } },
  { id: 'run_6', identifier: 'a', name: 'Ä', extras: { replayOf: 'q' } },
  { id: 'run_7', identifier: 'a', name: 'Ä', extras: { queue: 'q', replayOf: 'x' } },
  { id: 'run_8', identifier: 'a', name: 'Ä', extras: undefined },
  { id: 'ü', identifier: 'a', name: 'Ä', extras: undefined },
  { id: 'x'.repeat(31), identifier: 'b'.repeat(128), name: undefined, extras: undefined },
  { id: 'x'.repeat(32), identifier: 'b'.repeat(128), name: undefined, extras: undefined },
  { id: 'run_9', identifier: '\ud800', name: undefined, extras: undefined },
];

describe('an envelope', () => {
  it('reads back as it was written, whatever the one before it was', () => {
    const area = new PayloadArea();
    const envelopes = headers.map((header, n) => area.writeEnvelope(header, [n], { n }));
    envelopes.forEach((envelope, n) => {
      expect(readHeader(envelope)).toEqual(headers[n]);
      expect(decode(inputBytes(envelope))).toEqual([n]);
      expect(readMetadata(envelope)).toEqual({ n });
    });
  });

  it('has the same bytes whether its header was copied or encoded', () => {
    for (const { id, identifier, name, extras } of headers) {
      const rest = encode([identifier, name ?? null, extras ?? null], 'rest').bytes;
      const writer = new PayloadWriter();
      const length = writer.writeListWith(id, rest);
      if (length > 0)
        expect(writer.bytesFrom(0, length)).toEqual(
          encode([id, identifier, name ?? null, extras ?? null], 'all').bytes,
        );
      else expect(writer.position).toBe(0);
    }
  });
});

it('whole numbers have the bytes they have inside a list, and come back', () => {
  for (const edge of [0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, -1, -0, 0.5]) {
    const { bytes } = encode(edge, 'n');
    expect(decode(bytes)).toBe(edge);
    if (!Object.is(edge, -0)) expect(bytes.subarray(1)).toEqual(encode([edge], 'n').bytes.subarray(2));
  }
});
