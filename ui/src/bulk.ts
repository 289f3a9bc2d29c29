// Users of one tenant as a table: what a file would change, and the changes, each user whole. The server says what a row
// comes to (POST /users/import), in the preview as in the import.
import { call, Failure, saidIn, type Group, type List, type Policy, type User } from './api';
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
async function several<Item>(items: Item[], what: (item: Item) => Promise<void>, stopped: () => boolean = () => false): Promise<void> {
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
  await several(groups, async (group) => {
    const members = await all<User>(`groups/${group.uuid}/users`, { order: 'username' }, tenant, signal);
    members.forEach((user) => put(known.groupsOf, user.uuid, group.uuid));
  });
  await several(policies, async (policy) => {
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
  user: string | null; // the UUID of who is there
  wanted: Wanted;
}
export interface Plan {
  columns: string[];
  rows: Planned[];
}

// A row of POST /users/import, and what it answers of one.
interface Wanted {
  uuid?: string;
  username?: string | null;
  firstname?: string | null;
  lastname?: string | null;
  purpose?: string;
  authentication_method?: string;
  enabled?: boolean;
  password?: string;
  emails?: { address: string; main: boolean }[];
  groups?: string[];
  policies?: string[];
}
interface Outcome {
  outcome: 'created' | 'changed' | 'unchanged' | 'failed';
  uuid: string | null;
  changes: { field: string; before: unknown; after: unknown }[];
  status?: number;
  error?: unknown;
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

// What the file says, with the faults that are seen without the server.
export function plan(file: CsvRow[] | null): Plan {
  if (!file) throw new Unusable('A quoted cell in this file doesn’t end.');
  if (!file.length) throw new Unusable('This file is empty.');
  const columns = file[0].cells.map((cell) => cell.trim().toLowerCase());
  const odd = columns.filter((column) => !READ.includes(column));
  if (odd.length) throw new Unusable('Unknown columns: {what}', odd.join(', '));
  const twice = columns.filter((column, at) => columns.indexOf(column) !== at);
  if (twice.length) throw new Unusable('Columns that appear twice: {what}', twice.join(', '));
  if (!columns.some((column) => ['uuid', 'username', 'addresses'].includes(column))) throw new Unusable('The first line has to name the columns, among them uuid, username or addresses.');
  const seen = new Map<string, number>(); // what must be one user's, and the line that has it
  return { columns, rows: file.slice(1).map((row) => planned(row, columns, seen)) };
}

function planned(row: CsvRow, columns: string[], seen: Map<string, number>): Planned {
  const cells: Cells = {};
  columns.forEach((column, at) => (cells[column] = (row.cells[at] ?? '').trim()));
  const faults: string[] = [];
  if (row.cells.length !== columns.length) faults.push(t('{count|# cell|# cells} instead of {wanted}', { count: row.cells.length, wanted: columns.length }));
  if (row.cells.some((cell) => cell.includes('\uFFFD'))) faults.push(t('it isn’t UTF-8'));
  const addresses = words(cells.addresses ?? '');
  const logins = [cells.username, ...addresses].filter(Boolean);
  if (!cells.uuid && !logins.length) faults.push(t('neither a username nor an email address'));
  const keys = logins.map((login) => `login ${login.toLowerCase()}`);
  if (cells.uuid) keys.push(`uuid ${cells.uuid.toLowerCase()}`);
  for (const key of new Set(keys)) {
    const other = seen.get(key);
    if (other === undefined) {
      seen.set(key, row.line);
      continue;
    }
    faults.push(t('the same user as in line {line}', { line: other }));
    break;
  }
  for (const address of addresses) if (!/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(address)) faults.push(t('{what} isn’t an email address', { what: address }));
  const enabled = (cells.enabled ?? '').toLowerCase();
  if (enabled && !YES.includes(enabled) && !NO.includes(enabled)) faults.push(t('{column} can’t be {what}', { column: 'enabled', what: cells.enabled }));
  const name = cells.username || addresses[0] || cells.uuid || '–';
  return { line: row.line, cells: row.cells, name, kind: faults.length ? 'faulty' : 'unchanged', faults, changes: [], user: null, wanted: wantedOf(cells) };
}

function wantedOf(cells: Cells): Wanted {
  const wanted: Wanted = {};
  for (const column of ['username', 'firstname', 'lastname'] as const) if (column in cells) wanted[column] = cells[column] || null;
  for (const column of ['groups', 'policies'] as const) if (column in cells) wanted[column] = words(cells[column]);
  if (cells.uuid) wanted.uuid = cells.uuid;
  if (cells.password) wanted.password = cells.password;
  if ('purpose' in cells) wanted.purpose = cells.purpose || 'user';
  if ('authentication_method' in cells) wanted.authentication_method = cells.authentication_method || 'default';
  if ('enabled' in cells) wanted.enabled = !NO.includes(cells.enabled.toLowerCase());
  if ('addresses' in cells) wanted.emails = words(cells.addresses).map((address, at) => ({ address, main: at === 0 }));
  return wanted;
}

const PORTION = 100; // rows of a request

// The server is asked again while it is away: a user who is imported already is then unchanged.
async function send(rows: Planned[], dryRun: boolean, tenant: string, signal?: AbortSignal): Promise<Outcome[]> {
  const body = { users: rows.map((row) => row.wanted), dry_run: dryRun };
  for (let pause = 500; ; pause *= 2) {
    try {
      return (await call<{ items: Outcome[] }>('POST', 'users/import', { body, tenant, signal })).items;
    } catch (failure) {
      if (!(failure instanceof Failure) || !failure.away || pause > 8000) throw failure;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

function portionsOf(rows: Planned[]): Planned[][] {
  const portions: Planned[][] = [];
  for (let at = 0; at < rows.length; at += PORTION) portions.push(rows.slice(at, at + PORTION));
  return portions;
}

const textOf = (value: unknown): string => {
  if (!Array.isArray(value)) return String(value ?? '');
  const main = (each: unknown) => Number((each as { main?: boolean }).main ?? false);
  return [...value].sort((a, b) => main(b) - main(a)).map((each) => (typeof each === 'string' ? each : each.address)).join(' ');
};
const columnOf = (field: string) => (field === 'emails' ? 'addresses' : field);

const reasonOf = (failure: unknown) => (failure instanceof Failure
  ? failure.message || (failure.status === 0 ? t('The server can’t be reached.') : t('The server answered {status}.', { status: failure.status }))
  : String(failure));
const whyOf = ({ error, status = 0 }: Outcome) => saidIn(error ?? {}, status) || t('The server answered {status}.', { status });

// Asks the server what each row would do, and writes it down there. One portion after the other: each sees, as the import
// will, what those before it in the same portion did.
export async function preview({ columns, rows }: Plan, tenant: string, signal: AbortSignal, progress: (done: number, total: number) => void): Promise<void> {
  const whole = rows.filter((row) => row.kind !== 'faulty');
  const lines = new Map<string, number>(); // of who is there
  let done = 0;
  for (const portion of portionsOf(whole)) {
    const outcomes = await send(portion, true, tenant, signal);
    portion.forEach((row, at) => {
      const { outcome, uuid, changes } = outcomes[at];
      row.user = uuid;
      const other = uuid ? lines.get(uuid) : undefined;
      if (uuid && other === undefined) lines.set(uuid, row.line);
      if (outcome === 'failed') row.faults.push(whyOf(outcomes[at]));
      else if (other !== undefined) row.faults.push(t('the same user as in line {line}', { line: other }));
      row.kind = row.faults.length ? 'faulty' : outcome === 'created' ? 'new' : outcome === 'changed' ? 'changed' : 'unchanged';
      row.changes = changes
        .map(({ field, before, after }) => ({ column: columnOf(field), before: textOf(before), after: textOf(after) }))
        .filter(({ column }) => columns.includes(column));
    });
    done += portion.length;
    progress(done, whole.length);
  }
}

// Each user becomes what its row says, whole or not at all: `each` is told of every one, with why it failed or null.
export async function carryOut(rows: Planned[], tenant: string, stopped: () => boolean, each: (row: Planned, why: string | null) => void): Promise<void> {
  await several(portionsOf(rows), async (portion) => {
    try {
      const outcomes = await send(portion, false, tenant);
      portion.forEach((row, at) => each(row, outcomes[at].outcome === 'failed' ? whyOf(outcomes[at]) : null));
    } catch (failure) {
      portion.forEach((row) => each(row, reasonOf(failure)));
    }
  }, stopped);
}

// The first one is the main one. New ones count as confirmed, as those of POST /users: whoever says so answers for them.
export function setAddresses(user: User, addresses: string[], tenant?: string): Promise<unknown> {
  const confirmed = (address: string) => user.emails.find((email) => email.address === address)?.confirmed ?? true;
  return call('PUT', `admin/users/${user.uuid}/emails`, {
    body: { emails: addresses.map((address, at) => ({ address, main: at === 0, confirmed: confirmed(address) })) }, tenant,
  });
}
