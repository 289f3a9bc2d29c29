// A new user, and the data of one that is there.
import { Fragment, h } from 'preact';
import { useState } from 'preact/hooks';
import { call, type User, type Visitor } from '../api';
import { setAddresses } from '../bulk';
import { Act, Choice, Field, Heading, Part, tell, useAsked } from '../kit';
import { t } from '../texts';
import { methodsOf } from './bulk';
import { Area, Outdated, useTenant } from './forms';

interface Data {
  username: string;
  firstname: string;
  lastname: string;
  purpose: string;
  authentication_method: string;
}

function Fields({ data, set }: { data: Data; set(data: Data): void }) {
  const methods = useAsked(methodsOf, []).answer ?? [data.authentication_method];
  const text = (name: 'username' | 'firstname' | 'lastname', label: string) => (
    <Field name={name} label={label} value={data[name]} onText={(value) => set({ ...data, [name]: value })} />
  );
  return (
    <div class="form grid">
      {text('username', t('Username'))}
      {text('firstname', t('First name'))}
      {text('lastname', t('Last name'))}
      <Choice name="method" label={t('Login method')} value={data.authentication_method} choose={(authentication_method) => set({ ...data, authentication_method })}
        among={methods.map((method): [string, string] => [method, method])} />
      <Choice label={t('Purpose')} value={data.purpose} choose={(purpose) => set({ ...data, purpose })}
        among={['user', 'internal', 'external_api'].map((each): [string, string] => [each, each])} />
    </div>
  );
}

const bodyOf = ({ username, firstname, lastname, purpose, authentication_method }: Data) => ({
  username: username.trim() || null, firstname: firstname.trim() || null, lastname: lastname.trim() || null, purpose, authentication_method,
});

export function NewUser({ visitor }: { visitor: Visitor }) {
  const [data, setData] = useState<Data>({ username: '', firstname: '', lastname: '', purpose: 'user', authentication_method: 'default' });
  const [address, setAddress] = useState('');
  const [password, setPassword] = useState('');
  const { tenant, choice } = useTenant(visitor);
  const create = async () => {
    const user = await call<User>('POST', 'users', {
      tenant, body: { ...bodyOf(data), email_address: address.trim() || null, password: password || null },
    });
    tell(t('The user was created.'));
    location.hash = `#/users/${user.uuid}`;
  };
  return (
    <>
      <p><a href="#/users">{t('All users')}</a></p>
      <Heading title={t('New user')} />
      <Part title={t('Account')}>
        <Fields data={data} set={setData} />
        <div class="form grid">
          <Field name="address" label={t('Email address')} value={address} onText={setAddress} />
          <Field name="new-password" type="password" label={t('Password')} value={password} onText={setPassword} autocomplete="new-password"
            hint={t('Empty: none, until an email sets one.')} />
          {choice}
        </div>
        <div class="buttons"><Act label={t('Create')} main disabled={!data.username.trim() && !address.trim()} act={create} /></div>
      </Part>
    </>
  );
}

const dataOf = (user: User): Data => ({
  username: user.username ?? '', firstname: user.firstname ?? '', lastname: user.lastname ?? '', purpose: user.purpose,
  authentication_method: user.authentication_method,
});
// What an edit may change, to see whether somebody else has meanwhile.
const contents = (user: User) => JSON.stringify([dataOf(user), user.emails.map((email) => [email.address, email.main, email.confirmed])]);

export function EditUser({ user, addresses: mayAddresses, again, close }: { user: User; addresses: boolean; again(): void; close(): void }) {
  const [data, setData] = useState(dataOf(user));
  const [outdated, setOutdated] = useState(false);
  const mainFirst = [...user.emails].sort((a, b) => Number(b.main) - Number(a.main)).map((email) => email.address);
  const [text, setText] = useState(mainFirst.join('\n'));
  const addresses = [...new Set(text.split(/\s+/).filter(Boolean))];
  const changed = JSON.stringify(data) !== JSON.stringify(dataOf(user));
  const moved = addresses.join(' ') !== mainFirst.join(' ');
  const save = async () => {
    const now = await call<User>('GET', `users/${user.uuid}`);
    if (contents(now) !== contents(user)) return setOutdated(true);
    if (changed) await call('PUT', `users/${user.uuid}`, { body: { ...bodyOf(data), enabled: now.enabled } });
    try {
      if (moved) await setAddresses(now, addresses);
    } finally {
      again();
    }
    tell(t('The user was saved.'));
    close();
  };
  return (
    <Part title={t('Edit')}>
      <Fields data={data} set={setData} />
      {mayAddresses && (
        <Area name="addresses" label={t('Email addresses, one per line; the first is the main one')} value={text} onText={setText} rows={3} hint={t('New addresses count as confirmed.')} />
      )}
      {outdated && <Outdated again={() => {
        again();
        close();
      }} />}
      <div class="buttons">
        <Act label={t('Save')} main disabled={(!changed && !moved) || (!data.username.trim() && !addresses.length)} act={save} />
        <button type="button" onClick={close}>{t('Cancel')}</button>
      </div>
    </Part>
  );
}
