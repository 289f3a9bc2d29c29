// Users, found as one types.
import { Fragment, h } from 'preact';
import { useState } from 'preact/hooks';
import { call, type List, type User } from '../api';
import { Field, Heading, Mark, number, Pages, State, Table, useAsked, useDelayed, useMay } from '../kit';
import { t } from '../texts';
import { mainAddress, nameOf, tenantName, useTenants } from './names';

const SIZE = 25;
let last = ''; // whoever comes back from a user finds the search as it was
addEventListener('sessionended', () => (last = ''));

export function Users() {
  const [search, setSearch] = useState(last);
  const [from, setFrom] = useState(0);
  const tenants = useTenants();
  const allowed = useMay(['auth.users.create']);
  const wanted = useDelayed(search.trim(), 200);
  const users = useAsked(
    (signal) => call<List<User>>('GET', 'users', {
      query: { search: wanted, order: 'username', recurse: true, limit: SIZE, offset: from }, signal,
    }),
    [wanted, from],
  );
  const answer = users.answer;
  return (
    <>
      <Heading title={t('Users')}><span class="quiet" role="status">{answer && t('{found} of {total}', { found: number(answer.filtered), total: number(answer.total) })}</span></Heading>
      <div class="buttons">
        {allowed?.['auth.users.create'] && <a class="button" href="#/users/new">{t('New user')}</a>}
        <a class="button" href="#/users/bulk">{t('Import and export')}</a>
      </div>
      <form class="form" role="search" onSubmit={(event: Event) => event.preventDefault()}>
        <Field name="search" type="search" label={t('Search by name or address')} value={search} onText={(text) => {
          last = text;
          setSearch(text);
          setFrom(0);
        }} />
      </form>
      <State of={users}>
        <Table label={t('Users')} rows={answer?.items ?? []} id={(user) => user.uuid} busy={users.loading} none="Nobody is found." columns={[
          { title: 'Username', cell: (user) => <a href={`#/users/${user.uuid}`}>{nameOf(user)}</a> },
          { title: 'Name', cell: (user) => [user.firstname, user.lastname].filter(Boolean).join(' ') || '–' },
          { title: 'Address', cell: (user) => mainAddress(user) ?? '–' },
          { title: 'Tenant', cell: (user) => tenantName(tenants, user.tenant_uuid) },
          { title: 'State', narrow: true, cell: (user) => (user.enabled ? <Mark good>{t('enabled')}</Mark> : <Mark good={false}>{t('disabled')}</Mark>) },
        ]} />
        <Pages from={from} size={SIZE} total={answer?.filtered ?? 0} go={setFrom} />
      </State>
    </>
  );
}
