"""`./dev run` and `./dev stop`: the API and a gated example on this machine, over private servers that keep their data.

usage: playground.py run | stop | forget
"""
import base64
import json
import secrets
import shutil
import sys
import urllib.error
import urllib.request

from support import servers

STATE = servers.state_folder()
DATABASE = OWNER = 'wazo-auth'

CONF = """\
events { worker_connections 1024; }
http {
@TEMPORARY@
    log_format masked '$remote_addr [$time_iso8601] "$wazo_auth_request" $status $wazo_auth_status '
                      '$wazo_auth_trace_id';
    access_log @FOLDER@/access.log masked;
    wazo_auth_config @CONFIG@;
    wazo_auth_zone tokens:32m;
    wazo_auth_redis @REDIS@;
    wazo_auth_trace on;
    server {
        listen 127.0.0.1:@API_PORT@;
        location / { wazo_auth_api; }
        location /ui { wazo_auth_ui; }
    }
    server {
        listen 127.0.0.1:@GATE_PORT@;
        wazo_auth on;
        wazo_auth_identity on;
        location / { proxy_pass http://127.0.0.1:@UPSTREAM_PORT@; }
        location /reports/ {
            wazo_auth_acl example.reports.$wazo_auth_method_verb;
            proxy_pass http://127.0.0.1:@UPSTREAM_PORT@;
        }
        location = /metrics { wazo_auth off; wazo_auth_metrics; }
    }
    # The example upstream: tells who is asking, as the gate says it.
    server {
        listen 127.0.0.1:@UPSTREAM_PORT@;
        access_log off;
        default_type application/json;
        location / {
            set $who '"user": "$http_wazo_user_uuid", "tenant": "$http_wazo_token_tenant_uuid"';
            return 200 '{$who, "session": "$http_wazo_session_uuid"}\\n';
        }
    }
}
"""

TEXT = """
API        http://127.0.0.1:{api}/0.1      and, another nginx over the same database: http://127.0.0.1:{api2}/0.1
page       http://127.0.0.1:{api}/ui/      to look after users, sessions and the rest in a browser
gate       http://127.0.0.1:{gate}/         and http://127.0.0.1:{gate2}/
health     http://127.0.0.1:{api}/0.1/status    metrics: http://127.0.0.1:{gate}/metrics
logs       {state}/nginx/error.log and access.log: a request's trace id is in all lines about it
mails      go nowhere but to {mailbox}/
accounts   {admin} with password {admin_password} (may do everything)
           {visitor} with password {visitor_password} (may do nothing special){changed}
data       {state}

try
  curl -s -u {admin}:{admin_password} -H 'Content-Type: application/json' -d '{{}}' http://127.0.0.1:{api}/0.1/token
  token=$(curl -s -u {admin}:{admin_password} -H 'Content-Type: application/json' -d '{{}}' \\
    http://127.0.0.1:{api}/0.1/token | sed 's/.*"token": "\\([^"]*\\)".*/\\1/')
  visitor=$(curl -s -u {visitor}:{visitor_password} -H 'Content-Type: application/json' -d '{{}}' \\
    http://127.0.0.1:{api}/0.1/token | sed 's/.*"token": "\\([^"]*\\)".*/\\1/')
  curl -i -H "X-Auth-Token: $token" http://127.0.0.1:{gate}/reports/        # 200
  curl -i http://127.0.0.1:{gate}/reports/                                  # 401: no token
  curl -i -H "X-Auth-Token: $visitor" http://127.0.0.1:{gate}/              # 200: any token will do here
  curl -i -H "X-Auth-Token: $visitor" http://127.0.0.1:{gate}/reports/      # 403: too little access
  curl -i -X DELETE http://127.0.0.1:{api}/0.1/token/$token                # the token dies ...
  curl -i -H "X-Auth-Token: $token" http://127.0.0.1:{gate}/reports/        # 401, here
  curl -i -H "X-Auth-Token: $token" http://127.0.0.1:{gate2}/reports/        # 401, and on the other nginx
  curl -i 'http://127.0.0.1:{api}/0.1/users/password/reset?username={visitor}'   # 204, and a mail:
  cat {mailbox}/*      # open its link in a browser, with http: in place of https:, nothing speaks TLS here

./dev stop ends it; the data stays. ./dev clean --data removes it, and what was built.
"""

CHANGED = """
           PASSWORD stands for one that was changed meanwhile"""


class Playground:
    WANTED = {
        'api': 9497,
        'api2': 9498,
        'gate': 8080,
        'gate2': 8081,
        'upstream': 8090,
        'upstream2': 8091,
        'postgres': 15432,
        'redis': 16379,
        'rabbitmq': 15672,
        'rabbitmq_distribution': 15673,
        'rabbitmq_mapper': 14369,
        'mail': 10025,
    }

    def __init__(self):
        self.known = self._read('state.json')
        self.ports = self.WANTED | self.known.get('ports', {})
        self._make_servers()

    @staticmethod
    def _read(name):
        try:
            return json.loads((STATE / name).read_text())
        except (OSError, ValueError):
            return {}

    def _make_servers(self):
        ports = self.ports
        self.postgres = servers.Postgres(STATE / 'postgres', ports['postgres'])
        self.redis = servers.Redis(STATE / 'redis', ports['redis'])
        self.rabbitmq = servers.RabbitMQ(
            STATE / 'rabbitmq', ports['rabbitmq'], ports['rabbitmq_distribution'], ports['rabbitmq_mapper']
        )
        self.mail = servers.MailServer(STATE / 'mail', ports['mail'])
        self.nginx = [self._make_nginx(''), self._make_nginx('2')]

    def _make_nginx(self, suffix):
        values = {
            'API_PORT': self.ports['api' + suffix],
            'GATE_PORT': self.ports['gate' + suffix],
            'UPSTREAM_PORT': self.ports['upstream' + suffix],
            'CONFIG': STATE / 'etc/config.yml',
            'REDIS': self.redis.uri,
            'LOG_LEVEL': 'notice',
        }
        return servers.Nginx(
            STATE / f'nginx{suffix}', servers.BUILD, CONF, (values['API_PORT'], '/0.1/backends'), values
        )

    def _groups(self):
        """Servers and the names of the ports that each of them holds while it runs."""
        return [
            (self.nginx[0], ['api', 'gate', 'upstream']),
            (self.nginx[1], ['api2', 'gate2', 'upstream2']),
            (self.rabbitmq, ['rabbitmq', 'rabbitmq_distribution', 'rabbitmq_mapper']),
            (self.redis, ['redis']),
            (self.postgres, ['postgres']),
            (self.mail, ['mail']),
        ]

    def _choose_ports(self):
        """Each server that doesn't run gets the ports that it had, or wants, or the next free ones."""
        kept = [name for server, names in self._groups() if server.pid for name in names]
        before = dict(self.ports)
        for name in self.WANTED:
            if name not in kept:
                self.ports[name] = servers.free_port(self.ports[name])  # no port is given twice
        if self.ports != before:
            self._make_servers()

    def run(self):
        STATE.mkdir(parents=True, exist_ok=True)
        STATE.chmod(0o755)
        self._choose_ports()
        self.known.setdefault('admin', {'username': 'admin', 'password': secrets.token_urlsafe(15)})
        self.known.setdefault('visitor', {'username': 'visitor', 'password': secrets.token_urlsafe(15)})
        self.known['ports'] = self.ports
        file = STATE / 'state.json'
        file.touch(mode=0o600)
        file.write_text(json.dumps(self.known, indent=2) + '\n')

        for server in (self.postgres, self.redis, self.rabbitmq, self.mail):
            print(f'starting {server.name}', flush=True)
            server.start()
        if not self.postgres.has_database(DATABASE):
            self.postgres.create_database(DATABASE, OWNER)
        self._write_settings()
        for nginx in self.nginx:
            if nginx.pid and self._outdated(nginx):
                nginx.stop()
            print('starting nginx', flush=True)
            nginx.start()
        admin = self._log_in(self.known['admin'])
        if admin:  # else its password was changed, after an earlier run that made the visitor
            person = self.known['visitor'] | {'email_address': 'visitor@example.com'}
            self._post('/users', person, {'X-Auth-Token': admin}, accepted=409)
        print(self._text({'admin': admin, 'visitor': self._log_in(self.known['visitor'])}))

    def _text(self, tokens):
        shown = {}
        for name, token in tokens.items():
            account = self.known[name]
            shown[name] = account['username']
            shown[f'{name}_password'] = account['password'] if token else 'PASSWORD'
        return TEXT.format(
            **{name: self.ports[name] for name in ('api', 'api2', 'gate', 'gate2')},
            **shown,
            state=STATE,
            mailbox=self.mail.mailbox,
            changed=CHANGED if 'PASSWORD' in shown.values() else '',
        )

    @staticmethod
    def _outdated(nginx):
        """A reload keeps the module's old code, so a new build needs a restart."""
        started = nginx.conf_file.stat().st_mtime
        return nginx.module.stat().st_mtime > started or nginx.conf_file.read_text() != nginx.text()

    def _write_settings(self):
        admin = self.known['admin']
        servers.write_settings(
            STATE / 'etc',
            {
                'db_uri': self.postgres.uri(DATABASE, OWNER),
                'db_upgrade_on_startup': True,
                'amqp': {'uri': self.rabbitmq.uri},
                'smtp': {'hostname': '127.0.0.1', 'port': self.mail.port},
            },
            {
                '50-administrator': {
                    'bootstrap_user_on_startup': True,
                    'bootstrap_user_username': admin['username'],
                    'bootstrap_user_password': admin['password'],
                }
            },
        )

    def _log_in(self, account):
        """A token for a minute, None with a password that was changed."""
        basic = base64.b64encode(f"{account['username']}:{account['password']}".encode()).decode()
        answer = self._post('/token', {'expiration': 60}, {'Authorization': f'Basic {basic}'}, accepted=401)
        return answer and answer['data']['token']

    def _post(self, path, body, headers, accepted):
        """None when the answer is the `accepted` error."""
        url = f"http://127.0.0.1:{self.ports['api']}/0.1{path}"
        headers = {'Content-Type': 'application/json', **headers}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=30
            ) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code != accepted:
                raise
            return None

    def stop(self):
        running = [server for server, _ in self._groups() if server.pid]
        for server in running:
            print(f'stopping {server.name}', flush=True)
            server.stop()
        if not running:
            print('nothing runs', flush=True)


def main(command):
    playground = Playground()
    if command == 'run':
        playground.run()
    elif command in ('stop', 'forget'):
        playground.stop()
        if command == 'forget':
            shutil.rmtree(STATE, ignore_errors=True)
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ''))
    except servers.ServerError as error:
        sys.exit(str(error))
