/** The whole system for browser tests: page bundle, server, browser, and what the pages have told. */
import type { CDPSession, Page } from 'playwright-core';
import { Chromium, until } from '../crash/chromium.mjs';
import { bundle, serve } from '../crash/serve.mjs';
import type { System } from './system/page.ts';

export { until };

export interface Told {
  page: string;
  atMs: number;
  type: string;
  run: string;
  step?: number;
  attempt?: number;
}

type Answer = { status?: number; type?: string; body?: Buffer | string } | undefined;

let bundled: Promise<{ directory: string; remove(): Promise<void> }> | undefined;

export class House {
  told: Told[] = [];
  browser: Chromium;
  server!: Awaited<ReturnType<typeof serve>>;
  /** Changes what is answered for a path. */
  answer: (path: string, file: { status: number; type: string; body: Buffer }) => Answer = () => undefined;
  #pages = 0;

  private constructor(options: object) {
    this.browser = new Chromium(options);
  }

  /** @param options Playwright's, for the browser */
  static async open(options: object = {}): Promise<House> {
    const house = new House(options);
    bundled ??= bundle(new URL('./system/', import.meta.url));
    const { directory } = await bundled;
    const answer = (path: string, file: any, body?: Buffer) => {
      if (path !== '/told') return house.answer(path, file);
      house.told.push(JSON.parse(body!.toString('utf8')));
      return { status: 204, type: 'text/plain', body: '' };
    };
    house.server = await serve(directory, { answer: answer as () => undefined });
    await house.browser.launch();
    return house;
  }

  get url(): string {
    return `${this.server.url}?page=${++this.#pages}`;
  }

  /** A page whose orchestrator is open. */
  async tab(options: object = {}): Promise<Tab> {
    const tab = await this.page();
    await tab.open(options);
    return tab;
  }

  async page(url = this.url): Promise<Tab> {
    const tab = new Tab(await this.browser.open(url));
    await tab.loaded();
    return tab;
  }

  /** SIGKILL, and again in the same profile. */
  async crash(): Promise<void> {
    await this.browser.kill();
    await this.browser.launch();
  }

  tellings(type: string, run?: string): Told[] {
    return this.told.filter((one) => one.type === type && (run === undefined || one.run === run));
  }

  /** Resolves with the first telling of this. */
  async hears(type: string, run?: string, count = 1): Promise<Told> {
    return until(`${type} of ${run ?? 'any run'}`, () => this.tellings(type, run)[count - 1]);
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.server.close();
  }
}

export class Tab {
  readonly page: Page;
  constructor(page: Page) {
    this.page = page;
  }

  loaded(): Promise<unknown> {
    // While a page comes back out of the cache nothing can be asked of it.
    return until('the page is loaded', () => this.page.evaluate(() => 'system' in globalThis).catch(() => false));
  }

  /** Calls a function of the page's `system`. */
  call<Name extends keyof System>(name: Name, ...args: any[]): Promise<any> {
    return this.page.evaluate(
      ([name, args]) => {
        const { system } = globalThis as any;
        return typeof system[name] === 'function' ? system[name](...args) : system[name];
      },
      [name, args] as const,
    );
  }

  open(options: object = {}): Promise<any> {
    return this.call('open', options);
  }
  submit(task: string, input: unknown, options?: object): Promise<string> {
    return this.call('submit', task, input, options);
  }
  states(): Promise<ReturnType<System['states']>> {
    return this.call('states');
  }
  async state(id: string): Promise<ReturnType<System['states']>[number] | undefined> {
    return (await this.states()).find((state) => state.id === id);
  }
  /** A method of the orchestrator. */
  command(name: string, ...args: unknown[]): Promise<any> {
    return this.page.evaluate(
      ([name, args]) => (globalThis as any).system.orchestrator[name as string](...(args as any[])),
      [name, args] as const,
    );
  }
  result(id: string): Promise<any> {
    return this.page.evaluate((id) => (globalThis as any).system.handle(id).result(), id);
  }
  storage(): Promise<{ name: string; status: string; durability: string; message?: string }> {
    return this.page.evaluate(() => (globalThis as any).system.orchestrator.storageState);
  }

  ended(id: string, status = 'completed', timeoutMs = 30_000): Promise<unknown> {
    return until(`${id} is ${status}`, async () => (await this.state(id))?.status === status, timeoutMs);
  }
  cdp(): Promise<CDPSession> {
    return this.page.context().newCDPSession(this.page);
  }
}
