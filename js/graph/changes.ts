/**
 * Events of a graph's structure while they are suspended: kept in order, what cancels itself out left out.
 * Invariant: after the last `resume` who listens knows the structure as it is.
 */
import type { GraphChanges, TaskGraphStructureEvents } from './events.ts';

type Name = Exclude<keyof TaskGraphStructureEvents, 'graph_changed'>;
type What = 'added' | 'removed' | 'replaced';

interface Change {
  readonly name: Name;
  readonly id: string;
}

export class Changes {
  readonly #tell: (name: Name, id: string) => void;
  readonly #tellAll: (changes: GraphChanges) => void;
  #suspended = 0;
  /** By kind and id: the last of it. */
  #waiting = new Map<string, Change>();

  constructor(tell: (name: Name, id: string) => void, tellAll: (changes: GraphChanges) => void) {
    this.#tell = tell;
    this.#tellAll = tellAll;
  }

  suspend(): void {
    this.#suspended++;
  }

  /** Of more calls than there were suspensions the rest means nothing. */
  resume(): void {
    if (this.#suspended === 0 || --this.#suspended > 0) return;
    const changes = [...this.#waiting.values()];
    this.#waiting = new Map();
    for (const { name, id } of changes) this.#tell(name, id);
    if (changes.length > 0) this.#tellAll(summary(changes));
  }

  add(name: Name, id: string, isHeard: boolean): void {
    if (this.#suspended > 0) this.#wait(name, id);
    else if (isHeard) this.#tell(name, id);
  }

  #wait(name: Name, id: string): void {
    const [kind, what] = parts(name);
    const key = `${kind} ${id}`;
    const former = this.#waiting.get(key);
    const was = former && parts(former.name)[1];
    // Added and removed is nothing; what is replaced after it was added is only added; removed and added is replaced.
    if (was === 'added' && what === 'removed') return void this.#waiting.delete(key);
    if (was === 'added' && what === 'replaced') return;
    const isReplaced = was === 'removed' && what === 'added';
    this.#waiting.delete(key);
    this.#waiting.set(key, { name: isReplaced ? (`${kind}_replaced` as Name) : name, id });
  }
}

function parts(name: Name): [kind: 'task' | 'dataflow', what: What] {
  return name.split('_') as ['task' | 'dataflow', What];
}

function summary(changes: readonly Change[]): GraphChanges {
  const all = { added: { tasks: [], dataflows: [] }, removed: { tasks: [], dataflows: [] }, replaced: { tasks: [], dataflows: [] } } as Record<What, { tasks: string[]; dataflows: string[] }>;
  for (const { name, id } of changes) {
    const [kind, what] = parts(name);
    all[what][kind === 'task' ? 'tasks' : 'dataflows'].push(id);
  }
  return all as unknown as GraphChanges;
}
