// The public API, and the visitor's session there. Tokens are in the memory of this page and nowhere else.
//
// The page is served at .../ui/, the API beside it at .../0.1/: whoever is in front of both may show them below any path.

export class Failure extends Error {
  // status 0: no answer came.
  constructor(readonly status: number, message: string) {
    super(message);
  }
  get away(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }
  get forbidden(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

export interface Visitor {
  name: string;
  uuid: string;
  tenant: string;
  session: string;
}

interface Issued {
  token: string;
  utc_expires_at: string;
  utc_issued_at: string;
  refresh_token?: string;
  session_uuid: string;
  metadata: { uuid: string; tenant_uuid: string };
}

type Query = Record<string, string | number | boolean | undefined>;
export interface Asked {
  query?: Query;
  body?: unknown;
  tenant?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

const CLIENT_ID = 'wazo-auth-ui';
const LIFETIME_SECONDS = 3600;
const RENEW_BEFORE_MS = 5 * 60 * 1000;
const LOOK_EVERY_MS = 5000;

let token: string | null = null;
let refreshToken: string | null = null;
let endsAt = 0; // by performance.now(): the visitor's clock may be wrong
let renewing = 0;
let looking = 0;

// Why there is no session: nobody has logged in, the visitor logged out, somebody or something else ended it, or a login
// by SAML came to nothing.
export type Ended = 'nobody' | 'self' | 'others' | 'expired' | 'saml';
export interface Listener {
  session(visitor: Visitor | null, why: Ended): void;
  reachable(yes: boolean): void;
}
let listener: Listener = { session: () => undefined, reachable: () => undefined };
export function listen(to: Listener): void {
  listener = to;
}

export const apiFolder = new URL('../0.1/', location.href);

function address(path: string, query: Query = {}): URL {
  const url = new URL(path.replace(/^\//, ''), apiFolder);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') url.searchParams.set(name, String(value));
  }
  return url;
}

// A piece of a path, whatever is in it.
export function piece(text: string): string {
  return encodeURIComponent(text);
}

// Browsers and nginx resolve the dots of a path, nginx even behind a slash that is encoded. So a name that somebody chose,
// of a client say, could send the visitor's token to another place of the server.
function leadsElsewhere(path: string): boolean {
  return path.split('/').some((part) => decodeURIComponent(part).split('/').some((name) => name === '.' || name === '..'));
}

async function send(method: string, path: string, headers: Record<string, string>, asked: Asked = {}): Promise<Response> {
  if (leadsElsewhere(path)) throw new Failure(404, '');
  const all: Record<string, string> = { Accept: 'application/json', ...headers, ...asked.headers };
  const form = asked.body instanceof FormData; // the browser knows its Content-Type
  if (asked.body !== undefined && !form) all['Content-Type'] = 'application/json';
  if (asked.tenant) all['Wazo-Tenant'] = asked.tenant;
  try {
    const answer = await fetch(address(path, asked.query), {
      method,
      headers: all,
      body: form ? (asked.body as FormData) : asked.body === undefined ? undefined : JSON.stringify(asked.body),
      signal: asked.signal,
      cache: 'no-store',
      credentials: 'omit', // the page has a token of its own; a cookie of the platform is no business of it
      redirect: 'error',
    });
    listener.reachable(true);
    return answer;
  } catch (error) {
    if (asked.signal?.aborted) throw error;
    listener.reachable(false);
    throw new Failure(0, '');
  }
}

// What the API says of a failure, in whichever of its forms.
export function saidIn(body: any, status: number): string {
  let said = '';
  if (typeof body.message === 'string') said = body.message;
  else if (Array.isArray(body.reason)) said = body.reason.map(String).join(', ');
  if (body.details?.invalid_fields || typeof body.details === 'object') {
    const fields = Object.keys(body.details);
    if (fields.length && status === 400) said += ` (${fields.join(', ')})`;
    // "Conflict detected": of what, the details say.
    const taken = Object.values(body.details).map((detail) => (detail as { message?: string }).message).filter(Boolean);
    if (taken.length && status === 409) said = taken.join(', ');
  }
  return said;
}

async function failure(answer: Response): Promise<Failure> {
  let said = '';
  try {
    said = saidIn(await answer.json(), answer.status);
  } catch {
    // no JSON: the status says enough
  }
  return new Failure(answer.status, said);
}

export async function call<Answer>(method: string, path: string, asked: Asked = {}): Promise<Answer> {
  const used = token;
  const answer = await send(method, path, used ? { 'X-Auth-Token': used } : {}, asked);
  if (answer.ok) return (answer.status === 204 ? undefined : await answer.json()) as Answer;
  // A refusal for lack of access, or the end of the token? Only the API knows.
  if (answer.status === 401 && used && used === token) await look();
  throw await failure(answer);
}

export async function publicCall<Answer>(method: string, path: string, asked: Asked = {}): Promise<Answer> {
  const answer = await send(method, path, {}, asked);
  if (!answer.ok) throw await failure(answer);
  return (answer.status === 204 ? undefined : await answer.json()) as Answer;
}

function basic(name: string, password: string): string {
  let bytes = '';
  for (const byte of new TextEncoder().encode(`${name}:${password}`)) bytes += String.fromCharCode(byte);
  return `Basic ${btoa(bytes)}`;
}

function accept(issued: Issued, name: string): void {
  token = issued.token;
  const life = Date.parse(`${issued.utc_expires_at}Z`) - Date.parse(`${issued.utc_issued_at}Z`);
  endsAt = performance.now() + life;
  if (issued.refresh_token) refreshToken = issued.refresh_token;
  clearTimeout(renewing);
  renewing = window.setTimeout(renew, Math.max(life - RENEW_BEFORE_MS, life / 2));
  clearInterval(looking);
  looking = window.setInterval(() => {
    if (document.visibilityState === 'visible') void look();
  }, LOOK_EVERY_MS);
  const { uuid, tenant_uuid } = issued.metadata;
  listener.session({ name, uuid, tenant: tenant_uuid, session: issued.session_uuid }, 'nobody');
}

let visitorName = '';

export async function logIn(name: string, password: string): Promise<void> {
  const answer = await send(
    'POST',
    'token',
    { Authorization: basic(name, password) },
    { body: { access_type: 'offline', client_id: CLIENT_ID, expiration: LIFETIME_SECONDS } },
  );
  if (!answer.ok) throw await failure(answer);
  visitorName = name;
  bySaml = false;
  accept((await answer.json()).data, name);
}

// A login by SAML leaves the page and comes back to it. What lies in this window's storage meanwhile is no token: it is
// good for one login, and for whoever has just been at the identity provider.
const SAML_SESSION = 'wazo-auth-ui.saml';
let bySaml = false;

export async function beginSaml(domain: string): Promise<void> {
  const begun = await publicCall<{ location: string; saml_session_id: string }>('POST', 'saml/sso', {
    body: { domain, redirect_url: new URL('./', location.href).href },
  });
  sessionStorage.setItem(SAML_SESSION, begun.saml_session_id);
  location.assign(begun.location);
}

// What the window's storage has under this name, once.
function taken(name: string): string | null {
  try {
    const value = sessionStorage.getItem(name);
    sessionStorage.removeItem(name);
    return value;
  } catch {
    return null; // a browser that keeps nothing
  }
}

export function comesBack(): boolean {
  try {
    return location.search !== '' || sessionStorage.getItem(SAML_SESSION) !== null;
  } catch {
    return false; // a browser that keeps nothing
  }
}

// Whoever comes back from an identity provider is logged in now, or here is why there is no session.
export async function comeBack(): Promise<Ended | null> {
  const said = new URLSearchParams(location.search);
  const id = taken(SAML_SESSION);
  if (location.search) history.replaceState(null, '', location.pathname + location.hash);
  if (said.has('logged_out')) return 'self';
  if (said.has('login_failure_code')) return 'saml';
  if (!id) return 'nobody';
  const answer = await send('POST', 'token', {}, {
    body: { saml_session_id: id, access_type: 'offline', client_id: CLIENT_ID, expiration: LIFETIME_SECONDS },
  });
  if (!answer.ok) return 'saml';
  const issued: Issued = (await answer.json()).data;
  const { uuid } = issued.metadata;
  const user = await send('GET', `users/${uuid}`, { 'X-Auth-Token': issued.token }).catch(() => null);
  const known = user?.ok ? ((await user.json()) as User) : null; // whoever may not ask stays a number
  visitorName = known?.username || known?.emails[0]?.address || uuid.slice(0, 8);
  bySaml = true;
  accept(issued, visitorName);
  return null;
}

// Each token has a session of its own: the one before goes when the new one is there.
async function renew(): Promise<void> {
  if (!refreshToken || !token) return;
  const before = token;
  try {
    const answer = await send('POST', 'token', {}, {
      body: { refresh_token: refreshToken, client_id: CLIENT_ID, expiration: LIFETIME_SECONDS },
    });
    if (token !== before) {
      // The visitor has logged out meanwhile.
      if (answer.ok) void send('DELETE', `token/${(await answer.json()).data.token}`, {}).catch(() => undefined);
      return;
    }
    if (answer.ok) {
      accept((await answer.json()).data, visitorName);
      void send('DELETE', `token/${before}`, {}).catch(() => undefined);
      return;
    }
    if (answer.status === 401) {
      refreshToken = null; // the token itself may go on to its end
      return;
    }
  } catch {
    // the server is away
  }
  renewing = window.setTimeout(renew, 10000);
}

function forget(why: Ended): void {
  token = refreshToken = null;
  clearTimeout(renewing);
  clearInterval(looking);
  dispatchEvent(new Event('sessionended')); // what was kept for this visitor goes
  listener.session(null, why);
}

// Does the token live? One that died before its time was ended by somebody else: it isn't renewed then.
async function look(): Promise<void> {
  const used = token;
  if (!used) return;
  let answer;
  try {
    answer = await send('HEAD', `token/${used}`, {});
  } catch {
    return;
  }
  if (token !== used || answer.ok || answer.status !== 404) return;
  if (performance.now() < endsAt) return forget('others');
  if (refreshToken) await renew();
  if (token === used) forget('expired');
}

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') void look();
});

// Whoever leaves the page leaves the session, also where the browser keeps the page for a way back.
addEventListener('pagehide', () => {
  if (!token) return;
  void fetch(address(`token/${token}`), { method: 'DELETE', keepalive: true, credentials: 'omit' }).catch(() => undefined);
  forget('self');
});

export async function logOut(): Promise<void> {
  const used = token;
  if (!used) return;
  const header = { 'X-Auth-Token': used };
  forget('self');
  if (bySaml) {
    // It ends at the identity provider, too; the browser goes there and comes back.
    const ended = await send('GET', 'saml/logout', header).catch(() => null);
    if (ended?.ok) return location.assign((await ended.json()).location);
  }
  // The refresh token first: it takes the token to end it. Whoever may not, keeps it.
  await send('DELETE', `users/me/tokens/${CLIENT_ID}`, header).catch(() => undefined);
  await send('DELETE', `token/${used}`, {}).catch(() => undefined);
}

// Which accesses does the visitor have? The page shows what the API would do, and knows no rule of its own.
const known = new Map<string, boolean>();
const pending = new Map<string, Promise<void>>();
let gathered: string[] | null = null; // what the parts of a screen ask for at the same time is one request
let gathering: Promise<void> = Promise.resolve();
let knownFor: string | null = null;

function forThisToken(): void {
  if (knownFor === token) return;
  known.clear();
  pending.clear();
  gathered = null;
  knownFor = token;
}

async function check(accesses: string[], asked: string): Promise<void> {
  await null; // until all who ask now have asked
  if (gathered === accesses) gathered = null;
  try {
    const { scopes } = await call<{ scopes: Record<string, boolean> }>('POST', `token/${asked}/scopes/check`, { body: { scopes: accesses } });
    if (asked === token) for (const [access, yes] of Object.entries(scopes)) known.set(access, yes);
  } finally {
    if (asked === token) for (const access of accesses) pending.delete(access);
  }
}

function gather(access: string, asked: string): Promise<void> {
  if (!gathered) gathering = check((gathered = []), asked);
  gathered.push(access);
  pending.set(access, gathering);
  return gathering;
}

// What is known already; undefined if some of them aren't.
export function knownOf(accesses: string[]): Record<string, boolean> | undefined {
  forThisToken();
  if (!accesses.every((access) => known.has(access))) return undefined;
  return Object.fromEntries(accesses.map((access) => [access, known.get(access) ?? false]));
}

export async function may(accesses: string[]): Promise<Record<string, boolean>> {
  forThisToken();
  const asked = token;
  if (asked) await Promise.all(accesses.filter((access) => !known.has(access)).map((access) => pending.get(access) ?? gather(access, asked)));
  return Object.fromEntries(accesses.map((access) => [access, known.get(access) ?? false]));
}

export interface Answered {
  status: number;
  ms: number;
  text: string;
}

// Whatever the answer is.
export async function raw(method: string, path: string, asked: Asked): Promise<Answered> {
  const begin = performance.now();
  const answer = await send(method, path, token ? { 'X-Auth-Token': token } : {}, asked);
  let text = await answer.text();
  const ms = Math.round(performance.now() - begin);
  try {
    text = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // it isn't JSON: as it is
  }
  return { status: answer.status, ms, text };
}

export async function documentText(): Promise<string> {
  const answer = await send('GET', 'api/api.yml', {});
  if (!answer.ok) throw await failure(answer);
  return answer.text();
}

// For a request as a line of a shell: where the token goes, not the token.
export function asCurl(method: string, path: string, asked: Asked = {}): string {
  const quote = (text: string) => `'${text.replace(/'/g, `'\\''`)}'`;
  const parts = ['curl', '-X', method, '-H', '"X-Auth-Token: $TOKEN"'];
  if (asked.body instanceof FormData) {
    for (const [name, value] of asked.body.entries()) parts.push('-F', quote(`${name}=${typeof value === 'string' ? value : `@${value.name}`}`));
  } else if (asked.body !== undefined) parts.push('-H', quote('Content-Type: application/json'), '-d', quote(JSON.stringify(asked.body)));
  for (const [name, value] of Object.entries(asked.headers ?? {})) parts.push('-H', quote(`${name}: ${value}`));
  if (asked.tenant) parts.push('-H', quote(`Wazo-Tenant: ${asked.tenant}`));
  parts.push(quote(address(path, asked.query).href));
  return parts.join(' ');
}

export interface List<Item> {
  items: Item[];
  total: number;
  filtered: number;
}
export interface Email {
  uuid: string;
  address: string;
  main: boolean;
  confirmed: boolean;
}
export interface User {
  uuid: string;
  username: string | null;
  firstname: string | null;
  lastname: string | null;
  enabled: boolean;
  emails: Email[];
  purpose: string;
  tenant_uuid: string;
  authentication_method: string;
}
export interface Session {
  uuid: string;
  mobile: boolean;
  tenant_uuid: string;
  user_uuid: string | null;
}
export interface RefreshToken {
  client_id: string;
  created_at: string;
  mobile: boolean;
  user_uuid: string;
  tenant_uuid: string;
}
export interface Group {
  uuid: string;
  tenant_uuid: string;
  name: string;
  slug: string;
  system_managed: boolean;
}
export interface Policy {
  uuid: string;
  tenant_uuid: string;
  name: string;
  slug: string;
  description: string | null;
  acl: string[];
  read_only: boolean;
  shared: boolean;
}
export interface Tenant {
  uuid: string;
  parent_uuid: string;
  name: string | null;
  slug: string;
  domain_names: string[];
  default_authentication_method: string;
}
export interface AuditEntry {
  id: number;
  at: string;
  action: string;
  kind: string;
  object_uuid: string | null;
  related_uuid: string | null;
  tenant_uuid: string | null;
  actor_uuid: string | null;
  session_uuid: string | null;
  remote_addr: string | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
}
// What a try came to, step by step.
export interface Step {
  name: string;
  outcome: 'ok' | 'warning' | 'failed';
  reason: string | null;
  duration_ms: number;
  details: Record<string, unknown>;
}
export interface Tried {
  success: boolean;
  duration_ms: number;
  steps: Step[];
}
export interface Lock {
  uuid: string;
  kind: string;
  value: string;
  tenant_uuid: string;
  reason: string | null;
  created_at: string;
  ends_at: string | null;
}
