/** `ctx.sleep` and `ctx.sleepUntil`: waits that survive the page, and hold no slot. */
import { toInstant, toMilliseconds } from '../intake/duration.ts';
import { ConfigurationError } from '../errors.ts';
import { KeyPrefix, RecordKind } from '../journal/history.ts';
import { checkNames } from '../intake/checks.ts';
import type { Duration, Instant, SleepOptions } from '../types.ts';
import type { Durable } from './durable.ts';

/** Waits for the moment, without a record of its own. */
export function sleepUntil(durable: Durable, atMs: number, arrive: () => void, key?: string): Promise<void> {
  const over = new Promise<void>((resolve) => {
    const cancel = durable.alarms.add(atMs, resolve);
    if (key !== undefined) durable.branchOf(key)?.onLost(cancel);
  });
  const { host, run } = durable;
  const keepsSlot = atMs - host.nowMs <= host.shortWaitMsOf(run);
  return durable.wait(over, arrive, () => ({ kind: 'timer', until: atMs, text: `Its code sleeps until ${new Date(atMs).toISOString()}.` }), key, keepsSlot);
}

export async function sleep(durable: Durable, duration: Duration, options: SleepOptions = {}): Promise<void> {
  const delayMs = toMilliseconds(duration, 'ctx.sleep');
  checkNames(options, ['id'], 'ctx.sleep');
  await pause(durable, 'sleep', options.id, () => durable.host.nowMs + delayMs);
}

export async function sleepTo(durable: Durable, instant: Instant, options: SleepOptions & { throwIfInThePast?: boolean } = {}): Promise<void> {
  const { nowMs } = durable.host;
  checkNames(options, ['id', 'throwIfInThePast'], 'ctx.sleepUntil');
  const atMs = toInstant(instant, 'ctx.sleepUntil', nowMs);
  await pause(durable, 'sleepUntil', options.id, () => {
    if (options.throwIfInThePast && atMs < nowMs) throw new ConfigurationError(`ctx.sleepUntil: ${new Date(atMs).toISOString()} is in the past.`);
    return atMs;
  });
}

/** The moment is decided once; that it is over is recorded when the code goes on. */
async function pause(durable: Durable, verb: string, id: string | undefined, decide: () => number): Promise<void> {
  durable.check(verb, '');
  const key = durable.key(KeyPrefix.Sleep, verb, id);
  if (await durable.ask(key)) return;
  await durable.safePoint(verb, '', key);
  const marker = `${KeyPrefix.Mark}until${key}`;
  const known = durable.replay.mark(marker);
  const atMs = known ? (durable.host.valueOf(known) as number) : decide();
  if (!known) durable.note(marker, RecordKind.Mark, atMs);
  await sleepUntil(durable, atMs, () => durable.note(key, RecordKind.Slept), key);
  durable.check(verb, '');
}
