/**
 * What stands in a node that holds a graph: to read, not to draw in.
 * Invariant: as in the document, sources before what they feed where that has them so; a long graph is cut, and says so.
 */
import type { TaskGraphItemJson, TaskGraphJson } from 'holdfast/graph';
import { useLanguage } from '../shell/choices.ts';
import type { Language } from '../words.ts';
import type { Catalog } from './catalog.ts';
import { titleOf } from './node-words.ts';
import { shownTitle } from './task-node.tsx';
import { usePipelineWords } from './words.ts';

export interface InnerNode {
  readonly id: string;
  readonly title: string;
  readonly kind: string;
  /** Titles of what feeds it, each once. */
  readonly from: readonly string[];
  readonly isOff: boolean;
  readonly inside: readonly InnerNode[];
}

export function insideOf({ subgraph }: Pick<TaskGraphItemJson, 'subgraph'>, catalog: Catalog, language: Language): InnerNode[] {
  const { tasks = [], dataflows = [] } = subgraph ?? ({} as Partial<TaskGraphJson>);
  const titles = new Map(tasks.map((task) => [task.id, shownTitle(task, catalog, language)]));
  const fed = new Map<string, Set<string>>();
  for (const { sourceTaskId, targetTaskId } of dataflows) fed.set(targetTaskId, (fed.get(targetTaskId) ?? new Set()).add(titles.get(sourceTaskId) ?? sourceTaskId));
  return tasks.map((task) => ({
    id: task.id, title: titles.get(task.id)!, kind: titleOf(catalog.kindOf(task.type), task.type, language),
    from: [...(fed.get(task.id) ?? [])], isOff: task.config?.['disabled'] === true, inside: insideOf(task, catalog, language),
  }));
}

export function InsidePart({ item, catalog }: { item: TaskGraphItemJson; catalog: Catalog }) {
  const say = usePipelineWords();
  const nodes = insideOf(item, catalog, useLanguage());
  if (nodes.length === 0) return null;
  return (
    <div className="pl-part">
      <h3>{say.insideIt}</h3>
      <InnerNodes nodes={nodes} />
    </div>
  );
}

const kMostNodes = 40;

function InnerNodes({ nodes }: { nodes: readonly InnerNode[] }) {
  const say = usePipelineWords();
  return (
    <ul className="pl-lineage">
      {nodes.slice(0, kMostNodes).map(({ id, title, kind, from, isOff, inside }) => (
        <li key={id}>
          <span>{title}</span>
          <small>{[title === kind ? undefined : kind, from.length > 0 ? say.fedBy(from.join(', ')) : undefined, isOff ? say.status.DISABLED : undefined].filter(Boolean).join(' · ')}</small>
          {inside.length > 0 ? <InnerNodes nodes={inside} /> : null}
        </li>
      ))}
      {nodes.length > kMostNodes ? <li>{say.more(nodes.length - kMostNodes)}</li> : null}
    </ul>
  );
}
