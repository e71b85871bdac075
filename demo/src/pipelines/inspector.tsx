/** What is selected: its settings and values while it is drawn; what it gave, and where that comes from, in a run. */
import type { DataflowJson, JsonSchema, Provenance, TaskGraphItemJson, TaskOutput } from 'holdfast/graph';
import { useId, useRef } from 'react';
import { useLanguage } from '../shell/choices.ts';
import { shownName } from '../tasks/names.ts';
import { type Catalog, edgesOf, isSchemaObject, kAllPorts, kErrorPort, shownPorts } from './catalog.ts';
import type { Action, Selection } from './editor.ts';
import { edgeId, type GraphDocument, taskOf } from './graph-document.ts';
import { InsidePart } from './inside.tsx';
import { descriptionOf, labelOf, titleOf } from './node-words.ts';
import { SchemaField } from './schema-form.tsx';
import { shownTitle } from './task-node.tsx';
import { isOpen, type ShownRun, useRunValue } from './use-runs.ts';
import { PortValues, Value } from './values.tsx';
import { portSaid, said, usePipelineWords } from './words.ts';

interface InspectorProps {
  document: GraphDocument;
  catalog: Catalog;
  selection: Selection;
  run: ShownRun | undefined;
  files: ReadonlyMap<string, File>;
  onFile(id: string, file: File | undefined): void;
  dispatch(action: Action): void;
  onConnectMenu(taskId: string): void;
  ref?: React.Ref<HTMLElement>;
}

export function Inspector(props: InspectorProps) {
  const say = usePipelineWords();
  const { document, selection, ref } = props;
  const [id] = selection.tasks;
  const item = selection.tasks.length === 1 && selection.edges.length === 0 ? taskOf(document, id!) : undefined;
  const flow = selection.edges.length === 1 && selection.tasks.length === 0 ? document.dataflows.find((each) => edgeId(each) === selection.edges[0]) : undefined;
  const count = selection.tasks.length + selection.edges.length;
  if (count === 0) return null;
  return (
    <section className="pl-inspector" aria-label={say.inspector} tabIndex={-1} ref={ref}>
      <button type="button" className="plain pl-inspector-close" aria-label={say.close} onClick={() => props.dispatch({ type: 'select', selection: { tasks: [], edges: [] } })}>✕</button>
      {item ? <TaskPart key={item.id} {...props} item={item} /> : flow ? <EdgePart {...props} flow={flow} /> : <Many {...props} count={count} />}
    </section>
  );
}

function Many({ selection, run, dispatch, count }: InspectorProps & { count: number }) {
  const say = usePipelineWords();
  return (
    <>
      <p>{say.manySelected(count)}</p>
      {run ? null : (
        <div className="pl-actions">
          <button type="button" className="pl-button" onClick={() => dispatch({ type: 'duplicate', tasks: selection.tasks })}>{say.duplicate}</button>
          <button type="button" className="pl-button" onClick={() => dispatch({ type: 'remove', ...selection })}>{say.remove}</button>
        </div>
      )}
    </>
  );
}

type TaskPartProps = InspectorProps & { item: TaskGraphItemJson };

function SwitchButton({ item, dispatch }: Pick<TaskPartProps, 'item' | 'dispatch'>) {
  const say = usePipelineWords();
  const isOff = item.config?.['disabled'] === true;
  return <button type="button" className="pl-button" onClick={() => dispatch({ type: 'setConfig', id: item.id, name: 'disabled', value: isOff ? undefined : true })}>{isOff ? say.switchOn : say.switchOff}</button>;
}

function RemoveButton({ item, dispatch }: Pick<TaskPartProps, 'item' | 'dispatch'>) {
  const say = usePipelineWords();
  return <button type="button" className="pl-button" onClick={() => dispatch({ type: 'remove', tasks: [item.id], edges: [] })}>{say.remove}</button>;
}

function TaskPart(props: TaskPartProps) {
  const { item, catalog, run, dispatch, onConnectMenu, document } = props;
  const say = usePipelineWords();
  const language = useLanguage();
  const kind = catalog.kindOf(item.type);
  const { problem } = catalog.portsOf(item);
  const title = shownTitle(item, catalog, language);
  return (
    <>
      <h2 title={title}>{title}</h2>
      <p className="hint">{titleOf(kind, item.type, language)} · <code>{item.id}</code><br />{descriptionOf(kind, item.type, language)}</p>
      {problem === undefined ? null : <p className="notice">{problem}</p>}
      {run ? <><RunPart item={item} run={run} /><InsidePart item={item} catalog={catalog} /></> : (
        <>
          <InputFields {...props} />
          <Outputs {...props} />
          {item.type === 'MapTask' ? <InsideField {...props} /> : null}
          {item.type === 'MapTask' && (item.subgraph?.tasks.length ?? 0) < 2 ? null : <InsidePart item={item} catalog={catalog} />}
          <ConfigFields {...props} />
          <div className="pl-actions">
            <button type="button" className="pl-button" onClick={() => onConnectMenu(item.id)}>{say.connectTo}</button>
            <button type="button" className="pl-button" onClick={() => dispatch({ type: 'duplicate', tasks: [item.id] })}>{say.duplicate}</button>
            <SwitchButton item={item} dispatch={dispatch} />
            <RemoveButton item={item} dispatch={dispatch} />
          </div>
        </>
      )}
      {run && isOpen(run) ? (
        <div className="pl-actions">
          <SwitchButton item={item} dispatch={dispatch} />
          <RemoveButton item={item} dispatch={dispatch} />
        </div>
      ) : null}
      {run ? null : <EdgeList document={document} item={item} dispatch={dispatch} />}
    </>
  );
}

const isFilePort = (schema: JsonSchema): boolean => isSchemaObject(schema) && schema['x-ui-hidden'] === true && schema.format?.startsWith('file') === true;

function InputFields({ document, catalog, item, files, onFile, dispatch }: TaskPartProps) {
  const say = usePipelineWords();
  const { inputSchema } = catalog.portsOf(item);
  const { inputs } = shownPorts(document, catalog, item);
  const { incoming } = edgesOf(document, item.id);
  const fed = new Set(incoming.map(({ targetTaskPortId }) => targetTaskPortId));
  const chosen = isSchemaObject(inputSchema) ? Object.entries(inputSchema.properties ?? {}).filter(([, schema]) => isFilePort(schema)) : [];
  const free = inputs.filter(({ name, kind }) => !fed.has(name) && kind !== 'file' && name !== kAllPorts);
  if (chosen.length === 0 && free.length === 0) return null;
  return (
    <div className="pl-part">
      <h3>{say.values}</h3>
      {chosen.map(([name, schema]) => <FileField key={name} schema={schema} file={files.get(item.id)} onFile={(file) => onFile(item.id, file)} />)}
      {free.map(({ name, schema, isRequired }) => (
        <SchemaField
          key={name} name={name} schema={schema} value={item.defaults?.[name]} isRequired={isRequired && !(isSchemaObject(schema) && schema.default !== undefined)}
          onChange={(value) => dispatch({ type: 'setDefault', id: item.id, port: name, value })} onSettle={() => dispatch({ type: 'settle' })}
        />
      ))}
    </div>
  );
}

function FileField({ schema, file, onFile }: { schema: JsonSchema; file: File | undefined; onFile(file: File | undefined): void }) {
  const say = usePipelineWords();
  const hintId = useId();
  const kind = isSchemaObject(schema) ? schema.format?.split(':')[1] : undefined;
  return (
    <div className="pl-choose">
      {file ? <p><bdi>{shownName(file.name, 40)}</bdi></p> : null}
      <label className="pl-button">
        <input
          type="file" accept={kind === 'json' ? '.json,.ndjson,.jsonl,application/json' : kind ? `.${kind}` : undefined} aria-describedby={hintId}
          onChange={(event) => {
            const [chosen] = event.target.files ?? [];
            event.target.value = '';
            if (chosen) onFile(chosen);
          }}
        />
        {file ? say.otherFile : say.chooseFile}
      </label>
      {file ? <button type="button" className="plain" onClick={() => onFile(undefined)}>{say.forget}</button> : null}
      <p className="hint" id={hintId}>{say.sampleUsed}</p>
    </div>
  );
}

function Outputs({ document, catalog, item }: TaskPartProps) {
  const say = usePipelineWords();
  const language = useLanguage();
  const { outputs } = shownPorts(document, catalog, item);
  return (
    <div className="pl-part">
      <h3>{say.outputs}</h3>
      <ul className="pl-list">
        {outputs.map(({ name, schema, kind }) => <li key={name}><i className="pl-dot" data-kind={kind} aria-hidden="true" /> {labelOf(name, schema, language)} <small>{said(schema, language)}</small></li>)}
      </ul>
    </div>
  );
}

/** Kept by the editor itself, or no matter for a form. */
const kUnasked = new Set(['disabled', 'id', 'name', 'inputSchema', 'outputSchema', 'extras', 'defaults', 'provenance', 'cacheable', 'merge', 'conditionConfig', 'description']);

function ConfigFields({ catalog, item, dispatch }: TaskPartProps) {
  const say = usePipelineWords();
  const schema = catalog.kindOf(item.type)?.configSchema;
  if (!isSchemaObject(schema)) return null;
  const fields = Object.entries(schema.properties ?? {}).filter(([name]) => !kUnasked.has(name)).map(([name, each]) => [name, betterSchema(item.type, name, each)] as const);
  // Its own come first; the name and the time limit, which all have, last.
  const common = new Set(['title', 'timeout']);
  const sorted = [...fields.filter(([name]) => !common.has(name)), ...fields.filter(([name]) => common.has(name))];
  return (
    <div className="pl-part">
      <h3>{say.settings}</h3>
      {sorted.map(([name, each]) => (
        <SchemaField key={name} name={name} schema={each} value={item.config?.[name]} onChange={(value) => dispatch({ type: 'setConfig', id: item.id, name, value })} onSettle={() => dispatch({ type: 'settle' })} />
      ))}
    </div>
  );
}

/** What a Map does for each element: one node; several come with a file. */
function InsideField({ catalog, item, dispatch }: TaskPartProps) {
  const say = usePipelineWords();
  const language = useLanguage();
  const id = useId();
  const inside = item.subgraph?.tasks ?? [];
  const kinds = catalog.offered.filter(({ type, category }) => category !== 'Flow Control' && catalog.portsOf({ id: 'each', type }).inputs.length > 0);
  const choose = (type: string) => dispatch({ type: 'setSubgraph', id: item.id, subgraph: type === '' ? undefined : { tasks: [{ id: 'each', type }], dataflows: [] } });
  return (
    <div className="pl-part">
      <div className="field pl-field">
        <label htmlFor={id}>{say.forEach}</label>
        <select id={id} value={inside.length > 1 ? '*' : (inside[0]?.type ?? '')} onChange={(event) => choose(event.target.value)}>
          {inside.length > 1 ? <option value="*">{say.severalInside(inside.length)}</option> : null}
          <option value="">–</option>
          {kinds.map((kind) => <option key={kind.type} value={kind.type}>{titleOf(kind, kind.type, language)}</option>)}
        </select>
      </div>
    </div>
  );
}

const operators = ['equals', 'not_equals', 'greater_than', 'greater_or_equal', 'less_than', 'less_or_equal', 'contains', 'starts_with', 'ends_with', 'is_empty', 'is_not_empty', 'is_true', 'is_false'];
const branches: JsonSchema = {
  type: 'array', title: 'Branches',
  items: { type: 'object', properties: { id: { type: 'string', title: 'Way' }, field: { type: 'string', title: 'Field' }, operator: { type: 'string', enum: operators, title: 'Operator' }, value: { type: ['string', 'number'], title: 'Value' } }, required: ['id', 'operator'] },
};

/** Where a class says of its config only that it is a list. */
function betterSchema(type: string, name: string, schema: JsonSchema): JsonSchema {
  if (type === 'ConditionalTask' && name === 'branches') return branches;
  if (name === 'title') return { type: 'string', title: 'Name' };
  if (name === 'maxIterations') return { type: 'integer', minimum: 1, title: 'At most' };
  if (name === 'timeout') return { type: 'integer', minimum: 1, title: 'Time limit in ms' };
  return isSchemaObject(schema) && schema.title === undefined && names[name] ? { ...schema, title: names[name] } : schema;
}

const names: Readonly<Record<string, string>> = { exclusive: 'Only the first that holds', defaultBranch: 'Way when none holds', maxIterations: 'At most', concurrencyLimit: 'At once', batchSize: 'In batches of', iterationInputConfig: 'How ports are meant', preserveOrder: 'Keep the order', flatten: 'Join lists' };

function EdgeList({ document, item, dispatch }: { document: GraphDocument; item: TaskGraphItemJson; dispatch(action: Action): void }) {
  const say = usePipelineWords();
  const language = useLanguage();
  const { incoming, outgoing } = edgesOf(document, item.id);
  const edges = [...incoming, ...outgoing];
  if (edges.length === 0) return null;
  const sentence = (flow: DataflowJson) => `${flow.sourceTaskId} ${portSaid(flow.sourceTaskPortId, language)} → ${flow.targetTaskId} ${portSaid(flow.targetTaskPortId, language)}`;
  return (
    <div className="pl-part">
      <h3>{say.edge}</h3>
      <ul className="pl-list">
        {edges.map((flow) => (
          <li key={edgeId(flow)} className="pl-edge-row">
            <span>{sentence(flow)}</span>
            <button type="button" className="plain" aria-label={`${say.remove}: ${sentence(flow)}`} onClick={() => dispatch({ type: 'remove', tasks: [], edges: [edgeId(flow)] })}>{say.remove}</button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function EdgePart({ flow, document, catalog, run, dispatch }: InspectorProps & { flow: DataflowJson }) {
  const say = usePipelineWords();
  const language = useLanguage();
  const [source, target] = [taskOf(document, flow.sourceTaskId), taskOf(document, flow.targetTaskId)];
  const end = (item: TaskGraphItemJson | undefined, port: string) => `${item ? shownTitle(item, catalog, language) : '?'} · ${portSaid(port, language)}`;
  const status = run?.edges.get(edgeId(flow));
  return (
    <>
      <h2>{say.edge}</h2>
      <dl className="pl-values">
        <div><dt>{say.from}</dt><dd>{end(source, flow.sourceTaskPortId)}</dd></div>
        <div><dt>{say.to}</dt><dd>{end(target, flow.targetTaskPortId)}</dd></div>
      </dl>
      {run ? <EdgeValue flow={flow} run={run} status={status} /> : <div className="pl-actions"><button type="button" className="pl-button" onClick={() => dispatch({ type: 'remove', tasks: [], edges: [edgeId(flow)] })}>{say.remove}</button></div>}
    </>
  );
}

function EdgeValue({ flow, run, status }: { flow: DataflowJson; run: ShownRun; status: string | undefined }) {
  const say = usePipelineWords();
  const { sourceTaskId, sourceTaskPortId } = flow;
  const output = useRunValue<TaskOutput | undefined>(() => run.handle.output(sourceTaskId), `${run.handle.id} ${sourceTaskId} ${run.views.get(sourceTaskId)?.status}`);
  const error = run.errors.get(sourceTaskId);
  const value = sourceTaskPortId === kErrorPort ? error && { error: error.message, errorType: error.name } : sourceTaskPortId === kAllPorts ? output : output?.[sourceTaskPortId];
  return (
    <div className="pl-part">
      <h3>{say.carries} <small>{status ? say.status[status] : ''}</small></h3>
      <Value value={value} />
    </div>
  );
}

function RunPart({ item, run }: { item: TaskGraphItemJson; run: ShownRun }) {
  const say = usePipelineWords();
  const view = run.views.get(item.id);
  const key = `${run.handle.id} ${item.id} ${view?.status}`;
  const output = useRunValue<TaskOutput | undefined>(() => run.handle.output(item.id), key);
  const provenance = useRunValue<Provenance | undefined>(() => run.handle.getProvenance(item.id), key);
  const error = run.errors.get(item.id);
  return (
    <>
      <p className="pl-run-status" data-status={view?.status}>{say.status[view?.status ?? 'PENDING']}{view?.fromCache ? ` · ${say.fromCache}` : ''}{view?.status === 'PROCESSING' && view.progress > 0 ? ` · ${view.progress} %` : ''}</p>
      {error ? <div className="pl-part"><h3>{say.error}</h3><p className="pl-error">{error.message}</p><p className="hint">{error.name}</p></div> : null}
      <div className="pl-part">
        <h3>{say.gave}</h3>
        {output && Object.keys(output).length > 0 ? <PortValues values={output} /> : <p className="hint">{say.nothingYet}</p>}
      </div>
      {provenance && provenance.items.length > 0 ? <Lineage provenance={provenance} run={run} /> : null}
    </>
  );
}

const kMostItems = 30;

/** Sources first. */
function Lineage({ provenance, run }: { provenance: Provenance; run: ShownRun }) {
  const say = usePipelineWords();
  const box = useRef<HTMLOListElement>(null);
  return (
    <div className="pl-part">
      <h3>{say.provenance}</h3>
      <ol className="pl-lineage" ref={box}>
        {provenance.items.slice(-kMostItems).map(({ taskId, runId, durationMs, outputHash, fromCache }) => (
          <li key={runId}>
            <span>{run.document.tasks.find(({ id }) => id === taskId)?.id ?? taskId}</span>
            <small>{fromCache ? say.fromCache : say.took(durationMs)}{outputHash ? ` · ${outputHash}` : ''}</small>
          </li>
        ))}
      </ol>
      {provenance.items.length > kMostItems ? <p className="hint">{say.more(provenance.items.length - kMostItems)}</p> : null}
    </div>
  );
}
