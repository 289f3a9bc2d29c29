// All refresh tokens of the visitor's tenant and of those below it, found by their client.
import { Fragment, h } from 'preact';
import { call, piece, type List, type RefreshToken } from '../api';
import { Act, Heading, Mark, Pages, Search, State, Table, Time, useAsked, useMay, useSearch } from '../kit';
import { t } from '../texts';
import { tenantName, useTenants, UserName } from './names';

const SIZE = 25;

// As accesses have a client's name.
const accessOf = (token: RefreshToken) => `auth.users.${token.user_uuid}.tokens.${token.client_id.replace(/\./g, '_')}.delete`;

export function RefreshTokens() {
  const search = useSearch();
  const tenants = useTenants();
  const tokens = useAsked(
    (signal) => call<List<RefreshToken>>('GET', 'tokens', {
      query: { search: search.wanted, order: 'created_at', direction: 'desc', recurse: true, limit: SIZE, offset: search.from }, signal,
    }),
    [search.wanted, search.from],
  );
  const answer = tokens.answer;
  const rows = answer?.items ?? [];
  const allowed = useMay(rows.map(accessOf));
  const end = async (token: RefreshToken) => {
    await call('DELETE', `users/${token.user_uuid}/tokens/${piece(token.client_id)}`);
    tokens.again();
  };
  return (
    <>
      <Heading title={t('Refresh tokens')}>
        <span class="quiet" role="status">{answer && t('{found} of {total}', { found: answer.filtered, total: answer.total })}</span>
        <button type="button" onClick={tokens.again}>{t('Refresh')}</button>
      </Heading>
      <Search label={t('Search by client')} of={search} />
      <State of={tokens}>
        <Table label={t('Refresh tokens')} rows={rows} id={(token) => `${token.user_uuid} ${token.client_id}`} busy={tokens.loading} none="No refresh tokens." columns={[
          { title: 'Client', cell: (token) => <code>{token.client_id}</code> },
          { title: 'User', cell: (token) => <UserName uuid={token.user_uuid} /> },
          { title: 'Tenant', cell: (token) => tenantName(tenants, token.tenant_uuid) },
          { title: 'Since', cell: (token) => <Time at={token.created_at} /> },
          { title: 'Kind', cell: (token) => token.mobile && <Mark>{t('mobile')}</Mark> },
          {
            title: 'Actions',
            narrow: true,
            cell: (token) => allowed?.[accessOf(token)] && (
              <Act label={t('Remove')} about={token.client_id} danger ask={t('Remove this refresh token? When its session ends, the client has to log in again.')}
                done={t('The refresh token was removed.')} act={() => end(token)} />
            ),
          },
        ]} />
        <Pages from={search.from} size={SIZE} total={answer?.filtered ?? 0} go={search.go} />
      </State>
    </>
  );
}
