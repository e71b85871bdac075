/**
 * A graph as TypeScript that builds it: what people drew becomes code that they can read, test and go on with.
 *
 * Invariant: the printed code builds a graph with the same document, whatever ids, texts and configs are in it; nothing
 * of them is code, they only stand in it as values.
 */
import * as compound from './compound/index.ts';
import { TaskSerializationError } from './errors.ts';
import { JobQueueTask } from './job-queue-task.ts';
import * as nodes from './nodes/index.ts';
import { globalTaskRegistry, type TaskRegistry } from './registry.ts';
import { Task } from './task.ts';
import { TaskGraph } from './task-graph.ts';
import type { DataflowJson, TaskGraphItemJson, TaskGraphJson } from './types.ts';

export interface TypeScriptOptions {
  /** Of the function that builds it. Default 'buildGraph'. */
  readonly functionName?: string;
  /** Where classes are imported from: `(type) => ({ name: 'Words', from: './words.ts' })`. Default: those of holdfast from `holdfast/graph`, others are looked up in the registry by their type. */
  readonly importOf?: (type: string) => { readonly name: string; readonly from: string } | undefined;
  /** Which classes there are; a type that is none of them is taken for the id of a `defineTask`. Default: the page's. */
  readonly registry?: TaskRegistry;
}

/**
 * The code of a function that builds the graph: one statement a task and an edge, functions of their own for graphs in
 * tasks. A document in the graph form; what `createGraphFromGraphJSON` would leave out of it is left out here too.
 * @throws TaskSerializationError for values that are no JSON, and graphs that have no document
 */
export function toTypeScript(given: TaskGraph | TaskGraphJson, options: TypeScriptOptions = {}): string {
  const document = given instanceof TaskGraph ? given.toJSON() : given;
  return new Printer(options).print(document);
}

const reserved = new Set(
  'arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function graph if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof undefined var void while with yield'.split(' '),
);

/** Classes of holdfast, by their types. */
const builtIn = new Map<string, { name: string; Class: unknown }>();
for (const [name, Class] of Object.entries({ ...compound, ...nodes, JobQueueTask })) if (typeof Class === 'function' && Class.prototype instanceof Task) builtIn.set((Class as unknown as typeof Task).type, { name, Class });

class Printer {
  readonly #options: TypeScriptOptions;
  readonly #registry: TaskRegistry;
  readonly #names = new Set<string>();
  /** By the module they come from: what is imported, and as what. */
  readonly #imports = new Map<string, Map<string, string>>();
  readonly #classes = new Map<string, string>();
  readonly #constants: string[] = [];
  readonly #functions: string[] = [];

  constructor(options: TypeScriptOptions) {
    this.#options = options;
    this.#registry = options.registry ?? globalTaskRegistry;
  }

  print(document: TaskGraphJson): string {
    this.#import('holdfast/graph', 'TaskGraph');
    const name = this.#fresh(this.#options.functionName ?? 'buildGraph');
    const first = this.#function(name, document, 'export function');
    const imports = [...this.#imports].map(([from, names]) => `import { ${[...names].map(([exported, local]) => (exported === local ? exported : `${exported} as ${local}`)).sort().join(', ')} } from ${text(from)};`);
    return `${[imports.join('\n'), this.#constants.join('\n'), first, ...this.#functions].filter((part) => part !== '').join('\n\n')}\n`;
  }

  #function(name: string, { tasks, dataflows = [], ...extras }: TaskGraphJson, keyword: string): string {
    const lines = ['const graph = new TaskGraph();'];
    if (Object.keys(extras).length > 0) lines.push(`graph.extras = ${literal(extras, '', 1)};`);
    for (const [index, task] of tasks.entries()) lines.push(`graph.addTask(${this.#task(task, `/tasks/${index}`)});`);
    for (const dataflow of dataflows) lines.push(this.#dataflow(dataflow));
    return `${keyword} ${name}(): TaskGraph {\n${[...lines, 'return graph;'].map((line) => `  ${line}`).join('\n')}\n}`;
  }

  #task({ id, type, config, defaults, merge, provenance, subgraph, ...extras }: TaskGraphItemJson, path: string): string {
    const given: Record<string, unknown> = { ...config, ...(merge !== undefined && { merge }), ...(provenance && { provenance }), id, ...(defaults && { defaults }) };
    const printed = literal({ id, ...given }, path, 1);
    const Class = this.#class(type);
    const made = Class === undefined ? `new ${this.#import('holdfast/graph', 'DefinitionTask')}(${text(type)}, ${printed})` : `new ${Class}(${printed})`;
    const set: string[] = [];
    if (Object.keys(extras).length > 0) set.push(`extras: ${literal(extras, path, 1)}`);
    if (subgraph) {
      const name = this.#fresh(`${identifier(id) || 'inner'}Graph`);
      this.#functions.push(this.#function(name, subgraph, 'function'));
      set.push(`subGraph: ${name}()`);
    }
    return set.length === 0 ? made : `Object.assign(${made}, { ${set.join(', ')} })`;
  }

  #dataflow({ sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId, transforms, ...extras }: DataflowJson): string {
    const ends = [sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId].map(text).join(', ');
    const made = `graph.connect(${ends})${transforms?.length ? `.setTransforms(${literal(transforms, '/transforms', 1)})` : ''}`;
    return Object.keys(extras).length === 0 ? `${made};` : `Object.assign(${made}, { extras: ${literal(extras, '/dataflows', 1)} });`;
  }

  /** What the class of a type is called in the code; undefined: there is none. */
  #class(type: string): string | undefined {
    const known = this.#classes.get(type);
    if (known !== undefined) return known;
    const name = this.#named(type);
    if (name !== undefined) this.#classes.set(type, name);
    return name;
  }

  #named(type: string): string | undefined {
    const own = this.#options.importOf?.(type);
    if (own) return this.#import(own.from, own.name);
    const ours = builtIn.get(type);
    const registered = this.#registry.getTask(type);
    if (ours && (registered === undefined || registered === ours.Class)) return this.#import('holdfast/graph', ours.name);
    if (!registered) return undefined;
    const name = this.#fresh(identifier(type, true) || 'Registered');
    this.#constants.push(`const ${name} = ${this.#import('holdfast/graph', 'globalTaskRegistry')}.getTask(${text(type)})!;`);
    return name;
  }

  #import(from: string, exported: string): string {
    const names = this.#imports.get(from) ?? new Map<string, string>();
    this.#imports.set(from, names);
    let local = names.get(exported);
    if (local === undefined) names.set(exported, (local = this.#fresh(exported)));
    return local;
  }

  /** A name that nothing in the code has yet. */
  #fresh(wanted: string): string {
    let name = wanted;
    for (let number = 2; this.#names.has(name) || reserved.has(name); number++) name = `${wanted}${number}`;
    this.#names.add(name);
    return name;
  }
}

const text = (value: string): string => JSON.stringify(value).replace(/^"((?:[^"'\\]|\\["\\])*)"$/, (_, inner: string) => `'${inner.replaceAll('\\"', '"')}'`);

/** Letters and digits of a text as a name; '' where it has none. */
function identifier(given: string, isClass = false): string {
  const words = given.match(/[\p{ID_Start}][\p{ID_Continue}]*/gu) ?? [];
  const joined = words.map((word, index) => (index > 0 || isClass ? word[0]!.toUpperCase() + word.slice(1) : word)).join('');
  return joined.slice(0, 60);
}

const widest = 120;

/** A JSON value as an expression. @throws TaskSerializationError */
function literal(value: unknown, path: string, depth: number): string {
  if (typeof value === 'string') return text(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) refuse(path, String(value));
    return Object.is(value, -0) ? '-0' : JSON.stringify(value);
  }
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value !== 'object') refuse(path, `a ${typeof value}`);
  if (depth > 200) refuse(path, 'nested deeper than 200');
  const isList = Array.isArray(value);
  if (!isList && Object.getPrototypeOf(value) !== Object.prototype && Object.getPrototypeOf(value) !== null) refuse(path, `a ${value.constructor?.name}`);
  const parts = isList ? value.map((each, index) => literal(each, `${path}/${index}`, depth + 1)) : Object.entries(value).flatMap(([key, each]) => (each === undefined ? [] : [`${keyOf(key)}: ${literal(each, `${path}/${key}`, depth + 1)}`]));
  const [open, close] = isList ? ['[', ']'] : ['{', '}'];
  if (parts.length === 0) return open + close;
  const line = isList ? `[${parts.join(', ')}]` : `{ ${parts.join(', ')} }`;
  if (line.length <= widest && !line.includes('\n')) return line;
  const indent = '  '.repeat(depth);
  return `${open}\n${parts.map((part) => `${indent}  ${part},`).join('\n')}\n${indent}${close}`;
}

/** `__proto__` as a plain name would not be a property. */
const keyOf = (key: string): string => (key === '__proto__' ? '["__proto__"]' : /^[A-Za-z_$][\w$]*$/.test(key) ? key : text(key));

function refuse(path: string, what: string): never {
  throw new TaskSerializationError(`toTypeScript: ${path || 'the document'} is ${what}, which no JSON is. Give what can be stored: graph.toJSON().`, { data: { path } });
}
