/** Files by drop, by button, by keyboard. A drop anywhere on the page counts: missing the box would make the browser open the file and leave. */
import { useEffect, useEffectEvent, useId, useRef, useState } from 'react';
import { useWords } from './choices.ts';

interface DropzoneProps {
  accept: string;
  button: string;
  hint: string;
  onFiles(files: File[]): void;
  onFolder(name: string): void;
}

function filesOf(transfer: DataTransfer): { files: File[]; folders: string[] } {
  const folders = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry?.isDirectory).map((entry) => entry!.name);
  return { files: [...transfer.files].filter((file) => !(folders.includes(file.name) && file.type === '')), folders };
}

const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;

/** true while files are dragged over the page. */
function usePageDrop(onDrop: (transfer: DataTransfer) => void): boolean {
  const [over, setOver] = useState(false);
  const drop = useEffectEvent(onDrop);
  useEffect(() => {
    const stop = new AbortController();
    const listen = (type: 'dragover' | 'dragleave' | 'drop', listener: (event: DragEvent) => void) =>
      addEventListener(type, listener, { signal: stop.signal });
    listen('dragover', (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    });
    listen('dragleave', (event) => {
      if (event.relatedTarget === null) setOver(false); // left the window, not one element for another
    });
    listen('drop', (event) => {
      setOver(false);
      if (!hasFiles(event) || !event.dataTransfer) return;
      event.preventDefault();
      drop(event.dataTransfer);
    });
    return () => stop.abort();
  }, []);
  return over;
}

export function Dropzone({ accept, button, hint, onFiles, onFolder }: DropzoneProps) {
  const say = useWords();
  const input = useRef<HTMLInputElement>(null);
  const hintId = useId();
  const over = usePageDrop((transfer) => {
    const { files, folders } = filesOf(transfer);
    folders.forEach(onFolder);
    if (files.length > 0) onFiles(files);
  });
  return (
    <div className="dropzone" data-over={over || undefined}>
      <svg className="drop-icon" viewBox="0 0 24 24" aria-hidden="true">
        <path d="M12 16V4m0 0L7.5 8.5M12 4l4.5 4.5M4 15v3a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2v-3" />
      </svg>
      <p className="drop-title" aria-live="polite">{over ? say.dropNow : say.drop}</p>
      <label className="button">
        <input
          ref={input}
          type="file"
          accept={accept}
          multiple
          aria-describedby={hintId}
          onChange={(event) => {
            const files = [...(event.target.files ?? [])];
            event.target.value = ''; // so that the same file can be chosen again
            if (files.length > 0) onFiles(files);
          }}
        />
        {button}
      </label>
      <p className="hint" id={hintId}>{hint}</p>
    </div>
  );
}
