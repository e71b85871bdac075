/** Tests on a virtual clock have all code from the start: one that is loaded on the way takes real time, which no clock knows. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, it } from 'vitest';

const js = join(import.meta.dirname, '../../js');

/** Loaded where no clock of a test is waited for, or what no test of an application has. */
const others = [
  'react/', // an adapter: by hand of whoever answers a card
  'define.ts', // the default storage of pages
  'inline.ts', // bytes of the module
  'testing/', // the kit itself
  'definition/types.ts', // an example in a docstring
  'definition/version-change.ts', // an example in a message
];

/** What a file loads when it is first needed. */
function loadedBy(file: string): string[] {
  const text = readFileSync(join(js, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  // A type's import is followed by what it takes of it.
  const found = [...text.matchAll(/\bimport\('([^']+)'\)(?!\.[A-Z])/g)].map(([, name]) => name!);
  return found.map((name) => (name.startsWith('.') ? relative(js, join(js, dirname(file), name)) : name));
}

it('the testing kit has from the start what pages load when they first need it', () => {
  const has = new Set(['rooms.ts', 'graph-rooms.ts'].flatMap((file) => [...readFileSync(join(js, 'testing', file), 'utf8').matchAll(/^import '(?:\.\.\/)?([^']+)';/gm)].map(([, name]) => name)));
  const files = (readdirSync(js, { recursive: true }) as string[]).filter((file) => /\.tsx?$/.test(file) && !file.endsWith('.d.ts') && !others.some((one) => file.startsWith(one)));
  const missing = files.flatMap((file) => loadedBy(file).filter((name) => !has.has(name)).map((name) => `${file} loads ${name}`));
  expect(has.size).toBeGreaterThan(40);
  expect(missing).toEqual([]);
});
