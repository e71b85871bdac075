/**
 * What is recorded of a run beside its input and end: results of steps, what children gave, waits that
 * are over, marks; in the order in which they were recorded.
 *
 * A record is made in three moments: it is handed to the core (pending), the core takes it (an entry),
 * the storage has it (acknowledged). Invariant: entries are the core's records of the run, one for one
 * and in their order, so the core and this list count the same.
 */
import { decode } from '../codec/codec.ts';
import { readRecord, recordValueBytes } from './payloads.ts';
import type { PayloadBytes } from '../runs/run.ts';

/** What a record says; the numbers stand in journals and never change. */
export const RecordKind = {
  /** A step's result, of a former format. */
  Plain: 0,
  /** A step's result. */
  Value: 1,
  /** A step failed, and the code after it went on. */
  Failure: 2,
  /** Something that was decided once (a time, a patch): known by its key, no matter when it is asked for. */
  Mark: 3,
  /** A child's result was given to the code; it stands with the child. */
  ChildDone: 4,
  ChildFailed: 5,
  /** A sleep was over. */
  Slept: 6,
  /** An event or a token's data was given to the code. */
  Received: 7,
  /** A lock was had. */
  Locked: 10,
} as const;

export interface Entry {
  readonly key: string;
  readonly kind: number;
  /** The attempt that recorded it; 0: unknown, long ago. */
  readonly attempt: number;
  /** Where it was encoded … */
  readonly payload: PayloadBytes | undefined;
  /** … and the value itself where nothing is kept beyond memory. */
  readonly value?: unknown;
  acknowledged: boolean;
}

interface Pending {
  entry: Entry;
  resolve: (entry: Entry) => void;
  reject: () => void;
}

/** Keys of different verbs never meet; a verb's prefix is no character of a name. */
export const KeyPrefix = { Step: '', Child: '\u0001', Sleep: '\u0002', Event: '\u0003', Mark: '\u0004', Undo: '\u0005', Lock: '\u0006' } as const;

/** Behind the name, of the second and further ones of that name. */
export const ordinalMark = '\u0000';

/** Before each name of the groups that something stands in, and behind the last of them; in its id. */
export const groupMark = '\u001d';

/** The name as it was written. */
export function nameOf(key: string): string {
  const bare = key.charCodeAt(0) < 32 ? key.slice(1) : key;
  return bare.split(ordinalMark)[0]!;
}

/** The same behind the groups that it stands in: `upload/head`. */
export function pathOf(key: string): string {
  const [, id = ''] = key.split(ordinalMark);
  const groups = id.startsWith(`#${groupMark}`) ? id.split(groupMark).slice(1, -1) : [];
  return [...groups.map((group) => group.replace(/~(\d+)/g, (_, code) => String.fromCharCode(code))), nameOf(key)].join('/');
}

export class History {
  entries: Entry[] = [];
  #pending: Pending[] = [];
  #nextPending = 0;
  bytes = 0;

  /** From the payloads of a journal. @throws SerializationError where one can't be read */
  static read(payloads: readonly PayloadBytes[]): History {
    const history = new History();
    for (const payload of payloads) history.#keep({ ...readRecord(payload), payload, acknowledged: true });
    return history;
  }

  #keep(entry: Entry): void {
    this.entries.push(entry);
    this.bytes += entry.payload?.length ?? 0;
  }

  /** Handed to the core. */
  push(entry: Entry, resolve: Pending['resolve'], reject: Pending['reject']): void {
    this.#pending.push({ entry, resolve, reject });
  }

  #shift(): Pending | undefined {
    if (this.#pending.length === 0) return undefined;
    const pending = this.#pending[this.#nextPending++];
    if (this.#nextPending === this.#pending.length) {
      this.#pending = [];
      this.#nextPending = 0;
    }
    return pending;
  }

  /** The core took the oldest pending one. Gives what tells that it is acknowledged. */
  taken(): (() => void) | undefined {
    const pending = this.#shift();
    if (!pending) return undefined;
    this.#keep(pending.entry);
    return () => {
      pending.entry.acknowledged = true;
      pending.resolve(pending.entry);
    };
  }

  refused(): void {
    this.#shift()?.reject();
  }

  /** The core keeps only the first ones. */
  dropped(kept: number): void {
    for (const entry of this.entries.splice(kept)) this.bytes -= entry.payload?.length ?? 0;
  }

  /** The core crashed: what was not acknowledged has not happened. */
  forgetUnsealed(): void {
    for (let pending = this.#shift(); pending; pending = this.#shift()) pending.reject();
    const lost = this.entries.findIndex(({ acknowledged }) => !acknowledged);
    if (lost >= 0) this.dropped(lost);
  }
}

/** The value of an entry without blobs. */
export function valueOf(entry: Entry): unknown {
  return entry.payload ? decode(recordValueBytes(entry.payload)) : entry.value;
}
