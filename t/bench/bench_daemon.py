"""usage: bench_daemon.py [CASE...]     (through ./dev bench daemon)

The administration of a platform by the Python daemon and by nginx: one database, filled the same for both, both running,
asked in turn. The master tenant has 1,000 users with an address each and 200 policies of 10 accesses; there are 100 tenants
below it. Interleaved pairs as in bench.py; each ratio is requests per second of nginx through the daemon's, the bar is 20,
for a new user 25.

CPU is told apart: of nginx's workers or of the daemon, and of PostgreSQL while the one or the other was asked. Neither is
bound to a core; the client has the second one, PostgreSQL (without fsync) what is left.

import: 2,000 users with an address, a group and a policy each, from end to end by four clients; the daemon with a request
for each part, nginx with 100 users a request. The bar is 10, and that each hundred of the last quarter takes no longer than
one of the first.

cases: users_page users_search tenants policies user_create import
"""
import json
import shutil
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import bench
import load
from load import Connection

from support import daemon, servers

SECONDS = {'policies': 12}  # of a run; otherwise 3. The daemon's longest answers take seconds
BAR, BARS = 20, {'user_create': 25}
IMPORT_BAR = 10
TENANTS, USERS, POLICIES, ACCESSES = 100, 1000, 200, 10
NAMES = 100000  # more than one run of user_create uses

READS = {
    'users_page': '/0.1/users?limit=25&order=username',
    'users_search': '/0.1/users?search=adm',
    'tenants': '/0.1/tenants',
    'policies': '/0.1/policies',
}
CASES = [*READS, 'user_create', 'import']
IMPORTED, PORTION, CLIENTS = 2000, 100, 4


class Side:
    """One of the two servers."""

    def __init__(self, name, port, workers):
        self.name = name
        self.port = port
        self.workers = workers  # processes whose CPU counts, as load.wrk() asks for them


class Pair:
    def __init__(self):
        self.folder = servers.temporary_folder()
        self.python = daemon.Daemon(self.folder / 'daemon', {'debug': False, 'token_cleanup_interval': 60})
        self.nginx = None

    def start(self):
        self.python.start()
        # The tools have PostgreSQL log every statement, for tests that count them.
        self.python.psql(f'ALTER ROLE "{daemon.OWNER}" SET log_min_duration_statement = -1')
        self._fill()
        done = subprocess.run(
            [servers.BUILD / 'wazo-auth-upgrade-db', '--config-file', self.python.config],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise servers.ServerError(done.stderr)
        folder = self.folder / 'nginx'
        values = {'CONFIG': self.python.config, 'API_PORT': servers.free_port(), 'LOG_LEVEL': 'notice'}
        self.nginx = servers.Nginx(
            folder,
            servers.BUILD,
            load.API_CONF,
            (values['API_PORT'], '/0.1/backends'),
            values,
            # As the daemon has them.
            {'XIVO_UUID': 'the-predefined-xivo-uuid', 'TZ': 'UTC+1', 'OAUTHLIB_INSECURE_TRANSPORT': '1'},
        )
        self.nginx.start()
        self.python.restart()
        pid = self.python.pid
        self.sides = (
            Side('nginx', values['API_PORT'], self.nginx.workers),
            Side('daemon', self.python.port, lambda: servers.family(pid)),
        )
        self.postgres = self.python.postgres_pid
        self.token = self._log_in()

    def _fill(self):
        self.python.psql(
            f"""
            CREATE TEMPORARY TABLE top AS SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid;
            INSERT INTO auth_tenant (uuid, slug, name, parent_uuid)
              SELECT uuid_generate_v4()::text, 't' || i, 'tenant ' || i, top.uuid FROM top, generate_series(1, {TENANTS}) i;
            INSERT INTO auth_group (name, slug, tenant_uuid, system_managed)
              SELECT 'wazo-all-users-tenant-' || uuid, 'wazo-all-users-tenant-' || uuid, uuid, true FROM auth_tenant
              WHERE slug ~ '^t[0-9]+$';
            INSERT INTO auth_user (username, firstname, lastname, purpose, authentication_method, enabled, tenant_uuid)
              SELECT 'user' || i, 'First' || i, 'Last' || i, 'user', 'default', true, top.uuid
              FROM top, generate_series(1, {USERS}) i;
            INSERT INTO auth_email (address, confirmed, main, user_uuid)
              SELECT username || '@example.com', true, true, uuid FROM auth_user WHERE username LIKE 'user%';
            INSERT INTO auth_user_group (user_uuid, group_uuid)
              SELECT u.uuid, g.uuid FROM auth_user u, auth_group g, top
              WHERE u.username LIKE 'user%' AND g.tenant_uuid = top.uuid AND g.system_managed;
            INSERT INTO auth_access (access) SELECT 'bench.resource' || k || '.p' || p || '.read'
              FROM generate_series(1, {ACCESSES}) k, generate_series(1, {POLICIES}) p;
            INSERT INTO auth_policy (name, slug, description, tenant_uuid)
              SELECT 'policy' || p, 'policy' || p, 'what it is for', top.uuid FROM top, generate_series(1, {POLICIES}) p;
            INSERT INTO auth_policy_access (policy_uuid, access_id)
              SELECT p.uuid, a.id FROM auth_policy p JOIN auth_access a
                ON a.access LIKE 'bench.resource%.p' || substr(p.slug, 7) || '.read' WHERE p.slug ~ '^policy[0-9]+$';"""
        )
        self.python.psql('VACUUM ANALYZE')

    def _log_in(self):
        basic = load.base64.b64encode(':'.join(daemon.ADMIN).encode()).decode()
        with Connection(self.sides[0].port) as connection:
            status, text = connection.ask(
                'POST',
                '/0.1/token',
                {'Authorization': f'Basic {basic}', 'Content-Type': 'application/json'},
                '{"expiration": 7200}',
            )
        assert status == 200, text
        return json.loads(text)['data']['token']

    def ask(self, side, path):
        with Connection(side.port) as connection:
            status, text = connection.ask('GET', path, {'X-Auth-Token': self.token})
        assert status == 200, text
        return json.loads(text), len(text)

    def postgres_cpu(self):
        """Also of sessions that ended: the postmaster has collected them."""
        alive = sum(map(servers.cpu_seconds, servers.family(self.postgres)))
        return alive + servers.cpu_seconds(self.postgres, of_ended_children=True)

    def run(self, case, side, seconds=None):
        self._rest()
        script = load.lua_requests('GET', READS[case], [self.token]) if case in READS else self._creations()
        before = self.postgres_cpu()
        result = load.wrk(side, side.port, script, seconds or SECONDS.get(case, 3))
        result['postgres_us'] = (self.postgres_cpu() - before) / max(result['count'], 1) * 1e6
        if result['errors']:
            raise servers.ServerError(f"{side.name}: {result['errors']} of {result['count']} requests of {case} failed")
        if case not in READS:
            self.python.psql("DELETE FROM auth_user WHERE username LIKE 'made-%'")
            self.python.psql('VACUUM ANALYZE auth_user, auth_user_group, auth_email')
        return result

    def _rest(self):
        """Requests that the last client left behind are still worked on."""

        def used():
            return self.postgres_cpu() + sum(servers.cpu_seconds(pid) for side in self.sides for pid in side.workers())

        def idle():
            before = used()
            time.sleep(0.3)
            return used() - before < 0.03

        servers.wait_until(idle, 60, 'rest after the last run')

    def _creations(self):
        """Each name once."""
        mark = uuid.uuid4().hex[:8]
        return (
            f'total = {NAMES}\nmake = function(i) return wrk.format("POST", "/0.1/users", {{["Host"]="bench",'
            f'["X-Auth-Token"]="{self.token}",["Content-Type"]="application/json"}},'
            f' "{{\\"username\\": \\"made-{mark}-" .. i .. "\\"}}") end\n'
        )

    def post(self, connection, method, path, body=None):
        headers = {'X-Auth-Token': self.token, 'Content-Type': 'application/json'}
        status, text = connection.ask(method, '/0.1' + path, headers, json.dumps(body) if body else '')
        assert status in (200, 204), text
        return json.loads(text) if text else None

    def import_users(self, side):
        """Seconds from the beginning until each portion was done, and those that it took, in the order of their ends."""
        mark = f'made-{uuid.uuid4().hex[:8]}'
        with Connection(side.port) as connection:
            group = self.post(connection, 'POST', '/groups', {'name': mark, 'slug': mark})['uuid']
            policy = self.post(connection, 'POST', '/policies', {'name': mark, 'slug': mark, 'acl': ['a.b']})['uuid']
        self._rest()

        def by_parts(connection, name):
            made = self.post(connection, 'POST', '/users', {'username': name, 'email_address': f'{name}@example.com'})
            self.post(connection, 'PUT', f"/groups/{group}/users/{made['uuid']}")
            self.post(connection, 'PUT', f"/users/{made['uuid']}/policies/{policy}")

        def at_once(connection, names):
            common = {'groups': [mark], 'policies': [mark]}
            rows = [
                {'username': name, 'emails': [{'address': f'{name}@example.com', 'main': True}], **common}
                for name in names
            ]
            assert self.post(connection, 'POST', '/users/import', {'users': rows})['created'] == len(rows)

        def portion(first):
            start = time.monotonic()
            names = [f'{mark}-{i}' for i in range(first, first + PORTION)]
            with Connection(side.port) as connection:
                if side.name == 'nginx':
                    at_once(connection, names)
                else:
                    for name in names:
                        by_parts(connection, name)
            end = time.monotonic()
            return end - began, end - start

        began = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as clients:
            done = sorted(clients.map(portion, range(0, IMPORTED, PORTION)))
        self.python.psql(f"DELETE FROM auth_user WHERE username LIKE '{mark}-%'")
        self.python.psql('VACUUM ANALYZE auth_user, auth_user_group, auth_user_policy, auth_email')
        return done

    def close(self):
        if self.nginx:
            self.nginx.stop()
        self.python.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def measure(pair, case, report):
    nginx, python = pair.sides
    if case in READS:
        (one, size), (other, _) = (pair.ask(side, READS[case]) for side in pair.sides)
        assert (one['total'], len(one['items'])) == (other['total'], len(other['items']))
    for side in pair.sides:
        pair.run(case, side, 1)
    pairs = bench._pairs(lambda: pair.run(case, nginx), lambda: pair.run(case, python))
    what = f'GET {READS[case]}' if case in READS else 'POST /0.1/users, no password'
    report.line(
        f'{what}: nginx / daemon', [one['rate'] / other['rate'] for one, other in pairs], BARS.get(case, BAR), True
    )
    if case in READS:
        report.note('answer', f"{len(one['items'])} items, {size:,} bytes")
    for index, side in enumerate(pair.sides):
        runs = [each[index] for each in pairs]
        report.note(
            side.name,
            f"{bench.spread([run['rate'] for run in runs])} req/s, p99 "
            f"{bench.spread([run['p99_us'] / 1e3 for run in runs])} ms",
        )
        own, postgres = ([run[name] for run in runs] for name in ('cpu_us', 'postgres_us'))
        report.note('CPU per request', f'{side.name} {bench.spread(own)} us, PostgreSQL {bench.spread(postgres)} us')
    totals = [[each[index]['cpu_us'] + each[index]['postgres_us'] for each in pairs] for index in (0, 1)]
    report.note(
        'CPU, daemon / nginx',
        f"without PostgreSQL {bench.spread([other['cpu_us'] / max(one['cpu_us'], 1e-3) for one, other in pairs])}, "
        f"with it {bench.spread([other / one for one, other in zip(*totals)])}",
    )


def took(portions):
    return load.median([seconds for _, seconds in portions])


def measure_import(pair, report):
    nginx, python = pair.sides
    pairs = [(pair.import_users(nginx), pair.import_users(python)) for _ in range(3)]
    report.line(
        f'import of {IMPORTED:,} users: nginx / daemon', [b[-1][0] / a[-1][0] for a, b in pairs], IMPORT_BAR, True
    )
    for index, side in enumerate(pair.sides):
        runs = [each[index] for each in pairs]
        quarter = len(runs[0]) // 4
        report.note(
            side.name,
            f'{bench.spread([run[-1][0] for run in runs])} s; a hundred of the last quarter / of the first '
            f'{bench.spread([took(run[-quarter:]) / took(run[:quarter]) for run in runs])}',
        )


def main(names):
    if any(name not in CASES for name in names):
        print(__doc__)
        return 2
    report = bench.Report()
    pair = Pair()
    try:
        pair.start()
        for case in names or CASES:
            if case == 'import':
                measure_import(pair, report)
            else:
                measure(pair, case, report)
    finally:
        pair.close()
    if report.missed:
        print('missed: ' + ', '.join(report.missed))
    return 1 if report.missed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
