// Policies, and one of them: what it gives, to whom, and what an edit would change before it is saved.
import { Fragment, h } from 'preact';
import { useState } from 'preact/hooks';
import { call, piece, type List, type Policy, type User, type Visitor } from '../api';
import { Act, Field, Form, Heading, Mark, Pages, Part, Search, State, Table, tell, useAsked, useMay, useSearch } from '../kit';
import { number, t } from '../texts';
import { Effects } from './effect';
import { Area, Outdated, Tick, useForm, useTenant } from './forms';
import { nameOf, tenantName, useTenants } from './names';

const SIZE = 25;

export function Policies() {
  const search = useSearch();
  const { from } = search;
  const tenants = useTenants();
  const allowed = useMay(['auth.policies.create']);
  const policies = useAsked(
    // The list doesn't count what its search finds: one more than a page tells whether there is another.
    (signal) => call<List<Policy>>('GET', 'policies', {
      query: { search: search.wanted, order: 'name', recurse: true, limit: SIZE + 1, offset: from }, signal,
    }),
    [search.wanted, from],
  );
  const items = policies.answer?.items ?? [];
  return (
    <>
      <Heading title={t('Policies')} />
      {allowed?.['auth.policies.create'] && <div class="buttons"><a class="button" href="#/policies/new">{t('New policy')}</a></div>}
      <Search label={t('Search by name')} of={search} />
      <State of={policies}>
        <Table label={t('Policies')} rows={items.slice(0, SIZE)} id={(policy) => policy.uuid} busy={policies.loading} none="No policies." columns={[
          { title: 'Name', cell: (policy) => <a href={`#/policies/${policy.uuid}`}>{policy.name}</a> },
          { title: 'Description', cell: (policy) => policy.description || '–' },
          { title: 'Tenant', cell: (policy) => tenantName(tenants, policy.tenant_uuid) },
          { title: 'Accesses', numeric: true, cell: (policy) => number(policy.acl.length) },
          { title: 'State', narrow: true, cell: (policy) => <>{policy.read_only && <Mark>{t('read-only')}</Mark>} {policy.shared && <Mark>{t('shared')}</Mark>}</> },
        ]} />
        <Pages from={from} size={SIZE} total={from + items.length} go={search.go} open />
      </State>
    </>
  );
}

const sorted = (acl: string[]) => [...acl].sort();
const lines = (text: string) => [...new Set(text.split('\n').map((line) => line.trim()).filter(Boolean))];

interface Written {
  name: string;
  description: string;
  acl: string;
}

function Fields({ form, set }: { form: Written; set(change: Partial<Written>): void }) {
  return (
    <>
      <div class="grid">
        <Field name="name" label={t('Name')} value={form.name} onText={(name) => set({ name })} required />
        <Field name="description" label={t('Description')} value={form.description} onText={(description) => set({ description })} />
      </div>
      <Area name="acl" label={t('Accesses, one per line')} value={form.acl} onText={(acl) => set({ acl })}
        hint={t('You can only give accesses that you have yourself.')} />
    </>
  );
}

const bodyOf = ({ name, description, acl }: Written) => ({ name: name.trim(), description: description || null, acl: lines(acl) });

export function NewPolicy({ visitor }: { visitor: Visitor }) {
  const { form, set } = useForm<Written>({ name: '', description: '', acl: '' });
  const [shared, setShared] = useState(false);
  const { tenant, choice } = useTenant(visitor);
  const create = async () => {
    const policy = await call<Policy>('POST', 'policies', { tenant, body: { ...bodyOf(form), shared } });
    tell(t('The policy was created.'));
    location.hash = `#/policies/${policy.uuid}`;
  };
  return (
    <>
      <p><a href="#/policies">{t('All policies')}</a></p>
      <Heading title={t('New policy')} />
      <Form class="part" ready={form.name.trim() !== ''} submit={t('Create')} act={create}>
        {choice && <div class="grid">{choice}</div>}
        <Fields form={form} set={set} />
        <Tick name="shared" label={t('Share it with the tenants below')} value={shared} change={setShared} hint={t('They can use it and not change it. This can’t be changed later.')} />
      </Form>
    </>
  );
}

// What an edit may change, to see whether somebody else has meanwhile.
const contents = (policy: Policy) => JSON.stringify([policy.name, policy.description, sorted(policy.acl)]);

export function PolicyScreen({ uuid }: { uuid: string }) {
  const path = `policies/${piece(uuid)}`;
  const policy = useAsked((signal) => call<Policy>('GET', path, { signal }), [uuid]);
  const allowed = useMay([`auth.policies.${uuid}.update`, `auth.policies.${uuid}.delete`, 'auth.users.read']);
  const found = policy.answer;
  return (
    <>
      <p><a href="#/policies">{t('All policies')}</a></p>
      <Heading title={found?.name ?? t('Policy')}>
        {found && !found.read_only && allowed?.[`auth.policies.${uuid}.delete`] && (
          <Act label={t('Delete')} danger ask={t('Delete this policy? This can’t be undone.')}
            more={<Effects change={{ change: 'remove', policy_uuid: uuid }} />}
            done={t('The policy was deleted.')} act={async () => {
              await call('DELETE', path);
              location.hash = '#/policies';
            }} />
        )}
      </Heading>
      <State of={policy}>
        {found && allowed && (allowed[`auth.policies.${uuid}.update`] && !found.read_only
          ? <Edit key={contents(found)} policy={found} again={policy.again} />
          : <Part title={t('Accesses')}>
              {found.read_only && <p class="notice">{t('This policy comes from the configuration or from another tenant. It can’t be changed here.')}</p>}
              <pre>{sorted(found.acl).join('\n') || '–'}</pre>
            </Part>)}
        {found && allowed?.['auth.users.read'] && <Holders policy={found} />}
      </State>
    </>
  );
}

function useHolders(uuid: string) {
  return useAsked((signal) => call<List<User>>('GET', 'users', {
    query: { has_policy_uuid: uuid, recurse: true, limit: 10, order: 'username' }, signal,
  }), [uuid]);
}

function Holders({ policy }: { policy: Policy }) {
  const users = useHolders(policy.uuid);
  return (
    <Part title={t('Users with this policy')}>
      <State of={users}>
        {users.answer && <p>{t('{count|# user has|# users have} it, directly or through a group.', { count: users.answer.filtered })}</p>}
        <ul>{(users.answer?.items ?? []).map((user) => <li key={user.uuid}><a href={`#/users/${user.uuid}`}>{nameOf(user)}</a></li>)}</ul>
      </State>
    </Part>
  );
}

function Edit({ policy, again }: { policy: Policy; again(): void }) {
  const { form, set } = useForm<Written>({ name: policy.name, description: policy.description ?? '', acl: sorted(policy.acl).join('\n') });
  const [outdated, setOutdated] = useState(false);
  const acl = lines(form.acl);
  const gained = acl.filter((access) => !policy.acl.includes(access));
  const lost = policy.acl.filter((access) => !acl.includes(access));
  const changed = gained.length > 0 || lost.length > 0 || form.name.trim() !== policy.name || form.description !== (policy.description ?? '');
  const path = `policies/${policy.uuid}`;
  const save = async () => {
    if (contents(await call<Policy>('GET', path)) !== contents(policy)) return setOutdated(true);
    await call('PUT', path, { body: bodyOf(form) });
    tell(t('The policy was saved.'));
    again();
  };
  return (
    <Part title={t('Accesses')}>
      <Fields form={form} set={set} />
      {changed && (
        <div class="notice" role="status">
          <h3>{t('What saving would change')}</h3>
          <ul>
            {gained.map((access) => <li key={`+${access}`}>{t('gained:')} <ins><code>{access}</code></ins></li>)}
            {lost.map((access) => <li key={`-${access}`}>{t('lost:')} <del><code>{access}</code></del></li>)}
          </ul>
          {(gained.length > 0 || lost.length > 0) && <Effects change={{ change: 'edit', policy_uuid: policy.uuid, acl }} />}
        </div>
      )}
      {outdated && <Outdated again={again} />}
      <div class="buttons"><Act label={t('Save')} main disabled={!changed || !form.name.trim()} act={save} /></div>
    </Part>
  );
}
