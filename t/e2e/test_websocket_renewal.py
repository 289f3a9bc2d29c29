"""An upgraded connection goes on with the next token of its client, which the gate sees nothing of."""
import time

import pytest

from support.client import ends, lives

SERVERS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        wazo_auth on;
        proxy_read_timeout 1h;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        location / { proxy_pass http://upstream; }
        location = /read { wazo_auth_acl events.read; proxy_pass http://upstream; }
        location = /no-grace { wazo_auth_grace 0; proxy_pass http://upstream; }
        location = /metrics { wazo_auth off; wazo_auth_metrics; }
    }
"""
FIREFOX, CHROME = ({'User-Agent': name} for name in ('firefox', 'chrome'))
EXPIRATION = 3


@pytest.fixture(scope='module')
def nginx(new_nginx):
    return new_nginx('renewal', SERVERS)


@pytest.fixture
def user(make_user):
    return make_user(acl=['events.read'])


@pytest.fixture
def renew(api):
    """By the refresh token, at another nginx than the gate's."""

    def get(token, headers=None, **more):
        body = {'refresh_token': token['refresh_token'], 'client_id': 'softphone', **more}
        answer = api.post('/token', json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()['data']

    return get


def wait_until_expired(made_at):
    """And until whatever its expiry causes has happened."""
    time.sleep(max(0, made_at + EXPIRATION + 2.5 - time.time()))


def offline(user, make_token, headers=FIREFOX, **body):
    return make_token(user, headers=headers, access_type='offline', client_id='softphone', **body)


# How a client gets its next token: (first, next), each made by (make_token, renew, user).
RENEWALS = {
    'refresh token': (
        lambda make, renew, user: offline(user, make, expiration=EXPIRATION),
        lambda make, renew, user, first: renew(first),
    ),
    'refresh token, another user agent': (
        lambda make, renew, user: offline(user, make, expiration=EXPIRATION),
        lambda make, renew, user, first: renew(first, CHROME),
    ),
    'password again': (
        lambda make, renew, user: make(user, headers=FIREFOX, expiration=EXPIRATION),
        lambda make, renew, user, first: make(user, headers=FIREFOX),
    ),
    'password, then for a refresh token': (
        lambda make, renew, user: make(user, headers=FIREFOX, expiration=EXPIRATION),
        lambda make, renew, user, first: offline(user, make),
    ),
    'refresh token, then password': (
        lambda make, renew, user: offline(user, make, expiration=EXPIRATION),
        lambda make, renew, user, first: make(user, headers=FIREFOX),
    ),
}


@pytest.mark.parametrize('how', RENEWALS)
def test_it_outlives_a_token_that_was_renewed(open_websocket, api, make_token, renew, user, how):
    """The next token ends it, then, at once."""
    get_first, get_next = RENEWALS[how]
    first = get_first(make_token, renew, user)
    connection = open_websocket(first['token'], '/read')
    made_at = time.time()
    following = get_next(make_token, renew, user, first)
    wait_until_expired(made_at)
    assert lives(connection)
    assert api.delete(f"/token/{following['token']}").status_code == 200
    ends(connection)


@pytest.mark.parametrize('how', RENEWALS)
def test_it_outlives_a_token_that_its_client_gives_up(
    open_websocket, api, admin_token, make_token, renew, user, expect_log, how
):
    get_first, get_next = RENEWALS[how]
    first = get_first(make_token, renew, user)
    connection = open_websocket(first['token'], '/read')
    following = get_next(make_token, renew, user, first)
    assert api.delete(f"/token/{first['token']}").status_code == 200
    wait_until_expired(time.time())
    assert lives(connection)
    assert api.delete(f"/sessions/{following['session_uuid']}", admin_token).status_code == 204
    ends(connection)


def test_it_outlives_several(open_websocket, make_token, renew, user):
    first = offline(user, make_token, expiration=EXPIRATION)
    connection = open_websocket(first['token'], '/read')
    for _ in range(2):
        made_at = time.time()
        renew(first, expiration=EXPIRATION + 4)
        wait_until_expired(made_at)
        assert lives(connection)
    ends(connection, 10)


@pytest.mark.parametrize('of_another', ['user agent', 'refresh token', 'user'])
def test_another_client_is_no_successor(open_websocket, make_token, make_user, user, of_another):
    first = offline(user, make_token, expiration=EXPIRATION)
    if of_another == 'user agent':
        first = make_token(user, headers=FIREFOX, expiration=EXPIRATION)
        make_token(user, headers=CHROME)
    elif of_another == 'refresh token':
        make_token(user, headers=FIREFOX, access_type='offline', client_id='another')
    else:
        make_token(make_user(acl=['events.read']), headers=FIREFOX)
    ends(open_websocket(first['token'], '/read'), 10)


def test_an_older_token_is_no_successor(open_websocket, insert_token):
    """Who logs out of one of two browser windows has left it."""
    now = int(time.time())
    first = insert_token(acl=['events.read'], user_agent='firefox', expiration=EXPIRATION)
    insert_token(acl=['events.read'], user_agent='firefox', user_uuid=first['user_uuid'], issued_t=now - 60)
    ends(open_websocket(first['token'], '/read'), 10)


def test_nor_is_one_that_has_expired(open_websocket, insert_token):
    first = insert_token(acl=['events.read'], expiration=EXPIRATION)
    insert_token(acl=['events.read'], user_uuid=first['user_uuid'], expiration=EXPIRATION - 1)
    ends(open_websocket(first['token'], '/read'), 10)


def test_nor_one_without_the_access(open_websocket, insert_token):
    first = insert_token(acl=['events.read'], expiration=EXPIRATION)
    insert_token(acl=['events.write'], user_uuid=first['user_uuid'])
    ends(open_websocket(first['token'], '/read'), 10)


def test_a_session_that_is_ended_takes_its_connection_along(open_websocket, api, admin_token, make_token, renew, user):
    """Whoever stole its token would live on with what the owner's application gets."""
    first = offline(user, make_token)
    connection = open_websocket(first['token'], '/read')
    renew(first)
    assert lives(connection)
    assert api.delete(f"/sessions/{first['session_uuid']}", admin_token).status_code == 204
    ends(connection)


def test_so_does_a_session_that_is_deleted_by_hand(open_websocket, psql, insert_token):
    first = insert_token()
    insert_token(user_uuid=first['user_uuid'])
    connection = open_websocket(first['token'])
    psql(f"DELETE FROM auth_session WHERE uuid = '{first['session_uuid']}'")
    ends(connection)


def test_a_token_deleted_by_hand_was_given_up(open_websocket, psql, insert_token):
    """As the Python daemon deletes them: the token first, then its session."""
    first = insert_token()
    insert_token(user_uuid=first['user_uuid'])
    connection = open_websocket(first['token'])
    psql(
        f"""BEGIN;
            DELETE FROM auth_token WHERE uuid = '{first['token']}';
            DELETE FROM auth_session WHERE uuid = '{first['session_uuid']}';
            COMMIT"""
    )
    with pytest.raises(TimeoutError):
        ends(connection, 2)
    assert lives(connection)


def test_a_user_who_loses_all_sessions_is_out_at_once(
    open_websocket, api, admin_token, make_token, renew, user, wait_until
):
    """However many tokens there are, and whichever of them the connection goes on with."""

    def seconds():
        first = offline(user, make_token)
        connections = [open_websocket(first['token'], '/read')]
        following = renew(first)
        connections.append(open_websocket(following['token'], '/read'))
        assert api.delete(f"/token/{first['token']}").status_code == 200
        assert all(map(lives, connections))
        began = time.monotonic()
        sessions = api.get(f"/users/{user['uuid']}/sessions", admin_token).json()['items']
        for session in sessions:
            assert api.delete(f"/users/{user['uuid']}/sessions/{session['uuid']}", admin_token).status_code == 204
        for each in connections:
            ends(each)
        return time.monotonic() - began

    assert any(seconds() < 0.2 for _ in range(3))  # the machine may stall in one of them


def test_a_deleted_user_is_out(open_websocket, api, admin_token, make_token, renew, user):
    first = offline(user, make_token)
    connection = open_websocket(first['token'], '/read')
    renew(first)
    assert api.delete(f"/users/{user['uuid']}", admin_token).status_code == 204
    ends(connection)


def test_while_postgresql_is_away_the_grace_counts(open_websocket, postgres, insert_token, away):
    """Nobody can tell whether a token that expires then was renewed."""
    first = insert_token(expiration=EXPIRATION)
    made_at = time.time()
    strict, graceful = (open_websocket(first['token'], path) for path in ('/no-grace', '/'))
    insert_token(user_uuid=first['user_uuid'])
    with away(postgres):
        ends(strict, 10)
        wait_until_expired(made_at)
        assert lives(graceful)
    with pytest.raises(TimeoutError):
        ends(graceful, 3)


def test_a_token_that_was_not_renewed_ends_when_postgresql_is_back(open_websocket, postgres, insert_token, away):
    first = insert_token(expiration=EXPIRATION)
    made_at = time.time()
    connection = open_websocket(first['token'])
    with away(postgres):
        wait_until_expired(made_at)
        assert lives(connection)
    ends(connection, 10)


def test_hundreds_expire_together(open_websocket, insert_token):
    """Half of them were renewed."""
    owner = [insert_token(expiration=EXPIRATION + 2) for _ in range(2)]
    connections = [open_websocket(owner[i % 2]['token']) for i in range(200)]
    insert_token(user_uuid=owner[0]['user_uuid'])
    for each in connections[1::2]:
        ends(each, 15)
    assert all(map(lives, connections[::2]))
