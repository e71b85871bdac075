/** The Pipelines page. Its editor is a chunk of its own, loaded here, so that the other pages load nothing of it. */
import { lazy, Suspense } from 'react';
import { useWords } from '../shell/choices.ts';

const PipelinesEditor = lazy(() => import('../pipelines/pipelines-editor.tsx'));

export function PipelinesPage() {
  const say = useWords();
  return (
    <section className="page" aria-labelledby="title">
      <h1 id="title">{say.pipelinesTitle}</h1>
      <p className="lead">{say.pipelinesLead}</p>
      <Suspense fallback={<p className="hint" role="status">{say.loading}</p>}>
        <PipelinesEditor />
      </Suspense>
    </section>
  );
}
