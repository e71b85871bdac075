/**
 * The worker's side of js/workers/pool.ts. A worker file is:
 *
 *   import { serve } from 'holdfast/worker';
 *   serve(async (input, ctx) => …);            or, for several tasks: serve({ [taskId]: handler })
 *
 * The handler's `ctx` is the same as in the page: `step` computes here and is recorded there. Whatever
 * kills the worker without an error event (an unhandled rejection, `close()`, a message that can't be
 * read) is told to the page first. An abandoned attempt's worker is terminated, so `ctx.onAbandon`
 * listeners are accepted and never called in here.
 */
import { fromMessage, toMessage } from '../codec/message.ts';
import { ConfigurationError, ContextClosedError, UnrecognizedTaskError } from '../errors.ts';
import { deserializeError, serializeError } from '../serialize-error.ts';
import type { ProgressReport, TaskContext, TaskHandler } from '../types.ts';
import { type CallContext, readMessage, type ToPage, type ToWorker } from './protocol.ts';

/** The worker's global; a test gives its own. */
export interface WorkerScope {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: string, listener: (event: any) => void): void;
  close(): void;
}

export type Handlers = TaskHandler | Readonly<Record<string, TaskHandler>>;

/** Call it once, when the worker's script runs. */
export function serve(handlers: Handlers, scope: WorkerScope = globalThis as unknown as WorkerScope): void {
  if (typeof handlers !== 'function' && (typeof handlers !== 'object' || handlers === null)) {
    throw new ConfigurationError('serve needs a handler, or an object of handlers by task id.');
  }
  new Server(handlers, scope).listen();
}

class Server {
  readonly #handlers: Handlers;
  readonly #scope: WorkerScope;
  readonly #contexts = new Map<number, WorkerContext>();

  constructor(handlers: Handlers, scope: WorkerScope) {
    this.#handlers = handlers;
    this.#scope = scope;
  }

  listen(): void {
    const scope = this.#scope;
    scope.addEventListener('message', (event) => this.#receive(readMessage<ToWorker>(event.data)));
    scope.addEventListener('messageerror', () => this.#crashed(new Error("a message to it couldn't be read")));
    scope.addEventListener('unhandledrejection', (event) => {
      event.preventDefault?.();
      this.#crashed(event.reason);
    });
    const close = scope.close.bind(scope);
    scope.close = () => {
      this.#crashed(new Error('it closed itself'));
      close();
    };
  }

  #receive(message: ToWorker | undefined): void {
    if (!message) return;
    if (message.holdfast === 'run') void this.#run(message);
    else this.#contexts.get(message.call)?.receive(message);
  }

  async #run({ call, input, context }: ToWorker & { holdfast: 'run' }): Promise<void> {
    const ctx = new WorkerContext(call, context, (message, transfer = []) =>
      this.#scope.postMessage(message, transfer),
    );
    this.#contexts.set(call, ctx);
    try {
      const result = await this.#handler(context.task.id)(fromMessage(input), ctx);
      const { value, transfer } = toMessage(result, 'result');
      this.#scope.postMessage({ holdfast: 'returned', call, value } satisfies ToPage, transfer);
    } catch (error) {
      this.#scope.postMessage({ holdfast: 'threw', call, error: serializeError(error) } satisfies ToPage, []);
    } finally {
      ctx.close();
      this.#contexts.delete(call);
    }
  }

  #handler(taskId: string): TaskHandler {
    const handlers = this.#handlers;
    if (typeof handlers === 'function') return handlers;
    const handler = Object.hasOwn(handlers, taskId) ? handlers[taskId] : undefined;
    if (typeof handler === 'function') return handler;
    throw new UnrecognizedTaskError(`The worker serves no task '${taskId}', only ${Object.keys(handlers).join(', ')}.`);
  }

  #crashed(reason: unknown): void {
    this.#scope.postMessage({ holdfast: 'crashed', call: 0, error: serializeError(reason) } satisfies ToPage, []);
  }
}

interface Step {
  run: () => unknown;
  resolve(value: any): void;
  reject(error: unknown): void;
}

class WorkerContext implements TaskContext {
  readonly signal: AbortSignal;
  readonly attempt: TaskContext['attempt'];
  readonly run: TaskContext['run'];
  readonly task: TaskContext['task'];
  readonly metadata: TaskContext['metadata'];
  readonly #call: number;
  readonly #post: (message: ToPage, transfer?: Transferable[]) => void;
  readonly #controller = new AbortController();
  readonly #steps = new Map<number, Step>();
  #stepCount = 0;
  #lastReport = '';
  #closed = false;

  constructor(call: number, context: CallContext, post: (message: ToPage, transfer?: Transferable[]) => void) {
    this.#call = call;
    this.#post = post;
    this.signal = this.#controller.signal;
    this.attempt = Object.freeze(context.attempt);
    this.run = Object.freeze(context.run);
    this.task = Object.freeze(context.task);
    this.metadata = Object.freeze(fromMessage(context.metadata) as Record<string, any>);
    Object.freeze(this);
  }

  step<Value>(name: string, run: () => Value | Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      if (this.#closed)
        throw new ContextClosedError(
          `ctx.step("${name}") was used after its attempt had ended. Await everything before the handler returns.`,
        );
      if (typeof run !== 'function')
        throw new ConfigurationError(`ctx.step("${name}") needs a function that computes the step.`);
      const step = ++this.#stepCount;
      this.#steps.set(step, { run, resolve, reject });
      this.#post({ holdfast: 'step', call: this.#call, step, name });
    });
  }

  /** Only what a bar can show is sent: a loop may report a million times. */
  progress(report: number | ProgressReport): void {
    if (this.#closed) return;
    const { value, message, phase, step } =
      typeof report === 'number' ? ({ value: report } as ProgressReport) : (report ?? {});
    const shown = JSON.stringify([typeof value === 'number' ? Math.round(value * 10) : value, message, phase, step]);
    if (shown === this.#lastReport) return;
    this.#lastReport = shown;
    this.#post({
      holdfast: 'progress',
      call: this.#call,
      report: typeof report === 'number' ? report : ({ value, message, phase, step } as ProgressReport),
    });
  }

  onAbandon(_listener: () => void): void {}

  /** @internal */
  receive(message: ToWorker): unknown {
    switch (message.holdfast) {
      case 'abort':
        return this.#controller.abort(deserializeError(message.reason));
      case 'compute':
        return this.#compute(message.step);
      case 'recorded':
        return this.#take(message.step)?.resolve(fromMessage(message.value));
      case 'failed':
        return this.#take(message.step)?.reject(deserializeError(message.error));
    }
  }

  /** @internal */
  close(): void {
    this.#closed = true;
  }

  async #compute(step: number): Promise<void> {
    const call = this.#call;
    try {
      const { value, transfer } = toMessage(await this.#steps.get(step)?.run(), 'result of the step');
      this.#post({ holdfast: 'computed', call, step, value }, transfer);
    } catch (error) {
      this.#post({ holdfast: 'stepThrew', call, step, error: serializeError(error) });
    }
  }

  #take(step: number): Step | undefined {
    const taken = this.#steps.get(step);
    this.#steps.delete(step);
    return taken;
  }
}
