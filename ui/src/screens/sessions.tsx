// Sessions: of one user, or of the visitor's tenant and those below it; since when, from where and by which client.
import { Fragment, h } from 'preact';
import { useState } from 'preact/hooks';
import { call, piece, type AuditEntry, type List, type Session } from '../api';
import { Act, Heading, Mark, Pages, State, Table, Time, useAsked, useMay, type Asked, type Column } from '../kit';
import { t } from '../texts';
import { tenantName, useTenants, UserName, Uuid } from './names';

const SIZE = 25;

// Where sessions come from is in the audit log, for those who may read it. Of a session it is asked once.
const remembered = new Map<string, AuditEntry>();
addEventListener('sessionended', () => remembered.clear());

async function logins(object: string, limit: number, signal: AbortSignal): Promise<void> {
  const query = { kind: 'session', action: 'login', object_uuid: object, limit, recurse: true };
  const { items } = await call<{ items: AuditEntry[] }>('GET', 'audit', { query, signal });
  for (const entry of items) if (entry.object_uuid) remembered.set(entry.object_uuid, entry);
}

// user: all sessions are this user's.
function useOrigins(sessions: Session[], user?: string): Map<string, AuditEntry> {
  const allowed = useMay(['auth.audit.read'])?.['auth.audit.read'] ?? false;
  const unknown = sessions.filter((session) => !remembered.has(session.uuid)).map((session) => session.uuid);
  useAsked(async (signal) => {
    if (!allowed || !unknown.length) return;
    if (user) await logins(user, 500, signal);
    else await Promise.all(unknown.map((uuid) => logins(uuid, 1, signal)));
  }, [allowed, user, ...sessions.map((session) => session.uuid)]);
  return remembered;
}

// What a browser says of itself is long and names others: the last of these that it names is what it is.
const BROWSERS: [RegExp, string][] = [
  [/Edg\w*\/(\d+)/, 'Edge'], [/OPR\/(\d+)/, 'Opera'], [/Firefox\/(\d+)/, 'Firefox'], [/Chrome\/(\d+)/, 'Chrome'], [/Version\/(\d+).* Safari/, 'Safari'],
];
const SYSTEMS: [RegExp, string][] = [
  [/Android/, 'Android'], [/iPhone|iPad/, 'iOS'], [/Windows/, 'Windows'], [/Mac OS X/, 'macOS'], [/Linux/, 'Linux'],
];

function Client({ agent }: { agent: string }) {
  const browser = agent.startsWith('Mozilla/') && BROWSERS.find(([pattern]) => pattern.test(agent));
  if (!browser) return <>{agent || '–'}</>;
  const system = SYSTEMS.find(([pattern]) => pattern.test(agent));
  return <span title={agent}>{browser[1]} {browser[0].exec(agent)?.[1]}{system && `, ${system[1]}`}</span>;
}

export function SessionTable({ sessions, own, user, whose = [], accessOf, end }: {
  sessions: Asked<List<Session>>;
  own: string; // the visitor's
  user?: string;
  whose?: Column<Session>[];
  accessOf(session: Session): string; // to end it
  end(session: Session): Promise<unknown>;
}) {
  const rows = sessions.answer?.items ?? [];
  const origins = useOrigins(rows, user);
  const allowed = useMay(rows.map(accessOf));
  const of = (session: Session) => origins.get(session.uuid);
  return (
    <Table label={t('Sessions')} rows={rows} id={(session) => session.uuid} busy={sessions.loading} none="No sessions." columns={[
      ...whose,
      { title: 'Session', cell: (session) => <><Uuid of={session.uuid} /> {session.uuid === own && <Mark good>{t('your session')}</Mark>} {session.mobile && <Mark>{t('mobile')}</Mark>}</> },
      { title: 'Since', narrow: true, cell: (session) => <Time at={of(session)?.at} /> },
      { title: 'IP address', narrow: true, cell: (session) => String(of(session)?.after?.remote_addr ?? of(session)?.remote_addr ?? '–') },
      { title: 'Client', cell: (session) => <Client agent={String(of(session)?.after?.user_agent ?? '')} /> },
      {
        title: 'Actions', narrow: true, cell: (session) => allowed?.[accessOf(session)] && session.uuid !== own && (
          <Act label={t('End')} about={session.uuid} danger ask={t('End this session? Whoever uses it has to log in again.')}
            done={t('The session was ended.')} act={() => end(session)} />
        ),
      },
    ]} />
  );
}

export function Sessions({ own }: { own: string }) {
  const [from, setFrom] = useState(0);
  const sessions = useAsked(
    (signal) => call<List<Session>>('GET', 'sessions', { query: { recurse: true, limit: SIZE, offset: from }, signal }),
    [from],
  );
  const tenants = useTenants();
  return (
    <>
      <Heading title={t('Sessions')}><button type="button" onClick={sessions.again}>{t('Refresh')}</button></Heading>
      <State of={sessions}>
        <SessionTable sessions={sessions} own={own} accessOf={(session) => `auth.sessions.${session.uuid}.delete`}
          whose={[
            { title: 'User', cell: (session) => <UserName uuid={session.user_uuid} /> },
            { title: 'Tenant', cell: (session) => tenantName(tenants, session.tenant_uuid) },
          ]}
          end={async (session) => {
            await call('DELETE', `sessions/${piece(session.uuid)}`);
            sessions.again();
          }} />
        <Pages from={from} size={SIZE} total={sessions.answer?.total ?? 0} go={setFrom} />
      </State>
    </>
  );
}
