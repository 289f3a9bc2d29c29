"""npm's @wazo/sdk, the client of Wazo's own applications, against nginx as a platform has it: TLS, /api/auth and daemons
behind the gate.

The SDK's version is fixed by t/sdk/package-lock.json; `./dev test` installs it into build/sdk. t/sdk/driver.js makes the
calls. Where the SDK stumbles over an answer that is right by the contract (it wants JSON where 204 has no body), the
test says so and looks for the effect.
"""
import html
import json
import os
import re
import subprocess
import threading
import time
import types
import uuid
from pathlib import Path

import pytest
import requests

from support import servers
from support.checks import label
from support.logs import SECRETS
from support.oauth2_peers import Provider
from support.saml_idp import SamlIdp, configure, make_key

CALLS_TIMEOUT = 30
INSTALLED = Path(os.environ.get('WAZO_AUTH_SDK') or servers.CHECKOUT / 'build/sdk')

SERVER = """\
    server {
        listen 127.0.0.1:@GATE_PORT@ ssl;
        ssl_certificate @FOLDER@/tls.crt;
        ssl_certificate_key @FOLDER@/tls.key;
        location /api/auth/ { wazo_auth_api prefix=/api/auth; }
        location = /oauth2 { wazo_auth_oauth2; }
        location ~ ^/api/confd/1.1/users/(?<who>[^/]+)$ {
            wazo_auth on;
            wazo_auth_acl confd.users.$who.read;
            default_type application/json;
            alias @FOLDER@/user.json;
        }
        location = /api/confd/1.1/infos {
            wazo_auth on;
            default_type application/json;
            alias @FOLDER@/infos.json;
        }
        location = /api/websocketd/ {
            wazo_auth on;
            wazo_auth_acl websocketd;
            wazo_auth_token_from query:token;
            proxy_pass http://upstream/ws;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }
    }
"""

CONFD_USER = {
    'uuid': 'confd',
    'firstname': 'Ada',
    'lastname': 'L',
    'lines': [],
    'incalls': [],
    'services': {'dnd': {'enabled': False}},
    'forwards': {name: {'destination': None, 'enabled': False} for name in ('unconditional', 'noanswer', 'busy')},
}


class SdkError(Exception):
    def __init__(self, error):
        super().__init__(f"{error['name']} {error.get('status')}: {error['message']}")
        self.name = error['name']
        self.status = error.get('status')
        self.error_id = error.get('errorId')
        self.details = error.get('details')


class Sdk:
    """The driver's process. client('auth.getUser', uuid) calls a method of a client made by new()."""

    def __init__(self, host, certificate, log):
        self.host = host
        environment = {**os.environ, 'NODE_EXTRA_CA_CERTS': str(certificate), 'WAZO_AUTH_SDK': str(INSTALLED)}
        self._process = subprocess.Popen(
            ['node', servers.CHECKOUT / 't/sdk/driver.js'],
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=open(log, 'w'),
        )

    def order(self, **order):
        late = threading.Timer(CALLS_TIMEOUT, self._process.kill)
        late.start()
        try:
            self._process.stdin.write(json.dumps(order) + '\n')
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            late.cancel()
        assert line, f'the driver ended, or took more than {CALLS_TIMEOUT} s, at {order}'
        outcome = json.loads(line)
        if 'error' in outcome:
            raise SdkError(outcome['error'])
        return outcome['value']

    def call(self, path, *arguments):
        return self.order(call=path, arguments=arguments)

    def new(self, **options):
        name = f'c{uuid.uuid4().hex}'
        self.order(new=name, options={'server': self.host, **options})

        def client(method, *arguments):
            return self.call(f'{name}.{method}', *arguments)

        client.refreshed = lambda: self.order(refreshed=name)
        client.methods = lambda: self.order(methods=name)
        return client

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@pytest.fixture(scope='module')
def sdk(stack):
    if not (INSTALLED / 'node_modules/@wazo/sdk').is_dir():
        pytest.fail(f'@wazo/sdk is not in {INSTALLED}: ./dev test installs it from the npm registry', pytrace=False)
    folder = stack.folder / 'sdk'
    folder.mkdir()
    subprocess.run(
        [
            'openssl',
            'req',
            '-x509',
            '-newkey',
            'ec',
            '-pkeyopt',
            'ec_paramgen_curve:prime256v1',
            '-nodes',
            '-keyout',
            folder / 'tls.key',
            '-out',
            folder / 'tls.crt',
            '-days',
            '2',
            '-subj',
            '/CN=wazo-auth test',
            '-addext',
            'subjectAltName=IP:127.0.0.1',
        ],
        check=True,
        capture_output=True,
    )
    (folder / 'user.json').write_text(json.dumps(CONFD_USER))
    (folder / 'infos.json').write_text(json.dumps({'uuid': 'e2e', 'wazo_version': '26.04'}))
    provider = Provider(servers.free_port())
    google = {
        'authorization_base_url': 'https://consent.example/auth',
        'redirect_uri': 'https://voice.example/oauth2',
        'token_url': f'http://127.0.0.1:{provider.port}/token',
        'scope': ['contacts'],
    }
    key, certificate = make_key(folder, 'saml')
    nginx = stack.new_nginx(
        'sdk',
        servers_text=SERVER,
        settings={'google': google, 'saml': {'key_file': str(key), 'cert_file': str(certificate)}},
        environment={'OAUTHLIB_INSECURE_TRANSPORT': '1'},
    )
    driver = Sdk(f"127.0.0.1:{nginx.values['GATE_PORT']}", folder / 'tls.crt', folder / 'driver.log')
    driver.certificate, driver.provider = folder / 'tls.crt', provider
    driver.api = nginx.api
    yield driver
    driver.close()
    nginx.stop()
    provider.end()


def remember(session):
    SECRETS.token(session['token'])
    SECRETS.token(session['refreshToken'])
    return session


@pytest.fixture(scope='module')
def root(sdk, admin):
    """A client that is logged in as the administrator."""
    client = sdk.new()
    client('setToken', remember(client('auth.logIn', dict(admin, expiration=3600)))['token'])
    return client


@pytest.fixture
def user(make_user):
    return make_user(acl=['auth.users.me.#', 'confd.users.me.read', 'websocketd'])


def log_in(client, user, **options):
    """The session; the client uses its tokens from then on."""
    session = remember(client('auth.logIn', {'username': user['username'], 'password': user['password'], **options}))
    client('setToken', session['token'])
    client('setRefreshToken', session['refreshToken'])
    return session


# -- log-in and tokens -------------------------------------------------------------------------------------------------


def test_no_method_is_forgotten(root):
    """Each method of the SDK's auth client is called here."""
    called = set(re.findall(r"'auth\.(\w+)'", Path(__file__).read_text()))
    assert called == set(root.methods())


def test_log_in_and_what_the_session_says(sdk, user):
    session = log_in(sdk.new(), user, expiration=120)
    assert session['uuid'] == user['uuid'] == session['metadata']['uuid']
    assert session['tenantUuid'] == user['tenant_uuid']
    assert session['refreshToken'] is None
    assert 'confd.users.me.read' in session['acl']
    assert session['stackUuid'] == '08c56466-8f29-45c7-9856-92bf1ba89b92'
    expires = time.mktime(time.strptime(session['expiresAt'][:19], '%Y-%m-%dT%H:%M:%S')) - time.timezone
    assert abs(expires - time.time() - 120) < 5


@pytest.mark.parametrize('password', ['pâss-ünï-çØde-7', '密码-παρολα-77', 'colon:and "quotes" 7'])
def test_passwords_beyond_ascii(sdk, root, password):
    """The SDK sends Latin-1 where it can and UTF-8 otherwise."""
    login = label('sdk')
    root('auth.createUser', login, SECRETS.password(password), 'A', 'B')
    session = log_in(sdk.new(), {'username': login, 'password': password})
    assert session['metadata']['purpose'] == 'user'


def test_a_wrong_password_is_401(sdk, user):
    with pytest.raises(SdkError) as failed:
        sdk.new()('auth.logIn', {'username': user['username'], 'password': 'wrong-one'})
    assert (failed.value.name, failed.value.status) == ('BadResponse', 401)


def test_check_and_authenticate_and_log_out(sdk, user):
    client = sdk.new()
    session = log_in(client, user)
    assert client('auth.checkToken', session['token']) is True
    again = client('auth.authenticate', session['token'])
    assert (again['uuid'], again['sessionUuid']) == (user['uuid'], session['sessionUuid'])
    assert client('auth.logOut', session['token']) is True
    assert client('auth.checkToken', session['token']) is False
    with pytest.raises(SdkError) as failed:
        client('auth.authenticate', session['token'])
    assert failed.value.status == 404


def test_scopes_check(sdk, user):
    client = sdk.new()
    log_in(client, user)
    answer = client('auth.getRestrictionPolicies', ['confd.users.me.read', 'auth.users.create'])
    assert answer['scopes'] == {'confd.users.me.read': True, 'auth.users.create': False}


def test_refresh_tokens(sdk, user, api, admin_token):
    client = sdk.new(clientId='app')
    session = log_in(client, user, mobile=True)
    assert session['refreshToken']
    listed = api.get(f"/users/{user['uuid']}/tokens", admin_token).json()['items']
    assert [(each['client_id'], each['mobile']) for each in listed] == [('app', True)]

    other = remember(client('auth.refreshToken', session['refreshToken'], None, 60, True))
    assert other['uuid'] == user['uuid'] and other['token'] != session['token']
    assert other['refreshToken'] is None
    forced = SECRETS.token(client('forceRefreshToken'))
    assert client('auth.checkToken', forced) is True

    assert client('auth.deleteRefreshToken', 'app') is True
    with pytest.raises(SdkError) as failed:
        client('auth.refreshToken', session['refreshToken'], None, 60)
    assert failed.value.status == 401
    with pytest.raises(SdkError) as failed:
        client('auth.deleteRefreshToken', 'app')
    assert failed.value.status == 404


def test_a_dead_token_is_replaced_by_the_sdk_itself(sdk, root, user):
    """401 of an API call, at the authority and at the gate, and 404 of GET /token make it log in by refresh token."""
    client = sdk.new(clientId='app')
    session = log_in(client, user)
    root('auth.logOut', session['token'])
    assert client('confd.getUser', 'me')['firstName'] == 'Ada'
    (first,) = client.refreshed()
    SECRETS.token(first)
    assert first != session['token']

    root('auth.logOut', first)
    assert client('auth.authenticate', first)['uuid'] == user['uuid']
    second = client.refreshed()[-1]
    SECRETS.token(second)
    assert second != first

    root('auth.logOut', second)
    assert client('auth.deleteRefreshToken', 'app') is True
    assert len(client.refreshed()) == 3
    SECRETS.token(client.refreshed()[-1])


def test_the_gate_refuses_what_a_token_does_not_grant(sdk, make_user):
    client = sdk.new()
    log_in(client, make_user())
    with pytest.raises(SdkError) as failed:
        client('confd.getUser', 'me')
    assert failed.value.status == 403
    assert client('confd.getInfos')['wazo_version'] == '26.04'


# -- administration ----------------------------------------------------------------------------------------------------


def test_users(root):
    login = label('sdk')
    made = root('auth.createUser', login, SECRETS.password('pass-' + login), 'First', 'Last')
    assert (made['username'], made['firstname'], made['lastname']) == (login, 'First', 'Last')
    assert root('auth.getUser', made['uuid']) == made
    assert made in root('auth.listUsers')['items']
    assert root('auth.getUserSession', made['uuid']) == {'total': 0, 'filtered': 0, 'items': []}
    with pytest.raises(SdkError) as failed:
        root('auth.createUser', login, 'pass-' + login, 'First', 'Last')
    assert failed.value.status == 409
    assert root('auth.deleteUser', made['uuid']) is True
    with pytest.raises(SdkError) as failed:
        root('auth.getUser', made['uuid'])
    assert (failed.value.status, failed.value.error_id, failed.value.details) == (
        404,
        'unknown-user',
        {'uuid': made['uuid']},
    )


def test_a_changed_password(sdk, user):
    client = sdk.new()
    session = log_in(client, user)
    new = SECRETS.password('another-' + user['password'])
    with pytest.raises(SdkError) as failed:
        client('auth.updatePassword', user['uuid'], 'not-the-old-one', new)
    assert failed.value.status == 401
    assert client('auth.updatePassword', user['uuid'], user['password'], new) is True
    assert client('auth.checkToken', session['token']) is False, 'a new password ends the sessions'
    with pytest.raises(SdkError) as failed:
        log_in(client, user)
    assert failed.value.status == 401
    log_in(client, dict(user, password=new))


def test_sessions_of_a_user(sdk, root, user):
    client = sdk.new()
    session = log_in(client, user)
    listed = root('auth.getUserSession', user['uuid'])['items']
    assert [each['uuid'] for each in listed] == [session['sessionUuid']]
    assert root('auth.deleteUserSession', user['uuid'], session['sessionUuid']) is True
    assert root('auth.getUserSession', user['uuid'])['items'] == []
    assert client('auth.checkToken', session['token']) is False


def test_tenants(sdk, root, admin):
    title = label('sdk')
    made = root('auth.createTenant', title)
    assert made['name'] == title
    assert root('auth.getTenant', made['uuid']) == made
    assert made in root('auth.listTenants')['items']

    inside = sdk.new()
    inside('setToken', remember(inside('auth.logIn', admin))['token'])
    inside('setTenant', made['uuid'])
    login = label('sdk')
    user = inside('auth.createUser', login, SECRETS.password('pass-' + login), 'In', 'Side')
    assert user['tenant_uuid'] == made['uuid']
    assert [each['uuid'] for each in inside('auth.listUsers')['items']] == [user['uuid']]

    changed = root('auth.updateTenant', made['uuid'], title + '2', user['uuid'], '+1 555', {'city': 'Québec'})
    assert (changed['name'], changed['contact'], changed['phone']) == (title + '2', user['uuid'], '+1 555')
    assert changed['address']['city'] == 'Québec'
    # The type that the SDK gives to `address` is a list.
    assert root('auth.updateTenant', made['uuid'], title, None, None, [])['address']['city'] is None

    assert root('auth.deleteTenant', made['uuid']) is True
    with pytest.raises(SdkError) as failed:
        root('auth.getTenant', made['uuid'])
    assert (failed.value.status, failed.value.error_id) == (404, 'unknown-tenant')
    with pytest.raises(SdkError) as failed:
        inside('auth.listUsers')
    assert (failed.value.status, failed.value.error_id) == (401, 'unauthorized-tenant')


def stumbles_over_204(client, *call):
    """These calls of the SDK parse the answer's body, and 204 has none. The daemon answers the same."""
    with pytest.raises(SdkError) as failed:
        client(*call)
    assert failed.value.name == 'SyntaxError', failed.value


def test_groups(root, user):
    title = label('sdk')
    made = root('auth.createGroup', title)
    assert (made['name'], made['system_managed']) == (title, False)
    assert made in root('auth.listGroups')['items']
    stumbles_over_204(root, 'auth.addUserGroup', user['uuid'], made['uuid'])
    assert [each['uuid'] for each in root('auth.listUsersGroup', made['uuid'])['items']] == [user['uuid']]
    assert root('auth.deleteUserGroup', user['uuid'], made['uuid']) is True
    assert root('auth.listUsersGroup', made['uuid'])['items'] == []
    assert root('auth.deleteGroup', made['uuid']) is True
    with pytest.raises(SdkError) as failed:
        root('auth.deleteGroup', made['uuid'])
    assert failed.value.status == 404


def test_policies(sdk, root, user):
    title = label('sdk')
    made = root('auth.createPolicy', title, 'what it is for', ['sdk.read', 'sdk.*.update'])
    assert (made['name'], made['description'], made['acl']) == (title, 'what it is for', ['sdk.read', 'sdk.*.update'])
    assert made in root('auth.listPolicies')['items']
    stumbles_over_204(root, 'auth.addUserPolicy', user['uuid'], made['uuid'])
    assert 'sdk.read' in log_in(sdk.new(), user)['acl']
    assert root('auth.deleteUserPolicy', user['uuid'], made['uuid']) is True
    assert 'sdk.read' not in log_in(sdk.new(), user)['acl']
    assert root('auth.deletePolicy', made['uuid']) is True
    with pytest.raises(SdkError) as failed:
        root('auth.deletePolicy', made['uuid'])
    assert failed.value.status == 404


def test_emails(root, user):
    address = f"{label('sdk')}@example.com"
    changed = root('auth.addUserEmail', user['uuid'], address, True)
    assert [changed['0'][key] for key in ('address', 'main', 'confirmed')] == [address, True, False]
    assert [each['address'] for each in root('auth.getUser', user['uuid'])['emails']] == [address]


def test_devices(root, user, api, admin_token):
    voip, notification = label('sdk'), label('sdk')
    sent = root('auth.sendDeviceToken', user['uuid'], 'device', voip, notification)
    expected = {
        'token': 'device',
        'apns_token': voip,
        'apns_voip_token': voip,
        'apns_notification_token': notification,
        'apns_call_topic': None,
        'apns_default_topic': None,
    }
    stored = api.get(f"/users/{user['uuid']}/external/mobile", admin_token).json()
    assert stored == expected
    assert {key: sent[key] for key in expected} == expected
    providers = root('auth.getProviders', user['uuid'])['items']
    assert [each['type'] for each in providers if each['enabled']] == ['mobile']
    api.post('/external/mobile/config', admin_token, json={'fcm_sender_id': 'sender-7'})
    try:
        assert root('auth.getPushNotificationSenderId', user['uuid']) == 'sender-7'
    finally:
        api.delete('/external/mobile/config', admin_token)
    assert root('auth.removeDeviceToken', user['uuid']) is True
    assert api.get(f"/users/{user['uuid']}/external/mobile", admin_token).status_code == 404


def test_password_reset(sdk, root, user, api, admin_token, mail, psql):
    address = f"{label('sdk')}@example.com"
    answer = api.put(
        f"/admin/users/{user['uuid']}/emails",
        admin_token,
        json={'emails': [{'address': address, 'main': True, 'confirmed': True}]},
    )
    assert answer.status_code == 200, answer.text
    assert sdk.new()('auth.sendResetPasswordEmail', {'email': address}) is True
    text = mail.wait_for(address).get_content()
    token = SECRETS.token(text.partition('token=')[2].split('&')[0].split()[0].strip('"'))
    client = sdk.new()
    client('setToken', token)
    new = SECRETS.password('another-' + user['password'])
    assert client('auth.resetPassword', user['uuid'], new) is True
    log_in(sdk.new(), dict(user, password=new))


# -- SAML --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def saml(sdk, stack, admin_token):
    """A tenant with a .domain and an identity provider, .idp."""
    idp = SamlIdp(stack.folder / 'sdk-idp', servers.free_port())
    domain = f"{label('sdk')}.example.com"
    tenant = sdk.api.post('/tenants', admin_token, json={'name': domain, 'domain_names': [domain]}).json()['uuid']
    [domain_row] = sdk.api.get(f'/tenants/{tenant}/domains', admin_token).json()['items']
    answer = configure(
        sdk.api,
        'POST',
        admin_token,
        tenant,
        domain_uuid=domain_row['uuid'],
        metadata=idp.metadata,
        entity_id=f'https://{domain}',
        acs_url=f'https://{sdk.host}/api/auth/0.1/saml/acs',
    )
    assert answer.status_code == 200, answer.text
    idp.add_metadata(sdk.api.get('/backends/saml/sp_metadata', admin_token, headers={'Wazo-Tenant': tenant}).text)
    yield types.SimpleNamespace(domain=domain, headers={'Wazo-Tenant': tenant}, idp=idp)
    idp.close()


def test_saml(sdk, stack, saml, make_user):
    user = make_user(headers=saml.headers, authentication_method='saml', acl=['confd.users.me.read'])
    client = sdk.new(clientId='app')
    with pytest.raises(SdkError) as failed:
        client('auth.initiateIdpAuthentication', 'unknown.example.com', 'https://app.example.org/')
    assert failed.value.status == 500
    begun = client('auth.initiateIdpAuthentication', saml.domain, 'https://app.example.org/')
    with pytest.raises(SdkError) as failed:
        client('auth.samlLogIn', begun['saml_session_id'])
    assert failed.value.status == 401, 'not yet'

    # The browser's part.
    browser = requests.Session()
    browser.trust_env = False
    browser.verify = str(stack.folder / 'sdk/tls.crt')
    form = browser.get(begun['location'], cookies={'user': user['username']}, timeout=30).text
    fields = {field: html.unescape(value) for field, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}
    sent = browser.post(f'https://{sdk.host}/api/auth/0.1/saml/acs', data=fields, timeout=30, allow_redirects=False)
    assert (sent.status_code, sent.headers['Location']) == (302, 'https://app.example.org/')

    session = remember(client('auth.samlLogIn', begun['saml_session_id']))
    assert session['uuid'] == user['uuid'] and session['refreshToken']
    client('setToken', session['token'])
    assert client('confd.getUser', 'me')['firstName'] == 'Ada'

    location = client('auth.samlLogOut')['location']
    assert client('auth.checkToken', session['token']) is False
    with pytest.raises(SdkError) as failed:
        client('auth.refreshToken', session['refreshToken'], None, 60)
    assert failed.value.status == 401
    back = browser.get(location, timeout=30, allow_redirects=False).headers['Location']
    assert back.startswith(f'https://{sdk.host}/api/auth/0.1/saml/sls?')
    last = browser.get(back, timeout=30, allow_redirects=False)
    assert (last.status_code, last.headers['Location']) == (302, 'https://app.example.org/?logged_out=true')


# -- the application's way ---------------------------------------------------------------------------------------------


def test_an_application_logs_in_listens_and_logs_out(sdk, user, api, admin_token, wait_until):
    """Wazo.Auth, as an application uses it: profile from confd behind the gate, and the event stream.

    The stream ends with the token; logging out takes the refresh token and the token away.
    """
    sdk.call('Wazo.Auth.init', 'phone', 600, None, None, False)
    sdk.call('Wazo.Auth.setHost', sdk.host)
    sdk.order(listen=True)
    policy = api.post(
        '/policies', admin_token, json={'name': label('sdk'), 'acl': [f"confd.users.{user['uuid']}.read"]}
    ).json()
    assert api.put(f"/users/{user['uuid']}/policies/{policy['uuid']}", admin_token).status_code == 204

    session = remember(sdk.call('Wazo.Auth.logIn', user['username'], SECRETS.password(user['password'])))
    assert (session['profile']['firstName'], session['engineVersion']) == ('Ada', '26.04')
    wait_until(lambda: 'onopen' in sdk.order(heard=True), 10, 'an open event stream')
    assert sdk.call('Wazo.Websocket.isOpen') is True

    assert api.delete(f"/token/{session['token']}").status_code == 200
    wait_until(lambda: 'onclose' in sdk.order(heard=True), 5, 'the end of the event stream')
    fresh = SECRETS.token(sdk.call('Wazo.Auth.forceRefreshToken'))
    assert api.head(f'/token/{fresh}').status_code == 204
    wait_until(lambda: sdk.call('Wazo.Websocket.isOpen'), 10, 'a new event stream with the new token')

    sdk.call('Wazo.Auth.logout')
    assert api.get(f"/users/{user['uuid']}/tokens", admin_token).json()['items'] == []
    assert sdk.call('Wazo.Websocket.isOpen') is False


# -- other services ----------------------------------------------------------------------------------------------------


def test_a_user_connects_to_a_provider(sdk, root, user, api, admin_token):
    config = {'client_id': 'sdk', 'client_secret': SECRETS.password('secret-of-the-sdk')}
    assert api.post('/external/google/config', admin_token, json=config).status_code == 201
    try:
        with pytest.raises(SdkError) as failed:
            root('auth.getProviderToken', user['uuid'], 'google')
        assert (failed.value.status, failed.value.error_id) == (404, 'unknown-external-auth')
        asked = root('auth.getProviderAuthUrl', user['uuid'], 'google')
        assert asked['authorization_url'].startswith('https://consent.example/auth?response_type=code&client_id=sdk&')
        answer = requests.get(
            f'https://{sdk.host}/oauth2',
            params={'code': 'a-code', 'state': asked['state']},
            verify=sdk.certificate,
            timeout=10,
        )
        assert answer.status_code == 200, answer.text
        token = root('auth.getProviderToken', user['uuid'], 'google')
        assert token['access_token'] in sdk.provider.tokens
        for secret in sdk.provider.tokens:
            SECRETS.password(secret)
        assert root('auth.deleteProviderToken', user['uuid'], 'google') is True
        with pytest.raises(SdkError):
            root('auth.getProviderToken', user['uuid'], 'google')
    finally:
        api.delete('/external/google/config', admin_token)
