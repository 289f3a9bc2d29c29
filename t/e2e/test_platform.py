"""One file of the http block gates a platform by the daemons' own documents: the documents here are small ones, and the
locations are laid out as those of a platform, in files that know nothing of the gate."""
import re
import socket
import subprocess
import uuid

import pytest
from test_gate import FORGED, header

from support import servers
from support.client import ends

CALLD = {
    'plugins/api/api.yml': """\
swagger: '2.0'
info: {title: wazo-calld, version: '1.0'}
basePath: /1.0
""",
    'plugins/calls/api.yml': """\
paths:
  /calls:
    get: {description: '**Required ACL:** `calld.calls.read`', responses: {}}
    post: {description: '**Required ACL:** `calld.calls.create`', responses: {}}
  /calls/{call_id}:
    get: {description: '**Required ACL:** `calld.calls.{call_id}.read`', responses: {}}
    delete: {description: '**Required ACL:** `calld.calls.{call_id}.delete`', responses: {}}
  /calls/me:
    get: {description: '**Required ACL:** `calld.calls.me.read`', responses: {}}
  /calls/{call_id}/of/{user}:
    get: {description: '**Required ACL:** `calld.calls.{call_id}.{user}.read`', responses: {}}
""",
    'plugins/guests/api.yml': """\
paths:
  /guests/{guest}/status:
    get: {description: '**Required ACL:** none', responses: {}}
  /files/{name}:
    get: {description: '**Required ACL:** `calld.files.read`', responses: {}}
  /anybody:
    get: {description: Whoever is logged in, responses: {}}
  /either:
    get: {x-required-acl: [calld.one.read, calld.other.read], responses: {}}
""",
}
CALLD_OVERLAY = """\
paths:
  /api/api.yml:
    get: {x-required-acl: none}
  /files/{name}:
    get: {x-token-in: query}
  /anybody:
    get: {x-required-acl: token}
"""
CONFD = """\
swagger: '2.0'
info: {title: wazo-confd, version: '1.1'}
basePath: /1.1
paths:
  /users:
    get: {description: '**Required ACL:** `confd.users.read`', responses: {}}
  /wizard:
    get: {description: '**Required ACL:** none', responses: {}}
    post: {description: '**Required ACL:** none', responses: {}}
"""

ONE_FILE = """\
    limit_req_zone $wazo_auth_user_uuid zone=by_user:1m rate=1r/m;
    proxy_cache_path @FOLDER@/cache keys_zone=cached:1m;
    wazo_auth_identity on;
    wazo_auth_openapi @FOLDER@/calld/plugins/*/api.yml prefix=/api/calld overlay=@FOLDER@/overlays/calld.yml;
    wazo_auth_openapi @FOLDER@/confd.yml prefix=/api/confd unmatched=pass;
    wazo_auth_openapi @CONF@/platform/websocketd.yml prefix=/api/websocketd;
    wazo_auth_close_codes on;
    wazo_auth_openapi @FOLDER@/dird/plugins/*/api.yml prefix=/api/dird optional;
"""

# As the packages of a platform have it.
LOCATIONS = """\
        location ^~ /api/calld/1.0/guests { proxy_pass http://upstream/1.0/guests; }
        location ^~ /api/calld/ { proxy_pass http://upstream/; }
        location ^~ /api/confd/1.1/wizard { proxy_pass http://upstream/1.1/wizard; }
        location ^~ /api/confd/ { proxy_pass http://upstream/; }
        location ^~ /api/dird/ { proxy_pass http://upstream/; }
        location = /status { proxy_pass http://upstream; }
"""

# What an administrator may have made of it.
DETOURS = """\
        rewrite ^/early/(.*)$ /api/calld/1.0/$1;
        rewrite ^(/api/calld/1\\.0/calls/hidden)$ /nowhere/$1;
        location ~* ^/API/([a-z]+)/(.*)$ { proxy_pass http://upstream/$2; }
        location /raw/ { proxy_pass http://upstream; }
        location /nowhere/ { proxy_pass http://upstream; }

        location ^~ /api/calld/1.0/calls/cut { rewrite ^/api/calld(/.*)$ $1 break; proxy_pass http://upstream; }
        location ^~ /api/calld/1.0/calls/last { rewrite ^/api/calld(/.*)$ /inside$1 last; }
        location /inside/ { internal; proxy_pass http://upstream/; }
        location ^~ /api/calld/1.0/calls/named {
            rewrite ^/api/calld(/.*)$ $1;
            return 418;
            error_page 418 = @calld;
        }
        location ^~ /api/calld/1.0/calls/trick { error_page 418 = /inside$uri; return 418; }
        location @calld { proxy_pass http://upstream; }
        location ^~ /api/calld/1.0/calls/tried { try_files /none @calld; }
        location ^~ /api/calld/1.0/calls/same { proxy_pass http://upstream; }
        location ^~ /api/calld/1.0/calls/loose { wazo_auth_path loose; proxy_pass http://upstream; }
        location = /to-calld { try_files /none /api/calld/1.0/calls; }
        location = /to-open { try_files /none /api/calld/1.0/guests/a/status; }
        location ^~ /api/calld/1.0/calls/page { error_page 401 403 /status; proxy_pass http://upstream/; }
        location ^~ /api/calld/1.0/calls/moved { error_page 401 403 = /api/calld/1.0/calls; proxy_pass http://upstream/; }

        # Of their own.
        location ^~ /api/calld/1.0/calls/open { wazo_auth off; proxy_pass http://upstream/; }
        location ^~ /api/calld/1.0/calls/instead { wazo_auth off; try_files /none /status; }
        location ^~ /api/calld/1.0/calls/limited { limit_req zone=by_user; proxy_pass http://upstream/; }
        location ^~ /api/calld/1.0/calls/cached {
            proxy_cache cached;
            proxy_cache_key $uri;
            proxy_cache_valid 1h;
            add_header X-Cache $upstream_cache_status;
            proxy_pass http://upstream/;
        }
        location ^~ /api/websocketd/ {
            proxy_pass http://upstream/;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }
        location ^~ /api/calld/1.0/calls/own {
            wazo_auth on;
            wazo_auth_acl confd.users.read;
            proxy_pass http://upstream/;
        }
        location ^~ /api/calld/1.0/guests/closed { wazo_auth on; proxy_pass http://upstream/; }
        location ^~ /api/calld/1.0/calls/strict { wazo_auth_preflight deny; proxy_pass http://upstream/; }
        location ^~ /api/calld/1.0/calls/gated { wazo_auth on; proxy_pass http://upstream/; }
        location /other/ { wazo_auth_openapi @FOLDER@/confd.yml prefix=/other/confd; proxy_pass http://upstream/; }
        location ^~ /api/calld/1.0/outside {
            wazo_auth_openapi @FOLDER@/confd.yml prefix=/other/confd;
            proxy_pass http://upstream/;
        }

        # Subrequests, and others who judge.
        location = /asking { auth_request /api/calld/1.0/calls; proxy_pass http://upstream; }
        location ^~ /api/calld/1.0/calls/asked { auth_request /status; proxy_pass http://upstream/; }
        location ^~ /api/calld/1.0/calls/any { satisfy any; deny all; proxy_pass http://upstream/; }
        location ^~ /api/calld/1.0/guests/any { satisfy any; deny all; proxy_pass http://upstream/; }
        location ^~ /api/calld/1.0/calls/let { satisfy any; allow 127.0.0.1; proxy_pass http://upstream/; }
        location ^~ /api/calld/1.0/calls/mirrored { mirror /status; proxy_pass http://upstream/; }
"""

SERVERS = f"""\
    server {{
        listen 127.0.0.1:@GATE_PORT@;
{LOCATIONS}
{DETOURS}
    }}
    server {{
        listen 127.0.0.1:@HTTP2_PORT@ http2;
{LOCATIONS}
    }}
    server {{
        listen 127.0.0.1:@CLOSED_PORT@;
        wazo_auth on;
{LOCATIONS}
    }}
    server {{
        listen 127.0.0.1:@OPEN_PORT@;
        wazo_auth off;
{LOCATIONS}
    }}
"""


def write_documents(folder):
    files = {f'calld/{name}': text for name, text in CALLD.items()}
    files |= {'overlays/calld.yml': CALLD_OVERLAY, 'confd.yml': CONFD}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture(scope='module')
def nginx(new_nginx):
    nginx = new_nginx('platform', SERVERS, http=ONE_FILE.replace('@CONF@', str(servers.CHECKOUT / 'conf')), start=False)
    nginx.values |= {f'{name}_PORT': servers.free_port() for name in ('HTTP2', 'CLOSED', 'OPEN')}
    write_documents(nginx.folder)
    nginx.start()
    return nginx


@pytest.fixture(scope='module')
def clients(nginx):
    return {name: type(nginx.gate)(nginx.values[f'{name}_PORT']) for name in ('HTTP2', 'CLOSED', 'OPEN')}


@pytest.fixture(scope='module')
def caller(insert_token):
    return insert_token(acl=['calld.calls.read', 'calld.calls.7.read'])


def shown(answer):
    """Status, and what the upstream got."""
    return answer.status_code, answer.json()['target'] if answer.status_code == 200 else answer.json()['error_id']


# -- what the documents say --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'method, path, target',
    [
        ('GET', '/api/calld/1.0/guests/x/status', '/1.0/guests/x/status'),
        ('HEAD', '/api/calld/1.0/guests/x/status', None),
        ('GET', '/api/calld/1.0/guests/x/status/', '/1.0/guests/x/status/'),
        ('GET', '/api/calld/1.0/api/api.yml', '/1.0/api/api.yml'),
        ('POST', '/api/confd/1.1/wizard', '/1.1/wizard'),
        ('OPTIONS', '/api/calld/1.0/calls', '/1.0/calls'),
        ('GET', '/status', '/status'),
        ('GET', '/api/dird/0.1/anything', '/0.1/anything'),  # it isn't installed
        ('GET', '/api/confd/1.1/unknown', '/1.1/unknown'),  # unmatched=pass
        ('DELETE', '/api/confd/1.1/users', '/1.1/users'),
    ],
)
def test_what_is_open_needs_no_token(gate, nobody, method, path, target):
    for token in None, nobody['token'], str(uuid.uuid4()):
        answer = gate.request(method, path, token)
        assert answer.status_code == 200
        assert target is None or answer.json()['target'] == target


@pytest.mark.parametrize(
    'method, path, access',
    [
        ('GET', '/calls', 'calld.calls.read'),
        ('HEAD', '/calls', 'calld.calls.read'),
        ('GET', '/calls/', 'calld.calls.read'),
        ('GET', '/calls?a=1', 'calld.calls.read'),
        ('POST', '/calls', 'calld.calls.create'),
        ('GET', '/calls/7', 'calld.calls.7.read'),
        ('GET', '/calls/a.b', 'calld.calls.a_b.read'),
        ('GET', '/calls/a%2eb', 'calld.calls.a_b.read'),
        ('GET', '/calls/%61', 'calld.calls.a.read'),
        ('GET', '/calls/ME', 'calld.calls.ME.read'),
        ('GET', '/calls/me', 'calld.calls.me.read'),
        ('DELETE', '/calls/7', 'calld.calls.7.delete'),
        ('GET', '/calls/7/of/8', 'calld.calls.7.8.read'),
        ('GET', '/calls/a;b', 'calld.calls.a;b.read'),
        ('GET', '/either', 'calld.one.read'),
        ('GET', '/either', 'calld.other.read'),
    ],
)
def test_an_access_is_needed(gate, nobody, insert_token, method, path, access):
    path = '/api/calld/1.0' + path
    assert gate.request(method, path).status_code == 401
    assert gate.request(method, path, str(uuid.uuid4())).status_code == 401
    assert gate.request(method, path, nobody['token']).status_code == 403
    answer = gate.request(method, path, insert_token(acl=[access])['token'])
    assert answer.status_code == 200, answer.text


def test_an_answer_is_that_of_an_access(gate, nobody, caller):
    answer = gate.get('/api/calld/1.0/calls/8', caller['token'])
    assert answer.json()['details']['required_access'] == 'calld.calls.8.read'
    answer = gate.get('/api/calld/1.0/either', nobody['token'])
    assert answer.json()['details']['required_access'] == 'calld.one.read or calld.other.read'


def test_any_live_token_may_do(gate, nobody):
    assert gate.get('/api/calld/1.0/anybody').status_code == 401
    assert gate.get('/api/calld/1.0/anybody', nobody['token']).status_code == 200


def test_a_token_in_the_query(gate, caller, insert_token):
    token = insert_token(acl=['calld.files.read'])['token']
    assert gate.get(f'/api/calld/1.0/files/a?x={uuid.uuid4()}').status_code == 401
    assert gate.get(f'/api/calld/1.0/files/a?token={token}').json()['target'] == f'/1.0/files/a?token={token}'
    assert gate.get(f'/api/calld/1.0/calls?token={caller["token"]}').status_code == 401
    answer = gate.get(f'/api/calld/1.0/files/a?token={token}', caller['token'])
    assert shown(answer) == (400, 'ambiguous-token')


def test_the_identity_of_a_token_is_told(gate, caller):
    status, text = gate.raw('/api/calld/1.0/calls', header(caller), *FORGED)
    assert status == 200 and 'forged' not in text and caller['user_uuid'] in text
    for path in '/api/calld/1.0/guests/x/status', '/api/confd/1.1/unknown':
        status, text = gate.raw(path, header(caller), *FORGED)
        assert status == 200 and 'forged' not in text and caller['user_uuid'] not in text


# -- what no document says ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'method, path',
    [
        ('GET', '/api/calld/1.0/unknown'),
        ('GET', '/api/calld/1.0/calls/7/8'),
        ('GET', '/api/calld/1.0'),
        ('GET', '/api/calld/'),
        ('GET', '/api/calld/2.0/calls'),
        ('GET', '/api/calld/metrics'),
        ('GET', '/API/calld/1.0/calls'),
        ('GET', '/api/CALLD/1.0/calls'),
        ('GET', '/api/calld/1.0/CALLS'),
        ('GET', '/api/calld/1.0/GUESTS/x/status'),
        ('PUT', '/api/calld/1.0/calls'),
        ('PATCH', '/api/calld/1.0/guests/x/status'),
        ('MOVE', '/api/calld/1.0/calls'),
        ('GETX', '/api/calld/1.0/guests/x/status'),
        ('get', '/api/calld/1.0/guests/x/status'),
        ('GET', '/api/calld/1.0/calls/' + 'x' * 4000 + '/y'),
        ('OPTIONS', '/api/calld/1.0/unknown'),
    ],
)
def test_what_nobody_knows_is_for_nobody(gate, admin_token, method, path):
    status, text = gate.raw(path, method=method)
    assert status in (401, 400) and (status == 401 or method == 'get')
    assert gate.raw(path, f'X-Auth-Token: {admin_token}', method=method)[0] in (403, 400)


# -- ways around -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'path',
    [
        '/api/calld/1.0//calls',
        '/api//calld/1.0/calls',
        '//api/calld/1.0/calls',
        '/api/calld/1.0/calls//',
        '/api/calld/1.0/guests/x%2fstatus',
        '/api/calld/1.0/guests/x/status%2f..%2f..%2f..%2fcalls',
        '/api/calld/1.0/guests/..;/calls',
        '/api/calld/1.0/guests/x/../../calls',
        '/api/calld/1.0/guests/x/%2e%2e/%2e%2e/calls',
        '/api/calld/1.0/calls/../guests/x/status',
        '/api/calld/1.0/./guests/x/status',
        '/api/calld/1.0/guests/x%5cstatus',
        '/api/calld/1.0/guests/a%00/status',
        '/status/../api/calld/1.0/calls',
        '/status%2f..%2fapi/calld/1.0/calls',
        '/api/dird/..%2fcalld/1.0/calls',
        '/api/dird/%2e%2e/calld/1.0/guests/x/status',
        '/api/calld/1.0/calls/loose%2f..%2f..%2fguests/x/status',
        '/api/calld/1.0/calls/loose/../../guests//x/status',
        'http://127.0.0.1/api/calld/1.0//calls',
    ],
)
def test_a_path_with_two_readings_is_refused(gate, admin_token, path):
    for headers in [], [f'X-Auth-Token: {admin_token}']:
        status, text = gate.raw(path, *headers)
        assert status == 400 and ('ambiguous-path' in text or '%00' in path)


@pytest.mark.parametrize('value', ['*', '%2a', '%23', 'a%23', 'a*b', '%0a', 'x%7f'])
def test_a_value_that_widens_an_access_is_refused(gate, admin_token, insert_token, value):
    assert gate.raw(f'/api/calld/1.0/calls/{value}')[0] == 401
    for token in admin_token, insert_token(acl=['calld.calls.*.read', 'calld.calls.#'])['token']:
        assert gate.raw(f'/api/calld/1.0/calls/{value}', f'X-Auth-Token: {token}')[0] == 403


def test_other_text_in_a_value_is_text(gate, insert_token):
    token = insert_token(acl=['calld.calls.a b.read', 'calld.calls.%2f.read', 'calld.calls.é?{x}.read'])['token']
    for value in 'a%20b', '%252f', '%C3%A9%3F%7Bx%7D':
        status, text = gate.raw(f'/api/calld/1.0/calls/{value}', f'X-Auth-Token: {token}')
        assert (status, f'"target": "/1.0/calls/{value}"' in text) == (200, True)


@pytest.mark.parametrize('name', ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'])
def test_another_method_by_header(gate, caller, name):
    for path in '/api/calld/1.0/calls', '/api/calld/1.0/guests/x/status':
        answer = gate.get(path, caller['token'], headers={name: 'DELETE'})
        assert shown(answer) == (400, 'ambiguous-method')
        assert gate.get(path, caller['token'], headers={name: 'GET'}).status_code == 200
    assert gate.options('/api/calld/1.0/calls', headers={name: 'DELETE'}).status_code == 400


def test_options_with_more_than_a_method(gate, nobody):
    preflight = {'Origin': 'http://a.example', 'Access-Control-Request-Method': 'GET'}
    assert gate.options('/api/calld/1.0/calls', headers=preflight).status_code == 200
    assert gate.options('/api/calld/1.0/calls/strict', headers=preflight).status_code == 401
    assert gate.options('/api/calld/1.0/calls/strict').status_code == 401
    assert gate.options('/api/calld/1.0/calls/strict', nobody['token']).status_code == 200
    assert gate.options('/api/calld/1.0/calls', data=b'x').status_code == 401
    assert gate.options('/api/calld/1.0/calls', headers={'Upgrade': 'websocket'}).status_code == 401


@pytest.mark.parametrize(
    'prefix',
    ['http://127.0.0.1', 'http://other.example:1234', 'HTTP://a', 'https://127.0.0.1'],
)
def test_an_absolute_target(gate, caller, prefix):
    assert gate.raw(f'{prefix}/api/calld/1.0/calls')[0] == 401
    assert gate.raw(f'{prefix}/api/calld/1.0/calls', header(caller))[0] == 200
    assert gate.raw(f'{prefix}/api/calld/1.0/calls/8', header(caller))[0] == 403
    assert gate.raw(f'{prefix}/api/calld/1.0/guests/x/status')[0] == 200


@pytest.mark.parametrize(
    'place', ['cut', 'last', 'named', 'tried', 'same', 'loose', 'hidden', 'trick', 'gated', 'mirrored', 'asked']
)
def test_the_public_path_decides(gate, nobody, insert_token, place):
    path = f'/api/calld/1.0/calls/{place}'
    token = insert_token(acl=[f'calld.calls.{place}.read'])['token']
    assert gate.get(path).status_code == 401
    assert gate.get(path, nobody['token']).status_code == 403
    answer = gate.get(path, token)
    assert answer.status_code == 200 and place in answer.json()['target'] or place in ('gated', 'mirrored', 'asked')


def test_a_path_that_others_make(gate, nobody, caller):
    for path in '/early/calls', '/to-calld':
        assert gate.get(path).status_code == 401
        assert gate.get(path, nobody['token']).status_code == 403
        assert gate.get(path, caller['token']).status_code == 200
    assert gate.get('/to-open').status_code == 200
    assert gate.get('/raw/api/calld/1.0/calls').status_code == 200  # no path of a document


def test_pages_in_place_of_a_refusal(gate, nobody, caller):
    answer = gate.get('/api/calld/1.0/calls/page')
    assert (answer.status_code, answer.json()['target']) == (401, '/status')
    assert gate.get('/api/calld/1.0/calls/moved').status_code == 401
    assert gate.get('/api/calld/1.0/calls/moved', nobody['token']).status_code == 403
    assert gate.get('/api/calld/1.0/calls/moved', caller['token']).json()['target'] == '/1.0/calls'


def test_a_location_has_its_own_way(gate, nobody, reader):
    assert gate.get('/api/calld/1.0/calls/open').status_code == 200
    assert gate.get('/api/calld/1.0/calls/instead').json()['target'] == '/status'
    assert gate.get('/api/calld/1.0/calls/own').status_code == 401
    assert gate.get('/api/calld/1.0/calls/own', nobody['token']).status_code == 403
    assert gate.get('/api/calld/1.0/calls/own', reader['token']).status_code == 200
    assert gate.get('/other/confd/1.1/users', nobody['token']).status_code == 403
    assert gate.get('/other/confd/1.1/users', reader['token']).status_code == 200
    assert gate.get('/other/confd/1.1/unknown', reader['token']).status_code == 403
    assert gate.get('/other/else').status_code == 200
    assert gate.get('/api/calld/1.0/outside').status_code == 200  # the nearest documents decide


def test_wazo_auth_on_is_never_opened(gate, nobody, clients):
    assert gate.get('/api/calld/1.0/guests/closed/status').status_code == 401
    assert gate.get('/api/calld/1.0/guests/closed/status', nobody['token']).status_code == 200
    closed = clients['CLOSED']
    for path in '/api/calld/1.0/guests/x/status', '/api/confd/1.1/unknown', '/status', '/api/dird/0.1/x':
        assert closed.get(path).status_code == 401, path
        assert closed.get(path, nobody['token']).status_code == 200, path
    assert closed.options('/api/calld/1.0/calls').status_code == 401
    assert closed.get('/api/calld/1.0/calls', nobody['token']).status_code == 403
    for path in '/api/calld/1.0/calls', '/api/calld/1.0/unknown', '/api/calld/1.0//calls':
        assert clients['OPEN'].raw(path)[0] == 200


def test_others_who_judge(gate, nobody, insert_token):
    assert gate.get('/asking').status_code == 200  # subrequests aren't judged
    for place, nobody_else in ('any', True), ('let', False):
        token = insert_token(acl=[f'calld.calls.{place}.read'])['token']
        path = f'/api/calld/1.0/calls/{place}'
        assert gate.get(path, token).status_code == 200
        assert gate.get(path).status_code == (401 if nobody_else else 200)
        assert gate.get(path, nobody['token']).status_code == (403 if nobody_else else 200)
        assert gate.raw(path + '//')[0] == (400 if nobody_else else 200)
    assert gate.get('/api/calld/1.0/guests/any/status').status_code == 403  # as nobody has let it in


def test_http_2(nginx, clients, caller):
    port = nginx.values['HTTP2_PORT']

    def ask(path, *headers):
        url = f'http://127.0.0.1:{port}{path}'
        options = [option for each in headers for option in ('-H', each)]
        done = subprocess.run(
            [
                'curl',
                '--http2-prior-knowledge',
                '--path-as-is',
                '-s',
                '-o',
                '/dev/null',
                '-w',
                '%{http_code} %{http_version}',
                *options,
                url,
            ],
            capture_output=True,
            text=True,
            timeout=20,
        )
        return done.stdout

    assert ask('/api/calld/1.0/calls') == '401 2'
    assert ask('/api/calld/1.0/calls', header(caller)) == '200 2'
    assert ask('/api/calld/1.0/calls/8', header(caller)) == '403 2'
    assert ask('/api/calld/1.0/guests/x/status') == '200 2'
    assert ask('/api/calld/1.0/guests/x%2fstatus') == '400 2'
    assert ask('/api/calld/1.0/guests/../calls', header(caller)) == '400 2'


def test_pipelined_requests(nginx, caller):
    """Each has its own path, whatever buffer it lies in."""
    lines = []
    for path, token in (
        ('guests/x/status', None),
        ('calls', None),
        ('calls', caller),
        ('calls/8', caller),
        ('calls', None),
    ):
        lines.append(
            f'GET /api/calld/1.0/{path} HTTP/1.1\r\nHost: a\r\n' + (header(token) + '\r\n' if token else '') + '\r\n'
        )
    lines[-1] = lines[-1].replace('Host: a', 'Host: a\r\nConnection: close')
    with socket.create_connection(('127.0.0.1', nginx.gate.port), 30) as connection:
        connection.sendall(''.join(lines).encode())
        text = b''
        while part := connection.recv(65536):
            text += part
    assert re.findall(r'HTTP/1.1 (\d+)', text.decode()) == ['200', '401', '200', '403', '401']


def test_limits_by_user(gate, insert_token):
    token = insert_token(acl=['calld.calls.limited.read'])['token']
    path = '/api/calld/1.0/calls/limited'
    assert [gate.get(path, token).status_code for _ in range(3)] == [200, 200, 503]  # at first nobody knows it
    assert gate.get(path, insert_token(acl=['calld.calls.limited.read'])['token']).status_code == 200


def test_an_answer_is_not_stored_for_others(gate, insert_token, expect_log):
    path = '/api/calld/1.0/calls/cached'
    for _ in range(2):
        user = insert_token(acl=['calld.calls.cached.read'])
        answer = gate.get(path, user['token'])
        assert (answer.headers['X-Cache'], answer.json()['headers']['wazo-user-uuid']) == ('MISS', user['user_uuid'])


def test_a_websocket_ends_with_its_token(gate, insert_token, nobody, api, open_websocket):
    token = insert_token(acl=['websocketd'])['token']
    path = f'/api/websocketd/?token={token}'
    connection = open_websocket(token, path, in_header=False)
    connection.send('hello')
    assert connection.recv() == 'hello'
    assert gate.get(f'/api/websocketd/?token={nobody["token"]}').status_code == 403
    assert gate.get('/api/websocketd/').status_code == 401
    assert gate.get('/api/websocketd/other', token).status_code == 403
    assert api.delete(f'/token/{token}').status_code == 200
    assert ends(connection) == 4003
    for refused, code in ((token, 4002), (nobody['token'], 4002), ('', 4001)):
        assert ends(open_websocket('', f'/api/websocketd/?token={refused}', in_header=False)) == code
