"""usage: bench_curves.py [CURVE...]     (through ./dev bench curves)

What a request costs as the work grows, one curve each: tokens in the zone, workers, tenants and users in the database,
accesses of a token, upgraded connections. Drawn into docs/performance/curves-CURVE.svg, and printed as tables.

"hit" is a gated request with a token that is in the zone, "ungated" the same location without the gate: CPU of the workers
per request, by wrk. "miss" is the first request with a token, "page" the first 25 of a list, "end" how long after the
DELETE of its session a WebSocket ends: time, by one client. Each is the median of the rounds with the smallest and largest.

curves: tokens workers tenants users accesses websockets
"""
import asyncio
import contextlib
import multiprocessing
import resource
import shutil
import sys
import time

import load
import matplotlib
from load import Connection, lua_requests, median, wrk

from support import servers
from support.platform_sql import fill

matplotlib.use('svg')
from matplotlib import pyplot  # noqa: E402

PICTURES = servers.CHECKOUT / 'docs/performance'
ROUNDS, SECONDS, ASKED = 7, 1, 2000
MOST_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # nginx has two for each upgraded connection
COLOURS = {'hit': '#3b78b5', 'ungated': '#999999', 'miss': '#d9822b', 'page': '#4a9c5d', 'end': '#c0392b'}
UNITS = {'hit': 'CPU us', 'ungated': 'CPU us', 'miss': 'ms', 'page': 'ms', 'end': 'ms'}

CONF = """\
worker_rlimit_nofile @FILES@;
events { worker_connections 32768; }
http {
@TEMPORARY@
    access_log off;
    keepalive_requests 100000000;
    wazo_auth_config @CONFIG@;
    wazo_auth_zone tokens:@ZONE@;
    server { listen 127.0.0.1:@API_PORT@; location / { wazo_auth_api; } }
    server {
        listen 127.0.0.1:@GATE_PORT@;
        location = /ungated { alias @FOLDER@/answer; }
        location = /gated { wazo_auth on; wazo_auth_acl curve.read; alias @FOLDER@/answer; }
        location = /upgraded {
            wazo_auth on;
            wazo_auth_acl curve.read;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_read_timeout 1h;
            proxy_pass http://127.0.0.1:@UPGRADING_PORT@;
        }
    }
}
"""


class Site:
    """An nginx with a database of its own."""

    def __init__(self, curves, name, sql='', workers=1, zone='64m'):
        self.postgres, self.name = curves.postgres, name
        folder = curves.folder / name
        folder.mkdir()
        (folder / 'answer').write_text('answer\n')
        settings = load.first_settings(self.postgres.create_database(name, 'wazo-auth'))
        config = servers.write_settings(folder, settings | {'max_user_concurrent_sessions': 100000000})
        values = {
            'WORKERS': workers,
            'CONFIG': config,
            'LOG_LEVEL': 'crit',
            'ZONE': zone,
            'FILES': MOST_FILES,
            'API_PORT': servers.free_port(),
            'GATE_PORT': servers.free_port(),
            'UPGRADING_PORT': curves.upgrading_port,
        }
        self.api_port, self.gate_port = values['API_PORT'], values['GATE_PORT']
        self.nginx = servers.Nginx(folder, servers.BUILD, CONF, (self.api_port, '/0.1/backends'), values)
        self.nginx.start()
        if sql:
            self.postgres.psql(name, sql, timeout=900)
        (self.asking,) = self.tokens(1, ['#'])

    def tokens(self, count, accesses=('curve.read',)):
        """New ones, without triggers."""
        listed = ','.join(f"'{access}'" for access in accesses)
        return self.postgres.psql(
            self.name,
            f"""
            SET session_replication_role = replica;
            CREATE TEMPORARY TABLE made AS
              SELECT uuid_generate_v4()::text AS token, uuid_generate_v4()::text AS session, u.uuid AS user_uuid, u.tenant_uuid
              FROM generate_series(1, {count})
                CROSS JOIN (SELECT uuid, tenant_uuid FROM auth_user WHERE username = '{load.ADMIN[0]}') u;
            INSERT INTO auth_session (uuid, tenant_uuid, mobile) SELECT session, tenant_uuid, false FROM made;
            INSERT INTO auth_token (uuid, session_uuid, auth_id, pbx_user_uuid, issued_t, expire_t, metadata, user_agent,
                                    remote_addr, acl)
              SELECT token, session, user_uuid, user_uuid, extract(epoch FROM now())::int,
                     extract(epoch FROM now())::int + 7200,
                     json_build_object('uuid', user_uuid, 'tenant_uuid', tenant_uuid, 'auth_id', user_uuid)::text,
                     'Mozilla/5.0', '10.2.3.4', ARRAY[{listed}]
              FROM made;
            ANALYZE auth_token; ANALYZE auth_session;
            SELECT token FROM made;""",
            timeout=900,
        ).split()

    def gate(self, tokens, location='gated'):
        """CPU of the workers per request, in us; the tokens are known."""
        run = wrk(self.nginx, self.gate_port, lua_requests('GET', f'/{location}', tokens), SECONDS)
        assert not run['errors']
        return run['cpu_us']

    def miss(self, count=200):
        with Connection(self.gate_port) as gate:
            return median([self._ms(gate, 'GET', '/gated', token) for token in self.tokens(count)])

    def page(self, path, count=20):
        with Connection(self.api_port) as api:
            return median([self._ms(api, 'GET', f'/0.1{path}', self.asking) for _ in range(count)])

    def end(self, count=20):
        """Of sessions: who gives up a token himself may go on with the next one of his."""
        times = []
        with Connection(self.api_port) as api:
            for token in self.tokens(count):
                session = self.postgres.psql(self.name, f"SELECT session_uuid FROM auth_token WHERE uuid = '{token}'")
                with Connection(self.gate_port) as upgraded:
                    assert upgraded.upgrade('/upgraded', {'X-Auth-Token': token}) == 101
                    start = time.time()
                    path, asking = f'/0.1/sessions/{session}', {'X-Auth-Token': self.asking}
                    assert api.ask('DELETE', path, asking)[0] == 204
                    times.append((upgraded.wait_closed() - start) * 1e3)
        return median(times)

    def close(self):
        self.nginx.stop()
        self.postgres.psql('postgres', f'DROP DATABASE "{self.name}" WITH (FORCE)', timeout=300)

    @staticmethod
    def _ms(connection, method, path, token):
        start = time.perf_counter()
        status, text = connection.ask(method, path, {'X-Auth-Token': token})
        assert status == 200, text
        return (time.perf_counter() - start) * 1e3


class Curves:
    def __init__(self):
        self.folder = servers.temporary_folder()
        self.postgres = servers.Postgres(self.folder / 'postgres', servers.free_port(), durable=False)
        self.postgres.start()
        self.upgrading_port = servers.free_port()
        self.upgrading = multiprocessing.Process(target=_upgrade_all, args=(self.upgrading_port,), daemon=True)
        self.upgrading.start()

    def close(self):
        self.upgrading.kill()
        self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _upgrade_all(port):
    """A server that upgrades every connection, and then is silent."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES, MOST_FILES))

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b'\r\n\r\n')
            writer.write(b'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: curve\r\n\r\n')
            await reader.read()
        writer.close()

    async def run():
        async with await asyncio.start_server(serve, '127.0.0.1', port, backlog=1024) as server:
            await server.serve_forever()

    asyncio.run(run())


def curve_tokens(curves):
    """Tokens in the zone"""
    site, held = Site(curves, 'tokens', zone='1024m'), []
    for size in (10**3, 10**4, 10**5, 10**6):
        new = site.tokens(size - len(held))
        assert load.touch(site.gate_port, '/gated', new)[0] == len(new)
        held += new
        # As many as the client can prepare, from all over the zone.
        asked = held[:: max(1, len(held) // 100000)]
        rounds = [
            {'hit': site.gate(asked), 'ungated': site.gate(asked, 'ungated'), 'miss': site.miss()}
            for _ in range(ROUNDS)
        ]
        yield size, rounds
    site.close()


def _sites(sizes, make, ask):
    """A site of each size; the rounds go through all of them."""
    sites = {size: make(size) for size in sizes}
    rounds = {size: [] for size in sizes}
    for _ in range(ROUNDS):
        for size, site in sites.items():
            rounds[size].append(ask(site))
    for site in sites.values():
        site.close()
    yield from rounds.items()


def _known(site, count=ASKED, accesses=('curve.read',)):
    site.known = site.tokens(count, accesses)
    # As often as it takes for each to be known to each worker's connections.
    assert load.touch(site.gate_port, '/gated', site.known)[0] == count
    return site


def _gate(site):
    return {'hit': site.gate(site.known), 'ungated': site.gate(site.known, 'ungated'), 'miss': site.miss()}


def curve_workers(curves):
    """Workers"""
    yield from _sites(
        (1, 2, 4, 8),
        lambda size: _known(Site(curves, f'workers{size}', workers=size)),
        lambda site: {**_gate(site), 'end': site.end()},
    )


def curve_tenants(curves):
    """Tenants"""
    yield from _sites(
        (10, 10**2, 10**3, 10**4, 10**5),
        lambda size: _known(Site(curves, f'tenants{size}', fill(size, 100, 100, 100))),
        lambda site: {**_gate(site), 'page': site.page('/tenants?limit=25&order=name')},
    )


def curve_users(curves):
    """Users"""
    yield from _sites(
        (10**2, 10**3, 10**4, 10**5, 10**6),
        lambda size: _known(Site(curves, f'users{size}', fill(100, size, 100, 100))),
        lambda site: {**_gate(site), 'page': site.page('/users?limit=25&order=username&recurse=true', 5)},
    )


def curve_accesses(curves):
    """Accesses of a token"""
    site = Site(curves, 'accesses', zone='256m')
    known = {}
    for size in (10, 30, 100, 300, 1000):
        accesses = [f'curve.thing{i}.read' for i in range(size - 1)] + ['curve.read']
        known[size] = site.tokens(200, accesses)
        assert load.touch(site.gate_port, '/gated', known[size])[0] == 200
    rounds = {size: [] for size in known}
    for _ in range(ROUNDS):
        for size, tokens in known.items():
            rounds[size].append({'hit': site.gate(tokens), 'ungated': site.gate(tokens, 'ungated')})
    site.close()
    yield from rounds.items()


def curve_websockets(curves):
    """Upgraded connections"""
    site, held = _known(Site(curves, 'websockets')), []
    for size in (10, 10**2, 10**3, min(10**4, MOST_FILES // 2 - 500)):
        while len(held) < size:
            connection = Connection(site.gate_port)
            assert connection.upgrade('/upgraded', {'X-Auth-Token': site.known[len(held) % ASKED]}) == 101
            held.append(connection)
        yield size, [{**_gate(site), 'end': site.end()} for _ in range(ROUNDS)]
    site.close()


CURVES = {name[6:]: curve for name, curve in globals().items() if name.startswith('curve_')}


def show(name, title, points):
    """A table, and the picture: CPU on the left axis, times on the right one."""
    kinds = list(points[0][1][0])
    print(f'{title:<24}' + ''.join(f'{kind} ({UNITS[kind]})'.rjust(24) for kind in kinds))
    figure, cpu = pyplot.subplots(figsize=(7, 3.6))
    times = cpu.twinx() if any(UNITS[kind] == 'ms' for kind in kinds) else None
    for size, rounds in points:
        cells = []
        for kind in kinds:
            values = [each[kind] for each in rounds]
            cells.append(f'{median(values):.2f} ({min(values):.2f}-{max(values):.2f})')
        print(f'{size:<24,}' + ''.join(cell.rjust(24) for cell in cells), flush=True)
    for kind in kinds:
        axis = times if UNITS[kind] == 'ms' else cpu
        values = [[each[kind] for each in rounds] for _, rounds in points]
        middles = [median(each) for each in values]
        spread = [
            [middle - min(each) for middle, each in zip(middles, values)],
            [max(each) - middle for middle, each in zip(middles, values)],
        ]
        axis.errorbar(
            [size for size, _ in points],
            middles,
            spread,
            label=f'{kind}, {UNITS[kind]}',
            color=COLOURS[kind],
            marker='o',
            capsize=3,
            linestyle='--' if UNITS[kind] == 'ms' else '-',
        )
    cpu.set(xscale='log', xlabel=title.lower(), ylabel='CPU per request, us')
    cpu.set_ylim(bottom=0)
    lines, labels = cpu.get_legend_handles_labels()
    if times:
        times.set_ylabel('time, ms')
        times.set_ylim(bottom=0)
        more = times.get_legend_handles_labels()
        lines, labels = lines + more[0], labels + more[1]
    cpu.legend(lines, labels, fontsize='small', loc='best', frameon=False)
    figure.tight_layout()
    PICTURES.mkdir(exist_ok=True)
    figure.savefig(PICTURES / f'curves-{name}.svg', metadata={'Date': None})
    pyplot.close(figure)


def main(names):
    unknown = [name for name in names if name not in CURVES]
    if unknown:
        print(__doc__)
        return 2
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES, MOST_FILES))
    matplotlib.rcParams['svg.hashsalt'] = 'curves'
    for name in names or CURVES:
        curves = Curves()
        try:
            show(name, CURVES[name].__doc__, list(CURVES[name](curves)))
        finally:
            curves.close()
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
