"""One set of real servers for all tests: PostgreSQL, Redis, RabbitMQ, a mail server, and two nginx that share them.

Fixtures of the session
  stack                     everything below; .folder; .new_nginx(name, servers, ...) makes further nginx
  postgres redis rabbitmq mail   support.servers.Server objects: .start() .stop() .kill() .freeze() .thaw() .restart() .pid .port
  nginx nginx2              the same and .reload() .workers() .signal(n) .error_log .access_log .test()
  upstream                  behind the gates; answers {"method", "target", "headers", "names", "body"} as JSON
  api api2                  get post put patch delete head options (path, token=, json=, headers=, auth=, data=,
                            params=) → requests.Response; path is relative to /0.1; bodies of POST, PUT default to {}
  gate gate2                the same on the gated server (gate: of the module's own `nginx`, where it has one); relative to /
                            .raw(target, "Name: value", ..., method='GET') → (status, text): sent exactly as given
  admin                     {"username", "password"} of the bootstrap user (access "#", master tenant)
  admin_token               a token of it, for an hour
  master                    UUID of the master tenant
  create(path, tenant=None, **body)   → the object of a POST by the administrator, below that tenant
  content operations        the document of the API: as a tree; [(method, path, operation), ...]
  make_user(acl=[...], **fields)      → the user of POST /users, with "password" added; `acl` through a policy of its own
  make_token(user, headers=, **body)  → data of POST /token by Basic login
  insert_token(acl=[...], **columns)  → token made by SQL (fast; no user, no login): {"token", "session_uuid", ...}
  psql(sql)                 rows as text, as the superuser, in the shared database
  away(server, frozen=False)          context: it is stopped, or frozen; at the end all nginx work as before
  metrics(nginx)            → {name with labels: number}
  rows()                    names of rows that a request may leave behind; what it left: rows() - before
  command(name, ...)        runs build/NAME, one of wazo-auth-*
  bus                       events of exchange xivo: .wait(name, predicate=None, timeout=10) → Event(name, key, headers,
                            body), .clear(), .events
Fixtures of a module
  new_nginx(name, servers, ...)       as stack.new_nginx; ends with the module
  own_redis                 a further Redis
  folder                    an empty one that every server may enter
  idp                       support.saml_idp.SamlIdp
  tenants                   UUIDs of a tenant, one below it, and one beside it
  nobody reader             live tokens: without any access, and with confd.users.read
Fixtures of a test
  open_websocket(token, path='/', in_header=True)   through the gate
  expect_log(pattern, ...)  lines of [alert], [emerg] or [crit] that this test causes

Every answer of an API is held against the document that the API serves: what it doesn't say fails the test.

After each test the logs of all nginx are read: no [alert], [emerg], [crit] or sanitizer report that wasn't expected, no
token and no password that the tests used.

Locations of the shared gated servers (upstream = the object above)
  /            any live token; identity headers
  /read        wazo_auth_acl confd.users.read
  /verb        wazo_auth_acl confd.users.$wazo_auth_method_verb
  /users/U/x   wazo_auth_acl confd.users.U.read
  /grace0 /grace2   any live token, wazo_auth_grace 0 / 2s
  /ws          any live token, WebSocket
  /open        wazo_auth off
  /metrics     wazo_auth_metrics
"""
import json
import os
import re
import shutil
import subprocess
import time
import uuid

import pytest
import websocket
import yaml

from support import servers
from support.bus import Bus
from support.checks import below, label
from support.logs import SECRETS, WATCH
from support.saml_idp import SamlIdp
from support.stack import ADMIN, DATABASE, Stack
from support.stack import metrics as read_metrics

pytest_plugins = ['support.order', 'support.loops']

# -- logs --------------------------------------------------------------------------------------------------------------


def pytest_make_parametrize_id(val, argname):
    """A value that is very long: names of tests are in the environment of what they start, which has a limit."""
    return f'{argname} of {len(val)}' if isinstance(val, (str, bytes)) and len(val) > 200 else None


@pytest.fixture(scope='module', autouse=True)
def _expected_lines_end_with_their_module():
    yield
    WATCH.expected.clear()


@pytest.fixture(autouse=True)
def _logs_are_clean(request):
    yield
    complaints = WATCH.complaints()
    if complaints:
        pytest.fail('in the logs:\n' + '\n'.join(complaints[:20]), pytrace=False)


@pytest.fixture
def expect_log():
    """Declares what a test will cause. Holds until its module ends: processes may write late."""

    def declare(*patterns):
        WATCH.expected += [re.compile(pattern) for pattern in patterns]

    return declare


# -- the servers -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='session')
def stack():
    made = Stack()
    try:
        yield made.start()
        for nginx in made.all_nginx:
            nginx.stop()
        complaints = WATCH.complaints()
    finally:
        made.stop()
        if not os.environ.get('WAZO_AUTH_KEEP'):
            shutil.rmtree(made.folder, ignore_errors=True)
    if complaints:
        pytest.fail('in the logs at the end:\n' + '\n'.join(complaints[:20]), pytrace=False)


@pytest.fixture(scope='session')
def away(stack):
    return stack.away


@pytest.fixture(scope='session')
def authority(stack):
    """Whose certificates the servers of others have, where a test says so."""
    return servers.Authority(stack.folder / 'authority')


@pytest.fixture(scope='session')
def postgres(stack):
    return stack.postgres


@pytest.fixture(scope='session')
def redis(stack):
    return stack.redis


@pytest.fixture(scope='session')
def rabbitmq(stack):
    return stack.rabbitmq


@pytest.fixture(scope='session')
def mail(stack):
    return stack.mail


@pytest.fixture(scope='session')
def upstream(stack):
    return stack.upstream


@pytest.fixture(scope='session')
def nginx(stack):
    return stack.nginx


@pytest.fixture(scope='session')
def nginx2(stack):
    return stack.nginx2


@pytest.fixture(scope='session')
def api(stack):
    return stack.nginx.api


@pytest.fixture(scope='session')
def api2(stack):
    return stack.nginx2.api


@pytest.fixture(scope='module')
def new_nginx(stack):
    made = []

    def new(name, *arguments, **options):
        made.append(stack.new_nginx(name, *arguments, **options))
        return made[-1]

    yield new
    for each in made:
        each.stop()


@pytest.fixture(scope='module')
def own_redis(stack):
    server = servers.Redis(stack.folder / label('redis'), servers.free_port()).start()
    yield server
    server.stop()


@pytest.fixture(scope='module')
def folder():
    made = servers.temporary_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope='module')
def idp(stack):
    made = SamlIdp(stack.folder / label('idp'), servers.free_port())
    yield made
    made.close()


@pytest.fixture(scope='module')
def gate(nginx):
    return nginx.gate


@pytest.fixture(scope='session')
def gate2(stack):
    return stack.nginx2.gate


# -- data --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='session')
def admin():
    return dict(ADMIN)


@pytest.fixture(scope='session')
def admin_token(api, admin):
    answer = api.post('/token', auth=(admin['username'], admin['password']), json={'expiration': 7200})
    assert answer.status_code == 200, answer.text
    return answer.json()['data']['token']


@pytest.fixture(scope='session')
def psql(postgres):
    return lambda sql, database=DATABASE: postgres.psql(database, sql)


@pytest.fixture(scope='session')
def master(psql):
    return psql('SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid')


@pytest.fixture(scope='session')
def create(api, admin_token):
    def create(path, tenant=None, **body):
        answer = api.post(path, admin_token, json=body, headers=below(tenant) if tenant else None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return create


@pytest.fixture(scope='module')
def tenants(create):
    parent = create('/tenants')['uuid']
    return parent, create('/tenants', parent)['uuid'], create('/tenants')['uuid']


@pytest.fixture(scope='session')
def make_user(api, admin_token):
    def make(acl=None, headers=None, **fields):
        name = f'user-{uuid.uuid4().hex[:12]}'
        fields = {'username': name, 'password': f'pass-{uuid.uuid4().hex}', **fields}
        answer = api.post('/users', admin_token, json=fields, headers=headers)
        assert answer.status_code == 200, answer.text
        user = answer.json() | {'password': fields['password']}
        if acl is not None:
            policy = api.post('/policies', admin_token, json={'name': f'policy-{name}', 'acl': acl}, headers=headers)
            assert policy.status_code == 200, policy.text
            attached = api.put(f"/users/{user['uuid']}/policies/{policy.json()['uuid']}", admin_token)
            assert attached.status_code == 204, attached.text
        return user

    return make


@pytest.fixture(scope='session')
def make_token(api):
    def make(user, headers=None, client=api, **body):
        answer = client.post('/token', auth=(user['username'], user['password']), json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()['data']

    return make


def _literal(value):
    if value is None:
        return 'NULL'
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return 'ARRAY[' + ', '.join(map(_literal, value)) + ']::text[]'
    return "'" + str(value).replace("'", "''") + "'"


@pytest.fixture(scope='session')
def insert_token(psql, master):
    """A token without login. Keys of `metadata` are added to the usual ones; expiration in seconds, None for never."""

    def insert(acl=(), expiration=3600, user_uuid=None, tenant_uuid=None, metadata=None, session_uuid=None, **columns):
        user_uuid = user_uuid or str(uuid.uuid4())
        tenant_uuid = tenant_uuid or master
        token = SECRETS.token(str(uuid.uuid4()))
        now = int(time.time())
        facts = {
            'uuid': user_uuid,
            'tenant_uuid': tenant_uuid,
            'auth_id': user_uuid,
            'pbx_user_uuid': user_uuid,
            'xivo_uuid': 'e2e',
            'purpose': 'user',
            **(metadata or {}),
        }
        row = {
            'uuid': token,
            'session_uuid': session_uuid or str(uuid.uuid4()),
            'auth_id': user_uuid,
            'pbx_user_uuid': user_uuid,
            'xivo_uuid': 'e2e',
            'issued_t': now,
            'expire_t': None if expiration is None else now + expiration,
            'acl': list(acl),
            'metadata': json.dumps(facts),
            'user_agent': '',
            'remote_addr': '',
            **columns,
        }
        session = (
            ''
            if session_uuid
            else (
                f"INSERT INTO auth_session (uuid, tenant_uuid, mobile) VALUES ('{row['session_uuid']}', '{tenant_uuid}', false);"
            )
        )
        names = ', '.join(row)
        psql(f"{session} INSERT INTO auth_token ({names}) VALUES ({', '.join(map(_literal, row.values()))})")
        return {
            'token': token,
            'session_uuid': row['session_uuid'],
            'user_uuid': user_uuid,
            'tenant_uuid': tenant_uuid,
            'expire_t': row['expire_t'],
        }

    return insert


@pytest.fixture(scope='module')
def nobody(insert_token):
    return insert_token()


@pytest.fixture(scope='module')
def reader(insert_token):
    return insert_token(acl=['confd.users.read'])


@pytest.fixture(scope='session')
def rows(psql):
    """What there is. Rows of earlier tests may go at any time: tests ask what is new, rows() - before."""
    keys = {
        table: 'uuid'
        for table in ('auth_tenant', 'auth_group', 'auth_user', 'auth_email', 'auth_token', 'auth_session')
    }
    keys['auth_user_group'] = "user_uuid || ' in ' || group_uuid"
    texts = [f"SELECT '{table} ' || {key} FROM {table}" for table, key in keys.items()]
    texts.append("SELECT 'mail ' || id FROM wazo_auth.outbox WHERE target = 'mail'")
    return lambda: set(psql(' UNION ALL '.join(texts)).splitlines())


@pytest.fixture(scope='session')
def command():
    """command('wazo-auth-upgrade-db', ..., environment={}) → .returncode .stdout .stderr of one of build/wazo-auth-*"""

    def run(name, *arguments, environment=None, timeout=60, prefix=(), standard_input=''):
        plain = {
            key: value for key, value in os.environ.items() if not key.startswith(('WAZO_AUTH_', 'ALEMBIC_', 'PG'))
        }
        return subprocess.run(
            [*prefix, servers.BUILD / name, *arguments],
            env={**plain, 'XIVO_UUID': 'e2e', **(environment or {})},
            cwd='/',
            input=standard_input,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture(scope='session')
def wait_until():
    """wait_until(condition, timeout=10): the first true value of condition()."""
    return servers.wait_until


@pytest.fixture
def open_websocket(gate):
    made = []

    def connect(token, path='/', in_header=True):
        headers = {'X-Auth-Token': token} if in_header else {}
        made.append(websocket.create_connection(f'ws://127.0.0.1:{gate.port}{path}', timeout=15, header=headers))
        return made[-1]

    yield connect
    for each in made:
        each.close(timeout=0)


@pytest.fixture(scope='session')
def content(api):
    return yaml.safe_load(api.get('/api/api.yml').text)


@pytest.fixture(scope='session')
def operations(content):
    return [
        (method.upper(), path, operation)
        for path, methods in content['paths'].items()
        for method, operation in methods.items()
    ]


@pytest.fixture(scope='session')
def metrics():
    return read_metrics


# -- events ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='session')
def bus(stack):
    collector = Bus(stack.rabbitmq)
    yield collector
    collector.close()
