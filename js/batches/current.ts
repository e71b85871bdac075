/**
 * Whose code asks: the context of the handler that runs at this moment, where that is certain.
 *
 * It is certain while a handler's code runs without giving way: from its first line to its first `await`, and
 * from the moment at which a promise of ours that it awaits comes, to its next `await`. Such a promise notes who
 * registers for it: every way to do so (`await`, `then`, `catch`, `finally`, `Promise.all`) looks at its
 * `constructor` at once, in the turn of the code that does. Where all who did are the one who asked, it is resolved
 * between two microtasks, the first of which says whose turn begins, the second that it is over. Microtasks run
 * in the order in which they were queued, and nothing is queued in between but what these registered.
 *
 * Invariant: what is not certain is nobody.
 */
import type { RunContext } from '../context/context.ts';

let current: RunContext | undefined;

/** Whose code runs now; undefined: nobody's, or nobody knows. */
export function asking(): RunContext | undefined {
  return current;
}

/** The handler's code begins, or code that is not its own does. Gives what to leave with. */
export function enter(context: RunContext | undefined): RunContext | undefined {
  const before = current;
  current = context;
  return before;
}

export function leave(before: RunContext | undefined): void {
  current = before;
}

/** Code of the handler's, as far as it goes without giving way. */
export function within<Value>(context: RunContext, code: () => Value): Value {
  const before = enter(context);
  try {
    return code();
  } finally {
    leave(before);
  }
}

/** What `then`, `catch` and `finally` of it make are ordinary promises. */
class AskedPromise<Value> extends Promise<Value> {
  asker: RunContext | undefined;
  /** Somebody else waits for it, or may. */
  isShared = false;
}

// Registering for a promise begins with this look at it.
Object.defineProperty(AskedPromise.prototype, 'constructor', {
  configurable: true,
  get(this: AskedPromise<unknown>) {
    if (this.asker === undefined || this.asker !== current) this.isShared = true;
    return Promise;
  },
});

/** The same, for the code that asks: where it awaits it by itself, it is known again afterwards. */
export function givenBack<Value>(outcome: Promise<Value>, asker: RunContext): Promise<Value> {
  let settle!: { resolve: (value: Value) => void; reject: (error: unknown) => void };
  const promise = new AskedPromise<Value>((resolve, reject) => (settle = { resolve, reject }));
  promise.asker = asker;
  const inTurn = (give: () => void) => {
    if (promise.isShared) return give();
    queueMicrotask(() => (current = asker));
    give();
    queueMicrotask(() => (current = undefined));
  };
  outcome.then((value) => inTurn(() => settle.resolve(value)), (error) => inTurn(() => settle.reject(error)));
  return promise;
}
