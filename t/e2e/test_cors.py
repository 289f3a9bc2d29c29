"""Applications of other origins: they can read that they are refused, and ask for what they are allowed to."""
import json
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from selenium.webdriver.common.by import By

from support import browser, servers
from support.browser import wait_for
from support.upstream import Daemon

SERVERS = """\
    map $http_origin $allowed { default $http_origin; '' ''; }
    server {
        listen 127.0.0.1:@GATE_PORT@;
        wazo_auth on;
        location / { proxy_pass http://127.0.0.1:@DAEMON_PORT@; }
        location /1.1/read { wazo_auth_acl confd.users.read; proxy_pass http://127.0.0.1:@DAEMON_PORT@; }
        location /1.1/denied401 { wazo_auth_acl confd.users.read; wazo_auth_denied 401; proxy_pass http://127.0.0.1:@DAEMON_PORT@; }
        location /1.1/tenant { wazo_auth_tenant header; proxy_pass http://127.0.0.1:@DAEMON_PORT@; }
        location /1.1/no-preflight { wazo_auth_preflight deny; proxy_pass http://127.0.0.1:@DAEMON_PORT@; }
        location /1.1/added/ {
            add_header Access-Control-Allow-Origin https://administrator.example always;
            location /1.1/added/always { proxy_pass http://127.0.0.1:@DAEMON_PORT@; }
        }
        location /1.1/added-to-success {
            add_header Access-Control-Allow-Origin $allowed;
            proxy_pass http://127.0.0.1:@DAEMON_PORT@;
        }
        location /1.1/empty { add_header Access-Control-Allow-Origin "" always; proxy_pass http://127.0.0.1:@DAEMON_PORT@; }
        location /1.1/vary { add_header Vary "Accept, Origin" always; proxy_pass http://127.0.0.1:@DAEMON_PORT@; }
        location /1.1/page { error_page 401 /page.html; proxy_pass http://127.0.0.1:@DAEMON_PORT@; }
        location = /page.html { internal; wazo_auth off; default_type text/html; return 200 "<p>log in</p>"; }
        location /1.1/other-status { error_page 401 =302 https://login.example/; proxy_pass http://127.0.0.1:@DAEMON_PORT@; }
        location /1.1/behind { error_page 401 = @behind; proxy_pass http://127.0.0.1:@DAEMON_PORT@; }
        location /1.1/with-page-of-daemon { error_page 401 /1.1/refused; proxy_pass http://127.0.0.1:@DAEMON_PORT@; }
        location @behind { wazo_auth off; rewrite ^ /1.1/refused break; proxy_pass http://127.0.0.1:@DAEMON_PORT@; }
        location = /1.1/refused { wazo_auth off; proxy_pass http://127.0.0.1:@DAEMON_PORT@; }
        location /1.1/failed { error_page 502 = /1.1/read; wazo_auth off; proxy_pass http://127.0.0.1:1; }
        location /1.1/forbidden { deny all; proxy_pass http://127.0.0.1:@DAEMON_PORT@; }
        location /api/ { client_max_body_size 100; wazo_auth_api prefix=/api; }
    }
"""
ORIGIN = {'Origin': 'https://app.example'}
NAMES = ('Access-Control-Allow-Origin', 'Vary', 'Access-Control-Allow-Credentials', 'Access-Control-Expose-Headers')


@pytest.fixture(scope='module')
def daemon(stack):
    made = Daemon(servers.free_port(), '/1.1/')
    yield made
    made.close()


@pytest.fixture(scope='module')
def new_nginx(daemon, new_nginx):
    def make(name, cors=None, **options):
        settings = {'rest_api': {'cors': cors}} if cors else None
        nginx = new_nginx(f'cors-{name}', SERVERS, settings=settings, start=False, **options)
        nginx.values['DAEMON_PORT'] = daemon.port
        return nginx.start()

    return make


@pytest.fixture(scope='module')
def gate(new_nginx):
    return new_nginx('default').gate


@pytest.fixture(scope='module')
def token(insert_token):
    return insert_token()['token']


def cors(answer):
    """Its headers of CORS, each as the list of its lines."""
    return {name: lines for name in NAMES if (lines := answer.raw.headers.getlist(name))}


ALLOWED = {'Access-Control-Allow-Origin': ['https://app.example'], 'Vary': ['Origin']}


def test_every_refusal_can_be_read(gate, token):
    other_tenant = {'Wazo-Tenant': str(uuid.uuid4())}
    for status, answer in (
        (401, gate.get('/1.1/x', headers=ORIGIN)),
        (401, gate.get('/1.1/x', 'garbage', headers=ORIGIN)),
        (401, gate.head('/1.1/x', headers=ORIGIN)),
        (401, gate.post('/1.1/x', headers=ORIGIN)),
        (403, gate.get('/1.1/read', token, headers=ORIGIN)),
        (401, gate.get('/1.1/denied401', token, headers=ORIGIN)),
        (401, gate.get('/1.1/tenant', token, headers=ORIGIN | other_tenant)),
        (400, gate.get('/1.1/a%2fb', token, headers=ORIGIN)),
        (401, gate.options('/1.1/no-preflight', headers=ORIGIN | {'Access-Control-Request-Method': 'PUT'})),
        (401, gate.get('/1.1/failed', headers=ORIGIN)),
    ):
        assert (answer.status_code, cors(answer)) == (status, ALLOWED), answer.url
        assert answer.headers['Content-Type'] == 'application/json'
    assert cors(gate.get('/1.1/x')) == {'Access-Control-Allow-Origin': ['*']}


def test_503_can_be_read(stack, gate, wait_until):
    with stack.away(stack.postgres, frozen=True):
        answer = gate.get('/1.1/x', str(uuid.uuid4()), headers=ORIGIN)
    assert (answer.status_code, cors(answer)) == (503, ALLOWED)
    assert int(answer.headers['Retry-After']) > 0
    wait_until(lambda: gate.get('/1.1/x', str(uuid.uuid4())).status_code == 401, 15)


def test_the_daemons_own_answers_are_left_alone(gate, token):
    for target in ('/1.1/x', '/1.1/refused', '/nowhere'):
        assert cors(gate.get(target, token, headers=ORIGIN)) == ALLOWED
    assert cors(gate.get('/1.1/x', token)) == {}


def test_the_apis_own_answers_too(gate):
    for answer in (
        gate.get('/api/0.1/users', headers=ORIGIN),
        gate.post('/api/0.1/token', headers=ORIGIN),
        gate.get('/api/0.1/backends', headers=ORIGIN),
    ):
        assert cors(answer) == ALLOWED
    too_large = gate.post('/api/0.1/token', data='x' * 200, headers=ORIGIN)
    assert (too_large.status_code, cors(too_large)) == (413, ALLOWED)


def test_what_the_administrator_adds_wins(gate, token):
    refused = gate.get('/1.1/added/always', headers=ORIGIN)
    assert (refused.status_code, cors(refused)) == (
        401,
        {'Access-Control-Allow-Origin': ['https://administrator.example']},
    )
    assert cors(gate.get('/1.1/added-to-success', headers=ORIGIN)) == ALLOWED
    assert cors(gate.get('/1.1/empty', headers=ORIGIN)) == ALLOWED  # nginx adds no empty header
    assert cors(gate.get('/1.1/vary', headers=ORIGIN)) == ALLOWED | {'Vary': ['Accept, Origin']}


def test_other_pages_in_place_of_the_refusal(gate):
    page = gate.get('/1.1/page', headers=ORIGIN)
    assert (page.status_code, page.text, cors(page)) == (401, '<p>log in</p>', ALLOWED)
    # What comes from the daemon has the daemon's.
    for target in ('/1.1/behind', '/1.1/with-page-of-daemon'):
        answer = gate.get(target, headers=ORIGIN)
        assert (answer.status_code, answer.json()['target'], cors(answer)) == (401, '/1.1/refused', ALLOWED)
    redirected = gate.get('/1.1/other-status', headers=ORIGIN)
    assert (redirected.status_code, cors(redirected)) == (302, {})


def test_what_others_refuse_is_theirs(gate, token):
    answer = gate.get('/1.1/forbidden', token, headers=ORIGIN)
    assert (answer.status_code, cors(answer)) == (403, {})


def test_the_yaml_says_which_origins(new_nginx, token):
    gate = new_nginx(
        'origins',
        {
            'origins': ['https://app.example'],
            'supports_credentials': True,
            'expose_headers': ['Retry-After', 'Location'],
        },
    ).gate
    assert cors(gate.get('/1.1/x', headers=ORIGIN)) == ALLOWED | {
        'Access-Control-Allow-Credentials': ['true'],
        'Access-Control-Expose-Headers': ['Location, Retry-After'],
    }
    for headers in ({'Origin': 'https://other.example'}, {}):
        assert cors(gate.get('/1.1/x', headers=headers)) == {}


def test_the_yaml_switches_it_off(new_nginx):
    assert cors(new_nginx('off', {'enabled': False}).gate.get('/1.1/x', headers=ORIGIN)) == {}
    assert cors(new_nginx('any', {'send_wildcard': True}).gate.get('/1.1/x', headers=ORIGIN)) == {
        'Access-Control-Allow-Origin': ['*']
    }


# -- a browser ---------------------------------------------------------------------------------------------------------

# #result has the status and the answer's JSON, or the browser's complaint.
APP = """<!doctype html><meta charset=utf-8><title>app</title><p id=result></p>
<script>
const ask = async (url, token) => {
  let text;
  try {
    const answer = await fetch(url, {method: 'PUT', headers: {'X-Auth-Token': token}});
    text = JSON.stringify([answer.status, await answer.json()]);
  } catch (e) {
    text = JSON.stringify([0, String(e)]);
  }
  document.getElementById('result').textContent = text;
};
</script>
"""


@pytest.fixture(scope='module')
def app():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header('Content-Type', 'text/html')
            self.end_headers()
            self.wfile.write(APP.encode())

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://localhost:{server.server_port}/'
    server.shutdown()
    server.server_close()


def test_an_application_reads_that_its_token_is_over(app, gate, daemon, token, insert_token, wait_until):
    expired = insert_token(expiration=1)['token']
    wait_until(lambda: gate.get('/1.1/x', expired).status_code == 401, 10)
    with browser.chromium() as page:
        page.get(app)

        def ask(target, token):
            page.execute_script(
                "document.getElementById('result').textContent = ''; ask(arguments[0], arguments[1])",
                gate.base + target,
                token,
            )
            text = wait_for(page, lambda: page.find_element(By.ID, 'result').text, 'an answer')
            return json.loads(text)

        status, body = ask('/1.1/x', token)
        assert (status, body['method'], body['daemon']) == (200, 'PUT', daemon.port)
        status, body = ask('/1.1/x', expired)
        assert (status, body['details']['reason']) == (401, 'not_found_or_expired')
        status, body = ask('/1.1/read', token)
        assert (status, body['details']['required_access']) == (403, 'confd.users.read')
        # Without preflights nothing gets through to begin with: that is what `deny` says.
        assert ask('/1.1/no-preflight', token)[0] == 0
