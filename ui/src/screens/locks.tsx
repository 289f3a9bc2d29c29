// Who and what is locked, in the visitor's tenant and below; a lock more, and the end of one.
import { Fragment, h } from 'preact';
import { useState } from 'preact/hooks';
import { call, Failure, piece, type List, type Lock, type User, type Visitor } from '../api';
import { Act, Choice, Field, Heading, Pages, Part, Search, State, Table, tell, Time, useAsked, useMay, useSearch } from '../kit';
import { t, type Text } from '../texts';
import { useTenant } from './forms';
import { tenantName, UserName, useTenants } from './names';

const SIZE = 25;
const kinds: Record<string, { name: Text; value: Text; hint: Text }> = {
  user: { name: 'User', value: 'Username or UUID', hint: 'All sessions of this user end at once, and they can’t log in.' },
  tenant: { name: 'Tenant', value: 'UUID of the tenant', hint: 'All users of this tenant and of those below it.' },
  client: { name: 'Client', value: 'Client ID', hint: 'Refresh tokens of this client ID, and logins that name it.' },
  session: { name: 'Session', value: 'UUID of the session', hint: 'This session, and all that its refresh token opens.' },
  address: { name: 'IP address', value: 'IP address or prefix', hint: 'All requests from there, such as 198.51.100.7 or 198.51.100.0/24. Below the master tenant: those of the tenant’s users.' },
};
const pathOf = (kind: string, value: string) => `locks/${kind}/${piece(value)}`;

export function Locks({ visitor }: { visitor: Visitor }) {
  const search = useSearch();
  const [kind, setKind] = useState('');
  const tenants = useTenants();
  const allowed = useMay(['auth.locks.create', 'auth.locks.delete']);
  const locks = useAsked((signal) => call<List<Lock>>('GET', 'locks', {
    query: { kind, search: search.wanted, recurse: true, limit: SIZE, offset: search.from }, signal,
  }), [kind, search.wanted, search.from]);
  return (
    <>
      <Heading title={t('Locks')}><button type="button" onClick={locks.again}>{t('Refresh')}</button></Heading>
      <Search label={t('Search by value or reason')} of={search}>
        <Choice name="kind" label={t('Kind')} value={kind} among={[['', t('all')], ...Object.entries(kinds).map(([each, { name }]): [string, string] => [each, t(name)])]} choose={(chosen) => {
          search.go(0);
          setKind(chosen);
        }} />
      </Search>
      <State of={locks}>
        <Table label={t('Locks')} rows={locks.answer?.items ?? []} id={(lock) => lock.uuid} busy={locks.loading} none="Nothing is locked." columns={[
          { title: 'Kind', narrow: true, cell: (lock) => (lock.kind in kinds ? t(kinds[lock.kind].name) : lock.kind) },
          {
            title: 'What',
            cell: (lock) => (lock.kind === 'user' ? <UserName uuid={lock.value} />
              : lock.kind === 'tenant' ? <a href={`#/tenants/${lock.value}`}>{tenantName(tenants, lock.value)}</a> : <code>{lock.value}</code>),
          },
          { title: 'Reason', cell: (lock) => lock.reason || '–' },
          { title: 'Tenant', cell: (lock) => tenantName(tenants, lock.tenant_uuid) },
          { title: 'Since', cell: (lock) => <Time at={lock.created_at} /> },
          { title: 'Until', cell: (lock) => (lock.ends_at ? <Time at={lock.ends_at} /> : t('until removed')) },
          {
            title: 'Actions', narrow: true, cell: (lock) => allowed?.['auth.locks.delete'] && (
              <Act label={t('Unlock')} about={lock.value} danger ask={t('Remove this lock? Those it kept out can log in again.')} done={t('The lock was removed.')} act={async () => {
                await call('DELETE', pathOf(lock.kind, lock.value), { tenant: lock.tenant_uuid });
                locks.again();
              }} />
            ),
          },
        ]} />
        <Pages from={search.from} size={SIZE} total={locks.answer?.filtered ?? 0} go={search.go} />
      </State>
      {allowed?.['auth.locks.create'] && <Create visitor={visitor} again={locks.again} />}
    </>
  );
}

async function uuidOf(text: string, tenant: string): Promise<string> {
  if (/^[0-9a-f-]{36}$/i.test(text)) return text;
  const found = await call<List<User>>('GET', 'users', { query: { username: text, recurse: true, limit: 2 }, tenant });
  if (found.items.length !== 1) throw new Failure(400, t('No users found.'));
  return found.items[0].uuid;
}

function Create({ visitor, again }: { visitor: Visitor; again(): void }) {
  const [kind, setKind] = useState('user');
  const [value, setValue] = useState('');
  const [reason, setReason] = useState('');
  const [until, setUntil] = useState('');
  const { tenant, choice } = useTenant(visitor);
  const lock = async () => {
    const text = value.trim();
    await call('PUT', pathOf(kind, kind === 'user' ? await uuidOf(text, tenant) : text), {
      tenant, body: { reason: reason || null, ends_at: until ? new Date(until).toISOString() : null },
    });
    tell(t('The lock was created.'));
    setValue('');
    setReason('');
    again();
  };
  return (
    <Part title={t('Lock')}>
      <div class="grid">
        <Choice name="new_kind" label={t('What')} value={kind} choose={setKind} among={Object.entries(kinds).map(([each, { name }]): [string, string] => [each, t(name)])} />
        <Field name="value" label={t(kinds[kind].value)} value={value} onText={setValue} hint={t(kinds[kind].hint)} required />
        <Field name="reason" label={t('Reason')} value={reason} onText={setReason} hint={t('For whoever looks here later. Those who are locked don’t see it.')} />
        <Field name="until" type="datetime-local" label={t('Until')} hint={t('Empty: until removed.')} value={until} onText={setUntil} />
        {choice}
      </div>
      <div class="buttons">
        <Act label={t('Lock')} danger disabled={!value.trim()} ask={t('Lock {value}? Sessions that it affects end at once and don’t come back with the end of the lock: people have to log in again.', { value })} act={lock} />
      </div>
    </Part>
  );
}
