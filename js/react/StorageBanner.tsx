'use client';
import { useEffect } from 'react';
import type { StorageState } from '../types.ts';
import { Icon } from './Icon.tsx';
import type { LabelKey } from './labels.ts';
import { usePanel } from './panel.ts';
import { useStorageState } from './useStorageState.ts';

interface Trouble {
  title: LabelKey;
  hint: LabelKey;
  tone: 'bad' | 'warn';
}

const troubles: Record<'full' | 'degraded' | 'failing' | 'locked' | 'destroyed' | 'memory', Trouble> = {
  full: { title: 'storageFull', hint: 'storageFullHint', tone: 'bad' },
  failing: { title: 'storageFailing', hint: 'storageFailingHint', tone: 'bad' },
  locked: { title: 'storageLocked', hint: 'storageLockedHint', tone: 'warn' },
  destroyed: { title: 'storageDestroyed', hint: 'storageDestroyedHint', tone: 'warn' },
  degraded: { title: 'storageDegraded', hint: 'storageDegradedHint', tone: 'warn' },
  memory: { title: 'storageMemory', hint: 'storageMemoryHint', tone: 'warn' },
};

export function troubleOf({ status, durability }: StorageState): Trouble | undefined {
  if (status === 'opening') return undefined;
  if (status !== 'ok') return troubles[status];
  return durability === 'memory' ? troubles.memory : undefined;
}

/** Says in plain words when tasks are not kept as they should be. Nothing while all is well. */
export function StorageBanner() {
  const { format, part, voice } = usePanel();
  const state = useStorageState();
  const trouble = troubleOf(state);
  useEffect(() => {
    if (trouble)
      voice.current?.say(`${format.label(trouble.title)}. ${format.label(trouble.hint)}`, trouble.tone === 'bad');
  }, [trouble, format, voice]);
  if (!trouble) return null;
  return (
    <div className={part('banner', 'hf-banner')} data-tone={trouble.tone} data-storage={state.status}>
      <Icon name="alert" />
      <div>
        <p className="hf-banner-title">{format.label(trouble.title)}</p>
        <p>{format.label(trouble.hint)}</p>
      </div>
    </div>
  );
}
