/**
 * Chromium without Playwright, which keeps every page visible and its timers unthrottled: over the
 * debugging pipe, so that a tab in the background is really hidden.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--remote-debugging-pipe'];
/** Page timers ring once a minute after a second already, instead of after five minutes. */
const impatient = '--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/1';

/** Evaluates in a page; `setState` freezes the page as the browser does with tabs nobody looks at. */
export interface HiddenPage {
  (expression: string): Promise<any>;
  setState(state: 'frozen' | 'active'): Promise<void>;
}

export class PlainChromium {
  readonly #profile = mkdtempSync(join(tmpdir(), 'holdfast-hidden-'));
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: any): void; reject(error: Error): void }>();
  #sent = 0;

  constructor() {
    const args = [...flags, impatient, `--user-data-dir=${this.#profile}`, 'about:blank'];
    const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] as const;
    // A group of its own, so that all of it can be stopped like a machine that sleeps.
    this.#process = spawn(process.env.HOLDFAST_CHROMIUM!, args, { stdio: [...stdio], detached: true });
    let text = '';
    (this.#process.stdio[4] as Readable).setEncoding('utf8').on('data', (data: string) => {
      const messages = (text + data).split('\0');
      text = messages.pop()!;
      for (const message of messages) this.#take(JSON.parse(message));
    });
  }

  #take({ id, result, error }: { id?: number; result?: any; error?: { message: string } }): void {
    const waiting = id === undefined ? undefined : this.#waiting.get(id);
    if (error) waiting?.reject(new Error(error.message));
    else waiting?.resolve(result);
  }

  send(method: string, params: object = {}, sessionId?: string): Promise<any> {
    const id = ++this.#sent;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      (this.#process.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  /** Evaluates in a new tab, which lies in front until the next one. */
  async open(url: string): Promise<HiddenPage> {
    const { targetId } = await this.send('Target.createTarget', { url });
    await this.send('Target.activateTarget', { targetId });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const evaluate = async (expression: string) => {
      const request = { expression, awaitPromise: true, returnByValue: true };
      const { result, exceptionDetails } = await this.send('Runtime.evaluate', request, sessionId);
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return result.value;
    };
    const setState = (state: 'frozen' | 'active') => this.send('Page.setWebLifecycleState', { state }, sessionId);
    return Object.assign(evaluate, { setState });
  }

  /** Stops every process of the browser, or lets them go on. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    process.kill(-this.#process.pid!, name);
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    await Promise.race([this.send('Browser.close'), ended]).catch(() => {});
    await ended;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
