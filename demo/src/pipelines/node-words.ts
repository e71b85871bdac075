/** Kinds of nodes and their ports in French; in English they say it themselves. */
import type { Language } from '../words.ts';
import { isSchemaObject, type NodeKind, type Port } from './catalog.ts';
import { portSaid } from './words.ts';

const kinds: Record<string, readonly [title: string, description: string]> = {
  'demo/pdf-file': ['Fichier PDF', 'Un PDF que vous choisissez, ou l’exemple'],
  'demo/json-file': ['Fichier JSON', 'Un fichier JSON que vous choisissez, ou l’exemple'],
  'pdf-text': ['Texte d’un PDF', 'Le texte de chaque page ; chaque page est conservée dès qu’elle est lue'],
  pdf: ['PDF vers zip', 'Textes, images des premières pages et rapport, dans un zip'],
  json: ['Nettoyer et découper', 'Vérifie, nettoie et découpe un grand fichier JSON, dans un zip'],
  'demo/json-rows': ['Lire du JSON', 'Les éléments d’un fichier JSON ou NDJSON'],
  'demo/totals': ['Totaux', 'Somme, moyenne et plus grande valeur d’un champ'],
  'demo/count-words': ['Compter les mots', 'Combien de mots, et le plus long'],
  'demo/sentence': ['Phrase', 'Un texte dans lequel {{words}} vient du port « words »'],
  'demo/text-file': ['Fichier de texte', 'Un texte, ou plusieurs l’un sous l’autre, en fichier'],
  'demo/to-json-file': ['Écrire du JSON', 'Une valeur quelconque, en fichier JSON'],
  'demo/zip': ['Zip', 'Tous les fichiers reçus, dans un zip'],
  InputTask: ['Entrée', 'Par où entre ce qui est donné au graphe'],
  OutputTask: ['Sortie', 'Ce que donne le graphe'],
  TemplateTask: ['Modèle', 'Remplit les {{noms}} d’un texte avec des valeurs'],
  JsonPathTask: ['Chemin JSON', 'Prend une valeur dans un objet, par son chemin'],
  RegexTask: ['Expression régulière', 'Cherche un motif dans un texte'],
  DateFormatTask: ['Format de date', 'Écrit une date autrement'],
  DelayTask: ['Délai', 'Attend un moment, même à travers les rechargements'],
  MergeTask: ['Réunir', 'Met tout ce qui arrive dans une liste'],
  SplitTask: ['Séparer', 'Défait une liste, un port par élément'],
  ConditionalTask: ['Condition', 'Choisit par où continuer'],
  MapTask: ['Pour chacun', 'Fait la même chose pour chaque élément d’une liste'],
  ReduceTask: ['Accumuler', 'Réduit une liste à une valeur'],
  WhileTask: ['Tant que', 'Recommence jusqu’à ce que ce soit fait'],
  FallbackTask: ['Repli', 'Essaie l’un après l’autre'],
  HumanApprovalTask: ['Approbation', 'Demande à une personne, et attend un oui'],
  DebugLogTask: ['Journal', 'Montre dans la console ce qui passe'],
  JsonTask: ['Graphe JSON', 'Un graphe dans un texte JSON'],
};

const categories: Record<string, string> = {
  Files: 'Fichiers', Documents: 'Documents', Numbers: 'Nombres', Texts: 'Textes', Utility: 'Outils', 'Flow Control': 'Déroulement', Input: 'Entrées', Document: 'Documents', String: 'Textes', Iteration: 'Répétition',
};

const portNames: Record<string, string> = {
  File: 'Fichier', Name: 'Nom', Bytes: 'Octets', Pages: 'Pages', 'Number of pages': 'Nombre de pages', Title: 'Titre', Pictures: 'Images', Zip: 'Zip', 'Bytes a part': 'Octets par partie',
  'Trim texts': 'Supprimer les espaces', 'Drop what is empty': 'Retirer ce qui est vide', 'Key names': 'Noms des clés', Rows: 'Lignes', 'Number of rows': 'Nombre de lignes', Field: 'Champ', Sum: 'Somme', Mean: 'Moyenne',
  Largest: 'La plus grande', 'How many': 'Combien', Text: 'Texte', Words: 'Mots', Longest: 'Le plus long', Value: 'Valeur', Files: 'Fichiers', Template: 'Modèle', Values: 'Valeurs', Result: 'Résultat', Path: 'Chemin',
  Pattern: 'Motif', Flags: 'Options', Match: 'Trouvé', Matches: 'Trouvailles', Format: 'Format', Language: 'Langue', 'Time zone': 'Fuseau', Output: 'Sortie', Input: 'Entrée', Delay: 'Délai', Level: 'Niveau',
  Message: 'Message', Person: 'Personne', Prompt: 'Question', Context: 'Contexte', Approved: 'Approuvé', Reason: 'Raison', Action: 'Action', Branches: 'Branches', Error: 'Erreur', 'Time limit in ms': 'Durée maximale en ms', Way: 'Voie', Operator: 'Opérateur', 'Only the first that holds': 'Seulement la première qui convient', 'Way when none holds': 'Voie si aucune ne convient', 'At most': 'Au plus', 'At once': 'À la fois', 'In batches of': 'Par lots de', 'How ports are meant': 'Sens des ports', 'Keep the order': 'Garder l’ordre', 'Join lists': 'Joindre les listes', Sentence: 'Phrase', 'Answer within': 'Réponse attendue sous', 'When it is declined': 'En cas de refus',
};

export const titleOf = (kind: NodeKind | undefined, type: string, language: Language): string => (language === 'fr' ? kinds[type]?.[0] : undefined) ?? kind?.title ?? type;
export const descriptionOf = (kind: NodeKind | undefined, type: string, language: Language): string => (language === 'fr' ? kinds[type]?.[1] : undefined) ?? kind?.description ?? '';
export const categoryOf = (category: string, language: Language): string => (language === 'fr' ? categories[category] : undefined) ?? category;

/** Of a property of a schema: its title, else its name. */
export function labelOf(name: string, schema: Port['schema'], language: Language): string {
  const title = isSchemaObject(schema) ? schema.title : undefined;
  if (title === undefined) return portSaid(name, language);
  return (language === 'fr' ? portNames[title] : undefined) ?? title;
}
