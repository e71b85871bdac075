/**
 * Runs random durable programs in a page that will be killed, and tells the test what their code did:
 * which step was computed, which result the code went on with.
 */
import { createOrchestrator, defineTask, type Orchestrator } from 'holdfast';
import { tell } from '../../crash/page/report.ts';
import { interpret, type Part, type Program, type Witness } from '../../js/programs/program.ts';

/** `number` names the program in what is told. */
type Numbered<Shape> = Shape & { number: number };

const child = defineTask({
  id: 'program-child',
  retry: { maxAttempts: 1 },
  run: ({ number, body, path }: Numbered<Part>, ctx): Promise<unknown> => interpret(body, ctx, witnessOf(number), path),
});

const whole = defineTask({
  id: 'program',
  // A crash may take some of them.
  retry: { maxAttempts: 50, minDelayMs: 50, factor: 1, randomize: false },
  run: async ({ number, body, failures }: Numbered<Program>, ctx) => {
    const values = await interpret(body, ctx, witnessOf(number), '');
    if (ctx.attempt.number <= failures) throw new Error('the program fails');
    return values;
  },
});

function witnessOf(number: number): Witness {
  return {
    computed: (path) => tell('computed', { number, path }),
    given: (path) => tell('given', { number, path }),
    changed: (path) => tell('changed', { number, path }),
    sleep: (ms) => new Promise((resolve) => void setTimeout(resolve, ms)),
    child: (ctx, part) => ctx.run(child, { ...part, number }),
  };
}

export interface End {
  number: number;
  status: string;
  output?: unknown;
  retries: number;
}

class Programs {
  #orchestrator!: Orchestrator;

  /** Recovers what is there; its runs go on. */
  async open(): Promise<void> {
    this.#orchestrator = createOrchestrator({
      id: 'programs',
      recovery: { mode: 'auto' },
      retention: { completed: { count: 1_000_000 }, failed: { count: 1_000_000 } },
    });
    await this.#orchestrator.ready;
    // Killed three times without a record between: a person would be asked.
    for (const { id, phase, rootId } of this.#orchestrator.getAllTasks()) {
      if (phase !== 'quarantined') continue;
      tell('retried', { number: this.#orchestrator.getTaskState(rootId ?? id)!.metadata.number, path: '' });
      await this.#orchestrator.retryTask(id);
    }
  }

  /** Resolves when it is accepted: from then on it must not be lost. */
  async submit(number: number, program: Program): Promise<void> {
    await this.#orchestrator.trigger(whole, { ...program, number }, { metadata: { number } }).accepted;
  }

  /** Programs that have not ended. */
  living(): number {
    return this.#orchestrator.getAllTasks().filter(({ taskIdentifier, status }) => taskIdentifier === 'program' && !isEnd(status)).length;
  }

  async ends(): Promise<End[]> {
    const ended = this.#orchestrator.getAllTasks().filter(({ taskIdentifier, status }) => taskIdentifier === 'program' && isEnd(status));
    return Promise.all(
      ended.map(async ({ id, metadata, status, retryCount }) => ({
        number: metadata.number as number,
        status,
        retries: retryCount,
        ...(status === 'completed' && { output: await this.#orchestrator.attach(id)!.result() }),
      })),
    );
  }
}

const isEnd = (status: string): boolean => status === 'completed' || status === 'failed' || status === 'cancelled';

export type { Programs };
(globalThis as any).programs = new Programs();
