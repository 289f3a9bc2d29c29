"""External services as tests meet them: who holds tokens of whom, and all that a consent needs."""
import contextlib
import json
import socket
import uuid

from support import oauth2_peers, servers
from support.checks import label
from support.logs import SECRETS
from support.stack import GATED

CLIENT = {'client_id': 'a client', 'client_secret': 'secret-5d0c8a11'}
LANDING = """
    server {
        listen 127.0.0.1:@LANDING_PORT@;
        location = /back { wazo_auth_oauth2; }
    }
"""


def path_of(user, type_='mobile'):
    return f"/users/{user['uuid']}/external/{type_}"


def of(user):
    return lambda event: event.body['data']['user_uuid'] == user['uuid']


class World:
    """Two nginx, a broker, the provider of npm ("mock"), and one that misbehaves.

    google, through_mock: with the broker; own, own_mock: without. microsoft: a broker that isn't there.
    """

    def __init__(self, stack):
        self.stack = stack
        self.name = label('oauth2')
        self.broker = oauth2_peers.Broker(servers.free_port())
        self.provider = oauth2_peers.Provider(servers.free_port())
        self.mock = servers.OAuth2Provider(stack.folder / self.name, servers.free_port()).start()
        self.landing_port = servers.free_port()
        self.back = f'http://127.0.0.1:{self.landing_port}/back'
        self.nginx = [self.new('a', self.landing_port), self.new('b', servers.free_port())]
        self.api, self.api2 = [nginx.api for nginx in self.nginx]

    def settings(self, **changes):
        at = f'127.0.0.1:{self.broker.port}'
        broker = {'websocket_host': f'ws://{at}/', 'redirect_uri': f'http://{at}/authorize'}
        own = {'websocket_host': None, 'redirect_uri': self.back}
        provider = {
            'authorization_base_url': 'https://consent.example/auth?x=1',
            'token_url': f'http://127.0.0.1:{self.provider.port}/token',
        }
        mock = {'authorization_base_url': f'{self.mock.base}/authorize', 'token_url': f'{self.mock.base}/token'}
        return {
            'google': {
                **provider,
                **broker,
                'scope': ['one', 'two'],
                'authorization_base_url': 'https://consent.example/auth',
            },
            'microsoft': {**provider, **broker, 'websocket_host': f'ws://127.0.0.1:{servers.free_port()}'},
            'external_auth_timeout': 2,
            'external_auth_types': {
                'own': {'oauth2': {**provider, **own, 'parameters': {'prompt': 'consent'}}},
                'own_mock': {
                    'oauth2': {**mock, **own, 'scope': ['mock']},
                    'plugin_info': {'name': 'Mock'},
                    'shown': {'scope': {'type': 'list', 'items': {}}},
                },
                'through_mock': {'oauth2': {**mock, **broker}},
            },
        } | changes

    def new(self, name, landing_port, workers=2, **settings):
        return self.stack.new_nginx(
            f'{self.name}-{name}',
            GATED + LANDING.replace('@LANDING_PORT@', str(landing_port)),
            workers=workers,
            settings=self.settings(**settings),
            environment={'OAUTHLIB_INSECURE_TRANSPORT': '1'},
        )

    def end(self):
        for nginx in self.nginx:
            nginx.stop()
        self.broker.end()
        self.provider.end()
        self.mock.stop()


def send(port, method, target, token=None):
    connection = socket.create_connection(('127.0.0.1', port), 10)
    lines = [f'{method} {target} HTTP/1.1', 'Host: a', 'Content-Type: application/json', 'Content-Length: 2']
    lines += [f'X-Auth-Token: {token}'] if token else []
    connection.sendall('\r\n'.join([*lines, '', '{}']).encode())
    return connection


@contextlib.contextmanager
def one_who_leaves(nginx, port, target, token=None):
    """At the end nginx knows it."""

    def left():
        return nginx.access_log.read_text().count('" 499 ')

    before = left()
    with send(port, 'GET', target, token):
        yield
    servers.wait_until(lambda: left() > before, 10, 'a client that has left')


def code():
    return SECRETS.password(f'code-{uuid.uuid4().hex}')


def connected(psql, user, type_='google'):
    """A user whose token has expired."""
    data = json.dumps({'access_token': 'a', 'refresh_token': 'r', 'token_expiration': 1, 'scope': []})
    psql(
        f"INSERT INTO auth_external_auth_type (name) VALUES ('{type_}') ON CONFLICT DO NOTHING; "
        f"INSERT INTO auth_user_external_auth SELECT '{user['uuid']}', uuid, '{data}' FROM auth_external_auth_type "
        f"WHERE name = '{type_}'"
    )


def expire(psql, user, seconds=0):
    psql(
        "UPDATE auth_user_external_auth SET data = jsonb_set(data::jsonb, '{token_expiration}', "
        f"to_jsonb(extract(epoch FROM now())::bigint + {seconds}))::text WHERE user_uuid = '{user['uuid']}'"
    )


def stored(psql, user):
    return json.loads(psql(f"SELECT data FROM auth_user_external_auth WHERE user_uuid = '{user['uuid']}'"))


def is_page(answer, status, title):
    assert answer.status_code == status
    assert f'<h1>{title}</h1>' in answer.text
    assert answer.headers['Content-Type'] == 'text/html; charset=utf-8'
    assert answer.headers['Cache-Control'] == 'no-store'
    assert answer.headers['Referrer-Policy'] == 'no-referrer'
    assert "default-src 'none'" in answer.headers['Content-Security-Policy']


def pending(psql, user):
    return psql(f"SELECT count(*) FROM wazo_auth.pending_authorization WHERE user_uuid = '{user['uuid']}'")
