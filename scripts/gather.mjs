// node scripts/gather.mjs: what every page of holdfast loads, in three files instead of 160.
//
// A bundler that splits code cuts a module out of the rest for every set of dynamic imports that shares it: with the
// modules of js/ one by one a page had to fetch 28 small files before it could begin. So what index.js imports
// statically stands in dist/page.js, but for what goes without the orchestrator too and does not want it in its bundle.
// The modules themselves stay, and name what is theirs in these; what is loaded on first use stays as tsc wrote it.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { rolldown } from 'rolldown';
import { root } from './setup/common.mjs';

const dist = join(root, 'dist');

/** A module and what it imports statically, by path. */
function graph(entry, found = new Set()) {
  if (found.has(entry)) return found;
  found.add(entry);
  for (const [, path] of readFileSync(entry, 'utf8').matchAll(/^(?:import|export)\b[^;'"()=]*['"](\.[^'"]+)['"]/gm))
    graph(resolve(dirname(entry), path), found);
  return found;
}

const page = graph(join(dist, 'index.js'));
const sharedWith = (...entries) => {
  const modules = new Set(entries.flatMap((entry) => [...graph(join(dist, entry))]));
  return (id) => page.has(id) && modules.has(id);
};

/** In this order a module is looked for its place. */
const groups = [
  { name: 'base', test: sharedWith('small-worker/worker.js', 'storage/default.js', 'storage/local.js') },
  { name: 'handlers', test: sharedWith('workers/index.js') },
  { name: 'page', test: (id) => page.has(id) },
];

/** An address is relative to the file that it stands in, and maps lead back to what people wrote. */
const moves = {
  name: 'moves',
  load(id) {
    const code = readFileSync(id, 'utf8').replace(
      /^(?! \*)(.*)new URL\((['"])(\.[^'"]+)\2, import\.meta\.url\)/gm,
      (_, before, quote, path) => `${before}new URL(${quote}./${relative(dist, resolve(dirname(id), path))}${quote}, import.meta.url)`,
    );
    const map = existsSync(`${id}.map`) ? JSON.parse(readFileSync(`${id}.map`, 'utf8')) : undefined;
    return { code, map };
  },
};

const bundle = await rolldown({
  input: Object.fromEntries([...page].map((module) => [relative(dist, module).replace(/\.js$/, ''), module])),
  external: (id, importer) => importer !== undefined && !page.has(resolve(dirname(importer), id)),
  preserveEntrySignatures: 'allow-extension',
  // A constant may be one so that bundlers do not see what it is.
  optimization: { inlineConst: false },
  plugins: [moves],
});
await bundle.write({
  dir: dist,
  minify: false,
  entryFileNames: '[name].js',
  chunkFileNames: '[name].js',
  sourcemap: true,
  codeSplitting: {
    groups: groups.map((group, index) => ({ ...group, priority: groups.length - index })),
    includeDependenciesRecursively: false,
  },
});
for (const module of page) rmSync(`${module}.map`, { force: true });
