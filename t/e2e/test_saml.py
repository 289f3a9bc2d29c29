"""Logins and logouts by SAML against pysaml2's identity provider; docs/spec/federation.md sections 4.2 to 4.6."""
import base64
import html
import re
import time
import uuid
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.samlp import STATUS_AUTHN_FAILED, STATUS_REQUESTER, STATUS_SUCCESS, STATUS_UNKNOWN_PRINCIPAL
from saml2.sigver import pre_signature_part
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

from support import servers
from support.logs import LogReader
from support.saml_idp import BASIC, UNSPECIFIED, SamlIdp, configure, make_key

ENTITY_ID = 'https://wazo.example.org/saml'
APP = 'https://app.example.org/after'


@pytest.fixture(scope='module')
def sp_key(stack):
    folder = stack.folder / 'saml-sp'
    folder.mkdir()
    folder.chmod(0o755)
    return make_key(folder, 'sp')


@pytest.fixture(scope='module')
def nodes(sp_key, new_nginx):
    """Two nginx with one database; the second has a list of redirect targets."""
    saml = {'key_file': str(sp_key[0]), 'cert_file': str(sp_key[1])}
    first = new_nginx('saml', settings={'saml': saml})
    second = new_nginx('saml2', settings={'saml': {**saml, 'redirect_urls': [APP, 'wazo://login']}})
    return first, second


@pytest.fixture(scope='module')
def one(nodes):
    return nodes[0].api


@pytest.fixture(scope='module')
def two(nodes):
    return nodes[1].api


class Tenant:
    """A tenant with a domain and a configuration of SAML."""

    def __init__(self, api, token, idp, sp_key, **fields):
        self.api, self.token, self.idp = api, token, idp
        self.domain = f'{uuid.uuid4().hex[:12]}.example.com'
        self.entity_id = f'{ENTITY_ID}/{self.domain}'
        self.acs_url = f'{api.base}/saml/acs'
        made = api.post('/tenants', token, json={'name': self.domain, 'domain_names': [self.domain], **fields})
        assert made.status_code == 200, made.text
        self.uuid = made.json()['uuid']
        self.headers = {'Wazo-Tenant': self.uuid}
        self.domain_uuid = api.get(f'/tenants/{self.uuid}/domains', token).json()['items'][0]['uuid']
        idp.add_service(self.entity_id, self.acs_url, f'{api.base}/saml/sls', sp_key[1])
        answer = self.configure('POST', metadata=idp.metadata)
        assert answer.status_code == 200, answer.text

    def configure(self, method, metadata=None, **fields):
        fields = {'domain_uuid': self.domain_uuid, 'entity_id': self.entity_id, 'acs_url': self.acs_url, **fields}
        if metadata is not None:
            fields['metadata'] = metadata
        return configure(self.api, method, self.token, self.uuid, **fields)


@pytest.fixture(scope='module')
def make_tenant(one, admin_token, idp, sp_key):
    return lambda **fields: Tenant(one, admin_token, fields.pop('idp', idp), sp_key, **fields)


@pytest.fixture(scope='module')
def tenant(make_tenant):
    return make_tenant()


@pytest.fixture
def user(make_user, tenant):
    return make_user(headers=tenant.headers, authentication_method='saml')


def begin(api, tenant, redirect_url=APP):
    answer = api.post('/saml/sso', json={'domain': tenant.domain, 'redirect_url': redirect_url})
    assert answer.status_code == 200, answer.text
    return answer.json()


def relay_state_of(begun):
    return parse_qs(urlsplit(begun['location']).query)['RelayState'][0]


def ask_idp(location, user):
    """What the browser would post, and where."""
    page = requests.get(location, cookies={'user': user}, timeout=30, allow_redirects=False)
    assert page.status_code == 200, page.text
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
    return html.unescape(re.search(r'action="([^"]+)"', page.text)[1]), {
        name: html.unescape(value) for name, value in fields.items()
    }


def post(api, form, **options):
    return api.post('/saml/acs', data={name: form[name] for name in ('SAMLResponse', 'RelayState')}, **options)


def log_in(api, tenant, user, redirect_url=APP):
    """The session id of a finished login."""
    begun = begin(api, tenant, redirect_url)
    action, form = ask_idp(begun['location'], user['username'])
    assert action == tenant.acs_url
    answer = post(api, form)
    assert (answer.status_code, answer.headers['Location']) == (302, redirect_url), answer.text
    return begun['saml_session_id']


def exchange(api, session, **body):
    return api.post('/token', json={'saml_session_id': session, **body})


def failed(answer):
    return answer.status_code == 302 and answer.headers['Location'] == f'{APP}?login_failure_code=500'


# -- logins ------------------------------------------------------------------------------------------------------------


def test_a_login(one, tenant, user, idp, psql):
    session = log_in(one, tenant, user)
    assert re.fullmatch('[-_A-Za-z0-9]{22}', session)
    request = idp.requests[-1]
    assert (request.issuer.text, request.destination) == (tenant.entity_id, f'{idp.url}/sso')
    assert re.fullmatch('id-[A-Za-z0-9]{17}', request.id)
    answer = exchange(one, session)
    assert answer.status_code == 200, answer.text
    token = answer.json()['data']
    assert token['metadata']['uuid'] == user['uuid']
    assert 'refresh_token' not in token
    # Once.
    assert exchange(one, session).status_code == 401
    assert psql(f"SELECT session_id FROM auth_saml_session WHERE request_id = '{request.id}'") == 'token-already-used'


def test_what_is_stored(one, tenant, user, idp, psql):
    log_in(one, tenant, user)
    request = idp.requests[-1].id
    columns = 'redirect_url, domain, length(relay_state), login, refresh_token_uuid, saml_name_id'
    row = psql(f"SELECT {columns} FROM auth_saml_session WHERE request_id = '{request}'")
    assert row.split('|')[:5] == [APP, tenant.domain, '44', user['username'], '']
    assert f"id-of-{user['username']}</" in row and 'urn:oasis:names:tc:SAML:2.0:assertion' in row
    code = psql(
        "SELECT name_id, entity_id, info::jsonb->'ava' FROM auth_saml_pysaml2_cache "
        f"WHERE name_id LIKE '%4=id-of-{user['username']}'"
    )
    assert code.split('|') == [
        f"1=https%3A//wazo.example.org/saml/{tenant.domain},2=urn%3Aoasis%3Anames%3Atc%3ASAML%3A2.0%3Anameid-format%3Apersistent,"
        f"4=id-of-{user['username']}",
        idp.entity_id,
        f'{{"name": ["{user["username"]}"]}}',
    ]


@pytest.mark.parametrize('attribute', [BASIC, UNSPECIFIED])
def test_both_names_of_the_attribute(one, tenant, user, idp, attribute):
    idp.attribute = attribute
    try:
        assert exchange(one, log_in(one, tenant, user)).status_code == 200
    finally:
        idp.attribute = UNSPECIFIED


def test_by_several_nodes(one, two, tenant, user):
    """Each step at another node than the one before."""
    begun = begin(two, tenant)
    _, form = ask_idp(begun['location'], user['username'])
    assert post(one, form).headers['Location'] == APP
    answer = exchange(two, begun['saml_session_id'], access_type='offline', client_id='several')
    assert answer.status_code == 200
    again = one.post('/token', json={'refresh_token': answer.json()['data']['refresh_token'], 'client_id': 'several'})
    assert again.status_code == 200


def test_by_multipart(one, tenant, user):
    begun = begin(one, tenant)
    _, form = ask_idp(begun['location'], user['username'])
    body = ''.join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in form.items()
    )
    answer = one.post('/saml/acs', data=body + '--x--\r\n', headers={'Content-Type': 'multipart/form-data; boundary=x'})
    assert answer.headers['Location'] == APP


def test_users_who_may_not(one, tenant, make_tenant, make_user, user, psql):
    native = make_user(headers=tenant.headers)
    other = make_user(headers=make_tenant().headers, authentication_method='saml')
    disabled = make_user(headers=tenant.headers, authentication_method='saml', enabled=False)
    for each in (native, other, disabled, {'username': 'nobody-at-all'}):
        assert exchange(one, log_in(one, tenant, each)).status_code == 401
    below = make_user(
        headers={
            'Wazo-Tenant': one.post('/tenants', tenant.token, json={'name': 'x'}, headers=tenant.headers).json()['uuid']
        },
        authentication_method='saml',
    )
    assert exchange(one, log_in(one, tenant, below)).status_code == 200


def test_sessions_that_are_none(one, tenant):
    begun = begin(one, tenant)
    for session in (begun['saml_session_id'], 'token-already-used', 'x', '\0', "'"):
        assert exchange(one, session).status_code in (400, 401)


def test_only_one_of_many_gets_the_token(one, two, tenant, user):
    session = log_in(one, tenant, user)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: exchange((one, two)[i % 2], session).status_code, range(8)))
    assert sorted(answers) == [200] + [401] * 7


# -- what is refused at the ACS ----------------------------------------------------------------------------------------


def test_replays(one, two, tenant, user):
    """Browsers post a response twice and follow the second answer: it leads to where the first one did, at any node,
    until the login is a token. There is one token."""
    begun = begin(one, tenant)
    _, form = ask_idp(begun['location'], user['username'])
    for api in (one, one, two):
        assert post(api, form).headers['Location'] == APP
    assert exchange(one, begun['saml_session_id']).status_code == 200
    assert failed(post(one, form)) and failed(post(two, form))
    assert exchange(one, begun['saml_session_id']).status_code == 401


def test_replays_at_the_same_time(one, two, tenant, user):
    for _ in range(3):
        begun = begin(one, tenant)
        _, form = ask_idp(begun['location'], user['username'])
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i: post((one, two)[i % 2], form).headers['Location'], range(8)))
        assert answers == [APP] * 8
        with ThreadPoolExecutor(8) as pool:
            session = begun['saml_session_id']
            answers = list(pool.map(lambda i: exchange((one, two)[i % 2], session).status_code, range(8)))
        assert sorted(answers) == [200] + [401] * 7


def test_what_comes_after_a_response(one, tenant, user, make_user, idp):
    """To know the relay state of a finished login isn't enough, and nothing that comes later harms or changes it."""
    begun = begin(one, tenant)
    _, form = ask_idp(begun['location'], user['username'])
    assert post(one, form).headers['Location'] == APP
    other = make_user(headers=tenant.headers, authentication_method='saml')
    request = idp.requests[-1].id
    for changed in (
        'x',
        form['SAMLResponse'][:-40],
        base64.b64encode(idp.response(other['username'], request, tenant.acs_url, tenant.entity_id).encode()),
    ):
        assert failed(post(one, form | {'SAMLResponse': changed}))
    assert post(one, form).headers['Location'] == APP
    answer = exchange(one, begun['saml_session_id'])
    assert (answer.status_code, answer.json()['data']['metadata']['uuid']) == (200, user['uuid'])


def test_a_response_belongs_to_its_request(one, tenant, user, idp):
    mine, theirs = begin(one, tenant), begin(one, tenant)
    _, form = ask_idp(mine['location'], user['username'])
    _, other = ask_idp(theirs['location'], user['username'])
    assert failed(post(one, {'SAMLResponse': form['SAMLResponse'], 'RelayState': other['RelayState']}))
    # The row of that relay state is gone now.
    answer = post(one, other)
    assert (answer.status_code, answer.json()['details']) == (404, {'error': 'Context not found'})
    assert post(one, form).headers['Location'] == APP


def test_unsolicited(one, tenant, user, idp):
    for request in (None, 'id-abcdefghijklmnopq'):
        begun = begin(one, tenant)
        relay_state = relay_state_of(begun)
        xml = idp.response(user['username'], request, tenant.acs_url, tenant.entity_id)
        assert failed(post(one, {'SAMLResponse': base64.b64encode(xml.encode()), 'RelayState': relay_state}))
        assert exchange(one, begun['saml_session_id']).status_code == 401


def changes(xml):
    """What attackers make of a good response."""
    start = xml.index('<ns0:Response')
    head, response = xml[:start], xml[start:]
    signature = re.search('<ns2:Signature .*?</ns2:Signature>', response, re.S)[0]
    assertion = re.search('<ns1:Assertion .*</ns1:Assertion>', response, re.S)[0]
    bare = response.replace(signature, '')
    evil_assertion = re.sub(' ID="[^"]*"', ' ID="_evil"', assertion.replace('id-of-', 'id-of-x'))
    evil = re.sub(' ID="[^"]*"', ' ID="_evil"', bare.replace(assertion, evil_assertion), count=1)
    status = '<ns0:Status>'
    yield 'unsigned', head + bare
    yield 'another user', xml.replace('id-of-', 'id-of-x')
    yield 'another assertion first', xml.replace(assertion, evil_assertion + assertion)
    yield 'another assertion last', xml.replace(assertion, assertion + evil_assertion)
    yield 'one around the other', xml.replace(
        assertion, evil_assertion.replace('</ns1:Assertion>', assertion + '</ns1:Assertion>')
    )
    yield 'in extensions', xml.replace(status, f'<ns0:Extensions>{assertion}</ns0:Extensions>{status}').replace(
        assertion + '</ns0:Response>', evil_assertion + '</ns0:Response>'
    )
    yield 'in an object', head + evil.replace(
        status, signature.replace('</ns2:Signature>', f'<ns2:Object>{bare}</ns2:Object></ns2:Signature>') + status
    )
    yield 'beside the signature', head + evil.replace(status, signature + bare + status)
    yield 'a comment', re.sub('(AttributeValue[^>]*>)', r'\1<!-- -->', xml, count=1)
    yield 'a DOCTYPE', '<!DOCTYPE x [<!ENTITY a "b">]>' + response
    yield 'nothing', ''
    yield 'not XML', 'x' * 1000
    yield 'long', '<x>' + 'x' * (600 << 10) + '</x>'
    yield 'very long', 'x' * (8 << 20)
    yield 'deep', '<x>' * 10000


ATTACKS = [
    'unsigned',
    'another user',
    'another assertion first',
    'another assertion last',
    'one around the other',
    'in extensions',
    'in an object',
    'beside the signature',
    'a comment',
    'a DOCTYPE',
    'nothing',
    'not XML',
    'long',
    'very long',
    'deep',
]


@pytest.mark.parametrize('what', ATTACKS)
def test_what_was_changed(one, tenant, user, what):
    begun = begin(one, tenant)
    _, form = ask_idp(begun['location'], user['username'])
    xml = base64.b64decode(form['SAMLResponse']).decode()
    changed = dict(changes(xml))
    assert list(changed) == ATTACKS and changed[what] != xml
    assert failed(post(one, form | {'SAMLResponse': base64.b64encode(changed[what].encode())}))
    assert exchange(one, begun['saml_session_id']).status_code == 401
    # That login is over: the good response comes too late.
    assert post(one, form).status_code == 404


def test_expired(one, tenant, user, idp):
    begun = begin(one, tenant)
    idp.minutes = -5
    try:
        _, form = ask_idp(begun['location'], user['username'])
    finally:
        idp.minutes = 5
    assert failed(post(one, form))


def test_the_log_says_why(nodes, one, tenant, user, idp):
    """What the identity provider says about its refusal, which attributes came, what isn't signed."""
    log = LogReader(nodes[0].error_log)

    def lines_of(make):
        begun = begin(one, tenant)
        ask_idp(begun['location'], user['username'])
        xml = make(idp.requests[-1].id)
        log.news()
        relay_state = relay_state_of(begun)
        assert failed(post(one, {'SAMLResponse': base64.b64encode(xml.encode()), 'RelayState': relay_state}))
        return [line for line in log.news().splitlines() if f'a login through "{tenant.domain}" failed: ' in line]

    text = 'Please verify\nyour email'
    [line] = lines_of(lambda request: idp.refusal(STATUS_AUTHN_FAILED, text, request, tenant.acs_url))
    assert 'refuses: status "Responder", "AuthnFailed", message "Please verify your email"' in line
    options = {'identity': {'mail': ['somebody@example.org']}}

    def response(request, **more):
        return idp.response(user['username'], request, tenant.acs_url, tenant.entity_id, **more)

    [line] = lines_of(lambda request: response(request, **options))
    assert 'no attribute with the user\'s name: there came "' in line and 'somebody' not in line
    [line] = lines_of(lambda request: response(request, sign_response=False, sign_assertion=True))
    assert "the response isn't signed; switch it on at the identity provider" in line and 'Entra ID' in line


def test_another_identity_provider(one, tenant, user, stack, idp):
    """One with the same name and another key, one with another name."""
    stranger = SamlIdp(stack.folder / 'stranger', servers.free_port())
    try:
        stranger._services = idp._services
        for name in (idp.entity_id, stranger.entity_id):
            stranger.entity_id = name
            begun = begin(one, tenant)
            relay_state = relay_state_of(begun)
            ask_idp(begun['location'], user['username'])
            xml = stranger.response(user['username'], idp.requests[-1].id, tenant.acs_url, tenant.entity_id)
            assert failed(post(one, {'SAMLResponse': base64.b64encode(xml.encode()), 'RelayState': relay_state}))
    finally:
        stranger.close()


def test_for_another_service(one, tenant, make_tenant, user, idp):
    """Two tenants with one identity provider: a response for one isn't one for the other."""
    other = make_tenant()
    begun = begin(one, tenant)
    relay_state = relay_state_of(begun)
    ask_idp(begun['location'], user['username'])
    xml = idp.response(user['username'], idp.requests[-1].id, tenant.acs_url, other.entity_id)
    assert failed(post(one, {'SAMLResponse': base64.b64encode(xml.encode()), 'RelayState': relay_state}))
    # The same for addresses.
    begun = begin(one, tenant)
    ask_idp(begun['location'], user['username'])
    xml = idp.response(user['username'], idp.requests[-1].id, tenant.acs_url + '/', tenant.entity_id)
    assert failed(post(one, {'SAMLResponse': base64.b64encode(xml.encode()), 'RelayState': relay_state_of(begun)}))


def test_what_is_no_form(one):
    for body in ({}, {'SAMLResponse': 'x'}, {'RelayState': 'x'}):
        answer = one.post('/saml/acs', data=body)
        assert (answer.status_code, answer.json()['message']) == (400, 'RelayState and/or SAMLResponse')
        assert (answer.json()['error_id'], answer.json()['details'], answer.json()['resource']) == (
            'invalid-data',
            {},
            'saml',
        )
    for state in ('x', '', 'x' * 100000, '\0', "'"):
        answer = one.post('/saml/acs', data={'SAMLResponse': 'x', 'RelayState': state})
        assert (answer.status_code, answer.json()['error_id']) == (404, 'processing-error')
    answer = one.post('/saml/acs', json={'SAMLResponse': 'x', 'RelayState': 'x'})
    assert answer.status_code == 400


# -- where logins lead to ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'url',
    [
        'http://app.example.org',
        '//app.example.org',
        'https:///x',
        'https://a@b.com',
        'x',
        'https://a.com\\@b.com',
        'javascript:alert(1)',
        'https://a.com\r\nX: y',
    ],
)
def test_redirect_targets(one, tenant, url):
    answer = one.post('/saml/sso', json={'domain': tenant.domain, 'redirect_url': url})
    assert (answer.status_code, answer.json()['message']) == (400, 'redirect_url')


def test_a_list_of_redirect_targets(one, two, tenant, user):
    for url in (APP, APP + '/x?y=z', 'wazo://login'):
        log_in(two, tenant, user, url)
    for url in ('https://app.example.org/', 'https://evil.example.org/after', 'wazo://other', APP + '/../x', APP + 'x'):
        answer = two.post('/saml/sso', json={'domain': tenant.domain, 'redirect_url': url})
        assert (answer.status_code, answer.json()['message']) == (400, 'redirect_url')
    # A row that somebody else has made.
    begun = begin(one, tenant, 'https://evil.example.org/')
    _, form = ask_idp(begun['location'], user['username'])
    assert post(two, form).status_code == 404


def test_a_target_with_a_query(one, tenant):
    begun = begin(one, tenant, APP + '?a=b')
    relay_state = relay_state_of(begun)
    answer = post(one, {'SAMLResponse': 'x', 'RelayState': relay_state})
    assert answer.headers['Location'] == APP + '?a=b&login_failure_code=500'


@pytest.mark.parametrize(
    'body, name',
    [
        ({'domain': None, 'redirect_url': None}, 'redirect_url'),
        ({'domain': None, 'redirect_url': APP}, 'domain'),
        ({'domain': 'a.com', 'redirect_url': None}, 'redirect_url'),
        ({'domain': 'notadomain', 'redirect_url': APP}, 'domain'),
        ({'domain': 'a.com', 'redirect_url': 'https://' + 'x' * 512}, 'redirect_url'),
        ({'redirect_url': APP}, 'domain'),
        ({'domain': 'a.com'}, 'redirect_url'),
    ],
)
def test_bad_requests(one, body, name):
    answer = one.post('/saml/sso', json=body)
    problem = answer.json()
    assert (answer.status_code, problem['error_id'], problem['message']) == (400, 'invalid-data', name)
    assert (problem['resource'], problem['details']) == ('saml', {})


def test_domains_without_a_provider(one, tenant, api):
    for client, domain in (
        (one, 'unknown.com'),
        (one, tenant.domain.upper()),
        (one, tenant.domain + '.'),
        (api, tenant.domain),
    ):
        answer = client.post('/saml/sso', json={'domain': domain, 'redirect_url': APP})
        problem = answer.json()
        assert (answer.status_code, problem['error_id']) == (500, 'configuration-error')
        assert problem['message'] == 'SAML client for domain not found or failed'
        assert (problem['resource'], problem['details']) == ('saml', {'domain': domain})


# -- configurations that change ----------------------------------------------------------------------------------------


def test_a_new_certificate(one, two, make_tenant, make_user, stack):
    """With both certificates in the metadata each works; then only the new one; at every node, at once."""
    idp = SamlIdp(stack.folder / 'rolling', servers.free_port())
    try:
        tenant = make_tenant(idp=idp)
        user = make_user(headers=tenant.headers, authentication_method='saml')
        old, old_files = idp.metadata, (idp.key, idp.certificate)
        log_in(one, tenant, user)
        idp.new_key('second')
        new, new_files = idp.metadata, (idp.key, idp.certificate)
        key = r'<ns\d:KeyDescriptor.*?</ns\d:KeyDescriptor>'
        both = re.sub(key, lambda found: found[0] + re.search(key, old, re.S)[0], new, count=1, flags=re.S)

        def works(api):
            begun = begin(api, tenant)
            _, form = ask_idp(begun['location'], user['username'])
            answer = post(api, form)
            assert answer.headers['Location'] == APP or failed(answer)
            return answer.headers['Location'] == APP

        assert not works(one) and not works(two)
        assert tenant.configure('PUT', metadata=both).status_code == 200
        assert works(one) and works(two)
        idp.key, idp.certificate = old_files
        assert works(one) and works(two)
        assert tenant.configure('PUT', metadata=new).status_code == 200
        assert not works(one) and not works(two)
        idp.key, idp.certificate = new_files
        assert works(one) and works(two)
    finally:
        idp.close()


def test_a_login_that_nobody_fetches(one, tenant, user, idp, psql):
    for age, status in (('23 hours', 200), ('25 hours', 401)):
        session = log_in(one, tenant, user)
        psql(
            f"UPDATE auth_saml_session SET start_time = now() - interval '{age}' "
            f"WHERE request_id = '{idp.requests[-1].id}'"
        )
        assert exchange(one, session).status_code == status


def test_a_configuration_that_goes(one, two, make_tenant, make_user, admin_token):
    tenant = make_tenant()
    finished = log_in(one, tenant, make_user(headers=tenant.headers, authentication_method='saml'))
    begun = begin(two, tenant)
    relay_state = relay_state_of(begun)
    assert one.delete('/backends/saml', admin_token, headers=tenant.headers).status_code == 204
    assert two.post('/saml/sso', json={'domain': tenant.domain, 'redirect_url': APP}).status_code == 500
    answer = post(two, {'SAMLResponse': 'x', 'RelayState': relay_state})
    assert (answer.status_code, answer.json()['details']) == (500, {'error': 'Unexpected error'})
    # Who was vouched for by an identity provider that isn't trusted any more.
    assert exchange(two, finished).status_code == 401


def test_metadata_that_makes_no_provider(one, make_tenant):
    tenant = make_tenant()
    assert tenant.configure('PUT', metadata='<a/>').status_code == 200
    assert one.post('/saml/sso', json={'domain': tenant.domain, 'redirect_url': APP}).status_code == 500


# -- logouts -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def offline(one, tenant, user):
    """A token of an offline login."""
    answer = exchange(one, log_in(one, tenant, user), access_type='offline', client_id='logout')
    assert answer.status_code == 200
    return answer.json()['data']


def refreshed(api, offline):
    return api.post('/token', json={'refresh_token': offline['refresh_token'], 'client_id': 'logout'})


def test_a_logout(one, two, offline, user, idp, psql, bus):
    # Somebody looks where the link leads.
    assert one.head('/saml/logout', offline['token']).status_code == 200
    assert one.head(f"/token/{offline['token']}").status_code == 204
    answer = one.get('/saml/logout', offline['token'])
    assert answer.status_code == 200, answer.text
    location = answer.json()['location']
    assert location.startswith(f'{idp.url}/slo?SAMLRequest=')
    assert one.get(f"/token/{offline['token']}").status_code == 404
    assert refreshed(one, offline).status_code == 401
    bus.wait('auth_session_deleted', lambda event: event.body['data']['uuid'] == offline['session_uuid'])
    bus.wait('auth_refresh_token_deleted', lambda event: event.body['data']['user_uuid'] == user['uuid'])
    back = requests.get(location, timeout=30, allow_redirects=False).headers['Location']
    assert idp.logged_out[-1] == f"id-of-{user['username']}"
    assert idp.requests[-1].session_index[0].text
    assert back.startswith(f'{one.base}/saml/sls?')
    head = two.head('/saml/sls?' + urlsplit(back).query)
    assert (head.status_code, head.headers['Location']) == (302, f'{APP}?logged_out=true')
    # At another node than the one that began.
    answer = two.get('/saml/sls?' + urlsplit(back).query)
    assert (answer.status_code, answer.headers['Location']) == (302, f'{APP}?logged_out=true'), answer.text
    assert psql(f"SELECT count(*) FROM auth_saml_session WHERE login = '{user['username']}'") == '0'
    assert psql(f"SELECT count(*) FROM auth_saml_pysaml2_cache WHERE name_id LIKE '%{user['username']}'") == '0'
    again = two.get('/saml/sls?' + urlsplit(back).query)
    assert (again.status_code, again.json()['error_id']) == (500, 'processing-error')


def test_a_signed_answer_to_a_logout(one, offline, idp):
    """A signature needn't be there; where one is, it must be good."""
    location = one.get('/saml/logout', offline['token']).json()['location']
    idp.signs_logouts = True
    try:
        back = requests.get(location, timeout=30, allow_redirects=False).headers['Location']
    finally:
        idp.signs_logouts = False
    query = urlsplit(back).query
    assert parse_qs(query)['SigAlg'] == [SIG_RSA_SHA256]
    another = 'A' if query[-10] != 'A' else 'B'
    for changed in (
        query[:-10] + another + query[-9:],
        query.replace('rsa-sha256', 'rsa-sha512'),
        query + '&SigAlg=x',
        re.sub('SigAlg=[^&]*&', '', query),
    ):
        assert changed != query
        answer = one.get('/saml/sls?' + changed)
        assert (answer.status_code, answer.json()['error_id']) == (500, 'processing-error')
    assert one.get('/saml/sls?' + query).status_code == 302


def test_a_logout_that_ends_here(one, offline, user, psql):
    psql(f"DELETE FROM auth_saml_pysaml2_cache WHERE name_id LIKE '%{user['username']}'")
    answer = one.get('/saml/logout?token=' + offline['token'])
    assert answer.json() == {'location': f'{APP}?logged_out=true'}
    assert refreshed(one, offline).status_code == 401
    assert psql(f"SELECT count(*) FROM auth_saml_session WHERE login = '{user['username']}'") == '0'


def test_whose_logout_it_is(one, tenant, user, make_user, make_token, offline, psql):
    """Only the login that a token comes from: not one without a refresh token, not somebody else's."""
    native = make_user()
    finished = log_in(one, tenant, user)
    online = exchange(one, finished).json()['data']
    refresh = make_token(native, access_type='offline', client_id='native')
    for token in (make_token(native)['token'], online['token'], refresh['token']):
        answer = one.get('/saml/logout', token)
        assert (answer.status_code, answer.json()['details']) == (404, {'error': 'Context not found'})
        assert one.head(f'/token/{token}').status_code == 204
    assert refreshed(one, offline).status_code == 200


def test_logouts_of_nobody(one):
    for token in (None, 'x', str(uuid.uuid4())):
        answer = one.get('/saml/logout', token)
        assert (answer.status_code, answer.json()['reason']) == (404, ['No such token'])


def test_answers_to_no_logout(one, tenant, user, offline):
    begun = begin(one, tenant)
    login_state = relay_state_of(begun)
    for query in (
        '',
        'SAMLResponse=x',
        'RelayState=x',
        'SAMLResponse=x&RelayState=x',
        'SAMLResponse=x&RelayState=%00',
        f'SAMLResponse=x&RelayState={login_state}',
    ):
        answer = one.get('/saml/sls?' + query)
        assert (answer.status_code, answer.json()['error_id']) == (500, 'processing-error')
    location = one.get('/saml/logout', offline['token']).json()['location']
    back = requests.get(location, timeout=30, allow_redirects=False).headers['Location']
    query = parse_qs(urlsplit(back).query)
    for message in ('', 'x', 'A' * 5000):
        answer = one.get('/saml/sls', params={'SAMLResponse': message, 'RelayState': query['RelayState'][0]})
        assert (answer.status_code, answer.json()['error_id']) == (500, 'processing-error')
    assert one.get('/saml/sls?' + urlsplit(back).query).status_code == 302


# -- the rest ----------------------------------------------------------------------------------------------------------


def test_old_logins_go(stack, postgres, psql, wait_until):
    """In a database of its own: in the shared one another nginx has the lead, and cleans every minute."""
    database = 'saml-clean-up'
    nginx = stack.new_nginx(
        'saml-clean-up',
        settings={'db_uri': postgres.create_database(database, 'wazo-auth'), 'token_cleanup_interval': 1},
    )
    try:
        psql(
            "INSERT INTO auth_saml_session VALUES ('id-new', 'new', 'u', 'd', 'r', NULL, now()), "
            "('id-young', 'young', 'u', 'd', 'r', 'x', now() - interval '6 days'), "
            "('id-old', 'token-already-used', 'u', 'd', 'r', 'x', now() - interval '8 days'), "
            "('id-waiting', 'waiting', 'u', 'd', 'r', NULL, now() - interval '23 hours'), "
            "('id-unfinished', 'old', 'u', 'd', 'r', NULL, now() - interval '25 hours')",
            database,
        )
        psql(
            "INSERT INTO wazo_auth.dead_event (id, target, created_at, reason, failed_at) "
            "VALUES (1, 'bus', now(), 'x', now() - interval '31 days'), (2, 'bus', now(), 'x', now())",
            database,
        )
        recent = int(time.time()) - 6 * 86400
        psql(
            "INSERT INTO auth_saml_pysaml2_cache VALUES ('4=old', 'x', '{}', 1000), "
            f"('4=young', 'x', '{{}}', {recent})",
            database,
        )
        left = (
            "SELECT string_agg(request_id, ',' ORDER BY request_id) FROM auth_saml_session UNION ALL "
            "SELECT string_agg(name_id, ',' ORDER BY name_id) FROM auth_saml_pysaml2_cache"
        )
        wait_until(lambda: psql(left, database).split() == ['id-new,id-waiting,id-young', '4=young'], 30)
        assert psql('SELECT id FROM wazo_auth.dead_event', database) == '2'
    finally:
        nginx.stop()


def test_missing_files_switch_it_off(tenant, new_nginx):
    nginx = new_nginx('saml-off', settings={'saml': {'key_file': '/nowhere/x.key', 'cert_file': ''}})
    try:
        assert nginx.api.post('/saml/sso', json={'domain': tenant.domain, 'redirect_url': APP}).status_code == 500
        assert '/nowhere/x.key: No such file or directory; nobody can log in by SAML' in Path(nginx.log).read_text()
        assert f'SAML: nobody can log in through "{tenant.domain}": there is no key' in nginx.error_log.read_text(
            errors='replace'
        )
    finally:
        nginx.stop()


# -- logouts that the identity provider begins -------------------------------------------------------------------------


def instant(seconds):
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() + seconds))


def session_of(psql, user):
    """The identity provider's name for the session of the last login."""
    return psql(
        'SELECT l.session_index FROM wazo_auth.saml_login l JOIN auth_saml_session s USING (request_id) '
        f"WHERE s.login = '{user['username']}' ORDER BY s.start_time DESC LIMIT 1"
    )


class Sender:
    """Brings requests by one of the bindings, as a browser does."""

    def __init__(self, api, tenant, idp, binding):
        self.api, self.tenant, self.idp, self.binding = api, tenant, idp, binding
        self.sls_url = f'{api.base}/saml/sls'

    def request(self, user, sessions=(), change=lambda request: None, idp=None, sign=True):
        """What goes on the wire."""
        idp = idp or self.idp
        by_post = self.binding == BINDING_HTTP_POST
        request = idp.logout_request(
            self.sls_url, self.tenant.entity_id, f"id-of-{user['username']}", sessions, change, sign and by_post
        )
        if by_post:
            return base64.b64encode(str(request).encode()).decode()
        return urlsplit(idp.redirected(request, self.sls_url, 'state/+&"é', sign)).query

    def send(self, message, api=None):
        api = api or self.api
        if self.binding == BINDING_HTTP_POST:
            return api.post('/saml/sls', data={'SAMLRequest': message, 'RelayState': 'state/+&"é'})
        return api.get('/saml/sls?' + message)

    def outcome(self, answer):
        """The status codes that the identity provider reads; it has verified the signature."""
        assert answer.status_code == 302, answer.text
        location = answer.headers['Location']
        assert location.startswith(f'{self.idp.url}/slo?SAMLResponse=')
        assert parse_qs(urlsplit(location).query)['RelayState'] == ['state/+&"é']
        assert requests.get(location, timeout=30).status_code == 200
        return codes_of(self.idp.answers[-1])


def codes_of(answer):
    code = answer.status.status_code
    return [code.value] + ([code.status_code.value] if code.status_code else [])


@pytest.fixture(params=[BINDING_HTTP_REDIRECT, BINDING_HTTP_POST], ids=['redirect', 'post'])
def sender(request, one, tenant, idp):
    return Sender(one, tenant, idp, request.param)


def alive(api, data):
    return api.head(f"/token/{data['token']}").status_code == 204


UNKNOWN = [STATUS_REQUESTER, STATUS_UNKNOWN_PRINCIPAL]


def test_the_identity_provider_logs_out(one, two, tenant, user, offline, sender, psql, bus):
    online = exchange(one, log_in(one, tenant, user)).json()['data']
    unfetched = log_in(one, tenant, user)
    message = sender.request(user)
    assert sender.outcome(sender.send(message, two)) == [STATUS_SUCCESS]
    assert not alive(one, offline) and not alive(one, online)
    assert refreshed(one, offline).status_code == 401
    assert exchange(one, unfetched).status_code == 401
    for data in (offline, online):
        bus.wait('auth_session_deleted', lambda event: event.body['data']['uuid'] == data['session_uuid'])
    bus.wait('auth_refresh_token_deleted', lambda event: event.body['data']['user_uuid'] == user['uuid'])
    assert psql(f"SELECT count(*) FROM auth_saml_session WHERE login = '{user['username']}'") == '0'
    assert psql(f"SELECT count(*) FROM auth_saml_pysaml2_cache WHERE name_id LIKE '%{user['username']}'") == '0'
    # Nobody is left.
    assert sender.outcome(sender.send(sender.request(user))) == UNKNOWN


def test_one_of_several_sessions_ends(one, tenant, user, sender, psql, make_user, make_tenant):
    make_tenant()  # it has the same identity provider, and nobody there
    other = make_user(headers=tenant.headers, authentication_method='saml')
    tokens, sessions = [], []
    for each in (user, user, user, other):
        session = log_in(one, tenant, each)
        sessions.append(session_of(psql, each))
        body = {'access_type': 'offline', 'client_id': f'c{len(tokens)}'} if len(tokens) != 1 else {}
        tokens.append(exchange(one, session, **body).json()['data'])
    assert len(set(sessions)) == 4
    assert sender.outcome(sender.send(sender.request(user, [sessions[1]]))) == [STATUS_SUCCESS]
    assert [alive(one, each) for each in tokens] == [True, False, True, True]
    # What is left can still be ended at the identity provider.
    assert '/slo?SAMLRequest=' in one.get('/saml/logout', tokens[0]['token']).json()['location']
    assert sender.outcome(sender.send(sender.request(user, ['_unknown', sessions[3]]))) == UNKNOWN
    assert sender.outcome(sender.send(sender.request(user, sessions))) == [STATUS_SUCCESS]
    assert [alive(one, each) for each in tokens] == [False, False, False, True]


def test_a_login_uses_its_own_session(one, tenant, user, idp, psql):
    """A logout here names the session that the login came from, not that of the last login."""
    first = log_in(one, tenant, user)
    index = session_of(psql, user)
    token = exchange(one, first, access_type='offline', client_id='first').json()['data']['token']
    log_in(one, tenant, user)
    assert session_of(psql, user) != index
    requests.get(one.get('/saml/logout', token).json()['location'], timeout=30, allow_redirects=False)
    assert idp.requests[-1].session_index[0].text == index


@pytest.fixture(scope='module')
def stranger(stack, idp):
    """It has the identity provider's name, and another key."""
    made = SamlIdp(stack.folder / 'logout-stranger', servers.free_port())
    made._services, made.entity_id = idp._services, idp.entity_id
    yield made
    made.close()


def set_of(name, value):
    return lambda request: setattr(request, name, value)


def issuer_of(name):
    def change(request):
        request.issuer.text = name

    return change


BAD_LOGOUTS = {
    'unsigned': ({'sign': False}, "the request isn't signed"),
    'of a stranger': ({'idp': 'stranger'}, ''),
    'for another address': (
        {'change': set_of('destination', 'https://other.example.org/saml/sls')},
        'for another destination: "https://other.example.org/saml/sls" instead of "http',
    ),
    'expired': ({'change': set_of('not_on_or_after', '2026-01-01T00:00:00Z')}, 'expired'),
    'old': ({'change': set_of('issue_instant', instant(-400))}, 'expired'),
    'of tomorrow': ({'change': set_of('issue_instant', instant(90000))}, 'issued long ago or in the future'),
    'of an unknown provider': (
        {'change': issuer_of('https://unknown.example.org')},
        'no tenant has the identity provider "https://unknown.example.org"',
    ),
    'of another version': ({'change': set_of('version', '1.1')}, 'another version'),
}


@pytest.mark.parametrize('what', BAD_LOGOUTS)
def test_logouts_that_nobody_may_begin(nodes, one, tenant, user, offline, sender, stranger, what):
    options, why = BAD_LOGOUTS[what]
    options = {**options, **({'idp': stranger} if 'idp' in options else {})}
    log = LogReader(nodes[0].error_log)
    log.news()
    answer = sender.send(sender.request(user, **options))
    assert (answer.status_code, answer.json()['error_id']) == (500, 'processing-error')
    [line] = [line for line in log.news().splitlines() if 'SAML: a logout' in line]
    assert f'failed: {why}' in line
    assert alive(one, offline)


def test_a_logout_of_another_tenant(one, tenant, make_tenant, user, offline, sender, stack):
    """A tenant's identity provider ends nobody's login in another tenant, whatever name it gives itself."""
    mallory = SamlIdp(stack.folder / f'mallory-{uuid.uuid4().hex[:6]}', servers.free_port())
    try:
        other = make_tenant(idp=mallory)
        answer = sender.send(sender.request(user, idp=mallory))
        assert answer.status_code == 302 and alive(one, offline)
        mallory.entity_id = sender.idp.entity_id
        assert other.configure('PUT', metadata=mallory.metadata).status_code == 200
        answer = sender.send(sender.request(user, idp=mallory))
        assert answer.status_code == 302 and answer.headers['Location'].startswith(mallory.url)
        assert alive(one, offline)
        assert sender.outcome(sender.send(sender.request(user))) == [STATUS_SUCCESS]
        assert not alive(one, offline)
    finally:
        mallory.close()


def test_a_logout_that_comes_again(one, tenant, user, offline, sender, psql):
    """It ends none of the logins that began after it."""
    message = sender.request(user)
    assert sender.outcome(sender.send(message)) == [STATUS_SUCCESS]
    later = exchange(one, log_in(one, tenant, user)).json()['data']
    psql(f"UPDATE auth_saml_session SET start_time = now() + interval '70 s' WHERE login = '{user['username']}'")
    assert sender.outcome(sender.send(message)) == UNKNOWN
    assert alive(one, later)


def test_a_logout_is_answered_by_the_binding_there(one, make_tenant, make_user, stack):
    """Of an identity provider that takes none by redirect: in a form, signed as XML; of one that takes none: here."""
    idp = SamlIdp(stack.folder / 'posting', servers.free_port())
    idp.logout_bindings = [BINDING_HTTP_POST]
    try:
        tenant = make_tenant(idp=idp)
        user = make_user(headers=tenant.headers, authentication_method='saml')
        sender = Sender(one, tenant, idp, BINDING_HTTP_POST)
        data = exchange(one, log_in(one, tenant, user)).json()['data']
        page = sender.send(sender.request(user))
        assert page.status_code == 200 and not alive(one, data)
        assert html.unescape(re.search('action="([^"]*)"', page.text)[1]) == f'{idp.url}/slo'
        fields = {name: html.unescape(value) for name, value in re.findall('name="(\\w+)" value="([^"]*)"', page.text)}
        assert fields['RelayState'] == 'state/+&"é'
        answer = idp.posted_answer(fields['SAMLResponse'])
        assert codes_of(answer) == [STATUS_SUCCESS] and answer.destination == f'{idp.url}/slo'
        assert "script-src 'sha256-" in page.headers['Content-Security-Policy']
        metadata = re.sub('<[^<]*SingleLogoutService[^>]*>', '', idp.metadata)
        assert tenant.configure('PUT', metadata=metadata).status_code == 200
        page = sender.send(sender.request(user))
        assert page.status_code == 200 and 'You are logged out' in page.text
    finally:
        idp.close()


def test_links_that_are_looked_at_log_nobody_out(one, tenant, user, offline, idp):
    sender = Sender(one, tenant, idp, BINDING_HTTP_REDIRECT)
    assert one.head('/saml/sls?' + sender.request(user)).status_code == 302
    assert alive(one, offline)


def test_what_is_no_logout(one, tenant, user, offline, sender):
    message = sender.request(user)
    both = {'SAMLRequest': 'x', 'SAMLResponse': 'x', 'RelayState': 'x'}
    assert one.post('/saml/sls', data=both).status_code == one.get('/saml/sls', params=both).status_code == 500
    for body in ({}, {'RelayState': 'x'}, {'SAMLRequest': 'x'}, {'SAMLRequest': ''}, {'SAMLResponse': 'PGEvPg=='}):
        for answer in (one.post('/saml/sls', data=body), one.get('/saml/sls', params=body)):
            assert (answer.status_code, answer.json()['error_id']) == (500, 'processing-error')
    huge = one.post('/saml/sls', data={'SAMLRequest': base64.b64encode(b'<a>' + b'x' * (600 << 10)), 'RelayState': 'x'})
    assert huge.status_code in (413, 500)
    if sender.binding == BINDING_HTTP_POST:
        answer = one.post('/saml/sls', data={'SAMLRequest': message, 'RelayState': 'x' * 5000})
        assert answer.status_code == 500 and alive(one, offline)
        answer = one.post('/saml/sls', data={'SAMLRequest': message})
        assert answer.status_code == 302 and 'RelayState' not in answer.headers['Location']
    assert one.post('/saml/sls', json={'SAMLRequest': 'x'}).status_code in (400, 500)


def test_an_answer_that_is_posted(one, offline, idp):
    """Okta and others answer our own requests by a form."""
    location = one.get('/saml/logout', offline['token']).json()['location']
    back = requests.get(location, timeout=30, allow_redirects=False).headers['Location']
    query = parse_qs(urlsplit(back).query)
    xml = zlib.decompress(base64.b64decode(query['SAMLResponse'][0]), -15)
    state = query['RelayState'][0]
    form = {'SAMLResponse': base64.encodebytes(xml), 'RelayState': state}
    for changed in ({'RelayState': state + '0'}, {'SAMLResponse': base64.b64encode(xml.replace(b'Success', b'Other'))}):
        assert one.post('/saml/sls', data={**form, **changed}).status_code == 500
    answer = one.post('/saml/sls', data=form)
    assert (answer.status_code, answer.headers['Location']) == (302, f'{APP}?logged_out=true'), answer.text
    assert one.post('/saml/sls', data=form).status_code == 500


# -- what is encrypted -------------------------------------------------------------------------------------------------


def encrypted_response(idp, tenant, user, request, certificate, encrypt=('EncryptedAssertion',), **options):
    """By xmlsec1, and signed as a whole afterwards."""
    methods = {name: options.pop(name) for name in ('cipher', 'wrap') if name in options}
    sign = options.pop('sign', True)
    xml = idp.response(user['username'], request, tenant.acs_url, tenant.entity_id, sign_response=False, **options)
    if 'EncryptedID' in encrypt:
        name_id = re.search(r'<ns\d:NameID.*?</ns\d:NameID>', xml, re.S)[0]
        alone = re.sub(r'<(ns\d):NameID', r'<\1:NameID xmlns:\1="urn:oasis:names:tc:SAML:2.0:assertion"', name_id)
        xml = xml.replace(name_id, idp.encrypted_for(certificate, alone, 'EncryptedID', **methods))
    if 'EncryptedAssertion' in encrypt:
        assertion = re.search(r'<ns\d:Assertion.*</ns\d:Assertion>', xml, re.S)[0]
        spaces = ''.join(re.findall(r' xmlns:ns\d="[^"]*"', xml[: xml.index(assertion)]))
        alone = re.sub(r'<(ns\d):Assertion', rf'<\1:Assertion{spaces}', assertion, count=1)
        xml = xml.replace(assertion, idp.encrypted_for(certificate, alone, 'EncryptedAssertion', **methods))
    if not sign:
        return xml
    node = re.search(r'Response[^>]* ID="([^"]+)"', xml)[1]
    template = str(pre_signature_part(node, sign_alg=SIG_RSA_SHA256, digest_alg=DIGEST_SHA256))
    template = re.sub(r'^<\?xml[^>]*>\s*', '', template)
    xml = re.sub(r'(</ns\d:Issuer>)', lambda found: found[1] + template, xml, count=1)
    return idp.signed(xml, 'urn:oasis:names:tc:SAML:2.0:protocol:Response')


def answer_of(one, tenant, user, idp, make):
    begun = begin(one, tenant)
    ask_idp(begun['location'], user['username'])
    xml = make(idp.requests[-1].id)
    form = {'SAMLResponse': base64.b64encode(xml.encode()), 'RelayState': relay_state_of(begun)}
    return begun['saml_session_id'], post(one, form)


@pytest.mark.parametrize(
    'cipher', ['aes128-cbc', 'aes192-cbc', 'aes256-cbc', 'tripledes-cbc', 'aes128-gcm', 'aes192-gcm', 'aes256-gcm']
)
def test_encrypted_assertions(one, tenant, user, idp, sp_key, cipher):
    session, answer = answer_of(
        one, tenant, user, idp, lambda request: encrypted_response(idp, tenant, user, request, sp_key[1], cipher=cipher)
    )
    assert answer.headers['Location'] == APP
    assert exchange(one, session).json()['data']['metadata']['uuid'] == user['uuid']


@pytest.mark.parametrize('parts', [('EncryptedID',), ('EncryptedID', 'EncryptedAssertion')])
def test_encrypted_names(one, tenant, user, idp, sp_key, psql, parts):
    session, answer = answer_of(
        one, tenant, user, idp, lambda request: encrypted_response(idp, tenant, user, request, sp_key[1], parts)
    )
    assert answer.headers['Location'] == APP
    assert exchange(one, session).status_code == 200
    assert f"id-of-{user['username']}" in psql(
        f"SELECT saml_name_id FROM auth_saml_session WHERE login = '{user['username']}'"
    )


def test_encrypted_by_pysaml2(one, tenant, user, idp, sp_key):
    """As it does that by itself, with and without a signature of the assertion."""
    for sign in (True, False):
        options = {'encrypt_assertion': True, 'encrypt_assertion_self_contained': True, 'sign_assertion': sign}
        options['encrypt_cert_assertion'] = sp_key[1].read_text()
        session, answer = answer_of(
            one,
            tenant,
            user,
            idp,
            lambda request: idp.response(user['username'], request, tenant.acs_url, tenant.entity_id, **options),
        )
        assert answer.headers['Location'] == APP, sign
        assert exchange(one, session).status_code == 200


def test_what_is_encrypted_badly(nodes, one, tenant, user, idp, sp_key):
    log = LogReader(nodes[0].error_log)

    def why(make):
        log.news()
        assert failed(answer_of(one, tenant, user, idp, make)[1])
        [line] = [line for line in log.news().splitlines() if f'a login through "{tenant.domain}" failed: ' in line]
        return line

    def made(certificate=sp_key[1], **options):
        return lambda request: encrypted_response(idp, tenant, user, request, certificate, **options)

    assert 'give the identity provider our metadata again' in why(made(idp.certificate))
    assert 'switch the identity provider to RSA-OAEP' in why(made(wrap='rsa-1_5'))
    assert "the response isn't signed; switch it on" in why(made(sign=False))

    def changed(request):
        xml = made()(request)
        at = xml.rindex('CipherValue>', 0, xml.rindex('</x:CipherValue>')) + 40
        return xml[:at] + ('A' if xml[at] != 'A' else 'B') + xml[at + 1 :]

    assert 'lasso: ' in why(changed)


def test_a_logout_with_an_encrypted_name(one, tenant, user, offline, idp, sp_key):
    request = str(idp.logout_request(f'{one.base}/saml/sls', tenant.entity_id, f"id-of-{user['username']}"))
    name_id = re.search(r'<ns\d:NameID.*?</ns\d:NameID>', request, re.S)[0]
    alone = re.sub(r'<(ns\d):NameID', r'<\1:NameID xmlns:\1="urn:oasis:names:tc:SAML:2.0:assertion"', name_id)
    xml = request.replace(name_id, idp.encrypted_for(sp_key[1], alone, 'EncryptedID'))
    answer = one.get('/saml/sls?' + urlsplit(idp.redirected(xml, f'{one.base}/saml/sls')).query)
    assert answer.status_code == 302 and not alive(one, offline)


# -- locks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('kind', ['user', 'tenant', 'client', 'session', 'address'])
def test_who_is_locked(kind, one, two, tenant, user, admin_token):
    """The identity provider lets them in, and the lock doesn't: neither a new login, nor one that has begun."""
    there = {'X-Forwarded-For': '198.51.100.67'}

    def redeem(api, session):
        body = {'saml_session_id': session, 'access_type': 'offline', 'client_id': 'desk'}
        return api.post('/token', json=body, headers=there)

    first = redeem(one, log_in(one, tenant, user))
    assert first.status_code == 200, first.text
    token = first.json()['data']
    value = {
        'user': user['uuid'],
        'tenant': tenant.uuid,
        'client': 'desk',
        'session': token['session_uuid'],
        'address': '198.51.100.67',
    }[kind]
    refresh = {'refresh_token': token['refresh_token'], 'client_id': 'desk'}
    begun = log_in(one, tenant, user)
    path = f'/locks/{kind}/{value}'
    assert one.put(path, admin_token, headers=tenant.headers).status_code == 200
    assert two.get(f"/token/{token['token']}", headers=there).status_code != 200
    assert two.post('/token', json=refresh, headers=there).status_code == 401
    # This client has a refresh token, which is what a lock of its session locks.
    assert redeem(two, begun).status_code == 401
    assert one.delete(path, admin_token, headers=tenant.headers).status_code == 204
    assert redeem(two, log_in(one, tenant, user)).status_code == 200
    assert one.post('/token', json=refresh, headers=there).status_code == 200
