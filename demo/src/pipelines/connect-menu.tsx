/** Drawing an edge without a pointer: from which output, to which input; those that don't fit say why. */
import type { DataflowJson } from 'holdfast/graph';
import { useEffect, useRef, useState } from 'react';
import { useLanguage } from '../shell/choices.ts';
import { type Catalog, kErrorPort, kNewPort, landed, shownPorts } from './catalog.ts';
import { fitOf } from './fit.ts';
import { type GraphDocument, taskOf } from './graph-document.ts';
import { labelOf } from './node-words.ts';
import { kErrorOutput, kNewInput, shownTitle } from './task-node.tsx';
import { refusalSaid, usePipelineWords } from './words.ts';

interface ConnectMenuProps {
  document: GraphDocument;
  catalog: Catalog;
  taskId: string;
  onConnect(edge: DataflowJson): void;
  onClose(): void;
}

interface Target {
  readonly edge: DataflowJson;
  readonly label: string;
  readonly why: string | undefined;
  readonly isLoose: boolean;
}

const kMostShown = 200;

function useTargets({ document, catalog, taskId }: Pick<ConnectMenuProps, 'document' | 'catalog' | 'taskId'>, output: string, sought: string): Target[] {
  const language = useLanguage();
  const wanted = sought.trim().toLocaleLowerCase(language);
  const targets: Target[] = [];
  for (const item of document.tasks) {
    if (item.id === taskId) continue;
    const ports = shownPorts(document, catalog, item);
    const title = shownTitle(item, catalog, language);
    const name = title === item.id ? title : `${title} (${item.id})`;
    for (const port of ports.takesAny ? [...ports.inputs, kNewInput] : ports.inputs) {
      const label = `${name} · ${port.name === kNewPort ? '+' : labelOf(port.name, port.schema, language)}`;
      if (wanted !== '' && !label.toLocaleLowerCase(language).includes(wanted)) continue;
      const edge = landed(document, { sourceTaskId: taskId, sourceTaskPortId: output, targetTaskId: item.id, targetTaskPortId: port.name });
      const fit = fitOf(document, catalog, edge);
      targets.push({ edge, label, why: 'refusal' in fit ? refusalSaid(fit.refusal, language) : undefined, isLoose: 'how' in fit && fit.how === 'runtime' });
    }
  }
  // What fits comes first, in the order of the drawing.
  return [...targets.filter(({ why }) => why === undefined), ...targets.filter(({ why }) => why !== undefined)].slice(0, kMostShown);
}

export function ConnectMenu({ document, catalog, taskId, onConnect, onClose }: ConnectMenuProps) {
  const say = usePipelineWords();
  const language = useLanguage();
  const dialog = useRef<HTMLDialogElement>(null);
  const item = taskOf(document, taskId);
  const outputs = item ? [...shownPorts(document, catalog, item).outputs, kErrorOutput] : [];
  const [output, setOutput] = useState(outputs[0]?.name ?? kErrorPort);
  const [sought, setSought] = useState('');
  const targets = useTargets({ document, catalog, taskId }, output, sought);
  useEffect(() => {
    // Nothing closes it here: an effect that runs twice would tell that it was closed.
    if (!dialog.current?.open) dialog.current?.showModal();
  }, []);
  if (!item) return null;
  return (
    <dialog ref={dialog} className="pl-dialog" aria-labelledby="pl-connect-title" onCancel={onClose} onClose={onClose}>
      <h2 id="pl-connect-title">{say.connectTitle(shownTitle(item, catalog, language))}</h2>
      <div className="pl-dialog-fields">
        <label className="field">
          <span>{say.output}</span>
          <select value={output} onChange={(event) => setOutput(event.target.value)}>
            {outputs.map((port) => <option key={port.name} value={port.name}>{labelOf(port.name, port.name === kErrorPort ? true : port.schema, language)}</option>)}
          </select>
        </label>
        <label className="field">
          <span>{say.search}</span>
          <input type="search" value={sought} onChange={(event) => setSought(event.target.value)} />
        </label>
      </div>
      <ul className="pl-targets" aria-label={say.target}>
        {targets.map(({ edge, label, why, isLoose }) => (
          <li key={`${edge.targetTaskId} ${edge.targetTaskPortId}`}>
            <button type="button" className="pl-target" aria-disabled={why !== undefined || undefined} onClick={() => why === undefined && onConnect(edge)}>
              <span>{label}</span>
              {why === undefined ? null : <small>{why}</small>}
              {isLoose ? <small>{say.runtimeFit}</small> : null}
            </button>
          </li>
        ))}
      </ul>
      <button type="button" className="plain" onClick={onClose}>{say.cancel}</button>
    </dialog>
  );
}
