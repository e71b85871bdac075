/**
 * A namespace as files and databases can be called: 1 to 64 of [\w.-].
 * Invariant: two namespaces never share a name; it is what keeps two users of one browser apart.
 */
import { refuse } from './checks.ts';

/** @throws ConfigurationError */
export function storageName(namespace: unknown): string {
  if (typeof namespace !== 'string' || namespace === '') refuse('namespace', 'text of at least one character', namespace);
  // Names that are fit stay readable; a dot cannot begin one of them.
  if (/^(?!\.)[\w.-]{1,64}$/.test(namespace)) return namespace;
  return `..${namespace.replace(/[^\w.-]/g, '_').slice(0, 24)}-${digest(namespace)}`;
}

/** 128 bits of FNV-1a in four lanes: enough that nobody meets a second name by chance. */
function digest(text: string): string {
  const bytes = new TextEncoder().encode(text);
  let digits = '';
  for (let lane = 0; lane < 4; lane++) {
    let hash = (0x811c9dc5 ^ Math.imul(lane + 1, 0x9e3779b1)) >>> 0;
    for (const byte of bytes) {
      hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
      hash = (hash ^ (hash >>> (13 + lane))) >>> 0;
    }
    digits += hash.toString(16).padStart(8, '0');
  }
  return digits;
}
