/**
 * Tasks whose output comes in pieces: what the pieces add up to, and who gets them as they come. A port says how it
 * grows: `'x-stream': 'append'` (text), `'object'` (fields, and elements of lists by their id), `'replace'` (whole values).
 *
 * What is stored, cached and replayed is the whole. An attempt that begins again streams from its start.
 *
 * Invariant: the output depends on the pieces and their order alone.
 */
import { describe } from '../intake/checks.ts';
import { TaskFailedError } from './errors.ts';
import type { StreamEvent } from './events.ts';
import type { Streaming } from './stream-ports.ts';
import { type ExecuteContext, Task } from './task.ts';
import type { TaskConfig, TaskInput, TaskOutput } from './types.ts';

const pieceTypes: readonly StreamEvent['type'][] = ['text-delta', 'object-delta', 'snapshot', 'finish', 'phase', 'error'];

/** Adds pieces up. */
export class StreamAccumulator {
  #output: TaskOutput = {};

  /** @throws TaskFailedError for what is no piece, and one that does not fit what is there; the error of an `error` */
  add(event: StreamEvent): void {
    switch (event?.type) {
      case 'text-delta':
        this.#output = { ...this.#output, [event.port]: this.#text(event.port) + event.textDelta };
        return;
      case 'object-delta':
        this.#output = { ...this.#output, [event.port]: grown(this.#output[event.port], event.objectDelta) };
        return;
      case 'snapshot':
        this.#output = event.data;
        return;
      case 'finish':
        this.#output = { ...this.#output, ...defined(event.data) };
        return;
      case 'error':
        throw event.error;
      case 'phase':
        return;
      default:
        throw new TaskFailedError(`A stream gives pieces with a type of ${pieceTypes.join(', ')}, not ${describe(event)}.`);
    }
  }

  /** As far as it has come. */
  get output(): TaskOutput {
    return this.#output;
  }

  #text(port: string): string {
    const text = this.#output[port] ?? '';
    if (typeof text !== 'string') throw new TaskFailedError(`A piece of text came for port ${JSON.stringify(port)}, which holds something else.`);
    return text;
  }
}

/** Fields of objects; of lists what is there under the same id, else one more. */
function grown(former: unknown, delta: unknown): unknown {
  if (Array.isArray(delta)) return delta.reduce<unknown[]>(upserted, Array.isArray(former) ? former : []);
  const isBoth = isRecord(former) && isRecord(delta);
  return isBoth ? { ...former, ...delta } : delta;
}

function upserted(list: unknown[], item: unknown): unknown[] {
  const at = isRecord(item) && item.id !== undefined ? list.findIndex((one) => isRecord(one) && one.id === item.id) : -1;
  return at < 0 ? [...list, item] : list.with(at, grown(list[at], item));
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const defined = (data: object): object => Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined));

/**
 * Gives its output by pieces: `executeStream` in place of `execute`. Its pieces are told as `stream_start`, `stream_chunk`,
 * `stream_end`, and go on at once along edges whose both ends say the same `x-stream`.
 */
export abstract class StreamingTask<Input extends TaskInput = TaskInput, Output extends TaskOutput = TaskOutput, Config extends TaskConfig = TaskConfig> extends Task<Input, Output, Config> implements Streaming {
  /** An async generator, mostly. It is asked for the next piece when whoever reads has room for it. */
  abstract executeStream(input: Input, context: ExecuteContext): AsyncIterable<StreamEvent>;

  override execute(input: Input, context: ExecuteContext): Promise<Output> {
    return gathered(this, input, context) as Promise<Output>;
  }
}

/** Executes what streams: passes its pieces on, and gives what they add up to. @throws what it throws, the error of an `error` */
export async function gathered(task: Streaming, input: TaskInput, context: ExecuteContext): Promise<TaskOutput> {
  let accumulator = new StreamAccumulator();
  const { outlet } = context;
  try {
    let left = 100;
    for await (const event of task.executeStream(input, context)) {
      context.signal.throwIfAborted();
      accumulator.add(event);
      if (outlet?.isHeardOnly && event.type.endsWith('-delta')) accumulator = new StreamAccumulator();
      if (event.type === 'phase') {
        outlet?.told(event);
        await context.updateProgress(event.progress, event.message);
        continue;
      }
      const room = outlet?.gave(event, accumulator.output);
      if (room) {
        await room;
        context.signal.throwIfAborted();
      }
      // Nobody knows how much is to come: each piece is a twentieth of what is left.
      left *= 0.95;
      await context.updateProgress(Math.min(99, Math.round(100 - left)));
    }
  } catch (error) {
    outlet?.broke(error);
    throw error;
  }
  outlet?.gaveAll(accumulator.output);
  return accumulator.output;
}
