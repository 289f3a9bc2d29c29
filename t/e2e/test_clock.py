"""The wall clock is set, by an hour and back: only what expires by it may notice.

An nginx whose wall clock is fake, with a database and a Redis of its own. All other servers have the right time.
"""
import email.utils
import hashlib
import os
import signal
import subprocess
import time
import uuid

import pytest
import redis as redis_client

from support import servers
from support.client import lives
from support.logs import SECRETS
from support.servers import BUILD
from support.stack import ADMIN, GATED, OWNER

DATABASE = 'clock'
HOUR = 3600
AGE = 'wazo_auth_listen_age_seconds'

both_ways = pytest.mark.parametrize('seconds', [-HOUR, HOUR], ids=['back', 'forward'])


@pytest.fixture(scope='module')
def records(own_redis):
    """What Redis has for a token: None, b'dead' or its record."""
    connection = redis_client.Redis(port=own_redis.port)

    def read(token):
        found = connection.keys(f'wazo-auth:*:{hashlib.sha256(token.encode()).hexdigest()}')
        return connection.get(found[0]) if found else None

    return read


@pytest.fixture(scope='module')
def wall_clock(stack):
    return servers.WallClock(stack.folder / 'wall-clock')


@pytest.fixture(scope='module')
def nginx(postgres, own_redis, wall_clock, new_nginx):
    uri = postgres.create_database(DATABASE, OWNER)
    nginx = new_nginx(
        'clock', GATED, settings={'db_uri': uri}, redis=own_redis.uri, environment=wall_clock.environment, start=False
    )
    if servers.sanitized(BUILD) and not is_faked(nginx, wall_clock):
        pytest.skip('libfaketime does nothing beside these sanitizers')
    nginx.start()
    return nginx


def is_faked(nginx, wall_clock):
    """Does a program that starts as nginx does see the fake time?"""
    wall_clock.set(-HOUR)
    try:
        told = subprocess.run(
            ['date', '+%s'], env=nginx.environment(), capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except subprocess.TimeoutExpired:
        return False
    finally:
        wall_clock.set(0)
    return told.strip().isdigit() and abs(int(told) - (time.time() - HOUR)) < 60


@pytest.fixture(scope='module')
def sql(nginx, psql):
    return lambda text: psql(text, DATABASE)


@pytest.fixture(scope='module')
def make(sql):
    """make(seconds) → a token that expires so many seconds from now, right time."""

    def insert(seconds=4 * HOUR):
        token, session, now = SECRETS.token(str(uuid.uuid4())), uuid.uuid4(), int(time.time())
        sql(
            f"""INSERT INTO auth_session (uuid, tenant_uuid, mobile)
                SELECT '{session}', uuid, false FROM auth_tenant WHERE uuid = parent_uuid;
                INSERT INTO auth_token (uuid, session_uuid, auth_id, issued_t, expire_t, acl, metadata, user_agent, remote_addr)
                VALUES ('{token}', '{session}', '{uuid.uuid4()}', {now}, {now + seconds}, ARRAY['#'],
                        '{{"purpose": "user"}}', '', '')"""
        )
        return token

    return insert


@pytest.fixture
def step(nginx, wall_clock, wait_until):
    """step(seconds): sets nginx's clock to so many seconds off the right time. It is right again after the test."""

    def shown():
        date = email.utils.parsedate_to_datetime(nginx.gate.get('/open').headers['Date'])
        return abs(date.timestamp() - wall_clock.time()) < 3

    def step(seconds):
        wall_clock.set(seconds)
        wait_until(shown, 5, f"nginx's clock at {seconds:+d} s")

    yield step
    nginx.start()
    step(0)


def stays(condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not condition():
            return False
        time.sleep(0.1)
    return True


# -- PostgreSQL --------------------------------------------------------------------------------------------------------


@both_ways
def test_postgresql_comes_back(seconds, stack, gate, make, step, wait_until):
    """Its absence was remembered for some moments, not until the clock shows that time again."""
    token = make()
    with stack.away(stack.postgres):
        assert gate.get('/', str(uuid.uuid4())).status_code == 503
        step(seconds)
    wait_until(lambda: gate.get('/', token).status_code == 200, 10, 'a token that nobody knew')


@both_ways
def test_nobody_listens(seconds, nginx, gate, make, sql, step, metrics, wait_until):
    """A heartbeat that comes from the future proves nothing: the token is looked up."""
    token = make()
    step(seconds)
    began = time.monotonic()
    # The step may have come to it as a heartbeat from the future.
    wait_until(lambda: metrics(nginx)[AGE] < time.monotonic() - began, 10, 'a heartbeat since')
    assert gate.get('/', token).status_code == 200
    listening = f"FROM pg_stat_activity WHERE datname = '{DATABASE}' AND application_name = 'wazo-auth listen'"
    frozen, ages = int(sql(f'SELECT pid {listening}')), []

    def refused():
        ages.append(metrics(nginx)[AGE])
        return gate.get('/', token).status_code == 401

    os.kill(frozen, signal.SIGSTOP)
    try:
        sql(f"DELETE FROM auth_token WHERE uuid = '{token}'")
        wait_until(refused, 5, '401 for a token that was deleted')
        assert 1 < max(ages) < 10
        wait_until(lambda: metrics(nginx)[AGE] < 1, 10, 'another connection that listens')
    finally:
        os.kill(frozen, signal.SIGCONT)
    wait_until(lambda: sql(f'SELECT count(*) {listening}') == '1', 10, 'the end of the frozen one')


@both_ways
def test_heartbeats_go_on(seconds, nginx, sql, metrics, step, wait_until):
    def row():
        return sql('SELECT last_seen FROM wazo_auth.node')

    step(seconds)
    before = row()
    wait_until(lambda: metrics(nginx)[AGE] < 1, 3)
    assert stays(lambda: metrics(nginx)[AGE] < 1, 3)
    wait_until(lambda: row() != before, 13, 'the registration to be renewed', 0.2)


# -- Redis -------------------------------------------------------------------------------------------------------------


@both_ways
def test_redis_comes_back(seconds, stack, own_redis, gate, make, records, step, wait_until):
    def is_used():
        token = make()
        assert gate.get('/', token).status_code == 200
        return records(token)

    wait_until(is_used, 10, 'Redis in use')
    with stack.away(own_redis):
        assert gate.get('/', make()).status_code == 200
        step(seconds)
    wait_until(is_used, 10, 'Redis in use again')


def test_what_died_while_it_looked_expired(gate, make, sql, records, step, wait_until):
    """Its record in Redis must not bring it to life when the clock is right again."""

    def recorded():
        token = make(HOUR // 2)
        assert gate.get('/', token).status_code == 200
        return records(token) and token

    token = wait_until(recorded, 10, 'Redis in use')
    step(HOUR)
    assert gate.get('/', token).status_code == 401
    sql(f"DELETE FROM auth_token WHERE uuid = '{token}'")
    wait_until(lambda: sql("SELECT count(*) FROM wazo_auth.outbox WHERE target = 'redis'") == '0', 10)
    step(0)
    assert stays(lambda: gate.get('/', token).status_code == 401, 3)


# -- logins ------------------------------------------------------------------------------------------------------------


@both_ways
def test_the_right_password_after_wrong_ones(seconds, nginx, step, wait_until):
    for _ in range(6):
        assert nginx.api.post('/token', auth=(ADMIN['username'], f'wrong-{uuid.uuid4()}')).status_code == 401
    step(seconds)
    began = time.monotonic()
    wait_until(lambda: nginx.api.post('/token', auth=(ADMIN['username'], ADMIN['password'])).status_code == 200, 15)
    assert time.monotonic() - began < 15


# -- upgraded connections ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize('seconds', [-30, -HOUR])
def test_a_connection_lives_as_long_as_its_token(seconds, gate, make, open_websocket, step, wait_until):
    token = make(4)
    connection = open_websocket(token, '/ws')
    step(seconds)
    assert stays(lambda: lives(connection), 7)
    assert gate.get('/', token).status_code == 200
    step(0)
    wait_until(lambda: not lives(connection), 2.5, 'the end of the connection')
    assert gate.get('/', token).status_code == 401


@pytest.mark.parametrize('seconds', [600, HOUR])
def test_a_connection_ends_with_its_token(seconds, gate, make, open_websocket, step, wait_until):
    token, longer = make(300), make(2 * HOUR)
    ending, staying = open_websocket(token, '/ws'), open_websocket(longer, '/ws')
    assert lives(ending) and lives(staying)
    step(seconds)
    wait_until(lambda: not lives(ending), 2.5, 'the end of the connection')
    assert gate.get('/', token).status_code == 401
    assert lives(staying)


def test_a_connection_whose_token_only_looked_expired_stays_with_the_next(
    nginx, gate, sql, open_websocket, step, wait_until
):
    """It went on with another token of the same login: that one counts, also when the clock is right again."""

    def log_in(expiration, refresh_token=None):
        # An hour ahead of its time a login would already be over: its successor is longer.
        body = {'access_type': 'offline'} if refresh_token is None else {'refresh_token': refresh_token}
        auth = None if refresh_token else (ADMIN['username'], ADMIN['password'])
        body |= {'expiration': expiration, 'client_id': 'softphone'}
        # Other tests log in as this user, too, and while the clock is ahead.
        answer = nginx.api.post('/token', auth=auth, json=body, headers={'User-Agent': 'softphone'})
        assert answer.status_code == 200, answer.text
        return answer.json()['data']

    first = log_in(HOUR // 2)
    second = log_in(4 * HOUR, first['refresh_token'])
    assert gate.get('/', second['token']).status_code == 200
    connection = open_websocket(first['token'], '/ws')
    step(HOUR)
    assert gate.get('/', first['token']).status_code == 401
    assert stays(lambda: lives(connection), 3)
    sql(f"DELETE FROM auth_token WHERE uuid = '{first['token']}'")
    assert stays(lambda: lives(connection), 1)
    step(0)
    assert gate.get('/', first['token']).status_code == 401
    assert stays(lambda: lives(connection), 3)
    sql(f"DELETE FROM auth_token WHERE uuid = '{second['token']}'")
    wait_until(lambda: not lives(connection), 3, 'the end of the connection')


# -- the end -----------------------------------------------------------------------------------------------------------


@both_ways
def test_quit_is_prompt(seconds, nginx, step, wait_until):
    step(seconds)
    time.sleep(1)  # whatever waits for the next moment to do something has begun to
    at = nginx.error_log.stat().st_size
    nginx.signal(signal.SIGQUIT)
    wait_until(lambda: nginx.pid is None, 2, 'the end of nginx')
    with open(nginx.error_log, encoding='utf-8', errors='replace') as log:
        log.seek(at)
        assert 'still at work' not in log.read()
