/**
 * The page's side of one attempt that runs in a worker: answers its steps from the record, passes
 * progress and abort on, and ends exactly once.
 */
import { fromMessage, toMessage } from '../codec/message.ts';
import { ContinueAsNew } from '../context/again.ts';
import { metadataVerbs } from '../definition/metadata-view.ts';
import { AbortedError, QueryError, WorkerCrashedError } from '../errors.ts';
import { deserializeError, serializeError } from '../runs/serialize-error.ts';
import type { LogLevel, StepInfo, StepOptions, TaskContext, WaitResult } from '../types.ts';
import { checkStream, type StreamSink } from '../streams/writing.ts';
import { toWaitMessage } from '../waiting/outcome.ts';
import { type AskVerb, askVerbs, type ToldVerb, type ToPage, type ToWorker } from './protocol.ts';

interface Computation {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export class WorkerCall {
  /** What the handler in the worker gives or throws. */
  readonly outcome: Promise<unknown>;
  readonly #id: number;
  readonly #context: TaskContext;
  readonly #post: (message: ToWorker, transfer: Transferable[]) => void;
  readonly #computations = new Map<number, Computation>();
  readonly #questions = new Map<number, Computation>();
  #queries = 0;
  readonly #onAbort: () => void;
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;
  #over = false;

  constructor(id: number, context: TaskContext, post: (message: ToWorker, transfer: Transferable[]) => void) {
    this.#id = id;
    this.#context = context;
    this.#post = post;
    this.#onAbort = () => this.#send({ holdfast: 'abort', call: id, reason: serializeError(context.signal.reason) });
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** @throws SerializationError when the input can't be sent */
  start(input: unknown): void {
    const { attempt, run, task, metadata, signal, tags } = this.#context;
    const { movesBuffers = false } = this.#context as { movesBuffers?: boolean };
    const sent = toMessage(input, 'input', movesBuffers);
    const described = toMessage(metadata, 'metadata');
    const { recordedTimes, chanceSeed } = this.#context as { recordedTimes?: () => number[]; chanceSeed?: string };
    const times = recordedTimes?.call(this.#context) ?? [];
    const options = toMessage(this.#context.options, 'options').value;
    const known = { tags: tags.current, computeMs: this.#context.usage.computeMs, options, chance: chanceSeed ?? run.id, times, transfer: movesBuffers };
    const context = { attempt: { ...attempt }, run: { ...run }, task: { ...task }, metadata: described.value, ...known, resumedFrom: toMessage(this.#context.resumedFrom, 'checkpoint').value };
    const transfer = [...sent.transfer, ...described.transfer];
    this.#send({ holdfast: 'run', call: this.#id, input: sent.value, context }, transfer);
    if (signal.aborted) this.#onAbort();
    else signal.addEventListener('abort', this.#onAbort);
  }

  receive(message: ToPage): void {
    if (this.#over || message.call !== this.#id) return;
    try {
      this.#handle(message);
    } catch (error) {
      this.fail(new WorkerCrashedError("A message of the worker can't be read.", { cause: error }));
    }
  }

  /** The worker is gone, or given up. */
  fail(error: unknown): void {
    this.#end(() => this.#reject(error));
    for (const { reject } of this.#computations.values()) reject(error);
    this.#computations.clear();
  }

  /** Why the attempt is being stopped, if it is. */
  get stopReason(): unknown {
    const { signal } = this.#context;
    return signal.aborted ? signal.reason : new AbortedError('The attempt was given up.');
  }

  #handle(message: ToPage): unknown {
    switch (message.holdfast) {
      case 'progress':
        return this.#context.progress(message.report);
      case 'step':
        return this.#step(message.step, message.name, message.options && (fromMessage(message.options) as StepOptions));
      case 'ask':
        return this.#ask(message.ask, message.verb, fromMessage(message.args) as unknown[]);
      case 'told':
        return this.#hear(message.verb, fromMessage(message.args) as any[]);
      case 'queried':
        return this.#question(message.query)?.resolve(fromMessage(message.answer));
      case 'queryThrew':
        return this.#question(message.query)?.reject(deserializeError(message.error));
      case 'computed':
        return this.#computation(message.step)?.resolve(fromMessage(message.value));
      case 'stepThrew':
        return this.#computation(message.step)?.reject(deserializeError(message.error));
      case 'returned': {
        const value = fromMessage(message.value);
        return this.#end(() => this.#resolve(value));
      }
      case 'again': {
        const input = fromMessage(message.input);
        return this.#end(() => this.#reject(new ContinueAsNew(input)));
      }
      case 'threw':
        return this.#end(() => this.#reject(deserializeError(message.error)));
    }
  }

  /** Only listed verbs are carried out: a worker's message is a stranger's. */
  async #ask(ask: number, verb: AskVerb, args: unknown[]): Promise<void> {
    const call = this.#id;
    try {
      if (!askVerbs.includes(verb)) throw new TypeError(`There is no verb ${JSON.stringify(verb)}.`);
      const { value, transfer } = toMessage(await this.#answer(verb, args), `result of ctx.${verb}`);
      this.#send({ holdfast: 'answered', call, ask, value }, transfer);
    } catch (error) {
      this.#send({ holdfast: 'refused', call, ask, error: serializeError(error) });
    }
  }

  async #answer(verb: AskVerb, args: unknown[]): Promise<unknown> {
    if (verb === 'flushMetadata') return this.#context.metadata.flush();
    if (verb === 'addTags') return this.#context.tags.add(args[0] as string[]);
    if (verb === 'streamAppend' || verb === 'streamRecorded') return this.#stream(verb, args);
    // Some of them are the house's own, and no verb of people's code.
    const context = this.#context as unknown as Record<AskVerb, (...list: unknown[]) => unknown>;
    const result = await context[verb](...args);
    return verb === 'waitForEvent' || verb === 'waitForToken' ? toWaitMessage(result as WaitResult).value : result;
  }

  #stream(verb: 'streamAppend' | 'streamRecorded', [key, chunk, id]: any[]): Promise<unknown> {
    checkStream(key, undefined, 'ctx.stream');
    const sink = (this.#context as unknown as { streamSink(key: string): StreamSink }).streamSink(key);
    return verb === 'streamAppend' ? sink.append(chunk, id) : sink.recorded();
  }

  /** [whose, verb, its arguments]: checked where it is carried out. */
  #describe([whose, verb, args]: any[]): void {
    const { metadata } = this.#context;
    const target = whose === 'own' ? metadata : metadata[whose === 'root' ? 'root' : 'parent'];
    if ((metadataVerbs as readonly string[]).includes(verb)) (target as any)[verb](...args);
  }

  #hear(verb: ToldVerb, args: any[]): void {
    if (verb === 'metadata') this.#describe(args);
    else if (verb === 'onQuery') this.#context.onQuery(args[0], (data) => this.#query(args[0], data));
    else if (verb === 'heartbeat') this.#context.heartbeat();
    else if (verb === 'now') this.#context.now();
    else if (verb === 'emit') this.#context.emit(args[0], args[1]);
    else this.#context.log[args[0] as LogLevel]?.(args[1], args[2]);
  }

  #query(name: string, data: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const query = ++this.#queries;
      this.#questions.set(query, { resolve, reject });
      const { value, transfer } = toMessage(data, 'data');
      this.#send({ holdfast: 'query', call: this.#id, query, name, data: value }, transfer);
    });
  }

  #question(query: number): Computation | undefined {
    const question = this.#questions.get(query);
    this.#questions.delete(query);
    return question;
  }

  async #step(step: number, name: string, options: StepOptions | undefined): Promise<void> {
    try {
      const value = await this.#context.step(name, (info) => this.#compute(step, info), options);
      const { value: sent, transfer } = toMessage(value, `result of step "${name}"`);
      this.#send({ holdfast: 'recorded', call: this.#id, step, value: sent }, transfer);
    } catch (error) {
      this.#send({ holdfast: 'failed', call: this.#id, step, error: serializeError(error) });
    }
  }

  #compute(step: number, { attempt, stepId }: StepInfo): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#computations.set(step, { resolve, reject });
      this.#send({ holdfast: 'compute', call: this.#id, step, attempt, stepId });
    });
  }

  #computation(step: number): Computation | undefined {
    const computation = this.#computations.get(step);
    this.#computations.delete(step);
    return computation;
  }

  #send(message: ToWorker, transfer: Transferable[] = []): void {
    if (!this.#over) this.#post(message, transfer);
  }

  #end(settle: () => void): void {
    if (this.#over) return;
    this.#over = true;
    this.#context.signal.removeEventListener('abort', this.#onAbort);
    for (const { reject } of this.#questions.values()) reject(new QueryError('The attempt that was asked is over.'));
    settle();
  }
}
