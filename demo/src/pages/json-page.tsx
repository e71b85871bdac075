import { useState } from 'react';
import { useWords } from '../shell/choices.ts';
import { Dropzone } from '../shell/dropzone.tsx';
import { Notices, Storing, useNotices } from '../shell/notices.tsx';
import { useProblems } from '../shell/use-problems.ts';
import { useSubmit } from '../shell/use-submit.ts';
import { jsonTask } from '../tasks/definitions.ts';
import type { KeyStyle } from '../tasks/json-clean.ts';

interface Options {
  /** As typed: an empty box is not yet a wrong one. */
  megabytes: string;
  trim: boolean;
  dropEmpty: boolean;
  keys: KeyStyle;
}

const kDefault: Options = { megabytes: '5', trim: true, dropEmpty: true, keys: 'keep' };

function partBytesOf(megabytes: string): number {
  const value = Number(megabytes.replace(',', '.'));
  return Math.round(Math.min(256, Math.max(0.1, Number.isFinite(value) && value > 0 ? value : 5)) * 1e6);
}

function Check({ label, value, onChange }: { label: string; value: boolean; onChange(value: boolean): void }) {
  return (
    <label className="check">
      <input type="checkbox" checked={value} onChange={(event) => onChange(event.target.checked)} />
      <span>{label}</span>
    </label>
  );
}

function OptionsForm({ options, onChange }: { options: Options; onChange(options: Options): void }) {
  const say = useWords();
  const set = (change: Partial<Options>) => onChange({ ...options, ...change });
  return (
    <fieldset className="options">
      <legend>{say.options}</legend>
      <label className="field">
        <span>{say.partSize}</span>
        <span className="unit">
          <input
            type="number" inputMode="decimal" min="0.1" max="256" step="any" title={say.partSizeHint} value={options.megabytes}
            onChange={(event) => set({ megabytes: event.target.value })}
            onBlur={() => set({ megabytes: String(partBytesOf(options.megabytes) / 1e6) })}
          />
          {say.megabytes}
        </span>
      </label>
      <label className="field">
        <span>{say.keys}</span>
        <select value={options.keys} onChange={(event) => set({ keys: event.target.value as KeyStyle })}>
          <option value="keep">{say.keysKeep}</option>
          <option value="snake_case">snake_case</option>
          <option value="camelCase">camelCase</option>
        </select>
      </label>
      <div className="checks">
        <Check label={say.trim} value={options.trim} onChange={(trim) => set({ trim })} />
        <Check label={say.dropEmpty} value={options.dropEmpty} onChange={(dropEmpty) => set({ dropEmpty })} />
      </div>
    </fieldset>
  );
}

export function JsonPage() {
  const say = useWords();
  const { notices, tell, dismiss } = useNotices();
  const [options, setOptions] = useState(kDefault);
  const { submit, storing } = useSubmit(jsonTask, tell);
  useProblems(tell, say.problems, 'json');
  const { megabytes, ...cleaning } = options;
  return (
    <section className="page" aria-labelledby="title">
      <h1 id="title">{say.jsonTitle}</h1>
      <p className="lead">{say.jsonLead}</p>
      <OptionsForm options={options} onChange={setOptions} />
      <Dropzone
        accept=".json,.ndjson,.jsonl,application/json,application/x-ndjson"
        button={say.chooseJson}
        hint={say.dropJsonHint}
        onFiles={(files) => submit(files.map((file) => ({ file, partBytes: partBytesOf(megabytes), ...cleaning, format: 'zip' })))}
        onFolder={(name) => tell(say.folder(name))}
      />
      <Storing names={storing} />
      <Notices notices={notices} onDismiss={dismiss} />
    </section>
  );
}
