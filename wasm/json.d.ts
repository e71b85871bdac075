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
  setCatalogue(catalogue: EmbindString): string;
  check(text: EmbindString): string;
  compile(text: EmbindString): string;
  toDependencies(text: EmbindString): string;
  draw(text: EmbindString, language: EmbindString): string;
  delete(): void;
}

interface EmbindModule {
  Documents: {
    new(): Documents;
  };
}

export type MainModule = WasmModule & typeof RuntimeExports & EmbindModule;
export default function MainModuleFactory (options?: unknown): Promise<MainModule>;
