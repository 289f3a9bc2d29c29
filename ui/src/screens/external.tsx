// Google, Microsoft, mobile and services that the configuration declares: what a tenant has registered there.
import { Fragment, h } from 'preact';
import { useState } from 'preact/hooks';
import { call, Failure, may, piece, type List, type Visitor } from '../api';
import { Act, Field, Part, State, tell, useAsked, useMay } from '../kit';
import { t, type Text } from '../texts';
import { Area, DeleteConfiguration, Outdated } from './forms';

type Json = unknown;
type Config = Record<string, Json>;

// What is known of a service's fields; a declared service may have any.
interface Known {
  hint: Text;
  long?: boolean;
}
const client: Record<string, Known> = {
  client_id: { hint: 'The client ID that the service gave to this application.' },
  client_secret: { hint: 'The secret that belongs to it.' },
};
const known: Record<string, Record<string, Known>> = {
  google: client,
  microsoft: client,
  mobile: {
    fcm_sender_id: { hint: 'The project number at Firebase; phones ask for it.' },
    fcm_service_account_info: { hint: 'The JSON file of the service account at Firebase.', long: true },
    ios_apn_certificate: { hint: 'Certificate for Apple’s push service, as PEM.', long: true },
    ios_apn_private: { hint: 'Its private key, as PEM.', long: true },
  },
};
const titles: Record<string, string> = { google: 'Google', microsoft: 'Microsoft' };
// Such fields are written and never shown.
const SECRET = /secret|password|private|api_key|token|service_account/;

const accessOf = (type: string, what: string) => `auth.${type.replace(/\./g, '_')}.external.config.${what}`;

export function External({ tenant, visitor }: { tenant: string; visitor: Visitor }) {
  const types = useAsked(async (signal) => {
    const access = `auth.users.${visitor.uuid}.external.read`;
    if (!(await may([access]))[access]) return Object.keys(known);
    return (await call<List<{ type: string }>>('GET', `users/${visitor.uuid}/external`, { signal })).items.map((each) => each.type);
  }, [visitor.uuid]);
  const allowed = useMay((types.answer ?? []).map((type) => accessOf(type, 'read')));
  return (
    <State of={types}>
      {allowed && types.answer?.filter((type) => allowed[accessOf(type, 'read')]).map((type) => <Service key={type} type={type} tenant={tenant} />)}
    </State>
  );
}

async function current(type: string, tenant: string, signal?: AbortSignal): Promise<Json | null> {
  try {
    return await call<Json>('GET', `external/${piece(type)}/config`, { tenant, signal });
  } catch (failure) {
    if (failure instanceof Failure && failure.status === 404) return null;
    throw failure;
  }
}

function Service({ type, tenant }: { type: string; tenant: string }) {
  const config = useAsked(async (signal) => ({ saved: await current(type, tenant, signal) }), [type, tenant]);
  const access = `auth.${type.replace(/\./g, '_')}.external.users.read`;
  const users = useAsked(async (signal) => ((await may([access]))[access]
    ? (await call<List<unknown>>('GET', `external/${piece(type)}/users`, { tenant, query: { limit: 1 }, signal })).filtered
    : null), [type, tenant]);
  return (
    <Part title={titles[type] ?? type} aside={typeof users.answer === 'number' && <span class="quiet">{t('{count|# user is|# users are} connected', { count: users.answer })}</span>}>
      <State of={config}>
        {config.answer && (config.answer.saved === null || (typeof config.answer.saved === 'object' && !Array.isArray(config.answer.saved))
          ? <Form key={JSON.stringify(config.answer)} type={type} tenant={tenant} saved={config.answer.saved as Config | null} again={config.again} />
          : <p class="notice">{t('This page can’t show its configuration. Use the API.')}</p>)}
      </State>
    </Part>
  );
}

const asText = (value: Json) => (typeof value === 'string' ? value : JSON.stringify(value, null, 2));
// What was no text before stays what it was.
function asJson(text: string, before: Json): Json {
  if (before === undefined || typeof before === 'string') return text;
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure(400, t('This isn’t valid JSON.'));
  }
}

function Form({ type, tenant, saved, again }: { type: string; tenant: string; saved: Config | null; again(): void }) {
  const fields = [...new Set([...Object.keys(known[type] ?? {}), ...Object.keys(saved ?? {})])];
  const begin = Object.fromEntries(fields.map((name) => [name, SECRET.test(name) || saved?.[name] === undefined ? '' : asText(saved[name])]));
  const [values, setValues] = useState<Record<string, string>>(begin);
  const [added, setAdded] = useState('');
  const [outdated, setOutdated] = useState(false);
  const allowed = useMay(['create', 'update', 'delete'].map((what) => accessOf(type, what)));
  const path = `external/${piece(type)}/config`;
  const names = Object.keys(values);
  const changed = JSON.stringify(values) !== JSON.stringify(begin);
  const save = async () => {
    if (JSON.stringify(await current(type, tenant)) !== JSON.stringify(saved)) return setOutdated(true);
    const body: Config = {};
    for (const name of names) {
      const before = saved?.[name];
      if (values[name]) body[name] = asJson(values[name], before);
      else if (SECRET.test(name) && before !== undefined) body[name] = before;
    }
    await call(saved ? 'PUT' : 'POST', path, { tenant, body });
    tell(t('The configuration was saved.'));
    again();
  };
  return (
    <>
      {!saved && <p class="quiet">{t('This tenant isn’t registered with this service.')}</p>}
      <div class="grid">
        {names.map((name) => {
          const about = known[type]?.[name];
          const secret = SECRET.test(name);
          const hint = [about ? t(about.hint) : '', secret ? t('Never shown.') : '', secret && saved?.[name] !== undefined ? t('Empty: the saved value stays.') : ''].filter(Boolean).join(' ');
          const long = about?.long || (!secret && (values[name] ?? '').includes('\n'));
          const props = { name: `${type}-${name}`, label: name, value: values[name], hint, onText: (text: string) => setValues({ ...values, [name]: text }) };
          return long ? <Area key={name} {...props} rows={3} /> : <Field key={name} {...props} type={secret ? 'password' : 'text'} autocomplete={secret ? 'new-password' : 'off'} />;
        })}
      </div>
      {!known[type] && (
        <div class="form">
          <Field name={`${type}-new`} label={t('Another field')} value={added} onText={setAdded} />
          <button type="button" disabled={!added || added in values} onClick={() => {
            setValues({ ...values, [added]: '' });
            setAdded('');
          }}>{t('Add')}</button>
        </div>
      )}
      {outdated && <Outdated again={again} />}
      <div class="buttons">
        {allowed?.[accessOf(type, saved ? 'update' : 'create')] && <Act label={t('Save')} about={titles[type] ?? type} main disabled={!changed} act={save} />}
        {saved && allowed?.[accessOf(type, 'delete')] && (
          <DeleteConfiguration path={path} tenant={tenant} about={titles[type] ?? type} again={again}
            ask={t('Delete this configuration? The users’ connections stay, but can’t be renewed. This can’t be undone.')} />
        )}
      </div>
    </>
  );
}
