// Names in the place of UUIDs, where the visitor may see whose they are.
import { h } from 'preact';
import { call, may, piece, type Group, type List, type Tenant, type User } from '../api';
import { useAsked } from '../kit';
import { t } from '../texts';

export function nameOf(user: User): string {
  return user.username || mainAddress(user) || fullName(user);
}

export function fullName({ uuid, username, firstname, lastname }: Pick<User, 'uuid' | 'username' | 'firstname' | 'lastname'>): string {
  return username || [firstname, lastname].filter(Boolean).join(' ') || uuid;
}

export function groupName(group: Group): string {
  return group.system_managed ? t('All users of the tenant') : group.name;
}

export function mainAddress(user: User): string | null {
  return (user.emails.find((email) => email.main) ?? user.emails[0])?.address ?? null;
}

export function Uuid({ of }: { of: string | null | undefined }) {
  return of ? <code title={of}>{of.length === 36 ? `${of.slice(0, 8)}…` : of}</code> : <span>–</span>;
}

// Asked once and kept for a minute: the same users come again and again in lists.
const remembered = new Map<string, { at: number; user: Promise<User | null> }>();
addEventListener('sessionended', () => remembered.clear());

function lookUp(uuid: string): Promise<User | null> {
  const known = remembered.get(uuid);
  if (known && performance.now() - known.at < 60000) return known.user;
  const user = call<User>('GET', `users/${piece(uuid)}`).catch(() => null);
  remembered.set(uuid, { at: performance.now(), user });
  return user;
}

const isUuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function UserName({ uuid }: { uuid: string | null }) {
  const user = useAsked(async () => (uuid && isUuid.test(uuid) && (await may(['auth.users.read']))['auth.users.read'] ? lookUp(uuid) : null), [uuid]);
  if (!uuid) return <span>–</span>;
  if (user.answer) return <a href={`#/users/${uuid}`}>{nameOf(user.answer)}</a>;
  return <Uuid of={uuid} />;
}

export function useTenants(): Map<string, Tenant> | undefined {
  return useAsked(async () => {
    if (!(await may(['auth.tenants.read']))['auth.tenants.read']) return new Map<string, Tenant>();
    const all = await call<List<Tenant>>('GET', 'tenants');
    return new Map(all.items.map((tenant) => [tenant.uuid, tenant]));
  }, []).answer;
}

export function tenantName(tenants: Map<string, Tenant> | undefined, uuid: string): string {
  const tenant = tenants?.get(uuid);
  if (!tenant) return uuid.slice(0, 8) + '…';
  return tenant.name || tenant.slug || t('unnamed');
}
