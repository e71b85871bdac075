/** Files go into a run as values of its nodes; the drawing, which is saved as JSON, has none. */
import type { GraphDocument } from './graph-document.ts';

export function withoutFiles(document: GraphDocument): { document: GraphDocument; files: ReadonlyMap<string, File> } {
  const files = new Map<string, File>();
  const tasks = document.tasks.map((task) => {
    const file: unknown = task.defaults?.['file'];
    if (!(file instanceof File)) return task;
    files.set(task.id, file);
    const { file: _, ...defaults } = task.defaults!;
    const { defaults: __, ...rest } = task;
    return Object.keys(defaults).length > 0 ? { ...rest, defaults } : rest;
  });
  return { document: { ...document, tasks }, files };
}

export function withFiles(document: GraphDocument, files: ReadonlyMap<string, File>): GraphDocument {
  return { ...document, tasks: document.tasks.map((task) => (files.has(task.id) ? { ...task, defaults: { ...task.defaults, file: files.get(task.id)! } } : task)) };
}
