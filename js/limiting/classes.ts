/**
 * Limits that everybody may name without declaring them: what a machine has little of. A limit that is declared under one of
 * these names takes its place.
 */
import type { LimitOptions } from './types.ts';

const machine = (): { hardwareConcurrency?: number; deviceMemory?: number } => (typeof navigator === 'undefined' ? {} : navigator);

const classes: Record<string, () => LimitOptions> = {
  /** One core is left to the page. */
  cpu: () => ({ concurrency: Math.max(1, (machine().hardwareConcurrency ?? 4) - 1) }),
  /** Of each key (a host, say): what browsers open to one. */
  network: () => ({ concurrency: { perKey: 6 } }),
  /** Weights are megabytes: a quarter of what the machine says it has. */
  memory: () => ({ concurrency: Math.max(256, Math.round(((machine().deviceMemory ?? 4) * 1024) / 4)) }),
  gpu: () => ({ concurrency: 1 }),
};

/** undefined: there is none of that name. */
export function resourceClass(name: string): LimitOptions | undefined {
  return Object.hasOwn(classes, name) ? classes[name]!() : undefined;
}
