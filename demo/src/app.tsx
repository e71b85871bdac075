import { TaskManager } from 'holdfast/react';
import { useEffect } from 'react';
import { JsonPage } from './pages/json-page.tsx';
import { PdfPage } from './pages/pdf-page.tsx';
import { LanguageContext, useLanguageChoice, useTheme, useWords } from './shell/choices.ts';
import { Header } from './shell/header.tsx';
import { type Route, useRoute } from './shell/route.ts';
import { StorageBadge } from './shell/storage-badge.tsx';
import { TryIt } from './shell/try-it.tsx';
import type { Language } from './words.ts';

function HowItHolds() {
  const say = useWords();
  const steps = [[say.step1, say.step1Text], [say.step2, say.step2Text], [say.step3, say.step3Text]] as const;
  return (
    <ol className="steps">
      {steps.map(([title, text]) => (
        <li key={title}>
          <strong>{title}</strong>
          <span>{text}</span>
        </li>
      ))}
    </ol>
  );
}

function Body({ route, language }: { route: Route; language: Language }) {
  const say = useWords();
  const title = route === 'pdf' ? say.pdfTitle : say.jsonTitle;
  useEffect(() => {
    document.title = `${title} · holdfast`;
  }, [title]);
  return (
    <main>
      {route === 'pdf' ? <PdfPage /> : <JsonPage />}
      <HowItHolds />
      <section className="tasks" aria-label={say.tasks}>
        <StorageBadge />
        <TaskManager locale={language} />
      </section>
      <TryIt />
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
      <Body route={route} language={language} />
    </LanguageContext>
  );
}
