/**
 * CRC-32 (IEEE 802.3, reflected) and CRC-32C (Castagnoli, the core's), four bytes a step. Continue a running sum by
 * passing it as `seed`: crc32(b, crc32(a)) is the sum of a and b in a row.
 */

const tables = makeTables(0xedb88320);
let castagnoli: Int32Array[] | undefined;

function makeTables(polynomial: number): Int32Array[] {
  const first = new Int32Array(256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ polynomial : c >>> 1;
    first[n] = c;
  }
  const all = [first];
  for (let k = 1; k < 4; k++) {
    const before = all[k - 1]!;
    all.push(before.map((c) => (c >>> 8) ^ first[c & 255]!));
  }
  return all;
}

export function crc32(bytes: Uint8Array, seed = 0): number {
  return sum(bytes, seed, tables);
}

export function crc32c(bytes: Uint8Array, seed = 0): number {
  castagnoli ??= makeTables(0x82f63b78);
  return sum(bytes, seed, castagnoli);
}

function sum(bytes: Uint8Array, seed: number, of: Int32Array[]): number {
  const [t0, t1, t2, t3] = of as [Int32Array, Int32Array, Int32Array, Int32Array];
  let c = ~seed;
  let at = 0;
  for (const end = bytes.length - 3; at < end; at += 4) {
    c ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    c = t3[c & 255]! ^ t2[(c >>> 8) & 255]! ^ t1[(c >>> 16) & 255]! ^ t0[c >>> 24]!;
  }
  for (; at < bytes.length; at++) c = (c >>> 8) ^ t0[(c ^ bytes[at]!) & 255]!;
  return ~c >>> 0;
}
