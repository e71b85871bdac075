/** What the Pipelines page does: drawing, opening, saving, starting. The components show it. */
import { useReactFlow } from '@xyflow/react';
import { globalTaskRegistry } from 'holdfast/graph';
import { useCallback, useEffect, useReducer, useRef, useState } from 'react';
import { orchestrator } from '../orchestrator.ts';
import { useLanguage } from '../shell/choices.ts';
import { baseName, shownName } from '../tasks/names.ts';
import { Catalog } from './catalog.ts';
import { type Opened, openDrawing } from './check.ts';
import { storedDraft, storeDraft } from './drafts.ts';
import { edited, startedWith } from './editor.ts';
import { examples } from './examples.ts';
import { freshId, type GraphDocument, nameOf, type Position } from './graph-document.ts';
import { labelOf, titleOf } from './node-words.ts';
import { boundsOf, freePlace, kUsualSize, placeBehind, placed, type Size, tidied } from './places.ts';
import { lackOf } from './ready.ts';
import { shownTitle } from './task-node.tsx';
import { withFiles } from './run-files.ts';
import { kGraphTask } from './use-runs.ts';
import { usePipelineWords } from './words.ts';

/** In the order of the palette. */
const kOffered = [
  'demo/pdf-file', 'demo/json-file', 'demo/text-file', 'demo/to-json-file', 'demo/zip',
  'pdf-text', 'pdf', 'demo/json-rows', 'json', 'demo/totals', 'demo/count-words', 'demo/sentence',
  'ConditionalTask', 'MapTask', 'HumanApprovalTask', 'InputTask', 'OutputTask',
  'TemplateTask', 'JsonPathTask', 'RegexTask', 'DateFormatTask', 'DelayTask', 'MergeTask', 'SplitTask', 'DebugLogTask',
];
export const catalog = new Catalog(globalTaskRegistry, kOffered);

/** What was drawn last; on the first visit an example. */
export const firstDocument: Promise<GraphDocument> = storedDraft().then(async (stored) => {
  const opened = stored === undefined ? undefined : await openDrawing(stored as object, catalog);
  return placed(opened && 'document' in opened ? opened.document : examples[0]!.document(document.documentElement.lang === 'fr' ? 'fr' : 'en'));
});

const kShownKey = 'holdfast-demo:run';
/** Of this tab: a reload, or a crash, shows the same run again. */
function shownBefore(): string | undefined {
  return sessionStorage.getItem(kShownKey) ?? undefined;
}

/** Kept half a second after the last change, and at once when the page goes. */
export function useAutosave(document: GraphDocument, first: GraphDocument): boolean {
  const [isKept, setKept] = useState(true);
  const latest = useRef(document);
  latest.current = document;
  useEffect(() => {
    if (document === first) return;
    const store = () => void storeDraft(latest.current).then(setKept);
    const timer = setTimeout(store, 300);
    addEventListener('pagehide', store);
    return () => {
      clearTimeout(timer);
      removeEventListener('pagehide', store);
    };
  }, [document, first]);
  return isKept;
}

export function useShown() {
  const [id, setId] = useState<string | undefined>(shownBefore);
  const show = useCallback((next: string | undefined) => {
    setId(next);
    if (next === undefined) sessionStorage.removeItem(kShownKey);
    else sessionStorage.setItem(kShownKey, next);
  }, []);
  // What was running in a tab that is gone is what people come back for.
  useEffect(() => {
    void orchestrator.ready.then(() => {
      const left = orchestrator.getAllTasks().find(({ taskIdentifier, parentId, endedAt, createdAt }) => taskIdentifier === kGraphTask && parentId === undefined && endedAt === undefined && createdAt < performance.timeOrigin);
      if (left) setId((shown) => shown ?? left.id);
    });
  }, []);
  return [id, show] as const;
}

const sizeIn = (flow: ReturnType<typeof useReactFlow>, id: string): Size | undefined => {
  const { width, height } = flow.getInternalNode(id)?.measured ?? {};
  return width && height ? { width, height } : undefined;
};

const kReadable = 0.55;
const kEdge = 24;

/** Shows a drawing: all of it, or its beginning where all of it would be too small to read. */
export function useFitting(): (document: GraphDocument) => void {
  const flow = useReactFlow();
  return useCallback((document: GraphDocument) => {
    // Two frames: then its nodes have their sizes.
    requestAnimationFrame(() => requestAnimationFrame(() => {
      const box = window.document.querySelector('.pl-canvas')?.getBoundingClientRect();
      if (!box || document.tasks.length === 0) return;
      const { left, top, right, bottom } = boundsOf(document, (id) => sizeIn(flow, id));
      const whole = Math.min((box.width - 2 * kEdge) / (right - left), (box.height - 2 * kEdge) / (bottom - top), 1);
      const zoom = Math.max(whole, kReadable);
      const start = (room: number, from: number, to: number) => Math.max(kEdge, (room - (to - from) * zoom) / 2) - from * zoom;
      void flow.setViewport({ x: start(box.width, left, right), y: start(box.height, top, bottom), zoom });
    }));
  }, [flow]);
}

export function download(document: GraphDocument, name: string): void {
  const url = URL.createObjectURL(new Blob([`${JSON.stringify(document, null, 2)}\n`], { type: 'application/json' }));
  Object.assign(window.document.createElement('a'), { href: url, download: `${baseName(name)}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** What a kind can't do without, so that a new node works at once. */
function startConfig(type: string): Record<string, unknown> | undefined {
  if (type === 'ConditionalTask') return { branches: [{ id: 'yes', field: 'value', operator: 'is_true' }, { id: 'no', field: 'value', operator: 'is_false' }] };
  if (type === 'MapTask') return { maxIterations: 1000 };
  return undefined;
}

/** A drawing that is dropped anywhere. */
export function usePageDrop(onFile: (file: File) => void): void {
  const latest = useRef(onFile);
  latest.current = onFile;
  useEffect(() => {
    const stop = new AbortController();
    const isFile = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    addEventListener('dragover', (event) => { if (isFile(event)) event.preventDefault(); }, { signal: stop.signal });
    addEventListener('drop', (event) => {
      if (!isFile(event)) return;
      event.preventDefault();
      const [file] = event.dataTransfer!.files;
      if (file) latest.current(file);
    }, { signal: stop.signal });
    return () => stop.abort();
  }, []);
}

export interface Editing extends ReturnType<typeof useEditing> {}

/** The drawing and all that changes it. */
export function useEditing(first: GraphDocument, announce: (text: string) => void, fit: (document: GraphDocument) => void) {
  const say = usePipelineWords();
  const language = useLanguage();
  const flow = useReactFlow();
  const [editor, dispatch] = useReducer(edited, first, startedWith);
  const [refused, setRefused] = useState<{ name: string } & Extract<Opened, { issues: unknown }>>();
  const [opened, setOpened] = useState(0);
  const open = async (given: GraphDocument, name: string) => {
    const document = await placed(given);
    dispatch({ type: 'open', document });
    setOpened((count) => count + 1);
    setRefused(undefined);
    announce(say.announced.opened(name));
    fit(document);
  };
  const openFile = async (file: File) => {
    const opened = await openDrawing(await file.text().catch(() => ''), catalog);
    if ('document' in opened) await open(opened.document, shownName(file.name, 40));
    else setRefused({ name: shownName(file.name, 40), ...opened });
  };
  const add = (type: string, at?: Position) => {
    const { document, selection } = editor;
    const id = freshId(document, type);
    const config = startConfig(type);
    const sizeOf = (each: string) => sizeIn(flow, each);
    const [before] = selection.tasks;
    const place = at ? freePlace(document, at, sizeOf) : before !== undefined ? placeBehind(document, before, sizeOf) : freePlace(document, middleOf(flow), sizeOf);
    dispatch({ type: 'add', task: { id, type, ...(config && { config }) }, at: place });
    if (!at) reveal(flow, place, kUsualSize);
    announce(say.announced.added(titleOf(catalog.kindOf(type), type, language)));
  };
  const step = (type: 'undo' | 'redo') => {
    dispatch({ type });
    announce(type === 'undo' ? say.announced.undone : say.announced.redone);
  };
  const tidy = async () => {
    const positions = await tidied(editor.document, (id) => sizeIn(flow, id));
    dispatch({ type: 'move', positions, done: true });
    announce(say.announced.tidied);
    fit({ ...editor.document, layout: positions });
  };
  return { editor, dispatch, opened, refused, forgetRefused: () => setRefused(undefined), open, openFile, add, step, tidy };
}

/** As wide as the inspector, which lies over the drawing's edge where there is room for it. */
const kCovered = 336;

/** Moves the drawing until this can be seen, if it can't. */
export function reveal(flow: ReturnType<typeof useReactFlow>, { x, y }: Position, { width, height }: Size): void {
  const box = window.document.querySelector('.pl-canvas')?.getBoundingClientRect();
  if (!box) return;
  const { x: left, y: top, zoom } = flow.getViewport();
  const room = { width: box.width - (window.innerWidth > 1080 ? kCovered : 0), height: box.height };
  const shift = (from: number, to: number, most: number) => (from < kEdge ? kEdge - from : to > most - kEdge ? Math.max(most - kEdge - to, kEdge - from) : 0);
  const [dx, dy] = [shift(x * zoom + left, (x + width) * zoom + left, room.width), shift(y * zoom + top, (y + height) * zoom + top, room.height)];
  if (dx !== 0 || dy !== 0) void flow.setViewport({ x: left + dx, y: top + dy, zoom }, { duration: matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : 160 });
}

function middleOf(flow: ReturnType<typeof useReactFlow>): Position {
  const box = window.document.querySelector('.pl-canvas')!.getBoundingClientRect();
  const { x, y } = flow.screenToFlowPosition({ x: box.left + box.width / 2, y: box.top + box.height / 2 });
  return { x: x - 100, y: y - 50 };
}

/** Files are of runs, not of the drawing: they are given when one is started. */
export function useFiles() {
  const [files, setFiles] = useState<ReadonlyMap<string, File>>(new Map());
  const setFile = useCallback((id: string, file: File | undefined) => setFiles((before) => {
    const next = new Map(before);
    if (file) next.set(id, file);
    else next.delete(id);
    return next;
  }), []);
  return { files, setFiles, setFile };
}

/** Starts a run of what is drawn, or says what it lacks. */
export function useStarting({ editor, dispatch }: Pick<Editing, 'editor' | 'dispatch'>, files: ReadonlyMap<string, File>, tell: (text: string) => void, onStarted: (id: string) => void) {
  const say = usePipelineWords();
  const language = useLanguage();
  const [isStarting, setStarting] = useState(false);
  const start = async () => {
    const { document } = editor;
    const lack = lackOf(document, catalog);
    if (lack) {
      if (lack.code !== 'nothing') dispatch({ type: 'select', selection: { tasks: [lack.item.id], edges: [] } });
      const title = lack.code === 'nothing' ? '' : shownTitle(lack.item, catalog, language);
      return tell(say.notStarted(lack.code === 'nothing' ? say.nothingToRun : lack.code === 'port' ? say.needs(title, labelOf(lack.port, catalog.portsOf(lack.item).inputs.find(({ name }) => name === lack.port)?.schema ?? true, language)) : lack.code === 'inside' ? say.needsInside(title) : say.fails(title, lack.why)));
    }
    setStarting(true);
    try {
      // What does not depend on a node that failed goes on.
      const { id } = await orchestrator.graphs.run(withFiles(document, files), {}, { name: nameOf(document) || say.unnamed, failurePolicy: 'continue-independent' });
      onStarted(id);
    } catch (error) {
      tell(say.notStarted(error instanceof Error ? error.message : String(error)));
    }
    setStarting(false);
  };
  return { start, isStarting };
}
