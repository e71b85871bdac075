/**
 * Verbs that may be taken out of their object: `async (input, { step, sleep }) => …`, as people write it.
 *
 * Invariant: a method of a class given here has its object as `this`, however it is called.
 */

/** Once, where the class is defined; methods of classes that extend it are not among them. */
export function bindMethods({ prototype }: { readonly prototype: object }): void {
  for (const [name, { value: method }] of Object.entries(Object.getOwnPropertyDescriptors(prototype)))
    if (typeof method === 'function' && name !== 'constructor') bindMethod(prototype, name, method);
}

function bindMethod(prototype: object, name: string, method: (...args: any[]) => unknown): void {
  Object.defineProperty(prototype, name, {
    configurable: true,
    get(): unknown {
      return method.bind(this);
    },
    // As a method could be: by who watches what is called.
    set(value: unknown) {
      Object.defineProperty(this, name, { value, configurable: true, enumerable: true, writable: true });
    },
  });
}
