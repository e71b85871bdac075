/**
 * `holdfast/inline`: holdfast with the wasm inside the script, for hosts that can serve no second file.
 * About a third larger than the two files, and nothing is compiled while it loads. Import it instead of
 * `holdfast`.
 */
import { coreBase64 } from './core-bytes.js';
import { setDefaultWasm } from './load.ts';

setDefaultWasm(() => Uint8Array.from(atob(coreBase64), (character) => character.charCodeAt(0)));

export * from './index.ts';
