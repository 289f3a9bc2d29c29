"""wazo_auth_close_codes: what becomes of a WebSocket is told by a close frame, as wazo-websocketd tells it."""
import base64
import hashlib
import re
import socket
import ssl
import threading
import time

import pytest
import websocket

from support import servers
from support.client import ends, lives
from support.peer import Peer

SERVERS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        listen 127.0.0.1:@TLS_PORT@ ssl;
        ssl_certificate @CERTIFICATE@;
        ssl_certificate_key @CERTIFICATE@;
        wazo_auth on;
        wazo_auth_close_codes on;
        proxy_read_timeout 1h;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        location / { proxy_pass http://upstream; }
        location = /read { wazo_auth_acl events.read; proxy_pass http://upstream; }
        location = /peer { proxy_pass http://127.0.0.1:@PEER_PORT@; }
        location = /query { wazo_auth_token_from query:token; proxy_pass http://upstream; }
        location = /any { satisfy any; allow 127.0.0.1; deny all; proxy_pass http://upstream; }
        location = /page { error_page 401 /told; proxy_pass http://upstream; }
        location = /told { wazo_auth off; return 200 told; }
        location = /by-status { wazo_auth_close_codes off; proxy_pass http://upstream; }
    }
"""
KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
HANDSHAKE = {
    'Connection': 'keep-alive, Upgrade',
    'Upgrade': 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': KEY,
}
NO_TOKEN, REFUSED, EXPIRED = 4001, 4002, 4003


@pytest.fixture(scope='module')
def peer():
    """An upstream of which each test says what it sends: after the handshake, peer.then(connection)."""

    def serve(connection):
        request = b''
        while b'\r\n\r\n' not in request:
            request += connection.recv(65536)
        key = re.search(rb'(?i)sec-websocket-key: (\S+)', request)[1]
        accept = base64.b64encode(hashlib.sha1(key + b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest())
        connection.sendall(
            b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
            b'Sec-WebSocket-Accept: ' + accept + b'\r\n\r\n'
        )
        made.then(connection)

    made = Peer(serve)
    yield made
    made.close()


@pytest.fixture(scope='module')
def nginx(stack, folder, peer):
    nginx = stack.new_nginx('close-codes', SERVERS, start=False)
    certificate = servers.Authority(folder / 'authority').certificate('IP:127.0.0.1')
    nginx.values |= {'TLS_PORT': servers.free_port(), 'CERTIFICATE': certificate, 'PEER_PORT': peer.port}
    nginx.start()
    yield nginx
    nginx.stop()


@pytest.fixture(params=['plain', 'tls'])
def connect(request, nginx, gate):
    made = []

    def open_one(token, path='/', **options):
        scheme, port = ('ws', gate.port) if request.param == 'plain' else ('wss', nginx.values['TLS_PORT'])
        header = {'X-Auth-Token': token} if token else {}
        options = {'sslopt': {'cert_reqs': ssl.CERT_NONE}, 'timeout': 15, 'header': header, **options}
        made.append(websocket.create_connection(f'{scheme}://127.0.0.1:{port}{path}', **options))
        return made[-1]

    yield open_one
    for each in made:
        each.close(timeout=0)
        each.shutdown()  # after a close frame of the server's it isn't connected any more, for the library


# -- at the start ------------------------------------------------------------------------------------------------------


def test_without_a_token(connect):
    assert ends(connect(None)) == NO_TOKEN


def test_a_dead_token(connect, api, insert_token):
    token = insert_token()['token']
    api.delete(f'/token/{token}')
    assert ends(connect(token)) == REFUSED
    assert ends(connect(None, f'/query?token={token}')) == REFUSED


def test_an_access_that_is_missing(connect, insert_token):
    assert ends(connect(insert_token()['token'], '/read')) == REFUSED


def test_the_clients_first_protocol_is_accepted(connect):
    """Browsers take a handshake without one for a failure."""
    connection = connect(None, subprotocols=['first', 'second'])
    assert connection.subprotocol == 'first'
    assert ends(connection) == NO_TOKEN


def test_the_answer(gate):
    with socket.create_connection(('127.0.0.1', gate.port), timeout=10) as client:
        lines = ''.join(f'{name}: {value}\r\n' for name, value in HANDSHAKE.items())
        client.sendall(f'GET / HTTP/1.1\r\nHost: gate\r\n{lines}\r\n'.encode())
        answer = b''
        while piece := client.recv(65536):
            answer += piece
    head, _, body = answer.partition(b'\r\n\r\n')
    status, *fields = head.decode().split('\r\n')
    names = {field.partition(':')[0].lower() for field in fields}
    assert status == 'HTTP/1.1 101 Switching Protocols'
    assert {'Upgrade: websocket', 'Connection: upgrade', 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo='} <= set(
        fields
    )
    assert not names & {
        'content-length',
        'content-type',
        'transfer-encoding',
        'www-authenticate',
        'sec-websocket-protocol',
    }
    assert body == b'\x88\x0a\x0f\xa1no token'


def test_a_client_that_talks_at_once_hears_it_all_the_same(gate):
    """What nobody reads would reset the connection, and take the frame with it."""
    lines = ''.join(f'{name}: {value}\r\n' for name, value in HANDSHAKE.items())
    for _ in range(20):
        with socket.create_connection(('127.0.0.1', gate.port), timeout=10) as client:
            client.sendall(f'GET / HTTP/1.1\r\nHost: gate\r\n{lines}\r\n'.encode() + b'\x81\x85\0\0\0\0hello' * 20)
            time.sleep(0.02)
            client.sendall(b'\x81\x85\0\0\0\0hello')
            answer = b''
            while piece := client.recv(65536):
                answer += piece
            assert answer.endswith(b'\x88\x0a\x0f\xa1no token')


@pytest.mark.parametrize(
    'spoilt',
    [
        {'Upgrade': 'h2c'},
        {'Connection': 'close'},
        {'Sec-WebSocket-Version': '8'},
        {'Sec-WebSocket-Key': base64.b64encode(b'short').decode()},
        {'Sec-WebSocket-Key': ''},
    ],
)
def test_what_is_no_handshake_is_refused_by_status(gate, spoilt):
    answer = gate.get('/', headers=HANDSHAKE | spoilt)
    assert answer.status_code == 401
    assert answer.json()['error_id']


def test_so_is_everything_where_it_is_off(gate):
    assert gate.get('/by-status', headers=HANDSHAKE).status_code == 401
    assert gate.get('/').status_code == 401
    assert gate.post('/', headers=HANDSHAKE).status_code == 401


def test_and_what_is_not_the_tokens_fault(gate, insert_token):
    """A client would throw its token away."""
    token, another = (insert_token()['token'] for _ in range(2))
    answer = gate.get(f'/query?token={token}&token={another}', headers=HANDSHAKE)
    assert answer.status_code == 400


def test_a_page_of_the_administrators_own_wins(gate):
    answer = gate.get('/page', headers=HANDSHAKE)
    assert (answer.status_code, answer.text) == (401, 'told')


def test_whoever_else_lets_it_in(connect):
    assert lives(connect(None, '/any'))


# -- at the end --------------------------------------------------------------------------------------------------------


def test_the_end_of_a_token(connect, api, insert_token):
    connection = connect(insert_token(expiration=3)['token'])
    assert lives(connection)
    assert ends(connection, 10) == EXPIRED
    token = insert_token()['token']
    connection = connect(token)
    assert lives(connection)
    api.delete(f'/token/{token}')
    assert ends(connection) == EXPIRED


def test_the_end_of_many(connect, psql, insert_token):
    token = insert_token()
    connections = [connect(token['token']) for _ in range(50)]
    assert all(map(lives, connections))
    psql(f"DELETE FROM auth_session WHERE uuid = '{token['session_uuid']}'")
    assert {ends(each) for each in connections} == {EXPIRED}


def test_it_stands_between_two_messages(connect, peer, psql, insert_token):
    """The upstream never stops sending, in pieces that have nothing to do with frames."""
    message = b'\x81\x7e\x04\x00' + b'x' * 1024 + b'\x89\x02hi' + b'\x01\x03abc' + b'\x80\x03def'

    def chatter(connection):
        stream = message * 1000
        for at in range(0, len(stream), 700):
            connection.sendall(stream[at : at + 700])
            time.sleep(0.001)

    peer.then = chatter
    for _ in range(5):
        token = insert_token()
        connection = connect(token['token'], '/peer')
        connection.recv()
        psql(f"DELETE FROM auth_session WHERE uuid = '{token['session_uuid']}'")
        seen = set()
        while True:
            opcode, data = connection.recv_data(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                break
            seen.add((opcode, bytes(data[:3])))
        assert int.from_bytes(data[:2], 'big') == EXPIRED
        assert seen <= {(1, b'xxx'), (9, b'hi'), (1, b'abc'), (1, b'def')}
        with pytest.raises((websocket.WebSocketConnectionClosedException, OSError)):
            connection.recv()


def test_the_rest_of_a_message_comes_first(connect, peer, psql, insert_token):
    begun, go_on = threading.Event(), threading.Event()

    def halves(connection):
        connection.sendall(b'\x81\x06abc')
        begun.set()
        go_on.wait(10)
        connection.sendall(b'def' + b'\x81\x03ghi')
        connection.recv(1)

    peer.then = halves
    token = insert_token()
    connection = connect(token['token'], '/peer')
    assert begun.wait(10)
    timer = threading.Timer(0.03, go_on.set)
    psql(f"DELETE FROM auth_session WHERE uuid = '{token['session_uuid']}'")
    timer.start()
    assert connection.recv() == 'abcdef'
    assert ends(connection) == EXPIRED


def test_nobody_waits_for_the_rest_of_a_message(connect, peer, psql, insert_token):
    def half(connection):
        connection.sendall(b'\x81\x06abc')
        connection.recv(1)

    peer.then = half
    token = insert_token()
    connection = connect(token['token'], '/peer')
    psql(f"DELETE FROM auth_session WHERE uuid = '{token['session_uuid']}'")
    began = time.monotonic()
    assert ends(connection) is None
    assert time.monotonic() - began < 2


def test_what_the_client_still_says_does_not_reach_the_upstream(connect, peer, psql, insert_token):
    heard, ended = bytearray(), threading.Event()

    def listen(connection):
        while piece := connection.recv(65536):
            heard.extend(piece)
        ended.set()

    peer.then = listen
    token = insert_token()
    connection = connect(token['token'], '/peer')
    psql(f"DELETE FROM auth_session WHERE uuid = '{token['session_uuid']}'")
    assert ends(connection) == EXPIRED
    for _ in range(3):
        connection.send('too late')
    connection.sock.close()
    assert ended.wait(10)
    assert not heard


def test_a_client_that_stays_is_cut_off(connect, peer, psql, insert_token):
    ended = threading.Event()

    def listen(connection):
        while connection.recv(65536):
            pass
        ended.set()

    peer.then = listen
    token = insert_token()
    connection = connect(token['token'], '/peer')
    psql(f"DELETE FROM auth_session WHERE uuid = '{token['session_uuid']}'")
    assert ends(connection) == EXPIRED
    assert ended.wait(3)


def test_an_upstream_that_has_closed_is_not_contradicted(connect, peer, psql, insert_token):
    closed = threading.Event()

    def close(connection):
        connection.sendall(b'\x88\x02\x03\xe8')
        closed.set()
        connection.recv(1)

    peer.then = close
    token = insert_token()
    connection = connect(token['token'], '/peer')
    assert closed.wait(10)
    psql(f"DELETE FROM auth_session WHERE uuid = '{token['session_uuid']}'")
    assert ends(connection) == 1000
    assert ends(connection) is None


def test_where_it_is_off_it_is_just_cut(gate, psql, insert_token):
    token = insert_token()
    header = {'X-Auth-Token': token['token']}
    connection = websocket.create_connection(f'ws://127.0.0.1:{gate.port}/by-status', timeout=15, header=header)
    assert lives(connection)
    psql(f"DELETE FROM auth_session WHERE uuid = '{token['session_uuid']}'")
    assert ends(connection) is None
