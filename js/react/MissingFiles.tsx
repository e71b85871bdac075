'use client';
import { type ChangeEvent, useId, useState } from 'react';
import type { MissingFile, TaskState } from '../types.ts';
import type { Format } from './format.ts';
import { usePanel } from './panel.ts';
import { clip, isolate, reasonOf } from './text.ts';

const nameOf = (file: Pick<MissingFile, 'name'>, format: Format) =>
  file.name ? isolate(clip(file.name, 120)) : format.label('unnamedFile');

/** What differs, in the panel's language; an error of another kind in its own words. */
function sentence(error: unknown, given: File, format: Format): string {
  const { code, data } = error as { code?: unknown; data?: { differs?: string; expected?: MissingFile } };
  const values = { given: isolate(clip(given.name, 120)), size: format.bytes(given.size) };
  if (code !== 'PAYLOAD_MISMATCH' || !data?.expected) {
    const reason = reasonOf(error);
    return format.label('actionFailed', { action: format.label('chooseFile'), reason });
  }
  const { expected } = data;
  const whole = { ...values, name: nameOf(expected, format), expected: format.bytes(expected.size) };
  if (data.differs === 'size') return format.label('wrongSize', whole);
  return format.label(data.differs === 'name' ? 'wrongName' : 'wrongContent', whole);
}

/** Gives the chosen files to the run, one after the other, until one is refused. */
function useProvide(id: string) {
  const { orchestrator, format, voice } = usePanel();
  const [problem, setProblem] = useState<string>();
  const [isChecking, setChecking] = useState(false);
  const provide = async (event: ChangeEvent<HTMLInputElement>) => {
    const files = [...(event.target.files ?? [])];
    // The same file again is a change again.
    event.target.value = '';
    setProblem(undefined);
    setChecking(true);
    for (const file of files) {
      try {
        await orchestrator.providePayload(id, file);
      } catch (error) {
        const text = sentence(error, file, format);
        setProblem(text);
        voice.current?.say(text, true);
        break;
      }
    }
    setChecking(false);
  };
  return { provide, problem, isChecking };
}

/** Asks for the files that a run has lost. */
export function MissingFiles({ state, missing }: { state: TaskState; missing: readonly MissingFile[] }) {
  const { format, part } = usePanel();
  const { provide, problem, isChecking } = useProvide(state.id);
  const problemId = useId();
  return (
    <div className="hf-missing">
      <ul className="hf-missing-files">
        {missing.slice(0, 20).map((file) => (
          <li key={`${file.name} ${file.size} ${file.digest}`}>
            <bdi>{nameOf(file, format)}</bdi> <span className="hf-quiet">{format.bytes(file.size)}</span>
          </li>
        ))}
      </ul>
      <label className={part('button', 'hf-button hf-file')} data-worded="true" data-action="provide">
        {format.label(isChecking ? 'checkingFile' : 'chooseFile')}
        <input
          className="hf-hidden"
          type="file"
          multiple={missing.length > 1}
          disabled={isChecking}
          aria-describedby={problem ? problemId : undefined}
          onChange={(event) => void provide(event)}
        />
      </label>
      {problem && (
        <p id={problemId} className="hf-problem">
          {problem}
        </p>
      )}
    </div>
  );
}
