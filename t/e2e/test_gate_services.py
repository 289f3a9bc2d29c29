"""What the gate does for administrators: lines in the log, variables, limits, caches, answers that end."""
import re
import socket
import struct
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support import servers

HTTP = """\
    limit_req_zone $wazo_auth_user_uuid zone=users:1m rate=1r/m;
    limit_conn_zone $wazo_auth_user_uuid zone=connections:1m;
    proxy_cache_path @FOLDER@/cache keys_zone=cache:1m;
    proxy_cache_valid 200 1h;
    map "$wazo_auth_status|$wazo_auth_reason|$wazo_auth_token|$wazo_auth_wait_time" $told { default $wazo_auth_status; }
"""
SERVERS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        listen 127.0.0.1:@HTTP2_PORT@ http2;
        wazo_auth on;
        wazo_auth_identity on;
        wazo_auth_token_from header:X-Auth-Token query:token;
        add_header X-Status $wazo_auth_status always;
        add_header X-Reason "$wazo_auth_reason" always;
        add_header X-Token "$wazo_auth_token" always;
        add_header X-Waited "$wazo_auth_wait_time" always;
        add_header X-Required "$wazo_auth_required_acl" always;
        add_header X-Cache "$upstream_cache_status" always;
        location / { proxy_pass http://upstream; }
        location = /read { wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
        location = /argument { wazo_auth_acl confd.$arg_x.read; proxy_pass http://upstream; }
        location = /tenant { wazo_auth_tenant header; proxy_pass http://upstream; }
        location = /bearer { wazo_auth_token_from bearer; proxy_pass http://upstream; }
        location = /denied401 { wazo_auth_denied 401; wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
        location = /own-challenge { add_header WWW-Authenticate Own always; proxy_pass http://upstream; }
        location = /paged { error_page 401 /page; proxy_pass http://upstream; }
        location = /page { wazo_auth off; internal; return 200 "a page"; }
        location = /answers-401 { proxy_pass http://127.0.0.1:@STREAM_PORT@; }

        location /several/ {
            wazo_auth_acl confd.users.read confd.$arg_x.update dird.#;
            proxy_pass http://upstream;
            location /several/off/ { wazo_auth_acl off; proxy_pass http://upstream; }
        }

        location = /quickly { wazo_auth_timeout 300ms; proxy_pass http://upstream; }

        location = /limited { limit_req zone=users; limit_req_status 429; proxy_pass http://upstream; }
        location = /one { limit_conn connections 1; limit_conn_status 429; proxy_pass http://upstream; }
        location = /early {
            if ($wazo_auth_user_uuid) { add_header X-Early yes always; }
            proxy_pass http://upstream;
        }

        location /cached/ { proxy_cache cache; proxy_pass http://upstream; }
        location /cached-own/ {
            proxy_cache cache; proxy_cache_key $request_uri$wazo_auth_user_uuid; proxy_pass http://upstream;
        }
        location /cached-tenant/ {
            proxy_cache cache; proxy_cache_key $request_uri$wazo_auth_tenant_uuid; proxy_pass http://upstream;
        }
        location /cached-shared/ { wazo_auth_cache shared; proxy_cache cache; proxy_pass http://upstream; }
        location /cached-open/ { wazo_auth off; wazo_auth_identity off; proxy_cache cache; proxy_pass http://upstream; }

        location /stream { proxy_buffering off; proxy_pass http://127.0.0.1:@STREAM_PORT@; }
        location /watched/ {
            wazo_auth_watch on;
            wazo_auth_acl confd.users.read;
            location /watched/stream { proxy_buffering off; proxy_pass http://127.0.0.1:@STREAM_PORT@; }
            location /watched/file { alias @FOLDER@/file; limit_rate 10k; }
            location /watched/moved { try_files /nowhere @moved; }
            location /watched/ { proxy_pass http://upstream; }
        }
        location @moved { wazo_auth off; proxy_buffering off; proxy_pass http://127.0.0.1:@STREAM_PORT@; }
        location = /metrics { wazo_auth off; wazo_auth_metrics; }
    }
"""


class Stream(BaseHTTPRequestHandler):
    """Events without an end; /answers-401 refuses."""

    def do_GET(self):
        if self.path == '/answers-401':
            self.send_response(401)
            self.send_header('Content-Length', '0')
            self.end_headers()
            return
        self.send_response(200)
        self.send_header('Content-Type', 'text/event-stream')
        self.end_headers()
        try:
            while True:
                self.wfile.write(b'data: x\n\n')
                time.sleep(0.1)
        except OSError:
            pass

    def log_message(self, *args):
        pass


@pytest.fixture(scope='module')
def nginx(stack):
    stream = ThreadingHTTPServer(('127.0.0.1', 0), Stream)
    stream.daemon_threads = True
    threading.Thread(target=stream.serve_forever, daemon=True).start()
    nginx = stack.new_nginx('services', SERVERS, http=HTTP, workers=1, start=False)
    nginx.values |= {'HTTP2_PORT': servers.free_port(), 'STREAM_PORT': stream.server_address[1]}
    (nginx.folder / 'file').write_bytes(b'x' * 10_000_000)
    nginx.start()
    yield nginx
    nginx.stop()
    stream.shutdown()


@pytest.fixture(scope='module')
def gate(nginx):
    return nginx.gate


@pytest.fixture(scope='module')
def reader(insert_token):
    return insert_token(acl=['confd.users.read'])


@pytest.fixture(scope='module')
def nobody(insert_token):
    return insert_token()


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def lines(nginx):
    """lines(): what the error log has got since the test began."""
    start = nginx.error_log.stat().st_size

    def read():
        with open(nginx.error_log, 'rb') as log:
            log.seek(start)
            return [line for line in log.read().decode().splitlines() if 'wazo_auth: refused' in line]

    return read


def refusals(gate, insert_token, api):
    """(reason, request, token's end)"""
    nobody, dead, expired = insert_token()['token'], insert_token()['token'], insert_token(expiration=-5)['token']
    assert gate.get('/', dead).status_code == 200
    assert api.delete(f'/token/{dead}').status_code == 200
    unknown = str(uuid.uuid4())
    return [
        ('no_token', lambda: gate.get('/'), None),
        ('unknown_token', lambda: gate.get('/', unknown), unknown),
        ('revoked_token', lambda: gate.get('/', dead), dead),
        ('expired_token', lambda: gate.get('/', expired), expired),
        ('missing_access', lambda: gate.get('/read', nobody), nobody),
        ('unusable_access', lambda: gate.get('/argument?x=*', nobody), nobody),
        ('foreign_tenant', lambda: gate.get('/tenant', nobody, headers={'Wazo-Tenant': str(uuid.uuid4())}), nobody),
        ('ambiguous_token', lambda: gate.get('/?token=other', nobody), None),
    ]


def test_each_refusal_has_its_reason(gate, nginx, insert_token, lines, wait_until):
    for reason, ask, token in refusals(gate, insert_token, nginx.api):
        before = len(lines())
        answer = ask()
        assert answer.headers['X-Reason'] == reason
        if token:
            assert re.fullmatch(rf'[X-]+{token[-8:]}', answer.headers['X-Token']), reason
        wait_until(lambda: len(lines()) == before + 1, 5)
        line = lines()[-1]
        assert f'refused: {reason}, token: ' in line
        assert 'client: 127.0.0.1' in line and 'request: "GET /' in line and 'server: ' in line
        assert token is None or token[-8:] in line
        assert ('confd.users.read' in line) == (reason == 'missing_access')


def test_a_path_or_tenant_with_two_meanings(gate, nobody, lines):
    token = f"X-Auth-Token: {nobody['token']}"
    assert gate.raw('/a//b', token)[0] == 400
    assert 'refused: ambiguous_path, ' in lines()[-1]
    assert gate.raw('/tenant', token, 'Wazo-Tenant: a', 'Wazo-Tenant: b')[0] == 400
    assert 'refused: ambiguous_tenant, ' in lines()[-1]


def test_one_error_in_a_second(gate, lines, wait_until):
    start = time.monotonic()
    for _ in range(100):
        assert gate.get('/', 'garbage').status_code == 401
    seconds = time.monotonic() - start
    found = wait_until(lambda: len(lines()) == 100 and lines(), 5)
    errors = [line for line in found if '[error]' in line]
    assert 0 <= len(errors) <= seconds + 1
    assert len([line for line in found if '[info]' in line]) == 100 - len(errors)
    time.sleep(1.1)  # the second is over
    gate.get('/', 'garbage')
    assert '[error]' in wait_until(lambda: len(lines()) == 101 and lines(), 5)[-1]
    # Another reason has a second of its own.
    gate.get('/read')
    assert len(lines()) == 102


def test_what_passes_is_told_of_too(gate, insert_token):
    token = insert_token()['token']
    answer = gate.get('/', token)
    assert (answer.headers['X-Status'], answer.headers.get('X-Reason', '')) == ('miss', '')
    assert answer.headers['X-Token'] == 'XXXXXXXX-XXXX-XXXX-XXXX-XXXX' + token[-8:]
    assert re.fullmatch(r'\d+\.\d{3}', answer.headers['X-Waited'])
    assert gate.get('/', token).headers['X-Waited'] == '0.000'


def test_a_401_names_a_scheme(gate, nobody):
    for path, token in ('/', None), ('/', 'garbage'), ('/denied401', nobody['token']), ('/paged', None):
        answer = gate.get(path, token)
        assert (answer.status_code, answer.headers.get('WWW-Authenticate')) == (401, 'Wazo realm="wazo-auth"')
    assert gate.get('/bearer').headers['WWW-Authenticate'] == 'Bearer realm="wazo-auth"'
    assert gate.get('/own-challenge').headers['WWW-Authenticate'] == 'Own'
    for path, token, status in ('/read', nobody['token'], 403), ('/', nobody['token'], 200):
        answer = gate.get(path, token)
        assert (answer.status_code, 'WWW-Authenticate' in answer.headers) == (status, False)
    answer = gate.get('/answers-401', nobody['token'])
    assert (answer.status_code, 'WWW-Authenticate' in answer.headers) == (401, False)


def test_the_api_itself_names_none(nginx):
    answer = nginx.api.get('/users')
    assert (answer.status_code, 'WWW-Authenticate' in answer.headers) == (401, False)


# -- accesses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'acl, query, status, required',
    [
        (['confd.users.read'], '', 200, 'confd.users.read'),
        (['confd.lines.update'], '?x=lines', 200, 'confd.lines.update'),
        (['confd.lines.update'], '?x=trunks', 403, 'confd.users.read or confd.trunks.update or dird.#'),
        (['confd.*.update'], '?x=*', 403, 'confd.users.read or dird.#'),
        (['dird.#'], '', 200, 'dird.#'),
        (['#', '!confd.users.read'], '?x=lines', 200, 'confd.lines.update'),
        ([], '', 403, 'confd.users.read or dird.#'),
    ],
)
def test_any_of_several_accesses(gate, insert_token, acl, query, status, required):
    token = insert_token(acl=acl)['token']
    for _ in range(2):  # loaded, then known
        answer = gate.get(f'/several/{query}', token)
        assert (answer.status_code, answer.headers['X-Required']) == (status, required)
        if status == 403:
            assert answer.json()['details']['required_access'] == required
    assert gate.get(f'/several/off/{query}', token).status_code == 200
    assert gate.get(f'/several/off/{query}', 'garbage').status_code == 401


# -- waiting -----------------------------------------------------------------------------------------------------------


def test_nobody_waits_longer_than_allowed(gate, postgres, insert_token, nobody, wait_until):
    known, unknown = insert_token()['token'], insert_token()['token']
    assert gate.get('/', known).status_code == 200
    wait_until(lambda: gate.get('/', known).headers['X-Status'] == 'hit', 10)
    postgres.freeze()
    try:
        began = time.monotonic()
        while time.monotonic() - began < 4:
            answer = gate.get('/quickly', unknown)
            assert (answer.status_code, 'Retry-After' in answer.headers) == (503, True)
            assert answer.elapsed.total_seconds() < 1.5
            if answer.headers['X-Reason'] == 'timeout':
                break
        assert answer.headers['X-Reason'] == 'timeout'
        assert 0.3 <= float(answer.headers['X-Waited']) < 1
        # What is known counts, late or not: that is what the grace is for.
        for _ in range(20):
            answer = gate.get('/quickly', known)
            assert (answer.status_code, answer.elapsed.total_seconds() < 1.5) == (200, True)
            time.sleep(0.1)
    finally:
        postgres.thaw()
    wait_until(lambda: gate.get('/quickly', unknown).status_code == 200, 20, 'the gate to be well', 0.1)


# -- limits by user ----------------------------------------------------------------------------------------------------


def test_requests_are_limited_by_user(gate, insert_token):
    one, other = insert_token(), insert_token()
    same_user = insert_token(user_uuid=one['user_uuid'])
    for token in one, other, same_user:
        assert gate.get('/', token['token']).status_code == 200  # known from now on
    assert gate.get('/limited', one['token']).status_code == 200
    assert gate.get('/limited', one['token']).status_code == 429
    assert gate.get('/limited', same_user['token']).status_code == 429
    assert gate.get('/limited', other['token']).status_code == 200
    assert gate.get('/limited', other['token']).status_code == 429


def test_connections_are_limited_by_user(gate, insert_token):
    one, other = insert_token()['token'], insert_token()['token']
    for token in one, other:
        assert gate.get('/', token).status_code == 200
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(gate.get, '/one', token, headers={'X-Delay': '1'}) for token in (one, one, other)]
        assert sorted(each.result().status_code for each in asked) == [200, 200, 429]


def test_nobody_is_limited_in_the_name_of_another(gate, nginx, insert_token):
    victim, dead, expired = insert_token(), insert_token(), insert_token(expiration=-5)
    user = victim['user_uuid']
    mine, gone = insert_token(), insert_token(user_uuid=user)
    for token in victim, dead, mine, gone:
        assert gate.get('/', token['token']).status_code == 200
    assert nginx.api.delete(f"/token/{gone['token']}").status_code == 200
    for headers in (
        [f'Wazo-User-UUID: {user}', f'X-Wazo-Auth-User-UUID: {user}', f"X-Auth-Token: {mine['token']}"],
        [f"X-Auth-Token: {victim['token']}", f"X-Auth-Token: {mine['token']}"],
        [f"X-Auth-Token: {gone['token']}"],
        [f"X-Auth-Token: {expired['token']}"],
        [f'X-Auth-Token: {user}'],
        [f"Authorization: Bearer {victim['token']}"],
        [f"Cookie: token={victim['token']}"],
    ):
        for _ in range(2):
            gate.raw('/limited', *headers)
    assert gate.get('/limited', victim['token']).status_code == 200


def test_rewrites_are_too_early(gate, insert_token):
    token = insert_token()['token']
    for _ in range(2):
        assert 'X-Early' not in gate.get('/early', token).headers


# -- caches ------------------------------------------------------------------------------------------------------------


def whose(answer):
    assert answer.status_code == 200
    return answer.json()['headers'].get('wazo-user-uuid')


def test_what_one_user_got_is_not_served_to_another(gate, nginx, insert_token):
    one, other = insert_token(), insert_token()
    for path in '/cached/x', f"/cached/{one['user_uuid']}":
        for token in one, other, one, other:
            answer = gate.get(path, token['token'])
            assert (whose(answer), answer.headers['X-Cache']) == (token['user_uuid'], 'MISS')
    log = nginx.error_log.read_text(errors='replace')
    told = [line for line in log.splitlines() if '[warn]' in line and "aren't stored" in line]
    conf = nginx.conf_file.read_text().splitlines()
    line = next(number for number, text in enumerate(conf, 1) if 'location /cached/' in text)
    assert len(told) == 1
    assert f'{nginx.conf_file}:{line}' in told[0]


@pytest.mark.parametrize(
    'path, shared', [('/cached-own/', False), ('/cached-tenant/', True), ('/cached-shared/', True)]
)
def test_a_key_with_an_identity(gate, insert_token, path, shared):
    one, other = insert_token(), insert_token()
    path += uuid.uuid4().hex
    assert (whose(gate.get(path, one['token'])), gate.get(path, one['token']).headers['X-Cache']) == (
        one['user_uuid'],
        'HIT',
    )
    assert whose(gate.get(path, other['token'])) == (one if shared else other)['user_uuid']
    assert gate.get(path, 'garbage').status_code == 401


def test_an_open_location_caches_as_ever(gate, nobody):
    for expected in 'MISS', 'HIT':
        assert gate.get('/cached-open/x', nobody['token']).headers['X-Cache'] == expected


# -- answers that end --------------------------------------------------------------------------------------------------


class Reading:
    """A request whose answer is read on a thread."""

    def __init__(self, port, path, token):
        self.socket = socket.create_connection(('127.0.0.1', port), 10)
        self.socket.sendall(f'GET {path} HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token}\r\n\r\n'.encode())
        self.got, self.over = b'', threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while data := self.socket.recv(65536):
                self.got += data
        except OSError:
            pass
        self.over.set()

    def close(self):
        self.socket.close()


@pytest.fixture
def read(gate, wait_until):
    made = []

    def read(path, token):
        made.append(Reading(gate.port, path, token))
        wait_until(lambda: len(made[-1].got) > 200, 10)
        assert b' 200 OK' in made[-1].got
        return made[-1]

    yield read
    for each in made:
        each.close()


@pytest.mark.parametrize('path', ['/watched/stream', '/watched/file', '/watched/moved'])
def test_an_answer_ends_with_its_token(read, nginx, insert_token, path):
    one, other = (insert_token(acl=['confd.users.read'])['token'] for _ in range(2))
    ends, lives = read(path, one), read(path, other)
    assert nginx.api.delete(f'/token/{one}').status_code == 200
    assert ends.over.wait(3)
    assert not lives.over.wait(1)
    assert nginx.api.delete(f'/token/{other}').status_code == 200
    assert lives.over.wait(3)


def test_an_answer_ends_when_its_token_expires(read, insert_token):
    reading = read('/watched/stream', insert_token(acl=['confd.users.read'], expiration=2)['token'])
    assert reading.over.wait(6)


def test_elsewhere_an_answer_goes_on(read, nginx, insert_token):
    token = insert_token()['token']
    reading = read('/stream', token)
    assert nginx.api.delete(f'/token/{token}').status_code == 200
    assert not reading.over.wait(2)


def test_an_answer_that_is_complete_is_nobodys_any_more(gate, nginx, metrics, reader, wait_until):
    for _ in range(20):
        assert gate.get('/watched/x', reader['token']).status_code == 200
    wait_until(lambda: metrics(nginx)['wazo_auth_worker_upgraded_connections'] == 0, 10)


class Http2:
    """As much of HTTP/2 as two requests over one connection need (RFC 9113, RFC 7541 section 6.2.2)."""

    HEADERS, RST_STREAM, SETTINGS = 1, 3, 4

    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port), 10)
        self.socket.sendall(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + self._frame(self.SETTINGS, 0, 0, b''))
        self.bytes, self.reset = {}, {}
        threading.Thread(target=self._read, daemon=True).start()

    @staticmethod
    def _frame(kind, flags, stream, payload):
        return struct.pack('>I', len(payload))[1:] + struct.pack('>BBI', kind, flags, stream) + payload

    @staticmethod
    def _text(value):
        return bytes([len(value)]) + value.encode()

    def get(self, stream, path, token):
        block = b'\x82\x86\x04' + self._text(path) + b'\x01' + self._text('a')
        block += b'\x00' + self._text('x-auth-token') + self._text(token)
        self.socket.sendall(self._frame(self.HEADERS, 5, stream, block))  # the stream and the headers end here

    def _read(self):
        with self.socket.makefile('rb') as file:
            while len(head := file.read(9)) == 9:
                kind, flags, stream = struct.unpack('>BBI', head[3:])
                payload = file.read(int.from_bytes(head[:3], 'big'))
                if kind == 0:
                    self.bytes[stream] = self.bytes.get(stream, 0) + len(payload)
                if kind == self.RST_STREAM:
                    self.reset[stream] = payload
                if kind == self.SETTINGS and not flags:
                    self.socket.sendall(self._frame(self.SETTINGS, 1, 0, b''))


def test_over_http2_only_that_answer_ends(nginx, insert_token, wait_until):
    one, other = (insert_token(acl=['confd.users.read'])['token'] for _ in range(2))
    client = Http2(nginx.values['HTTP2_PORT'])
    client.get(1, '/watched/stream', one)
    client.get(3, '/watched/stream', other)
    wait_until(lambda: client.bytes.get(1, 0) > 20 and client.bytes.get(3, 0) > 20, 10)
    for stream, token in (1, one), (3, other):
        assert stream not in client.reset
        assert nginx.api.delete(f'/token/{token}').status_code == 200
        wait_until(lambda: stream in client.reset, 3)
        if stream == 1:
            before = client.bytes[3]
            wait_until(lambda: client.bytes[3] > before + 50, 5)
    assert client.reset.keys() == {1, 3}
    client.socket.close()
