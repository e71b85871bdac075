/** What a page keeps its tasks in when nobody says otherwise: fetched as one piece, when the first storage is opened. */
export { indexedDB } from './indexeddb.ts';
export { memory } from './memory.ts';
export { mirror } from './mirror.ts';
export { opfs } from './opfs.ts';
