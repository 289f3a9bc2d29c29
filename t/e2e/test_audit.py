"""The audit log: each change of wazo-auth's tables makes one entry, whoever makes it, and no entry has a secret.

What is in the tables must be what comes out when all entries are applied to nothing: so none is missing, and none too many.
WAZO_AUTH_AUDIT_CALLS: how many random calls are made for it, 1,000 unless told.
"""
import json
import os
import random
import uuid

import pytest

from support import servers
from support.checks import below
from support.logs import SECRETS
from support.stack import ADMIN

DATABASE = 'audit'
CALLS = int(os.environ.get('WAZO_AUTH_AUDIT_CALLS', '1000'))
TRACE = '0af7651916cd43dd8448eb211c80319c'
TABLES = {
    'user': 'auth_user',
    'email': 'auth_email',
    'group': 'auth_group',
    'group_user': 'auth_user_group',
    'group_policy': 'auth_group_policy',
    'user_policy': 'auth_user_policy',
    'policy': 'auth_policy',
    'policy_access': '(SELECT p.policy_uuid, a.access FROM auth_policy_access p JOIN auth_access a ON a.id = p.access_id)',
    'tenant': 'auth_tenant',
    'domain': 'auth_tenant_domain',
    'address': 'auth_address',
    'ldap_config': 'auth_ldap_config',
    'saml_config': 'auth_saml_config',
    'external_type': 'auth_external_auth_type',
    'external_config': 'auth_external_auth_config',
    'user_external': 'auth_user_external_auth',
    'refresh_token': 'auth_refresh_token',
    'session': 'auth_token',
    'lock': 'wazo_auth.lock',
}
SECRET = {
    'user': ['password_hash', 'password_salt'],
    'ldap_config': ['bind_password'],
    'saml_config': ['idp_metadata'],
    'external_config': ['data'],
    'user_external': ['data'],
    'refresh_token': ['metadata'],
    'session': ['acl', 'metadata'],
}
LEFT_OUT = {
    'address': ['id'],
    'refresh_token': ['uuid'],
    'session': ['uuid', 'refresh_token_uuid', 'pbx_user_uuid', 'xivo_uuid'],
    'lock': ['prefix', 'revoking', 'refresh_token_uuid'],
}


class Own:
    """An nginx with a database of its own, and its entries."""

    def __init__(self, stack, new_nginx, folder):
        self.file = folder / 'audit.log'
        folder.chmod(0o777)
        self.uri = stack.postgres.create_database(DATABASE, 'wazo-auth')
        self.postgres = stack.postgres
        self.nginx = new_nginx('audit', settings={'db_uri': self.uri, 'audit': {'file': str(self.file)}})
        self.api = self.nginx.api
        answer = self.log_in(ADMIN['username'], ADMIN['password'], expiration=7200)
        self.token, self.admin, self.session = (answer[key] for key in ('token', 'auth_id', 'session_uuid'))
        self.since, self.start = self.position(), self.rows()
        self.master = self.sql('SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid')

    def sql(self, text):
        return self.postgres.psql(DATABASE, text)

    def log_in(self, login, password, **body):
        answer = self.api.post('/token', auth=(login, password), json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()['data']

    def position(self):
        return int(self.sql('SELECT coalesce(max(id), 0) FROM wazo_auth.audit'))

    def entries(self, since=0):
        text = self.sql(
            f"SELECT coalesce(json_agg(row_to_json(a) ORDER BY id), '[]') FROM wazo_auth.audit a WHERE id > {since}"
        )
        return json.loads(text)

    def rows(self):
        """{kind: visible rows}"""
        found = {}
        for kind, table in TABLES.items():
            lines = json.loads(self.sql(f"SELECT coalesce(json_agg(to_jsonb(t)), '[]') FROM {table} AS t"))
            found[kind] = sorted((visible(kind, line) for line in lines), key=text_of)
        return found

    def call(self, method, path, status=(200, 201, 204), token=None, **options):
        answer = self.api.request(method, path, token or self.token, **options)
        assert answer.status_code in status, answer.text
        return answer.json() if answer.content else None

    def make_user(self, **fields):
        return self.call('POST', '/users', json={'username': f'u-{uuid.uuid4().hex}', **fields})


def visible(kind, line):
    shown = {key: value for key, value in line.items() if key not in LEFT_OUT.get(kind, ())}
    return {key: '***' if key in SECRET.get(kind, ()) and value is not None else value for key, value in shown.items()}


def text_of(row):
    return json.dumps(row, sort_keys=True)


def replay(start, entries):
    """What the tables hold after these entries."""
    rows = {kind: {} for kind in TABLES}
    for kind, lines in start.items():
        for line in lines:
            rows[kind].setdefault(text_of(line), []).append(line)
    for entry in entries:
        of_kind = rows.get(entry['kind'])
        before, after = entry['before'], entry['after']
        if of_kind is None or entry['action'] == 'truncated':
            continue
        if entry['action'] in ('created', 'login'):
            assert before is None
            of_kind.setdefault(text_of(after), []).append(after)
            continue
        if before is not None and after is not None:
            keys = [
                key
                for key, found in of_kind.items()
                if found
                and all(found[0].get(name) == value for name, value in before.items())
                and entry['object_uuid'] in found[0].values()
            ]
            assert keys, entry
            row = of_kind[keys[0]].pop()
            changed = row | after
            of_kind.setdefault(text_of(changed), []).append(changed)
            continue
        assert after is None and of_kind.get(text_of(before)), entry
        of_kind[text_of(before)].pop()
    return {
        kind: sorted((row for found in of_kind.values() for row in found), key=text_of)
        for kind, of_kind in rows.items()
    }


@pytest.fixture(scope='module')
def own(stack, new_nginx, folder):
    return Own(stack, new_nginx, folder)


def summary(entries):
    return sorted((entry['action'], entry['kind']) for entry in entries)


def test_each_change_has_one_entry_with_before_and_after(own):
    since = own.position()
    user = own.make_user(password=SECRETS.new_password(), email_address=f'{uuid.uuid4().hex}@example.com')
    entries = own.entries(since)
    assert summary(entries) == [('created', 'email'), ('created', 'group_user'), ('created', 'user')]
    [made] = [entry for entry in entries if entry['kind'] == 'user']
    assert made['before'] is None
    assert made['after']['username'] == user['username']
    assert made['after']['password_hash'] == made['after']['password_salt'] == '***'
    for entry in entries:
        assert (entry['actor_uuid'], entry['session_uuid']) == (own.admin, own.session)
        assert (entry['tenant_uuid'], entry['remote_addr']) == (own.master, '127.0.0.1')
        assert user['uuid'] in (entry['object_uuid'], entry['related_uuid'])

    since = own.position()
    own.call('PUT', f"/users/{user['uuid']}", json={'username': user['username'], 'firstname': 'Ada'})
    own.call('PUT', f"/users/{user['uuid']}", json={'username': user['username'], 'firstname': 'Ada'})
    [entry] = own.entries(since)
    assert (entry['action'], entry['before'], entry['after']) == ('updated', {'firstname': None}, {'firstname': 'Ada'})

    since = own.position()
    own.call('DELETE', f"/users/{user['uuid']}")
    entries = own.entries(since)
    assert summary(entries) == [('deleted', 'email'), ('deleted', 'group_user'), ('deleted', 'user')]
    assert {entry['tenant_uuid'] for entry in entries} == {own.master}
    assert all(entry['after'] is None and entry['before'] for entry in entries)


def test_a_policy_s_accesses_are_told(own):
    since = own.position()
    policy = own.call('POST', '/policies', json={'name': uuid.uuid4().hex, 'acl': ['one.read', 'two.read']})
    assert summary(own.entries(since)) == [('created', 'policy')] + [('created', 'policy_access')] * 2
    since = own.position()
    own.call('PUT', f"/policies/{policy['uuid']}", json={'name': policy['name'], 'acl': ['two.read', 'three.read']})
    changes = {(e['action'], (e['before'] or e['after']).get('access')) for e in own.entries(since)}
    # Their order is that of their rows: all are put in anew.
    both = {(action, 'two.read') for action in ('deleted', 'created')}
    assert changes - both == {('deleted', 'one.read'), ('created', 'three.read')}


def test_logins_and_logouts(own):
    password = SECRETS.new_password()
    user = own.make_user(password=password)
    since = own.position()
    token = own.log_in(user['username'], password, access_type='offline', client_id='phone')
    own.call('DELETE', f"/token/{token['token']}", token='')
    login, refresh, logout = sorted(own.entries(since), key=lambda e: ('login', 'created', 'logout').index(e['action']))
    for entry in (login, logout):
        assert (entry['kind'], entry['object_uuid']) == ('session', token['session_uuid'])
        assert (entry['actor_uuid'], entry['tenant_uuid']) == (user['uuid'], own.master)
    assert (refresh['kind'], refresh['after']['client_id']) == ('refresh_token', 'phone')
    assert refresh['actor_uuid'] == user['uuid']


def test_failed_logins_are_counted(own):
    user = own.make_user(password=SECRETS.new_password())
    since = own.position()
    for _ in range(2):
        assert own.api.post('/token', auth=(user['username'], 'wrong')).status_code == 401
    counts = f"FROM wazo_auth.failed_login WHERE login = '{user['username']}'"
    assert own.sql(f'SELECT sum(count) {counts}') == '2'
    own.sql("UPDATE wazo_auth.failed_login SET minute = minute - interval '1 hour'")
    servers.wait_until(lambda: own.entries(since), 30, 'the entry')
    entries = [entry for entry in own.entries(since) if entry['object_uuid'] == user['uuid']]
    assert {(entry['action'], entry['kind']) for entry in entries} == {('login_failed', 'login')}
    assert sum(entry['after']['count'] for entry in entries) == 2
    assert {entry['after']['login'] for entry in entries} == {user['username']}
    assert {(entry['tenant_uuid'], entry['remote_addr']) for entry in entries} == {(own.master, '127.0.0.1')}


def test_a_flood_of_failed_logins_is_no_flood_of_rows(own):
    own.sql(
        'INSERT INTO wazo_auth.failed_login (minute, remote_addr, login, count) '
        "SELECT date_trunc('minute', now()) + m * interval '1 minute', '192.0.2.1', 'flood' || g, 1 "
        'FROM generate_series(0, 1) m, generate_series(1, 100) g'
    )
    name = f'flood-{uuid.uuid4().hex}'
    assert own.api.post('/token', auth=(name, 'wrong')).status_code == 401
    assert own.sql(f"SELECT count(*) FROM wazo_auth.failed_login WHERE login = '{name}'") == '0'
    assert own.sql("SELECT sum(count) FROM wazo_auth.failed_login WHERE login = ''") == '1'
    own.sql("DELETE FROM wazo_auth.failed_login WHERE login LIKE 'flood%' OR login = ''")


def test_changes_by_sql_have_an_entry_of_nobody(own):
    user = own.make_user()
    since = own.position()
    own.sql(f"UPDATE auth_user SET lastname = 'x' WHERE uuid = '{user['uuid']}'")
    [entry] = own.entries(since)
    assert (entry['action'], entry['object_uuid'], entry['after']) == ('updated', user['uuid'], {'lastname': 'x'})
    assert [entry[key] for key in ('actor_uuid', 'session_uuid', 'remote_addr', 'trace_id')] == [None] * 4


def test_what_is_rolled_back_has_none(own):
    user = own.make_user()
    since = own.position()
    own.call('POST', '/users', (409,), json={'username': user['username']})
    own.sql(f"BEGIN; DELETE FROM auth_user WHERE uuid = '{user['uuid']}'; ROLLBACK")
    assert own.entries(since) == []


@pytest.mark.parametrize(
    'header, trace',
    [
        (f'00-{TRACE}-b7ad6b7169203331-01', TRACE),
        (f'cc-{TRACE}-b7ad6b7169203331-01-more', TRACE),
        (f'ff-{TRACE}-b7ad6b7169203331-01', None),
        (f'00-{TRACE}-b7ad6b7169203331-01-more', None),
        (f'00-{TRACE.upper()}-b7ad6b7169203331-01', None),
        (f'00-{"0" * 32}-b7ad6b7169203331-01', None),
        (f"00-{TRACE}-b7ad6b7169203331-01'; DROP", None),
    ],
)
def test_the_trace_of_a_request_is_told(own, header, trace):
    since = own.position()
    own.call('POST', '/groups', json={'name': uuid.uuid4().hex}, headers={'traceparent': header})
    [entry] = own.entries(since)
    assert entry['trace_id'] == trace


def test_no_entry_has_a_secret(own):
    passwords = [SECRETS.new_password() for _ in range(4)]
    user = own.make_user(password=passwords[0])
    own.call(
        'PUT', f"/users/{user['uuid']}/password", json={'old_password': passwords[0], 'new_password': passwords[1]}
    )
    token = own.log_in(user['username'], passwords[1], access_type='offline', client_id='c')
    own.call('POST', '/token', token='', json={'refresh_token': token['refresh_token'], 'client_id': 'c'})
    own.call(
        'PUT',
        '/backends/ldap',
        json={
            'host': 'ldap.example.com',
            'port': 389,
            'bind_dn': 'cn=wazo',
            'bind_password': passwords[2],
            'user_base_dn': 'ou=people',
            'user_login_attribute': 'uid',
            'user_email_attribute': 'mail',
        },
    )
    own.call('POST', '/external/google/config', json={'client_id': 'public', 'client_secret': passwords[3]})
    own.call('POST', f"/users/{user['uuid']}/external/mobile", (200, 201, 204, 404), json={'token': passwords[3]})
    own.call('DELETE', '/external/google/config')
    own.call('DELETE', '/backends/ldap')
    stored = own.sql("SELECT string_agg(password_hash || ' ' || encode(password_salt, 'hex'), ' ') FROM auth_user")
    assert own.sql("SELECT count(*) FROM wazo_auth.audit WHERE kind IN ('external_config', 'ldap_config')") == '4'
    text = json.dumps(own.entries())
    assert SECRETS.found_in(text) == set()
    assert not [word for word in stored.split() + passwords if word in text]


def test_entries_are_read_page_by_page(own):
    tenant = own.call('POST', '/tenants', json={'name': 'audited'})['uuid']
    child = own.call('POST', '/tenants', json={'name': 'below'}, headers=below(tenant))['uuid']
    for where in (tenant, child):
        own.call('POST', '/groups', json={'name': 'audited'}, headers=below(where))

    def ids(**params):
        found, cursor = [], None
        while True:
            more = {'cursor': cursor} if cursor else {}
            page = own.call('GET', '/audit', params={'limit': 2, **params, **more}, headers=below(tenant))
            assert len(page['items']) <= 2
            found += page['items']
            cursor = page['next']
            if cursor is None:
                return found

    def told(where):
        return own.sql(f"SELECT count(*) FROM wazo_auth.audit WHERE tenant_uuid IN ({where})")

    alone, deep = ids(), ids(recurse='true')
    assert str(len(alone)) == told(f"'{tenant}'")
    assert str(len(deep)) == told(f"'{tenant}', '{child}'")
    assert {entry['tenant_uuid'] for entry in alone} == {tenant}
    assert len({entry['id'] for entry in deep}) == len(deep)
    [group] = [entry for entry in ids(kind='group', action='created') if entry['after']['name'] == 'audited']
    assert [entry['id'] for entry in ids(object_uuid=group['object_uuid'], kind='group')] == [group['id']]
    assert ids(actor_uuid=str(uuid.uuid4())) == []
    assert [entry['id'] for entry in ids(actor_uuid=own.admin)] == [entry['id'] for entry in alone]
    assert ids(to='2020-01-01T00:00:00Z') == ids(**{'from': '2999-01-01T00:00:00Z'}) == []
    assert len(ids(**{'from': '2020-01-01T00:00:00Z'}, to='2999-01-01T00:00:00Z')) == len(alone)
    for wrong in ({'cursor': 'x'}, {'cursor': '1-'}, {'limit': 0}, {'limit': 1001}, {'from': 'soon'}):
        own.call('GET', '/audit', (400,), params=wrong)


def test_only_who_may_reads_them_and_only_of_the_own_tenants(own):
    password = SECRETS.new_password()
    tenant = own.call('POST', '/tenants', json={'name': 'reader'})['uuid']
    user = own.call('POST', '/users', json={'username': uuid.uuid4().hex, 'password': password}, headers=below(tenant))
    token = own.log_in(user['username'], password)['token']
    own.call('GET', '/audit', (401,), token=token)
    policy = own.call('POST', '/policies', json={'name': 'r', 'acl': ['auth.audit.read']}, headers=below(tenant))
    own.call('PUT', f"/users/{user['uuid']}/policies/{policy['uuid']}")
    token = own.log_in(user['username'], password)['token']
    items = own.call('GET', '/audit', token=token, params={'recurse': 'true'})['items']
    assert {entry['tenant_uuid'] for entry in items} == {tenant}
    own.call('GET', '/audit', (401,), token=token, headers=below(own.master))


def in_file(path):
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line]


def test_the_file_has_each_entry_whatever_happens(own):
    def written(*paths):
        return {entry['id'] for path in paths for entry in in_file(path)}

    def all_are_in(*paths):
        return {entry['id'] for entry in own.entries()} <= written(*paths)

    servers.wait_until(lambda: all_are_in(own.file), 30, 'all entries in the file')
    rotated = own.file.with_suffix('.1')
    own.file.rename(rotated)
    own.make_user()
    own.nginx.kill()
    own.sql(f"UPDATE auth_user SET lastname = 'y' WHERE uuid = '{own.admin}'")
    with own.file.open('a') as file:
        file.write('{"id": 0}')  # cut off before the end of the line
    own.file.chmod(0o666)
    own.nginx.start()
    own.make_user()
    servers.wait_until(lambda: all_are_in(rotated, own.file), 30, 'all entries in both files')
    assert rotated.stat().st_mode & 0o777 == 0o640
    [line] = [entry for entry in in_file(own.file) if (entry.get('after') or {}).get('lastname') == 'y'][:1]
    assert set(line) == {
        *('id', 'at', 'action', 'kind', 'object_uuid', 'related_uuid', 'tenant_uuid', 'actor_uuid', 'session_uuid'),
        *('remote_addr', 'trace_id', 'before', 'after'),
    }


def test_old_months_are_dropped(own):
    own.sql(
        'SET ROLE "wazo-auth"; CREATE TABLE wazo_auth.audit_202001 PARTITION OF wazo_auth.audit '
        "FOR VALUES FROM ('2020-01-01+0') TO ('2020-02-01+0'); "
        "INSERT INTO wazo_auth.audit (at, action, kind) VALUES ('2020-01-10+0', 'deleted', 'old'), "
        "('2020-03-10+0', 'deleted', 'old')"
    )
    servers.wait_until(
        lambda: own.sql("SELECT to_regclass('wazo_auth.audit_202001')") == '', 30, 'the end of an old month'
    )
    servers.wait_until(
        lambda: own.sql("SELECT count(*) FROM wazo_auth.audit WHERE kind = 'old'") == '0', 30, 'the end of the rest'
    )
    assert own.sql("SELECT count(*) FROM pg_inherits WHERE inhparent = 'wazo_auth.audit'::regclass") == '4'


def test_entries_that_came_in_a_month_without_a_partition_move_into_it(own):
    own.sql(
        "DO $$ DECLARE name text := 'wazo_auth.audit_' || to_char(now() AT TIME ZONE 'UTC' + interval '2 months', 'YYYYMM');"
        "BEGIN EXECUTE 'DROP TABLE ' || name; END $$;"
        "INSERT INTO wazo_auth.audit (at, action, kind) "
        "VALUES (date_trunc('month', now()) + interval '2 months 3 days', 'created', 'later')"
    )
    servers.wait_until(lambda: own.sql('SELECT count(*) FROM wazo_auth.audit_rest') == '0', 30, 'a partition for it')
    assert own.sql("SELECT count(*) FROM wazo_auth.audit WHERE kind = 'later'") == '1'
    own.sql("DELETE FROM wazo_auth.audit WHERE kind = 'later'")


def test_without_it_nothing_is_written(own):
    own.sql('UPDATE wazo_auth.audit_setting SET enabled = false')
    try:
        since = own.position()
        group = own.call('POST', '/groups', json={'name': uuid.uuid4().hex})
        own.call('DELETE', f"/groups/{group['uuid']}")
        assert own.entries(since) == []
    finally:
        own.sql('UPDATE wazo_auth.audit_setting SET enabled = true')


class Caller:
    """Random calls, right ones and wrong ones."""

    def __init__(self, own, seed):
        self.own = own
        self.random = random.Random(seed)
        self.known = {'users': [], 'groups': [], 'policies': [], 'tenants': []}

    def some(self, what):
        known = self.known[what]
        return self.random.choice(known) if known and self.random.random() < 0.95 else str(uuid.uuid4())

    def name(self):
        return f'n{self.random.randrange(10**6)}'

    def make(self, what, body):
        answer = self.own.api.post(f'/{what}', self.own.token, json=body)
        if answer.status_code == 200:
            self.known[what].append(answer.json()['uuid'])

    def acl(self):
        return [f'a.{self.random.randrange(30)}.read' for _ in range(self.random.randrange(4))]

    def body(self, what):
        if what == 'users':
            return {'username': self.name(), 'firstname': self.random.choice([None, 'Ada', 'Bob'])}
        if what == 'tenants':
            return {
                'name': self.name(),
                'domain_names': [f'{self.name()}.example.com'],
                'address': {'city': self.name()},
            }
        return {'name': self.name()} | ({'acl': self.acl()} if what == 'policies' else {})

    def step(self):
        kind = self.random.choice(list(self.known))
        what = self.random.choices(('make', 'change', 'delete', 'attach', 'other'), (4, 4, 1, 4, 2))[0]
        request = self.own.api.request
        token = self.own.token
        if what == 'make':
            self.make(kind, self.body(kind))
        elif what == 'change':
            request('PUT', f'/{kind}/{self.some(kind)}', token, json=self.body(kind))
        elif what == 'delete':
            request('DELETE', f'/{kind}/{self.some(kind)}', token)
        elif what == 'attach':
            method = self.random.choice(['PUT', 'PUT', 'DELETE'])
            of, member = self.random.choice([('groups', 'users'), ('groups', 'policies'), ('users', 'policies')])
            request(method, f'/{of}/{self.some(of)}/{member}/{self.some(member)}', token)
        elif self.random.random() < 0.5:
            emails = [{'address': f'{self.name()}@example.com', 'main': True}]
            request('PUT', f"/admin/users/{self.some('users')}/emails", token, json={'emails': emails})
        else:
            method = self.random.choice(['PUT', 'PUT', 'DELETE'])
            request(method, f"/locks/user/{self.some('users')}", token, json={'reason': self.name()})


@pytest.mark.timeout(0 if CALLS > 1000 else 600)
def test_entries_are_the_changes(own):
    caller = Caller(own, 15)
    for _ in range(CALLS):
        caller.step()
    entries = own.entries(own.since)
    assert len(entries) > CALLS / 2
    told, there = replay(own.start, entries), own.rows()
    for kind in TABLES:
        assert told[kind] == there[kind]
    print(f'{CALLS} calls, {len(entries)} entries')
