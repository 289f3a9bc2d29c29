// Users, found as one types.
import { Fragment, h } from 'preact';
import { call, type List, type User } from '../api';
import { Heading, Mark, Pages, Search, State, Table, useAsked, useMay, useSearch } from '../kit';
import { t } from '../texts';
import { mainAddress, nameOf, tenantName, useTenants } from './names';

const SIZE = 25;
let last = ''; // whoever comes back from a user finds the search as it was
addEventListener('sessionended', () => (last = ''));

export function Users() {
  const search = useSearch(last, (text) => (last = text));
  const tenants = useTenants();
  const allowed = useMay(['auth.users.create']);
  const users = useAsked(
    (signal) => call<List<User>>('GET', 'users', {
      query: { search: search.wanted, order: 'username', recurse: true, limit: SIZE, offset: search.from }, signal,
    }),
    [search.wanted, search.from],
  );
  const answer = users.answer;
  return (
    <>
      <Heading title={t('Users')}><span class="quiet" role="status">{answer && t('{found} of {total}', { found: answer.filtered, total: answer.total })}</span></Heading>
      <div class="buttons">
        {allowed?.['auth.users.create'] && <a class="button" href="#/users/new">{t('New user')}</a>}
        <a class="button" href="#/users/bulk">{t('Import and export')}</a>
      </div>
      <Search label={t('Search by name or email address')} of={search} />
      <State of={users}>
        <Table label={t('Users')} rows={answer?.items ?? []} id={(user) => user.uuid} busy={users.loading} none="No users found." columns={[
          { title: 'Username', cell: (user) => <a href={`#/users/${user.uuid}`}>{nameOf(user)}</a> },
          { title: 'Name', cell: (user) => [user.firstname, user.lastname].filter(Boolean).join(' ') || '–' },
          { title: 'Email address', cell: (user) => mainAddress(user) ?? '–' },
          { title: 'Tenant', cell: (user) => tenantName(tenants, user.tenant_uuid) },
          { title: 'State', narrow: true, cell: (user) => (user.enabled ? <Mark good>{t('enabled')}</Mark> : <Mark good={false}>{t('disabled')}</Mark>) },
        ]} />
        <Pages from={search.from} size={SIZE} total={answer?.filtered ?? 0} go={search.go} />
      </State>
    </>
  );
}
