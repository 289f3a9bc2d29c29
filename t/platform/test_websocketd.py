"""wazo-websocketd's own code behind the gate: its clients renew their tokens by messages that nginx doesn't see.

Two of it run, unmodified, from the checkouts in REF: one asks the gate's own nginx about tokens, one asks another.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
import pytest
import websocket
import yaml

from support import servers
from support.client import ends
from support.stack import ADMIN, Stack

REF = Path(os.environ.get('REF') or '/tmp/ref')
CHECKOUTS = ('wazo-websocketd', 'wazo-auth-client', 'wazo-lib-rest-client', 'xivo-lib-python')
SERVERS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        wazo_auth on;
        wazo_auth_token_from header:X-Auth-Token query:token;
        wazo_auth_close_codes on;
        proxy_read_timeout 90s;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        location /same/ { wazo_auth_acl websocketd; proxy_pass http://127.0.0.1:@SAME@/; }
        location /another/ { wazo_auth_acl websocketd; proxy_pass http://127.0.0.1:@ANOTHER@/; }
    }
"""
FIREFOX, CHROME = ({'User-Agent': name} for name in ('firefox', 'chrome'))


class Websocketd:
    """One that asks this nginx's API."""

    def __init__(self, folder, libraries, api_port, broker, key):
        folder.mkdir()
        self.port = servers.free_port()
        self.log = folder / 'websocketd.log'
        (folder / 'key.yml').write_text(yaml.safe_dump(key))
        config = {
            'user': '',
            'log_file': str(self.log),
            'extra_config_files': str(folder / 'none'),
            'auth': {
                'host': '127.0.0.1',
                'port': api_port,
                'https': False,
                'prefix': '',
                'key_file': str(folder / 'key.yml'),
            },
            'bus': broker,
            'websocket': {'listen': '127.0.0.1', 'port': self.port},
            'process_workers': 1,
        }
        (folder / 'config.yml').write_text(yaml.safe_dump(config))
        paths = [str(libraries), *(str(REF / name) for name in CHECKOUTS)]
        self._process = subprocess.Popen(
            [sys.executable, '-c', 'from wazo_websocketd.main import main; main()', '-c', str(folder / 'config.yml')],
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths), 'XIVO_UUID': 'platform', 'no_proxy': '*'},
            stdout=subprocess.DEVNULL,
            stderr=open(folder / 'stderr', 'wb'),
            start_new_session=True,
        )

    def wait(self):
        def answers():
            if self._process.poll() is not None:
                raise servers.ServerError(f'wazo-websocketd: {(self.log.parent / "stderr").read_text()[-2000:]}')
            try:
                # Without the master tenant, which its own token tells, it lets nobody in.
                return ends(open_one(f'ws://127.0.0.1:{self.port}/')) == 4001
            except OSError:
                return False

        servers.wait_until(answers, 60)

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()


def open_one(url, **options):
    return websocket.create_connection(url, timeout=15, **options)


def say(connection, operation, **data):
    """The answer of websocketd."""
    connection.send(json.dumps({'op': operation, 'data': data}))
    return json.loads(connection.recv())


def lives(connection):
    try:
        return say(connection, 'ping', payload='x')['data'] == {'payload': 'x'}
    except (websocket.WebSocketException, OSError, ValueError):
        return False


class Platform:
    def __init__(self):
        lacking = [str(REF / name) for name in CHECKOUTS if not (REF / name).is_dir()]
        if lacking:
            pytest.fail(f'REF (now {REF}) lacks: {", ".join(lacking)}', pytrace=False)
        self.stack = Stack()
        self.daemons = {}

    def start(self):
        stack = self.stack.start()
        self.gate = stack.new_nginx('websocketd', SERVERS, start=False)
        libraries = stack.folder / 'libraries'  # what names the client's commands
        libraries.mkdir()
        subprocess.run(
            [sys.executable, 'setup.py', '-q', 'egg_info', '--egg-base', libraries],
            cwd=REF / 'wazo-auth-client',
            check=True,
            capture_output=True,
        )
        self.gate.values |= {'SAME': servers.free_port(), 'ANOTHER': servers.free_port()}
        self.gate.start()
        self.admin = self.log_in(ADMIN['username'], ADMIN['password'])['token']
        key = self.make_user(['auth.#'], purpose='internal')
        host, _, port = stack.rabbitmq.uri.rpartition('@')[2].rstrip('/').rpartition(':')
        broker = {'host': host, 'port': int(port.partition('/')[0]), 'username': 'guest', 'password': 'guest'}
        for name, nginx in ('same', self.gate), ('another', stack.nginx2):
            self.daemons[name] = Websocketd(
                stack.folder / name,
                libraries,
                nginx.values['API_PORT'],
                broker,
                {'service_id': key['username'], 'service_key': key['password']},
            )
        self.gate.values |= {name.upper(): each.port for name, each in self.daemons.items()}
        self.gate.reload()
        for each in self.daemons.values():
            each.wait()

    def stop(self):
        for each in self.daemons.values():
            each.stop()
        self.stack.stop()
        if not os.environ.get('WAZO_AUTH_KEEP'):
            shutil.rmtree(self.stack.folder, ignore_errors=True)

    def api(self, which='another'):
        return self.gate.api if which == 'same' else self.stack.nginx.api

    def log_in(self, username, password, which='another', headers=None, **body):
        answer = self.api(which).post('/token', auth=(username, password), json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()['data']

    def make_user(self, acl, **fields):
        name = f'user-{time.monotonic_ns()}'
        user = {'username': name, 'password': f'secret of {name}', **fields}
        answer = self.api().post('/users', self.admin, json=user)
        assert answer.status_code == 200, answer.text
        policy = self.api().post('/policies', self.admin, json={'name': name, 'acl': acl})
        assert policy.status_code == 200, policy.text
        path = f"/users/{answer.json()['uuid']}/policies/{policy.json()['uuid']}"
        assert self.api().put(path, self.admin).status_code == 204
        return user | {'uuid': answer.json()['uuid']}

    def sql(self, statement):
        with psycopg2.connect(self.stack.database_uri) as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def connect(self, token, which):
        """Through the gate."""
        url = f"ws://127.0.0.1:{self.gate.values['GATE_PORT']}/{which}/?version=2"
        return open_one(url + (f'&token={token}' if token else ''))


@pytest.fixture(scope='module')
def platform():
    made = Platform()
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def user(platform):
    return platform.make_user(['websocketd', 'events.#'])


@pytest.fixture(params=['same', 'another'])
def which(request):
    """The nginx that websocketd asks, and at which the client logs in: the gate's own, or another one."""
    return request.param


@pytest.fixture
def clients(platform, user, which):
    """How a client gets its first token and the next one."""

    def password(_=None, headers=FIREFOX):
        return platform.log_in(user['username'], user['password'], which, headers)

    def offline(_=None):
        more = {'access_type': 'offline', 'client_id': 'softphone'}
        return platform.log_in(user['username'], user['password'], which, FIREFOX, **more)

    def refresh(first, headers=FIREFOX):
        body = {'refresh_token': first['refresh_token'], 'client_id': 'softphone'}
        answer = platform.api(which).post('/token', json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()['data']

    return {
        'refresh token': (offline, refresh),
        'refresh token, another user agent': (offline, lambda first: refresh(first, CHROME)),
        'password again': (password, password),
        'password, then for a refresh token': (password, offline),
        'refresh token, then password': (offline, password),
        'password again, another user agent': (password, lambda first: password(headers=CHROME)),
    }


SAME_CLIENT = [
    'refresh token',
    'refresh token, another user agent',
    'password again',
    'password, then for a refresh token',
    'refresh token, then password',
]


@pytest.fixture
def renewed(platform, clients, which):
    """A connection whose client has told websocketd its next token; with both tokens."""
    made = []

    def make(how):
        get_first, get_next = clients[how]
        first = get_first()
        connection = platform.connect(first['token'], which)
        made.append(connection)
        assert json.loads(connection.recv())['op'] == 'init'
        following = get_next(first)
        assert say(connection, 'token', token=following['token']) == {'op': 'token', 'code': 0, 'data': None}
        return connection, first, following

    yield make
    for each in made:
        each.close(timeout=0)
        each.shutdown()


def expire(platform, token):
    platform.sql(f"UPDATE auth_token SET expire_t = {int(time.time())} WHERE uuid = '{token['token']}'")


@pytest.mark.parametrize('how', SAME_CLIENT)
def test_a_renewed_connection_outlives_its_first_token(platform, renewed, how):
    connection, first, following = renewed(how)
    expire(platform, first)
    time.sleep(3)
    assert lives(connection)
    assert platform.api().delete(f"/sessions/{following['session_uuid']}", platform.admin).status_code == 204
    assert ends(connection) == 4003


@pytest.mark.parametrize('how', SAME_CLIENT)
def test_also_when_a_tidy_client_deletes_it(platform, renewed, which, how):
    connection, first, following = renewed(how)
    assert platform.api(which).delete(f"/token/{first['token']}").status_code == 200
    time.sleep(1)
    assert lives(connection)
    assert platform.api().delete(f"/sessions/{following['session_uuid']}", platform.admin).status_code == 204
    assert ends(connection) == 4003


def test_another_user_agent_with_a_password_is_another_client(platform, renewed):
    connection, first, _ = renewed('password again, another user agent')
    expire(platform, first)
    assert ends(connection) == 4003


def test_a_token_that_is_not_renewed_ends(platform, clients, which):
    first = clients['password again'][0]()
    connection = platform.connect(first['token'], which)
    assert json.loads(connection.recv())['op'] == 'init'
    expire(platform, first)
    assert ends(connection) == 4003


def test_a_revoked_user_is_out_at_once(platform, renewed, user):
    """Milliseconds from the first request on, of which there is one for each session."""
    took = []
    for _ in range(10):
        connection, _, _ = renewed('refresh token')
        began = time.monotonic()
        sessions = platform.api().get(f"/users/{user['uuid']}/sessions", platform.admin).json()['items']
        for session in sessions:
            platform.api().delete(f"/users/{user['uuid']}/sessions/{session['uuid']}", platform.admin)
        assert ends(connection) == 4003
        took.append((time.monotonic() - began) * 1000)
    print(f'median {statistics.median(took):.0f} ms, most {max(took):.0f} ms')
    assert statistics.median(took) < 200


def test_a_deleted_user_is_out(platform, renewed, user):
    connection, _, _ = renewed('refresh token')
    assert platform.api().delete(f"/users/{user['uuid']}", platform.admin).status_code == 204
    assert ends(connection) == 4003


@pytest.mark.parametrize('lacks', ['token', 'life', 'access'])
def test_a_refusal_is_told_as_websocketd_tells_it(platform, clients, which, lacks):
    """With and without the gate."""
    if lacks == 'token':
        token = ''
    elif lacks == 'life':
        token = clients['password again'][0]()['token']
        platform.api().delete(f'/token/{token}')
    else:
        stranger = platform.make_user(['confd.#'])
        token = platform.log_in(stranger['username'], stranger['password'])['token']
    query = f'?token={token}' if token else ''
    direct = open_one(f'ws://127.0.0.1:{platform.daemons[which].port}/{query}')
    with_gate = platform.connect(token, which)
    told = ends(direct)
    assert told == (4001 if lacks == 'token' else 4002)
    assert ends(with_gate) == told
    for each in direct, with_gate:
        each.shutdown()
