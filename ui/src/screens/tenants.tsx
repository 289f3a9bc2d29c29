// Tenants as a tree, and one of them with its domains and its place.
import { Fragment, h } from 'preact';
import { useState } from 'preact/hooks';
import { call, type List, type Tenant } from '../api';
import { Act, Choice, Heading, Mark, Part, State, useAsked, useMay } from '../kit';
import { t } from '../texts';

type Below = Map<string, Tenant[]>;

const named = (tenant: Tenant) => tenant.name || tenant.slug || t('without a name');

function sortedBelow(tenants: Tenant[]): { roots: Tenant[]; below: Below } {
  const known = new Set(tenants.map((tenant) => tenant.uuid));
  const below: Below = new Map();
  const roots: Tenant[] = [];
  for (const tenant of [...tenants].sort((a, b) => named(a).localeCompare(named(b)))) {
    // The visitor's own tenant is below one that isn't shown, or, the master, below itself.
    if (tenant.parent_uuid === tenant.uuid || !known.has(tenant.parent_uuid)) roots.push(tenant);
    else below.set(tenant.parent_uuid, [...(below.get(tenant.parent_uuid) ?? []), tenant]);
  }
  return { roots, below };
}

// All below, the tenant itself first.
function family(tenant: Tenant, below: Below): Tenant[] {
  return [tenant, ...(below.get(tenant.uuid) ?? []).flatMap((child) => family(child, below))];
}

function Branch({ tenants, below }: { tenants: Tenant[]; below: Below }) {
  return (
    <ul class="tree">
      {tenants.map((tenant) => (
        <li key={tenant.uuid}>
          <a href={`#/tenants/${tenant.uuid}`}>{named(tenant)}</a>{' '}
          {tenant.domain_names.map((domain) => <Mark key={domain}>{domain}</Mark>)}
          {below.has(tenant.uuid) && <Branch tenants={below.get(tenant.uuid) ?? []} below={below} />}
        </li>
      ))}
    </ul>
  );
}

export function Tenants({ chosen }: { chosen: string }) {
  const tenants = useAsked((signal) => call<List<Tenant>>('GET', 'tenants', { signal }), []);
  const { roots, below } = sortedBelow(tenants.answer?.items ?? []);
  const tenant = tenants.answer?.items.find((each) => each.uuid === chosen);
  if (chosen) {
    return (
      <>
        <p><a href="#/tenants">{t('All tenants')}</a></p>
        <Heading title={tenant ? named(tenant) : t('Tenant')} />
        <State of={tenants}>
          {tenant
            ? <One tenant={tenant} all={tenants.answer?.items ?? []} below={below} again={tenants.again} />
            : <p class="notice bad" role="alert">{t('There is no such thing, or it isn’t yours to see.')}</p>}
        </State>
      </>
    );
  }
  return (
    <>
      <Heading title={t('Tenants')} />
      <State of={tenants}><Branch tenants={roots} below={below} /></State>
    </>
  );
}

function One({ tenant, all, below, again }: { tenant: Tenant; all: Tenant[]; below: Below; again(): void }) {
  const [to, setTo] = useState('');
  const moving = family(tenant, below);
  const parent = all.find((each) => each.uuid === tenant.parent_uuid && each.uuid !== tenant.uuid);
  const places = all.filter((each) => !moving.includes(each) && each.uuid !== tenant.parent_uuid);
  const allowed = useMay(places.map((each) => `auth.tenants.${tenant.uuid}.parent.${each.uuid}.update`));
  const target = places.find((each) => each.uuid === to);
  const children = below.get(tenant.uuid) ?? [];
  return (
    <>
      <Part title={t('About')}>
        <dl>
          <dt>{t('Above')}</dt><dd>{parent ? <a href={`#/tenants/${parent.uuid}`}>{named(parent)}</a> : '–'}</dd>
          <dt>{t('Below')}</dt><dd>{children.length ? <Branch tenants={children} below={below} /> : '–'}</dd>
          <dt>{t('Domains')}</dt><dd>{tenant.domain_names.join(', ') || '–'}</dd>
          <dt>{t('Users log in by')}</dt><dd>{tenant.default_authentication_method}</dd>
          <dt>{t('Short name')}</dt><dd>{tenant.slug}</dd>
          <dt>UUID</dt><dd><code>{tenant.uuid}</code></dd>
        </dl>
      </Part>
      {parent && places.some((each) => allowed?.[`auth.tenants.${tenant.uuid}.parent.${each.uuid}.update`]) && (
        <Part title={t('Move')}>
          <div class="form">
            <Choice label={t('Below which tenant?')} value={to} choose={setTo} among={[
              ['', '–'],
              ...places.filter((each) => allowed?.[`auth.tenants.${tenant.uuid}.parent.${each.uuid}.update`])
                .map((each): [string, string] => [each.uuid, named(each)]),
            ]} />
            <Act label={t('Move')} disabled={!target} done={t('The tenant was moved.')}
              ask={target && t('Move {name} from {old} to {new}? {count} tenants move with all that they have. Administrators of {old} and above no longer see them, unless they are above {new} too; those of {new} will.', {
                name: named(tenant), old: named(parent), new: named(target), count: moving.length,
              })}
              act={async () => {
                await call('PUT', `tenants/${tenant.uuid}/parent/${to}`);
                setTo('');
                again();
              }} />
          </div>
        </Part>
      )}
    </>
  );
}
