/** Reads a stream to its end, piece by piece: what has been read is handed to the browser, not kept in memory. */
import { NotCloneableError, SerializationError } from '../errors.ts';
import { fileTooLarge } from './refuse.ts';
import { textBody } from './web-kinds.ts';

/** What gathers before it becomes a Blob. */
const pieceBytes = 4 * 1024 * 1024;

type Piece = string | Uint8Array<ArrayBuffer>;

/** @throws PayloadTooLargeError SerializationError when the stream fails; NotCloneableError for chunks that are neither bytes nor text, or both in turn */
export async function readAll(reader: ReadableStreamDefaultReader<unknown>, path: string, limit: number): Promise<Blob> {
  const pieces: Blob[] = [];
  let gathered: Piece[] = [];
  let size = 0;
  let total = 0;
  let isText: boolean | undefined;
  const gather = () => {
    pieces.push(new Blob(gathered));
    gathered = [];
    size = 0;
  };
  for (;;) {
    const { done, value } = await reader.read().catch((cause) => {
      throw new SerializationError(`${path} is a stream that failed while it was read.`, { cause });
    });
    if (done) break;
    const piece = pieceOf(value);
    total += piece?.length ?? 0;
    if (total > limit) {
      const error = fileTooLarge(path, total, limit);
      await reader.cancel(error).catch(() => {});
      throw error;
    }
    if (piece === undefined || (typeof piece === 'string') !== (isText ?? typeof piece === 'string')) {
      const error = new NotCloneableError(`${path} is a stream that gave ${describeChunk(value)}; only streams of bytes, or of text alone, can be stored.`, { data: { path } });
      await reader.cancel(error).catch(() => {});
      throw error;
    }
    isText = typeof piece === 'string';
    gathered.push(piece);
    size += piece.length;
    if (size >= pieceBytes) gather();
  }
  if (gathered.length > 0) gather();
  return new Blob(pieces, isText ? { type: textBody } : {});
}

/** By value: whoever made the chunk may use its buffer again. */
function pieceOf(value: unknown): Piece | undefined {
  if (typeof value === 'string') return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice() as Uint8Array<ArrayBuffer>;
  return value instanceof ArrayBuffer ? new Uint8Array(value).slice() : undefined;
}

function describeChunk(value: unknown): string {
  if (typeof value === 'string') return 'text among bytes';
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return 'bytes among text';
  return value === null ? 'null' : `a chunk of type ${typeof value}`;
}
