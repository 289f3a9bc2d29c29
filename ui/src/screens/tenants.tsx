// Tenants as a tree that is walked by keyboard and moved in by mouse or keyboard; and one of them, to edit.
import { Fragment, h } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { call, may, type List, type Lock, type Tenant } from '../api';
import { Act, Choice, Field, Heading, Mark, Part, State, tell, useAsked, useMay } from '../kit';
import { t } from '../texts';
import { Area, Outdated, useForm } from './forms';

type Below = Map<string, Tenant[]>;

const named = (tenant: Tenant) => tenant.name || tenant.slug || t('unnamed');
const names = (tenants: Tenant[]) => tenants.map(named).join(', ');

interface Forest {
  all: Tenant[];
  roots: Tenant[];
  below: Below;
}

function forestOf(tenants: Tenant[]): Forest {
  const known = new Set(tenants.map((tenant) => tenant.uuid));
  const below: Below = new Map();
  const roots: Tenant[] = [];
  for (const tenant of [...tenants].sort((a, b) => named(a).localeCompare(named(b)))) {
    // The visitor's own tenant is below one that isn't shown, or, the master, below itself.
    if (tenant.parent_uuid === tenant.uuid || !known.has(tenant.parent_uuid)) roots.push(tenant);
    else below.set(tenant.parent_uuid, [...(below.get(tenant.parent_uuid) ?? []), tenant]);
  }
  return { all: tenants, roots, below };
}

// All below, the tenant itself first.
function family(tenant: Tenant, below: Below): Tenant[] {
  return [tenant, ...(below.get(tenant.uuid) ?? []).flatMap((child) => family(child, below))];
}

// From a tenant up to where the visitor sees no more.
function upwards(from: string, all: Tenant[]): Tenant[] {
  const tenant = all.find((each) => each.uuid === from);
  return tenant ? [tenant, ...(tenant.parent_uuid === tenant.uuid ? [] : upwards(tenant.parent_uuid, all))] : [];
}

const moveAccess = (tenant: string, to: string) => `auth.tenants.${tenant}.parent.${to}.update`;

interface Move {
  tenant: Tenant;
  to: Tenant;
}

// What a move would change, and the question whether it shall.
function Moving({ move: { tenant, to }, forest, answer }: { move: Move; forest: Forest; answer(moved: boolean): void }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => ref.current?.showModal(), []);
  const moving = family(tenant, forest.below);
  const before = upwards(tenant.parent_uuid, forest.all);
  const after = upwards(to.uuid, forest.all);
  const lose = before.filter((each) => !after.includes(each));
  const gain = after.filter((each) => !before.includes(each));
  const locked = useAsked(async (signal) => {
    if (!gain.length || !(await may(['auth.locks.read']))['auth.locks.read']) return [];
    const locks = await call<List<Lock>>('GET', 'locks', { query: { kind: 'tenant', recurse: true }, signal });
    return gain.filter((each) => locks.items.some((lock) => lock.value === each.uuid));
  }, [tenant.uuid, to.uuid]);
  const title = t('Move {name} to {new}?', { name: named(tenant), new: named(to) });
  return (
    <dialog ref={ref} aria-label={title} onCancel={() => answer(false)}>
      <h2>{title}</h2>
      <ul>
        <li>{moving.length > 1
          ? t('{count|# tenant moves|# tenants move} with everything in them: {names}.', { count: moving.length, names: names(moving) })
          : t('This tenant moves with everything in it.')}</li>
        {lose.length > 0 && <li><span class="lose">{t('Administrators of these tenants no longer see it:')}</span> {names(lose)}</li>}
        {gain.length > 0 && <li><span class="gain">{t('Administrators of these tenants see it from now on:')}</span> {names(gain)}</li>}
        {!!locked.answer?.length && <li><span class="lose">{t('These tenants are locked, and whatever moves there will be, too:')}</span> {names(locked.answer)}</li>}
        <li>{t('Users, policies, domains and configurations stay as they are. Shared policies come from the new parents.')}</li>
      </ul>
      <div class="buttons">
        <button type="button" autofocus onClick={() => answer(false)}>{t('Cancel')}</button>
        <Act label={t('Move')} main disabled={locked.loading} act={async () => {
          await call('PUT', `tenants/${tenant.uuid}/parent/${to.uuid}`);
          tell(t('The tenant was moved.'));
          answer(true);
        }} />
      </div>
    </dialog>
  );
}

export function Tenants({ chosen }: { chosen: string }) {
  const tenants = useAsked((signal) => call<List<Tenant>>('GET', 'tenants', { signal }), []);
  const forest = forestOf(tenants.answer?.items ?? []);
  const tenant = forest.all.find((each) => each.uuid === chosen);
  const allowed = useMay(['auth.tenants.create']);
  if (chosen) {
    return (
      <>
        <p><a href="#/tenants">{t('All tenants')}</a></p>
        <Heading title={tenant ? named(tenant) : t('Tenant')} />
        <State of={tenants}>
          {tenant
            ? <One tenant={tenant} forest={forest} again={tenants.again} />
            : <p class="notice bad" role="alert">{t('This doesn’t exist, or you may not see it.')}</p>}
        </State>
      </>
    );
  }
  return (
    <>
      <Heading title={t('Tenants')} />
      <State of={tenants}>
        <Tree forest={forest} again={tenants.again} />
        {allowed?.['auth.tenants.create'] && <Create forest={forest} again={tenants.again} />}
      </State>
    </>
  );
}

function Tree({ forest, again }: { forest: Forest; again(): void }) {
  const { roots, below, all } = forest;
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const [at, setAt] = useState(roots[0]?.uuid ?? '');
  const [held, setHeld] = useState<Tenant | null>(null); // taken by keyboard or mouse, to be put somewhere
  const [over, setOver] = useState('');
  const [move, setMove] = useState<Move | null>(null);
  const tree = useRef<HTMLUListElement>(null);
  const landing = useRef<Move | null>(null); // the focus goes along, once the tree has it there

  const open = (uuid: string, yes: boolean) => {
    const next = new Set(closed);
    if (yes) next.delete(uuid);
    else next.add(uuid);
    setClosed(next);
  };
  const fits = (tenant: Tenant | null, to: Tenant) => tenant !== null && tenant.parent_uuid !== to.uuid && !family(tenant, below).includes(to);
  const put = async (to: Tenant) => {
    setOver('');
    if (!held || !fits(held, to)) return;
    const access = moveAccess(held.uuid, to.uuid);
    if ((await may([access]))[access]) setMove({ tenant: held, to });
    else tell(t('You may not do this.'), true);
  };
  const go = (uuid: string | undefined) => {
    if (!uuid) return;
    setAt(uuid);
    tree.current?.querySelector<HTMLElement>(`[data-tenant="${uuid}"]`)?.focus();
  };
  useEffect(() => {
    const landed = landing.current;
    if (!landed || !below.get(landed.to.uuid)?.some((each) => each.uuid === landed.tenant.uuid)) return;
    landing.current = null;
    go(landed.tenant.uuid);
  });
  const key = (event: KeyboardEvent, tenant: Tenant) => {
    const seen = [...(tree.current?.querySelectorAll<HTMLElement>('[data-tenant]') ?? [])].map((each) => each.dataset.tenant);
    const index = seen.indexOf(tenant.uuid);
    const children = below.get(tenant.uuid) ?? [];
    const command = event.ctrlKey || event.metaKey;
    const keys: Record<string, () => void> = command
      ? { x: () => setHeld(tenant), v: () => void put(tenant) }
      : {
        ArrowDown: () => go(seen[index + 1]),
        ArrowUp: () => go(seen[index - 1]),
        Home: () => go(seen[0]),
        End: () => go(seen[seen.length - 1]),
        ArrowRight: () => (closed.has(tenant.uuid) ? open(tenant.uuid, true) : go(children[0]?.uuid)),
        ArrowLeft: () => (children.length && !closed.has(tenant.uuid) ? open(tenant.uuid, false) : go(all.find((each) => each.uuid === tenant.parent_uuid)?.uuid)),
        ' ': () => (location.hash = `#/tenants/${tenant.uuid}`),
        Escape: () => setHeld(null),
      };
    if (!keys[event.key] || event.altKey || event.shiftKey) return;
    event.preventDefault();
    keys[event.key]();
  };

  const Branch = (tenants: Tenant[], level: number) => tenants.map((tenant) => {
    const children = below.get(tenant.uuid) ?? [];
    const shown = children.length > 0 && !closed.has(tenant.uuid);
    return (
      <li role="none" key={tenant.uuid}>
        <div class={over === tenant.uuid ? 'row over' : 'row'}
          onDragOver={(event: DragEvent) => {
            if (!fits(held, tenant)) return;
            event.preventDefault();
            if (over !== tenant.uuid) setOver(tenant.uuid);
          }}
          onDragLeave={() => setOver('')}
          onDrop={(event: DragEvent) => {
            event.preventDefault();
            void put(tenant);
          }}>
          <span class="twist" aria-hidden="true" onClick={() => open(tenant.uuid, !shown)}>{children.length ? (shown ? '▾' : '▸') : ''}</span>
          <a role="treeitem" href={`#/tenants/${tenant.uuid}`} data-tenant={tenant.uuid} class={held?.uuid === tenant.uuid ? 'held' : undefined}
            tabIndex={tenant.uuid === at ? 0 : -1} aria-level={level} aria-expanded={children.length ? shown : undefined}
            aria-owns={shown ? `below-${tenant.uuid}` : undefined} draggable
            onFocus={() => setAt(tenant.uuid)} onKeyDown={(event: KeyboardEvent) => key(event, tenant)}
            onDragStart={(event: DragEvent) => {
              setHeld(tenant);
              event.dataTransfer?.setData('text/plain', named(tenant));
            }}
            onDragEnd={() => setOver('')}>
            {named(tenant)}
          </a>
          {tenant.domain_names.map((domain) => <Mark key={domain}>{domain}</Mark>)}
        </div>
        {shown && <ul class="tree" role="group" id={`below-${tenant.uuid}`}>{Branch(children, level + 1)}</ul>}
      </li>
    );
  });

  return (
    <>
      <div>
        <p class="quiet">{t('Arrow keys walk the tree, Enter opens a tenant. Drag a tenant to move it, or use Ctrl+X and Ctrl+V.')}</p>
        <p class="told" role="status">{held && !move && t('{name} is ready to move: press Ctrl+V on its new parent, or Escape.', { name: named(held) })}</p>
      </div>
      <ul class="tree" role="tree" aria-label={t('Tenants')} ref={tree}>{Branch(roots, 1)}</ul>
      {move && (
        <Moving move={move} forest={forest} answer={(moved) => {
          setMove(null);
          setHeld(null);
          if (moved) {
            landing.current = move;
            again();
          } else go(move.tenant.uuid);
        }} />
      )}
    </>
  );
}

const listed = (text: string) => [...new Set(text.split(/[\s,]+/).filter(Boolean))];

function Create({ forest, again }: { forest: Forest; again(): void }) {
  const [name, setName] = useState('');
  const [domains, setDomains] = useState('');
  const [parent, setParent] = useState(forest.roots[0]?.uuid ?? '');
  return (
    <Part title={t('New tenant')}>
      <div class="grid">
        <Field name="new_name" label={t('Name')} value={name} onText={setName} required />
        <Choice name="parent" label={t('Parent tenant')} value={parent} choose={setParent}
          among={forest.roots.flatMap((root) => family(root, forest.below)).map((each): [string, string] => [each.uuid, named(each)])} />
        <Area name="new_domains" label={t('Domains, one per line')} value={domains} onText={setDomains} rows={2} hint={t('LDAP and SAML logins find the tenant by its domains. A domain belongs to one tenant only.')} />
      </div>
      <div class="buttons">
        <Act label={t('Create')} main disabled={!name.trim()} done={t('The tenant was created.')} act={async () => {
          await call('POST', 'tenants', { tenant: parent, body: { name: name.trim(), domain_names: listed(domains) } });
          setName('');
          setDomains('');
          again();
        }} />
      </div>
    </Part>
  );
}

function One({ tenant, forest, again }: { tenant: Tenant; forest: Forest; again(): void }) {
  const { all, below } = forest;
  const own = `auth.tenants.${tenant.uuid}`;
  const [to, setTo] = useState('');
  const [asked, setAsked] = useState(false);
  const moving = family(tenant, below);
  const parent = all.find((each) => each.uuid === tenant.parent_uuid && each.uuid !== tenant.uuid);
  const places = all.filter((each) => !moving.includes(each) && each.uuid !== tenant.parent_uuid);
  const allowed = useMay([`${own}.update`, `${own}.delete`, ...places.map((each) => moveAccess(tenant.uuid, each.uuid))]);
  const open = places.filter((each) => allowed?.[moveAccess(tenant.uuid, each.uuid)]);
  const target = places.find((each) => each.uuid === to);
  const children = below.get(tenant.uuid) ?? [];
  return (
    <>
      <Part title={t('About')}>
        <dl>
          <dt>{t('Parent tenant')}</dt><dd>{parent ? <a href={`#/tenants/${parent.uuid}`}>{named(parent)}</a> : '–'}</dd>
          <dt>{t('Tenants below')}</dt>
          <dd>{children.length ? <ul class="plain">{children.map((each) => <li key={each.uuid}><a href={`#/tenants/${each.uuid}`}>{named(each)}</a></li>)}</ul> : '–'}</dd>
          <dt>{t('Domains')}</dt><dd>{tenant.domain_names.join(', ') || '–'}</dd>
          <dt>{t('Default login method')}</dt><dd>{tenant.default_authentication_method}</dd>
          <dt>{t('Slug')}</dt><dd>{tenant.slug}</dd>
          <dt>UUID</dt><dd><code>{tenant.uuid}</code></dd>
        </dl>
      </Part>
      {allowed?.[`${own}.update`] && <Edit key={contents(tenant)} tenant={tenant} again={again} />}
      {parent && open.length > 0 && (
        <Part title={t('Move')}>
          <div class="form">
            <Choice name="parent" label={t('Parent tenant')} value={to} choose={setTo}
              among={[['', '–'], ...open.map((each): [string, string] => [each.uuid, named(each)])]} />
            <button type="button" disabled={!target} onClick={() => setAsked(true)}>{t('Move')}</button>
          </div>
          {asked && target && (
            <Moving move={{ tenant, to: target }} forest={forest} answer={(moved) => {
              setAsked(false);
              if (!moved) return;
              setTo('');
              again();
            }} />
          )}
        </Part>
      )}
      {parent && !children.length && allowed?.[`${own}.delete`] && (
        <Part title={t('Delete')}>
          <p>{t('Everything in it is deleted: users, groups, policies, sessions and configurations.')}</p>
          <div class="buttons">
            <Act label={t('Delete')} danger ask={t('Delete {name} and everything in it? This can’t be undone.', { name: named(tenant) })} done={t('The tenant was deleted.')} act={async () => {
              await call('DELETE', `tenants/${tenant.uuid}`);
              location.hash = '#/tenants';
            }} />
          </div>
        </Part>
      )}
    </>
  );
}

// What an edit may change, to see whether somebody else has meanwhile.
const contents = (tenant: Tenant) => JSON.stringify([tenant.uuid, tenant.name, [...tenant.domain_names].sort(), tenant.default_authentication_method]);

function Edit({ tenant, again }: { tenant: Tenant; again(): void }) {
  const { form, set, changed } = useForm({
    name: tenant.name ?? '', domains: [...tenant.domain_names].sort().join('\n'), method: tenant.default_authentication_method,
  });
  const [outdated, setOutdated] = useState(false);
  const methods = useAsked(async (signal) => ((await may(['auth.idp.read']))['auth.idp.read']
    ? (await call<List<string>>('GET', 'idp', { signal })).items.filter((each) => each !== 'default').sort()
    : []), []);
  const domains = listed(form.domains);
  const lost = tenant.domain_names.filter((each) => !domains.includes(each));
  const save = async () => {
    const path = `tenants/${tenant.uuid}`;
    const now = await call<Tenant>('GET', path);
    if (contents(now) !== contents(tenant)) return setOutdated(true);
    // What isn't in the form stays: this operation replaces all of the tenant.
    await call('PUT', path, { body: { ...now, name: form.name || null, domain_names: domains, default_authentication_method: form.method } });
    tell(t('The tenant was saved.'));
    again();
  };
  return (
    <Part title={t('Edit')}>
      <div class="grid">
        <Field name="name" label={t('Name')} value={form.name} onText={(name) => set({ name })} />
        <Choice name="method" label={t('Default login method')} value={form.method} choose={(method) => set({ method })}
          among={[...new Set([form.method, ...(methods.answer ?? [])])].map((each): [string, string] => [each, each])}
          hint={t('For users whose own method is “default”.')} />
        <Area name="domains" label={t('Domains, one per line')} value={form.domains} onText={(text) => set({ domains: text })} rows={3}
          hint={t('LDAP and SAML logins find the tenant by its domains. A domain belongs to one tenant only.')} />
      </div>
      {lost.length > 0 && <p class="notice" role="status">{t('Nobody can log in with {domains} any more. A SAML configuration that belongs to it is deleted, too.', { domains: lost.join(', ') })}</p>}
      {outdated && <Outdated again={again} />}
      <div class="buttons"><Act label={t('Save')} main disabled={!changed} act={save} /></div>
    </Part>
  );
}
