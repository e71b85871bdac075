/**
 * Runs of graphs, as the page shows them: which there are, and one of them live, node by node.
 *
 * Invariant: nothing is kept here that the runs do not know themselves, so after a reload the same is shown.
 */
import type { GraphRun, TaskGraph, TaskGraphJson } from 'holdfast/graph';
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { orchestrator } from '../orchestrator.ts';
import { edgeId, type GraphDocument, type Position } from './graph-document.ts';
import { placed } from './places.ts';
import type { NodeView } from './task-node.tsx';

export type RunHandle = GraphRun & { graph(): Promise<TaskGraph> };

export interface RunSummary {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly createdAt: number;
  readonly endedAt: number | undefined;
  readonly progress: number;
}

export const kGraphTask = 'holdfast/graph';

/** At most one notice for each frame that is drawn, however many events there are. */
function eachFrame(listener: () => void): { tell(): void; stop(): void } {
  let frame = 0;
  const tell = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      listener();
    });
  };
  return { tell, stop: () => cancelAnimationFrame(frame) };
}

function subscribe(listener: () => void): () => void {
  const { tell, stop } = eachFrame(listener);
  const leave = orchestrator.subscribe(tell);
  return () => {
    leave();
    stop();
  };
}

let known: { key: string; runs: readonly RunSummary[] } = { key: '', runs: [] };

function summaries(): readonly RunSummary[] {
  const states = orchestrator.getAllTasks().filter(({ taskIdentifier, parentId }) => taskIdentifier === kGraphTask && parentId === undefined);
  const runs = states.map(({ id, name, status, createdAt, endedAt, progress }): RunSummary => ({ id, name, status, createdAt, endedAt, progress: Math.round(progress) }));
  const key = JSON.stringify(runs);
  if (key !== known.key) known = { key, runs };
  return known.runs;
}

/** Newest first. */
export const useGraphRuns = (): readonly RunSummary[] => useSyncExternalStore(subscribe, summaries);

/** What a run looks like now. */
export interface ShownRun {
  readonly handle: RunHandle;
  readonly graph: TaskGraph;
  readonly document: GraphDocument;
  readonly status: string;
  readonly views: ReadonlyMap<string, NodeView>;
  readonly edges: ReadonlyMap<string, string>;
  readonly errors: ReadonlyMap<string, Error>;
  readonly done: number;
  /** It began in a page that is gone: how many nodes had ended by then. */
  readonly kept: number | undefined;
}

/** It goes on, or is to. */
export const isOpen = ({ status }: ShownRun): boolean => status === 'pending' || status === 'running' || status === 'paused';

export type ShownState = { run: ShownRun } | { failed: string } | undefined;

/** Follows one run. undefined: it is being read. */
export function useShownRun(id: string | undefined): ShownState {
  const [state, setState] = useState<{ of: string; shown: ShownState }>();
  const show = useCallback((of: string, shown: ShownState) => setState({ of, shown }), []);
  useEffect(() => {
    if (id === undefined) return;
    const follower = new Follower(id, (shown) => show(id, shown));
    return () => follower.stop();
  }, [id, show]);
  return id !== undefined && state?.of === id ? state.shown : undefined;
}

class Follower {
  readonly #show: (shown: ShownState) => void;
  #isOver = false;
  #leave: (() => void) | undefined;
  #views: ReadonlyMap<string, NodeView> = new Map();
  #edges: ReadonlyMap<string, string> = new Map();
  #kept: number | undefined;
  #document: { key: string; of: GraphDocument } | undefined;
  #reading = '';

  constructor(id: string, show: (shown: ShownState) => void) {
    this.#show = show;
    this.#follow(id).catch((error) => {
      if (!this.#isOver) show({ failed: error instanceof Error ? error.message : String(error) });
    });
  }

  stop(): void {
    this.#isOver = true;
    this.#leave?.();
  }

  async #follow(id: string): Promise<void> {
    const handle = (await orchestrator.graphs.get(id)) as RunHandle | undefined;
    if (!handle) throw new Error(id);
    const graph = await handle.graph();
    if (this.#isOver) return;
    this.#document = { key: keyOf(graph), of: await documentOf(graph) };
    if (this.#isOver) return;
    const state = orchestrator.getTaskState(id);
    const isOld = state !== undefined && state.createdAt < performance.timeOrigin;
    // What had ended when this page came: only of a run that goes on here.
    if (isOld && state.endedAt === undefined) this.#kept = [...handle.nodes.values()].filter(({ status }) => status === 'COMPLETED').length;
    const { tell, stop } = eachFrame(() => this.#tell(handle, graph));
    const leave = handle.subscribe(tell);
    this.#leave = () => {
      leave();
      stop();
    };
    this.#tell(handle, graph);
  }

  #tell(handle: RunHandle, graph: TaskGraph): void {
    if (keyOf(graph) !== this.#document!.key) this.#readAnew(handle, graph);
    const document = this.#document!.of;
    const { nodes } = handle;
    const errors = new Map<string, Error>();
    const views = new Map<string, NodeView>();
    for (const [id, { status, progress, fromCache = false, error }] of nodes) {
      views.set(id, { status, progress: Math.round(progress), fromCache });
      if (error) errors.set(id, error);
    }
    this.#views = sameOrNew(this.#views, views);
    this.#edges = sameOrNew(this.#edges, new Map(graph.getDataflows().map((flow) => [flow.id, flow.status])));
    const done = [...views.values()].filter(({ status }) => status === 'COMPLETED' || status === 'DISABLED').length;
    this.#show({ run: { handle, graph, document, status: handle.status, views: this.#views, edges: this.#edges, errors, done, kept: this.#kept } });
  }

  /** Its graph was changed: it is shown as it was until the places are there. */
  #readAnew(handle: RunHandle, graph: TaskGraph): void {
    const key = keyOf(graph);
    if (this.#reading === key) return;
    this.#reading = key;
    documentOf(graph).then((of) => {
      if (this.#isOver || this.#reading !== key) return;
      this.#document = { key, of };
      this.#tell(handle, graph);
    }, (error) => console.error(error));
  }
}

/** What changes with what is drawn. */
function keyOf(graph: TaskGraph): string {
  return [graph.version, ...graph.getTasks().filter(({ isDisabled }) => isDisabled).map(({ id }) => id)].join(' ');
}

/** Entries that say the same are the same objects, so only nodes that changed are drawn. */
function sameOrNew<Value>(before: ReadonlyMap<string, Value>, next: Map<string, Value>): ReadonlyMap<string, Value> {
  let isSame = before.size === next.size;
  for (const [id, value] of next) {
    const former = before.get(id);
    if (former !== undefined && JSON.stringify(former) === JSON.stringify(value)) next.set(id, former);
    else isSame = false;
  }
  return isSame ? before : next;
}

async function documentOf(graph: TaskGraph): Promise<GraphDocument> {
  const json: TaskGraphJson = graph.toJSON();
  return placed({ ...json, version: json.version ?? 1, layout: (json.layout ?? {}) as Record<string, Position> });
}

/** What a node gave in this run, read again when it has moved on. undefined: it is being read, or there is nothing. */
export function useRunValue<Value>(read: (() => Promise<Value>) | undefined, key: string): Value | undefined {
  const [found, setFound] = useState<{ key: string; value: Value }>();
  const reader = useMemo(() => read, [key]); // biome-ignore lint/correctness/useExhaustiveDependencies: the key says what is read
  useEffect(() => {
    let isOver = false;
    reader?.().then((value) => { if (!isOver) setFound({ key, value }); }, () => {});
    return () => { isOver = true; };
  }, [reader, key]);
  return found?.key === key ? found.value : undefined;
}

export const statusOfEdge = (edges: ReadonlyMap<string, string>, flow: Parameters<typeof edgeId>[0]): string | undefined => edges.get(edgeId(flow));
