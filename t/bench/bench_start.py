"""usage: bench_start.py [TENANTS [USERS]]     (through ./dev bench start)

What `nginx -t`, a reload and a start take on a large platform, 100,000 tenants and 50,000 users unless told, beside
the same nginx without the module: pairs, interleaved. The first token is that of a log-in sent as soon as nginx takes
connections; its time counts from the start of the program on, less what a log-in takes when all is warm, which is its
password's hash.
"""
import sys
import time

import bench
import load
from load import ADMIN, Connection, median

from support import checks, servers
from support.platform_sql import fill

PAIRS = 7
# Each tenant of a platform has one: a start has none to make.
ALL_USERS_GROUPS = """
INSERT INTO auth_group (name, slug, tenant_uuid, system_managed)
SELECT 'wazo-all-users-tenant-' || uuid, 'wazo-all-users-tenant-' || uuid, uuid, true FROM auth_tenant
ON CONFLICT DO NOTHING;
VACUUM (ANALYZE) auth_group;
"""
PLAIN = """\
events { worker_connections 1024; }
http {
@TEMPORARY@
    access_log off;
    server { listen 127.0.0.1:@API_PORT@; location / { return 200; } }
}
"""


class Site:
    def __init__(self, folder, conf, config=None):
        self.port = servers.free_port()
        folder.mkdir()
        values = {'CONFIG': config, 'API_PORT': self.port, 'LOG_LEVEL': 'notice'}
        self.nginx = servers.Nginx(folder, servers.BUILD, conf, (self.port, '/0.1/backends'), values)
        if not config:
            self.nginx.PREAMBLE = self.nginx.PREAMBLE.replace('load_module @MODULE@;\n', '')

    def ms_of_test(self):
        start = time.perf_counter()
        ok, output = self.nginx.test()
        assert ok, output
        return (time.perf_counter() - start) * 1000

    def ms_of_reload(self):
        """Until the new workers are there and the old ones take no more connections."""
        start = time.perf_counter()
        self.nginx.reload()
        taken = (time.perf_counter() - start) * 1000
        self.nginx.settle()
        return taken

    def log_in(self):
        """Again while nginx says that it is starting."""
        headers = {'Authorization': checks.basic(*ADMIN), 'Content-Type': 'application/json'}
        status = 503
        with Connection(self.port) as connection:
            while status == 503:
                status, text = connection.ask('POST', '/0.1/token', headers, '{"expiration": 60}')
        assert status == 200, text

    def ms_of_log_in(self):
        start = time.perf_counter()
        self.log_in()
        return (time.perf_counter() - start) * 1000

    def ms_to_first_token(self):
        self.nginx.stop()
        self.nginx.ready = lambda: servers.port_answers(self.port)
        start = time.perf_counter()
        self.nginx.start()
        self.log_in()
        return (time.perf_counter() - start) * 1000


def main(arguments):
    tenants, users = (int(text) for text in [*arguments, *('100000', '50000')[len(arguments) :]])
    report = bench.Report()
    with load.own_postgres(durable=False) as (folder, postgres, at_end):
        settings = load.first_settings(postgres.create_database('start', 'wazo-auth'))
        (folder / 'settings').mkdir()
        ours = Site(folder / 'ours', load.API_CONF, servers.write_settings(folder / 'settings', settings))
        plain = Site(folder / 'plain', PLAIN)
        for site in (ours, plain):
            site.nginx.start()
            at_end(site.nginx)
        postgres.psql('start', fill(tenants, users, 100, 100) + ALL_USERS_GROUPS, timeout=1800)
        print(f'{tenants:,} tenants, {users:,} users')
        for what, measure in (('nginx -t', Site.ms_of_test), ('reload', Site.ms_of_reload)):
            pairs = [(measure(ours), measure(plain)) for _ in range(PAIRS)]
            report.line(f'{what}: more than without the module', [a - b for a, b in pairs], 100, False, ' ms')
            report.note(
                'with, without', f'{median([a for a, _ in pairs]):.0f} ms, {median([b for _, b in pairs]):.0f} ms'
            )
        warm = median([ours.ms_of_log_in() for _ in range(PAIRS)])
        firsts = [ours.ms_to_first_token() for _ in range(PAIRS)]
        report.line(
            'first token after the start, without its hash', [first - warm for first in firsts], 200, False, ' ms'
        )
        report.note('with it; a log-in when all is warm', f'{median(firsts):.0f} ms; {warm:.0f} ms')
    return 1 if report.missed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
