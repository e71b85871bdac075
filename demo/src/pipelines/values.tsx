/** A value that a port gave, as far as a person wants to see it: whole if short, its beginning if long, files to download. */
import { shownName } from '../tasks/names.ts';
import { useLanguage } from '../shell/choices.ts';
import { labelOf } from './node-words.ts';
import { usePipelineWords } from './words.ts';

const kMostCharacters = 1200;
const kMostFiles = 10;

function size(bytes: number, language: string): string {
  const [value, unit] = bytes < 1000 ? [bytes, 'byte'] : bytes < 1e6 ? [bytes / 1000, 'kilobyte'] : [bytes / 1e6, 'megabyte'];
  return new Intl.NumberFormat(language, { style: 'unit', unit, maximumFractionDigits: 1 }).format(value);
}

function FileValue({ file }: { file: Blob }) {
  const say = usePipelineWords();
  const language = useLanguage();
  const name = file instanceof File ? file.name : 'file';
  const download = () => {
    const url = URL.createObjectURL(file);
    const link = Object.assign(document.createElement('a'), { href: url, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  };
  return (
    <button type="button" className="plain pl-file" aria-label={say.download(shownName(name))} onClick={download}>
      <bdi>{shownName(name, 40)}</bdi> <small>{size(file.size, language)}</small>
    </button>
  );
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value, (_, each: unknown) => (each instanceof Blob ? `[${each instanceof File ? each.name : 'blob'}]` : typeof each === 'bigint' ? `${each}n` : each), 1) ?? String(value);
  } catch {
    return String(value);
  }
}

export function Value({ value }: { value: unknown }) {
  const say = usePipelineWords();
  if (value instanceof Blob) return <FileValue file={value} />;
  if (Array.isArray(value) && value.length > 0 && value.every((each) => each instanceof Blob)) {
    return (
      <>
        {value.slice(0, kMostFiles).map((file: Blob, index) => <FileValue key={`${index} ${file.size}`} file={file} />)}
        {value.length > kMostFiles ? <small>{say.more(value.length - kMostFiles)}</small> : null}
      </>
    );
  }
  if (value === undefined) return <em>{say.nothingYet}</em>;
  const text = typeof value === 'string' ? value : textOf(value);
  const shown = text.length > kMostCharacters ? `${text.slice(0, kMostCharacters)}…` : text;
  const isShort = !shown.includes('\n') && shown.length <= 60;
  return isShort ? <span className="pl-plain-value">{shown === '' ? '“”' : shown}</span> : <pre className="pl-value" tabIndex={0}>{shown}</pre>;
}

export function PortValues({ values }: { values: Readonly<Record<string, unknown>> }) {
  const language = useLanguage();
  return (
    <dl className="pl-values">
      {Object.entries(values).map(([port, value]) => (
        <div key={port}>
          <dt>{labelOf(port, true, language)}</dt>
          <dd><Value value={value} /></dd>
        </div>
      ))}
    </dl>
  );
}
