(function () {
  'use strict';
  var read = function (key) {
    try {
      return localStorage.getItem('holdfast-demo:' + key);
    } catch (_) {
      return null;
    }
  };
  var theme = read('theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  var language = read('language') || (navigator.language || 'en').slice(0, 2);
  document.documentElement.lang = language === 'fr' ? 'fr' : 'en';
})();
