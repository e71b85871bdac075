/** msgpackr ships no types for its eval-free entry; only what codec/message-pack.ts uses. */
declare module 'msgpackr/index-no-eval' {
  export class Packr {
    constructor(options: { useRecords?: boolean; structuredClone?: boolean; moreTypes?: boolean });
    pack(value: unknown, mode: number): Uint8Array & { start: number; end: number };
    /** Writes into this one from now on. */
    useBuffer(buffer: Uint8Array): void;
  }
  export class Unpackr {
    constructor(options: { useRecords?: boolean; structuredClone?: boolean; mapsAsObjects?: boolean });
    unpack(bytes: Uint8Array, range: { start: number; end: number }): unknown;
  }
  export const REUSE_BUFFER_MODE: number;
  export const RESET_BUFFER_MODE: number;
}
