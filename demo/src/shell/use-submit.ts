/** Hands files to the orchestrator; what it refuses (no room, no storage) becomes a notice. */
import { useOrchestrator } from 'holdfast/react';
import type { Task } from 'holdfast';
import { useLanguage, useWords } from './choices.ts';

/** Set by `npm start -- --check`: a path on this origin where each computed and stored page is told. */
const acknowledge = new URLSearchParams(location.search).get('acknowledge');

export function useSubmit<Input extends { file: File }>(task: Task<string, Input, File>, tell: (text: string) => void) {
  const orchestrator = useOrchestrator();
  const say = useWords();
  const language = useLanguage();
  return async (inputs: Input[]): Promise<void> => {
    // One after the other: each is on this device before the next is copied.
    for (const input of inputs) {
      const { name, size } = input.file;
      // The language is for what the task may have to say about the file.
      const metadata = { fileName: name, fileSize: size, language, ...(acknowledge ? { acknowledge } : {}) };
      try {
        await orchestrator.executeTask(say.processing(name), task, input, metadata);
      } catch (error) {
        tell(say.refused(name, error instanceof Error ? error.message : String(error)));
      }
    }
  };
}
