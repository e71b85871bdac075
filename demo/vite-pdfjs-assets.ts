/** Serves what pdf.js loads while it works (fonts, character maps, image decoders) from our own origin, and copies it into the build. */
import { createReadStream, existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { createRequire } from 'node:module';
import type { Plugin } from 'vite';

const kFolders = ['cmaps', 'standard_fonts', 'wasm', 'iccs'];
const home = dirname(createRequire(import.meta.url).resolve('pdfjs-dist/package.json'));

export function pdfjsAssets(prefix = 'pdfjs/'): Plugin {
  return {
    name: 'pdfjs-assets',
    configureServer(server) {
      server.middlewares.use(`/${prefix}`, (request, response, next) => {
        const path = normalize(decodeURIComponent((request.url ?? '').split('?')[0] ?? '')).replace(/^\/+/, '');
        const file = join(home, path);
        if (!kFolders.some((folder) => path.startsWith(`${folder}/`)) || !existsSync(file)) return next();
        response.setHeader('content-type', path.endsWith('.wasm') ? 'application/wasm' : 'application/octet-stream');
        createReadStream(file).pipe(response);
      });
    },
    generateBundle() {
      for (const folder of kFolders) {
        for (const name of readdirSync(join(home, folder))) {
          this.emitFile({ type: 'asset', fileName: `${prefix}${folder}/${name}`, source: readFileSync(join(home, folder, name)) });
        }
      }
    },
  };
}
