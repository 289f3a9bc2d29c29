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
        <p class="notice">{t('The server’s configuration has these values (smtp: of its YAML). What is changed here is tried only: to keep it, write it there and reload nginx.')}</p>
        <div class="grid">
          <Field name="hostname" label={t('Server')} value={form.hostname} onText={(hostname) => set({ hostname })} required hint={t('Name or address of the server that takes all mails.')} />
          <Field name="port" label={t('Port')} value={form.port} onText={(port) => set({ port })} required hint={t('Usually 25; 587 with StartTLS and a login; 465 with TLS.')} />
          <Choice name="tls" label={t('Encryption')} value={form.tls} choose={(tls) => set({ tls })}
            among={[['none', t('none')], ['starttls', 'StartTLS'], ['tls', 'TLS']]} hint={t('StartTLS: required, never in the clear instead.')} />
          <Field name="ehlo" label={t('Own name (EHLO)')} value={form.ehlo} onText={(ehlo) => set({ ehlo })} hint={t('Empty: the machine’s full name.')} />
          <Field name="username_" label={t('Username')} value={form.username} onText={(username) => set({ username })} hint={t('Empty: no login.')} />
          <Field name="password_" type="password" label={t('Password')} value={form.password} onText={(password) => set({ password })} autocomplete="new-password"
            hint={t('Never shown. Empty: the configured one, as long as server, port, encryption and username are the configured ones.')} />
        </div>
      </Part>
      <Part title={t('Try it')}>
        <p class="quiet">{changed ? t('It tries what stands above, and saves nothing.') : t('It tries what is configured, and changes nothing.')}</p>
        <div class="grid">
          <Field name="sender" label={t('Sender')} value={sender} onText={setSender} hint={t('Empty: the one of mails that reset a password.')} />
          <Field name="recipient" label={t('Recipient')} value={recipient} onText={setRecipient} hint={t('Empty: no recipient is named, and nothing is sent.')} />
        </div>
        <Tick name="send" label={t('Send a mail to this recipient')} value={send} change={setSend} />
        <div class="buttons"><Act label={t('Try it')} disabled={send && !recipient} act={attempt} /></div>
        <Steps tried={tried} />
      </Part>
    </>
  );
}
