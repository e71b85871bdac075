'use client';
import { useEffect, useMemo, useState } from 'react';
import { useOrchestrator } from './provider.tsx';

export interface TaskStreamState<Chunk> {
  /** So far, from `from` on. */
  readonly chunks: readonly Chunk[];
  /** `ended`: the run has succeeded, and these are all. `failed`: it failed or was cancelled, or can't be read; see `error`. */
  readonly status: 'reading' | 'ended' | 'failed';
  readonly error: Error | null;
}

interface Read<Chunk> extends Omit<TaskStreamState<Chunk>, 'chunks'> {
  /** It grows; `count` of it are shown. */
  readonly source: readonly Chunk[];
  readonly count: number;
}

const nothing: Read<never> = { source: [], count: 0, status: 'reading', error: null };

/** What a run's code appends to a stream: what is stored, and what comes. */
export function useTaskStream<Chunk = any>(id: string | undefined, key: string, { from = 0 }: { from?: number } = {}): TaskStreamState<Chunk> {
  const orchestrator = useOrchestrator();
  const [read, setRead] = useState<Read<Chunk>>(nothing);
  useEffect(() => {
    setRead(nothing);
    if (id === undefined) return;
    const stop = new AbortController();
    const source: Chunk[] = [];
    // Renders are batched: of a thousand chunks that are there the last one's state is shown.
    const show = (status: Read<Chunk>['status'], error: Error | null = null) => {
      if (!stop.signal.aborted) setRead({ source, count: source.length, status, error });
    };
    const readAll = async () => {
      for await (const chunk of orchestrator.stream<Chunk>(id, key, { from, signal: stop.signal })) {
        source.push(chunk);
        show('reading');
      }
    };
    readAll().then(
      () => show('ended'),
      (error) => show('failed', error),
    );
    return () => stop.abort();
  }, [orchestrator, id, key, from]);
  return useMemo(() => ({ chunks: read.source.slice(0, read.count), status: read.status, error: read.error }), [read]);
}
