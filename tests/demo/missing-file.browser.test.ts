/** A file whose bytes the browser has lost between two visits: its run waits, and the panel asks for it. */
import type { OrchestratorApi } from 'holdfast';
import type { BrowserContext, Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { makePdf } from '../fixtures/pdfs.mjs';
import { servedDemo } from './built-demo.ts';

const demo = servedDemo();

declare global {
  // What the demo shows to whoever drives it.
  var holdfast: OrchestratorApi;
}

async function visit(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${demo.server.url}#/pdf`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.evaluate(() => globalThis.holdfast.ready);
  return page;
}

const theRun = (page: Page) => page.evaluate(() => {
  const { status, phase, reason, missing } = globalThis.holdfast.getAllTasks()[0]!;
  return { status, phase, reason, missing: missing?.map(({ name, size }) => ({ name, size })) };
});

/** The second copy follows the first within moments. */
const isInBoth = (page: Page) => page.evaluate(async () => {
  const done = <Result>(request: IDBRequest<Result>) => new Promise<Result>((resolve, reject) => Object.assign(request, { onsuccess: () => resolve(request.result), onerror: () => reject(request.error) }));
  for (const { name } of await indexedDB.databases()) {
    const database = await done(indexedDB.open(name!));
    const count = database.objectStoreNames.contains('blobs') ? await done(database.transaction('blobs').objectStore('blobs').count()) : 0;
    database.close();
    if (count > 0) return true;
  }
  return false;
});

/** Both stores keep what they know of it, and lose its bytes. Gives in how many places they lay. */
async function loseBytes(context: BrowserContext): Promise<number> {
  const page = await context.newPage();
  // Of the same origin, and without holdfast.
  await page.goto(`${demo.server.url}nothing-here`);
  const lost = await page.evaluate(async () => {
    let places = 0;
    const stores: any = await (await navigator.storage.getDirectory()).getDirectoryHandle('holdfast');
    for await (const store of stores.values()) {
      for await (const file of store.values()) {
        if (!file.name.endsWith('.blobs')) continue;
        const bytes = new Uint8Array(await (await file.getFile()).arrayBuffer());
        if (bytes.every((byte) => byte === 0)) continue;
        const writable = await file.createWritable();
        await writable.write(new Uint8Array(bytes.length));
        await writable.close();
        places++;
      }
    }
    const done = <Result>(request: IDBRequest<Result>) => new Promise<Result>((resolve, reject) => Object.assign(request, { onsuccess: () => resolve(request.result), onerror: () => reject(request.error) }));
    for (const { name } of await indexedDB.databases()) {
      const database = await done(indexedDB.open(name!));
      if (database.objectStoreNames.contains('blobs')) {
        const blobs = database.transaction('blobs', 'readwrite').objectStore('blobs');
        if ((await done(blobs.count())) > 0) places++;
        await done(blobs.clear());
      }
      database.close();
    }
    return places;
  });
  await page.close();
  return lost;
}

it('A lost file is asked for in the panel: another one is refused with words, the right one lets the run go on and end', async () => {
  const context = await demo.browser.newContext({ locale: 'en-US' });
  const buffer = Buffer.from(await makePdf({ pages: 60, lines: 40 }));
  const upload = (name: string, bytes: Buffer) => ({ name, mimeType: 'application/pdf', buffer: bytes });
  const first = await visit(context);
  await first.locator('input[type=file]').first().setInputFiles(upload('long.pdf', buffer));
  await expect.poll(() => first.evaluate(() => globalThis.holdfast.getAllTasks()[0]?.status), { interval: 5, timeout: 30_000 }).toBe('running');
  await expect.poll(() => isInBoth(first), { interval: 5, timeout: 10_000 }).toBe(true);
  await first.close();
  // The file of a closed page stays open for a moment.
  await expect.poll(() => loseBytes(context), { timeout: 20_000 }).toBe(2);

  const page = await visit(context);
  await expect.poll(() => theRun(page), { timeout: 20_000 }).toEqual({
    status: 'paused', phase: 'blocked', reason: 'missing-payload', missing: [{ name: 'long.pdf', size: buffer.length }],
  });
  const chooser = page.locator('.tasks .hf-missing input[type=file]');
  await chooser.setInputFiles(upload('long.pdf', Buffer.from(await makePdf({ pages: 1, lines: 2 }))));
  await page.locator('.hf-problem').getByText(/is not .*long\.pdf.*the missing file had/).waitFor();
  expect(await theRun(page)).toMatchObject({ status: 'paused', reason: 'missing-payload' });
  const changed = Buffer.from(buffer);
  changed[changed.length - 1]! ^= 1;
  await chooser.setInputFiles(upload('other.pdf', changed));
  await page.locator('.hf-problem').getByText(/the same size, but another content/).waitFor();
  await chooser.setInputFiles(upload('renamed by its owner.pdf', buffer));
  await expect.poll(() => page.evaluate(() => globalThis.holdfast.counts().completed), { timeout: 60_000 }).toBe(1);
  expect(await page.locator('.hf-missing').count()).toBe(0);
  await context.close();
}, 120_000);
