/** What a person chose, kept across reloads: language and theme. `public/choices.js` reads the same keys before the first paint. */
import { createContext, useContext, useEffect, useState } from 'react';
import { type Language, type Words, words } from '../words.ts';

export type Theme = 'auto' | 'light' | 'dark';

function stored(key: string): string | null {
  try {
    return localStorage.getItem(`holdfast-demo:${key}`);
  } catch {
    return null; // blocked storage is no reason not to start
  }
}

function store(key: string, value: string): void {
  try {
    localStorage.setItem(`holdfast-demo:${key}`, value);
  } catch {
    // the choice then lasts as long as the page
  }
}

export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState<Theme>(() => {
    const value = stored('theme');
    return value === 'light' || value === 'dark' ? value : 'auto';
  });
  useEffect(() => {
    if (theme === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
    store('theme', theme);
  }, [theme]);
  return [theme, setTheme];
}

export function useLanguageChoice(): [Language, (language: Language) => void] {
  const [language, setLanguage] = useState<Language>(() => (document.documentElement.lang === 'fr' ? 'fr' : 'en'));
  const choose = (next: Language) => {
    store('language', next);
    document.documentElement.lang = next;
    setLanguage(next);
  };
  return [language, choose];
}

export const LanguageContext = createContext<Language>('en');
export const useLanguage = () => useContext(LanguageContext);
export const useWords = (): Words => words[useLanguage()];
