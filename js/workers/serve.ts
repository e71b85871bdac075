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
import { checkFunction, refuse } from '../intake/checks.ts';
import { fromMessage, toMessage } from '../codec/message.ts';
import { ContinueAsNew } from '../context/again.ts';
import { UnrecognizedTaskError } from '../errors.ts';
import { serializeError } from '../runs/serialize-error.ts';
import type { TaskHandler } from '../types.ts';
import { WorkerContext } from './context.ts';
import { readMessage, type ToPage, type ToWorker } from './protocol.ts';

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
    refuse('serve', 'given a handler, or an object of handlers by task id', handlers);
  }
  if (typeof handlers === 'object') for (const [id, handler] of Object.entries(handlers)) checkFunction(handler, `serve "${id}"`);
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
      const { value, transfer } = toMessage(result, 'result', context.transfer);
      this.#scope.postMessage({ holdfast: 'returned', call, value } satisfies ToPage, transfer);
    } catch (error) {
      if (error instanceof ContinueAsNew) {
        const { value, transfer } = toMessage(error.input, 'input');
        return this.#scope.postMessage({ holdfast: 'again', call, input: value } satisfies ToPage, transfer);
      }
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
