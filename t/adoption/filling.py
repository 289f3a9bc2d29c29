"""What a database of the daemon holds before nginx meets it: made over the daemon's API, a bit of everything."""
import uuid


class Filling:
    """All of it is made by the constructor. Passwords, tokens and refresh tokens are kept for later."""

    def __init__(self, api, admin):
        self.api = api
        self.admin = admin
        self.root = api.log_in(*admin, expiration=86400)['token']
        self.tenants, self.users, self.groups, self.policies = [], [], [], []
        self.tokens, self.refresh_tokens = [], []
        self.top = api.good('GET', f'/token/{self.root}')['data']['metadata']['tenant_uuid']
        self._fill_tenants()
        self._fill_policies()
        self._fill_users()
        self._fill_groups()
        self._fill_configuration()
        self._fill_tokens()

    def make(self, kind, parent=None, **fields):
        return self.api.good('POST', f'/{kind}', self.root, fields, headers={'Wazo-Tenant': parent or self.top})

    def _fill_tenants(self):
        a = self.make(
            'tenants',
            name='Alpha',
            slug='alpha',
            phone='+1 555 0100',
            domain_names=['a.example', 'b.example'],
            address={'line_1': '1 rue du Fort', 'city': 'Québec', 'zip_code': 'G1R', 'country': 'CA'},
        )
        b = self.make('tenants', a['uuid'], name='Beta', slug='beta', default_authentication_method='native')
        c = self.make('tenants', b['uuid'], name='Γάμμα — 丙', uuid=str(uuid.uuid4()))
        d = self.make('tenants', name=None, slug='delta')
        e = self.make('tenants', name='Alpha')
        self.tenants = [{'uuid': self.top}, a, b, c, d, e]

    def _fill_policies(self):
        for tenant in self.tenants:
            for name, acl in (
                ('reader', ['confd.users.read', 'confd.*.read', 'auth.users.me.read']),
                ('almost all', ['#', '!confd.users.delete', '!auth.#.delete']),
                ('empty', []),
                ('Élève', ['calld.me.#', 'confd.users.edit', 'dird.#.update']),
            ):
                self.policies.append(
                    self.make('policies', tenant['uuid'], name=name, acl=acl, description=f'about {name}')
                )
        self.policies.append(
            self.make('policies', self.tenants[1]['uuid'], name='shared below alpha', shared=True, acl=['shared.read'])
        )
        self.policies.append(self.make('policies', name='no description', slug='Other_Slug-1', acl=['a.b.c']))

    def _fill_users(self):
        for n, tenant in enumerate(self.tenants):
            self._user(tenant, username=f'plain{n}', firstname='Plain', lastname=str(n), password=f'plain-password-{n}')
            self._user(tenant, username=f'UPPER{n}', email_address=f'Upper{n}@Example.COM', password=f'päß-密-{n}')
            self._user(tenant, email_address=f'mail-only-{n}@example.com', password=f'mail-password-{n}')
            self._user(tenant, username=f'robot{n}', purpose='external_api', password=f'robot-password-{n}')
            self._user(tenant, username=f'inner{n}', purpose='internal', password=f'inner-password-{n}')
            self._user(tenant, username=f'without{n}', firstname=None)
            self._user(tenant, username=f'off{n}', enabled=False, password=f'off-password-{n}')
        # Version 1: sessions of such users are shown without them.
        self._user(self.tenants[1], username='old-uuid', uuid=str(uuid.uuid1()), password='old-uuid-password')
        for user in self.users[::3]:
            policy = next(each for each in self.policies if each['tenant_uuid'] == user['tenant_uuid'])
            self.api.good('PUT', f"/users/{user['uuid']}/policies/{policy['uuid']}", self.root)
        for n, user in enumerate(self.users[::4]):
            emails = [
                {'address': f'first{n}@example.com', 'main': True, 'confirmed': True},
                {'address': f'Second{n}@example.com', 'main': False, 'confirmed': False},
                {'address': f'third{n}@example.com', 'main': False, 'confirmed': True},
            ]
            self.api.good('PUT', f"/admin/users/{user['uuid']}/emails", self.root, {'emails': emails})
            user['more_logins'] = [f'first{n}@example.com', f'THIRD{n}@example.com']
            user['no_login'] = f'Second{n}@example.com'
            user['login'] = user['username'] or user['more_logins'][0]
        self.api.good(
            'PUT', f"/tenants/{self.tenants[4]['uuid']}", self.root, {'name': 'Delta', 'contact': self.users[5]['uuid']}
        )

    def _user(self, tenant, password=None, **fields):
        made = self.make('users', tenant['uuid'], **{**fields, **({'password': password} if password else {})})
        login = fields.get('username') or fields.get('email_address')
        self.users.append({**made, 'login': login, 'password': password})

    def _fill_groups(self):
        for tenant in self.tenants:
            for name in ('staff', 'Ünicode group'):
                group = self.make('groups', tenant['uuid'], name=name)
                self.groups.append(group)
                for user in [each for each in self.users if each['tenant_uuid'] == tenant['uuid']][:4]:
                    self.api.good('PUT', f"/groups/{group['uuid']}/users/{user['uuid']}", self.root)
                for policy in [each for each in self.policies if each['tenant_uuid'] == tenant['uuid']][:2]:
                    self.api.good('PUT', f"/groups/{group['uuid']}/policies/{policy['uuid']}", self.root)

    def _fill_configuration(self):
        """What nginx has to leave alone even where it doesn't use it."""
        inside = {'Wazo-Tenant': self.tenants[1]['uuid']}
        self.api.good(
            'PUT',
            '/backends/ldap',
            self.root,
            {
                'host': 'ldap.example',
                'port': 389,
                'user_base_dn': 'ou=people,dc=example',
                'user_login_attribute': 'uid',
                'user_email_attribute': 'mail',
                'bind_dn': 'cn=reader',
                'bind_password': 'bind-secret-5',
            },
            headers=inside,
        )
        self.api.good(
            'POST',
            '/external/google/config',
            self.root,
            {'client_id': 'google-id', 'client_secret': 's'},
            headers=inside,
        )
        self.api.good('POST', f"/users/{self.users[0]['uuid']}/external/mobile", self.root, {'token': 'device'})
        # The daemon notes which types are on when somebody lists them.
        self.api.good('GET', f"/users/{self.users[0]['uuid']}/external", self.root)

    def _fill_tokens(self):
        """Online, offline and mobile ones, of every user who may log in."""
        for n, user in enumerate(self.users):
            if not user['password'] or not user['enabled']:
                continue
            login = (user['login'], user['password'])
            self.tokens.append({'token': self.api.log_in(*login, expiration=86400)['token'], 'user': user})
            if n % 2:
                made = self.api.log_in(
                    *login, expiration=86400, access_type='offline', client_id=f'app-{n}', mobile=n % 4 == 1
                )
                self.tokens.append({'token': made['token'], 'user': user})
                self.refresh_tokens.append(
                    {'refresh_token': made['refresh_token'], 'client_id': f'app-{n}', 'user': user}
                )
