/**
 * The mixed load: many small tasks of every kind, and one long job after the other. Written against a
 * `Contestant`, so that other stores run the very same code.
 *
 * Every result carries numbers drawn when it was computed: computed twice, it would differ.
 */
import { digest, summary, tell } from './report.ts';

export interface Context {
  run: string;
  attempt: number;
  step<Value>(name: string, compute: () => Value | Promise<Value>): Promise<Value>;
}

export interface Kind {
  id: string;
  /** How often, among the others. */
  share: number;
  maxAttempts?: number;
  retryDelayMs?: number;
  input(random: () => number): any;
  /** What the result must contain, computed from the input; undefined: the run must fail. */
  expected(input: any): unknown;
  run(input: any, context: Context): Promise<any>;
}

export const draw = (): number => crypto.getRandomValues(new Uint32Array(1))[0]!;
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

function bytes(length: number, random: () => number): Uint8Array<ArrayBuffer> {
  const made = new Uint8Array(length);
  for (let index = 0; index < length; index++) made[index] = random() * 256;
  return made;
}

const quick: Kind = {
  id: 'quick',
  share: 8,
  input: (random) => Math.floor(random() * 1e6),
  expected: (input: number) => input * 2,
  run: async (input: number) => ({ value: input * 2, drawn: draw() }),
};

const steps: Kind = {
  id: 'steps',
  share: 4,
  input: (random) => 2 + Math.floor(random() * 5),
  expected: (count: number) => count,
  async run(count: number, { step }) {
    const drawn: number[] = [];
    for (let index = 0; index < count; index++) {
      drawn.push(await step(`step ${index}`, draw));
      if (index % 2 === 0) await pause(3);
    }
    return { value: drawn.length, drawn };
  },
};

const flaky: Kind = {
  id: 'flaky',
  share: 3,
  maxAttempts: 50, // a crash may take some of them
  retryDelayMs: 30,
  input: (random) => 1 + Math.floor(random() * 2),
  expected: (failures: number) => failures,
  async run(failures: number, { step, attempt }) {
    const first = await step('before the failure', draw);
    if (attempt <= failures) throw new Error(`attempt ${attempt} fails on purpose`);
    return { value: failures, drawn: first };
  },
};

const doomed: Kind = {
  id: 'doomed',
  share: 1,
  maxAttempts: 2,
  retryDelayMs: 20,
  input: () => null,
  expected: () => undefined,
  async run() {
    throw new Error('doomed');
  },
};

const blob: Kind = {
  id: 'blob',
  share: 2,
  input: (random) => new Blob([bytes(1000 + Math.floor(random() * 30_000), random)]),
  expected: (input: Blob) => input.size,
  async run(input: Blob, { step }) {
    const content = new Uint8Array(await input.arrayBuffer());
    const copy = await step('copy', () => new Blob([content, new Uint8Array(4)]));
    return { value: content.length, digest: digest(content), copy };
  },
};

const pages = 80;

/** Shaped like the processing of a PDF: a step per page of a file, an image now and then, one file at the end. */
export const job: Kind = {
  id: 'job',
  share: 0,
  input: (random) => new File([bytes(160_000, random)], 'document.pdf', { type: 'application/pdf' }),
  expected: () => pages,
  async run(file: File, { step }) {
    const texts: string[] = [];
    const images: Uint8Array[] = [];
    for (let page = 0; page < pages; page++) {
      const done = await step(`page ${page}`, async () => {
        const part = new Uint8Array(await file.slice(page * 2000, (page + 1) * 2000).arrayBuffer());
        const text = `page ${page}: ${digest(part)} ${draw()} `.repeat(20);
        return { text, image: page % 8 === 0 ? part.slice() : undefined };
      });
      texts.push(done.text);
      if (done.image) images.push(done.image);
    }
    const whole = await step('pack', () => new Blob([texts.join('\n'), ...(images as BlobPart[])]));
    return { value: texts.length, whole };
  },
};

export const kinds: readonly Kind[] = [quick, steps, flaky, doomed, blob];

/** The body of a kind with every start, execution and record told. */
export function told(
  kind: Kind,
  run: (input: any, context: Context) => Promise<any>,
): (input: any, context: Context) => Promise<any> {
  return async (input, context) => {
    const { run: id, attempt } = context;
    tell('attempt', { run: id, attempt });
    const step: Context['step'] = async (name, compute) => {
      const value = await context.step(name, () => {
        tell('execute', { run: id, step: name });
        return compute();
      });
      tell('recorded', { run: id, step: name, value: await summary(value) });
      return value;
    };
    try {
      return await run(input, { ...context, step });
    } finally {
      tell('attemptEnd', { run: id, attempt });
    }
  };
}

/** mulberry32 */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function pick(random: () => number): Kind {
  let place = random() * kinds.reduce((sum, { share }) => sum + share, 0);
  for (const kind of kinds) {
    place -= kind.share;
    if (place < 0) return kind;
  }
  return quick;
}
