import type { TaskState } from 'holdfast';
import { TaskManager } from 'holdfast/react';
import { useEffect, useRef } from 'react';
import { EnrichPage } from './pages/enrich-page.tsx';
import { JsonPage } from './pages/json-page.tsx';
import { PdfPage } from './pages/pdf-page.tsx';
import { PipelinesPage } from './pages/pipelines-page.tsx';
import { LanguageContext, type Theme, useLanguageChoice, useTheme, useWords } from './shell/choices.ts';
import { Header } from './shell/header.tsx';
import { type Route, useRoute } from './shell/route.ts';
import { StorageBadge } from './shell/storage-badge.tsx';
import { TryIt } from './shell/try-it.tsx';
import type { Language, Words } from './words.ts';

const pages = { pdf: PdfPage, json: JsonPage, enrich: EnrichPage, pipelines: PipelinesPage };
const titles = { pdf: 'pdfTitle', json: 'jsonTitle', enrich: 'enrichTitle', pipelines: 'pipelinesTitle' } as const satisfies Record<Route, keyof Words>;
const stepWords = {
  pdf: ['step1', 'step1Text', 'step2Pdf', 'step3Pdf'],
  json: ['step1', 'step1Text', 'step2Json', 'step3Json'],
  enrich: ['step1', 'step1Text', 'step2Enrich', 'step3Enrich'],
  pipelines: ['step1Pipelines', 'step1PipelinesText', 'step2Pipelines', 'step3Pipelines'],
} as const satisfies Record<Route, readonly (keyof Words)[]>;

/** What a run asked for itself is on the page of that run (texts of a file, nodes of a pipeline); here each would be a row. */
const isNobodysChild = ({ parentId }: TaskState) => parentId === undefined;

function HowItHolds({ route, onTry }: { route: Route; onTry(): void }) {
  const say = useWords();
  const [step1, step1Text, step2, step3] = stepWords[route];
  return (
    <ol className="steps">
      <li>
        <strong>{say[step1]}</strong>
        <span>{say[step1Text]}</span>
      </li>
      <li>
        <strong>{say.step2}</strong>
        <span>{say[step2]} </span>
        <button type="button" className="plain inline" onClick={onTry}>{say.tryIt}</button>
      </li>
      <li>
        <strong>{say.step3}</strong>
        <span>{say[step3]}</span>
      </li>
    </ol>
  );
}

function Body({ route, language, theme }: { route: Route; language: Language; theme: Theme }) {
  const say = useWords();
  const title = say[titles[route]];
  const Page = pages[route];
  useEffect(() => {
    document.title = `${title} · holdfast`;
  }, [title]);
  const tryIt = useRef<HTMLDetailsElement>(null);
  const showTryIt = () => {
    if (!tryIt.current) return;
    tryIt.current.open = true;
    // How it moves there is the style sheet's business: some people asked for no motion.
    tryIt.current.scrollIntoView();
    tryIt.current.querySelector('summary')?.focus({ preventScroll: true });
  };
  return (
    <main className={route === 'pipelines' ? 'wide' : undefined}>
      <Page />
      <HowItHolds route={route} onTry={showTryIt} />
      <div className="tasks">
        <StorageBadge />
        <TaskManager filter={isNobodysChild} locale={language} theme={theme} />
      </div>
      <TryIt ref={tryIt} />
    </main>
  );
}

export function App() {
  const route = useRoute();
  const [language, setLanguage] = useLanguageChoice();
  const [theme, setTheme] = useTheme();
  return (
    <LanguageContext value={language}>
      <Header route={route} language={language} onLanguage={setLanguage} theme={theme} onTheme={setTheme} />
      <Body route={route} language={language} theme={theme} />
    </LanguageContext>
  );
}
