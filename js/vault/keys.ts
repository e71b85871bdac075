/**
 * Keys, and what is done with them: sealing and opening bytes, and names that do not tell what they name.
 *
 *   sealed := key name {8} · iv {12} · AES-GCM(bytes)     authenticated with it: what the bytes are, and where they belong
 *
 * A key is named by what it alone can compute, so that it is known which one opens something, and that none does,
 * before anything is tried. An iv is 96 random bits.
 *
 * Invariants: bytes sealed for one place do not open in another. A key that is missing is told apart from bytes that
 * somebody has changed.
 */
import { readHex } from '../codec/blob-list.ts';
import { StorageError, StorageLockedError } from '../errors.ts';
import { checkKey, type EncryptionOptions } from './checks.ts';

const nameBytes = 8;
const ivBytes = 12;
export const sealBytes = nameBytes + ivBytes + 16;

type Bytes = Uint8Array<ArrayBuffer>;

interface NamedKey {
  readonly key: CryptoKey;
  /** 16 hexadecimal digits. */
  readonly name: string;
  readonly naming: CryptoKey;
}

const encoder = new TextEncoder();

/** Nobody else knows it, and it is the same each time: what a fixed text under a fixed iv becomes. Nothing else is sealed under that iv. */
async function secretOf(key: CryptoKey): Promise<ArrayBuffer> {
  const text = encoder.encode('holdfast: what names are made with, version 1');
  return crypto.subtle.digest('SHA-256', await crypto.subtle.encrypt({ name: 'AES-GCM', iv: new Uint8Array(ivBytes) }, key, text));
}

async function named(key: CryptoKey): Promise<NamedKey> {
  const naming = await crypto.subtle.importKey('raw', await secretOf(key), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return { key, naming, name: (await hmac(naming, 'key')).slice(0, nameBytes * 2) };
}

async function hmac(naming: CryptoKey, text: string): Promise<string> {
  return readHex(new Uint8Array(await crypto.subtle.sign('HMAC', naming, encoder.encode(text))));
}

export class Keys {
  #keys: NamedKey[] = [];

  /** @throws ConfigurationError, and what the function that gives the key throws */
  static async from(options: EncryptionOptions): Promise<Keys> {
    const keys = new Keys();
    await keys.use(options);
    return keys;
  }

  /** From now on the first of these seals; those of before still open. @throws ConfigurationError */
  async use({ key, former = [] }: EncryptionOptions): Promise<void> {
    const given = typeof key === 'function' ? await key() : key;
    checkKey(given, 'encryption.key');
    const all = await Promise.all([given, ...former].map(named));
    const known = new Map([...all, ...this.#keys].map((one) => [one.name, one]));
    known.delete(all[0]!.name);
    this.#keys = [all[0]!, ...known.values()];
  }

  /** Names the key that seals. */
  get current(): string {
    return this.#keys[0]!.name;
  }

  /** Of 256 bits in hexadecimal digits, which nobody can compute who has no key. */
  name(text: string): Promise<string> {
    return hmac(this.#keys[0]!.naming, text);
  }

  /** The same with each key there is, the one that seals first. */
  names(text: string): Promise<string[]> {
    return Promise.all(this.#keys.map(({ naming }) => hmac(naming, text)));
  }

  /** @param about what it is and where it belongs; it opens with the same alone */
  async seal(bytes: Uint8Array, about: Bytes): Promise<Bytes> {
    const { key, name } = this.#keys[0]!;
    const iv = crypto.getRandomValues(new Uint8Array(ivBytes));
    const encrypted = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: about }, key, bytes as Bytes);
    const sealed = new Uint8Array(nameBytes + ivBytes + encrypted.byteLength);
    for (let at = 0; at < nameBytes; at++) sealed[at] = Number.parseInt(name.slice(at * 2, at * 2 + 2), 16);
    sealed.set(iv, nameBytes);
    sealed.set(new Uint8Array(encrypted), nameBytes + ivBytes);
    return sealed;
  }

  /** @throws StorageLockedError no key of ours opens it @throws StorageError it was changed */
  async open(sealed: Uint8Array, about: Bytes, what: string): Promise<Bytes> {
    if (sealed.length < sealBytes) throw changed(what);
    const name = keyOf(sealed);
    const found = this.#keys.find((one) => one.name === name);
    if (!found) throw new StorageLockedError(`${what} is encrypted with another key.`, { data: { key: name } });
    const iv = sealed.slice(nameBytes, nameBytes + ivBytes);
    try {
      return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv, additionalData: about }, found.key, sealed.slice(nameBytes + ivBytes)));
    } catch (cause) {
      throw changed(what, cause);
    }
  }
}

/** Which key has sealed this. */
export const keyOf = (sealed: Uint8Array): string => readHex(sealed, 0, nameBytes);

function changed(what: string, cause?: unknown): StorageError {
  return new StorageError(`${what} was changed by somebody who has no key, or belongs elsewhere.`, { cause });
}

/** What bytes are, and where they belong. */
export function about(...parts: (string | number)[]): Bytes {
  return encoder.encode(JSON.stringify(['holdfast', ...parts]));
}
