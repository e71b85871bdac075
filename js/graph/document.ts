/**
 * Graph documents: reads, checks and plans what people wrote, before anything of it runs. The work is done by a
 * WebAssembly module of its own (`json.wasm`), which is loaded with the first document.
 *
 * Invariants: a document is data and is never run; whatever it holds costs a bounded time and memory; all issues
 * are told at once.
 */
import createModule, { type Documents } from '../json.js';
import { compileFrom, type WasmSource } from '../load.ts';
import type { TaskRegistry } from './registry.ts';
import type { Task } from './task.ts';

/** What can be wrong. */
export type GraphIssueCode =
  | 'invalid-json' | 'too-large' | 'too-deep' | 'duplicate-key' | 'forbidden-key'
  | 'not-a-graph' | 'unsupported-version' | 'missing-field' | 'wrong-type'
  | 'duplicate-id' | 'unknown-type' | 'unknown-merge' | 'unknown-task' | 'unknown-port' | 'unknown-transform'
  | 'self-edge' | 'cycle' | 'duplicate-dataflow' | 'incompatible-ports' | 'merge-conflict' | 'missing-input';

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

/** What a page knows and takes. */
export interface GraphCatalogue {
  /** By name. A type that is not here is refused, so it is also the list of what a document may use. */
  readonly types: Readonly<Record<string, {
    /** An object whose properties are the ports. Default: any ports. */
    readonly inputs?: PortsSchema;
    readonly outputs?: PortsSchema;
    /** Its ports come from its configuration, so any are allowed. Default false. */
    readonly dynamic?: boolean;
  }>>;
  /** Names of merge strategies. Default: any. */
  readonly merges?: readonly string[];
  /** Ids of transforms. Default: any. */
  readonly transforms?: readonly string[];
  /** Ports that can't fit are errors, not warnings. Default false. */
  readonly strict?: boolean;
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

/** A place for each task, in whole columns and rows from 0 on. */
export interface GraphLayout {
  readonly id: string;
  readonly column: number;
  readonly row: number;
}

/** What a registry knows, as a catalogue. `allowedTypes`: others are left out. Ask once, and keep it. */
export function catalogueOf(registry: TaskRegistry, { allowedTypes, ...more }: Omit<GraphCatalogue, 'types'> & { readonly allowedTypes?: Iterable<string> } = {}): GraphCatalogue {
  const allowed = allowedTypes && new Set(allowedTypes);
  const types: Record<string, GraphCatalogue['types'][string]> = {};
  for (const [type, each] of registry.all) {
    const { hasDynamicSchemas, inputSchema, outputSchema } = each as unknown as typeof Task;
    if (!allowed || allowed.has(type)) types[type] = { inputs: inputSchema.call(each as never), outputs: outputSchema.call(each as never), dynamic: hasDynamicSchemas };
  }
  return Object.freeze({ ...more, types });
}

let source: () => WasmSource = () => new URL('../json.wasm', import.meta.url);
let loading: Promise<Documents> | undefined;
let lastCatalogue: GraphCatalogue | undefined;

/** Where `json.wasm` is, when it does not lie beside the script: an address, its bytes, or a compiled module. */
export function setDocumentsWasm(wasm: WasmSource): void {
  source = () => wasm;
  loading = lastCatalogue = undefined;
}

async function load(): Promise<Documents> {
  const module = await compileFrom(source(), 'json.wasm');
  const { Documents } = await createModule({
    instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void) {
      WebAssembly.instantiate(module, imports).then((instance) => done(instance, module));
      return {};
    },
  });
  return new Documents();
}

/** @throws CoreLoadError; the next call tries again */
function loaded(): Promise<Documents> {
  loading ??= load().catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

function teach(documents: Documents, catalogue: GraphCatalogue): void {
  if (catalogue === lastCatalogue) return;
  lastCatalogue = undefined;
  const { issues } = JSON.parse(documents.setCatalogue(JSON.stringify(catalogue))) as CheckedDocument;
  if (issues.length) throw new TypeError(`The catalogue of task types can't be read: ${issues[0]!.pointer} ${issues[0]!.message}`);
  if (Object.isFrozen(catalogue)) lastCatalogue = catalogue;
}

const defaultMaxBytes = 33_554_432;

/** The text to read, or what is wrong with it before it is even handed over. */
function textOf(document: string | GraphDocument, { limits }: GraphCatalogue): { text: string } | { issue: GraphIssue } {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  if (text === undefined) return { issue: { code: 'not-a-graph', pointer: '', message: 'There is no JSON for what was given: give a document, or its text.', severity: 'error' } };
  const most = limits?.maxBytes ?? defaultMaxBytes;
  if (text.length > most) return { issue: { code: 'too-large', pointer: '', message: `${text.length} characters, more than ${most} bytes: split the document, or raise limits.maxBytes.`, severity: 'error' } };
  const lone = /\p{Surrogate}/u.exec(text);
  if (lone) return { issue: { code: 'invalid-json', pointer: '', message: `Half a character (a lone surrogate) at position ${lone.index}: it can't be written in UTF-8.`, severity: 'error' } };
  return { text };
}

async function ask<Answer extends CheckedDocument>(document: string | GraphDocument, catalogue: GraphCatalogue, call: (documents: Documents, text: string) => string): Promise<Answer> {
  const given = textOf(document, catalogue);
  if ('issue' in given) return { issues: [given.issue] } as unknown as Answer;
  const documents = await loaded();
  // At once, without a pause: another call may bring another catalogue.
  teach(documents, catalogue);
  return JSON.parse(call(documents, given.text));
}

/**
 * Everything that is wrong with a document, by a catalogue of what may stand in it. Freeze a catalogue that is used
 * again (`Object.freeze`): it is then read once.
 * @throws CoreLoadError `json.wasm` can't be had
 * @throws TypeError the catalogue can't be read
 */
export function checkDocument(document: string | GraphDocument, catalogue: GraphCatalogue): Promise<CheckedDocument> {
  return ask(document, catalogue, (documents, text) => documents.check(text));
}

/** As `checkDocument`, and how it is run. @throws as `checkDocument` */
export function compileDocument(document: string | GraphDocument, catalogue: GraphCatalogue): Promise<CompiledDocument> {
  return ask(document, catalogue, (documents, text) => documents.compile(text));
}

/** In the dependency form: a list of tasks, each with what its ports depend on. @throws as `checkDocument` */
export function toDependencyDocument(document: string | GraphDocument, catalogue: GraphCatalogue): Promise<CheckedDocument & { readonly document?: Record<string, any>[] }> {
  return ask(document, catalogue, (documents, text) => documents.toDependencies(text));
}

/** As text for Mermaid or Graphviz; also of a document whose types or ports are not known. @throws as `checkDocument` */
export function drawDocument(document: string | GraphDocument, catalogue: GraphCatalogue, language: 'mermaid' | 'dot'): Promise<CheckedDocument & { readonly text?: string }> {
  return ask(document, catalogue, (documents, text) => documents.draw(text, language));
}

/** Columns by the longest way from a root, rows so that edges are short. @throws as `checkDocument` */
export async function layoutDocument(document: string | GraphDocument, catalogue: GraphCatalogue): Promise<CheckedDocument & { readonly places?: readonly GraphLayout[] }> {
  const { text, ...checked } = await ask<CheckedDocument & { text?: string }>(document, catalogue, (documents, given) => documents.draw(given, 'layout'));
  return text === undefined ? checked : { ...checked, places: JSON.parse(text) };
}
