/**
 * Parts of a run's code: a group (`ctx.group`), and a branch of `ctx.race` and `ctx.any`, which can be stopped. What
 * they do is known by where it stands as well. Made of the verbs of `ctx` alone, so it is the same in workers. Loaded
 * with the first.
 *
 *   id in a part := { GS part } GS [ '#' own id | ordinal ]      part := name [ ':' ordinal | '#' own id ]
 *
 * Invariants: what stands in a part never meets what stands outside, so that it is no matter when a part begins; no
 * two steps of a group have one name.
 */
import { bindMethods } from './bound.ts';
import { type AskedContext, waitForUpdate } from '../asking/verbs.ts';
import { checkFunction, checkNames, checkText } from '../intake/checks.ts';
import { ConfigurationError } from '../errors.ts';
import type {
  ChildRunner, Duration, GatherOptions, GroupOptions, Instant, ItemResult, MapOptions, RaceOptions, Section, SleepOptions, StepInfo, StepOptions, TaskContext, Update, WaitForOptions, WaitPromise,
} from '../types.ts';
import { groupMark } from '../journal/history.ts';
import { waitPromise } from '../waiting/outcome.ts';
import { gather, map, scatter } from './items.ts';
import { whoIs } from './misuse.ts';
import { type PartCall, placeOf } from './parts.ts';
import { type Branch, type RaceHost, race } from './race.ts';
import { checkName } from './steps.ts';

interface Identified {
  id?: string | undefined;
}

const escape = (text: string): string => text.replace(/[:#~\u001d]/g, (mark) => `~${mark.charCodeAt(0)}`);

export class CodeSection implements Section {
  readonly #ctx: TaskContext;
  readonly #host: RaceHost;
  /** Of the parts it stands in. */
  readonly #path: string;
  readonly #branch: Branch | undefined;
  /** A branch of a race has its steps by name and ordinal, as all code. */
  readonly #isGroup: boolean;
  readonly #counts = new Map<string, number>();
  readonly run: ChildRunner;

  constructor(ctx: TaskContext, host: RaceHost, path = '', branch?: Branch, isGroup = false) {
    this.#ctx = ctx;
    this.#host = host;
    this.#path = path;
    this.#branch = branch;
    this.#isGroup = isGroup;
    this.run = ((task: any, input: any, options?: Identified) =>
      typeof task === 'string' && typeof input === 'function'
        ? this.step(task, input, options)
        : this.#begin(() => ctx.run(task, input, this.#known(`run ${typeof task === 'string' ? task : task?.id}`, options)))) as ChildRunner;
  }

  #begin<Value>(verb: () => Promise<Value>): Promise<Value> {
    try {
      return this.#branch ? this.#branch.begin(verb) : verb();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The options, with an id that says where it stands. */
  #known<Options extends Identified>(verb: string, options: Options | undefined): Options | undefined {
    if (options !== undefined && (typeof options !== 'object' || options === null)) return options;
    const { id } = options ?? {};
    const own = id === undefined ? this.#count(verb) || '' : `#${id}`;
    return { ...(options as Options), id: `${this.#path}${groupMark}${own}` };
  }

  #count(verb: string): number {
    const count = this.#counts.get(verb) ?? 0;
    this.#counts.set(verb, count + 1);
    return count;
  }

  /** @throws ConfigurationError */
  #refuseTwice(what: string, name: string, id: string | undefined): void {
    if (!this.#isGroup || this.#count(`${what} ${name}${groupMark}${id ?? ''}`) === 0) return;
    const { task, run } = this.#ctx;
    const path = [...this.#path.split(groupMark).slice(1), name].join('/');
    throw new ConfigurationError(`${whoIs(task.id, run.id)}: there are two ${what}s "${path}"${id === undefined ? '' : ` with the id ${JSON.stringify(id)}`}. Give the second another name, or an id of its own.`);
  }

  get signal(): AbortSignal {
    return this.#branch ? this.#branch.signal : this.#ctx.signal;
  }
  get options(): TaskContext['options'] {
    return this.#ctx.options;
  }
  step<Value>(name: string, compute: (info: StepInfo) => Value | Promise<Value>, options?: StepOptions<Value>): Promise<Value> {
    return this.#begin(() => {
      this.#refuseTwice('step', name, options?.id);
      return this.#ctx.step(name, compute, this.#known(`step ${name}`, options));
    });
  }
  sleep(duration: Duration, options?: SleepOptions): Promise<void> {
    return this.#begin(() => this.#ctx.sleep(duration, this.#known('sleep', options)));
  }
  sleepUntil(instant: Instant, options?: SleepOptions & { throwIfInThePast?: boolean }): Promise<void> {
    return this.#begin(() => this.#ctx.sleepUntil(instant, this.#known('sleepUntil', options)));
  }
  waitFor<Data = any>(name: string, options?: WaitForOptions<Data>): WaitPromise<Data> {
    return waitPromise(this.#begin(() => this.#ctx.waitForEvent<Data>(name, this.#known(`waitFor ${name}`, options))));
  }
  waitForToken<Output = any>(token: string | { id: string }): WaitPromise<Output> {
    return waitPromise(this.#begin(() => this.#ctx.waitForToken<Output>(token)));
  }
  waitForUpdate<Data = any>(name: string, options?: WaitForOptions<Data>): WaitPromise<Update<Data>> {
    const { reply } = this.#ctx as unknown as AskedContext;
    return waitForUpdate({ waitForEvent: (event, asked) => this.waitFor(event, asked), reply: reply.bind(this.#ctx) }, name, options);
  }
  async map(items: readonly any[], work: any, options?: MapOptions): Promise<ItemResult[]> {
    return map(this, items, work, options);
  }
  async gather(items: readonly any[], sources: Record<string, any>, options?: GatherOptions): Promise<any[]> {
    return gather(this, items, sources, options);
  }
  async scatter(sources: Record<string, unknown>): Promise<any> {
    return scatter(this, sources);
  }
  async group<Value>(...given: [name: string, work: (group: Section) => Value | Promise<Value>, options?: GroupOptions]): Promise<Value> {
    this.#refuseTwice('group', given[0], given[2]?.id);
    return this.part(['group', ...given]) as Promise<Value>;
  }
  async race(...given: [branches: readonly any[], options?: RaceOptions]): Promise<any> {
    return this.part(['race', ...given]);
  }
  async any(...given: [branches: readonly any[], options?: RaceOptions]): Promise<any> {
    return this.part(['any', ...given]);
  }

  /** @throws ConfigurationError, and what the part throws */
  part(call: PartCall, place = placeOf(this, call)): Promise<unknown> {
    const at = (name: string) => `${this.#path}${groupMark}${name}${place && `:${place.slice(0, -1)}`}`;
    if (call[0] !== 'group') {
      const [verb, branches, options] = call;
      const section = (number: number, branch: Branch | undefined) => new CodeSection(this.#ctx, this.#host, `${at(verb)}${groupMark}${number}`, branch);
      return race(this.#host, this.#branch, { verb, key: at(verb), branches, options, section });
    }
    const [, name, work, options = {}] = call;
    checkName(name, 'ctx.group');
    checkFunction(work, `ctx.group("${name}") work`);
    checkNames(options, ['id'], `ctx.group("${name}")`);
    const { id } = options;
    if (id !== undefined) checkText(id, `ctx.group("${name}") id`);
    const path = id === undefined ? at(escape(name)) : `${this.#path}${groupMark}${escape(name)}#${escape(id)}`;
    return Promise.resolve(work(new CodeSection(this.#ctx, this.#host, path, this.#branch, true)));
  }
}
bindMethods(CodeSection);
