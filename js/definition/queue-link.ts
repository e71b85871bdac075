/**
 * Queues of others among a task's services, p-queue's above all: what an attempt adds to one is aborted
 * with the attempt, so that a cancelled run leaves no jobs behind.
 *
 * Invariant: everything but `add` and `addAll` is the queue's own.
 */
import { isPromise } from './validation.ts';

interface Signalled {
  readonly signal: AbortSignal;
}

/** A copy of the services in which queues are linked; the same object where there are none. */
export function linkQueues(services: object, owner: Signalled): object {
  let linked: Record<string, unknown> | undefined;
  for (const [name, service] of Object.entries(services)) {
    if (!isQueue(service)) continue;
    linked ??= { ...services };
    linked[name] = link(service, owner);
  }
  return linked ?? services;
}

type Method = (...args: unknown[]) => unknown;
interface Queue {
  add: Method;
  addAll: Method;
}

/** By its shape: there is no class to know it by, and `add` alone would make queues of Sets. */
function isQueue(service: unknown): service is Queue {
  if (typeof service !== 'object' || service === null || isPromise(service) || Object.isFrozen(service)) return false;
  const { add, addAll, onIdle } = service as Partial<Queue & { onIdle: Method }>;
  return [add, addAll, onIdle].every((method) => typeof method === 'function');
}

function link(queue: Queue, owner: Signalled): Queue {
  const own = new Map<PropertyKey, unknown>();
  for (const verb of ['add', 'addAll'] as const)
    own.set(verb, (job: unknown, options?: object) => queue[verb](job, { ...options, signal: joined(owner.signal, options) }));
  return new Proxy(queue, {
    get(target, key) {
      const known = own.get(key);
      if (known !== undefined) return known;
      // Its methods and getters read private fields, which the proxy does not have.
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function' || key === 'constructor') return value;
      const bound: unknown = value.bind(target);
      own.set(key, bound);
      return bound;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });
}

/** Either of the two aborts, where the browser can join them; else the caller's own alone. */
function joined(signal: AbortSignal, options: { signal?: AbortSignal } = {}): AbortSignal {
  if (!options.signal) return signal;
  return typeof AbortSignal.any === 'function' ? AbortSignal.any([options.signal, signal]) : options.signal;
}
