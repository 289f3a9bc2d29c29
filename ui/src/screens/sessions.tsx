// All sessions of the visitor's tenant and of those below it.
import { Fragment, h } from 'preact';
import { useState } from 'preact/hooks';
import { call, piece, type List, type Session } from '../api';
import { Act, Heading, Mark, Pages, State, Table, useAsked, useMay } from '../kit';
import { t } from '../texts';
import { tenantName, useTenants, UserName, Uuid } from './names';

const SIZE = 25;

export function Sessions({ own }: { own: string }) {
  const [from, setFrom] = useState(0);
  const sessions = useAsked(
    (signal) => call<List<Session>>('GET', 'sessions', { query: { recurse: true, limit: SIZE, offset: from }, signal }),
    [from],
  );
  const rows = sessions.answer?.items ?? [];
  const accesses = rows.map((session) => `auth.sessions.${session.uuid}.delete`);
  const allowed = useMay(accesses);
  const tenants = useTenants();
  const end = async (uuid: string) => {
    await call('DELETE', `sessions/${piece(uuid)}`);
    sessions.again();
  };
  return (
    <>
      <Heading title={t('Sessions')}><button type="button" onClick={sessions.again}>{t('Refresh')}</button></Heading>
      <State of={sessions}>
        <Table label={t('Sessions')} rows={rows} id={(session) => session.uuid} busy={sessions.loading} none="No sessions." columns={[
          { title: 'User', cell: (session) => <UserName uuid={session.user_uuid} /> },
          { title: 'Tenant', cell: (session) => tenantName(tenants, session.tenant_uuid) },
          { title: 'Session', cell: (session) => <Uuid of={session.uuid} /> },
          {
            title: 'Kind',
            cell: (session) => (
              <>{session.mobile && <Mark>{t('mobile')}</Mark>} {session.uuid === own && <Mark good>{t('this one')}</Mark>}</>
            ),
          },
          {
            title: 'Actions',
            narrow: true,
            cell: (session) => allowed?.[`auth.sessions.${session.uuid}.delete`] && session.uuid !== own && (
              <Act label={t('End')} about={session.uuid} danger ask={t('End this session? Whoever uses it has to log in again.')}
                done={t('The session was ended.')} act={() => end(session.uuid)} />
            ),
          },
        ]} />
        <Pages from={from} size={SIZE} total={sessions.answer?.total ?? 0} go={setFrom} />
      </State>
    </>
  );
}
