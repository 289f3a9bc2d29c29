// What a tenant's users log in by, and whom the server speaks to for them.
import { Fragment, h, type ComponentChildren } from 'preact';
import type { Visitor } from '../api';
import { Heading, useMay } from '../kit';
import { t, type Text } from '../texts';
import { External } from './external';
import { useTenant } from './forms';
import { Ldap } from './ldap';
import { Mail } from './mail';
import { Saml } from './saml';

interface Kind {
  path: string;
  title: Text;
  access: string;
  ofTenant: boolean;
  show(tenant: string, visitor: Visitor): ComponentChildren;
}

// key: the form of one tenant is never sent for another.
const kinds: Kind[] = [
  { path: 'ldap', title: 'LDAP', access: 'auth.backends.ldap.read', ofTenant: true, show: (tenant) => <Ldap key={tenant} tenant={tenant} /> },
  { path: 'saml', title: 'SAML', access: 'auth.backends.saml.read', ofTenant: true, show: (tenant) => <Saml key={tenant} tenant={tenant} /> },
  {
    path: 'external',
    title: 'External services',
    access: 'auth.google.external.config.read',
    ofTenant: true,
    show: (tenant, visitor) => <External key={tenant} tenant={tenant} visitor={visitor} />,
  },
  { path: 'mail', title: 'Email', access: 'auth.config.smtp.try', ofTenant: false, show: () => <Mail /> },
];
export const serviceAccesses = kinds.map((kind) => kind.access);

export function Services({ chosen, visitor }: { chosen: string; visitor: Visitor }) {
  const allowed = useMay(serviceAccesses);
  const { tenant, choice } = useTenant(visitor);
  const shown = kinds.filter((kind) => allowed?.[kind.access]);
  const kind = kinds.find((each) => each.path === chosen) ?? shown[0];
  return (
    <>
      <Heading title={t('Services')} />
      <nav class="parts" aria-label={t('Services')}>
        {shown.map((each) => <a href={`#/services/${each.path}`} aria-current={each === kind ? 'page' : undefined}>{t(each.title)}</a>)}
      </nav>
      {kind?.ofTenant && choice && <div class="tenant">{choice}</div>}
      {kind?.show(tenant, visitor)}
      {allowed && !kind && <p class="notice bad" role="alert">{t('You may not see this.')}</p>}
    </>
  );
}
