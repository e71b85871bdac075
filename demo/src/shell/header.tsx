import type { Language } from '../words.ts';
import { type Theme, useWords } from './choices.ts';
import { type Route, routes } from './route.ts';

interface HeaderProps {
  route: Route;
  language: Language;
  onLanguage(language: Language): void;
  theme: Theme;
  onTheme(theme: Theme): void;
}

export function Header({ route, language, onLanguage, theme, onTheme }: HeaderProps) {
  const say = useWords();
  return (
    <header className="bar">
      <div className="bar-inner">
        <a className="brand" href="#/pdf">
          <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="8" />
            <path d="M10 7v18M22 7v18M10 16h12" />
          </svg>
          <span>holdfast</span>
        </a>
        <nav aria-label={say.pages}>
          {routes.map((page) => <a key={page} href={`#/${page}`} aria-current={route === page ? 'page' : undefined}>{say[page]}</a>)}
        </nav>
        <div className="choices">
          <select aria-label={say.theme} value={theme} onChange={(event) => onTheme(event.target.value as Theme)}>
            <option value="auto">{say.themeAuto}</option>
            <option value="light">{say.themeLight}</option>
            <option value="dark">{say.themeDark}</option>
          </select>
          <select aria-label={say.language} value={language} onChange={(event) => onLanguage(event.target.value as Language)}>
            <option value="en" lang="en">English</option>
            <option value="fr" lang="fr">Français</option>
          </select>
        </div>
      </div>
    </header>
  );
}
