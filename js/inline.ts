/**
 * `holdfast/inline`: holdfast with the wasm inside the script, for hosts that can serve no second file.
 * About a third larger than the two files, and nothing is compiled while it loads. Import it instead of
 * `holdfast`. What reads documents of graphs is in a script of its own, which is loaded with the first of them.
 */
import { coreBase64 } from './core-bytes.js';
import { setDefaultWasm, setJsonWasm } from './load.ts';

const bytesOf = (base64: string) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

setDefaultWasm(() => bytesOf(coreBase64));
setJsonWasm(async () => bytesOf((await import('./json-bytes.js')).jsonBase64));

export * from './index.ts';
