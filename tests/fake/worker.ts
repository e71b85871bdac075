import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { WorkerScope } from '../../js/workers/serve.ts';

/** A Worker in this thread: a real structured clone and asynchrony in between, no thread. */
export class FakeWorker extends EventTarget {
  static alive = 0;
  readonly scope: EventTarget & WorkerScope;
  readonly #port: MessagePort;
  readonly #inner: MessagePort;
  terminated = false;

  constructor(script: (scope: WorkerScope) => void) {
    super();
    FakeWorker.alive++;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#inner = port2;
    const post = (message: unknown, transfer: any) => port2.postMessage(message, transfer);
    this.scope = Object.assign(new EventTarget(), { postMessage: post, close: () => this.#stop() });
    port1.on('message', (data) => this.#deliver(this, data));
    port2.on('message', (data) => this.#deliver(this.scope, data));
    queueMicrotask(() => script(this.scope));
  }

  #deliver(target: EventTarget, data: unknown): void {
    if (!this.terminated) target.dispatchEvent(Object.assign(new Event('message'), { data }));
  }

  postMessage(message: unknown, transfer: any): void {
    this.#port.postMessage(message, transfer);
  }

  #stop(): void {
    this.#inner.unref();
    this.#port.unref();
  }

  terminate(): void {
    if (this.terminated) return;
    this.terminated = true;
    FakeWorker.alive--;
    this.#port.close();
  }

  fail(type: string, fields: object = {}): void {
    this.dispatchEvent(Object.assign(new Event(type), fields));
  }
}
