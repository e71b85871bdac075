/** The page's one orchestrator. It is made outside of React, so that stored work goes on before anything is drawn. */
import { createOrchestrator } from 'holdfast';
import { jsonTask, pdfTask, queues } from './tasks/definitions.ts';

export const orchestrator = createOrchestrator({ id: 'demo', tasks: [pdfTask, jsonTask], queues });

// For the console, and for `npm start -- --check`, which drives this page.
declare global {
  var holdfast: typeof orchestrator;
}
globalThis.holdfast = orchestrator;
