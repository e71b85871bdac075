/** What holds where nothing is said, as the typings say it. */
import { createOrchestrator } from 'holdfast';
import { describe, expect, it, vi } from 'vitest';
import { breakerSettings, budgetSettings } from '../../js/circuits/settings.ts';
import { resolveLimits } from '../../js/intake/limits.ts';
import { intentDefaults } from '../../js/definition/intent.ts';
import { modeOfSpec } from '../../js/network/mode.ts';
import * as P from '../../js/protocol.ts';
import { open } from './houses.ts';

const minute = 60_000;

describe('where nothing is said', () => {
  it('I3: values are 64 KiB in the journal and 1 MiB in all, files 512 MiB each and 2 GiB together; larger ones are refused', () => {
    expect(resolveLimits()).toEqual({
      inlineBytes: 65_536, valueBytes: 1_048_576, metadataBytes: 262_144, blobBytes: 536_870_912, streamBytes: 268_435_456, totalBlobBytes: 2_147_483_648, largeFiles: 'refuse',
    });
  });

  it('D9: a breaker opens when half of at least ten have failed within a minute, for 30 s, and then one tries; a budget looks at 10 s', () => {
    expect(breakerSettings({}, 'breaker')).toEqual([
      [P.CircuitFieldFailureRate, 0.5], [P.CircuitFieldMinCalls, 10], [P.CircuitFieldOpenForMs, 30_000], [P.CircuitFieldHalfOpenMax, 1], [P.CircuitFieldWindowMs, minute],
    ]);
    expect(budgetSettings({ ratio: 0.2 }, 'retryBudget')).toEqual([[P.CircuitFieldRetryRatio, 0.2], [P.CircuitFieldRetryWindowMs, 10_000]]);
  });

  it('B2, D8: attempts, queue and network follow from the intent', () => {
    vi.stubGlobal('navigator', { hardwareConcurrency: 8 });
    const declared: [string, number][] = [];
    const declare = (name: string, concurrency: number) => void declared.push([name, concurrency]);
    expect(intentDefaults('fetch', declare)).toEqual({ retry: { maxAttempts: 3 }, queue: 'network' });
    expect(intentDefaults('transform', declare)).toEqual({ retry: { maxAttempts: 1, crashRetries: 2 }, queue: 'cpu' });
    expect(intentDefaults('effect', declare)).toEqual({ retry: { maxAttempts: 3 } });
    expect(intentDefaults(undefined, declare)).toEqual({});
    expect(declared).toEqual([['network', 6], ['cpu', 7]]);
    expect((['fetch', 'transform', 'effect', undefined] as const).map((intent) => modeOfSpec({ intent }))).toEqual(['online', 'always', 'online', 'always']);
  });

  it('Q10: a token is waited for ten minutes', async () => {
    const { orchestrator, clock } = await open();
    const token = await orchestrator.wait.createToken();
    const begun = clock.now();
    expect(await orchestrator.wait.retrieveToken(token.id)).toMatchObject({ status: 'waiting', timeoutAt: begun + 10 * minute });
    await clock.advance(10 * minute);
    expect(await orchestrator.wait.retrieveToken(token.id)).toMatchObject({ status: 'timedOut', error: { code: 'WAIT_TIMEOUT' } });
  });

  it('A1: the orchestrator is the one called "default", and so is its namespace', async () => {
    const orchestrator = createOrchestrator({ storage: 'memory', tabs: false });
    expect(createOrchestrator({ id: 'default', namespace: 'default' })).toBe(orchestrator);
    await orchestrator.dispose();
  });
});
