"""wazo_auth_trace: one id, from the client's request through gate and daemon to the authority, and in the logs of all."""
import logging
import re
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
import websocket

from support.checks import elsewhere

HTTP = """\
    wazo_auth_trace on;
    log_format traced '$wazo_auth_trace_id "$wazo_auth_request" $status';
    access_log @FOLDER@/traced.log traced;
    map $http_x_otel $otel_trace_id { default $http_x_otel; }
    map $http_x_otel $otel_span_id { default ''; ~. b7ad6b7169203331; }
"""
SERVERS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        wazo_auth on;
        add_header X-Trace "$wazo_auth_trace_id" always;
        add_header X-Parent "$wazo_auth_traceparent" always;
        proxy_set_header X-Seen "$http_traceparent $http_tracestate";
        location / { proxy_pass http://upstream; }
        location = /read { wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
        location = /open { wazo_auth off; proxy_pass http://upstream; }
        location = /off { wazo_auth_trace off; proxy_pass http://upstream; }
        location = /early {
            set $early $wazo_auth_trace_id;
            set $seen $http_traceparent;
            add_header X-Early $early;
            add_header X-Trace $wazo_auth_trace_id;
            proxy_pass http://upstream;
        }
        location = /return { wazo_auth off; return 200 $wazo_auth_trace_id; }
        location = /paged { error_page 401 = /page; proxy_pass http://upstream; }
        location = /page { wazo_auth off; internal; proxy_pass http://upstream; }
        location = /asks { wazo_auth off; auth_request /asked; proxy_pass http://upstream; }
        location = /asked {
            internal;
            wazo_auth off;
            proxy_pass_request_body off;
            proxy_set_header Content-Length '';
            proxy_pass http://127.0.0.1:@API_PORT@/0.1/token/$http_x_asked;
            proxy_method HEAD;
        }
        location = /daemon { proxy_pass http://127.0.0.1:DAEMON_PORT; }
        location = /ws {
            proxy_pass http://upstream;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout 1h;
        }
        location /authority/ {
            wazo_auth off;
            proxy_pass http://127.0.0.1:@API_PORT@/;
        }
    }
"""
PARENT = re.compile(r'00-([0-9a-f]{32})-([0-9a-f]{16})-01')
ID = '4bf92f3577b34da6a3ce929d0e0e4736'
GIVEN = f'00-{ID}-00f067aa0ba902b7-00'


class Daemon(ThreadingHTTPServer):
    """Logs each request with its trace, in the daemons' format, and asks the authority whose token it is."""

    def __init__(self, file):
        super().__init__(('127.0.0.1', 0), self.Handler)
        self.authority = None  # its port
        self.log = logging.Logger('wazo_confd', logging.INFO)
        handler = logging.FileHandler(file)
        handler.setFormatter(logging.Formatter('%(asctime)s [%(process)d] (%(levelname)s) (%(name)s): %(message)s'))
        self.log.addHandler(handler)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parent = self.headers['traceparent']
            self.server.log.info('%s %s, trace: %s', self.command, self.path, parent.split('-')[1])
            token = self.headers['X-Auth-Token']
            url = f'http://127.0.0.1:{self.server.authority}/0.1/token/{token}'
            self.send_response(requests.head(url, headers={'traceparent': parent}, timeout=10).status_code)
            self.end_headers()

        def log_message(self, *_):
            pass


@pytest.fixture(scope='module')
def daemon(folder):
    server = Daemon(folder / 'daemon.log')
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture(scope='module')
def nginx(new_nginx, daemon):
    made = new_nginx('trace', SERVERS.replace('DAEMON_PORT', str(daemon.server_port)), HTTP)
    daemon.authority = made.values['API_PORT']
    return made


@pytest.fixture(scope='module')
def gate(nginx):
    return nginx.gate


def told(answer):
    """What the upstream got."""
    assert answer.status_code == 200
    return answer.json()['headers']


def new_id():
    return uuid.uuid4().hex


def given(trace, **headers):
    return {'traceparent': f'00-{trace}-00f067aa0ba902b7-01', **headers}


def logged(nginx, name, trace):
    path = nginx.folder / name
    return [line for line in path.read_text(errors='replace').splitlines() if trace in line] if path.exists() else []


def test_one_is_made(gate, nobody):
    answers = [gate.get('/', nobody['token']) for _ in range(3)] + [gate.get('/open')]
    seen = [told(answer) for answer in answers]
    for answer, headers in zip(answers, seen):
        made = PARENT.fullmatch(headers['traceparent'])
        assert made and int(made[1], 16) and int(made[2], 16)
        assert answer.headers['X-Trace'] == made[1] and answer.headers['X-Parent'] == made[0]
        assert headers['x-seen'] == f'{made[0]} '
        assert 'tracestate' not in headers
    assert len({headers['traceparent'] for headers in seen}) == 4


@pytest.mark.parametrize(
    'header', [GIVEN, f'00-{ID}-00f067aa0ba902b7-01', f'cc-{ID}-00f067aa0ba902b7-01-what-comes-later']
)
@pytest.mark.parametrize('path', ['/', '/open'])
def test_a_valid_one_goes_on_as_it_is(gate, nobody, header, path):
    answer = gate.get(path, nobody['token'], headers={'traceparent': header, 'tracestate': 'a=1,b=2'})
    headers = told(answer)
    assert headers['traceparent'] == header and headers['tracestate'] == 'a=1,b=2'
    assert answer.headers['X-Trace'] == ID


@pytest.mark.parametrize(
    'header',
    [
        '',
        'garbage',
        GIVEN.upper(),
        f'ff-{ID}-00f067aa0ba902b7-01',
        f'00-{"0" * 32}-00f067aa0ba902b7-01',
        f'00-{ID}-{"0" * 16}-01',
        f'{GIVEN}-more',
        f'{GIVEN}, {GIVEN}',
    ],
)
def test_an_invalid_one_is_replaced(gate, nobody, header):
    """What other tracers have said belonged to it."""
    answer = gate.get('/', nobody['token'], headers={'traceparent': header, 'tracestate': 'a=1'})
    headers = answer.json()
    assert headers['names'].count('traceparent') == 1 and 'tracestate' not in headers['names']
    made = PARENT.fullmatch(headers['headers']['traceparent'])
    assert made and made[1] != ID and answer.headers['X-Trace'] == made[1]
    assert headers['headers']['x-seen'] == f'{made[0]} '


def test_two_are_none(gate, nobody):
    status, body = gate.raw(
        '/', f"X-Auth-Token: {nobody['token']}", f'Traceparent: {GIVEN}', f'TRACEPARENT: {GIVEN}', 'Tracestate: a=1'
    )
    assert status == 200 and body.count('"traceparent"') == 2  # in "headers" and in "names"
    assert ID not in body and 'tracestate' not in body


def test_off(gate, nobody, nginx, new_nginx):
    for header in (None, 'garbage', GIVEN):
        answer = gate.get('/off', nobody['token'], headers={'traceparent': header} if header else None)
        assert told(answer).get('traceparent') == header
        assert answer.headers.get('X-Trace', '') == ''
    # ... as it is where nobody has asked for it.
    other = new_nginx('trace-default', workers=1)
    assert 'traceparent' not in told(other.gate.get('/', nobody['token']))


def test_the_variable_before_all_is_settled(gate, nobody):
    answer = gate.get('/early', nobody['token'])
    assert answer.headers['X-Early'] == answer.headers['X-Trace'] == PARENT.fullmatch(told(answer)['traceparent'])[1]
    answer = gate.get('/early', nobody['token'], headers={'traceparent': GIVEN})
    assert answer.headers['X-Early'] == ID and told(answer)['traceparent'] == GIVEN
    assert gate.get('/return', headers={'traceparent': GIVEN}).text == ID


def test_it_stays_through_a_redirect(gate):
    for headers in ({}, {'traceparent': GIVEN}):
        answer = gate.get('/paged', headers=headers)
        seen = told(answer)['traceparent']
        assert answer.headers['X-Parent'] == seen
        assert not headers or seen == GIVEN


def test_it_is_with_subrequests(nginx, gate, nobody, wait_until):
    trace = new_id()
    assert gate.get('/asks', headers=given(trace, **{'X-Asked': nobody['token']})).status_code == 200
    lines = wait_until(lambda: len(found := logged(nginx, 'traced.log', trace)) == 2 and found, 5)
    assert any('"HEAD /0.1/token/' in line for line in lines)


def test_otel_has_the_say(gate, nobody):
    """nginx-otel has these variables, and may put its own header into the request or not."""
    otel = new_id()
    for headers in ({}, {'traceparent': GIVEN, 'tracestate': 'a=1'}, {'traceparent': 'garbage'}):
        answer = gate.get('/', nobody['token'], headers={'X-Otel': otel, **headers})
        assert told(answer)['traceparent'] == f'00-{otel}-b7ad6b7169203331-01'
        assert 'tracestate' not in told(answer)
        assert answer.headers['X-Trace'] == otel
    own = f'00-{otel}-1234567890abcdef-00'
    answer = gate.get('/', nobody['token'], headers={'X-Otel': otel, 'traceparent': own, 'tracestate': 'a=1'})
    assert told(answer)['traceparent'] == own and told(answer)['tracestate'] == 'a=1'


def test_one_grep_shows_all(nginx, gate, make_user, wait_until):
    """A login through a proxy: lines of both servers' access logs, and the authority's own."""
    user, trace, wrong = make_user(), new_id(), new_id()
    headers = given(trace, **elsewhere())
    answer = gate.post('/authority/0.1/token', auth=(user['username'], user['password']), headers=headers)
    assert answer.status_code == 200
    assert gate.post('/authority/0.1/token', auth=(user['username'], 'x'), headers=given(wrong)).status_code == 401
    lines = wait_until(lambda: len(found := logged(nginx, 'traced.log', trace)) == 2 and found, 5)
    for path in '/0.1/token', '/authority/0.1/token':
        assert f'{trace} "POST {path} HTTP/1.1" 200' in lines
    said = wait_until(lambda: logged(nginx, 'error.log', trace), 5)
    (line,) = [line for line in said if f'(INFO) (wazo_auth) Login of "{user["username"]}"' in line]
    assert f', trace: {trace}' in line
    (line,) = wait_until(lambda: logged(nginx, 'error.log', wrong), 5)
    assert 'Failed login of' in line and f', trace: {wrong}' in line


@pytest.mark.parametrize('headers', [{}, {'traceparent': GIVEN.replace(ID, 'c' * 32)}])
def test_one_grep_shows_gate_daemon_and_authority(nginx, gate, nobody, folder, wait_until, headers):
    answer = gate.get('/daemon', nobody['token'], headers=headers)
    assert answer.status_code == 204
    trace = answer.headers['X-Trace']
    assert trace == 'c' * 32 or not headers
    (line,) = [line for line in (folder / 'daemon.log').read_text().splitlines() if trace in line]
    assert f'(INFO) (wazo_confd): GET /daemon, trace: {trace}' in line
    lines = wait_until(lambda: len(found := logged(nginx, 'traced.log', trace)) == 2 and found, 5)
    authority, at_gate = sorted(lines, key=lambda each: '/daemon' in each)
    assert at_gate == f'{trace} "GET /daemon HTTP/1.1" 204'
    assert authority.startswith(f'{trace} "HEAD /0.1/token/XXXX') and authority.endswith(' 204')


def test_refusals(nginx, gate, nobody, wait_until):
    for path, token in (('/', None), ('/', 'garbage'), ('/read', nobody['token']), ('/a//b', nobody['token'])):
        trace = new_id()
        answer = gate.get(path, token, headers=given(trace))
        assert answer.status_code in (400, 401, 403)
        (line,) = wait_until(lambda each=trace: logged(nginx, 'error.log', each), 5)
        assert 'wazo_auth: refused: ' in line and f', trace: {trace}, client: ' in line


def test_what_fails_within_the_api(stack, nginx, wait_until):
    trace = new_id()
    with stack.away(stack.postgres):
        answer = nginx.api.post('/token', auth=('somebody', 'a-password'), headers=given(trace, **elsewhere()))
        assert answer.status_code == 503
        assert any('(ERROR) (wazo_auth) ' in line for line in wait_until(lambda: logged(nginx, 'error.log', trace), 10))


def test_a_websocket_that_ends(nginx, insert_token, open_websocket_of, wait_until):
    token, trace = insert_token()['token'], new_id()
    connection = open_websocket_of(nginx.gate, token, given(trace))
    assert nginx.api.delete(f'/token/{token}').status_code == 200
    (line,) = wait_until(lambda: logged(nginx, 'error.log', trace), 10)
    assert 'the connection ends: ' in line and f', trace: {trace}' in line
    connection.close()


@pytest.fixture
def open_websocket_of():
    opened = []

    def connect(gate, token, headers):
        all_headers = {'X-Auth-Token': token, **headers}
        opened.append(websocket.create_connection(f'ws://127.0.0.1:{gate.port}/ws', header=all_headers, timeout=10))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()
