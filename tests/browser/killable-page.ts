/** A page of a directory beside this file, in a real Chromium that can be killed and comes back on the same profile. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { Chromium, until } from '../crash/chromium.mjs';
import { bundle, serve } from '../crash/serve.mjs';

type Callable = (...args: any[]) => unknown;

/** What the server answers in place of a file, given the path and, of a POST, the body; undefined: the file. */
export type Answer = (path: string, body: Buffer | undefined) => { status: number; type: string; body: string } | undefined;

/** @typeParam Shown what the page puts into a global of this name */
export class KillablePage<Shown> {
  readonly browser = new Chromium();
  readonly #name: string;
  url = '';

  constructor(name: string) {
    this.#name = name;
  }

  async launch(): Promise<void> {
    await this.browser.launch();
  }

  /** @param query `?page=1`, for a page that wants to know which one it is */
  async page(query = ''): Promise<Page> {
    const page: Page = await this.browser.open(this.url + query);
    await until('the page is loaded', () => page.evaluate((name) => name in globalThis, this.#name));
    return page;
  }

  /** A page of that name, which says by `open` when it is ready. */
  async openTab(name: string): Promise<Page> {
    const page = await this.page(`?page=${name}`);
    await page.evaluate((shown) => (globalThis as any)[shown].open(), this.#name);
    return page;
  }

  /** Every process gone. */
  async kill(): Promise<void> {
    await this.browser.kill();
  }

  /** Every process gone, and the next life. */
  async killAndReopen(): Promise<Page> {
    await this.kill();
    await this.launch();
    return this.page();
  }

  readonly call = <Name extends keyof Shown>(page: Page, name: Name, ...args: Shown[Name] extends Callable ? Parameters<Shown[Name]> : never): Promise<Shown[Name] extends Callable ? Awaited<ReturnType<Shown[Name]>> : never> =>
    page.evaluate(([shown, name, args]) => (globalThis as any)[shown][name](...args), [this.#name, name as string, args as unknown[]] as const) as never;
}

/** One for the tests of a file: served, launched and closed. @param name of the directory, and of what its page shows */
export function killablePage<Shown>(name: string, answer?: Answer): KillablePage<Shown> {
  const house = new KillablePage<Shown>(name);
  let pages: Awaited<ReturnType<typeof bundle>> | undefined;
  let server: Awaited<ReturnType<typeof serve>> | undefined;
  beforeAll(async () => {
    pages = await bundle(new URL(`./${name}/`, import.meta.url));
    const answered = answer && ((path: string, _file: unknown, body?: Buffer) => answer(path, body));
    server = await serve(pages.directory, answered ? { answer: answered as () => undefined } : {});
    house.url = server.url;
    await house.launch();
  });
  afterAll(async () => {
    await house.browser.close();
    await server?.close();
    await pages?.remove();
  });
  return house;
}
