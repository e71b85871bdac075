/** The Pipelines page: the drawing with all that stands around it. Loaded when somebody opens it. */
import '@xyflow/react/dist/base.css';
import './pipelines.css';
import { ReactFlowProvider, useReactFlow } from '@xyflow/react';
import { type KeyboardEvent, use, useCallback, useEffect, useRef, useState } from 'react';
import { useLanguage } from '../shell/choices.ts';
import { Notices, useNotices } from '../shell/notices.tsx';
import { registerNodes } from '../tasks/graph-nodes.ts';
import { Canvas } from './canvas.tsx';
import type { Issue } from './check.ts';
import { ConnectMenu } from './connect-menu.tsx';
import type { Action, Selection } from './editor.ts';
import { type GraphDocument, nameOf } from './graph-document.ts';
import { Inspector } from './inspector.tsx';
import { Palette } from './palette.tsx';
import { RunBar, RunList } from './runs.tsx';
import { Toolbar } from './toolbar.tsx';
import { catalog, download, firstDocument, useAutosave, useEditing, useFiles, useFitting, usePageDrop, useShown, useStarting } from './use-editing.ts';
import { withoutFiles } from './run-files.ts';
import { begunOf, changeRun, isLiveAction } from './live.ts';
import { isOpen, type ShownRun, useGraphRuns, useShownRun } from './use-runs.ts';
import { issueSaid, usePipelineWords } from './words.ts';

registerNodes();

const kNoViews = new Map<string, never>();
const kNothing: Selection = { tasks: [], edges: [] };

export default function PipelinesEditor() {
  return <ReactFlowProvider><EditorWith first={use(firstDocument)} /></ReactFlowProvider>;
}

function EditorWith({ first }: { first: GraphDocument }) {
  const [announced, announce] = useState('');
  const { notices, tell, dismiss } = useNotices();
  const fit = useFitting();
  const editing = useEditing(first, announce, fit);
  const { editor, dispatch } = editing;
  const { files, setFiles, setFile } = useFiles();
  const runs = useGraphRuns();
  const { shownId, show, run } = useRun();
  const started = (id: string) => {
    for (const notice of notices) dismiss(notice.id);
    show(id);
  };
  const { start, isStarting } = useStarting(editing, files, tell, started);
  const isKept = useAutosave(editor.document, first);
  const shownDocument = run?.document ?? first;
  useEffect(() => fit(shownDocument), [shownDocument, fit]);
  const leave = (document: GraphDocument) => {
    show(undefined);
    fit(document);
  };
  const takeOver = (from: ShownRun) => {
    const taken = withoutFiles(from.document);
    setFiles(taken.files);
    dispatch({ type: 'open', document: taken.document });
    leave(taken.document);
  };
  const onFile = (file: File) => {
    show(undefined);
    void editing.openFile(file);
  };
  usePageDrop(onFile);
  const onKeyDown = (event: KeyboardEvent) => {
    const isTyping = (event.target as HTMLElement).closest('input, textarea, select');
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || isTyping || run || (key !== 'z' && key !== 'y')) return;
    event.preventDefault();
    editing.step(key === 'y' || event.shiftKey ? 'redo' : 'undo');
  };
  return (
    <div className="pl" onKeyDown={onKeyDown}>
      {run
        ? <RunBar run={run} summary={runs.find(({ id }) => id === run.handle.id)} onBack={() => leave(editor.document)} onTakeOver={() => takeOver(run)} />
        : <DrawingBar editing={editing} onFile={onFile} onRun={start} isStarting={isStarting} />}
      <Notices notices={notices} onDismiss={dismiss} />
      {editing.refused ? <Refused {...editing.refused} onClose={editing.forgetRefused} /> : null}
      <Workbench key={run ? run.handle.id : `drawing ${editing.opened}`} editing={editing} run={run} isKept={isKept} files={files} onFile={setFile} announce={announce} tell={tell} />
      <RunList runs={runs} shown={shownId} onShow={show} />
      <p className="pl-unseen" aria-live="polite">{announced}</p>
    </div>
  );
}

type Editing = ReturnType<typeof useEditing>;

/** The run that is shown in place of the drawing. */
function useRun(): { shownId: string | undefined; show(id: string | undefined): void; run: ShownRun | undefined } {
  const [shownId, show] = useShown();
  const shown = useShownRun(shownId);
  // A run that is gone (its data was deleted) is not waited for.
  useEffect(() => {
    if (shown && 'failed' in shown) show(undefined);
  }, [shown, show]);
  return { shownId, show, run: shown && 'run' in shown ? shown.run : undefined };
}

function DrawingBar({ editing, onFile, onRun, isStarting }: { editing: Editing; onFile(file: File): void; onRun(): void; isStarting: boolean }) {
  const say = usePipelineWords();
  const { editor, dispatch, open, step, tidy } = editing;
  const save = () => download(editor.document, nameOf(editor.document) || say.saveName);
  return <Toolbar editor={editor} dispatch={dispatch} onOpen={open} onFile={onFile} onSave={save} onTidy={tidy} onUndo={() => step('undo')} onRedo={() => step('redo')} onRun={onRun} isStarting={isStarting} />;
}

interface WorkbenchProps {
  editing: Editing;
  run: ShownRun | undefined;
  isKept: boolean;
  files: ReadonlyMap<string, File>;
  onFile(id: string, file: File | undefined): void;
  announce(text: string): void;
  tell(text: string): void;
}

/** Palette, drawing and inspector: of what is drawn, or of a run. */
function Workbench({ editing, run, isKept, files, onFile, announce, tell }: WorkbenchProps) {
  const say = usePipelineWords();
  const flow = useReactFlow();
  const { editor, dispatch, add } = editing;
  const [connecting, setConnecting] = useState<string>();
  const [runSelection, setRunSelection] = useState(kNothing);
  const inspector = useRef<HTMLElement>(null);
  const isEditable = !run;
  // Of a run that goes on what has not begun is changed, and else what is looked at.
  const graph = run?.graph;
  const act = useCallback((action: Action) => {
    if (!graph) dispatch(action);
    else if (action.type === 'select') setRunSelection(action.selection);
    else if (isLiveAction(action)) changeRun(graph, action).catch((error) => {
      const begun = begunOf(error);
      tell(say.runRefuses(begun ? say.begun(begun.taskId, say.status[begun.status] ?? begun.status) : error instanceof Error ? error.message : String(error)));
    });
  }, [graph, dispatch, tell, say]);
  // It is there as soon as something is selected, which may have been this moment.
  const inspect = () => requestAnimationFrame(() => {
    inspector.current?.focus();
    inspector.current?.scrollIntoView({ block: 'nearest' });
  });
  const shared = { document: run?.document ?? editor.document, catalog, selection: run ? runSelection : editor.selection, dispatch: act, onConnectMenu: setConnecting };
  return (
    <div className="pl-main" data-mode={run ? 'run' : 'draw'}>
      {run ? null : <Palette catalog={catalog} isEditable onAdd={add} />}
      <div className="pl-middle">
        <Canvas {...shared} isEditable={isEditable} isLive={run !== undefined && isOpen(run)} views={run?.views ?? kNoViews} edgeStatuses={run?.edges ?? kNoViews} announce={announce} onAdd={add} onInspect={inspect} />
        <CanvasFoot isKept={isKept} onFit={() => void flow.fitView({ padding: 0.08, maxZoom: 1 })} onZoom={(by) => void (by > 0 ? flow.zoomIn() : flow.zoomOut())} />
      </div>
      <Inspector {...shared} ref={inspector} run={run} files={files} onFile={onFile} />
      {connecting === undefined || run ? null : (
        <ConnectMenu
          document={editor.document} catalog={catalog} taskId={connecting} onClose={() => setConnecting(undefined)}
          onConnect={(edge) => {
            dispatch({ type: 'connect', edge });
            announce(say.connected(edge.sourceTaskId, edge.targetTaskId));
            setConnecting(undefined);
          }}
        />
      )}
    </div>
  );
}

function CanvasFoot({ isKept, onFit, onZoom }: { isKept: boolean; onFit(): void; onZoom(by: number): void }) {
  const say = usePipelineWords();
  return (
    <div className="pl-foot">
      <span className="pl-group">
        <button type="button" className="pl-button pl-small" aria-label={say.zoomOut} onClick={() => onZoom(-1)}>−</button>
        <button type="button" className="pl-button pl-small" aria-label={say.zoomIn} onClick={() => onZoom(1)}>+</button>
        <button type="button" className="pl-button pl-small" onClick={onFit}>{say.fit}</button>
      </span>
      <details className="pl-keys">
        <summary>{say.keys}</summary>
        <dl>{say.keyList.map(([keys, what]) => <div key={keys}><dt><kbd>{keys}</kbd></dt><dd>{what}</dd></div>)}</dl>
      </details>
      <small className="pl-kept">{isKept ? say.draft : say.draftLost}</small>
    </div>
  );
}

function Refused({ name, issues, leftOut = 0, onClose }: { name: string; issues: readonly Issue[]; leftOut?: number; onClose(): void }) {
  const say = usePipelineWords();
  const language = useLanguage();
  return (
    <div className="notice pl-issues" role="alert">
      <div>
        <p><bdi>{say.notOpened(name, issues.length + leftOut)}</bdi></p>
        <ul>{issues.map((issue, index) => <li key={`${index} ${issue.pointer}`}>{issue.pointer ? <code>{issue.pointer}</code> : null} {issueSaid(issue, language)}</li>)}{leftOut > 0 ? <li>{say.more(leftOut)}</li> : null}</ul>
      </div>
      <button type="button" className="plain" onClick={onClose}>{say.close}</button>
    </div>
  );
}
