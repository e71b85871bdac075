/**
 * Graph documents: reads, checks and plans what people wrote, before anything of it runs. The work is done by a
 * WebAssembly module of its own (`json.wasm`), which is loaded with the first document.
 *
 * Invariants: a document is data and is never run; whatever it holds costs a bounded time and memory; all issues
 * are told at once.
 */
import { CoreLoadError } from '../errors.ts';
import createModule, { type Documents, type MainModule } from '../json.js';
import { compileFrom, instantiated, jsonWasm, setJsonWasm, type WasmSource } from '../load.ts';
import type { TaskRegistry } from './registry.ts';
import type { Task } from './task.ts';

/** What can be wrong. */
export type GraphIssueCode =
  | 'invalid-json' | 'too-large' | 'too-deep' | 'duplicate-key' | 'forbidden-key'
  | 'not-a-graph' | 'unsupported-version' | 'missing-field' | 'wrong-type'
  | 'wrong-config'
  | 'duplicate-id' | 'unknown-type' | 'unknown-merge' | 'unknown-task' | 'unknown-port' | 'unknown-transform'
  | 'self-edge' | 'cycle' | 'duplicate-dataflow' | 'incompatible-ports' | 'merge-conflict' | 'missing-input'
  | 'unconnected-input' | 'unused-output' | 'unreachable' | 'cycle-candidate';

export interface GraphIssue {
  readonly code: GraphIssueCode;
  /** Where in the document, as a JSON pointer (RFC 6901): `/tasks/3/type`; the empty text is all of it. */
  readonly pointer: string;
  /** For people: what is wrong, with which value, and what to do. */
  readonly message: string;
  /** A document with an error has no plan; one with warnings alone has. */
  readonly severity: 'error' | 'warning';
}

/** A JSON Schema, or `true` (anything), `false` (nothing). */
export type PortsSchema = boolean | { readonly [keyword: string]: any };

type TypePorts = NonNullable<GraphCatalogue['types']>[string];

/** What a page knows and takes. */
export interface GraphCatalogue {
  /** By name. A type that is not here is refused, so it is also the list of what a document may use. Default: any types, with any ports. */
  readonly types?: Readonly<Record<string, {
    /** An object whose properties are the ports. Default: any ports. */
    readonly inputs?: PortsSchema;
    readonly outputs?: PortsSchema;
    /** Its ports come from its configuration, so any are allowed where that says none (`inputSchema`, `outputSchema`). Default false. */
    readonly dynamic?: boolean;
    /** Where a graph has tasks of such types, only what they give is its result. Default false. */
    readonly isGraphOutput?: boolean;
  }>>;
  /** Names of merge strategies. Default: any. */
  readonly merges?: readonly string[];
  /** Ids of transforms. Default: any. */
  readonly transforms?: readonly string[];
  /** Ports that can't fit are errors, not warnings. Default false. */
  readonly strict?: boolean;
  /** Warns of what mostly is a mistake too: `unconnected-input`, `unused-output`, `unreachable`, `cycle-candidate`. Default false. */
  readonly lint?: boolean;
  readonly limits?: {
    /** Of the text in UTF-8. Default 33,554,432. */
    readonly maxBytes?: number;
    /** Of arrays and objects in each other. Default 256, at most 512. */
    readonly maxDepth?: number;
    /** Default 4,000,000. */
    readonly maxValues?: number;
    /** With those of graphs inside tasks. Default 200,000. */
    readonly maxTasks?: number;
    /** Likewise. Default 1,000,000. */
    readonly maxDataflows?: number;
    /** Graphs inside tasks. Default 16, at most 64. */
    readonly maxNesting?: number;
  };
}

/** In the graph form, or in the dependency form (a list of tasks, each with its `dependencies`). */
export type GraphDocument =
  | { readonly tasks: readonly unknown[]; readonly dataflows?: readonly unknown[]; readonly version?: number; readonly [more: string]: unknown }
  | readonly unknown[];

export interface CheckedDocument {
  /** At most 1,000. */
  readonly issues: readonly GraphIssue[];
  /** How many more there are. */
  readonly leftOut?: number;
}

/** How a graph is run. Numbers are places in `tasks` and `dataflows` of the document. */
export interface GraphDocumentPlan {
  /** Each task after those it depends on; otherwise as they stand in the document. */
  readonly order: readonly number[];
  /** By task: how many tasks the longest way from it to an end has, itself among them. The highest go first. */
  readonly heights: readonly number[];
  /** Tasks that are connected, in the order of their targets; with the dataflows of ports, and of `[error]`. */
  readonly pairs: readonly { readonly source: number; readonly target: number; readonly data: readonly number[]; readonly errors: readonly number[] }[];
  /** By task: dataflows that lead into it, sorted by `source[port] ==> target[port]`. */
  readonly incoming: readonly (readonly number[])[];
  /** Of tasks with a graph inside. */
  readonly subgraphs: readonly { readonly task: number; readonly plan: GraphDocumentPlan }[];
}

export interface CompiledDocument extends CheckedDocument {
  /** undefined where an issue is an error. */
  readonly plan?: GraphDocumentPlan;
  /** The document in the graph form of this version, where it came in another one. */
  readonly document?: Record<string, any>;
}

/** Where a task stands. */
export interface GraphLayout {
  readonly id: string;
  /** From 0 on: which layer, and which place in it. */
  readonly column: number;
  readonly row: number;
  /** Pixels, of the upper left corner, from 0 on. */
  readonly x: number;
  readonly y: number;
}

/** In pixels. */
export interface GraphLayoutOptions {
  /** Of tasks, by ids. */
  readonly sizes?: Readonly<Record<string, { readonly width: number; readonly height: number }>>;
  /** Of tasks that `sizes` has not. Default 200 and 120. */
  readonly width?: number;
  readonly height?: number;
  /** Between layers. Default 64. */
  readonly columnGap?: number;
  /** Between tasks of a layer. Default 28. */
  readonly rowGap?: number;
}

/** What a registry knows, as a catalogue. `allowedTypes`: others are left out. Ask once, and keep it. */
export function catalogueOf(registry: TaskRegistry, { allowedTypes, ...more }: Omit<GraphCatalogue, 'types'> & { readonly allowedTypes?: Iterable<string> } = {}): GraphCatalogue & { readonly types: NonNullable<GraphCatalogue['types']> } {
  const allowed = allowedTypes && new Set(allowedTypes);
  const types: Record<string, TypePorts> = {};
  for (const [type, each] of registry.all) {
    const { hasDynamicSchemas, isGraphOutput, inputSchema, outputSchema } = each as unknown as typeof Task;
    if (!allowed || allowed.has(type)) types[type] = { inputs: inputSchema.call(each as never), outputs: outputSchema.call(each as never), dynamic: hasDynamicSchemas, ...(isGraphOutput && { isGraphOutput }) };
  }
  return Object.freeze({ ...more, types });
}

/** A module, and what writes a text where it reads. */
class Door {
  readonly documents: Documents;
  readonly #module: MainModule;
  readonly #encoder = new TextEncoder();

  constructor(module: MainModule) {
    this.#module = module;
    this.documents = new module.Documents();
  }

  /** Gives how many bytes of UTF-8 there are. */
  write(text: string): number {
    // Mostly a character is a byte; where not, there is room for three.
    for (const room of [text.length + 64, 3 * text.length]) {
      const place = this.documents.room(room);
      const { read, written } = this.#encoder.encodeInto(text, (this.#module.HEAPU8 as Uint8Array).subarray(place, place + room));
      if (read === text.length) return written;
    }
    throw new RangeError('A text in UTF-8 has three bytes a character at most.');
  }
}

let loading: Promise<Door> | undefined;
let lastCatalogue: GraphCatalogue | undefined;

/** Where `json.wasm` is, when it does not lie beside the script: an address, its bytes, or a compiled module. */
export function setDocumentsWasm(wasm: WasmSource): void {
  setJsonWasm(() => wasm);
  loading = lastCatalogue = undefined;
}

async function load(): Promise<Door> {
  const module = await compileFrom(jsonWasm ? await jsonWasm() : new URL('../json.wasm', import.meta.url), 'json.wasm');
  try {
    return new Door(await instantiated<MainModule>(createModule, module));
  } catch (cause) {
    throw new CoreLoadError('json.wasm could not be started: it does not fit this version of holdfast. Serve that of the package, or hand it over: setDocumentsWasm(bytes).', { cause });
  }
}

function loaded(): Promise<Door> {
  loading ??= load().catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

function teach(door: Door, catalogue: GraphCatalogue): void {
  if (catalogue === lastCatalogue) return;
  lastCatalogue = undefined;
  const { issues } = JSON.parse(door.documents.setCatalogue(door.write(JSON.stringify(catalogue) ?? 'null'))) as CheckedDocument;
  if (issues.length) throw new TypeError(`The catalogue of task types can't be read: ${issues[0]!.pointer} ${issues[0]!.message}`);
  if (Object.isFrozen(catalogue)) lastCatalogue = catalogue;
}

const defaultMaxBytes = 33_554_432;

/** The text to read, or what is wrong with it before it is even handed over. */
function textOf(document: string | GraphDocument, { limits }: GraphCatalogue): { text: string } | { issue: GraphIssue } {
  const wrong = (code: GraphIssueCode, message: string) => ({ issue: { code, pointer: '', message, severity: 'error' } as const });
  let text: string | undefined;
  try {
    text = typeof document === 'string' ? document : writtenOut(document);
  } catch (error) {
    // What holds itself, or is nested deeper than any stack.
    return wrong(error instanceof RangeError ? 'too-deep' : 'invalid-json', `There is no JSON for what was given: ${(error as Error).message}`);
  }
  if (text === undefined) return wrong('not-a-graph', 'There is no JSON for what was given: give a document, or its text.');
  const most = limits?.maxBytes ?? defaultMaxBytes;
  if (text.length > most) return wrong('too-large', `${text.length} characters, more than ${most} bytes: split the document, or raise limits.maxBytes.`);
  if (isWellFormed(text)) return { text };
  return wrong('invalid-json', `Half a character (a lone surrogate) at position ${/\p{Surrogate}/u.exec(text)!.index}: it can't be written in UTF-8.`);
}

/** Values of this page (files, large integers) may stand in it: they are none of the checker's business. */
function writtenOut(document: GraphDocument): string | undefined {
  try {
    return JSON.stringify(document);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return JSON.stringify(document, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  }
}

/** Browsers of before 2023 do not say it themselves. */
const isWellFormed = (text: string): boolean => (text as { isWellFormed?(): boolean }).isWellFormed?.() ?? !/\p{Surrogate}/u.test(text);

async function ask<Answer extends CheckedDocument>(document: string | GraphDocument, catalogue: GraphCatalogue, call: (documents: Documents, bytes: number) => string): Promise<Answer> {
  const given = textOf(document, catalogue);
  if ('issue' in given) return { issues: [given.issue] } as unknown as Answer;
  const door = await loaded();
  // At once, without a pause: another call may bring another catalogue, and another text.
  teach(door, catalogue);
  return JSON.parse(call(door.documents, door.write(given.text)));
}

/**
 * Everything that is wrong with a document, by a catalogue of what may stand in it. Freeze a catalogue that is used
 * again (`Object.freeze`): it is then read once.
 * @throws CoreLoadError `json.wasm` can't be had
 * @throws TypeError the catalogue can't be read
 */
export function checkDocument(document: string | GraphDocument, catalogue: GraphCatalogue): Promise<CheckedDocument> {
  return ask(document, catalogue, (documents, bytes) => documents.check(bytes));
}

/**
 * The document in the graph form of this version, which is it itself where it is that already; undefined where an
 * issue is an error.
 * @throws as `checkDocument`
 */
export async function upgradeDocument(document: string | GraphDocument, catalogue: GraphCatalogue): Promise<CheckedDocument & { readonly document?: Record<string, any> }> {
  const checked = await ask<CheckedDocument & { document?: Record<string, any> }>(document, catalogue, (documents, bytes) => documents.upgrade(bytes));
  if (checked.document || checked.issues.some(({ severity }) => severity === 'error')) return checked;
  return { ...checked, document: typeof document === 'string' ? JSON.parse(document.replace(/^\uFEFF/, '')) : document };
}

/** As `checkDocument`, and how it is run. @throws as `checkDocument` */
export function compileDocument(document: string | GraphDocument, catalogue: GraphCatalogue): Promise<CompiledDocument> {
  return ask(document, catalogue, (documents, bytes) => documents.compile(bytes));
}

/** In the dependency form: a list of tasks, each with what its ports depend on. @throws as `checkDocument` */
export function toDependencyDocument(document: string | GraphDocument, catalogue: GraphCatalogue): Promise<CheckedDocument & { readonly document?: Record<string, any>[] }> {
  return ask(document, catalogue, (documents, bytes) => documents.toDependencies(bytes));
}

/** As text for Mermaid or Graphviz; also of a document whose types or ports are not known. @throws as `checkDocument` */
export function drawDocument(document: string | GraphDocument, catalogue: GraphCatalogue, language: 'mermaid' | 'dot'): Promise<CheckedDocument & { readonly text?: string }> {
  return ask(document, catalogue, (documents, bytes) => documents.draw(bytes, language, '{}'));
}

/** A place for each task: layers by the longest way from a root, in an order in which edges cross less, without one on another. @throws as `checkDocument` */
export function layoutDocument(document: string | GraphDocument, catalogue: GraphCatalogue, options: GraphLayoutOptions = {}): Promise<CheckedDocument & { readonly places?: readonly GraphLayout[] }> {
  return ask(document, catalogue, (documents, bytes) => documents.draw(bytes, 'layout', JSON.stringify(options)));
}

/** @internal How ports fit, by C++: of `[output, port, input, port]` each. @throws as `checkDocument` */
export async function comparePorts(pairs: readonly (readonly [PortsSchema, string, PortsSchema, string])[]): Promise<CheckedDocument & { readonly verdicts?: readonly ('static' | 'runtime' | 'incompatible')[] }> {
  return ask(pairs, {}, (documents, bytes) => documents.compare(bytes));
}
