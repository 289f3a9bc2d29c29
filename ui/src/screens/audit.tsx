// The audit log: who changed what, from where, and what was there before.
import { Fragment, h } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { call, type AuditEntry } from '../api';
import { Choice, Field, Heading, State, Table, Time, useAsked, useDelayed, type Column } from '../kit';
import { t } from '../texts';
import { Uuid, UserName } from './names';

export interface AuditFilter {
  kind?: string;
  action?: string;
  object_uuid?: string;
  actor_uuid?: string;
  from?: string;
  to?: string;
}

const kinds = [
  'user', 'email', 'group', 'policy', 'tenant', 'domain', 'address', 'group_user', 'group_policy', 'user_policy',
  'policy_access', 'ldap_config', 'saml_config', 'external_type', 'external_config', 'user_external', 'refresh_token',
  'session', 'lock', 'login',
];
const actions = ['created', 'updated', 'deleted', 'login', 'logout', 'login_failed', 'truncated'];

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function Changes({ entry }: { entry: AuditEntry }) {
  const names = [...new Set([...Object.keys(entry.before ?? {}), ...Object.keys(entry.after ?? {})])];
  if (!names.length) return null;
  return (
    <details>
      <summary>{t('Details')}</summary>
      <ul>
        {names.map((name) => (
          <li key={name}>
            {name}: {entry.before && name in entry.before && <del>{shown(entry.before[name])}</del>}{' '}
            {entry.after && name in entry.after && <ins>{shown(entry.after[name])}</ins>}
          </li>
        ))}
      </ul>
    </details>
  );
}

function Whom({ entry }: { entry: AuditEntry }) {
  const user = entry.kind === 'user' || entry.kind === 'login' || entry.kind === 'user_policy' ? entry.object_uuid : null;
  return (
    <>
      {user ? <a href={`#/users/${user}`}>{label(entry) ?? <Uuid of={user} />}</a> : label(entry) ?? <Uuid of={entry.object_uuid} />}
      <Changes entry={entry} />
    </>
  );
}

// What people call the thing, if the entry has it.
function label(entry: AuditEntry): string | null {
  for (const row of [entry.after, entry.before]) {
    for (const name of ['username', 'address', 'name', 'login', 'value', 'client_id']) {
      if (row && typeof row[name] === 'string') return row[name] as string;
    }
  }
  return null;
}

const columns: Column<AuditEntry>[] = [
  { title: 'When', narrow: true, cell: (entry) => <Time at={entry.at} /> },
  { title: 'What', cell: (entry) => `${entry.kind} · ${entry.action}` },
  { title: 'Object', cell: (entry) => <Whom entry={entry} /> },
  { title: 'By', cell: (entry) => (entry.actor_uuid ? <UserName uuid={entry.actor_uuid} /> : '–') },
  { title: 'IP address', narrow: true, cell: (entry) => entry.remote_addr ?? '–' },
];

interface Answer {
  items: AuditEntry[];
  next: string | null;
}

export function Entries({ filter, size, paged }: { filter: AuditFilter; size: number; paged: boolean }) {
  const [cursors, setCursors] = useState<string[]>([]);
  const key = JSON.stringify(filter);
  useEffect(() => setCursors([]), [key]);
  const cursor = cursors[cursors.length - 1];
  const entries = useAsked(
    (signal) => call<Answer>('GET', 'audit', { query: { ...filter, limit: size, cursor, recurse: true }, signal }),
    [key, cursor],
  );
  const next = entries.answer?.next;
  return (
    <State of={entries}>
      <Table label={t('Audit log')} columns={columns} rows={entries.answer?.items ?? []} id={(entry) => entry.id} busy={entries.loading} none="No entries." />
      {paged && (next || cursors.length > 0) && (
        <nav class="pages" aria-label={t('Pages')}>
          <button type="button" disabled={!cursors.length} onClick={() => setCursors(cursors.slice(0, -1))}>{t('Later')}</button>
          <button type="button" disabled={!next} onClick={() => next && setCursors([...cursors, next])}>{t('Earlier')}</button>
        </nav>
      )}
    </State>
  );
}

// What a visitor types is of the visitor's zone.
function instant(local: string): string | undefined {
  const date = new Date(local);
  return local && !isNaN(date.getTime()) ? date.toISOString() : undefined;
}

export function Audit() {
  const [kind, setKind] = useState('');
  const [action, setAction] = useState('');
  const [uuid, setUuid] = useState('');
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const all: [string, string] = ['', t('all')];
  const object = useDelayed(uuid.trim(), 300);
  return (
    <>
      <Heading title={t('Audit log')} />
      <form class="form" role="search" onSubmit={(event: Event) => event.preventDefault()}>
        <Choice label={t('Kind')} value={kind} choose={setKind} among={[all, ...kinds.map((each): [string, string] => [each, each])]} />
        <Choice label={t('Action')} value={action} choose={setAction} among={[all, ...actions.map((each): [string, string] => [each, each])]} />
        <Field name="object" label={t('UUID of the object')} value={uuid} onText={setUuid} />
        <Field label={t('Since')} type="datetime-local" value={from} onText={setFrom} />
        <Field label={t('Until')} type="datetime-local" value={to} onText={setTo} />
      </form>
      <Entries size={50} paged filter={{
        kind: kind || undefined, action: action || undefined, object_uuid: object || undefined, from: instant(from), to: instant(to),
      }} />
    </>
  );
}
