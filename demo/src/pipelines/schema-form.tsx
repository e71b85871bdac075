/** A form from a JSON schema: a box for each property, as its type asks for. What it can't say in boxes is JSON. */
import type { JsonSchema } from 'holdfast/graph';
import { useId, useState } from 'react';
import { useLanguage } from '../shell/choices.ts';
import { isSchemaObject } from './catalog.ts';
import { labelOf } from './node-words.ts';
import { usePipelineWords } from './words.ts';

export interface FieldProps {
  readonly name: string;
  readonly schema: JsonSchema;
  readonly value: unknown;
  readonly isRequired?: boolean;
  readonly isDisabled?: boolean;
  /** undefined takes the value away. */
  onChange(value: unknown): void;
  /** The box was left. */
  onSettle(): void;
}

type Editor = 'check' | 'choice' | 'text' | 'number' | 'rows' | 'json';

function editorOf(schema: JsonSchema): Editor {
  if (!isSchemaObject(schema)) return 'json';
  if (Array.isArray(schema.enum)) return 'choice';
  const types = [schema.type].flat().filter((type) => type !== 'null');
  if (types.length === 1 && types[0] === 'boolean') return 'check';
  if (types.length === 1 && (types[0] === 'number' || types[0] === 'integer')) return 'number';
  if (types.includes('string')) return 'text';
  if (schema.anyOf?.some((each) => isSchemaObject(each) && each.type === 'string')) return 'text';
  if (types[0] === 'array' && isSchemaObject(schema.items) && isSchemaObject(schema.items as JsonSchema) && (schema.items as { properties?: object }).properties) return 'rows';
  return 'json';
}

export function SchemaField(props: FieldProps) {
  const editor = editorOf(props.schema);
  if (editor === 'check') return <CheckField {...props} />;
  if (editor === 'rows') return <RowsField {...props} />;
  return <LabelledField {...props} editor={editor} />;
}

function CheckField({ name, schema, value, isDisabled, onChange }: FieldProps) {
  const language = useLanguage();
  const standard = isSchemaObject(schema) ? schema.default === true : false;
  return (
    <label className="check">
      <input type="checkbox" checked={value === undefined ? standard : value === true} disabled={isDisabled} onChange={(event) => onChange(event.target.checked === standard ? undefined : event.target.checked)} />
      <span>{labelOf(name, schema, language)}</span>
    </label>
  );
}

function LabelledField({ editor, ...props }: FieldProps & { editor: Editor }) {
  const say = usePipelineWords();
  const language = useLanguage();
  const id = useId();
  const { name, schema, isRequired } = props;
  const description = isSchemaObject(schema) ? schema.description : undefined;
  return (
    <div className="field pl-field">
      <label htmlFor={id}>{labelOf(name, schema, language)}{isRequired && props.value === undefined ? <em> · {say.required}</em> : null}</label>
      {editor === 'choice' ? <ChoiceBox {...props} id={id} /> : editor === 'number' ? <NumberBox {...props} id={id} /> : editor === 'text' ? <TextBox {...props} id={id} /> : <JsonBox {...props} id={id} />}
      {description && language === 'en' ? <p className="hint">{description}</p> : null}
    </div>
  );
}

type BoxProps = FieldProps & { id: string };
const standardOf = (schema: JsonSchema): string => (isSchemaObject(schema) && schema.default !== undefined ? (typeof schema.default === 'string' ? schema.default : JSON.stringify(schema.default)) : '');

function ChoiceBox({ id, schema, value, isDisabled, onChange }: BoxProps) {
  const choices = (isSchemaObject(schema) ? (schema.enum ?? []) : []) as readonly unknown[];
  const standard = standardOf(schema);
  const known = value === undefined ? '' : String(value);
  return (
    <select id={id} value={known} disabled={isDisabled} onChange={(event) => onChange(choices.find((choice) => String(choice) === event.target.value))}>
      <option value="">{standard === '' ? '–' : standard}</option>
      {choices.map(String).filter((choice) => choice !== standard || choice === known).map((choice) => <option key={choice} value={choice}>{choice}</option>)}
    </select>
  );
}

function NumberBox({ id, schema, value, isDisabled, onChange, onSettle }: BoxProps) {
  const [typed, setTyped] = useState<string>();
  const { minimum, maximum, type } = isSchemaObject(schema) ? schema : {};
  return (
    <input
      id={id} type="number" inputMode="decimal" step={type === 'integer' ? 1 : 'any'} min={minimum} max={maximum} disabled={isDisabled} placeholder={standardOf(schema)}
      value={typed ?? (value === undefined ? '' : String(value))}
      onChange={(event) => {
        setTyped(event.target.value);
        const number = event.target.valueAsNumber;
        onChange(Number.isFinite(number) ? number : undefined);
      }}
      onBlur={() => {
        setTyped(undefined);
        onSettle();
      }}
    />
  );
}

function TextBox({ id, schema, value, isDisabled, onChange, onSettle }: BoxProps) {
  const lines = isSchemaObject(schema) ? Number(schema['x-ui-lines'] ?? 1) : 1;
  const text = value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);
  const isNumberToo = isSchemaObject(schema) && [schema.type].flat().includes('number');
  const give = (typed: string) => onChange(typed === '' ? undefined : isNumberToo && /^-?\d+(\.\d+)?$/.test(typed) ? Number(typed) : typed);
  const shared = { id, value: text, disabled: isDisabled, placeholder: standardOf(schema), spellCheck: false, onBlur: onSettle };
  return lines > 1 || text.length > 60
    ? <textarea {...shared} rows={Math.max(lines, 3)} onChange={(event) => give(event.target.value)} />
    : <input {...shared} type="text" onChange={(event) => give(event.target.value)} />;
}

function JsonBox({ id, schema, value, isDisabled, onChange, onSettle }: BoxProps) {
  const say = usePipelineWords();
  const [typed, setTyped] = useState<string>();
  const [isWrong, setWrong] = useState(false);
  const errorId = useId();
  const take = (text: string) => {
    setTyped(text);
    if (text.trim() === '') {
      setWrong(false);
      return onChange(undefined);
    }
    try {
      const json: unknown = JSON.parse(text);
      setWrong(false);
      onChange(json);
    } catch {
      setWrong(true);
    }
  };
  return (
    <>
      <textarea
        id={id} className="pl-json" rows={3} spellCheck={false} disabled={isDisabled} placeholder={standardOf(schema) || 'JSON'} aria-invalid={isWrong || undefined} aria-describedby={isWrong ? errorId : undefined}
        value={typed ?? (value === undefined ? '' : JSON.stringify(value, null, 1))} onChange={(event) => take(event.target.value)}
        onBlur={() => {
          if (!isWrong) setTyped(undefined);
          onSettle();
        }}
      />
      {isWrong ? <p className="hint pl-wrong" id={errorId}>{say.notJson}</p> : null}
    </>
  );
}

/** A list of objects: a group of boxes for each. */
function RowsField({ name, schema, value, isDisabled, onChange, onSettle }: FieldProps) {
  const say = usePipelineWords();
  const language = useLanguage();
  const item = (schema as { items: { properties: Record<string, JsonSchema>; required?: readonly string[] } }).items;
  const rows = Array.isArray(value) ? (value as Record<string, unknown>[]) : [];
  const set = (index: number, key: string, each: unknown) =>
    onChange(rows.map((row, at) => {
      if (at !== index) return row;
      const { [key]: _, ...others } = row;
      return each === undefined ? others : { ...others, [key]: each };
    }));
  return (
    <fieldset className="pl-rows">
      <legend>{labelOf(name, schema, language)}</legend>
      {rows.map((row, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a row is its place
        <fieldset key={index} className="pl-row">
          <legend>{say.item(index + 1)}</legend>
          {Object.entries(item.properties).map(([key, each]) => (
            <SchemaField key={key} name={key} schema={each} value={row[key]} isRequired={item.required?.includes(key) ?? false} isDisabled={isDisabled ?? false} onChange={(next) => set(index, key, next)} onSettle={onSettle} />
          ))}
          <button type="button" className="plain" disabled={isDisabled} onClick={() => onChange(rows.filter((_, at) => at !== index))}>{say.removeItem(index + 1)}</button>
        </fieldset>
      ))}
      <button type="button" className="plain" disabled={isDisabled} onClick={() => onChange([...rows, freshRow(item.properties, rows.length + 1)])}>{say.addItem}</button>
    </fieldset>
  );
}

function freshRow(properties: Record<string, JsonSchema>, number: number): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(properties)) {
    if (!isSchemaObject(schema)) continue;
    if (schema.default !== undefined) row[key] = schema.default;
    else if (key === 'id') row[key] = `way-${number}`;
    else if (Array.isArray(schema.enum)) row[key] = schema.enum[0];
  }
  return row;
}
