/** The page's one orchestrator. It is made outside of React, so that stored work goes on before anything is drawn. */
import { createOrchestrator } from 'holdfast';
import { storedEndpoint } from './shell/endpoint-settings.ts';
import { enrichTask, enrichTextTask, jsonTask, pdfTask, queues, textQueue } from './tasks/definitions.ts';

export const orchestrator = createOrchestrator({ id: 'demo', tasks: [pdfTask, jsonTask, enrichTask, enrichTextTask], queues: { ...queues, texts: textQueue(storedEndpoint()) } });

// For the console, and for `npm start -- --check`, which drives this page.
declare global {
  var holdfast: typeof orchestrator;
}
globalThis.holdfast = orchestrator;
