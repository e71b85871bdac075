/** Files that were done, with something in them that was not right. */
import { useOrchestrator } from 'holdfast/react';
import { useEffect } from 'react';
import { shownName } from '../tasks/names.ts';

export function useProblems(tell: (text: string) => void, words: (name: string, count: number) => string, taskIdentifier: string): void {
  const orchestrator = useOrchestrator();
  useEffect(
    () =>
      orchestrator.on('emit', (id, name, data) => {
        if (name !== 'problems' || orchestrator.getTaskState(id)?.taskIdentifier !== taskIdentifier) return;
        const { fileName, count } = data as { fileName: string; count: number };
        tell(words(shownName(fileName), count));
      }),
    [orchestrator, tell, words, taskIdentifier],
  );
}
