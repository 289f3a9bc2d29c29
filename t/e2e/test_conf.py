"""Every file of conf/ as it is shipped: nginx starts with it, without a warning, in front of daemons that answer as those
of the platform do; one logs in through the published address, and each location lets through and refuses whom it should.
"""
import json
import re
import uuid
from dataclasses import dataclass

import pytest
import requests
import websocket
import yaml

from support import servers, shipped
from support.client import Client, ends
from support.logs import SECRETS, WATCH, LogReader
from support.servers import BUILD
from support.upstream import Daemon, Websocketd

ORIGIN = {'Origin': 'https://app.example'}
PREFLIGHT = ORIGIN | {'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'x-auth-token'}


@dataclass
class Location:
    """What a location of the file does with a request for `path`."""

    path: str
    port: int = 0  # of the daemon, in the file; 0: it is this nginx that answers
    target: str = ''  # what the daemon is asked for
    open: bool = False  # without a token
    access: str = ''  # that the token needs
    denied: int = 403  # ... or else
    query: str = ''  # the token may be in the query: 'kept' there or 'stripped'
    method: str = 'GET'
    status: int = 200  # of an answer of this nginx
    websocket: bool = False


UUID = '2f9a6b1c-0000-4000-8000-0000000000aa'


def daemon(name, port, version, route, **more):
    """The location of a daemon below /api/ and that of its API's description."""
    return {
        f'^~ /api/{name}/': Location(f'/api/{name}/{version}/{route}', port, f'/{version}/{route}', **more),
        f'= /api/{name}/{version}/api/api.yml': Location(
            f'/api/{name}/{version}/api/api.yml', port, f'/{version}/api/api.yml', open=True
        ),
    }


def one(name, port, path, **more):
    return Location(f'/api/{name}{path}', port, path, **more)


API = {
    '/': Location('/0.1/backends', open=True),
    '= /metrics': Location('/metrics', open=True),
}
# Locations of the server with the API alone, and of the published one.
EXPECTED = {
    'example.conf': (
        {'= /ready': Location('/ready', open=True), '= /report': Location('/report', open=True)} | API,
        {
            '^~ /api/auth/': Location('/api/auth/0.1/backends', open=True),
            '^~ /api/auth/ui': Location('/api/auth/ui/', open=True),
            '= /api/auth/oauth2': Location('/api/auth/oauth2', open=True, status=400),
            '/': Location('/some/where', 8000, '/some/where'),
            '/public/': Location('/public/x', 8000, '/public/x', open=True),
            '/downloads/': Location(
                '/downloads/x', 8000, '/downloads/x', access='app.downloads.read', query='stripped'
            ),
            '^~ /api/confd/': one('confd', 9486, '/1.1/devices'),
            '~ ^/api/confd/1\\.1/users/(?<owner>[^/]+)$': one(
                'confd', 9486, f'/1.1/users/{UUID}', access=f'confd.users.{UUID}.read', denied=401
            ),
        },
    ),
    'platform.conf': (
        API,
        {
            '^~ /api/auth/': Location('/api/auth/0.1/api/api.yml', open=True),
            '^~ /api/auth/0.1/backends': Location('/api/auth/0.1/backends', open=True),
            '^~ /api/auth/0.1/saml': Location('/api/auth/0.1/saml/logout', open=True, status=404),
            '^~ /api/auth/0.1/status': Location('/api/auth/0.1/status', open=True, method='HEAD'),
            '^~ /api/auth/0.1/users/password/reset': Location(
                '/api/auth/0.1/users/password/reset?username=nobody', open=True, status=204
            ),
            '= /api/auth/0.1/users/register': Location(
                '/api/auth/0.1/users/register', open=True, method='POST', status=404
            ),
            '= /api/auth/oauth2': Location('/api/auth/oauth2', open=True, status=400),
            **daemon('agentd', 9493, '1.0', 'agents'),
            **daemon('amid', 9491, '1.0', 'action/ping'),
            **daemon('call-logd', 9298, '1.0', 'config'),
            '^~ /api/call-logd/1.0/cdr': one('call-logd', 9298, '/1.0/cdr', query='kept'),
            '^~ /api/call-logd/1.0/users/': one('call-logd', 9298, '/1.0/users/me/cdr', query='kept'),
            '^~ /api/call-logd/1.0/exports/': one('call-logd', 9298, f'/1.0/exports/{UUID}/download', query='kept'),
            **daemon('calld', 9500, '1.0', 'calls'),
            '^~ /api/calld/1.0/voicemails/': one('calld', 9500, '/1.0/voicemails/7/messages/8/recording', query='kept'),
            '^~ /api/calld/1.0/users/me/voicemails/': one(
                'calld', 9500, '/1.0/users/me/voicemails/messages/8/recording', query='kept'
            ),
            '^~ /api/calld/1.0/guests/': one('calld', 9500, f'/1.0/guests/me/meetings/{UUID}/status', open=True),
            **daemon('chatd', 9304, '1.0', 'users/presences'),
            '^~ /api/chatd/1.0/connectors/incoming': one(
                'chatd', 9304, '/1.0/connectors/incoming/sms', open=True, method='POST'
            ),
            **daemon('confd', 9486, '1.1', 'devices'),
            '^~ /api/confd/1.1/users/import': one('confd', 9486, '/1.1/users/import', method='POST'),
            '~ ^/api/confd/1\\.1/users/(?<owner>[^/]+)$': one(
                'confd', 9486, f'/1.1/users/{UUID}', access=f'confd.users.{UUID}.read', denied=401
            ),
            '^~ /api/confd/1.1/wizard': one('confd', 9486, '/1.1/wizard', open=True),
            '^~ /api/confd/1.1/guests/': one('confd', 9486, f'/1.1/guests/me/meetings/{UUID}', open=True),
            **daemon('dird', 9489, '0.1', 'directories/lookup/default'),
            **daemon('plugind', 9503, '0.2', 'plugins'),
            **daemon('provd', 8666, '0.2', 'dev_mgr/devices'),
            '^~ /device/provisioning/': Location('/device/provisioning/aabbcc.cfg', 18667, '/aabbcc.cfg', open=True),
            **daemon('setupd', 9302, '1.0', 'status'),
            '= /api/setupd/1.0/setup': one('setupd', 9302, '/1.0/setup', open=True, method='POST'),
            **daemon('webhookd', 9300, '1.0', 'subscriptions'),
            '^~ /api/websocketd/': Location(
                '/api/websocketd/', 9502, '/', access='websocketd', denied=401, query='kept', websocket=True
            ),
        },
    ),
}
VERSIONS = {8000: '/', 18667: '/', 9486: '/1.1/', 8666: '/0.2/', 9503: '/0.2/', 9489: '/0.1/'}
PREFIXES = {8666: '/api/provd/', 18667: '/'}


class Site:
    """nginx with one of the files, and the daemons behind it."""

    def __init__(self, stack, authority, certificate, file):
        self.file = file
        self.authority = str(authority.file)
        folder = stack.folder / f'conf-{file}'
        folder.mkdir()
        (folder / 'index.html').write_text('this is the platform')
        # db_uri is in the file once as a whole; so is the broker's, and the server for mails.
        settings = shipped.shipped_settings(
            folder,
            [
                (
                    'postgresql://asterisk:proformatique@localhost/asterisk?application_name=wazo-auth',
                    stack.database_uri,
                ),
                ('amqp://guest:guest@localhost:5672/', stack.rabbitmq.uri),
                ('  hostname: localhost\n  port: 25\n', f'  hostname: 127.0.0.1\n  port: {stack.mail.port}\n'),
            ],
        )
        self.nginx = shipped.ShippedNginx(folder, BUILD, file, settings, certificate)
        self.nginx.name_in_tests = file
        self.https = '443 ssl' in (shipped.NGINX / file).read_text()
        self.ports = self.nginx.ports
        self.daemons = []
        listening = set(re.findall(r'listen (?:127\.0\.0\.1:)?(\d+)', (shipped.NGINX / file).read_text()))
        for port, here in self.ports.items():
            if str(port) in listening:
                continue
            kind = (Websocketd,) if port == 9502 else (Daemon, VERSIONS.get(port, '/1.0/'))
            self.daemons.append(kind[0](here, *kind[1:]))
        self.api = Client(self.ports[9497])
        self.base = f'https://127.0.0.1:{self.ports[443]}' if self.https else f'http://127.0.0.1:{self.ports[80]}'
        WATCH.readers += [LogReader(log) for log in (*self.nginx.logs, self.nginx.log)]
        stack.all_nginx.append(self.nginx)
        self.nginx.start()

    def ask(self, path, token=None, method='GET', headers=None, query=None, **options):
        headers = dict(headers or {})
        if token:
            headers['X-Auth-Token'] = SECRETS.token(token)
        if query:
            path += ('&' if '?' in path else '?') + f'token={SECRETS.token(query)}'
        return requests.request(
            method,
            self.base + path,
            headers=headers,
            verify=self.authority,
            allow_redirects=False,
            timeout=30,
            **options,
        )

    def log(self, name):
        return (self.nginx.folder / name).read_text(errors='replace')

    def close(self):
        self.nginx.stop()
        for each in self.daemons:
            each.close()


@pytest.fixture(scope='module')
def certificate(authority):
    return authority.certificate('IP:127.0.0.1')


@pytest.fixture(scope='module')
def sites(stack, authority, certificate):
    made = {}
    yield lambda file: made[file] if file in made else made.setdefault(file, Site(stack, authority, certificate, file))
    for site in made.values():
        site.close()


@pytest.fixture(params=shipped.FILES)
def site(request, sites):
    return sites(request.param)


@pytest.fixture
def token(site, admin):
    """By a login through the published address."""
    answer = site.ask(
        '/api/auth/0.1/token', method='POST', auth=(admin['username'], admin['password']), json={'expiration': 3600}
    )
    assert answer.status_code == 200, answer.text
    return SECRETS.token(answer.json()['data']['token'])


def test_nginx_has_nothing_to_warn_of(stack, certificate, site):
    """In a shell: XIVO_UUID is the service's."""
    text = site.nginx.folder / 'config.yml'
    folder = stack.folder / f'conf-t-{site.file}'
    folder.mkdir()
    checked = shipped.ShippedNginx(folder, BUILD, site.file, text, certificate, environment={'XIVO_UUID': ''})
    assert checked.test() == (True, '')


def test_every_location_is_tried(site):
    """There is a line in the table above for each location of the file, and no other one."""
    text = re.sub(r'#.*', '', (shipped.NGINX / site.file).read_text())
    first, second = text.split('server {')[1:]
    for part, expected in zip((first, second), EXPECTED[site.file], strict=True):
        assert re.findall(r'location (.+?) \{\n', part) == list(dict.fromkeys(re.findall(r'location (.+?) \{\n', part)))
        assert set(re.findall(r'location (.+?) \{\n', part)) == set(expected)


def check_daemon(site, at, answer):
    """It is this daemon's answer, to the right question."""
    assert answer.status_code == 200, answer.text
    seen = answer.json()
    assert (seen['daemon'], seen['target'].partition('?')[0]) == (site.ports[at.port], at.target)
    headers = seen['headers']
    assert headers['host'] == site.base.partition('://')[2]
    assert headers['x-forwarded-for'] == '127.0.0.1'
    assert headers['x-forwarded-proto'] == site.base.partition(':')[0]
    if site.https:
        assert headers['x-script-name'] == PREFIXES.get(at.port, '/'.join(at.path.split('/')[:3]))
    assert 'upgrade' not in headers


def check_open(site, at):
    answer = site.ask(at.path, method=at.method)
    if at.port:
        check_daemon(site, at, answer)
    assert answer.status_code == at.status, answer.text


def check_gated(site, at, token, insert_token):
    for wrong in (None, str(uuid.uuid4())):
        answer = site.ask(at.path, wrong, method=at.method, headers=ORIGIN)
        assert answer.status_code == 401
        assert answer.json()['details']['reason'] == 'not_found_or_expired'
        assert answer.raw.headers.getlist('Access-Control-Allow-Origin') == [ORIGIN['Origin']]
    answer = site.ask(at.path, token, method=at.method, headers=ORIGIN)
    assert answer.raw.headers.getlist('Access-Control-Allow-Origin') == [ORIGIN['Origin']]
    check_daemon(site, at, answer)
    little = insert_token(acl=['something.else'])['token']
    assert site.ask(at.path, little, method=at.method).status_code == (at.denied if at.access else 200)
    if at.access:
        assert site.ask(at.path, insert_token(acl=[at.access])['token'], method=at.method).status_code == 200
    in_query = site.ask(at.path, query=token, method=at.method)
    assert in_query.status_code == (200 if at.query else 401)
    if at.query:
        assert (f'token={token}' in in_query.json()['target']) == (at.query == 'kept')
    answer = site.ask(at.path, method='OPTIONS', headers=PREFLIGHT)
    assert answer.status_code == 200 and answer.json()['method'] == 'OPTIONS'
    assert answer.raw.headers.getlist('Access-Control-Allow-Origin') == [ORIGIN['Origin']]


def check_websocket(site, at, token, insert_token):
    url = f"{site.base.replace('http', 'ws', 1)}{at.path}?version=2"

    def connect(token):
        return websocket.create_connection(f'{url}&token={token}', timeout=15, sslopt={'ca_certs': site.authority})

    for wrong in ('garbage', insert_token(acl=['something.else'])['token']):
        connection = connect(wrong)
        assert ends(connection) == 4002
        connection.shutdown()
    for good in (token, insert_token(acl=[at.access])['token']):
        connection = connect(good)
        seen = json.loads(connection.recv())
        assert (seen['daemon'], seen['target']) == (site.ports[at.port], f'{at.target}?version=2&token={good}')
        assert seen['headers']['host'] == site.base.partition('://')[2]
        connection.close(timeout=0)


def test_the_api_alone(site, wait_until):
    wait_until(lambda: site.api.get('/0.1/status').json()['health']['status'] == 'ok', 30)
    for at in EXPECTED[site.file][0].values():
        answer = site.api.get(at.path)
        assert answer.status_code == 200, answer.text
    assert 'wazo_auth' in answer.text


@pytest.mark.parametrize(
    'site, location',
    [(file, location) for file, (_, published) in EXPECTED.items() for location in published],
    indirect=['site'],
)
def test_locations(site, token, insert_token, location):
    at = EXPECTED[site.file][1][location]
    if at.websocket:
        check_websocket(site, at, token, insert_token)
    elif at.open:
        check_open(site, at)
    else:
        check_gated(site, at, token, insert_token)


def test_identity_is_nginx_business(site, token):
    """What a client says of itself doesn't reach a gated daemon."""
    forged = {'Wazo-User-UUID': UUID}
    seen = site.ask('/api/confd/1.1/devices', token, headers=forged).json()['headers']
    assert seen.get('wazo-user-uuid') != UUID


def test_what_has_its_own_login_is_not_gated(sites):
    site = sites('platform.conf')
    assert site.ask('/').text == 'this is the platform'
    assert site.ask('/asterisk/ws').status_code == 404


def test_the_log_says_why_a_login_failed(site, admin, wait_until):
    answer = site.ask(
        '/api/auth/0.1/token', method='POST', auth=(admin['username'], SECRETS.password('not-it-4c1d77')), json={}
    )
    assert answer.status_code == 401
    assert f'Failed login of "{admin["username"]}"' in site.log('wazo-auth.log')
    served = 'wazo.access.log' if site.https else 'access.log'
    wait_until(lambda: 'POST /api/auth/0.1/token HTTP/1.1" 401' in site.log(served))
    if site.https:
        assert '"wazo-auth"' in site.log(served)  # by which the platform's tools know the service


def test_a_user_of_the_platform(site, token, insert_token):
    """One who may read himself, and nobody else."""
    made = insert_token(acl=['confd.users.me.read'])
    own = f"/api/confd/1.1/users/{made['user_uuid']}"
    assert site.ask(own, made['token']).status_code == 200
    assert site.ask(own, made['token'], method='DELETE').status_code == 401
    assert site.ask(f'/api/confd/1.1/users/{UUID}', made['token']).status_code == 401


def leaves(tree, path=()):
    if not isinstance(tree, dict):
        return {'.'.join(path): tree}
    return {name: value for key, below in tree.items() for name, value in leaves(below, (*path, key)).items()}


def test_the_yaml_is_what_runs(site, token):
    shown = leaves(site.ask('/api/auth/0.1/config', token).json())
    written = leaves(yaml.safe_load((site.nginx.folder / 'config.yml').read_text()))
    assert len(written) > 50
    for name, value in written.items():
        if isinstance(value, str):
            value = re.sub(r'(://[^:@/]+:)[^@]+@', r'\1********@', value)  # passwords aren't shown
        assert shown[name] == value, name


def test_the_lines_in_the_readme(stack, admin):
    text = re.search(r'```nginx\n(.*?)```', (servers.CHECKOUT / 'README.md').read_text(), re.S)[1]
    folder = stack.folder / 'conf-readme'
    settings = servers.write_settings(folder, stack.settings())
    text, ports = shipped.with_free_ports(
        shipped.replaced(
            text,
            [
                ('load_module modules/ngx_wazo_auth_module.so;\nenv XIVO_UUID;', ''),
                ('http {\n', 'http {\n@TEMPORARY@\n'),
                ('/etc/wazo-auth/config.yml', settings),
            ],
        )
    )
    nginx = servers.Nginx(folder, BUILD, text, (ports[9497], '/0.1/backends'))
    stack.all_nginx.append(nginx)
    confd = Daemon(ports[9486], '/1.1/')
    try:
        nginx.start()
        published = Client(ports[80])
        login = published.post('/api/auth/0.1/token', auth=(admin['username'], admin['password']))
        assert login.status_code == 200
        assert published.get('/api/confd/1.1/users').status_code == 401
        answer = published.get('/api/confd/1.1/users', login.json()['data']['token'])
        assert (answer.status_code, answer.json()['target']) == (200, '/1.1/users')
        assert answer.json()['headers']['wazo-user-uuid'] == login.json()['data']['metadata']['uuid']
    finally:
        nginx.stop()
        confd.close()
