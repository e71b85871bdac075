// Runs before the first paint; src/shell/choices.ts keeps the same keys.
{
  const read = (key) => {
    try {
      return localStorage.getItem(`holdfast-demo:${key}`);
    } catch {
      return null;
    }
  };
  const theme = read('theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  const language = read('language') ?? (navigator.language || 'en').slice(0, 2);
  document.documentElement.lang = language === 'fr' ? 'fr' : 'en';
}
