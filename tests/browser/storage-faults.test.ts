/**
 * What really happens to a browser's storage, done to a real one: killed, torn, wiped, cut, cleared,
 * filled, forbidden. Each test has a profile of its own.
 */
import { appendFileSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { StorageFullError, StorageLostError, StorageUnavailableError } from '../../js/errors.ts';
import { frame, log, openSession, recover, textsIn } from '../storage/scenario.ts';
import { Profile, ready, remote, serve } from './storage-chromium.ts';

let server: Server;
let port: number;
let profile: Profile;

beforeAll(async () => {
  ({ server, port } = await serve());
});
afterAll(() => void server.close());
afterEach(() => profile?.remove());

const url = () => `http://localhost:${port}/`;
const newProfile = (args: string[] = [], at = url()) => (profile = new Profile(at, args));

async function begin(page: Page, recipe = 'mirror') {
  const session = await openSession(remote(() => page, recipe));
  return { ...session, page, ...(await recover(session.storage)) };
}

/** Writes, closes the browser as a person does, and lets `damage` at the files. */
async function damaged(recipe: string, texts: string[], damage: () => void) {
  const life = await begin(await newProfile().start(), recipe);
  for (const text of texts) await life.slot.append(frame(text, 2_000));
  await life.slot.putBlob('00000000000000aa', new Blob(['attachment']));
  await life.slot.flush();
  await profile.stop();
  damage();
  return begin(await profile.start(), recipe);
}

/** Another run of the browser after that: the damage of one may only show in the next. */
async function nextRun(recipe = 'mirror') {
  await profile.stop();
  return begin(await profile.start(), recipe);
}

const many = Array.from({ length: 50 }, (_, n) => `record ${n}`);
const levelLog = /IndexedDB\/.*\.leveldb\/\d+\.log$/;

function only(files: string[]): string {
  expect(files).toHaveLength(1);
  return files[0]!;
}

/** The header of a record whose payload never came. */
const tornHeader = Buffer.from([0x12, 0x34, 0x56, 0x78, 0x5d, 0x01, 0x01]);

function opfsFiles(): string[] {
  return profile.files(/File System\/.*\/\d{8}$/).filter((path) => statSync(path).size > 0);
}
const isLog = (path: string) => readFileSync(path).subarray(0, 5).toString() === 'HFLOG';
const holdsRecords = (path: string) =>
  isLog(path) &&
  readFileSync(path)
    .subarray(64, 80)
    .some((byte) => byte !== 0);

describe('killed', () => {
  it('A3: a browser killed while it appends loses nothing that was acknowledged, five times', async () => {
    newProfile();
    const acknowledged: string[] = [];
    for (let kill = 0; kill < 5; kill++) {
      const page = await profile.start();
      const { texts } = await begin(page);
      expect(texts.slice(0, acknowledged.length)).toEqual(acknowledged);
      acknowledged.splice(0, Number.POSITIVE_INFINITY, ...texts);
      let resolve: () => void = () => undefined;
      const enough = new Promise<void>((done) => (resolve = done));
      await page.exposeFunction('acknowledge', (text: string) => {
        acknowledged.push(text);
        if (acknowledged.length >= texts.length + 40 + kill * 13) resolve();
      });
      page
        .evaluate(async (start) => {
          const { slots, frame, acknowledge } = window as any;
          for (let n = start; ; n++) {
            await slots.at(-1).append(frame(`record ${n}`, 300));
            await acknowledge(`record ${n}`);
          }
        }, texts.length)
        .catch(() => undefined);
      await enough;
      await profile.kill();
    }
    const { texts, types } = await begin(await profile.start());
    expect(texts.slice(0, acknowledged.length)).toEqual(acknowledged);
    expect(types()).not.toContain('storage-lost');
  });

  it('A2: a crashed page leaves log and blobs to the next', async () => {
    const life = await begin(await newProfile().start());
    for (const text of many) await life.slot.append(frame(text));
    await life.slot.putBlob('00000000000000aa', new Blob(['attachment']));
    const session = await profile.context.newCDPSession(life.page);
    const crashed = life.page.waitForEvent('crash');
    session.send('Page.crash').catch(() => undefined);
    await crashed;
    const next = await begin(await profile.open());
    expect(next.texts).toEqual(many);
    expect(await (await next.slot.getBlob('00000000000000aa')).text()).toBe('attachment');
    expect(next.events).toEqual([]);
  });
});

describe('IndexedDB damaged on disk', () => {
  it.each(['mirror', 'indexedDB'])(
    'B4: a torn LevelDB header loses nothing, also two starts later (%s)',
    async (recipe) => {
      const life = await damaged(recipe, many, () => appendFileSync(only(profile.files(levelLog)), tornHeader));
      expect(life.texts).toEqual(many);
      for (let n = 0; n < 20; n++) await life.slot.append(frame(`later ${n}`, 2_000));
      await life.slot.flush();
      const next = await nextRun(recipe);
      expect(next.texts).toHaveLength(70);
      await next.slot.append(frame('end'));
      const last = await nextRun(recipe);
      expect(last.texts).toHaveLength(71);
      expect(await (await last.slot.getBlob('00000000000000aa')).text()).toBe('attachment');
    },
  );

  const damages: [string, () => void][] = [
    ['deleted', () => profile.files(/IndexedDB\/[^/]+$/).forEach((path) => rmSync(path, { recursive: true }))],
    ['its log deleted', () => rmSync(only(profile.files(levelLog)))],
    ['a bit of its log flipped', () => flip(only(profile.files(levelLog)), 1000)],
  ];
  it.each(damages)('B5: with IndexedDB %s the log comes from OPFS, and is in both again', async (_, damage) => {
    const life = await damaged('mirror', many, damage);
    expect(life.texts).toEqual(many);
    await life.slot.flush();
    expect(life.events).toMatchObject([{ type: 'storage-lost', store: 'indexedDB', recoveredBytes: 100_000 }]);
    await profile.stop();
    for (const path of opfsFiles().filter(isLog)) truncateSync(path, 0);
    const last = await begin(await profile.start());
    expect(last.texts).toEqual(many);
  });
});

describe('IndexedDB cut in half', () => {
  it('B5: it opens as if it were only late, is wiped two starts later, and nothing is missing at any time', async () => {
    const life = await damaged('mirror', many, () => {
      const path = only(profile.files(levelLog));
      truncateSync(path, statSync(path).size >> 1);
    });
    expect(life.texts).toEqual(many);
    for (let run = 0; run < 3; run++) {
      const next = await nextRun();
      expect(next.texts).toHaveLength(many.length + run);
      await next.slot.append(frame(`run ${run}`));
      await next.slot.flush();
    }
  });
});

describe('OPFS damaged on disk', () => {
  it.each([0, 64, 5_000, 64 + 99_999])('B6: a log file cut to %d bytes is made good from IndexedDB', async (size) => {
    const life = await damaged('mirror', many, () => truncateSync(only(opfsFiles().filter(holdsRecords)), size));
    expect(life.texts).toEqual(many);
    expect(life.types()).toEqual(['storage-repaired']);
    expect(await (await life.slot.getBlob('00000000000000aa')).text()).toBe('attachment');
    const next = await nextRun();
    expect([next.texts, next.events]).toEqual([many, []]);
  });

  it('B6: with all its names gone everything comes from IndexedDB, blobs too', async () => {
    const life = await damaged('mirror', many, () => {
      for (const path of profile.files(/File System\/.*Paths\/\d+\.log$/)) flip(path, 200);
    });
    expect(life.texts).toEqual(many);
    expect(life.types()).toEqual(['storage-lost', 'storage-repaired']);
    expect(await (await life.slot.getBlob('00000000000000aa')).text()).toBe('attachment');
    const next = await nextRun();
    expect(next.texts).toEqual(many);
  });
});

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[Math.min(at, bytes.length - 1)]! ^= 0x10;
  writeFileSync(path, bytes);
}

describe('cleared', () => {
  const clear = async (page: Page, types: string) => {
    const session = await profile.context.newCDPSession(page);
    await session.send('Storage.clearDataForOrigin', { origin: new URL(profile.url).origin, storageTypes: types });
  };

  it('B7: data cleared while open is told within a second, and replace stores it anew', async () => {
    const life = await begin(await newProfile().start());
    await life.slot.append(log('a', 'b'));
    await clear(life.page, 'all');
    const told = () =>
      [...(window as any).stores.values()].some((one: any) =>
        one.events.some((event: any) => event.type === 'storage-lost'),
      );
    await life.page.waitForFunction(told, undefined, { timeout: 1_000 });
    await expect(life.slot.append(frame('c'))).rejects.toBeInstanceOf(StorageLostError);
    await life.slot.replace(log('a', 'b', 'c'));
    await life.slot.append(frame('d'));
    await life.slot.flush();
    const whole = (await life.slot.read()).length;
    const next = await nextRun();
    expect(next.texts).toEqual(['a', 'b', 'c', 'd']);
    // Chromium closes the files of before when it stops, and may take those made since along, of the same
    // directory (seen once, and not in 400 tries): then the other copy has all of it, and that is said.
    const repaired = [
      { type: 'storage-lost', store: 'opfs', recoveredBytes: whole },
      { type: 'storage-repaired', store: 'opfs', from: 'indexedDB', bytes: whole },
    ];
    if (next.events.length > 0) expect(next.events).toMatchObject(repaired);
    const last = await nextRun();
    expect([last.texts, last.events]).toEqual([['a', 'b', 'c', 'd'], []]);
  });

  it('B7: cleared while closed, but for the sentinel, is a loss', async () => {
    const life = await begin(await newProfile().start());
    await life.slot.append(log('a', 'b'));
    await life.storage.close();
    await life.page.goto('about:blank');
    await clear(life.page, 'indexeddb,file_systems');
    const next = await begin(await profile.open());
    expect(next.texts).toEqual([]);
    expect(next.events).toMatchObject([{ type: 'storage-lost', recoveredBytes: 0 }]);
  });

  it('B5: IndexedDB cleared while open is written anew from OPFS', async () => {
    const life = await begin(await newProfile().start());
    await life.slot.append(log('a', 'b'));
    await life.slot.flush();
    await clear(life.page, 'indexeddb');
    const told = () =>
      [...(window as any).stores.values()].some((one: any) =>
        one.events.some((event: any) => event.type === 'storage-lost'),
      );
    await life.page.waitForFunction(told, undefined, { timeout: 2_000 });
    await life.slot.append(frame('c'));
    await life.slot.flush();
    await life.storage.close();
    const copy = await begin(life.page, 'indexedDB');
    expect(copy.texts).toEqual(['a', 'b', 'c']);
  });
});

describe('full', () => {
  it.each(['opfs', 'mirror'])(
    'C1: at quota the reserve still takes records, then nothing is half written (%s)',
    async (recipe) => {
      const life = await begin(await newProfile().start(), recipe);
      const session = await profile.context.newCDPSession(life.page);
      const limit = (quotaSize?: number) =>
        session.send('Storage.overrideQuotaForOrigin', {
          origin: new URL(url()).origin,
          ...(quotaSize ? { quotaSize } : {}),
        });
      await life.slot.append(frame('first'));
      await limit(100_000);
      // The browser has already given a megabyte or two ahead.
      const taken: string[] = [];
      const failure = await (async () => {
        for (let n = 0; n < 500; n++) {
          try {
            await life.slot.append(frame(`${n}`, 20_000));
            taken.push(`${n}`);
          } catch (error) {
            return error;
          }
        }
      })();
      expect(failure).toBeInstanceOf(StorageFullError);
      expect(taken.length * 20_000).toBeGreaterThan(400_000);
      await life.slot.append(frame('cancelled'));
      expect(life.types().filter((type) => type === 'storage-full')).toHaveLength(1);
      expect(textsIn(await life.slot.read())).toEqual(['first', ...taken, 'cancelled']);
      await limit();
      const available = () =>
        [...(window as any).stores.values()].some((one: any) =>
          one.events.some((event: any) => event.type === 'storage-available'),
        );
      await life.page.waitForFunction(available, undefined, { timeout: 6_000 });
      await life.slot.append(frame('more', 600_000));
      expect((await nextRun(recipe)).texts).toEqual(['first', ...taken, 'cancelled', 'more']);
    },
  );
});

describe('not to be had', () => {
  it('C7: a sandboxed frame has no store at all, and every adapter says so', async () => {
    const page = await newProfile().start();
    await page.goto(`${url()}sandboxed`);
    const inner = page.frames()[1]!;
    await ready(inner);
    for (const recipe of ['opfs', 'indexedDB', 'local', 'mirror']) {
      await expect(openSession(remote(() => inner, recipe))).rejects.toBeInstanceOf(StorageUnavailableError);
    }
  });

  it('C7: site data blocked by the person is unavailable', async () => {
    newProfile();
    mkdirSync(join(profile.directory, 'Default'), { recursive: true });
    const preferences = { profile: { default_content_setting_values: { cookies: 2 } } };
    writeFileSync(join(profile.directory, 'Default/Preferences'), JSON.stringify(preferences));
    const page = await profile.start();
    for (const recipe of ['opfs', 'indexedDB', 'local', 'mirror']) {
      await expect(openSession(remote(() => page, recipe))).rejects.toBeInstanceOf(StorageUnavailableError);
    }
  });

  it('C8: a private window works like any other until it is closed', async () => {
    const browser = await chromium.launch({
      executablePath: process.env.HOLDFAST_CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox'],
    });
    try {
      const page = await (await browser.newContext()).newPage();
      await page.goto(url());
      await ready(page);
      const life = await begin(page);
      await life.slot.append(frame('a'));
      await page.reload();
      await ready(page);
      expect((await begin(page)).texts).toEqual(['a']);
    } finally {
      await browser.close();
    }
  });

  it('C9: plain http has IndexedDB alone, and the mirror goes on with it', async () => {
    const page = await newProfile(
      ['--host-resolver-rules=MAP plain.invalid 127.0.0.1'],
      `http://plain.invalid:${port}/`,
    ).start();
    await expect(openSession(remote(() => page, 'opfs'))).rejects.toBeInstanceOf(StorageUnavailableError);
    const life = await begin(page);
    expect(life.events).toMatchObject([{ type: 'storage-degraded', store: 'opfs' }]);
    await life.slot.append(frame('a'));
    await page.reload();
    await ready(page);
    expect((await begin(page)).texts).toEqual(['a']);
  });

  it('C10: a persist() that never answers holds nothing up', async () => {
    const page = await newProfile().start();
    await page.evaluate(() => Object.assign(navigator.storage, { persist: () => new Promise(() => undefined) }));
    expect((await begin(page)).texts).toEqual([]);
  });
});
