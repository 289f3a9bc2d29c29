// Users of one tenant as a table: what a file would change, and the changes, each user whole.
import { call, Failure, piece, type Group, type List, type Policy, type User } from './api';
import type { CsvRow } from './csv';
import { t, type Text } from './texts';

export const COLUMNS = [
  'uuid', 'username', 'firstname', 'lastname', 'purpose', 'authentication_method', 'enabled', 'addresses', 'groups', 'policies',
] as const;
// `password`: of new users, never exported. `error`: a report of failures may be mended and imported again.
const READ: readonly string[] = [...COLUMNS, 'password', 'error'];
type Cells = Record<string, string>; // by column; one that the file doesn't have isn't there

// What a tenant has.
export interface Known {
  users: User[];
  groups: Group[]; // but for the one of all users
  policies: Policy[];
  groupsOf: Map<string, Set<string>>; // UUIDs by the user's
  policiesOf: Map<string, Set<string>>;
}

const PAGE = 1000;
async function all<Item>(path: string, query: Record<string, string>, tenant: string, signal?: AbortSignal, progress?: (done: number, total: number) => void): Promise<Item[]> {
  const items: Item[] = [];
  for (;;) {
    const page = await call<List<Item>>('GET', path, { query: { ...query, limit: PAGE, offset: items.length }, tenant, signal });
    items.push(...page.items);
    progress?.(items.length, page.filtered);
    if (page.items.length < PAGE) return items;
  }
}

// A few at a time: neither one after the other nor all at once.
export async function each<Item>(items: Item[], what: (item: Item) => Promise<void>, stopped: () => boolean = () => false): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < items.length && !stopped()) await what(items[next++]);
  };
  await Promise.all([work(), work(), work(), work()]);
}

export async function learn(tenant: string, signal: AbortSignal, progress: (done: number, total: number) => void): Promise<Known> {
  const users = await all<User>('users', { order: 'username' }, tenant, signal, progress);
  const groups = (await all<Group>('groups', { order: 'name' }, tenant, signal)).filter((group) => !group.system_managed);
  const policies = (await call<List<Policy>>('GET', 'policies', { query: { order: 'name' }, tenant, signal })).items;
  const known: Known = { users, groups, policies, groupsOf: new Map(), policiesOf: new Map() };
  const put = (into: Map<string, Set<string>>, user: string, uuid: string) => {
    const has = into.get(user);
    if (has) has.add(uuid);
    else into.set(user, new Set([uuid]));
  };
  await each(groups, async (group) => {
    const members = await all<User>(`groups/${group.uuid}/users`, { order: 'username' }, tenant, signal);
    members.forEach((user) => put(known.groupsOf, user.uuid, group.uuid));
  });
  await each(policies, async (policy) => {
    const having = await all<User>('users', { order: 'username', policy_uuid: policy.uuid }, tenant, signal);
    having.forEach((user) => put(known.policiesOf, user.uuid, policy.uuid));
  });
  return known;
}

const slugs = (of: { uuid: string; slug: string }[], uuids: Set<string> | undefined) =>
  of.filter((each) => uuids?.has(each.uuid)).map((each) => each.slug).sort();
// The main one in front.
const addressesOf = (user: User) =>
  [...user.emails].sort((a, b) => Number(b.main) - Number(a.main)).map((email) => email.address);

function cellsOf(user: User, known: Known): Cells {
  return {
    uuid: user.uuid,
    username: user.username ?? '',
    firstname: user.firstname ?? '',
    lastname: user.lastname ?? '',
    purpose: user.purpose,
    authentication_method: user.authentication_method,
    enabled: String(user.enabled),
    addresses: addressesOf(user).join(' '),
    groups: slugs(known.groups, known.groupsOf.get(user.uuid)).join(' '),
    policies: slugs(known.policies, known.policiesOf.get(user.uuid)).join(' '),
  };
}

export function table(known: Known): string[][] {
  return [[...COLUMNS], ...known.users.map((user) => {
    const cells = cellsOf(user, known);
    return COLUMNS.map((column) => cells[column]);
  })];
}

export interface Change {
  column: string;
  before: string;
  after: string;
}
export interface Planned {
  line: number;
  cells: string[]; // as the file has them
  name: string;
  kind: 'new' | 'changed' | 'unchanged' | 'faulty';
  faults: string[];
  changes: Change[];
  user: User | null; // that is there
  wanted: Cells;
}
export interface Plan {
  columns: string[];
  rows: Planned[];
}

const words = (text: string) => [...new Set(text.split(/[\s;,|]+/).filter(Boolean))];
const YES = ['true', '1', 'yes', 'oui', 'vrai'];
const NO = ['false', '0', 'no', 'non', 'faux'];

// The file as a whole can't be used: why, and what of it.
export class Unusable extends Error {
  constructor(readonly why: Text, readonly what = '') {
    super(why);
  }
}

export function plan(file: CsvRow[] | null, known: Known, methods: string[]): Plan {
  if (!file) throw new Unusable('A quoted cell in this file doesn’t end.');
  if (!file.length) throw new Unusable('This file is empty.');
  const columns = file[0].cells.map((cell) => cell.trim().toLowerCase());
  const odd = columns.filter((column) => !READ.includes(column));
  if (odd.length) throw new Unusable('Unknown columns: {what}', odd.join(', '));
  const twice = columns.filter((column, at) => columns.indexOf(column) !== at);
  if (twice.length) throw new Unusable('Columns that appear twice: {what}', twice.join(', '));
  if (!columns.some((column) => ['uuid', 'username', 'addresses'].includes(column))) throw new Unusable('The first line has to name the columns, among them uuid, username or addresses.');
  const find = new Map<string, User>();
  for (const user of known.users) {
    for (const email of user.emails) find.set(`login ${email.address.toLowerCase()}`, user);
    find.set(`uuid ${user.uuid}`, user);
  }
  // A username wins over an address that is the same.
  for (const user of known.users) if (user.username) find.set(`login ${user.username}`, user);
  const seen = new Map<string, number>(); // what must be one user's, and the line that has it
  return { columns, rows: file.slice(1).map((row) => planned(row, columns, find, known, methods, seen)) };
}

function planned(row: CsvRow, columns: string[], find: Map<string, User>, known: Known, methods: string[], seen: Map<string, number>): Planned {
  const wanted: Cells = {};
  columns.forEach((column, at) => (wanted[column] = (row.cells[at] ?? '').trim()));
  const faults: string[] = [];
  if (row.cells.length !== columns.length) faults.push(t('{count|# cell|# cells} instead of {wanted}', { count: row.cells.length, wanted: columns.length }));
  if (row.cells.some((cell) => cell.includes('\uFFFD'))) faults.push(t('it isn’t UTF-8'));
  const addresses = words(wanted.addresses ?? '');
  if (wanted.addresses !== undefined) wanted.addresses = addresses.join(' ');
  const key = wanted.uuid ? `uuid ${wanted.uuid.toLowerCase()}` : `login ${wanted.username || (addresses[0] ?? '').toLowerCase()}`;
  const user = find.get(key) ?? null;
  if (wanted.uuid && !user) faults.push(t('no user of this tenant has this UUID'));
  if (!wanted.uuid && !wanted.username && !addresses.length) faults.push(t('neither a username nor an email address'));
  for (const one of new Set([key, ...[wanted.username, ...addresses].filter(Boolean).map((login) => `login ${login}`)])) {
    const other = seen.get(one);
    if (other !== undefined) faults.push(t('the same user as in line {line}', { line: other }));
    else seen.set(one, row.line);
    if (other !== undefined) break;
  }
  for (const address of addresses) if (!/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(address)) faults.push(t('{what} isn’t an email address', { what: address }));
  if (wanted.enabled !== undefined) {
    const enabled = wanted.enabled.toLowerCase();
    if (YES.includes(enabled) || enabled === '') wanted.enabled = 'true';
    else if (NO.includes(enabled)) wanted.enabled = 'false';
    else faults.push(t('{column} can’t be {what}', { column: 'enabled', what: wanted.enabled }));
  }
  const purposes = ['user', 'internal', 'external_api'];
  for (const [column, among, fallback] of [['purpose', purposes, 'user'], ['authentication_method', methods, 'default']] as const) {
    if (wanted[column] === undefined) continue;
    wanted[column] ||= fallback;
    if (!among.includes(wanted[column])) faults.push(t('{column} can’t be {what}', { column, what: wanted[column] }));
  }
  for (const [column, of, text] of [['groups', known.groups, 'no group {what}'], ['policies', known.policies, 'no policy {what}']] as const) {
    if (wanted[column] === undefined) continue;
    wanted[column] = words(wanted[column]).sort().join(' ');
    for (const slug of words(wanted[column])) if (!of.some((each) => each.slug === slug)) faults.push(t(text, { what: slug }));
  }
  const before = user ? cellsOf(user, known) : {};
  const changes: Change[] = [];
  for (const column of COLUMNS) {
    if (column === 'uuid' || wanted[column] === undefined || wanted[column] === (before[column] ?? '')) continue;
    // The order of addresses but the main one says nothing.
    if (column === 'addresses' && user && sameAddresses(addresses, addressesOf(user))) continue;
    changes.push({ column, before: before[column] ?? '', after: wanted[column] });
  }
  const kind = faults.length ? 'faulty' : !user ? 'new' : changes.length ? 'changed' : 'unchanged';
  return { line: row.line, cells: row.cells, name: wanted.username || addresses[0] || wanted.uuid || '–', kind, faults, changes, user, wanted };
}

function sameAddresses(a: string[], b: string[]): boolean {
  return a[0] === b[0] && [...a].sort().join(' ') === [...b].sort().join(' ');
}

// What was done for one user, and how to take it back.
type Undo = () => Promise<unknown>;

const reasonOf = (failure: unknown) => (failure instanceof Failure
  ? failure.message || (failure.status === 0 ? t('The server can’t be reached.') : t('The server answered {status}.', { status: failure.status }))
  : String(failure));

// Null when the user is as the file has it; else why not. Then nothing of it is done.
export async function carryOut(planned: Planned, known: Known, tenant: string): Promise<string | null> {
  const undo: Undo[] = [];
  try {
    if (planned.user) await change(planned, planned.user, known, tenant, undo);
    else await create(planned, known, tenant, undo);
    return null;
  } catch (failure) {
    const why = reasonOf(failure);
    try {
      for (const back of undo.reverse()) await back();
      return why;
    } catch (again) {
      return t('{why}; part of it is done and couldn’t be undone: {again}', { why, again: reasonOf(again) });
    }
  }
}

async function create({ wanted }: Planned, known: Known, tenant: string, undo: Undo[]): Promise<void> {
  const addresses = words(wanted.addresses ?? '');
  const user = await call<User>('POST', 'users', {
    tenant,
    body: {
      username: wanted.username || null,
      firstname: wanted.firstname || null,
      lastname: wanted.lastname || null,
      enabled: wanted.enabled !== 'false',
      email_address: addresses[0] ?? null,
      password: wanted.password || null,
      ...(wanted.purpose && { purpose: wanted.purpose }),
      ...(wanted.authentication_method && { authentication_method: wanted.authentication_method }),
    },
  });
  undo.push(() => call('DELETE', `users/${user.uuid}`, { tenant }));
  if (addresses.length > 1) await setAddresses(user, addresses, tenant);
  await attach(user.uuid, wanted, known, tenant, undo);
}

async function change({ wanted, changes }: Planned, user: User, known: Known, tenant: string, undo: Undo[]): Promise<void> {
  const columns = changes.map((each) => each.column);
  const path = `users/${user.uuid}`;
  const body = ({ username, firstname, lastname, purpose, authentication_method, enabled }: User) => ({ username, firstname, lastname, purpose, authentication_method, enabled });
  // All columns are written, so they are read right before: what others have changed meanwhile stays.
  const now = await call<User>('GET', path, { tenant });
  if (columns.some((column) => ['username', 'firstname', 'lastname', 'purpose', 'authentication_method', 'enabled'].includes(column))) {
    const next = { ...body(now) };
    if (columns.includes('username')) next.username = wanted.username || null;
    if (columns.includes('firstname')) next.firstname = wanted.firstname || null;
    if (columns.includes('lastname')) next.lastname = wanted.lastname || null;
    if (columns.includes('purpose')) next.purpose = wanted.purpose;
    if (columns.includes('authentication_method')) next.authentication_method = wanted.authentication_method;
    if (columns.includes('enabled')) next.enabled = wanted.enabled === 'true';
    await call('PUT', path, { body: next, tenant });
    undo.push(() => call('PUT', path, { body: body(now), tenant }));
  }
  if (columns.includes('addresses')) {
    await setAddresses(now, words(wanted.addresses), tenant);
    undo.push(() => call('PUT', `admin/${path}/emails`, {
      body: { emails: now.emails.map(({ address, main, confirmed }) => ({ address, main, confirmed })) }, tenant,
    }));
  }
  await attach(user.uuid, wanted, known, tenant, undo);
}

// The first one is the main one. New ones count as confirmed, as those of POST /users: whoever imports answers for them.
export function setAddresses(user: User, addresses: string[], tenant?: string): Promise<unknown> {
  const confirmed = (address: string) => user.emails.find((email) => email.address === address)?.confirmed ?? true;
  return call('PUT', `admin/users/${user.uuid}/emails`, {
    body: { emails: addresses.map((address, at) => ({ address, main: at === 0, confirmed: confirmed(address) })) }, tenant,
  });
}

async function attach(user: string, wanted: Cells, known: Known, tenant: string, undo: Undo[]): Promise<void> {
  const set = async (text: string | undefined, of: { uuid: string; slug: string }[], has: Set<string> | undefined, path: (uuid: string) => string) => {
    if (text === undefined) return;
    const slugs = words(text);
    for (const one of of) {
      const wants = slugs.includes(one.slug);
      if (wants === (has?.has(one.uuid) ?? false)) continue;
      await call(wants ? 'PUT' : 'DELETE', path(one.uuid), { tenant });
      undo.push(() => call(wants ? 'DELETE' : 'PUT', path(one.uuid), { tenant }));
    }
  };
  await set(wanted.groups, known.groups, known.groupsOf.get(user), (group) => `groups/${piece(group)}/users/${user}`);
  await set(wanted.policies, known.policies, known.policiesOf.get(user), (policy) => `users/${user}/policies/${piece(policy)}`);
}
