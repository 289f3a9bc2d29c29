"""Tokens of external services that expire: they are renewed once, whoever asks, leaves, fails or dies meanwhile."""
import contextlib
import json
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from support import servers
from support.checks import error
from support.external import CLIENT, code, expire, of, one_who_leaves, path_of, stored
from support.stack import DATABASE


def renewals(psql, user, condition='true'):
    return psql(f"SELECT count(*) FROM wazo_auth.renewal WHERE user_uuid = '{user['uuid']}' AND {condition}")


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
    assert renewals(psql, user) == '0'


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
        servers.wait_until(lambda: renewals(psql, user, 'until > now()') == '0', 5)
        assert world.api.get(path_of(user, 'google'), admin_token).status_code == 500, word
    world.provider.reset()
    world.provider.answer = lambda form: (400, {}, '{"error": "invalid_grant"}')
    servers.wait_until(lambda: renewals(psql, user, 'until > now()') == '0', 5)
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
