/** The kinds of nodes there are: to be dragged into the drawing, or pressed. */
import { useState } from 'react';
import { useLanguage } from '../shell/choices.ts';
import { kDragType } from './canvas.tsx';
import type { Catalog, NodeKind } from './catalog.ts';
import { categoryOf, descriptionOf, titleOf } from './node-words.ts';
import { usePipelineWords } from './words.ts';

interface PaletteProps {
  catalog: Catalog;
  isEditable: boolean;
  onAdd(type: string): void;
}

function grouped(kinds: readonly NodeKind[]): [category: string, kinds: NodeKind[]][] {
  const groups = new Map<string, NodeKind[]>();
  for (const kind of kinds) groups.set(kind.category, [...(groups.get(kind.category) ?? []), kind]);
  return [...groups];
}

export function Palette({ catalog, isEditable, onAdd }: PaletteProps) {
  const say = usePipelineWords();
  const language = useLanguage();
  const [sought, setSought] = useState('');
  const wanted = sought.trim().toLocaleLowerCase(language);
  const found = catalog.offered.filter(({ type, ...kind }) => wanted === '' || `${titleOf({ type, ...kind }, type, language)} ${descriptionOf({ type, ...kind }, type, language)}`.toLocaleLowerCase(language).includes(wanted));
  return (
    <section className="pl-palette" aria-label={say.palette}>
      <h2>{say.palette}</h2>
      <input type="search" className="pl-search" placeholder={say.search} aria-label={say.search} value={sought} onChange={(event) => setSought(event.target.value)} />
      <p className="hint">{say.paletteHint}</p>
      <div className="pl-kinds">
        {grouped(found).map(([category, kinds]) => (
          <div key={category}>
            <h3>{categoryOf(category, language)}</h3>
            <ul>
              {kinds.map((kind) => (
                <li key={kind.type}>
                  <button
                    type="button" className="pl-kind" title={descriptionOf(kind, kind.type, language)} disabled={!isEditable} draggable={isEditable}
                    onDragStart={(event) => {
                      event.dataTransfer.setData(kDragType, kind.type);
                      event.dataTransfer.effectAllowed = 'copy';
                    }}
                    onClick={() => onAdd(kind.type)}
                  >
                    {titleOf(kind, kind.type, language)}
                  </button>
                </li>
              ))}
            </ul>
          </div>
        ))}
        {found.length === 0 ? <p className="hint">{say.noneFound}</p> : null}
      </div>
    </section>
  );
}
