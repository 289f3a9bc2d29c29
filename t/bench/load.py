"""What the benchmarks need: servers with a filled database, wrk, and small clients that measure by themselves."""
import base64
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import psycopg2

from support import servers

ADMIN = ('bench', 'bench-password-4c1d')
JSON = {'Content-Type': 'application/json'}
TENANTS, USERS, POLICIES, TOKENS, ACCESSES = 100, 1000, 200, 10000, 100
REQUIRED = 'bench.resource99.7.read'  # granted by the last access of each list

# An nginx with the API alone.
API_CONF = """\
events { worker_connections 1024; }
http {
@TEMPORARY@
    access_log off;
    keepalive_requests 100000000;
    wazo_auth_config @CONFIG@;
    wazo_auth_zone tokens:16m;
    server { listen 127.0.0.1:@API_PORT@; location / { wazo_auth_api; } }
}
"""

CONF = """\
worker_cpu_affinity @AFFINITY@;
worker_rlimit_nofile 4096;
events { worker_connections 2048; }
http {
@TEMPORARY@
    access_log off;
    keepalive_requests 100000000;
    wazo_auth_config @CONFIG@;
    wazo_auth_zone tokens:@ZONE@;
    wazo_auth_redis @REDIS@;
    upstream upstream { server 127.0.0.1:@UPSTREAM_PORT@; keepalive 64; keepalive_requests 100000000; }
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    server { listen 127.0.0.1:@API_PORT@; location / { wazo_auth_api; } }
    server {
        listen 127.0.0.1:@ROUTES_PORT@;
        wazo_auth_openapi @FOLDER@/routes.yml prefix=/api/bench;
        location ^~ /api/bench/ { proxy_pass http://upstream/; }
        location ~ ^/own/1[.]0/resource99/(?<id>[^/]+)$ {
            wazo_auth on;
            wazo_auth_acl bench.resource99.$id.read;
            proxy_pass http://upstream;
        }
    }
    server {
        listen 127.0.0.1:@GATE_PORT@;
        root @FOLDER@;
        location = /proxied/plain { proxy_pass http://upstream/answer; }
        location = /proxied/gated { wazo_auth on; wazo_auth_acl @REQUIRED@; proxy_pass http://upstream/answer; }
        location = /file/plain { alias @FOLDER@/answer; }
        location = /file/gated { wazo_auth on; wazo_auth_acl @REQUIRED@; alias @FOLDER@/answer; }
        location = /known { wazo_auth on; add_header X-Status $wazo_auth_status; alias @FOLDER@/answer; }
        location = /upgraded {
            wazo_auth on;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_pass http://127.0.0.1:@UPGRADING_PORT@;
        }
        location = /metrics { wazo_auth_metrics; }
@PAGE@
    }
}
"""

# An upstream of its own, so that its CPU isn't the measured worker's.
UPSTREAM = """\
events { worker_connections 1024; }
http {
@TEMPORARY@
    access_log off;
    keepalive_requests 100000000;
    server { listen 127.0.0.1:@UPSTREAM_PORT@; location / { return 200 "answer\\n"; } }
}
"""


def basic(login, password):
    return 'Basic ' + base64.b64encode(f'{login}:{password}'.encode()).decode()


def routes():
    """A document of 1,000 operations, as large as those of all daemons together."""
    lines = ['swagger: "2.0"', 'info: {title: bench, version: "1"}', 'basePath: /1.0', 'paths:']
    for i in range(ACCESSES):
        for path in f'/resource{i}', f'/resource{i}/{{id}}':
            lines.append(f'  {path}:')
            access = f"bench.resource{i}{'.{id}' if '{' in path else ''}"
            for method, verb in (
                ('get', 'read'),
                ('post', 'create'),
                ('put', 'update'),
                ('delete', 'delete'),
                ('patch', 'edit'),
            ):
                lines.append(f"    {method}: {{description: '**Required ACL:** `{access}.{verb}`', responses: {{}}}}")
    return '\n'.join(lines) + '\n'


def first_settings(uri):
    """Of an nginx that makes the schema and ADMIN in an empty database; no broker answers it."""
    return {
        'db_uri': uri,
        'db_upgrade_on_startup': True,
        'bootstrap_user_on_startup': True,
        'bootstrap_user_username': ADMIN[0],
        'bootstrap_user_password': ADMIN[1],
        'amqp': {'uri': 'amqp://127.0.0.1:1/'},
    }


@contextlib.contextmanager
def own_postgres(**options):
    """(a folder, a PostgreSQL in it, what to call for each server that is to stop before it): gone at the end."""
    folder = servers.temporary_folder()
    postgres = servers.Postgres(folder / 'postgres', servers.free_port(), **options)
    with contextlib.ExitStack() as ending:
        ending.callback(shutil.rmtree, folder, ignore_errors=True)
        ending.callback(postgres.stop)
        postgres.start()
        yield folder, postgres, lambda server: ending.callback(server.stop)


class Bench:
    """The servers. Everything is private, in a temporary folder, and ends with close()."""

    def __init__(self, build):
        self.build = build
        self.folder = servers.temporary_folder()
        self.postgres = servers.Postgres(self.folder / 'postgres', servers.free_port())
        self.redis = servers.Redis(self.folder / 'redis', servers.free_port())
        self.rabbitmq = servers.RabbitMQ(
            self.folder / 'rabbitmq', servers.free_port(), servers.free_port(), servers.free_port()
        )
        self.upstream_port, self.upgrading_port = servers.free_port(), servers.free_port()
        self.upstream = servers.Nginx(
            self.folder / 'upstream', build, UPSTREAM, values={'WORKERS': 1, 'UPSTREAM_PORT': self.upstream_port}
        )
        self.nginx = []
        self._tokens = None

    def start(self):
        for server in (self.postgres, self.redis, self.rabbitmq, self.upstream):
            server.start()
        self.uri = self.postgres.create_database('bench', 'bench')
        self.first = self.add_nginx('first')
        self._fill()
        return self

    def add_nginx(self, name, zone='64m', page='', settings=None):
        folder = self.folder / name
        folder.mkdir()
        (folder / 'answer').write_text('answer\n')
        (folder / 'routes.yml').write_text(routes())
        config = servers.write_settings(
            folder,
            {
                **first_settings(self.uri),
                'amqp': {'uri': self.rabbitmq.uri},
                'max_user_concurrent_sessions': 100000000,
                **(settings or {}),
            },
        )
        values = {
            'WORKERS': 1,
            'AFFINITY': '01',
            'LOG_LEVEL': 'notice',
            'API_PORT': servers.free_port(),
            'GATE_PORT': servers.free_port(),
            'ROUTES_PORT': servers.free_port(),
            'UPSTREAM_PORT': self.upstream_port,
            'UPGRADING_PORT': self.upgrading_port,
            'CONFIG': config,
            'ZONE': zone,
            'REDIS': self.redis.uri,
            'REQUIRED': REQUIRED,
            'PAGE': page,
        }
        nginx = servers.Nginx(folder, self.build, CONF, (values['API_PORT'], '/0.1/backends'), values)
        nginx.api_port, nginx.gate_port = values['API_PORT'], values['GATE_PORT']
        nginx.routes_port = values['ROUTES_PORT']
        nginx.start()
        self.nginx.append(nginx)
        return nginx

    def close(self):
        for server in (*self.nginx, self.upstream, self.rabbitmq, self.redis, self.postgres):
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def psql(self, sql):
        return self.postgres.psql('bench', sql)

    def _fill(self):
        """Tenants, users (all with the administrator's password) and policies of ACCESSES accesses each."""
        self.psql(
            f"""
            INSERT INTO auth_tenant (uuid, slug, name, parent_uuid)
              SELECT uuid_generate_v4()::text, 't' || i, 'tenant ' || i,
                     (SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid)
              FROM generate_series(1, {TENANTS}) i;
            INSERT INTO auth_user (uuid, username, password_hash, password_salt, purpose, authentication_method, enabled,
                                   tenant_uuid)
              SELECT uuid_generate_v4()::text, 'user' || i, password_hash, password_salt, 'internal', 'native', true,
                     (SELECT uuid FROM auth_tenant WHERE slug = 't' || (i % {TENANTS} + 1))
              FROM auth_user, generate_series(1, {USERS}) i WHERE username = '{ADMIN[0]}';
            INSERT INTO auth_access (access)
              SELECT 'bench.resource' || k || '.' || CASE WHEN k = 99 THEN '*' ELSE 'p' || p END || '.read'
              FROM generate_series(0, {ACCESSES - 1}) k, generate_series(1, {POLICIES}) p ON CONFLICT DO NOTHING;
            INSERT INTO auth_policy (uuid, name, slug, tenant_uuid, config_managed, shared)
              SELECT uuid_generate_v4()::text, 'policy' || p, 'policy' || p,
                     (SELECT uuid FROM auth_tenant WHERE slug = 't' || (p % {TENANTS} + 1)), false, false
              FROM generate_series(1, {POLICIES}) p;
            INSERT INTO auth_policy_access (policy_uuid, access_id)
              SELECT policy.uuid, access.id FROM auth_policy policy JOIN auth_access access
                ON access.access LIKE 'bench.resource%.p' || substr(policy.slug, 7) || '.read'
                OR access.access = 'bench.resource99.*.read'
              WHERE policy.slug LIKE 'policy%';
            INSERT INTO auth_user_policy (user_uuid, policy_uuid)
              SELECT u.uuid, p.uuid FROM auth_user u JOIN auth_policy p
                ON p.slug = 'policy' || (substr(u.username, 5)::int % {POLICIES} + 1)
              WHERE u.username LIKE 'user%';
            ANALYZE;"""
        )

    def insert_tokens(self, count, lifetime=7200):
        """Straight into the database: POLICIES different access lists of ACCESSES accesses. Returns the tokens."""
        rows = self.psql(
            f"""
            CREATE TEMPORARY TABLE made AS
              SELECT uuid_generate_v4()::text AS token, uuid_generate_v4()::text AS session, u.uuid AS user_uuid,
                     u.tenant_uuid, i % {POLICIES} + 1 AS policy
              FROM generate_series(1, {count}) i JOIN (
                SELECT uuid, tenant_uuid, row_number() OVER (ORDER BY username) AS n FROM auth_user
                WHERE username LIKE 'user%') u ON u.n = i % {USERS} + 1;
            INSERT INTO auth_session (uuid, tenant_uuid, mobile) SELECT session, tenant_uuid, false FROM made;
            INSERT INTO auth_token (uuid, session_uuid, auth_id, pbx_user_uuid, xivo_uuid, issued_t, expire_t, metadata,
                                    user_agent, remote_addr, acl)
              SELECT token, session, user_uuid, user_uuid, '08c56466-8f29-45c7-9856-92bf1ba89b92',
                     extract(epoch FROM now())::int, extract(epoch FROM now())::int + {lifetime},
                     json_build_object('uuid', user_uuid, 'tenant_uuid', tenant_uuid, 'auth_id', user_uuid,
                       'pbx_user_uuid', user_uuid, 'xivo_uuid', '08c56466-8f29-45c7-9856-92bf1ba89b92', 'purpose',
                       'user')::text, 'Mozilla/5.0', '10.2.3.4',
                     (SELECT array_agg('bench.resource' || k || '.' || CASE WHEN k = 99 THEN '*' ELSE 'p' || policy END
                       || '.read' ORDER BY k) FROM generate_series(0, {ACCESSES - 1}) k)
              FROM made;
            SELECT token FROM made;"""
        )
        return rows.split()

    def insert_plain_tokens(self, count, lifetime=7200):
        """Many, in little time: of one access, and without triggers. Returns the tokens."""
        rows = self.psql(
            f"""
            SET session_replication_role = replica;
            CREATE TEMPORARY TABLE made AS
              SELECT uuid_generate_v4()::text AS token, uuid_generate_v4()::text AS session, u.uuid AS user_uuid, u.tenant_uuid
              FROM generate_series(1, {count}) CROSS JOIN (SELECT uuid, tenant_uuid FROM auth_user LIMIT 1) u;
            INSERT INTO auth_session (uuid, tenant_uuid, mobile) SELECT session, tenant_uuid, false FROM made;
            INSERT INTO auth_token (uuid, session_uuid, auth_id, pbx_user_uuid, issued_t, expire_t, metadata, user_agent,
                                    remote_addr, acl)
              SELECT token, session, user_uuid, user_uuid, extract(epoch FROM now())::int,
                     extract(epoch FROM now())::int + {lifetime},
                     json_build_object('uuid', user_uuid, 'tenant_uuid', tenant_uuid, 'auth_id', user_uuid)::text,
                     'Mozilla/5.0', '10.2.3.4', ARRAY['bench.read']
              FROM made;
            ANALYZE auth_token; ANALYZE auth_session;
            SELECT token FROM made;"""
        )
        return rows.split()

    def tokens(self):
        """The 10,000 of the bars, inserted once and known to the first nginx."""
        if self._tokens is None:
            self._tokens = self.insert_tokens(TOKENS)
        touch(self.first.gate_port, '/known', self._tokens)
        return self._tokens

    def connect(self):
        connection = psycopg2.connect(host=self.postgres.host, port=self.postgres.port, user='postgres', dbname='bench')
        connection.autocommit = True
        return contextlib.closing(connection)

    def log_in_at_once(self, clients, each):
        """Every client logs in so many times, as another user each time: CPU of one login, when the first and the last
        one had their answers."""
        start, ends = threading.Barrier(clients + 1), []

        def client(number):
            with Connection(self.first.api_port) as connection:
                start.wait()
                for i in range(each):
                    headers = {'Authorization': basic(f'user{number * each + i + 1}', ADMIN[1]), **JSON}
                    status, text = connection.ask('POST', '/0.1/token', headers, '{}')
                    assert status == 200, text
                    ends.append(time.perf_counter())

        workers = self.first.workers()
        before = sum(map(servers.cpu_seconds, workers))
        with ThreadPoolExecutor(clients) as pool:
            done = [pool.submit(client, number) for number in range(clients)]
            start.wait()
            began = time.perf_counter()
            for each_done in done:
                each_done.result()
        used = sum(map(servers.cpu_seconds, workers)) - before
        return {
            'cpu_ms': used / len(ends) * 1e3,
            'first_ms': (min(ends) - began) * 1e3,
            'last_ms': (max(ends) - began) * 1e3,
        }

    def login(self):
        status, text = self.login_answer()
        assert status == 200, text
        return json.loads(text)['data']['token']

    def login_answer(self):
        body = '{"expiration": 7200}'
        with Connection(self.first.api_port) as connection:
            return connection.ask('POST', '/0.1/token', {'Authorization': basic(*ADMIN), **JSON}, body)


class Connection:
    """One keep-alive connection; the cheapest client that Python allows."""

    def __init__(self, port, source=None):
        self._socket = socket.create_connection(('127.0.0.1', port), 60, source and (source, 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def ask(self, method, path, headers=None, body=''):
        lines = [f'{method} {path} HTTP/1.1', 'Host: bench', *(f'{k}: {v}' for k, v in (headers or {}).items())]
        if body:
            lines.append(f'Content-Length: {len(body)}')
        self._socket.sendall(('\r\n'.join(lines) + '\r\n\r\n' + body).encode())
        return self._answer(method == 'HEAD')

    def upgrade(self, path, headers):
        return self.ask('GET', path, {'Connection': 'upgrade', 'Upgrade': 'bench', **headers})[0]

    def until_refused(self, headers):
        """When a request was refused that was made as soon as the one before it was answered."""
        while self.ask('GET', '/known', headers)[0] == 200:
            pass
        return time.time()

    def wait_closed(self):
        """When it was."""
        with contextlib.suppress(ConnectionError):
            while self._socket.recv(65536):
                pass
        return time.time()

    def _answer(self, headless):
        while b'\r\n\r\n' not in self._rest:
            self._read()
        head, _, self._rest = self._rest.partition(b'\r\n\r\n')
        status = int(head[9:12])
        length = re.search(rb'\r\ncontent-length: *(\d+)', head, re.I)
        size = 0 if headless or status in (204, 304) or not length else int(length[1])
        while len(self._rest) < size:
            self._read()
        body, self._rest = self._rest[:size], self._rest[size:]
        return status, body.decode()

    def _read(self):
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError('closed by nginx')
        self._rest += data


class Upgrading:
    """A server that upgrades every connection and then is silent."""

    def __init__(self, port):
        self._listening = socket.create_server(('127.0.0.1', port))
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listening.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self._listening.accept()[:1], daemon=True).start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(b'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: bench\r\n\r\n')
            while connection.recv(65536):
                pass


def user_of(connection, token):
    return _value(connection, 'SELECT auth_id FROM auth_token WHERE uuid = %s', token)


def committed(connection, value):
    """When the lock was (Unix seconds)."""
    prefix = f'{value}/32' if '.' in value else value
    sql = 'SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM wazo_auth.lock WHERE value = %s'
    return float(_value(connection, sql, prefix))


def _value(connection, sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()[0]


def touch(port, path, tokens, connections=8, batch=64):
    """One request with each token, pipelined. Returns how many were answered 200, and how many as hits."""

    def part(mine):
        good = hits = 0
        with socket.create_connection(('127.0.0.1', port), 120) as connection:
            for start in range(0, len(mine), batch):
                group = mine[start : start + batch]
                connection.sendall(
                    b''.join(
                        f'GET {path} HTTP/1.1\r\nHost: bench\r\nX-Auth-Token: {token}\r\n\r\n'.encode()
                        for token in group
                    )
                )
                text = b''
                while text.count(b'HTTP/1.1 ') < len(group) or not text.endswith((b'answer\n', b'}\n')):
                    data = connection.recv(1 << 18)
                    if not data:
                        raise ConnectionError('closed by nginx')
                    text += data
                good += text.count(b'HTTP/1.1 200')
                hits += text.count(b'X-Status: hit')
        return good, hits

    with ThreadPoolExecutor(connections) as pool:
        parts = list(pool.map(part, [tokens[i::connections] for i in range(connections)]))
    return sum(good for good, _ in parts), sum(hits for _, hits in parts)


def wrk(nginx, port, requests_lua, seconds, connections=16):
    """Requests made by a piece of Lua that defines `make(i)`; returns a dict with rate, CPU per request, latencies.

    CPU is user and system time of nginx's workers. wrk runs on the other core.
    """
    with tempfile.NamedTemporaryFile('w', suffix='.lua') as script:
        script.write(
            requests_lua
            + """
local prepared, count = {}, 0
init = function(args)
  for i = 1, total do prepared[i] = make(i) end
  math.randomseed(os.time())
  count = math.random(total)
end
request = function()
  count = count % total + 1
  return prepared[count]
end
done = function(s, l, r)
  io.write(string.format("RESULT %d %d %d %d %d\\n", s.requests, s.duration,
    s.errors.status + s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout,
    l:percentile(50), l:percentile(99)))
end
"""
        )
        script.flush()
        workers = nginx.workers()
        before = sum(map(servers.cpu_seconds, workers))
        out = subprocess.run(
            [
                'taskset',
                '-c',
                '1',
                'wrk',
                '-t1',
                f'-c{connections}',
                f'-d{seconds}s',
                '--timeout',
                '30s',
                '-s',
                script.name,
                f'http://127.0.0.1:{port}/',
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        used = sum(map(servers.cpu_seconds, workers)) - before
    count, micros, errors, p50, p99 = map(int, re.search(r'RESULT (.*)', out)[1].split())
    return {
        'rate': count / (micros / 1e6),
        'cpu_us': used / max(count, 1) * 1e6,
        'p50_us': p50,
        'p99_us': p99,
        'errors': errors,
        'count': count,
    }


def lua_requests(method, path, tokens, header=True):
    """Lua for wrk(): path may hold TOKEN; with `header` the token is sent in X-Auth-Token."""
    listed = ','.join(f'"{token}"' for token in tokens)
    headers = '["Host"]="bench"' + (',["X-Auth-Token"]=t' if header else '')
    return (
        f'local tokens = {{{listed}}}\ntotal = #tokens\n'
        f'make = function(i) local t = tokens[i]\n'
        f'  return wrk.format("{method}", (string.gsub("{path}", "TOKEN", t)), {{{headers}}}) end\n'
    )


def lua_logins(users):
    """Lua for wrk(): logins of different users from different addresses, as they come through a proxy."""
    basics = ','.join('"' + base64.b64encode(f'{user}:{ADMIN[1]}'.encode()).decode() + '"' for user in users)
    return (
        f'local basics = {{{basics}}}\ntotal = #basics\n'
        'make = function(i) return wrk.format("POST", "/0.1/token", {["Host"]="bench",'
        '["Authorization"]="Basic " .. basics[i],["Content-Type"]="application/json",'
        '["X-Forwarded-For"]="10." .. (i % 200) .. "." .. (i % 97) .. ".1"}, "{\\"expiration\\": 60}") end\n'
    )


class Paced:
    """A steady trickle of one kind of call on a thread; latencies() gives what each took, in seconds. The thread goes
    before all others, if it may: how long it waits for a core beside PostgreSQL isn't the server's doing."""

    def __init__(self, port, method, path, headers, interval=0.004):
        self._arguments = (method, path, headers)
        self._port = port
        self._interval = interval
        self._times = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -15)
        with Connection(self._port) as connection:
            while not self._stop.is_set():
                start = time.perf_counter()
                status, text = connection.ask(*self._arguments)
                self._times.append(time.perf_counter() - start)
                assert status in (200, 204), text
                self._stop.wait(self._interval)

    def latencies(self):
        self._stop.set()
        self._thread.join()
        return self._times


def metric(port, name):
    with urllib.request.urlopen(f'http://127.0.0.1:{port}/metrics', timeout=10) as answer:
        return float(re.search(rf'^{name} (\S+)$', answer.read().decode(), re.M)[1])


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median(values):
    return percentile(values, 0.5)
