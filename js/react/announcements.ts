/**
 * What a screen reader is told, and how often. States go in as they change; `next()` gives one short
 * message at a time, so the caller's pace (one per 3 s) is the whole throttle.
 *
 * Invariants: failures come first and are urgent; a run says only its latest news; what has ended
 * before the panel was there is never told, nor what is removed.
 */

import type { TaskState } from '../types.ts';
import { isEnded } from './appearance.ts';
import type { Format } from './format.ts';
import type { LabelKey } from './labels.ts';
import { clip, isolate } from './text.ts';

type Kind = 'Started' | 'Progress' | 'Retrying' | 'Paused' | 'Completed' | 'Cancelled' | 'Failed';

interface Seen {
  status: TaskState['status'];
  retryCount: number;
  quarter: number;
}

export interface Message {
  text: string;
  urgent: boolean;
}

const quarterOf = (state: TaskState) => Math.floor(state.progress / 25);
const order: Kind[] = ['Started', 'Progress', 'Retrying', 'Paused', 'Completed', 'Cancelled'];

function ending(state: TaskState): Kind {
  return state.status === 'completed' ? 'Completed' : state.status === 'failed' ? 'Failed' : 'Cancelled';
}

function newsOf(state: TaskState, before: Seen | undefined): Kind | undefined {
  if (isEnded(state)) return before?.status === state.status ? undefined : ending(state);
  if (before && state.retryCount > before.retryCount) return 'Retrying';
  if (state.status === 'paused' && before && before.status !== 'paused') return 'Paused';
  if (state.status !== 'running') return undefined;
  if (before?.status !== 'running') return 'Started';
  return quarterOf(state) > before.quarter && state.progress < 100 ? 'Progress' : undefined;
}

export class Announcements {
  readonly #sinceMs: number;
  #seen = new Map<string, Seen>();
  #news = new Map<string, { kind: Kind; state: TaskState }>();
  #direct: Message[] = [];

  /** `states` are there already and no news. */
  constructor(states: readonly TaskState[], sinceMs: number) {
    this.#sinceMs = sinceMs;
    for (const state of states) this.#remember(state);
  }

  get isEmpty(): boolean {
    return this.#news.size === 0 && this.#direct.length === 0;
  }

  note(state: TaskState): void {
    const before = this.#seen.get(state.id);
    if (state.removedUntil !== undefined) return this.#removed(state);
    this.#remember(state);
    if (!before && isEnded(state) && (state.endedAt ?? 0) < this.#sinceMs) return;
    const kind = newsOf(state, before);
    if (kind) this.#news.set(state.id, { kind, state });
  }

  say(message: Message): void {
    if (!this.#direct.some(({ text }) => text === message.text)) this.#direct.push(message);
  }

  next(format: Format): Message | undefined {
    return this.#failures(format) ?? this.#direct.shift() ?? this.#rest(format);
  }

  #remember(state: TaskState): void {
    if (isEnded(state)) this.#seen.delete(state.id);
    else this.#see(state);
  }

  #see(state: TaskState): void {
    this.#seen.set(state.id, { status: state.status, retryCount: state.retryCount, quarter: quarterOf(state) });
  }

  /** What had ended is no news when it is back. */
  #removed(state: TaskState): void {
    this.#news.delete(state.id);
    if (isEnded(state)) this.#see(state);
  }

  #take(wanted: (kind: Kind) => boolean) {
    const taken = [...this.#news.values()].filter(({ kind }) => wanted(kind));
    for (const { state } of taken) this.#news.delete(state.id);
    return taken;
  }

  #failures(format: Format): Message | undefined {
    const failed = this.#take((kind) => kind === 'Failed');
    if (failed.length === 0) return undefined;
    if (failed.length > 1) return { text: format.label('sayFailures', { count: failed.length }), urgent: true };
    return { text: one(failed[0]!, format), urgent: true };
  }

  #rest(format: Format): Message | undefined {
    const all = this.#take(() => true);
    const important = all.filter(({ kind }) => kind !== 'Progress');
    const told = important.length > 0 ? important : all;
    if (told.length === 0) return undefined;
    if (told.length <= 2) return { text: told.map((news) => one(news, format)).join('. '), urgent: false };
    const parts = order
      .map((kind) => [kind, told.filter((news) => news.kind === kind).length] as const)
      .filter(([, count]) => count > 0)
      .map(([kind, count]) => format.label(`some${kind}` as LabelKey, { count }));
    return { text: format.label('saySome', { count: told.length, parts: parts.join(', ') }), urgent: false };
  }
}

function one({ kind, state }: { kind: Kind; state: TaskState }, format: Format): string {
  return format.label(`say${kind}`, {
    name: isolate(clip(state.name, 80)),
    progress: format.percent(state.progress),
    reason: isolate(clip(state.error?.message ?? '', 160)),
  });
}
