/** A page with orchestrators of several namespaces, and a look at what the browser really keeps of them. */
import { createOrchestrator, defineTask, destroyNamespace, type Orchestrator, type OrchestratorOptions } from 'holdfast';

const copy = defineTask({
  id: 'copy-of-secrets',
  cache: true,
  run: async ({ file, note }: { file: File; note: string }, ctx) => {
    await ctx.step('taken', () => `taken: ${note}`);
    return { text: `${note} ${(await file.text()).length}` };
  },
});

const trivial = defineTask({ id: 'trivial', run: async (n: number) => n });

const forever = defineTask({
  id: 'forever',
  run: async ({ note }: { note: string; file: File }, ctx) => {
    // A step of each life of the page.
    await ctx.step(`begun ${performance.timeOrigin}`, () => `begun: ${note}`);
    await new Promise((_, stop) => ctx.signal.addEventListener('abort', () => stop(ctx.signal.reason)));
  },
});

const fileOf = (text: string, size: number) => new File([text.repeat(Math.ceil(size / text.length)).slice(0, size)], `${text}.txt`, { type: 'text/plain' });

const houses = new Map<string, Orchestrator>();

async function open(namespace: string, options: OrchestratorOptions = {}): Promise<Orchestrator> {
  const known = houses.get(namespace);
  if (known && !known.disposed) return known;
  const house = createOrchestrator({ id: `${namespace} ${houses.size}`, namespace, ...options });
  houses.set(namespace, house);
  await house.ready;
  return house;
}

/** The same one in every life of the page. */
const keyOf = (number: number): Promise<CryptoKey> => crypto.subtle.importKey('raw', new Uint8Array(32).fill(number), 'AES-GCM', false, ['encrypt', 'decrypt']);

const textOf = (bytes: BufferSource): string => new TextDecoder('latin1').decode(bytes);

/** Every byte that the origin keeps, piece by piece: where it lies, and what it is. */
async function* everything(): AsyncGenerator<[place: string, text: string]> {
  yield ['localStorage', JSON.stringify(localStorage)];
  const top: any = await (await navigator.storage.getDirectory()).getDirectoryHandle('holdfast', { create: true });
  for await (const directory of top.values())
    for await (const file of directory.values()) yield [`${directory.name}/${file.name}`, `${file.name} ${textOf(await (await file.getFile()).arrayBuffer())}`];
  const done = <Result>(request: IDBRequest<Result>) => new Promise<Result>((resolve, reject) => Object.assign(request, { onsuccess: () => resolve(request.result), onerror: () => reject(request.error) }));
  for (const { name } of await indexedDB.databases()) {
    const database = await done(indexedDB.open(name!));
    for (const store of database.objectStoreNames) {
      const reading = database.transaction(store).objectStore(store);
      const [keys, values] = await Promise.all([done(reading.getAllKeys()), done(reading.getAll())]);
      yield [`${name} ${store}`, JSON.stringify(keys)];
      for (const value of values) for await (const text of texts(value)) yield [`${name} ${store}`, text];
    }
    database.close();
  }
}

async function* texts(value: unknown): AsyncGenerator<string> {
  if (value instanceof Blob) yield textOf(await value.arrayBuffer());
  else if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) yield textOf(value as BufferSource);
  else if (typeof value === 'object' && value !== null) for (const part of Object.entries(value).flat()) yield* texts(part);
  else yield String(value);
}

const page = {
  /** Sealed with a key; 0: with none. Resolves to how it stands. */
  async openSealed(namespace: string, key: number) {
    const house = await open(namespace, key === 0 ? {} : { encryption: { key: () => keyOf(key) } });
    const { status } = house.storageState;
    return { status, states: house.getAllTasks().map(({ status, reason, taskIdentifier }) => ({ status, reason, taskIdentifier })) };
  },
  async unlock(namespace: string, key: number) {
    return houses.get(namespace)!.unlock({ key: await keyOf(key) });
  },
  /** Results of runs that have ended; what the others have recorded. */
  async results(namespace: string) {
    const house = houses.get(namespace)!;
    const all = house.getAllTasks().map(({ id }) => house.attach(id)!);
    return Promise.all(all.map(async (run) => (run.status === 'completed' ? (await run.result()).text : run.status)));
  },

  /** Since the last crash each that has not ended has recorded something. */
  getsOn: (namespace: string): boolean => houses.get(namespace)!.getAllTasks().every(({ status, recoveries }) => status !== 'running' || recoveries === 0),

  /** What is in the one, files and all, into the other. Resolves to how many runs came. */
  async copy(from: string, to: string): Promise<number> {
    const stream = await houses.get(from)!.exportState({ blobs: true });
    return (await (await open(to)).importState(stream)).imported.length;
  },

  /** Milliseconds a run, one after the other and all at once; of 20 MB stored as a file. */
  async costs(namespace: string, key: number, count: number) {
    await page.openSealed(namespace, key);
    const house = houses.get(namespace)!;
    await house.run(trivial, 0);
    const timed = async (work: () => Promise<unknown>) => {
      const startMs = performance.now();
      await work();
      return performance.now() - startMs;
    };
    const inTurn = await timed(async () => {
      for (let n = 0; n < count; n++) await house.run(trivial, n);
    });
    const atOnce = await timed(() => Promise.all(Array.from({ length: count * 10 }, (_, n) => house.run(trivial, n))));
    const file = new Blob([crypto.getRandomValues(new Uint8Array(65536)), new Uint8Array(20_000_000)]);
    const stored = await timed(() => house.trigger(forever, { note: 'large', file: file as File }).accepted);
    return { inTurn: inTurn / count, atOnce: atOnce / count / 10, stored };
  },

  /** Where this word can be read in what the browser keeps. */
  async search(word: string): Promise<{ found: string[]; bytes: number }> {
    const found = new Set<string>();
    let bytes = 0;
    for await (const [place, text] of everything()) {
      bytes += text.length;
      if (text.includes(word)) found.add(place);
    }
    return { found: [...found], bytes };
  },

  async open(namespace: string) {
    await open(namespace);
  },

  /** So many runs that have ended, and one that goes on. */
  async fill(namespace: string, word: string, runs: number) {
    const house = await open(namespace);
    const ended = Array.from({ length: runs }, (_, n) => house.trigger(copy, { file: fileOf(`${word} ${n} `, 100_000), note: `${word} ${n}` }));
    const goesOn = house.trigger(forever, { file: fileOf(word, 300_000), note: word });
    await Promise.all([...ended.map((run) => run.result()), goesOn.accepted]);
  },

  /** A run that keeps a handle of a file of the person's. */
  async keepHandle(namespace: string) {
    const given = await (await navigator.storage.getDirectory()).getFileHandle('given.txt', { create: true });
    await (await open(namespace)).trigger(forever, { file: given as unknown as File, note: 'by handle' }, { persistPayload: 'handle' }).accepted;
  },

  look(namespace: string) {
    const house = houses.get(namespace)!;
    return { status: house.storageState.status, runs: house.getAllTasks().length, disposed: house.disposed };
  },

  async destroy(namespace: string) {
    await houses.get(namespace)!.destroyNamespace();
  },
  async destroyByName(namespace: string) {
    await destroyNamespace(namespace);
  },

  /** Begins to, and does not wait. */
  begin(namespace: string) {
    void houses.get(namespace)!.destroyNamespace();
  },

  /** Files, databases, marks and locks that bear its name. */
  async left(namespace: string): Promise<string[]> {
    const left: string[] = [];
    const root = await navigator.storage.getDirectory();
    const top = await root.getDirectoryHandle('holdfast', { create: true });
    for await (const name of (top as any).keys()) if (name === namespace) left.push(`files of ${name}`);
    for (const { name } of await indexedDB.databases()) if (name?.split(':')[1] === namespace) left.push(`database ${name}`);
    for (const key of Object.keys(localStorage)) if (key.startsWith(`holdfast:${namespace}:`)) left.push(`mark ${key}`);
    const { held = [], pending = [] } = await navigator.locks.query();
    for (const { name } of [...held, ...pending]) if (name?.startsWith(`holdfast:${namespace}:`)) left.push(`lock ${name}`);
    return left;
  },
};

export type VaultPage = typeof page;
Object.assign(globalThis, { vault: page });
