/** The contract of tests/storage, kept by the real stores of Chromium; each reopening is a reload of the page. */
import type { Server } from 'node:http';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { storageContract } from '../storage/contract.ts';
import { Profile, ready, remote, serve } from './storage-chromium.ts';

let server: Server;
let profile: Profile;
let page: Page;
let worlds = 0;

beforeAll(async () => {
  const served = await serve();
  server = served.server;
  profile = new Profile(`http://localhost:${served.port}/`);
  page = await profile.start();
});
afterAll(async () => {
  await profile.remove();
  server.close();
});

function makeWorld(recipe: string) {
  const namespace = `world-${worlds++}`;
  let isFirst = true;
  const fresh = async () => {
    if (!isFirst) {
      await page.reload();
      await ready(page);
    }
    isFirst = false;
    return page;
  };
  return { store: () => remote(fresh, recipe, namespace) };
}

storageContract('opfs() in Chromium', () => makeWorld('opfs'), { persistent: true, blobBytes: 9_000_000 });
storageContract('indexedDB() in Chromium', () => makeWorld('indexedDB'), { persistent: true, blobBytes: 9_000_000 });
storageContract('mirror(opfs(), indexedDB()) in Chromium', () => makeWorld('mirror'), {
  persistent: true,
  blobBytes: 9_000_000,
});
storageContract('local() in Chromium', () => makeWorld('local'), { persistent: true, blobBytes: 300_000 });
