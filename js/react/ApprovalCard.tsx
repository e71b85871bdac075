'use client';
/**
 * A request of a graph to a person, as a form: a yes or no, or the values that its schema asks for. Shows what is asked,
 * gives the answer, says why an answer is refused.
 *
 * Invariant: a field is of the schema's property; what the schema refuses is said beside the form and nothing is sent.
 */
import { type FormEvent, type ReactNode, useId, useState } from 'react';
import type { Answering, HumanAnswer, HumanRequest } from '../graph/nodes/human.ts';
import type { JsonSchema } from '../graph/schema.ts';
import { useOrchestrator } from './provider.tsx';

export interface ApprovalCardLabels {
  approve: string;
  send: string;
  decline: string;
  reason: string;
  answered: string;
  gone: string;
}

export interface ApprovalCardProps {
  readonly request: HumanRequest;
  /** Hears of an answer that was taken. */
  readonly onAnswered?: (answer: HumanAnswer) => void;
  /** In place of the English words. */
  readonly labels?: Partial<ApprovalCardLabels>;
  /** Below the message; default: the request's context, as text. */
  readonly children?: ReactNode;
  readonly className?: string;
}

const english: ApprovalCardLabels = { approve: 'Approve', send: 'Send', decline: 'Decline', reason: 'Reason', answered: 'Answered.', gone: 'Somebody has answered already, or its time is over.' };

/** Needs an `<OrchestratorProvider>` above it. */
export function ApprovalCard({ request, onAnswered, labels, children, className }: ApprovalCardProps) {
  const words = { ...english, ...labels };
  const { answer, standing, problem, isSending } = useAnswer(request, onAnswered);
  const [values, setValues] = useState<Record<string, unknown>>(() => defaultsOf(request.contentSchema));
  const [reason, setReason] = useState('');
  const id = useId();
  const isApproval = request.kind === 'approval';
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void answer({ action: 'accept', content: isApproval ? { approved: true, ...(reason !== '' && { reason }) } : values });
  };
  const decline = () => void answer({ action: 'decline', ...(reason !== '' && { reason }) });
  if (standing) return <output className={`hf-approval ${className ?? ''}`}>{standing === 'taken' ? words.answered : words.gone}</output>;
  return (
    <form className={`hf-approval ${className ?? ''}`} onSubmit={submit} aria-labelledby={`${id}-message`}>
      <p id={`${id}-message`} className="hf-approval-message" dir="auto">
        {request.message || request.taskId}
      </p>
      {children ?? <Context context={request.context} />}
      {!isApproval && <Fields schema={request.contentSchema} values={values} onChange={(name, value) => setValues((before) => ({ ...before, [name]: value }))} />}
      <label>
        {words.reason} <input name="reason" value={reason} onChange={(event) => setReason(event.target.value)} />
      </label>
      {problem && <p role="alert">{problem}</p>}
      <button type="submit" disabled={isSending}>
        {isApproval ? words.approve : words.send}
      </button>
      <button type="button" disabled={isSending} onClick={decline}>
        {words.decline}
      </button>
    </form>
  );
}

function useAnswer(request: HumanRequest, onAnswered: ApprovalCardProps['onAnswered']) {
  // What hooks need of an orchestrator does not name its tokens; every one has them.
  const orchestrator = useOrchestrator();
  const [standing, setStanding] = useState<'taken' | 'gone'>();
  const [problem, setProblem] = useState<string>();
  const [isSending, setSending] = useState(false);
  const answer = async (given: HumanAnswer) => {
    setSending(true);
    setProblem(undefined);
    try {
      const { respondToHumanRequest } = await import('../graph/nodes/human.ts');
      const isTaken = await respondToHumanRequest(orchestrator as unknown as Answering, request, given);
      setStanding(isTaken ? 'taken' : 'gone');
      if (isTaken) onAnswered?.(given);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
    setSending(false);
  };
  return { answer, standing, problem, isSending };
}

function Context({ context }: { context: HumanRequest['context'] }) {
  const entries = Object.entries(context);
  if (entries.length === 0) return null;
  return (
    <dl className="hf-approval-context">
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd dir="auto">{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

type Change = (name: string, value: unknown) => void;

function Fields({ schema, values, onChange }: { schema: JsonSchema; values: Record<string, unknown>; onChange: Change }) {
  const properties = Object.entries((typeof schema === 'object' && schema.properties) || {});
  const required = new Set(typeof schema === 'object' ? schema.required : []);
  return properties.map(([name, property]) => (
    <label key={name}>
      {(typeof property === 'object' && property.title) || name} <Field name={name} schema={property} value={values[name]} isRequired={required.has(name)} onChange={onChange} />
    </label>
  ));
}

function Field({ name, schema, value, isRequired, onChange }: { name: string; schema: JsonSchema; value: unknown; isRequired: boolean; onChange: Change }) {
  const { type, enum: choices } = typeof schema === 'object' ? schema : {};
  if (type === 'boolean') return <input type="checkbox" name={name} checked={value === true} onChange={(event) => onChange(name, event.target.checked)} />;
  if (choices)
    return (
      <select name={name} value={String(value ?? '')} required={isRequired} onChange={(event) => onChange(name, choices.find((choice) => String(choice) === event.target.value))}>
        <option value="" />
        {choices.map((choice) => (
          <option key={String(choice)}>{String(choice)}</option>
        ))}
      </select>
    );
  if (type === 'number' || type === 'integer')
    return <input type="number" step={type === 'integer' ? 1 : 'any'} name={name} required={isRequired} value={value === undefined ? '' : String(value)} onChange={(event) => onChange(name, event.target.value === '' ? undefined : event.target.valueAsNumber)} />;
  return <input type="text" name={name} required={isRequired} value={String(value ?? '')} onChange={(event) => onChange(name, event.target.value === '' ? undefined : event.target.value)} />;
}

function defaultsOf(schema: JsonSchema): Record<string, unknown> {
  const properties = Object.entries((typeof schema === 'object' && schema.properties) || {});
  return Object.fromEntries(properties.flatMap(([name, property]) => (typeof property !== 'object' ? [] : property.default !== undefined ? [[name, property.default]] : property.type === 'boolean' ? [[name, false]] : [])));
}
