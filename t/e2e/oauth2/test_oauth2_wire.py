"""What services and brokers may legally send, and what none should: bytes as they come, from peers of the test's own."""
import base64
import gzip
import hashlib
import json
import re
import time
import uuid
from email.utils import formatdate
from urllib.parse import parse_qsl

import pytest
import requests

from support import servers
from support.external import CLIENT, LANDING, code, connected, expire, is_page, of, path_of, stored
from support.logs import SECRETS
from support.peer import Peer
from support.stack import GATED


def read_request(connection):
    """(head, body); the head's names in lower case."""
    data = b''
    while b'\r\n\r\n' not in data:
        data += connection.recv(65536) or pytest.fail('the request ended early')
    head, body = data.split(b'\r\n\r\n', 1)
    lines = head.decode().split('\r\n')
    headers = {name.lower(): value.strip() for name, value in (line.split(':', 1) for line in lines[1:])}
    while len(body) < int(headers.get('content-length', 0)):
        body += connection.recv(65536)
    return headers | {'': lines[0]}, body.decode()


class Service:
    """nginx with a service (own) and a broker's service (google), whose servers answer with `.token` and `.socket`."""

    def __init__(self, stack, host):
        self.reset()
        self.provider, self.broker = Peer(self._provide, host), Peer(self._break, host)
        self.authority = f'[{host}]' if ':' in host else host
        landing = servers.free_port()
        self.back = f'http://127.0.0.1:{landing}/back'
        service = {
            'authorization_base_url': 'https://consent.example/auth',
            'token_url': f'http://{self.authority}:{self.provider.port}/to%6ben?a=b%20c&d',
        }
        broker = {'redirect_uri': 'https://b.example', 'websocket_host': f'ws://{self.authority}:{self.broker.port}/in'}
        self.nginx = stack.new_nginx(
            f'oauth2-wire-{uuid.uuid4().hex[:8]}',
            GATED + LANDING.replace('@LANDING_PORT@', str(landing)),
            settings={
                'google': service | broker,
                'external_auth_types': {'own': {'oauth2': service | {'redirect_uri': self.back}}},
                'external_auth_timeout': 2,
            },
            environment={'OAUTHLIB_INSECURE_TRANSPORT': '1'},
        )
        self.api = self.nginx.api

    def _provide(self, connection):
        head, body = read_request(connection)
        self.forms.append((head, dict(parse_qsl(body, keep_blank_values=True))))
        for part in self.token() if callable(self.token) else [self.token]:
            connection.sendall(part)

    def _break(self, connection):
        head, _ = read_request(connection)
        self.upgrades.append(head)
        self.socket(connection, head)

    def lines(self, text):
        return [line for line in self.nginx.error_log.read_text(errors='replace').splitlines() if text in line]

    def reset(self):
        self.token, self.socket = None, lambda connection, head: None
        self.forms, self.upgrades = [], []

    def end(self):
        self.nginx.stop()
        self.provider.close()
        self.broker.close()


@pytest.fixture(scope='module', params=['127.0.0.1', '::1'])
def any_service(stack, world, request):
    made = Service(stack, request.param)
    yield made
    made.end()


@pytest.fixture(scope='module')
def service_of_module(stack, world):
    made = Service(stack, '127.0.0.1')
    yield made
    made.end()


@pytest.fixture
def service(service_of_module):
    service_of_module.reset()
    return service_of_module


# -- answers to a request for tokens -----------------------------------------------------------------------------------


def grant(**changes):
    tokens = {'access_token': 'acc', 'refresh_token': 'ref', 'token_type': 'Bearer', 'expires_in': 3600, 'scope': 'a b'}
    return json.dumps({name: value for name, value in (tokens | changes).items() if value is not None}).encode()


def answer(body, status='200 OK', headers=('Content-Type: application/json',)):
    lines = [f'HTTP/1.1 {status}', *headers, f'Content-Length: {len(body)}', 'Connection: close']
    return '\r\n'.join(lines).encode() + b'\r\n\r\n' + body


def chunked(body, pieces=3):
    size = len(body) // pieces + 1
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    text = b''.join(b'%x;ext="a;b"\r\n%s\r\n' % (len(part), part) for part in parts)
    return b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nTrailer: X-End\r\n\r\n' + text + b'0\r\nX-End: 1\r\n\r\n'


HOUR = 3600
LEGAL = {  # answer → lifetime and scope
    'a charset': (answer(grant(), headers=['Content-Type: application/json;charset=ISO-8859-1']), HOUR, ['a', 'b']),
    'no type': (answer(grant(), headers=[]), HOUR, ['a', 'b']),
    'a type of its own': (answer(grant(), headers=['content-type:text/javascript']), HOUR, ['a', 'b']),
    'a BOM': (answer(b'\xef\xbb\xbf' + grant()), HOUR, ['a', 'b']),
    'blanks around': (answer(b'\r\n\t ' + grant() + b' \n'), HOUR, ['a', 'b']),
    'chunked': (chunked(grant()), HOUR, ['a', 'b']),
    'gzip, unasked': (answer(gzip.compress(grant()), headers=['Content-Encoding: gzip']), HOUR, ['a', 'b']),
    'until it closes': (b'HTTP/1.0 200 OK\r\n\r\n' + grant(), HOUR, ['a', 'b']),
    'others first': (
        b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n' + answer(grant()),
        HOUR,
        ['a', 'b'],
    ),
    '201': (answer(grant(), '201 Created'), HOUR, ['a', 'b']),
    'more members': (answer(grant(id_token='x.y.z', error=None, deep={'a': [{}] * 9})), HOUR, ['a', 'b']),
    'a type in small letters': (answer(grant(token_type='bearer')), HOUR, ['a', 'b']),
    'no type of a token': (answer(grant(token_type=None)), HOUR, ['a', 'b']),
    'a lifetime as a text': (answer(grant(expires_in='600')), 600, ['a', 'b']),
    'a lifetime with a fraction': (answer(grant(expires_in=600.7)), 600, ['a', 'b']),
    'no lifetime': (answer(grant(expires_in=None)), HOUR, ['a', 'b']),
    'a huge lifetime': (answer(grant(expires_in=10**400)), 10 * 366 * 86400, ['a', 'b']),
    'a list of scopes': (answer(grant(scope=['c d', 'e'])), HOUR, ['c d', 'e']),
    'no scope': (answer(grant(scope=None)), HOUR, ['asked']),
}


def come_back(service, client_api, user, admin_token):
    """Asks for consent, and comes back with it."""
    asked = client_api.post(path_of(user, 'own'), admin_token, json={'scope': ['asked']})
    assert asked.status_code == 201, asked.text
    state = SECRETS.password(asked.json()['state'])
    return requests.get(service.back, params={'code': code(), 'state': state}, timeout=20)


@pytest.mark.parametrize('what', LEGAL)
def test_legal_answers(service, admin_token, make_user, what):
    user = make_user()
    service.token, lifetime, scope = LEGAL[what]
    is_page(come_back(service, service.api, user, admin_token), 200, 'Your account is connected')
    token = service.api.get(path_of(user, 'own'), admin_token).json()
    assert (token['access_token'], token['scope']) == ('acc', scope)
    assert abs(token['token_expiration'] - time.time() - lifetime) < 10
    assert len(service.forms) == 1


@pytest.mark.parametrize('expires_in, lifetime', [(0, 0), (-5, 0), ('-1', 0), (False, HOUR), ([], HOUR)])
def test_lifetimes_that_are_none(service, admin_token, make_user, psql, expires_in, lifetime):
    """What ends at once is renewed when somebody asks; what is no number counts as absent."""
    user = make_user()
    service.token = answer(grant(expires_in=expires_in))
    is_page(come_back(service, service.api, user, admin_token), 200, 'Your account is connected')
    assert abs(stored(psql, user)['token_expiration'] - time.time() - lifetime) < 10


def endless():
    yield b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
    for _ in range(100):
        yield b'4000\r\n' + b' ' * 0x4000 + b'\r\n'


def slow():
    yield b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{'
    for _ in range(40):
        time.sleep(0.2)
        yield b' '


def endless_head():
    yield b'HTTP/1.1 200 OK\r\n'
    for number in range(400):
        yield b'X-%d: ' % number + b'x' * 8000 + b'\r\n'


HTML = b'<!doctype html><title>Sign in</title>secret'
ILLEGAL = {  # answer → what the log says
    'HTML': (answer(HTML, headers=['Content-Type: text/html']), "its answer isn't understood"),
    'nothing': (answer(b''), "its answer isn't understood"),
    '204': (b'HTTP/1.1 204 No Content\r\n\r\n', "its answer isn't understood"),
    'a form': (answer(b'access_token=acc&refresh_token=ref'), "its answer isn't understood"),
    'no, with a 200': (
        answer(b'{"error": "bad_code", "error_description": "secret"}'),
        'no access token, but says bad_code',
    ),
    'an empty token': (answer(grant(access_token='')), 'no access token'),
    'a token that is a number': (answer(grant(access_token=7)), 'no access token'),
    'cut off': (answer(grant())[:-9], 'Transferred a partial file'),
    'a bomb': (answer(gzip.compress(b' ' * 50000000), headers=['Content-Encoding: gzip']), 'the answer is too long'),
    'no gzip': (answer(grant(), headers=['Content-Encoding: gzip']), 'Unrecognized or bad HTTP Content or Transfer'),
    'endless': (endless, 'the answer is too long'),
    'an endless head': (endless_head, ''),
    'slow': (slow, 'Timeout was reached'),
    'no HTTP': (b'220 mail.example ESMTP\r\n', ''),
    'closed at once': (b'', 'Server returned nothing'),
    'moved': (answer(b'', '302 Found', ['Location: /elsewhere']), 'it answered 302'),
    'moved for good': (answer(grant(), '308 Permanent Redirect', ['Location: /elsewhere']), 'it answered 308'),
    'who are you?': (answer(b'', '401 Unauthorized', ['WWW-Authenticate: Basic realm="x"']), 'it answered 401'),
    'no': (
        answer(b'{"error": "invalid_grant", "error_description": "secret"}', '400 Bad Request'),
        'it answered 400 invalid_grant',
    ),
    'no, in HTML': (answer(HTML, '400 Bad Request'), 'it answered 400'),
    'not now': (answer(b'', '503 Service Unavailable', ['Retry-After: 30']), 'it answered 503'),
    'not so often': (answer(b'{"error": "slow_down"}', '429 Too Many Requests', ['Retry-After: 1']), 'it answered 429'),
}


@pytest.mark.parametrize('what', ILLEGAL)
def test_answers_that_bring_nothing(service, admin_token, make_user, psql, what):
    user = make_user()
    service.token, says = ILLEGAL[what]
    began = time.monotonic()
    is_page(come_back(service, service.api, user, admin_token), 502, 'Something went wrong')
    assert time.monotonic() - began < 4
    lines = service.lines(f"own: the authorization of user {user['uuid']} failed: ")
    assert len(lines) == 1 and says in lines[0] and 'secret' not in lines[0], lines
    assert len(service.forms) == 1
    assert psql(f"SELECT count(*) FROM auth_user_external_auth WHERE user_uuid = '{user['uuid']}'") == '0'


def test_addresses_keep_what_they_say(any_service, admin_token, make_user):
    """Percent encodings, a query, IPv6: as the configuration has them."""
    service = any_service
    service.reset()
    service.token = answer(grant())
    is_page(come_back(service, service.api, make_user(), admin_token), 200, 'Your account is connected')
    head, form = service.forms[0]
    assert head[''] == 'POST /to%6ben?a=b%20c&d HTTP/1.1'
    assert head['host'] == f'{service.authority}:{service.provider.port}'
    assert head['content-type'] == 'application/x-www-form-urlencoded'
    assert (form['grant_type'], form['redirect_uri']) == ('authorization_code', service.back)
    assert 'gzip' in head['accept-encoding'] and 'expect' not in head


# -- who we are --------------------------------------------------------------------------------------------------------


@pytest.fixture
def client(api, admin_token):
    """client(id, secret): the tenant's client is another one meanwhile."""

    def change(id_, secret):
        config = {'client_id': id_, 'client_secret': SECRETS.password(secret)}
        assert api.put('/external/own/config', admin_token, json=config).status_code == 204

    yield change
    api.put('/external/own/config', admin_token, json=CLIENT)


CLIENTS = [
    ('plain-id_1.~', 'sec-ret_1.~AZ', True),
    ('an:id', 'sec-ret-1', False),
    ('id', 'p%40ss+/=&"é\\ word', False),
    ('a b', ': : : : :', False),
    ('\0id', 'nul\0secret', False),
]


@pytest.mark.parametrize('id_, secret, by_header', CLIENTS)
def test_clients_of_any_spelling(service, client, admin_token, make_user, psql, id_, secret, by_header):
    """A header where all servers read it alike, a form otherwise (RFC 6749, 2.3.1)."""
    client(id_, secret)
    user = make_user()
    service.token = answer(grant())
    is_page(come_back(service, service.api, user, admin_token), 200, 'Your account is connected')
    expire(psql, user)
    assert service.api.get(path_of(user, 'own'), admin_token).status_code == 200
    (head, form), (second_head, second_form) = service.forms
    if by_header:
        assert base64.b64decode(head['authorization'].removeprefix('Basic ')).decode() == f'{id_}:{secret}'
        assert 'client_id' not in form and 'client_secret' not in form
    else:
        assert 'authorization' not in head
        assert (form['client_id'], form['client_secret']) == (id_, secret)
    assert 'authorization' not in second_head
    assert (second_form['client_id'], second_form['client_secret']) == (id_, secret)


@pytest.mark.parametrize('config', [{'client_id': 'public'}, {'client_id': 'public', 'client_secret': ''}])
def test_a_client_without_a_secret(service, client, api, admin_token, make_user, psql, config):
    assert api.put('/external/own/config', admin_token, json=config).status_code == 204
    user = make_user()
    service.token = answer(grant())
    is_page(come_back(service, service.api, user, admin_token), 200, 'Your account is connected')
    expire(psql, user)
    assert service.api.get(path_of(user, 'own'), admin_token).status_code == 200
    for head, form in service.forms:
        assert form['client_id'] == 'public'
        assert 'client_secret' not in form and 'authorization' not in head


# -- not now -----------------------------------------------------------------------------------------------------------


def in_seconds(number):
    return formatdate(time.time() + number, usegmt=True)


@pytest.mark.parametrize(
    'status, retry_after, least, most',
    [
        ('503 Service Unavailable', lambda: '20', 10, 20),
        ('429 Too Many Requests', lambda: in_seconds(20), 10, 21),
        ('503 Service Unavailable', lambda: '99999999999999999999', 0, 60),
        ('503 Service Unavailable', lambda: '86400', 50, 60),
        ('503 Service Unavailable', lambda: 'soon', 0, 1),
        ('503 Service Unavailable', lambda: '-5', 0, 1),
        ('500 Oops', lambda: '20', 0, 1),
    ],
)
def test_a_service_that_wants_to_be_left_alone(service, admin_token, make_user, psql, status, retry_after, least, most):
    user = make_user()
    connected(psql, user, 'own')
    service.token = answer(b'', status, [f'Retry-After: {retry_after()}'])
    assert service.api.get(path_of(user, 'own'), admin_token).status_code == 500
    left = psql(f"SELECT extract(epoch FROM until - now()) FROM wazo_auth.renewal WHERE user_uuid = '{user['uuid']}'")
    assert least <= float(left or 0) <= most
    if least:
        service.token = answer(grant())
        assert service.api.get(path_of(user, 'own'), admin_token).status_code == 500
        assert len(service.forms) == len(service.lines(f"user {user['uuid']} isn't renewed: it answered ")) == 1


# -- what the service's page of consent says ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    'word, level, shown',
    [
        ('access_denied', 'info', ': access_denied'),
        ('invalid_scope', 'warn', ': invalid_scope'),
        ('temporarily_unavailable', 'warn', ': temporarily_unavailable'),
        ('<b>', 'warn', ''),
        ('', 'warn', ''),
    ],
)
def test_why_there_is_no_code(service, admin_token, make_user, word, level, shown):
    user = make_user()
    asked = service.api.post(path_of(user, 'own'), admin_token, json={})
    state = SECRETS.password(asked.json()['state'])
    answer = requests.get(service.back, params={'error': word, 'error_description': 'x', 'state': state}, timeout=10)
    is_page(answer, 403, 'Your account was not connected')
    lines = service.lines(f"own: the authorization of user {user['uuid']} failed: ")
    assert len(lines) == 1 and f'[{level}]' in lines[0]
    assert lines[0].endswith('the service, or the person who was asked, refused it' + shown)


# -- brokers -----------------------------------------------------------------------------------------------------------


def accepted(head, more=''):
    key = head['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    return (
        'HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nconnection: keep-alive, upgrade\r\n'
        f'sec-websocket-accept: {accept}\r\n{more}\r\n'
    ).encode()


def frame(opcode, payload=b'', last=True):
    size = bytes([len(payload)]) if len(payload) < 126 else b'\x7e' + len(payload).to_bytes(2, 'big')
    return bytes([opcode | (0x80 if last else 0)]) + size + payload


def drain(connection):
    """Until nginx closes."""
    while connection.recv(65536):
        pass


def telling(make):
    def serve(connection, head):
        connection.sendall(accepted(head) + make(json.dumps({'code': code()}).encode()))
        drain(connection)

    return serve


TEXT, CONTINUED, BINARY, PING, PONG = 1, 0, 2, 9, 10
WAYS = {
    'at once': lambda text: frame(TEXT, text),
    'in pieces': lambda text: b''.join(
        [frame(TEXT, text[:1], False), frame(CONTINUED, b'', False), frame(PING, b'?'), frame(CONTINUED, text[1:])]
    ),
    'after a ping and a pong': lambda text: frame(PING, b'x' * 125) + frame(PONG) + frame(TEXT, text),
    'as bytes': lambda text: frame(BINARY, text),
}


def wait_for_broker(service, ask, make_user, socket):
    service.socket = socket
    user = make_user()
    return user, ask(user, client=service.api)['state']


@pytest.mark.parametrize('way', WAYS)
def test_messages_as_brokers_send_them(service, make_user, ask, bus, way):
    service.token = answer(grant())
    user, _ = wait_for_broker(service, ask, make_user, telling(WAYS[way]))
    bus.wait('auth_user_external_auth_added', of(user))


def test_the_request_to_a_broker(any_service, make_user, ask, bus):
    service = any_service
    service.reset()
    service.token = answer(grant())
    user, state = wait_for_broker(service, ask, make_user, telling(WAYS['at once']))
    bus.wait('auth_user_external_auth_added', of(user))
    head = service.upgrades[0]
    assert head[''] == f'GET /in/ws/{state} HTTP/1.1'
    assert head['host'] == f'{service.authority}:{service.broker.port}'
    assert (head['upgrade'].lower(), head['sec-websocket-version']) == ('websocket', '13')


def saying(text):
    return lambda connection, head: connection.sendall(text)


def endless_answer(connection, head):
    connection.sendall(b'HTTP/1.1 101 Switching Protocols\r\n')
    while True:
        connection.sendall(b'X-Filler: ' + b'x' * 8000 + b'\r\n')


def then(more):
    """Closes when it is told why not."""

    def serve(connection, head):
        connection.sendall(accepted(head) + more)
        connection.recv(65536)

    return serve


def farewell(connection, head):
    """And then it doesn't go."""
    connection.sendall(accepted(head) + frame(8, b'\x03\xe9going away'))
    drain(connection)


REFUSALS = {
    'not now': (saying(b'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n'), 'it answered 503'),
    'who are you?': (saying(b'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n'), 'it answered 401'),
    'moved': (saying(b'HTTP/1.1 301 Moved\r\nLocation: ws://a/\r\nContent-Length: 0\r\n\r\n'), 'it answered 301'),
    'a page': (saying(answer(HTML)), 'it answered 200'),
    'no HTTP': (saying(b'220 mail.example ESMTP\r\n'), 'bad version'),
    'nothing': (saying(b''), 'end of stream'),
    'another key': (
        lambda connection, head: connection.sendall(accepted({'sec-websocket-key': 'x'})),
        'Sec-WebSocket-Accept',
    ),
    'an endless head': (endless_answer, ''),
    'a message that is too long': (
        then(b'\x81\x7f' + (1 << 40).to_bytes(8, 'big')),
        'exceeded the locally configured limit',
    ),
    'no UTF-8': (then(frame(TEXT, b'\xff\xfe')), 'payload'),
    'a piece of nothing': (then(frame(CONTINUED, b'x')), 'continuation'),
    'an unknown kind': (then(frame(3)), 'opcode'),
    'farewell': (farewell, r'it closed the connection \(1001\)'),
}


@pytest.mark.parametrize('what', REFUSALS)
def test_brokers_that_make_no_sense(service, make_user, ask, bus, what):
    """One line, and another try."""
    service.token = answer(grant())
    socket, says = REFUSALS[what]
    user, state = wait_for_broker(service, ask, make_user, socket)
    servers.wait_until(lambda: service.lines(f'{state[:6]}...: no connection to the broker: '), 10, 'a line in the log')
    [line] = service.lines(f'{state[:6]}...: no connection to the broker: ')
    assert '[warn]' in line and re.search(says, line), line
    service.socket = telling(WAYS['at once'])
    bus.wait('auth_user_external_auth_added', of(user))
