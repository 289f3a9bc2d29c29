// What a try came to, step by step, with the certificates that it saw.
import { Fragment, h, type ComponentChildren } from 'preact';
import type { Step, Tried } from '../api';
import { endsSoon, Expiry, Mark, Table, Time } from '../kit';
import { t, type Text } from '../texts';

const names: Record<string, Text> = {
  look_up: 'Name lookup',
  connect: 'Connection',
  tls: 'TLS',
  bind: 'Service account login',
  search: 'Search',
  bind_user: 'User login',
  email: 'Email address of the user',
  match: 'Matching user',
  metadata: 'Metadata',
  certificates: 'Certificates',
  key: 'Our key',
  request: 'Request',
  last_response: 'Last response',
  greeting: 'Greeting',
  ehlo: 'EHLO',
  auth: 'Login',
  sender: 'Sender',
  recipient: 'Recipient',
  data: 'DATA',
  message: 'Email',
};
const outcomes: Record<Step['outcome'], Text> = { ok: 'OK', warning: 'warning', failed: 'failed' };

interface Certificate {
  subject: string;
  issuer: string;
  names: string[];
  not_before: string;
  not_after: string;
  expired: boolean;
  key: string;
  sha256: string;
}

function Certificates({ list }: { list: Certificate[] }) {
  return (
    <Table label={t('Certificates')} rows={list} id={(each) => each.sha256} columns={[
      { title: 'Subject', cell: (each) => each.subject || '–' },
      { title: 'Names', cell: (each) => each.names.join(', ') || '–' },
      { title: 'Issuer', cell: (each) => each.issuer },
      { title: 'Since', cell: (each) => <Time at={each.not_before} /> },
      { title: 'Until', cell: (each) => <><Time at={each.not_after} /> {endsSoon(each.not_after) && <Expiry at={each.not_after} />}</> },
      { title: 'Key', cell: (each) => each.key },
      { title: 'SHA-256', cell: (each) => <details><summary>{each.sha256.slice(0, 8)}…</summary><small>{each.sha256}</small></details> },
    ]} />
  );
}

const isCertificate = (value: unknown): value is Certificate => typeof value === 'object' && value !== null && 'not_after' in value;

function shown(name: string, value: unknown): ComponentChildren {
  if (value === null || value === undefined || value === '') return '–';
  if (name.endsWith('_at') || name === 'valid_until') return <Time at={String(value)} />;
  if (name === 'user_uuid') return <a href={`#/users/${String(value)}`}>{String(value)}</a>;
  if (name === 'xml') return <details><summary>XML</summary><pre tabIndex={0} aria-label="XML">{String(value)}</pre></details>;
  if (name === 'location') return <details><summary>{String(value).split('?')[0]}</summary><small>{String(value)}</small></details>;
  return Array.isArray(value) ? value.map(String).join(', ') || '–' : typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function Details({ step }: { step: Step }) {
  const all = Object.entries(step.details);
  const texts = all.filter(([, value]) => !isCertificate(value) && !(Array.isArray(value) && value.some(isCertificate)));
  const certificates = all.flatMap(([, value]) => (Array.isArray(value) ? value : [value])).filter(isCertificate);
  return (
    <>
      {texts.length > 0 && <dl class="small">{texts.map(([name, value]) => <><dt>{name}</dt><dd>{shown(name, value)}</dd></>)}</dl>}
      {certificates.length > 0 && <Certificates list={certificates} />}
    </>
  );
}

// Said aloud when it is there: how it went, and no more.
export function Steps({ tried }: { tried: Tried | null }) {
  const last = tried?.steps[tried.steps.length - 1];
  return (
    <>
      <p role="status">
        {tried && last && (tried.success
          ? t('All steps went well, in {ms} ms.', { ms: Math.round(tried.duration_ms) })
          : t('Failed at this step: {name}.', { name: last.name in names ? t(names[last.name]) : last.name }))}
      </p>
      {tried && (
        <ol class="steps">
          {tried.steps.map((step) => (
            <li key={step.name} data-step={step.name} data-outcome={step.outcome}>
              <div class="step">
                <h3>{step.name in names ? t(names[step.name]) : step.name}</h3>
                <Mark good={step.outcome === 'ok'}>{t(outcomes[step.outcome])}</Mark>
                <span class="quiet">{t('{ms} ms', { ms: Math.round(step.duration_ms * 10) / 10 })}</span>
              </div>
              {step.reason && <p class="reason">{step.reason}</p>}
              <Details step={step} />
            </li>
          ))}
        </ol>
      )}
    </>
  );
}
