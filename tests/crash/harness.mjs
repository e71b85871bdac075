// The kill harness: one profile, a load that never rests, kills at random moments, and an audit that
// compares what the store knows with what it had said. See README.md.

import { Chromium, until } from './chromium.mjs';
import { bundle, serve } from './serve.mjs';
import { Witness } from './witness.mjs';

/** Submitted at most by a page between two audits. */
const kTasks = 600;
const kDrainMs = 120_000;
/**
 * A tab takes over what a dead one left within this, thousands of runs and blobs. Two seconds are promised;
 * the rest is for a machine that is busy with other things too.
 */
const kTakeOverMs = 10_000;

/** mulberry32: the same seed, the same kinds and moments of kills. */
export function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const median = (values) => [...values].sort((one, other) => one - other)[values.length >> 1];

class Harness {
  witness = new Witness();
  recoveries = [];
  takeovers = [];
  #options;
  /** Decides on kills, and on nothing whose number depends on time: the same seed, the same kills. */
  #random;
  #dice;
  #browser = new Chromium();
  #server;
  #bundle;
  /** Living tabs: { name, page }. */
  #tabs = [];
  #opened = 0;

  constructor(options) {
    this.#options = options;
    this.#random = generator(options.seed);
    this.#dice = generator(options.seed + 1);
  }

  async start() {
    this.#bundle = await bundle(new URL('./page/', import.meta.url));
    const answer = (path, _file, body) => {
      if (path !== '/report') return undefined;
      this.witness.take(JSON.parse(body.toString('utf8')));
      return { status: 204, type: 'text/plain', body: '' };
    };
    this.#server = await serve(this.#bundle.directory, { port: this.#options.port, answer });
  }

  async end() {
    await this.#browser.close();
    await this.#server?.close();
    await this.#bundle?.remove();
  }

  // Tabs

  async #openTab() {
    const name = `${++this.#opened}`;
    const { store, seed } = this.#options;
    const tab = { name, page: undefined };
    const query = new URLSearchParams({ page: name, store, seed: `${seed + this.#opened}` });
    this.#tabs.push(tab);
    tab.page = await this.#browser.open(`${this.#server.url}?${query}`);
    tab.page.on('crash', () => this.#tabs.includes(tab) && this.witness.violate('crashed', '', `page ${name}`));
    return tab;
  }

  async #ready(tab) {
    const startMs = Date.now();
    await until(
      `page ${tab.name} is ready`,
      async () => {
        const { ready, error } = await tab.page.evaluate(() => globalThis.harness?.state ?? {});
        if (error) throw new Error(`page ${tab.name}: ${error}`);
        return ready;
      },
      kDrainMs,
    );
    this.recoveries.push(Date.now() - startMs);
  }

  async #census() {
    const lists = await Promise.all(this.#tabs.map(({ page }) => page.evaluate(() => globalThis.harness.census())));
    return lists.flat();
  }

  /** Waits until every accepted run is known in some living tab. Asks for those alone that were not: a census is work for the page. */
  async #allKnown() {
    let missing = [...this.witness.expectations().keys()];
    await until(
      'every accepted run is known',
      async () => {
        for (const { page } of this.#tabs)
          missing = await page.evaluate((ids) => globalThis.harness.unknown(ids), missing);
        missing = missing.filter((id) => !this.witness.runs.get(id).removed);
        return missing.length === 0;
      },
      this.#options.baseline ? 0 : kTakeOverMs,
    ).catch(() => this.#options.baseline || this.#describe());
  }

  /** Everything accepted is known in some page, its end as it was told. */
  async #audit() {
    await this.#allKnown();
    const expected = this.witness.expectations();
    const standings = await this.#census();
    this.witness.compare(expected, standings);
    return standings;
  }

  /** What helps to see why something is missing. */
  async #describe() {
    for (const { name, page } of this.#tabs) {
      const look = page.evaluate(async () => {
        const { held, pending } = await navigator.locks.query();
        const locks = [...held.map(({ name }) => name), ...pending.map(({ name }) => `${name} awaited`)].join(', ');
        return `${globalThis.harness.census().length} runs, locks: ${locks}, ${JSON.stringify(globalThis.harness.events())}`;
      });
      process.stderr.write(`  page ${name}: ${await look.catch(({ message }) => message)}\n`);
    }
  }

  /** Old ends go, so that the profile stays of a size; what is left lies there through many kills. */
  async #tidy() {
    for (const { page } of this.#tabs) {
      const own = await page.evaluate(() => globalThis.harness.census());
      const over = own
        .filter(
          ({ id, status }) => status === 'completed' && this.witness.runs.get(id)?.completed && this.#dice() < 0.7,
        )
        .map(({ id }) => id);
      this.witness.compareResults(await page.evaluate((ids) => globalThis.harness.results(ids), over));
      await page.evaluate((ids) => globalThis.harness.remove(ids), over);
      await page.evaluate(() => globalThis.harness.release());
    }
  }

  // Kills

  #jobsMissing() {
    const running = [...this.witness.runs.values()].filter(
      ({ kind, completed, removed }) => kind === 'job' && !completed && !removed,
    );
    return running.length < 2 ? 1 : 0;
  }

  async #busy() {
    for (const { page } of this.#tabs) {
      await page.evaluate(([jobs, tasks]) => globalThis.harness.startLoad(jobs, tasks), [this.#jobsMissing(), kTasks]);
    }
  }

  /** One life of the browser up to its end by SIGKILL; every fifth ends before it has recovered. */
  async #killBrowser() {
    const early = this.#random() < 0.2;
    await this.#browser.launch();
    const tab = await this.#openTab();
    if (!early) await this.#live(tab);
    await pause(this.#random() * (early ? 300 : 900));
    for (const { name } of this.#tabs) this.witness.died(name);
    await this.#browser.kill();
    this.#tabs = [];
  }

  async #live(tab) {
    await this.#ready(tab);
    await this.#audit();
    if (this.#random() < 0.5) await this.#tidy();
    if (this.#random() < 0.4) await this.#ready(await this.#openTab());
    await this.#busy();
  }

  /**
   * The renderer of one of two tabs dies; the other one takes over, and a new one joins. Or two of three die,
   * the second while the first's work may be on its way to it.
   */
  async #killRenderers(most) {
    const victims = Math.min(most, this.#random() < 0.3 ? 2 : 1);
    while (this.#tabs.length < victims + 1) {
      await this.#ready(await this.#openTab());
    }
    await this.#audit();
    if (this.#random() < 0.5) await this.#tidy();
    await this.#busy();
    await pause(this.#random() * 900);
    for (let killed = 0; killed < victims; killed++) {
      if (killed > 0) await pause(this.#random() * 400);
      await this.#killRenderer();
    }
    if (this.#random() < 0.5) return victims;
    const startMs = Date.now();
    await this.#allKnown();
    this.takeovers.push(Date.now() - startMs);
    return victims;
  }

  async #killRenderer() {
    const [victim] = this.#tabs.splice(Math.floor(this.#random() * this.#tabs.length), 1);
    this.witness.died(victim.name);
    await this.#browser.crash(victim.page);
    await victim.page.close().catch(() => {});
  }

  async #kills() {
    const { kills, renderer, log } = this.#options;
    for (let done = 0; done < kills; done++) {
      await this.#killBrowser();
      log?.(
        `${done + 1} of ${kills} browser kills, ${this.witness.counts.accepted} tasks accepted, ${this.witness.violations.length} violations`,
      );
    }
    await this.#browser.launch();
    for (let done = 0; done < renderer; ) {
      done += await this.#killRenderers(renderer - done);
      log?.(
        `${done} of ${renderer} renderer kills, ${this.witness.counts.accepted} tasks accepted, ${this.witness.violations.length} violations`,
      );
    }
  }

  /** Everything goes to its end, and is looked at once more, results and all. */
  async #drain() {
    if (this.#tabs.length === 0) await this.#ready(await this.#openTab());
    for (const { page } of this.#tabs) await page.evaluate(() => globalThis.harness.stopLoad());
    await this.#audit();
    await until(
      'every run has ended',
      async () => {
        let left = 0;
        for (const { page } of this.#tabs) {
          await page.evaluate(() => globalThis.harness.release());
          left += await page.evaluate(() => globalThis.harness.unfinished());
        }
        return left === 0;
      },
      kDrainMs,
    ).catch((error) => this.witness.violate('lost', '', error.message));
    await this.#lookAtResults(await this.#audit());
    this.events = await Promise.all(this.#tabs.map(({ page }) => page.evaluate(() => globalThis.harness.events())));
  }

  async #lookAtResults(standings) {
    for (const { id, status, phase } of standings) {
      const run = this.witness.runs.get(id);
      if (!run?.accepted) continue;
      const right = run.kind === 'doomed' ? 'failed' : 'completed';
      if (status !== right && status !== 'cancelled')
        this.witness.violate('lost', id, `${run.kind} ended as ${status} (${phase})`);
    }
    const completed = standings
      .filter(({ id, status }) => status === 'completed' && this.witness.runs.get(id)?.accepted)
      .map(({ id }) => id);
    for (const { page } of this.#tabs)
      this.witness.compareResults(await page.evaluate((ids) => globalThis.harness.results(ids), completed));
  }

  async run() {
    const startMs = Date.now();
    try {
      await this.start();
      await this.#kills();
      await this.#drain();
    } finally {
      await this.end();
    }
    const { counts, violations, warnings } = this.witness;
    return {
      ...this.#options,
      counts,
      totals: this.witness.totals(),
      violations,
      warnings,
      events: this.events,
      recoveryMs: median(this.recoveries),
      takeOverMs: this.takeovers.length > 0 ? [median(this.takeovers), Math.max(...this.takeovers)] : [],
      seconds: Math.round((Date.now() - startMs) / 1000),
    };
  }
}

/**
 * @param options.kills of the whole browser · `renderer`: of one tab's process · `seed` · `store`:
 *   holdfast, `holdfast on opfs`, `holdfast on indexedDB`, idb or localStorage · `baseline`: losses are expected and counted once
 */
export function harness({ kills = 0, renderer = 0, seed, store = 'holdfast', port = 0, log = undefined }) {
  return new Harness({ kills, renderer, seed, store, port, log, baseline: !store.startsWith('holdfast') }).run();
}
