import { useRef, useState } from 'react';
import { orchestrator } from '../orchestrator.ts';
import { Answers } from '../shell/answers.tsx';
import { useWords } from '../shell/choices.ts';
import { Dropzone } from '../shell/dropzone.tsx';
import { addressOf, type EndpointSettings, kMostAtOnce, kMostPerMinute, storedEndpoint, storeEndpoint, within } from '../shell/endpoint-settings.ts';
import { Notices, Storing, useNotices } from '../shell/notices.tsx';
import { useProblems } from '../shell/use-problems.ts';
import { useSubmit } from '../shell/use-submit.ts';
import { apiKeyOf, isRemembered, setApiKey } from '../tasks/api-key.ts';
import { enrichTask, textQueue } from '../tasks/definitions.ts';

/** Settings as they are typed; numbers count when their box is left. */
interface Typed extends Omit<EndpointSettings, 'perMinute' | 'atOnce'> {
  perMinute: string;
  atOnce: string;
}

interface Key {
  text: string;
  remember: boolean;
}

const typedOf = (settings: EndpointSettings): Typed => ({ ...settings, perMinute: String(settings.perMinute), atOnce: String(settings.atOnce) });

function settingsOf(typed: Typed): EndpointSettings {
  const known = storedEndpoint();
  return { ...typed, perMinute: within(typed.perMinute, kMostPerMinute, known.perMinute), atOnce: within(typed.atOnce, kMostAtOnce, known.atOnce) };
}

const keyFor = (typed: string): Key => {
  const endpoint = addressOf(typed);
  return { text: endpoint ? apiKeyOf(endpoint) : '', remember: endpoint ? isRemembered(endpoint) : false };
};

interface FormProps {
  typed: Typed;
  apiKey: Key;
  onChange(change: Partial<Typed>): void;
  onKey(key: Key): void;
  onDone(): void;
  endpointRef: React.Ref<HTMLInputElement>;
  modelRef: React.Ref<HTMLInputElement>;
}

function EndpointForm({ typed, apiKey, onChange, onKey, onDone, endpointRef, modelRef }: FormProps) {
  const say = useWords();
  return (
    <fieldset className="options endpoint">
      <legend>{say.endpoint}</legend>
      <label className="field wide">
        <span>{say.address}</span>
        <input ref={endpointRef} type="url" inputMode="url" placeholder="http://localhost:11434/v1" spellCheck={false} value={typed.endpoint}
          onChange={(event) => onChange({ endpoint: event.target.value })} onBlur={onDone} />
      </label>
      <label className="field">
        <span>{say.model}</span>
        <input ref={modelRef} type="text" spellCheck={false} autoCapitalize="off" value={typed.model} onChange={(event) => onChange({ model: event.target.value })} onBlur={onDone} />
      </label>
      <label className="field">
        <span>{say.apiKey}</span>
        <input type="password" autoComplete="off" value={apiKey.text} title={say.apiKeyHint} onChange={(event) => onKey({ ...apiKey, text: event.target.value })} onBlur={onDone} />
      </label>
      <label className="check remember">
        <input type="checkbox" checked={apiKey.remember} onChange={(event) => onKey({ ...apiKey, remember: event.target.checked })} />
        <span>{say.rememberKey}</span>
      </label>
      <Paces typed={typed} onChange={onChange} onDone={onDone} />
    </fieldset>
  );
}

function Paces({ typed, onChange, onDone }: Pick<FormProps, 'typed' | 'onChange' | 'onDone'>) {
  const say = useWords();
  const paces = [['perMinute', say.perMinute, kMostPerMinute], ['atOnce', say.atOnce, kMostAtOnce]] as const;
  return paces.map(([name, label, most]) => (
    <label className="field" key={name}>
      <span>{label}</span>
      <input type="number" inputMode="numeric" min="1" max={most} step="1" value={typed[name]} onChange={(event) => onChange({ [name]: event.target.value })} onBlur={onDone} />
    </label>
  ));
}

function QuestionForm({ typed, fresh, onChange, onFresh, onDone }: Pick<FormProps, 'typed' | 'onChange' | 'onDone'> & { fresh: boolean; onFresh(fresh: boolean): void }) {
  const say = useWords();
  return (
    <fieldset className="options question">
      <legend>{say.question}</legend>
      <label className="field wide">
        <span>{say.instruction}</span>
        <textarea rows={2} value={typed.instruction} onChange={(event) => onChange({ instruction: event.target.value })} onBlur={onDone} />
      </label>
      <label className="field">
        <span>{say.field}</span>
        <input type="text" spellCheck={false} autoCapitalize="off" value={typed.field} title={say.fieldHint} onChange={(event) => onChange({ field: event.target.value })} onBlur={onDone} />
      </label>
      <label className="check">
        <input type="checkbox" checked={fresh} onChange={(event) => onFresh(event.target.checked)} />
        <span>{say.fresh}</span>
      </label>
    </fieldset>
  );
}

export function EnrichPage() {
  const say = useWords();
  const { notices, tell, dismiss } = useNotices();
  const [typed, setTyped] = useState(() => typedOf(storedEndpoint()));
  const [apiKey, setKey] = useState(() => keyFor(typed.endpoint));
  const [fresh, setFresh] = useState(false);
  const [endpointBox, modelBox] = [useRef<HTMLInputElement>(null), useRef<HTMLInputElement>(null)];
  const { submit, storing } = useSubmit(enrichTask, tell);
  useProblems(tell, say.enrichProblems, 'enrich');

  const change = (part: Partial<Typed>) => {
    setTyped((before) => ({ ...before, ...part }));
    // Another address has a key of its own.
    if (part.endpoint !== undefined && addressOf(part.endpoint) !== addressOf(typed.endpoint)) setKey(keyFor(part.endpoint));
  };
  /** Counts for texts that wait, too. */
  const settle = (key = apiKey) => {
    const settings = settingsOf(typed);
    setTyped(typedOf(settings));
    storeEndpoint(settings);
    orchestrator.setOptions({ queues: { texts: textQueue(settings) } });
    const endpoint = addressOf(settings.endpoint);
    if (endpoint) setApiKey(endpoint, key.text.trim(), key.remember);
    return { ...settings, endpoint };
  };
  const giveKey = (key: Key) => {
    setKey(key);
    settle(key);
  };
  const send = (files: File[]) => {
    const { endpoint, model, instruction, field } = settle();
    const missing = endpoint === undefined ? endpointBox : model.trim() === '' ? modelBox : undefined;
    if (missing) {
      tell(missing === endpointBox ? say.needAddress : say.needModel);
      return missing.current?.focus();
    }
    void submit(files.map((file) => ({ file, endpoint: endpoint!, model: model.trim(), instruction: instruction.trim(), field: field.trim() || 'text', fresh })));
  };
  return (
    <section className="page" aria-labelledby="title">
      <h1 id="title">{say.enrichTitle}</h1>
      <p className="lead">{say.enrichLead}</p>
      <EndpointForm typed={typed} apiKey={apiKey} onChange={change} onKey={giveKey} onDone={() => void settle()} endpointRef={endpointBox} modelRef={modelBox} />
      <QuestionForm typed={typed} fresh={fresh} onChange={change} onFresh={setFresh} onDone={() => void settle()} />
      <Dropzone
        accept=".json,.ndjson,.jsonl,application/json,application/x-ndjson"
        button={say.chooseJson}
        hint={say.dropEnrichHint}
        onFiles={send}
        onFolder={(name) => tell(say.folder(name))}
      />
      <Storing names={storing} />
      <Notices notices={notices} onDismiss={dismiss} />
      <Answers />
    </section>
  );
}
