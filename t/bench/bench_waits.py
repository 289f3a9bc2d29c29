"""usage: bench_waits.py     (through ./dev bench waits)

What a worker's memory grows by for each authorization that it waits for at a broker, over ws and over wss: RssAnon with none,
1,000 and 2,000 of them, once all of their sockets are open. The first thousand also pays for threads and the authorities.
"""
import json
import re
import resource
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bench
import load
from load import Connection

from support import checks, oauth2_peers, servers

STEPS = (1000, 2000)
MOST_FILES = 8192
BAR_KB = {'ws': 10, 'wss': 30}


class Site:
    """An nginx of one worker, a user for each wait, and a broker."""

    def __init__(self, folder, postgres, kind):
        authority = servers.Authority(folder / 'authority')
        certificate = [authority.certificate('DNS:localhost')] if kind == 'wss' else None
        self.postgres, self.kind = postgres, kind
        self.broker = oauth2_peers.Broker(servers.free_port(), certificate)
        config = servers.write_settings(
            folder,
            {
                **load.first_settings(postgres.create_database(kind, 'wazo-auth')),
                'external_auth_ca_file': str(authority.file),
                'google': {
                    'authorization_base_url': 'https://consent.example',
                    'token_url': 'https://consent.example',
                    'redirect_uri': 'https://broker.example',
                    'websocket_host': f'{kind}://localhost:{self.broker.port}',
                },
            },
        )
        self.port = servers.free_port()
        values = {'WORKERS': 1, 'CONFIG': config, 'API_PORT': self.port, 'LOG_LEVEL': 'crit'}
        conf = f'worker_rlimit_nofile {MOST_FILES};\nenv OAUTHLIB_INSECURE_TRANSPORT;\n' + load.API_CONF
        self.nginx = servers.Nginx(
            folder, servers.BUILD, conf, (self.port, '/0.1/backends'), values, {'OAUTHLIB_INSECURE_TRANSPORT': '1'}
        )
        self.nginx.start()
        basic = checks.basic(*load.ADMIN)
        self.headers = {'X-Auth-Token': self.ask('/0.1/token', {'Authorization': basic}, 200)['data']['token']}
        self.ask('/0.1/external/google/config', self.headers, 201, {'client_id': 'a', 'client_secret': 'b'})
        self.users = postgres.psql(
            kind,
            f"""
            INSERT INTO auth_user (uuid, username, purpose, authentication_method, enabled, tenant_uuid)
              SELECT uuid_generate_v4()::text, 'waits' || i, 'user', 'native', true, uuid
              FROM auth_tenant, generate_series(1, {STEPS[-1]}) i WHERE uuid = parent_uuid RETURNING uuid""",
        ).split()

    def ask(self, path, headers, wanted, body=None):
        with Connection(self.port) as connection:
            status, text = connection.ask(
                'POST', path, headers | {'Content-Type': 'application/json'}, json.dumps(body or {})
            )
        assert status == wanted, text
        return json.loads(text)

    def wait_for(self, count):
        users = self.users[len(self.broker.waiting) : count]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda user: self.ask(f'/0.1/users/{user}/external/google', self.headers, 201), users))
        servers.wait_until(lambda: len(self.broker.waiting) == count, 60, f'{count} sockets')

    def kilobytes(self):
        (worker,) = self.nginx.workers()
        return int(re.search(r'RssAnon:\s+(\d+) kB', Path(f'/proc/{worker}/status').read_text())[1])

    def close(self):
        self.nginx.stop()
        self.broker.end()


def measure(report, site):
    sizes = [site.kilobytes()]
    for count in STEPS:
        site.wait_for(count)
        sizes.append(site.kilobytes())
        report.note(f'{site.kind}: {count:,} waits', f'{sizes[-1] / 1024:.1f} MB, {sizes[0] / 1024:.1f} MB without')
    each = (sizes[-1] - sizes[-2]) / (STEPS[-1] - STEPS[-2])
    report.line(f'{site.kind}: memory of a wait', [each], BAR_KB[site.kind], False, ' KB')


def main():
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (MOST_FILES, max(MOST_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    )
    report = bench.Report()
    with load.own_postgres(durable=False) as (folder, postgres, _):
        for kind in BAR_KB:
            (folder / kind).mkdir()
            site = Site(folder / kind, postgres, kind)
            try:
                measure(report, site)
            finally:
                site.close()
    return 1 if report.missed else 0


if __name__ == '__main__':
    sys.exit(main())
