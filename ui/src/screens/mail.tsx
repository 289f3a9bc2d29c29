// The mail server, as the server's configuration has it, and others tried in its place.
import { Fragment, h } from 'preact';
import { useState } from 'preact/hooks';
import { call, type Tried } from '../api';
import { Act, Choice, Field, Part, State } from '../kit';
import { t } from '../texts';
import { Tick, useForm, useIfAllowed } from './forms';
import { Steps } from './tries';

interface Smtp {
  hostname?: string;
  port?: number;
  tls?: string | null;
  username?: string | null;
  ehlo?: string | null;
}

const PATH = 'config/smtp/try';

export function Mail() {
  const config = useIfAllowed('auth.config.read', (signal) => call<{ smtp?: Smtp }>('GET', 'config', { signal }), []);
  return <State of={config}><Form smtp={config.answer?.smtp ?? {}} /></State>;
}

function Form({ smtp }: { smtp: Smtp }) {
  const { form, set, changed } = useForm({
    hostname: smtp.hostname ?? '',
    port: String(smtp.port ?? 25),
    tls: smtp.tls ?? 'none',
    username: smtp.username ?? '',
    password: '',
    ehlo: smtp.ehlo ?? '',
  });
  const [sender, setSender] = useState('');
  const [recipient, setRecipient] = useState('');
  const [send, setSend] = useState(false);
  const [tried, setTried] = useState<Tried | null>(null);
  const config = {
    hostname: form.hostname.trim(),
    port: Number(form.port),
    tls: form.tls,
    ...(form.username ? { username: form.username } : {}),
    ...(form.password ? { password: form.password } : {}),
    ...(form.ehlo ? { ehlo: form.ehlo } : {}),
  };
  const attempt = async () => {
    setTried(null);
    setTried(await call<Tried>('POST', PATH, {
      body: { ...(changed ? { config } : {}), ...(sender ? { sender } : {}), ...(recipient ? { recipient, send } : {}) },
    }));
  };
  return (
    <>
      <Part title={t('Mail server')}>
        <p class="notice">{t('These values come from the server’s configuration (smtp: in its YAML). Changes made here are only tried: to keep them, write them there and reload nginx.')}</p>
        <div class="grid">
          <Field name="hostname" label={t('Server')} value={form.hostname} onText={(hostname) => set({ hostname })} required hint={t('Name or IP address of the server that takes all emails.')} />
          <Field name="port" label={t('Port')} value={form.port} onText={(port) => set({ port })} required hint={t('Usually 25; 587 with StartTLS and a login; 465 with TLS.')} />
          <Choice name="tls" label={t('Encryption')} value={form.tls} choose={(tls) => set({ tls })}
            among={[['none', t('none')], ['starttls', 'StartTLS'], ['tls', 'TLS']]} hint={t('With StartTLS, nothing is ever sent in the clear.')} />
          <Field name="ehlo" label={t('Hostname (EHLO)')} value={form.ehlo} onText={(ehlo) => set({ ehlo })} hint={t('Empty: the machine’s full name.')} />
          <Field name="username_" label={t('Username')} value={form.username} onText={(username) => set({ username })} hint={t('Empty: no login.')} />
          <Field name="password_" type="password" label={t('Password')} value={form.password} onText={(password) => set({ password })} autocomplete="new-password"
            hint={t('Never shown. Empty: the configured one, unless server, port, encryption or username change.')} />
        </div>
      </Part>
      <Part title={t('Try it')}>
        <p class="quiet">{changed ? t('This tries what is entered above and saves nothing.') : t('This tries the configured server and changes nothing.')}</p>
        <div class="grid">
          <Field name="sender" label={t('Sender')} value={sender} onText={setSender} hint={t('Empty: the sender of password reset emails.')} />
          <Field name="recipient" label={t('Recipient')} value={recipient} onText={setRecipient} hint={t('Empty: no recipient is named and nothing is sent.')} />
        </div>
        <Tick name="send" label={t('Send an email to this recipient')} value={send} change={setSend} />
        <div class="buttons"><Act label={t('Try it')} disabled={send && !recipient} act={attempt} /></div>
        <Steps tried={tried} />
      </Part>
    </>
  );
}
