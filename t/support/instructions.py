"""What a gated request costs over an ungated one, in instructions: counted by callgrind, without the noise of times.

One process of nginx runs under callgrind, and its first thread, the event loop, is counted alone. Requests to /mark end one
count and begin the next. A number is the difference of a long and a short series of requests over one connection, so
what a mark costs is no part of it; of several rounds the least counts, because now and then a timer goes off, or a token is
confirmed, while callgrind keeps the listening thread from its turn.
"""
import re
import socket
import sys
import uuid

from . import servers

ACCESSES = 100
REQUIRED = f'counted.resource{ACCESSES - 1}.7.read'  # granted by the last access
SHORT, LONG, ROUNDS = 10, 60, 12
KINDS = 'plain', 'gated', 'named'  # paths of one length; `named`: with identity headers
BARS = {'gated': 2000, 'named': 2600}  # more than plain, on a machine of docs/performance/gate.md

CONF = """\
events { worker_connections 64; }
http {
@TEMPORARY@
    access_log off;
    keepalive_requests 100000000;
    wazo_auth_config @CONFIG@;
    wazo_auth_zone tokens:16m;
    server {
        listen 127.0.0.1:@PORT@;
        location = /plain { empty_gif; }
        location = /gated { wazo_auth on; wazo_auth_identity off; wazo_auth_acl @REQUIRED@; empty_gif; }
        location = /named { wazo_auth on; wazo_auth_identity on; wazo_auth_acl @REQUIRED@; empty_gif; }
        location = /known { wazo_auth on; add_header X-Status $wazo_auth_status; empty_gif; }
        location = /mark { wazo_auth_ready; }
    }
}
"""


class Counted(servers.Nginx):
    """One process, under callgrind."""

    PREAMBLE = servers.Nginx.PREAMBLE.replace('master_process on', 'master_process off')
    start_timeout = 120
    stop_timeout = 60

    def __init__(self, folder, build, config):
        self.port = servers.free_port()
        values = {'WORKERS': 1, 'CONFIG': config, 'PORT': self.port, 'REQUIRED': REQUIRED, 'LOG_LEVEL': 'notice'}
        super().__init__(folder, build, CONF, None, values)

    def argv(self):
        return [
            'valgrind',
            '--tool=callgrind',
            '--separate-threads=yes',
            # All of the name: templates that take something of the handler's have it within theirs.
            '--dump-before=wazoauth::nginx::ready_handler(ngx_http_request_s*)',
            f'--callgrind-out-file={self.folder}/counts',
            *super().argv(),
        ]

    def ready(self):
        return servers.port_answers(self.port)


class Connection:
    def __init__(self, port, token):
        self._socket = socket.create_connection((servers.ADDRESS, port), 60)
        self._headers = f'Host: counted\r\nX-Auth-Token: {token}\r\n\r\n'

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def ask(self, path):
        """The head of the answer. Bodies are short enough to come with it."""
        self._socket.sendall(f'GET {path} HTTP/1.1\r\n{self._headers}'.encode())
        answer = b''
        while b'\r\n\r\n' not in answer or len(answer.partition(b'\r\n\r\n')[2]) < _length(answer):
            answer += self._socket.recv(65536)
        return answer.partition(b'\r\n\r\n')[0].decode()


def _length(answer):
    found = re.search(rb'content-length: (\d+)', answer, re.I)
    return int(found[1]) if found else 0


def insert_token(psql):
    """A user's, with ACCESSES accesses. Returns it."""
    token, session, user, tenant = (str(uuid.uuid4()) for _ in range(4))
    psql(
        f"""
        INSERT INTO auth_session (uuid, tenant_uuid, mobile)
          SELECT '{session}', uuid, false FROM auth_tenant WHERE uuid = parent_uuid;
        INSERT INTO auth_token (uuid, session_uuid, auth_id, issued_t, expire_t, metadata, user_agent, remote_addr, acl)
          SELECT '{token}', '{session}', '{user}', extract(epoch FROM now())::int, extract(epoch FROM now())::int + 7200,
                 json_build_object('uuid', '{user}', 'tenant_uuid', '{tenant}', 'auth_id', '{user}', 'purpose', 'user')::text,
                 'counted', '127.0.0.1',
                 (SELECT array_agg('counted.resource' || k || '.' || CASE WHEN k = {ACCESSES - 1} THEN '*' ELSE 'p' END
                   || '.read' ORDER BY k) FROM generate_series(0, {ACCESSES - 1}) k);"""
    )
    return token


SEEDING_CONF = """\
events { worker_connections 64; }
http {
@TEMPORARY@
    wazo_auth_config @CONFIG@;
    wazo_auth_zone tokens:16m;
    server { listen 127.0.0.1:@PORT@; location / { wazo_auth_api; } }
}
"""


def seeded(folder, build, postgres, database):
    """The configuration of a database of its own: locks that others left would be counted, too."""
    settings = {
        'db_uri': postgres.create_database(database, 'counted'),
        'db_upgrade_on_startup': True,
        'amqp': {'uri': 'amqp://127.0.0.1:1/'},
    }
    folder.mkdir()
    values = {'WORKERS': 1, 'CONFIG': servers.write_settings(folder, settings), 'PORT': servers.free_port()}
    nginx = servers.Nginx(folder, build, SEEDING_CONF, (values['PORT'], '/0.1/backends'), values)
    nginx.start().stop()
    return values['CONFIG']


def count(folder, build, postgres, database='counted'):
    """{kind: instructions of one request}; the counts of each function are in the folder."""
    config = seeded(folder.with_name(f'{folder.name}-seeding'), build, postgres, database)

    def psql(sql):
        return postgres.psql(database, sql)

    nginx = Counted(folder, build, config)
    nginx.start()
    token = insert_token(psql)
    series = [(kind, requests) for _ in range(ROUNDS) for kind in KINDS for requests in (SHORT, LONG)]
    try:
        with Connection(nginx.port, token) as connection:

            def known():
                return 'X-Status: hit' in connection.ask('/known')

            servers.wait_until(known, 120, 'a known token')
            for kind in KINDS:
                assert ' 200 ' in connection.ask(f'/{kind}')
            connection.ask('/mark')
            for kind, requests in series:
                for _ in range(requests):
                    connection.ask(f'/{kind}')
                connection.ask('/mark')
            assert known()
    finally:
        nginx.stop()
    assert not (folder / f'counts.{len(series) + 2}-01').exists(), 'a mark ended more than one count'
    least = {}
    for part, each in enumerate(series, 2):  # the first one ends with the first mark
        least[each] = min(_total(folder / f'counts.{part}-01'), least.get(each, sys.maxsize))
    return {kind: (least[kind, LONG] - least[kind, SHORT]) / (LONG - SHORT) for kind in KINDS}


def _total(file):
    return int(re.search(r'^(?:totals|summary): (\d+)', file.read_text(), re.M)[1])
