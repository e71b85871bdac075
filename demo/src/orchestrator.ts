/** The page's one orchestrator. It is made outside of React, so that stored work goes on before anything is drawn. */
import { createOrchestrator } from 'holdfast';
import { storedEndpoint } from './shell/endpoint-settings.ts';
import { enrichTask, enrichTextTask, jsonTask, pdfTask, pdfTextTask, queues, textQueue } from './tasks/definitions.ts';

export const orchestrator = createOrchestrator({ id: 'demo', tasks: [pdfTask, pdfTextTask, jsonTask, enrichTask, enrichTextTask], queues: { ...queues, texts: textQueue(storedEndpoint()) } });

// For the console, and for `npm start -- --check`, which drives this page.
declare global {
  var holdfast: typeof orchestrator;
}
globalThis.holdfast = orchestrator;

// A graph that was running goes on whichever page is opened: its kinds of nodes are loaded for it, and nothing else of graphs is.
void orchestrator.ready.then(async () => {
  const isWaiting = orchestrator.getAllTasks().some(({ taskIdentifier, endedAt, local }) => taskIdentifier === 'holdfast/graph' && endedAt === undefined && local);
  if (isWaiting) (await import('./tasks/graph-nodes.ts')).registerNodes();
});
