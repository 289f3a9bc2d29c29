"""The Python daemon with its services, filled over its API, and an nginx that reads the daemon's own configuration.

The tests of this folder are one story, told in the order of the file: what one leaves behind is what the next one needs.
"""
import os
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from filling import Filling

from support import daemon, servers

CONF = """\
events { worker_connections 1024; }
http {
@TEMPORARY@
    access_log off;
    keepalive_requests 1000000;
    wazo_auth_config @CONFIG@;
    wazo_auth_zone tokens:16m;
    server {
        listen 127.0.0.1:@API_PORT@;
        location / { wazo_auth_api; }
    }
    server {
        listen 127.0.0.1:@GATE_PORT@;
        location = /known { wazo_auth on; alias @FOLDER@/answer; }
        location = /granted { wazo_auth on; wazo_auth_acl adoption.read; alias @FOLDER@/answer; }
    }
}
"""


class Client:
    """One server's API, or its gate."""

    def __init__(self, port, prefix='/0.1'):
        self.base = f'http://127.0.0.1:{port}{prefix}'
        self._local = threading.local()

    def request(self, method, path, token=None, json=None, auth=None, headers=None):
        session = getattr(self._local, 'session', None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
        headers = {**({'X-Auth-Token': token} if token else {}), **(headers or {})}
        auth = auth and tuple(part.encode() for part in auth)
        return session.request(method, self.base + path, json=json, auth=auth, headers=headers, timeout=60)

    def get(self, path, token=None, **options):
        return self.request('GET', path, token, **options)

    def post(self, path, token=None, json=None, **options):
        return self.request('POST', path, token, json={} if json is None else json, **options)

    def put(self, path, token=None, **options):
        return self.request('PUT', path, token, **options)

    def delete(self, path, token=None, **options):
        return self.request('DELETE', path, token, **options)

    def good(self, method, path, token=None, json=None, **options):
        """The tree of an answer that has to be 2xx."""
        answer = self.request(method, path, token, json=json, **options)
        assert answer.status_code in (200, 201, 204), f'{method} {self.base}{path}: {answer.status_code} {answer.text}'
        return answer.json() if answer.content else None

    def log_in(self, login, password, **body):
        """What POST /token gives, or None for 401."""
        headers = {'Wazo-Session-Type': 'mobile'} if body.pop('mobile', False) else None
        answer = self.post('/token', auth=(login, password), json=body, headers=headers)
        assert answer.status_code in (200, 401), f'{answer.status_code} {answer.text}'
        return answer.json()['data'] if answer.status_code == 200 else None

    def refresh(self, refresh_token, client_id):
        answer = self.post('/token', json={'refresh_token': refresh_token, 'client_id': client_id})
        assert answer.status_code in (200, 401), f'{answer.status_code} {answer.text}'
        return answer.json()['data'] if answer.status_code == 200 else None

    def alive(self, token):
        return self.request('HEAD', f'/token/{token}').status_code == 204


class World:
    def __init__(self):
        self.folder = servers.temporary_folder()
        self.python = daemon.Daemon(
            self.folder / 'daemon',
            {
                # Many sessions for few users; and the purge of expired tokens (every 2 s) runs on both sides.
                'max_user_concurrent_sessions': 10000,
                'debug': False,
                'default_policies': {'adoption_default': {'acl': ['adoption.read', 'auth.users.me.#']}},
                'all_users_policies': {'adoption_default': True},
            },
        )
        self.daemon = Client(self.python.port)
        self.nginx = None
        self.pool = ThreadPoolExecutor(16)

    def start(self):
        self.python.start()
        self.filling = Filling(self.daemon, daemon.ADMIN)

    def make_nginx(self):
        folder = self.folder / 'nginx'
        folder.mkdir()
        (folder / 'answer').write_text('answer\n')
        values = {'CONFIG': self.python.config, 'API_PORT': servers.free_port(), 'GATE_PORT': servers.free_port()}
        # As the daemon has them.
        environment = {'XIVO_UUID': 'the-predefined-xivo-uuid', 'TZ': 'UTC+1', 'OAUTHLIB_INSECURE_TRANSPORT': '1'}
        self.nginx = servers.Nginx(
            folder, servers.BUILD, CONF, (values['API_PORT'], '/0.1/backends'), values, environment
        )
        self.api = Client(values['API_PORT'])
        self.gate = Client(values['GATE_PORT'], '')

    def upgrade(self, *arguments):
        return subprocess.run(
            [servers.BUILD / 'wazo-auth-upgrade-db', '--config-file', self.python.config, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            cwd='/',
            check=False,
        )

    def at_both(self, function):
        """function(client) at both servers at the same time."""
        return tuple(self.pool.map(function, (self.daemon, self.api)))

    def close(self):
        self.pool.shutdown()
        if self.nginx:
            self.nginx.stop()
        self.python.close()
        if os.environ.get('WAZO_AUTH_KEEP'):
            print(f'kept: {self.folder}')
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope='session')
def world():
    lacking = daemon.missing()
    if lacking:
        pytest.exit(lacking, 2)
    made = World()
    try:
        made.start()
        yield made
    finally:
        made.close()
