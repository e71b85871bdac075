/** One line that says how well work is kept right now; never a promise the storage does not give. */
import type { StorageState } from 'holdfast';
import { useStorageState } from 'holdfast/react';
import type { Words } from '../words.ts';
import { useWords } from './choices.ts';

function sentence(state: StorageState, say: Words): { text: string; tone: 'good' | 'warn' | 'bad' | 'quiet' } {
  if (state.status === 'opening') return { text: say.storageOpening, tone: 'quiet' };
  if (state.status === 'failing') return { text: say.storageFailing, tone: 'bad' };
  if (state.status === 'full') return { text: say.storageFull, tone: 'bad' };
  if (state.durability === 'memory') return { text: say.storageMemory, tone: 'warn' };
  if (state.status === 'degraded') return { text: say.storageDegraded, tone: 'warn' };
  return { text: state.durability === 'power' ? say.storagePower : say.storageProcess, tone: 'good' };
}

export function StorageBadge() {
  const say = useWords();
  const state = useStorageState();
  const { text, tone } = sentence(state, say);
  return (
    <p className="storage" data-tone={tone} role="status" title={say.storageIn(state.name)}>
      <span className="dot" aria-hidden="true" />
      {text}
    </p>
  );
}
