/**
 * Children by their parent and the key they were asked for under. What a journal brought is looked
 * through once, when somebody asks first.
 * Invariant: of two children under one key (the first belongs to steps that were dropped) the younger counts.
 */
import type { Engine } from '../pump/engine.ts';
import * as P from '../protocol.ts';
import type { Run } from '../runs/run.ts';

export interface ChildIndexHost {
  readonly pump: { readonly open: boolean; readonly engine: Engine; allRuns(): readonly (Run | undefined)[]; run(task: number): Run | undefined };
  /** Reads what its envelope says. */
  identify(run: Run): string;
}

interface Children {
  readonly byKey: Map<string, Run>;
  /** Members that nobody has asked for by their keys yet: of a batch that is streamed most are forgotten before, and a key costs more than all else here. */
  readonly brief: Set<Run>;
}

export class ChildIndex {
  readonly #host: ChildIndexHost;
  readonly #byParent = new Map<Run, Children>();
  #looked = false;

  constructor(host: ChildIndexHost) {
    this.#host = host;
  }

  /** A journal was taken over. */
  lookAgain(): void {
    this.#looked = false;
  }

  add(parent: Run, key: string, child: Run): void {
    const children = this.#childrenOf(parent);
    if (child.extra.group !== 0) children.brief.add(child);
    else {
      takeBrief(children);
      children.byKey.set(key, child);
    }
  }

  #childrenOf(parent: Run): Children {
    let children = this.#byParent.get(parent);
    if (!children) this.#byParent.set(parent, (children = { byKey: new Map(), brief: new Set() }));
    return children;
  }

  find(parent: Run, key: string): Run | undefined {
    this.#look();
    const children = this.#byParent.get(parent);
    if (!children) return undefined;
    takeBrief(children);
    return children.byKey.get(key);
  }

  /** In the order in which they were made. */
  of(parent: Run): Run[] {
    this.#look();
    const children = this.#byParent.get(parent);
    if (!children) return [];
    if (children.byKey.size === 0) return [...children.brief];
    takeBrief(children);
    return [...children.byKey.values()];
  }

  /** The run is gone. */
  forget(run: Run): void {
    this.#byParent.delete(run);
    const { parent, childKey } = run.extra;
    const siblings = parent && this.#byParent.get(parent);
    if (!siblings || siblings.brief.delete(run)) return;
    if (childKey !== undefined && siblings.byKey.get(childKey) === run) siblings.byKey.delete(childKey);
  }

  #look(): void {
    const { pump } = this.#host;
    if (this.#looked || !pump.open) return;
    this.#looked = true;
    for (const run of pump.allRuns()) {
      if (!run || run.extra.parent) continue;
      const number = pump.engine.value(run.task, P.FieldParent);
      const parent = number > 0 ? pump.run(number) : undefined;
      if (!parent) continue;
      this.#host.identify(run);
      const { childKey } = run.extra;
      if (childKey === undefined) continue;
      run.ownExtra.parent = parent;
      this.add(parent, childKey, run);
    }
  }
}

function takeBrief({ byKey, brief }: Children): void {
  if (brief.size === 0) return;
  for (const child of brief) byKey.set(child.extra.childKey!, child);
  brief.clear();
}
