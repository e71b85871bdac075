import { TaskManager } from 'holdfast/react';
import { useEffect, useRef } from 'react';
import { JsonPage } from './pages/json-page.tsx';
import { PdfPage } from './pages/pdf-page.tsx';
import { LanguageContext, type Theme, useLanguageChoice, useTheme, useWords } from './shell/choices.ts';
import { Header } from './shell/header.tsx';
import { type Route, useRoute } from './shell/route.ts';
import { StorageBadge } from './shell/storage-badge.tsx';
import { TryIt } from './shell/try-it.tsx';
import type { Language } from './words.ts';

function HowItHolds({ route, onTry }: { route: Route; onTry(): void }) {
  const say = useWords();
  const isPdf = route === 'pdf';
  return (
    <ol className="steps">
      <li>
        <strong>{say.step1}</strong>
        <span>{say.step1Text}</span>
      </li>
      <li>
        <strong>{say.step2}</strong>
        <span>{isPdf ? say.step2Pdf : say.step2Json} </span>
        <button type="button" className="plain inline" onClick={onTry}>{say.tryIt}</button>
      </li>
      <li>
        <strong>{say.step3}</strong>
        <span>{isPdf ? say.step3Pdf : say.step3Json}</span>
      </li>
    </ol>
  );
}

function Body({ route, language, theme }: { route: Route; language: Language; theme: Theme }) {
  const say = useWords();
  const title = route === 'pdf' ? say.pdfTitle : say.jsonTitle;
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
    <main>
      {route === 'pdf' ? <PdfPage /> : <JsonPage />}
      <HowItHolds route={route} onTry={showTryIt} />
      <div className="tasks">
        <StorageBadge />
        <TaskManager locale={language} theme={theme} />
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
