/**
 * The drawing: nodes and edges with a pointer, and with keys alone.
 *
 * Invariant: it keeps nothing but sizes; what is drawn is the document, and every change goes through `dispatch`.
 */
import { Background, BackgroundVariant, type Connection, type Edge, type FinalConnectionState, MarkerType, type NodeChange, type EdgeChange, ReactFlow, useReactFlow } from '@xyflow/react';
import { type DataflowJson, reactFlowElements } from 'holdfast/graph';
import { type DragEvent, type KeyboardEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useLanguage } from '../shell/choices.ts';
import { type Catalog, landed, shownPorts } from './catalog.ts';
import type { Action, Selection } from './editor.ts';
import { type Fit, fitOf } from './fit.ts';
import { type GraphDocument, type Position, positionOf, taskOf } from './graph-document.ts';
import type { Box } from './lanes.ts';
import { titleOf } from './node-words.ts';
import { type Direction, kUsualSize, neighbour, type Size } from './places.ts';
import { RoutedEdge } from './routed-edge.tsx';
import { CanvasContext, type NodeView, shownTitle, type TaskFlowNode, TaskNode } from './task-node.tsx';
import { reveal } from './use-editing.ts';
import { portSaid, refusalSaid, usePipelineWords } from './words.ts';

export const kDragType = 'application/x-holdfast-node';
const kStep = 20;

export interface CanvasProps {
  readonly document: GraphDocument;
  readonly catalog: Catalog;
  readonly selection: Selection;
  readonly isEditable: boolean;
  /** Of a run that goes on: what has not begun can be removed, and switched off. */
  readonly isLive: boolean;
  /** By ids of nodes, and of edges. */
  readonly views: ReadonlyMap<string, NodeView>;
  readonly edgeStatuses: ReadonlyMap<string, string>;
  dispatch(action: Action): void;
  announce(text: string): void;
  onAdd(type: string, at: Position): void;
  onInspect(): void;
  onConnectMenu(taskId: string): void;
}

const kNodeTypes = { task: TaskNode };
const kEdgeTypes = { routed: RoutedEdge };
/** In larger drawings edges go straight: looking for a way for each would take too long. */
const kMostRouted = 300;
const kNoBoxes: readonly Box[] = [];

function useBoxes({ tasks, layout }: GraphDocument, sizes: ReadonlyMap<string, Size>): readonly Box[] {
  return useMemo(() => {
    if (tasks.length > kMostRouted) return kNoBoxes;
    return tasks.map(({ id }) => {
      const { x, y } = positionOf({ layout }, id);
      const { width, height } = sizes.get(id) ?? kUsualSize;
      return { left: x, top: y, right: x + width, bottom: y + height };
    });
  }, [tasks, layout, sizes]);
}

/** Sizes as they were measured: without them a node that changes would vanish for a moment. */
function useSizes() {
  const [sizes, setSizes] = useState<ReadonlyMap<string, Size>>(new Map());
  const measure = useCallback((changes: readonly NodeChange<TaskFlowNode>[]) => {
    const measured = changes.flatMap((change) => (change.type === 'dimensions' && change.dimensions ? [[change.id, change.dimensions] as const] : []));
    if (measured.length > 0) setSizes((before) => new Map([...before, ...measured]));
  }, []);
  return { sizes, measure };
}

type NodesProps = Pick<CanvasProps, 'document' | 'catalog' | 'selection' | 'views' | 'isEditable'> & { sizes: ReadonlyMap<string, Size> };

/** Nodes that did not change are the same objects, so they are not drawn again. */
function useNodes({ document, catalog, selection, views, isEditable, sizes }: NodesProps): TaskFlowNode[] {
  const language = useLanguage();
  const say = usePipelineWords();
  const known = useRef(new Map<string, { parts: readonly unknown[]; node: TaskFlowNode }>());
  return useMemo(() => {
    const next = new Map<string, { parts: readonly unknown[]; node: TaskFlowNode }>();
    const selected = new Set(selection.tasks);
    // One node can be reached by the Tab key; arrows lead on from there.
    const reachable = selection.tasks[0] ?? document.tasks[0]?.id;
    const nodes = document.tasks.map((item) => {
      const { id } = item;
      const ports = shownPorts(document, catalog, item);
      const view = views.get(id);
      const portNames = [...ports.inputs, ...ports.outputs].map(({ name }) => name).join('\n');
      const parts = [item, portNames, view, selected.has(id), document.layout[id], sizes.get(id), isEditable, language, id === reachable];
      const former = known.current.get(id);
      if (former && parts.every((part, at) => Object.is(part, former.parts[at]))) {
        next.set(id, former);
        return former.node;
      }
      const title = shownTitle(item, catalog, language);
      const node: TaskFlowNode = {
        id, type: 'task', position: positionOf(document, id), selected: selected.has(id), draggable: isEditable, connectable: isEditable, deletable: false,
        data: { item, ports, view, isEditable }, ...(sizes.has(id) && { measured: sizes.get(id)! }),
        ariaLabel: say.nodeLabel(title, titleOf(catalog.kindOf(item.type), item.type, language), view ? (say.status[view.status] ?? '') : item.config?.['disabled'] === true ? say.off : ''),
        domAttributes: { tabIndex: id === reachable ? 0 : -1 },
      };
      next.set(id, { parts, node });
      return node;
    });
    known.current = next;
    return nodes;
  }, [document, catalog, selection.tasks, views, isEditable, sizes, language, say]);
}

function colourOf(status: string | undefined, isError: boolean): string {
  if (status === 'COMPLETED') return 'var(--good)';
  if (status === 'PROCESSING' || status === 'STREAMING') return 'var(--accent)';
  return status === 'FAILED' || isError ? 'var(--bad)' : 'var(--pl-edge)';
}

type EdgesProps = Pick<CanvasProps, 'document' | 'selection' | 'edgeStatuses'>;

function useEdges({ document, selection, edgeStatuses }: EdgesProps): Edge[] {
  const language = useLanguage();
  const say = usePipelineWords();
  return useMemo(() => {
    const selected = new Set(selection.edges);
    const { edges } = reactFlowElements({ tasks: [], dataflows: document.dataflows }, { edgeType: 'routed' });
    return edges.map((edge, at): Edge => {
      const { id, data: { isError = false } = {} } = edge;
      const flow = document.dataflows[at]!;
      const status = edgeStatuses.get(id);
      return {
        ...edge, selected: selected.has(id), focusable: false, deletable: false, animated: status === 'PROCESSING' || status === 'STREAMING',
        className: `pl-edge${isError ? ' pl-edge-error' : ''}${status ? ` pl-edge-${status.toLowerCase()}` : ''}`,
        markerEnd: { type: MarkerType.ArrowClosed, width: 14, height: 14, color: colourOf(status, isError) },
        ariaLabel: say.edgeLabel(`${flow.sourceTaskId} ${portSaid(flow.sourceTaskPortId, language)}`, `${flow.targetTaskId} ${portSaid(flow.targetTaskPortId, language)}`),
      };
    });
  }, [document.dataflows, selection.edges, edgeStatuses, language, say]);
}

const flowOf = ({ source, sourceHandle, target, targetHandle }: Connection | Edge): DataflowJson => ({
  sourceTaskId: source, sourceTaskPortId: sourceHandle ?? '', targetTaskId: target, targetTaskPortId: targetHandle ?? '',
});

/** A sentence that goes after a while. */
function useBriefly(): [string, (text: string) => void] {
  const [text, setText] = useState('');
  useEffect(() => {
    if (text === '') return;
    const timer = setTimeout(() => setText(''), 6000);
    return () => clearTimeout(timer);
  }, [text]);
  return [text, setText];
}

export function Canvas(props: CanvasProps) {
  const { document, catalog, dispatch, isEditable, announce, onAdd } = props;
  const say = usePipelineWords();
  const language = useLanguage();
  const flow = useReactFlow();
  const { sizes, measure } = useSizes();
  const nodes = useNodes({ ...props, sizes });
  const edges = useEdges(props);
  const [refused, setRefused] = useBriefly();
  const fit = useCallback((source: string, sourcePort: string, target: string, targetPort: string): Fit =>
    fitOf(document, catalog, landed(document, { sourceTaskId: source, sourceTaskPortId: sourcePort, targetTaskId: target, targetTaskPortId: targetPort })), [document, catalog]);
  const boxes = useBoxes(document, sizes);
  const tools = useMemo(() => ({ catalog, fit, boxes }), [catalog, fit, boxes]);
  const fitFlow = (edge: DataflowJson) => fit(edge.sourceTaskId, edge.sourceTaskPortId, edge.targetTaskId, edge.targetTaskPortId);

  const onNodesChange = (changes: NodeChange<TaskFlowNode>[]) => {
    measure(changes);
    const moved = changes.filter((change) => change.type === 'position' && change.position !== undefined);
    if (isEditable && moved.length > 0) {
      const positions = Object.fromEntries(moved.map((change) => (change.type === 'position' ? [change.id, change.position!] : [])));
      dispatch({ type: 'move', positions, done: moved.some((change) => change.type === 'position' && change.dragging === false) });
    }
    const tasks = selectedAfter(props.selection.tasks, changes);
    if (tasks) dispatch({ type: 'select', selection: { tasks, edges: props.selection.edges } });
  };
  const onEdgesChange = (changes: EdgeChange[]) => {
    const chosen = selectedAfter(props.selection.edges, changes);
    if (chosen) dispatch({ type: 'select', selection: { tasks: chosen.length > 0 ? [] : props.selection.tasks, edges: chosen } });
  };
  const onConnectEnd = (_: unknown, connection: FinalConnectionState) => {
    const { fromHandle, toHandle, isValid } = connection;
    if (isValid !== false || !fromHandle || !toHandle || fromHandle === toHandle) return;
    const [source, target] = fromHandle.type === 'source' ? [fromHandle, toHandle] : [toHandle, fromHandle];
    if (source.type !== 'source' || target.type !== 'target') return;
    const found = fitFlow({ sourceTaskId: source.nodeId, sourceTaskPortId: source.id ?? '', targetTaskId: target.nodeId, targetTaskPortId: target.id ?? '' });
    if ('refusal' in found) {
      const why = refusalSaid(found.refusal, language);
      setRefused(why);
      announce(why);
    }
  };
  const onDrop = (event: DragEvent) => {
    const type = event.dataTransfer.getData(kDragType);
    if (!type) return;
    event.preventDefault();
    const at = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
    onAdd(type, { x: at.x - 90, y: at.y - 20 });
  };
  return (
    <CanvasContext value={tools}>
      <CanvasKeys {...props} sizes={sizes}>
        <ReactFlow<TaskFlowNode>
          nodes={nodes} edges={edges} nodeTypes={kNodeTypes} edgeTypes={kEdgeTypes} onNodesChange={onNodesChange} onEdgesChange={onEdgesChange}
          onConnect={(connection) => dispatch({ type: 'connect', edge: landed(document, flowOf(connection)) })}
          onConnectEnd={onConnectEnd} isValidConnection={(connection) => !('refusal' in fitFlow(flowOf(connection)))}
          onNodeClick={(_, { id }) => reveal(flow, positionOf(document, id), sizes.get(id) ?? kUsualSize)} onNodeDoubleClick={props.onInspect} onDragOver={(event) => { if (event.dataTransfer.types.includes(kDragType)) event.preventDefault(); }} onDrop={onDrop}
          nodesDraggable={isEditable} nodesConnectable={isEditable} edgesFocusable={false} disableKeyboardA11y deleteKeyCode={null} selectionKeyCode="Shift" multiSelectionKeyCode={['Control', 'Meta']}
          minZoom={0.05} maxZoom={1.5} onlyRenderVisibleElements={document.tasks.length > 60} zoomOnScroll={false} preventScrolling={false} panOnScroll={false}
          connectionRadius={28} nodeDragThreshold={2} elevateEdgesOnSelect proOptions={{ hideAttribution: false }} aria-label={say.canvas}
          ariaLabelConfig={{ 'handle.ariaLabel': '' }}
        >
          <Background variant={BackgroundVariant.Dots} gap={20} size={1.4} color="var(--line)" />
        </ReactFlow>
        {refused === '' ? null : <p className="pl-refused" aria-hidden="true">{refused}</p>}
        {document.tasks.length > 0 ? null : <div className="pl-empty"><p>{say.emptyTitle}</p><p>{say.emptyHint}</p></div>}
      </CanvasKeys>
    </CanvasContext>
  );
}

/** undefined: the changes are about something else. */
function selectedAfter(before: readonly string[], changes: readonly { type: string; id?: string; selected?: boolean }[]): string[] | undefined {
  const told = changes.filter(({ type }) => type === 'select');
  if (told.length === 0) return undefined;
  const selected = new Set(before);
  for (const { id, selected: isSelected } of told) {
    if (isSelected) selected.add(id!);
    else selected.delete(id!);
  }
  return [...selected];
}

const kDirections: Readonly<Record<string, Direction>> = { ArrowLeft: 'left', ArrowRight: 'right', ArrowUp: 'up', ArrowDown: 'down' };
const kMoves: Readonly<Record<Direction, Position>> = { left: { x: -kStep, y: 0 }, right: { x: kStep, y: 0 }, up: { x: 0, y: -kStep }, down: { x: 0, y: kStep } };

/** Everything that keys do in the drawing. */
function CanvasKeys({ children, document, selection, isEditable, isLive, dispatch, announce, onInspect, onConnectMenu, sizes }: CanvasProps & { sizes: ReadonlyMap<string, Size>; children: React.ReactNode }) {
  const say = usePipelineWords();
  const box = useRef<HTMLDivElement>(null);
  const flow = useReactFlow();
  const sizeOf = (id: string) => sizes.get(id);

  const goTo = (id: string) => {
    dispatch({ type: 'select', selection: { tasks: [id], edges: [] } });
    reveal(flow, positionOf(document, id), sizeOf(id) ?? kUsualSize);
    requestAnimationFrame(() => box.current?.querySelector<HTMLElement>(`.react-flow__node[data-id="${CSS.escape(id)}"]`)?.focus({ preventScroll: true }));
  };
  const onArrow = (event: KeyboardEvent, id: string, direction: Direction) => {
    event.preventDefault();
    if (event.shiftKey) {
      if (!isEditable) return;
      const { x, y } = positionOf(document, id);
      const by = kMoves[direction];
      return dispatch({ type: 'move', positions: { [id]: { x: x + by.x, y: y + by.y } }, done: false });
    }
    const next = neighbour(document, id, direction, sizeOf);
    if (next !== undefined) goTo(next);
  };
  const onLetter = (event: KeyboardEvent, id: string): boolean => {
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (key === 'o' && (isEditable || isLive)) {
      dispatch({ type: 'setConfig', id, name: 'disabled', value: taskOf(document, id)?.config?.['disabled'] === true ? undefined : true });
      return true;
    }
    if (!isEditable) return false;
    if (key === 'c') onConnectMenu(id);
    else if (key === 'd') dispatch({ type: 'duplicate', tasks: selection.tasks.includes(id) ? selection.tasks : [id] });
    else return false;
    return true;
  };
  const removeSelected = (id: string | undefined) => {
    const tasks = id !== undefined && !selection.tasks.includes(id) && selection.edges.length === 0 ? [id] : selection.tasks;
    const next = tasks.length === 1 ? (neighbour(document, tasks[0]!, 'left', sizeOf) ?? neighbour(document, tasks[0]!, 'right', sizeOf) ?? document.tasks.find((task) => task.id !== tasks[0])?.id) : undefined;
    dispatch({ type: 'remove', tasks, edges: selection.edges });
    // A run may refuse it, and says so.
    if (isLive) return;
    announce(say.announced.removed(tasks.length + selection.edges.length));
    if (next !== undefined) goTo(next);
    else box.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    const id = target.closest<HTMLElement>('.react-flow__node')?.dataset['id'];
    const direction = kDirections[event.key];
    if ((isEditable || isLive) && (event.key === 'Delete' || event.key === 'Backspace') && (id !== undefined || selection.edges.length > 0 || selection.tasks.length > 0)) return removeSelected(id);
    if (event.key === 'Escape') return dispatch({ type: 'select', selection: { tasks: [], edges: [] } });
    if (id === undefined || !taskOf(document, id)) return;
    if (direction) return onArrow(event, id, direction);
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      dispatch({ type: 'select', selection: { tasks: [id], edges: [] } });
      return onInspect();
    }
    if (onLetter(event, id)) event.preventDefault();
  };
  // What was moved while Shift was held is one step.
  const onKeyUp = (event: KeyboardEvent) => {
    if (event.key === 'Shift') dispatch({ type: 'settle' });
  };
  return <div className="pl-canvas" ref={box} tabIndex={-1} onKeyDown={onKeyDown} onKeyUp={onKeyUp}>{children}</div>;
}
