"""Services that hand out tokens: through a broker, without one, and what happens when one of them misbehaves."""
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg2
import pytest
import requests

from support import oauth2_peers, servers
from support.checks import basic, error
from support.logs import SECRETS
from support.stack import DATABASE, GATED

CLIENT = {'client_id': 'a client', 'client_secret': 'secret-5d0c8a11'}
LANDING = """
    server {
        listen 127.0.0.1:@LANDING_PORT@;
        location = /back { wazo_auth_oauth2; }
    }
"""


def path_of(user, type_):
    return f"/users/{user['uuid']}/external/{type_}"


def of(user):
    return lambda event: event.body['data']['user_uuid'] == user['uuid']


class World:
    """Two nginx, a broker, the provider of npm ("mock"), and one that misbehaves.

    google, through_mock: with the broker; own, own_mock: without. microsoft: a broker that isn't there.
    """

    def __init__(self, stack, folder):
        self.stack = stack
        self.broker = oauth2_peers.Broker(servers.free_port())
        self.provider = oauth2_peers.Provider(servers.free_port())
        self.mock = servers.OAuth2Provider(folder / 'mock', servers.free_port()).start()
        self.landing_port = servers.free_port()
        self.back = f'http://127.0.0.1:{self.landing_port}/back'
        self.nginx = [self.new('oauth2-a', self.landing_port), self.new('oauth2-b', servers.free_port())]
        self.api, self.api2 = [nginx.api for nginx in self.nginx]

    def settings(self, **changes):
        at = f'127.0.0.1:{self.broker.port}'
        broker = {'websocket_host': f'ws://{at}/', 'redirect_uri': f'http://{at}/authorize'}
        own = {'websocket_host': None, 'redirect_uri': self.back}
        provider = {
            'authorization_base_url': 'https://consent.example/auth?x=1',
            'token_url': f'http://127.0.0.1:{self.provider.port}/token',
        }
        mock = {'authorization_base_url': f'{self.mock.base}/authorize', 'token_url': f'{self.mock.base}/token'}
        return {
            'google': {
                **provider,
                **broker,
                'scope': ['one', 'two'],
                'authorization_base_url': 'https://consent.example/auth',
            },
            'microsoft': {**provider, **broker, 'websocket_host': f'ws://127.0.0.1:{servers.free_port()}'},
            'external_auth_timeout': 2,
            'external_auth_types': {
                'own': {'oauth2': {**provider, **own, 'parameters': {'prompt': 'consent'}}},
                'own_mock': {
                    'oauth2': {**mock, **own, 'scope': ['mock']},
                    'plugin_info': {'name': 'Mock'},
                    'shown': {'scope': {'type': 'list', 'items': {}}},
                },
                'through_mock': {'oauth2': {**mock, **broker}},
            },
        } | changes

    def new(self, name, landing_port, workers=2, **settings):
        return self.stack.new_nginx(
            name,
            GATED + LANDING.replace('@LANDING_PORT@', str(landing_port)),
            workers=workers,
            settings=self.settings(**settings),
            environment={'OAUTHLIB_INSECURE_TRANSPORT': '1'},
        )

    def end(self):
        for nginx in self.nginx:
            nginx.stop()
        self.broker.end()
        self.provider.end()
        self.mock.stop()


@pytest.fixture(scope='module')
def world(stack, api, admin_token, psql):
    made = World(stack, stack.folder / 'oauth2')
    SECRETS.password(CLIENT['client_secret'])
    for type_ in ('google', 'microsoft', 'own', 'own_mock', 'through_mock'):
        assert api.post(f'/external/{type_}/config', admin_token, json=CLIENT).status_code == 201
    yield made
    for type_ in ('google', 'microsoft', 'own', 'own_mock', 'through_mock'):
        api.delete(f'/external/{type_}/config', admin_token)
    made.end()
    # As any other start would.
    psql("UPDATE auth_external_auth_type SET enabled = name IN ('google', 'microsoft', 'mobile')")


@pytest.fixture(autouse=True)
def clean(world):
    world.provider.reset()
    yield
    for value in world.provider.tokens:
        SECRETS.password(value)


@pytest.fixture
def ask(world, admin_token):
    def ask(user, type_='google', client=None, **body):
        answer = (client or world.api).post(path_of(user, type_), admin_token, json=body)
        assert answer.status_code == 201, answer.text
        query = dict(parse_qsl(urlsplit(answer.json()['authorization_url']).query))
        SECRETS.password(query['state'])
        return answer.json() | {'query': query}

    return ask


@pytest.fixture
def connect(world, ask, bus):
    """A user who is connected to google."""

    def connect(user):
        asked = ask(user)
        world.broker.tell(asked['state'], {'code': code(), 'state': asked['state']})
        bus.wait('auth_user_external_auth_added', of(user))
        world.provider.requests.clear()

    return connect


@pytest.fixture(scope='module')
def one_worker(world):
    """Of which one knows how many threads there are: 16 that ask providers."""
    nginx = world.new('oauth2-one', servers.free_port(), workers=1, external_auth_timeout=10)
    yield nginx.api
    nginx.stop()


def send(port, method, target, token=None):
    connection = socket.create_connection(('127.0.0.1', port), 10)
    lines = [f'{method} {target} HTTP/1.1', 'Host: a', 'Content-Type: application/json', 'Content-Length: 2']
    lines += [f'X-Auth-Token: {token}'] if token else []
    connection.sendall('\r\n'.join([*lines, '', '{}']).encode())
    return connection


@contextlib.contextmanager
def one_who_leaves(nginx, port, target, token=None):
    """At the end nginx knows it."""

    def left():
        return nginx.access_log.read_text().count('" 499 ')

    before = left()
    with send(port, 'GET', target, token):
        yield
    servers.wait_until(lambda: left() > before, 10, 'a client that has left')


def code():
    return SECRETS.password(f'code-{uuid.uuid4().hex}')


# -- through a broker --------------------------------------------------------------------------------------------------


def test_through_the_broker(world, admin_token, make_user, ask, bus):
    user = make_user()
    error(world.api.get(path_of(user, 'google'), admin_token), 404, 'unknown-external-auth')
    asked = ask(user)
    assert asked['state'] in world.broker.asked  # it is open when the answer comes
    assert re.fullmatch('[A-Za-z0-9]{30}', asked['state'])
    assert asked['authorization_url'] == (
        'https://consent.example/auth?response_type=code&client_id=a+client&redirect_uri=http%3A%2F%2F127.0.0.1%3A'
        f"{world.broker.port}%2Fauthorize&scope=one+two&state={asked['state']}&access_type=offline&prompt=consent"
    )
    error(world.api.get(path_of(user, 'google'), admin_token), 404, 'unknown-external-auth')
    secret = code()
    world.broker.tell(asked['state'], {'code': secret, 'state': asked['state'], 'scope': 'x'})
    event = bus.wait('auth_user_external_auth_added', of(user))
    assert event.body['data'] == {'user_uuid': user['uuid'], 'external_auth_name': 'google'}
    form, authorization = world.provider.requests[0]
    assert form == {
        'grant_type': 'authorization_code',
        'code': secret,
        'redirect_uri': f'http://127.0.0.1:{world.broker.port}/authorize',
    }
    assert authorization == basic(CLIENT['client_id'], CLIENT['client_secret'])
    answer = world.api2.get(path_of(user, 'google'), admin_token)
    assert list(answer.json()) == ['scope', 'access_token', 'token_expiration']
    assert answer.json()['access_token'] == world.provider.tokens[-2]
    assert answer.json()['scope'] == ['one', 'two']
    assert abs(answer.json()['token_expiration'] - time.time() - 3600) < 10
    assert asked['state'] not in world.broker.waiting
    assert len(world.provider.requests) == 1
    # Once more: it is replaced.
    asked = ask(user, scope=['three four', 'five'])
    assert asked['query']['scope'] == 'three four five'
    world.broker.tell(asked['state'], {'code': code()})
    bus.wait('auth_user_external_auth_updated', of(user))
    assert world.api.get(path_of(user, 'google'), admin_token).json()['access_token'] == world.provider.tokens[-2]
    assert world.api.delete(path_of(user, 'google'), admin_token).status_code == 204
    bus.wait('auth_user_external_auth_deleted', of(user))
    error(world.api.get(path_of(user, 'google'), admin_token), 404, 'unknown-external-auth')
    error(world.api.delete(path_of(user, 'google'), admin_token), 404, 'unknown-external-auth')


def test_what_is_asked_wrongly(world, api, admin_token, make_user, make_token, psql):
    user = make_user()
    tenant = {'Wazo-Tenant': api.post('/tenants', admin_token, json={}).json()['uuid']}
    path = path_of(user, 'google')
    for body in (
        {'scope': None},
        {'scope': 'x'},
        {'scope': ['']},
        {'scope': ['a\0b']},
        {'scope': ['x' * 513]},
        {'scope': [7]},
        [],
    ):
        if body != []:
            assert error(world.api.post(path, admin_token, json=body), 400, 'invalid-data')['resource'] == 'users'
    error(world.api.post(path, admin_token, headers=tenant), 404, 'unknown-external-auth')
    nobody = f'/users/{uuid.uuid4()}/external/google'
    for method in ('POST', 'GET', 'DELETE'):
        error(world.api.request(method, nobody, admin_token, data='{}'), 404, 'unknown-user')
    # Somebody who isn't below the caller is nobody.
    caller = make_token(make_user(acl=['#'], headers=tenant), client=world.api)['token']
    assert world.api.post('/external/google/config', admin_token, json=CLIENT, headers=tenant).status_code == 201
    for method in ('POST', 'GET', 'DELETE'):
        error(world.api.request(method, path, caller, data='{}'), 404, 'unknown-user')
    for config in ([], {}, {'client_id': 7}, None):
        assert (
            world.api.put('/external/google/config', admin_token, json=config or {}, headers=tenant).status_code == 204
        )
        assert world.api.post(path, caller).status_code == 500
    assert psql(f"SELECT count(*) FROM wazo_auth.pending_authorization WHERE user_uuid = '{user['uuid']}'") == '0'


@pytest.mark.parametrize('message', ['no json', '[]', '"x"', b'\xff\xfe', '{"code": "x", "state": "of somebody else"}'])
def test_messages_that_make_no_sense_are_passed_over(world, make_user, ask, bus, message):
    user = make_user()
    state = ask(user)['state']
    world.broker.tell(state, message)
    servers.wait_until(lambda: world.broker.opened.count(state) > 1, 10, 'a second try')
    assert not world.provider.requests
    world.broker.tell(state, {'code': code()})
    bus.wait('auth_user_external_auth_added', of(user))


def test_a_no_ends_it(world, make_user, ask, psql, admin_token):
    user = make_user()
    state = ask(user)['state']
    world.broker.tell(state, {'error': 'access_denied', 'state': state})
    servers.wait_until(lambda: pending(psql, user) == '0', 10, 'end of the authorization')
    servers.wait_until(lambda: state not in world.broker.waiting, 10, 'end of the socket')
    assert not world.provider.requests
    error(world.api.get(path_of(user, 'google'), admin_token), 404, 'unknown-external-auth')


def pending(psql, user):
    return psql(f"SELECT count(*) FROM wazo_auth.pending_authorization WHERE user_uuid = '{user['uuid']}'")


def test_a_code_that_is_told_twice_is_used_once(world, make_user, ask, bus):
    user = make_user()
    state = ask(user)['state']
    world.broker.tell(state, {'code': code(), 'state': state}, times=3)
    bus.wait('auth_user_external_auth_added', of(user))
    assert len(world.provider.requests) == 1


def test_the_broker_closes_restarts_and_freezes(world, make_user, ask, bus):
    first = make_user()
    state = ask(first)['state']
    world.broker.wait_for(state)  # nginx may know first that it is open
    world.broker.close_all()
    servers.wait_until(lambda: world.broker.opened.count(state) == 2, 10, 'a second try')
    world.broker.stop()
    second = make_user()
    began = time.monotonic()
    other = ask(second)['state']  # answered all the same
    assert time.monotonic() - began < 1.5
    world.broker.start()
    for user, waiting in ((first, state), (second, other)):
        world.broker.tell(waiting, {'code': code()})
        bus.wait('auth_user_external_auth_added', of(user))
    world.broker.freeze()
    third = make_user()
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        frozen = [pool.submit(ask, third) for _ in range(4)]
        # Other calls keep their speed meanwhile.
        slowest = max(world.api.get('/status').elapsed.total_seconds() for _ in range(20))
        states = [one.result()['state'] for one in frozen]
    assert 1.5 < time.monotonic() - began < 5
    assert slowest < 0.5
    world.broker.thaw()
    world.broker.wait_for(states[0], 20)
    world.broker.tell(states[0], {'code': code()})
    bus.wait('auth_user_external_auth_added', of(third))


def test_one_user_asks_again_and_again(world, make_user, ask, psql):
    user = make_user()
    states = [ask(user)['state'] for _ in range(14)]
    assert pending(psql, user) == '10'
    servers.wait_until(lambda: len(set(states) & set(world.broker.waiting)) == 10, 20, 'the end of the oldest sockets')
    assert set(states[4:]) <= set(world.broker.waiting)


def test_a_reload_during_the_wait(world, make_user, ask, bus):
    user = make_user()
    nginx = world.nginx[0]
    states = [ask(user)['state'] for _ in range(3)]
    before = nginx.workers()
    nginx.reload()
    servers.wait_until(lambda: not set(before) & set(nginx.workers()), 15, 'end of the old workers')
    # Somebody waits at every moment: the new socket is there before the old one goes.
    assert all(state in world.broker.waiting for state in states)
    world.broker.tell(states[0], {'code': code()})
    bus.wait('auth_user_external_auth_added', of(user))
    for state in states[1:]:
        world.broker.tell(state, {'code': code()})
        bus.wait('auth_user_external_auth_updated', of(user))
        bus.clear()


def test_a_worker_is_killed_during_the_wait(world, make_user, ask, bus, expect_log):
    expect_log('exited on signal 9')
    user = make_user()
    nginx = world.nginx[0]
    state = ask(user)['state']
    for pid in nginx.workers():
        os.kill(pid, signal.SIGKILL)
    servers.wait_until(lambda: world.broker.opened.count(state) == 2, 25, 'somebody who takes over')
    world.broker.wait_for(state)
    world.broker.tell(state, {'code': code()})
    bus.wait('auth_user_external_auth_added', of(user))


@pytest.mark.parametrize('type_', ['google', 'own'])
def test_a_worker_is_killed_while_it_asks_for_tokens(world, make_user, ask, bus, psql, expect_log, type_):
    expect_log('exited on signal 9')
    user, secret = make_user(), code()
    world.provider.freeze()
    state = ask(user, type_)['state']
    with ThreadPoolExecutor(1) as pool:
        if type_ == 'own':
            browser = pool.submit(come_back, world, code=secret, state=state)
        else:
            world.broker.tell(state, {'code': secret})
        world.provider.wait_for_request()
        assert pending(psql, user) == '1'
        for pid in world.nginx[0].workers():
            os.kill(pid, signal.SIGKILL)
        if type_ == 'own':
            assert isinstance(browser.exception(), requests.ConnectionError)
    is_page(come_back(world, code=secret, state=state), 400, 'This link is no longer valid')
    world.provider.thaw()
    bus.wait('auth_user_external_auth_added', of(user), timeout=25)
    assert [form['code'] for form, _ in world.provider.requests] == [secret] * 2
    assert pending(psql, user) == '0'


def test_an_nginx_that_stops_leaves_the_wait_to_another(world, make_user, ask, bus, stack):
    user = make_user()
    nginx = world.new('oauth2-c', servers.free_port())
    state = ask(user, client=nginx.api)['state']
    nginx.stop()
    world.broker.wait_for(state)
    world.broker.tell(state, {'code': code()})
    bus.wait('auth_user_external_auth_added', of(user))


def test_a_user_or_a_configuration_that_goes_during_the_wait(world, api, admin_token, make_user, ask, psql):
    tenant = {'Wazo-Tenant': api.post('/tenants', admin_token, json={}).json()['uuid']}
    api.post('/external/google/config', admin_token, json=CLIENT, headers=tenant)
    user = make_user(headers=tenant)
    asked = [world.api.post(path_of(user, 'google'), admin_token, headers=tenant).json()['state'] for _ in range(2)]
    api.delete('/external/google/config', admin_token, headers=tenant)
    world.broker.tell(asked[0], {'code': code()})
    servers.wait_until(lambda: pending(psql, user) == '1', 10, 'the end')
    assert not world.provider.requests
    api.post('/external/google/config', admin_token, json=CLIENT, headers=tenant)
    assert api.delete(f"/users/{user['uuid']}", admin_token).status_code == 204
    world.broker.tell(asked[1], {'code': code()})
    servers.wait_until(lambda: pending(psql, user) == '0', 10, 'the end')
    world.provider.wait_for_request()
    assert psql(f"SELECT count(*) FROM auth_user_external_auth WHERE user_uuid = '{user['uuid']}'") == '0'


BAD_ANSWERS = {
    'no refresh token': (200, {}, '{"access_token": "a", "expires_in": 5}'),
    'no access token': (200, {}, '{"refresh_token": "r"}'),
    'no JSON': (200, {}, 'access_token=a&refresh_token=r'),
    'a list': (200, {}, '[]'),
    '400': (400, {}, '{"error": "invalid_grant"}'),
    '500': (500, {}, 'oops'),
    'huge': (200, {}, '{"access_token": "a", "refresh_token": "r", "x": "' + 'x' * 300000 + '"}'),
    'elsewhere': (302, {'Location': '/token'}, '{"access_token": "a", "refresh_token": "r"}'),
}


@pytest.mark.parametrize('what', BAD_ANSWERS)
def test_providers_that_misbehave_store_nothing(world, admin_token, make_user, ask, psql, what):
    user = make_user()
    world.provider.answer = lambda form: BAD_ANSWERS[what]
    state = ask(user)['state']
    world.broker.tell(state, {'code': code()})
    servers.wait_until(
        lambda: 'the authorization of user ' + user['uuid'] + ' failed' in world.nginx[0].error_log.read_text(),
        10,
        'a line in the log',
    )
    assert len(world.provider.requests) == 1
    error(world.api.get(path_of(user, 'google'), admin_token), 404, 'unknown-external-auth')
    assert pending(psql, user) == '0'


def test_with_the_provider_of_npm(world, admin_token, make_user, ask, bus):
    user = make_user()
    asked = ask(user, 'through_mock')
    answer = requests.get(asked['authorization_url'], timeout=10)  # to the provider and, by its redirect, to the broker
    assert (answer.status_code, answer.text) == (200, 'you may close this window\n')
    bus.wait('auth_user_external_auth_added', of(user))
    first = world.api.get(path_of(user, 'through_mock'), admin_token).json()
    assert first['access_token'].count('.') == 2


def test_a_broker_that_never_answers_holds_up_nobody_else(world, one_worker, admin_token, make_user, ask, psql):
    users = [make_user() for _ in range(4)]
    renewed = make_user()
    connected(psql, renewed, 'own')
    world.broker.freeze()
    try:
        with ThreadPoolExecutor(40) as pool:
            asked = [pool.submit(ask, user, client=one_worker) for user in users * 10]
            servers.wait_until(lambda: all(pending(psql, user) == '10' for user in users), 10, 'all of them')
            answer = one_worker.get(path_of(renewed, 'own'), admin_token)
            assert not all(one.done() for one in asked)
            assert answer.status_code == 200
            assert answer.elapsed.total_seconds() < 1
            for one in asked:
                one.result()
    finally:
        world.broker.thaw()


def test_who_asks_leaves_while_all_threads_are_busy(world, one_worker, admin_token, make_user, psql):
    asking, waiting = make_user(), [make_user() for _ in range(16)]
    for user in waiting:
        connected(psql, user, 'own')
    world.provider.freeze()
    with ThreadPoolExecutor(16) as pool:
        renewals = [pool.submit(one_worker.get, path_of(user, 'own'), admin_token) for user in waiting]
        world.provider.wait_for_request(16)
        with send(one_worker.port, 'POST', '/0.1' + path_of(asking, 'google'), admin_token):
            servers.wait_until(lambda: pending(psql, asking) == '1', 5, 'what is asked')
        assert not any(renewal.done() for renewal in renewals)
        world.provider.thaw()
    state = psql(f"SELECT state FROM wazo_auth.pending_authorization WHERE user_uuid = '{asking['uuid']}'")
    world.broker.wait_for(SECRETS.password(state), 5)


@pytest.mark.parametrize('held', ['6 seconds', '1 hour'])  # the clock was set back since
def test_a_row_whose_holder_does_not_know_it_is_taken_over(world, one_worker, make_user, ask, psql, held):
    ask(make_user(), client=one_worker)  # what it does know
    state = ask(make_user(), client=one_worker)['state']
    unknown = SECRETS.password(state[::-1])
    # For longer than a process takes to renew its rows.
    psql(
        f"UPDATE wazo_auth.pending_authorization SET state = reverse(state), held_until = now() + interval '{held}', "
        f"websocket = replace(websocket, state, reverse(state)) WHERE state = '{state}'"
    )
    world.broker.wait_for(unknown, 12)


# -- without a broker --------------------------------------------------------------------------------------------------


def come_back(world, **query):
    return requests.get(world.back, params=query, timeout=10)


def is_page(answer, status, title):
    assert answer.status_code == status
    assert f'<h1>{title}</h1>' in answer.text
    assert answer.headers['Content-Type'] == 'text/html; charset=utf-8'
    assert answer.headers['Cache-Control'] == 'no-store'
    assert answer.headers['Referrer-Policy'] == 'no-referrer'
    assert "default-src 'none'" in answer.headers['Content-Security-Policy']


def test_without_a_broker(world, admin_token, make_user, ask, bus, psql):
    user = make_user()
    asked = ask(user, 'own')
    assert asked['authorization_url'].startswith('https://consent.example/auth?x=1&response_type=code&')
    assert asked['query']['prompt'] == 'consent'
    assert asked['query']['redirect_uri'] == world.back
    assert (asked['query']['code_challenge_method'], len(asked['query']['code_challenge'])) == ('S256', 43)
    secret = code()
    is_page(come_back(world, code=secret, state=asked['state']), 200, 'Your account is connected')
    bus.wait('auth_user_external_auth_added', of(user))
    form, authorization = world.provider.requests[0]
    verifier = SECRETS.password(form.pop('code_verifier'))
    assert re.fullmatch('[A-Za-z0-9]{64}', verifier)
    assert form == {'grant_type': 'authorization_code', 'code': secret, 'redirect_uri': world.back}
    assert authorization == basic(CLIENT['client_id'], CLIENT['client_secret'])
    assert world.api.get(path_of(user, 'own'), admin_token).json()['access_token'] == world.provider.tokens[-2]
    # It works once.
    is_page(come_back(world, code=secret, state=asked['state']), 400, 'This link is no longer valid')
    assert len(world.provider.requests) == 1


def test_without_a_broker_with_the_provider_of_npm(world, admin_token, make_user, ask, bus):
    """It checks PKCE."""
    user = make_user()
    is_page(requests.get(ask(user, 'own_mock')['authorization_url'], timeout=10), 200, 'Your account is connected')
    bus.wait('auth_user_external_auth_added', of(user))
    token = world.api.get(path_of(user, 'own_mock'), admin_token).json()
    assert token['scope'] == ['dummy']
    items = world.api.get(f"/users/{user['uuid']}/external?type=own_mock", admin_token).json()['items']
    assert items == [
        {'type': 'own_mock', 'data': {'scope': ['dummy']}, 'enabled': True, 'plugin_info': {'name': 'Mock'}}
    ]


def test_states_that_are_good_for_nothing(world, make_user, ask, psql):
    user = make_user()
    expired = ask(user, 'own')['state']
    psql(f"UPDATE wazo_auth.pending_authorization SET expires_at = now() - interval '1 s' WHERE state = '{expired}'")
    at_the_broker = ask(user)['state']
    for state in (expired, 'x' * 30, '', '\0', b'\xff', '<script>', at_the_broker):
        is_page(come_back(world, code=code(), state=state), 400, 'This link is no longer valid')
    is_page(come_back(world), 400, 'This link is no longer valid')
    assert not world.provider.requests
    assert psql(f"SELECT told IS NULL FROM wazo_auth.pending_authorization WHERE state = '{at_the_broker}'") == 't'
    asked = ask(user, 'own')
    assert (
        psql(
            "SELECT expires_at BETWEEN now() + interval '9 min' AND now() + interval '10 min' "
            f"FROM wazo_auth.pending_authorization WHERE state = '{asked['state']}'"
        )
        == 't'
    )


def test_refused_at_the_page_of_consent(world, make_user, ask, psql, admin_token):
    user = make_user()
    state = ask(user, 'own')['state']
    answer = come_back(world, error='access_denied', error_description='<script>alert(1)</script>', state=state)
    is_page(answer, 403, 'Your account was not connected')
    assert 'script' not in answer.text
    assert pending(psql, user) == '0'
    error(world.api.get(path_of(user, 'own'), admin_token), 404, 'unknown-external-auth')


@pytest.mark.parametrize('what', BAD_ANSWERS)
def test_without_a_broker_providers_that_misbehave(world, admin_token, make_user, ask, what):
    user = make_user()
    world.provider.answer = lambda form: BAD_ANSWERS[what]
    is_page(come_back(world, code=code(), state=ask(user, 'own')['state']), 502, 'Something went wrong')
    error(world.api.get(path_of(user, 'own'), admin_token), 404, 'unknown-external-auth')


def test_a_browser_that_does_not_wait(world, admin_token, make_user, ask, bus):
    user = make_user()
    query = urlencode({'code': code(), 'state': ask(user, 'own')['state']})
    world.provider.freeze()
    with one_who_leaves(world.nginx[0], world.landing_port, f'/back?{query}'):
        world.provider.wait_for_request()
    world.provider.thaw()
    bus.wait('auth_user_external_auth_added', of(user))
    assert len(world.provider.requests) == 1


def test_only_get_uses_a_state(world, make_user, ask):
    user = make_user()
    state = ask(user, 'own')['state']
    for method in ('HEAD', 'POST', 'PUT', 'OPTIONS'):
        answer = requests.request(method, world.back, params={'code': code(), 'state': state}, timeout=10)
        assert (answer.status_code, answer.headers['Allow']) == (405, 'GET')
    is_page(come_back(world, code=code(), state=state), 200, 'Your account is connected')


def test_while_a_provider_is_frozen_others_are_served(world, admin_token, make_user, ask):
    world.provider.freeze()
    users = [make_user() for _ in range(8)]
    states = [ask(user, 'own')['state'] for user in users]
    with ThreadPoolExecutor(8) as pool:
        began = time.monotonic()
        frozen = [pool.submit(come_back, world, code=code(), state=state) for state in states]
        world.provider.wait_for_request()
        times = [world.api.get(f"/users/{user['uuid']}", admin_token).elapsed.total_seconds() for user in users * 5]
        for answer in frozen:
            is_page(answer.result(), 502, 'Something went wrong')
        assert time.monotonic() - began < 6
    assert max(times) < 0.5


# -- in a browser ------------------------------------------------------------------------------------------------------


def browse(url, folder):
    """What Chromium shows in the end, as HTML."""
    done = subprocess.run(
        [
            'chromium',
            '--headless',
            '--no-sandbox',
            '--disable-gpu',
            '--disable-dev-shm-usage',
            '--no-first-run',
            '--disable-background-networking',
            '--no-proxy-server',
            f'--user-data-dir={folder}',
            '--dump-dom',
            url,
        ],
        capture_output=True,
        text=True,
        timeout=80,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    'type_, shown', [('own_mock', '<h1>Your account is connected</h1>'), ('through_mock', 'you may close this window')]
)
def test_in_a_real_browser(world, admin_token, make_user, ask, bus, tmp_path, type_, shown):
    user = make_user()
    assert shown in browse(ask(user, type_)['authorization_url'], tmp_path)
    bus.wait('auth_user_external_auth_added', of(user))
    assert world.api.get(path_of(user, type_), admin_token).json()['access_token'].count('.') == 2


# -- new tokens for old ones -------------------------------------------------------------------------------------------


def expire(psql, user, seconds=0):
    psql(
        "UPDATE auth_user_external_auth SET data = jsonb_set(data::jsonb, '{token_expiration}', "
        f"to_jsonb(extract(epoch FROM now())::bigint + {seconds}))::text WHERE user_uuid = '{user['uuid']}'"
    )


def stored(psql, user):
    return json.loads(psql(f"SELECT data FROM auth_user_external_auth WHERE user_uuid = '{user['uuid']}'"))


def test_a_token_is_renewed_when_it_expires(world, admin_token, make_user, connect, bus, psql):
    user = make_user()
    connect(user)
    old = stored(psql, user)
    expire(psql, user, 40)
    assert world.api.get(path_of(user, 'google'), admin_token).json()['access_token'] == old['access_token']
    assert not world.provider.requests
    expire(psql, user, 29)
    world.provider.answer = lambda form: (200, {}, json.dumps(world.provider.grant(refresh_token=None, scope='other')))
    answer = world.api.get(path_of(user, 'google'), admin_token).json()
    assert answer['access_token'] == world.provider.tokens[-2] != old['access_token']
    assert answer['scope'] == ['other']
    assert world.provider.requests == [
        ({'grant_type': 'refresh_token', **CLIENT, 'refresh_token': old['refresh_token']}, None)
    ]
    assert stored(psql, user) == {**answer, 'refresh_token': old['refresh_token']}
    bus.wait('auth_user_external_auth_updated', of(user))
    # A provider may hand out a new one of these, too; and the daemon wrote times with fractions.
    world.provider.answer = None
    for seconds in ('7.5', '1e300'):
        psql(
            f"UPDATE auth_user_external_auth SET data = (data::jsonb || '{{\"token_expiration\": {seconds}}}')::text "
            f"WHERE user_uuid = '{user['uuid']}'"
        )
        answer = world.api2.get(path_of(user, 'google'), admin_token).json()
        assert abs(answer['token_expiration'] - time.time() - 3600) < 10
        assert stored(psql, user)['refresh_token'] == world.provider.tokens[-1]


def test_many_callers_renew_once(world, admin_token, make_user, connect, psql, bus):
    user = make_user()
    connect(user)
    expire(psql, user)
    world.provider.freeze()
    with ThreadPoolExecutor(8) as pool:
        answers = [
            pool.submit((world.api, world.api2)[i % 2].get, path_of(user, 'google'), admin_token) for i in range(8)
        ]
        world.provider.wait_for_request()
        time.sleep(0.5)  # for a second request, if there were one
        world.provider.thaw()
        tokens = {answer.result().json()['access_token'] for answer in answers}
    assert len(tokens) == len(world.provider.requests) == 1
    assert psql('SELECT count(*) FROM wazo_auth.renewal') == '0'


def rotate(provider, refresh_token):
    """From now on a refresh token is good once."""
    good = {refresh_token}

    def answer(form):
        if form['refresh_token'] not in good:
            return 400, {}, '{"error": "invalid_grant"}'
        granted = provider.grant()
        good.symmetric_difference_update({form['refresh_token'], granted['refresh_token']})
        return 200, {}, json.dumps(granted)

    provider.answer = answer


def test_the_one_who_renews_leaves(world, admin_token, make_user, connect, psql):
    user = make_user()
    connect(user)
    expire(psql, user)
    old = stored(psql, user)
    rotate(world.provider, old['refresh_token'])
    world.provider.freeze()
    nginx = world.nginx[0]
    with one_who_leaves(nginx, nginx.api.port, '/0.1' + path_of(user, 'google'), admin_token):
        world.provider.wait_for_request()
    world.provider.thaw()
    servers.wait_until(lambda: stored(psql, user) != old, 5, 'a new token')
    answer = world.api2.get(path_of(user, 'google'), admin_token)
    assert answer.json()['access_token'] == world.provider.tokens[-2]
    assert len(world.provider.requests) == 1
    expire(psql, user)
    assert world.api.get(path_of(user, 'google'), admin_token).status_code == 200


def test_the_database_goes_while_a_new_token_is_stored(world, postgres, admin_token, make_user, connect, psql):
    user = make_user()
    connect(user)
    expire(psql, user)
    rotate(world.provider, stored(psql, user)['refresh_token'])
    world.provider.freeze()
    lock = psycopg2.connect(host=postgres.host, port=postgres.port, user='postgres', dbname=DATABASE)
    with ThreadPoolExecutor(1) as pool, contextlib.closing(lock):
        renewal = pool.submit(world.api.get, path_of(user, 'google'), admin_token)
        world.provider.wait_for_request()
        lock.cursor().execute('LOCK TABLE auth_user_external_auth')
        world.provider.thaw()
        end = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE wait_event_type = 'Lock' AND query LIKE '%auth_user_external_auth%'"
        )
        servers.wait_until(lambda: psql(end) == '1', 5, 'a connection that is about to store it')
        lock.rollback()
        assert renewal.result().json()['access_token'] == world.provider.tokens[-2]


def test_many_callers_and_a_provider_that_fails(world, admin_token, make_user, connect, psql):
    user = make_user()
    connect(user)
    expire(psql, user)
    before = stored(psql, user)
    world.provider.answer = lambda form: (503, {}, 'busy')
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda i: (world.api, world.api2)[i % 2].get(path_of(user, 'google'), admin_token), range(8))
        )
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (500, {'message': 'Internal Server Error'})
    ] * 8
    assert len(world.provider.requests) < 8
    assert stored(psql, user) == before
    world.provider.reset()
    assert servers.wait_until(
        lambda: world.api.get(path_of(user, 'google'), admin_token).status_code == 200, 5, 'a new try'
    )


def test_a_refusal_for_good_is_told_apart(world, admin_token, make_user, connect, ask, psql, bus):
    user = make_user()
    connect(user)
    expire(psql, user)
    for status, word in (
        (400, 'invalid_client'),
        (401, 'invalid_client'),
        (500, 'invalid_grant'),
        (400, 'temporarily'),
    ):
        world.provider.answer = lambda form: (status, {}, json.dumps({'error': word}))
        servers.wait_until(lambda: psql('SELECT count(*) FROM wazo_auth.renewal WHERE until > now()') == '0', 5)
        assert world.api.get(path_of(user, 'google'), admin_token).status_code == 500, word
    world.provider.reset()
    world.provider.answer = lambda form: (400, {}, '{"error": "invalid_grant"}')
    servers.wait_until(lambda: psql('SELECT count(*) FROM wazo_auth.renewal WHERE until > now()') == '0', 5)
    for api in (world.api, world.api2, world.api):
        error(api.get(path_of(user, 'google'), admin_token), 404, 'unknown-external-auth')
    assert len(world.provider.requests) == 1  # the provider isn't asked again and again
    assert stored(psql, user)['refresh_token']
    # The user says yes again.
    world.provider.reset()
    world.broker.tell(ask(user)['state'], {'code': code()})
    bus.wait('auth_user_external_auth_updated', of(user))
    assert world.api.get(path_of(user, 'google'), admin_token).status_code == 200


def test_a_frozen_provider_while_a_token_is_renewed(world, admin_token, make_user, connect, psql):
    user = make_user()
    connect(user)
    expire(psql, user)
    world.provider.freeze()
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        renewal = pool.submit(world.api.get, path_of(user, 'google'), admin_token)
        world.provider.wait_for_request()
        held = psql("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'")
        assert renewal.result().status_code == 500
    assert 1.5 < time.monotonic() - began < 5
    assert held == '0'


def test_data_that_changes_while_it_is_renewed(world, admin_token, make_user, connect, psql):
    user = make_user()
    connect(user)
    expire(psql, user)
    world.provider.freeze()
    with ThreadPoolExecutor(1) as pool:
        renewal = pool.submit(world.api.get, path_of(user, 'google'), admin_token)
        world.provider.wait_for_request()
        assert world.api2.delete(path_of(user, 'google'), admin_token).status_code == 204
        world.provider.thaw()
        error(renewal.result(), 404, 'unknown-external-auth')
    assert psql(f"SELECT count(*) FROM auth_user_external_auth WHERE user_uuid = '{user['uuid']}'") == '0'


@pytest.mark.parametrize(
    'until, outcome',
    [
        ('1 second', 'NULL'),
        ('1 hour', 'NULL'),  # and then the clock was set back
        ('1 hour', "'refused'"),
    ],
)
def test_the_one_who_renews_dies(world, admin_token, make_user, connect, psql, until, outcome):
    user = make_user()
    connect(user)
    expire(psql, user)
    psql(
        "INSERT INTO wazo_auth.renewal (user_uuid, type, until, outcome) "
        f"VALUES ('{user['uuid']}', 'google', now() + interval '{until}', {outcome})"
    )
    assert world.api.get(path_of(user, 'google'), admin_token).status_code == 200
    assert len(world.provider.requests) == 1


def test_data_without_a_refresh_token(world, admin_token, make_user, psql):
    user = make_user()
    for data in ('{}', '[]', '"x"', '{"access_token": "a", "token_expiration": "soon"}'):
        psql(
            f"DELETE FROM auth_user_external_auth WHERE user_uuid = '{user['uuid']}'; INSERT INTO auth_user_external_auth "
            f"SELECT '{user['uuid']}', uuid, '{data}' FROM auth_external_auth_type WHERE name = 'google'"
        )
        error(world.api.get(path_of(user, 'google'), admin_token), 404, 'unknown-external-auth')


# -- certificates, and addresses that are denied -----------------------------------------------------------------------


class OneService:
    """An nginx that knows one service: with a broker (google), and without (own)."""

    def __init__(self, stack, name, token_url, websocket_host=None, environment=None, **settings):
        port = servers.free_port()
        self.back = f'http://127.0.0.1:{port}/back'
        service = {'authorization_base_url': 'https://consent.example/auth', 'token_url': token_url}
        self.nginx = stack.new_nginx(
            name,
            GATED + LANDING.replace('@LANDING_PORT@', str(port)),
            settings={
                'google': {**service, 'redirect_uri': 'https://broker.example', 'websocket_host': websocket_host},
                'external_auth_types': {'own': {'oauth2': {**service, 'redirect_uri': 'https://nginx.example/back'}}},
                'external_auth_timeout': 2,
                **settings,
            },
            environment=environment,
        )

    def lines(self, text):
        """Lines of the log; none has a state or a code (conftest looks for those)."""
        return [line for line in self.nginx.error_log.read_text().splitlines() if text in line]


@pytest.fixture
def one_service(stack, world):
    made = []

    def make(*arguments, **options):
        made.append(OneService(stack, f'oauth2-{uuid.uuid4().hex[:8]}', *arguments, **options))
        return made[-1]

    yield make
    for each in made:
        each.nginx.stop()


@pytest.fixture
def secure_peers(authority):
    """A broker and a provider with certificates for `name`."""
    made = []

    def make(name, issuer=authority):
        certificate = [issuer.certificate(name)]
        made.extend(
            [
                oauth2_peers.Broker(servers.free_port(), certificate),
                oauth2_peers.Provider(servers.free_port(), certificate),
            ]
        )
        return made[-2:]

    yield make
    for each in made:
        each.end()


@pytest.mark.parametrize('host, name', [('localhost', 'DNS:localhost'), ('127.0.0.1', 'IP:127.0.0.1')])
def test_over_tls(one_service, secure_peers, authority, admin_token, make_user, ask, bus, psql, host, name):
    broker, provider = secure_peers(name)
    service = one_service(
        f'https://{host}:{provider.port}/token',
        f'wss://{host}:{broker.port}',
        external_auth_ca_file=str(authority.file),
    )
    user, api = make_user(), service.nginx.api
    state = ask(user, client=api)['state']
    assert state in broker.asked
    broker.tell(state, {'code': code()})
    bus.wait('auth_user_external_auth_added', of(user))
    expire(psql, user)
    assert api.get(path_of(user, 'google'), admin_token).json()['access_token'] == provider.tokens[-2]
    assert len(provider.requests) == 2


UNTRUSTED = {
    'another name': ('DNS:elsewhere.example', 'hostname mismatch', "no alternative certificate subject name matches"),
    'another authority': (
        'DNS:localhost',
        'unable to get local issuer certificate',
        'unable to get local issuer certificate',
    ),
    'of the system only': (
        'DNS:localhost',
        'unable to get local issuer certificate',
        'unable to get local issuer certificate',
    ),
}


@pytest.mark.parametrize('what', UNTRUSTED)
def test_certificates_that_are_not_good(
    stack, one_service, secure_peers, authority, admin_token, make_user, ask, psql, world, what
):
    name, says_socket, says_form = UNTRUSTED[what]
    issuer = (
        authority if what == 'another name' else servers.Authority(stack.folder / f'authority-{uuid.uuid4().hex[:8]}')
    )
    broker, provider = secure_peers(name, issuer)
    trusted = {} if what == 'of the system only' else {'external_auth_ca_file': str(authority.file)}
    service = one_service(f'https://localhost:{provider.port}/token', f'wss://localhost:{broker.port}', **trusted)
    user, api = make_user(), service.nginx.api
    state = ask(user, client=api)['state']  # answered all the same
    assert state not in broker.opened
    assert service.lines(f"{state[:6]}...: no connection to the broker: its certificate isn't good: {says_socket}")
    landed = requests.get(
        service.back, params={'code': code(), 'state': ask(user, 'own', client=api)['state']}, timeout=10
    )
    is_page(landed, 502, 'Something went wrong')
    assert len(service.lines(f"own: the authorization of user {user['uuid']} failed: ")) == 1
    assert says_form in service.lines(f"user {user['uuid']} failed: ")[0]
    connected(psql, user)
    assert api.get(path_of(user, 'google'), admin_token).status_code == 500
    assert says_form in service.lines(f"the token of user {user['uuid']} isn't renewed: ")[0]
    assert not provider.requests


def connected(psql, user, type_='google'):
    """A user whose token has expired."""
    data = json.dumps({'access_token': 'a', 'refresh_token': 'r', 'token_expiration': 1, 'scope': []})
    psql(
        f"INSERT INTO auth_external_auth_type (name) VALUES ('{type_}') ON CONFLICT DO NOTHING; "
        f"INSERT INTO auth_user_external_auth SELECT '{user['uuid']}', uuid, '{data}' FROM auth_external_auth_type "
        f"WHERE name = '{type_}'"
    )


@pytest.mark.parametrize(
    'host, loopback, what',
    [
        ('169.254.169.254', True, '169.254.169.254 is link-local'),
        ('127.0.0.1', False, '127.0.0.1 is loopback'),
        ('localhost', False, ' is loopback'),
    ],
)
def test_addresses_that_are_denied(one_service, world, admin_token, make_user, ask, psql, host, loopback, what):
    service = one_service(
        f'http://{host}:{world.provider.port}/token',
        f'ws://{host}:{world.broker.port}',
        outgoing={'loopback': loopback},
        environment={'OAUTHLIB_INSECURE_TRANSPORT': '1'},
    )
    user, api = make_user(), service.nginx.api
    began = time.monotonic()
    state = ask(user, client=api)['state']
    assert time.monotonic() - began < 1.5
    lines = service.lines(f'{state[:6]}...: no connection to the broker: {host} is denied: ')
    assert len(lines) == 1 and what in lines[0]
    landed = requests.get(
        service.back, params={'code': code(), 'state': ask(user, 'own', client=api)['state']}, timeout=10
    )
    is_page(landed, 502, 'Something went wrong')
    connected(psql, user)
    answer = api.get(path_of(user, 'google'), admin_token)
    assert (answer.status_code, answer.json()) == (500, {'message': 'Internal Server Error'})
    lines = service.lines(f"user {user['uuid']}")
    assert len(lines) == 2 and all('its host is denied: ' in line and what in line for line in lines)
    assert state not in world.broker.asked and not world.provider.requests


# -- what the configuration says ---------------------------------------------------------------------------------------


GOOD = {
    'authorization_base_url': 'https://a.example/',
    'token_url': 'https://a.example/token',
    'redirect_uri': 'https://b.example',
    'websocket_host': 'wss://b.example',
}
TYPE = 'external_auth_types.x'
BAD_SETTINGS = {
    'google.token_url" must begin with https://': {'google': {**GOOD, 'token_url': 'http://a.example'}},
    'google.websocket_host" must begin with wss://': {'google': {**GOOD, 'websocket_host': 'ws://b.example'}},
    f'{TYPE}.oauth2.redirect_uri" must begin with https://': {
        'external_auth_types': {'x': {'oauth2': {'authorization_base_url': 'https://a', 'token_url': 'https://a'}}}
    },
    'microsoft.authorization_base_url" must be like https://host/path': {
        'microsoft': {**GOOD, 'authorization_base_url': 'https://a.example/ x'}
    },
    'external_auth_timeout" must be seconds, 0.1 to 60': {'external_auth_timeout': 61},
    'external_auth_ca_file" can\'t be used: /nowhere: No such file': {'external_auth_ca_file': '/nowhere'},
    'external_auth_types.X" is no name': {'external_auth_types': {'X': {}}},
    'external_auth_types.mobile" is built in': {'external_auth_types': {'mobile': {}}},
    f'{TYPE}.date" is not known': {'external_auth_types': {'x': {'date': {}}}},
    f'{TYPE}.data" has no place beside "oauth2"': {'external_auth_types': {'x': {'oauth2': GOOD, 'data': {}}}},
    f'{TYPE}.data.n.type" must be one of': {'external_auth_types': {'x': {'data': {'n': {'type': 'text'}}}}},
    f'{TYPE}.data.n.max" is not known': {'external_auth_types': {'x': {'data': {'n': {'max': 3}}}}},
    f'{TYPE}.plugin_info" must be a mapping': {'external_auth_types': {'x': {'plugin_info': [1]}}},
    f'{TYPE}.oauth2.parameters.a" must be a text': {
        'external_auth_types': {'x': {'oauth2': {**GOOD, 'parameters': {'a': 1}}}}
    },
}


@pytest.mark.parametrize('what', BAD_SETTINGS)
def test_settings_that_are_refused(stack, expect_log, what):
    expect_log(re.escape(what))
    nginx = stack.new_nginx(f'oauth2-{uuid.uuid4().hex[:8]}', settings=BAD_SETTINGS[what], start=False)
    good, output = nginx.test()
    assert not good and what in output
    assert re.search(r'config\.yml:\d+\)', output) or 'redirect_uri' in what, output


# -- types of an administrator's own -----------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def own_types(stack, world, psql):
    nginx = stack.new_nginx(
        'oauth2-types',
        settings={
            'oauth2_synchronization_ws_url_template': f'ws://127.0.0.1:{world.broker.port}/ws/{{state}}',
            'enabled_external_auth_plugins': {'foo': True, 'google': True, 'off': False},
            'external_auth_types': {
                'foo': {'awaited': ['access_token']},
                'bar': {
                    'plugin_info': {'foo': 'bar'},
                    'shown': {'scope': {'type': 'list', 'items': {'type': 'string'}}},
                },
                'badge': {
                    'data': {
                        'number': {'required': True, 'min_length': 2, 'max_length': 4},
                        'doors': {'type': 'list', 'items': {'type': 'integer', 'minimum': 1}},
                        'kind': {'choices': ['a', 'b'], 'nullable': True},
                    }
                },
                'off': {},
            },
        },
        environment={'OAUTHLIB_INSECURE_TRANSPORT': '1'},
    )
    yield nginx
    nginx.stop()
    # As any other start would.
    psql("UPDATE auth_external_auth_type SET enabled = name IN ('google', 'microsoft', 'mobile')")


def test_a_type_that_only_stores(own_types, admin_token, make_user, bus):
    api, user = own_types.api, make_user()
    path = path_of(user, 'bar')
    data = {'secret': 'x', 'scope': ['one', 'two'], 'n': {'deep': [None]}}
    for method in ('GET', 'PUT', 'DELETE'):
        error(api.request(method, path, admin_token, data='{}'), 404, 'unknown-external-auth')
    answer = api.post(path, admin_token, json=data)
    assert (answer.status_code, answer.json()) == (200, data)
    bus.wait('auth_user_external_auth_added', of(user))
    error(api.post(path, admin_token, json=data), 409, 'conflict')
    assert api.get(path, admin_token).json() == data
    items = {item['type']: item for item in api.get(f"/users/{user['uuid']}/external", admin_token).json()['items']}
    assert items['bar'] == {
        'type': 'bar',
        'data': {'scope': ['one', 'two']},
        'enabled': True,
        'plugin_info': {'foo': 'bar'},
    }
    assert items['foo'] == {'type': 'foo', 'data': {}, 'enabled': False, 'plugin_info': {}}
    assert sorted(items) == ['badge', 'bar', 'foo', 'google', 'microsoft', 'mobile']
    answer = api.put(path, admin_token, json={'scope': 'no list'})
    assert (answer.status_code, answer.json()) == (200, {'scope': 'no list'})
    bus.wait('auth_user_external_auth_updated', of(user))
    listed = api.get(f"/users/{user['uuid']}/external?type=bar", admin_token).json()['items']
    assert listed == [{'type': 'bar', 'data': {}, 'enabled': True, 'plugin_info': {'foo': 'bar'}}]
    assert [item['uuid'] for item in api.get('/external/bar/users', admin_token).json()['items']] == [user['uuid']]
    assert api.delete(path, admin_token).status_code == 204
    bus.wait('auth_user_external_auth_deleted', of(user))
    for method in ('GET', 'POST', 'PUT', 'DELETE'):
        error(api.request(method, f'/users/{uuid.uuid4()}/external/bar', admin_token, data='{}'), 404, 'unknown-user')
        answer = api.request(method, path_of(user, 'off'), admin_token, data='{}')
        assert answer.status_code == 404 and 'error_id' not in answer.text


@pytest.mark.parametrize('type_', ['bar', 'foo'])
def test_what_is_stored_is_an_object(own_types, admin_token, make_user, psql, type_):
    api, user = own_types.api, make_user()
    for method in ('POST', 'PUT'):
        for body in ('[1]', '"x"', '7', 'true'):
            found = error(api.request(method, path_of(user, type_), admin_token, data=body), 400, 'invalid-data')
            assert found['resource'] == 'users'
            assert found['details'] == {'_schema': {'message': 'Invalid input type.'}}
        for body in ('', '{', b'\xff'):
            answer = api.request(method, path_of(user, type_), admin_token, data=body)
            assert (answer.status_code, list(answer.json())) == (400, ['message'])
    error(api.get(path_of(user, type_), admin_token), 404, 'unknown-external-auth')
    assert pending(psql, user) == '0'


def test_events_of_a_stored_type(own_types, admin_token, make_user, bus):
    api, user = own_types.api, make_user()
    for method in ('POST', 'PUT', 'DELETE'):
        api.request(method, path_of(user, 'bar'), admin_token, data='{}')
    for method in ('PUT', 'DELETE'):  # nothing is told of what isn't done
        error(api.request(method, path_of(user, 'bar'), admin_token, data='{}'), 404, 'unknown-external-auth')
    api.post(path_of(user, 'badge'), admin_token, json={})
    api.post(path_of(user, 'badge'), admin_token, json={'number': 'xx'})
    bus.wait('auth_user_external_auth_added', lambda event: event.body['data']['external_auth_name'] == 'badge')
    prefix = f"auth.users.{user['uuid']}.external."
    events = [event for event in bus.events if event.key.startswith(prefix)]
    assert [event.key.removeprefix(prefix) for event in events] == [
        'bar.created',
        'bar.updated',
        'bar.deleted',
        'badge.created',
    ]
    for event in events[:3]:
        assert event.body['data'] == {'user_uuid': user['uuid'], 'external_auth_name': 'bar'}
        assert event.headers['tenant_uuid'] == user['tenant_uuid']
        assert event.headers[f"user_uuid:{user['uuid']}"] is True


def test_who_may_do_what_with_a_stored_type(own_types, api, admin_token, make_user, make_token):
    client = own_types.api
    tenant = {'Wazo-Tenant': api.post('/tenants', admin_token, json={}).json()['uuid']}
    user = make_user(headers=tenant)
    path = path_of(user, 'bar')
    calls = {'create': ('POST', 200), 'read': ('GET', 200), 'update': ('PUT', 200), 'delete': ('DELETE', 204)}
    for right, (method, status) in calls.items():
        tokens = {
            each: make_token(make_user(acl=[f'auth.users.*.external.bar.{each}'], headers=tenant))['token']
            for each in calls
        }
        for each, token in tokens.items():
            if each != right:
                error(client.request(method, path, token, data='{}'), 401, 'unauthorized')
        answer = client.request(method, path, tokens[right], data='{}')
        assert answer.status_code == status, answer.text
    # Somebody who isn't below the caller is nobody.
    outside = make_user()
    client.post(path_of(outside, 'bar'), admin_token, json={'secret': 'x'})
    caller = make_token(make_user(acl=['#'], headers=tenant))['token']
    for method, _ in calls.values():
        error(client.request(method, path_of(outside, 'bar'), caller, data='{}'), 404, 'unknown-user')
    assert client.get(path_of(outside, 'bar'), admin_token).json() == {'secret': 'x'}


def test_declared_data(own_types, admin_token, make_user):
    api, user = own_types.api, make_user()
    path = path_of(user, 'badge')
    for body in (
        {},
        {'number': 'x'},
        {'number': 'xxxxx'},
        {'number': 7},
        {'number': None},
        {'number': 'xx', 'doors': [0]},
        {'number': 'xx', 'doors': 'a'},
        {'number': 'xx', 'kind': 'c'},
    ):
        found = error(api.post(path, admin_token, json=body), 400, 'invalid-data')
        assert found['resource'] == 'users'
        assert list(found['details']) == (list(body)[1:] or ['number'])
    error(api.get(path, admin_token), 404, 'unknown-external-auth')
    body = {'number': 'xx', 'doors': [1, 2], 'kind': None}
    answer = api.post(path, admin_token, json=body | {'unknown': 1})
    assert (answer.status_code, answer.json()) == (200, body)
    error(api.put(path, admin_token, json={'doors': []}), 400, 'invalid-data')
    assert api.get(path, admin_token).json() == body
    paths = own_types.api.get('/api/api.yml').text
    assert '/users/{user_uuid}/external/badge' in paths and 'auth.users.{user_uuid}.external.badge.create' in paths


def test_data_that_a_broker_completes(own_types, world, admin_token, make_user, bus):
    api, user = own_types.api, make_user()
    path = path_of(user, 'foo')
    answer = api.post(path, admin_token, json={'scope': ['one']})
    state = SECRETS.password(answer.json()['state'])
    assert (answer.status_code, answer.json()) == (200, {'scope': ['one'], 'state': state})
    secret = code()
    requests.get(
        f'http://127.0.0.1:{world.broker.port}/foo/authorize',
        params={'access_token': secret, 'code': 'c', 'state': state},
        timeout=10,
    ).raise_for_status()
    event = bus.wait('auth_user_external_auth_authorized', of(user))
    assert event.key == f"auth.users.{user['uuid']}.external.foo.authorized"
    assert api.get(path, admin_token).json() == {'scope': ['one'], 'state': state, 'access_token': secret}
    # Of data that is gone, or another, nothing comes back.
    api.delete(path, admin_token)
    state = api.post(path, admin_token, json={}).json()['state']
    api.put(path, admin_token, json={'other': 1})
    world.broker.tell(state, {'access_token': secret})
    servers.wait_until(lambda: state not in world.broker.waiting, 10)
    assert api.get(path, admin_token).json() == {'other': 1}
