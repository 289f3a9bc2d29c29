"""usage: bench.py [CASE...]     (through ./dev bench)

Every ratio is the median of interleaved pairs in one run, with its spread (largest less smallest). A bar is met by the
median. The exit code tells whether all bars were met. On a machine with two cores nginx's worker has the
first one and the client the second; "CPU" is user and system time of the worker.

cases: gate route api page logins boot memory flood revocation locks capacity scrape audit
"""
import itertools
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import load
from load import Connection, Paced, lua_logins, lua_requests, median, percentile, touch, wrk

from support import servers

PAIRS = 5
SECONDS = 3


class Report:
    def __init__(self):
        self.missed = []

    def line(self, what, values, bar, at_least, unit=''):
        """One bar: the median of `values` against `bar`."""
        middle, spread = median(values), max(values) - min(values)
        met = middle >= bar if at_least else middle <= bar
        if not met:
            self.missed.append(what)
        sign = '>=' if at_least else '<='
        print(
            f"{what:<58} {_number(middle)}{unit}  spread {_number(spread)}  bar {sign} {_number(bar)}{unit}  "
            f"{'met' if met else 'MISSED'}",
            flush=True,
        )

    def note(self, what, text):
        print(f'  {what:<56} {text}', flush=True)


def _number(value):
    return f'{value:,.0f}' if abs(value) >= 100 else f'{value:.3g}'


def spread(values):
    return f'{_number(median(values))} (spread {_number(max(values) - min(values))})'


def _pairs(run_one, run_other):
    """Interleaved, and in turn the one and the other first."""
    pairs = []
    for i in range(PAIRS):
        if i % 2:
            other, one = run_other(), run_one()
        else:
            one, other = run_one(), run_other()
        pairs.append((one, other))
    return pairs


def case_gate(bench, report):
    """A gated request with a known token against the same location ungated."""
    tokens = bench.tokens()
    port = bench.first.gate_port
    for kind in ('proxied', 'file'):
        gated, plain = (lua_requests('GET', f'/{kind}/{how}', tokens) for how in ('gated', 'plain'))
        wrk(bench.first, port, gated, 1)
        pairs = _pairs(lambda: wrk(bench.first, port, gated, SECONDS), lambda: wrk(bench.first, port, plain, SECONDS))
        assert not any(each['errors'] for pair in pairs for each in pair)
        what = f'gate: gated / ungated, {"proxied upstream" if kind == "proxied" else "a small file"}, req/s'
        bar = 0.98 if kind == 'proxied' else 0.96
        report.line(what, [one['rate'] / other['rate'] for one, other in pairs], bar, True)
        for name, index in (('gated', 0), ('ungated', 1)):
            report.note(
                name,
                f"{spread([pair[index]['rate'] for pair in pairs])} req/s, "
                f"{spread([pair[index]['cpu_us'] for pair in pairs])} us CPU per request",
            )


def case_route(bench, report):
    """A gated request by a document of 1,000 operations against the same by wazo_auth_acl."""
    tokens = bench.tokens()
    port = bench.first.routes_port
    by_document, by_access = (
        lua_requests('GET', f'/{prefix}/1.0/resource99/7', tokens) for prefix in ('api/bench', 'own')
    )
    for script in by_document, by_access:
        wrk(bench.first, port, script, 1)
    pairs = _pairs(
        lambda: wrk(bench.first, port, by_document, SECONDS), lambda: wrk(bench.first, port, by_access, SECONDS)
    )
    assert not any(each['errors'] for pair in pairs for each in pair)
    report.line(
        'route: by document / by wazo_auth_acl, req/s',
        [one['rate'] / other['rate'] for one, other in pairs],
        0.95,
        True,
    )
    for name, index in (('by document', 0), ('by wazo_auth_acl', 1)):
        report.note(
            name,
            f"{spread([pair[index]['rate'] for pair in pairs])} req/s, "
            f"{spread([pair[index]['cpu_us'] for pair in pairs])} us CPU per request",
        )


def case_api(bench, report):
    """Token checks over the API, by one worker."""
    tokens = bench.tokens()
    port = bench.first.api_port
    kinds = {
        'HEAD /0.1/token/{t}?scope=': (
            lua_requests('HEAD', f'/0.1/token/TOKEN?scope={load.REQUIRED}', tokens, False),
            25000,
        ),
        'GET /0.1/token/{t}': (lua_requests('GET', '/0.1/token/TOKEN', tokens, False), 20000),
    }
    for script, _ in kinds.values():
        wrk(bench.first, port, script, 1)
    runs = {name: [] for name in kinds}
    for _ in range(PAIRS):
        for name, (script, _) in kinds.items():
            runs[name].append(wrk(bench.first, port, script, SECONDS))
    for name, (_, bar) in kinds.items():
        assert not any(run['errors'] for run in runs[name])
        report.line(f'api: {name}, one worker', [run['rate'] for run in runs[name]], bar, True, ' req/s')
        report.note('CPU per request', f"{spread([run['cpu_us'] for run in runs[name]])} us")


def case_page(bench, report):
    """Gated requests and token checks where the operator's page is served, against an nginx without it."""
    tokens = bench.tokens()
    other = bench.add_nginx('page', page='location /api/auth/ui { wazo_auth_ui; }')
    touch(other.gate_port, '/known', tokens)
    with Connection(other.gate_port) as connection:
        assert connection.ask('GET', '/api/auth/ui/', {})[0] == 200
    kinds = {
        'a gated request': ('gate_port', lua_requests('GET', '/file/gated', tokens)),
        'HEAD /0.1/token/{t}': ('api_port', lua_requests('HEAD', '/0.1/token/TOKEN', tokens, False)),
    }
    for name, (port, script) in kinds.items():

        def run(nginx, seconds=SECONDS, port=port, script=script):
            return wrk(nginx, getattr(nginx, port), script, seconds)

        run(other, 1), run(bench.first, 1)
        pairs = _pairs(lambda run=run: run(other), lambda run=run: run(bench.first))
        assert not any(each['errors'] for pair in pairs for each in pair)
        report.line(
            f'page: {name}, CPU with the page / without',
            [one['cpu_us'] / without['cpu_us'] for one, without in pairs],
            1.05,
            False,
        )
        for which, index in (('with the page', 0), ('without', 1)):
            report.note(
                which,
                f"{spread([pair[index]['rate'] for pair in pairs])} req/s, "
                f"{spread([pair[index]['cpu_us'] for pair in pairs])} us CPU per request",
            )


def case_logins(bench, report):
    """CPU of a whole POST /token against OpenSSL's PBKDF2 alone, by how many clients log in at a time."""
    kernels = subprocess.run([servers.BUILD / 'bench_password'], capture_output=True, text=True, check=True).stdout
    together = 0.25 if 'avx512:' in kernels else 0.45 if 'avx2:' in kernels else 0.65
    for clients in 1, 8, 16:
        pairs = _pairs(lambda clients=clients: bench.log_in_at_once(clients, 8), _openssl_ms)
        ratios = [one['cpu_ms'] / ms for one, ms in pairs]
        what = f'logins: CPU of POST /token / PKCS5_PBKDF2_HMAC, {clients} clients'
        report.line(what, ratios, 0.65 if clients == 1 else together, False)
        cpu, openssl = ([pair[0]['cpu_ms'] for pair in pairs], [pair[1] for pair in pairs])
        report.note('CPU of one login, of PKCS5_PBKDF2_HMAC', f'{spread(cpu)} ms, {spread(openssl)} ms')


def _openssl_ms():
    out = subprocess.run([servers.BUILD / 'bench_password', 'alone'], capture_output=True, text=True, check=True).stdout
    return float(re.search(r"OpenSSL's ([\d.]+) ms", out)[1])


def case_boot(bench, report):
    """The services of a platform that starts log in, all at once: when the last of them has its answer."""
    services = 26
    pairs = _pairs(lambda: bench.log_in_at_once(services, 1), _openssl_ms)
    last = [one['last_ms'] / ms for one, ms in pairs]
    report.line(f'boot: last of {services} logins / PKCS5_PBKDF2_HMAC', last, 8, False)
    together = [services * one['cpu_ms'] / ms for one, ms in pairs]
    report.note('CPU of all / PKCS5_PBKDF2_HMAC', spread(together))
    report.note('the last one', f"{spread([one['last_ms'] for one, _ in pairs])} ms")
    report.note('the first one', f"{spread([one['first_ms'] for one, _ in pairs])} ms")


def case_memory(bench, report):
    """Users who log in again and again, where passwords that were right are remembered."""
    nginx = bench.add_nginx('memory', settings={'login_memory': 60})
    script = lua_logins([f'user{i}' for i in range(1, 27)])
    wrk(nginx, nginx.api_port, script, 10)
    bench.psql('ANALYZE')  # as autovacuum does once a minute: until then plans are those of a new platform's tables
    runs = [wrk(nginx, nginx.api_port, script, SECONDS) for _ in range(PAIRS)]
    nginx.stop()
    assert not any(run['errors'] for run in runs)
    report.line('memory: repeated logins', [run['rate'] for run in runs], 1000, True, ' per s')
    report.note('CPU of one', f"{spread([run['cpu_us'] for run in runs])} us")


def case_flood(bench, report):
    """What other calls feel of a flood of logins."""
    token = bench.login()
    known = bench.tokens()[0]
    nginx = bench.first
    script = lua_logins([f'user{i}' for i in range(1, load.USERS + 1)])
    calls = {
        'HEAD /0.1/token/{t}': (nginx.api_port, 'HEAD', f'/0.1/token/{known}', {}),
        'a gated request': (nginx.gate_port, 'GET', '/proxied/gated', {'X-Auth-Token': known}),
        'GET /0.1/users?limit=10': (nginx.api_port, 'GET', '/0.1/users?limit=10', {'X-Auth-Token': token}),
    }

    def idle():
        paced = [Paced(*call) for call in calls.values()]
        time.sleep(SECONDS)
        return [percentile(each.latencies(), 0.99) * 1e3 for each in paced]

    def flooded():
        paced = [Paced(*call) for call in calls.values()]
        wrk(nginx, nginx.api_port, script, SECONDS, connections=32)
        return [percentile(each.latencies(), 0.99) * 1e3 for each in paced]

    pairs = _pairs(flooded, idle)
    report.line('flood: p99 of HEAD /0.1/token/{t}', [one[0] for one, _ in pairs], 2, False, ' ms')
    for i, name in enumerate(calls):
        report.line(f'flood: p99 of {name}, flooded / idle', [one[i] / other[i] for one, other in pairs], 5, False)
        report.note(
            'flooded, idle',
            f'{spread([one[i] for one, _ in pairs])} ms, ' f'{spread([other[i] for _, other in pairs])} ms',
        )


def case_revocation(bench, report):
    """From the answer to DELETE /token/{t} until another nginx says 401."""
    second = bench.add_nginx('second')
    tokens = bench.insert_tokens(PAIRS * 200)
    results = []
    with Connection(bench.first.api_port) as api, Connection(second.gate_port) as gate:
        for round_ in range(PAIRS):
            times = []
            for token in tokens[round_ * 200 : (round_ + 1) * 200]:
                headers = {'X-Auth-Token': token}
                assert gate.ask('GET', '/known', headers)[0] == 200
                assert api.ask('DELETE', f'/0.1/token/{token}')[0] == 200
                start = time.perf_counter()
                while gate.ask('GET', '/known', headers)[0] != 401:
                    pass
                times.append((time.perf_counter() - start) * 1e3)
            results.append(percentile(times, 0.99))
    second.stop()
    report.line('revocation: seen by another nginx, p99 of 200', results, 10, False, ' ms')


def case_locks(bench, report):
    """From the commit of a lock, as PostgreSQL tells it, until another nginx refuses and ends its WebSocket.

    Of users and of addresses in turn. Another thread asks all the time, while the lock is being made.
    """
    bench.psql('ALTER SYSTEM SET track_commit_timestamp = on')
    bench.postgres.restart()
    second = bench.add_nginx('second')
    servers.wait_until(lambda: bench.login_answer()[0] == 200, 30, 'a login')
    asking, there = {'X-Auth-Token': bench.login(), 'Content-Type': 'application/json'}, '127.0.0.2'
    count, gates, sockets = 400, [], []
    with (
        load.Upgrading(bench.upgrading_port),
        ThreadPoolExecutor(2) as pool,
        bench.connect() as database,
        Connection(bench.first.api_port) as api,
        Connection(second.gate_port) as here,
        Connection(second.gate_port, there) as from_there,
    ):
        for _ in range(PAIRS):
            tokens = bench.insert_tokens(count)
            for i, token in enumerate(tokens):
                by_address = i % 2 == 1
                gate, headers = from_there if by_address else here, {'X-Auth-Token': token}
                value = there if by_address else load.user_of(database, token)
                path = f"/0.1/locks/{'address' if by_address else 'user'}/{value}"
                assert gate.ask('GET', '/known', headers)[0] == 200
                with Connection(second.gate_port, there if by_address else None) as upgraded:
                    assert upgraded.upgrade('/upgraded', headers) == 101
                    refused, ended = pool.submit(gate.until_refused, headers), pool.submit(upgraded.wait_closed)
                    status, text = api.ask('PUT', path, asking, '{}')
                    assert status == 200, text
                    refused, ended = refused.result(60), ended.result(60)
                committed = load.committed(database, value)
                gates.append((refused - committed) * 1e3)
                sockets.append((ended - committed) * 1e3)
                assert api.ask('DELETE', path, asking)[0] == 204
                if by_address:
                    while gate.ask('GET', '/known', {})[0] == 403:
                        pass
    second.stop()
    for what, times, bar in ('refused by another nginx', gates, 10), ('its WebSockets end', sockets, 100):
        rounds = [percentile(times[i : i + count], 0.99) for i in range(0, len(times), count)]
        report.line(f'locks: {what}, p99 of {count}', rounds, bar, False, ' ms')
        report.note(
            f'all {len(times):,}: median, p99, worst',
            f'{median(times):.1f}, {percentile(times, 0.99):.1f}, {max(times):.1f} ms',
        )


def case_capacity(bench, report):
    """200,000 tokens in a zone of 64 MiB, all of them served from it; what one takes there, its access list shared."""
    count = 200000
    nginx = bench.add_nginx('large', zone='64m')
    tokens = []
    for _ in range(4):
        tokens += bench.insert_tokens(count // 4)
    start = time.perf_counter()
    good, _ = touch(nginx.gate_port, '/known', tokens)
    loaded = time.perf_counter() - start
    again, hits = touch(nginx.gate_port, '/known', tokens)
    slots = load.metric(nginx.gate_port, 'wazo_auth_zone_slot_bytes')
    nginx.stop()
    assert (good, again) == (count, count), (good, again)
    report.line('capacity: bytes of slots for each of the tokens served', [slots / max(hits, 1)], 320, False, ' B')
    report.note('served from a zone of 64 MiB', f'{hits:,} of {count:,} ({loaded:.0f} s to load)')


def case_scrape(bench, report):
    """What a scrape takes with 1,000,000 tokens in the zone, and with few."""
    count = int(os.environ.get('WAZO_AUTH_SCRAPE_TOKENS', '1000000'))
    nginx = bench.add_nginx('full', zone='320m')

    def scrapes():
        times = []
        with Connection(nginx.gate_port) as connection:
            for _ in range(300):
                start = time.perf_counter()
                status, _ = connection.ask('GET', '/metrics')
                times.append((time.perf_counter() - start) * 1e3)
                assert status == 200
        return times

    few = scrapes()
    touch(nginx.gate_port, '/known', bench.insert_plain_tokens(count))
    held = load.metric(nginx.gate_port, 'wazo_auth_zone_tokens')
    full = scrapes()
    nginx.stop()
    assert held > 0.95 * count, held
    report.line(f'scrape with {held:,.0f} tokens, p99 of {len(full)}', [percentile(full, 0.99)], 5, False, ' ms')
    report.note('median; with few tokens', f'{median(full):.2f} ms; {median(few):.2f} ms')


def case_audit(bench, report):
    """POST /users with the audit log, and without its triggers, in turn: time and CPU, PostgreSQL's too."""
    headers = {'X-Auth-Token': bench.login(), 'Content-Type': 'application/json'}
    names = itertools.count()

    def users(body, count):
        def used():
            postgres = bench.postgres.processes
            return servers.cpu_seconds(postgres[0], of_ended_children=True) + sum(
                map(servers.cpu_seconds, [*bench.first.workers(), *postgres])
            )

        with Connection(bench.first.api_port) as api:
            before, times = used(), []
            for _ in range(count):
                start = time.perf_counter()
                status, text = api.ask(
                    'POST', '/0.1/users', headers, json.dumps({'username': f'audited{next(names)}', **body})
                )
                times.append((time.perf_counter() - start) * 1e3)
                assert status == 200, text
            return median(times), (used() - before) / count * 1e3

    def triggers(switch):
        tables = bench.psql(
            "SELECT DISTINCT tgrelid::regclass FROM pg_trigger WHERE tgname LIKE 'wazo_auth_audit%' AND NOT tgisinternal"
        ).split()
        names = "SELECT tgname, tgrelid::regclass AS t FROM pg_trigger WHERE tgname LIKE 'wazo_auth_audit%'"
        assert tables
        bench.psql(
            f"DO $$ DECLARE r record; BEGIN FOR r IN {names} LOOP"
            f" EXECUTE format('ALTER TABLE %s {switch} TRIGGER %I', r.t, r.tgname); END LOOP; END $$"
        )

    for what, body, count in (
        ('a user', {}, 1000),
        ('a user with a password', {'password': 'bench-password-4c1d'}, 50),
    ):

        def audited(body=body, count=count):
            triggers('ENABLE')
            return users(body, count)

        def silent(body=body, count=count):
            triggers('DISABLE')
            return users(body, count)

        users(body, count)
        pairs = _pairs(audited, silent)
        triggers('ENABLE')
        report.line(
            f'audit: median time of {what}, with / without', [one[0] / other[0] for one, other in pairs], 1.1, False
        )
        report.note(
            'with, without',
            f'{spread([one[0] for one, _ in pairs])} ms, {spread([other[0] for _, other in pairs])} ms',
        )
        report.note('CPU of nginx and PostgreSQL, with / without', spread([one[1] / other[1] for one, other in pairs]))


CASES = {name[5:]: case for name, case in globals().items() if name.startswith('case_')}


def main(names):
    unknown = [name for name in names if name not in CASES]
    if unknown:
        print(__doc__)
        return 2
    if not names:
        for program in ('bench_acl', 'bench_password', 'bench_route'):
            subprocess.run([servers.BUILD / program], check=True)
    report = Report()
    bench = load.Bench(servers.BUILD)
    try:
        bench.start()
        for name in names or CASES:
            CASES[name](bench, report)
    finally:
        bench.close()
    if report.missed:
        print('missed: ' + ', '.join(report.missed))
    return 1 if report.missed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
