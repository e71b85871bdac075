/**
 * Circuits of tasks and queues: what the core is told of them, with the first run that has one.
 * Invariant: the core knows a circuit's settings before a run of this page that has it.
 */
import type { CommandBuffer } from '../pump/engine.ts';
import type { ResolvedRunOptions } from '../intake/options.ts';
import * as P from '../protocol.ts';
import type { Definition } from '../intake/registry.ts';
import { circuitNumber, type Settings, settingsOf } from './settings.ts';
import type { CircuitOptions } from './types.ts';

interface Known {
  number: number;
  settings: Settings;
  text: string;
  isTold: boolean;
}

export class CircuitTable {
  readonly #commands: CommandBuffer;
  readonly #known = new Map<string, Known>();

  constructor(commands: CommandBuffer) {
    this.#commands = commands;
  }

  /** Its number; 0: there is none. Who says nothing about a queue changes nothing of it. @throws ConfigurationError */
  declare(kind: 'task' | 'queue', name: string, options: CircuitOptions): number {
    const settings = settingsOf(options, `${kind} "${name}"`);
    if (!settings) return kind === 'queue' ? this.of(name) : 0;
    const text = JSON.stringify(settings);
    const known = this.#known.get(kind + name);
    if (known?.text === text) return known.number;
    const number = known?.number ?? circuitNumber(kind, name);
    this.#known.set(kind + name, { number, settings, text, isTold: false });
    return number;
  }

  /** The circuits of a definition and its queue, beside the options of its runs. */
  place({ id, spec }: Pick<Definition, 'id' | 'spec'>, options: ResolvedRunOptions): ResolvedRunOptions {
    const own = this.declare('task', id, spec);
    const queue = options.queueName === undefined ? 0 : this.of(options.queueName);
    return own || queue ? { ...options, circuits: [own, queue], plain: false } : options;
  }

  /** Of a queue; 0: there is none. */
  of(queue: string): number {
    return this.#known.get(`queue${queue}`)?.number ?? 0;
  }

  /** Tells the core what a run of this page has. */
  describe(task: number, [own, queue]: readonly [number, number]): void {
    for (const known of this.#known.values()) if (!known.isTold && (known.number === own || known.number === queue)) this.#tell(known);
    if (own) this.#commands.setTask(task, P.TaskFieldCircuit, own);
    if (queue) this.#commands.setTask(task, P.TaskFieldQueueCircuit, queue);
  }

  #tell(known: Known): void {
    known.isTold = true;
    for (const [field, value] of known.settings) this.#commands.push(P.CommandSetCircuit, known.number, field, 0, value);
  }

  /** A fresh core may have missed it. */
  tellAgain(): void {
    for (const known of this.#known.values()) if (known.isTold) this.#tell(known);
  }
}
