/** What the browser around us does: storage that is cleared or full, policies, hidden pages, a core that does not come. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type HiddenPage, PlainChromium } from './hidden-page.ts';
import { House, Tab, until } from './system-house.ts';

let house: House;
afterEach(() => house?.close());

const origin = () => new URL(house.server.url).origin;

describe('storage', () => {
  it('B7: data cleared while a page is open is told at once, and what the page knows is stored anew', async () => {
    house = await House.open();
    const tab = await house.tab();
    const done = await tab.submit('echo', 'before');
    await tab.ended(done);
    const waiting = await tab.submit('gate', 'through the loss');
    await (await tab.cdp()).send('Storage.clearDataForOrigin', { origin: origin(), storageTypes: 'all' });
    const clearedMs = Date.now();
    await until('the loss is told', async () =>
      (await tab.call('events')).some(({ type }: any) => type === 'storage-lost'),
    );
    expect(Date.now() - clearedMs).toBeLessThan(3000);
    expect(await tab.state(done)).toMatchObject({ status: 'completed', result: 'before' });
    const after = await tab.submit('echo', 'after');
    await tab.ended(after);
    await tab.call('letThrough', 'through the loss');
    await tab.ended(waiting);
    await house.crash();
    const next = await house.tab();
    for (const run of [done, waiting, after]) expect(await next.state(run)).toMatchObject({ status: 'completed' });
  });

  it('the storage worker dies: that is told, the other copy goes on, and soon both are there again', async () => {
    house = await House.open();
    const tab = await house.tab();
    const before = await tab.call('submitBlob', 50_000);
    await tab.ended(before);
    const waiting = await tab.submit('gate', 'through its death');
    const [worker] = tab.page.workers();
    await worker!.evaluate(() => void setTimeout(() => (globalThis as any).notDefined.at(0)));
    await until('it is told', async () =>
      (await tab.call('events')).some((event: any) => event.type === 'storage-degraded' && event.store === 'opfs'),
    );
    expect(await tab.storage()).toMatchObject({ status: 'degraded', message: expect.stringMatching(/opfs/) });
    const meanwhile = await tab.submit('echo', 'meanwhile');
    await tab.ended(meanwhile);
    await until('both are good again', async () => (await tab.storage()).status === 'ok');
    await tab.call('letThrough', 'through its death');
    await tab.ended(waiting);
    await house.crash();
    const next = await house.tab();
    for (const run of [before, waiting, meanwhile]) expect((await next.state(run))?.status).toBe('completed');
    expect((await next.call('events')).filter(({ type }: any) => type === 'storage-lost')).toEqual([]);
  });

  it('C1: a full disk refuses new tasks, keeps the results of running ones, and goes on when there is room', async () => {
    house = await House.open();
    const tab = await house.tab();
    const running: string[] = [];
    for (let count = 0; count < 5; count++) running.push(await tab.submit('gate', 'full'));
    const cdp = await tab.cdp();
    const { usage } = await cdp.send('Storage.getUsageAndQuota', { origin: origin() });
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: origin(), quotaSize: usage + 200_000 });
    const refusal = await tab.page.evaluate(async () => {
      for (let count = 0; count < 100; count++) {
        try {
          await (globalThis as any).system.submitBlob(400_000);
        } catch (error: any) {
          return error.code ?? error.name;
        }
      }
    });
    expect(refusal).toBe('STORAGE_FULL');
    await tab.call('letThrough', 'full');
    for (const run of running) await until(`${run} has done its work`, () => house.tellings('bodyEnd', run)[0]);
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: origin() });
    for (const run of running) await tab.ended(run, 'completed', 60_000);
    await until(
      'new tasks are accepted again',
      async () =>
        tab.submit('echo', 'room').then(
          () => true,
          () => false,
        ),
      60_000,
    );
    await house.crash();
    const next = await house.tab();
    for (const run of running)
      expect(await next.state(run)).toMatchObject({ status: 'completed', result: 'through full' });
  }, 180_000);

  it('C7: in a sandboxed frame tasks run in memory, and the page says so', async () => {
    house = await House.open();
    house.answer = (path, file) =>
      path === '/sandboxed.html'
        ? { status: 200, type: 'text/html', body: '<!doctype html><iframe sandbox="allow-scripts" src="/"></iframe>' }
        : { ...file };
    const page = await house.browser.open(`${house.server.url}sandboxed.html`);
    const frame = await until('the frame is there', () =>
      page.frames().find((one: unknown) => one !== page.mainFrame()),
    );
    await until('the frame is loaded', () => frame.evaluate(() => 'system' in globalThis).catch(() => false));
    const tab = new Tab(frame as any);
    const { report, state } = await tab.open();
    expect(state).toMatchObject({ durability: 'memory', status: 'degraded' });
    expect(state.message).toMatch(/Nothing survives/);
    expect(report.warnings.length).toBeGreaterThan(0);
    const run = await tab.submit('silent', 4);
    await tab.ended(run);
  });

  it('C8: a private window works like any other until it is closed', async () => {
    house = await House.open();
    const context = await house.browser.context.browser()!.newContext();
    const page = await context.newPage();
    await page.goto(house.url);
    const tab = new Tab(page);
    await tab.loaded();
    await tab.open();
    const run = await tab.submit('echo', 'private');
    await page.reload();
    await tab.loaded();
    await tab.open();
    await tab.ended(run);
    await context.close();
  });

  it('C9: over plain http IndexedDB alone keeps the tasks, and the page says so', async () => {
    house = await House.open({ args: ['--host-resolver-rules=MAP plain.test 127.0.0.1'] });
    const url = house.url.replace('localhost', 'plain.test');
    const tab = await house.page(url);
    const { report, state } = await tab.open();
    expect(state).toMatchObject({ status: 'degraded', durability: 'process' });
    expect(state.message).toMatch(/indexedDB|opfs/i);
    expect(report.warnings.join(' ')).toMatch(/Web Locks/);
    const run = await tab.submit('echo', 'http');
    await tab.page.reload();
    await tab.loaded();
    await tab.open();
    await tab.ended(run);
  });
});

/** Our page in a tab that another one covers, its orchestrator open. */
async function openHidden(chromium: PlainChromium, url: string): Promise<HiddenPage> {
  const page = await chromium.open(url);
  await until('the page is loaded', () => page(`'system' in globalThis`));
  await page('system.open().then(() => true)');
  await chromium.open('about:blank');
  await until('the page is hidden', () => page(`document.visibilityState === 'hidden'`));
  return page;
}

describe('the page', () => {
  it('D5: in a hidden page, whose own timers ring once a second or a minute, a retry is due within 250 ms of its time', async () => {
    house = await House.open();
    const chromium = new PlainChromium();
    try {
      const page = await openHidden(chromium, house.url);
      const run = await page(`system.submit('failing', 4)`);
      const timer = `new Promise((resolve) => setTimeout(() => setTimeout(() => setTimeout(resolve, 100), 100), 100))`;
      const began = Date.now();
      const throttled = page(timer).then(() => Date.now() - began);
      await house.hears('body', run, 5);
      const bodies = house.tellings('body', run);
      for (let index = 1; index < 5; index++) {
        const lateMs = bodies[index]!.atMs - bodies[index - 1]!.atMs - 1500;
        expect(lateMs).toBeGreaterThanOrEqual(-5);
        expect(lateMs).toBeLessThan(250);
      }
      // The page's own timers were held back, or nothing would have been shown.
      expect(await Promise.race([throttled, Date.now() - began])).toBeGreaterThan(1000);
    } finally {
      await chromium.close();
    }
  });

  it.each([
    ['a page that was frozen', (page: HiddenPage) => page.setState('frozen'), (page: HiddenPage) => page.setState('active')],
    ['a machine that slept', (_: HiddenPage, chromium: PlainChromium) => chromium.signal('SIGSTOP'), (_: HiddenPage, chromium: PlainChromium) => chromium.signal('SIGCONT')],
  ] as const)('E7: %s keeps what was left of the timeout and the heartbeat of its attempts, and counts it where that is asked for', async (_, stop, goOn) => {
    house = await House.open();
    const chromium = new PlainChromium();
    try {
      const page = await openHidden(chromium, house.url);
      const options = { timeout: 6000, graceMs: 0, retry: { maxAttempts: 1 } };
      const spared = await page(`system.submit('gate', 'spared', ${JSON.stringify(options)})`);
      const counted = await page(`system.submit('gate', 'counted', ${JSON.stringify({ ...options, countFrozen: true })})`);
      const beating = await page(`system.submit('gate', 'beating', ${JSON.stringify({ ...options, timeout: undefined, heartbeat: 6000 })})`);
      for (const run of [spared, counted, beating]) await house.hears('body', run);
      await stop(page, chromium);
      await new Promise((resolve) => setTimeout(resolve, 8000));
      await goOn(page, chromium);
      const status = (run: string) => page(`system.states().find(({ id }) => id === ${JSON.stringify(run)}).status`);
      await until('the one that counts has timed out', async () => (await status(counted)) === 'failed');
      expect([await status(spared), await status(beating)]).toEqual(['running', 'running']);
      await page(`system.letThrough('spared')`);
      expect(await page(`system.handle(${JSON.stringify(spared)}).result()`)).toBe('through spared');
      const frozenMs = await page(`(async () => {
        for await (const { type, data } of system.handle(${JSON.stringify(spared)})) if (type === 'thawed') return data.frozenMs;
      })()`);
      expect(frozenMs).toBeGreaterThan(7500);
      expect(frozenMs).toBeLessThan(9500);
    } finally {
      chromium.signal('SIGCONT');
      await chromium.close();
    }
  });

  it('S5, S13: works under the strictest policy with Trusted Types, and asks nobody but its own origin', async () => {
    house = await House.open();
    const asked: string[] = [];
    house.browser.context.on('request', (request: any) => asked.push(request.url()));
    const tab = await house.tab();
    expect((await tab.storage()).name).toBe('mirror(opfs, indexedDB)');
    const run = await tab.submit('steps', { count: 2, ms: 10 });
    await tab.ended(run);
    const file = await tab.call('submitBlob', 30_000);
    await tab.ended(file);
    expect(await tab.call('violations')).toEqual([]);
    expect(asked.length).toBeGreaterThan(3);
    expect(asked.filter((url) => !url.startsWith(origin()) && !url.startsWith('data:'))).toEqual([]);
  });

  it('H13: a core that is missing, cut short or something else is a CoreLoadError; a wrong MIME type does not matter; data stays', async () => {
    house = await House.open();
    const first = await house.tab();
    const run = await first.submit('gate', 'H13');
    await first.page.close();
    const isCore = (path: string) => /core.*\.wasm$/.test(path);
    const broken: [string, (body: Buffer) => { status?: number; type?: string; body?: Buffer | string }][] = [
      ['404', () => ({ status: 404, type: 'text/html', body: 'not here' })],
      ['cut short', (body) => ({ body: body.subarray(0, body.length >> 1) })],
      ['a page', () => ({ body: '<!doctype html>' })],
    ];
    for (const [what, change] of broken) {
      house.answer = (path, file) => (isCore(path) ? { ...file, ...change(file.body) } : undefined);
      const tab = await house.page();
      const { error, state } = await tab.open();
      expect(error, what).toMatchObject({ name: 'CoreLoadError' });
      expect(error.message, what).toMatch(/core/);
      expect(state.status, what).toBe('failing');
      await tab.page.close();
    }
    house.answer = (path, file) => (isCore(path) ? { ...file, type: 'text/plain' } : undefined);
    const tab = await house.tab();
    await house.hears('body', run, 2);
    await tab.call('letThrough', 'H13');
    await tab.ended(run);
  });

  it('200 orchestrators opened, used and closed leave no worker, lock or memory behind', async () => {
    house = await House.open();
    const tab = await house.tab();
    const cdp = await tab.cdp();
    const measure = async () => {
      await cdp.send('HeapProfiler.collectGarbage');
      const locks = await tab.page.evaluate(async () => (await navigator.locks.query()).held!.length);
      const {
        usedSize,
        embedderHeapUsedSize = 0,
        backingStorageSize = 0,
      } = (await cdp.send('Runtime.getHeapUsage')) as any;
      return { locks, workers: tab.page.workers().length, bytes: usedSize + embedderHeapUsedSize + backingStorageSize };
    };
    await tab.call('openAndClose', 10);
    const before = await until('those of before are gone', async () => {
      const now = await measure();
      return now.workers === 1 && now;
    });
    await tab.call('openAndClose', 200);
    const after = await until(
      'all are gone',
      async () => {
        const now = await measure();
        return (
          now.workers === before.workers && now.locks === before.locks && now.bytes < before.bytes + 8_000_000 && now
        );
      },
      60_000,
    );
    expect(after.locks).toBe(before.locks);
  }, 240_000);
});

it('the bundle that is served is the one that was built', async () => {
  house = await House.open();
  const built = await readFile(join(import.meta.dirname, '../../dist/core.wasm'));
  const tab = await house.tab();
  await tab.submit('echo', 1);
  const core = house.server.requests.find((path: string) => path.endsWith('.wasm'))!;
  expect((await (await fetch(new URL(core, house.server.url))).arrayBuffer()).byteLength).toBe(built.length);
});
