/** The page of vault/ in a real Chromium that can be killed, and comes back on the same profile. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { Chromium, until } from '../crash/chromium.mjs';
import { bundle, serve } from '../crash/serve.mjs';
import type { VaultPage } from './vault/page.ts';

export class VaultBrowser {
  readonly browser = new Chromium();
  url = '';

  async launch(): Promise<void> {
    await this.browser.launch();
  }

  async page(): Promise<Page> {
    const page: Page = await this.browser.open(this.url);
    await until('the page is loaded', () => page.evaluate(() => 'vault' in globalThis));
    return page;
  }

  /** Every process gone, and the next life. */
  async killAndReopen(): Promise<Page> {
    await this.browser.kill();
    await this.launch();
    return this.page();
  }
}

export function call<Name extends keyof VaultPage>(page: Page, name: Name, ...args: Parameters<VaultPage[Name]>): Promise<Awaited<ReturnType<VaultPage[Name]>>> {
  return page.evaluate(([name, args]) => (globalThis as any).vault[name as string](...(args as unknown[])), [name, args] as const) as never;
}

/** A browser for the tests of a file. */
export function vaultBrowser(): VaultBrowser {
  const vault = new VaultBrowser();
  let pages: Awaited<ReturnType<typeof bundle>> | undefined;
  let server: Awaited<ReturnType<typeof serve>> | undefined;
  beforeAll(async () => {
    pages = await bundle(new URL('./vault/', import.meta.url));
    server = await serve(pages.directory);
    vault.url = server.url;
    await vault.launch();
  });
  afterAll(async () => {
    await vault.browser.close();
    await server?.close();
    await pages?.remove();
  });
  return vault;
}
