// Groups, and one of them: its members and its policies.
import { Fragment, h } from 'preact';
import { useState } from 'preact/hooks';
import { call, piece, type Group, type List, type Policy, type User } from '../api';
import { Act, Choice, Field, Heading, Mark, number, Pages, Part, State, Table, useAsked, useDelayed, useMay } from '../kit';
import { t } from '../texts';
import { mainAddress, nameOf, tenantName, useTenants } from './names';

const SIZE = 25;

export function Groups() {
  const [search, setSearch] = useState('');
  const [from, setFrom] = useState(0);
  const tenants = useTenants();
  const wanted = useDelayed(search.trim(), 200);
  const groups = useAsked(
    (signal) => call<List<Group>>('GET', 'groups', { query: { search: wanted, order: 'name', recurse: true, limit: SIZE, offset: from }, signal }),
    [wanted, from],
  );
  return (
    <>
      <Heading title={t('Groups')} />
      <form class="form" role="search" onSubmit={(event: Event) => event.preventDefault()}>
        <Field name="search" type="search" label={t('Search by name')} value={search} onText={(text) => {
          setSearch(text);
          setFrom(0);
        }} />
      </form>
      <State of={groups}>
        <Table label={t('Groups')} rows={groups.answer?.items ?? []} id={(group) => group.uuid} busy={groups.loading} none="No groups." columns={[
          { title: 'Name', cell: (group) => <a href={`#/groups/${group.uuid}`}>{group.name}</a> },
          { title: 'Tenant', cell: (group) => tenantName(tenants, group.tenant_uuid) },
          { title: 'State', narrow: true, cell: (group) => group.system_managed && <Mark>{t('all users of the tenant')}</Mark> },
        ]} />
        <Pages from={from} size={SIZE} total={groups.answer?.filtered ?? 0} go={setFrom} />
      </State>
    </>
  );
}

export function GroupScreen({ uuid }: { uuid: string }) {
  const group = useAsked((signal) => call<Group>('GET', `groups/${piece(uuid)}`, { signal }), [uuid]);
  const allowed = useMay([`auth.groups.${uuid}.users.read`, `auth.groups.${uuid}.policies.read`]);
  return (
    <>
      <p><a href="#/groups">{t('All groups')}</a></p>
      <Heading title={group.answer?.name ?? t('Group')} />
      <State of={group}>
        {group.answer && allowed && (
          <div class="pair">
            {allowed[`auth.groups.${uuid}.users.read`] && <Members group={group.answer} />}
            {allowed[`auth.groups.${uuid}.policies.read`] && <GroupPolicies group={group.answer} />}
          </div>
        )}
      </State>
    </>
  );
}

function Members({ group }: { group: Group }) {
  const own = `auth.groups.${group.uuid}.users`;
  const path = `groups/${group.uuid}/users`;
  const [from, setFrom] = useState(0);
  const members = useAsked((signal) => call<List<User>>('GET', path, { query: { limit: SIZE, offset: from, order: 'username' }, signal }), [group.uuid, from]);
  const rows = members.answer?.items ?? [];
  const allowed = useMay([...rows.map((user) => `${own}.${user.uuid}.delete`), `${own}.*.create`, 'auth.users.read']);
  return (
    <Part title={t('Members')} aside={members.answer && <span class="quiet">{number(members.answer.total)}</span>}>
      {group.system_managed && <p class="notice">{t('Every user of the tenant is a member of this group.')}</p>}
      <State of={members}>
        <Table label={t('Members')} rows={rows} id={(user) => user.uuid} busy={members.loading} none="No members." columns={[
          { title: 'Username', cell: (user) => <a href={`#/users/${user.uuid}`}>{nameOf(user)}</a> },
          {
            title: 'Actions', narrow: true, cell: (user) => !group.system_managed && allowed?.[`${own}.${user.uuid}.delete`] && (
              <Act label={t('Take out')} about={nameOf(user)} danger ask={t('Take {name} out of this group? Its policies are lost at the next login.', { name: nameOf(user) })}
                done={t('The member was taken out.')} act={async () => {
                  await call('DELETE', `${path}/${user.uuid}`);
                  members.again();
                }} />
            ),
          },
        ]} />
        <Pages from={from} size={SIZE} total={members.answer?.filtered ?? 0} go={setFrom} />
      </State>
      {!group.system_managed && allowed?.['auth.users.read'] && allowed[`${own}.*.create`] && <AddMember path={path} again={members.again} />}
    </Part>
  );
}

function AddMember({ path, again }: { path: string; again(): void }) {
  const [search, setSearch] = useState('');
  const wanted = useDelayed(search.trim(), 200);
  const found = useAsked(async (signal) => (wanted
    ? (await call<List<User>>('GET', 'users', { query: { search: wanted, limit: 5, order: 'username', recurse: true }, signal })).items
    : []), [wanted]);
  return (
    <>
      <Field name="member" type="search" label={t('Add somebody: search by name or address')} value={search} onText={setSearch} />
      {wanted && found.answer?.length === 0 && !found.loading && <p class="quiet">{t('Nobody is found.')}</p>}
      <ul class="plain">
        {(found.answer ?? []).map((user) => (
          <li key={user.uuid} class="heading">
            <span>{nameOf(user)} <span class="quiet">{mainAddress(user)}</span></span>
            <Act label={t('Add')} about={nameOf(user)} done={t('The member was added.')} act={async () => {
              await call('PUT', `${path}/${user.uuid}`);
              setSearch('');
              again();
            }} />
          </li>
        ))}
      </ul>
    </>
  );
}

function GroupPolicies({ group }: { group: Group }) {
  const own = `auth.groups.${group.uuid}.policies`;
  const path = `groups/${group.uuid}/policies`;
  const [chosen, setChosen] = useState('');
  const attached = useAsked((signal) => call<List<Policy>>('GET', path, { signal }), [group.uuid]);
  const rows = attached.answer?.items ?? [];
  const allowed = useMay([...rows.map((policy) => `${own}.${policy.uuid}.delete`), `${own}.*.create`, 'auth.policies.read']);
  const all = useAsked(async (signal) => (allowed?.['auth.policies.read']
    ? (await call<List<Policy>>('GET', 'policies', { query: { order: 'name' }, tenant: group.tenant_uuid, signal })).items
    : []), [group.uuid, allowed?.['auth.policies.read']]);
  const others = (all.answer ?? []).filter((policy) => !rows.some((row) => row.uuid === policy.uuid));
  return (
    <Part title={t('Policies')}>
      <State of={attached}>
        <Table label={t('Policies')} rows={rows} id={(policy) => policy.uuid} busy={attached.loading} none="No policies." columns={[
          { title: 'Name', cell: (policy) => <a href={`#/policies/${policy.uuid}`}>{policy.name}</a> },
          { title: 'Accesses', narrow: true, cell: (policy) => number(policy.acl.length) },
          {
            title: 'Actions', narrow: true, cell: (policy) => allowed?.[`${own}.${policy.uuid}.delete`] && (
              <Act label={t('Detach')} about={policy.name} danger ask={t('Detach this policy? All members lose its accesses at their next login.')}
                done={t('The policy was detached.')} act={async () => {
                  await call('DELETE', `${path}/${policy.uuid}`);
                  attached.again();
                }} />
            ),
          },
        ]} />
      </State>
      {allowed?.[`${own}.*.create`] && others.length > 0 && (
        <div class="form">
          <Choice label={t('Attach a policy')} value={chosen} choose={setChosen}
            among={[['', '–'], ...others.map((policy): [string, string] => [policy.uuid, policy.name])]} />
          <Act label={t('Attach')} disabled={!chosen} done={t('The policy was attached.')} act={async () => {
            await call('PUT', `${path}/${chosen}`);
            setChosen('');
            attached.again();
          }} />
        </div>
      )}
    </Part>
  );
}
