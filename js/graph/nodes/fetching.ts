/**
 * Nodes that ask the network. They try again as `ctx.fetch` does: with backoff, and as long as `Retry-After` says.
 *
 * Invariant: what is not there after that is an error of the node with the status, never an empty value.
 */
import { DATAFLOW_ALL_PORTS } from '../dataflow.ts';
import type { Entitlement } from '../entitlements.ts';
import { FatalError, RetryableError } from '../../errors.ts';
import { TaskInvalidInputError } from '../errors.ts';
import type { JsonSchema } from '../schema.ts';
import { type ExecuteContext, Task } from '../task.ts';

const responseTypes = ['json', 'text', 'blob', 'arraybuffer'] as const;
type ResponseType = (typeof responseTypes)[number];

export interface FetchUrlInput {
  url: string;
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH';
  headers?: Record<string, string>;
  body?: string;
  /** Default null: as the content type says. */
  response_type?: ResponseType | null;
  /** Milliseconds of each try, until the head of the response has come. */
  timeout?: number;
  [more: string]: any;
}
export interface FetchUrlOutput {
  json?: any;
  text?: string;
  blob?: Blob;
  arraybuffer?: ArrayBuffer;
  metadata: { status: number; contentType: string; headers: Record<string, string> };
  [more: string]: any;
}

const fetchInput = {
  type: 'object',
  properties: {
    url: { type: 'string', format: 'uri', title: 'URL' },
    method: { type: 'string', enum: ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'], title: 'Method', default: 'GET' },
    headers: { type: 'object', additionalProperties: { type: 'string' }, title: 'Headers' },
    body: { type: 'string', title: 'Body' },
    response_type: { anyOf: [{ type: 'null' }, { type: 'string', enum: responseTypes }], title: 'Response type', description: 'null: as its content type says', default: null },
    timeout: { type: 'number', title: 'Timeout', description: 'Milliseconds of each try' },
  },
  required: ['url'],
  additionalProperties: false,
} as const satisfies JsonSchema;

const metadata = { type: 'object', properties: { status: { type: 'integer' }, contentType: { type: 'string' }, headers: { type: 'object', additionalProperties: { type: 'string' } } }, required: ['status', 'contentType', 'headers'], additionalProperties: false, title: 'Metadata' } as const;
const fetchOutput = {
  type: 'object',
  properties: { json: { title: 'JSON' }, text: { type: 'string', title: 'Text' }, blob: { title: 'Blob', format: 'blob' }, arraybuffer: { title: 'Bytes', format: 'arraybuffer' }, metadata },
  required: ['metadata'],
  additionalProperties: false,
} as const satisfies JsonSchema;

/** Asks an address: its answer by the port that its type says. */
export class FetchUrlTask extends Task<FetchUrlInput, FetchUrlOutput> {
  static override readonly type = 'FetchUrlTask';
  static override readonly category = 'Input';
  static override readonly title = 'Fetch';
  static override readonly description = 'Asks an address, and tries again';
  static override inputSchema(): JsonSchema {
    return fetchInput;
  }
  static override outputSchema(): JsonSchema {
    return fetchOutput;
  }
  entitlements(): readonly Entitlement[] {
    return [networkOf(this)];
  }
  override async execute(input: FetchUrlInput, context: ExecuteContext): Promise<FetchUrlOutput> {
    const response = await request(input, context);
    return { ...(await bodyOf(response, input.response_type ?? typeOf(response))), metadata: metadataOf(response) };
  }
}

/** @throws TaskInvalidInputError for an address that is none, RetryableError or FatalError for a status that is no success */
async function request({ url, method = 'GET', headers, body, timeout }: FetchUrlInput, { durable, signal }: ExecuteContext): Promise<Response> {
  const address = httpAddress(url);
  const response = await durable.fetch(address, { method, ...(headers && { headers }), ...(body !== undefined && { body }), ...(timeout !== undefined && { timeout }), signal });
  if (response.ok) return response;
  const says = `${method} ${url}: the server says ${response.status}${response.statusText ? ` ${response.statusText}` : ''}.`;
  const mayPass = response.status >= 500 || [408, 409, 429].includes(response.status);
  const data = { status: response.status, url };
  throw mayPass ? new RetryableError(says, { data }) : new FatalError(says, { data });
}

/** One host where its address is said and no edge can bring another. */
function networkOf(task: Task<any, any, any>): Entitlement {
  const isFed = task.parentGraph?.getSourceDataflows(task.id).some(({ targetTaskPortId: port }) => port === 'url' || port === DATAFLOW_ALL_PORTS);
  const address = isFed ? undefined : addressOf(task.defaults.url);
  return address ? { id: 'network', resources: [address.host] } : { id: 'network' };
}

/** Not `javascript:`, not `file:`: documents come from people. */
function httpAddress(url: string): URL {
  const address = addressOf(url);
  if (!address || !['http:', 'https:', 'blob:', 'data:'].includes(address.protocol)) throw new TaskInvalidInputError(`${JSON.stringify(url)} is no address to fetch. It has to begin with http: or https: (blob: and data: are taken too).`);
  return address;
}

function addressOf(url: string): URL | undefined {
  try {
    return new URL(url, globalThis.location?.href);
  } catch {
    return undefined;
  }
}

function typeOf({ headers }: Response): ResponseType {
  const type = headers.get('content-type') ?? '';
  if (/[/+]json\b/i.test(type)) return 'json';
  if (/^text\/|[/+]xml\b/i.test(type)) return 'text';
  return /^(image|audio|video|application)\//i.test(type) ? 'blob' : 'text';
}

async function bodyOf(response: Response, type: ResponseType): Promise<Partial<FetchUrlOutput>> {
  if (type === 'blob') return { blob: await response.blob() };
  if (type === 'arraybuffer') return { arraybuffer: await response.arrayBuffer() };
  const text = await response.text();
  return type === 'text' ? { text } : { json: parsed(text, response.url) };
}

function parsed(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FatalError(`What ${url || 'the server'} gave is no JSON: ${(error as Error).message}`, { cause: error });
  }
}

function metadataOf({ status, headers }: Response): FetchUrlOutput['metadata'] {
  return { status, contentType: headers.get('content-type') ?? '', headers: Object.fromEntries(headers) };
}

const fileFormats = ['text', 'markdown', 'json', 'csv', 'html', 'pdf', 'image', 'auto'] as const;
type FileFormat = (typeof fileFormats)[number];

export interface FileLoaderInput {
  /** A file that somebody gave: it is stored with the run. */
  file?: Blob;
  /** Or where it is. */
  url?: string;
  /** Default 'auto': by its name, else by its type. */
  format?: FileFormat;
  [more: string]: any;
}
export interface FileLoaderOutput {
  text?: string;
  json?: any;
  /** Objects by the names in the first row. */
  csv?: Record<string, string>[];
  /** PDFs and pictures, as they are. */
  blob?: Blob;
  metadata: { url?: string; title: string; format: string; size: number; mimeType: string };
  [more: string]: any;
}

const loaderInput = {
  type: 'object',
  properties: { file: { title: 'File', format: 'blob' }, url: { type: 'string', format: 'uri', title: 'URL' }, format: { type: 'string', enum: fileFormats, title: 'Format', default: 'auto' } },
  additionalProperties: false,
} as const satisfies JsonSchema;
const loaderOutput = {
  type: 'object',
  properties: {
    text: { type: 'string', title: 'Text' }, json: { title: 'JSON' }, csv: { type: 'array', items: { type: 'object', additionalProperties: { type: 'string' } }, title: 'CSV' }, blob: { title: 'Blob', format: 'blob' },
    metadata: { type: 'object', properties: { url: { type: 'string' }, title: { type: 'string' }, format: { type: 'string' }, size: { type: 'integer' }, mimeType: { type: 'string' } }, required: ['title', 'format', 'size', 'mimeType'], title: 'Metadata' },
  },
  required: ['metadata'],
  additionalProperties: false,
} as const satisfies JsonSchema;

/** A file, given or fetched, as text, JSON, rows or bytes. */
export class FileLoaderTask extends Task<FileLoaderInput, FileLoaderOutput> {
  static override readonly type = 'FileLoaderTask';
  static override readonly category = 'Document';
  static override readonly title = 'File Loader';
  static override readonly description = 'Reads a file that was given, or that lies at an address';
  static override inputSchema(): JsonSchema {
    return loaderInput;
  }
  static override outputSchema(): JsonSchema {
    return loaderOutput;
  }
  entitlements(): readonly Entitlement[] {
    return [networkOf(this)];
  }
  override async execute({ file, url, format = 'auto' }: FileLoaderInput, context: ExecuteContext): Promise<FileLoaderOutput> {
    if (!(file instanceof Blob) && typeof url !== 'string') throw new TaskInvalidInputError(`FileLoaderTask ${this.id} needs a file or a url.`);
    const blob = file instanceof Blob ? file : await (await request({ url: url! }, context)).blob();
    const name = file instanceof File ? file.name : (url ?? '').split(/[?#]/)[0]!;
    const found = format === 'auto' ? formatOf(name, blob.type) : format;
    return {
      ...(await contentOf(blob, found)),
      metadata: { ...(url !== undefined && { url }), title: name.split('/').at(-1) || 'file', format: found, size: blob.size, mimeType: blob.type },
    };
  }
}

const byEnding: Record<string, Exclude<FileFormat, 'auto'>> = { json: 'json', csv: 'csv', md: 'markdown', mdx: 'markdown', html: 'html', htm: 'html', pdf: 'pdf', png: 'image', jpg: 'image', jpeg: 'image', gif: 'image', webp: 'image', svg: 'image', avif: 'image' };
const byType: readonly [RegExp, Exclude<FileFormat, 'auto'>][] = [[/[/+]json\b/, 'json'], [/\/csv\b/, 'csv'], [/markdown/, 'markdown'], [/\/html\b/, 'html'], [/\/pdf\b/, 'pdf'], [/^image\//, 'image']];

function formatOf(name: string, type: string): Exclude<FileFormat, 'auto'> {
  const ending = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? '';
  if (Object.hasOwn(byEnding, ending)) return byEnding[ending]!;
  return byType.find(([pattern]) => pattern.test(type))?.[1] ?? 'text';
}

async function contentOf(blob: Blob, format: FileFormat): Promise<Partial<FileLoaderOutput>> {
  if (format === 'pdf' || format === 'image') return { blob };
  const text = await blob.text();
  if (format === 'json') return { json: parsed(text, 'the file') };
  return format === 'csv' ? { csv: csvRows(text) } : { text };
}

/** RFC 4180: quotes, quoted line ends and commas, CRLF or LF. */
export function csvRows(text: string): Record<string, string>[] {
  const rows: string[][] = [[]];
  const field = /(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  for (let at = 0; at < text.length; at = field.lastIndex) {
    field.lastIndex = at;
    const found = field.exec(text);
    if (!found) throw new TaskInvalidInputError(`This is no CSV at position ${at}: a quote has to stand around a whole field, and to come twice within one.`, { data: { position: at } });
    rows.at(-1)!.push(found[1]?.replaceAll('""', '"') ?? found[2]!);
    const end = found[3]!;
    if (end !== ',' && end !== '') rows.push([]);
    if (end === ',' && field.lastIndex === text.length) rows.at(-1)!.push('');
  }
  const [head = [], ...body] = rows.filter((row) => row.length > 1 || row[0]);
  return body.map((row) => Object.fromEntries(head.map((name, column) => [name, row[column] ?? ''])));
}
