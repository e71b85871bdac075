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

export class ChildIndex {
  readonly #host: ChildIndexHost;
  readonly #byParent = new Map<Run, Map<string, Run>>();
  #looked = false;

  constructor(host: ChildIndexHost) {
    this.#host = host;
  }

  /** A journal was taken over. */
  lookAgain(): void {
    this.#looked = false;
  }

  add(parent: Run, key: string, child: Run): void {
    let children = this.#byParent.get(parent);
    if (!children) this.#byParent.set(parent, (children = new Map()));
    children.set(key, child);
  }

  find(parent: Run, key: string): Run | undefined {
    this.#look();
    return this.#byParent.get(parent)?.get(key);
  }

  of(parent: Run): Run[] {
    this.#look();
    return [...(this.#byParent.get(parent)?.values() ?? [])];
  }

  /** The run is gone. */
  forget(run: Run): void {
    this.#byParent.delete(run);
    const { parent, childKey } = run.extra;
    const siblings = parent && this.#byParent.get(parent);
    if (siblings && childKey !== undefined && siblings.get(childKey) === run) siblings.delete(childKey);
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
