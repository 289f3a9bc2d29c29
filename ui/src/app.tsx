// The page: who is there, where one is, and the screen for it. Screens are named behind the '#', which no server sees.
import { Fragment, h, render, type ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { beginSaml, comeBack, comesBack, Failure, listen, logIn, logOut, publicCall, type Ended, type Visitor } from './api';
import { Field, Heading, sentence, Teller, useAsked, useMay } from './kit';
import { Audit } from './screens/audit';
import { Bulk } from './screens/bulk';
import { NewUser } from './screens/edituser';
import { NodeScreen } from './screens/figures';
import { Groups, GroupScreen, NewGroup } from './screens/groups';
import { askEarly, Home, type Status } from './screens/home';
import { Locks } from './screens/locks';
import { Operations } from './screens/operations';
import { NewPolicy, Policies, PolicyScreen } from './screens/policies';
import { serviceAccesses, Services } from './screens/services';
import { Sessions } from './screens/sessions';
import { Tenants } from './screens/tenants';
import { RefreshTokens } from './screens/tokens';
import { UserScreen } from './screens/user';
import { Users } from './screens/users';
import { language, languages, setLanguage, t, type Language, type Text } from './texts';

interface Screen {
  path: string;
  title: Text;
  aside?: true; // the way there is on another screen
  access?: string | string[]; // whoever lacks it, or all of them, doesn't see the way there
  show(rest: string, visitor: Visitor): ComponentChildren;
}

const screens: Screen[] = [
  { path: 'home', title: 'Overview', show: () => <Home /> },
  { path: 'node', title: 'Metrics of this server', aside: true, show: () => <NodeScreen /> },
  {
    path: 'users',
    title: 'Users',
    access: 'auth.users.read',
    show: (rest, visitor) => {
      if (!rest) return <Users />;
      if (rest === 'new') return <NewUser visitor={visitor} />;
      if (rest === 'bulk') return <Bulk visitor={visitor} />;
      return <UserScreen key={rest} uuid={rest} visitor={visitor} />;
    },
  },
  {
    path: 'groups',
    title: 'Groups',
    access: 'auth.groups.read',
    show: (rest, visitor) => {
      if (!rest) return <Groups />;
      return rest === 'new' ? <NewGroup visitor={visitor} /> : <GroupScreen key={rest} uuid={rest} />;
    },
  },
  {
    path: 'policies',
    title: 'Policies',
    access: 'auth.policies.read',
    show: (rest, visitor) => {
      if (!rest) return <Policies />;
      return rest === 'new' ? <NewPolicy visitor={visitor} /> : <PolicyScreen key={rest} uuid={rest} />;
    },
  },
  { path: 'tenants', title: 'Tenants', access: 'auth.tenants.read', show: (rest) => <Tenants chosen={rest} /> },
  { path: 'sessions', title: 'Sessions', access: 'auth.sessions.read', show: (_, visitor) => <Sessions own={visitor.session} /> },
  { path: 'tokens', title: 'Refresh tokens', access: 'auth.tokens.read', show: () => <RefreshTokens /> },
  { path: 'locks', title: 'Locks', access: 'auth.locks.read', show: (_, visitor) => <Locks visitor={visitor} /> },
  {
    path: 'services',
    title: 'Services',
    access: serviceAccesses,
    show: (rest, visitor) => <Services chosen={rest} visitor={visitor} />,
  },
  { path: 'audit', title: 'Audit log', access: 'auth.audit.read', show: () => <Audit /> },
  { path: 'api', title: 'API', show: (rest) => <Operations chosen={rest} /> },
];

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // no browser and no link of this page makes it
  }
}

const accesses = (screen: Screen): string[] => (typeof screen.access === 'string' ? [screen.access] : screen.access ?? []);

function place(): [string, string] {
  const [path, ...rest] = location.hash.replace(/^#\/?/, '').split('/');
  return [path || 'home', rest.map(decoded).join('/')];
}

function usePlace(): [string, string] {
  const [now, set] = useState(place);
  useEffect(() => {
    const moved = () => set(place());
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);
  return now;
}

function LanguageChoice() {
  return (
    <select aria-label={t('Language')} onChange={(event: Event) => setLanguage((event.currentTarget as HTMLSelectElement).value as Language)}>
      {Object.entries(languages).map(([tag, name]) => <option value={tag} lang={tag} selected={tag === language()}>{name}</option>)}
    </select>
  );
}

const farewells: Record<Ended, Text | null> = {
  nobody: null,
  self: 'You have logged out.',
  others: 'Your session was ended by somebody else, or by a lock. Changes that weren’t saved are lost.',
  expired: 'Your session has expired.',
  saml: 'The SAML login didn’t succeed. The server’s error log and the tenant’s SAML screen say why.',
};

function LogIn({ why }: { why: Ended }) {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const status = useAsked(() => publicCall<Status>('GET', 'status'), []);
  const farewell = farewells[why];
  useEffect(() => {
    document.title = 'wazo-auth';
    document.querySelector('input')?.focus();
  }, []);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    void askEarly();
    try {
      await logIn(name, password);
    } catch (caught) {
      setPassword('');
      setBusy(false);
      if (caught instanceof Failure && caught.status === 401) setFailure(t('Wrong name or password, or this account may not log in.'));
      else if (caught instanceof Failure && caught.status === 429) setFailure(t('Too many attempts or sessions. Wait a moment and try again.'));
      else setFailure(sentence(caught));
    }
  };
  return (
    <main class="login" id="main">
      <div class="brand"><img src="icon.svg" alt="" /><h1>{t('Log in')}</h1></div>
      {farewell && <p class="notice" role="alert">{t(farewell)}</p>}
      {status.answer?.health && status.answer.health.state !== 'ready' && (
        <p class="notice bad">{t('The server reports a problem: {why}', { why: status.answer.health.why.join(', ') || status.answer.health.state })}</p>
      )}
      <form onSubmit={submit}>
        <Field name="username" label={t('Username or email address')} value={name} onText={setName} autocomplete="username" required />
        <Field name="password" type="password" label={t('Password')} value={password} onText={setPassword} autocomplete="current-password" required />
        {failure && <p class="notice bad" role="alert">{failure}</p>}
        <button class="main" disabled={busy}>{busy ? t('Logging in…') : t('Log in')}</button>
      </form>
      <SamlLogIn name={name} />
      <LanguageChoice />
    </main>
  );
}

// Over to the identity provider of a domain; the domain of an address is a good guess.
function SamlLogIn({ name }: { name: string }) {
  const [typed, setTyped] = useState<string | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const domain = typed ?? name.split('@')[1] ?? '';
  const submit = async (event: Event) => {
    event.preventDefault();
    setFailure(null);
    try {
      await beginSaml(domain.trim());
    } catch (caught) {
      if (!(caught instanceof Failure) || caught.away) setFailure(sentence(caught));
      else if (caught.message === 'redirect_url') setFailure(t('The server doesn’t let browsers come back to this page: saml.redirect_urls in its configuration lacks this address.'));
      else if (caught.status === 400) setFailure(t('This isn’t a valid domain.'));
      else setFailure(t('There is no SAML login for this domain.'));
    }
  };
  return (
    <details>
      <summary>{t('Log in with SAML')}</summary>
      <form onSubmit={submit}>
        <Field name="domain" label={t('Domain')} value={domain} onText={setTyped} required hint={t('Your organisation’s domain, such as example.org. You log in on its own page.')} />
        {failure && <p class="notice bad" role="alert">{failure}</p>}
        <button>{t('Log in with SAML')}</button>
      </form>
    </details>
  );
}

function Page({ visitor }: { visitor: Visitor }) {
  const [path, rest] = usePlace();
  const allowed = useMay(screens.flatMap(accesses));
  const screen = screens.find((each) => each.path === path);
  return (
    <>
      <a class="skip" href="#main" onClick={(event: Event) => {
        event.preventDefault();
        document.querySelector<HTMLElement>('h1')?.focus();
      }}>{t('Skip to content')}</a>
      <header class="top">
        <a class="brand" href="#/home"><img src="icon.svg" alt="" />wazo-auth</a>
        <nav aria-label={t('Screens')}>
          {screens.filter((each) => !each.aside && (!each.access || accesses(each).some((access) => allowed?.[access]))).map((each) => (
            <a href={`#/${each.path}`} aria-current={each.path === path ? 'page' : undefined}>{t(each.title)}</a>
          ))}
        </nav>
        <div class="who">
          <a href={`#/users/${visitor.uuid}`}>{visitor.name}</a>
          <button type="button" onClick={() => void logOut()}>{t('Log out')}</button>
        </div>
      </header>
      <main id="main" key={path + rest}>
        {screen ? screen.show(rest, visitor) : <Heading title={t('There is no such screen.')} />}
      </main>
      <footer><LanguageChoice /></footer>
    </>
  );
}

function App() {
  const [visitor, setVisitor] = useState<Visitor | null>(null);
  const [why, setWhy] = useState<Ended>('nobody');
  const [reachable, setReachable] = useState(true);
  const [, setTag] = useState(language());
  const [coming, setComing] = useState(comesBack);
  useEffect(() => {
    listen({
      session: (who, reason) => {
        setVisitor(who);
        if (!who) setWhy(reason);
      },
      reachable: setReachable,
    });
    addEventListener('languagechosen', () => setTag(language()));
    comeBack().catch((): Ended => 'saml').then((reason) => {
      if (reason) setWhy(reason);
      setComing(false);
    });
  }, []);
  return (
    <>
      {!reachable && <p class="away" role="alert">{t('The server can’t be reached. Trying again…')}</p>}
      {visitor ? <Page visitor={visitor} /> : coming ? <p class="quiet" role="status">{t('Loading…')}</p> : <LogIn why={why} />}
      <Teller />
    </>
  );
}

document.documentElement.lang = language();
render(<App />, document.getElementById('app') as HTMLElement);
