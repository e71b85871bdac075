/** A node as it is drawn: its name, where it stands in the run that is shown, and its ports. */
import { Handle, type Node, type NodeProps, Position, useConnection, useUpdateNodeInternals } from '@xyflow/react';
import type { TaskGraphItemJson } from 'holdfast/graph';
import { createContext, memo, useContext, useEffect, useRef } from 'react';
import { useLanguage } from '../shell/choices.ts';
import { type Catalog, kErrorPort, kNewPort, type Port, type Ports } from './catalog.ts';
import type { Fit } from './fit.ts';
import type { Box } from './lanes.ts';
import { labelOf, titleOf } from './node-words.ts';
import { said, usePipelineWords } from './words.ts';

/** Of the run that is shown. */
export interface NodeView {
  readonly status: string;
  readonly progress: number;
  readonly fromCache: boolean;
}

export interface TaskNodeData extends Record<string, unknown> {
  readonly item: TaskGraphItemJson;
  readonly ports: Ports;
  readonly view: NodeView | undefined;
  readonly isEditable: boolean;
}
export type TaskFlowNode = Node<TaskNodeData, 'task'>;

export interface CanvasTools {
  readonly catalog: Catalog;
  /** Where nodes are: edges lead round them. */
  readonly boxes: readonly Box[];
  /** Of an edge that is being drawn. */
  fit(source: string, sourcePort: string, target: string, targetPort: string): Fit;
}
export const CanvasContext = createContext<CanvasTools | undefined>(undefined);

export function shownTitle(item: TaskGraphItemJson, catalog: Catalog, language: 'en' | 'fr'): string {
  const own = item.config?.['title'] ?? item.config?.['name'];
  return typeof own === 'string' && own !== '' ? own : titleOf(catalog.kindOf(item.type), item.type, language);
}

function StatusMark({ view }: { view: NodeView }) {
  const say = usePipelineWords();
  return (
    <span className="pl-status" data-status={view.status} title={say.status[view.status]}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        {view.status === 'COMPLETED' ? <path d="M3.5 8.5l3 3 6-7" /> : view.status === 'FAILED' ? <path d="M4.5 4.5l7 7m0-7l-7 7" /> : view.status === 'DISABLED' ? <path d="M4 8h8" /> : <circle cx="8" cy="8" r="4.5" />}
      </svg>
      {say.status[view.status] ?? view.status}
    </span>
  );
}

interface PortRowProps {
  port: Port;
  side: 'in' | 'out';
  taskId: string;
  isConnectable: boolean;
}

/** While an edge is drawn: does it go here? */
function useTarget(taskId: string, port: string): 'fits' | 'refused' | undefined {
  const tools = useContext(CanvasContext);
  return useConnection((connection) => {
    if (!connection.inProgress || !tools) return undefined;
    const { fromNode, fromHandle } = connection;
    if (fromNode.id === taskId || !fromHandle.id || fromHandle.type !== 'source') return undefined;
    return 'refusal' in tools.fit(fromNode.id, fromHandle.id, taskId, port) ? 'refused' : 'fits';
  });
}

function InputPort({ port, taskId, isConnectable }: Omit<PortRowProps, 'side'>) {
  const language = useLanguage();
  const target = useTarget(taskId, port.name);
  return (
    <li className="pl-port" data-side="in" data-kind={port.kind} data-target={target} title={said(port.schema, language)}>
      <Handle type="target" position={Position.Left} id={port.name} isConnectable={isConnectable} />
      <span>{port.name === kNewPort ? '+' : labelOf(port.name, port.schema, language)}</span>
    </li>
  );
}

function OutputPort({ port, isConnectable }: Omit<PortRowProps, 'side' | 'taskId'>) {
  const language = useLanguage();
  return (
    <li className="pl-port" data-side="out" data-kind={port.kind} title={said(port.schema, language)}>
      <span>{labelOf(port.name, port.schema, language)}</span>
      <Handle type="source" position={Position.Right} id={port.name} isConnectable={isConnectable} />
    </li>
  );
}

export const kNewInput: Port = { name: kNewPort, schema: true, kind: 'any', isRequired: false };
export const kErrorOutput: Port = { name: kErrorPort, schema: { type: 'object', title: 'Error', properties: { error: {} } }, kind: 'error', isRequired: false };

export const TaskNode = memo(function TaskNode({ data, selected }: NodeProps<TaskFlowNode>) {
  const say = usePipelineWords();
  const language = useLanguage();
  const tools = useContext(CanvasContext)!;
  const { item, ports, view, isEditable } = data;
  const kindTitle = titleOf(tools.catalog.kindOf(item.type), item.type, language);
  const title = shownTitle(item, tools.catalog, language);
  const inputs = ports.takesAny ? [...ports.inputs, kNewInput] : ports.inputs;
  const inside = item.subgraph?.tasks?.length;
  const isOff = item.config?.['disabled'] === true;
  const measure = useUpdateNodeInternals();
  const places = [...inputs.map(({ name }) => `in ${name}`), ...ports.outputs.map(({ name }) => `out ${name}`), title, view?.progress ? 'bar' : ''].join('\n');
  const drawn = useRef(places);
  // Edges end where ports are, and those have moved. As it is first drawn React Flow measures it, and all others at once.
  useEffect(() => {
    if (drawn.current === places) return;
    drawn.current = places;
    measure(item.id);
  }, [measure, item.id, places]);
  return (
    <div className="pl-node" data-off={isOff || undefined} data-status={view?.status} data-selected={selected || undefined} data-problem={ports.problem !== undefined || undefined}>
      <div className="pl-node-head">
        <span className="pl-node-title">{title}</span>
        {view ? <StatusMark view={view} /> : null}
        {isOff && !view ? <span className="pl-off">{say.off}</span> : null}
      </div>
      {title === kindTitle ? null : <p className="pl-node-kind">{kindTitle}</p>}
      {view?.status === 'PROCESSING' && view.progress > 0 ? <div className="pl-progress"><i style={{ width: `${view.progress}%` }} /></div> : null}
      {inside ? <p className="pl-node-inside">{say.inside(inside)}</p> : null}
      <div className="pl-ports">
        <ul>{inputs.map((port) => <InputPort key={port.name} port={port} taskId={item.id} isConnectable={isEditable} />)}</ul>
        <ul>
          {ports.outputs.map((port) => <OutputPort key={port.name} port={port} isConnectable={isEditable} />)}
          <OutputPort port={kErrorOutput} isConnectable={isEditable} />
        </ul>
      </div>
    </div>
  );
});
