/**
 * What people say about encryption, checked when it is said. Everybody loads this; the rest of the room is loaded
 * with the first key.
 */
import { checkNames, checkRecord, refuse } from '../intake/checks.ts';
import { ConfigurationError } from '../errors.ts';

export interface EncryptionOptions {
  /**
   * AES-GCM, for `encrypt` and `decrypt`; it need not be extractable. A function is asked once, while the storage is
   * opened; what it throws is why there is no storage.
   */
  key: CryptoKey | (() => CryptoKey | Promise<CryptoKey>);
  /** Keys of before: what they have sealed is read, and nothing is sealed with them. */
  former?: readonly CryptoKey[];
}

const wanted = 'a CryptoKey for AES-GCM with the usages encrypt and decrypt';

/** @throws ConfigurationError */
export function checkEncryption(options: EncryptionOptions, where: string): void {
  checkRecord(options, where);
  checkNames(options, ['key', 'former'], where);
  if (typeof options.key !== 'function') checkKey(options.key, `${where}.key`);
  if (options.former === undefined) return;
  if (!Array.isArray(options.former)) refuse(`${where}.former`, 'a list of CryptoKeys', options.former);
  options.former.forEach((key, index) => checkKey(key, `${where}.former[${index}]`));
}

/** @throws ConfigurationError */
export function checkKey(key: unknown, where: string): asserts key is CryptoKey {
  // Without https there are neither keys nor what could be done with them.
  if (typeof crypto === 'undefined' || !crypto.subtle) throw new ConfigurationError(`${where}: this page has no WebCrypto (it needs https), so nothing can be encrypted.`);
  const { type, algorithm, usages } = (key ?? {}) as Partial<CryptoKey>;
  if (type !== 'secret' || algorithm?.name !== 'AES-GCM') refuse(where, wanted, key);
  if (!usages?.includes('encrypt') || !usages.includes('decrypt')) throw new ConfigurationError(`Expected \`${where}\` to be ${wanted}, got one for ${usages?.join(', ') || 'nothing'}.`);
}
