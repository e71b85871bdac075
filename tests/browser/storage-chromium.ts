/**
 * Real Chromium for the storage tests: a server that gives out js/ one module per file (compiled on the
 * way, under a strict CSP), a profile that outlives its browser, and stores in the page that look to a
 * test as if they were here.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContext, chromium, type Frame, type Page } from 'playwright-core';
import ts from 'typescript';
import * as errors from '../../js/errors.ts';
import type { CopySlot, CopyStorage, NamedBlob, Stamp } from '../../js/storage/copy.ts';
import type { StorageOpenOptions, StorageSlot } from '../../js/storage.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const policy = "default-src 'self'; script-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'";

const page = '<!doctype html><script type="module" src="/tests/browser/storage-page.js"></script>';

function compile(path: string): string {
  const source = readFileSync(join(root, path.replace(/\.js$/, '.ts')), 'utf8');
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2022,
      rewriteRelativeImportExtensions: true,
    },
  });
  return outputText.replace(/from 'idb'/g, "from '/node_modules/idb/build/index.js'");
}

const loaded = new Map<string, string>();

function load(path: string): string {
  let text = loaded.get(path);
  if (text === undefined) {
    text = path.startsWith('/node_modules/') ? readFileSync(join(root, path), 'utf8') : compile(path);
    loaded.set(path, text);
  }
  return text;
}

export async function serve(): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url!, 'http://x').pathname);
    response.setHeader('Content-Security-Policy', policy);
    response.setHeader('Access-Control-Allow-Origin', '*');
    try {
      const isScript = /^\/(js|tests|node_modules\/idb)\/.+\.js$/.test(path);
      response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
      response.end(
        isScript
          ? load(path)
          : path === '/sandboxed'
            ? '<!doctype html><iframe sandbox="allow-scripts" src="/">'
            : page,
      );
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

/** One browser profile; the browser in it can be killed and started again. */
export class Profile {
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-storage-'));
  readonly url: string;
  readonly #args: string[];
  #context: BrowserContext | undefined;

  constructor(url: string, args: string[] = []) {
    this.url = url;
    this.#args = args;
  }

  get context(): BrowserContext {
    return this.#context!;
  }

  async start(): Promise<Page> {
    rmSync(join(this.directory, 'SingletonLock'), { force: true });
    this.#context = await chromium.launchPersistentContext(this.directory, {
      executablePath: process.env.HOLDFAST_CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', ...this.#args],
    });
    return this.open();
  }

  async open(): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(this.url);
    await ready(page);
    return page;
  }

  async stop(): Promise<void> {
    await this.#context?.close();
    this.#context = undefined;
  }

  /** SIGKILL to every process of this profile's browser. */
  async kill(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.context.once('close', () => resolve()));
    const flag = `--user-data-dir=${this.directory}`;
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      if (commandLine(pid).includes(flag)) process.kill(Number(pid), 'SIGKILL');
    }
    await closed;
    this.#context = undefined;
  }

  /** Files of the profile, by a part of their path. REQUIRES: the browser is not running. */
  files(part: RegExp, directory = join(this.directory, 'Default')): string[] {
    if (!existsSync(directory)) return [];
    return readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter((name) => part.test(name))
      .map((name) => join(directory, name));
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

export async function ready(page: Page | Frame): Promise<void> {
  await page.waitForFunction(() => 'perform' in window);
}

type Answer = { value?: unknown; error?: { name: string; code: string; message: string }; events: any[] };

/** A call to the page's end, storage-page.ts; bytes and blobs travel as text. */
async function perform(page: Page | Frame, request: object): Promise<Answer> {
  return page.evaluate((one) => (window as any).perform(one), request);
}

const toText = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const toBytes = (text: unknown) => new Uint8Array(Buffer.from(text as string, 'base64'));

class RemoteSlot implements CopySlot {
  readonly slot: number;
  readonly #ask: (op: string, request?: object) => Promise<unknown>;
  readonly handle: number;
  constructor(slot: number, handle: number, ask: (op: string, request?: object) => Promise<unknown>) {
    this.slot = slot;
    this.handle = handle;
    this.#ask = ask;
  }
  stamp(): Stamp {
    throw new Error('not here');
  }
  async read() {
    return toBytes(await this.#ask('read'));
  }
  async truncate(length: number) {
    await this.#ask('truncate', { length });
  }
  async append(bytes: Uint8Array) {
    return (await this.#ask('append', { bytes: toText(bytes) })) as { spaceLow: boolean };
  }
  async replace(bytes: Uint8Array) {
    await this.#ask('replace', { bytes: toText(bytes) });
  }
  async putBlob(id: string, blob: Blob) {
    await this.#ask('putBlob', { id, bytes: toText(new Uint8Array(await blob.arrayBuffer())) });
  }
  async putBlobs(blobs: readonly NamedBlob[]) {
    for (const [id, blob] of blobs) await this.putBlob(id, blob);
  }
  async copyBlobs(from: StorageSlot, ids: readonly string[]) {
    return (await this.#ask('copyBlobs', { from: (from as RemoteSlot).handle, ids })) as string[];
  }
  async getBlob(id: string) {
    return new Blob([toBytes(await this.#ask('getBlob', { id }))]);
  }
  async deleteBlobs(ids: readonly string[]) {
    await this.#ask('deleteBlobs', { ids });
  }
  async blobIds() {
    return (await this.#ask('blobIds')) as string[];
  }
  async flush() {
    await this.#ask('flush');
  }
  async close() {
    await this.#ask('close');
  }
}

let nextStore = 1;

/** A store in the page. `recipe`: `opfs`, `indexedDB`, `local`, `memory` or `mirror`. */
export function remote(page: () => Promise<Page> | Page | Frame, recipe: string, namespace = 'test'): CopyStorage {
  const store = nextStore++;
  let where: Page | Frame;
  let onEvent: StorageOpenOptions['onEvent'] = () => undefined;
  const ask = async (op: string, request: object = {}) => {
    const answer = await perform(where, { store, op, ...request });
    answer.events.forEach(onEvent);
    if (!answer.error) return answer.value;
    const type = (errors as any)[answer.error.name] ?? Error;
    throw new type(answer.error.message);
  };
  return {
    name: recipe,
    durability: 'power',
    async open(options) {
      where = await page();
      onEvent = options.onEvent;
      const name = options.namespace === 'test' ? namespace : options.namespace;
      await ask('open', { recipe, namespace: name, durability: options.durability });
    },
    connect: () => Promise.reject(new Error('not here')),
    install: () => Promise.reject(new Error('not here')),
    check: async () => (await ask('check')) as boolean,
    slotCount: async () => (await ask('slotCount')) as number,
    occupiedSlots: async () => (await ask('occupiedSlots')) as number[],
    async openSlot(slot) {
      const handle = await ask('openSlot', { slot });
      return new RemoteSlot(slot, handle as number, (op, request = {}) => ask(op, { ...request, handle }));
    },
    close: async () => void (await ask('closeStore')),
  };
}
