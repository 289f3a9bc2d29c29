// A form for the body of a request, made from its schema. The body itself is JSON text; the form changes single values of it.
import { h } from 'preact';
import { useState } from 'preact/hooks';
import type { Document, Schema } from '../document';
import { Field } from '../kit';
import { t } from '../texts';

type Resolve = Document['resolve'];
type Json = unknown;
type Put = (value: Json) => void; // undefined: it isn't there

// What has to be there, to begin with.
export function sample(schema: Schema, resolve: Resolve, depth = 0): Json {
  const full = resolve(schema);
  if (full.default !== undefined) return full.default;
  if (full.enum?.length) return full.enum[0];
  if (full.type === 'object' && depth < 4) {
    const must = Object.entries(full.properties ?? {}).filter(([name]) => full.required?.includes(name));
    return Object.fromEntries(must.map(([name, part]) => [name, sample(part, resolve, depth + 1)]));
  }
  if (full.type === 'array') return [];
  if (full.type === 'integer' || full.type === 'number') return 0;
  if (full.type === 'boolean') return false;
  return full.type === 'string' ? '' : {};
}

export function kind(schema: Schema, resolve: Resolve): string {
  const full = resolve(schema);
  if (full.enum) return full.enum.map(String).join(' | ');
  if (full.type === 'array') return `[${kind(full.items ?? {}, resolve)}]`;
  return full.format ?? full.type ?? '';
}

export function hasForm(schema: Schema, resolve: Resolve): boolean {
  return Object.keys(resolve(schema).properties ?? {}).length > 0;
}

function Select(props: { id: string; label: string; value: string; among: string[]; hint: string; put(value: string): void }) {
  return (
    <div class="field">
      <label for={props.id}>{props.label}</label>
      <select id={props.id} value={props.value} aria-describedby={`${props.id}-hint`} onChange={(event: Event) => props.put((event.currentTarget as HTMLSelectElement).value)}>
        {['', ...props.among].map((each) => <option value={each} selected={each === props.value}>{each || '–'}</option>)}
      </select>
      <small id={`${props.id}-hint`}>{props.hint}</small>
    </div>
  );
}

// Any value as JSON, taken as soon as it can be read.
function AsText({ id, label, hint, value, put }: { id: string; label: string; hint: string; value: Json; put: Put }) {
  const [text, setText] = useState(value === undefined ? '' : JSON.stringify(value));
  const [wrong, setWrong] = useState(false);
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input id={id} value={text} spellcheck={false} autocomplete="off" aria-invalid={wrong} aria-describedby={`${id}-hint`} onInput={(event: Event) => {
        const now = (event.currentTarget as HTMLInputElement).value;
        setText(now);
        try {
          put(now.trim() ? JSON.parse(now) : undefined);
          setWrong(false);
        } catch {
          setWrong(true);
        }
      }} />
      <small id={`${id}-hint`}>{wrong ? t('This isn’t valid JSON.') : hint}</small>
    </div>
  );
}

function One({ path, name, schema, required, value, put, resolve }: {
  path: string; name: string; schema: Schema; required: boolean; value: Json; put: Put; resolve: Resolve;
}) {
  const full = resolve(schema);
  const hint = [kind(full, resolve), full.description].filter(Boolean).join(': ');
  const label = `${name}${required ? ' *' : ''}`;
  const id = `body-${path}`;
  if (full.type === 'object' && hasForm(full, resolve)) {
    return (
      <fieldset>
        <legend>{label}</legend>
        {full.description && <small>{full.description}</small>}
        <Fields path={path} schema={full} value={value} put={put} resolve={resolve} />
      </fieldset>
    );
  }
  if (full.enum || full.type === 'boolean') {
    const among = full.enum ?? [true, false];
    return (
      <Select id={id} label={label} value={value === undefined || value === null ? '' : String(value)} among={among.map(String)} hint={hint}
        put={(text) => put(among.find((each) => String(each) === text))} />
    );
  }
  if (full.type === 'string') {
    return <Field name={id} label={label} hint={hint} value={typeof value === 'string' ? value : ''} onText={(text) => put(text || required ? text : undefined)} />;
  }
  if (full.type === 'integer' || full.type === 'number') {
    return (
      <Field name={id} label={label} hint={hint} value={value === undefined || value === null ? '' : String(value)}
        onText={(text) => put(text === '' ? undefined : Number.isFinite(Number(text)) ? Number(text) : text)} />
    );
  }
  const items = full.type === 'array' ? resolve(full.items) : null;
  if (items?.type === 'string' && (value === undefined || (Array.isArray(value) && value.every((each) => typeof each === 'string')))) {
    return (
      <div class="field">
        <label for={id}>{label}</label>
        <textarea id={id} class="low" rows={2} spellcheck={false} aria-describedby={`${id}-hint`} value={((value as string[] | undefined) ?? []).join('\n')}
          onInput={(event: Event) => {
            const text = (event.currentTarget as HTMLTextAreaElement).value;
            put(text || required ? text.split('\n').filter((line, at, all) => line || at < all.length - 1) : undefined);
          }} />
        <small id={`${id}-hint`}>{[hint, t('One per line.')].join(' ')}</small>
      </div>
    );
  }
  return <AsText id={id} label={label} hint={[hint, t('As JSON.')].join(' ')} value={value} put={put} />;
}

export function Fields({ path = '', schema, value, put, resolve }: { path?: string; schema: Schema; value: Json; put: Put; resolve: Resolve }) {
  const full = resolve(schema);
  const now: Record<string, Json> = typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, Json>) : {};
  const set = (name: string, part: Json) => {
    const next = { ...now };
    if (part === undefined) delete next[name];
    else next[name] = part;
    put(Object.keys(next).length || !path ? next : undefined);
  };
  return (
    <div class="grid">
      {Object.entries(full.properties ?? {}).map(([name, part]) => (
        <One key={name} path={path ? `${path}-${name}` : name} name={name} schema={part} required={full.required?.includes(name) ?? false}
          value={now[name]} put={(changed) => set(name, changed)} resolve={resolve} />
      ))}
    </div>
  );
}
