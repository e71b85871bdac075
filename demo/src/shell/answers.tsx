/** The answers that come in at the moment, and the latest that are there: what one sees of a file before it is done. */
import type { TaskState } from 'holdfast';
import { useTaskStream, useTasks } from 'holdfast/react';
import { useMemo } from 'react';
import type { Answer, AnswerPiece } from '../tasks/endpoint.ts';
import { useWords } from './choices.ts';

const kShown = 4;
const kMaxCharacters = 600;

/** Those that run first, then the newest that are done. */
function latest(texts: readonly TaskState<Answer>[]): readonly TaskState<Answer>[] {
  const rank = ({ status, lastUpdated }: TaskState) => (status === 'running' ? Number.MAX_SAFE_INTEGER : lastUpdated);
  return [...texts].sort((a, b) => rank(b) - rank(a)).slice(0, kShown);
}

function Coming({ id }: { id: string }) {
  const { chunks } = useTaskStream<AnswerPiece>(id, 'answer');
  const attempt = chunks.at(-1)?.attempt;
  return chunks.filter((piece) => piece.attempt === attempt).map(({ text }) => text).join('').slice(-kMaxCharacters) || '…';
}

const isTriedAgain = ({ taskIdentifier, phase, error }: TaskState) => taskIdentifier === 'enrich-text' && phase === 'retrying' && error !== null;

/** The endpoint can't be reached, or has had enough: its texts are tried again by themselves, and say why. */
function Holdup() {
  const say = useWords();
  const [text] = useTasks(isTriedAgain);
  return (
    <p role="status" className="storing">
      {text?.error ? <bdi>{say.triedAgain(text.error.message)}</bdi> : null}
    </p>
  );
}

export function Answers() {
  return (
    <>
      <Holdup />
      <Latest />
    </>
  );
}

function Latest() {
  const say = useWords();
  const texts = useTasks({ taskIdentifier: 'enrich-text', status: ['running', 'completed'] });
  const shown = useMemo(() => latest(texts), [texts]);
  if (shown.length === 0) return null;
  return (
    <section className="answers" aria-label={say.answers}>
      <h2>{say.answers}</h2>
      <ul>
        {shown.map(({ id, status, item, result }) => (
          <li key={id} data-status={status}>
            <span className="number">{(item?.index ?? 0) + 1}</span>
            <p><bdi>{status === 'running' ? <Coming id={id} /> : (result?.text.slice(0, kMaxCharacters) ?? say.kept)}</bdi></p>
          </li>
        ))}
      </ul>
    </section>
  );
}
