"""usage: bench_import.py [USERS]     (through ./dev bench import)

The import of a platform's users through the API, as a script makes it over one connection: 20 groups and 20 policies
of 10 accesses, then for each of 2,000 users, unless told, the user with an address, a group and a policy. The last 200
users must come as fast as the first 200. `./dev bench daemon import` compares the import
in portions, POST /users/import, with the Python daemon.
"""
import json
import sys
import time
import uuid

import bench
import load
from load import ADMIN, Connection

from support import checks, servers

USERS, GROUPS, ACCESSES, EDGE = 2000, 20, 10, 200


def import_users(port, token, count):
    """The seconds that each user took, as a list, and those of everything."""
    mark = uuid.uuid4().hex[:8]
    headers = {'X-Auth-Token': token, 'Content-Type': 'application/json'}
    with Connection(port) as connection:

        def ask(method, path, body=None):
            status, text = connection.ask(method, f'/0.1{path}', headers, json.dumps(body) if body else '')
            assert status < 300, text
            return json.loads(text)['uuid'] if text else None

        start = time.perf_counter()
        groups, policies = [], []
        for i in range(GROUPS):
            acl = [f'import.resource{i}.part{k}.read' for k in range(ACCESSES)]
            policies.append(ask('POST', '/policies', {'name': f'import-{mark}-{i}', 'acl': acl}))
            groups.append(ask('POST', '/groups', {'name': f'import-{mark}-{i}'}))
            ask('PUT', f'/groups/{groups[-1]}/policies/{policies[-1]}')
        each = []
        for i in range(count):
            began = time.perf_counter()
            name = f'import-{mark}-{i}'
            user = ask(
                'POST', '/users', {'username': name, 'firstname': 'First', 'email_address': f'{name}@example.com'}
            )
            ask('PUT', f'/groups/{groups[i % GROUPS]}/users/{user}')
            ask('PUT', f'/users/{user}/policies/{policies[(i + 1) % GROUPS]}')
            each.append(time.perf_counter() - began)
        return each, time.perf_counter() - start


def main(arguments):
    count = int(arguments[0]) if arguments else USERS
    report = bench.Report()
    with load.own_postgres() as (folder, postgres, at_end):
        settings = load.first_settings(postgres.create_database('import', 'wazo-auth'))
        port = servers.free_port()
        values = {'CONFIG': servers.write_settings(folder, settings), 'API_PORT': port, 'LOG_LEVEL': 'notice'}
        nginx = servers.Nginx(folder / 'nginx', servers.BUILD, load.API_CONF, (port, '/0.1/backends'), values)
        nginx.start()
        at_end(nginx)
        with Connection(port) as connection:
            headers = {'Authorization': checks.basic(*ADMIN), 'Content-Type': 'application/json'}
            status, text = connection.ask('POST', '/0.1/token', headers, '{"expiration": 7200}')
        assert status == 200, text
        each, whole = import_users(port, json.loads(text)['data']['token'], count)
        edge = min(EDGE, count // 2)
        first, last = sorted(each[:edge]), sorted(each[-edge:])
        report.line(f'import: a user, last {edge} / first {edge}', [last[edge // 2] / first[edge // 2]], 1.2, False)
        report.note(f'{count:,} users, {GROUPS} groups and policies', f'{whole:.1f} s, {count / whole:.0f} users/s')
        for name, times in (('first', first), ('last', last)):
            report.note(
                f'{name} {edge}: median, p95',
                f'{times[edge // 2] * 1e3:.2f} ms, {times[edge * 95 // 100] * 1e3:.2f} ms',
            )
    return 1 if report.missed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
