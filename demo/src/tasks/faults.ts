/**
 * What is wrong with a file, in one sentence that names it, in the person's language. A file does not
 * get better by trying again, so each is a FatalError; `data` says the same to programs.
 */
import { FatalError } from 'holdfast';
import { shownName } from './names.ts';

export type FaultLanguage = 'en' | 'fr';

/** Whose fault it is and who reads about it. */
export interface Subject {
  fileName: string;
  language: FaultLanguage;
}

interface Detail {
  page?: number;
  /** In bytes. */
  offset?: number;
  line?: number;
  /** The character that was not expected. */
  found?: string;
  count?: number;
}

type Sentence = (name: string, detail: Detail) => string;

const en = {
  empty: (name) => `"${name}" is empty (0 bytes).`,
  gone: (name) => `"${name}" can't be read any more: it was changed, moved or deleted.`,
  notPdf: (name) => `"${name}" is not a PDF file.`,
  encrypted: (name) => `"${name}" is encrypted and needs a password; remove the password and try again.`,
  damaged: (name) => `"${name}" is damaged or incomplete and can't be read as a PDF.`,
  damagedPage: (name, { page }) => `"${name}" is damaged: page ${page} can't be read.`,
  utf16: (name) => `"${name}" is UTF-16 text; save it as UTF-8.`,
  notJson: (name) => `"${name}" holds neither a JSON array nor a JSON object.`,
  cutShort: (name) => `"${name}" is incomplete: it ends in the middle of its JSON.`,
  syntax: (name, { found, offset, line }) =>
    `"${name}" is not valid JSON: unexpected ${found ? `"${found}"` : 'content'} at byte ${offset} (line ${line}).`,
  trailing: (name, { offset, line }) => `"${name}" has something after the end of its JSON at byte ${offset} (line ${line}).`,
  largeElement: (name, { offset, line }) => `"${name}" has an element of more than 64 MB at byte ${offset} (line ${line}).`,
  longLine: (name, { line }) => `"${name}" has a line of more than 64 MB (line ${line}).`,
  noValidLine: (name, { count }) => `"${name}" is not JSON: none of its lines is valid (${count} problems).`,
  noTexts: (name, { found }) => `"${name}" holds no texts: neither texts themselves nor objects with a text under "${found}".`,
  tooMany: (name, { count }) => `"${name}" holds more than ${count} elements; split it first (the JSON page does).`,
} satisfies Record<string, Sentence>;

export type Fault = keyof typeof en;

const fr: Record<Fault, Sentence> = {
  empty: (name) => `« ${name} » est vide (0 octet).`,
  gone: (name) => `« ${name} » ne peut plus être lu : il a été modifié, déplacé ou supprimé.`,
  notPdf: (name) => `« ${name} » n’est pas un fichier PDF.`,
  encrypted: (name) => `« ${name} » est chiffré et demande un mot de passe ; retirez le mot de passe et réessayez.`,
  damaged: (name) => `« ${name} » est endommagé ou incomplet et ne peut pas être lu comme un PDF.`,
  damagedPage: (name, { page }) => `« ${name} » est endommagé : la page ${page} ne peut pas être lue.`,
  utf16: (name) => `« ${name} » est un texte UTF-16 ; enregistrez-le en UTF-8.`,
  notJson: (name) => `« ${name} » ne contient ni tableau ni objet JSON.`,
  cutShort: (name) => `« ${name} » est incomplet : il s’arrête au milieu de son JSON.`,
  syntax: (name, { found, offset, line }) =>
    `« ${name} » n’est pas du JSON valide : ${found ? `« ${found} »` : 'contenu'} inattendu à l’octet ${offset} (ligne ${line}).`,
  trailing: (name, { offset, line }) => `« ${name} » contient quelque chose après la fin de son JSON, à l’octet ${offset} (ligne ${line}).`,
  largeElement: (name, { offset, line }) => `« ${name} » contient un élément de plus de 64 Mo à l’octet ${offset} (ligne ${line}).`,
  longLine: (name, { line }) => `« ${name} » contient une ligne de plus de 64 Mo (ligne ${line}).`,
  noValidLine: (name, { count }) => `« ${name} » n’est pas du JSON : aucune de ses lignes n’est valide (${count} problèmes).`,
  noTexts: (name, { found }) => `« ${name} » ne contient aucun texte : ni textes seuls, ni objets ayant un texte sous « ${found} ».`,
  tooMany: (name, { count }) => `« ${name} » contient plus de ${count} éléments ; découpez-le d’abord (la page JSON le fait).`,
};

const sentences = { en, fr };

export function subjectOf(file: File, metadata: Readonly<Record<string, unknown>>): Subject {
  return { fileName: file.name, language: metadata['language'] === 'fr' ? 'fr' : 'en' };
}

/** A row has room for a line or two, and what is wrong comes after the name. */
const kNameInSentence = 40;

export function faultOf({ fileName, language }: Subject, fault: Fault, detail: Detail = {}, cause?: unknown): FatalError {
  const sentence: Sentence = sentences[language][fault];
  return new FatalError(sentence(shownName(fileName, kNameInSentence), detail), { data: { fault, ...detail }, ...(cause === undefined ? {} : { cause }) });
}

/** The file itself could not be read. undefined: the error is about something else. */
export function unreadable(error: unknown, subject: Subject): FatalError | undefined {
  const name = error instanceof Error || error instanceof DOMException ? error.name : '';
  return name === 'NotReadableError' || name === 'NotFoundError' ? faultOf(subject, 'gone', {}, error) : undefined;
}
