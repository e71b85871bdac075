'use client';
import { usePanel } from './panel.ts';
import { isBlob, preview, safeUrl } from './text.ts';

/** A result in a line: a file by type and size, a link by an allowed scheme, anything else as short text. */
export function TaskResult({ result }: { result: unknown }) {
  const { format } = usePanel();
  if (result === undefined) return <>–</>;
  if (isBlob(result)) return <>{[result.type, format.bytes(result.size)].filter(Boolean).join(', ')}</>;
  const url = safeUrl(result);
  if (!url) return <bdi>{preview(result)}</bdi>;
  return (
    <a className="hf-link" href={url} target="_blank" rel="noopener noreferrer">
      {format.label('openResult')} <bdi>({preview(url, 80)})</bdi>
    </a>
  );
}
