/** Every sentence of the Pipelines page, in two languages. They come with the page, so the others load none of them. */
import type { JsonSchema } from 'holdfast/graph';
import { useLanguage } from '../shell/choices.ts';
import type { Language } from '../words.ts';
import { isSchemaObject, kAllPorts, kErrorPort } from './catalog.ts';
import type { Issue } from './check.ts';
import type { Refusal } from './fit.ts';
import { labelOf } from './node-words.ts';

const en = {
  toolbar: 'Pipeline',
  name: 'Name',
  unnamed: 'Untitled pipeline',
  undo: 'Undo',
  redo: 'Redo',
  tidy: 'Tidy up',
  fit: 'Show all',
  zoomIn: 'Zoom in',
  zoomOut: 'Zoom out',
  examples: 'Start from …',
  empty: 'An empty drawing',
  open: 'Open',
  save: 'Save',
  run: 'Run',
  palette: 'Nodes',
  paletteHint: 'Drag one into the drawing, or press it',
  search: 'Find a node',
  noneFound: 'No node is called that.',
  canvas: 'Drawing',
  emptyTitle: 'Nothing is drawn yet',
  emptyHint: 'Drag a node in here, press one in the list, or start from an example.',
  keys: 'Keyboard',
  keyList: [
    ['← ↑ → ↓', 'to the next node that way'],
    ['Shift + ← ↑ → ↓', 'move the node'],
    ['Enter', 'its values and settings'],
    ['C', 'connect it to …'],
    ['D', 'duplicate it'],
    ['O', 'switch it off or on'],
    ['Delete', 'remove it'],
    ['Ctrl + Z, Ctrl + Shift + Z', 'undo, redo'],
    ['Escape', 'select nothing'],
  ] as readonly (readonly [string, string])[],
  inspector: 'Inspector',
  manySelected: (count: number) => `${count} are selected.`,
  id: 'Id',
  inputs: 'Takes',
  outputs: 'Gives',
  values: 'Values',
  settings: 'Settings',
  comesFrom: (source: string) => `from ${source}`,
  connectTo: 'Connect to …',
  connectTitle: (title: string) => `Connect ${title} to …`,
  output: 'Output',
  target: 'Goes to',
  connect: 'Connect',
  connected: (source: string, target: string) => `${source} is connected to ${target}.`,
  runtimeFit: 'Each value is looked at when it comes.',
  cancel: 'Cancel',
  close: 'Close',
  remove: 'Remove',
  off: 'off',
  switchOff: 'Switch off',
  switchOn: 'Switch on',
  runRefuses: (why: string) => `The run goes on as it was. ${why}`,
  begun: (id: string, status: string) => `“${id}” has begun (${status}), and what has begun stays as it is, with its edges.`,
  duplicate: 'Duplicate',
  required: 'needed',
  givenByEdge: 'An edge gives it.',
  chooseFile: 'Choose a file',
  otherFile: 'Another file',
  sampleUsed: 'Without one, a small sample is used.',
  noFile: 'no file',
  forget: 'Take away',
  addItem: 'Add',
  removeItem: (index: number) => `Remove ${index}`,
  item: (index: number) => `Number ${index}`,
  notJson: 'This is not JSON yet.',
  notSaid: 'not set',
  yes: 'yes',
  no: 'no',
  announced: {
    added: (title: string) => `${title} was added.`,
    removed: (count: number) => (count === 1 ? 'Removed.' : `${count} removed.`),
    undone: 'Undone.',
    redone: 'Done again.',
    opened: (name: string) => `${name} is drawn.`,
    tidied: 'Tidied up.',
    moved: (title: string) => `${title} was moved.`,
  },
  saveName: 'pipeline',
  notOpened: (name: string, count: number) => `${name} was not opened: ${count === 1 ? 'one thing is' : `${count} things are`} wrong with it.`,
  isNotOpened: 'Not opened',
  runs: 'Runs',
  noRuns: 'No run yet.',
  runOf: (name: string) => `Run of ${name}`,
  startedAt: (time: string) => `started ${time}`,
  doneOf: (done: number, all: number) => `${done} of ${all} nodes`,
  backToDrawing: 'Back to the drawing',
  takeOver: 'Edit this drawing',
  abort: 'Cancel the run',
  retry: 'Run what is missing',
  pause: 'Pause',
  resume: 'Go on',
  resumed: (kept: number) => `Resumed after its page was gone; ${kept === 0 ? 'nothing had ended yet' : kept === 1 ? 'one node had ended and was not run again' : `${kept} nodes had ended and were not run again`}.`,
  notStarted: (why: string) => `The run was not started. ${why}`,
  nothingToRun: 'There is nothing to run yet: draw a node first.',
  needs: (title: string, port: string) => `${title} needs “${port}”: connect it, or give a value.`,
  needsInside: (title: string) => `${title} has nothing to do for each: choose what in its settings.`,
  fails: (title: string, why: string) => `${title}: ${why}`,
  status: { PENDING: 'waiting', DISABLED: 'not needed', PROCESSING: 'running', STREAMING: 'streaming', COMPLETED: 'done', ABORTING: 'stopping', FAILED: 'failed' } as Record<string, string>,
  runStatus: { pending: 'waiting', running: 'running', paused: 'paused', completed: 'done', failed: 'failed', cancelled: 'cancelled' } as Record<string, string>,
  error: 'Error',
  gave: 'It gave',
  carries: 'It carries',
  nothingYet: 'Nothing yet.',
  provenance: 'Where this comes from',
  took: (ms: number) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`),
  fromCache: 'found, not computed',
  download: (name: string) => `Download ${name}`,
  more: (count: number) => `and ${count} more`,
  edge: 'Edge',
  from: 'From',
  to: 'To',
  result: 'Result',
  inside: (count: number) => `For each: ${count} ${count === 1 ? 'node' : 'nodes'} inside`,
  forEach: 'Do for each',
  severalInside: (count: number) => `${count} nodes`,
  insideIt: 'Inside it',
  fedBy: (titles: string) => `from ${titles}`,
  approval: 'This run waits for you',
  approve: 'Approve',
  decline: 'Decline',
  nodeLabel: (title: string, type: string, place: string) => `${title}, ${type}${place ? `, ${place}` : ''}`,
  edgeLabel: (source: string, target: string) => `Edge from ${source} to ${target}`,
  everything: 'everything',
  anything: 'anything',
  newPort: 'one more',
  draft: 'What you draw is kept on this device.',
  draftLost: 'What you draw is not kept: this browser offers no storage here.',
};

const fr: typeof en = {
  toolbar: 'Chaîne',
  name: 'Nom',
  unnamed: 'Chaîne sans nom',
  undo: 'Annuler',
  redo: 'Rétablir',
  tidy: 'Ranger',
  fit: 'Tout montrer',
  zoomIn: 'Agrandir',
  zoomOut: 'Réduire',
  examples: 'Partir de…',
  empty: 'Un dessin vide',
  open: 'Ouvrir',
  save: 'Enregistrer',
  run: 'Lancer',
  palette: 'Nœuds',
  paletteHint: 'Glissez-en un dans le dessin, ou appuyez dessus',
  search: 'Chercher un nœud',
  noneFound: 'Aucun nœud ne s’appelle ainsi.',
  canvas: 'Dessin',
  emptyTitle: 'Rien n’est encore dessiné',
  emptyHint: 'Glissez un nœud ici, appuyez sur l’un de la liste, ou partez d’un exemple.',
  keys: 'Clavier',
  keyList: [
    ['← ↑ → ↓', 'au nœud suivant de ce côté'],
    ['Maj + ← ↑ → ↓', 'déplacer le nœud'],
    ['Entrée', 'ses valeurs et réglages'],
    ['C', 'le relier à…'],
    ['D', 'le dupliquer'],
    ['O', 'le désactiver ou l’activer'],
    ['Suppr', 'le retirer'],
    ['Ctrl + Z, Ctrl + Maj + Z', 'annuler, rétablir'],
    ['Échap', 'ne rien sélectionner'],
  ],
  inspector: 'Détails',
  manySelected: (count) => `${count} sont sélectionnés.`,
  id: 'Identifiant',
  inputs: 'Prend',
  outputs: 'Donne',
  values: 'Valeurs',
  settings: 'Réglages',
  comesFrom: (source) => `de ${source}`,
  connectTo: 'Relier à…',
  connectTitle: (title) => `Relier ${title} à…`,
  output: 'Sortie',
  target: 'Va à',
  connect: 'Relier',
  connected: (source, target) => `${source} est relié à ${target}.`,
  runtimeFit: 'Chaque valeur est vérifiée à son arrivée.',
  cancel: 'Annuler',
  close: 'Fermer',
  remove: 'Retirer',
  off: 'désactivé',
  switchOff: 'Désactiver',
  switchOn: 'Activer',
  runRefuses: (why) => `L’exécution continue comme avant. ${why}`,
  begun: (id, status) => `« ${id} » a commencé (${status}), et ce qui a commencé reste tel quel, avec ses liens.`,
  duplicate: 'Dupliquer',
  required: 'nécessaire',
  givenByEdge: 'Un lien la donne.',
  chooseFile: 'Choisir un fichier',
  otherFile: 'Un autre fichier',
  sampleUsed: 'Sans fichier, un petit exemple est utilisé.',
  noFile: 'aucun fichier',
  forget: 'Retirer',
  addItem: 'Ajouter',
  removeItem: (index) => `Retirer le numéro ${index}`,
  item: (index) => `Numéro ${index}`,
  notJson: 'Ce n’est pas encore du JSON.',
  notSaid: 'non défini',
  yes: 'oui',
  no: 'non',
  announced: {
    added: (title) => `${title} a été ajouté.`,
    removed: (count) => (count === 1 ? 'Retiré.' : `${count} retirés.`),
    undone: 'Annulé.',
    redone: 'Rétabli.',
    opened: (name) => `${name} est dessiné.`,
    tidied: 'Rangé.',
    moved: (title) => `${title} a été déplacé.`,
  },
  saveName: 'chaine',
  notOpened: (name, count) => `${name} n’a pas été ouvert : ${count === 1 ? 'une chose y est fausse' : `${count} choses y sont fausses`}.`,
  isNotOpened: 'Pas ouvert',
  runs: 'Exécutions',
  noRuns: 'Aucune exécution.',
  runOf: (name) => `Exécution de ${name}`,
  startedAt: (time) => `lancée à ${time}`,
  doneOf: (done, all) => `${done} nœuds sur ${all}`,
  backToDrawing: 'Retour au dessin',
  takeOver: 'Modifier ce dessin',
  abort: 'Annuler l’exécution',
  retry: 'Refaire ce qui manque',
  pause: 'Suspendre',
  resume: 'Continuer',
  resumed: (kept) => `Reprise après la disparition de sa page ; ${kept === 0 ? 'rien n’était encore terminé' : kept === 1 ? 'un nœud était terminé et n’a pas été refait' : `${kept} nœuds étaient terminés et n’ont pas été refaits`}.`,
  notStarted: (why) => `L’exécution n’a pas été lancée. ${why}`,
  nothingToRun: 'Il n’y a encore rien à lancer : dessinez d’abord un nœud.',
  needs: (title, port) => `${title} a besoin de « ${port} » : reliez-le, ou donnez une valeur.`,
  needsInside: (title) => `${title} n’a rien à faire pour chacun : choisissez quoi dans ses réglages.`,
  fails: (title, why) => `${title} : ${why}`,
  status: { PENDING: 'en attente', DISABLED: 'inutile', PROCESSING: 'en cours', STREAMING: 'en flux', COMPLETED: 'terminé', ABORTING: 's’arrête', FAILED: 'échoué' },
  runStatus: { pending: 'en attente', running: 'en cours', paused: 'suspendue', completed: 'terminée', failed: 'échouée', cancelled: 'annulée' },
  error: 'Erreur',
  gave: 'Il a donné',
  carries: 'Il porte',
  nothingYet: 'Rien encore.',
  provenance: 'D’où cela vient',
  took: (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1).replace('.', ',')} s`),
  fromCache: 'trouvé, non calculé',
  download: (name) => `Télécharger ${name}`,
  more: (count) => `et ${count} de plus`,
  edge: 'Lien',
  from: 'De',
  to: 'À',
  result: 'Résultat',
  inside: (count) => `Pour chacun : ${count} ${count === 1 ? 'nœud' : 'nœuds'} à l’intérieur`,
  forEach: 'Faire pour chacun',
  severalInside: (count) => `${count} nœuds`,
  insideIt: 'À l’intérieur',
  fedBy: (titles) => `de ${titles}`,
  approval: 'Cette exécution vous attend',
  approve: 'Approuver',
  decline: 'Refuser',
  nodeLabel: (title, type, place) => `${title}, ${type}${place ? `, ${place}` : ''}`,
  edgeLabel: (source, target) => `Lien de ${source} à ${target}`,
  everything: 'tout',
  anything: 'n’importe quoi',
  newPort: 'un de plus',
  draft: 'Ce que vous dessinez est conservé sur cet appareil.',
  draftLost: 'Ce que vous dessinez n’est pas conservé : ce navigateur n’offre pas de stockage ici.',
};

export type PipelineWords = typeof en;
const words: Record<Language, PipelineWords> = { en, fr };
export const usePipelineWords = (): PipelineWords => words[useLanguage()];
export const pipelineWords = (language: Language): PipelineWords => words[language];

// What travels through a port, in words

const things = {
  en: {
    anything: 'anything', text: 'a text', number: 'a number', integer: 'a whole number', boolean: 'yes or no', null: 'nothing', object: 'an object', list: 'a list', listOf: (what: string) => `a list of ${what}`,
    plural: { 'a text': 'texts', 'a number': 'numbers', 'a whole number': 'whole numbers', 'an object': 'objects', 'a file': 'files', anything: 'anything' } as Record<string, string>,
    file: 'a file', fileOf: (kind: string) => `a ${kind.toUpperCase()} file`, or: ' or ', oneOf: (values: string) => `one of ${values}`, error: 'an error',
  },
  fr: {
    anything: 'n’importe quoi', text: 'un texte', number: 'un nombre', integer: 'un nombre entier', boolean: 'oui ou non', null: 'rien', object: 'un objet', list: 'une liste', listOf: (what: string) => `une liste de ${what}`,
    plural: { 'un texte': 'textes', 'un nombre': 'nombres', 'un nombre entier': 'nombres entiers', 'un objet': 'objets', 'un fichier': 'fichiers', 'n’importe quoi': 'n’importe quoi' } as Record<string, string>,
    file: 'un fichier', fileOf: (kind: string) => (kind === 'text' ? 'un fichier de texte' : `un fichier ${kind.toUpperCase()}`), or: ' ou ', oneOf: (values: string) => `l’un de ${values}`, error: 'une erreur',
  },
};

const kMostNamed = 4;

/** What a schema lets through, as people would say it. */
export function said(schema: JsonSchema | undefined, language: Language, depth = 0): string {
  const say = things[language];
  if (!isSchemaObject(schema) || depth > 4) return say.anything;
  if (Array.isArray(schema.enum)) return say.oneOf(schema.enum.slice(0, kMostNamed).map(String).join(', ') + (schema.enum.length > kMostNamed ? ' …' : ''));
  if (schema.title === 'Error' && schema.properties) return say.error;
  const union = schema.anyOf ?? schema.oneOf;
  if (union) return [...new Set(union.map((each) => said(each, language, depth + 1)))].slice(0, kMostNamed).join(say.or);
  if (schema.format === 'file') return say.file;
  if (schema.format?.startsWith('file:')) return say.fileOf(schema.format.slice(5));
  const { type } = schema;
  if (Array.isArray(type)) return type.map((each) => said({ ...schema, type: each }, language, depth + 1)).join(say.or);
  if (type === 'array') {
    if (!isSchemaObject(schema.items)) return say.list;
    const each = said(schema.items, language, depth + 1);
    return say.listOf(say.plural[each] ?? each);
  }
  const known: Record<string, string> = { string: say.text, number: say.number, integer: say.integer, boolean: say.boolean, null: say.null, object: say.object };
  return (typeof type === 'string' && known[type]) || say.anything;
}

/** Why an edge is not drawn. */
export function refusalSaid(refusal: Refusal, language: Language): string {
  const isFrench = language === 'fr';
  switch (refusal.code) {
    case 'self':
      return isFrench ? 'Un nœud ne peut pas se nourrir lui-même.' : 'A node can’t feed itself.';
    case 'known':
      return isFrench ? 'Ce lien existe déjà.' : 'This edge is there already.';
    case 'cycle':
      return isFrench ? 'Ce lien fermerait un cercle : chaque nœud attendrait l’autre.' : 'This edge would close a circle: each node would wait for the other.';
    case 'noTask':
      return isFrench ? `Il n’y a pas de nœud « ${refusal.id} ».` : `There is no node “${refusal.id}”.`;
    case 'noPort':
      return isFrench
        ? `« ${refusal.id} » n’a pas ${refusal.way === 'in' ? 'd’entrée' : 'de sortie'} « ${refusal.port} ».`
        : `“${refusal.id}” has no ${refusal.way === 'in' ? 'input' : 'output'} “${refusal.port}”.`;
    case 'types': {
      const [gives, takes] = [said(refusal.gives, language), said(refusal.takes, language)];
      const [source, target] = [labelOf(refusal.sourcePort, refusal.gives, language), labelOf(refusal.targetPort, refusal.takes, language)];
      return isFrench ? `« ${source} » donne ${gives}, et « ${target} » prend ${takes}.` : `“${source}” gives ${gives}, and “${target}” takes ${takes}.`;
    }
  }
}

export const portSaid = (port: string, language: Language): string =>
  port === kErrorPort ? words[language].error.toLowerCase() : port === kAllPorts ? words[language].everything : port;

/** What is wrong with a file: in the checker's words, or by its code with the names that it gives. */
export function issueSaid({ code, message }: Issue, language: Language): string {
  const names = [...message.matchAll(/"([^"]*)"/g)].map(([, name]) => name!);
  return sentences[language][code]?.(names) ?? message;
}

const sentences: Record<Language, Partial<Record<Issue['code'], (names: readonly string[]) => string>>> = {
  en: { 'unknown-type': ([type]) => `No kind of node is called “${type}” here.` },
  fr: {
    'invalid-json': () => 'Ce n’est pas du JSON valable.',
    'too-large': () => 'C’est trop grand pour cette page.',
    'too-deep': () => 'C’est imbriqué trop profondément.',
    'duplicate-key': ([key]) => `La clé « ${key} » est là deux fois.`,
    'forbidden-key': ([key]) => `Une clé ne peut pas s’appeler ${key}.`,
    'not-a-graph': () => 'Ce n’est pas un graphe, soit { "tasks": […], "dataflows": […] }.',
    'unsupported-version': () => 'Sa version n’est pas connue de cette page.',
    'missing-field': () => 'Il manque un texte ou une liste.',
    'wrong-type': () => 'Ceci n’est pas du type attendu.',
    'duplicate-id': ([id]) => `L’identifiant « ${id} » est là deux fois.`,
    'unknown-type': ([type]) => `Aucun type de nœud ne s’appelle « ${type} » ici.`,
    'unknown-merge': ([name]) => `Il n’y a pas de façon de réunir « ${name ?? ''} ».`,
    'unknown-task': ([id]) => `Il n’y a pas de nœud « ${id} ».`,
    'unknown-port': ([id, port]) => `« ${id} » n’a pas de port « ${port} ».`,
    'unknown-transform': ([id]) => `Il n’y a pas de transformation « ${id} ».`,
    'self-edge': () => 'Un nœud ne peut pas se nourrir lui-même.',
    cycle: (names) => `Un cercle : ${names.join(' → ')}.`,
    'duplicate-dataflow': () => 'Ce lien existe déjà.',
    'incompatible-ports': ([source, target]) => `Ce que donne « ${source} » ne va pas dans « ${target} ».`,
  },
};
