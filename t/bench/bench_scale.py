"""usage: bench_scale.py     (through ./dev bench scale)

What lists cost on a platform of 5,000 tenants, 50,000 users, 5,000 groups and 5,000 policies, against one with 100 of each.
One client asks over one connection; each time is the median of the requests of a round, rounds are interleaved, ratios are
medians of 5 with their spread. The exact counts are told apart: a page without them is what 3 times is the bar of. At the
end, who can: which of the large platform's users have an access, and where they have it from.
"""
import json
import re
import subprocess
import sys
import time

import bench
import load
from load import ADMIN, Connection, median

from support import servers
from support.platform_sql import fill, grant

ROUNDS, REQUESTS = 5, 40
SIZES = {'small': (100, 100, 100, 100), 'large': (5000, 50000, 5000, 5000)}


class Platform:
    def __init__(self, folder, postgres, name, workers=2):
        self.name = name
        self.postgres = postgres
        uri = postgres.create_database(name, 'wazo-auth')
        config = servers.write_settings(folder, load.first_settings(uri))
        values = {'CONFIG': config, 'API_PORT': servers.free_port(), 'LOG_LEVEL': 'crit', 'WORKERS': workers}
        self.nginx = servers.Nginx(folder, servers.BUILD, load.API_CONF, (values['API_PORT'], '/0.1/backends'), values)
        self.nginx.start()
        basic = load.base64.b64encode(':'.join(ADMIN).encode()).decode()
        with Connection(values['API_PORT']) as connection:
            status, text = connection.ask(
                'POST',
                '/0.1/token',
                {'Authorization': f'Basic {basic}', 'Content-Type': 'application/json'},
                '{"expiration": 7200}',
            )
        assert status == 200, text
        self.headers = {'X-Auth-Token': json.loads(text)['data']['token']}
        postgres.psql(name, fill(*SIZES[name]), timeout=300)
        self.port = values['API_PORT']
        self.connection = Connection(self.port)

    def ms(self, path, requests=REQUESTS):
        times = []
        for _ in range(requests):
            start = time.perf_counter()
            status, text = self.connection.ask('GET', path, self.headers)
            times.append((time.perf_counter() - start) * 1000)
            assert status == 200, text
        self.answer = text
        return median(times)

    def seconds_of_all(self, path):
        """By curl: a client in Python would be what is measured."""
        done = subprocess.run(
            [
                'curl',
                '-s',
                '-f',
                '-o',
                '/dev/null',
                '-w',
                '%{time_total}',
                '-H',
                f"X-Auth-Token: {self.headers['X-Auth-Token']}",
                f'http://127.0.0.1:{self.port}/0.1{path}',
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        return float(done.stdout)

    def count_ms(self, sql):
        """Of a statement on a session of its own, once it is warm."""
        text = self.postgres.psql(self.name, '\\timing on\n' + f'{sql};\n' * 5)
        return median([float(found) for found in re.findall(r'Time: ([0-9.]+) ms', text)])


def measure_who_can(platform, report):
    """Of 50,000 users, whose policies grant something now. A statement is planned anew at first, hence the many rounds."""
    platform.postgres.psql(platform.name, grant(), timeout=300)
    user = platform.postgres.psql(platform.name, "SELECT uuid FROM auth_user WHERE username = 'user-' || md5('2')")
    accesses = {
        'all': 'calld.calls.read',
        'all but some': 'calld.calls.delete',
        'some': 'service7.things7.part7.read',
        'some, and one by name': f'service5.users.{user}.part5.read',
        'admins': 'nobody.else',
    }
    for page in ('&limit=25', '', '&limit=25&search=abc'):
        for who, access in accesses.items():
            path = f'/access/who-can?access={access}&recurse=true{page}'
            seconds = [platform.seconds_of_all(path) for _ in range(2 * ROUNDS)]
            report.line(f'who-can of {who}{page}', seconds, 2, False, ' s')
            platform.ms(f'/0.1/access/who-can?access={access}&recurse=true&limit=1', 1)
            report.note('users', json.loads(platform.answer)['total'])


def needle(postgres):
    return postgres.psql('large', "SELECT substr(md5('2'), 3, 8)")


def main():
    report = bench.Report()
    with load.own_postgres(durable=False) as (folder, postgres, at_end):
        small, large = (Platform(folder / name, postgres, name) for name in SIZES)
        for each in (small, large):
            at_end(each.nginx)
        # The counts of both are those of one statement each; what they take is no page's.
        counts = {
            '': "SELECT count(*) FROM auth_user WHERE tenant_uuid = (SELECT uuid FROM auth_tenant "
            "WHERE uuid = parent_uuid)",
            '&recurse=true': 'SELECT count(*) FROM auth_user',
        }
        pages = [
            (f'/users?limit=25&order={order}&direction={direction}{recurse}', counts[recurse])
            for order in ('username', 'firstname', 'lastname')
            for direction in ('asc', 'desc')
            for recurse in ('', '&recurse=true')
        ]
        word = needle(postgres)
        pages += [
            (f'/users?limit=25&search={word}', counts['']),
            (f'/users?limit=25&search={word}&recurse=true', counts['&recurse=true']),
            ('/groups?limit=25&order=name', None),
            ('/groups?limit=25&order=uuid', None),
            (f'/groups?limit=25&search={word}', None),
            ('/tenants?limit=25&order=name', None),
            ('/tenants?limit=25&order=slug', None),
            (f'/tenants?limit=25&search={word}', None),
            ('/policies?limit=25&order=name', None),
        ]
        for path, count in pages:
            whole, ratios = [], []
            for _ in range(ROUNDS):
                few, many = small.ms(f'/0.1{path}'), large.ms(f'/0.1{path}')
                counted = large.count_ms(count) - small.count_ms(count) if count else 0
                whole.append(many)
                ratios.append((many - counted) / few)
            report.line(f'{path} large / small', ratios, 3, False)
            report.note('large, with its counts', f'{median(whole):.2f} ms')
        for recurse, sql in counts.items():
            report.line(f'count of users{recurse}', [large.count_ms(sql) for _ in range(ROUNDS)], 15, False, ' ms')
        for path in ('/users?recurse=true', '/groups?recurse=true', '/tenants', '/policies?recurse=true'):
            large.ms(f'/0.1{path}' + ('&' if '?' in path else '?') + 'limit=1', 1)
            rows, costs = json.loads(large.answer)['total'], []
            for _ in range(ROUNDS):
                costs.append(large.seconds_of_all(path) * 1e6 / rows)
            report.line(f'{path} unlimited, a row', costs, 8, False, ' us')
        measure_who_can(large, report)
    return 1 if report.missed else 0


if __name__ == '__main__':
    sys.exit(main())
