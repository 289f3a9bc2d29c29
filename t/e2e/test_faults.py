"""What clients see while a server is away: stopped, frozen, back again. Always under load."""
import statistics
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from support.client import Client


@pytest.fixture(autouse=True)
def _expected(expect_log):
    expect_log(r'worker process \d+ exited on signal 9')


class Load:
    """Asks one thing again and again; remembers (when, status, seconds)."""

    def __init__(self, ask, pause=0.005):
        self.answers = []
        self._ask = ask
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._stop.is_set():
            start = time.monotonic()
            try:
                status = self._ask().status_code
            except requests.RequestException as error:
                status = type(error).__name__
            self.answers.append((start, status, time.monotonic() - start))
            time.sleep(self._pause)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(30)

    def statuses(self, since=0.0, until=float('inf')):
        return {status for start, status, _ in self.answers if since <= start < until}

    def slowest(self, since=0.0):
        return max(seconds for start, _, seconds in self.answers if start >= since)

    def p99(self, since=0.0):
        times = sorted(seconds for start, _, seconds in self.answers if start >= since)
        assert len(times) > 50
        return times[int(len(times) * 0.99)]


@pytest.fixture
def stalls(upstream):
    """Asks what the gate has nothing to do with: as slow as it is, the machine is."""
    client = Client(upstream.port)
    return lambda: client.get('/')


def good_again(gate, api, token, wait_until):
    wait_until(lambda: gate.get('/', token).status_code == 200, 15, 'the gate to be well')
    wait_until(lambda: api.get(f'/token/{token}').status_code == 200, 15, 'the API to be well')


# -- PostgreSQL --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('how', ['stop', 'freeze'])
def test_postgresql_is_away(how, stack, psql, gate, gate2, api, insert_token, wait_until):
    known, strict, dying = (insert_token()['token'] for _ in range(3))
    for token in (known, strict, dying):
        for each in (gate, gate2):
            assert each.get('/', token).status_code == 200
    with Load(lambda: gate.get('/', known)) as load, Load(lambda: gate2.get('/', known)) as load2:
        time.sleep(0.3)
        began = time.monotonic()
        with stack.away(stack.postgres, frozen=how == 'freeze'):
            # Somebody who isn't known yet: 503, and soon.
            start = time.monotonic()
            answer = gate.get('/', str(uuid.uuid4()))
            assert (answer.status_code, 'Retry-After' in answer.headers) == (503, True)
            assert time.monotonic() - start < 6
            wait_until(lambda: gate.get('/grace0', strict).status_code == 503, 8, '503 without grace')
            wait_until(lambda: gate.get('/grace2', strict).status_code == 503, 10, '503 after 2 s of grace')
            assert gate.get('/', strict).status_code == 200
            start = time.monotonic()
            answer = api.get('/users', known)
            assert (answer.status_code, 'Retry-After' in answer.headers) == (503, True)
            assert time.monotonic() - start < 16
            assert answer.json()['error_id']
        good_again(gate, api, known, wait_until)
        good_again(gate2, api, known, wait_until)
        time.sleep(0.5)
    for each in (load, load2):
        assert each.statuses(began) == {200}
        assert each.slowest() < 6
    # And a token that died right after is refused as ever.
    psql(f"DELETE FROM auth_token WHERE uuid = '{dying}'")
    for each in (gate, gate2):
        wait_until(lambda g=each: g.get('/', dying).status_code == 401, 3)


def test_many_known_tokens_while_postgresql_is_frozen(stack, gate, gate2, insert_token, wait_until):
    """Each of them would have to be confirmed: one asks for all, so that nobody waits for the questions of the others."""
    tokens = [insert_token()['token'] for _ in range(40)]
    for token in tokens:
        assert gate.get('/', token).status_code == 200
    with ThreadPoolExecutor(40) as pool:
        with stack.away(stack.postgres, frozen=True):
            time.sleep(2.2)  # from when on LISTEN isn't known good any more
            began = time.monotonic()
            answers = list(pool.map(lambda token: gate.get('/', token).status_code, tokens))
            assert answers == [200] * 40
            # A question on a connection that was idle, and one on a new one, for all of them.
            assert time.monotonic() - began < 6
            began = time.monotonic()
            strangers = list(pool.map(lambda _: gate.get('/', str(uuid.uuid4())).status_code, range(40)))
            assert strangers == [503] * 40
            assert time.monotonic() - began < 6
    for each in gate, gate2:
        wait_until(lambda g=each: g.get('/', insert_token()['token']).status_code == 200, 15)


def test_what_died_while_nobody_could_listen_is_refused(stack, psql, gate, gate2, insert_token, wait_until):
    token = insert_token()['token']
    for each in (gate, gate2):
        assert each.get('/', token).status_code == 200
    for nginx in (stack.nginx, stack.nginx2):
        nginx.freeze()
    try:
        psql(f"DELETE FROM auth_token WHERE uuid = '{token}'")
        psql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'wazo-auth'")
    finally:
        for nginx in (stack.nginx, stack.nginx2):
            nginx.thaw()
    start = time.monotonic()
    for each in (gate, gate2):
        wait_until(lambda g=each: g.get('/', token).status_code == 401, 3)
    assert time.monotonic() - start < 3
    stack.wait_recovered(stack.postgres)


def test_a_connection_that_is_lost_in_the_middle(api, admin_token, psql):
    """Of a part of a transaction that can be undone by itself: a tenant is inserted in one."""
    psql(
        """CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()), pg_sleep(5); RETURN NEW; END $$;
            CREATE TRIGGER cut BEFORE INSERT ON auth_tenant FOR EACH ROW WHEN (NEW.name = 'cut') EXECUTE FUNCTION cut()"""
    )
    try:
        answer = api.post('/tenants', admin_token, json={'name': 'cut'})
        assert (answer.status_code, answer.headers.get('Retry-After')) == (503, '1'), answer.text
    finally:
        psql('DROP TRIGGER cut ON auth_tenant; DROP FUNCTION cut')
    assert api.post('/tenants', admin_token, json={'name': 'cut'}).status_code == 200


def test_a_reload_ends_while_postgresql_is_frozen(stack, psql, insert_token, wait_until):
    nginx = stack.new_nginx('frozen')
    try:
        token = insert_token()['token']
        assert nginx.gate.get('/', token).status_code == 200
        old = nginx.workers()
        with stack.away(stack.postgres, frozen=True):
            nginx.reload()
            wait_until(lambda: not set(old) & set(nginx.workers()), 15, 'the end of the old workers')
            # The zone outlives the reload: known tokens pass.
            wait_until(lambda: nginx.gate.get('/', token).status_code == 200, 8)
        wait_until(lambda: nginx.api.get(f'/token/{token}').status_code == 200, 15)
    finally:
        nginx.stop()


def test_an_nginx_that_starts_before_postgresql_is_ready_later(stack, psql, insert_token, wait_until):
    token = insert_token()['token']
    nginx = stack.new_nginx('early', start=False)
    nginx.probe = None
    try:
        with stack.away(stack.postgres):
            nginx.start()
            answer = nginx.api.get('/backends')
            assert (answer.status_code, answer.headers['Retry-After']) == (503, '2')
            assert nginx.gate.get('/', token).status_code == 503
        wait_until(lambda: nginx.api.get('/backends').status_code == 200, 30, 'the API to be ready')
        wait_until(lambda: nginx.gate.get('/', token).status_code == 200, 10)
    finally:
        nginx.stop()


# -- Redis -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('how', ['stop', 'freeze'])
def test_redis_is_away(how, stack, psql, api, gate, gate2, insert_token, stalls, wait_until):
    known = insert_token()['token']
    assert gate.get('/', known).status_code == 200
    with (
        Load(lambda: gate.get('/', known)) as load,
        Load(lambda: gate.get('/', insert_token()['token']), 0.05) as misses,
        Load(stalls, 0.05) as machine,
    ):
        time.sleep(0.3)
        with stack.away(stack.redis, frozen=how == 'freeze'):
            time.sleep(1.5)
            dying = insert_token()['token']
            assert gate2.get('/', dying).status_code == 200
            assert api.delete(f'/token/{dying}').status_code == 200
            wait_until(lambda: gate2.get('/', dying).status_code == 401, 1)
            assert psql("SELECT count(*) > 0 FROM wazo_auth.outbox WHERE target = 'redis'") == 't'
    assert load.statuses() == {200} and misses.statuses() == {200}
    assert load.slowest() < 1 + machine.slowest()
    assert misses.slowest() < 2 + machine.slowest()


# -- RabbitMQ ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('how', ['stop', 'freeze'])
def test_rabbitmq_is_away(how, stack, psql, api, bus, make_user, make_token, admin_token, stalls, wait_until):
    user = make_user(acl=['auth.#'])
    login = {'auth': (user['username'], user['password'])}
    make_token(user)
    bus.wait('auth_session_created', lambda e: e.body['data']['user_uuid'] == user['uuid'])
    bus.clear()
    with stack.away(stack.rabbitmq, frozen=how == 'freeze'):
        with Load(lambda: api.get('/users', admin_token, params={'limit': 1})) as load, Load(stalls, 0.05) as machine:
            answers = [api.post('/token', **login) for _ in range(8)]
            sessions = [answer.json()['data'] for answer in answers]
            for session in sessions:
                answers.append(api.delete(f"/token/{session['token']}"))
                assert answers[-1].status_code == 200
        # None of them waits for the broker.
        assert statistics.median(answer.elapsed.total_seconds() for answer in answers) < 3
        assert load.statuses() == {200}
        assert load.slowest() < 2 + machine.slowest()
        assert int(psql("SELECT count(*) FROM wazo_auth.outbox WHERE target = 'bus'")) >= 16
    bus.wait_connected()
    wanted = [session['session_uuid'] for session in sessions]

    def arrived():
        mine = [e for e in bus.events if e.body['data'].get('user_uuid') == user['uuid']]
        first = {}  # at least once: what matters is when each came first
        for event in mine:
            first.setdefault((event.name, event.body['data']['uuid']), len(first))
        return list(first) if len(first) == 16 else None

    order = wait_until(arrived, 40, 'all events')
    assert order == [('auth_session_created', each) for each in wanted] + [
        ('auth_session_deleted', each) for each in wanted
    ]
