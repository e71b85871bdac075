/**
 * What people say about caching → one plan for a run.
 * Stronger to weaker: call, definition, process (its `cacheMode`), orchestrator, built-in (A9).
 */
import { toMilliseconds } from '../intake/duration.ts';
import { type AnySpec, type CacheCallOption, isCache, isOnByIntent, normalize } from './checks.ts';
import type { Cache, CacheCallOptions, CacheMode, CacheOptions, CacheScope, OrchestratorCacheOptions } from './types.ts';
import { majorOf } from './version.ts';

const fetchTtlMs = 5 * 60_000;

/** What stands between a handler and its result; the same object for all runs of a definition that say nothing of their own. */
export interface CachePlan {
  readonly spec: AnySpec & { id: string };
  readonly mode: CacheMode;
  readonly reads: boolean;
  readonly writes: boolean;
  readonly coalesce: boolean;
  /** Entries or executions are found by a key. */
  readonly keyed: boolean;
  /** Infinity: for ever. */
  readonly ttlMs: number;
  readonly staleMs: number;
  /** undefined: failures are not kept. */
  readonly negativeTtlMs: number | undefined;
  /** Of the call. */
  readonly tags: readonly string[];
  readonly salt: string | undefined;
  readonly optionNames: readonly string[];
  readonly scope: CacheScope;
  readonly version: number | string;
  readonly options: CacheOptions;
  readonly store: Cache | undefined;
}

export interface PlanLayers {
  call: CacheCallOption | undefined;
  spec: AnySpec & { id: string };
  /** Of the process. */
  cacheMode: CacheMode | undefined;
  orchestrator: Cache | OrchestratorCacheOptions | undefined;
}

/** REQUIRES: what people said was checked. */
export function resolvePlan({ call, spec, cacheMode, orchestrator }: PlanLayers): CachePlan {
  const house: OrchestratorCacheOptions = orchestrator === undefined ? {} : isCache(orchestrator) ? { store: orchestrator } : orchestrator;
  const own: CacheOptions = spec.cache === undefined ? {} : normalize<CacheOptions>(spec.cache);
  const said: CacheCallOptions = call === undefined ? {} : normalize<CacheCallOptions>(call);
  const on = call !== undefined || spec.cache !== undefined || isOnByIntent(spec, orchestrator);
  const { intent } = spec;
  // A call that says how to cache a task that is off means that it is to be cached.
  const ofTask = call !== undefined && spec.cache === false ? undefined : own.mode;
  const mode = on ? (said.mode ?? ofTask ?? cacheMode ?? house.mode ?? 'read-write') : 'off';
  const coalesce = said.coalesce ?? own.coalesce ?? (on ? house.coalesce : false) ?? (mode !== 'off' && intent !== 'effect');
  const ttl = said.ttl ?? own.ttl ?? house.ttl;
  const staleWhileRevalidate = said.staleWhileRevalidate ?? own.staleWhileRevalidate ?? house.staleWhileRevalidate;
  return {
    spec, mode, coalesce,
    keyed: mode !== 'off' || coalesce,
    reads: mode === 'read-write' || mode === 'read-only',
    writes: mode === 'read-write' || mode === 'write-only' || mode === 'refresh',
    ttlMs: ttl !== undefined ? toMilliseconds(ttl, 'cache.ttl') : intent === 'fetch' ? fetchTtlMs : Number.POSITIVE_INFINITY,
    staleMs: staleWhileRevalidate === undefined ? 0 : toMilliseconds(staleWhileRevalidate, 'cache.staleWhileRevalidate'),
    negativeTtlMs: own.negative && toMilliseconds(own.negative.ttl, 'cache.negative.ttl'),
    tags: said.tags ?? [],
    salt: said.salt ?? own.salt ?? house.salt,
    optionNames: [...new Set([...(own.options ?? []), ...(house.options ?? [])])],
    scope: said.scope ?? own.scope ?? house.scope ?? 'shared',
    version: majorOf(spec.version),
    options: own,
    store: own.store ?? house.store,
  };
}
