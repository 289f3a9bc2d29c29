"""Trying a configuration, step by step, against real servers: a directory, an identity provider, a mail server."""
import base64
import html
import re
import uuid
from pathlib import Path

import pytest
import requests
from saml2.md import entity_descriptor_from_string
from saml2.samlp import authn_request_from_string

from support import servers
from support.checks import elsewhere, error, label, reason
from support.directory import HASTY, PASSWORD, PEOPLE, SERVICE, SERVICE_PASSWORD, SUFFIX, WRONG, new_slapd
from support.logs import SECRETS
from support.peer import Peer
from support.saml_idp import configure, make_key
from support.stack import GATED

MAIL_PASSWORD = SECRETS.password(f'mail-{uuid.uuid4().hex}')


@pytest.fixture(scope='module')
def slapd(stack):
    made = []

    def new(certificate):
        made.append(new_slapd(stack, certificate))
        return made[-1].start()

    yield new
    for server in made:
        server.stop()


@pytest.fixture(scope='module')
def directory(slapd, authority):
    return slapd(authority.certificate('IP:127.0.0.1,DNS:localhost'))


@pytest.fixture(scope='module')
def site(authority, new_nginx):
    return new_nginx('try', GATED, workers=1, settings={'ldap': {**HASTY, 'ca_file': str(authority.file)}})


@pytest.fixture(scope='module')
def tenant(api, admin_token, make_user):
    domain = f'{uuid.uuid4().hex[:12]}.example.com'
    answer = api.post('/tenants', admin_token, json={'domain_names': [domain], 'name': label()})
    assert answer.status_code == 200, answer.text
    made = answer.json() | {'headers': {'Wazo-Tenant': answer.json()['uuid']}, 'users': {}}
    for name, method in {'alice': 'ldap', 'native': 'native'}.items():
        made['users'][name] = make_user(
            email_address=f'{name}@try.example', headers=made['headers'], authentication_method=method
        )
    yield made
    for user in made['users'].values():  # others use the addresses of this directory, too
        api.delete(f"/users/{user['uuid']}", admin_token)


@pytest.fixture
def config(directory):
    return {
        'host': '127.0.0.1',
        'port': directory.port,
        'protocol_version': 3,
        'protocol_security': None,
        'bind_dn': SERVICE,
        'bind_password': SERVICE_PASSWORD,
        'user_base_dn': PEOPLE,
        'user_login_attribute': 'uid',
        'user_email_attribute': 'mail',
        'search_filters': None,
    }


@pytest.fixture
def attempt(site, admin_token, tenant):
    """The steps of a try, by name; each test comes from an address of its own."""

    def post(config=None, path='/backends/ldap/try', headers=tenant['headers'], **body):
        body = body if config is None else {'config': config, **body}
        answer = site.api.post(path, admin_token, json=body, headers={**headers, **elsewhere()})
        assert answer.status_code == 200, answer.text
        return steps_of(answer)

    return post


def steps_of(answer):
    shown = answer.json()
    for secret in (PASSWORD, SERVICE_PASSWORD, MAIL_PASSWORD, WRONG):
        assert secret not in answer.text
    steps = {step['name']: step for step in shown['steps']}
    assert len(steps) == len(shown['steps'])
    assert shown['success'] == all(step['outcome'] != 'failed' for step in shown['steps'])
    assert shown['duration_ms'] >= max(step['duration_ms'] for step in shown['steps']) >= 0
    assert all(step['outcome'] != 'failed' for step in shown['steps'][:-1])
    assert all((step['outcome'] == 'ok') == (step['reason'] is None) for step in shown['steps'])
    return steps


def assert_ends(steps, name, text=None):
    """The last step is this one: it failed for this reason, or it didn't."""
    last = list(steps)[-1]
    assert last == name, steps
    assert (steps[name]['outcome'] == 'ok') == (text is None), steps[name]
    assert text is None or text in steps[name]['reason'], steps[name]


# -- LDAP --------------------------------------------------------------------------------------------------------------


def test_a_whole_login(attempt, config, directory, tenant):
    steps = attempt(config, username='alice', password=PASSWORD)
    assert list(steps) == ['look_up', 'connect', 'bind', 'search', 'bind_user', 'email', 'match']
    assert_ends(steps, 'match')
    details = {name: step['details'] for name, step in steps.items()}
    dn = f'uid=alice,{PEOPLE}'
    assert details['look_up'] == {'host': '127.0.0.1', 'addresses': ['127.0.0.1']}
    assert details['connect'] == {'port': directory.port, 'address': '127.0.0.1'}
    assert details['bind'] == {'dn': SERVICE}
    assert details['search'] == {'base': PEOPLE, 'filter': 'uid=alice', 'found': 'one', 'dn': dn}
    assert details['bind_user'] == {'dn': dn}
    assert details['email'] == {'attribute': 'mail', 'address': 'alice@try.example'}
    user = tenant['users']['alice']
    assert details['match'] == {
        'user_uuid': user['uuid'],
        'username': user['username'],
        'authentication_method': 'ldap',
    }


def test_without_a_service_account(attempt, config):
    config |= {'bind_dn': None, 'bind_password': None}
    assert list(attempt(config)) == ['look_up', 'connect']
    steps = attempt(config, username='alice', password=PASSWORD)
    assert list(steps) == ['look_up', 'connect', 'bind_user', 'email', 'match']
    assert_ends(steps, 'match')
    assert_ends(attempt(config, username='alice', password=WRONG), 'bind_user', 'wrong password')


def test_without_a_user_or_a_password(attempt, config):
    steps = attempt(config)
    assert list(steps) == ['look_up', 'connect', 'bind', 'search']
    assert steps['search']['details'] == {'base': PEOPLE, 'found': 'one'}
    steps = attempt(config, username='alice')
    assert 'bind_user' not in steps
    assert_ends(steps, 'match')


@pytest.mark.parametrize(
    'change, body, step, text',
    [
        ({'host': 'nowhere.invalid'}, {}, 'look_up', "nowhere.invalid can't be looked up"),
        ({'host': '169.254.169.254'}, {}, 'look_up', '169.254.169.254 is denied'),
        ({'port': 70000}, {}, 'look_up', 'no directory can be at 127.0.0.1:70000'),
        ({'port': 1}, {}, 'connect', 'Connection refused'),
        ({'bind_password': WRONG}, {}, 'bind', "doesn't take bind_dn and bind_password: wrong password"),
        ({'bind_dn': f'cn=nobody,{SUFFIX}'}, {}, 'bind', "doesn't take bind_dn and bind_password"),
        ({'user_base_dn': f'ou=nowhere,{SUFFIX}'}, {}, 'search', 'No such object'),
        ({'search_filters': '{unknown}'}, {'username': 'alice'}, 'search', 'unknown placeholder'),
        ({'search_filters': '(((uid={username})'}, {'username': 'alice'}, 'search', 'Bad search filter'),
        ({}, {'username': 'nobody'}, 'search', "doesn't know this login"),
        ({'user_login_attribute': 'cn'}, {'username': 'Twin'}, 'search', 'knows several'),
        ({}, {'username': 'alice', 'password': WRONG}, 'bind_user', 'wrong password'),
        ({}, {'username': 'nomail', 'password': PASSWORD}, 'email', 'no e-mail address'),
        ({'user_email_attribute': 'cn'}, {'username': 'alice'}, 'match', 'no enabled user'),
        ({}, {'username': 'stranger', 'password': PASSWORD}, 'match', 'no enabled user'),
        ({}, {'username': 'native', 'password': PASSWORD}, 'match', 'authentication method of the user: native'),
    ],
)
def test_what_fails_says_where_and_why(attempt, config, change, body, step, text):
    assert_ends(attempt(config | change, **body), step, text)


def test_what_is_no_address_is_not_shown(attempt, config):
    """Otherwise whoever may try could read any attribute by a service account whose password is saved."""
    steps = attempt(config | {'user_email_attribute': 'cn'}, username='carol')
    assert_ends(steps, 'match', 'no enabled user')
    assert steps['email']['details'] == {'attribute': 'cn'}
    assert 'twin' not in str(steps).lower()
    steps = attempt(config | {'user_email_attribute': 'uid'}, username='Carol')
    assert steps['email']['details'] == {'attribute': 'uid', 'address': 'carol'}


def port_of(directory, security):
    return directory.tls_port if security == 'ldaps' else directory.port


@pytest.mark.parametrize('security', ['ldaps', 'tls'])
def test_certificates_of_a_directory(attempt, config, directory, security):
    steps = attempt(config | {'port': port_of(directory, security), 'protocol_security': security})
    assert list(steps) == ['look_up', 'connect', 'tls', 'bind', 'search']
    first = steps['tls']['details']['certificates'][0]
    assert (first['issuer'], first['expired'], first['key']) == ('CN=authority', False, 'RSA 2048')
    assert first['names'] == ['127.0.0.1', 'localhost'] and first['not_after'] > first['not_before']


@pytest.mark.parametrize('security', ['ldaps', 'tls'])
@pytest.mark.parametrize('name, expired', [('DNS:other.example', False), ('IP:127.0.0.1', True)])
def test_certificates_that_are_no_good_are_shown(attempt, config, slapd, authority, security, name, expired):
    server = slapd(authority.certificate(name, expired))
    steps = attempt(config | {'port': port_of(server, security), 'protocol_security': security})
    assert_ends(steps, 'tls', 'no TLS')
    shown = steps['tls']['details']['certificates'][0]
    assert (shown['names'], shown['expired']) == ([name.partition(':')[2]], expired)


def test_a_server_that_says_nothing(attempt, config):
    def listen(connection):
        while connection.recv(65536):
            pass

    peer = Peer(listen)
    try:
        steps = attempt(config | {'port': peer.port})
        assert_ends(steps, 'bind', 'no answer')
        assert 500 < steps['bind']['duration_ms'] < 10000
        assert_ends(attempt(config | {'port': peer.port, 'protocol_security': 'ldaps'}), 'tls', 'TLS')
    finally:
        peer.close()


def test_the_saved_one(site, admin_token, tenant, config, attempt):
    put = lambda body: site.api.put('/backends/ldap', admin_token, json=body, headers=tenant['headers'])  # noqa: E731
    post = lambda body: site.api.post(  # noqa: E731
        '/backends/ldap/try', admin_token, json=body, headers={**tenant['headers'], **elsewhere()}
    )
    assert reason(post({}), 400).endswith('The tenant has no directory yet')
    assert put(config).status_code == 200
    try:
        assert_ends(attempt(), 'search')
        assert_ends(attempt(username='alice', password=PASSWORD), 'match')
        # The saved password goes to the saved server, and nowhere else.
        del config['bind_password']
        assert_ends(attempt(config | {'user_base_dn': SUFFIX}), 'search')
        for change in ({'host': 'localhost'}, {'port': 1}, {'protocol_security': 'tls'}):
            assert reason(post({'config': config | change}), 400) == ('Invalid value supplied for field: bind_password')
        saved = site.api.get('/backends/ldap', admin_token, headers=tenant['headers']).json()
        assert saved['user_base_dn'] == PEOPLE  # a try changes nothing
    finally:
        assert site.api.delete('/backends/ldap', admin_token, headers=tenant['headers']).status_code == 204


def test_a_body_that_does_not_fit(site, admin_token, tenant, config):
    def refused(field, **body):
        answer = site.api.post(
            '/backends/ldap/try', admin_token, json=body, headers={**tenant['headers'], **elsewhere()}
        )
        assert reason(answer, 400).startswith(f'Invalid value supplied for field: {field}')

    refused('config', config={})
    refused('config', config={**config, 'port': 'x'})
    refused('host', config={**config, 'host': 'ldap://127.0.0.1'})
    refused('username', config=config, password=PASSWORD)
    refused('username', username='')


def test_only_who_may(site, make_user, make_token, tenant, config):
    user = make_user(acl=['auth.backends.ldap.read', 'auth.backends.ldap.update', 'auth.config.read'])
    token = make_token(user)['token']
    for path in ('/backends/ldap/try', '/backends/saml/try', '/config/smtp/try'):
        error(site.api.post(path, token, json={}), 401, 'unauthorized')
    tenants_own = make_user(acl=['auth.#'], headers=tenant['headers'])
    token = make_token(tenants_own)['token']
    error(site.api.post('/config/smtp/try', token, json={}), 401, 'unauthorized')
    answer = site.api.post('/backends/ldap/try', token, json={'config': config}, headers=elsewhere())
    assert answer.json()['success'], answer.text


def test_nobody_looks_for_ports(site, admin_token, tenant, config):
    """Tries of what isn't saved take turns: five at once, then slower and slower, then none."""
    client = elsewhere()
    took = []
    for port in range(1, 9):
        answer = site.api.post(
            '/backends/ldap/try',
            admin_token,
            json={'config': config | {'port': port}},
            headers={**tenant['headers'], **client},
        )
        assert answer.status_code == 200
        took.append(answer.elapsed.total_seconds())
    assert sum(took[6:]) > 1.5, took


def test_nobody_looks_for_ports_by_saving_them(site, admin_token, tenant, config):
    """What was saved a moment ago is as new a try as what isn't saved; the same one again is none."""
    client = elsewhere()

    def took(**change):
        saved = site.api.put('/backends/ldap', admin_token, json=config | change, headers=tenant['headers'])
        assert saved.status_code == 200
        answer = site.api.post('/backends/ldap/try', admin_token, json={}, headers={**tenant['headers'], **client})
        assert answer.status_code == 200
        return answer.elapsed.total_seconds()

    try:
        assert sum([took(port=1) for _ in range(8)][6:]) < 1.5
        assert sum([took(port=port, bind_password=WRONG) for port in range(2, 10)][6:]) > 1.5
    finally:
        assert site.api.delete('/backends/ldap', admin_token, headers=tenant['headers']).status_code == 204


def test_loopback_may_be_denied(new_nginx, admin_token, tenant, config):
    nginx = new_nginx('try-outgoing', GATED, workers=1, settings={'outgoing': {'loopback': False}})
    answer = nginx.api.post(
        '/backends/ldap/try', admin_token, json={'config': config}, headers={**tenant['headers'], **elsewhere()}
    )
    assert_ends(steps_of(answer), 'look_up', '127.0.0.1 is denied: 127.0.0.1 is loopback')


# -- SAML --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def sp_key(stack):
    folder = stack.folder / 'try-saml-sp'
    folder.mkdir()
    folder.chmod(0o755)
    return make_key(folder, 'sp')


@pytest.fixture(scope='module')
def saml_site(sp_key, new_nginx):
    return new_nginx('try-saml', settings={'saml': {'key_file': str(sp_key[0]), 'cert_file': str(sp_key[1])}})


class SamlTenant:
    """A tenant with a domain and a configuration of SAML."""

    def __init__(self, api, token, idp, sp_key):
        self.api, self.token, self.idp = api, token, idp
        self.domain = f'{uuid.uuid4().hex[:12]}.example.com'
        self.entity_id, self.acs_url = f'https://try.example/saml/{self.domain}', f'{api.base}/saml/acs'
        made = api.post('/tenants', token, json={'name': self.domain, 'domain_names': [self.domain]})
        self.uuid = made.json()['uuid']
        self.headers = {'Wazo-Tenant': self.uuid}
        self.domain_uuid = api.get(f'/tenants/{self.uuid}/domains', token).json()['items'][0]['uuid']
        idp.add_service(self.entity_id, self.acs_url, f'{api.base}/saml/sls', sp_key[1])
        assert self.configure('POST', metadata=idp.metadata).status_code == 200

    def configure(self, method, **fields):
        fields = {'domain_uuid': self.domain_uuid, 'entity_id': self.entity_id, 'acs_url': self.acs_url, **fields}
        return configure(self.api, method, self.token, self.uuid, **fields)


def answer_of_idp(api, tenant, user):
    """The form that a browser brings after a login there."""
    begun = api.post('/saml/sso', json={'domain': tenant.domain, 'redirect_url': 'https://app.example.org/after'})
    page = requests.get(begun.json()['location'], cookies={'user': user['username']}, timeout=30)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
    return {name: html.unescape(fields[name]) for name in ('SAMLResponse', 'RelayState')}


@pytest.fixture
def saml_tenant(saml_site, admin_token, idp, sp_key):
    return SamlTenant(saml_site.api, admin_token, idp, sp_key)


@pytest.fixture
def try_saml(saml_site, admin_token):
    def post(tenant, status=200, **body):
        answer = saml_site.api.post('/backends/saml/try', admin_token, json=body, headers=tenant['headers'])
        assert answer.status_code == status, answer.text
        return steps_of(answer) if status == 200 else reason(answer, status)

    return post


SAML_STEPS = ['metadata', 'certificates', 'key', 'request', 'last_response']


def test_saml_that_works(saml_site, saml_tenant, idp, try_saml, make_user):
    headers = {'headers': saml_tenant.headers}
    steps = try_saml(headers)
    assert list(steps) == SAML_STEPS
    assert {step['outcome'] for step in steps.values()} == {'ok'}
    details = {name: step['details'] for name, step in steps.items()}
    described = entity_descriptor_from_string(idp.metadata)
    assert details['metadata']['entity_id'] == described.entity_id
    assert details['certificates']['certificates'][0]['key'].startswith('RSA ')
    assert details['key']['certificate']['expired'] is False
    assert details['request']['location'].startswith(details['metadata']['login_url'])
    request = authn_request_from_string(details['request']['xml'])
    assert (request.issuer.text, request.assertion_consumer_service_url) == (saml_tenant.entity_id, saml_tenant.acs_url)
    assert details['last_response'] == {'received_at': None, 'refused': None}

    user = make_user(headers=saml_tenant.headers, authentication_method='saml')
    answer = saml_site.api.post('/saml/acs', data=answer_of_idp(saml_site.api, saml_tenant, user))
    assert answer.headers['Location'] == 'https://app.example.org/after'
    last = try_saml(headers)['last_response']
    assert last['outcome'] == 'ok' and last['details']['received_at'] and last['details']['refused'] is None


def test_why_the_last_response_was_refused(saml_site, saml_tenant, try_saml, make_user):
    user = make_user(headers=saml_tenant.headers, authentication_method='saml')
    form = answer_of_idp(saml_site.api, saml_tenant, user)
    form['SAMLResponse'] = base64.b64encode(b'<no-response/>').decode()
    answer = saml_site.api.post('/saml/acs', data=form)
    assert answer.headers['Location'].endswith('login_failure_code=500')
    last = try_saml({'headers': saml_tenant.headers})['last_response']
    assert (last['outcome'], last['reason']) == (
        'warning',
        f"the last response was refused: {last['details']['refused']}",
    )
    # Another configuration of the tenant knows nothing of it.
    assert saml_site.api.delete('/backends/saml', saml_tenant.token, headers=saml_tenant.headers).status_code == 204
    assert saml_tenant.configure('POST', metadata=saml_tenant.idp.metadata).status_code == 200
    assert try_saml({'headers': saml_tenant.headers})['last_response']['outcome'] == 'ok'


def test_saml_that_is_not_saved(saml_site, saml_tenant, idp, tenant, try_saml, admin_token):
    text = idp.metadata if isinstance(idp.metadata, str) else idp.metadata.decode()
    config = {'entity_id': 'https://x.example/saml', 'acs_url': 'https://x.example/saml/acs', 'metadata': text}
    assert try_saml(tenant, 400).startswith('Invalid value supplied for field: config')
    del config['acs_url']
    assert try_saml(tenant, 400, config=config).endswith('it lacks acs_url')
    steps = try_saml(tenant, config={**config, 'acs_url': 'https://x.example/saml/acs'})
    assert list(steps) == SAML_STEPS and 'https://x.example/saml/acs' in steps['request']['details']['xml']
    # What isn't given is what is saved, and nothing is saved.
    steps = try_saml({'headers': saml_tenant.headers}, config={'entity_id': 'https://other.example'})
    assert steps['request']['details']['acs_url'] == saml_tenant.acs_url
    saved = saml_site.api.get('/backends/saml', admin_token, headers=saml_tenant.headers).json()
    assert saved['entity_id'] == saml_tenant.entity_id
    answer = saml_site.api.get('/backends/saml', admin_token, headers=tenant['headers'])
    error(answer, 404, 'unknown-saml-config')


def without_certificate(text):
    return re.sub(r'(<(?:\w+:)?X509Certificate>)[^<]*(</)', r'\1AAAA\2', text)


@pytest.mark.parametrize(
    'change, step, text',
    [
        ({'metadata': '<xml'}, 'metadata', ''),
        ({'metadata': '<xml/>'}, 'metadata', 'it describes 0 identity providers'),
        (without_certificate, 'certificates', 'no certificate in the metadata has an RSA key'),
        ({'acs_url': 'javascript:alert(1)'}, 'request', 'no address that browsers may be sent to'),
    ],
)
def test_saml_that_does_not_work(saml_tenant, idp, try_saml, change, step, text):
    if callable(change):
        metadata = idp.metadata if isinstance(idp.metadata, str) else idp.metadata.decode()
        change = {'metadata': change(metadata)}
    assert_ends(try_saml({'headers': saml_tenant.headers}, config=change), step, text)


def test_saml_without_a_key(new_nginx, admin_token, saml_tenant):
    nginx = new_nginx('try-no-key', settings={'saml': {'key_file': '/nowhere', 'cert_file': '/nowhere'}})
    answer = nginx.api.post('/backends/saml/try', admin_token, json={}, headers=saml_tenant.headers)
    assert_ends(steps_of(answer), 'key', 'no key or no certificate')


def test_saml_with_an_expired_certificate(saml_tenant, idp, try_saml, authority):
    """Only the key counts, but an administrator wants to know."""
    pem = Path(authority.certificate('DNS:idp.example', True)).read_text()
    der = re.search('-----BEGIN CERTIFICATE-----(.*?)-----END', pem, re.DOTALL)[1].strip()
    metadata = idp.metadata if isinstance(idp.metadata, str) else idp.metadata.decode()
    metadata = re.sub(r'(<(?:\w+:)?X509Certificate>)[^<]*(</)', lambda m: m[1] + der + m[2], metadata)
    steps = try_saml({'headers': saml_tenant.headers}, config={'metadata': metadata})
    assert steps['certificates']['outcome'] == 'warning' and 'has expired' in steps['certificates']['reason']
    assert steps['certificates']['details']['certificates'][0]['expired'] is True
    assert list(steps) == SAML_STEPS


# -- mail --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def mail(stack):
    made = []

    def start(*options):
        made.append(servers.MailServer(stack.folder / f'mail-{label("try")}', servers.free_port(), *options))
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        each.stop()


@pytest.fixture(scope='module')
def mail_site(authority, new_nginx, stack):
    """Its own mail server isn't there; TLS trusts the tests' authority."""
    smtp = {'hostname': '127.0.0.1', 'port': 1, 'timeout': 1, 'tls': 'starttls', 'ca_file': str(authority.file)}
    smtp |= {'username': 'wazo', 'password': MAIL_PASSWORD}
    return new_nginx('try-mail', settings={'smtp': smtp})


@pytest.fixture
def try_mail(mail_site, admin_token):
    def post(config=None, status=200, **body):
        body = body if config is None else {'config': config, **body}
        answer = mail_site.api.post('/config/smtp/try', admin_token, json=body, headers=elsewhere())
        assert answer.status_code == status, answer.text
        return steps_of(answer) if status == 200 else reason(answer, status)

    return post


def at(server, **more):
    return {'hostname': '127.0.0.1', 'port': server.port, **more}


def test_mail_as_it_is_configured(try_mail):
    assert_ends(try_mail(), 'connect', "can't be used")


def test_mail_in_the_clear(try_mail, mail):
    server = mail()
    steps = try_mail(at(server), recipient='somebody@example.com')
    assert list(steps) == ['look_up', 'connect', 'greeting', 'ehlo', 'sender', 'recipient']
    assert_ends(steps, 'recipient')
    assert steps['connect']['details'] == {'port': server.port, 'address': '127.0.0.1'}
    assert steps['greeting']['details']['answer'].startswith('code 220')
    assert steps['recipient']['details']['answer'].startswith('code 250')
    assert server.messages() == []
    assert list(try_mail(at(server)))[-1] == 'sender'


@pytest.mark.parametrize('tls', ['starttls', 'tls'])
def test_mail_with_tls_and_a_login(try_mail, mail, authority, tls):
    server = mail(f'--{tls}', authority.certificate('IP:127.0.0.1'), '--login', f'wazo:{MAIL_PASSWORD}')
    config = at(server, tls=tls, username='wazo')
    steps = try_mail({**config, 'password': MAIL_PASSWORD}, recipient='somebody@example.com')
    begin = ['greeting', 'ehlo', 'tls'] if tls == 'starttls' else ['tls', 'greeting', 'ehlo']
    assert list(steps) == ['look_up', 'connect', *begin, 'auth', 'sender', 'recipient']
    assert_ends(steps, 'recipient')
    shown = steps['tls']['details']['certificates'][0]
    assert (shown['issuer'], shown['names'], shown['expired']) == ('CN=authority', ['127.0.0.1'], False)
    assert_ends(try_mail({**config, 'password': WRONG}), 'auth', 'refuses with code 535')
    # The saved password goes to the saved server, and nowhere else.
    assert try_mail(config, 400) == 'Invalid value supplied for field: password'


@pytest.mark.parametrize('tls', ['starttls', 'tls'])
@pytest.mark.parametrize('name, expired, text', [('IP:127.0.0.1', True, 'expired'), ('DNS:x.example', False, 'match')])
def test_mail_certificates_that_are_no_good_are_shown(try_mail, mail, authority, tls, name, expired, text):
    server = mail(f'--{tls}', authority.certificate(name, expired))
    steps = try_mail(at(server, tls=tls))
    assert_ends(steps, 'tls', text)
    shown = steps['tls']['details']['certificates'][0]
    assert (shown['names'], shown['expired']) == ([name.partition(':')[2]], expired)


@pytest.mark.parametrize(
    'orders, config, body, step, text',
    [
        ({}, {'hostname': 'nowhere.invalid'}, {}, 'look_up', 'resolve'),
        ({}, {'hostname': '169.254.169.254'}, {}, 'look_up', 'its host is denied: 169.254.169.254'),
        ({}, {'port': 1}, {}, 'connect', "can't be used"),
        ({}, {'tls': 'starttls'}, {}, 'ehlo', 'Requested SSL level failed'),
        ({'at-greeting': '554 5.7.1 not you'}, {}, {}, 'greeting', '554 5.7.1 at the greeting: not you'),
        ({'at-EHLO': '550 5.7.1 not you'}, {}, {}, 'ehlo', '550'),
        ({'no-sender': True}, {}, {}, 'sender', '553 5.7.1 at MAIL: not from you'),
        ({}, {}, {'recipient': 'refused@example.com'}, 'recipient', '550 5.1.1 at RCPT'),
        ({'at-RCPT': '451 4.7.1 greylisted'}, {}, {'recipient': 'somebody@example.com'}, 'recipient', '451 4.7.1'),
        ({'greeting': 30}, {}, {}, 'greeting', ''),
    ],
)
def test_mail_that_fails_says_where_and_why(try_mail, mail, orders, config, body, step, text):
    server = mail()
    for name, what in orders.items():
        server.order(name, what)
    steps = try_mail({**at(server), **config}, **body)
    assert_ends(steps, step, text)
    later = 'at-RCPT' in orders or 'greeting' in orders
    assert steps[step]['outcome'] == ('warning' if later else 'failed')


def test_a_mail_is_sent(try_mail, mail):
    server = mail()
    steps = try_mail(at(server), recipient='somebody@example.com', sender='wazo@example.com', send=True)
    assert list(steps)[-2:] == ['data', 'message']
    assert_ends(steps, 'message')
    [message] = server.messages()
    assert (message['X-Envelope-To'], message['X-Envelope-From']) == ('somebody@example.com', 'wazo@example.com')
    assert message['Subject'] == 'Test of the mail server'
    assert_ends(try_mail(at(server), recipient='spam@example.com', send=True), 'message', 'code 554')


def test_mail_bodies_that_do_not_fit(try_mail, mail):
    for config, body, field in [
        ({}, {}, 'config'),
        ({'hostname': 'a b'}, {}, 'hostname'),
        ({'hostname': '127.0.0.1/x'}, {}, 'hostname'),
        ({'hostname': 'a', 'port': 0}, {}, 'config'),
        ({'hostname': 'a', 'ehlo': 'x\r\nQUIT'}, {}, 'ehlo'),
        ({'hostname': 'a', 'username': 'x', 'password': 'y'}, {}, 'tls'),
        ({'hostname': 'a', 'username': 'x', 'password': 'y\r\n', 'tls': 'tls'}, {}, 'username'),
        ({'hostname': 'a'}, {'send': True}, 'recipient'),
        ({'hostname': 'a'}, {'recipient': 'nobody'}, 'recipient'),
    ]:
        assert try_mail(config, 400, **body).startswith(f'Invalid value supplied for field: {field}')
