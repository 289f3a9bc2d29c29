"""The gate and the API over all that nginx speaks, for requests that wait and for those that don't.

A request waits when its token isn't in the zone yet: `hold` keeps PostgreSQL from answering until the client has done
what the test is about.
"""
import contextlib
import http.client
import io
import json
import shutil
import socket
import ssl
import subprocess

import psycopg2
import pytest
from support import browser, servers
from support.checks import basic

NGINX = subprocess.run(
    [servers.nginx_program(), '-V'], capture_output=True, text=True, check=True
).stderr  # with what it was built

SERVERS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        listen unix:@FOLDER@/gate.sock;
        listen 127.0.0.1:@TLS_PORT@ ssl http2;
        @QUIC@
        ssl_certificate @CERTIFICATE@;
        ssl_certificate_key @CERTIFICATE@;
        wazo_auth on;
        wazo_auth_identity on;
        add_header X-Status $wazo_auth_status always;
        add_header X-Protocol $server_protocol always;
        location / { proxy_pass http://upstream; proxy_http_version 1.1; }
        location /0.1/ { wazo_auth off; wazo_auth_api; }
        location = /page { wazo_auth off; default_type text/html; return 200 "<p>page</p>"; }
    }
"""
QUIC = 'listen 127.0.0.1:@TLS_PORT@ quic;'


@pytest.fixture(scope='module')
def authority(folder):
    return servers.Authority(folder / 'authority')


@pytest.fixture(scope='module')
def nginx(stack, authority):
    nginx = stack.new_nginx(
        'protocols', SERVERS.replace('@QUIC@', QUIC if 'http_v3' in NGINX else ''), workers=1, redis=False, start=False
    )
    nginx.values |= {'TLS_PORT': servers.free_port(), 'CERTIFICATE': authority.certificate('IP:127.0.0.1')}
    nginx.start()
    yield nginx
    nginx.stop()


@pytest.fixture(params=['known', 'waits'])
def token(request, nginx, insert_token):
    made = insert_token()['token']
    if request.param == 'known':
        assert nginx.gate.get('/', made).status_code == 200
    return made


@pytest.fixture
def hold(postgres):
    """Within it PostgreSQL doesn't tell anybody about tokens."""

    @contextlib.contextmanager
    def hold():
        connection = psycopg2.connect(host=postgres.host, port=postgres.port, user='postgres', dbname='wazo-auth')
        try:
            connection.cursor().execute('LOCK TABLE auth_token IN ACCESS EXCLUSIVE MODE')
            yield
        finally:
            connection.close()

    return hold


def lines(*words, body=b''):
    return '\r\n'.join(words).encode() + b'\r\n\r\n' + body


class StaysOpen(io.BufferedReader):
    """HTTPResponse closes what it has read to the end of its answer."""

    def makefile(self, *_):
        return self

    def close(self):
        pass


def answers(connection, number=1):
    """So many answers of one connection: pairs of status and body."""
    reader = StaysOpen(socket.SocketIO(connection, 'r'))
    found = []
    for _ in range(number):
        answer = http.client.HTTPResponse(reader)
        answer.begin()
        found.append((answer.status, answer.read().decode()))
    return found


def connect(nginx):
    return socket.create_connection(('127.0.0.1', nginx.gate.port), 20)


def curl(nginx, token, *more, path='/'):
    done = subprocess.run(
        ['curl', '-sk', '-m', '20', '-i', '-H', f'X-Auth-Token: {token}', *more]
        + [f'https://127.0.0.1:{nginx.values["TLS_PORT"]}{path}'],
        capture_output=True,
        text=True,
        check=True,
    )
    head, _, body = done.stdout.replace('\r\n', '\n').rpartition('\n\n')
    return head.lower(), body


# -- HTTP/1.1 ----------------------------------------------------------------------------------------------------------


def test_expect(nginx, token):
    with connect(nginx) as connection:
        connection.sendall(
            lines('PUT / HTTP/1.1', 'Host: a', f'X-Auth-Token: {token}', 'Content-Length: 4', 'Expect: 100-continue')
        )
        assert connection.recv(100).startswith(b'HTTP/1.1 100')
        connection.sendall(b'body')
        [(status, text)] = answers(connection)
    assert (status, json.loads(text)['body']) == (200, 'body')


def test_expect_of_a_token_that_is_none(nginx):
    """The client isn't asked for a body that nobody will read."""
    with connect(nginx) as connection:
        connection.sendall(
            lines('PUT / HTTP/1.1', 'Host: a', 'X-Auth-Token: x', 'Content-Length: 4', 'Expect: 100-continue')
        )
        assert connection.recv(100).startswith(b'HTTP/1.1 401')


def test_a_body_in_chunks(nginx, token):
    with connect(nginx) as connection:
        connection.sendall(
            lines('POST / HTTP/1.1', 'Host: a', f'X-Auth-Token: {token}', 'Transfer-Encoding: chunked')
            + b'3\r\none\r\n'
        )
        connection.sendall(b'3\r\ntwo\r\n0\r\n\r\n')
        [(status, text)] = answers(connection)
    assert (status, json.loads(text)['body']) == (200, 'onetwo')


def test_a_body_in_chunks_for_the_api(nginx, admin):
    body = json.dumps({'expiration': 7}).encode()
    with connect(nginx) as connection:
        connection.sendall(
            lines(
                'POST /0.1/token HTTP/1.1',
                'Host: a',
                'Content-Type: application/json',
                f'Authorization: {basic(admin["username"], admin["password"])}',
                'Transfer-Encoding: chunked',
            )
        )
        for byte in body:
            connection.sendall(b'1\r\n' + bytes([byte]) + b'\r\n')
        connection.sendall(b'0\r\n\r\n')
        [(status, text)] = answers(connection)
    assert status == 200
    assert json.loads(text)['data']['token']


def test_pipelining(nginx, token, insert_token):
    """Answers come in the order of the requests, also when a later one need not wait."""
    known = insert_token()['token']
    assert nginx.gate.get('/', known).status_code == 200
    with connect(nginx) as connection:
        connection.sendall(
            b''.join(
                lines(f'GET /{number} HTTP/1.1', 'Host: a', f'X-Auth-Token: {each}')
                for number, each in enumerate([token, known, 'garbage', token])
            )
        )
        found = answers(connection, 4)
    assert [status for status, _ in found] == [200, 200, 401, 200]
    assert [json.loads(text)['target'] for status, text in found if status == 200] == ['/0', '/1', '/3']


def test_a_client_that_has_said_all(nginx, token, hold):
    """nginx takes half a close for a whole one while a request waits: there is an answer, or an end, and no hang."""
    with connect(nginx) as connection:
        with hold():
            connection.sendall(lines('GET / HTTP/1.1', 'Host: a', f'X-Auth-Token: {token}', 'Connection: close'))
            connection.shutdown(socket.SHUT_WR)
        received = b''.join(iter(lambda: connection.recv(10000), b''))
    assert received.startswith(b'HTTP/1.1 200') or not received
    assert nginx.gate.get('/', token).status_code == 200


def test_a_client_that_leaves(nginx, token, hold):
    """Whatever its request waits for: the next one of the same token is answered."""
    with hold():
        for _ in range(20):
            with connect(nginx) as connection:
                connection.sendall(lines('GET / HTTP/1.1', 'Host: a', f'X-Auth-Token: {token}'))
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
    assert nginx.gate.get('/', token).status_code == 200


def test_a_unix_socket(nginx, token):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(nginx.folder / 'gate.sock'))
        for path, status in (('/', 200), ('/0.1/backends', 200)):
            connection.sendall(lines(f'GET {path} HTTP/1.1', 'Host: a', f'X-Auth-Token: {token}'))
            assert answers(connection)[0][0] == status


# -- TLS, HTTP/2, HTTP/3 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize('more, protocol', [(['--http1.1'], 'HTTP/1.1'), (['--http2'], 'HTTP/2.0')])
def test_tls(nginx, token, more, protocol):
    head, body = curl(nginx, token, *more, '-d', 'body')
    assert f'x-protocol: {protocol.lower()}' in head
    assert json.loads(body)['body'] == 'body'
    head, body = curl(nginx, token, *more, path='/0.1/backends')
    assert json.loads(body)['data']
    head, body = curl(nginx, 'garbage', *more)
    assert (head.split()[1], 'x-status: unknown' in head) == ('401', True)


def test_tls_that_ends_in_the_middle(nginx, token):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for _ in range(10):
        with socket.create_connection(('127.0.0.1', nginx.values['TLS_PORT']), 20) as plain:
            with context.wrap_socket(plain) as connection:
                connection.sendall(lines('GET / HTTP/1.1', 'Host: a', f'X-Auth-Token: {token}'))
    assert nginx.gate.get('/', token).status_code == 200


@pytest.mark.skipif('http_v3' not in NGINX, reason='an nginx without HTTP/3')
@pytest.mark.skipif(not shutil.which('chromium'), reason='no client that speaks HTTP/3')
def test_http3(nginx, token):
    port = nginx.values['TLS_PORT']
    with browser.chromium(more=browser.quic(nginx.values['CERTIFICATE'], port)) as page:
        page.get(f'https://127.0.0.1:{port}/page')
        ask = """
            const done = arguments[arguments.length - 1];
            fetch(arguments[0], {method: arguments[1], headers: {'X-Auth-Token': arguments[2]}, body: arguments[3]})
              .then(async r => done([r.status, r.headers.get('X-Protocol'), await r.text()]), e => done(String(e)));"""
        status, protocol, text = page.execute_async_script(ask, '/', 'POST', token, 'body')
        assert (status, protocol, json.loads(text)['body']) == (200, 'HTTP/3.0', 'body')
        assert page.execute_async_script(ask, '/', 'GET', 'garbage', None)[:2] == [401, 'HTTP/3.0']
        status, protocol, text = page.execute_async_script(ask, '/0.1/backends', 'GET', token, None)
        assert (status, protocol) == (200, 'HTTP/3.0')
        assert json.loads(text)['data']
