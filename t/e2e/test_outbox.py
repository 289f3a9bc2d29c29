"""RabbitMQ is away for weeks, brokers and Redis with other URIs, and servers that say "not now"."""
import socket
import ssl
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis as redis_client
from support import servers
from support.logs import SECRETS
from support.peer import Peer
from support.stack import ADMIN

LOGIN = (ADMIN['username'], ADMIN['password'])
DAY = 86400


@pytest.fixture
def new_nginx(stack):
    """new_nginx(redis=..., **settings) → one over a database of its own, with .database"""
    made = []

    def new(redis=False, start=True, **settings):
        database = f'outbox-{uuid.uuid4().hex[:12]}'
        uri = stack.postgres.create_database(database, 'wazo-auth')
        nginx = stack.new_nginx(
            f'outbox{len(stack.all_nginx)}', redis=redis, settings={'db_uri': uri, **settings}, start=False, workers=1
        )
        nginx.database = database
        made.append(nginx)
        return nginx.start() if start else nginx

    yield new
    for nginx in made:
        nginx.stop()
        stack.postgres.drop_database(nginx.database)


def log_in(nginx, login=LOGIN):
    answer = nginx.api.post('/token', auth=login)
    assert answer.status_code == 200, answer.text
    return answer.json()['data']


def lines_of(nginx, words):
    return [line for line in nginx.error_log.read_text(errors='replace').splitlines() if words in line]


def fill(stack, nginx, count, name, days):
    """Events of so many days ago."""
    stack.postgres.psql(
        nginx.database,
        'INSERT INTO wazo_auth.outbox (target, routing_key, headers, body, created_at) '
        f"SELECT 'bus', 'auth.x', jsonb_build_object('name', '{name}'), '{{}}', now() - interval '{days} days' "
        f'FROM generate_series(1, {count}); ANALYZE wazo_auth.outbox',
        timeout=300,
    )


def waiting(stack, nginx, name):
    return int(
        stack.postgres.psql(nginx.database, f"SELECT count(*) FROM wazo_auth.outbox WHERE headers->>'name' = '{name}'")
    )


NOWHERE = 'amqp://guest:guest@127.0.0.1:1/'


def test_events_that_nobody_wants_late_are_dropped(stack, new_nginx, metrics, wait_until):
    nginx = new_nginx(amqp={'uri': NOWHERE}, start=False)
    nginx.start()
    log_in(nginx)
    nginx.stop()
    for name in 'auth_session_created', 'auth_session_expire_soon', 'auth_refresh_token_deleted', 'auth_tenant_deleted':
        fill(stack, nginx, 6000, name, 40)
    fill(stack, nginx, 10, 'auth_session_deleted', 6)
    recent = waiting(stack, nginx, 'auth_session_created') - 6000
    assert recent >= 1
    before = len(lines_of(nginx, 'events wait in the outbox'))
    nginx.start()
    wait_until(lambda: waiting(stack, nginx, 'auth_refresh_token_deleted') == 0, 20)
    wait_until(lambda: metrics(nginx)['wazo_auth_events_dropped_total'] == 18000, 5)
    assert waiting(stack, nginx, 'auth_session_created') == recent
    assert waiting(stack, nginx, 'auth_session_expire_soon') == 0
    assert waiting(stack, nginx, 'auth_session_deleted') == 10
    # What others keep data by.
    assert waiting(stack, nginx, 'auth_tenant_deleted') == 6000
    assert len(lines_of(nginx, 'amqp.session_event_lifetime')) == 1
    # The broker is away all the time: that is told once.
    time.sleep(3)
    assert len(lines_of(nginx, 'events wait in the outbox')) == before + 1


def test_events_may_wait_for_ever(stack, new_nginx, wait_until):
    nginx = new_nginx(amqp={'uri': NOWHERE, 'session_event_lifetime': 0})
    nginx.stop()
    fill(stack, nginx, 5, 'auth_session_deleted', 4000)
    nginx.start()
    wait_until(lambda: lines_of(nginx, 'events wait in the outbox'), 10)
    assert waiting(stack, nginx, 'auth_session_deleted') == 5


def plan(stack, nginx, sql, *parameters):
    types = ', '.join('text' for _ in parameters)
    values = ', '.join(f"'{value}'" for value in parameters)
    head = f'PREPARE p ({types}) AS' if parameters else 'PREPARE p AS'
    run = f'EXECUTE p ({values})' if parameters else 'EXECUTE p'
    return stack.postgres.psql(
        nginx.database,
        f'SET plan_cache_mode = force_generic_plan; SET jit = off; SET random_page_cost = 1.1; BEGIN; {head} {sql}; '
        f'EXPLAIN (ANALYZE, COSTS OFF, BUFFERS, TIMING OFF) {run}; ROLLBACK',
    )


def pages(text):
    """Of the whole plan: its first line of buffers."""
    line = next(line for line in text.splitlines() if 'Buffers:' in line)
    return sum(int(word.split('=')[1]) for word in line.split() if word.startswith(('hit=', 'read=')))


def test_a_million_events_slow_nothing_down(stack, new_nginx):
    """Nobody reads more of the outbox than what is to be done."""
    nginx = new_nginx(amqp={'uri': NOWHERE})
    fill(stack, nginx, 1_000_000, 'auth_tenant_added', 1)
    statement = servers.statement
    outbox = {
        'mails.waiting': plan(stack, nginx, statement('mails.waiting').replace('$1::bigint[]', "'{}'::bigint[]")),
        'mails.drop_expired': plan(stack, nginx, statement('mails.drop_expired')),
        'node.prune': plan(stack, nginx, statement('node.prune')),
        'node.drop_late': plan(stack, nginx, statement('node.drop_late'), '0', str(7 * DAY)),
        'node.events_waiting': plan(stack, nginx, statement('node.events_waiting')),
        'node.deaths_waiting': plan(stack, nginx, statement('node.deaths_waiting')),
    }
    for name, text in outbox.items():
        assert 'Seq Scan on outbox' not in text, f'{name}\n{text}'
        assert pages(text) < 500, f'{name}\n{text}'
    times = []
    for _ in range(5):
        began = time.monotonic()
        log_in(nginx)
        times.append(time.monotonic() - began)
    assert min(times) < 1, times


# -- URIs --------------------------------------------------------------------------------------------------------------


def tls_to(port, certificate):
    """For a Peer: TLS in front of a server that has none. What comes through it goes on to the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(connection):
        with context.wrap_socket(connection, server_side=True) as inside:
            with socket.create_connection(('127.0.0.1', port)) as outside:
                inside.settimeout(0.02)
                outside.settimeout(0.02)
                while passed(inside, outside) and passed(outside, inside):
                    pass

    return serve


def passed(source, target):
    """Whether the source goes on; what it had is the target's."""
    try:
        data = source.recv(65536)
    except (TimeoutError, ssl.SSLWantReadError):
        return True
    if data:
        target.sendall(data)
    return bool(data)


@pytest.fixture
def tls_broker(stack, authority):
    door = Peer(tls_to(stack.rabbitmq.port, authority.certificate('DNS:localhost')))
    yield door
    door.close()


@pytest.mark.parametrize('way', ['parameter', 'kombu', 'setting'])
def test_amqps_with_an_authority_of_ones_own(stack, authority, tls_broker, new_nginx, bus, tmp_path, way):
    ca = Path('/tmp') / f'ca-{uuid.uuid4().hex}.pem'
    ca.write_text(authority.file.read_text())
    ca.chmod(0o644)
    try:
        parameters = {'parameter': f'?cacertfile={ca}', 'kombu': f'?ssl_ca_certs={ca}', 'setting': ''}[way]
        amqp = {'uri': f'amqps://guest:guest@localhost:{tls_broker.port}/%2F{parameters}'}
        if way == 'setting':
            amqp['ca_file'] = str(ca)
        nginx = new_nginx(amqp=amqp)
        bus.clear()
        session = log_in(nginx)['session_uuid']
        bus.wait('auth_session_created', lambda event: event.body['data']['uuid'] == session)
    finally:
        ca.unlink()


def test_amqps_of_a_stranger_is_told_once(tls_broker, new_nginx, wait_until):
    nginx = new_nginx(amqp={'uri': f'amqps://guest:guest@localhost:{tls_broker.port}/'})
    log_in(nginx)
    wait_until(lambda: lines_of(nginx, 'events wait in the outbox'), 10)
    time.sleep(3)  # three more tries
    assert len(lines_of(nginx, 'events wait in the outbox')) == 1


@pytest.mark.parametrize(
    'amqp, words',
    [
        ({'uri': 'amqp://:x:/'}, 'IPv6 address must stand in brackets'),
        ({'uri': 'amqp://guest:S3cretS3cret/x@h/'}, 'the port must be a number'),
        ({'uri': 'http://h'}, 'must begin with amqp:// or amqps://'),
        ({'uri': 'amqps://h?verify=verify_none'}, 'always verified'),
        ({'uri': 'amqps://h?nonsense=1'}, "isn't known"),
        ({'uri': 'amqp://h;amqp://h:x'}, 'the port must be a number'),
        ({'uri': NOWHERE, 'session_event_lifetime': -1}, 'session_event_lifetime'),
    ],
)
def test_what_is_no_broker_is_refused_where_it_stands(stack, expect_log, amqp, words):
    expect_log('amqp')
    nginx = stack.new_nginx('outbox-refused', settings={'amqp': amqp}, redis=False, start=False)
    SECRETS.password('S3cretS3cret')
    good, output = nginx.test()
    assert not good and words in output and 'S3cret' not in output, output


@pytest.fixture
def own_redis(stack):
    server = servers.Redis(stack.folder / f'outbox-redis-{uuid.uuid4().hex[:6]}', servers.free_port()).start()
    yield server
    server.stop()


def in_redis(client):
    return client.keys('wazo-auth:*')


@pytest.mark.parametrize(
    'uri',
    [
        'redis://:p%40s%3A%2Fs%25@127.0.0.1:@PORT@/3',
        'redis://default:p@s%3A%2Fs%25@127.0.0.1:@PORT@/3',
        'redis://127.0.0.1:@PORT@?db=3&password=p%40s:%2Fs%25',
        'REDIS://:p%40s%3A%2Fs%25@localhost:@PORT@/3',
    ],
)
def test_a_redis_with_an_odd_password(own_redis, new_nginx, wait_until, uri):
    client = redis_client.Redis(port=own_redis.port, db=3)
    client.config_set('requirepass', 'p@s:/s%')
    client = redis_client.Redis(port=own_redis.port, db=3, password='p@s:/s%')
    nginx = new_nginx(redis=uri.replace('@PORT@', str(own_redis.port)))

    def cached():
        assert nginx.gate.get('/', log_in(nginx)['token']).status_code == 200
        return in_redis(client)

    wait_until(cached, 15, interval=0.3)
    assert not lines_of(nginx, 'Redis: WRONGPASS') and not lines_of(nginx, 'Redis: NOAUTH')


def commands(client, words):
    for word in words:
        client.execute_command(*word.split())


@pytest.mark.parametrize(
    'word, begin, end',
    [
        (
            'NOAUTH',
            ['CONFIG SET requirepass other', 'CLIENT KILL TYPE normal SKIPME yes'],
            ['CONFIG SET requirepass ""'],
        ),
        ('OOM', ['CONFIG SET maxmemory 1'], ['CONFIG SET maxmemory 0']),
        ('READONLY', ['CONFIG SET replica-serve-stale-data yes', 'REPLICAOF 127.0.0.1 1'], ['REPLICAOF NO ONE']),
        ('MASTERDOWN', ['CONFIG SET replica-serve-stale-data no', 'REPLICAOF 127.0.0.1 1'], ['REPLICAOF NO ONE']),
    ],
)
def test_a_redis_that_says_not_now(own_redis, new_nginx, wait_until, word, begin, end):
    """Requests go on without it, the log says it once, and it is used again afterwards."""
    client = redis_client.Redis(port=own_redis.port)
    nginx = new_nginx(redis=own_redis.uri)

    def cached():
        before = len(in_redis(client))
        assert nginx.gate.get('/', log_in(nginx)['token']).status_code == 200
        return len(in_redis(client)) > before

    wait_until(cached, 15, interval=0.3)
    commands(client, begin)

    def told():
        token = log_in(nginx)['token']
        assert nginx.gate.get('/', token).status_code == 200
        assert nginx.api.delete(f'/token/{token}').status_code == 200
        return lines_of(nginx, f'Redis: {word}')

    wait_until(told, 15, interval=0.3)
    began = time.monotonic()
    while time.monotonic() - began < 4:
        told()
        time.sleep(0.2)
    assert len(lines_of(nginx, f'Redis: {word}')) <= 2  # the worker's connection, and the relay's
    commands(client, [line for line in end if '""' not in line])
    if word == 'NOAUTH':
        redis_client.Redis(port=own_redis.port, password='other').config_set('requirepass', '')
    wait_until(cached, 20, interval=0.3)


# -- PostgreSQL says "not now" ----------------------------------------------------------------------------------------


def test_postgresql_has_no_more_connections(stack, new_nginx, wait_until):
    """53300: those that there are serve all requests, and the log doesn't say it at each try."""
    nginx = new_nginx(amqp={'uri': NOWHERE})
    token = log_in(nginx)['token']
    assert nginx.api.get('/users', token).status_code == 200  # a connection for each kind of work
    stack.postgres.psql('postgres', f'ALTER DATABASE "{nginx.database}" CONNECTION LIMIT 1')
    try:
        answers = set()
        threads = [
            threading.Thread(
                target=lambda: answers.update(nginx.api.get('/users', token).status_code for _ in range(10))
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == {200}
    finally:
        stack.postgres.psql('postgres', f'ALTER DATABASE "{nginx.database}" CONNECTION LIMIT -1')
    assert len(lines_of(nginx, 'too many connections')) <= 3


def test_postgresql_is_away_for_a_while_and_told_once(stack, new_nginx, wait_until):
    nginx = new_nginx(amqp={'uri': NOWHERE})
    log_in(nginx)
    stack.postgres.psql('postgres', f'ALTER DATABASE "{nginx.database}" ALLOW_CONNECTIONS false')
    try:
        stack.postgres.psql(
            'postgres', f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{nginx.database}'"
        )
        began = time.monotonic()
        while time.monotonic() - began < 4:
            assert nginx.api.post('/token', auth=LOGIN).status_code == 503
    finally:
        stack.postgres.psql('postgres', f'ALTER DATABASE "{nginx.database}" ALLOW_CONNECTIONS true')
    wait_until(lambda: nginx.api.post('/token', auth=LOGIN).status_code == 200, 10)
    assert 1 <= len(lines_of(nginx, '(wazo_auth) database: ')) <= 4
    assert 1 <= len(lines_of(nginx, 'LISTEN: ')) <= 4
    wait_until(lambda: lines_of(nginx, 'database: it is back'), 5)


@pytest.fixture
def standby_is_missing(stack):
    """standby_is_missing(True): from now on commits of databases with synchronous_commit = on wait until it is False."""

    def set_missing(missing):
        how = {'synchronous_commit': 'local', 'synchronous_standby_names': 'nobody'}
        for name, value in how.items():
            stack.postgres.psql('postgres', f"ALTER SYSTEM {f'SET {name} = {value}' if missing else f'RESET {name}'}")
        stack.postgres.psql('postgres', 'SELECT pg_reload_conf()')

    yield set_missing
    set_missing(False)


def test_a_commit_that_waits_for_its_disk_holds_up_no_other(new_nginx, stack, standby_is_missing, wait_until):
    """PostgreSQL lets transactions that notify commit one after the other. A standby that isn't there takes the place of
    a slow disk."""
    nginx = new_nginx(start=False)
    stack.postgres.psql('postgres', f'ALTER DATABASE "{nginx.database}" SET synchronous_commit = on')
    nginx.start()
    token = log_in(nginx)['token']
    logins = [(f'user{i}', 'secret-password') for i in range(3)]
    for username, password in logins:
        made = nginx.api.post('/users', token=token, json={'username': username, 'password': password})
        assert made.status_code == 200, made.text

    def waits():
        return stack.postgres.psql(
            nginx.database,
            'SELECT wait_event FROM pg_stat_activity WHERE datname = current_database() '
            "AND query LIKE 'COMMIT%' AND state = 'active'",
        ).split()

    standby_is_missing(True)
    with ThreadPoolExecutor(3) as threads:
        answers = [threads.submit(log_in, nginx, login) for login in logins]
        try:
            wait_until(lambda: waits() == ['SyncRep'] * 3)
        finally:
            standby_is_missing(False)
        for answer in answers:
            answer.result()
