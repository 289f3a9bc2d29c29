// Policies, and one of them: what it gives, to whom, and what an edit would change before it is saved.
import { Fragment, h } from 'preact';
import { useState } from 'preact/hooks';
import { call, piece, type List, type Policy, type User } from '../api';
import { Act, Field, Heading, Mark, number, Pages, Part, State, Table, tell, useAsked, useDelayed, useMay } from '../kit';
import { t } from '../texts';
import { Effects } from './effect';
import { nameOf, tenantName, useTenants } from './names';

const SIZE = 25;

export function Policies() {
  const [search, setSearch] = useState('');
  const [from, setFrom] = useState(0);
  const tenants = useTenants();
  const wanted = useDelayed(search.trim(), 200);
  const policies = useAsked(
    // The list doesn't count what its search finds: one more than a page tells whether there is another.
    (signal) => call<List<Policy>>('GET', 'policies', {
      query: { search: wanted, order: 'name', recurse: true, limit: SIZE + 1, offset: from }, signal,
    }),
    [wanted, from],
  );
  const items = policies.answer?.items ?? [];
  return (
    <>
      <Heading title={t('Policies')} />
      <form class="form" role="search" onSubmit={(event: Event) => event.preventDefault()}>
        <Field name="search" type="search" label={t('Search by name')} value={search} onText={(text) => {
          setSearch(text);
          setFrom(0);
        }} />
      </form>
      <State of={policies}>
        <Table label={t('Policies')} rows={items.slice(0, SIZE)} id={(policy) => policy.uuid} busy={policies.loading} none="No policies." columns={[
          { title: 'Name', cell: (policy) => <a href={`#/policies/${policy.uuid}`}>{policy.name}</a> },
          { title: 'Description', cell: (policy) => policy.description || '–' },
          { title: 'Tenant', cell: (policy) => tenantName(tenants, policy.tenant_uuid) },
          { title: 'Accesses', narrow: true, cell: (policy) => number(policy.acl.length) },
          { title: 'State', narrow: true, cell: (policy) => <>{policy.read_only && <Mark>{t('read-only')}</Mark>} {policy.shared && <Mark>{t('shared')}</Mark>}</> },
        ]} />
        <Pages from={from} size={SIZE} total={from + items.length} go={setFrom} open />
      </State>
    </>
  );
}

const sorted = (acl: string[]) => [...acl].sort();
const lines = (text: string) => [...new Set(text.split('\n').map((line) => line.trim()).filter(Boolean))];
// What an edit may change, to see whether somebody else has meanwhile.
const contents = (policy: Policy) => JSON.stringify([policy.name, policy.description, sorted(policy.acl)]);

export function PolicyScreen({ uuid }: { uuid: string }) {
  const path = `policies/${piece(uuid)}`;
  const policy = useAsked((signal) => call<Policy>('GET', path, { signal }), [uuid]);
  const allowed = useMay([`auth.policies.${uuid}.update`, `auth.policies.${uuid}.delete`, 'auth.users.read', 'auth.access.who_can']);
  const found = policy.answer;
  return (
    <>
      <p><a href="#/policies">{t('All policies')}</a></p>
      <Heading title={found?.name ?? t('Policy')}>
        {found && !found.read_only && allowed?.[`auth.policies.${uuid}.delete`] && (
          <Act label={t('Delete')} danger ask={t('Delete this policy? Whoever has it loses its accesses at the next login. This can’t be undone.')}
            done={t('The policy was deleted.')} act={async () => {
              await call('DELETE', path);
              location.hash = '#/policies';
            }} />
        )}
      </Heading>
      <State of={policy}>
        {found && allowed && (allowed[`auth.policies.${uuid}.update`] && !found.read_only
          ? <Edit key={contents(found)} policy={found} tellsWho={allowed['auth.users.read'] && allowed['auth.access.who_can']} again={policy.again} />
          : <Part title={t('Accesses')}>
              {found.read_only && <p class="notice">{t('This policy comes from the configuration or from another tenant, and can’t be changed here.')}</p>}
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
    <Part title={t('Who has it')}>
      <State of={users}>
        {users.answer && <p>{t('{count} users, directly or by a group.', { count: number(users.answer.filtered) })}</p>}
        <ul>{(users.answer?.items ?? []).map((user) => <li key={user.uuid}><a href={`#/users/${user.uuid}`}>{nameOf(user)}</a></li>)}</ul>
      </State>
    </Part>
  );
}

function Edit({ policy, tellsWho, again }: { policy: Policy; tellsWho: boolean; again(): void }) {
  const [name, setName] = useState(policy.name);
  const [description, setDescription] = useState(policy.description ?? '');
  const [text, setText] = useState(sorted(policy.acl).join('\n'));
  const [outdated, setOutdated] = useState(false);
  const acl = lines(text);
  const gained = acl.filter((access) => !policy.acl.includes(access));
  const lost = policy.acl.filter((access) => !acl.includes(access));
  const changed = gained.length > 0 || lost.length > 0 || name !== policy.name || description !== (policy.description ?? '');
  const path = `policies/${policy.uuid}`;
  const save = async () => {
    if (contents(await call<Policy>('GET', path)) !== contents(policy)) return setOutdated(true);
    await call('PUT', path, { body: { name, description: description || null, acl } });
    tell(t('The policy was saved.'));
    again();
  };
  return (
    <Part title={t('Accesses')}>
      <div class="form">
        <Field name="name" label={t('Name')} value={name} onText={setName} required />
        <Field name="description" label={t('Description')} value={description} onText={setDescription} />
      </div>
      <div class="field">
        <label for="acl">{t('Accesses, one a line')}</label>
        <textarea id="acl" spellcheck={false} value={text} onInput={(event: Event) => setText((event.currentTarget as HTMLTextAreaElement).value)} />
      </div>
      {changed && (
        <div class="notice" role="status">
          <h3>{t('What saving would change')}</h3>
          <ul>
            {gained.map((access) => <li key={`+${access}`}>{t('gain')} <ins><code>{access}</code></ins></li>)}
            {lost.map((access) => <li key={`-${access}`}>{t('lose')} <del><code>{access}</code></del></li>)}
          </ul>
          {(gained.length > 0 || lost.length > 0) && (tellsWho
            ? <Effects policy={policy} acl={acl} gained={gained} lost={lost} />
            : <p>{t('From their next login on, all who have this policy gain or lose, unless another policy says otherwise.')}</p>)}
        </div>
      )}
      {outdated && (
        <p class="notice bad" role="alert">
          {t('Somebody else has changed this policy meanwhile; nothing was saved.')}{' '}
          <button type="button" onClick={again}>{t('Show their version, and drop mine')}</button>
        </p>
      )}
      <div class="buttons"><Act label={t('Save')} main disabled={!changed || !name} act={save} /></div>
    </Part>
  );
}
