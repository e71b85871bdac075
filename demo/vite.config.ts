import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import { contentSecurityPolicy } from './policy.mjs';
import { pdfjsAssets } from './vite-pdfjs-assets.ts';

/** The policy travels with the built page, for hosts where no header can be set. Not in development: hot reload needs inline styles. */
function policyInPage(): Plugin {
  return {
    name: 'policy-in-page',
    apply: 'build',
    transformIndexHtml: () => [
      { tag: 'meta', attrs: { 'http-equiv': 'Content-Security-Policy', content: contentSecurityPolicy }, injectTo: 'head-prepend' },
    ],
  };
}

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), pdfjsAssets(), policyInPage()],
  worker: { format: 'es' },
  // `holdfast` is found by its own name, through the exports of package.json: the built package, as a stranger gets it.
  // Prebundling would move its workers and its wasm away from the files that point to them.
  optimizeDeps: { exclude: ['holdfast', 'holdfast/graph', 'holdfast/react', 'holdfast/worker', 'pdfjs-dist'], include: ['idb', 'fflate', '@streamparser/json', '@xyflow/react', '@cfworker/json-schema', 're2js'] },
  build: { target: 'es2022', outDir: 'dist', emptyOutDir: true, assetsInlineLimit: 0, chunkSizeWarningLimit: 1500, reportCompressedSize: false },
  preview: { headers: { 'content-security-policy': contentSecurityPolicy, 'x-content-type-options': 'nosniff' } },
});
