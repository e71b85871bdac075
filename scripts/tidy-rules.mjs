// The house rules as data. A rule looks at the files `where` matches, except `not`, and reports
// every line on which `pattern` is found (comments are blanked out first).
// An exception is listed here by name, with its reason, or it does not exist.

const clockExceptions = [
  'js/time/clock.ts', // the Clock port's own implementation
  'js/testing/', // public test helpers: a fake clock wraps the real one
  'js/small-worker/worker-alarm.ts', // the clock's own alarm: tells the small worker what time it is here
  'js/storage/wait.ts', // the storages' own port for time: how long a browser may take to answer, not a task's time
  'js/definition/determinism.ts', // names what it listens to, in place of the page's own
  'js/react/useNow.ts', // time for the eye: the panel's "3 s ago", which decides nothing
  /^js\/.*worker\.ts$/, // a worker has no Clock: timer worker, OPFS worker, handler worker
];

/** They know numbers, not each other; but for the last three, which others may keep theirs in. */
const modules = ['family', 'graph', 'limits', 'retry', 'circuits', 'rates', 'keys', 'timers'];
const structures = ['keys', 'timers', 'rates'];
const foreign = (name) => modules.filter((other) => other !== name && (structures.includes(name) || !structures.includes(other)));

export const rules = [
  {
    says: 'src/ knows no Emscripten, clock, thread or stream, and not <format> (290 KB of WASM) or <regex>',
    where: [/^src\/.*\.(h|cpp)$/],
    pattern: /#\s*include\s*<(emscripten[^>]*|chrono|thread|mutex|future|iostream|format|regex|random)>/,
  },
  {
    says: 'JSON lives in src/json only',
    where: [/^(src|wasm)\/.*\.(h|cpp)$/],
    not: ['src/json/'],
    pattern: /nlohmann/,
  },
  ...modules.map((name) => ({
    says: `${name} knows neither core nor ${foreign(name).join(', ')}`,
    where: [new RegExp(`^src/${name}\\.(h|cpp)$`)],
    // Quoted text is kept for this rule: an include is a string.
    pattern: new RegExp(`#\\s*include\\s*"(.*/)?(core|${foreign(name).join('|')})\\.h"`),
  })),
  {
    says: 'only the bindings name Emscripten',
    where: [/^(src|wasm|tests)\/.*\.(h|cpp)$/],
    not: ['wasm/bindings.cpp', 'wasm/json_bindings.cpp'],
    pattern: /emscripten::|EMSCRIPTEN_BINDINGS|<emscripten/,
  },
  {
    says: 'only engine.ts and load.ts touch the memory of the core, and only document.ts that of json.wasm',
    where: [/^(js|demo)\/.*\.tsx?$/],
    not: ['js/pump/engine.ts', 'js/load.ts', 'js/graph/document.ts'],
    pattern: /\bHEAP(U?8|U?16|U?32|F32|F64)\b/,
  },
  {
    says: 'time and chance come from the Clock port and the seed',
    where: [/^js\/.*\.tsx?$/],
    not: clockExceptions,
    pattern: /\bDate\.now\b|\bperformance\.now\b|\bset(Timeout|Interval)\s*\(|\bMath\.random\b|\bnew Date\(\)/,
  },
  {
    says: 'only js/react knows React',
    where: [/^js\/.*\.tsx?$/],
    not: ['js/react/'],
    pattern: /(from\s*|import\s*\(?\s*)['"]react(-dom)?(\/[^'"]*)?['"]/,
  },
  {
    says: 'a concrete storage is chosen by the default wiring in define.ts, by nobody else',
    where: [/^js\/[^/]+\.ts$/],
    not: ['js/define.ts', 'js/index.ts'],
    pattern: /(from\s*|import\s*\(\s*)['"]\.\/storage\/(memory|opfs|indexeddb|local|mirror)(\.[jt]s)?['"]/,
  },
];

/** Lines of a file, lines of a function; a longer one that is meant is listed below with its present size. */
export const walls = [
  { where: [/^wasm\/.*bindings\.cpp$/], file: 150, function: 70 },
  // A stylesheet is published as one file, so it may be one.
  { where: [/\.css$/], file: 1000, function: 70 },
  { where: [/\.(h|cpp|ts|tsx|mjs)$/], file: 500, function: 70 },
];

/** The ratchet: 'path' or 'path#function' → lines. It may shrink and go away; it may not grow. */
export const allowed = {};
