/** Everything that is done to the drawing as a whole. */
import { useRef } from 'react';
import { useLanguage } from '../shell/choices.ts';
import type { Action, Editor } from './editor.ts';
import { examples } from './examples.ts';
import { type GraphDocument, kEmpty, nameOf } from './graph-document.ts';
import { usePipelineWords } from './words.ts';

interface ToolbarProps {
  editor: Editor;
  dispatch(action: Action): void;
  onOpen(document: GraphDocument, name: string): void;
  onFile(file: File): void;
  onSave(): void;
  onTidy(): void;
  onUndo(): void;
  onRedo(): void;
  onRun(): void;
  isStarting: boolean;
}

export function Toolbar({ editor, dispatch, onOpen, onFile, onSave, onTidy, onUndo, onRedo, onRun, isStarting }: ToolbarProps) {
  const say = usePipelineWords();
  const language = useLanguage();
  const file = useRef<HTMLInputElement>(null);
  const start = (id: string) => {
    const example = examples.find((each) => each.id === id);
    if (example) onOpen(example.document(language), example.title[language]);
    else if (id === 'empty') onOpen(kEmpty, say.empty);
  };
  return (
    <div className="pl-toolbar" role="toolbar" aria-label={say.toolbar}>
      <input
        type="text" className="pl-name" aria-label={say.name} placeholder={say.unnamed} value={nameOf(editor.document)} maxLength={200}
        onChange={(event) => dispatch({ type: 'rename', title: event.target.value })} onBlur={() => dispatch({ type: 'settle' })}
      />
      <select className="pl-examples" aria-label={say.examples} value="" onChange={(event) => start(event.target.value)}>
        <option value="">{say.examples}</option>
        {examples.map(({ id, title }) => <option key={id} value={id}>{title[language]}</option>)}
        <option value="empty">{say.empty}</option>
      </select>
      <span className="pl-group">
        <button type="button" className="pl-button" disabled={editor.past.length === 0} onClick={onUndo}>{say.undo}</button>
        <button type="button" className="pl-button" disabled={editor.future.length === 0} onClick={onRedo}>{say.redo}</button>
      </span>
      <span className="pl-group">
        <button type="button" className="pl-button" disabled={editor.document.tasks.length === 0} onClick={onTidy}>{say.tidy}</button>
        <label className="pl-button">
          <input
            ref={file} type="file" accept=".json,application/json"
            onChange={(event) => {
              const [chosen] = event.target.files ?? [];
              event.target.value = '';
              if (chosen) onFile(chosen);
            }}
          />
          {say.open}
        </label>
        <button type="button" className="pl-button" disabled={editor.document.tasks.length === 0} onClick={onSave}>{say.save}</button>
      </span>
      <button type="button" className="pl-run" disabled={isStarting} onClick={onRun}>
        <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M4.5 2.8v10.4L13 8z" /></svg>
        {say.run}
      </button>
    </div>
  );
}
