"""What an administrator says of external services: certificates and addresses that nginx accepts, settings."""
import re
import uuid

import pytest
import requests

from support import oauth2_peers, servers
from support.checks import within
from support.external import LANDING, code, connected, expire, is_page, of, path_of
from support.stack import GATED


# -- certificates, and addresses that are denied -----------------------------------------------------------------------


class OneService:
    """An nginx that knows one service: with a broker (google), and without (own)."""

    def __init__(self, stack, name, token_url, websocket_host=None, environment=None, **settings):
        port = servers.free_port()
        self.back = f'http://127.0.0.1:{port}/back'
        service = {'authorization_base_url': 'https://consent.example/auth', 'token_url': token_url}
        self.nginx = stack.new_nginx(
            name,
            GATED + LANDING.replace('@LANDING_PORT@', str(port)),
            settings={
                'google': {**service, 'redirect_uri': 'https://broker.example', 'websocket_host': websocket_host},
                'external_auth_types': {'own': {'oauth2': {**service, 'redirect_uri': 'https://nginx.example/back'}}},
                'external_auth_timeout': 2,
                **settings,
            },
            environment=environment,
        )

    def lines(self, text):
        """Lines of the log; none has a state or a code (conftest looks for those)."""
        return [line for line in self.nginx.error_log.read_text(errors='replace').splitlines() if text in line]


@pytest.fixture
def one_service(stack, world):
    made = []

    def make(*arguments, **options):
        made.append(OneService(stack, f'oauth2-{uuid.uuid4().hex[:8]}', *arguments, **options))
        return made[-1]

    yield make
    for each in made:
        each.nginx.stop()


@pytest.fixture
def secure_peers(authority):
    """A broker and a provider with certificates for `name`."""
    made = []

    def make(name, issuer=authority):
        certificate = [issuer.certificate(name)]
        made.extend(
            [
                oauth2_peers.Broker(servers.free_port(), certificate),
                oauth2_peers.Provider(servers.free_port(), certificate),
            ]
        )
        return made[-2:]

    yield make
    for each in made:
        each.end()


@pytest.mark.parametrize('host, name', [('localhost', 'DNS:localhost'), ('127.0.0.1', 'IP:127.0.0.1')])
def test_over_tls(one_service, secure_peers, authority, admin_token, make_user, ask, bus, psql, host, name):
    broker, provider = secure_peers(name)
    service = one_service(
        f'https://{host}:{provider.port}/token',
        f'wss://{host}:{broker.port}',
        external_auth_ca_file=str(authority.file),
    )
    user, api = make_user(), service.nginx.api
    state = ask(user, client=api)['state']
    assert state in broker.asked
    broker.tell(state, {'code': code()})
    bus.wait('auth_user_external_auth_added', of(user))
    expire(psql, user)
    assert api.get(path_of(user, 'google'), admin_token).json()['access_token'] == provider.tokens[-2]
    assert len(provider.requests) == 2


UNTRUSTED = {
    'another name': ('DNS:elsewhere.example', 'hostname mismatch', "no alternative certificate subject name matches"),
    'another authority': (
        'DNS:localhost',
        'unable to get local issuer certificate',
        'unable to get local issuer certificate',
    ),
    'of the system only': (
        'DNS:localhost',
        'unable to get local issuer certificate',
        'unable to get local issuer certificate',
    ),
}


@pytest.mark.parametrize('what', UNTRUSTED)
def test_certificates_that_are_not_good(
    stack, one_service, secure_peers, authority, admin_token, make_user, ask, psql, world, what
):
    name, says_socket, says_form = UNTRUSTED[what]
    issuer = (
        authority if what == 'another name' else servers.Authority(stack.folder / f'authority-{uuid.uuid4().hex[:8]}')
    )
    broker, provider = secure_peers(name, issuer)
    trusted = {} if what == 'of the system only' else {'external_auth_ca_file': str(authority.file)}
    service = one_service(f'https://localhost:{provider.port}/token', f'wss://localhost:{broker.port}', **trusted)
    user, api = make_user(), service.nginx.api
    state = ask(user, client=api)['state']  # answered all the same
    assert state not in broker.opened
    assert service.lines(f"{state[:6]}...: no connection to the broker: its certificate isn't good: {says_socket}")
    landed = requests.get(
        service.back, params={'code': code(), 'state': ask(user, 'own', client=api)['state']}, timeout=10
    )
    is_page(landed, 502, 'Something went wrong')
    assert len(service.lines(f"own: the authorization of user {user['uuid']} failed: ")) == 1
    assert says_form in service.lines(f"user {user['uuid']} failed: ")[0]
    connected(psql, user)
    assert api.get(path_of(user, 'google'), admin_token).status_code == 500
    assert says_form in service.lines(f"the token of user {user['uuid']} isn't renewed: ")[0]
    assert not provider.requests


@pytest.mark.parametrize(
    'host, loopback, what',
    [
        ('169.254.169.254', True, '169.254.169.254 is link-local'),
        ('127.0.0.1', False, '127.0.0.1 is loopback'),
        ('localhost', False, ' is loopback'),
    ],
)
def test_addresses_that_are_denied(one_service, world, admin_token, make_user, ask, psql, host, loopback, what):
    service = one_service(
        f'http://{host}:{world.provider.port}/token',
        f'ws://{host}:{world.broker.port}',
        outgoing={'loopback': loopback},
        environment={'OAUTHLIB_INSECURE_TRANSPORT': '1'},
    )
    user, api = make_user(), service.nginx.api
    state = within(1.5, lambda: ask(user, client=api))['state']
    lines = service.lines(f'{state[:6]}...: no connection to the broker: {host} is denied: ')
    assert len(lines) == 1 and what in lines[0]
    landed = requests.get(
        service.back, params={'code': code(), 'state': ask(user, 'own', client=api)['state']}, timeout=10
    )
    is_page(landed, 502, 'Something went wrong')
    connected(psql, user)
    answer = api.get(path_of(user, 'google'), admin_token)
    assert (answer.status_code, answer.json()) == (500, {'message': 'Internal Server Error'})
    lines = service.lines(f"user {user['uuid']}")
    assert len(lines) == 2 and all('its host is denied: ' in line and what in line for line in lines)
    assert state not in world.broker.asked and not world.provider.requests


# -- what the configuration says ---------------------------------------------------------------------------------------


GOOD = {
    'authorization_base_url': 'https://a.example/',
    'token_url': 'https://a.example/token',
    'redirect_uri': 'https://b.example',
    'websocket_host': 'wss://b.example',
}
TYPE = 'external_auth_types.x'
BAD_SETTINGS = {
    'google.token_url" must begin with https://': {'google': {**GOOD, 'token_url': 'http://a.example'}},
    'google.websocket_host" must begin with wss://': {'google': {**GOOD, 'websocket_host': 'ws://b.example'}},
    f'{TYPE}.oauth2.redirect_uri" must begin with https://': {
        'external_auth_types': {'x': {'oauth2': {'authorization_base_url': 'https://a', 'token_url': 'https://a'}}}
    },
    'microsoft.authorization_base_url" must be like https://host/path': {
        'microsoft': {**GOOD, 'authorization_base_url': 'https://a.example/ x'}
    },
    'external_auth_timeout" must be seconds, 0.1 to 60': {'external_auth_timeout': 61},
    'external_auth_ca_file" can\'t be used: /nowhere: No such file': {'external_auth_ca_file': '/nowhere'},
    'external_auth_types.X" is no name': {'external_auth_types': {'X': {}}},
    'external_auth_types.mobile" is built in': {'external_auth_types': {'mobile': {}}},
    f'{TYPE}.date" is not known': {'external_auth_types': {'x': {'date': {}}}},
    f'{TYPE}.data" has no place beside "oauth2"': {'external_auth_types': {'x': {'oauth2': GOOD, 'data': {}}}},
    f'{TYPE}.data.n.type" must be one of': {'external_auth_types': {'x': {'data': {'n': {'type': 'text'}}}}},
    f'{TYPE}.data.n.max" is not known': {'external_auth_types': {'x': {'data': {'n': {'max': 3}}}}},
    f'{TYPE}.plugin_info" must be a mapping': {'external_auth_types': {'x': {'plugin_info': [1]}}},
    f'{TYPE}.oauth2.parameters.a" must be a text': {
        'external_auth_types': {'x': {'oauth2': {**GOOD, 'parameters': {'a': 1}}}}
    },
}


@pytest.mark.parametrize('what', BAD_SETTINGS)
def test_settings_that_are_refused(stack, expect_log, what):
    expect_log(re.escape(what))
    nginx = stack.new_nginx(f'oauth2-{uuid.uuid4().hex[:8]}', settings=BAD_SETTINGS[what], start=False)
    good, output = nginx.test()
    assert not good and what in output
    assert re.search(r'config\.yml:\d+\)', output) or 'redirect_uri' in what, output
