// Groups, and one of them: its members and its policies.
import { Fragment, h } from 'preact';
import { useState } from 'preact/hooks';
import { call, piece, type Group, type List, type Policy, type User, type Visitor } from '../api';
import { Act, Choice, Field, Form, Heading, Pages, Part, Search, State, Table, tell, useAsked, useMay, useSearch } from '../kit';
import { number, t } from '../texts';
import { Effects } from './effect';
import { Outdated, useTenant } from './forms';
import { groupName, mainAddress, nameOf, tenantName, useTenants } from './names';

const SIZE = 25;

export function Groups() {
  const search = useSearch();
  const tenants = useTenants();
  const allowed = useMay(['auth.groups.create']);
  const groups = useAsked(
    (signal) => call<List<Group>>('GET', 'groups', { query: { search: search.wanted, order: 'name', recurse: true, limit: SIZE, offset: search.from }, signal }),
    [search.wanted, search.from],
  );
  return (
    <>
      <Heading title={t('Groups')} />
      {allowed?.['auth.groups.create'] && <div class="buttons"><a class="button" href="#/groups/new">{t('New group')}</a></div>}
      <Search label={t('Search by name')} of={search} />
      <State of={groups}>
        <Table label={t('Groups')} rows={groups.answer?.items ?? []} id={(group) => group.uuid} busy={groups.loading} none="No groups." columns={[
          { title: 'Name', cell: (group) => <a href={`#/groups/${group.uuid}`}>{groupName(group)}</a> },
          { title: 'Tenant', cell: (group) => tenantName(tenants, group.tenant_uuid) },
        ]} />
        <Pages from={search.from} size={SIZE} total={groups.answer?.filtered ?? 0} go={search.go} />
      </State>
    </>
  );
}

export function NewGroup({ visitor }: { visitor: Visitor }) {
  const [name, setName] = useState('');
  const { tenant, choice } = useTenant(visitor);
  const create = async () => {
    const group = await call<Group>('POST', 'groups', { tenant, body: { name: name.trim() } });
    tell(t('The group was created.'));
    location.hash = `#/groups/${group.uuid}`;
  };
  return (
    <>
      <p><a href="#/groups">{t('All groups')}</a></p>
      <Heading title={t('New group')} />
      <Form class="part" ready={name.trim() !== ''} submit={t('Create')} act={create}>
        <div class="grid">
          <Field name="name" label={t('Name')} value={name} onText={setName} required />
          {choice}
        </div>
      </Form>
    </>
  );
}

export function GroupScreen({ uuid }: { uuid: string }) {
  const own = `auth.groups.${uuid}`;
  const path = `groups/${piece(uuid)}`;
  const group = useAsked((signal) => call<Group>('GET', path, { signal }), [uuid]);
  const allowed = useMay([`${own}.users.read`, `${own}.policies.read`, `${own}.update`, `${own}.delete`]);
  const found = group.answer;
  const mine = found && !found.system_managed && allowed; // the group of all users stays as it is
  return (
    <>
      <p><a href="#/groups">{t('All groups')}</a></p>
      <Heading title={found ? groupName(found) : t('Group')}>
        {mine && mine[`${own}.delete`] && (
          <Act label={t('Delete')} danger ask={t('Delete this group? This can’t be undone.')}
            more={<Effects change={{ change: 'remove', group_uuid: uuid }} />}
            done={t('The group was deleted.')} act={async () => {
              await call('DELETE', path);
              location.hash = '#/groups';
            }} />
        )}
      </Heading>
      <State of={group}>
        {found && mine && mine[`${own}.update`] && <Rename key={found.name} group={found} again={group.again} />}
        {found && allowed && (
          <div class="pair">
            {allowed[`${own}.users.read`] && <Members group={found} />}
            {allowed[`${own}.policies.read`] && <GroupPolicies group={found} />}
          </div>
        )}
      </State>
    </>
  );
}

function Rename({ group, again }: { group: Group; again(): void }) {
  const [name, setName] = useState(group.name);
  const [outdated, setOutdated] = useState(false);
  const path = `groups/${group.uuid}`;
  const rename = async () => {
    if ((await call<Group>('GET', path)).name !== group.name) return setOutdated(true);
    await call('PUT', path, { body: { name: name.trim() } });
    tell(t('The group was renamed.'));
    again();
  };
  return (
    <Form class="form" ready={name.trim() !== '' && name.trim() !== group.name} submit={t('Rename')} act={rename}>
      <Field name="name" label={t('Name')} value={name} onText={setName} required />
      {outdated && <Outdated again={again} />}
    </Form>
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
              <Act label={t('Remove')} about={nameOf(user)} danger ask={t('Remove {name} from this group?', { name: nameOf(user) })}
                more={<Effects change={{ change: 'remove', group_uuid: group.uuid, user_uuid: user.uuid }} />}
                done={t('The member was removed.')} act={async () => {
                  await call('DELETE', `${path}/${user.uuid}`);
                  members.again();
                }} />
            ),
          },
        ]} />
        <Pages from={from} size={SIZE} total={members.answer?.filtered ?? 0} go={setFrom} />
      </State>
      {!group.system_managed && allowed?.['auth.users.read'] && allowed[`${own}.*.create`] && <AddMember group={group.uuid} again={members.again} />}
    </Part>
  );
}

function AddMember({ group, again }: { group: string; again(): void }) {
  const search = useSearch();
  const { wanted } = search;
  const found = useAsked(async (signal) => (wanted
    ? (await call<List<User>>('GET', 'users', { query: { search: wanted, limit: 5, order: 'username', recurse: true }, signal })).items
    : []), [wanted]);
  return (
    <>
      <Search name="member" label={t('Add somebody: search by name or email address')} of={search} />
      {wanted && found.answer?.length === 0 && !found.loading && <p class="quiet">{t('No users found.')}</p>}
      <ul class="plain">
        {(found.answer ?? []).map((user) => (
          <li key={user.uuid} class="heading">
            <span>{nameOf(user)} <span class="quiet">{mainAddress(user)}</span></span>
            <Act label={t('Add')} about={nameOf(user)} ask={t('Add {name} to this group?', { name: nameOf(user) })}
              more={<Effects change={{ change: 'add', group_uuid: group, user_uuid: user.uuid }} />}
              done={t('The member was added.')} act={async () => {
              await call('PUT', `groups/${group}/users/${user.uuid}`);
              search.type('');
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
          { title: 'Accesses', numeric: true, cell: (policy) => number(policy.acl.length) },
          {
            title: 'Actions', narrow: true, cell: (policy) => allowed?.[`${own}.${policy.uuid}.delete`] && (
              <Act label={t('Detach')} about={policy.name} danger ask={t('Detach {name} from this group?', { name: policy.name })}
                more={<Effects change={{ change: 'remove', group_uuid: group.uuid, policy_uuid: policy.uuid }} />}
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
          <Act label={t('Attach')} disabled={!chosen} ask={t('Attach {name} to this group?', { name: others.find((policy) => policy.uuid === chosen)?.name ?? '' })}
            more={<Effects change={{ change: 'add', group_uuid: group.uuid, policy_uuid: chosen }} />}
            done={t('The policy was attached.')} act={async () => {
            await call('PUT', `${path}/${chosen}`);
            setChosen('');
            attached.again();
          }} />
        </div>
      )}
    </Part>
  );
}
