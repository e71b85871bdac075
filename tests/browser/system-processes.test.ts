/** Faults of processes and tabs, on the whole system: Chromium, the built package, its default storage. */
import { afterEach, describe, expect, it } from 'vitest';
import { House, type Tab, until } from './system-house.ts';

let house: House;
afterEach(() => house?.close());

const steps = { count: 6, ms: 60 };

/** No step ran after it had been recorded, and no two bodies of a run were at it at once. */
function expectNothingTwice(): void {
  const recorded = new Set<string>();
  for (const { type, run, step } of house.told) {
    if (type === 'recorded') recorded.add(`${run} ${step}`);
    if (type === 'step') expect(recorded.has(`${run} ${step}`), `step ${step} of ${run} again`).toBe(false);
  }
}

/** By the browser's own means: from outside it can't be told for sure which process is whose. */
async function crash(tab: Tab): Promise<void> {
  await house.browser.crash(tab.page);
  await tab.page.close();
}

describe('a process that dies', () => {
  it('A1: a killed renderer interrupts a run; its recorded steps stay, it is not counted as failed', async () => {
    house = await House.open();
    const tab = await house.tab();
    const run = await tab.submit('steps', steps);
    await house.hears('recorded', run, 2);
    const gone = tab.page.waitForEvent('crash');
    house.browser.killRenderers();
    await gone;
    await tab.page.close();
    const next = await house.tab();
    await next.ended(run);
    expect(await next.state(run)).toMatchObject({ retryCount: 0, result: steps.count });
    expectNothingTwice();
  });

  it('A2: so does a crashed page', async () => {
    house = await House.open();
    const tab = await house.tab();
    const run = await tab.submit('steps', steps);
    await house.hears('recorded', run, 2);
    await crash(tab);
    const next = await house.tab();
    await next.ended(run);
    expect(await next.state(run)).toMatchObject({ retryCount: 0, result: steps.count });
    expectNothingTwice();
  });

  it('A3: a killed browser too', async () => {
    house = await House.open();
    const tab = await house.tab();
    const run = await tab.submit('steps', steps);
    const file = await tab.call('submitBlob', 50_000);
    await house.hears('recorded', run, 3);
    await house.crash();
    const next = await house.tab();
    await next.ended(run);
    await next.ended(file);
    expectNothingTwice();
  });

  it('A5: crashes right after recovery and k new runs, and during recovery, lose nothing', async () => {
    house = await House.open();
    const accepted: string[] = [];
    for (const news of [0, 1, 2, 5, 20]) {
      const tab = await house.tab();
      for (let count = 0; count < news; count++) accepted.push(await tab.submit('steps', { count: 2, ms: 20 }));
      await house.crash();
      // And once in the middle of the next opening.
      const page = await house.page();
      void page.open().catch(() => {});
      await house.crash();
    }
    const tab = await house.tab();
    for (const run of accepted) await tab.ended(run);
    expect((await tab.states()).length).toBe(accepted.length);
    expectNothingTwice();
  });

  it('A9: reloads, navigations and closed tabs in the middle of commits lose nothing and ask nothing', async () => {
    house = await House.open();
    const accepted: string[] = [];
    let tab = await house.tab();
    tab.page.on('dialog', () => expect.unreachable('no page asks whether to leave'));
    for (let round = 0; round < 12; round++) {
      // Acceptances that are told count; the last ones may be cut off.
      const running = tab.page.evaluate(async () => {
        for (let count = 0; count < 30; count++) {
          const id = await (globalThis as any).system.submit('steps', { count: 2, ms: 5 });
          await fetch('/told', { method: 'POST', body: JSON.stringify({ type: 'accepted', run: id }) });
        }
      });
      running.catch(() => {});
      await house.hears('accepted', undefined, house.tellings('accepted').length + 1 + round * 2);
      if (round % 3 === 0) await tab.page.reload();
      else if (round % 3 === 1) await tab.page.goto(house.url);
      else {
        await tab.page.close();
        tab = await house.page();
      }
      await tab.loaded();
      await tab.open();
    }
    accepted.push(...house.tellings('accepted').map(({ run }) => run));
    for (const run of accepted) await tab.ended(run);
    expectNothingTwice();
  });

  it('A9: five orderly reloads of a page whose run records nothing do not quarantine it', async () => {
    house = await House.open();
    const tab = await house.tab();
    const run = await tab.submit('gate', 'never yet');
    for (let count = 2; count <= 6; count++) {
      await house.hears('body', run, count - 1);
      await tab.page.reload();
      await tab.loaded();
      await tab.open();
    }
    await house.hears('body', run, 6);
    expect(await tab.state(run)).toMatchObject({ status: 'running', recoveries: 0 });
    await tab.call('letThrough', 'never yet');
    await tab.ended(run);
  });
});

describe('several tabs', () => {
  for (const count of [8, 20]) {
    it(`E1: ${count} tabs that start at once run each task that was left once`, async () => {
      house = await House.open();
      const first = await house.tab();
      // All at once: one after the other they take longer than the delay on a busy machine, and the first ones have ended.
      const runs = await Promise.all(Array.from({ length: 30 }, (_, task) => first.submit('echo', task, { delay: 400 })));
      await house.crash();
      const before = house.told.length;
      const tabs = await Promise.all(
        Array.from({ length: count }, async () => {
          const page = await house.browser.context.newPage();
          await page.goto(house.url);
          return page;
        }),
      );
      await until('all tabs are loaded', async () =>
        (await Promise.all(tabs.map((page) => page.evaluate(() => 'system' in globalThis)))).every(Boolean),
      );
      await Promise.all(tabs.map((page) => page.evaluate(() => (globalThis as any).system.open())));
      await until('every run has ended', () =>
        runs.every((run) => house.told.slice(before).some((one) => one.run === run)),
      );
      const lists = await until('one tab sees them completed', async () => {
        const seen = await Promise.all(tabs.map((page) => page.evaluate(() => (globalThis as any).system.states())));
        const local = seen.flat().filter((state: any) => state.local && state.status === 'completed');
        return local.length >= runs.length && local;
      });
      expect(new Set(lists.map((state: any) => state.id)).size).toBe(lists.length);
      const bodies = house.told.slice(before).filter(({ type }) => type === 'body');
      expect(bodies.length).toBe(runs.length);
    }, 120_000);
  }

  it('C3: a key that five tabs give in the same moment makes one run', async () => {
    house = await House.open();
    const tabs: Awaited<ReturnType<House['tab']>>[] = [];
    while (tabs.length < 5) tabs.push(await house.tab());
    const ids = await Promise.all(tabs.map((tab, index) => tab.submit('echo', index, { idempotencyKey: 'daily' })));
    expect(new Set(ids).size).toBe(1);
    await house.hears('body', ids[0]!, 1);
    await tabs[0]!.ended(ids[0]!);
    const all = (await Promise.all(tabs.map((tab) => tab.states()))).flat().filter(({ local }) => local);
    expect(all.map(({ id, status }) => [id, status])).toEqual([[ids[0], 'completed']]);
  });

  it('E2: when one is killed in the middle of a run, the other goes on within 2 s, from the last recorded step', async () => {
    house = await House.open();
    const [one, other] = [await house.tab(), await house.tab()];
    const run = await one.submit('steps', { count: 8, ms: 100 });
    await house.hears('recorded', run, 3);
    const killedMs = Date.now();
    await crash(one);
    const again = await house.hears('body', run, 2);
    expect(again.atMs - killedMs).toBeLessThan(2000);
    await other.ended(run);
    expectNothingTwice();
  });

  it('E2: thousands of runs and files move over in seconds, whole, and what ran goes on', async () => {
    house = await House.open();
    const keepAll = { retention: { completed: { count: 100_000 } } };
    const [one, other] = [await house.tab(keepAll), await house.tab(keepAll)];
    const over = await one.call('fill', 2000);
    const run = await one.submit('steps', { count: 40, ms: 20 });
    await house.hears('recorded', run, 3);
    const killedMs = Date.now();
    await crash(one);
    const again = await house.hears('body', run, 2);
    const ms = again.atMs - killedMs;
    process.stdout.write(`  ${over.length} runs and ${over.length / 2} files moved over in ${ms} ms\n`);
    expect(ms).toBeLessThan(5000);
    const local = new Set((await other.states()).filter((state) => state.local).map(({ id }) => id));
    expect(over.filter((id: string) => !local.has(id))).toEqual([]);
    await house.hears('bodyEnd', run);
    expectNothingTwice();
    // Files and all: each is read whole, or its replay fails.
    const sizes = await other.page.evaluate(
      async (ids) => {
        const { orchestrator } = (globalThis as any).system;
        return Promise.all(ids.map(async (id: string) => (await orchestrator.runs.replay(id)).result()));
      },
      over.filter((_: string, index: number) => index % 2 === 0).slice(-50),
    );
    expect(sizes).toEqual(Array.from({ length: 50 }, (_, n) => 1000 + (((1950 + n) * 7919) % 29_000)));
  }, 120_000);

  it('E2: a run that moves over keeps its retries and its queue', async () => {
    house = await House.open();
    const options = { queues: { narrow: { concurrency: 1 } } };
    const [one, other] = [await house.tab(options), await house.tab(options)];
    // Each session numbers its policies and queues in the order of their first use.
    await other.submit('echo', 1, { retry: { maxAttempts: 2, minDelayMs: 77 } });
    const retried = await one.submit('failing', 3);
    const narrow = [
      await one.submit('gate', 'a', { queue: 'narrow' }),
      await one.submit('gate', 'b', { queue: 'narrow' }),
    ];
    await house.hears('body', retried, 1);
    await house.hears('body', narrow[0]);
    await crash(one);
    await house.hears('body', narrow[0], 2);
    await other.ended(retried);
    expect(house.tellings('body', narrow[1])).toEqual([]);
    for (const name of ['a', 'b']) await other.call('letThrough', name);
    for (const run of narrow) await other.ended(run);
  });

  it('E5: a duplicated tab, with a copy of sessionStorage, is a session of its own', async () => {
    house = await House.open();
    const one = await house.tab();
    await one.page.evaluate(() => sessionStorage.setItem('mine', '1'));
    const run = await one.submit('gate', 'duplicated');
    await house.hears('body', run);
    const [popup] = await Promise.all([
      one.page.waitForEvent('popup'),
      one.page.evaluate((url) => void window.open(url), house.url),
    ]);
    const two = new (one.constructor as any)(popup) as Tab;
    await two.loaded();
    expect(await popup.evaluate(() => sessionStorage.getItem('mine'))).toBe('1');
    await two.open();
    await until('the copy sees the run', async () => (await two.state(run))?.local === false);
    const own = await two.submit('echo', 1);
    await two.ended(own);
    expect(house.tellings('body', run).length).toBe(1);
    await one.call('letThrough', 'duplicated');
    await two.ended(run);
  });

  it('E6: a page that comes back out of the cache goes on', async () => {
    house = await House.open({ ignoreDefaultArgs: ['--disable-back-forward-cache'] });
    const tab = await house.tab();
    await tab.page.evaluate(() => {
      addEventListener(
        'pageshow',
        ({ persisted }) =>
          void fetch('/told', { method: 'POST', body: JSON.stringify({ type: persisted ? 'restored' : 'new' }) }),
      );
    });
    const run = await tab.submit('steps', { count: 10, ms: 100 });
    const waiting = await tab.submit('gate', 'cached');
    await house.hears('recorded', run, 2);
    await tab.page.goto(new URL('other.html', house.server.url).href);
    // goBack() waits for a load that does not come.
    await tab.page.evaluate(() => history.back());
    await house.hears('restored');
    await tab.loaded();
    await tab.ended(run);
    await tab.call('letThrough', 'cached');
    await tab.ended(waiting);
    expectNothingTwice();
  });

  it('E9: resumed, retried or opened again elsewhere while it runs, a run has one body', async () => {
    house = await House.open();
    const [one, two] = [await house.tab(), await house.tab()];
    const run = await one.submit('gate', 'only once');
    await house.hears('body', run);
    await until('the other tab sees it', () => two.state(run));
    expect(await two.command('resumeTask', run)).toBe(false);
    expect(await two.command('retryTask', run)).toBeUndefined();
    // A second engine over the same tasks, in the same page and in the other one.
    for (const tab of [one, two]) {
      const second = await tab.page.evaluate(async () => {
        const again = new (globalThis as any).system.orchestrator.constructor({ id: 'again', namespace: 'system' });
        const report = await again.ready;
        await again.dispose();
        return report.resumed.length;
      });
      expect(second).toBe(0);
    }
    await one.call('letThrough', 'only once');
    await two.ended(run);
    expect(house.tellings('body', run).length).toBe(1);
  });

  it('see each other: what one runs, the other lists, cancels, and takes the result of', async () => {
    house = await House.open();
    const [one, two] = [await house.tab(), await house.tab()];
    const [cancelled, kept] = [await one.submit('gate', 'x'), await one.submit('gate', 'y')];
    for (const run of [cancelled, kept])
      await until('the other tab sees it run', async () => (await two.state(run))?.status === 'running');
    expect((await two.state(kept))?.local).toBe(false);
    expect(await two.command('cancelTask', cancelled, 'from the other tab')).toBe(true);
    await two.ended(cancelled, 'cancelled');
    await one.ended(cancelled, 'cancelled');
    const result = two.result(kept);
    await one.call('letThrough', 'y');
    expect(await result).toBe('through y');
  });
});
