// The API's own document, operation by operation, and each of them to send with the visitor's token.
import { Fragment, h } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { asCurl, documentText, piece, raw, type Answered } from '../api';
import { readDocument, type Document, type Operation, type Parameter } from '../document';
import { Act, Field, Heading, Mark, Part, Search, State, useAsked, useDelayed, useMay, useSearch } from '../kit';
import { number, t } from '../texts';
import { Fields, hasForm, kind, sample } from './bodies';
import { Upload } from './forms';

let read: Promise<Document> | null = null;
function document_(): Promise<Document> {
  read ??= documentText().then(readDocument);
  read.catch(() => (read = null));
  return read;
}

const address = (operation: Operation) => `#/api/${operation.method}${operation.path.split('/').map(encodeURIComponent).join('/')}`;
let last = '';

export function Operations({ chosen }: { chosen: string }) {
  const whole = useAsked(document_, []);
  const search = useSearch(last, (text) => (last = text));
  // Of one whose access names what it is done to, only its own screen can ask.
  const accesses = (whole.answer?.operations ?? []).flatMap(({ access }) => (access && !access.includes('{') ? [access] : []));
  const allowed = useMay([...new Set(accesses)]);
  const [method, ...rest] = chosen.split('/');
  const operation = whole.answer?.operations.find((each) => each.method === method && each.path === `/${rest.join('/')}`);
  if (chosen) {
    return (
      <>
        <p><a href="#/api">{t('All operations')}</a></p>
        <Heading title={chosen.replace('/', ' /')} />
        <State of={whole}>
          {operation && whole.answer ? <One operation={operation} resolve={whole.answer.resolve} /> : <p class="notice bad" role="alert">{t('There is no such operation.')}</p>}
        </State>
      </>
    );
  }
  const words = search.wanted.toLowerCase().split(' ').filter(Boolean);
  const found = (whole.answer?.operations ?? []).filter((each) => {
    const text = `${each.method} ${each.path} ${each.summary} ${each.access ?? ''}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const tags = [...new Set(found.map((each) => each.tags[0] ?? ''))].sort();
  return (
    <>
      <Heading title={t('API')}><span class="quiet" role="status">{whole.answer && number(found.length)}</span></Heading>
      <Search label={t('Search by path, access or summary')} of={search} />
      <State of={whole}>
        {tags.map((tag) => (
          <Part key={tag} title={tag}>
            <ul class="plain">
              {found.filter((each) => (each.tags[0] ?? '') === tag).map((each) => (
                <li key={each.method + each.path}>
                  <a href={address(each)}><code>{each.method} {each.path}</code></a> <span class="quiet">{each.summary}</span>{' '}
                  {each.access && allowed && each.access in allowed && !allowed[each.access] && <Mark>{t('you don’t have it')}</Mark>}
                </li>
              ))}
            </ul>
          </Part>
        ))}
        {found.length === 0 && <p class="quiet">{t('Nothing here.')}</p>}
      </State>
    </>
  );
}

type Resolve = Document['resolve'];

function filled(text: string, values: Record<string, string>, change: (value: string) => string): string {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (values[name] ? change(values[name]) : whole));
}

function One({ operation, resolve }: { operation: Operation; resolve: Resolve }) {
  const body = operation.parameters.find((each) => each.in === 'body');
  const fields = operation.parameters.filter((each) => each.in !== 'body' && each.type !== 'file' && each.name !== 'X-Auth-Token');
  const uploads = operation.parameters.filter((each) => each.type === 'file');
  const [values, setValues] = useState<Record<string, string>>({});
  const [files, setFiles] = useState<Record<string, File | null>>({});
  const [text, setText] = useState(body ? JSON.stringify(sample(body.schema ?? {}, resolve), null, 2) : '');
  const [answer, setAnswer] = useState<Answered | null>(null);
  const access = useDelayed(operation.access ? filled(operation.access, values, (value) => value) : '', 200);
  const allowed = useMay(access ? [access] : []);
  let parsed: unknown;
  let wrong = false;
  try {
    parsed = body ? JSON.parse(text) : undefined;
  } catch {
    wrong = true;
  }
  if (operation.parameters.some((each) => each.in === 'formData')) {
    const form = new FormData();
    for (const each of fields) if (each.in === 'formData' && values[each.name]) form.append(each.name, values[each.name]);
    for (const each of uploads) if (files[each.name]) form.append(each.name, files[each.name] as File);
    parsed = form;
  }
  const path = filled(operation.path, values, piece);
  const given = (place: Parameter['in']) => Object.fromEntries(fields.filter((each) => each.in === place && values[each.name]).map((each) => [each.name, values[each.name]]));
  const asked = { query: given('query'), headers: given('header'), body: parsed };
  const missing = path.includes('{');
  useEffect(() => setAnswer(null), [operation]);
  const must = (each: Parameter) => (each.required as unknown) === true;
  const label = (each: Parameter) => `${each.name}${must(each) ? ' *' : ''}`;
  return (
    <>
      <Part title={t('Description')}>
        <p>{operation.summary}</p>
        <dl>
          <dt>{t('Required access')}</dt>
          <dd>
            {operation.access ? <code>{access}</code> : operation.open ? t('none: open to everybody') : t('any valid token')}{' '}
            {access && allowed && access in allowed && <Mark good={allowed[access]}>{allowed[access] ? t('you have it') : t('you don’t have it')}</Mark>}
          </dd>
        </dl>
      </Part>
      <Part title={t('Request')}>
        <div class="grid">
          {fields.map((each) => (
            <Field key={each.name} name={`value-${each.name}`} label={label(each)} hint={[kind(each, resolve), each.description].filter(Boolean).join(': ')}
              value={values[each.name] ?? ''} onText={(value) => setValues({ ...values, [each.name]: value })} />
          ))}
          {uploads.map((each) => <Upload key={each.name} name={`value-${each.name}`} label={label(each)} take={(file) => setFiles({ ...files, [each.name]: file })} />)}
        </div>
        {body && (
          <>
            {hasForm(body.schema ?? {}, resolve) && (
              <fieldset>
                <legend>{t('Body')}</legend>
                <Fields schema={body.schema ?? {}} value={parsed} resolve={resolve} put={(value) => setText(JSON.stringify(value, null, 2))} />
              </fieldset>
            )}
            <div class="field">
              <label for="body">{t('Body as JSON')}</label>
              <textarea id="body" spellcheck={false} aria-invalid={wrong} value={text} onInput={(event: Event) => setText((event.currentTarget as HTMLTextAreaElement).value)} />
              {wrong && <small role="alert">{t('This isn’t valid JSON.')}</small>}
            </div>
          </>
        )}
        <pre aria-label="curl">{asCurl(operation.method, path, asked)}</pre>
        <div class="buttons">
          <Act main label={t('Send')} disabled={missing || wrong} act={async () => setAnswer(await raw(operation.method, path, asked))}
            ask={operation.method === 'GET' || operation.method === 'HEAD' ? undefined : t('Send {method} {path}? This may change things that can’t be restored.', { method: operation.method, path })} />
        </div>
      </Part>
      {answer && (
        <Part title={t('Response')}>
          <p role="status"><Mark good={answer.status < 400}>{answer.status}</Mark> {t('{ms} ms', { ms: answer.ms })}</p>
          {answer.text && <pre tabIndex={0}>{answer.text}</pre>}
        </Part>
      )}
    </>
  );
}
