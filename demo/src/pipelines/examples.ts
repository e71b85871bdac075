/** Drawings to start from. Each does real work, on a sample of its own or on a file that is chosen. */
import type { DataflowJson, TaskGraphItemJson } from 'holdfast/graph';
import type { Language } from '../words.ts';
import type { GraphDocument } from './graph-document.ts';

export interface Example {
  readonly id: string;
  readonly title: Record<Language, string>;
  /** Its nodes have no places yet. */
  document(language: Language): GraphDocument;
}

/** `from port`, `to port` */
function edge(from: string, to: string): DataflowJson {
  const [sourceTaskId, sourceTaskPortId] = from.split(' ') as [string, string];
  const [targetTaskId, targetTaskPortId] = to.split(' ') as [string, string];
  return { sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId };
}

const sentence = (id: string, title: string, text: string): TaskGraphItemJson => ({ id, type: 'demo/sentence', config: { title, sentence: text } });
const pause = (language: Language, delay: string): TaskGraphItemJson => ({ id: 'pause', type: 'DelayTask', config: { title: language === 'fr' ? 'De quoi tuer l’onglet' : 'Time to kill the tab', delay } });

function drawn(title: string, tasks: TaskGraphItemJson[], dataflows: DataflowJson[]): GraphDocument {
  return { version: 1, meta: { title }, tasks, dataflows, layout: {} };
}

const pdfTitle = { en: 'A PDF, read and counted', fr: 'Un PDF, lu et compté' };
const pdf: Example = {
  id: 'pdf',
  title: pdfTitle,
  document: (language) => drawn(
    pdfTitle[language],
    [
      { id: 'pdf-file', type: 'demo/pdf-file' },
      { id: 'pdf-text', type: 'pdf-text' },
      pause(language, '5s'),
      { id: 'pdf-to-zip', type: 'pdf' },
      { id: 'count-words', type: 'demo/count-words' },
      sentence('summary', language === 'fr' ? 'Résumé' : 'Summary', language === 'fr' ? '{{title}} : {{words}} mots sur {{count}} pages. Le plus long : {{longest}}.' : '{{title}}: {{words}} words on {{count}} pages. The longest: {{longest}}.'),
      { id: 'text-file', type: 'demo/text-file', defaults: { name: 'summary.txt' } },
      { id: 'zip', type: 'demo/zip', defaults: { name: 'read.zip' } },
    ],
    [
      edge('pdf-file file', 'pdf-text file'), edge('pdf-file file', 'pause file'), edge('pause file', 'pdf-to-zip file'),
      edge('pdf-text pages', 'count-words text'), edge('count-words words', 'summary words'), edge('count-words longest', 'summary longest'),
      edge('pdf-text count', 'summary count'), edge('pdf-text title', 'summary title'),
      edge('summary text', 'text-file text'), edge('text-file file', 'zip files'), edge('pdf-to-zip output', 'zip files'),
    ],
  ),
};

const ordersTitle = { en: 'Orders: a decision, and what if it fails', fr: 'Commandes : une décision, et un échec prévu' };
const orders: Example = {
  id: 'orders',
  title: ordersTitle,
  document: (language) => drawn(
    ordersTitle[language],
    [
      { id: 'json-file', type: 'demo/json-file' },
      { id: 'read', type: 'demo/json-rows' },
      { id: 'totals', type: 'demo/totals', defaults: { field: 'amount' } },
      { id: 'decide', type: 'ConditionalTask', config: { branches: [{ id: 'large', field: 'sum', operator: 'greater_than', value: 2000 }, { id: 'small', field: 'sum', operator: 'less_or_equal', value: 2000 }] } },
      pause(language, '5s'),
      sentence('good-month', language === 'fr' ? 'Un bon mois' : 'A good month', language === 'fr' ? 'Un bon mois : {{large.sum}} en {{large.count}} commandes.' : 'A good month: {{large.sum}} in {{large.count}} orders.'),
      sentence('slow-month', language === 'fr' ? 'Un mois calme' : 'A slow month', language === 'fr' ? 'Un mois calme : {{small.sum}} seulement.' : 'A slow month: only {{small.sum}}.'),
      sentence('unreadable', language === 'fr' ? 'Illisible' : 'Not readable', language === 'fr' ? 'Le fichier n’a pas pu être lu. {{error}}' : 'The file could not be read. {{error}}'),
      { id: 'text-file', type: 'demo/text-file', defaults: { name: 'month.txt' } },
    ],
    [
      edge('json-file file', 'read file'), edge('read rows', 'totals rows'),
      edge('totals sum', 'decide sum'), edge('totals count', 'decide count'),
      edge('decide large', 'pause large'), edge('pause large', 'good-month large'), edge('decide small', 'slow-month small'),
      edge('read [error]', 'unreadable *'),
      edge('good-month text', 'text-file text'), edge('slow-month text', 'text-file text'), edge('unreadable text', 'text-file text'),
    ],
  ),
};

const mapTitle = { en: 'The same for every page', fr: 'La même chose pour chaque page' };
const map: Example = {
  id: 'map',
  title: mapTitle,
  document: (language) => drawn(
    mapTitle[language],
    [
      { id: 'pdf-file', type: 'demo/pdf-file' },
      { id: 'pdf-text', type: 'pdf-text' },
      {
        id: 'each-page', type: 'MapTask', config: { title: language === 'fr' ? 'Pour chaque page' : 'For each page', maxIterations: 1000, concurrencyLimit: 2 },
        subgraph: {
          tasks: [{ id: 'wait', type: 'DelayTask', config: { delay: '1s' } }, { id: 'count', type: 'demo/count-words' }],
          dataflows: [edge('wait text', 'count text')],
        },
      },
      { id: 'write', type: 'demo/to-json-file', defaults: { name: 'words-by-page.json' } },
      { id: 'zip', type: 'demo/zip', defaults: { name: 'pages.zip' } },
    ],
    [edge('pdf-file file', 'pdf-text file'), edge('pdf-text pages', 'each-page text'), edge('each-page *', 'write value'), edge('write file', 'zip files'), edge('pdf-file file', 'zip files')],
  ),
};

export const examples: readonly Example[] = [pdf, orders, map];
