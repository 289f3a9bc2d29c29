"""A connection that was upgraded ends when its token dies."""
import time

import pytest
import websocket

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
        location = /metrics { wazo_auth off; wazo_auth_metrics; }
        location = /query { wazo_auth_token_from query:token strip; proxy_pass http://upstream; }

        location = /tried { try_files /nowhere @open; }
        location = /failed { error_page 502 = @open; proxy_pass http://127.0.0.1:1; }
        location = /indexed/ { alias @FOLDER@/; index nowhere /opened; }
        location = /opened { wazo_auth off; proxy_pass http://upstream; }
        location = /sent { error_page 404 = /opened; root @FOLDER@; }
        location = /no-grace { wazo_auth_grace 0; proxy_pass http://upstream; }
        location = /graceful { wazo_auth_grace 1h; try_files /nowhere @strict; }
        location @open { wazo_auth off; proxy_pass http://upstream; }
        location @strict { wazo_auth off; wazo_auth_grace 0; proxy_pass http://upstream; }
    }
"""


@pytest.fixture(scope='module')
def nginx(new_nginx):
    return new_nginx('websocket', SERVERS)


def test_without_a_token_there_is_no_upgrade(open_websocket):
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        open_websocket('garbage')
    assert refused.value.status_code == 401


def test_messages_pass(open_websocket, insert_token):
    connection = open_websocket(insert_token()['token'])
    for _ in range(20):
        assert lives(connection)


def test_a_death_ends_connections_at_once(open_websocket, api, admin_token, insert_token):
    """They are opened at intervals: a look at each, once a second, would find some of them late."""

    def seconds():
        session, connections = insert_token()['session_uuid'], []
        for _ in range(10):
            connections.append(open_websocket(insert_token(session_uuid=session)['token']))
            time.sleep(0.1)
        began = time.monotonic()
        assert api.delete(f'/sessions/{session}', admin_token).status_code == 204
        for each in connections:
            ends(each)
        return time.monotonic() - began

    assert any(seconds() < 0.5 for _ in range(3))  # the machine may stall in one of them


def test_a_deleted_token_ends_it(open_websocket, api, insert_token):
    """The deletion is another nginx's."""
    token = insert_token()['token']
    connection = open_websocket(token)
    assert lives(connection)
    assert api.delete(f'/token/{token}').status_code == 200
    ends(connection)


def test_a_deletion_by_hand_ends_it(open_websocket, psql, insert_token):
    token = insert_token()
    connection = open_websocket(token['token'])
    assert lives(connection)
    psql(f"DELETE FROM auth_session WHERE uuid = '{token['session_uuid']}'")
    ends(connection)


@pytest.mark.parametrize('path', ['/tried', '/failed', '/sent', '/indexed/'])
def test_it_is_watched_wherever_it_was_admitted(open_websocket, api, insert_token, expect_log, path):
    """The location that answers isn't the one that looked at the token."""
    token = insert_token()['token']
    connection = open_websocket(token, path)
    assert lives(connection)
    assert api.delete(f'/token/{token}').status_code == 200
    ends(connection)


def test_the_grace_is_that_of_who_admitted_it(open_websocket, postgres, insert_token, away):
    direct, redirected = (open_websocket(insert_token()['token'], path) for path in ('/no-grace', '/graceful'))
    with away(postgres):
        ends(direct, 10)
        with pytest.raises(TimeoutError):
            ends(redirected, 2)


def test_only_that_one_ends(open_websocket, api, insert_token):
    tokens = [insert_token()['token'] for _ in range(6)]
    connections = [open_websocket(token) for token in tokens]
    api.delete(f'/token/{tokens[3]}')
    ends(connections[3])
    assert all(lives(connection) for i, connection in enumerate(connections) if i != 3)


def test_expiry_ends_it(open_websocket, insert_token):
    token = insert_token(expiration=3)
    connection = open_websocket(token['token'])
    assert lives(connection)
    ends(connection, 10)
    assert time.time() >= token['expire_t']


def test_a_token_in_the_query(open_websocket, api, insert_token):
    token = insert_token()['token']
    connection = open_websocket(token, f'/query?token={token}', in_header=False)
    assert lives(connection)
    api.delete(f'/token/{token}')
    ends(connection)


def test_revoking_the_session_ends_it_although_there_is_another_token(
    open_websocket, gate, api, admin_token, insert_token
):
    first = insert_token(acl=['events.read'])
    second = insert_token(acl=['events.read'], user_uuid=first['user_uuid'])
    assert gate.get('/read', second['token']).status_code == 200
    connection = open_websocket(first['token'], '/read')
    assert lives(connection)
    assert api.delete(f"/sessions/{first['session_uuid']}", admin_token).status_code == 204
    ends(connection)


def test_a_draining_worker_ends_it_too(open_websocket, nginx, api, insert_token, wait_until):
    token = insert_token()['token']
    connection = open_websocket(token)
    nginx.reload()
    time.sleep(0.5)
    assert lives(connection)
    assert len(nginx.workers()) > int(nginx.values['WORKERS'])
    assert api.delete(f'/token/{token}').status_code == 200
    ends(connection)
    wait_until(lambda: len(nginx.workers()) == int(nginx.values['WORKERS']), 10)


def test_a_draining_worker_ends_it_at_expiry(open_websocket, nginx, insert_token):
    connection = open_websocket(insert_token(expiration=3)['token'])
    nginx.reload()
    ends(connection, 10)


def test_hundreds_of_connections(open_websocket, psql, insert_token):
    first = insert_token()
    tokens = [insert_token(session_uuid=first['session_uuid'])['token'] for _ in range(50)]
    connections = [open_websocket(tokens[i % len(tokens)]) for i in range(200)]
    psql(f"DELETE FROM auth_session WHERE uuid = '{first['session_uuid']}'")
    for each in connections:
        ends(each)
