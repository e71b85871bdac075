/** The least a handler needs: steps that are kept in a Map. A second run over the same Map is a resumed one. */
import type { TaskContext } from 'holdfast';

export interface PlainContext extends TaskContext {
  /** Steps computed by this run, not answered from the Map. */
  computed: string[];
  emitted: [name: string, data: unknown][];
}

export function plainContext(kept = new Map<string, unknown>(), stopAfter = Number.POSITIVE_INFINITY): PlainContext {
  const computed: string[] = [];
  const emitted: [string, unknown][] = [];
  const step = async (name: string, run: () => unknown) => {
    if (kept.has(name)) return structuredClone(kept.get(name));
    if (computed.length >= stopAfter) throw new Error('killed');
    const value = await run();
    computed.push(name);
    kept.set(name, structuredClone(value));
    return value;
  };
  return {
    computed,
    emitted,
    emit: (name: string, data: unknown) => void emitted.push([name, data]),
    signal: new AbortController().signal,
    attempt: { number: 1, max: 3 },
    run: { id: 'run', name: 'run', createdAt: 0, recoveries: 0, depth: 0 },
    task: { id: 'task' },
    metadata: {},
    step: step as TaskContext['step'],
    progress() {},
    onAbandon() {},
  } as unknown as PlainContext;
}
