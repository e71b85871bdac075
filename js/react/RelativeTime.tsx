'use client';
import type { LabelKey } from './labels.ts';
import { usePanel } from './panel.ts';
import { useNow } from './useNow.ts';

interface RelativeTimeProps {
  atMs: number;
  /** A label with a `{when}` to put it in. */
  label?: LabelKey;
  values?: Readonly<Record<string, string | number>>;
  /** What to say once a time to come is over. */
  overdue?: LabelKey;
}

/** `3 minutes ago`, kept current: to the second while it lies ahead, every ten seconds behind. Nothing on a server. */
export function RelativeTime({ atMs, label, values, overdue }: RelativeTimeProps) {
  const { format } = usePanel();
  const isAhead = overdue !== undefined;
  const nowMs = useNow(isAhead ? 1000 : 10_000);
  if (nowMs === undefined) return null;
  if (isAhead && atMs <= nowMs) return <>{format.label(overdue, values)}</>;
  // `nowMs` is up to a second old: half of it makes the rounding fair.
  const when = format.relative(isAhead ? atMs - nowMs - 500 : Math.min(0, atMs - nowMs));
  return (
    <time dateTime={new Date(atMs).toISOString()} title={format.time(atMs)}>
      {label ? format.label(label, { ...values, when }) : when}
    </time>
  );
}
