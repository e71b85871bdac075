/** Hands files to the orchestrator; what it refuses (no room, no storage) becomes a notice. */
import { useOrchestrator } from 'holdfast/react';
import type { Task } from 'holdfast';
import { useState } from 'react';
import { useLanguage, useWords } from './choices.ts';

/** Set by `npm start -- --check`: a path on this origin where each computed and stored page is told. */
const acknowledge = new URLSearchParams(location.search).get('acknowledge');

export interface Submission<Input> {
  submit(inputs: Input[]): Promise<void>;
  /** Names of files that are being copied to where they survive; the panel shows them as soon as they do. */
  storing: readonly string[];
}

export function useSubmit<Input extends { file: File }>(task: Task<string, Input, File>, tell: (text: string) => void): Submission<Input> {
  const orchestrator = useOrchestrator();
  const say = useWords();
  const language = useLanguage();
  const [storing, setStoring] = useState<readonly string[]>([]);
  const submitOne = async (input: Input) => {
    const { name, size } = input.file;
    // The language is for what the task may have to say about the file.
    const metadata = { fileName: name, fileSize: size, language, ...(acknowledge ? { acknowledge } : {}) };
    try {
      await orchestrator.executeTask(say.processing(name), task, input, metadata);
    } catch (error) {
      tell(say.refused(name, error instanceof Error ? error.message : String(error)));
    }
  };
  const submit = async (inputs: Input[]) => {
    setStoring((names) => [...names, ...inputs.map(({ file }) => file.name)]);
    // One after the other: each is safe on this device before the next is copied.
    for (const input of inputs) {
      await submitOne(input);
      setStoring((names) => names.toSpliced(names.indexOf(input.file.name), 1));
    }
  };
  return { submit, storing };
}
