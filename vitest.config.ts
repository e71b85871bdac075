import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// Tests read the sources under the names users import.
const alias = [
  { find: /^holdfast$/, replacement: here('./js/index.ts') },
  { find: /^holdfast\/(react|testing)$/, replacement: here('./js/$1/index.ts') },
  { find: /^holdfast\/worker$/, replacement: here('./js/workers/index.ts') },
  { find: /^holdfast\/signatures$/, replacement: here('./js/signatures/index.ts') },
  { find: /^holdfast\/graph$/, replacement: here('./js/graph/index.ts') },
  { find: /^holdfast\/p-queue$/, replacement: here('./js/p-queue/index.ts') },
  { find: /^holdfast\/cache$/, replacement: here('./js/cache/index.ts') },
  { find: /^holdfast\/inline$/, replacement: here('./js/inline.ts') },
  { find: /^holdfast\/storage\/(.+)$/, replacement: here('./js/storage/$1.ts') },
];

export default defineConfig({
  resolve: { alias, dedupe: ['react', 'react-dom'] },
  // A config of its own for the demo; nothing here is served.
  publicDir: false,
  test: {
    // As patience.ts has it for the rest.
    expect: { poll: { timeout: 20_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'js',
          // A test of components starts with: // @vitest-environment happy-dom
          environment: 'node',
          // Vitest leaves one processor free, which on two is half the machine.
          maxWorkers: availableParallelism(),
          include: ['tests/{js,storage,react,demo}/**/*.test.{ts,tsx}'],
          exclude: ['**/*.browser.test.*'],
          // Nothing here sleeps: the limit is for what hangs, and a machine under load is no hang.
          testTimeout: 30_000,
          hookTimeout: 30_000,
          setupFiles: [here('./tests/patience.ts')],
          typecheck: { enabled: true, include: ['tests/{js,react}/**/*.test-d.ts'], tsconfig: './tsconfig.json' },
        },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          environment: 'node', // each test drives a real Chromium with playwright-core
          include: ['tests/browser/**/*.test.{ts,tsx}', 'tests/demo/**/*.browser.test.{ts,tsx}'],
          // One browser at a time: they measure time and kill processes, and two at once take twice as long each.
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
