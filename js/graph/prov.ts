/**
 * A lineage as PROV-JSON (W3C member submission of 2013): executions are activities, what they got and gave entities,
 * classes of tasks software agents. Other tools read it, draw it and keep it.
 *
 * Invariant: each name that is used is declared, each is a qualified name of a prefix that is declared, and the same
 * lineage gives the same document.
 */
import type { Provenance, ProvenanceItem } from './provenance.ts';

/** What can stand for a value: text, or a value with its XSD type. */
export type ProvValue = string | number | boolean | { readonly $: string; readonly type: string };
export type ProvRecord = Readonly<Record<string, ProvValue>>;
export interface ProvDocument {
  readonly prefix: Readonly<Record<string, string>>;
  readonly entity: Readonly<Record<string, ProvRecord>>;
  readonly activity: Readonly<Record<string, ProvRecord>>;
  readonly agent: Readonly<Record<string, ProvRecord>>;
  readonly wasGeneratedBy: Readonly<Record<string, ProvRecord>>;
  readonly used: Readonly<Record<string, ProvRecord>>;
  readonly wasDerivedFrom: Readonly<Record<string, ProvRecord>>;
  readonly wasAssociatedWith: Readonly<Record<string, ProvRecord>>;
  readonly wasAttributedTo: Readonly<Record<string, ProvRecord>>;
}

export interface ProvOptions {
  /** Of names that are made here. Default 'holdfast'. */
  readonly prefix?: string;
  /** What the prefix stands for. Default 'urn:holdfast:'. */
  readonly namespace?: string;
}

/** PROV-JSON of what `getProvenance` gave: `JSON.stringify` it as `application/json`. @throws TypeError of a prefix that is none */
export function toProvJson({ tags, items }: Provenance, { prefix = 'holdfast', namespace = 'urn:holdfast:' }: ProvOptions = {}): ProvDocument {
  if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(prefix) || prefix === 'prov' || prefix === 'xsd') throw new TypeError(`toProvJson: prefix must be letters, digits, - and _, beginning with a letter, and not prov or xsd; it is ${JSON.stringify(prefix)}.`);
  return new Writing(prefix, namespace).write(items, tags);
}

type Records = Record<string, Record<string, ProvValue>>;

class Writing {
  readonly #prefix: string;
  readonly #namespace: string;
  readonly #records = { entity: {} as Records, activity: {} as Records, agent: {} as Records, wasGeneratedBy: {} as Records, used: {} as Records, wasDerivedFrom: {} as Records, wasAssociatedWith: {} as Records, wasAttributedTo: {} as Records };
  #count = 0;

  constructor(prefix: string, namespace: string) {
    this.#prefix = prefix;
    this.#namespace = namespace;
  }

  write(items: readonly ProvenanceItem[], tags: Provenance['tags']): ProvDocument {
    for (const item of items) this.#item(item);
    const last = items.at(-1);
    // Tags are merged along the edges: they are of what came out at the end.
    if (last) Object.assign(this.#records.entity[this.#name('output', last.runId)]!, Object.fromEntries(Object.entries(tags).map(([name, value]) => [this.#name('tag', name), valueOf(value)])));
    return { prefix: { [this.#prefix]: this.#namespace, xsd: 'http://www.w3.org/2001/XMLSchema#' }, ...this.#records };
  }

  #item(item: ProvenanceItem): void {
    const { runId, taskId, type, version, startedAt, durationMs, fromCache, configHash, inputHash, outputHash, graphRunId } = item;
    const [activity, output, plan] = [this.#name('run', runId), this.#name('output', runId), this.#name('config', `${type}-${configHash || taskId}`)];
    const agent = this.#name('task', version === undefined ? type : `${type}@${version}`);
    const own = (name: string) => this.#name(name);
    this.#records.activity[activity] = {
      'prov:startTime': new Date(startedAt).toISOString(), 'prov:endTime': new Date(startedAt + durationMs).toISOString(), 'prov:label': taskId, 'prov:type': this.#type('TaskRun'),
      [own('taskId')]: taskId, [own('graphRun')]: graphRunId, [own('fromCache')]: fromCache, ...(inputHash !== undefined && { [own('inputHash')]: inputHash }),
    };
    this.#records.agent[agent] ??= { 'prov:type': { $: 'prov:SoftwareAgent', type: 'prov:QUALIFIED_NAME' }, 'prov:label': type, ...(version !== undefined && { [own('version')]: String(version) }) };
    this.#records.entity[plan] ??= { 'prov:type': { $: 'prov:Plan', type: 'prov:QUALIFIED_NAME' }, 'prov:label': `config of ${type}` };
    this.#records.entity[output] = { 'prov:type': this.#type('Output'), 'prov:label': `what ${taskId} gave`, ...(outputHash !== undefined && { [own('hash')]: outputHash }) };
    this.#relate('wasGeneratedBy', { 'prov:entity': output, 'prov:activity': activity, 'prov:time': new Date(startedAt + durationMs).toISOString() });
    this.#relate('wasAssociatedWith', { 'prov:activity': activity, 'prov:agent': agent, 'prov:plan': plan });
    this.#relate('wasAttributedTo', { 'prov:entity': output, 'prov:agent': agent });
    this.#uses(item, activity, output);
  }

  #uses({ sources, graphRunId }: ProvenanceItem, activity: string, output: string): void {
    if (sources.length === 0) {
      const input = this.#name('input', graphRunId);
      this.#records.entity[input] ??= { 'prov:type': this.#type('GraphInput'), 'prov:label': "the graph's input" };
      this.#relate('used', { 'prov:activity': activity, 'prov:entity': input });
      this.#relate('wasDerivedFrom', { 'prov:generatedEntity': output, 'prov:usedEntity': input, 'prov:activity': activity });
    }
    for (const { runId, sourcePort, targetPort } of sources) this.#relate('used', { 'prov:activity': activity, 'prov:entity': this.#name('output', runId), 'prov:role': targetPort, [this.#name('port')]: sourcePort });
    for (const runId of new Set(sources.map((source) => source.runId))) this.#relate('wasDerivedFrom', { 'prov:generatedEntity': output, 'prov:usedEntity': this.#name('output', runId), 'prov:activity': activity });
  }

  #relate(kind: 'wasGeneratedBy' | 'used' | 'wasDerivedFrom' | 'wasAssociatedWith' | 'wasAttributedTo', record: Record<string, ProvValue>): void {
    this.#records[kind][`_:${kind}${++this.#count}`] = record;
  }

  #type(name: string): ProvValue {
    return { $: this.#name(name), type: 'prov:QUALIFIED_NAME' };
  }

  /** A qualified name: what no local name may have is written as in addresses. */
  #name(kind: string, id?: string): string {
    const escaped = id?.replace(/[^A-Za-z0-9_-]/gu, (character) => [...new TextEncoder().encode(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''));
    return `${this.#prefix}:${escaped === undefined ? kind : `${kind}-${escaped}`}`;
  }
}

function valueOf(value: unknown): ProvValue {
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return Number.isInteger(value) ? { $: String(value), type: 'xsd:integer' } : { $: String(value), type: 'xsd:double' };
  return { $: JSON.stringify(value) ?? String(value), type: 'xsd:string' };
}
