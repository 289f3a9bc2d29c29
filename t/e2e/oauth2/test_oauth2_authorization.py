"""Consent to services that hand out tokens: through a broker, without one, and what happens when one of them misbehaves."""
import os
import re
import signal
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
import requests

from support import servers
from support.checks import error, within
from support.external import CLIENT, code, connected, is_page, of, one_who_leaves, path_of, pending, send
from support.logs import SECRETS


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
        **CLIENT,
    }
    assert authorization is None  # with a blank, servers would read it in two ways
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
    other = within(1.5, lambda: ask(second))['state']  # answered all the same
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
        lambda: 'the authorization of user ' + user['uuid'] + ' failed'
        in world.nginx[0].error_log.read_text(errors='replace'),
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
    assert form == {'grant_type': 'authorization_code', 'code': secret, 'redirect_uri': world.back, **CLIENT}
    assert authorization is None
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
