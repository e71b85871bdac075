/**
 * Calls that become one run: debounced, throttled. Which run that is says its key (`identity/`), over reloads and tabs;
 * when it begins is its first start in the core, and what it was given last a note of it (`NoteKind.Input`).
 *
 * Invariants: only a run that has not begun takes another call in; between finding it and taking the call in there is no turn.
 */
import type { Joined } from '../identity/keyed-handle.ts';
import type { RunKey } from '../identity/key.ts';
import type { Definition } from '../intake/registry.ts';
import { NoteKind } from '../journal/notes.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { End, Run } from '../runs/run.ts';
import { joinTags } from '../definition/tags.ts';
import type { RemoteHandle } from '../tabs/remote.ts';
import { hasEnded } from '../runs/status.ts';
import type { TriggerOptions } from '../types.ts';
import { isPromise, takeInput } from '../definition/validation.ts';
import type { Collapse, Debounce, Throttle } from './plan.ts';

/** A call that may be taken in by a run that is there. */
export interface CollapsingCall {
  readonly collapse: Collapse;
  readonly definition: Definition;
  readonly input: unknown;
  readonly options: TriggerOptions;
}

/** As it crosses to the tab that has the run. */
export interface CollapseMessage {
  /** When it begins; undefined: as it was going to. */
  debounce?: Pick<Debounce, 'delayMs' | 'maxDelayMs'>;
  /** In place of what the run was given. */
  given?: { input: unknown; metadata?: Record<string, any>; tags?: readonly string[] };
}

/** One period of a throttled key. */
interface Period {
  readonly untilMs: number;
  count: number;
  /** Its trailing run is made. */
  hasTrailing: boolean;
}

type Holder = Run | RemoteHandle;

export class Collapsing {
  readonly #house: Orchestrator;
  readonly #periods = new Map<string, Period>();

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  /**
   * What becomes of a call whose key this run holds: it is taken in or joined; undefined: a run is made, which begins at
   * `key.startAtMs`.
   */
  claim(taskIdentifier: string, key: RunKey, call: CollapsingCall, holder: Holder | undefined): Joined | undefined {
    const nowMs = this.#house.clock.now();
    const isPending = holder !== undefined && hasNotBegun(holder);
    const { collapse } = call;
    if (collapse.kind === 'debounce') {
      if (isPending) return { handle: holder, skipped: false, takesIn: true };
      key.startAtMs = nowMs + collapse.delayMs;
      return undefined;
    }
    const period = this.#periodOf(`${taskIdentifier}\u0000${collapse.key}`, collapse, holder, nowMs);
    if (collapse.leading && period.count < collapse.limit) {
      period.count++;
      return undefined;
    }
    if (holder && isPending && period.hasTrailing) return { handle: holder, skipped: false, takesIn: true };
    if (holder && !collapse.trailing) return { handle: holder, skipped: false };
    period.hasTrailing = true;
    key.startAtMs = period.untilMs;
    return undefined;
  }

  /** The one that is now. */
  #periodOf(place: string, { periodMs, limit }: Throttle, holder: Holder | undefined, nowMs: number): Period {
    const known = this.#periods.get(place) ?? this.#found(holder, periodMs, limit, nowMs);
    let period = known;
    // The trailing run of a period is the first of the next.
    if (period && nowMs >= period.untilMs) period = period.hasTrailing && nowMs < period.untilMs + periodMs ? { untilMs: period.untilMs + periodMs, count: 1, hasTrailing: false } : undefined;
    period ??= { untilMs: nowMs + periodMs, count: 0, hasTrailing: false };
    this.#periods.set(place, period);
    return period;
  }

  /** Of a former page, or of another tab. What it had begun in its period is not known: that is taken to be all it might. */
  #found(holder: Holder | undefined, periodMs: number, limit: number, nowMs: number): Period | undefined {
    if (!holder) return undefined;
    if (hasNotBegun(holder)) {
      const { retryAt } = holder.state;
      return { untilMs: retryAt !== undefined && retryAt > nowMs ? retryAt : nowMs, count: limit, hasTrailing: true };
    }
    return { untilMs: holder.state.startTime + periodMs, count: limit, hasTrailing: false };
  }

  /** The run takes the call in. Resolves when that is stored. @throws InputValidationError at once, where the schema answers at once */
  takeIn(holder: Holder, call: CollapsingCall): Promise<void> {
    const { collapse, definition, input, options } = call;
    const replaces = collapse.kind === 'throttle' || collapse.isTrailing;
    const checked = replaces && definition.prepared?.atDispatch ? takeInput(definition.prepared.input!, definition.id, input) : undefined;
    const message: CollapseMessage = {
      ...(collapse.kind === 'debounce' && { debounce: { delayMs: collapse.delayMs, maxDelayMs: collapse.maxDelayMs } }),
      ...(replaces && { given: { input, ...(options.metadata && { metadata: options.metadata }), ...(options.tags !== undefined && { tags: joinTags([options.tags], 'tags') }) } }),
    };
    const taken = isPromise(checked) ? checked.then(() => this.#give(holder, message)) : this.#give(holder, message);
    return taken.then((isTaken) => {
      // It has begun meanwhile: then the call is one of its own.
      if (!isTaken) return this.#house.intake.triggerTask(definition.id, input, options).accepted;
    });
  }

  #give(holder: Holder, message: CollapseMessage): Promise<boolean> {
    return holder instanceof Run ? this.obey(holder, message) : this.#ask(holder, message);
  }

  async #ask(holder: RemoteHandle, message: CollapseMessage): Promise<boolean> {
    const { toMessage } = await import('../codec/message.ts');
    return (await holder.ask('collapse', toMessage(message, 'input').value).catch(() => false)) === true;
  }

  /** A run of ours takes in what was called here or in another tab; false: it has begun. */
  async obey(run: Run, { debounce, given }: CollapseMessage): Promise<boolean> {
    if (!hasNotBegun(run)) return false;
    const { control, clock } = this.#house;
    const stored: Promise<boolean>[] = [];
    if (debounce) stored.push(control.set(run, P.TaskFieldNotBeforeMs, Math.min(clock.now() + debounce.delayMs, run.createdAtMs + debounce.maxDelayMs)));
    if (given) stored.push(this.#replace(run, given));
    return (await Promise.all(stored)).at(-1) !== false;
  }

  async #replace(run: Run, { input, metadata, tags }: NonNullable<CollapseMessage['given']>): Promise<boolean> {
    const { services } = this.#house;
    const written = await services.writeNote(run, NoteKind.Input, input, 'input');
    const more: { write: () => void; see: () => void }[] = [];
    if (metadata) more.push({ write: await services.writeNote(run, NoteKind.Metadata, metadata, 'metadata'), see: () => void (run.ownExtra.metadata = metadata) });
    if (tags) more.push({ write: await services.writeNote(run, NoteKind.Tags, tags, 'tags'), see: () => void (run.ownExtra.tags = tags) });
    if (!hasNotBegun(run)) return false;
    return new Promise((resolve) => {
      const give = () => {
        for (const { write, see } of more) {
          see();
          write();
        }
        (run.ownExtra.waiters ??= []).push({ command: P.CommandNote, resolve });
        written();
        this.#house.pump.wake();
        this.#house.changed(run);
      };
      if (run.task !== 0) give();
      else (run.ownExtra.early ??= []).push(give);
    });
  }
}

/** Nothing of its code has run. */
export function hasNotBegun(holder: Holder): boolean {
  if (!(holder instanceof Run)) return holder.state.attempt === 0 && !hasEnded(holder.status);
  const { refusal, gone } = holder.extra;
  return holder.end === End.None && refusal === undefined && !gone && holder.state.attempt === 0;
}
