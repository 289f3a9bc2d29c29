// One user on one screen.
import { Fragment, h, type ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import {
  call, piece, publicCall, type List, type Lock, type RefreshToken, type Session, type User, type Visitor,
} from '../api';
import { Act, Field, Heading, Mark, Part, State, Table, Time, useAsked, useMay, type Allowed } from '../kit';
import { t } from '../texts';
import { Entries } from './audit';
import { EditUser } from './edituser';
import { Explain } from './explain';
import { nameOf, tenantName, useTenants } from './names';
import { SessionTable } from './sessions';
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
            {allowed[`${own}.sessions.read`] && <UserSessions user={user.answer} visitor={visitor} />}
            {allowed[`${own}.tokens.read`] && <RefreshTokens user={user.answer} allowed={allowed} />}
            {allowed[`${own}.external.read`] && <ExternalServices user={user.answer} allowed={allowed} />}
            <Accesses user={user.answer} allowed={allowed} />
            {allowed['auth.access.explain'] && <Explain user={user.answer} />}
            {allowed['auth.audit.read'] && <Part title={t('Recent changes')}><Entries filter={{ object_uuid: uuid }} size={10} paged /></Part>}
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
        {row(t('Email addresses'), user.emails.length ? (
          <ul class="plain">
            {user.emails.map((email) => (
              <li key={email.uuid}>
                {email.address} {email.main && <Mark>{t('main')}</Mark>} {!email.confirmed && <Mark good={false}>{t('not confirmed')}</Mark>}
              </li>
            ))}
          </ul>
        ) : '–')}
        {row(t('Login method'), user.authentication_method)}
        {row(t('Purpose'), user.purpose)}
        {row(t('Tenant'), tenantName(tenants, user.tenant_uuid))}
        {row('UUID', <code>{user.uuid}</code>)}
      </dl>
      <div class="buttons">
        {edit && allowed[`auth.users.${user.uuid}.update`] && <button type="button" onClick={edit}>{t('Edit')}</button>}
        {allowed[`auth.users.${user.uuid}.update`] && user.uuid !== visitor.uuid && (user.enabled
          ? <Act label={t('Disable')} danger ask={t('Disable this user? All their sessions end at once, and they can no longer log in.')}
              done={t('The user was disabled.')} act={() => enable(false)} />
          : <Act label={t('Enable')} done={t('The user was enabled.')} act={() => enable(true)} />)}
        {name && user.enabled && (
          <Act label={t('Send a password reset email')} done={t('If the user has a confirmed address, an email is on its way.')}
            act={() => publicCall('GET', 'users/password/reset', { query: user.username ? { username: name } : { email: name } })} />
        )}
        {allowed[`auth.users.${user.uuid}.delete`] && user.uuid !== visitor.uuid && (
          <Act label={t('Delete')} danger ask={t('Delete this user with all their sessions and tokens? This can’t be undone.')} done={t('The user was deleted.')} act={async () => {
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
          <>
            <div class="form">
              <Field label={t('Reason')} value={reason} onText={setReason} />
              <Field label={t('Until')} hint={t('Empty: until removed.')} type="datetime-local" value={until} onText={setUntil} />
            </div>
            <div class="buttons">
              <Act label={t('Lock')} danger ask={t('Lock this user? All their sessions end at once, and they can’t log in until the lock ends.')}
                done={t('The user was locked.')} act={lock} />
            </div>
          </>
        )}
      </State>
    </Part>
  );
}

function UserSessions({ user, visitor }: { user: User; visitor: Visitor }) {
  const sessions = useAsked((signal) => call<List<Session>>('GET', `users/${user.uuid}/sessions`, { signal }), [user.uuid]);
  const accessOf = (session: Session) => `auth.users.${user.uuid}.sessions.${session.uuid}.delete`;
  const others = (sessions.answer?.items ?? []).filter((session) => session.uuid !== visitor.session);
  const ending = useMay(others.map(accessOf));
  const endable = others.filter((session) => ending?.[accessOf(session)]);
  const end = async (some: Session[]) => {
    try {
      for (const session of some) await call('DELETE', `users/${user.uuid}/sessions/${session.uuid}`);
    } finally {
      sessions.again();
    }
  };
  return (
    <Part title={t('Sessions')} aside={endable.length > 1 && (
      <Act label={t('End all')} danger ask={t('End {count|# session|# sessions} of this user?', { count: endable.length })}
        done={t('The sessions were ended.')} act={() => end(endable)} />
    )}>
      <State of={sessions}>
        <SessionTable sessions={sessions} own={visitor.session} user={user.uuid} accessOf={accessOf} end={(session) => end([session])} />
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
              <Act label={t('Remove')} about={token.client_id} danger ask={t('Remove this refresh token? When its session ends, the client has to log in again.')}
                done={t('The refresh token was removed.')} act={() => end(token)} />
            ),
          },
        ]} />
      </State>
    </Part>
  );
}
