/**
 * The enrichment task: each text of a JSON file is a child run of its own (limited, cached, retried), and the result is
 * the file again with an answer beside each text. Texts that fail are in it with their error; a wrong key or address
 * stops the whole, since it would stop every one of them.
 */
import { FatalError, type TaskContext } from 'holdfast';
import { type Answer, ask, type Question } from './endpoint.ts';
import { faultOf, type Subject, subjectOf } from './faults.ts';
import { inspect, type JsonKind, read } from './json-read.ts';
import { baseName, shownName } from './names.ts';

export interface EnrichInput extends Omit<Question, 'text'> {
  file: File;
  /** Where the text stands in elements that are objects. */
  field: string;
  /** Ask again for what is known already. */
  fresh: boolean;
}

interface Row {
  key: string | undefined;
  value: unknown;
  /** undefined: there is none in it. */
  text: string | undefined;
}

interface Outcome {
  answer?: Answer;
  error?: string;
}

export const kMaxTexts = 10_000;

export type AskOne = (question: Question, index: number, total: number) => Promise<Answer>;

export const enrichText = (question: Question, ctx: TaskContext): Promise<Answer> => ask(question, ctx);

export async function enrichFile(input: EnrichInput, ctx: TaskContext, askOne: AskOne): Promise<File> {
  const subject = subjectOf(checkInput(input).file, ctx.metadata);
  const { kind, rows } = await readRows(input, subject, ctx.signal);
  const { endpoint, model, instruction } = input;
  const total = rows.filter(({ text }) => text !== undefined).length;
  if (total === 0) throw faultOf(subject, 'noTexts', { found: input.field });
  let done = 0;
  const tell = () => ctx.progress({ value: (99 * done) / total, message: `${done} / ${total}` });
  tell();
  const outcomes = await Promise.all(rows.map(async ({ text }, index): Promise<Outcome> => {
    if (text === undefined) return {};
    const outcome = await outcomeOf(askOne({ endpoint, model, instruction, text }, index, rows.length));
    done += 1;
    tell();
    return outcome;
  }));
  const problems = outcomes.filter(({ answer }) => answer === undefined || answer.finishReason === 'length').length;
  if (problems > 0) ctx.emit('problems', { fileName: input.file.name, count: problems });
  return written(input.file, kind, rows, outcomes);
}

function checkInput(input: EnrichInput): EnrichInput {
  if (!(input?.file instanceof Blob)) throw new FatalError('The enrichment task needs { file }: a File.');
  for (const name of ['endpoint', 'model', 'instruction', 'field'] as const)
    if (typeof input[name] !== 'string') throw new FatalError(`The enrichment task needs { ${name} }: a text.`);
  return input;
}

async function readRows(input: EnrichInput, subject: Subject, signal: AbortSignal): Promise<{ kind: JsonKind; rows: Row[] }> {
  const { file, field } = input;
  const { kind, from } = await inspect(file, subject);
  const rows: Row[] = [];
  const problems: string[] = [];
  await read({
    file, subject, kind, from, signal,
    onElement: ({ key, value }) => {
      rows.push({ key, value, text: textOf(value, field) });
      if (rows.length > kMaxTexts) throw faultOf(subject, 'tooMany', { count: kMaxTexts });
      return true;
    },
    onProblem: (message, { line }) => problems.push(`${message} (line ${line})`),
    onBytes: () => {},
  });
  if (rows.length === 0 && problems.length > 0) throw faultOf(subject, 'noValidLine', { count: problems.length });
  return { kind, rows };
}

function textOf(value: unknown, field: string): string | undefined {
  const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : value;
  return typeof found === 'string' && found.trim() !== '' ? found : undefined;
}

/** What stops one text stands beside it; what would stop all is thrown. */
async function outcomeOf(answer: Promise<Answer>): Promise<Outcome> {
  try {
    return { answer: await answer };
  } catch (error) {
    const fault = error instanceof FatalError ? (error.data as { fault?: unknown } | undefined)?.fault : undefined;
    if (fault === 'key' || fault === 'address' || (error instanceof Error && error.name === 'CanceledError')) throw error;
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

function written(file: File, kind: JsonKind, rows: Row[], outcomes: Outcome[]): File {
  const [open, between, close] = { array: ['[\n', ',\n', '\n]\n'], object: ['{\n', ',\n', '\n}\n'], lines: ['', '\n', '\n'] }[kind] as [string, string, string];
  const parts = rows.map(({ key, value, text }, index) => {
    const element = JSON.stringify(text === undefined ? value : withAnswer(value, outcomes[index]!));
    return `${index === 0 ? open : between}${key === undefined ? '' : `${JSON.stringify(key)}: `}${element}`;
  });
  const isLines = kind === 'lines';
  const type = isLines ? 'application/x-ndjson' : 'application/json';
  return new File([...parts, close], `${baseName(shownName(file.name, 200))}.enriched.${isLines ? 'ndjson' : 'json'}`, { type, lastModified: 0 });
}

/** A key the element has already is never written over. */
function withAnswer(value: unknown, { answer, error }: Outcome): object {
  const element: Record<string, unknown> = typeof value === 'object' && value !== null ? { ...value } : { text: value };
  const free = (name: string): string => (Object.hasOwn(element, name) ? free(`${name}_`) : name);
  if (answer) {
    element[free('enrichment')] = answer.text;
    if (answer.finishReason === 'length') element[free('enrichment_cut')] = true;
  } else element[free('enrichment_error')] = error;
  return element;
}
