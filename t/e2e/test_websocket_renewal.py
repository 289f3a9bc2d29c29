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


@pytest.fixture(scope='module')
def nginx(new_nginx):
    return new_nginx('renewal', SERVERS)


@pytest.fixture
def user(make_user):
    return make_user(acl=['events.read'])


@pytest.fixture
def expire(psql):
    """Now, whatever the machine has to do: returns when all that this causes must have happened."""

    def end(token, wait=True):
        psql(f"UPDATE auth_token SET expire_t = {int(time.time())} WHERE uuid = '{token['token']}'")
        if wait:
            time.sleep(3)

    return end


@pytest.fixture
def clients(api, make_token, user):
    """How a client gets its first token, and its next one: both from another nginx than the gate's."""

    def password(_=None, headers=FIREFOX):
        return make_token(user, headers=headers)

    def offline(_=None, client_id='softphone'):
        return make_token(user, headers=FIREFOX, access_type='offline', client_id=client_id)

    def refresh(first, headers=FIREFOX):
        body = {'refresh_token': first['refresh_token'], 'client_id': 'softphone'}
        answer = api.post('/token', json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()['data']

    return {
        'refresh token': (offline, refresh),
        'refresh token, another user agent': (offline, lambda first: refresh(first, CHROME)),
        'password again': (password, password),
        'password, then for a refresh token': (password, offline),
        'refresh token, then password': (offline, password),
        'password again, another user agent': (password, lambda first: password(headers=CHROME)),
        'refresh token of another application': (offline, lambda first: offline(client_id='another')),
    }


SAME_CLIENT = [
    'refresh token',
    'refresh token, another user agent',
    'password again',
    'password, then for a refresh token',
    'refresh token, then password',
]
OTHER_CLIENT = ['password again, another user agent', 'refresh token of another application']


@pytest.mark.parametrize('how', SAME_CLIENT)
def test_it_outlives_a_token_that_was_renewed(open_websocket, api, clients, expire, how):
    """The next token ends it, then, at once."""
    get_first, get_next = clients[how]
    first = get_first()
    connection = open_websocket(first['token'], '/read')
    following = get_next(first)
    expire(first)
    assert lives(connection)
    assert api.delete(f"/token/{following['token']}").status_code == 200
    ends(connection)


@pytest.mark.parametrize('how', SAME_CLIENT)
def test_it_outlives_a_token_that_its_client_gives_up(open_websocket, api, admin_token, clients, how):
    get_first, get_next = clients[how]
    first = get_first()
    connection = open_websocket(first['token'], '/read')
    following = get_next(first)
    assert api.delete(f"/token/{first['token']}").status_code == 200
    with pytest.raises(TimeoutError):
        ends(connection, 2)
    assert lives(connection)
    assert api.delete(f"/sessions/{following['session_uuid']}", admin_token).status_code == 204
    ends(connection)


def test_it_outlives_several(open_websocket, clients, expire):
    first, refresh = clients['refresh token'][0](), clients['refresh token'][1]
    connection = open_websocket(first['token'], '/read')
    current = first
    for _ in range(3):
        following = refresh(first)
        expire(current)
        assert lives(connection)
        current = following
    expire(current, wait=False)
    ends(connection)


@pytest.mark.parametrize('how', OTHER_CLIENT)
def test_another_client_is_no_successor(open_websocket, clients, expire, how):
    get_first, get_next = clients[how]
    first = get_first()
    connection = open_websocket(first['token'], '/read')
    get_next(first)
    expire(first, wait=False)
    ends(connection)


def test_nor_is_another_user(open_websocket, clients, make_user, make_token, expire):
    first = clients['password again'][0]()
    connection = open_websocket(first['token'], '/read')
    make_token(make_user(acl=['events.read']), headers=FIREFOX)
    expire(first, wait=False)
    ends(connection)


@pytest.mark.parametrize(
    'other',
    [
        {'issued_t': int(time.time()) - 3600},  # who logs out of one of two browser windows has left it
        {'expiration': -1},
        {'acl': ['events.write']},
    ],
)
def test_nor_is_one_that_is_older_or_dead_or_lacks_the_access(open_websocket, insert_token, expire, other):
    first = insert_token(acl=['events.read'])
    connection = open_websocket(first['token'], '/read')
    insert_token(**{'acl': ['events.read'], 'user_uuid': first['user_uuid'], **other})
    expire(first, wait=False)
    ends(connection)


def test_a_session_that_is_ended_takes_its_connection_along(open_websocket, api, admin_token, clients):
    """Whoever stole its token would live on with what the owner's application gets."""
    get_first, get_next = clients['refresh token']
    first = get_first()
    connection = open_websocket(first['token'], '/read')
    get_next(first)
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


def test_a_user_who_loses_all_sessions_is_out_at_once(open_websocket, api, admin_token, clients, user):
    """However many tokens there are, and whichever of them the connection goes on with."""

    def seconds():
        get_first, get_next = clients['refresh token']
        first = get_first()
        connections = [open_websocket(first['token'], '/read')]
        following = get_next(first)
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


def test_a_deleted_user_is_out(open_websocket, api, admin_token, clients, user):
    get_first, get_next = clients['refresh token']
    first = get_first()
    connection = open_websocket(first['token'], '/read')
    get_next(first)
    assert api.delete(f"/users/{user['uuid']}", admin_token).status_code == 204
    ends(connection)


def test_while_postgresql_is_away_the_grace_counts(open_websocket, postgres, insert_token, away):
    """Nobody can tell whether a token that expires then was renewed."""
    renewed, other = (insert_token(expiration=5) for _ in range(2))
    expired_at = time.time() + 5
    connections = {path: open_websocket(renewed['token'], path) for path in ('/no-grace', '/')}
    alone = open_websocket(other['token'])
    insert_token(user_uuid=renewed['user_uuid'])
    with away(postgres):
        ends(connections['/no-grace'], 15)
        time.sleep(max(0, expired_at + 3 - time.time()))
        assert lives(connections['/'])
        assert lives(alone)
    ends(alone, 10)
    with pytest.raises(TimeoutError):
        ends(connections['/'], 2)


def test_hundreds_expire_together(open_websocket, insert_token, expire):
    """Half of them were renewed."""
    owners = [insert_token() for _ in range(2)]
    connections = [open_websocket(owners[i % 2]['token']) for i in range(200)]
    insert_token(user_uuid=owners[0]['user_uuid'])
    expire(owners[0], wait=False)
    expire(owners[1], wait=False)
    for each in connections[1::2]:
        ends(each)
    assert all(map(lives, connections[::2]))
