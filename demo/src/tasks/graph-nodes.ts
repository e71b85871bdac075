/**
 * Kinds of nodes for graphs: the demo's own work, as nodes that anybody may draw. Those that are tasks of this page
 * (PDF, JSON) keep their queues and workers; the small ones are classes.
 *
 * Invariant: registered wherever a stored graph may go on, so a page that only resumes loads this file and nothing of
 * the editor.
 */
import { DefinitionTask, type ExecuteContext, type JsonSchema, registerBaseTasks, registerTask, Task, type TaskConfig, TaskConfigSchema } from 'holdfast/graph';
import { inspect, read } from './json-read.ts';
import { baseName } from './names.ts';
import { sampleJson, samplePdf } from './sample-files.ts';
import { compress, ZipWriter } from './zip.ts';

export const ports = (properties: Record<string, JsonSchema>, required: readonly string[] = []): JsonSchema => ({ type: 'object', properties, required, additionalProperties: false });
const file = (kind: string, title: string): JsonSchema => ({ type: 'object', format: kind ? `file:${kind}` : 'file', title });
const text = (title: string, more: Record<string, unknown> = {}): JsonSchema => ({ type: 'string', title, ...more });
/** Given at the start of a run, or always the same: nobody draws an edge there. */
const hidden = (schema: JsonSchema): JsonSchema => ({ ...(schema as object), 'x-ui-hidden': true });

/** A file that is chosen when the graph is started; without one, the sample. */
abstract class FileSource extends Task<{ file?: File }, { file: File; name: string; bytes: number }> {
  static override readonly category: string = 'Files';
  static override readonly cacheable: boolean = false;
  protected abstract sample(): File;
  override execute({ file: given }: { file?: File }): { file: File; name: string; bytes: number } {
    const chosen = given ?? this.sample();
    return { file: chosen, name: chosen.name, bytes: chosen.size };
  }
}

export class PdfFileTask extends FileSource {
  static override readonly type = 'demo/pdf-file';
  static override readonly title = 'PDF file';
  static override readonly description = 'A PDF that you choose, or the sample';
  static override inputSchema(): JsonSchema {
    return ports({ file: hidden(file('pdf', 'File')) });
  }
  static override outputSchema(): JsonSchema {
    return ports({ file: file('pdf', 'File'), name: text('Name'), bytes: { type: 'integer', title: 'Bytes' } }, ['file', 'name', 'bytes']);
  }
  protected override sample(): File {
    return samplePdf();
  }
}

export class JsonFileTask extends FileSource {
  static override readonly type = 'demo/json-file';
  static override readonly title = 'JSON file';
  static override readonly description = 'A JSON file that you choose, or the sample';
  static override inputSchema(): JsonSchema {
    return ports({ file: hidden(file('json', 'File')) });
  }
  static override outputSchema(): JsonSchema {
    return ports({ file: file('json', 'File'), name: text('Name'), bytes: { type: 'integer', title: 'Bytes' } }, ['file', 'name', 'bytes']);
  }
  protected override sample(): File {
    return sampleJson();
  }
}

/** A task of this page as a node: its ports by the class, its work by its id. */
abstract class OwnTask extends DefinitionTask {
  static override readonly cacheable: boolean = false;
  override get title(): string {
    return this.config.title ?? this.config.name ?? (this.constructor as typeof Task).title;
  }
  override inputSchema(): JsonSchema {
    return this.config.inputSchema ?? (this.constructor as typeof Task).inputSchema();
  }
}

export class PdfTextNode extends OwnTask {
  static override readonly type = 'pdf-text';
  static override readonly category = 'Documents';
  static override readonly title = 'PDF text';
  static override readonly description = 'The text of every page; each page is kept as soon as it is read';
  static override inputSchema(): JsonSchema {
    return ports({ file: file('pdf', 'File') }, ['file']);
  }
  static override outputSchema(): JsonSchema {
    return ports({ pages: { type: 'array', items: { type: 'string' }, title: 'Pages' }, count: { type: 'integer', title: 'Number of pages' }, title: text('Title') }, ['pages', 'count', 'title']);
  }
  constructor(config: TaskConfig = {}) {
    super('pdf-text', config);
  }
}

export class PdfZipNode extends OwnTask {
  static override readonly type = 'pdf';
  static override readonly category = 'Documents';
  static override readonly title = 'PDF to zip';
  static override readonly description = 'Texts, pictures of the first pages and a report, in one zip';
  static override inputSchema(): JsonSchema {
    return ports({
      file: file('pdf', 'File'), maxImages: { type: 'integer', minimum: 0, default: 3, title: 'Pictures' },
      mode: hidden({ type: 'string', default: 'complete' }), format: hidden({ type: 'string', default: 'zip' }),
    }, ['file']);
  }
  static override outputSchema(): JsonSchema {
    return ports({ output: file('zip', 'Zip') }, ['output']);
  }
  constructor(config: TaskConfig = {}) {
    super('pdf', config);
  }
}

export class JsonZipNode extends OwnTask {
  static override readonly type = 'json';
  static override readonly category = 'Documents';
  static override readonly title = 'Clean and split JSON';
  static override readonly description = 'Checks, cleans and splits a large JSON file, in one zip';
  static override inputSchema(): JsonSchema {
    return ports({
      file: file('json', 'File'),
      partBytes: { type: 'integer', minimum: 1024, maximum: 268_435_456, default: 5_000_000, title: 'Bytes a part' },
      trim: { type: 'boolean', default: true, title: 'Trim texts' }, dropEmpty: { type: 'boolean', default: true, title: 'Drop what is empty' },
      keys: { type: 'string', enum: ['keep', 'snake_case', 'camelCase'], default: 'keep', title: 'Key names' },
      format: hidden({ type: 'string', default: 'zip' }),
    }, ['file']);
  }
  static override outputSchema(): JsonSchema {
    return ports({ output: file('zip', 'Zip') }, ['output']);
  }
  constructor(config: TaskConfig = {}) {
    super('json', config);
  }
}

const kMostRows = 100_000;

export class JsonRowsTask extends Task<{ file: File }, { rows: unknown[]; count: number }> {
  static override readonly type = 'demo/json-rows';
  static override readonly category = 'Documents';
  static override readonly title = 'Read JSON';
  static override readonly description = 'The elements of a JSON or NDJSON file';
  static override inputSchema(): JsonSchema {
    return ports({ file: file('json', 'File') }, ['file']);
  }
  static override outputSchema(): JsonSchema {
    return ports({ rows: { type: 'array', title: 'Rows' }, count: { type: 'integer', title: 'Number of rows' } }, ['rows', 'count']);
  }
  override async execute({ file }: { file: File }, context: ExecuteContext): Promise<{ rows: unknown[]; count: number }> {
    const subject = { fileName: file.name, language: 'en' as const };
    const { kind, from } = await inspect(file, subject);
    const rows: unknown[] = [];
    await read({
      file, subject, kind, from, signal: context.signal,
      onElement: ({ key, value }) => {
        if (rows.length >= kMostRows) throw new RangeError(`"${file.name}" holds more than ${kMostRows} elements; use "Clean and split JSON" for it.`);
        rows.push(key === undefined ? value : { key, value });
        return true;
      },
      onProblem: () => {},
      onBytes: (offset) => void context.updateProgress((100 * offset) / file.size),
    });
    return { rows, count: rows.length };
  }
}

interface Totals {
  sum: number;
  mean: number;
  largest: number;
  count: number;
}

export class TotalsTask extends Task<{ rows: unknown[]; field: string }, Totals> {
  static override readonly type = 'demo/totals';
  static override readonly category = 'Numbers';
  static override readonly title = 'Totals';
  static override readonly description = 'Sum, mean and largest of a field of the rows';
  static override inputSchema(): JsonSchema {
    return ports({ rows: { type: 'array', title: 'Rows' }, field: text('Field', { default: 'amount' }) }, ['rows']);
  }
  static override outputSchema(): JsonSchema {
    return ports({ sum: { type: 'number', title: 'Sum' }, mean: { type: 'number', title: 'Mean' }, largest: { type: 'number', title: 'Largest' }, count: { type: 'integer', title: 'How many' } }, ['sum', 'mean', 'largest', 'count']);
  }
  override execute({ rows, field }: { rows: unknown[]; field: string }): Totals {
    const numbers = rows.flatMap((row) => {
      const value = typeof row === 'object' && row !== null && Object.hasOwn(row, field) ? (row as Record<string, unknown>)[field] : undefined;
      return typeof value === 'number' && Number.isFinite(value) ? [value] : [];
    });
    if (numbers.length === 0) throw new RangeError(`None of the ${rows.length} rows has a number under "${field}".`);
    const sum = numbers.reduce((total, value) => total + value, 0);
    const cents = (value: number) => Math.round(value * 100) / 100;
    return { sum: cents(sum), mean: cents(sum / numbers.length), largest: numbers.reduce((one, other) => Math.max(one, other)), count: numbers.length };
  }
}

export class CountWordsTask extends Task<{ text: string | string[] }, { words: number; longest: string }> {
  static override readonly type = 'demo/count-words';
  static override readonly category = 'Texts';
  static override readonly title = 'Count words';
  static override readonly description = 'How many words, and the longest of them';
  static override inputSchema(): JsonSchema {
    return ports({ text: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }], title: 'Text' } }, ['text']);
  }
  static override outputSchema(): JsonSchema {
    return ports({ words: { type: 'integer', title: 'Words' }, longest: text('Longest') }, ['words', 'longest']);
  }
  override execute({ text: given }: { text: string | string[] }): { words: number; longest: string } {
    const words = [given].flat().join(' ').match(/[\p{L}\p{N}]+(?:[-’'][\p{L}\p{N}]+)*/gu) ?? [];
    return { words: words.length, longest: words.reduce((one, other) => (other.length > one.length ? other : one), '') };
  }
}

export class SentenceTask extends Task<Record<string, unknown>, { text: string }> {
  static override readonly type = 'demo/sentence';
  static override readonly category = 'Texts';
  static override readonly title = 'Sentence';
  static override readonly description = 'A text in which {{words}} comes from the port “words”';
  static override inputSchema(): JsonSchema {
    return { type: 'object', properties: {}, additionalProperties: true };
  }
  static override outputSchema(): JsonSchema {
    return ports({ text: text('Text') }, ['text']);
  }
  static override configSchema(): JsonSchema {
    return { type: 'object', properties: { ...TaskConfigSchema.properties, sentence: { type: 'string', title: 'Sentence', description: '{{words}}, {{order.place}}', 'x-ui-lines': 3 } }, additionalProperties: false };
  }
  override execute(input: Record<string, unknown>): { text: string } {
    const { sentence = '' } = this.config as { sentence?: string };
    return { text: sentence.replace(/\{\{([^{}]*)\}\}/g, (_, path: string) => shownValue(valueAt(input, path.trim()))) };
  }
}

/** `order.place`: own properties only. */
function valueAt(value: unknown, path: string): unknown {
  let found = value;
  for (const key of path.split('.')) found = typeof found === 'object' && found !== null && Object.hasOwn(found, key) ? (found as Record<string, unknown>)[key] : undefined;
  return found;
}

const shownValue = (value: unknown): string => (value === undefined || value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value));

export class TextFileTask extends Task<{ text: string | string[]; name: string }, { file: File }> {
  static override readonly type = 'demo/text-file';
  static override readonly category = 'Files';
  static override readonly title = 'Text file';
  static override readonly description = 'A text, or several one below the other, as a file';
  static override inputSchema(): JsonSchema {
    return ports({ text: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }], title: 'Text' }, name: text('Name', { default: 'notes.txt' }) }, ['text']);
  }
  static override outputSchema(): JsonSchema {
    return ports({ file: file('text', 'File') }, ['file']);
  }
  override execute({ text: given, name }: { text: string | string[]; name: string }): { file: File } {
    return { file: new File([`${[given].flat().join('\n\n')}\n`], `${baseName(name)}.txt`, { type: 'text/plain', lastModified: 0 }) };
  }
}

export class JsonToFileTask extends Task<{ value: unknown; name: string }, { file: File }> {
  static override readonly type = 'demo/to-json-file';
  static override readonly category = 'Files';
  static override readonly title = 'Write JSON';
  static override readonly description = 'Any value, as a JSON file';
  static override inputSchema(): JsonSchema {
    return ports({ value: { title: 'Value' }, name: text('Name', { default: 'result.json' }) }, ['value']);
  }
  static override outputSchema(): JsonSchema {
    return ports({ file: file('json', 'File') }, ['file']);
  }
  override execute({ value, name }: { value: unknown; name: string }): { file: File } {
    return { file: new File([`${JSON.stringify(value, null, 2)}\n`], `${baseName(name)}.json`, { type: 'application/json', lastModified: 0 }) };
  }
}

export class ZipFilesTask extends Task<{ files: File[]; name: string }, { file: File }> {
  static override readonly type = 'demo/zip';
  static override readonly category = 'Files';
  static override readonly title = 'Zip';
  static override readonly description = 'All files that come in, in one zip';
  static override readonly cacheable = false;
  static override inputSchema(): JsonSchema {
    return ports({ files: { type: 'array', items: file('', 'File'), title: 'Files' }, name: text('Name', { default: 'pipeline.zip' }) }, ['files']);
  }
  static override outputSchema(): JsonSchema {
    return ports({ file: file('zip', 'Zip') }, ['file']);
  }
  override async execute({ files, name }: { files: File[]; name: string }, { signal }: ExecuteContext): Promise<{ file: File }> {
    const zip = new ZipWriter();
    const taken = new Set<string>();
    for (const each of files) {
      signal.throwIfAborted();
      zip.add(freeName(each.name, taken), compress(new Uint8Array(await each.arrayBuffer())));
    }
    return { file: zip.finish(`${baseName(name)}.zip`) };
  }
}

/** Two files of one name both come in. */
function freeName(name: string, taken: Set<string>): string {
  const [, end = ''] = /(\.[a-z0-9]{1,8})$/i.exec(name) ?? [];
  const stem = baseName(name);
  let free = `${stem}${end}`;
  for (let number = 2; taken.has(free); number++) free = `${stem}-${number}${end}`;
  taken.add(free);
  return free;
}

export const demoNodes = [PdfFileTask, JsonFileTask, PdfTextNode, PdfZipNode, JsonRowsTask, JsonZipNode, TotalsTask, CountWordsTask, SentenceTask, TextFileTask, JsonToFileTask, ZipFilesTask];

export function registerNodes(): void {
  registerBaseTasks();
  registerTask(...demoNodes);
}
