// One user on one screen.
import { Fragment, h, type ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import {
  call, piece, publicCall, type AuditEntry, type List, type Lock, type RefreshToken, type Session, type User, type Visitor,
} from '../api';
import { Act, Field, Heading, Mark, Part, State, Table, Time, useAsked, useMay, type Allowed } from '../kit';
import { t } from '../texts';
import { Entries } from './audit';
import { EditUser } from './edituser';
import { Explain } from './explain';
import { nameOf, tenantName, useTenants, Uuid } from './names';
import { Accesses, ExternalServices } from './userhas';

interface Of {
  user: User;
  allowed: Allowed;
}

export function UserScreen({ uuid, visitor }: { uuid: string; visitor: Visitor }) {
  const own = `auth.users.${uuid}`;
  const user = useAsked((signal) => call<User>('GET', `users/${piece(uuid)}`, { signal }), [uuid]);
  const [editing, setEditing] = useState(false);
  const allowed = useMay([
    `${own}.update`, `${own}.delete`, `auth.admin.users.${uuid}.emails.update`, `${own}.external.read`, `${own}.sessions.read`, `${own}.tokens.read`, `${own}.groups.read`, `${own}.policies.read`,
    'auth.locks.read', 'auth.locks.create', 'auth.locks.delete', 'auth.access.explain', 'auth.audit.read', 'auth.users.read',
  ]);
  return (
    <>
      {allowed?.['auth.users.read'] && <p><a href="#/users">{t('All users')}</a></p>}
      <Heading title={user.answer ? nameOf(user.answer) : t('User')} />
      <State of={user}>
        {user.answer && allowed && (
          <>
            <div class="pair">
              <About user={user.answer} allowed={allowed} again={user.again} visitor={visitor} edit={editing ? undefined : () => setEditing(true)} />
              {allowed['auth.locks.read'] && <Locks user={user.answer} allowed={allowed} visitor={visitor} />}
            </div>
            {editing && <EditUser user={user.answer} addresses={allowed[`auth.admin.users.${uuid}.emails.update`]} again={user.again} close={() => setEditing(false)} />}
            {allowed[`${own}.sessions.read`] && <UserSessions user={user.answer} allowed={allowed} visitor={visitor} />}
            {allowed[`${own}.tokens.read`] && <RefreshTokens user={user.answer} allowed={allowed} />}
            {allowed[`${own}.external.read`] && <ExternalServices user={user.answer} allowed={allowed} />}
            <Accesses user={user.answer} allowed={allowed} />
            {allowed['auth.access.explain'] && <Explain user={user.answer} />}
            {allowed['auth.audit.read'] && <Part title={t('What changed lately')}><Entries filter={{ object_uuid: uuid }} size={10} paged /></Part>}
          </>
        )}
      </State>
    </>
  );
}

function About({ user, allowed, again, visitor, edit }: Of & { again(): void; visitor: Visitor; edit?(): void }) {
  const tenants = useTenants();
  // All columns are written, so they are read right before: what others have changed meanwhile stays.
  const enable = async (enabled: boolean) => {
    const { username, firstname, lastname, purpose, authentication_method } = await call<User>('GET', `users/${user.uuid}`);
    await call('PUT', `users/${user.uuid}`, { body: { username, firstname, lastname, purpose, authentication_method, enabled } });
    again();
  };
  const name = user.username ?? user.emails.find((email) => email.confirmed)?.address;
  const row = (title: string, value: ComponentChildren) => <><dt>{title}</dt><dd>{value}</dd></>;
  return (
    <Part title={t('Account')}>
      <dl>
        {row(t('State'), user.enabled ? <Mark good>{t('enabled')}</Mark> : <Mark good={false}>{t('disabled')}</Mark>)}
        {row(t('Username'), user.username ?? '–')}
        {row(t('Name'), [user.firstname, user.lastname].filter(Boolean).join(' ') || '–')}
        {row(t('Addresses'), user.emails.length ? (
          <ul class="plain">
            {user.emails.map((email) => (
              <li key={email.uuid}>
                {email.address} {email.main && <Mark>{t('main')}</Mark>} {!email.confirmed && <Mark good={false}>{t('not confirmed')}</Mark>}
              </li>
            ))}
          </ul>
        ) : '–')}
        {row(t('Logs in by'), user.authentication_method)}
        {row(t('Purpose'), user.purpose)}
        {row(t('Tenant'), tenantName(tenants, user.tenant_uuid))}
        {row('UUID', <code>{user.uuid}</code>)}
      </dl>
      <div class="buttons">
        {edit && allowed[`auth.users.${user.uuid}.update`] && <button type="button" onClick={edit}>{t('Edit')}</button>}
        {allowed[`auth.users.${user.uuid}.update`] && user.uuid !== visitor.uuid && (user.enabled
          ? <Act label={t('Disable')} danger ask={t('Disable this user? All sessions of it end at once, and it can’t log in.')}
              done={t('The user was disabled.')} act={() => enable(false)} />
          : <Act label={t('Enable')} done={t('The user was enabled.')} act={() => enable(true)} />)}
        {name && user.enabled && (
          <Act label={t('Send a mail to reset the password')} done={t('A mail goes to the user, if there is a confirmed address.')}
            act={() => publicCall('GET', 'users/password/reset', { query: user.username ? { username: name } : { email: name } })} />
        )}
        {allowed[`auth.users.${user.uuid}.delete`] && user.uuid !== visitor.uuid && (
          <Act label={t('Delete')} danger ask={t('Delete this user with all sessions and tokens? This can’t be undone.')} done={t('The user was deleted.')} act={async () => {
            await call('DELETE', `users/${user.uuid}`);
            location.hash = '#/users';
          }} />
        )}
      </div>
    </Part>
  );
}

function Locks({ user, allowed, visitor }: Of & { visitor: Visitor }) {
  const [reason, setReason] = useState('');
  const [until, setUntil] = useState('');
  const locks = useAsked((signal) => call<List<Lock>>('GET', 'locks', { query: { kind: 'user', value: user.uuid, recurse: true }, signal }), [user.uuid]);
  const path = `locks/user/${user.uuid}`;
  const lock = async () => {
    await call('PUT', path, { body: { reason: reason || null, ends_at: until ? new Date(until).toISOString() : null } });
    setReason('');
    setUntil('');
    locks.again();
  };
  const unlock = async () => {
    await call('DELETE', path);
    locks.again();
  };
  const held = locks.answer?.items ?? [];
  return (
    <Part title={t('Locks')}>
      <State of={locks}>
        {held.length ? (
          <ul class="plain">
            {held.map((each) => (
              <li key={each.uuid}>
                <Mark good={false}>{t('locked')}</Mark> {each.reason} {each.ends_at && <>{t('until')} <Time at={each.ends_at} /></>}
              </li>
            ))}
          </ul>
        ) : <p class="quiet">{t('Not locked.')}</p>}
        {held.length > 0 && allowed['auth.locks.delete'] && (
          <div class="buttons"><Act label={t('Unlock')} done={t('The lock was removed.')} act={unlock} /></div>
        )}
        {held.length === 0 && allowed['auth.locks.create'] && user.uuid !== visitor.uuid && (
          <div class="form">
            <Field label={t('Reason')} value={reason} onText={setReason} />
            <Field label={t('Until (empty: until it is removed)')} type="datetime-local" value={until} onText={setUntil} />
            <Act label={t('Lock')} danger ask={t('Lock this user? All sessions of it end at once, and it can’t log in until the lock ends.')}
              done={t('The user was locked.')} act={lock} />
          </div>
        )}
      </State>
    </Part>
  );
}

// Where sessions come from is in the audit log, for those who may read it.
function useOrigins(uuid: string, allowed: Allowed): Map<string, AuditEntry> {
  const entries = useAsked(async (signal) => {
    if (!allowed['auth.audit.read']) return [];
    const answer = await call<{ items: AuditEntry[] }>('GET', 'audit', {
      query: { kind: 'session', action: 'login', object_uuid: uuid, limit: 500, recurse: true }, signal,
    });
    return answer.items;
  }, [uuid]);
  return new Map((entries.answer ?? []).map((entry) => [String(entry.object_uuid), entry]));
}

function UserSessions({ user, allowed, visitor }: Of & { visitor: Visitor }) {
  const own = `auth.users.${user.uuid}.sessions`;
  const sessions = useAsked((signal) => call<List<Session>>('GET', `users/${user.uuid}/sessions`, { signal }), [user.uuid]);
  const origins = useOrigins(user.uuid, allowed);
  const rows = sessions.answer?.items ?? [];
  const ending = useMay(rows.map((session) => `${own}.${session.uuid}.delete`));
  const mine = (session: Session) => session.uuid === visitor.session;
  const endable = rows.filter((session) => ending?.[`${own}.${session.uuid}.delete`] && !mine(session));
  const end = async (some: Session[]) => {
    try {
      for (const session of some) await call('DELETE', `users/${user.uuid}/sessions/${session.uuid}`);
    } finally {
      sessions.again();
    }
  };
  return (
    <Part title={t('Sessions')} aside={endable.length > 1 && (
      <Act label={t('End all')} danger ask={t('End all {count} sessions of this user?', { count: String(endable.length) })}
        done={t('The sessions were ended.')} act={() => end(endable)} />
    )}>
      <State of={sessions}>
        <Table label={t('Sessions')} rows={rows} id={(session) => session.uuid} busy={sessions.loading} none="No sessions." columns={[
          { title: 'Session', cell: (session) => <><Uuid of={session.uuid} /> {mine(session) && <Mark good>{t('this one')}</Mark>} {session.mobile && <Mark>{t('mobile')}</Mark>}</> },
          { title: 'Since', narrow: true, cell: (session) => <Time at={origins.get(session.uuid)?.at} /> },
          { title: 'From', narrow: true, cell: (session) => String(origins.get(session.uuid)?.after?.remote_addr ?? origins.get(session.uuid)?.remote_addr ?? '–') },
          { title: 'Client', cell: (session) => String(origins.get(session.uuid)?.after?.user_agent ?? '–') },
          {
            title: 'Actions', narrow: true, cell: (session) => endable.includes(session) && (
              <Act label={t('End')} about={session.uuid} danger ask={t('End this session? Whoever uses it has to log in again.')}
                done={t('The session was ended.')} act={() => end([session])} />
            ),
          },
        ]} />
      </State>
    </Part>
  );
}

function RefreshTokens({ user }: Of) {
  const own = `auth.users.${user.uuid}.tokens`;
  const tokens = useAsked((signal) => call<List<RefreshToken>>('GET', `users/${user.uuid}/tokens`, { signal }), [user.uuid]);
  const rows = tokens.answer?.items ?? [];
  const ending = useMay(rows.map((token) => `${own}.${token.client_id}.delete`));
  const end = async (token: RefreshToken) => {
    await call('DELETE', `users/${user.uuid}/tokens/${piece(token.client_id)}`);
    tokens.again();
  };
  return (
    <Part title={t('Refresh tokens')}>
      <State of={tokens}>
        <Table label={t('Refresh tokens')} rows={rows} id={(token) => token.client_id} busy={tokens.loading} none="No refresh tokens." columns={[
          { title: 'Client', cell: (token) => <>{token.client_id} {token.mobile && <Mark>{t('mobile')}</Mark>}</> },
          { title: 'Since', cell: (token) => <Time at={token.created_at} /> },
          {
            title: 'Actions', narrow: true, cell: (token) => ending?.[`${own}.${token.client_id}.delete`] && (
              <Act label={t('Remove')} about={token.client_id} danger ask={t('Remove this refresh token? Its client has to log in with a password when its session ends.')}
                done={t('The refresh token was removed.')} act={() => end(token)} />
            ),
          },
        ]} />
      </State>
    </Part>
  );
}
