// TypeScript bindings for emscripten-generated code.  Automatically generated at compile time.
declare namespace RuntimeExports {
    let HEAPU8: any;
    let HEAPU32: any;
    let HEAPF64: any;
}
interface WasmModule {
}

type EmbindString = ArrayBuffer|Uint8Array|Uint8ClampedArray|Int8Array|string;
export interface Documents {
  room(bytes: number): number;
  setCatalogue(bytes: number): string;
  check(bytes: number): string;
  compile(bytes: number): string;
  upgrade(bytes: number): string;
  toDependencies(bytes: number): string;
  compare(bytes: number): string;
  draw(bytes: number, language: EmbindString, options: EmbindString): string;
  delete(): void;
}

interface EmbindModule {
  Documents: {
    new(): Documents;
  };
}

export type MainModule = WasmModule & typeof RuntimeExports & EmbindModule;
export default function MainModuleFactory (options?: unknown): Promise<MainModule>;
