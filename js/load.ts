/**
 * Finds and instantiates the WebAssembly core. Emscripten's glue never loads anything itself: the
 * bytes come from here, so the same package works in bundlers, Node, strict hosts and with a wrong
 * MIME type. Also the one place that draws a random seed.
 *
 * Invariant: a failed load is a CoreLoadError that names the address and the fix, and may be tried again.
 */
import createModule, { type MainModule } from './core.js';
import { CoreLoadError } from './errors.ts';

export type WasmSource = string | URL | BufferSource | WebAssembly.Module;

let defaultSource: () => WasmSource = () => new URL('./core.wasm', import.meta.url);

/** Where the core is when nobody says otherwise; holdfast/inline carries it with it. */
export function setDefaultWasm(source: () => WasmSource): void {
  defaultSource = source;
  compiled = undefined;
}

/** Where json.wasm is, for js/graph/document.ts; undefined: beside it. */
export let jsonWasm: (() => WasmSource | Promise<WasmSource>) | undefined;

export function setJsonWasm(source: typeof jsonWasm): void {
  jsonWasm = source;
}

let compiled: Promise<WebAssembly.Module> | undefined;

/** A fresh instance of the core's module. Compiled once for the default address. */
export async function loadCore(source?: WasmSource): Promise<MainModule> {
  const module = await compile(source);
  try {
    return await instantiated<MainModule>(createModule, module);
  } catch (cause) {
    throw new CoreLoadError('The holdfast core could not be started: it does not fit this version of holdfast.js.', { cause });
  }
}

type Instantiate = (imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void) => object;

/** By Emscripten's glue, which itself would never end where the module does not fit it. */
export function instantiated<Module>(create: (options: { instantiateWasm: Instantiate }) => Promise<Module>, module: WebAssembly.Module): Promise<Module> {
  return new Promise((resolve, reject) => {
    const instantiateWasm: Instantiate = (imports, done) => {
      WebAssembly.instantiate(module, imports).then((instance) => done(instance, module)).catch(reject);
      return {};
    };
    create({ instantiateWasm }).then(resolve, reject);
  });
}

/** 32 random bits for ids and the core's generator. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

function compile(source?: WasmSource): Promise<WebAssembly.Module> {
  if (source !== undefined) return compileFrom(source);
  compiled ??= compileFrom(defaultSource()).catch((error) => {
    compiled = undefined;
    throw error;
  });
  return compiled;
}

/** `file`: what it is called in the package, for messages. @throws CoreLoadError */
export async function compileFrom(source: WasmSource, file = 'core.wasm'): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source;
  const isAddress = typeof source === 'string' || source instanceof URL;
  const found = isAddress ? await read(source, file) : source;
  try {
    // Compiled while it arrives, and what was optimized is kept by the browser for the next visit.
    return await (found instanceof Response ? WebAssembly.compileStreaming(found) : WebAssembly.compile(found));
  } catch (cause) {
    const blocked = cause instanceof WebAssembly.CompileError && /Content Security Policy|unsafe-eval/i.test(cause.message);
    throw new CoreLoadError(
      blocked
        ? "The page's Content-Security-Policy forbids WebAssembly. Add 'wasm-unsafe-eval' to script-src."
        : `${isAddress ? source : 'The wasm given'} is not ${file} of this version of holdfast. Serve that from the holdfast package there, or pass { wasm }.`,
      { cause },
    );
  }
}

/** A response that says what it is can be compiled as a stream; whatever a host says, the bytes can. */
async function read(address: string | URL, file: string): Promise<ArrayBuffer | Response> {
  if (String(address).startsWith('file:')) return readFile(address);
  let response: Response;
  try {
    response = await fetch(address);
  } catch (cause) {
    throw new CoreLoadError(`${file} could not be fetched from ${address}. Check that it is deployed beside the script.`, { cause });
  }
  if (!response.ok)
    throw new CoreLoadError(`${file} was answered with ${response.status} at ${address}. Deploy it there, or pass { wasm }.`);
  const says = response.headers.get('content-type') ?? '';
  return /^application\/wasm\b/.test(says) && 'compileStreaming' in WebAssembly ? response : response.arrayBuffer();
}

/** Node, for tests and tools. The name is kept from bundlers, which have no node:fs and put constants in their places. */
async function readFile(address: string | URL): Promise<ArrayBuffer> {
  const name = ['node:fs', 'promises'].join('/');
  const { readFile } = await import(/* @vite-ignore */ name);
  return (await readFile(new URL(address))).slice().buffer;
}
