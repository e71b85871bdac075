// TypeScript bindings for emscripten-generated code.  Automatically generated at compile time.
declare namespace RuntimeExports {
    let HEAPU8: any;
    let HEAPU32: any;
    let HEAPF64: any;
}
interface WasmModule {
}

export interface Core {
  keepNothing(): void;
  locateBlobs(): void;
  locateQueues(): void;
  commitCompaction(): void;
  outboxCount(): number;
  seal(): number;
  locate(task: number): void;
  locateUses(limit: number): void;
  state(task: number): number;
  inbox(): number;
  reserve(bytes: number): number;
  step(count: number, payloadBytes: number, nowMs: number): number;
  outbox(): number;
  report(): number;
  frame(): number;
  feed(bytes: number): number;
  wanted(): number;
  load(): number;
  importLog(bytes: number, firstTask: number, firstGroup: number): number;
  compact(bytes: number): number;
  history(bytes: number, limit: number): number;
  inspect(bytes: number): number;
  value(task: number, field: number): number;
  queueValue(queue: number, field: number): number;
  keyHolder(key: number, nowMs: number): number;
  retryDelay(policy: number, failures: number, lastDelayMs: number): number;
  bytes(): number;
  delete(): void;
}

interface EmbindModule {
  Core: {
    new(_0: number, _1: number): Core;
  };
  InboxCapacity: number;
}

export type MainModule = WasmModule & typeof RuntimeExports & EmbindModule;
export default function MainModuleFactory (options?: unknown): Promise<MainModule>;
