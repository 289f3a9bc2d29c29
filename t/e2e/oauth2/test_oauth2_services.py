"""What an administrator says of external services: certificates and addresses that nginx accepts, settings, types of one's own."""
import re
import time
import uuid

import pytest
import requests

from support import oauth2_peers, servers
from support.checks import error
from support.external import LANDING, code, connected, expire, is_page, of, path_of, pending
from support.logs import SECRETS
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
        return [line for line in self.nginx.error_log.read_text().splitlines() if text in line]


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
    began = time.monotonic()
    state = ask(user, client=api)['state']
    assert time.monotonic() - began < 1.5
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


# -- types of an administrator's own -----------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def own_types(stack, world, psql):
    nginx = stack.new_nginx(
        'oauth2-types',
        settings={
            'oauth2_synchronization_ws_url_template': f'ws://127.0.0.1:{world.broker.port}/ws/{{state}}',
            'enabled_external_auth_plugins': {'foo': True, 'google': True, 'off': False},
            'external_auth_types': {
                'foo': {'awaited': ['access_token']},
                'bar': {
                    'plugin_info': {'foo': 'bar'},
                    'shown': {'scope': {'type': 'list', 'items': {'type': 'string'}}},
                },
                'badge': {
                    'data': {
                        'number': {'required': True, 'min_length': 2, 'max_length': 4},
                        'doors': {'type': 'list', 'items': {'type': 'integer', 'minimum': 1}},
                        'kind': {'choices': ['a', 'b'], 'nullable': True},
                    }
                },
                'off': {},
            },
        },
        environment={'OAUTHLIB_INSECURE_TRANSPORT': '1'},
    )
    yield nginx
    nginx.stop()
    # As any other start would.
    psql("UPDATE auth_external_auth_type SET enabled = name IN ('google', 'microsoft', 'mobile')")


def test_a_type_that_only_stores(own_types, admin_token, make_user, bus):
    api, user = own_types.api, make_user()
    path = path_of(user, 'bar')
    data = {'secret': 'x', 'scope': ['one', 'two'], 'n': {'deep': [None]}}
    for method in ('GET', 'PUT', 'DELETE'):
        error(api.request(method, path, admin_token, data='{}'), 404, 'unknown-external-auth')
    answer = api.post(path, admin_token, json=data)
    assert (answer.status_code, answer.json()) == (200, data)
    bus.wait('auth_user_external_auth_added', of(user))
    error(api.post(path, admin_token, json=data), 409, 'conflict')
    assert api.get(path, admin_token).json() == data
    items = {item['type']: item for item in api.get(f"/users/{user['uuid']}/external", admin_token).json()['items']}
    assert items['bar'] == {
        'type': 'bar',
        'data': {'scope': ['one', 'two']},
        'enabled': True,
        'plugin_info': {'foo': 'bar'},
    }
    assert items['foo'] == {'type': 'foo', 'data': {}, 'enabled': False, 'plugin_info': {}}
    assert sorted(items) == ['badge', 'bar', 'foo', 'google', 'microsoft', 'mobile']
    answer = api.put(path, admin_token, json={'scope': 'no list'})
    assert (answer.status_code, answer.json()) == (200, {'scope': 'no list'})
    bus.wait('auth_user_external_auth_updated', of(user))
    listed = api.get(f"/users/{user['uuid']}/external?type=bar", admin_token).json()['items']
    assert listed == [{'type': 'bar', 'data': {}, 'enabled': True, 'plugin_info': {'foo': 'bar'}}]
    assert [item['uuid'] for item in api.get('/external/bar/users', admin_token).json()['items']] == [user['uuid']]
    assert api.delete(path, admin_token).status_code == 204
    bus.wait('auth_user_external_auth_deleted', of(user))
    for method in ('GET', 'POST', 'PUT', 'DELETE'):
        error(api.request(method, f'/users/{uuid.uuid4()}/external/bar', admin_token, data='{}'), 404, 'unknown-user')
        answer = api.request(method, path_of(user, 'off'), admin_token, data='{}')
        assert answer.status_code == 404 and 'error_id' not in answer.text


@pytest.mark.parametrize('type_', ['bar', 'foo'])
def test_what_is_stored_is_an_object(own_types, admin_token, make_user, psql, type_):
    api, user = own_types.api, make_user()
    for method in ('POST', 'PUT'):
        for body in ('[1]', '"x"', '7', 'true'):
            found = error(api.request(method, path_of(user, type_), admin_token, data=body), 400, 'invalid-data')
            assert found['resource'] == 'users'
            assert found['details'] == {'_schema': {'message': 'Invalid input type.'}}
        for body in ('', '{', b'\xff'):
            answer = api.request(method, path_of(user, type_), admin_token, data=body)
            assert (answer.status_code, list(answer.json())) == (400, ['message'])
    error(api.get(path_of(user, type_), admin_token), 404, 'unknown-external-auth')
    assert pending(psql, user) == '0'


def test_events_of_a_stored_type(own_types, admin_token, make_user, bus):
    api, user = own_types.api, make_user()
    for method in ('POST', 'PUT', 'DELETE'):
        api.request(method, path_of(user, 'bar'), admin_token, data='{}')
    for method in ('PUT', 'DELETE'):  # nothing is told of what isn't done
        error(api.request(method, path_of(user, 'bar'), admin_token, data='{}'), 404, 'unknown-external-auth')
    api.post(path_of(user, 'badge'), admin_token, json={})
    api.post(path_of(user, 'badge'), admin_token, json={'number': 'xx'})
    bus.wait('auth_user_external_auth_added', lambda event: event.body['data']['external_auth_name'] == 'badge')
    prefix = f"auth.users.{user['uuid']}.external."
    events = [event for event in bus.events if event.key.startswith(prefix)]
    assert [event.key.removeprefix(prefix) for event in events] == [
        'bar.created',
        'bar.updated',
        'bar.deleted',
        'badge.created',
    ]
    for event in events[:3]:
        assert event.body['data'] == {'user_uuid': user['uuid'], 'external_auth_name': 'bar'}
        assert event.headers['tenant_uuid'] == user['tenant_uuid']
        assert event.headers[f"user_uuid:{user['uuid']}"] is True


def test_who_may_do_what_with_a_stored_type(own_types, api, admin_token, make_user, make_token):
    client = own_types.api
    tenant = {'Wazo-Tenant': api.post('/tenants', admin_token, json={}).json()['uuid']}
    user = make_user(headers=tenant)
    path = path_of(user, 'bar')
    calls = {'create': ('POST', 200), 'read': ('GET', 200), 'update': ('PUT', 200), 'delete': ('DELETE', 204)}
    for right, (method, status) in calls.items():
        tokens = {
            each: make_token(make_user(acl=[f'auth.users.*.external.bar.{each}'], headers=tenant))['token']
            for each in calls
        }
        for each, token in tokens.items():
            if each != right:
                error(client.request(method, path, token, data='{}'), 401, 'unauthorized')
        answer = client.request(method, path, tokens[right], data='{}')
        assert answer.status_code == status, answer.text
    # Somebody who isn't below the caller is nobody.
    outside = make_user()
    client.post(path_of(outside, 'bar'), admin_token, json={'secret': 'x'})
    caller = make_token(make_user(acl=['#'], headers=tenant))['token']
    for method, _ in calls.values():
        error(client.request(method, path_of(outside, 'bar'), caller, data='{}'), 404, 'unknown-user')
    assert client.get(path_of(outside, 'bar'), admin_token).json() == {'secret': 'x'}


def test_declared_data(own_types, admin_token, make_user):
    api, user = own_types.api, make_user()
    path = path_of(user, 'badge')
    for body in (
        {},
        {'number': 'x'},
        {'number': 'xxxxx'},
        {'number': 7},
        {'number': None},
        {'number': 'xx', 'doors': [0]},
        {'number': 'xx', 'doors': 'a'},
        {'number': 'xx', 'kind': 'c'},
    ):
        found = error(api.post(path, admin_token, json=body), 400, 'invalid-data')
        assert found['resource'] == 'users'
        assert list(found['details']) == (list(body)[1:] or ['number'])
    error(api.get(path, admin_token), 404, 'unknown-external-auth')
    body = {'number': 'xx', 'doors': [1, 2], 'kind': None}
    answer = api.post(path, admin_token, json=body | {'unknown': 1})
    assert (answer.status_code, answer.json()) == (200, body)
    error(api.put(path, admin_token, json={'doors': []}), 400, 'invalid-data')
    assert api.get(path, admin_token).json() == body
    paths = own_types.api.get('/api/api.yml').text
    assert '/users/{user_uuid}/external/badge' in paths and 'auth.users.{user_uuid}.external.badge.create' in paths


def test_data_that_a_broker_completes(own_types, world, admin_token, make_user, bus):
    api, user = own_types.api, make_user()
    path = path_of(user, 'foo')
    answer = api.post(path, admin_token, json={'scope': ['one']})
    state = SECRETS.password(answer.json()['state'])
    assert (answer.status_code, answer.json()) == (200, {'scope': ['one'], 'state': state})
    secret = code()
    requests.get(
        f'http://127.0.0.1:{world.broker.port}/foo/authorize',
        params={'access_token': secret, 'code': 'c', 'state': state},
        timeout=10,
    ).raise_for_status()
    event = bus.wait('auth_user_external_auth_authorized', of(user))
    assert event.key == f"auth.users.{user['uuid']}.external.foo.authorized"
    assert api.get(path, admin_token).json() == {'scope': ['one'], 'state': state, 'access_token': secret}
    # Of data that is gone, or another, nothing comes back.
    api.delete(path, admin_token)
    state = api.post(path, admin_token, json={}).json()['state']
    api.put(path, admin_token, json={'other': 1})
    world.broker.tell(state, {'access_token': secret})
    servers.wait_until(lambda: state not in world.broker.waiting, 10)
    assert api.get(path, admin_token).json() == {'other': 1}
