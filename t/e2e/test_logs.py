"""No log ever holds a token or a password, whatever becomes of the request that brought it, at any level of ours."""
import base64
import socket
import uuid

import pytest

from support.checks import elsewhere
from support.logs import SECRETS

MASK = 'XXXXXXXX-XXXX-XXXX-XXXX-XXXX'

SERVERS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        large_client_header_buffers 4 2k;
        client_max_body_size 1k;
        wazo_auth on;

        location / { proxy_pass http://upstream; }
        location = /query { wazo_auth_token_from query:token; proxy_pass http://upstream; }
        location = /strip { wazo_auth_token_from query:token strip; proxy_pass http://upstream; }
        location = /key { wazo_auth_token_from query:access-key; proxy_pass http://upstream; }
        location = /cookie { wazo_auth_token_from cookie:wazo-token; proxy_pass http://upstream; }
        location = /bearer { wazo_auth_token_from bearer; proxy_pass http://upstream; }
        location = /read { wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
        location = /away { wazo_auth_token_from query:token query:access-key; proxy_pass http://127.0.0.1:1; }
        location = /away-slow {
            wazo_auth_token_from query:token;
            proxy_read_timeout 200ms;
            proxy_set_header X-Delay 1;
            proxy_pass http://upstream;
        }
        location = /own-log {
            wazo_auth_token_from query:token;
            error_log @FOLDER@/location.log info;
            error_log syslog:server=127.0.0.1:@SYSLOG_PORT@ info;
            proxy_pass http://127.0.0.1:1;
        }
        location = /asks-early {
            wazo_auth_token_from query:token;
            if ($request ~ x) { set $a $http_referer; }
            if ($http_referer ~ x) { set $a 1; }
            log_subrequest on;
            auth_request /asked;
            proxy_set_header X-Seen "$request $http_referer";
            proxy_pass http://upstream;
        }
        location = /asked { wazo_auth off; log_subrequest on; proxy_pass http://upstream; }
        location = /open { wazo_auth off; proxy_pass http://upstream; }
        location /daemon/ { wazo_auth off; proxy_pass http://127.0.0.1:1/; }
        location /files/ { wazo_auth off; root @FOLDER@; }
        location = /metrics { wazo_auth off; wazo_auth_metrics; }
    }
"""


@pytest.fixture(scope='module')
def syslog():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(('127.0.0.1', 0))
        receiver.settimeout(10)
        yield receiver


def one_worker(stack, name, syslog, before=''):
    """What it logged of a request stands before what it logs of the next one."""
    nginx = stack.new_nginx(
        name,
        SERVERS,
        http='lingering_timeout 100ms; access_log @FOLDER@/combined.log combined;',
        workers=1,
        start=False,
    )
    nginx.values['SYSLOG_PORT'] = syslog.getsockname()[1]
    nginx.conf = before + nginx.conf
    return nginx.start()


@pytest.fixture(scope='module')
def nginx(stack, syslog):
    nginx = one_worker(stack, 'logs', syslog)
    yield nginx
    nginx.stop()


@pytest.fixture(scope='module')
def own(nginx):
    """Its API."""
    return nginx.api


def combined(nginx):
    return nginx.folder / 'combined.log'


def mark_of(nginx):
    """What nginx logged so far ends here; the number of bytes of each log."""
    paths = (nginx.access_log, combined(nginx), nginx.error_log, nginx.log)
    return {path: path.stat().st_size if path.exists() else 0 for path in paths}


@pytest.fixture
def logged(nginx, wait_until):
    """logged(): what the logs got since the test began."""
    start = mark_of(nginx)

    def read():
        end = f'/end-{uuid.uuid4().hex}'
        assert nginx.gate.get(end).status_code == 401
        for log in nginx.access_log, combined(nginx):
            wait_until(lambda each=log: end in each.read_text(errors='replace'))
        texts = []
        for path, size in start.items():
            with open(path, 'rb') as log:
                log.seek(size)
                texts.append(log.read().decode(errors='replace'))
        return '\n'.join(texts)

    return read


def masked(token):
    return MASK + token[-8:]


def lines_with(text, part):
    return [line for line in text.splitlines() if part in line]


def assert_masked(text, token):
    """It was printed, but not as it is."""
    assert lines_with(text, token) == []
    assert lines_with(text, token.replace('-', '')) == []
    assert masked(token) in text


def send(port, data):
    """Sends bytes and waits until the server closes, which it may do before it has read them all."""
    with socket.create_connection(('127.0.0.1', port), 10) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError as error:
            assert not isinstance(error, TimeoutError)


# -- tokens in targets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('method', ['GET', 'HEAD', 'DELETE', 'POST', 'PUT', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND'])
@pytest.mark.parametrize('tail', ['', '?scope=confd.users.read', '/scopes/check', '/', '/nothing/here'])
def test_the_apis_token_paths(own, insert_token, logged, method, tail):
    token = insert_token()['token']
    own.raw(f'/0.1/token/{token}{tail}', method=method)
    assert_masked(logged(), token)


@pytest.mark.parametrize(
    'target',
    [
        '/0.1//token//{}',
        '/0.1/./token/{}',
        '/0.1/x/../token/{}',
        '/0.1/tok%65n/{}',
        '/0.1/token%2F{}',
        '/%30.1/token/{}',
        '/0.1/token/%7B{}%7D',
        '/0.1/token/{}%00',
        '/0.1/token/{}%0a',
        '/0.1/token/{}#x',
        '/0.1/token/{}/%zz',
        'http://api.example/0.1/token/{}',
        '/unknown/token/{}',
    ],
)
def test_other_spellings_of_the_path(own, insert_token, logged, target):
    token = insert_token()['token']
    own.raw(target.format(token))
    text = logged()
    assert lines_with(text, token) == []


def test_a_token_with_encoded_letters(own, insert_token, logged):
    token = insert_token()['token']
    encoded = ''.join(f'%{ord(letter):02x}' for letter in token)
    assert own.raw(f'/0.1/token/{encoded}', method='HEAD')[0] == 204
    text = logged()
    assert encoded not in text and token not in text


@pytest.mark.parametrize(
    'target, status',
    [
        ('/query?token={}', 200),
        ('/query?a=1&token={}&b=2', 200),
        ('/strip?token={}', 200),
        ('/key?access-key={}', 200),
        ('/query?token={0}&token={0}', 200),
        ('/read?token={}', 401),
        ('/?token={}', 401),
        ('/a%2fb?token={}', 400),
        ('/?x=1&access-key={}', 401),
        ('/nothing/token/{}', 401),
    ],
)
def test_gated_targets(gate, insert_token, logged, target, status):
    token = insert_token()['token']
    assert gate.raw(target.format(token))[0] == status
    assert_masked(logged(), token)


@pytest.mark.parametrize('target', ['/query?tok%65n={}', '/query?TOKEN={}', '/query?token=%20{}', '/query?token=={}'])
def test_other_spellings_of_the_parameter(gate, insert_token, logged, target):
    token = insert_token()['token']
    gate.raw(target.format(token))
    assert lines_with(logged(), token) == []


@pytest.mark.parametrize(
    'target, header',
    [
        ('/cookie', 'Cookie: wazo-token={}'),
        ('/bearer', 'Authorization: Bearer {}'),
        ('/', 'X-Auth-Token: {}'),
        ('/read', 'X-Auth-Token: {}'),
        ('/a//b', 'X-Auth-Token: {}'),
        ('/away', 'Referer: http://a.example/?token={}'),
        ('/away', 'Referer: http://a.example/0.1/token/{}'),
    ],
)
def test_tokens_in_headers(gate, insert_token, logged, target, header):
    token = insert_token()['token']
    gate.raw(target, header.format(token))
    assert lines_with(logged(), token) == []


@pytest.mark.parametrize('target', ['/open', '/query', '/asks-early'])
@pytest.mark.parametrize(
    'referer',
    [
        'https://shop.example/reset?token={}',
        'https://shop.example/0.1/token/{}/x',
        'https://shop.example/?access-key={}&x=1',
    ],
)
def test_upstreams_get_what_the_client_sent(gate, insert_token, logged, target, referer):
    """A log is masked, a request isn't: other applications redirect to where a Referer says."""
    token = insert_token()['token']
    sent = referer.format(token)
    answer = gate.get(target, params={'token': token}, headers={'Referer': sent})
    assert answer.status_code == 200
    seen = answer.json()
    assert (seen['headers']['referer'], seen['target']) == (sent, f'{target}?token={token}')
    if target == '/asks-early':
        assert seen['headers']['x-seen'] == f'GET {target}?token={token} HTTP/1.1 {sent}'
    text = logged()
    assert_masked(text, token)
    assert masked(token) in ' '.join(lines_with(text, 'shop.example'))


def test_several_referers(gate, insert_token, logged):
    tokens = [insert_token()['token'] for _ in range(2)]
    gate.raw('/open', *(f'Referer: https://shop.example/?token={token}' for token in tokens))
    text = logged()
    assert MASK in ' '.join(lines_with(text, 'shop.example'))
    assert [lines_with(text, token) for token in tokens] == [[], []]


# -- errors that nginx logs --------------------------------------------------------------------------------------------


def upstream_errors(text):
    return lines_with(text, 'upstream: "http://')


@pytest.mark.parametrize('target', ['/away?token={}', '/away?a=1&token={}&b=2', '/away?access-key={}'])
def test_an_upstream_that_is_down(gate, insert_token, logged, target):
    token = insert_token()['token']
    assert gate.raw(target.format(token))[0] == 502
    text = logged()
    assert len(upstream_errors(text)) == 1
    assert_masked(upstream_errors(text)[0].partition('upstream: ')[2], token)
    assert_masked(text, token)


def test_an_upstream_that_is_late(gate, insert_token, logged):
    token = insert_token()['token']
    assert gate.raw(f'/away-slow?token={token}')[0] == 504
    text = logged()
    assert 'upstream timed out' in text
    assert_masked(upstream_errors(text)[0], token)
    assert_masked(text, token)


@pytest.mark.parametrize(
    'target', ['/daemon/0.1/token/{}', '/daemon/0.1/token/{}/scopes/check?x=1', '/daemon/0.1//token/{}']
)
def test_a_daemon_behind_nginx_that_is_down(gate, insert_token, logged, target):
    """Its own wazo-auth, not yet replaced: the upstream's URL has another path than the request line."""
    token = insert_token()['token']
    assert gate.raw(target.format(token))[0] == 502
    text = logged()
    assert len(upstream_errors(text)) == 1
    assert_masked(text, token)


@pytest.mark.parametrize('target', ['/files/0.1/token/{}', '/files/x?token={}'])
def test_a_file_that_is_not_there(gate, insert_token, logged, target):
    token = insert_token()['token']
    assert gate.raw(target.format(token))[0] == 404
    text = logged()
    assert 'No such file or directory' in text
    assert_masked(text, token)


def test_logs_of_a_location(nginx, gate, insert_token, syslog):
    """Files and other logs, before and after a reload."""
    for _ in range(2):
        token = insert_token()['token']
        assert gate.raw(f'/own-log?token={token}')[0] == 502
        assert_masked(syslog.recv(4096).decode(), token)
        text = (nginx.folder / 'location.log').read_text()
        assert_masked(text, token)
        assert len(upstream_errors(text)) == len(text.splitlines())
        nginx.reload()


BAD_REQUESTS = {
    'two hosts': 'GET @ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    'no host': 'GET @ HTTP/1.1\r\n\r\n',
    'a bad host': 'GET @ HTTP/1.1\r\nHost: a/b\r\n\r\n',
    'a bad header': 'GET @ HTTP/1.1\r\nHost: a\r\nBad Header\r\n\r\n',
    'a long header': f'GET @ HTTP/1.1\r\nHost: a\r\nX: {"x" * 9000}\r\n\r\n',
    'a long line': f'GET @{"/" * 9000} HTTP/1.1\r\nHost: a\r\n\r\n',
    'a bad length': 'GET @ HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n',
    'a long body': 'POST @ HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n',
    'a bad encoding': 'POST @ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, x\r\n\r\n',
    'a bad chunk': 'POST @ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    'a bad version': 'GET @ HTTP/9.1\r\nHost: a\r\n\r\n',
    'a word too many': 'GET @ HTTP/1.1 x\r\nHost: a\r\n\r\n',
    'a bad method': 'get @ HTTP/1.1\r\nHost: a\r\n\r\n',
    'HTTP/0.9': 'GET @\r\n',
    'a control character': 'GET @\x01 HTTP/1.1\r\nHost: a\r\n\r\n',
    'TLS': '\x16\x03\x01GET @ HTTP/1.1\r\nHost: a\r\n\r\n',
    'an early end': 'GET @ HTTP/1.1\r\nHost: a\r\n',
    'half a line': 'GET @',
}


BAD_HEADERS = [
    ['X_Auth_Token: {}'],
    ['X-Auth-Token\x01: {}'],
    ['X-Auth-Token {}'],
    ['X-Auth-Token:\x00 {}'],
    ['{}'],
    ['{}: x'],
    ['X_Auth: "{}", client: x'],
    ['Cookie: wazo-token={}; a=' + 'a' * 9000],
    ['X-Auth-Token: {}' + ' ' * 9000 + 'x'],
    ['Authorization: Bearer {}', 'Authorization: Bearer {}'],
    ['Content-Type: {}', 'Content-Type: {}'],
    ['Content-Length: {}'],
    ['Content-Length: 0', 'Content-Length: {}'],
]


@pytest.mark.parametrize('lines', BAD_HEADERS, ids=lambda lines: ascii(lines)[:40])
def test_bad_header_lines(nginx, insert_token, logged, lines):
    token = insert_token()['token']
    text = ''.join(f'{line}\r\n'.replace('{}', token) for line in lines)
    for port in (nginx.api.port, nginx.gate.port):
        send(port, f'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{text}\r\n'.encode('latin-1'))
    assert lines_with(logged(), token) == []


@pytest.mark.parametrize('target', ['/0.1/token/{}', '/query?token={}'])
@pytest.mark.parametrize('fault', BAD_REQUESTS)
def test_bad_requests(nginx, insert_token, logged, fault, target):
    token = insert_token()['token']
    for port in (nginx.api.port, nginx.gate.port):
        send(port, BAD_REQUESTS[fault].replace('@', target.format(token)).encode('latin-1'))
    assert lines_with(logged(), token) == []


def test_a_body_that_is_too_long(gate, insert_token, logged):
    token = insert_token()['token']
    assert gate.post(f'/query?token={token}', data='x' * 2000).status_code == 413
    text = logged()
    assert 'client intended to send too large body' in text
    assert_masked(text, token)


def test_a_client_that_leaves(nginx, insert_token, logged, wait_until):
    token = insert_token()['token']
    with socket.create_connection(('127.0.0.1', nginx.gate.port), 10) as connection:
        connection.sendall(f'GET /query?token={token} HTTP/1.1\r\nHost: a\r\nX-Delay: 0.5\r\n\r\n'.encode())
        wait_until(lambda: nginx.gate.get('/query', params={'token': token}).status_code == 200)
    wait_until(lambda: '" 499 ' in logged())
    assert_masked(logged(), token)


# -- passwords and refresh tokens --------------------------------------------------------------------------------------


def basic(login, word):
    return base64.b64encode(f'{login}:{word}'.encode()).decode()


def assert_unseen(text, *secrets):
    for secret in secrets:
        assert lines_with(text, secret) == []


def test_logins(own, make_user, logged):
    user, wrong = make_user(), SECRETS.new_password()
    for login, word, status in (
        (user['username'], user['password'], 200),
        (user['username'], wrong, 401),
        (f'nobody-{wrong[:12]}', wrong, 401),
        (user['username'], wrong + ':\n\x00ü', 401),
    ):
        answer = own.post('/token', auth=(login, word), headers=elsewhere())
        assert answer.status_code == status
    text = logged()
    assert f'Login of "{user["username"]}"' in text
    assert f'Failed login of "{user["username"]}"' in text
    assert_unseen(
        text, wrong, user['password'], basic(user['username'], user['password']), basic(user['username'], wrong)
    )


@pytest.mark.parametrize('header', ['Basic {}', 'Basic {}=', 'basic  {}', 'Basic x{}', 'Bearer {}', '{}'])
def test_logins_in_bad_headers(own, logged, header):
    secret = SECRETS.new_password()
    code = basic('somebody', secret)
    own.raw(
        '/0.1/token',
        'Authorization: ' + header.format(code),
        'Content-Length: 0',
        *as_lines(elsewhere()),
        method='POST',
    )
    assert_unseen(logged(), secret, code)


def as_lines(headers):
    return [f'{name}: {value}' for name, value in headers.items()]


def test_a_password_in_place_of_the_login(own, logged):
    """The colon forgotten: what was typed is no login, and may be a password."""
    secret = SECRETS.new_password()
    code = base64.b64encode(secret.encode()).decode()
    own.raw('/0.1/token', f'Authorization: Basic {code}', 'Content-Length: 0', *as_lines(elsewhere()), method='POST')
    assert_unseen(logged(), secret, code)


def test_refresh_tokens(own, make_user, logged):
    user = make_user()
    body = {'access_type': 'offline', 'client_id': 'logs'}
    refresh = own.post('/token', auth=(user['username'], user['password']), json=body).json()['data']['refresh_token']
    for value, status in ((refresh, 200), (str(uuid.uuid4()), 401)):
        answer = own.post('/token', json={'refresh_token': value, 'client_id': 'logs'}, headers=elsewhere())
        assert answer.status_code == status
        assert_unseen(logged(), value)


def test_users(own, admin_token, logged):
    first, second, third, wrong = (SECRETS.new_password() for _ in range(4))
    name = f'logs-{uuid.uuid4().hex[:12]}'
    user = own.post('/users', admin_token, json={'username': name, 'password': first}).json()
    path = f"/users/{user['uuid']}"
    assert own.post('/users', admin_token, json={'username': name, 'password': second}).status_code == 409
    assert own.post('/users', admin_token, json={'username': 5, 'password': second}).status_code == 400
    assert own.post('/users', admin_token, data='{"password": "' + second).status_code == 400
    for old, status in ((wrong, 401), (first, 204), ([wrong], 400)):
        answer = own.put(f'{path}/password', admin_token, json={'old_password': old, 'new_password': third})
        assert answer.status_code == status
    text = logged()
    assert f'PUT /0.1{path}/password' in text
    assert_unseen(text, first, second, third, wrong, admin_token)


def test_the_configuration(own, admin, admin_token, logged):
    answer = own.get('/config', admin_token)
    assert answer.status_code == 200
    assert answer.json()['debug'] is True
    assert_unseen(logged(), admin['password'], admin_token)


def test_errors_of_the_database(stack, syslog, make_user, insert_token, wait_until):
    """PostgreSQL's own words may quote a row, and libpq's the connection string."""
    user, token = make_user(), insert_token()['token']
    own = one_worker(stack, 'logs-away', syslog)
    start = mark_of(own)
    with stack.away(stack.postgres):
        for answer in (
            own.api.post('/token', auth=(user['username'], user['password'])),
            own.api.get(f'/token/{token}'),
            own.gate.get('/query', params={'token': token}),
        ):
            assert answer.status_code == 503
    wait_until(lambda: own.api.head(f'/token/{token}').status_code == 204, 30)
    for path, size in start.items():
        text = path.read_bytes()[size:].decode(errors='replace')
        assert_unseen(text, user['password'], token, 'Secr7t')
    own.stop()


# -- nginx's debug log -------------------------------------------------------------------------------------------------


def test_nothing_of_ours_in_a_debug_log(stack, syslog, make_user, insert_token, admin_token, wait_until):
    """nginx itself shows every header at this level; what we add shows none."""
    own = one_worker(stack, 'logs-debug', syslog, 'error_log @FOLDER@/debug.log debug;\n')
    user, token, wrong = make_user(), insert_token()['token'], SECRETS.new_password()
    own.api.post('/token', auth=(user['username'], user['password']), headers=elsewhere())
    own.api.post('/token', auth=(user['username'], wrong), headers=elsewhere())
    own.api.put(f"/users/{user['uuid']}/password", json={'old_password': wrong, 'new_password': wrong})
    own.api.get('/config', admin_token)
    for method in ('HEAD', 'GET', 'DELETE'):
        own.api.request(method, f'/token/{token}')
    own.gate.get('/query', params={'token': token})
    debug = own.folder / 'debug.log'
    wait_until(lambda: f'Failed login of "{user["username"]}"' in debug.read_text(errors='replace'))
    own.stop()
    text = '\n'.join(lines_with(debug.read_text(errors='replace'), '(wazo_auth)'))
    assert f'Login of "{user["username"]}"' in text
    assert_unseen(text, token, user['password'], wrong, admin_token)


# -- forged lines ------------------------------------------------------------------------------------------------------

FORGED = '2026/01/01 00.00.00 [alert] 1#1. forged'  # without the colon that would end a login
BREAKS = ['\n', '\r\n', '\r', '\x0b', '\x0c', '\x85', '\u2028', '\x1b[2K\n', '\x00\n', '\\n\n']


def assert_no_forged_line(text):
    for line in text.split('\n'):
        assert not line.startswith('2026/01/01'), line
    assert '\r' not in text and '\x1b' not in text


@pytest.mark.parametrize('between', BREAKS, ids=ascii)
def test_a_login_can_not_forge_a_line(own, logged, between, expect_log):
    expect_log('forged')
    login = f'x{between}{FORGED}'
    answer = own.post('/token', auth=(login, 'wrong-password'), headers=elsewhere())
    assert answer.status_code == 401
    text = logged()
    assert_no_forged_line(text)
    assert len(lines_with(text, 'Failed login of')) == 1


@pytest.mark.parametrize('between', BREAKS, ids=ascii)
def test_a_body_can_not_forge_a_line(own, make_user, logged, between, expect_log):
    expect_log('forged')
    text = f'x{between}{FORGED}'
    user = make_user()
    body = {'access_type': 'offline', 'client_id': text}
    own.post('/token', auth=(user['username'], user['password']), json=body, headers=elsewhere())
    own.post('/token', json={'refresh_token': text, 'client_id': text}, headers=elsewhere())
    own.post('/token', auth=(user['username'], user['password']), json={'backend': text}, headers=elsewhere())
    assert_no_forged_line(logged())


@pytest.mark.parametrize('encoded', ['%0a', '%0d%0a', '%0D', '%0b', '%1b', '%E2%80%A8', '%00'])
@pytest.mark.parametrize(
    'path', ['/0.1/token/x{}', '/0.1/users/x{}', '/x{}', '/away?token=x{}', '/files/x{}', '/daemon/x{}']
)
def test_a_path_can_not_forge_a_line(nginx, logged, encoded, path, expect_log):
    expect_log('forged')
    target = path.format(encoded + FORGED.replace(' ', '%20'))
    for client in (nginx.api, nginx.gate):
        client.raw(target)
    assert_no_forged_line(logged())


@pytest.mark.parametrize('name', ['User-Agent', 'X-Forwarded-For', 'Wazo-Tenant', 'Wazo-Session-Type'])
@pytest.mark.parametrize('between', ['\x0b', '\x1b[2K', '\t', '\x85'], ids=ascii)
def test_a_header_can_not_forge_a_line(own, logged, name, between, expect_log):
    expect_log('forged')
    code = basic('nobody', 'wrong-password')
    own.raw(
        '/0.1/token', f'Authorization: Basic {code}', 'Content-Length: 0', f'{name}: x{between}{FORGED}', method='POST'
    )
    assert_no_forged_line(logged())


def test_an_alert_is_no_clients_to_make(own, logged):
    """A text of a client that looks like a line stays inside of ours."""
    login = f'"] "{FORGED}"'.replace('alert', 'warn')
    own.post('/token', auth=(login, 'wrong-password'), headers=elsewhere())
    lines = lines_with(logged(), 'forged')
    assert len([line for line in lines if 'unknown login' in line]) == 1
    assert len(lines) == 2  # and nginx's own in the combined log, as $remote_user
