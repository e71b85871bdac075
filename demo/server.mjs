// Serves the built demo on this machine only, under the policy it is meant for. Used by `npm start`,
// by the check and by tests; a plain file server, so that what they see is what a static host gives.
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { contentSecurityPolicy } from './policy.mjs';

export const built = fileURLToPath(new URL('./dist/', import.meta.url));

const types = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm',
  '.json': 'application/json', '.svg': 'image/svg+xml', '.png': 'image/png', '.ttf': 'font/ttf',
};

function fileFor(directory, url) {
  let path;
  try {
    path = normalize(decodeURIComponent(new URL(url, 'http://localhost').pathname));
  } catch {
    return undefined;
  }
  const file = join(directory, path.endsWith(sep) ? join(path, 'index.html') : path);
  return file.startsWith(directory) && statSync(file, { throwIfNoEntry: false })?.isFile() ? file : undefined;
}

function answer(directory, request, response) {
  const file = request.method === 'GET' || request.method === 'HEAD' ? fileFor(directory, request.url ?? '/') : undefined;
  const headers = { 'content-security-policy': contentSecurityPolicy, 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' };
  if (!file) {
    response.writeHead(404, { ...headers, 'content-type': 'text/plain' }).end('Not found');
    return;
  }
  // Names in assets/ carry a hash of their content; everything else is asked for again.
  const cache = file.includes(`${sep}assets${sep}`) ? 'public, max-age=31536000, immutable' : 'no-cache';
  response.writeHead(200, {
    ...headers, 'content-type': types[extname(file)] ?? 'application/octet-stream', 'content-length': statSync(file).size, 'cache-control': cache,
  });
  if (request.method === 'HEAD') response.end();
  else createReadStream(file).on('error', () => response.destroy()).pipe(response);
}

/**
 * @param {{directory?: string, port?: number, intercept?: (request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => boolean}} options
 *   `intercept` answers what is not a file, and says so with true.
 * @returns {Promise<{url: string, port: number, close: () => Promise<void>}>}
 */
export function serve({ directory = built, port = 0, intercept = () => false } = {}) {
  const server = createServer((request, response) => {
    if (!intercept(request, response)) answer(directory, request, response);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const { port: bound } = server.address();
      resolve({
        url: `http://localhost:${bound}/`,
        port: bound,
        close: () => new Promise((done) => { server.close(done); server.closeAllConnections(); }),
      });
    });
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  // A port that was asked for is the port or nothing; the usual one may give way.
  const asked = process.env.PORT;
  const { url } = await serve({ port: Number(asked ?? 4173) }).catch((error) => {
    if (asked === undefined) return serve();
    process.stderr.write(`The demo can't be served on port ${asked}: ${error.message}\n`);
    process.exit(1);
  });
  process.stdout.write(`The demo is at ${url}\n`);
}
