import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

export const outDirectory: string;
export interface Look {
  browser: Browser;
  page(query: Record<string, string>, context?: BrowserContextOptions): Promise<Page & { problems: string[] }>;
  close(): Promise<void>;
}
export function openLook(): Promise<Look>;
