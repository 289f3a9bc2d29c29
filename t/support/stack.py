"""One set of real servers for all tests, see t/e2e/conftest.py."""
import contextlib
import uuid
from concurrent.futures import ThreadPoolExecutor

import requests

from support import servers
from support.client import Client
from support.document import Document
from support.logs import SECRETS, WATCH
from support.upstream import Upstream

ADMIN = {'username': 'e2e-admin', 'password': 'correct-horse-9f31c0'}
DATABASE = 'wazo-auth'
OWNER = 'wazo-auth'

HTTP = """\
events { worker_connections 2048; }
http {
@TEMPORARY@
    log_format masked '$remote_addr [$time_iso8601] "$wazo_auth_request" $status $wazo_auth_status '
                      '$wazo_auth_user_uuid $wazo_auth_required_acl';
    access_log @FOLDER@/access.log masked;
    client_max_body_size 16m;
    keepalive_requests 1000000;
    wazo_auth_config @CONFIG@;
    wazo_auth_zone tokens:@ZONE@;
    @REDIS@
    upstream upstream { server 127.0.0.1:@UPSTREAM_PORT@; keepalive 8; }
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
@HTTP@
    server {
        listen 127.0.0.1:@API_PORT@;
        location / { wazo_auth_api; }
        location = /metrics { wazo_auth off; access_log off; wazo_auth_metrics; }
    }
@SERVERS@
}
"""

GATED = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        wazo_auth on;
        wazo_auth_identity on;
        location / { proxy_pass http://upstream; }
        location = /read { wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
        location = /verb { wazo_auth_acl confd.users.$wazo_auth_method_verb; proxy_pass http://upstream; }
        location ~ ^/users/(?<owner>[^/]+)/ { wazo_auth_acl confd.users.$owner.read; proxy_pass http://upstream; }
        location = /grace0 { wazo_auth_grace 0; proxy_pass http://upstream; }
        location = /grace2 { wazo_auth_grace 2s; proxy_pass http://upstream; }
        location = /ws {
            proxy_pass http://upstream;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout 1h;
        }
        location = /open { wazo_auth off; proxy_pass http://upstream; }
        location = /metrics { wazo_auth off; wazo_auth_metrics; }
    }
"""


def metrics(nginx):
    """{name with labels: number}"""
    answer = requests.get(f"http://127.0.0.1:{nginx.values['API_PORT']}/metrics", timeout=20)
    assert answer.status_code == 200, answer.text
    lines = [line.rsplit(' ', 1) for line in answer.text.splitlines() if line and not line.startswith('#')]
    return {name: float(value) for name, value in lines}


def is_well(nginx):
    """Does it hear PostgreSQL's notifications, and does its API find the database? Nobody has asked for this token."""
    heard = metrics(nginx)['wazo_auth_listen_age_seconds'] < 1
    return heard and nginx.api.head(f'/token/{uuid.uuid4()}').status_code == 404


class Stack:
    def __init__(self):
        self.folder = servers.temporary_folder()
        self.postgres = servers.Postgres(self.folder / 'postgres', servers.free_port(), durable=False)
        self.redis = servers.Redis(self.folder / 'redis', servers.free_port())
        self.rabbitmq = servers.RabbitMQ(
            self.folder / 'rabbitmq', servers.free_port(), servers.free_port(), servers.free_port()
        )
        self.mail = servers.MailServer(self.folder / 'mail', servers.free_port())
        self.upstream = None
        self.database_uri = None
        self.all_nginx = []

    def settings(self, **changes):
        """wazo-auth's configuration as all nginx have it; `changes` replace top-level keys."""
        settings = {
            'db_uri': self.database_uri,
            'db_upgrade_on_startup': True,
            'db_connect_retry_timeout_seconds': 30,
            'debug': True,
            'amqp': {'uri': self.rabbitmq.uri},
            'smtp': {'hostname': '127.0.0.1', 'port': self.mail.port},
            'bootstrap_user_on_startup': True,
            'bootstrap_user_username': ADMIN['username'],
            'bootstrap_user_password': SECRETS.password(ADMIN['password']),
        }
        return settings | changes

    def new_nginx(
        self,
        name,
        servers_text=GATED,
        http='',
        zone='16m',
        redis=True,
        workers=2,
        settings=None,
        environment=None,
        start=True,
    ):
        """A further nginx over the same servers.

        servers_text: server blocks beside the API's; @GATE_PORT@ in it is the port of .gate. http: directives of the
        http block. redis: False for none, or a URI. settings: changed keys of the YAML. The object has .api, .gate.
        """
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        settings = self.settings(**(settings or {}))
        config = servers.write_settings(folder, settings)
        redis_uri = self.redis.uri if redis is True else redis
        values = {
            'API_PORT': servers.free_port(),
            'GATE_PORT': servers.free_port(),
            'UPSTREAM_PORT': self.upstream.port,
            'CONFIG': config,
            'ZONE': zone,
            'REDIS': f'wazo_auth_redis {redis_uri};' if redis_uri else '',
            'HTTP': http,
            'SERVERS': servers_text,
            'WORKERS': workers,
        }
        nginx = servers.Nginx(folder, servers.BUILD, HTTP, (values['API_PORT'], '/0.1/backends'), values, environment)
        nginx.name_in_tests = name
        nginx.database_uri = settings['db_uri']
        nginx.api = Client(values['API_PORT'], '/0.1')
        nginx.gate = Client(values['GATE_PORT'])
        nginx.clients = [nginx.api, nginx.gate]
        self.all_nginx.append(nginx)
        WATCH.add(nginx)
        if start:
            nginx.start()
        return nginx

    def start(self):
        with ThreadPoolExecutor(4) as pool:
            for started in [
                pool.submit(server.start) for server in (self.rabbitmq, self.postgres, self.redis, self.mail)
            ]:
                started.result()
        self.database_uri = self.postgres.create_database(DATABASE, OWNER)
        self.upstream = Upstream(servers.free_port())
        self.nginx = self.new_nginx('nginx')
        Client.document = Document(self.nginx.api.get('/api/api.yml').text)
        self.nginx2 = self.new_nginx('nginx2')
        return self

    @contextlib.contextmanager
    def away(self, server, frozen=False):
        """The server is stopped, or frozen, meanwhile; afterwards every nginx that uses it works as before.

        A test that leaves earlier would have the next one measure how nginx recovers.
        """
        if frozen:
            server.freeze()
        else:
            server.stop()
        try:
            yield
        finally:
            if frozen:
                server.thaw()
            else:
                server.start()
            self.wait_recovered(server)

    def wait_recovered(self, server):
        if server is self.postgres:
            place = f'@127.0.0.1:{server.port}/'
            for nginx in self.all_nginx:
                if nginx.pid and place in nginx.database_uri:
                    servers.wait_until(lambda: is_well(nginx), 30, f'{nginx.name_in_tests} as before')
        for target in {self.redis: ['redis'], self.rabbitmq: ['bus']}.get(server, ()):
            waiting = f"SELECT count(*) FROM wazo_auth.outbox WHERE target = '{target}'"
            servers.wait_until(
                lambda: self.postgres.psql(DATABASE, waiting) == '0', 40, f'an empty outbox to {target}', 0.1
            )

    def stop(self):
        for nginx in self.all_nginx:
            nginx.stop()
        for server in (self.mail, self.rabbitmq, self.redis, self.postgres):
            server.stop()
        if self.upstream:
            self.upstream.close()
