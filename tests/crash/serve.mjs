// Bundles a page as a stranger's app would be, out of the built package, and serves it on this machine.
import { readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const types = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm', '.css': 'text/css' };

/** The policy that RELIABILITY asks us to work under, and that most sites could have. */
export const strictPolicy =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; object-src 'none'; base-uri 'none'; require-trusted-types-for 'script'";

let bundles = 0;

/** @returns the directory of the bundle; `remove` it in the end */
export async function bundle(root) {
  const directory = join(tmpdir(), `holdfast-bundle-${process.pid}-${++bundles}`);
  await build({
    root: fileURLToPath(root),
    configFile: false,
    logLevel: 'error',
    worker: { format: 'es' },
    build: {
      target: 'es2022',
      outDir: directory,
      emptyOutDir: true,
      assetsInlineLimit: 0,
      reportCompressedSize: false,
    },
  });
  return { directory, remove: () => rm(directory, { recursive: true, force: true }) };
}

const bodyOf = async (request) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
};

async function fileAt(directory, path) {
  try {
    const name = path.endsWith('/') ? `${path}index.html` : path;
    return {
      status: 200,
      type: types[extname(name)] ?? 'application/octet-stream',
      body: await readFile(join(directory, name)),
    };
  } catch {
    return { status: 404, type: 'text/plain', body: Buffer.from('Not found') };
  }
}

/**
 * @param options.port the same one in every life of a profile: it is part of the origin
 * @param options.answer (path, file, body) => what to answer instead of `file`; undefined leaves it as it is
 */
export async function serve(directory, { port = 0, answer = () => undefined } = {}) {
  const requests = [];
  const respond = async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    requests.push(pathname);
    const body = request.method === 'POST' ? await bodyOf(request) : undefined;
    const file = await fileAt(directory, pathname.includes('..') ? '/' : pathname);
    const { status, type, body: content } = { ...file, ...answer(pathname, file, body) };
    response.writeHead(status, {
      'content-type': type,
      'content-security-policy': strictPolicy,
      'cache-control': 'no-cache',
      'access-control-allow-origin': '*',
    });
    response.end(content);
  };
  // A browser that is killed breaks off in the middle: what did not come whole has not been said.
  const server = createServer((request, response) => void respond(request, response).catch(() => response.destroy()));
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const bound = server.address().port;
  const close = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return { url: `http://localhost:${bound}/`, port: bound, requests, close };
}
