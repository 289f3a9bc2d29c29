// A tenant's directory: its configuration, and a login tried step by step.
import { Fragment, h } from 'preact';
import { useState } from 'preact/hooks';
import { call, type Tried } from '../api';
import { Act, Choice, Field, Part, State, tell, useAsked, useMay, type Allowed } from '../kit';
import { t } from '../texts';
import { DeleteConfiguration, Outdated, useForm } from './forms';
import { Steps } from './tries';

interface Saved {
  tenant_uuid: string | null;
  host: string | null;
  port: number | null;
  protocol_version: number | null;
  protocol_security: string | null;
  bind_dn: string | null;
  user_base_dn: string | null;
  user_login_attribute: string | null;
  user_email_attribute: string | null;
  search_filters: string | null;
}

const PATH = 'backends/ldap';
const OWN = 'auth.backends.ldap';

export function Ldap({ tenant }: { tenant: string }) {
  const saved = useAsked((signal) => call<Saved>('GET', PATH, { tenant, signal }), [tenant]);
  const allowed = useMay([`${OWN}.update`, `${OWN}.delete`, `${OWN}.try`]);
  return (
    <State of={saved}>
      {saved.answer && allowed && <Form key={JSON.stringify(saved.answer)} tenant={tenant} saved={saved.answer} allowed={allowed} again={saved.again} />}
    </State>
  );
}

function begin(saved: Saved) {
  return {
    host: saved.host ?? '',
    port: String(saved.port ?? '636'),
    version: String(saved.protocol_version ?? 3),
    security: saved.tenant_uuid ? saved.protocol_security ?? '' : 'ldaps',
    bindDn: saved.bind_dn ?? '',
    bindPassword: '',
    base: saved.user_base_dn ?? '',
    login: saved.user_login_attribute ?? 'uid',
    email: saved.user_email_attribute ?? 'mail',
    filters: saved.search_filters ?? '',
  };
}

// A password that isn't given is the saved one, and without a service account there is none.
function body(form: ReturnType<typeof begin>) {
  return {
    host: form.host.trim(),
    port: Number(form.port),
    protocol_version: Number(form.version),
    protocol_security: form.security || null,
    bind_dn: form.bindDn || null,
    ...(!form.bindDn ? { bind_password: null } : form.bindPassword ? { bind_password: form.bindPassword } : {}),
    user_base_dn: form.base,
    user_login_attribute: form.login,
    user_email_attribute: form.email,
    search_filters: form.filters || null,
  };
}

function Form({ tenant, saved, allowed, again }: { tenant: string; saved: Saved; allowed: Allowed; again(): void }) {
  const { form, set, changed } = useForm(begin(saved));
  const [outdated, setOutdated] = useState(false);
  const exists = saved.tenant_uuid !== null;
  const save = async () => {
    const now = await call<Saved>('GET', PATH, { tenant });
    if (JSON.stringify(now) !== JSON.stringify(saved)) return setOutdated(true);
    await call('PUT', PATH, { tenant, body: body(form) });
    tell(t('The configuration was saved.'));
    again();
  };
  return (
    <>
      <Part title={t('Directory')}>
        {!exists && <p class="notice">{t('This tenant has no directory yet.')}</p>}
        <div class="grid">
          <Field name="host" label={t('Server')} value={form.host} onText={(host) => set({ host })} required
            hint={t('Name or IP address, without ldap:// or port.')} />
          <Field name="port" label={t('Port')} value={form.port} onText={(port) => set({ port })} required
            hint={t('Usually 636 with LDAPS, otherwise 389.')} />
          <Choice name="security" label={t('Encryption')} value={form.security} choose={(security) => set({ security })}
            among={[['ldaps', 'LDAPS'], ['tls', 'StartTLS'], ['', t('none: passwords are sent in the clear')]]}
            hint={t('The certificate must be valid for the server’s name and issued by an authority that is trusted here.')} />
          <Choice name="version" label={t('Protocol version')} value={form.version} choose={(version) => set({ version })} among={[['3', '3'], ['2', '2']]}
            hint={t('3, unless the directory is very old. StartTLS needs 3.')} />
          <Field name="bind_dn" label={t('Service account (DN)')} value={form.bindDn} onText={(bindDn) => set({ bindDn })}
            hint={t('The account that searches for users. Empty: the user’s DN is built from the attribute, the login and the base.')} />
          <Field name="bind_password" type="password" label={t('Password of the service account')} value={form.bindPassword} onText={(bindPassword) => set({ bindPassword })}
            autocomplete="new-password" hint={t('Never shown. Empty: the saved one stays, unless server, port or encryption change.')} />
          <Field name="base" label={t('Base of the users (DN)')} value={form.base} onText={(base) => set({ base })} required
            hint={t('All users are at or below it in the directory.')} />
          <Field name="filters" label={t('Search filter')} value={form.filters} onText={(filters) => set({ filters })}
            hint={t('Empty: the attribute equals the login. May contain {username}, {user_login_attribute} and {user_email_attribute}.')} />
          <Field name="login" label={t('Login attribute')} value={form.login} onText={(login) => set({ login })} required
            hint={t('Compared with what users type: uid, or sAMAccountName in Active Directory.')} />
          <Field name="email" label={t('Email attribute')} value={form.email} onText={(email) => set({ email })} required
            hint={t('Its value tells which user it is: the one with this email address or username whose login method is LDAP.')} />
        </div>
        {outdated && <Outdated again={again} />}
        <div class="buttons">
          {allowed[`${OWN}.update`] && <Act label={t('Save')} main disabled={!changed} act={save} />}
          {exists && allowed[`${OWN}.delete`] && (
            <DeleteConfiguration path={PATH} tenant={tenant} ask={t('Delete this configuration? Whoever logs in with it no longer can. This can’t be undone.')} again={again} />
          )}
        </div>
      </Part>
      {allowed[`${OWN}.try`] && <Try tenant={tenant} config={changed || !exists ? body(form) : undefined} />}
    </>
  );
}

function Try({ tenant, config }: { tenant: string; config?: object }) {
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [tried, setTried] = useState<Tried | null>(null);
  const attempt = async () => {
    setTried(null);
    const as = username ? { username, ...(password ? { password } : {}) } : {};
    setTried(await call<Tried>('POST', `${PATH}/try`, { tenant, body: { ...as, ...(config ? { config } : {}) } }));
  };
  return (
    <Part title={t('Try it')}>
      <p class="quiet">{config ? t('This tries what is entered above and saves nothing.') : t('This tries what is saved and changes nothing.')}</p>
      <div class="grid">
        <Field name="try_username" label={t('Login of a user')} value={username} onText={setUsername} hint={t('Empty: only the base is searched for.')} />
        <Field name="try_password" type="password" label={t('Password of the user')} value={password} onText={setPassword} autocomplete="new-password"
          hint={t('Empty: the user is searched for but doesn’t log in. It is only sent to the directory.')} />
      </div>
      <div class="buttons"><Act label={t('Try it')} act={attempt} /></div>
      <Steps tried={tried} />
    </Part>
  );
}
