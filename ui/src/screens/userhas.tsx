// What a user has: external services, and accesses, with where each of them comes from.
import { Fragment, h, type ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { call, piece, type Group, type List, type Policy, type User } from '../api';
import { Act, Choice, Mark, Part, Search, State, Table, useAsked, useMay, useSearch, type Allowed } from '../kit';
import { number, t } from '../texts';
import { Effects, type Change } from './effect';
import { groupName } from './names';

interface Of {
  user: User;
  allowed: Allowed;
}

interface External {
  type: string;
  enabled: boolean;
}

export function ExternalServices({ user }: Of) {
  const own = `auth.users.${user.uuid}.external`;
  const services = useAsked((signal) => call<List<External>>('GET', `users/${user.uuid}/external`, { signal }), [user.uuid]);
  const rows = (services.answer?.items ?? []).filter((service) => service.enabled);
  const ending = useMay(rows.map((service) => `${own}.${service.type}.delete`));
  return (
    <Part title={t('External services')}>
      <State of={services}>
        <Table label={t('External services')} rows={rows} id={(service) => service.type} busy={services.loading} none="No external services." columns={[
          { title: 'Service', cell: (service) => service.type },
          {
            title: 'Actions', narrow: true, cell: (service) => ending?.[`${own}.${service.type}.delete`] && (
              <Act label={t('Remove')} about={service.type} danger
                ask={t('Remove {name} from this user? To use it again, they have to allow it again.', { name: service.type })}
                done={t('The service was removed.')} act={async () => {
                  await call('DELETE', `users/${user.uuid}/external/${piece(service.type)}`);
                  services.again();
                }} />
            ),
          },
        ]} />
      </State>
    </Part>
  );
}

interface Origin {
  group: Group | null; // null: a policy of the user
  policies: Policy[];
}

export function Accesses({ user, allowed }: Of) {
  const own = `auth.users.${user.uuid}`;
  const origins = useAsked(async (signal) => {
    const found: Origin[] = [];
    if (allowed[`${own}.policies.read`]) {
      found.push({ group: null, policies: (await call<List<Policy>>('GET', `users/${user.uuid}/policies`, { signal })).items });
    }
    if (allowed[`${own}.groups.read`]) {
      const groups = (await call<List<Group>>('GET', `users/${user.uuid}/groups`, { signal })).items;
      found.push(...await Promise.all(groups.map(async (group) => ({
        group,
        policies: (await call<List<Policy>>('GET', `groups/${group.uuid}/policies`, { signal }).catch(() => ({ items: [] }))).items,
      }))));
    }
    return found;
  }, [user.uuid]);
  const has = (origins.answer ?? []).filter((origin) => origin.group || origin.policies.length);
  return (
    <>
      <Part title={t('Groups and policies')}>
        <State of={origins}>
          {!has.length && <p class="quiet">{t('No groups or policies.')}</p>}
          <ul class="plain">{has.map((origin) => <From key={origin.group?.uuid ?? ''} origin={origin} user={user} again={origins.again} />)}</ul>
          {origins.answer && <Give user={user} origins={origins.answer} again={origins.again} />}
        </State>
      </Part>
      <Part title={t('Effective accesses')}>
        <State of={origins}><Tree origins={origins.answer ?? []} /></State>
      </Part>
    </>
  );
}

function From({ origin, user, again }: { origin: Origin; user: User; again(): void }) {
  const { group, policies } = origin;
  const access = group ? [`auth.groups.${group.uuid}.users.${user.uuid}.delete`] : policies.map((policy) => `auth.users.${user.uuid}.policies.${policy.uuid}.delete`);
  const allowed = useMay(access);
  return (
    <li>
      <div class="line">
        <h3>{group ? <a href={`#/groups/${group.uuid}`}>{groupName(group)}</a> : t('Policies of the user')}</h3>
        {group && !group.system_managed && allowed?.[access[0]] && (
          <Act label={t('Remove')} about={group.name} danger ask={t('Remove this user from the group {name}?', { name: group.name })}
            more={<Effects change={{ change: 'remove', user_uuid: user.uuid, group_uuid: group.uuid }} />}
            done={t('The member was removed.')} act={async () => {
              await call('DELETE', `groups/${group.uuid}/users/${user.uuid}`);
              again();
            }} />
        )}
      </div>
      {policies.length === 0 && <p class="quiet">{t('No policies.')}</p>}
      {policies.map((policy) => (
        <div class="line" key={policy.uuid}>
          <span><a href={`#/policies/${policy.uuid}`}>{policy.name}</a> <span class="quiet">{t('{count|# access|# accesses}', { count: policy.acl.length })}</span></span>
          {!group && allowed?.[`auth.users.${user.uuid}.policies.${policy.uuid}.delete`] && (
            <Act label={t('Detach')} about={policy.name} danger ask={t('Detach {name} from this user?', { name: policy.name })}
              more={<Effects change={{ change: 'remove', user_uuid: user.uuid, policy_uuid: policy.uuid }} />}
              done={t('The policy was detached.')} act={async () => {
                await call('DELETE', `users/${user.uuid}/policies/${policy.uuid}`);
                again();
              }} />
          )}
        </div>
      ))}
    </li>
  );
}

function Give({ user, origins, again }: { user: User; origins: Origin[]; again(): void }) {
  const allowed = useMay(['auth.groups.read', 'auth.policies.read', `auth.groups.*.users.${user.uuid}.create`, `auth.users.${user.uuid}.policies.*.create`]);
  const groups = allowed?.['auth.groups.read'] && allowed[`auth.groups.*.users.${user.uuid}.create`];
  const policies = allowed?.['auth.policies.read'] && allowed[`auth.users.${user.uuid}.policies.*.create`];
  const here = { order: 'name' };
  const all = useAsked(async (signal) => ({
    groups: groups ? (await call<List<Group>>('GET', 'groups', { query: here, tenant: user.tenant_uuid, signal })).items : [],
    policies: policies ? (await call<List<Policy>>('GET', 'policies', { query: here, tenant: user.tenant_uuid, signal })).items : [],
  }), [user.uuid, groups, policies]).answer;
  const direct = origins.find((origin) => !origin.group)?.policies ?? [];
  const others = (all?.groups ?? []).filter((group) => !group.system_managed && !origins.some((origin) => origin.group?.uuid === group.uuid));
  const further = (all?.policies ?? []).filter((policy) => !direct.some((each) => each.uuid === policy.uuid));
  return (
    <div class="pair">
      {others.length > 0 && <Pick label={t('Add to a group')} act={t('Add')} done={t('The member was added.')} among={others} ask={(name) => t('Add this user to the group {name}?', { name })}
        change={(group) => ({ change: 'add', user_uuid: user.uuid, group_uuid: group })} give={async (group) => {
        await call('PUT', `groups/${group}/users/${user.uuid}`);
        again();
      }} />}
      {further.length > 0 && <Pick label={t('Attach a policy')} act={t('Attach')} done={t('The policy was attached.')} among={further} ask={(name) => t('Attach {name} to this user?', { name })}
        change={(policy) => ({ change: 'add', user_uuid: user.uuid, policy_uuid: policy })} give={async (policy) => {
        await call('PUT', `users/${user.uuid}/policies/${policy}`);
        again();
      }} />}
    </div>
  );
}

function Pick({ label, act, done, among, ask, change, give }: {
  label: string;
  act: string;
  done: string;
  among: { uuid: string; name: string }[];
  ask(name: string): string;
  change(uuid: string): Change;
  give(uuid: string): Promise<void>;
}) {
  const [chosen, setChosen] = useState('');
  const picked = among.find((each) => each.uuid === chosen);
  const there = picked?.uuid ?? '';
  return (
    <div class="form">
      <Choice label={label} value={there} choose={setChosen} among={[['', '–'], ...among.map((each): [string, string] => [each.uuid, each.name])]} />
      <Act label={act} disabled={!there} ask={ask(picked?.name ?? '')} more={<Effects change={change(there)} />} done={done} act={() => give(there)} />
    </div>
  );
}

// -- the tree: by the words of accesses, with whoever gives each

interface Source {
  policy: Policy;
  group: Group | null;
}
interface Node {
  below: Map<string, Node>;
  from: Source[]; // of an access that ends here
  count: number; // of accesses, with those below
}
const empty = (): Node => ({ below: new Map(), from: [], count: 0 });

// Negations are a branch of their own: they take away, whatever the rest gives.
function grow(origins: Origin[], search: string): { gives: Node; denies: Node } {
  const accesses = new Map<string, Source[]>();
  for (const { group, policies } of origins) {
    for (const policy of policies) {
      for (const access of policy.acl) accesses.set(access, [...(accesses.get(access) ?? []), { policy, group }]);
    }
  }
  const gives = empty(), denies = empty();
  for (const [access, from] of [...accesses].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (search && !access.toLowerCase().includes(search)) continue;
    let node = access.startsWith('!') ? denies : gives;
    node.count += 1;
    for (const word of access.replace(/^!/, '').split('.')) {
      const next = node.below.get(word) ?? empty();
      node.below.set(word, next);
      node = next;
      node.count += 1;
    }
    node.from = from;
  }
  return { gives, denies };
}

function Given({ from }: { from: Source[] }) {
  return (
    <span class="quiet">
      {from.map(({ policy, group }, at) => (
        <span key={policy.uuid + (group?.uuid ?? '')}>
          {at > 0 && '; '}
          <a href={`#/policies/${policy.uuid}`}>{policy.name}</a>{group && <> · <a href={`#/groups/${group.uuid}`}>{groupName(group)}</a></>}
        </span>
      ))}
    </span>
  );
}

function Branch({ node, open }: { node: Node; open: boolean }) {
  return (
    <ul class="tree">
      {[...node.below].map(([word, first]) => {
        let name = word, at = first;
        // A way without a fork is one step.
        while (!at.from.length && at.below.size === 1) {
          const [[next, below]] = at.below;
          name += `.${next}`;
          at = below;
        }
        const leaf: ComponentChildren = <><code>{name}</code> {at.from.length > 0 && <Given from={at.from} />}</>;
        return (
          <li key={name}>
            {at.below.size === 0 ? leaf : (
              <details open={open}>
                <summary>{leaf} <span class="quiet">{number(at.count)}</span></summary>
                <Branch node={at} open={open} />
              </details>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function Tree({ origins }: { origins: Origin[] }) {
  const search = useSearch();
  const { gives, denies } = grow(origins, search.wanted.toLowerCase());
  const open = search.wanted !== '';
  return (
    <>
      <Search name="tree" label={t('Search in accesses')} of={search} />
      {gives.count === 0 && denies.count === 0 && <p class="quiet">{t('Nothing here.')}</p>}
      {denies.count > 0 && (
        <>
          <h3><Mark good={false}>{t('denied, whatever else gives it')}</Mark></h3>
          <Branch key={`denies ${open}`} node={denies} open />
        </>
      )}
      {gives.count > 0 && <Branch key={`gives ${open}`} node={gives} open={open} />}
    </>
  );
}
