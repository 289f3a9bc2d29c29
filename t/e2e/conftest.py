"""One set of real servers for all tests: PostgreSQL, Redis, RabbitMQ, a mail server, and two nginx that share them.

Fixtures of the session
  stack                     everything below; .folder; .new_nginx(name, servers, ...) makes further nginx
  postgres redis rabbitmq mail   servers.Server objects: .start() .stop() .kill() .freeze() .thaw() .restart() .pid .port
  nginx nginx2              the same and .reload() .workers() .signal(n) .error_log .access_log .test()
  upstream                  behind the gates; answers {"method", "target", "headers", "names", "body"} as JSON
  api api2                  get post put patch delete head options (path, token=, json=, headers=, auth=, data=,
                            params=) → requests.Response; path is relative to /0.1; bodies of POST, PUT default to {}
  gate gate2                the same on the gated server; path is relative to /
                            .raw(target, "Name: value", ..., method='GET') → (status, text): sent exactly as given
  admin                     {"username", "password"} of the bootstrap user (access "#", master tenant)
  admin_token               a token of it, for an hour
  make_user(acl=[...], **fields)      → the user of POST /users, with "password" added; `acl` through a policy of its own
  make_token(user, headers=, **body)  → data of POST /token by Basic login
  insert_token(acl=[...], **columns)  → token made by SQL (fast; no user, no login): {"token", "session_uuid", ...}
  psql(sql)                 rows as text, as the superuser, in the shared database
  command(name, ...)        runs build/NAME, one of wazo-auth-*
  bus                       events of exchange xivo: .wait(name, predicate=None, timeout=10) → Event(name, key, headers,
                            body), .clear(), .events
Fixtures of a test
  expect_log(pattern, ...)  lines of [alert], [emerg] or [crit] that this test causes
  metrics(nginx)            → {name with labels: number}

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
import http.client
import json as json_module
import os
import re
import socket
import sys
import threading
import time
import types
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pika
import pytest
import requests

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import servers  # noqa: E402
from document import Document  # noqa: E402
from servers import wait_until as wait_until_  # noqa: E402
from upstream import Upstream  # noqa: E402

BUILD = Path(os.environ.get('WAZO_AUTH_BUILD') or servers.CHECKOUT / 'build')
ADMIN = {'username': 'e2e-admin', 'password': 'correct-horse-9f31c0'}
DATABASE = 'wazo-auth'
OWNER = 'wazo-auth'

HTTP = """\
events { worker_connections 2048; }
http {
@TEMPORARY@
    log_format masked '$remote_addr [$time_iso8601] "$wazo_auth_request" $status $wazo_auth_status '
                      '$wazo_auth_user_uuid $wazo_auth_required_acl';
    access_log @FOLDER@/access.log masked;
    client_max_body_size 16m;
    keepalive_requests 1000000;
    wazo_auth_config @CONFIG@;
    wazo_auth_zone tokens:@ZONE@;
    @REDIS@
    upstream upstream { server 127.0.0.1:@UPSTREAM_PORT@; keepalive 8; }
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
@HTTP@
    server {
        listen 127.0.0.1:@API_PORT@;
        location / { wazo_auth_api; }
    }
@SERVERS@
}
"""

GATED = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        wazo_auth on;
        wazo_auth_identity on;
        location / { proxy_pass http://upstream; }
        location = /read { wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
        location = /verb { wazo_auth_acl confd.users.$wazo_auth_method_verb; proxy_pass http://upstream; }
        location ~ ^/users/(?<owner>[^/]+)/ { wazo_auth_acl confd.users.$owner.read; proxy_pass http://upstream; }
        location = /grace0 { wazo_auth_grace 0; proxy_pass http://upstream; }
        location = /grace2 { wazo_auth_grace 2s; proxy_pass http://upstream; }
        location = /ws {
            proxy_pass http://upstream;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout 1h;
        }
        location = /open { wazo_auth off; proxy_pass http://upstream; }
        location = /metrics { wazo_auth off; wazo_auth_metrics; }
    }
"""


# -- secrets and logs --------------------------------------------------------------------------------------------------


class Secrets:
    """Tokens and passwords that the tests used."""

    UUID = re.compile(r'[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}')

    def __init__(self):
        self.tokens = set()
        self.passwords = set()

    def token(self, value):
        if isinstance(value, str) and value:
            self.tokens.add(value.lower())
        return value

    def password(self, value):
        if isinstance(value, str) and len(value) >= 8:
            self.passwords.add(value)
        return value

    def found_in(self, text):
        found = {value for value in self.UUID.findall(text) if value.lower() in self.tokens}
        return found | {value for value in self.passwords if value in text}


SECRETS = Secrets()


class LogReader:
    """What was added to a file since the last look."""

    def __init__(self, path):
        self.path = path
        self.offset = 0

    def news(self):
        try:
            with open(self.path, 'rb') as log:
                log.seek(self.offset)
                text = log.read()
        except OSError:
            return ''
        self.offset += len(text)
        return text.decode(errors='replace')


class LogWatch:
    BAD = re.compile(r'\[(?:alert|emerg|crit)\]|ERROR: AddressSanitizer|runtime error:')

    def __init__(self):
        self.readers = []
        self.expected = []

    def add(self, nginx):
        self.readers += [LogReader(nginx.error_log), LogReader(nginx.access_log), LogReader(nginx.log)]

    def complaints(self):
        found = []
        for reader in self.readers:
            text = reader.news()
            for line in text.splitlines():
                if self.BAD.search(line) and not any(pattern.search(line) for pattern in self.expected):
                    found.append(f'{reader.path}: {line}')
            secrets = SECRETS.found_in(text)
            if secrets:
                lines = [line for line in text.splitlines() if any(secret in line for secret in secrets)]
                found += [f'{reader.path}: a secret in: {line}' for line in lines[:5]]
        return found


WATCH = LogWatch()


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


# -- clients -----------------------------------------------------------------------------------------------------------


class Client:
    """Requests to one server. Every secret that passes is remembered for the check of the logs."""

    document = None  # of the first nginx; what others don't have in it isn't checked

    def __init__(self, port, prefix=''):
        self.port = port
        self.is_api = bool(prefix)
        self.base = f'http://127.0.0.1:{port}{prefix}'
        self._local = threading.local()

    def request(self, method, path, token=None, json=None, headers=None, auth=None, data=None, params=None, **options):
        headers = dict(headers or {})
        if token is not None:
            headers['X-Auth-Token'] = SECRETS.token(token)
        if auth:
            SECRETS.password(auth[1])
            auth = tuple(part.encode() if isinstance(part, str) else part for part in auth)
        if isinstance(json, dict):
            for name in ('password', 'old_password', 'new_password'):
                SECRETS.password(json.get(name))
            SECRETS.token(json.get('refresh_token'))
        if json is not None:
            data = json_module.dumps(json)
            headers.setdefault('Content-Type', 'application/json')
        session = getattr(self._local, 'session', None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
        prepared = session.prepare_request(
            requests.Request(method, self.base + path, headers=headers, data=data, params=params, auth=auth)
        )
        options.setdefault('timeout', 60)
        options.setdefault('allow_redirects', False)
        answer = session.send(prepared, **options)
        self._remember(answer)
        if self.is_api and Client.document:
            complaint = Client.document.complaint(answer, '/0.1')
            assert not complaint, complaint
        return answer

    @staticmethod
    def _remember(answer):
        if answer.request.method == 'POST' and answer.status_code == 200 and '/token' in answer.request.url:
            try:
                issued = answer.json().get('data') or {}
            except (ValueError, AttributeError):
                return
            SECRETS.token(issued.get('token'))
            SECRETS.token(issued.get('refresh_token'))

    def raw(self, target, *headers, method='GET'):
        """A request whose target and header lines go out exactly as given: (status, body text)."""
        lines = [f'{method} {target} HTTP/1.1', 'Host: 127.0.0.1', 'Connection: close', *headers]
        with socket.create_connection(('127.0.0.1', self.port), 30) as connection:
            connection.sendall('\r\n'.join(lines).encode('latin-1') + b'\r\n\r\n')
            answer = http.client.HTTPResponse(connection, method=method)
            answer.begin()
            return answer.status, answer.read().decode()

    def get(self, path, token=None, **options):
        return self.request('GET', path, token, **options)

    def head(self, path, token=None, **options):
        return self.request('HEAD', path, token, **options)

    def options(self, path, token=None, **options):
        return self.request('OPTIONS', path, token, **options)

    def delete(self, path, token=None, **options):
        return self.request('DELETE', path, token, **options)

    def post(self, path, token=None, json=None, data=None, **options):
        return self.request(
            'POST', path, token, json={} if json is None and data is None else json, data=data, **options
        )

    def put(self, path, token=None, json=None, data=None, **options):
        return self.request(
            'PUT', path, token, json={} if json is None and data is None else json, data=data, **options
        )

    def patch(self, path, token=None, json=None, data=None, **options):
        return self.request(
            'PATCH', path, token, json={} if json is None and data is None else json, data=data, **options
        )


# -- the servers -------------------------------------------------------------------------------------------------------


class Stack:
    def __init__(self):
        self.folder = servers.temporary_folder()
        self.postgres = servers.Postgres(self.folder / 'postgres', servers.free_port(), durable=False)
        self.redis = servers.Redis(self.folder / 'redis', servers.free_port())
        self.rabbitmq = servers.RabbitMQ(
            self.folder / 'rabbitmq', servers.free_port(), servers.free_port(), servers.free_port()
        )
        self.mail = servers.MailServer(self.folder / 'mail', servers.free_port())
        self.upstream = None
        self.database_uri = None
        self.all_nginx = []

    def settings(self, **changes):
        """wazo-auth's configuration as all nginx have it; `changes` replace top-level keys."""
        settings = {
            'db_uri': self.database_uri,
            'db_upgrade_on_startup': True,
            'db_connect_retry_timeout_seconds': 30,
            'debug': True,
            'amqp': {'uri': self.rabbitmq.uri},
            'smtp': {'hostname': '127.0.0.1', 'port': self.mail.port},
            'bootstrap_user_on_startup': True,
            'bootstrap_user_username': ADMIN['username'],
            'bootstrap_user_password': SECRETS.password(ADMIN['password']),
        }
        return settings | changes

    def new_nginx(
        self,
        name,
        servers_text=GATED,
        http='',
        zone='16m',
        redis=True,
        workers=2,
        settings=None,
        environment=None,
        start=True,
    ):
        """A further nginx over the same servers.

        servers_text: server blocks beside the API's; @GATE_PORT@ in it is the port of .gate. http: directives of the
        http block. redis: False for none, or a URI. settings: changed keys of the YAML. The object has .api, .gate.
        """
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        config = servers.write_settings(folder, self.settings(**(settings or {})))
        redis_uri = self.redis.uri if redis is True else redis
        values = {
            'API_PORT': servers.free_port(),
            'GATE_PORT': servers.free_port(),
            'UPSTREAM_PORT': self.upstream.port,
            'CONFIG': config,
            'ZONE': zone,
            'REDIS': f'wazo_auth_redis {redis_uri};' if redis_uri else '',
            'HTTP': http,
            'SERVERS': servers_text,
            'WORKERS': workers,
        }
        nginx = servers.Nginx(folder, BUILD, HTTP, (values['API_PORT'], '/0.1/backends'), values, environment)
        nginx.name_in_tests = name
        nginx.api = Client(values['API_PORT'], '/0.1')
        nginx.gate = Client(values['GATE_PORT'])
        self.all_nginx.append(nginx)
        WATCH.add(nginx)
        if start:
            nginx.start()
        return nginx

    def start(self):
        with ThreadPoolExecutor(4) as pool:
            for started in [
                pool.submit(server.start) for server in (self.rabbitmq, self.postgres, self.redis, self.mail)
            ]:
                started.result()
        self.database_uri = self.postgres.create_database(DATABASE, OWNER)
        self.upstream = Upstream(servers.free_port())
        self.nginx = self.new_nginx('nginx')
        Client.document = Document(self.nginx.api.get('/api/api.yml').text)
        self.nginx2 = self.new_nginx('nginx2')
        return self

    def stop(self):
        for nginx in self.all_nginx:
            nginx.stop()
        for server in (self.mail, self.rabbitmq, self.redis, self.postgres):
            server.stop()
        if self.upstream:
            self.upstream.close()


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
            servers.shutil.rmtree(made.folder, ignore_errors=True)
    if complaints:
        pytest.fail('in the logs at the end:\n' + '\n'.join(complaints[:20]), pytrace=False)


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


@pytest.fixture(scope='session')
def gate(stack):
    return stack.nginx.gate


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
def insert_token(psql):
    """A token without login. Keys of `metadata` are added to the usual ones; expiration in seconds, None for never."""
    master = []

    def insert(acl=(), expiration=3600, user_uuid=None, tenant_uuid=None, metadata=None, session_uuid=None, **columns):
        if not master:
            master.append(psql('SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid'))
        user_uuid = user_uuid or str(uuid.uuid4())
        tenant_uuid = tenant_uuid or master[0]
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
            'metadata': json_module.dumps(facts),
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


@pytest.fixture(scope='session')
def command():
    """command('wazo-auth-upgrade-db', ..., environment={}) → .returncode .stdout .stderr of one of build/wazo-auth-*"""

    def run(name, *arguments, environment=None, timeout=60, prefix=()):
        plain = {
            key: value for key, value in os.environ.items() if not key.startswith(('WAZO_AUTH_', 'ALEMBIC_', 'PG'))
        }
        return servers.subprocess.run(
            [*prefix, BUILD / name, *arguments],
            env={**plain, 'XIVO_UUID': 'e2e', **(environment or {})},
            cwd='/',
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture(scope='session')
def wait_until():
    """wait_until(condition, timeout=10): the first true value of condition()."""
    return wait_until_


@pytest.fixture
def metrics():
    def read(nginx):
        answer = nginx.gate.get('/metrics')
        assert answer.status_code == 200, answer.text
        lines = [line.rsplit(' ', 1) for line in answer.text.splitlines() if line and not line.startswith('#')]
        return {name: float(value) for name, value in lines}

    return read


# -- events ------------------------------------------------------------------------------------------------------------


class Bus:
    """Collects what comes through exchange xivo; connects again when the broker was away."""

    def __init__(self, broker):
        self._broker = broker
        self.events = []
        self._changed = threading.Condition()
        self._connected = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._connected.wait(30), 'no connection to RabbitMQ'

    def _run(self):
        while not self._stopping:
            try:
                self._consume()
            except Exception:  # whatever pika raises while the broker is away
                self._connected.clear()
                time.sleep(0.3)

    def _consume(self):
        parameters = pika.URLParameters(self._broker.uri + '?heartbeat=0&blocked_connection_timeout=5')
        connection = pika.BlockingConnection(parameters)
        channel = connection.channel()
        channel.exchange_declare('xivo', 'topic', durable=True)
        # Durable, so that nothing is missed while this consumer connects again.
        channel.queue_declare('e2e', durable=True)
        channel.queue_bind('e2e', 'xivo', '#')
        self._connected.set()
        for method, properties, body in channel.consume('e2e', auto_ack=True, inactivity_timeout=0.2):
            if self._stopping:
                connection.close()
                return
            if method:
                tree = json_module.loads(body)
                event = types.SimpleNamespace(
                    name=tree.get('name'),
                    key=method.routing_key,
                    headers=properties.headers or {},
                    body=tree,
                    properties=properties,
                )
                with self._changed:
                    self.events.append(event)
                    self._changed.notify_all()

    def wait(self, name, predicate=None, timeout=10):
        """The first event of this name (since clear()) for which predicate(event) is true."""
        end = time.monotonic() + timeout
        with self._changed:
            while True:
                for event in self.events:
                    if event.name == name and (predicate is None or predicate(event)):
                        return event
                left = end - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    if time.monotonic() >= end:
                        raise TimeoutError(
                            f'no event {name} within {timeout} s; there were {[e.key for e in self.events]}'
                        )

    def clear(self):
        with self._changed:
            self.events.clear()

    def wait_connected(self, timeout=30):
        assert self._connected.wait(timeout), 'no connection to RabbitMQ'

    def close(self):
        self._stopping = True
        self._thread.join(5)


@pytest.fixture(scope='session')
def bus(stack):
    collector = Bus(stack.rabbitmq)
    yield collector
    collector.close()
